//! Stored hashes: what verifies, what is refused, and what a hostile one may not ask for.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use countersign::password_hash::{Hash, HashError, Hasher, hash_client_secret};

fn hasher() -> Hasher {
    Hasher::new(19_456, 2, 1).unwrap()
}

fn hash(text: impl Into<String>) -> Hash {
    Hash::try_from(text.into()).unwrap()
}

fn pbkdf2_hash(name: &str, algorithm: pbkdf2::Algorithm, password: &str) -> String {
    let (salt, mut output) = (b"0123456789abcdef", [0; 32]);
    pbkdf2::derive(algorithm, NonZeroU32::new(1000).unwrap(), salt, password.as_bytes(), &mut output);
    format!("${name}$i=1000,l=32${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output))
}

#[test]
fn each_scheme_verifies_its_secret_and_no_other() {
    let hasher = hasher();
    let hashes = [
        hash(hash_client_secret("secret")),
        hasher.hash("secret").unwrap(),
        Hasher::new(64, 1, 1).unwrap().hash("secret").unwrap(),
        Hasher::new(32_768, 1, 2).unwrap().hash("secret").unwrap(),
        hash(bcrypt::hash("secret", 4).unwrap()),
        hash(bcrypt::hash("secret", 4).unwrap().replacen("$2b$", "$2y$", 1)),
        hash(bcrypt::hash("secret", 4).unwrap().replacen("$2b$", "$2a$", 1)),
        hash(pbkdf2_hash("pbkdf2-sha256", pbkdf2::PBKDF2_HMAC_SHA256, "secret")),
        hash(pbkdf2_hash("pbkdf2-sha512", pbkdf2::PBKDF2_HMAC_SHA512, "secret")),
    ];
    for hash in &hashes {
        assert!(hasher.verify_password(Some(hash), "secret"));
        for other in ["", "Secret", "secret ", "secre", "secret\u{301}"] {
            assert!(!hasher.verify_password(Some(hash), other), "{}", hash.as_str());
        }
    }
    assert!(hasher.verify_secret(hashes.iter(), "secret"));
    assert!(!hasher.verify_secret(hashes.iter(), "other"));
    assert!(!hasher.verify_secret([].iter(), ""));
    assert!(!hasher.verify_password(None, ""));
}

/// Vectors of others, so that not only what we made verifies.
#[test]
fn hashes_that_others_made_verify() {
    let hasher = hasher();
    for (text, password) in [
        // Of the test suite of argon2's reference implementation.
        ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"),
        ("$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA", "password"),
        ("$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ", "password"),
        // Of the test suite that bcrypt implementations share.
        ("$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc"),
    ] {
        assert!(hasher.verify_password(Some(&hash(text)), password), "{text}");
        assert!(!hasher.verify_password(Some(&hash(text)), "other"), "{text}");
        assert!(!hasher.is_current(&hash(text)));
    }
}

#[test]
fn only_argon2id_with_the_current_parameters_is_current() {
    let hasher = hasher();
    assert!(hasher.is_current(&hasher.hash("x").unwrap()));
    for other in [Hasher::new(19_455, 2, 1), Hasher::new(19_456, 3, 1), Hasher::new(19_456, 2, 2)] {
        assert!(!hasher.is_current(&other.unwrap().hash("x").unwrap()));
    }
    assert!(!hasher.is_current(&hash(hash_client_secret("x"))));
}

#[test]
fn s_304_a_stored_hash_cannot_ask_for_more_than_any_honest_one() {
    let argon2 =
        |params: &str| format!("$argon2id$v=19${params}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
    for costly in [
        argon2("m=4194304,t=1,p=1"),
        argon2("m=4294967295,t=4294967295,p=1"),
        argon2("m=262145,t=1,p=1"),
        argon2("m=262144,t=5,p=1"),
        argon2("m=1024,t=1000000,p=1"),
        argon2("m=19456,t=2,p=17"),
        "$2y$15$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq".to_owned(),
        "$2b$31$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq".to_owned(),
        "$pbkdf2-sha256$i=4294967295,l=32$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc".to_owned(),
    ] {
        assert_eq!(Hash::try_from(costly.clone()).err(), Some(HashError::TooCostly), "{costly}");
    }
    // What frameworks make by default is well within.
    for honest in ["m=65536,t=4,p=1", "m=65536,t=3,p=4", "m=262144,t=3,p=1", "m=19456,t=2,p=1"] {
        assert!(Hash::try_from(argon2(honest)).is_ok(), "{honest}");
    }
}

#[test]
fn a_text_in_no_known_form_is_no_hash() {
    for text in [
        "",
        "secret",
        "5ebe2294ecd0e0f08eab7690d2a6ee69",
        "$sha256$",
        "$sha256$AAAA",
        "$sha256$47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "$1$abc$def",
        "$2x$07$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq",
        "$2y$07$short",
        "$2y$xx$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq",
        "$argon2id$v=19$m=19456,t=2,p=1",
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ",
        "$argon2id$v=20$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=1,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=19456,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=19456,t=2,p=0$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$pbkdf2-sha256$i=0,l=32$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$pbkdf2-md5$i=1000$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
    ] {
        assert_eq!(Hash::try_from(text.to_owned()).err(), Some(HashError::Malformed), "{text}");
    }
}

#[test]
fn s_203_two_hashes_of_one_password_differ_and_debug_shows_neither() {
    let hasher = hasher();
    let (one, other) = (hasher.hash("x").unwrap(), hasher.hash("x").unwrap());
    assert_ne!(one.as_str(), other.as_str());
    assert_eq!(format!("{one:?}"), "Hash(..)");
}

#[test]
fn bcrypt_passwords_are_cut_at_72_bytes_as_everywhere() {
    let hash = hash(bcrypt::hash("a".repeat(72), 4).unwrap());
    assert!(hasher().verify_password(Some(&hash), &"a".repeat(80)));
    assert!(!hasher().verify_password(Some(&hash), &"a".repeat(71)));
}
