//! The login page, the exchange of a code, introspection and `private_key_jwt`, through the router with ES256. AWS gives
//! fixed responses, so that the same code and the same assertion can be used again and again.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use countersign::app::App;
use countersign::aws;
use countersign::grant::records::StoredLogin;
use countersign::refresh_token::{AuthorizationCode, FamilyId, NextGeneration, RefreshToken};
use countersign::store::Rotation;
use serde_json::json;
use testing::canned::Canned;
use testing::cloud::BoxError;
use testing::{
    CALLBACK, CHALLENGE, CLIENT_CREDENTIALS, CODE_CLIENT, ClientKeyPair, NOW, RequestBuilder, SERVICE, TestApp,
    exchange, form, percent,
};
use tokio::runtime::Runtime;

use crate::deployment::sdk;
use crate::measure::Comparison;
use crate::report::{Report, at_most, figure, row, table};
use crate::request::{Routes, origin};

const TURNS: usize = 31;
/// Each endpoint, its store calls, and the goal of its CPU time beside them, in microseconds.
const ENDPOINTS: [(&str, &str, Option<f64>); 5] = [
    ("login page", "1 read", Some(300.0)),
    ("exchange of a code", "5 reads, 1 write", None),
    ("introspection of a service's token", "3 reads", Some(200.0)),
    ("introspection of a user's token", "6 reads", Some(200.0)),
    ("client_credentials by private_key_jwt", "1 read, 1 write", None),
];
/// The id of no record.
const UNUSED_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// The request to each endpoint, with a part of its response.
type Requests = [(Request<Body>, &'static str); ENDPOINTS.len()];

/// Runs the part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    let (app, code, requests) = runtime.block_on(prepare())?;
    let mut comparison = Comparison::new(runtime);
    add_requests(&mut comparison, &app, requests);
    add_store_calls(&mut comparison, &app, code);
    let measured = comparison.run(TURNS);
    let beside = ENDPOINTS.map(|(name, calls, goal)| {
        let cpu = measured.of_turns(|cpu| cpu(name) - cpu(calls));
        goal.map_or_else(|| figure(cpu), |goal| at_most(cpu, "", goal))
    });
    let rows = ENDPOINTS.iter().zip(&beside).map(|((name, calls, _), beside)| {
        row([name, &figure(measured.cpu(name)), calls, &figure(measured.cpu(calls)), beside])
    });
    let rows: Vec<_> = rows.collect();
    let columns = ["endpoint", "the request", "store calls", "its store calls", "beside its store calls"];
    table("Other endpoints with fixed responses of AWS, ES256 (CPU us, medians of turns)", &columns, &rows);
    let figures: Vec<_> = ENDPOINTS.iter().zip(beside).map(|((name, ..), beside)| format!("{name} {beside}")).collect();
    report.sum_up("endpoints", &format!("CPU us beside the store calls: {}", figures.join("; ")));
    Ok(())
}

/// Stores the records in an emulated AWS, and starts a deployment for which they do not change. Returns it with the login
/// of the code that is exchanged, and the requests.
async fn prepare() -> Result<(Arc<App>, FamilyId, Requests), BoxError> {
    let test = TestApp::start_with_codes().await;
    let key = ClientKeyPair::generate("ES256");
    test.change_client(SERVICE.0, &json!({"jwks": [key.entry("1")]}));
    let of_service = test.form(SERVICE, &CLIENT_CREDENTIALS).await;
    let of_user = test.exchange(&test.code().await).await;
    let code = test.code().await;
    let keys = test.app.keyring.current().await?;
    let AuthorizationCode(login) = AuthorizationCode::read(&keys.refresh_token_keys, &code).ok_or("not a code")?;
    let assertion = [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &key.assertion(SERVICE.0, "1", &json!({}))),
    ];
    let proof = format!("code_challenge={CHALLENGE}&code_challenge_method=S256");
    let query = format!("?response_type=code&scope=openid&state=st-1&nonce=n-1&{proof}");
    let query = format!("{query}&client_id={}&redirect_uri={}", CODE_CLIENT.0, percent(CALLBACK));
    let browser = RequestBuilder::default().header("accept-language", "de-DE,de;q=0.9,en;q=0.8");
    let introspect =
        |(id, secret), jwt: &str| form(&[("token", jwt)]).basic(id, secret).to("POST", "/oauth/introspect");
    let requests = [
        (browser.query(&query).to("GET", "/oauth/authorize"), " data-page=\"login\""),
        (form(&exchange(&[("code", &code)])).basic(CODE_CLIENT.0, CODE_CLIENT.1).post(), "\"id_token\":"),
        (introspect(SERVICE, &of_service.access_token()), "\"active\":true"),
        (introspect(CODE_CLIENT, &of_user.access_token()), "\"active\":true"),
        (form(&[&CLIENT_CREDENTIALS[..], &assertion].concat()).post(), "\"access_token\":"),
    ];
    Ok((with_fixed_records(&test).await?, login, requests))
}

/// Starts a deployment with the keys, the clock and the present records of another one.
async fn with_fixed_records(test: &TestApp) -> Result<Arc<App>, BoxError> {
    let keys = [("ClientsTable", "client_id"), ("UsersTable", "username"), ("GrantsTable", "id")];
    let records = keys.map(|(table, key)| test.items(table).into_iter().map(move |item| (table, key, item)));
    let records: Vec<_> = records.into_iter().flatten().collect();
    let items = records.iter().map(|(table, key, item)| (*table, item[*key]["S"].as_str().unwrap(), item.clone()));
    let canned = Canned::new(&test.cloud.secret()?.ok_or("no secret")?, items);
    let app = App::new(test.app.config.clone(), &aws::load(sdk(&canned)).await, test.clock())?;
    app.keyring.load().await?;
    Ok(Arc::new(app))
}

/// Adds a subject for each endpoint, which sends the same request each time.
fn add_requests(comparison: &mut Comparison<'_>, app: &Arc<App>, requests: Requests) {
    for ((name, ..), (request, part)) in ENDPOINTS.into_iter().zip(requests) {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(origin());
        let body = comparison.runtime.block_on(to_bytes(body, usize::MAX)).unwrap();
        let routes = Routes::new(app);
        let send = async move || {
            let (status, body) = routes.respond(Request::from_parts(parts.clone(), body.clone().into())).await;
            assert!(status.is_success(), "{name}: {status}");
            body
        };
        let body = comparison.runtime.block_on(send());
        assert!(String::from_utf8_lossy(&body).contains(part), "{name}: {body:?}");
        comparison.add_async(name, async move || drop(send().await));
    }
}

/// Adds a subject for the store calls of each endpoint.
fn add_store_calls<'a>(comparison: &mut Comparison<'a>, app: &'a App, code: FamilyId) {
    let store = &app.store;
    let client = async move |id| assert!(store.client(id).await.unwrap().is_some());
    let read_login = async move || StoredLogin::read(store, code, NOW).await.unwrap().unwrap();
    comparison.add_async("1 read", async move || client(CODE_CLIENT.0).await);
    let used = RefreshToken { family: code, generation: 0 };
    let (client_id, rotated_by) = (CODE_CLIENT.0, "a measurement".to_owned());
    let next = NextGeneration { client_id, rotated_at: NOW, rotated_by, expires_at: NOW + 1, cnf: None };
    comparison.add_async("5 reads, 1 write", async move || {
        let ((), login) = tokio::join!(client(CODE_CLIENT.0), read_login());
        assert!(login.records.is_ok());
        let rotation = store.rotate_refresh_token(used, &next).await;
        assert!(matches!(rotation.unwrap(), Rotation::Rotated));
    });
    comparison.add_async("3 reads", async move || {
        let reads = (client(SERVICE.0), client(SERVICE.0), store.revoked_token(UNUSED_ID));
        assert!(tokio::join!(reads.0, reads.1, reads.2).2.unwrap().is_none());
    });
    comparison.add_async("6 reads", async move || {
        let ((), (), login) = tokio::join!(client(CODE_CLIENT.0), client(CODE_CLIENT.0), read_login());
        assert!(login.records.is_ok());
    });
    comparison.add_async("1 read, 1 write", async move || {
        client(SERVICE.0).await;
        assert!(store.use_assertion(UNUSED_ID, NOW, NOW).await.unwrap());
    });
}
