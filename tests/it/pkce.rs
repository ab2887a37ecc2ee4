//! Code challenges and verifiers (RFC 7636).

use countersign::pkce::{Challenge, Verifier};

fn challenge(text: &str) -> Option<Challenge> {
    Challenge::parse(text.to_owned())
}

fn verifier(text: &str) -> Option<Verifier> {
    Verifier::parse(text.to_owned())
}

/// The example of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[test]
fn s_805_only_the_verifier_of_a_challenge_proves_it() {
    let proven = challenge(CHALLENGE).unwrap();
    assert!(proven.is_proven_by(&verifier(VERIFIER).unwrap()));
    for other in [
        &VERIFIER.replace('d', "D"),
        &VERIFIER.replace("Xk", "Xl"),
        &format!("{VERIFIER}A"),
        // The method `plain` is not supported.
        CHALLENGE,
    ] {
        assert!(!proven.is_proven_by(&verifier(other).unwrap()), "{other}");
    }
    // The last character has two unused bits. A decoder that ignores them accepts four challenges for one verifier.
    for last in ["N", "O", "P"] {
        let other = challenge(&CHALLENGE.replace("cM", &format!("c{last}"))).unwrap();
        assert!(!other.is_proven_by(&verifier(VERIFIER).unwrap()), "{last}");
    }
}

#[test]
fn s_805_a_challenge_has_43_characters_of_base64url() {
    for (text, is_valid) in [
        (CHALLENGE.to_owned(), true),
        ("-".repeat(43), true),
        (String::new(), false),
        ("a".repeat(42), false),
        ("a".repeat(44), false),
        (CHALLENGE.replace('-', "+"), false),
        (CHALLENGE.replace('-', "/"), false),
        (CHALLENGE.replace('-', "="), false),
        (CHALLENGE.replace('-', "."), false),
        (CHALLENGE.replace('-', " "), false),
        (format!("{}\u{e4}", "a".repeat(41)), false),
    ] {
        assert_eq!(challenge(&text).is_some(), is_valid, "{text}");
    }
}

#[test]
fn s_805_a_verifier_has_43_to_128_unreserved_characters() {
    for (text, is_valid) in [
        (VERIFIER.to_owned(), true),
        ("a".repeat(43), true),
        ("~".repeat(128), true),
        (format!("A9-._~{}", "z".repeat(40)), true),
        (String::new(), false),
        ("a".repeat(42), false),
        ("a".repeat(129), false),
        (VERIFIER.replace('-', "+"), false),
        (VERIFIER.replace('-', "%"), false),
        (VERIFIER.replace('-', " "), false),
        (VERIFIER.replace('-', "\u{e4}"), false),
    ] {
        assert_eq!(verifier(&text).is_some(), is_valid, "{text}");
    }
}
