//! The headers of a token request: `Content-Type`, `Content-Encoding` and `Accept` (S-101, S-104).

use axum::body::Body;
use axum::http::Request;

use super::token::{assert_issued, assert_malformed, good_form};
use testing::{TestApp, raw_form, raw_json};

#[tokio::test]
async fn s_101_a_token_request_has_one_of_two_content_types() {
    let test = TestApp::start().await;
    let with = |content_type: &str| Request::post("/oauth/token").header("content-type", content_type);
    for content_type in [
        "application/x-www-form-urlencoded",
        "APPLICATION/X-WWW-FORM-URLENCODED",
        "application/x-www-form-urlencoded;charset=utf-8",
        "application/x-www-form-urlencoded ; Charset=\"UTF-8\"",
        "application/x-www-form-urlencoded; boundary=x",
        "application/x-www-form-urlencoded; charset=utf8",
        "application/x-www-form-urlencoded; charset='utf-8'",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/x-www-form-urlencoded; charset=\"iso-8859-1\"",
        "application/x-www-form-urlencoded; charset=",
        "application/x-www-form-urlencoded; charset=\u{fc}",
        " application/x-www-form-urlencoded\t;;=",
        "application/x-www-form-urlencoded;",
        "application/x-www-form-urlencoded; a=\"b, c/d\"",
    ] {
        let response = test.send(with(content_type).body(Body::from(good_form())).unwrap()).await;
        assert_eq!(response.status, 200, "{content_type}");
    }
    for content_type in [
        "",
        "text/plain",
        "multipart/form-data",
        "application/jsonp",
        "application/json, application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-8,application/json",
        "application",
        "application/x-www-form-urlencoded charset=utf-8",
        "application/x-www-form-urlencoded\u{fc}",
    ] {
        let response = test.send(with(content_type).body(Body::from(good_form())).unwrap()).await;
        assert_eq!(response.status, 400, "{content_type}");
        response.assert_error(400, "invalid_request");
    }
    let twice = raw_form(good_form()).header("content-type", "application/x-www-form-urlencoded");
    assert_malformed(&test, "two content types", twice).await;
    assert_malformed(&test, "a form with the content type of JSON", raw_json(good_form())).await;
}

/// HTTP clients have a default `Content-Type`, which is not that of JSON.
#[tokio::test]
async fn s_101_the_error_for_json_without_its_header_names_the_header() {
    let test = TestApp::start().await;
    let sentence = "A body in JSON needs one header Content-Type: application/json.";
    let json = r#"{"grant_type":"client_credentials"}"#;
    let spaces = format!("\r\n {json}");
    for (content_types, body, described) in [
        (&[][..], json, true),
        (&["application/x-www-form-urlencoded"], json, true),
        (&["text/plain;charset=UTF-8"], &*spaces, true),
        (&["application/json", "application/json"], json, true),
        (&["application/x-www-form-urlencoded"], "{", true),
        (&["application/x-www-form-urlencoded"], "%7B=1", false),
        (&["text/plain"], "grant_type=client_credentials", false),
        (&["application/json"], json, false),
    ] {
        for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
            let mut request = Request::post(path);
            for content_type in content_types {
                request = request.header("content-type", *content_type);
            }
            let response = test.send(request.body(Body::from(body.to_owned())).unwrap()).await;
            let description = response.body["error_description"].as_str();
            assert_eq!(description == Some(sentence), described, "{path} {content_types:?} {body}: {description:?}");
            if described {
                response.assert_error(400, "invalid_request");
            }
        }
    }
}

#[tokio::test]
async fn s_104_no_body_is_decompressed() {
    let test = TestApp::start().await;
    // The form is valid before its compression with `gzip`.
    let gzip = include_bytes!("form.gz");
    assert_malformed(&test, "a compressed body", raw_form(*gzip)).await;
    let with = |encodings: &[&str]| {
        encodings.iter().fold(raw_form(good_form()), |request, encoding| request.header("content-encoding", encoding))
    };
    for encodings in [&["identity"][..], &["IDENTITY"], &["identity", "Identity"], &["identity,\tidentity"]] {
        assert_issued(&test, &encodings.join("|"), with(encodings)).await;
    }
    let long = "identity, ".repeat(100) + "gzip";
    for encodings in [
        &["gzip"][..],
        &["br"],
        &["x-identity"],
        &["identity;q=1"],
        &["\u{fc}"],
        &[""],
        &["gzip, identity"],
        &["identity, gzip"],
        &["identity", "gzip"],
        &["gzip", "identity"],
        &["identity", ""],
        &["identity,"],
        &[&long],
    ] {
        assert_malformed(&test, &encodings.join("|"), with(encodings)).await;
    }
}

#[tokio::test]
async fn s_101_accept_selects_the_token_version() {
    let test = TestApp::start().await;
    for (accept, version) in [
        ("application/json; version=1", 1),
        ("application/json;version=1.0", 1),
        ("application/json;version=1.9", 1),
        ("version=1", 1),
        ("Version=1", 1),
        ("application/json; VERSION=\"1\"", 1),
        ("application/json; q=0.5; version=01", 1),
        ("text/html, application/json; version=1, */*; version=2", 1),
        ("application/json;profile=\"a,b;version=2\";version=1", 1),
        ("application/json; version=2", 2),
        ("version=2", 2),
        ("version=2.0", 2),
        ("*/*; version=3", 2),
        ("application/json;version=10", 2),
        ("application/json;version=99999999999999999999999999", 2),
        ("application/json", 2),
        ("*/*", 2),
        ("text/html", 2),
        ("", 2),
        (",;,=", 2),
        ("application/json;versions=1", 2),
        ("application/json;version", 2),
        ("text/x-\u{fc}", 2),
    ] {
        let response = test.send(raw_form(good_form()).header("accept", accept).post()).await;
        assert_eq!(response.status, 200, "{accept}");
        response.assert_issued(version);
    }
    for accept in [
        "application/json; version=latest",
        "application/json; version=0",
        "application/json; version=0.9",
        "application/json; version=00",
        "application/json; version=-1",
        "application/json; version=+1",
        "application/json; version=1e1",
        "application/json; version=2.0.1",
        "application/json; version=2.",
        "application/json; version=.5",
        "application/json; version=",
        "application/json; version=\"\"",
        "application/json; version=\"1",
        "application/json; version=\u{661}",
        "text/html; version=x, application/json; version=1",
    ] {
        assert_malformed(&test, accept, raw_form(good_form()).header("accept", accept)).await;
    }
    let two_headers = raw_form(good_form()).header("accept", "text/html").header("accept", "version=1");
    test.send(two_headers.post()).await.assert_issued(1);
}
