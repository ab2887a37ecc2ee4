//! The budget of guesses.

use super::{ConfigError, Variables};
use crate::throttle::Budget;

/// Reads the budget of guesses.
pub(super) fn budget(variables: &Variables<'_>) -> Result<Budget, ConfigError> {
    let default = Budget::default();
    let free_attempts = variables.number("FREE_ATTEMPTS", default.free_attempts)?;
    if !(1..=20).contains(&free_attempts) {
        return Err(ConfigError::new("FREE_ATTEMPTS", "must be from 1 to 20"));
    }
    let max_delay = variables.number("MAX_ATTEMPT_DELAY", default.max_delay)?;
    if !(60..=86_400).contains(&max_delay) {
        return Err(ConfigError::new("MAX_ATTEMPT_DELAY", "must be from 60 to 86400"));
    }
    Ok(Budget { free_attempts, max_delay })
}
