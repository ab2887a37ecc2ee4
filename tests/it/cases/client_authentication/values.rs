//! The values in the headers and the claims of the JWTs: those that begin with `@` are computed.

use countersign::random::random_id;
use serde_json::{Value, json};
use testing::jwt::{Defect, ForeignKey};

/// The source of the computed values.
pub struct Values<'a> {
    /// The key of the JWT.
    pub key: &'a ForeignKey,
    /// The time of the clock under test, in seconds since the epoch.
    pub now: u64,
}

impl Values<'_> {
    /// Returns a value with the computed values filled in, at every depth.
    pub fn of(&self, value: &Value) -> Value {
        match value {
            Value::Array(values) => values.iter().map(|value| self.of(value)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), self.of(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::String(text) => text.strip_prefix('@').map_or_else(|| value.clone(), |name| self.computed(name)),
            other => other.clone(),
        }
    }

    fn computed(&self, name: &str) -> Value {
        if let Some(seconds) = name.strip_prefix("now") {
            return self.time(seconds);
        }
        if let Some(seconds) = name.strip_prefix("text") {
            return json!(self.time(seconds).to_string());
        }
        match name.split_once(':') {
            None if name == "random" => json!(random_id()),
            None if name == "public" => self.key.public().clone(),
            None if name == "private" => self.key.private().clone(),
            None if name == "long" => json!("x".repeat(9_000)),
            Some(("upper", url)) => json!(with_upper_case_host(url)),
            _ => panic!("there is no value @{name}"),
        }
    }

    /// Returns the time this many seconds from now: `+60`, `-300`, `+60.5`, or nothing.
    fn time(&self, seconds: &str) -> Value {
        let at = |whole: &str| self.now.checked_add_signed(whole.parse().unwrap()).unwrap();
        match seconds.split_once('.') {
            None if seconds.is_empty() => json!(self.now),
            None => json!(at(seconds)),
            Some(_) => {
                let now = f64::from(u32::try_from(self.now).unwrap());
                json!(now + seconds.parse::<f64>().unwrap())
            }
        }
    }
}

fn with_upper_case_host(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    format!("{}://{}{path}", scheme.to_uppercase(), host.to_uppercase())
}

/// Returns the defect with this name in the cases.
pub fn defect(name: &str) -> Defect {
    match name {
        "signature" => Defect::Signature,
        "none" => Defect::AlgNone,
        "hs256" => Defect::Hs256,
        "two_parts" => Defect::TwoParts,
        "padding" => Defect::Padding,
        "repeated" => Defect::Repeated,
        other => panic!("there is no defect {other}"),
    }
}

#[test]
fn computed_values_are_those_of_the_note() {
    let key = &super::KEYS["keyed-ed25519"];
    let values = Values { key, now: 1_000 };
    let public = json!({"kty": "OKP", "crv": "Ed25519", "x": "AWsIZ-yingjodk1ZUuOpDxSGQBlaxYvzDf8cKq80Wp8"});
    let mut private = public.clone();
    for (name, value) in [("d", "o9TtdX_4vUaBWR3wBqrbyCkpLhLRBXhnoxNNE93pGoA"), ("kid", "k-ed25519"), ("alg", "EdDSA")]
    {
        private[name] = json!(value);
    }
    for (value, computed) in [
        (json!("@now"), json!(1_000)),
        (json!({"a": ["@now-60", "@now+60"]}), json!({"a": [940, 1_060]})),
        (json!("@now+60.5"), json!(1_060.5)),
        (json!("@text+60"), json!("1060")),
        (json!("@public"), public),
        (json!("@private"), private),
        (json!("@upper:https://a.example:8/x"), json!("HTTPS://A.EXAMPLE:8/x")),
        (json!([1, null, "a@now"]), json!([1, null, "a@now"])),
    ] {
        assert_eq!(values.of(&value), computed, "{value}");
    }
    assert_eq!(values.of(&json!("@long")).as_str().unwrap().len(), 9_000);
    assert_ne!(values.of(&json!("@random")), values.of(&json!("@random")));
}
