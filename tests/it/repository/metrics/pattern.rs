//! The part of the filter patterns of AWS for JSON logs ("Filter pattern syntax for metric filters") that the
//! template uses: `=`, `= *` (present), `&&`, `||` and parentheses on members at the top level.

use serde_json::{Value, json};

/// Returns true if the pattern matches the line. `&&` binds more strongly than `||`.
pub fn matches(pattern: &str, line: &Value) -> bool {
    let spaced = pattern.replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<_> = spaced.split_whitespace().collect();
    let ["{", tokens @ .., "}"] = &tokens[..] else { panic!("no braces: {pattern}") };
    let (matched, rest) = either(tokens, line);
    assert!(rest.is_empty(), "{pattern} continues with {rest:?}");
    matched
}

fn either<'a>(tokens: &'a [&'a str], line: &Value) -> (bool, &'a [&'a str]) {
    let (mut matched, mut rest) = both(tokens, line);
    while let ["||", operand @ ..] = rest {
        let (next, after) = both(operand, line);
        (matched, rest) = (matched | next, after);
    }
    (matched, rest)
}

fn both<'a>(tokens: &'a [&'a str], line: &Value) -> (bool, &'a [&'a str]) {
    let (mut matched, mut rest) = comparison(tokens, line);
    while let ["&&", operand @ ..] = rest {
        let (next, after) = comparison(operand, line);
        (matched, rest) = (matched & next, after);
    }
    (matched, rest)
}

fn comparison<'a>(tokens: &'a [&'a str], line: &Value) -> (bool, &'a [&'a str]) {
    match tokens {
        ["(", inner @ ..] => {
            let (matched, rest) = either(inner, line);
            let [")", rest @ ..] = rest else { panic!("expected a parenthesis: {rest:?}") };
            (matched, rest)
        }
        [member, "=", expected, rest @ ..] => {
            let value = &line[member.strip_prefix("$.").expect("a member")];
            let matched = match *expected {
                "*" => !value.is_null(),
                expected => *value == serde_json::from_str::<Value>(expected).expect("a string or a number"),
            };
            (matched, rest)
        }
        _ => panic!("expected a comparison: {tokens:?}"),
    }
}

#[test]
fn a_pattern_matches_members_by_value_and_presence() {
    for (pattern, line, expected) in [
        (r#"{ $.a = "x" }"#, json!({"a": "x"}), true),
        (r#"{ $.a = "x" }"#, json!({"a": "xy"}), false),
        (r#"{ $.a = "x" }"#, json!({"b": "x"}), false),
        (r#"{ $.a = "x" }"#, json!({"nested": {"a": "x"}}), false),
        ("{ $.a = 1 }", json!({"a": 1}), true),
        ("{ $.a = 1 }", json!({"a": 10}), false),
        ("{ $.a = 1 }", json!({"a": "1"}), false),
        ("{ $.a = * }", json!({"a": "anything"}), true),
        ("{ $.a = * }", json!({"b": 1}), false),
        ("{ ($.a = 1) && ($.b = 2) }", json!({"a": 1, "b": 2}), true),
        ("{ ($.a = 1) && ($.b = 2) }", json!({"a": 1, "b": 3}), false),
        ("{ ($.a = 1) || ($.b = 2) }", json!({"a": 0, "b": 2}), true),
        ("{ ($.a = 1) || ($.b = 2) }", json!({"a": 0, "b": 0}), false),
        ("{ $.a = 1 || $.b = 1 && $.c = 1 }", json!({"a": 1, "b": 0, "c": 0}), true),
        ("{ ($.a = 1 || $.b = 1) && $.c = 1 }", json!({"a": 1, "b": 0, "c": 0}), false),
    ] {
        assert_eq!(matches(pattern, &line), expected, "{pattern} on {line}");
    }
}
