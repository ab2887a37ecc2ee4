//! API Gateway's events (payload format 2.0) as requests for the router, and the router's responses for the gateway.
//!
//! Every event gets a response. A path that HTTP cannot represent becomes one that does not exist. An event that lacks
//! what a request needs, or has a method, a header or a body that cannot be read, becomes a [`Malformed`] request.
//!
//! `lambda_http` runs the function. Its own conversion of events is not used: it fails the invocation, or panics, where
//! a method, a header, a query or a body is not what HTTP can represent.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderName, Request, Response, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::lambda_runtime::{LambdaEvent, Service, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tower::ServiceExt;

use crate::app::App;
use crate::http::{ClientCertificate, Malformed, Origin, router};

/// Returns the service that Lambda's runtime calls with each event. The event may be any JSON.
pub fn service(
    app: Arc<App>,
) -> impl Service<LambdaEvent<Box<RawValue>>, Response = impl Serialize, Error = Infallible, Future: Send> {
    let router = router(app);
    service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let response = router.clone().oneshot(request(event.payload.get()));
        async move {
            let Ok(response) = response.await;
            Ok(self::response(response).await)
        }
    })
}

/// The parts of an event that are used. The caller's address and the issuer never come from a header, so `Host` and
/// `X-Forwarded-For` have no special meaning.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    request_context: Context,
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    request_id: Option<String>,
    authentication: Option<Authentication>,
    http: Http,
}

/// The authentication of the caller by a certificate, at a domain that requires one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authentication {
    client_cert: Option<ClientCert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientCert {
    client_cert_pem: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    source_ip: Option<String>,
}

fn request(event: &str) -> Request<Body> {
    let mut request = Request::default();
    let filled = serde_json::from_str(event).ok().and_then(|event| fill(&mut request, event));
    if filled.is_none() {
        request.extensions_mut().insert(Malformed);
    }
    request
}

/// Fills in a request from an event. Stops with `None` at the first part that HTTP cannot represent.
fn fill(request: &mut Request<Body>, event: Event) -> Option<()> {
    let Context { request_id, authentication, http } = event.request_context;
    let origin = Origin { request_id: request_id.unwrap_or_default(), source: http.source_ip.unwrap_or_default() };
    request.extensions_mut().insert(origin);
    let certificate = authentication.and_then(|authentication| authentication.client_cert?.client_cert_pem);
    if let Some(pem) = certificate {
        request.extensions_mut().insert(ClientCertificate(pem));
    }
    *request.uri_mut() = uri(&event.raw_path.unwrap_or_default(), &event.raw_query_string.unwrap_or_default());
    *request.method_mut() = http.method.parse().ok()?;
    let headers = request.headers_mut();
    for (name, value) in event.headers.unwrap_or_default() {
        headers.try_append(name.parse::<HeaderName>().ok()?, value.parse().ok()?).ok()?;
    }
    if let Some(cookies) = event.cookies {
        // The list has all cookies, so a header beside it would repeat them.
        headers.try_insert(COOKIE, cookies.join("; ").parse().ok()?).ok()?;
    }
    let body = event.body.unwrap_or_default();
    let is_base64_encoded = event.is_base64_encoded.unwrap_or_default();
    *request.body_mut() = if is_base64_encoded { STANDARD.decode(body).ok()?.into() } else { body.into() };
    Some(())
}

/// Returns the URI of a request. A query that no URI contains becomes `%`, which no decoder accepts.
fn uri(path: &str, query: &str) -> Uri {
    // `?` and `#` would end the path, and `#` the query.
    let path = if path.starts_with('/') && !path.contains(['?', '#']) { path } else { "/" };
    let with = |query: &str| if query.is_empty() { path.parse() } else { format!("{path}?{query}").parse() };
    let uri = if query.contains('#') { with("%") } else { with(query).or_else(|_| with("%")) };
    // None of our paths has a character that no URI contains.
    uri.unwrap_or_default()
}

/// A response in the format of API Gateway.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GatewayResponse {
    status_code: u16,
    headers: BTreeMap<String, String>,
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

/// Converts a response to the format of API Gateway. Headers of one name are joined with commas, except `Set-Cookie`,
/// which has its own member. All our bodies are text.
pub async fn response(response: Response<Body>) -> impl Serialize {
    let (parts, body) = response.into_parts();
    let (mut headers, mut cookies) = (BTreeMap::<_, String>::new(), Vec::new());
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if name == SET_COOKIE {
            cookies.push(value);
        } else {
            headers.entry(name.to_string()).and_modify(|known| *known = format!("{known}, {value}")).or_insert(value);
        }
    }
    // Bodies are in memory, so reading one does not fail.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let body = String::from_utf8_lossy(&bytes).into_owned();
    GatewayResponse { status_code: parts.status.as_u16(), headers, cookies, body, is_base64_encoded: false }
}
