//! Tokens that are made from an issued access token, but that the service did not make.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use testing::{TestApp, changed_token};

/// Returns a token that is made from `token` in this way.
pub async fn forge(test: &TestApp, token: &str, how: &str) -> String {
    match how {
        "alg_none" => unsigned(&changed_token(token, |header, _| header["alg"] = json!("none"))).to_owned() + ".",
        "hs256_public_key" => {
            let keys = test.app.keyring.current().await.unwrap();
            let keys: Value = serde_json::from_str(&keys.jwks).unwrap();
            let token = changed_token(token, |header, _| header["alg"] = json!("HS256"));
            let key = hmac::Key::new(hmac::HMAC_SHA256, keys["keys"][0].to_string().as_bytes());
            let tag = hmac::sign(&key, unsigned(&token).as_bytes());
            format!("{}.{}", unsigned(&token), URL_SAFE_NO_PAD.encode(tag))
        }
        "flip_signature" => {
            let (message, signature) = token.rsplit_once('.').unwrap();
            let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            signature[0] ^= 1;
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
        other => panic!("there is no forgery {other}"),
    }
}

/// Returns the header and the claims of a token.
fn unsigned(token: &str) -> &str {
    token.rsplit_once('.').unwrap().0
}
