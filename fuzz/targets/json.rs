//! JSON bodies. Each run has a whole body, and the value of one more member of a valid body. The response is the one that
//! the model expects.

#![no_main]

use countersign_fuzz::model::TokenRequest;
use countersign_fuzz::post;
use libfuzzer_sys::fuzz_target;

const VALID: &[u8] = b"{\"grant_type\":\"client_credentials\",\"client_id\":\"billing-cron\",\
    \"client_secret\":\"cs_billing-cron-secret-000000000000000000000000001\",\"x\":";

fuzz_target!(|input: &[u8]| {
    for body in [input, &[VALID, input, b"}"].concat()] {
        let response = post(&[("content-type", b"application/json")], body).unwrap();
        response.assert(&TokenRequest { json: true, body, ..TokenRequest::default() }.expected());
    }
});
