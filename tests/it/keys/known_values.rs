//! Values that must not change, because clients, browsers and logs have them. Another implementation computed them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::keys::{HeaderType, KeySet};
use countersign::session::SessionCookie;
use countersign::user::Username;
use serde_json::json;

use testing::{NOW, key_document, p256_pem, pem};

/// The private key of RFC 8037 appendix A.
const ED25519: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20\
    \x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\
    \x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";

#[test]
fn the_headers_of_tokens_do_not_change() {
    let key = KeySet::parse(&pem(ED25519), NOW).unwrap().current;
    for (header_type, typ) in [(HeaderType::Jwt, "JWT"), (HeaderType::AccessToken, "at+jwt")] {
        let header = URL_SAFE_NO_PAD.decode(key.header(header_type)).unwrap();
        let expected =
            format!(r#"{{"typ":"{typ}","alg":"EdDSA","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}}"#);
        assert_eq!(String::from_utf8(header).unwrap(), expected);
    }
}

/// HMAC-SHA-256 with keys that HKDF-SHA256 derives from refresh token keys: 32 bytes of 1, and before that 32 bytes of 2.
#[test]
fn the_values_of_derived_keys_do_not_change_and_those_of_a_previous_key_are_accepted() {
    let [current, previous] = [[1; 32], [2; 32]].map(|key| URL_SAFE_NO_PAD.encode(key));
    let mut document = key_document(&p256_pem());
    document["refresh"] = json!({"current": current, "previous": previous});
    let set = KeySet::parse(&document.to_string(), NOW).unwrap();
    let session =
        SessionCookie::parse("AwMDAwMDAwMDAwMDAwMDAwQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE").unwrap().id();
    let (window, query) = (1_900_000_020, "client_id=a");

    let user = Username::parse("alice").unwrap();
    assert_eq!(set.log_id(&user), "319dfbaab8c3929a");
    assert_eq!(set.log_ids(&user).collect::<Vec<_>>(), ["319dfbaab8c3929a", "5739ad71120f599b"]);

    let consent = "Uq95_YdRqFS2k8DKWeUmV-4GWkj-bG1A_1udVadzBMU";
    assert_eq!(set.consent_keys.value(session, query), consent);
    for value in [consent, "cQMRR89pFyP4Hak5RSKAFgPq7sroptVitIfZwL6ytk0"] {
        assert!(set.consent_keys.accept(value, session, query), "{value}");
        assert!(!set.account_keys.accept(value, session, query), "{value}");
    }
    let account = "wWlyk69-AI4O1ogT_oS-BiLVsQUnFkqEOdAtl7epemw";
    assert_eq!(set.account_keys.value(session, ""), account);
    for value in [account, "xfl6fQVvtM6NcK21R6egzEGQf9DSm0biJ-NwYCAf7mE"] {
        assert!(set.account_keys.accept(value, session, ""), "{value}");
    }
    let nonce = "AeMx6xvivoYR_qI5Ly1ULA";
    assert_eq!(set.dpop_nonce_keys.nonce(window), nonce);
    for value in [nonce, "AeMx61fkXSsLT_n2o3lYpA"] {
        assert!(set.dpop_nonce_keys.accept(value, window), "{value}");
    }
}
