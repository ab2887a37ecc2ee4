//! Queries of CloudWatch Logs Insights.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::{QueryStatus, ResultField};
use countersign::aws;
use tokio::time::{sleep, timeout};

use crate::error::Error;

/// The time between two polls of the results.
const POLL: Duration = Duration::from_millis(250);
/// The limit of the time for a query.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A query and its time range, in seconds since the epoch.
pub struct Query {
    pub text: String,
    pub from: u64,
    pub until: u64,
}

/// A result: values by field. Fields without a value are absent.
pub type Found = BTreeMap<String, String>;

/// Runs a query over a log group, and returns its results.
///
/// # Errors
/// The error if AWS rejects a call, if the query fails, or if it takes too long.
pub async fn run(sdk: &SdkConfig, log_group: &str, query: Query) -> Result<Vec<Found>, Error> {
    let client = Client::new(sdk);
    let started = client
        .start_query()
        .log_group_name(log_group)
        .start_time(query.from.try_into().unwrap_or(i64::MAX))
        .end_time(query.until.try_into().unwrap_or(i64::MAX))
        .query_string(query.text)
        .send()
        .await
        .map_err(|error| Error::aws(&format!("StartQuery on {log_group}: {}", aws::cause(&error))))?;
    let id = started.query_id.unwrap_or_default();
    let late = |_| Error::new(format!("the query did not complete in {TIMEOUT:?}; try again with a shorter --since"));
    timeout(TIMEOUT, results(&client, &id)).await.map_err(late)?
}

/// Polls until the query has ended.
async fn results(client: &Client, id: &str) -> Result<Vec<Found>, Error> {
    loop {
        let output = client.get_query_results().query_id(id).send().await;
        let output = output.map_err(|error| Error::aws(&format!("GetQueryResults: {}", aws::cause(&error))))?;
        match output.status {
            Some(QueryStatus::Complete) => {
                return Ok(output.results.unwrap_or_default().into_iter().map(found).collect());
            }
            Some(QueryStatus::Scheduled | QueryStatus::Running) => sleep(POLL).await,
            other => {
                let status = other.as_ref().map_or("no status", QueryStatus::as_str);
                return Err(Error::new(format!("the query ended with {status}; try again with a shorter --since")));
            }
        }
    }
}

fn found(fields: Vec<ResultField>) -> Found {
    fields.into_iter().filter_map(|field| Some((field.field?, field.value?))).collect()
}
