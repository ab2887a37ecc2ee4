//! A connection of the SDK to the emulated AWS without a socket, for tests that send thousands of requests.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::rand;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::json;
use tokio::time::sleep;

use crate::cloud::Cloud;

/// A call arrives after a random time below this number of milliseconds, so that simultaneous calls arrive in any order.
const LATENCY: u64 = 4;

/// The connection.
#[derive(Clone)]
pub struct Direct(pub Cloud);

impl Direct {
    /// Returns the HTTP client for the SDK's settings.
    pub fn http_client(self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self);
        http_client_fn(move |_, _| connector.clone())
    }

    fn respond(&self, request: &HttpRequest) -> (u16, String) {
        let operation = request.headers().get("x-amz-target").and_then(|target| target.split('.').next_back());
        if operation == Some("GetSecretValue") {
            let (id, text) = self.0.secret_version().unwrap().unwrap();
            return (200, json!({"Name": "signing", "VersionId": id, "SecretString": text}).to_string());
        }
        self.0.run(operation.unwrap(), request.body().bytes().unwrap_or_default()).unwrap()
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Direct")
    }
}

impl HttpConnector for Direct {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connection = self.clone();
        HttpConnectorFuture::new(async move {
            let mut random = [0];
            rand::fill(&mut random).unwrap();
            sleep(Duration::from_millis(u64::from(random[0]) % LATENCY)).await;
            let (status, body) = connection.respond(&request);
            let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
            response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
            Ok(response)
        })
    }
}
