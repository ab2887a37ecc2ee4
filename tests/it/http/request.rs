//! `http::request`: how headers and bodies are read, as tables.

use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use countersign::error::Error;
use countersign::http::request::accept::token_version;
use countersign::http::request::body::ContentType;
use countersign::http::request::media_type::{parameter, split};
use countersign::http::request::{form, json};
use countersign::params::{Defined, Grammar, Param, Params};
use countersign::token::TokenVersion;

const COLOR: Param = Param::new("color", 5, Grammar::Line);
const NUMBER: Param = Param::new("number", 256, Grammar::VscharOrInteger);

const DEFINED: Defined = Defined(&[&[COLOR, NUMBER]]);

fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
    values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
}

fn description(error: &Error) -> String {
    error.description().unwrap().to_string()
}

#[test]
fn lists_are_split_outside_quotes() {
    for (text, parts) in [
        ("", &[""][..]),
        ("a", &["a"]),
        (" a , b ", &["a", "b"]),
        ("a,,b", &["a", "", "b"]),
        (r#"a;x="1,2",b"#, &[r#"a;x="1,2""#, "b"]),
        (r#""a\",b",c"#, &[r#""a\",b""#, "c"]),
        (r#"a\",b",c"#, &[r#"a\",b""#, "c"]),
        (r#""a,b"#, &[r#""a,b"#]),
    ] {
        assert_eq!(split(text, ',').collect::<Vec<_>>(), parts, "{text}");
    }
}

#[test]
fn parameters_have_a_name_and_a_value_without_quotes() {
    for (part, expected) in [
        ("version=1", Some(("version", "1"))),
        (" version = 1 ", Some(("version", "1"))),
        (r#"version="1""#, Some(("version", "1"))),
        (r#"version="1"#, Some(("version", r#""1"#))),
        (r#"version=""#, Some(("version", r#"""#))),
        (r#"version="""#, Some(("version", ""))),
        ("a=b=c", Some(("a", "b=c"))),
        ("=", Some(("", ""))),
        ("version", None),
        ("", None),
    ] {
        assert_eq!(parameter(part), expected, "{part}");
    }
}

#[test]
fn accept_selects_the_token_version() {
    for (values, expected) in [
        (&[][..], Some(TokenVersion::V2)),
        (&["*/*"], Some(TokenVersion::V2)),
        (&["version=1"], Some(TokenVersion::V1)),
        (&["text/html", "application/json; version=1.5"], Some(TokenVersion::V1)),
        (&["*/*; version=2, */*; version=1"], Some(TokenVersion::V2)),
        (&["*/*; version=1", "*/*; version=2"], Some(TokenVersion::V1)),
        (&[r#"*/*; a=", version=2"; VERSION="1""#], Some(TokenVersion::V1)),
        (&["version=18446744073709551616"], Some(TokenVersion::V2)),
        (&["version=0"], None),
        (&["version=0.9"], None),
        (&["version=1."], None),
        (&["version=x", "version=1"], None),
    ] {
        assert_eq!(token_version(&headers(&ACCEPT, values)).ok(), expected, "{values:?}");
    }
}

#[test]
fn there_is_one_content_type_of_two() {
    for (values, expected) in [
        (&["application/json"][..], Some(ContentType::Json)),
        (&["Application/JSON ; charset=latin1"], Some(ContentType::Json)),
        (&["application/x-www-form-urlencoded"], Some(ContentType::Form)),
        (&[r#"application/x-www-form-urlencoded; a="b, c/d""#], Some(ContentType::Form)),
        (&[], None),
        (&[""], None),
        (&["text/plain"], None),
        (&["application/json", "application/json"], None),
        (&["application/json, application/json"], None),
    ] {
        assert_eq!(ContentType::of(&headers(&CONTENT_TYPE, values)).ok(), expected, "{values:?}");
    }
}

#[test]
fn forms_are_decoded_or_rejected() {
    for (text, expected) in [
        ("", Some("")),
        ("a+b%20c", Some("a b c")),
        ("%2B%2b", Some("++")),
        ("%C3%BC", Some("\u{fc}")),
        ("%", None),
        ("%4", None),
        ("%zz", None),
        ("%FF", None),
    ] {
        assert_eq!(form::decode(text.as_bytes()).as_deref(), expected, "{text}");
    }
}

/// Reads a parameter from a body of either form, or the description of the error.
fn taken(read: Result<Params, Error>, param: Param) -> Result<Option<String>, String> {
    read.map(|mut params| params.take(param)).map_err(|error| description(&error))
}

#[test]
fn json_members_are_parameters() {
    let malformed = "The body is not one JSON object, at most 4 deep and without repeated members.";
    for (body, param, expected) in [
        (r#"{"color":"red"}"#, COLOR, Ok(Some("red"))),
        (r#"{"color":null}"#, COLOR, Ok(None)),
        (r#"{"number":123456789012345}"#, NUMBER, Ok(Some("123456789012345"))),
        (r#"{"number":1234567890123456}"#, NUMBER, Err("The parameter number is not a string.")),
        (r#"{"number":1.0}"#, NUMBER, Err("The parameter number is not a string.")),
        (r#"{"color":1}"#, COLOR, Err("The parameter color is not a string.")),
        (r#"{"color":["red"]}"#, COLOR, Err("The parameter color is not a string.")),
        (r#"{"color":"red","color":"red"}"#, COLOR, Err("The parameter color is repeated.")),
        (r#"{"color":null,"color":1,"color":{}}"#, COLOR, Err("The parameter color is repeated.")),
        // An unknown name is not quoted.
        (r#"{"zebra":1,"color":"red"}"#, COLOR, Ok(Some("red"))),
        (r#"{"zebra":1,"zebra":2}"#, COLOR, Err(malformed)),
        (r#"{"zebra":{"color":1,"color":2}}"#, COLOR, Err(malformed)),
        (r#"{"zebra":[[[[]]]]}"#, COLOR, Err(malformed)),
        (r#"["color"]"#, COLOR, Err(malformed)),
    ] {
        let expected = expected.map(|value| value.map(str::to_owned)).map_err(str::to_owned);
        assert_eq!(taken(json::read(body.as_bytes(), DEFINED), param), expected, "{body}");
    }
}

#[test]
fn form_fields_are_parameters() {
    let malformed = "malformed";
    for (body, expected) in [
        ("color=red&zebra=1&zebra=2", Ok(Some("red"))),
        ("&&color=", Ok(None)),
        ("color", Ok(None)),
        ("color=red&color", Err("The parameter color is repeated.")),
        ("color=orange", Err("The color is too long.")),
        ("color=%0A", Err("The color has a character that is not allowed.")),
        ("zebra=%", Err(malformed)),
    ] {
        let expected = expected.map(|value| value.map(str::to_owned)).map_err(str::to_owned);
        assert_eq!(taken(form::read(body.as_bytes(), DEFINED, malformed), COLOR), expected, "{body}");
    }
}

#[test]
fn a_query_contains_no_defined_parameter() {
    for (query, expected) in [
        ("", None),
        ("zebra=1&zebra=2", None),
        ("zebra&color", Some("The parameter color belongs in the body, not in the query.")),
        ("colo%72=", Some("The parameter color belongs in the body, not in the query.")),
        ("zebra=%", Some("The query is not well-formed.")),
    ] {
        let error = form::check_query(query, DEFINED).err();
        assert_eq!(error.as_ref().map(description).as_deref(), expected, "{query}");
    }
}
