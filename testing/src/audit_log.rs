//! The emulated CloudWatch Logs Insights: runs the queries of the CLI over the lines that a test stores.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The log group of the function, as the stack names it.
pub const LOG_GROUP: &str = "countersign-ApiLogGroup-x1Y2";

/// The log, and the queries so far.
pub struct AuditLog {
    pub lines: Vec<Value>,
    pub queries: Vec<Value>,
    /// The status with which queries end.
    pub final_status: &'static str,
    /// True if the results of the latest query were polled before.
    polled: bool,
}

impl Default for AuditLog {
    fn default() -> Self {
        Self { lines: Vec::new(), queries: Vec::new(), final_status: "Complete", polled: false }
    }
}

impl AuditLog {
    /// Responds to `StartQuery` and `GetQueryResults`. A query is running when it is polled for the first time.
    pub fn respond(&mut self, operation: &str, parameters: &Value) -> Response {
        match operation {
            "StartQuery" if parameters["logGroupName"] == LOG_GROUP => {
                self.queries.push(parameters.clone());
                self.polled = false;
                Json(json!({"queryId": "a-query"})).into_response()
            }
            "StartQuery" => {
                let error = json!({"__type": "ResourceNotFoundException", "message": "The log group does not exist."});
                (StatusCode::BAD_REQUEST, Json(error)).into_response()
            }
            "GetQueryResults" if !std::mem::replace(&mut self.polled, true) => {
                Json(json!({"status": "Running", "results": []})).into_response()
            }
            "GetQueryResults" => Json(json!({"status": self.final_status, "results": self.results()})).into_response(),
            other => panic!("there is no response to {other}"),
        }
    }

    /// Returns the results of the latest query.
    fn results(&self) -> Vec<Value> {
        let query = self.queries.last().unwrap();
        let parts: Vec<_> = query["queryString"].as_str().unwrap().split(" | ").collect();
        let [fields, filter, "sort @timestamp desc", limit] = parts[..] else { panic!("{query}") };
        let fields: Vec<_> = fields.strip_prefix("fields ").unwrap().split(", ").collect();
        let filter = filter.strip_prefix("filter ").unwrap();
        let in_range = |line: &&Value| {
            let at = DateTime::from_str(line["timestamp"].as_str().unwrap(), Format::DateTime).unwrap().secs();
            (query["startTime"].as_i64().unwrap()..=query["endTime"].as_i64().unwrap()).contains(&at)
        };
        let mut found: Vec<_> = self.lines.iter().filter(in_range).filter(|line| matches(filter, line)).collect();
        found.sort_by_key(|line| std::cmp::Reverse(line["timestamp"].as_str().unwrap()));
        found.truncate(limit.strip_prefix("limit ").unwrap().parse().unwrap());
        let result = |line: &Value| {
            let values =
                fields.iter().filter_map(|field| Some(json!({"field": field, "value": line[field].as_str()?})));
            values.chain([json!({"field": "@ptr", "value": "a-pointer"})]).collect()
        };
        found.into_iter().map(result).collect()
    }
}

/// Evaluates `field = "value"` and `field in ["value", "value"]`, joined by `or`.
fn matches(filter: &str, line: &Value) -> bool {
    filter.split(" or ").any(|condition| {
        let (field, values) = condition.split_once(" = ").or_else(|| condition.split_once(" in ")).unwrap();
        let values: Value = serde_json::from_str(values).unwrap();
        line.get(field)
            .is_some_and(|value| value == &values || values.as_array().is_some_and(|all| all.contains(value)))
    })
}
