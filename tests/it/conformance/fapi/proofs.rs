//! The module that sends wrong proofs to the resource.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use testing::{ClientKeyPair, ISSUER, with_changes};

use super::{API, Fapi};

impl Fapi {
    /// Returns the statuses of requests to the API, whose proofs have these claims instead.
    async fn statuses(&self, token: &str, changes: &[Value]) -> Vec<u16> {
        let mut statuses = Vec::new();
        for changes in changes {
            statuses.push(self.call(0, &format!("DPoP {token}"), changes).await);
        }
        statuses
    }
}

/// Returns the proofs whose header or signature is wrong, with what is wrong.
fn wrong_proofs(key: &ClientKeyPair, claims: &Value) -> Vec<(&'static str, String)> {
    let with = |changes: &Value| key.sign(&with_changes(key.proof_header(), changes), claims);
    let mut private = key.jwk.clone();
    private["d"] = "AA".into();
    let valid = key.proof_of(claims);
    let (signed, signature) = valid.rsplit_once('.').unwrap();
    let changed_signature =
        if signature.starts_with('A') { signature.replacen('A', "B", 1) } else { format!("A{}", &signature[1..]) };
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let unsigned = format!("{}.{}.", encode(r#"{"alg":"none","typ":"dpop+jwt"}"#), encode(&claims.to_string()));
    vec![
        ("two parts", signed.to_owned()),
        ("no typ", with(&json!({"typ": null}))),
        ("no alg", with(&json!({"alg": null, "alg2": "ES256"}))),
        ("no jwk", with(&json!({"jwk": null}))),
        ("another typ", with(&json!({"typ": "dpop+jwt+wrong"}))),
        ("alg none", unsigned),
        ("another signature", format!("{signed}.{changed_signature}")),
        ("a private key", with(&json!({"jwk": private}))),
        ("another key", ClientKeyPair::generate("ES256").proof_of(claims)),
    ]
}

#[tokio::test]
async fn s_1027_dpop_negative_tests_accept_only_valid_proofs_of_the_key() {
    let fapi = Fapi::start().await;
    let key = &fapi.proof_keys[0];
    let token = fapi.succeed(0, &json!({})).await;
    let authorization = format!("DPoP {token}");
    let new_proof = || key.proof_of(&fapi.api_claims(&token));

    // The first proof has no nonce, and the next one has that of the response.
    let without = key.proof_of(&with_changes(fapi.api_claims(&token), &json!({"nonce": null})));
    let (status, nonce) = fapi.request(API, &[("authorization", &authorization), ("dpop", &without)]).await;
    assert_eq!((status, nonce), (401, fapi.test.nonce()));

    assert_eq!(fapi.request(API, &[("authorization", &authorization), ("DPOP", &new_proof())]).await.0, 200);
    let two = [("authorization", &*authorization), ("dpop", &new_proof()), ("dpop", &new_proof())];
    assert_eq!(fapi.request(API, &two).await.0, 401);
    for (what, proof) in wrong_proofs(key, &fapi.api_claims(&token)) {
        assert_eq!(fapi.request(API, &[("authorization", &authorization), ("dpop", &proof)]).await.0, 401, "{what}");
    }

    let missing = ["jti", "htm", "htu", "iat", "ath"].map(|name| json!({name: null}));
    assert_eq!(fapi.statuses(&token, &missing).await, [401; 5]);
    let url = format!("{ISSUER}{API}");
    let wrong = [json!({"htm": "PUT"}), json!({"htu": format!("{url}ohnonotagain")}), json!({"ath": "AA"})];
    assert_eq!(fapi.statuses(&token, &wrong).await, [401; 3]);

    let (now, host) = (fapi.test.now(), ISSUER.to_uppercase());
    let valid = [
        json!({"htu": format!("{url}?a=b#c")}),
        json!({"htu": format!("{host}{API}")}),
        json!({"htu": format!("{ISSUER}:443{API}")}),
        // The nonce is the time that counts.
        json!({"iat": now + 3_600}),
        json!({"iat": now - 3_600}),
        json!({"tx_id_key": now + 3_600}),
    ];
    assert_eq!(fapi.statuses(&token, &valid).await, [200; 6]);
    let extra = key.sign(&with_changes(key.proof_header(), &json!({"tx_id": now})), &fapi.api_claims(&token));
    assert_eq!(fapi.request(API, &[("authorization", &authorization), ("dpop", &extra)]).await.0, 200);

    // One `jti` in two proofs, which differ in `iat`.
    let reused = [json!({"jti": "reused"}), json!({"jti": "reused", "iat": now + 1})];
    assert_eq!(fapi.statuses(&token, &reused).await, [200, 401]);

    assert_eq!(fapi.request(API, &[("authorization", &authorization)]).await.0, 401);
    assert_eq!(fapi.request(API, &[("authorization", &format!("Bearer {token}"))]).await.0, 401);
    assert_eq!(fapi.statuses(&token, &[json!({})]).await, [200], "the token still works");
}
