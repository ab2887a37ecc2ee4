//! The grammar of scopes (RFC 6749 section 3.3), and the rules of allowed scopes.

use std::collections::BTreeSet;

use countersign::scope::{AllowedScopes, InvalidScope, Scope, ScopeError, ScopeTexts};
use serde_json::{Value, json};

fn set(tokens: &[&str]) -> BTreeSet<String> {
    tokens.iter().map(ToString::to_string).collect()
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn allowed(tokens: &[&str]) -> AllowedScopes {
    AllowedScopes::parse(set(tokens)).unwrap()
}

#[test]
fn a_scope_is_a_list_of_tokens_with_single_spaces() {
    let table: [(&str, Result<&[&str], ScopeError>); 23] = [
        ("a", Ok(&["a"])),
        ("b a", Ok(&["b", "a"])),
        ("a b a", Ok(&["a", "b"])),
        ("A a", Ok(&["A", "a"])),
        ("legacy:a.read", Ok(&["legacy:a.read"])),
        // The limits of NQCHAR: %x21 / %x23-5B / %x5D-7E.
        ("! # [ ] ~", Ok(&["!", "#", "[", "]", "~"])),
        ("", Err(ScopeError::Malformed)),
        (" ", Err(ScopeError::Malformed)),
        (" a", Err(ScopeError::Malformed)),
        ("a ", Err(ScopeError::Malformed)),
        ("a  b", Err(ScopeError::Malformed)),
        ("a\tb", Err(ScopeError::Malformed)),
        ("a\nb", Err(ScopeError::Malformed)),
        ("a\"", Err(ScopeError::Malformed)),
        ("a\\", Err(ScopeError::Malformed)),
        ("a\u{7f}", Err(ScopeError::Malformed)),
        ("\u{e4}", Err(ScopeError::Malformed)),
        ("*", Err(ScopeError::Wildcard)),
        ("a:*", Err(ScopeError::Wildcard)),
        ("*a", Err(ScopeError::Wildcard)),
        ("a b*c", Err(ScopeError::Wildcard)),
        // The first error decides.
        ("* \"", Err(ScopeError::Wildcard)),
        ("\" *", Err(ScopeError::Malformed)),
    ];
    for (text, expected) in table {
        let tokens = Scope::parse(text).map(|scope| scope.tokens().to_vec());
        assert_eq!(tokens, expected.map(|tokens| tokens.iter().map(ToString::to_string).collect()), "{text:?}");
    }
}

#[test]
fn a_stored_set_is_a_scope_if_each_member_is_one_token() {
    assert_eq!(Scope::try_from(set(&["b", "a"])).unwrap().to_string(), "a b");
    for (tokens, error) in [
        (set(&[]), ScopeError::Malformed),
        (set(&[""]), ScopeError::Malformed),
        (set(&["a b"]), ScopeError::Malformed),
        (set(&["a", "a a"]), ScopeError::Malformed),
        (set(&["a:*"]), ScopeError::Wildcard),
    ] {
        assert_eq!(Scope::try_from(tokens.clone()).map_err(|invalid| invalid.error), Err(error), "{tokens:?}");
    }
}

#[test]
fn allowed_scopes_are_tokens_or_prefixes() {
    for tokens in [&[][..], &["*"], &["a"], &["a:*"], &["a", "a:*", "*"]] {
        assert_eq!(AllowedScopes::parse(set(tokens)).unwrap().tokens(), &set(tokens));
    }
    for (token, error) in [
        ("", ScopeError::Malformed),
        ("a b", ScopeError::Malformed),
        ("a b*", ScopeError::Malformed),
        ("\"*", ScopeError::Malformed),
        ("**", ScopeError::Wildcard),
        ("*a", ScopeError::Wildcard),
        ("a*b", ScopeError::Wildcard),
        ("a*b*", ScopeError::Wildcard),
    ] {
        assert_eq!(AllowedScopes::parse(set(&["a", token])), Err(InvalidScope { token: token.to_owned(), error }));
    }
}

#[test]
fn a_prefix_allows_at_least_one_more_character() {
    for (tokens, token, expected) in [
        (&["a"][..], "a", true),
        (&["a"], "A", false),
        (&["a"], "ab", false),
        (&["a:*"], "a:b", true),
        (&["a:*"], "a:b:c", true),
        (&["a:*"], "a:", false),
        (&["a:*"], "a", false),
        (&["a:*"], "b:a:c", false),
        (&["*"], "a", true),
        (&["a", "b:*"], "b:c", true),
        (&[], "a", false),
    ] {
        assert_eq!(allowed(tokens).allows(token), expected, "{tokens:?}, {token}");
    }
}

#[test]
fn a_scope_is_checked_as_a_whole_or_narrowed() {
    let (a, none) = (allowed(&["a"]), allowed(&[]));
    assert_eq!(scope("a").allowed_by(&a), Ok(scope("a")));
    assert_eq!(scope("a b c").allowed_by(&a), Err(ScopeError::NotAllowed(2)));
    assert_eq!(scope("b a").narrowed_to(&a), Ok(scope("a")));
    assert_eq!(scope("b c").narrowed_to(&a), Err(ScopeError::NoneAllowed));
    assert_eq!(scope("a").narrowed_to(&none), Err(ScopeError::NoneAllowed));
    assert_eq!(scope("a").within(&scope("b a")), Ok(scope("a")));
    assert_eq!(scope("a c").within(&scope("b a")), Err(ScopeError::NotAllowed(2)));
}

fn texts(entries: &Value) -> Result<ScopeTexts, serde_json::Error> {
    serde_json::from_value(json!({"client_id": ScopeTexts::KEY, "texts": entries}))
}

#[test]
fn a_scope_has_its_own_text_or_that_of_the_longest_prefix() {
    let texts = texts(&json!({
        "orders:*": {"en": "any"}, "orders:list*": {"en": "list"}, "orders:list:1": {"en": "one", "de": "eins"}, "abc*": {"en": "abc"},
        "abcd": {"en": "exact"},
    }))
    .unwrap();
    for (scope, text) in [
        ("orders:x", Some("any")),
        ("orders:list", Some("any")),
        ("orders:list:2", Some("list")),
        ("orders:list:1", Some("one")),
        ("abcd", Some("exact")),
        ("abce", Some("abc")),
        ("abc", None),
        ("orders:", None),
        ("", None),
    ] {
        assert_eq!(texts.of(scope).map(|sentences| sentences["en"].as_str()), text, "{scope}");
    }
}

#[test]
fn a_text_belongs_to_a_scope_and_a_language() {
    assert!(texts(&json!({"*": {"en": "All", "gsw": "Alles"}, "a": {}})).is_ok());
    for (entries, message) in [
        (json!({"a b": {"en": "x"}}), "\"a b\" is neither a scope"),
        (json!({"": {"en": "x"}}), "\"\" is neither a scope"),
        (json!({"a*b": {"en": "x"}}), "\"a*b\" is neither a scope"),
        (json!({"a": {"EN": "x"}}), "\"EN\" is not a language"),
        (json!({"a": {"e": "x"}}), "\"e\" is not a language"),
        (json!({"a": {"en": ""}}), "a text of a is empty"),
        (json!({"a": {"en": "x\ny"}}), "a text of a is empty"),
        (json!({"a": {"en": "x".repeat(501)}}), "a text of a is empty"),
        (json!({"a": "x"}), "invalid type"),
    ] {
        let error = texts(&entries).unwrap_err().to_string();
        assert!(error.starts_with(message), "{entries}: {error}");
    }
}
