//! Forms. Each run has a whole body, the end of a body that is valid without it, and the query of a valid request. The
//! response is the one that the model expects.

#![no_main]

use countersign_fuzz::model::TokenRequest;
use countersign_fuzz::{post, post_to};
use libfuzzer_sys::fuzz_target;

const VALID: &[u8] = b"grant_type=client_credentials&client_id=billing-cron\
    &client_secret=cs_billing-cron-secret-000000000000000000000000001&";

fuzz_target!(|input: &[u8]| {
    for body in [input, &[VALID, input].concat()] {
        let response = post(&[("content-type", b"application/x-www-form-urlencoded")], body).unwrap();
        response.assert(&TokenRequest { body, ..TokenRequest::default() }.expected());
    }
    // A URI with a `#` has a fragment, which is not sent.
    let Ok(query) = std::str::from_utf8(input) else { return };
    let uri = format!("/oauth/token?{query}");
    if !query.contains('#')
        && let Some(response) = post_to(&uri, &[("content-type", b"application/x-www-form-urlencoded")], VALID)
    {
        response.assert(&TokenRequest { query: input, body: VALID, ..TokenRequest::default() }.expected());
    }
});
