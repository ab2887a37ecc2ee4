//! The modules of request objects (OpenID Connect Core 1.0 section 6), which are not supported.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::{Params, Suite, params, redirect_uri};
use crate::browser::page;

/// Returns an unsigned request object with these parameters, and the parameters that must be outside of it, too.
fn by_value(all: &Params) -> (String, Params) {
    let encode = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let object = format!("{}.{}.", encode(json!({"alg": "none"})), encode(json!(all)));
    let mut outside = all.clone();
    outside.retain(|name, _| ["client_id", "redirect_uri", "response_type", "scope"].contains(name));
    (object, outside)
}

#[tokio::test]
async fn oidcc_unsigned_request_object_is_rejected_as_unsupported() {
    let mut suite = Suite::start().await;
    let (object, mut outside) = by_value(&params("openid", &[]));
    outside.insert("request", object);
    let callback = suite.authorize(&outside).await;
    // The `state` is in the request object only, so it is not returned. The suite skips the rest of the module.
    assert_eq!(callback.error(&outside), "request_not_supported");
    assert_eq!(suite.metadata().await["request_parameter_supported"], false);
}

#[tokio::test]
async fn oidcc_request_uri_unsigned_is_rejected_as_unsupported() {
    let mut suite = Suite::start().await;
    let (_, mut outside) = by_value(&params("openid", &[]));
    outside.insert("request_uri", "https://localhost:8443/test/a/countersign/requesturi/k3Dj9s0aQz".to_owned());
    let callback = suite.authorize(&outside).await;
    assert_eq!(callback.error(&outside), "request_uri_not_supported");
    assert_eq!(suite.metadata().await["request_uri_parameter_supported"], false);
}

#[tokio::test]
async fn oidcc_ensure_request_object_with_redirect_uri_shows_an_error_page() {
    let mut suite = Suite::start().await;
    let (object, mut outside) = by_value(&params("openid", &[]));
    outside.insert("request", object);
    outside.insert("redirect_uri", format!("{}_invalid", redirect_uri()));
    let response = suite.open(&outside).await;
    assert_eq!((response.status, response.header("location")), (400, None));
    assert_eq!(page(&response), (Some("error".to_owned()), Some("redirect_uri".to_owned())));
}
