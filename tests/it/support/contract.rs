//! `openapi.yaml`, to which every answer that any test gets is held.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::Answer;

/// The document.
pub static CONTRACT: LazyLock<Value> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
});

/// What is documented of one answer.
struct Documented {
    headers: BTreeMap<String, Validator>,
    body: Validator,
}

/// By status. Each status has one meaning here, whatever the path.
static ANSWERS: LazyLock<BTreeMap<u16, Documented>> = LazyLock::new(|| {
    let posted = CONTRACT["paths"]["/oauth/token"]["post"]["responses"].as_object().unwrap();
    let mut answers: BTreeMap<u16, &'static Value> =
        posted.iter().map(|(status, answer)| (status.parse().unwrap(), answer)).collect();
    let elsewhere = &CONTRACT["components"]["responses"];
    assert!(answers.insert(404, &elsewhere["NotFound"]).is_none());
    assert!(answers.insert(405, &elsewhere["MethodNotAllowed"]).is_none());
    answers.into_iter().map(|(status, answer)| (status, Documented::read(answer))).collect()
});

impl Documented {
    fn read(answer: &'static Value) -> Self {
        let headers = answer["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, header)| (name.to_lowercase(), schema(&resolved(header)["schema"])));
        Self { headers: headers.collect(), body: schema(&answer["content"]["application/json"]["schema"]) }
    }
}

/// A part of the document, or what it refers to.
pub fn resolved(part: &'static Value) -> &'static Value {
    part["$ref"].as_str().map_or(part, |reference| CONTRACT.pointer(reference.trim_start_matches('#')).unwrap())
}

/// A validator of a schema within the document.
pub fn schema(schema: &Value) -> Validator {
    let mut whole = schema.clone();
    whole["components"] = json!({"schemas": CONTRACT["components"]["schemas"]});
    jsonschema::draft202012::new(&whole).unwrap()
}

/// Holds an answer to what is documented: its status, its headers (no fewer and no more), its body.
#[track_caller]
pub fn assert_documented(method: &str, answer: &Answer) {
    let documented = ANSWERS.get(&answer.status).unwrap_or_else(|| panic!("{} is not documented", answer.status));
    // What carries an answer adds these, and the gateway its own.
    let carried = ["content-type", "content-length"];
    let given: BTreeSet<_> =
        answer.headers.keys().map(axum::http::HeaderName::as_str).filter(|n| !carried.contains(n)).collect();
    let promised: BTreeSet<_> =
        documented.headers.keys().map(String::as_str).filter(|name| *name != "apigw-requestid").collect();
    assert_eq!(given, promised, "headers of {}", answer.status);
    for name in given {
        let text = answer.header(name).unwrap();
        let number = || text.parse::<u64>().is_ok_and(|number| documented.headers[name].is_valid(&json!(number)));
        assert!(documented.headers[name].is_valid(&json!(text)) || number(), "{name}: {text}");
    }
    if method != "HEAD" {
        let fault = documented.body.validate(&answer.body).err().map(|fault| fault.to_string());
        assert_eq!(fault, None, "{} {:?}", answer.status, answer.bytes);
    }
}
