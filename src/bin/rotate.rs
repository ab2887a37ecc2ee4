//! The function that makes the first signing keys when the stack is deployed, and rotates them when the schedule says so.
//!
//! | event | from | what it does |
//! |---|---|---|
//! | `{"RequestType": "Create"`, … | CloudFormation | makes the first set, if there is none |
//! | `{"RequestType": "Update"`, … | CloudFormation | has the next key be of the algorithm that the stack has now |
//! | `{"RequestType": "Delete"`, … | CloudFormation | nothing: the secret has its retention |
//! | `{"action": "rotate"}` | the schedule | has the next key sign, if verifiers can have seen it |
//! | `{"action": "rotate", "emergency": "<kid>"}` | a person | drops that key at once |

use std::io;
use std::process::ExitCode;

use aws_config::BehaviorVersion;
use countersign::clock::Clock;
use countersign::config::{Config, RotationConfig};
use countersign::keys::Staging;
use countersign::rotation::{Request, Rotation, RotationError};
use countersign::{aws, log};
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

/// Who calls, and with what.
#[derive(Deserialize)]
#[serde(untagged)]
enum Event {
    CustomResource(CustomResource),
    Action { action: Action, emergency: Option<String> },
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
    let staging = Staging {
        algorithm: config.signing_algorithm.parse()?,
        public_for: config.key_public_for,
        refresh_token_max_ttl: config.refresh_token_max_ttl,
    };
    let sdk = aws::load(aws_config::defaults(BehaviorVersion::latest()).http_client(aws::https())).await;
    let rotation = Rotation::new(&sdk, config.signing_secret_id, staging, Clock::System);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Event>| handle(&rotation, event.payload).await)).await
}

async fn handle(rotation: &Rotation, event: Event) -> Result<Value, lambda_runtime::Error> {
    match event {
        Event::CustomResource(resource) => {
            let fault = match resource.request_type.as_str() {
                "Delete" => None,
                _ => rotation.run(Request::Provide).await.err(),
            };
            aws::put(&resource.response_url, resource.answer(fault.as_ref())).await?;
            Ok(Value::Null)
        }
        Event::Action { action: Action::Rotate, emergency } => {
            let request = emergency.as_deref().map_or(Request::Rotate, Request::Emergency);
            Ok(json!(rotation.run(request).await?))
        }
    }
}

impl CustomResource {
    /// What CloudFormation wants to hear. The physical id never changes, so that nothing is ever replaced.
    fn answer(&self, fault: Option<&RotationError>) -> String {
        json!({
            "Status": if fault.is_none() { "SUCCESS" } else { "FAILED" },
            "Reason": fault.map(ToString::to_string),
            "PhysicalResourceId": "signing-keys",
            "StackId": self.stack_id,
            "RequestId": self.request_id,
            "LogicalResourceId": self.logical_resource_id,
        })
        .to_string()
    }
}
