//! The body of a token request as JSON: any bytes get the answer that the model works out. Once by themselves, and once as
//! one more member of a request that is right: whether they are refused shows best there.

#![no_main]

use countersign_fuzz::model::Asked;
use countersign_fuzz::post;
use libfuzzer_sys::fuzz_target;

const RIGHT: &[u8] = b"{\"grant_type\":\"client_credentials\",\"client_id\":\"billing-cron\",\
    \"client_secret\":\"cs_billing-cron-secret-000000000000000000000000001\",\"x\":";

fuzz_target!(|input: &[u8]| {
    for body in [input, &[RIGHT, input, b"}"].concat()] {
        let answer = post(&[("content-type", b"application/json")], body).unwrap();
        answer.assert(&Asked { json: true, body, ..Asked::default() }.expected());
    }
});
