//! `src/password_hash`: verification, malformed hashes, the limits of their cost, and upgrades.

use std::num::NonZeroU32;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use countersign::password_hash::{Argon2Params, Hash, HashError, Hasher, hash_client_secret, password_form};

use testing::CHEAP_ARGON2;

fn hasher() -> Hasher {
    Hasher::new(Argon2Params::default()).unwrap()
}

fn hash(text: impl Into<String>) -> Hash {
    Hash::try_from(text.into()).unwrap()
}

fn pbkdf2_hash(name: &str, algorithm: pbkdf2::Algorithm, password: &str) -> String {
    let (salt, mut output) = (b"0123456789abcdef", [0; 32]);
    pbkdf2::derive(algorithm, NonZeroU32::new(1000).unwrap(), salt, password.as_bytes(), &mut output);
    format!("${name}$i=1000,l=32${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output))
}

fn verifies(hash: &Hash, password: &str) -> bool {
    hasher().verify_password(Some(hash), password).is_some()
}

#[test]
fn each_scheme_verifies_its_secret_and_no_other() {
    let hasher = hasher();
    let hashes = [
        hash(hash_client_secret("secret")),
        hasher.hash("secret").unwrap(),
        Hasher::new(CHEAP_ARGON2).unwrap().hash("secret").unwrap(),
        Hasher::new(Argon2Params { memory_kib: 32_768, iterations: 1, parallelism: 2 })
            .unwrap()
            .hash("secret")
            .unwrap(),
        hash(bcrypt::hash("secret", 4).unwrap()),
        hash(bcrypt::hash("secret", 4).unwrap().replacen("$2b$", "$2y$", 1)),
        hash(bcrypt::hash("secret", 4).unwrap().replacen("$2b$", "$2a$", 1)),
        hash(pbkdf2_hash("pbkdf2-sha256", pbkdf2::PBKDF2_HMAC_SHA256, "secret")),
        hash(pbkdf2_hash("pbkdf2-sha512", pbkdf2::PBKDF2_HMAC_SHA512, "secret")),
    ];
    for hash in &hashes {
        assert!(verifies(hash, "secret"));
        for other in ["", "Secret", "secret ", "secre", "secret\u{301}"] {
            assert!(!verifies(hash, other), "{}", hash.as_str());
        }
    }
    assert!(hasher.verify_secret(hashes.iter(), "secret").is_some());
    assert!(hasher.verify_secret(hashes.iter(), "other").is_none());
    assert!(hasher.verify_secret::<&Hash>([].iter(), "").is_none());
    assert!(hasher.verify_password(None, "").is_none());
}

/// Test vectors of other implementations.
#[test]
fn hashes_of_other_implementations_are_verified() {
    let hasher = hasher();
    for (text, password) in [
        // From the test suite of the C implementation of argon2.
        ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"),
        ("$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA", "password"),
        ("$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ", "password"),
        // From the test suite that bcrypt implementations share.
        ("$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc"),
    ] {
        assert!(verifies(&hash(text), password), "{text}");
        assert!(!verifies(&hash(text), "other"), "{text}");
        assert!(!hasher.is_current(&hash(text)));
    }
}

#[test]
fn only_argon2id_with_the_current_parameters_is_current() {
    let hasher = hasher();
    assert!(hasher.is_current(&hasher.hash("x").unwrap()));
    for other in [
        Hasher::new(Argon2Params { memory_kib: 19_455, iterations: 2, parallelism: 1 }),
        Hasher::new(Argon2Params { memory_kib: 19_456, iterations: 3, parallelism: 1 }),
        Hasher::new(Argon2Params { memory_kib: 19_456, iterations: 2, parallelism: 2 }),
    ] {
        assert!(!hasher.is_current(&other.unwrap().hash("x").unwrap()));
    }
    assert!(!hasher.is_current(&hash(hash_client_secret("x"))));
}

const OUTPUT: &str = "c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

fn pbkdf2(digest: &str, iterations: u32) -> String {
    format!("$pbkdf2-{digest}$i={iterations},l=32${OUTPUT}")
}

fn scrypt(params: &str) -> String {
    format!("$scrypt${params}${OUTPUT}")
}

/// Returns a phpass hash with this start, which contains the function and the rounds.
fn phpass(start: &str) -> String {
    let characters = if start.starts_with("$S") { 51 } else { 30 };
    format!("{start}{}", "a".repeat(characters))
}

#[test]
fn s_304_a_hash_with_excessive_cost_is_rejected() {
    let argon2 = |params: &str| format!("$argon2id$v=19${params}${OUTPUT}");
    for costly in [
        argon2("m=4194304,t=1,p=1"),
        argon2("m=4294967295,t=4294967295,p=1"),
        argon2("m=262145,t=1,p=1"),
        argon2("m=262144,t=5,p=1"),
        argon2("m=1024,t=1000000,p=1"),
        argon2("m=19456,t=2,p=17"),
        "$2y$15$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq".to_owned(),
        "$2b$31$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq".to_owned(),
        "$wp$2y$15$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq".to_owned(),
        "bcrypt_sha256$$2b$15$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq".to_owned(),
        pbkdf2("sha1", 2_000_001),
        pbkdf2("sha256", 4_294_967_295),
        pbkdf2("sha512", 2_000_001),
        scrypt("ln=17,r=8,p=1"),
        scrypt("ln=14,r=33,p=1"),
        scrypt("ln=16,r=8,p=5"),
        scrypt("ln=10,r=1,p=17"),
        scrypt("ln=1,r=262144,p=16"),
        scrypt("ln=1,r=4294967295,p=4294967295"),
        scrypt("ln=63,r=1,p=1"),
        scrypt("ln=4294967295,r=1,p=1"),
        phpass("$P$J"),
        phpass("$H$S"),
        phpass("$S$J"),
    ] {
        assert_eq!(Hash::try_from(costly.clone()).err(), Some(HashError::TooCostly), "{costly}");
    }
    // The defaults of common frameworks are accepted.
    for default in ["m=65536,t=4,p=1", "m=65536,t=3,p=4", "m=262144,t=3,p=1", "m=19456,t=2,p=1"] {
        assert!(Hash::try_from(argon2(default)).is_ok(), "{default}");
    }
    for default in ["ln=16,r=8,p=1", "ln=15,r=8,p=3", "ln=14,r=8,p=5", "ln=13,r=8,p=10", "ln=14,r=16,p=1"] {
        assert!(Hash::try_from(scrypt(default)).is_ok(), "{default}");
    }
    for default in [pbkdf2("sha1", 2_000_000), phpass("$P$I"), phpass("$S$I")] {
        assert!(Hash::try_from(default.clone()).is_ok(), "{default}");
    }
}

/// Each block of a PBKDF2 output needs all iterations. If a long output multiplied the iterations, the test would take many
/// minutes.
#[test]
fn s_304_a_long_output_or_password_does_not_multiply_the_rounds() {
    let output = STANDARD_NO_PAD.encode(vec![0; 600_000]);
    let long = hash(format!("$pbkdf2-sha1$i=100000$c29tZXNhbHQ${output}"));
    assert!(!ends(move || verifies(&long, "password")));
    let maximum = hash(phpass("$S$I"));
    assert!(!ends(move || verifies(&maximum, &"x".repeat(4096))));
}

/// Returns the result of a computation that ends within a minute.
fn ends<T: Send + 'static>(compute: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(compute()));
    receiver.recv_timeout(Duration::from_mins(1)).expect("a result")
}

#[test]
fn a_text_in_an_unknown_form_is_rejected() {
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
        // A short output, which many passwords produce.
        "$pbkdf2-sha256$i=1000$c29tZXNhbHQ$YWJj",
        "$scrypt$ln=10,r=8,p=1$c29tZXNhbHQ$YWJj",
        "$pbkdf2-sha256$i=1000,l=31$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$pbkdf2-sha256$i=1000,x=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$pbkdf2-sha256$i=1000,i=1000$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=19456,t=2,p=1,keyid=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$scrypt$ln=0,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
        "$scrypt$ln=10,r=0,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
        "$scrypt$ln=10,r=8,p=0$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
        "$scrypt$ln=10,r=8$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
        "$P$484478476IagS59wHZvyQMArzfx58u.",
        "$P$984478476IagS59wHZvyQMArzfx58u",
        "$P$984478476IagS59wHZvyQMArzfx58\u{e4}",
        "$P$984478476IagS59wHZvyQMArzfx58u:",
        "$S$984478476IagS59wHZvyQMArzfx58u.",
        "$Q$984478476IagS59wHZvyQMArzfx58u.",
        "$wp$2y$07$short",
        "$wp$P$984478476IagS59wHZvyQMArzfx58u.",
        "bcrypt_sha256$$2x$07$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq",
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

/// Returns the hash with which a login with this password replaces a hash, if it does.
fn upgraded(hash: &Hash, password: &str) -> Option<Hash> {
    let hasher = Hasher::new(CHEAP_ARGON2).unwrap();
    let verified = hasher.verify_password(Some(hash), password).unwrap();
    hasher.upgrade(hash, &verified).map(Result::unwrap)
}

#[test]
fn s_313_a_hash_that_ignores_a_part_of_the_password_is_never_replaced() {
    let bcrypt = |password: &str| hash(bcrypt::hash(password, 4).unwrap());
    // bcrypt uses 72 bytes, so it accepts any other end of a longer password.
    let enrolled = format!("{}-and-this-end", "a".repeat(72));
    for sent in [enrolled.as_str(), &"a".repeat(72), &"a".repeat(80)] {
        assert!(verifies(&bcrypt(&enrolled), sent));
        assert!(upgraded(&bcrypt(&enrolled), sent).is_none(), "{}", sent.len());
    }
    assert!(!verifies(&bcrypt(&enrolled), &"a".repeat(71)));
    assert!(verifies(&upgraded(&bcrypt(&"a".repeat(71)), &"a".repeat(71)).unwrap(), &"a".repeat(71)));
    // The limit is in bytes, not in characters.
    assert!(upgraded(&bcrypt(&"\u{e4}".repeat(36)), &"\u{e4}".repeat(36)).is_none());
    // A pre-hash uses the whole password, and is shorter than 72 bytes.
    let long = "a".repeat(100);
    let pre_hashed =
        digest(&SHA256, long.as_bytes()).as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let django = hash(format!("bcrypt_sha256${}", bcrypt::hash(pre_hashed, 4).unwrap()));
    assert!(!verifies(&django, &"a".repeat(99)));
    assert!(verifies(&upgraded(&django, &long).unwrap(), &long));
    // WordPress trims passwords. PHP computed this hash of "  outer spaces\t".
    let wordpress = hash("$wp$2y$04$YPxyJbTyMeHQW8AbLdhJOOLLCerC29G.YxZFNTC8GxKcW8P/kl2pi");
    assert!(upgraded(&wordpress, "  outer spaces\t").is_none());
    assert!(upgraded(&wordpress, " outer spaces").is_none());
    assert!(upgraded(&wordpress, "outer spaces").is_some());
    // HMAC ignores zeros at the end of a key, and bcrypt repeats a short password after a zero.
    let pbkdf2 = hash(pbkdf2_hash("pbkdf2-sha256", pbkdf2::PBKDF2_HMAC_SHA256, "secret"));
    assert!(upgraded(&pbkdf2, "secret\0").is_none());
    assert!(upgraded(&bcrypt("secret"), "secret\0secret").is_none());
    assert!(upgraded(&pbkdf2, "secret").is_some());
}

#[test]
fn s_313_an_imported_hash_accepts_its_enrolled_bytes_and_its_upgrade_also_their_nfc_form() {
    // NFD; a Bengali letter that NFC splits; the angstrom sign, which NFC replaces with a letter.
    for raw in ["pa\u{308}sswo\u{308}rd", "\u{9df}-password", "12 \u{212b}ngstrom"] {
        let nfc = password_form(raw);
        assert_ne!(raw, nfc);
        for enrolled in [raw, &nfc] {
            let bcrypt = hash(bcrypt::hash(enrolled, 4).unwrap());
            let pbkdf2 = hash(pbkdf2_hash("pbkdf2-sha512", pbkdf2::PBKDF2_HMAC_SHA512, enrolled));
            for imported in [bcrypt, pbkdf2] {
                assert!(verifies(&imported, raw));
                assert_eq!(verifies(&imported, &nfc), enrolled == nfc);
                let upgraded = upgraded(&imported, raw).unwrap();
                assert!(verifies(&upgraded, raw) && verifies(&upgraded, &nfc));
            }
        }
        let current = Hasher::new(CHEAP_ARGON2).unwrap().hash(raw).unwrap();
        assert!(verifies(&current, raw) && verifies(&current, &nfc));
        assert!(upgraded(&current, raw).is_none(), "the hash is current");
    }
    // An argon2id hash of NFD by another system with the current parameters. Only the verified form shows the difference.
    let (salt, mut output) = (b"salt-of-16-bytes", [0; 32]);
    let params = argon2::Params::new(64, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    argon2.hash_password_into("pa\u{308}ss".as_bytes(), salt, &mut output).unwrap();
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
    let imported = hash(format!("$argon2id$v=19$m=64,t=1,p=1${salt}${output}"));
    assert!(verifies(&upgraded(&imported, "pa\u{308}ss").unwrap(), "p\u{e4}ss"));
}
