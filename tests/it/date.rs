//! `src/date.rs`: dates in UTC.

use countersign::date::Date;

const fn date(year: u64, month: u64, day: u64) -> Date {
    Date { year, month, day }
}

#[test]
fn a_time_has_its_date_and_a_date_ends_with_its_last_second() {
    for (date, first) in [
        (date(1970, 1, 1), 0),
        (date(1972, 2, 29), 68_169_600),
        (date(1999, 12, 31), 946_598_400),
        (date(2000, 2, 29), 951_782_400),
        (date(2000, 3, 1), 951_868_800),
        (date(2026, 11, 26), 1_795_651_200),
        (date(2100, 2, 28), 4_107_456_000),
        (date(2100, 3, 1), 4_107_542_400),
    ] {
        assert_eq!((Date::of(first), Date::of(first + 86_399)), (date, date));
        assert_eq!(date.last_second(), first + 86_399, "{date}");
        assert_eq!(Date::parse(&date.to_string()), Some(date));
    }
}

#[test]
fn each_day_of_1000_years_is_the_successor_of_the_day_before() {
    let mut before = Date::of(0);
    for day in 1..365_242 {
        let date = Date::of(day * 86_400);
        let is_next = date == Date { day: before.day + 1, ..before }
            || date.day == 1 && before.day >= 28 && (date.month == before.month + 1 || date.month == 1);
        assert!(is_next && date > before && date.last_second() == day * 86_400 + 86_399, "{before} {date}");
        before = date;
    }
    assert_eq!(before, date(2969, 12, 30));
}

#[test]
fn a_text_that_is_not_a_date_is_rejected() {
    for text in [
        "",
        "tomorrow",
        "2026-2-03",
        "2026-02-3",
        "26-02-03",
        "2026-02-30",
        "2026-04-31",
        "2025-02-29",
        "2100-02-29",
        "2026-00-10",
        "2026-13-10",
        "2026-10-00",
        "2026-10-32",
        "1969-12-31",
        "0000-01-01",
        "2026/10/10",
        "2026-10-1\u{660}",
        "+026-10-10",
        "2026-10-10T00:00",
        " 2026-10-10",
    ] {
        assert_eq!(Date::parse(text), None, "{text:?}");
    }
    assert!(date(2034, 2, 28) <= date(2024, 2, 29).in_years(10) && date(2034, 3, 1) > date(2024, 2, 29).in_years(10));
}
