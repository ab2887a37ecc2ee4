//! Outages, delays, clock steps and races: what a request returns, and what it leaves in the store.

mod clock_steps;
mod outages;
mod processes;
mod races;
mod resends;
mod table;
