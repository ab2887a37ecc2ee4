//! `countersign audit`: searches the audit log of a deployment with CloudWatch Logs Insights.

use aws_config::SdkConfig;
use clap::{Args, Subcommand};
use countersign::clock::Clock;
use countersign::user::Username;

use crate::deployment::{DAY, Deployment, Target};
use crate::error::Error;
use crate::{Outcome, input, output};

mod line;
mod log;
mod search;

use line::Line;
use search::Search;

/// The longest time that a search goes back, in seconds.
const MAX_SINCE: u64 = 5 * 365 * DAY;
/// The largest number of results of CloudWatch Logs Insights.
const MAX_LIMIT: i64 = 10_000;

#[derive(Args)]
#[command(after_help = "Examples:
  countersign --stack countersign audit user john.smith@example.com
  countersign --stack countersign audit client billing-cron --since 7d
  countersign audit session 5b0e2a94c1f7d386 \\
    --log-group /aws/lambda/countersign-api
  countersign --stack countersign --json audit token < token.txt

Lines that are older than all refresh token keys of the deployment cannot be found by username.

Exit codes: 0 lines were found; 3 no line was found; 1 the search failed.")]
pub struct Options {
    #[command(subcommand)]
    subject: Subject,
    /// The time to go back, at most 1825d
    #[arg(long, global = true, value_name = "DURATION", default_value = "24h", value_parser = since)]
    since: u64,
    /// The maximum number of lines, the latest ones; at most 10000
    #[arg(long, global = true, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(i64).range(1..=MAX_LIMIT))]
    limit: i64,
    /// The log group of the function, if it is not the stack's
    #[arg(long, global = true, value_name = "NAME")]
    log_group: Option<String>,
}

#[derive(Subcommand)]
enum Subject {
    /// Find the decisions about a user
    User {
        /// The username
        username: String,
    },
    /// Find the decisions about a client
    Client {
        /// The id of the client
        client_id: String,
    },
    /// Find the decisions about one login
    Session {
        /// The session in a log line: 16 hexadecimal digits
        session: String,
    },
    /// Find the decisions about an access token, a refresh token and their login. The token is read from a prompt or from
    /// stdin, and is not verified
    Token,
}

/// Parses `--since`.
fn since(text: &str) -> Result<u64, String> {
    let seconds = input::duration(text)?;
    if (1..=MAX_SINCE).contains(&seconds) { Ok(seconds) } else { Err("not between 1s and 1825d".to_owned()) }
}

pub async fn run(target: &Target, json: bool, options: Options) -> Result<Outcome, Error> {
    let Options { subject, since, limit, log_group } = options;
    let (sdk, log_group, search) = match subject {
        Subject::User { username } => {
            let username = crate::user::parse(&username)?;
            let deployment = target.find().await?;
            let search = of_user(&deployment, &username).await?;
            (deployment.sdk.clone(), of_deployment(log_group, &deployment)?, search)
        }
        Subject::Client { client_id } => with_log(target, log_group, Search::client(&client_id)?).await?,
        Subject::Session { session } => with_log(target, log_group, Search::session(&session)?).await?,
        Subject::Token => with_log(target, log_group, Search::token(&input::secret("Token")?)?).await?,
    };
    let until = Clock::System.now();
    let query = log::Query { text: search.query(limit), from: until.saturating_sub(since), until };
    let lines: Vec<Line> = log::run(&sdk, &log_group, query).await?.into_iter().rev().map(Line::new).collect();
    if lines.len().try_into() == Ok(limit) {
        output::remark(&format!("there may be more lines than the latest {limit}; set --limit or --since"));
    }
    output::result(json, &lines, || line::table(&lines, since))?;
    Ok(if lines.is_empty() { Outcome::NeedsAttention } else { Outcome::Done })
}

async fn of_user(deployment: &Deployment, username: &Username) -> Result<Search, Error> {
    Ok(Search::user(deployment.key_set().await?.log_ids(username)))
}

/// Adds the log group of `--log-group`, or else of the stack, and the settings of the AWS clients.
async fn with_log(
    target: &Target,
    log_group: Option<String>,
    search: Search,
) -> Result<(SdkConfig, String, Search), Error> {
    if let Some(log_group) = log_group {
        return Ok((target.sdk().await?, log_group, search));
    }
    let deployment = target.find().await?;
    let log_group = of_deployment(None, &deployment)?;
    Ok((deployment.sdk, log_group, search))
}

fn of_deployment(log_group: Option<String>, deployment: &Deployment) -> Result<String, Error> {
    let of_stack = || Some(deployment.stack.as_ref()?.value("FunctionLogGroup")?.to_owned());
    let log_group = log_group.or_else(of_stack);
    log_group.ok_or_else(|| Error::new("the log group is not known; add --stack NAME or --log-group NAME"))
}
