//! The Lambda function that creates the signing keys when the stack is deployed, and rotates them by schedule.
//!
//! | event | source | effect |
//! |---|---|---|
//! | `{"RequestType": "Create"`, … | CloudFormation | creates the first set of keys, if the secret is empty |
//! | `{"RequestType": "Update"`, … | CloudFormation | as above; replaces a next key of another algorithm |
//! | `{"RequestType": "Delete"`, … | CloudFormation | none: the retention policy of the secret applies |
//! | `{"action": "rotate", "after_days": 30}` | the schedule | rotates if the current key has signed for `after_days` |
//! | `{"action": "rotate"}` | an operator | promotes the next key, once verifiers have had time to fetch it |
//! | `{"action": "rotate", "emergency": "<kid>"}` | an operator | drops the compromised key immediately |

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use countersign::clock::Clock;
use countersign::config::{self, Config, RotationConfig, environment};
use countersign::keys::{KeyError, RotationError, RotationRequest, Rotator};
use countersign::{aws, log};
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

/// The number of retries of a [`RotationRequest::Provide`].
const RETRIES: u8 = 8;

/// An event of the function.
#[derive(Deserialize)]
#[serde(untagged)]
enum Event {
    CustomResource(CustomResource),
    Rotate(Rotate),
}

/// A request of the schedule or an operator. Unknown members are rejected, so that a mistyped `emergency` does not
/// become a rotation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    #[serde(rename = "action")]
    _action: Action,
    emergency: Option<String>,
    #[serde(default)]
    after_days: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Rotate,
}

/// A request of CloudFormation, which waits for the response at a URL.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CustomResource {
    request_type: String,
    #[serde(rename = "ResponseURL")]
    response_url: String,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log::init(io::stdout);
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("countersign: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), lambda_runtime::Error> {
    let config = RotationConfig::from_variables(environment)?;
    Config::require_lambda()?;
    let sdk = config::connection(environment)?.sdk()?;
    let rotator = Rotator::new(&sdk, config.signing_secret_id, config.policy, Clock::System);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Event>| handle(&rotator, event.payload).await)).await
}

async fn handle(rotator: &Rotator, event: Event) -> Result<Value, lambda_runtime::Error> {
    match event {
        Event::CustomResource(resource) => {
            let error = match resource.request_type.as_str() {
                "Delete" => None,
                _ => provide(rotator).await.err(),
            };
            let response = aws::send("PUT", &resource.response_url, &[], resource.response(error.as_ref())).await?;
            match response.status {
                200..300 => Ok(Value::Null),
                status => Err(format!("CloudFormation rejected the response: status {status}").into()),
            }
        }
        Event::Rotate(Rotate { emergency, after_days, .. }) => {
            let after = u64::from(after_days) * 24 * 60 * 60;
            let request = emergency.as_deref().map_or(RotationRequest::Rotate { after }, RotationRequest::Emergency);
            Ok(json!(rotator.run(request).await?))
        }
    }
}

/// Provides the keys. Tries again for some seconds, because the permissions of a new role may not be effective
/// immediately.
async fn provide(rotator: &Rotator) -> Result<(), RotationError> {
    for _ in 0..RETRIES {
        match rotator.run(RotationRequest::Provide).await {
            Err(RotationError::Keys(KeyError::Unavailable(_)) | RotationError::Write(_)) => {
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            done => return done.map(|_| ()),
        }
    }
    rotator.run(RotationRequest::Provide).await.map(|_| ())
}

impl CustomResource {
    /// Returns the response for CloudFormation. The physical id never changes, so CloudFormation never replaces the
    /// resource.
    fn response(&self, error: Option<&RotationError>) -> String {
        json!({
            "Status": if error.is_none() { "SUCCESS" } else { "FAILED" },
            "Reason": error.map_or_else(|| "The signing keys exist.".to_owned(), ToString::to_string),
            "PhysicalResourceId": "signing-keys",
            "StackId": self.stack_id,
            "RequestId": self.request_id,
            "LogicalResourceId": self.logical_resource_id,
        })
        .to_string()
    }
}
