//! The public cases of client authentication: client assertions, tokens of other issuers, proofs, certificates, resources.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::sequences::{Groups, compare, store};
use super::{check, cookie, names, request};
use testing::jwt::ForeignKey;
use testing::{Behavior, CHEAP_ARGON2, FakeIssuer, Response, TestApp, fixtures, join_all};

mod event;
mod values;

use values::Values;

/// The issuer under test. Other issuers are loopback addresses, which count only for an issuer that is one, too.
const ISSUER: &str = "http://127.0.0.1:9000";

static FILE: LazyLock<Value> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/client-authentication.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
});

/// The private keys, by name.
static KEYS: LazyLock<HashMap<&str, ForeignKey>> = LazyLock::new(|| {
    let keys = FILE["fixtures"]["keys"].as_object().unwrap();
    keys.iter().map(|(name, jwk)| (name.as_str(), ForeignKey::new(jwk))).collect()
});

#[tokio::test]
async fn every_public_case_of_client_authentication_gets_its_expected_responses() {
    assert_eq!(FILE["settings"]["login_pages"], "off");
    let groups = Groups::default();
    let (mut failed, mut count) = (Vec::new(), 0);
    for case in FILE["cases"].as_array().unwrap() {
        let id = text(&case["id"]);
        count += 1;
        if tokio::spawn(run(case, groups.clone())).await.is_err() {
            failed.push(id);
        }
    }
    assert!(failed.is_empty() && count > 0, "{failed:?} of {count}");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

/// A running case.
struct Run {
    test: Arc<TestApp>,
    issuers: HashMap<&'static str, FakeIssuer>,
    /// The values of the placeholders, by name.
    saved: HashMap<String, String>,
    groups: Groups,
    /// True if the requests are events of the gateway.
    sends_events: bool,
}

async fn run(case: &'static Value, groups: Groups) {
    let test = TestApp::start_with(|config| {
        config.argon2 = CHEAP_ARGON2;
        ISSUER.clone_into(&mut config.issuer);
        config.mtls_domain = Some(text(&FILE["settings"]["mtls_domain"]).to_owned());
    });
    let test = Arc::new(test.await);
    let mut saved: HashMap<_, _> = [("issuer", ISSUER.to_owned()), ("token_endpoint", format!("{ISSUER}/oauth/token"))]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
    let mut issuers = HashMap::new();
    for (name, issuer) in FILE["fixtures"]["issuers"].as_object().unwrap() {
        let issuer = FakeIssuer::start(&published(&issuer["keys"])).await;
        saved.insert(name.clone(), issuer.url.clone());
        issuers.insert(name.as_str(), issuer);
    }
    let sends_events = names(&case["needs"]).any(|need| need == "event");
    let mut run = Run { test, issuers, saved, groups, sends_events };
    run.put_records();
    for (number, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        run.step(&format!("{}, step {}", case["id"], number + 1), step).await;
    }
}

/// Returns the public keys of a key set, which names keys of the fixtures.
fn published(keys: &Value) -> Vec<Value> {
    names(keys).map(|name| KEYS[name].published()).collect()
}

/// Replaces the key sets of a record, which name keys of the fixtures, by their stored form.
fn store_keys(record: &mut Value) {
    for key in record.get_mut("jwks").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = key.as_object_mut().unwrap().remove("key").unwrap();
        key["jwk"] = json!(KEYS[text(&name)].public().to_string());
        key["created_at"] = json!(1);
    }
    for entry in record.get_mut("federated").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(keys) = entry.get("jwks").map(published) {
            entry["jwks"] = json!(json!({"keys": keys}).to_string());
        }
        entry["created_at"] = json!(1);
    }
}

impl Run {
    /// Returns a value with the placeholders filled in.
    fn filled(&self, value: &Value) -> Value {
        let mut text = value.to_string();
        for (name, value) in &self.saved {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        serde_json::from_str(&text).unwrap()
    }

    fn put_records(&self) {
        let mut file = self.filled(&json!({"fixtures": {
            "clients": FILE["fixtures"]["clients"], "users": FILE["fixtures"]["users"],
        }}));
        file["fixtures"]["clients"].as_array_mut().unwrap().iter_mut().for_each(store_keys);
        let (clients, users) = fixtures(&file, CHEAP_ARGON2);
        for (table, items) in [("ClientsTable", clients), ("UsersTable", users)] {
            for item in &items {
                self.test.cloud.put(table, item).unwrap();
            }
        }
    }

    async fn step(&mut self, id: &str, step: &Value) {
        let step = self.filled(step);
        // The one member that says what the step does; the others belong to it.
        let kinds = ["jwt", "request", "issuer", "fetches", "store", "wait"];
        let found: Vec<_> = kinds.into_iter().filter(|kind| step.get(kind).is_some()).collect();
        match found[..] {
            ["jwt"] => self.make_jwt(id, &step),
            ["request"] => self.send(id, &step).await,
            ["issuer"] => self.change_issuer(id, &step),
            ["fetches"] => {
                for (name, count) in step["fetches"].as_object().unwrap() {
                    assert_eq!(*count, json!(self.issuers[name.as_str()].fetches()), "{id}: {name}");
                }
            }
            ["store"] => {
                let mut change = step["store"].clone();
                change.get_mut("set").into_iter().for_each(store_keys);
                store(&self.test, &change);
            }
            ["wait"] => self.test.advance_clock(step["wait"].as_i64().unwrap()),
            _ => panic!("{id}: {found:?}"),
        }
    }

    fn make_jwt(&mut self, id: &str, step: &Value) {
        let known = ["jwt", "key", "header", "claims", "altered", "signed_by"];
        assert_known(id, step, &known);
        let key = &KEYS[text(&step["key"])];
        let signed_by = step["signed_by"].as_str().map_or(key, |name| &KEYS[name]);
        let values = Values { key, now: self.test.now() };
        let (header, claims) = (values.of(&step["header"]), values.of(&step["claims"]));
        let defect = step["altered"].as_str().map(values::defect);
        self.saved.insert(text(&step["jwt"]).to_owned(), signed_by.jwt(&header, &claims, defect));
    }

    fn change_issuer(&self, id: &str, step: &Value) {
        assert_known(id, step, &["issuer", "keys", "state"]);
        let issuer = &self.issuers[text(&step["issuer"])];
        if step.get("keys").is_some() {
            issuer.set_keys(&published(&step["keys"]));
        }
        if let Some(state) = step["state"].as_str() {
            let state = match state {
                "up" => Behavior::Up,
                "down" => Behavior::Down,
                "redirect" => Behavior::Redirect,
                "wrong_issuer" => Behavior::OtherIssuer,
                other => panic!("{id}: there is no state {other}"),
            };
            issuer.set(state);
        }
    }

    async fn send(&mut self, id: &str, step: &Value) {
        assert_known(id, step, &["request", "expect", "save", "parallel", "expect_counts"]);
        if let Some(count) = step["parallel"].as_u64() {
            let responses = join_all((0..count).map(|_| self.respond(&step["request"]))).await;
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for response in responses {
                *counts.entry(response.status.to_string()).or_default() += 1;
            }
            assert_eq!(json!(counts), step["expect_counts"], "{id}");
            return;
        }
        let response = self.respond(&step["request"]).await;
        self.check(id, &step["expect"], &response);
        for (name, source) in step["save"].as_object().into_iter().flatten() {
            let value = match text(source).split_once(':').unwrap() {
                ("json", member) => text(&response.body[member]),
                ("header", header) => response.header(header).unwrap_or_else(|| panic!("{id}: no {header}")),
                ("cookie", cookie_name) => cookie(&response, cookie_name).0,
                (other, _) => panic!("{id}: there is no {other}"),
            };
            self.saved.insert(name.clone(), value.to_owned());
        }
    }

    async fn respond(&self, sent: &Value) -> Response {
        assert_known("a request", sent, &["method", "path", "headers", "body", "body_base64", "certificate"]);
        if self.sends_events {
            let certificate = sent["certificate"].as_str().map(|name| &FILE["fixtures"]["certificates"][name]);
            let domain = certificate.map(|_| text(&FILE["settings"]["mtls_domain"]));
            event::send(&self.test, sent, certificate.zip(domain)).await
        } else {
            assert!(sent.get("certificate").is_none());
            self.test.send(request(sent)).await
        }
    }

    fn check(&self, id: &str, expect: &Value, response: &Response) {
        let mut others = expect.clone();
        let [is_cacheable, claims, absent] =
            ["cacheable", "claims", "claims_absent"].map(|name| others.as_object_mut().unwrap().remove(name));
        check(id, &others, response);
        let is_stored = response.header("cache-control") != Some("no-store");
        assert_eq!(is_stored, is_cacheable == Some(json!(true)), "{id}");
        if claims.is_some() || absent.is_some() {
            let token = text(&response.body["access_token"]);
            let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
            let issued: Value = serde_json::from_slice(&payload).unwrap();
            for (name, value) in claims.iter().filter_map(Value::as_object).flatten() {
                assert_eq!(issued[name], *value, "{id}: {name}");
            }
            for name in absent.iter().flat_map(names) {
                assert!(issued.get(name).is_none(), "{id}: {name}");
            }
        }
        if let Some(group) = expect["same_as"].as_str() {
            compare(&self.groups, (id, group), response);
        }
    }
}

/// Asserts that a part of a case has no other members than these.
fn assert_known(id: &str, part: &Value, known: &[&str]) {
    let unknown = part.as_object().unwrap().keys().find(|name| !known.contains(&name.as_str()));
    assert_eq!(unknown, None, "{id}");
}
