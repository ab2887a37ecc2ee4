//! The gateway's events (API Gateway, payload format 2.0) into the router, and its answers back.

use std::convert::Infallible;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::lambda_runtime::{LambdaEvent, Service};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::tower::ServiceBuilder;
use lambda_http::{Adapter, Request};
use serde::Serialize;

use crate::app::App;
use crate::http::{Origin, router};

/// The service that Lambda's runtime asks: each event is answered, whatever is in it.
pub fn service(
    app: Arc<App>,
) -> impl Service<LambdaEvent<LambdaRequest>, Response = impl Serialize, Error = Infallible, Future: Send> {
    let handler = ServiceBuilder::new().map_request(with_origin).service(router(app));
    ServiceBuilder::new().map_request(without_traps).service(Adapter::from(handler))
}

/// Tells the router where a request came from, in the gateway's words.
fn with_origin(mut request: Request) -> Request {
    if let Some(RequestContext::ApiGatewayV2(context)) = request.extensions().get() {
        let origin = Origin {
            request_id: context.request_id.clone().unwrap_or_default(),
            source: context.http.source_ip.clone().unwrap_or_default(),
        };
        request.extensions_mut().insert(origin);
    }
    request
}

/// Takes out of an event what `lambda_http` panics on, or reads anew, while it makes a request of it, before any layer
/// of ours could catch that: no caller gets a 500 for a path, a query or a body.
fn without_traps(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
        // A whole URL is made of these, and panics; without them, of the path alone. They decide nothing here.
        request.headers.remove("host");
        request.request_context.domain_name = None;
        // A URL resolves `..` and its like. To us they are characters that no path of ours has.
        if !request.raw_path.as_deref().is_some_and(is_plain_path) {
            request.raw_path = Some("/".to_owned());
        }
        // A query is refused whatever it says.
        if request.raw_query_string.as_ref().is_some_and(|query| !query.is_empty()) {
            request.raw_query_string = Some("refused".to_owned());
        }
        let body = request.body.as_deref().unwrap_or_default();
        if request.is_base64_encoded && STANDARD.decode(body).is_err() {
            // A body that every decoder refuses, in place of one that is none.
            request.body = Some("%".to_owned());
            request.is_base64_encoded = false;
        }
    }
    event
}

fn is_plain_path(path: &str) -> bool {
    let is_plain = |segment: &str| {
        !matches!(segment, "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~'))
    };
    path.len() <= 1024 && path.starts_with('/') && path.split('/').all(is_plain)
}
