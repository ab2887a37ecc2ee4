//! The budget of guesses: how long the next guess has to wait after a number of failures.

/// The first delay, in seconds. Each further failure doubles it (NIST SP 800-63B-4 section 3.2.2: 30 seconds to an
/// hour).
const FIRST_DELAY: u64 = 30;

/// The budget of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// `FREE_ATTEMPTS`: the number of consecutive failures without a delay.
    pub free_attempts: u32,
    /// `MAX_ATTEMPT_DELAY`: the longest delay, in seconds.
    pub max_delay: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { free_attempts: 5, max_delay: 3_600 }
    }
}

impl Budget {
    /// Returns the seconds from the last of these consecutive failures until the next guess is allowed.
    pub fn delay(self, failures: u64) -> u64 {
        let max_delay = u64::from(self.max_delay);
        let Some(further) = failures.checked_sub(self.free_attempts.into()) else {
            return 0;
        };
        let doubled = u32::try_from(further).ok().and_then(|doublings| 1_u64.checked_shl(doublings));
        doubled.map_or(max_delay, |factor| factor.saturating_mul(FIRST_DELAY).min(max_delay))
    }

    /// Returns the numbers of failures with a delay, in ascending order, each with its delay. The delay of the last one
    /// is the longest, and holds for every larger number too.
    pub fn delays(self) -> Vec<(u64, u64)> {
        let max_delay = u64::from(self.max_delay);
        let mut delays = Vec::new();
        let mut failures = u64::from(self.free_attempts);
        loop {
            let delay = self.delay(failures);
            delays.push((failures, delay));
            if delay >= max_delay {
                return delays;
            }
            failures += 1;
        }
    }
}
