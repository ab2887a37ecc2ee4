//! An AWS with fixed responses: the SDK does all its work, without a network or a server.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

/// The response to a write, and to a read that finds no item.
const NO_ITEM: &str = r#"{"ConsumedCapacity":{"TableName":"a-table","CapacityUnits":1.0}}"#;

/// The responses to the calls of a token request.
#[derive(Clone)]
pub struct Canned {
    secret: Arc<str>,
    /// By table and key.
    items: Arc<HashMap<(String, String), Arc<str>>>,
    /// The response to reads of unknown keys: the item of the first `PutItem`.
    first_put: Option<Arc<Mutex<Option<Arc<str>>>>>,
}

impl Canned {
    /// Returns an AWS with this text in the secret and these items: the table, the value of the key, and the attributes in
    /// the JSON of DynamoDB.
    pub fn new<'a>(secret: &str, items: impl IntoIterator<Item = (&'a str, &'a str, Value)>) -> Self {
        let secret = json!({"Name": "signing", "VersionId": "1", "SecretString": secret}).to_string().into();
        let items =
            items.into_iter().map(|(table, key, item)| ((table.to_owned(), key.to_owned()), item_response(&item)));
        Self { secret, items: Arc::new(items.collect()), first_put: None }
    }

    /// Returns the item of the first `PutItem` for reads of unknown keys, so that one login can be refreshed many times.
    #[must_use]
    pub fn remembering_first_put(self) -> Self {
        Self { first_put: Some(Arc::default()), ..self }
    }

    /// Returns the HTTP client for the SDK's settings.
    pub fn http_client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    fn respond(&self, request: &HttpRequest) -> Arc<str> {
        let operation = request.headers().get("x-amz-target").and_then(|target| target.split('.').next_back());
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
        match operation.unwrap_or_default() {
            "GetSecretValue" => self.secret.clone(),
            "GetItem" => self.find(&body),
            "PutItem" => {
                if let Some(first) = &self.first_put {
                    first.lock().unwrap().get_or_insert_with(|| item_response(&body["Item"]));
                }
                NO_ITEM.into()
            }
            "UpdateItem" => NO_ITEM.into(),
            other => panic!("there is no response for {other}"),
        }
    }

    fn find(&self, body: &Value) -> Arc<str> {
        let key = body["Key"].as_object().and_then(|key| key.values().next()).and_then(|value| value["S"].as_str());
        let (table, key) = (body["TableName"].as_str().unwrap().to_owned(), key.unwrap().to_owned());
        let first = || self.first_put.as_ref().and_then(|first| first.lock().unwrap().clone());
        self.items.get(&(table, key)).cloned().or_else(first).unwrap_or_else(|| NO_ITEM.into())
    }
}

/// Returns the response to a read that finds this item.
fn item_response(item: &Value) -> Arc<str> {
    json!({"Item": item, "ConsumedCapacity": {"TableName": "a-table", "CapacityUnits": 1.0}}).to_string().into()
}

impl fmt::Debug for Canned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Canned")
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = SdkBody::from(self.respond(&request).as_ref());
        let mut response = HttpResponse::new(StatusCode::try_from(200).unwrap(), body);
        response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
        HttpConnectorFuture::ready(Ok(response))
    }
}
