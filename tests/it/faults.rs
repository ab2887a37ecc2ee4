//! Injected faults: outages, delays, clock steps and races. The tests check responses and the stored state.

mod clock_steps;
mod interleavings;
mod outages;
mod pages;
mod processes;
mod races;
mod resends;
mod table;
