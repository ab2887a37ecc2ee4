//! A demo client that logs users in at our page: a link that begins the flow, and the page to which the browser returns,
//! which shows the tokens.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use testing::cloud::BoxError;
use tower::ServiceExt;

const CLIENT_ID: &str = "demo-login";

/// The client, with the verifier of its requests. A real client makes a new verifier for each request.
struct DemoClient {
    issuer: String,
    redirect_uri: String,
    verifier: String,
    service: Router,
}

/// Returns the pages of the client of this service, which listens at `origin`.
pub fn routes(issuer: &str, origin: &str, service: Router) -> Result<Router, BoxError> {
    let mut random = [0; 32];
    rand::fill(&mut random)?;
    let verifier = URL_SAFE_NO_PAD.encode(random);
    let redirect_uri = format!("{origin}/demo/callback");
    let client = DemoClient { issuer: issuer.to_owned(), redirect_uri, verifier, service };
    let routes = Router::new().route("/demo", get(begin)).route("/demo/callback", get(finish));
    Ok(routes.with_state(Arc::new(client)))
}

async fn begin(State(client): State<Arc<DemoClient>>) -> impl IntoResponse {
    let DemoClient { issuer, redirect_uri, verifier, .. } = &*client;
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let location = format!(
        "{issuer}/oauth/authorize?client_id={CLIENT_ID}&redirect_uri={redirect_uri}&response_type=code\
         &scope=openid+profile+legacy:autonomy.read&code_challenge={challenge}&code_challenge_method=S256"
    );
    (StatusCode::SEE_OTHER, [(LOCATION, location)])
}

async fn finish(State(client): State<Arc<DemoClient>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let Some(code) = query.split('&').find_map(|pair| pair.strip_prefix("code=")) else {
        return format!("There is no code: {query}\n").into_response();
    };
    let DemoClient { redirect_uri, verifier, service, .. } = &*client;
    let body = format!(
        "grant_type=authorization_code&client_id={CLIENT_ID}&code={code}&redirect_uri={redirect_uri}\
         &code_verifier={verifier}"
    );
    let form = "application/x-www-form-urlencoded";
    let request = Request::post("/oauth/token").header(CONTENT_TYPE, form).body(Body::from(body));
    match request {
        Ok(request) => service.clone().oneshot(request).await.into_response(),
        Err(error) => error.to_string().into_response(),
    }
}
