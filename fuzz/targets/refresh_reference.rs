//! Refresh tokens: what is read was made under one of the keys, byte for byte. The input is a text that nobody made; a
//! body that is signed as it is; and a reference, with a change to the token that is made of it.

#![no_main]

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::refresh_token::{RefreshToken, RefreshTokenKeys};
use countersign_fuzz::cloud::REFERENCE_KEY;
use libfuzzer_sys::fuzz_target;

const OTHER_KEY: [u8; 32] = [2; 32];

fuzz_target!(|input: &[u8]| {
    let keys = RefreshTokenKeys::new(&REFERENCE_KEY, []);
    if let Ok(text) = std::str::from_utf8(input)
        && let Some(reference) = RefreshToken::read(&keys, text)
    {
        assert_eq!(reference.mint(&keys), text);
    }

    // Whatever is signed is a reference only in the one form that there is.
    let signed = token(&REFERENCE_KEY, input);
    assert_eq!(RefreshToken::read(&keys, &signed).is_some(), input.len() == 21 && input[0] == 1, "{signed}");

    let Some((start, change)) = input.split_at_checked(21) else { return };
    let body = [&[1], &start[1..]].concat();
    let generation = u32::from_be_bytes(start[17..].try_into().unwrap());
    let minted = token(&REFERENCE_KEY, &body);
    let reference = RefreshToken::read(&keys, &minted).expect("it is ours");
    assert_eq!(reference.family.to_string(), URL_SAFE_NO_PAD.encode(&body[1..17]));
    assert_eq!(reference.generation, generation);
    assert_eq!(reference.mint(&keys), minted);
    let successor = reference.successor();
    assert_eq!(successor.generation, generation.saturating_add(1));
    assert!(successor.family == reference.family);

    // Another key makes other tokens, and reads these only if it is told to.
    assert!(RefreshToken::read(&RefreshTokenKeys::new(&OTHER_KEY, []), &minted).is_none());
    let both = RefreshTokenKeys::new(&OTHER_KEY, [&REFERENCE_KEY[..]]);
    assert!(RefreshToken::read(&both, &minted) == Some(reference));
    assert_eq!(reference.mint(&both), token(&OTHER_KEY, &body));

    // The first byte says what is changed: some letters from a place on are others, more or fewer.
    let (Some((at, rest)), cut) = (change.split_first(), usize::from(start[0] % 8)) else { return };
    let Ok(other) = std::str::from_utf8(rest) else { return };
    let at = usize::from(*at) % (minted.len() + 1);
    let changed = [&minted[..at], other, &minted[minted.len().min(at + cut)..]].concat();
    assert_eq!(RefreshToken::read(&keys, &changed).is_some(), changed == minted, "{changed}");
});

/// A token by the letter of its definition.
fn token(key: &[u8], body: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), body);
    format!("cs_rt_{}", URL_SAFE_NO_PAD.encode([body, tag.as_ref()].concat()))
}
