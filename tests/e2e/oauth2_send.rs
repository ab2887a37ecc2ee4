//! The HTTP client of the `oauth2` crate in the end-to-end tests.

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use oauth2::{HttpRequest, HttpResponse};

/// Sends a request over plain HTTP.
pub async fn send(request: HttpRequest) -> Result<HttpResponse, Error> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let (parts, body) = request.into_parts();
    let (parts, body) = client.request(Request::from_parts(parts, Body::from(body))).await?.into_parts();
    let body = to_bytes(Body::new(body), usize::MAX).await.expect("the response is complete");
    Ok(Response::from_parts(parts, body.to_vec()))
}
