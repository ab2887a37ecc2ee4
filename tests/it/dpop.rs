//! The rules of DPoP proofs: one table for each step.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::confirmation::{Confirmation, token_type};
use countersign::dpop::{NonceKeys, Proof, Rejected, Target, verify};
use countersign::hmac_keys::HmacKeys;
use serde_json::{Value, json};

use testing::{ClientKeyPair, with_changes};

mod htu;
mod nonce;

const NOW: u64 = 1_900_000_000;
const URL: &str = "https://auth.example/oauth/token";

fn nonces() -> NonceKeys {
    NonceKeys::new(HmacKeys::new([1; 32], []))
}

fn claims() -> Value {
    json!({"jti": "1", "htm": "POST", "htu": URL, "iat": NOW, "nonce": nonces().nonce(NOW)})
}

fn check(proof: &str) -> Result<Proof, Rejected> {
    verify(proof, Target { method: "POST", urls: &[URL.to_owned()], now: NOW }, &nonces())
}

/// Returns the result for a proof with changed members, which its key signed. `null` removes a member.
fn changed(key: &ClientKeyPair, header: &Value, claims_of_proof: &Value) -> Result<Proof, Rejected> {
    check(&key.sign(&with_changes(key.proof_header(), header), &with_changes(claims(), claims_of_proof)))
}

#[track_caller]
fn assert_invalid(result: &Result<Proof, Rejected>, what: &dyn std::fmt::Debug) {
    assert!(matches!(result, Err(Rejected::Invalid(_))), "{what:?}: {result:?}");
}

#[test]
fn s_1018_a_proof_of_either_curve_names_the_thumbprint_of_its_key() {
    for key in [ClientKeyPair::generate("ES256"), ClientKeyPair::generate("EdDSA")] {
        let proof = check(&key.proof_of(&claims())).unwrap();
        assert_eq!(proof.key, Confirmation::Jkt(key.thumbprint()));
        assert_eq!(token_type(Some(&proof.key)), "DPoP");
    }
    // The two names of one algorithm (RFC 9864), a `kid`, and the `alg` of the key.
    let key = ClientKeyPair::generate("EdDSA");
    let mut jwk = key.jwk.clone();
    jwk["alg"] = "EdDSA".into();
    for header in [json!({"alg": "Ed25519"}), json!({"kid": "1"}), json!({"jwk": jwk})] {
        assert!(changed(&key, &header, &json!({})).is_ok(), "{header}");
    }
}

/// The example of RFC 9449 section 4.1. Its nonce is missing, and everything else is valid.
#[test]
fn s_1018_the_example_of_the_standard_is_valid_except_for_its_nonce() {
    const EXAMPLE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMz\
        R0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE\
        QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4\
        YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7\
        NVY-FNyJK70nfbV37xRZT3Lg";
    let urls = ["https://server.example.com/token".to_owned()];
    let target = Target { method: "POST", urls: &urls, now: NOW };
    assert_eq!(verify(EXAMPLE, target, &nonces()).unwrap_err(), Rejected::Nonce);
}

#[test]
fn s_1018_a_text_that_is_not_one_jwt_is_not_a_proof() {
    let key = ClientKeyPair::generate("ES256");
    let proof = key.proof_of(&claims());
    let header = key.proof_header().to_string();
    let [head, body, signature]: [&str; 3] = proof.split('.').collect::<Vec<_>>().try_into().unwrap();
    for text in [
        String::new(),
        "x".to_owned(),
        "..".to_owned(),
        format!("{proof}, {proof}"),
        format!("{proof},{proof}"),
        format!("{proof},"),
        format!(" {proof}"),
        format!("{proof}="),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{head}.{body}.{signature}.x"),
        format!("{head}.{signature}.{body}"),
        // A repeated member, JSON that is not an object, and JSON that is too deep.
        key.sign_text(&header.replacen('{', r#"{"typ":"dpop+jwt","#, 1), &claims().to_string(), None),
        key.sign_text(&header, &claims().to_string().replacen('{', r#"{"htm":"POST","#, 1), None),
        key.sign_text(&header, "[]", None),
        key.sign_text("[]", &claims().to_string(), None),
        key.sign_text(
            &header,
            &claims().to_string().replacen('{', &format!("{{\"a\":{}{},", "[".repeat(8), "]".repeat(8)), 1),
            None,
        ),
    ] {
        assert_invalid(&check(&text), &text);
    }
}

#[test]
fn s_1018_a_proof_has_at_most_4_kib() {
    let key = ClientKeyPair::generate("ES256");
    let of_length = |length: usize| {
        let padding = |extra: usize| {
            let mut claims = claims();
            claims["x"] = "x".repeat(extra).into();
            key.proof_of(&claims)
        };
        (0..4096).map(padding).find(|proof| proof.len() >= length).unwrap()
    };
    let largest = of_length(4096);
    assert!((4096..=4097).contains(&largest.len()));
    assert!(check(&of_length(4095)).is_ok());
    assert_invalid(&check(&of_length(4097)), &"over 4 KiB");
}

#[test]
fn s_1018_the_header_names_the_type_the_algorithm_and_a_public_key() {
    let (key, other) = (ClientKeyPair::generate("ES256"), ClientKeyPair::generate("EdDSA"));
    let jwk = |name: &str, value: Value| {
        let mut jwk = key.jwk.clone();
        jwk[name] = value;
        json!({"jwk": jwk})
    };
    for header in [
        json!({"typ": null}),
        json!({"typ": "JWT"}),
        json!({"typ": "DPoP+JWT"}),
        json!({"typ": "application/dpop+jwt"}),
        json!({"typ": ["dpop+jwt"]}),
        json!({"typ": "at+jwt"}),
        json!({"typ": "client-authentication+jwt"}),
        json!({"alg": null}),
        json!({"alg": "none"}),
        json!({"alg": "HS256"}),
        json!({"alg": "es256"}),
        json!({"alg": "ES384"}),
        json!({"alg": "RS256"}),
        json!({"alg": "PS256"}),
        json!({"alg": "EdDSA"}),
        json!({"alg": "Ed25519"}),
        json!({"crit": []}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"jwk": null}),
        json!({"jwk": "x"}),
        json!({"jwk": {}}),
        json!({"jwk": [key.jwk]}),
        json!({"jwk": other.jwk}),
        json!({"jwk": {"kty": "oct", "k": "AAAA"}}),
        jwk("d", "AAAA".into()),
        jwk("alg", "EdDSA".into()),
        jwk("alg", "HS256".into()),
        jwk("use", "enc".into()),
        jwk("crv", "P-384".into()),
        jwk("crv", "secp256k1".into()),
        jwk("kty", "OKP".into()),
        jwk("x", "AAAA".into()),
        jwk("y", key.jwk["x"].clone()),
        // The key is in the header only: nothing is fetched.
        json!({"jwk": null, "jku": "https://client.example/jwks", "x5c": ["AAAA"], "kid": "1"}),
    ] {
        assert_invalid(&changed(&key, &header, &json!({})), &header);
    }
    for algorithm in ["ES384", "PS256", "RS256"] {
        let key = ClientKeyPair::generate(algorithm);
        assert_invalid(&check(&key.proof_of(&claims())), &algorithm);
    }
    assert_invalid(
        &check(&key.sign(&ClientKeyPair::generate("ES256").proof_header(), &claims())),
        &"the key of another client",
    );
}

#[test]
fn s_1018_a_changed_proof_is_not_valid() {
    let key = ClientKeyPair::generate("ES256");
    let proof = key.proof_of(&claims());
    let mut signature = URL_SAFE_NO_PAD.decode(proof.rsplit_once('.').unwrap().1).unwrap();
    signature[10] ^= 1;
    let start = proof.rsplit_once('.').unwrap().0;
    assert_invalid(&check(&format!("{start}.{}", URL_SAFE_NO_PAD.encode(signature))), &"a flipped bit");
    let other = json!({"jti": "2"});
    let body = URL_SAFE_NO_PAD.encode(other.to_string());
    let parts: Vec<_> = proof.split('.').collect();
    assert_invalid(&check(&format!("{}.{body}.{}", parts[0], parts[2])), &"other claims");
}

#[test]
fn s_1018_the_claims_are_those_of_the_request() {
    let key = ClientKeyPair::generate("ES256");
    for claims in [
        json!({"jti": null}),
        json!({"jti": ""}),
        json!({"jti": 1}),
        json!({"jti": "x".repeat(257)}),
        json!({"htm": null}),
        json!({"htm": "GET"}),
        json!({"htm": "post"}),
        json!({"htm": ["POST"]}),
        json!({"htu": null}),
        json!({"htu": [URL]}),
        json!({"htu": "https://auth.example/oauth/revoke"}),
        json!({"iat": null}),
        json!({"iat": "1900000000"}),
        json!({"iat": -1}),
        json!({"iat": 1e16}),
        json!({"exp": NOW - 60}),
        json!({"exp": "1900000060"}),
        json!({"nbf": NOW + 61}),
        json!({"nbf": null, "exp": true}),
    ] {
        // An invalid proof stays invalid without a nonce.
        for nonce in [json!({}), json!({"nonce": null})] {
            let mut claims = claims.clone();
            claims.as_object_mut().unwrap().extend(nonce.as_object().unwrap().clone());
            assert_invalid(&changed(&key, &json!({}), &claims), &claims);
        }
    }
    for claims in [
        json!({"jti": "x".repeat(256)}),
        json!({"htu": format!("{URL}?a=1#b")}),
        // The clock of the client does not count.
        json!({"iat": NOW - 3_600}),
        json!({"iat": NOW + 86_400}),
        json!({"iat": 0}),
        json!({"iat": 1_900_000_000.5}),
        json!({"exp": NOW - 59}),
        json!({"nbf": NOW + 60}),
        json!({"exp": NOW - 60 + 1, "nbf": NOW + 60}),
        json!({"ath": "x", "other": {"a": [1]}}),
    ] {
        assert!(changed(&key, &json!({}), &claims).is_ok(), "{claims}");
    }
}

#[test]
fn s_1023_a_proof_is_for_the_access_token_whose_hash_it_has() {
    let key = ClientKeyPair::generate("ES256");
    let with_ath = |ath: Value| changed(&key, &json!({}), &json!({"ath": ath})).unwrap();
    // RFC 9449 section 7.1.
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    let hash = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo";
    assert!(with_ath(hash.into()).is_for(token));
    for (ath, token) in [
        (Value::from(hash), "another token"),
        (format!("{hash}=").into(), token),
        (Value::Null, token),
        ("".into(), token),
        (json!([hash]), token),
        (token.into(), token),
    ] {
        assert!(!with_ath(ath.clone()).is_for(token), "{ath}");
    }
}
