//! `params`: limits, grammars and repetition, as tables.

use countersign::error::Error;
use countersign::params::{Defined, Grammar, Param, Params};

fn description(error: &Error) -> String {
    error.description().unwrap().to_string()
}

#[test]
fn values_keep_to_their_grammar() {
    let tokens = |count: usize| vec!["a"; count].join(" ");
    let (most, too_many) = (tokens(100), tokens(101));
    let (character, many) = (Some("The x has a character that is not allowed."), Some("The x has too many tokens."));
    for (grammar, value, expected) in [
        (Grammar::Text, "", None),
        (Grammar::Text, "\0\r\n\u{fc}", None),
        (Grammar::Vschar, " ~", None),
        (Grammar::Vschar, "\t", character),
        (Grammar::Vschar, "\u{7f}", character),
        (Grammar::Vschar, "\u{fc}", character),
        (Grammar::VscharOrInteger, "007", None),
        (Grammar::VscharOrInteger, "\n", character),
        (Grammar::Line, "\t\u{fc}", None),
        (Grammar::Line, "\0", character),
        (Grammar::Line, "a\r", character),
        (Grammar::TrimmedLine, " a ", None),
        (Grammar::TrimmedLine, " \n", character),
        (Grammar::ScopeTokens, &most, None),
        (Grammar::ScopeTokens, "a  \"\n", None),
        (Grammar::ScopeTokens, &too_many, many),
    ] {
        let error = Param::new("x", 1000, grammar).check(value).err();
        assert_eq!(error.as_ref().map(description).as_deref(), expected, "{grammar:?}: {value:?}");
    }
    let limited = Param::new("x", 4, Grammar::Text);
    assert!(limited.check("\u{fc}\u{fc}").is_ok());
    assert_eq!(description(&limited.check("\u{fc}\u{fc}a").unwrap_err()), "The x is too long.");
    assert!(Param::unlimited("x").check(&"a".repeat(100_000)).is_ok());
}

#[test]
fn a_parameter_is_taken_once_and_only_if_it_has_a_value() {
    const X: Param = Param::new("x", 10, Grammar::TrimmedLine);
    let mut params = Params::new(Defined(&[&[X]]));
    assert!(params.first().is_none());
    for _ in 0..2 {
        params.insert("y", Some("1".to_owned())).unwrap();
    }
    assert!(params.first().is_none(), "an unknown parameter is ignored");
    params.insert("x", Some(" a b ".to_owned())).unwrap();
    assert_eq!(params.first(), Some(X));
    for value in [None, Some(String::new()), Some("a b".to_owned())] {
        assert_eq!(description(&params.insert("x", value).unwrap_err()), "The parameter x is repeated.");
    }
    assert_eq!(params.require(X).unwrap(), "a b");
    assert_eq!(description(&params.require(X).unwrap_err()), "The x is missing.");
    params.insert("x", Some("  ".to_owned())).unwrap();
    assert_eq!(params.take(X), None);
}

#[test]
fn names_and_their_number_are_limited() {
    let mut params = Params::new(Defined(&[]));
    for _ in 0..64 {
        params.insert(&"n".repeat(64), None).unwrap();
    }
    assert_eq!(description(&params.insert("n", None).unwrap_err()), "There are too many parameters.");
    let error = Params::new(Defined(&[])).insert(&"n".repeat(65), None).unwrap_err();
    assert_eq!(description(&error), "The name of a parameter is too long.");
}
