//! Refresh tokens. Only a token that was made with one of the keys is accepted, byte for byte. Each run has a token, the
//! signed part of a token, and a generation of a family with a change to its token.

#![no_main]

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::hmac_keys::HmacKeys;
use countersign::refresh_token::{RefreshToken, RefreshTokenKeys};
use countersign_fuzz::cloud::REFRESH_TOKEN_KEY;
use libfuzzer_sys::fuzz_target;

const OTHER_KEY: [u8; 32] = [2; 32];

fuzz_target!(|input: &[u8]| {
    let keys = RefreshTokenKeys::new(HmacKeys::new(REFRESH_TOKEN_KEY, []));
    if let Ok(text) = std::str::from_utf8(input)
        && let Some(refresh_token) = RefreshToken::read(&keys, text)
    {
        assert_eq!(refresh_token.mint(&keys), text);
    }

    // A valid tag is not enough: the signed part must have the length and the version of a refresh token.
    let signed = token(&REFRESH_TOKEN_KEY, input);
    assert_eq!(RefreshToken::read(&keys, &signed).is_some(), input.len() == 21 && input[0] == 1, "{signed}");

    let Some((start, change)) = input.split_at_checked(21) else { return };
    let body = [&[1], &start[1..]].concat();
    let generation = u32::from_be_bytes(start[17..].try_into().unwrap());
    let minted = token(&REFRESH_TOKEN_KEY, &body);
    let refresh_token = RefreshToken::read(&keys, &minted).expect("a valid refresh token");
    assert_eq!(refresh_token.family.to_string(), URL_SAFE_NO_PAD.encode(&body[1..17]));
    assert_eq!(refresh_token.generation, generation);
    assert_eq!(refresh_token.mint(&keys), minted);
    let successor = refresh_token.successor();
    assert_eq!(successor.generation, generation.saturating_add(1));
    assert!(successor.family == refresh_token.family);

    // Other keys accept the token only if they contain its key. They make other tokens.
    assert!(RefreshToken::read(&RefreshTokenKeys::new(HmacKeys::new(OTHER_KEY, [])), &minted).is_none());
    let both = RefreshTokenKeys::new(HmacKeys::new(OTHER_KEY, [REFRESH_TOKEN_KEY]));
    assert!(RefreshToken::read(&both, &minted) == Some(refresh_token));
    assert_eq!(refresh_token.mint(&both), token(&OTHER_KEY, &body));

    // Replaces up to 7 characters with any number of characters.
    let (Some((at, rest)), cut) = (change.split_first(), usize::from(start[0] % 8)) else { return };
    let Ok(other) = std::str::from_utf8(rest) else { return };
    let at = usize::from(*at) % (minted.len() + 1);
    let changed = [&minted[..at], other, &minted[minted.len().min(at + cut)..]].concat();
    assert_eq!(RefreshToken::read(&keys, &changed).is_some(), changed == minted, "{changed}");
});

/// Returns a refresh token with this signed part, by its definition.
fn token(key: &[u8], body: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), body);
    format!("cs_rt_{}", URL_SAFE_NO_PAD.encode([body, tag.as_ref()].concat()))
}
