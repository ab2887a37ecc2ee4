//! The function that makes the first signing keys when the stack is deployed, and rotates them when the schedule says so.
//!
//! | event | from | what it does |
//! |---|---|---|
//! | `{"RequestType": "Create"`, … | CloudFormation | makes the first set, if there is none |
//! | `{"RequestType": "Update"`, … | CloudFormation | has the next key be of the algorithm that the stack has now |
//! | `{"RequestType": "Delete"`, … | CloudFormation | nothing: the secret has its retention |
//! | `{"action": "rotate", "after_days": 30}` | the schedule, daily | rotates if the current key has signed for so long |
//! | `{"action": "rotate"}` | a person | has the next key sign, if verifiers can have seen it |
//! | `{"action": "rotate", "emergency": "<kid>"}` | a person | drops that key at once |

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use aws_config::BehaviorVersion;
use countersign::clock::Clock;
use countersign::config::{self, Config, RotationConfig};
use countersign::keys::{KeyError, RotationError, RotationPolicy, RotationRequest, Rotator};
use countersign::{aws, log};
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

/// How often the first keys are tried for again.
const PATIENCE: u8 = 8;

/// Who calls, and with what.
#[derive(Deserialize)]
#[serde(untagged)]
enum Event {
    CustomResource(CustomResource),
    Rotate(Rotate),
}

/// What the schedule or a person asks for. A mistyped emergency must not become a rotation.
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

/// A request of CloudFormation, which waits for its answer at a URL.
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
    let config = RotationConfig::from_env()?;
    Config::require_lambda()?;
    let policy = RotationPolicy {
        algorithm: config.signing_algorithm.parse()?,
        public_for: config.key_public_for,
        refresh_token_max_ttl: config.refresh_token_max_ttl,
    };
    let https = aws::https(&config::roots()?)?;
    let sdk = aws::load(aws_config::defaults(BehaviorVersion::latest()).http_client(https)).await;
    let rotator = Rotator::new(&sdk, config.signing_secret_id, policy, Clock::System);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Event>| handle(&rotator, event.payload).await)).await
}

async fn handle(rotator: &Rotator, event: Event) -> Result<Value, lambda_runtime::Error> {
    match event {
        Event::CustomResource(resource) => {
            let fault = match resource.request_type.as_str() {
                "Delete" => None,
                _ => provide(rotator).await.err(),
            };
            let answer = aws::ask("PUT", &resource.response_url, &[], resource.answer(fault.as_ref())).await?;
            match answer.status {
                200..300 => Ok(Value::Null),
                status => Err(format!("CloudFormation does not take the answer: status {status}").into()),
            }
        }
        Event::Rotate(Rotate { emergency, after_days, .. }) => {
            let after = u64::from(after_days) * 24 * 60 * 60;
            let request = emergency.as_deref().map_or(RotationRequest::Rotate { after }, RotationRequest::Emergency);
            Ok(json!(rotator.run(request).await?))
        }
    }
}

/// Provides the keys, with patience: the rights of a role that was just made may take a moment to be known everywhere.
async fn provide(rotator: &Rotator) -> Result<(), RotationError> {
    for _ in 0..PATIENCE {
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
    /// What CloudFormation wants to hear. The physical id never changes, so that nothing is ever replaced.
    fn answer(&self, fault: Option<&RotationError>) -> String {
        json!({
            "Status": if fault.is_none() { "SUCCESS" } else { "FAILED" },
            "Reason": fault.map_or_else(|| "The signing keys are there.".to_owned(), ToString::to_string),
            "PhysicalResourceId": "signing-keys",
            "StackId": self.stack_id,
            "RequestId": self.request_id,
            "LogicalResourceId": self.logical_resource_id,
        })
        .to_string()
    }
}
