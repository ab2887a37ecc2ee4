//! The body of a token request as a form: any bytes get the answer that the model works out.

#![no_main]

use countersign_fuzz::model::Asked;
use countersign_fuzz::post;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let answer = post(&[("content-type", b"application/x-www-form-urlencoded")], body).unwrap();
    answer.assert(&Asked { body, ..Asked::default() }.expected());
});
