//! `Authorization`. The first line is the header, once as it is and once as the credentials of Basic. The
//! other lines are the body, a form.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_fuzz::model::TokenRequest;
use countersign_fuzz::post;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let at = input.iter().position(|byte| *byte == b'\n');
    let (header, body) =
        at.map_or((input, &b"grant_type=client_credentials"[..]), |at| (&input[..at], &input[at + 1..]));
    let encoded = format!("Basic {}", STANDARD.encode(header));
    send(header, body);
    send(encoded.as_bytes(), body);
});

fn send(header: &[u8], body: &[u8]) {
    let content_type = &b"application/x-www-form-urlencoded"[..];
    if let Some(response) = post(&[("content-type", content_type), ("authorization", header)], body) {
        response.assert(&TokenRequest { authorization: vec![header], body, ..TokenRequest::default() }.expected());
    }
}
