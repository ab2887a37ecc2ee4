//! `Accept`. Each line is one header. The version of the token is the one that the model expects.

#![no_main]

use countersign_fuzz::model::TokenRequest;
use countersign_fuzz::{Header, post};
use libfuzzer_sys::fuzz_target;

const BODY: &[u8] = b"grant_type=client_credentials&client_id=billing-cron\
    &client_secret=cs_billing-cron-secret-000000000000000000000000001";

fuzz_target!(|input: &[u8]| {
    let accept: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let mut headers: Vec<Header<'_>> = vec![("content-type", b"application/x-www-form-urlencoded")];
    headers.extend(accept.iter().map(|value| ("accept", *value)));
    if let Some(response) = post(&headers, BODY) {
        response.assert(&TokenRequest { accept, body: BODY, ..TokenRequest::default() }.expected());
    }
});
