//! The body of a token request as JSON: any bytes get the answer that the model works out.

#![no_main]

use countersign_fuzz::model::Asked;
use countersign_fuzz::post;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let answer = post(&[("content-type", b"application/json")], body).unwrap();
    answer.assert(&Asked { json: true, body, ..Asked::default() }.expected());
});
