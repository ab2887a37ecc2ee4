//! The responses of AWS about the account, the tables, and the stack, whose name is `countersign`.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use serde_json::{Value, json};

use crate::audit_log::LOG_GROUP;
use crate::cloud::{TEMPLATE, environment};
use crate::deployment::ISSUER;

/// Returns the response to a call of CloudFormation about the stack, or `None` for other calls.
pub fn response(body: &[u8]) -> Option<Response> {
    let is_of_stack = parameter(body, "StackName") == Some("countersign");
    let result = || format!("<Stacks><member>{}</member></Stacks>", stack());
    is_of_stack.then(|| xml(StatusCode::OK, "DescribeStacks", &result()))
}

/// Returns the response to a call of STS or CloudFormation (AWS query protocol) of an account without stacks, or `None` for
/// other services.
pub fn response_without_stacks(body: &[u8]) -> Option<Response> {
    match parameter(body, "Action")? {
        "GetCallerIdentity" => Some(xml(StatusCode::OK, "GetCallerIdentity", "<Account>123456789012</Account>")),
        "DescribeStacks" => {
            let error = "<Error><Code>ValidationError</Code><Message>Stack with id x does not exist</Message></Error>";
            let text = format!("<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>");
            Some((StatusCode::BAD_REQUEST, [("content-type", "text/xml")], text).into_response())
        }
        other => panic!("there is no response to {other}"),
    }
}

/// Returns a parameter of a call in the AWS query protocol.
fn parameter<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    str::from_utf8(body).ok()?.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Returns the description of a table that the template created, or `None` for other operations.
pub fn description(operation: &str, parameters: &Value) -> Option<Value> {
    let name = parameters["TableName"].as_str()?;
    let table = &TEMPLATE["Resources"][name]["Properties"];
    let status = |enabled: &Value| if *enabled == true { "ENABLED" } else { "DISABLED" };
    match operation {
        "DescribeTable" => Some(json!({"Table": {
            "TableName": name, "TableStatus": "ACTIVE", "KeySchema": table["KeySchema"],
            "BillingModeSummary": {"BillingMode": table["BillingMode"]},
            "SSEDescription": {"Status": status(&table["SSESpecification"]["SSEEnabled"])},
            "DeletionProtectionEnabled": table["DeletionProtectionEnabled"],
        }})),
        "DescribeContinuousBackups" => {
            let enabled = &table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
            let recovery = json!({"PointInTimeRecoveryStatus": status(enabled)});
            let description = json!({"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery});
            Some(json!({"ContinuousBackupsDescription": description}))
        }
        "DescribeTimeToLive" => {
            let specification = &table["TimeToLiveSpecification"];
            let status = status(&specification["Enabled"]);
            let attribute = &specification["AttributeName"];
            Some(json!({"TimeToLiveDescription": {"TimeToLiveStatus": status, "AttributeName": attribute}}))
        }
        _ => None,
    }
}

fn xml(status: StatusCode, action: &str, result: &str) -> Response {
    let text = format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>");
    (status, [("content-type", "text/xml")], text).into_response()
}

fn stack() -> String {
    let environment = environment(ISSUER);
    let outputs = [
        ("ClientsTableName", &environment["CLIENTS_TABLE"]),
        ("UsersTableName", &environment["USERS_TABLE"]),
        ("GrantsTableName", &environment["GRANTS_TABLE"]),
        ("SigningSecretArn", &environment["SIGNING_SECRET_ID"]),
        ("Issuer", &environment["ISSUER"]),
        ("FunctionLogGroup", &LOG_GROUP.to_owned()),
    ];
    let outputs = outputs.map(|(name, value)| {
        format!("<member><OutputKey>{name}</OutputKey><OutputValue>{value}</OutputValue></member>")
    });
    let parameters = [("RotationDays", "30"), ("SigningAlgorithm", "ES256"), ("KeyPublicFor", "10800"), ("Issuer", "")]
        .map(|(name, value)| {
            format!("<member><ParameterKey>{name}</ParameterKey><ParameterValue>{value}</ParameterValue></member>")
        });
    format!(
        "<StackName>countersign</StackName><StackStatus>UPDATE_COMPLETE</StackStatus>\
         <CreationTime>2026-01-01T00:00:00Z</CreationTime>\
         <Outputs>{}</Outputs><Parameters>{}</Parameters>",
        outputs.concat(),
        parameters.concat()
    )
}
