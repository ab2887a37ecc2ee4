//! The nonces of proofs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::dpop::NonceKeys;
use countersign::hmac_keys::HmacKeys;

/// The beginning of a window.
const WINDOW: u64 = 1_900_000_020;

fn keys(bytes: &[u8]) -> NonceKeys {
    let keys: Vec<_> = bytes.iter().map(|byte| [*byte; 32]).collect();
    let (current, others) = keys.split_first().unwrap();
    NonceKeys::new(HmacKeys::new(current, others))
}

#[test]
fn a_nonce_is_the_window_with_12_bytes_of_its_hmac() {
    let nonce = keys(&[1]).nonce(WINDOW);
    let bytes = URL_SAFE_NO_PAD.decode(&nonce).unwrap();
    assert_eq!((nonce.len(), bytes.len()), (22, 16));
    assert_eq!(bytes[..4], u32::try_from(WINDOW / 60).unwrap().to_be_bytes());
    assert_eq!(keys(&[1]).nonce(WINDOW + 59), nonce);
    assert_ne!(keys(&[1]).nonce(WINDOW + 60), nonce);
    assert_ne!(keys(&[2]).nonce(WINDOW), nonce);
}

#[test]
fn s_1021_a_nonce_is_accepted_in_its_window_the_one_before_and_the_one_after() {
    let keys = keys(&[1]);
    let nonce = keys.nonce(WINDOW);
    for (now, expected) in [
        (0, false),
        (WINDOW - 61, false),
        (WINDOW - 60, true),
        (WINDOW - 1, true),
        (WINDOW, true),
        (WINDOW + 59, true),
        (WINDOW + 60, true),
        (WINDOW + 119, true),
        (WINDOW + 120, false),
        (WINDOW + 3_600, false),
        (u64::MAX, false),
    ] {
        assert_eq!(keys.accept(&nonce, now), expected, "{now}");
    }
    let accepted = (WINDOW - 600..WINDOW + 600).filter(|now| keys.accept(&nonce, *now)).count();
    assert_eq!(accepted, 180, "seconds");
}

#[test]
fn s_1021_a_nonce_of_any_accepted_key_counts() {
    let of_previous_key = keys(&[1]).nonce(WINDOW);
    assert!(keys(&[2, 3, 1]).accept(&of_previous_key, WINDOW));
    assert_ne!(keys(&[2, 3, 1]).nonce(WINDOW), of_previous_key);
    assert!(!keys(&[2, 3]).accept(&of_previous_key, WINDOW));
}

#[test]
fn s_1021_a_changed_nonce_is_not_accepted() {
    let keys = keys(&[1]);
    let nonce = keys.nonce(WINDOW);
    let bytes = URL_SAFE_NO_PAD.decode(&nonce).unwrap();
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        assert!(!keys.accept(&URL_SAFE_NO_PAD.encode(changed), WINDOW), "byte {position}");
    }
    let longer = URL_SAFE_NO_PAD.encode([&bytes[..], &[0]].concat());
    for text in ["", "x", &nonce[..21], &format!("{nonce}="), &format!(" {nonce}"), &longer, &nonce.to_lowercase()] {
        assert!(!keys.accept(text, WINDOW), "{text}");
    }
    assert!(!keys.accept(&URL_SAFE_NO_PAD.encode(&bytes[..4]), WINDOW), "a window without its HMAC");
}
