//! The body of a token request as a form: any bytes get the answer that the model works out. Once by themselves, and once
//! behind a request that is right: whether they are refused shows best there.

#![no_main]

use countersign_fuzz::model::Asked;
use countersign_fuzz::post;
use libfuzzer_sys::fuzz_target;

const RIGHT: &[u8] = b"grant_type=client_credentials&client_id=billing-cron\
    &client_secret=cs_billing-cron-secret-000000000000000000000000001&";

fuzz_target!(|input: &[u8]| {
    for body in [input, &[RIGHT, input].concat()] {
        let answer = post(&[("content-type", b"application/x-www-form-urlencoded")], body).unwrap();
        answer.assert(&Asked { body, ..Asked::default() }.expected());
    }
});
