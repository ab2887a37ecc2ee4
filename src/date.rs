//! Dates of the Gregorian calendar in UTC, for people.

use std::fmt;

const DAY: u64 = 24 * 60 * 60;
/// The days from 1 March of the year 0 to the epoch.
const DAYS_BEFORE_EPOCH: u64 = 719_468;
/// The days of 400 years.
const DAYS_OF_ERA: u64 = 146_097;

/// A date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// The year.
    pub year: u64,
    /// The month, 1 to 12.
    pub month: u64,
    /// The day of the month, 1 to 31.
    pub day: u64,
}

impl Date {
    /// Returns the date of a time in seconds since the epoch.
    pub const fn of(time: u64) -> Self {
        // The year is counted from 1 March, so that the leap day is its last day.
        let days = time / DAY + DAYS_BEFORE_EPOCH;
        let (era, day) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        Self { year: era * 400 + year + next, month, day }
    }

    /// Parses `YYYY-MM-DD`. Returns `None` for another form, for a date that does not exist, and for one before the epoch.
    pub fn parse(text: &str) -> Option<Self> {
        let is_form = text.len() == 10
            && text
                .bytes()
                .enumerate()
                .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
        let mut numbers = text.split('-').filter_map(|number| number.parse().ok());
        let date = Self { year: numbers.next()?, month: numbers.next()?, day: numbers.next()? };
        let may_exist = is_form && date.year >= 1970 && (1..=12).contains(&date.month) && (1..=31).contains(&date.day);
        // 31 April is the time of 1 May.
        (may_exist && Self::of(date.begins_at()) == date).then_some(date)
    }

    /// Returns the first second of the date.
    const fn begins_at(self) -> u64 {
        let (year, month) = if self.month > 2 { (self.year, self.month - 3) } else { (self.year - 1, self.month + 9) };
        let day_of_year = (153 * month + 2) / 5 + self.day - 1;
        let days =
            (year / 400) * DAYS_OF_ERA + (year % 400) * 365 + (year % 400) / 4 - (year % 400) / 100 + day_of_year;
        (days - DAYS_BEFORE_EPOCH) * DAY
    }

    /// Returns the last second of the date.
    pub const fn last_second(self) -> u64 {
        self.begins_at() + DAY - 1
    }

    /// Returns the same day after this number of years. It may not exist; it only limits other dates.
    #[must_use]
    pub const fn in_years(self, years: u64) -> Self {
        Self { year: self.year + years, ..self }
    }
}

/// Formats the date as `YYYY-MM-DD`.
impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day } = self;
        write!(formatter, "{year:04}-{month:02}-{day:02}")
    }
}
