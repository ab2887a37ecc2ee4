//! The time for which a user allows access: the field `for` of the consent page.

use super::Consent;

/// The time for which a user allows access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// `keep`: the end of the existing consent stays.
    Keep,
    /// `none`: access has no end.
    Unlimited,
    /// A number of seconds from now.
    Seconds(u32),
}

impl Period {
    /// The periods of the page in their order, except `keep`: no end, an hour, a day, 30 days, a year.
    pub const OFFERED: [Self; 5] = [
        Self::Unlimited,
        Self::Seconds(3_600),
        Self::Seconds(86_400),
        Self::Seconds(2_592_000),
        Self::Seconds(31_536_000),
    ];

    /// Parses the value of the field. Returns `None` unless the page offers it.
    pub fn parse(value: &str) -> Option<Self> {
        [Self::Keep].into_iter().chain(Self::OFFERED).find(|period| period.value() == value)
    }

    /// Returns the value of the field.
    pub fn value(self) -> String {
        match self {
            Self::Keep => "keep".to_owned(),
            Self::Unlimited => "none".to_owned(),
            Self::Seconds(seconds) => seconds.to_string(),
        }
    }

    /// Returns the period that is preselected for the existing consent, and that a grant without a page uses.
    pub fn preselected(found: Option<&Consent>, now: u64) -> Self {
        if found.is_some_and(|consent| !consent.has_ended(now)) { Self::Keep } else { Self::Unlimited }
    }

    /// Returns true if the page offers the period. `active` is the existing consent, if it has not ended.
    pub(super) fn is_offered(self, active: Option<&Consent>) -> bool {
        self != Self::Keep || active.is_some()
    }

    /// Returns the end of access that is allowed now.
    pub(super) fn until(self, active: Option<&Consent>, now: u64) -> Option<u64> {
        match self {
            Self::Keep => active.and_then(|consent| consent.until),
            Self::Unlimited => None,
            Self::Seconds(seconds) => Some(now.saturating_add(seconds.into())),
        }
    }
}
