//! Forms: any bytes get the response that the model works out. Once as a body, once behind a body that is right, because
//! it shows best there whether they are rejected, and once as the query of a request that is right.

#![no_main]

use countersign_fuzz::model::Asked;
use countersign_fuzz::{post, post_to};
use libfuzzer_sys::fuzz_target;

const RIGHT: &[u8] = b"grant_type=client_credentials&client_id=billing-cron\
    &client_secret=cs_billing-cron-secret-000000000000000000000000001&";

fuzz_target!(|input: &[u8]| {
    for body in [input, &[RIGHT, input].concat()] {
        let answer = post(&[("content-type", b"application/x-www-form-urlencoded")], body).unwrap();
        answer.assert(&Asked { body, ..Asked::default() }.expected());
    }
    // A fragment ends a query.
    let Ok(query) = std::str::from_utf8(input) else { return };
    let uri = format!("/oauth/token?{query}");
    if !query.contains('#')
        && let Some(answer) = post_to(&uri, &[("content-type", b"application/x-www-form-urlencoded")], RIGHT)
    {
        answer.assert(&Asked { query: input, body: RIGHT, ..Asked::default() }.expected());
    }
});
