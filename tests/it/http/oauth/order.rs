//! The order of the checks, and requests that are not valid.

use super::{INTROSPECT, REVOKE, log_in, present, started};
use testing::{APPLICATION, LogLines, Response, SERVICE, TestApp, form, raw_form};

/// Sends a request to both endpoints, and asserts the error.
async fn assert_rejected(
    test: &TestApp,
    what: &str,
    request: impl Fn() -> testing::RequestBuilder,
    error: (u16, &str),
) {
    for path in [REVOKE, INTROSPECT] {
        let response = test.send(request().to("POST", path)).await;
        assert_eq!((response.status, response.body["error"].as_str()), (error.0, Some(error.1)), "{what} at {path}");
    }
}

/// Each request has its error and all later ones.
#[tokio::test]
async fn s_101_the_first_check_that_fails_decides_the_error() {
    let test = started().await;
    let wrong = (APPLICATION.0, "wrong");
    let huge = || raw_form(vec![b'a'; 20_000]).header("content-encoding", "gzip");
    assert_rejected(&test, "size", huge, (413, "invalid_request")).await;
    let (json, of_form) = ("application/json", "application/x-www-form-urlencoded");
    let long_hint = format!("token_type_hint={}", "a".repeat(65));
    let media_type = "The Content-Type is neither application/json nor application/x-www-form-urlencoded.";
    for (content_encoding, content_type, query, body, description) in [
        ("gzip", "text/plain", "?token=", "%", "The Content-Encoding is not identity."),
        ("identity", "text/plain", "?token=", "%", media_type),
        ("identity", json, "?token=", "%", "The parameter token belongs in the body, not in the query."),
        ("identity", of_form, "", "token=%", "The body is not a well-formed form."),
        ("identity", of_form, "", "token=a&token=a", "The parameter token is repeated."),
        ("identity", of_form, "", &*long_hint, "The token_type_hint is too long."),
        ("identity", of_form, "", "client_secret=x", "There is more than one client authentication."),
    ] {
        for path in [REVOKE, INTROSPECT] {
            let request = raw_form(body).query(query).basic(wrong.0, wrong.1);
            let mut request = request.header("content-encoding", content_encoding).to("POST", path);
            request.headers_mut().insert("content-type", content_type.parse().unwrap());
            let response = test.send(request).await;
            response.assert_error(400, "invalid_request");
            assert_eq!(response.body["error_description"], description, "{path}");
        }
    }
    assert!(test.interceptor.calls().is_empty(), "these checks read nothing");
    assert_rejected(&test, "client", || form(&[]).basic(wrong.0, wrong.1), (401, "invalid_client")).await;
    assert_rejected(&test, "no client", || form(&[("token", "x")]), (401, "invalid_client")).await;
    let empty = || form(&[("token", ""), ("all_sessions", "no")]).basic(APPLICATION.0, APPLICATION.1);
    for path in [REVOKE, INTROSPECT] {
        let response = test.send(empty().to("POST", path)).await;
        response.assert_error(400, "invalid_request");
        assert_eq!(response.body["error_description"], "The token is missing.");
    }
    // `all_sessions` comes before the owner of the token.
    let token = log_in(&test, 2).await.access_token();
    for value in ["no", "false", "TRUE", "1", " true"] {
        let params = [("token", token.as_str()), ("all_sessions", value)];
        test.revoke(SERVICE, &params).await.assert_error(400, "invalid_request");
    }
    test.revoke(SERVICE, &[("token", &token), ("all_sessions", "")]).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn s_102_only_the_parameters_of_the_endpoint_are_defined() {
    let test = started().await;
    let log = LogLines::collect();
    for path in [REVOKE, INTROSPECT] {
        let defined = ["token", "token_type_hint", "client_id", "client_secret"];
        let defined = defined.into_iter().chain((path == REVOKE).then_some("all_sessions"));
        for name in defined {
            for query in [format!("?{name}="), format!("?a=b&{name}=x")] {
                let request = present(APPLICATION, "x").query(&query).to("POST", path);
                test.send(request).await.assert_error(400, "invalid_request");
            }
            let repeated = raw_form(format!("{name}=&{name}=")).basic(APPLICATION.0, APPLICATION.1).to("POST", path);
            test.send(repeated).await.assert_error(400, "invalid_request");
        }
        for query in ["?scope=x&v=1", "?grant_type=password", "?refresh_token=CANARY", "?"] {
            let response: Response = test.send(present(APPLICATION, "x").query(query).to("POST", path)).await;
            assert_eq!(response.status, 200, "{query}");
        }
        let repeated = raw_form("token=x&scope=a&scope=b&x=1&x=2").basic(APPLICATION.0, APPLICATION.1);
        assert_eq!(test.send(repeated.to("POST", path)).await.status, 200, "other parameters may be repeated");
    }
    let unknown = raw_form("token=x&all_sessions=no&all_sessions=no").basic(APPLICATION.0, APPLICATION.1);
    assert_eq!(test.send(unknown.to("POST", INTROSPECT)).await.status, 200);
    assert!(!log.text().contains("CANARY"));
}

#[tokio::test]
async fn accept_is_not_read_and_other_methods_are_405() {
    let test = started().await;
    let token = log_in(&test, 2).await.access_token();
    let jwt = "application/token-introspection+jwt";
    for accept in ["version=latest", jwt, "application/json; version=0"] {
        let request = present(APPLICATION, &token).header("accept", accept).to("POST", INTROSPECT);
        test.send(request).await.assert_active(super::introspect::OF_USERS);
        let request = present(APPLICATION, "x").header("accept", accept).to("POST", REVOKE);
        test.send(request).await.assert_revoked();
    }
    for (path, allow) in [(REVOKE, "POST,OPTIONS"), (INTROSPECT, "POST")] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            let response = test.send(present(APPLICATION, &token).to(method, path)).await;
            assert_eq!((response.status, response.header("allow")), (405, Some(allow)), "{method} {path}");
        }
    }
}

/// A page gets no Basic challenge, and no CORS headers at the introspection endpoint.
#[tokio::test]
async fn s_916_a_page_gets_no_basic_challenge_at_either_endpoint() {
    let test = started().await;
    for path in [REVOKE, INTROSPECT] {
        for (request, challenge) in [
            (form(&[("token", "x")]), "Bearer realm=\"oauth\""),
            (present((APPLICATION.0, "wrong"), "x"), "Basic realm=\"oauth\", charset=\"UTF-8\""),
        ] {
            let response = test.send(request.header("origin", "https://app.example.test").to("POST", path)).await;
            assert_eq!((response.status, response.header("www-authenticate")), (401, Some(challenge)), "{path}");
            assert_eq!(response.header("access-control-allow-origin"), None);
        }
    }
    let request = present(APPLICATION, "x").header("origin", "https://app.example.test").to("POST", INTROSPECT);
    assert_eq!(test.send(request).await.header("vary"), None);
}
