//! S-101 to S-105: the surface of `POST /oauth/token`, table by table.

use axum::body::Body;
use axum::http::Request;
use countersign::http::Origin;
use serde_json::json;

use crate::support::{
    APPLICATION, Answer, Ask, LogLines, PASSWORD, SERVICE, TestApp, USERNAME, form, raw_form, raw_json,
};

/// A form that gets a token, the credentials in it.
fn good_form() -> String {
    format!("grant_type=client_credentials&client_id={}&client_secret={}", SERVICE.0, SERVICE.1)
}

/// The same as members of a JSON object.
fn good_members() -> String {
    format!(r#""grant_type":"client_credentials","client_id":"{}","client_secret":"{}""#, SERVICE.0, SERVICE.1)
}

async fn assert_refused(test: &TestApp, what: &str, ask: Ask, status: u16, error: &str) -> Answer {
    let answer = test.send(ask.post()).await;
    assert_eq!((answer.status, &answer.body["error"]), (status, &json!(error)), "{what}");
    answer.assert_refused(status, error);
    answer
}

async fn assert_malformed(test: &TestApp, what: &str, ask: Ask) {
    assert_refused(test, what, ask, 400, "invalid_request").await;
}

async fn assert_issued(test: &TestApp, what: &str, ask: Ask) {
    let answer = test.send(ask.post()).await;
    assert_eq!(answer.status, 200, "{what}: {:?}", answer.bytes);
    answer.assert_issued(2);
}

#[tokio::test]
async fn s_101_methods_and_paths() {
    let test = TestApp::start().await;
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"] {
        let answer = test.send(raw_form(good_form()).to(method, "/oauth/token")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST,OPTIONS")), "{method}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{method}");
        if method != "HEAD" {
            answer.assert_refused(405, "method_not_allowed");
        }
    }
    for path in ["/", "/oauth", "/oauth/token/", "/oauth/tokens", "/OAUTH/TOKEN", "/oauth//token", "/%6Fauth/token"] {
        test.send(raw_form(good_form()).to("POST", path)).await.assert_refused(404, "not_found");
    }
}

#[tokio::test]
async fn s_101_a_body_of_16_kib_is_read_and_one_byte_more_is_not() {
    let test = TestApp::start().await;
    let padded = |length: usize| format!("{}&x={}", good_form(), "a".repeat(length - good_form().len() - 3));
    assert_issued(&test, "16,384 bytes", raw_form(padded(16_384))).await;
    assert_refused(&test, "16,385 bytes", raw_form(padded(16_385)), 413, "invalid_request").await;
    // Size decides before the content type does.
    let ask = raw_form(padded(16_385)).query("?x=1").header("content-type", "text/plain");
    assert_refused(&test, "too large in every way", ask, 413, "invalid_request").await;
}

#[tokio::test]
async fn s_101_content_types() {
    let test = TestApp::start().await;
    let with = |content_type: &str| Request::post("/oauth/token").header("content-type", content_type);
    for content_type in [
        "application/x-www-form-urlencoded",
        "APPLICATION/X-WWW-FORM-URLENCODED",
        "application/x-www-form-urlencoded;charset=utf-8",
        "application/x-www-form-urlencoded ; Charset=\"UTF-8\"",
        "application/x-www-form-urlencoded; boundary=x",
        "application/x-www-form-urlencoded;",
    ] {
        let answer = test.send(with(content_type).body(Body::from(good_form())).unwrap()).await;
        assert_eq!(answer.status, 200, "{content_type}");
    }
    for content_type in [
        "",
        "text/plain",
        "multipart/form-data",
        "application/jsonp",
        "application/json, application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/x-www-form-urlencoded; charset=\"iso-8859-1\"",
        "application/x-www-form-urlencoded; charset=",
        "application",
    ] {
        let answer = test.send(with(content_type).body(Body::from(good_form())).unwrap()).await;
        assert_eq!(answer.status, 400, "{content_type}");
        answer.assert_refused(400, "invalid_request");
    }
    let twice = raw_form(good_form()).header("content-type", "application/x-www-form-urlencoded");
    assert_malformed(&test, "two content types", twice).await;
    assert_malformed(&test, "a form that says it is JSON", raw_json(good_form())).await;
}

#[tokio::test]
async fn s_102_nothing_is_read_from_the_query() {
    let test = TestApp::start().await;
    for query in ["?grant_type=client_credentials", "?scope=admin", "?x=1", "?access_token=a", "?%"] {
        assert_malformed(&test, query, raw_form(good_form()).query(query)).await;
    }
    assert_issued(&test, "a lone question mark", raw_form(good_form()).query("?")).await;
}

#[tokio::test]
async fn s_101_accept_chooses_the_structure() {
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
        let answer = test.send(raw_form(good_form()).header("accept", accept).post()).await;
        assert_eq!(answer.status, 200, "{accept}");
        answer.assert_issued(version);
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

#[tokio::test]
async fn s_101_forms_are_decoded_strictly() {
    let test = TestApp::start().await;
    for (what, extra) in [
        ("an unknown parameter", "&x=1"),
        ("an unknown parameter twice", "&x=1&x=2"),
        ("an unknown parameter without a value", "&x"),
        ("an empty one", "&scope="),
        ("a name without a value", "&scope"),
        ("empty pairs", "&&&"),
        ("an equals sign in a value", "&x=a=b"),
        ("encoded names and values", "&%73cope=legacy%3Aautonomy.read"),
        ("lower-case hex", "&scope=legacy%3aautonomy.read"),
        ("a plus for a space", "&scope=legacy:autonomy.read+legacy:autonomy.write"),
        ("64 parameters", &(0..61).map(|n| format!("&p{n}=1")).collect::<String>()),
        ("a name of 64 bytes", &format!("&{}=1", "n".repeat(64))),
    ] {
        assert_issued(&test, what, raw_form(good_form() + extra)).await;
    }
    for (what, extra) in [
        ("a bare percent sign", "&x=%"),
        ("one hex digit", "&x=%4"),
        ("no hex digits", "&x=%zz"),
        ("a sign among the hex digits", "&x=%+4"),
        ("a bare percent sign in a name", "&%=1"),
        ("bytes that are not UTF-8", "&x=%ff"),
        ("an overlong encoding", "&x=%c0%80"),
        ("a surrogate", "&x=%ed%a0%80"),
        ("a parameter twice", "&scope=legacy:autonomy.read&scope=legacy:autonomy.read"),
        ("a parameter twice, once empty", "&scope=&scope=legacy:autonomy.read"),
        ("a parameter twice, both empty", "&scope&scope"),
        ("a parameter twice, once encoded", "&scope=a&%73cope=a"),
        ("65 parameters", &(0..62).map(|n| format!("&p{n}=1")).collect::<String>()),
        ("a name of 65 bytes", &format!("&{}=1", "n".repeat(65))),
    ] {
        assert_malformed(&test, what, raw_form(good_form() + extra)).await;
    }
    let mut raw = good_form().into_bytes();
    raw.extend_from_slice(b"&x=\xff");
    assert_malformed(&test, "raw bytes that are not UTF-8", raw_form(raw)).await;
}

#[tokio::test]
async fn s_104_no_body_is_decompressed() {
    let test = TestApp::start().await;
    // `gzip` of a form that would get a token.
    let gzip = include_bytes!("wire/form.gz");
    assert_malformed(&test, "a compressed body", raw_form(*gzip).header("content-encoding", "gzip")).await;
    assert_issued(&test, "a body that is not", raw_form(good_form()).header("content-encoding", "gzip")).await;
}

#[tokio::test]
async fn s_101_json_is_decoded_strictly() {
    let test = TestApp::start().await;
    let good = good_members();
    for (what, body) in [
        ("the object", format!("{{{good}}}")),
        ("white space around it", format!(" \n\t{{{good}}}\r\n")),
        ("unknown members", format!(r#"{{{good},"x":1,"y":true,"z":null,"f":-1.5e3}}"#)),
        ("depth 4", format!(r#"{{{good},"x":[[[1]]],"y":{{"a":{{"b":{{}}}}}}}}"#)),
        ("null is absent", format!(r#"{{{good},"scope":null}}"#)),
        ("empty is absent", format!(r#"{{{good},"scope":""}}"#)),
        ("escapes", format!(r#"{{{good},"sc\u006fpe":"legacy:autonomy.r\u0065ad"}}"#)),
        ("64 members", format!("{{{good}{}}}", (0..61).map(|n| format!(r#","p{n}":1"#)).collect::<String>())),
    ] {
        assert_issued(&test, what, raw_json(body)).await;
    }
    for (what, body) in [
        ("nothing", String::new()),
        ("a string", r#""x""#.to_owned()),
        ("null", "null".to_owned()),
        ("an array around it", format!("[{{{good}}}]")),
        ("something after it", format!("{{{good}}}x")),
        ("a second object", format!("{{{good}}}{{}}")),
        ("a trailing comma", format!("{{{good},}}")),
        ("a comment", format!("{{{good}/**/}}")),
        ("a byte order mark", format!("\u{feff}{{{good}}}")),
        ("single quotes", good.replace('"', "'")),
        ("a repeated member", format!(r#"{{{good},"client_id":"billing-cron"}}"#)),
        ("a repeated member, once null", format!(r#"{{{good},"scope":null,"scope":"x"}}"#)),
        ("a repeated member in other letters", format!(r#"{{{good},"scope":"x","sc\u006fpe":"x"}}"#)),
        ("a repeated unknown member", format!(r#"{{{good},"x":1,"x":1}}"#)),
        ("a repeated member further down", format!(r#"{{{good},"x":[{{"a":1,"a":2}}]}}"#)),
        ("depth 5 by arrays", format!(r#"{{{good},"x":[[[[1]]]]}}"#)),
        ("depth 5 by objects", format!(r#"{{{good},"x":{{"a":{{"b":{{"c":{{}}}}}}}}}}"#)),
        ("a number", format!(r#"{{{good},"scope":1}}"#)),
        ("a flag", format!(r#"{{{good},"scope":true}}"#)),
        ("an array", format!(r#"{{{good},"scope":[]}}"#)),
        ("an object", format!(r#"{{{good},"username":{{}}}}"#)),
        ("a lone surrogate", format!(r#"{{{good},"x":"\ud800"}}"#)),
        ("65 members", format!("{{{good}{}}}", (0..62).map(|n| format!(r#","p{n}":1"#)).collect::<String>())),
        ("a name of 65 bytes", format!(r#"{{{good},"{}":1}}"#, "n".repeat(65))),
    ] {
        assert_malformed(&test, what, raw_json(body)).await;
    }
    let mut raw = format!("{{{good},\"x\":\"").into_bytes();
    raw.extend_from_slice(b"\xff\"}");
    assert_malformed(&test, "raw bytes that are not UTF-8", raw_json(raw)).await;
}

#[tokio::test]
async fn s_101_values_keep_to_their_limits_and_grammar() {
    let test = TestApp::start().await;
    let password = |name: &str, value: &str| {
        let mut params = vec![("username", USERNAME), ("password", PASSWORD), ("scope", "legacy:a")];
        params.retain(|(known, _)| *known != name);
        params.extend([(name, value), ("grant_type", "password")]);
        form(&params).basic(APPLICATION.0, APPLICATION.1)
    };
    for (name, limit) in [("username", 1024), ("password", 4096)] {
        assert_refused(&test, name, password(name, &"a".repeat(limit)), 400, "invalid_grant").await;
        assert_malformed(&test, name, password(name, &"a".repeat(limit + 1))).await;
        for character in ["\0", "\r", "\n"] {
            assert_malformed(&test, name, password(name, &format!("a{character}b"))).await;
        }
    }
    // Counted in bytes.
    assert_malformed(&test, "bytes", password("username", &"\u{fc}".repeat(513))).await;

    let credentials = |id: &str, secret: &str| form(&[("grant_type", "client_credentials")]).basic(id, secret);
    let in_body = |id: &str, secret: &str| {
        form(&[("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)])
    };
    for (id, secret) in
        [("a".repeat(256), "s".to_owned()), ("a".to_owned(), "s".repeat(1024)), (" ~".into(), " ~".into())]
    {
        assert_refused(&test, &id, credentials(&id, &secret), 401, "invalid_client").await;
        assert_refused(&test, &id, in_body(&id, &secret), 401, "invalid_client").await;
    }
    for (id, secret) in [
        ("a".repeat(257), "s".to_owned()),
        ("a".to_owned(), "s".repeat(1025)),
        ("\u{fc}".to_owned(), "s".to_owned()),
        ("a".to_owned(), "\u{7f}".to_owned()),
        ("a\tb".to_owned(), "s".to_owned()),
    ] {
        assert_malformed(&test, &id, credentials(&id, &secret)).await;
        assert_malformed(&test, &id, in_body(&id, &secret)).await;
    }
    let refresh = |token: &str| {
        form(&[("grant_type", "refresh_token"), ("refresh_token", token)]).basic(APPLICATION.0, APPLICATION.1)
    };
    assert_refused(&test, "1 KiB", refresh(&"x".repeat(1024)), 400, "invalid_grant").await;
    assert_malformed(&test, "more than 1 KiB", refresh(&"x".repeat(1025))).await;
    for token in ["\u{fc}", "a b", "\0", "cs_rt_", "cs_rt_AAAA", "cs_rt_!", "null"] {
        assert_refused(&test, token, refresh(token), 400, "invalid_grant").await;
    }
}

#[tokio::test]
async fn s_101_scopes() {
    let test = TestApp::start().await;
    let scoped =
        |scope: &str| form(&[("grant_type", "client_credentials"), ("scope", scope)]).basic(SERVICE.0, SERVICE.1);
    for (asked, issued) in [
        ("legacy:autonomy.read", "legacy:autonomy.read"),
        ("legacy:autonomy.write legacy:autonomy.read", "legacy:autonomy.write legacy:autonomy.read"),
        (
            "legacy:autonomy.write legacy:autonomy.read legacy:autonomy.write",
            "legacy:autonomy.write legacy:autonomy.read",
        ),
        ("", "legacy:autonomy.read"),
    ] {
        let answer = test.send(scoped(asked).post()).await;
        assert_eq!(answer.assert_issued(2).0["scope"], issued);
    }
    for scope in [
        "admin",
        "legacy:autonomy.read admin",
        " legacy:autonomy.read",
        "legacy:autonomy.read ",
        "legacy:autonomy.read  legacy:autonomy.write",
        "legacy:autonomy.read\tlegacy:autonomy.write",
        " ",
        "LEGACY:autonomy.read",
        "legacy:autonomy.*",
        "*",
        "\"",
        "\\",
        "\u{fc}",
        "\0",
    ] {
        assert_refused(&test, scope, scoped(scope), 400, "invalid_scope").await;
    }
    let many = |count: usize| vec!["legacy:autonomy.read"; count].join(" ");
    assert_issued(&test, "100 tokens", scoped(&many(100))).await;
    assert_malformed(&test, "101 tokens", scoped(&many(101))).await;
    let gaps = vec!["legacy:autonomy.read"; 60].join("  ");
    assert_refused(&test, "60 tokens with gaps", scoped(&gaps), 400, "invalid_scope").await;
    assert_refused(&test, "4,096 bytes", scoped(&"a".repeat(4096)), 400, "invalid_scope").await;
    assert_malformed(&test, "4,097 bytes", scoped(&"a".repeat(4097))).await;

    // A wildcard of the client's allows what begins like it, and at least one character more.
    let wild = |scope: &str| {
        form(&[("grant_type", "client_credentials"), ("scope", scope)]).basic(APPLICATION.0, APPLICATION.1)
    };
    assert_issued(&test, "below the wildcard", wild("legacy:x")).await;
    for scope in ["legacy:", "legacy", "legac:x", "legacy:*", "legacy:*.read", "legacy:a*b"] {
        assert_refused(&test, scope, wild(scope), 400, "invalid_scope").await;
    }
}

#[tokio::test]
async fn s_101_the_first_fault_decides() {
    let test = TestApp::start().await;
    let bad_everything = |query: &'static str, accept: &str| {
        raw_form("scope=%").query(query).header("accept", accept).header("authorization", "Basic !")
    };
    let description = async |ask: Ask| {
        let answer = test.send(ask.post()).await;
        answer.assert_refused(400, "invalid_request");
        answer.body["error_description"].as_str().unwrap().to_owned()
    };
    assert!(
        description(bad_everything("?x", "version=x").header("content-type", "a/b")).await.contains("Content-Type")
    );
    assert!(description(bad_everything("?x", "version=x")).await.contains("query"));
    assert!(description(bad_everything("", "version=x")).await.contains("Accept"));
    assert!(description(bad_everything("", "version=1")).await.contains("form"));

    for (what, ask, status, error) in [
        (
            "two methods before the grant type",
            form(&[("grant_type", "nope"), ("client_secret", "x")]).basic(SERVICE.0, SERVICE.1),
            400,
            "invalid_request",
        ),
        (
            "malformed Basic before the grant type",
            form(&[("grant_type", "nope")]).header("authorization", "Basic !"),
            400,
            "invalid_request",
        ),
        ("the grant type before the client", form(&[("grant_type", "nope")]), 400, "unsupported_grant_type"),
        ("its absence before the client", form(&[]), 400, "invalid_request"),
        ("the client before the grant's parameters", form(&[("grant_type", "password")]), 401, "invalid_client"),
        (
            "the client's grants before the grant's parameters",
            form(&[("grant_type", "password")]).basic(SERVICE.0, SERVICE.1),
            400,
            "unauthorized_client",
        ),
        (
            "the grant's parameters before the scope",
            form(&[("grant_type", "password"), ("scope", "*")]).basic(APPLICATION.0, APPLICATION.1),
            400,
            "invalid_request",
        ),
        (
            "the scope before the user",
            form(&[("grant_type", "password"), ("username", "x"), ("password", "x"), ("scope", "*")])
                .basic(APPLICATION.0, APPLICATION.1),
            400,
            "invalid_scope",
        ),
        (
            "a scope that the client may not have before the refresh token",
            form(&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("scope", "admin")])
                .basic(APPLICATION.0, APPLICATION.1),
            400,
            "invalid_scope",
        ),
        (
            "the scope before the refresh token",
            form(&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("scope", "a  b")])
                .basic(APPLICATION.0, APPLICATION.1),
            400,
            "invalid_scope",
        ),
    ] {
        assert_refused(&test, what, ask, status, error).await;
    }
}

#[tokio::test]
async fn s_101_grant_types_are_compared_to_the_letter() {
    let test = TestApp::start().await;
    for grant_type in
        [&"x".repeat(5000), "Password", "client-credentials", "authorization_code", "implicit", "refresh_token ", "x"]
    {
        let ask = form(&[("grant_type", grant_type)]).basic(SERVICE.0, SERVICE.1);
        assert_refused(&test, grant_type, ask, 400, "unsupported_grant_type").await;
    }
    for ask in [form(&[("grant_type", "")]), raw_json(r#"{"grant_type":null}"#)] {
        assert_malformed(&test, "absent", ask.basic(SERVICE.0, SERVICE.1)).await;
    }
}

#[tokio::test]
async fn s_103_a_panic_costs_one_answer() {
    let test = TestApp::start().await;
    // There is no panic to be had by input: only the test's own log can be made to panic.
    let log = LogLines::collect();
    log.panic_once();
    test.send(raw_form(good_form()).post()).await.assert_refused(500, "server_error");
    assert_issued(&test, "the next one", raw_form(good_form())).await;
}

#[tokio::test]
async fn s_105_forged_headers_change_nothing() {
    let test = TestApp::start().await;
    let ask = ["host", "forwarded", "x-forwarded-host", "x-forwarded-for", "x-forwarded-proto", "x-original-url"]
        .into_iter()
        .fold(raw_form(good_form()), |ask, name| ask.header(name, "evil.example"))
        .header("x-http-method-override", "GET");
    let claims = test.send(ask.post()).await.assert_issued(2);
    assert_eq!(claims.0["iss"], crate::support::ISSUER);
    assert_eq!(claims.0["aud"], crate::support::ISSUER);

    let log = LogLines::collect();
    let mut request = raw_form(good_form()).header("x-forwarded-for", "198.51.100.1").post();
    request.extensions_mut().insert(Origin { request_id: "r".into(), source: "203.0.113.7".into() });
    test.send(request).await.assert_issued(2);
    assert_eq!(log.lines()[0]["source"], "203.0.113.7");
    assert!(!log.text().contains("198.51.100.1"));
}
