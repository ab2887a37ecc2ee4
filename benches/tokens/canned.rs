//! AWS answers that are ready: the SDK with all its work, and neither a network nor a server behind it.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_sdk_dynamodb::config::Credentials;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use axum::body::Bytes;
use serde_json::{Value, json};

use crate::cloud::{Cloud, Fault};
use crate::deployment::{client, username};

/// The answer to a write.
const WRITTEN: &[u8] = br#"{"ConsumedCapacity":{"TableName":"GrantsTable","CapacityUnits":1.0}}"#;

/// The answer to a read that finds this.
fn item_answer(item: &Value) -> Bytes {
    json!({"Item": item, "ConsumedCapacity": {"TableName": "ClientsTable", "CapacityUnits": 1.0}}).to_string().into()
}

/// The answers to each call that a token request makes.
#[derive(Clone)]
pub struct Canned {
    secret: Bytes,
    service: Bytes,
    application: Bytes,
    user: Bytes,
    /// The family that was written first.
    family: Arc<Mutex<Option<Bytes>>>,
}

impl Canned {
    /// Answers with the demo's clients and user, as an account has them, and with this text of the secret.
    pub fn new(cloud: &Cloud, secret: &str) -> Result<Self, Fault> {
        let answer =
            |item: Option<Value>| -> Result<Bytes, Fault> { Ok(item_answer(&item.ok_or("there is no such item")?)) };
        Ok(Self {
            secret: json!({"Name": "signing", "VersionId": "1", "SecretString": secret}).to_string().into(),
            service: answer(cloud.item("ClientsTable", &json!({"client_id": client(0).0}))?)?,
            application: answer(cloud.item("ClientsTable", &json!({"client_id": client(1).0}))?)?,
            user: answer(cloud.item("UsersTable", &json!({"username": username()}))?)?,
            family: Arc::default(),
        })
    }

    /// The SDK's settings for these answers.
    pub fn sdk(&self) -> ConfigLoader {
        let connector = SharedHttpConnector::new(self.clone());
        aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .endpoint_url("http://127.0.0.1:1")
            .region(Region::from_static("eu-west-2"))
            .credentials_provider(Credentials::new("local", "local", None, None, "local"))
    }

    fn answer(&self, request: &HttpRequest) -> Bytes {
        let body = request.body().bytes().unwrap_or_default();
        let names = |name: &str| body.windows(name.len()).any(|part| part == name.as_bytes());
        let operation = request.headers().get("x-amz-target").and_then(|target| target.split('.').next_back());
        match operation.unwrap_or_default() {
            "GetSecretValue" => self.secret.clone(),
            "GetItem" if names(client(0).0) => self.service.clone(),
            "GetItem" if names(client(1).0) => self.application.clone(),
            "GetItem" if names("UsersTable") => self.user.clone(),
            "GetItem" => self.family.lock().unwrap().clone().unwrap_or_default(),
            "PutItem" => {
                self.family.lock().unwrap().get_or_insert_with(|| {
                    let written: Value = serde_json::from_slice(body).unwrap();
                    item_answer(&written["Item"])
                });
                Bytes::from_static(WRITTEN)
            }
            _ => Bytes::from_static(WRITTEN),
        }
    }
}

impl fmt::Debug for Canned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Canned")
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut answer = HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::from(self.answer(&request)));
        answer.headers_mut().insert("content-type", "application/x-amz-json-1.0");
        HttpConnectorFuture::ready(Ok(answer))
    }
}
