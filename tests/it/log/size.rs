//! The size of a line, by which `docs/cost.md` calculates the cost of logs.

use countersign::http::Origin;
use testing::{
    APPLICATION, CLIENT_CREDENTIALS, ClientKeyPair, LogLines, PASSWORD, RequestBuilder, SCOPE, SERVICE, TestApp,
    USERNAME, form, raw_form,
};

const PAGE: &str = include_str!("../../../docs/cost.md");
const TOKEN: &str = "/oauth/token";
const USERINFO: &str = "/oauth/userinfo";

/// Returns the bytes of the line of a request to an endpoint that gets this status, with the line feed. Its durations have
/// two digits.
async fn bytes(test: &TestApp, (path, status): (&str, u16), request: RequestBuilder) -> usize {
    let log = LogLines::collect();
    let mut request = request.to(if path == USERINFO { "GET" } else { "POST" }, path);
    request.extensions_mut().insert(Origin { request_id: "JKJaXmPLvHcESHA=".into(), source: "203.0.113.77".into() });
    assert_eq!(test.send(request).await.status, status);
    let line = &log.lines()[0];
    let durations = ["hash_ms", "store_ms", "total_ms"].into_iter().filter_map(|name| line.get(name));
    durations.fold(log.text().len(), |bytes, duration| bytes + 2 - duration.to_string().len())
}

#[tokio::test]
async fn the_bytes_of_a_line_are_those_of_the_cost_page() {
    let test = TestApp::start().await;
    let service = form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1);
    let password = [("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD), ("scope", SCOPE)];
    let password = form(&password).basic(APPLICATION.0, APPLICATION.1);
    let token = test.log_in().await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    let refresh = form(&refresh).basic(APPLICATION.0, APPLICATION.1);
    let bytes = async |request| bytes(&test, (TOKEN, 200), request).await;
    let (service, password, refresh) = (bytes(service).await, bytes(password).await, bytes(refresh).await);
    let row = format!("| function's log line, bytes | {service} | {password} | {refresh} |");
    assert!(PAGE.contains(&row), "{row}");
    let proof = ClientKeyPair::generate("ES256").proof(&test);
    let bound = bytes(form(&CLIENT_CREDENTIALS).basic(SERVICE.0, SERVICE.1).header("dpop", &proof)).await;
    let sentence = format!("A DPoP proof adds {} bytes to the function's log line", bound - service);
    assert!(PAGE.contains(&sentence), "{sentence}");
}

#[tokio::test]
async fn the_bytes_of_the_lines_of_a_revocation_an_introspection_and_userinfo_are_those_of_the_cost_page() {
    let test = TestApp::start().await;
    let of_service = test.form(SERVICE, &CLIENT_CREDENTIALS).await.access_token();
    let login = test.password(USERNAME, PASSWORD).await;
    let request = |(id, secret), token: &str| form(&[("token", token)]).basic(id, secret);
    let introspect = async |request| bytes(&test, ("/oauth/introspect", 200), request).await;
    let service = introspect(request(SERVICE, &of_service)).await;
    let user = introspect(request(APPLICATION, &login.access_token())).await;
    let revocation = bytes(&test, ("/oauth/revoke", 200), request(APPLICATION, &login.refresh_token())).await;
    let with_codes = TestApp::start_with_codes().await;
    let code_login = with_codes.exchange(&with_codes.code().await).await;
    let bearer = raw_form("").header("authorization", &format!("Bearer {}", code_login.access_token()));
    let userinfo = bytes(&with_codes, (USERINFO, 200), bearer).await;
    let row = format!("| function's log line, bytes | {service} | {user} | {revocation} | {userinfo} |");
    assert!(PAGE.contains(&row), "{row}");
}

#[tokio::test]
async fn the_bytes_of_the_line_of_a_guess_are_those_of_the_cost_page() {
    let test = TestApp::start_with_cheap_hashes().await;
    let params = [("grant_type", "password"), ("username", USERNAME), ("password", "wrong"), ("scope", SCOPE)];
    let guess = || form(&params).basic(APPLICATION.0, APPLICATION.1);
    let wrong = bytes(&test, (TOKEN, 400), guess()).await;
    for _ in 1..5 {
        test.send(guess().post()).await.assert_error(400, "invalid_grant");
    }
    let (by_store, by_memory) = (bytes(&test, (TOKEN, 429), guess()).await, bytes(&test, (TOKEN, 429), guess()).await);
    let secret = bytes(&test, (TOKEN, 401), form(&CLIENT_CREDENTIALS).basic(SERVICE.0, APPLICATION.1)).await;
    let row = format!("| function's log line, bytes | {wrong} | {by_store} | {by_memory} | {secret} |");
    assert!(PAGE.contains(&row), "{row}");
}
