//! A small AWS in this process: DynamoDB (the emulator dynoxide, tables as `template.yaml` defines them) and a Secrets
//! Manager with one secret, behind one door on 127.0.0.1.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

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
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// The table that holds the secret, so that it is kept where everything else is.
const SECRETS_TABLE: &str = "secrets";
const SIGNING_SECRET: &str = "signing";

/// What went wrong, for people.
pub type Fault = Box<dyn Error + Send + Sync>;

/// The emulated account.
#[derive(Clone)]
pub struct Cloud {
    /// Its tables.
    pub database: Database,
}

impl Cloud {
    /// Opens the account that a file holds, or a new one that is gone with the process; makes the tables that it lacks.
    pub fn open(file: Option<&Path>) -> Result<Self, Fault> {
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

    /// Puts an item, written as plain JSON, into a table.
    pub fn put(&self, table: &str, item: &Value) -> Result<(), Fault> {
        let request = json!({"TableName": table, "Item": attribute(item)["M"]});
        self.database.put_item(serde_json::from_value(request)?)?;
        Ok(())
    }

    /// Reads an item as DynamoDB writes it.
    pub fn item(&self, table: &str, key: &Value) -> Result<Option<Value>, Fault> {
        let request = json!({"TableName": table, "Key": attribute(key)["M"]});
        let answer = serde_json::to_value(self.database.get_item(serde_json::from_value(request)?)?)?;
        Ok(answer.get("Item").filter(|item| !item.is_null()).cloned())
    }

    /// Puts the text of the signing secret, as a version of its own.
    pub fn put_secret(&self, text: &str) -> Result<(), Fault> {
        let mut id = [0; 16];
        aws_lc_rs::rand::fill(&mut id)?;
        self.put_secret_version(&u128::from_be_bytes(id).to_string(), text).map(|_| ())
    }

    /// Puts a version of the signing secret under a name, and makes it the current one; `false` if there is a version
    /// of that name with another text.
    pub fn put_secret_version(&self, id: &str, text: &str) -> Result<bool, Fault> {
        let name = format!("version {id}");
        let stored = self.item(SECRETS_TABLE, &json!({"id": name}))?;
        if stored.is_some_and(|stored| stored["text"]["S"] != text) {
            return Ok(false);
        }
        self.put(SECRETS_TABLE, &json!({"id": name, "text": text}))?;
        self.put(SECRETS_TABLE, &json!({"id": SIGNING_SECRET, "version": id}))?;
        Ok(true)
    }

    /// The current version of the signing secret, if there is one: its name and its text.
    pub fn secret_version(&self) -> Result<Option<(String, String)>, Fault> {
        let Some(current) = self.item(SECRETS_TABLE, &json!({"id": SIGNING_SECRET}))? else {
            return Ok(None);
        };
        let id = current["version"]["S"].as_str().ok_or("the secret has no version")?;
        let stored = self.item(SECRETS_TABLE, &json!({"id": format!("version {id}")}))?;
        Ok(stored.and_then(|stored| Some((id.to_owned(), stored["text"]["S"].as_str()?.to_owned()))))
    }

    /// The text of the signing secret, if there is one.
    pub fn secret(&self) -> Result<Option<String>, Fault> {
        Ok(self.secret_version()?.map(|(_, text)| text))
    }

    /// The door: every call of the AWS SDK, whichever service it is for.
    pub async fn door(&self) -> Result<Router, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let door = Door {
            cloud: self.clone(),
            dynamodb: Uri::try_from(format!("http://{}/", listener.local_addr()?))?,
            client: Client::builder(TokioExecutor::new()).build_http(),
            writing: Arc::default(),
        };
        tokio::spawn(dynoxide::server::serve_on(listener, self.database.clone()));
        Ok(Router::new().fallback(call).with_state(door))
    }
}

#[derive(Clone)]
struct Door {
    cloud: Cloud,
    dynamodb: Uri,
    client: Client<HttpConnector, Body>,
    /// Secrets Manager writes one version after the other.
    writing: Arc<Mutex<()>>,
}

impl Door {
    async fn secrets_manager(&self, operation: &str, asked: &Value) -> Result<Response, Fault> {
        if asked["SecretId"] != SIGNING_SECRET {
            return Ok(refusal("ResourceNotFoundException").into_response());
        }
        match operation {
            "GetSecretValue" => Ok(match self.cloud.secret_version()? {
                Some((id, text)) => {
                    Json(json!({"Name": SIGNING_SECRET, "VersionId": id, "SecretString": text})).into_response()
                }
                None => refusal("ResourceNotFoundException").into_response(),
            }),
            "PutSecretValue" => {
                let _alone = self.writing.lock().await;
                let (id, text) = (asked["ClientRequestToken"].as_str(), asked["SecretString"].as_str());
                let (id, text) = (id.ok_or("no token")?, text.ok_or("no text")?);
                Ok(if self.cloud.put_secret_version(id, text)? {
                    Json(json!({"Name": SIGNING_SECRET, "VersionId": id})).into_response()
                } else {
                    refusal("ResourceExistsException").into_response()
                })
            }
            _ => Ok(refusal("InvalidRequestException").into_response()),
        }
    }
}

async fn call(State(door): State<Door>, mut request: Request) -> Response {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    if let Some(operation) = target.strip_prefix("secretsmanager.").map(ToOwned::to_owned) {
        let asked = to_bytes(request.into_body(), usize::MAX).await.unwrap_or_default();
        let asked: Value = serde_json::from_slice(&asked).unwrap_or_default();
        return match door.secrets_manager(&operation, &asked).await {
            Ok(answer) => answer,
            Err(_) => refusal("InternalServiceError").into_response(),
        };
    }
    *request.uri_mut() = door.dynamodb.clone();
    match door.client.request(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(_) => refusal("InternalServerError").into_response(),
    }
}

fn refusal(code: &str) -> impl IntoResponse {
    (StatusCode::BAD_REQUEST, Json(json!({"__type": code, "message": "as the local cloud has it"})))
}

/// Serves a door on a free port of 127.0.0.1 for as long as the runtime lives.
pub async fn serve(door: Router) -> Result<SocketAddr, Fault> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, door).await });
    Ok(address)
}

/// The SDK's settings for a door.
pub fn sdk(door: SocketAddr) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(format!("http://{door}"))
        .region(Region::from_static("eu-west-2"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
}

/// The environment of the functions, as the template would set it for this account.
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

/// The configuration that this environment makes.
pub fn config(issuer: &str) -> Result<Config, Fault> {
    let environment = environment(issuer);
    Ok(Config::from_variables(|name| environment.get(name).map(Into::into))?)
}

/// The stack, with its short-form intrinsic functions read as what they are called with.
pub fn template() -> Result<Value, Fault> {
    Ok(serde_saphyr::from_str(include_str!("../../template.yaml"))?)
}

/// The tables of the stack under their logical names, and the one that stands for Secrets Manager.
fn table_definitions() -> Result<Vec<(String, Value)>, Fault> {
    let template = template()?;
    let resources = template["Resources"].as_object().ok_or("template.yaml has no resources")?;
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

/// Plain JSON as a DynamoDB attribute. A list of strings is a set, as everywhere in our tables.
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
