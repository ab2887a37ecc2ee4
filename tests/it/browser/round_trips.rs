//! The sequential round trips of each step, with its reads and writes.

use axum::body::Body;
use axum::http::Request;
use axum::http::request::Builder;

use super::{Browser, JOHN, SECRET_PASSWORD, code_of, our_form, page, query};
use crate::grant::round_trips::round_trips;
use testing::{Response, form_body};

const CLIENT: &str = "GetItem ClientsTable";
const GRANT: &str = "GetItem GrantsTable";
const USER: &str = "GetItem UsersTable";
const PUT: &str = "PutItem GrantsTable";
const UPDATE: &str = "UpdateItem GrantsTable";

/// Sends a request with the cookie of the browser. Returns its calls by round trip.
async fn step<const N: usize>(
    browser: &Browser,
    (request, body): (Builder, &str),
    counts: [usize; N],
) -> (Response, Vec<Vec<String>>) {
    let request = match &browser.cookie {
        Some(cookie) => request.header("cookie", cookie),
        None => request,
    };
    let request = request.body(Body::from(body.to_owned())).unwrap();
    round_trips(&browser.test, browser.test.send(request), counts).await
}

fn authorize(query: &str) -> (Builder, &'static str) {
    (Request::get(format!("/oauth/authorize?{query}")), "")
}

#[tokio::test]
async fn a_login_page_needs_one_round_trip_or_two_with_a_session() {
    let mut browser = Browser::start().await;
    let (response, calls) = step(&browser, authorize(&query("crm", "openid", &[])), [1]).await;
    assert_eq!(page(&response).0.as_deref(), Some("login"));
    assert_eq!(calls, [[CLIENT]]);
    browser.sign_in(JOHN).await;
    let again = query("crm", "openid", &[("prompt", "login")]);
    let (response, calls) = step(&browser, authorize(&again), [2, 2]).await;
    assert_eq!(page(&response).0.as_deref(), Some("login"));
    assert_eq!(calls, [[CLIENT, GRANT], [GRANT, USER]]);
}

#[tokio::test]
async fn a_consent_page_needs_two_round_trips() {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let request = query("crm", "openid", &[]);
    let (response, calls) = step(&browser, authorize(&request), [2, 3]).await;
    assert_eq!(page(&response).0.as_deref(), Some("consent"));
    assert_eq!(calls, [vec![CLIENT, GRANT], vec![CLIENT, GRANT, USER]]);
    let (_, calls) = step(&browser, authorize(&request), [2, 2]).await;
    assert_eq!(calls, [[CLIENT, GRANT], [GRANT, USER]], "the texts of scopes are cached");
}

#[tokio::test]
async fn a_code_needs_three_round_trips_and_one_more_if_the_consent_changes() {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    let request = query("portal", "openid", &[]);
    let (response, calls) = step(&browser, authorize(&request), [2, 2, 1, 1]).await;
    code_of(&response);
    assert_eq!(calls, [vec![CLIENT, GRANT], vec![GRANT, USER], vec![UPDATE], vec![PUT]]);
    let (response, calls) = step(&browser, authorize(&request), [2, 2, 1]).await;
    code_of(&response);
    assert_eq!(calls, [vec![CLIENT, GRANT], vec![GRANT, USER], vec![PUT]]);
    browser.test.advance_clock(301);
    browser.test.app.keyring.load().await.unwrap();
    let (response, calls) = step(&browser, authorize(&request), [2, 2, 2]).await;
    code_of(&response);
    assert_eq!(calls, [[CLIENT, GRANT], [GRANT, USER], [PUT, UPDATE]], "the use of the session is written");
}

#[tokio::test]
async fn a_login_needs_two_round_trips_and_one_more_if_a_session_is_renewed_or_ended() {
    let mut browser = Browser::start().await;
    let path = format!("/oauth/login?{}", query("crm", "openid", &[]));
    let fields = |username| form_body(&[("username", username), ("password", SECRET_PASSWORD)]);
    let (response, calls) = step(&browser, (our_form(&path), &fields(JOHN)), [3, 2]).await;
    assert_eq!(response.status, 303);
    assert_eq!(calls, [vec![CLIENT, GRANT, USER], vec![PUT, UPDATE]]);
    browser.sign_in(JOHN).await;
    let (response, calls) = step(&browser, (our_form(&path), &fields(JOHN)), [4, 1, 1]).await;
    assert_eq!(response.status, 303);
    assert_eq!(calls, [vec![CLIENT, GRANT, GRANT, USER], vec![UPDATE], vec![UPDATE]], "renewed");
    browser.sign_in(JOHN).await;
    let anna = fields("anna@itccompliance.co.uk");
    let (response, calls) = step(&browser, (our_form(&path), &anna), [4, 2, 1]).await;
    assert_eq!(response.status, 303);
    assert_eq!(calls, [vec![CLIENT, GRANT, GRANT, USER], vec![PUT, UPDATE], vec![UPDATE]], "ended");
}

#[tokio::test]
async fn the_account_page_needs_two_round_trips_and_a_change_three() {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    browser.code(&query("crm", "openid", &[])).await;
    let confirm = browser.account_confirm().await;
    let (response, calls) = step(&browser, (Request::get("/account"), ""), [1, 2]).await;
    assert_eq!(page(&response).0.as_deref(), Some("account"));
    assert_eq!(calls, [vec![GRANT], vec![GRANT, USER]]);
    let fields = form_body(&[("confirm", confirm.as_str()), ("client_id", "crm")]);
    let (response, calls) = step(&browser, (our_form("/account/remove"), &fields), [1, 2, 1]).await;
    assert_eq!(response.header("location"), Some("/account"));
    assert_eq!(calls, [vec![GRANT], vec![GRANT, USER], vec![UPDATE]]);
    let (response, calls) = step(&browser, (our_form("/account/sign-out"), &fields), [1, 1]).await;
    assert_eq!(response.header("location"), Some("/oauth/logout"));
    assert_eq!(calls, [[GRANT], [UPDATE]]);
}
