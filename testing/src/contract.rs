//! `openapi.yaml`. Every response in every test must match it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::response::Response;

/// The document.
pub static CONTRACT: LazyLock<Value> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
});

/// The documentation of one response.
struct Documented {
    headers: BTreeMap<String, Header>,
    body: Option<Validator>,
    /// The sentences of the examples, as [`sentence`] returns them.
    sentences: BTreeSet<String>,
    /// True if the body may be a page.
    has_page: bool,
}

/// A documented header. A response may lack the header only if the document says `required: false`.
struct Header {
    value: Validator,
    is_required: bool,
}

/// The documented responses by path, method and status. Responses of unknown paths and methods have empty names.
static RESPONSES: LazyLock<BTreeMap<(&str, &str, u16), Documented>> = LazyLock::new(|| {
    let mut responses = BTreeMap::new();
    for (path, operations) in CONTRACT["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let key = (path.as_str(), method.as_str(), status.parse().unwrap());
                responses.insert(key, Documented::read(response));
            }
        }
    }
    let general = &CONTRACT["components"]["responses"];
    responses.insert(("", "", 404), Documented::read(&general["NotFound"]));
    responses.insert(("", "", 405), Documented::read(&general["MethodNotAllowed"]));
    responses
});

impl Documented {
    fn read(response: &'static Value) -> Self {
        let response = resolved(response);
        let headers = response["headers"].as_object().unwrap().iter().map(|(name, header)| {
            let header = resolved(header);
            let is_required = header["required"] != json!(false);
            (name.to_lowercase(), Header { value: schema(&header["schema"]), is_required })
        });
        let content = |media_type| response.get("content").and_then(|content| content.get(media_type));
        let body = content("application/json").map(|content| schema(&content["schema"]));
        let examples = content("application/json").map(examples).unwrap_or_default();
        let sentences = examples.iter().filter_map(|(_, value)| sentence(value)).collect();
        Self { headers: headers.collect(), body, sentences, has_page: content("text/html").is_some() }
    }
}

/// Returns the examples of a media type, by name.
pub fn examples(content: &'static Value) -> Vec<(&'static str, &'static Value)> {
    let examples = content["examples"].as_object().into_iter().flatten();
    examples.map(|(name, example)| (name.as_str(), &resolved(example)["value"])).collect()
}

/// Returns the `error_description` of an error without the name of the parameter, because the document has one example
/// for all parameters.
fn sentence(error: &Value) -> Option<String> {
    let is_name = |word: &&str| PARAMETERS.contains(*word);
    let words = error["error_description"].as_str()?.split(' ');
    Some(words.map(|word| if is_name(&word) { "..." } else { word }).collect::<Vec<_>>().join(" "))
}

/// The names of the parameters of all requests with JSON responses.
static PARAMETERS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let schemas = CONTRACT["components"]["schemas"].as_object().unwrap().iter();
    let requests =
        schemas.filter(|(name, _)| name.ends_with("Request")).filter_map(|(_, s)| s["properties"].as_object());
    requests.flat_map(|properties| properties.keys().map(String::as_str)).collect()
});

/// Loads the document, so that the time of the first request does not include it.
pub(crate) fn load() {
    LazyLock::force(&RESPONSES);
}

/// Returns a part of the document, or the target of its `$ref`.
pub fn resolved(part: &'static Value) -> &'static Value {
    part["$ref"].as_str().map_or(part, |path| CONTRACT.pointer(path.trim_start_matches('#')).unwrap())
}

/// Returns a validator for a schema of the document.
pub fn schema(schema: &Value) -> Validator {
    let mut whole = schema.clone();
    whole["components"] = json!({"schemas": CONTRACT["components"]["schemas"]});
    jsonschema::draft202012::new(&whole).unwrap()
}

/// Asserts that the document has the status of a response, exactly its headers, and the schema of its body.
#[track_caller]
pub fn assert_documented(method: &str, path: &str, response: &Response) {
    // The path of an issuer may follow this path.
    let well_known = "/.well-known/oauth-authorization-server";
    let path = if path.starts_with(well_known) && response.status != 404 { well_known } else { path };
    // All methods without an operation get the same response.
    let is_method = response.status != 405;
    // HEAD gets the response of GET without the body (RFC 9110 section 9.3.2).
    let operation = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
    let is_documented = CONTRACT["paths"].get(path).is_some_and(|operations| operations.get(&operation).is_some());
    // All paths that do not exist get the same response.
    let is_path = response.status != 404;
    let key = if is_documented && is_method && is_path {
        (path, operation.as_str(), response.status)
    } else {
        ("", "", response.status)
    };
    let documented =
        RESPONSES.get(&key).unwrap_or_else(|| panic!("{method} {path}: {} is not documented", response.status));
    // The document lists only the headers that the service decides.
    let implied = ["content-type", "content-length"];
    let given: BTreeSet<_> =
        response.headers.keys().map(axum::http::HeaderName::as_str).filter(|n| !implied.contains(n)).collect();
    let (required, optional): (Vec<_>, Vec<_>) = documented.headers.iter().partition(|(_, header)| header.is_required);
    let missing: Vec<_> = required.iter().filter(|(name, _)| !given.contains(name.as_str())).map(|(n, _)| n).collect();
    assert!(missing.is_empty(), "{method} {path}: {} without {missing:?}", response.status);
    let known = |name: &str| required.iter().chain(&optional).any(|(known, _)| *known == name);
    let unknown: Vec<_> = given.iter().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "{method} {path}: {} with {unknown:?}", response.status);
    for name in given {
        let text = response.header(name).unwrap();
        let value = &documented.headers[name].value;
        let number = || text.parse::<u64>().is_ok_and(|number| value.is_valid(&json!(number)));
        assert!(value.is_valid(&json!(text)) || number(), "{name}: {text}");
    }
    let is_page = response.header("content-type") == Some("text/html; charset=utf-8");
    match &documented.body {
        _ if is_page => assert!(documented.has_page, "{method} {path}: a page with {}", response.status),
        Some(body) if method != "HEAD" => {
            let error = body.validate(&response.body).err().map(|error| error.to_string());
            assert_eq!(error, None, "{} {:?}", response.status, response.bytes);
            let has_example = sentence(&response.body).is_none_or(|sentence| documented.sentences.contains(&sentence));
            assert!(has_example, "{method} {path}: no example for {:?}", response.bytes);
        }
        _ => assert!(response.bytes.is_empty(), "{:?}", response.bytes),
    }
}
