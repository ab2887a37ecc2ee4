//! `Authorization`: the first line is the header, once as it is and once as what Basic encodes; the other lines are the
//! body, a form.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_fuzz::model::Asked;
use countersign_fuzz::post;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let at = input.iter().position(|byte| *byte == b'\n');
    let (header, body) =
        at.map_or((input, &b"grant_type=client_credentials"[..]), |at| (&input[..at], &input[at + 1..]));
    let encoded = format!("Basic {}", STANDARD.encode(header));
    ask(header, body);
    ask(encoded.as_bytes(), body);
});

fn ask(header: &[u8], body: &[u8]) {
    let content_type = &b"application/x-www-form-urlencoded"[..];
    if let Some(answer) = post(&[("content-type", content_type), ("authorization", header)], body) {
        answer.assert(&Asked { authorization: vec![header], body, ..Asked::default() }.expected());
    }
}
