//! An emulated AWS in this process: DynamoDB (the emulator dynoxide, with the tables of `template.yaml`), a Secrets Manager
//! with one secret, and an STS, on one port of 127.0.0.1.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_sdk_dynamodb::config::Credentials;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use countersign::config::Config;
use dynoxide::Database;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, from_slice, json, to_string};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::stack;

/// The table with the signing secret. It is in the database, so that one file contains all data.
const SECRETS_TABLE: &str = "secrets";
const SIGNING_SECRET: &str = "signing";

/// An error of any kind.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The emulated AWS account.
#[derive(Clone)]
pub struct Cloud {
    /// The tables.
    pub database: Database,
}

impl Cloud {
    /// Opens the account in a file, or a new one in memory. Creates the tables that are missing.
    pub fn open(file: Option<&Path>) -> Result<Self, BoxError> {
        let database = match file {
            Some(file) => Database::new(file.to_str().ok_or("the file's path is not UTF-8")?)?,
            None => Database::memory()?,
        };
        let cloud = Self { database };
        let existing: Value = serde_json::to_value(cloud.database.list_tables(serde_json::from_value(json!({}))?)?)?;
        let existing: Vec<&str> =
            existing["TableNames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, definition) in table_definitions()? {
            if !existing.contains(&name.as_str()) {
                cloud.database.create_table(serde_json::from_value(definition)?)?;
            }
        }
        Ok(cloud)
    }

    /// Stores an item, given as plain JSON.
    pub fn put(&self, table: &str, item: &Value) -> Result<(), BoxError> {
        let request = json!({"TableName": table, "Item": attribute(item)["M"]});
        self.database.put_item(serde_json::from_value(request)?)?;
        Ok(())
    }

    /// Returns an item in the JSON of DynamoDB.
    pub fn item(&self, table: &str, key: &Value) -> Result<Option<Value>, BoxError> {
        let request = json!({"TableName": table, "Key": attribute(key)["M"]});
        let response = serde_json::to_value(self.database.get_item(serde_json::from_value(request)?)?)?;
        Ok(response.get("Item").filter(|item| !item.is_null()).cloned())
    }

    /// Stores a new version of the signing secret.
    pub fn put_secret(&self, text: &str) -> Result<(), BoxError> {
        let mut id = [0; 16];
        aws_lc_rs::rand::fill(&mut id)?;
        self.put_secret_version(&u128::from_be_bytes(id).to_string(), text).map(|_| ())
    }

    /// Stores a version of the signing secret under a name, and makes it the current version. Returns false if a
    /// version of that name exists with another text.
    pub fn put_secret_version(&self, id: &str, text: &str) -> Result<bool, BoxError> {
        let name = format!("version {id}");
        let stored = self.item(SECRETS_TABLE, &json!({"id": name}))?;
        if stored.is_some_and(|stored| stored["text"]["S"] != text) {
            return Ok(false);
        }
        self.put(SECRETS_TABLE, &json!({"id": name, "text": text}))?;
        self.put(SECRETS_TABLE, &json!({"id": SIGNING_SECRET, "version": id}))?;
        Ok(true)
    }

    /// Returns the name and the text of the current version of the signing secret.
    pub fn secret_version(&self) -> Result<Option<(String, String)>, BoxError> {
        let Some(current) = self.item(SECRETS_TABLE, &json!({"id": SIGNING_SECRET}))? else {
            return Ok(None);
        };
        let id = current["version"]["S"].as_str().ok_or("the secret has no version")?;
        let stored = self.item(SECRETS_TABLE, &json!({"id": format!("version {id}")}))?;
        Ok(stored.and_then(|stored| Some((id.to_owned(), stored["text"]["S"].as_str()?.to_owned()))))
    }

    /// Returns the text of the signing secret.
    pub fn secret(&self) -> Result<Option<String>, BoxError> {
        Ok(self.secret_version()?.map(|(_, text)| text))
    }

    /// Runs an operation on an item without the HTTP server of dynoxide. Returns the status and the body of the response, or
    /// `None` for operations that the functions do not use and for malformed input.
    pub fn run(&self, operation: &str, input: &[u8]) -> Option<(u16, String)> {
        let database = &self.database;
        let output = match operation {
            "GetItem" => database.get_item(from_slice(input).ok()?).map(|output| to_string(&output)),
            "PutItem" => database.put_item(from_slice(input).ok()?).map(|output| to_string(&output)),
            "UpdateItem" => database.update_item(from_slice(input).ok()?).map(|output| to_string(&output)),
            _ => return None,
        };
        Some(match output {
            Ok(output) => (200, output.ok()?),
            Err(error) => (error.status_code(), error.to_json()),
        })
    }

    /// Returns a router that serves the calls of the AWS SDK to all services.
    pub async fn router(&self) -> Result<Router, BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let services = Services {
            cloud: self.clone(),
            dynamodb: Uri::try_from(format!("http://{}/", listener.local_addr()?))?,
            client: Client::builder(TokioExecutor::new()).build_http(),
            secret_write: Arc::default(),
        };
        tokio::spawn(dynoxide::server::serve_on(listener, self.database.clone()));
        Ok(Router::new().fallback(call).with_state(services))
    }
}

#[derive(Clone)]
struct Services {
    cloud: Cloud,
    dynamodb: Uri,
    client: Client<HttpConnector, Body>,
    /// Secrets Manager writes one version at a time.
    secret_write: Arc<Mutex<()>>,
}

impl Services {
    async fn secrets_manager(&self, operation: &str, parameters: &Value) -> Result<Response, BoxError> {
        if parameters["SecretId"] != SIGNING_SECRET {
            return Ok(error("ResourceNotFoundException").into_response());
        }
        match operation {
            "GetSecretValue" => Ok(match self.cloud.secret_version()? {
                Some((id, text)) => {
                    Json(json!({"Name": SIGNING_SECRET, "VersionId": id, "SecretString": text})).into_response()
                }
                None => error("ResourceNotFoundException").into_response(),
            }),
            "PutSecretValue" => {
                let _guard = self.secret_write.lock().await;
                let (id, text) = (parameters["ClientRequestToken"].as_str(), parameters["SecretString"].as_str());
                let (id, text) = (id.ok_or("no token")?, text.ok_or("no text")?);
                Ok(if self.cloud.put_secret_version(id, text)? {
                    Json(json!({"Name": SIGNING_SECRET, "VersionId": id})).into_response()
                } else {
                    error("ResourceExistsException").into_response()
                })
            }
            _ => Ok(error("InvalidRequestException").into_response()),
        }
    }
}

/// Serves one call of the SDK.
async fn call(State(services): State<Services>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    if let Some(response) = stack::response_without_stacks(&body) {
        return response;
    }
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    if let Some(operation) = target.strip_prefix("secretsmanager.") {
        let parameters: Value = from_slice(&body).unwrap_or_default();
        return match services.secrets_manager(operation, &parameters).await {
            Ok(response) => response,
            Err(_) => error("InternalServiceError").into_response(),
        };
    }
    let operation = target.strip_prefix("DynamoDB_20120810.").unwrap_or_default();
    if let Some((status, text)) = services.cloud.run(operation, &body) {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        return (status, [("content-type", "application/x-amz-json-1.0")], text).into_response();
    }
    parts.uri = services.dynamodb;
    match services.client.request(Request::from_parts(parts, body.into())).await {
        Ok(response) => response.map(Body::new),
        Err(_) => error("InternalServerError").into_response(),
    }
}

fn error(code: &str) -> impl IntoResponse {
    (StatusCode::BAD_REQUEST, Json(json!({"__type": code, "message": "an error of the emulated AWS"})))
}

/// Serves a router on a free port of 127.0.0.1 until the runtime ends. Returns the address.
pub async fn serve(router: Router) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// Returns the settings of the SDK for an emulated AWS at this address.
pub fn sdk(cloud: SocketAddr) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(format!("http://{cloud}"))
        .region(Region::from_static("eu-west-2"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
}

/// Returns the environment variables of the functions for this account, as the template sets them.
pub fn environment(issuer: &str) -> BTreeMap<&'static str, String> {
    let variables = [
        ("CLIENTS_TABLE", "ClientsTable"),
        ("USERS_TABLE", "UsersTable"),
        ("GRANTS_TABLE", "GrantsTable"),
        ("SIGNING_SECRET_ID", SIGNING_SECRET),
        ("ISSUER", issuer),
        ("SIGNING_ALGORITHM", "RS256"),
        ("KEY_PUBLIC_FOR", "10800"),
    ];
    variables.map(|(name, value)| (name, value.to_owned())).into()
}

/// Returns the configuration for [`environment`].
pub fn config(issuer: &str) -> Result<Config, BoxError> {
    let environment = environment(issuer);
    Ok(Config::from_variables(|name| environment.get(name).map(Into::into))?)
}

/// `template.yaml`. A short-form intrinsic function is read as its argument.
pub static TEMPLATE: LazyLock<Value> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("../../template.yaml")).unwrap());

/// Returns the definitions of the tables of the stack, by logical name, and of the table for the secret.
fn table_definitions() -> Result<Vec<(String, Value)>, BoxError> {
    let resources = TEMPLATE["Resources"].as_object().ok_or("template.yaml has no resources")?;
    let tables = resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::DynamoDB::Table");
    let mut definitions: Vec<_> = tables
        .map(|(name, resource)| {
            let properties = &resource["Properties"];
            let definition = json!({
                "TableName": name,
                "AttributeDefinitions": properties["AttributeDefinitions"],
                "KeySchema": properties["KeySchema"],
                "BillingMode": properties["BillingMode"],
            });
            (name.clone(), definition)
        })
        .collect();
    let secrets = json!({
        "TableName": SECRETS_TABLE,
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    });
    definitions.push((SECRETS_TABLE.to_owned(), secrets));
    Ok(definitions)
}

/// Converts plain JSON to an attribute of DynamoDB. A list of strings becomes a set, as in all tables of countersign.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(flag) => json!({"BOOL": flag}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(values) if !values.is_empty() && values.iter().all(Value::is_string) => json!({"SS": values}),
        Value::Array(values) => json!({"L": values.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(members) => {
            let members: serde_json::Map<_, _> =
                members.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
            json!({"M": members})
        }
    }
}
