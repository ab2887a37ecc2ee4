//! Checks of the tables against the settings of the template.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    BillingMode, BillingModeSummary, ContinuousBackupsDescription, KeyType, PointInTimeRecoveryDescription,
    PointInTimeRecoveryStatus, SseDescription, SseStatus, TableDescription, TableStatus, TimeToLiveStatus,
};
use countersign::aws;

use super::{Finding, Level};
use crate::deployment::Deployment;
use crate::error::Error;

/// The attribute by which DynamoDB deletes expired items.
const EXPIRES_AT: &str = "expires_at";

/// A table, with its expected settings.
struct Table<'a> {
    check: &'static str,
    name: &'a str,
    key: &'static str,
    /// True if the items expire. Tables whose items do not expire need backups and deletion protection.
    expires: bool,
}

pub async fn check(deployment: &Deployment) -> Vec<Finding> {
    let client = Client::new(&deployment.sdk);
    let config = &deployment.config;
    let tables = [
        Table { check: "table clients", name: &config.tables.clients, key: "client_id", expires: false },
        Table { check: "table users", name: &config.tables.users, key: "username", expires: false },
        Table { check: "table grants", name: &config.tables.grants, key: "id", expires: true },
    ];
    let mut findings = Vec::new();
    for table in tables {
        findings.extend(Box::pin(table.check(&client, deployment.is_emulated())).await);
    }
    findings
}

impl Table<'_> {
    /// Checks the status and the key and, unless AWS is emulated, the other settings, which emulators do not report.
    async fn check(&self, client: &Client, is_emulated: bool) -> Vec<Finding> {
        let mut findings = match client.describe_table().table_name(self.name).send().await {
            Ok(output) => {
                let description = output.table();
                let mut findings = description.map(|table| self.essentials(table)).unwrap_or_default();
                findings
                    .extend(description.filter(|_| !is_emulated).map(|table| self.options(table)).unwrap_or_default());
                findings
            }
            // A warning is enough: the checks of the records show if the table can be read.
            Err(error) if error.code() == Some("AccessDeniedException") => {
                vec![self.not_run(Level::Warning, "DescribeTable", &aws::cause(&error))]
            }
            Err(error) => return vec![self.not_run(Level::Error, "DescribeTable", &aws::cause(&error))],
        };
        if !is_emulated {
            findings.extend(self.backups(client).await);
        }
        if self.expires && !is_emulated {
            findings.extend(self.time_to_live(client).await);
        }
        if findings.is_empty() {
            let emulated =
                "is active and has the expected key; its other settings are not checked, because AWS is emulated";
            let found = if is_emulated { emulated } else { "has the expected settings" };
            findings.push(Finding::ok(self.check, format!("{} {found}", self.name)));
        }
        findings
    }

    fn not_run(&self, level: Level, operation: &str, cause: &str) -> Finding {
        Finding::not_run(level, self.check, Error::aws(&format!("{operation}: {cause}")))
    }

    /// Checks the status and the key.
    fn essentials(&self, description: &TableDescription) -> Vec<Finding> {
        let mut findings = Vec::new();
        match description.table_status() {
            Some(TableStatus::Active) => {}
            Some(TableStatus::Updating) => {
                let finding = format!("{} is being updated", self.name);
                findings.push(Finding::warning(
                    self.check,
                    finding,
                    "wait until it has finished, and run doctor again",
                ));
            }
            status => {
                let status = status.map(TableStatus::as_str).unwrap_or_default();
                let finding = format!("{} is {status}", self.name);
                findings.push(Finding::error(
                    self.check,
                    finding,
                    "wait until the table is active, or restore it from a backup",
                ));
            }
        }
        let is_keyed = matches!(
            description.key_schema(),
            [key] if key.attribute_name() == self.key && *key.key_type() == KeyType::Hash
        );
        if !is_keyed {
            findings.push(Finding::error(
                self.check,
                format!("the key schema of {} is not only {}", self.name, self.key),
                "check that it is the right table; if so, create it again, because a key schema cannot be changed",
            ));
        }
        findings
    }

    /// Reports settings that are not required, but recommended.
    fn options(&self, description: &TableDescription) -> Vec<Finding> {
        let billing = description.billing_mode_summary().and_then(BillingModeSummary::billing_mode);
        let encryption = description.sse_description().and_then(SseDescription::status);
        let options = [
            (
                billing == Some(&BillingMode::PayPerRequest),
                "throttles above its provisioned capacity",
                "--billing-mode PAY_PER_REQUEST",
            ),
            (
                matches!(encryption, Some(SseStatus::Enabled | SseStatus::Updating)),
                "is not encrypted with a KMS key",
                "--sse-specification Enabled=true",
            ),
            (
                self.expires || description.deletion_protection_enabled() == Some(true),
                "is not protected from deletion",
                "--deletion-protection-enabled",
            ),
        ];
        let wrong = options.into_iter().filter(|(is_right, ..)| !is_right);
        wrong.map(|(_, finding, option)| self.warning(finding, "update-table", option)).collect()
    }

    fn warning(&self, finding: &str, command: &str, option: &str) -> Finding {
        let fix = format!("`aws dynamodb {command} --table-name {} {option}`", self.name);
        Finding::warning(self.check, format!("{} {finding}", self.name), fix)
    }

    /// Reports point-in-time recovery that is off, or on for the table of grants.
    async fn backups(&self, client: &Client) -> Option<Finding> {
        let output = match client.describe_continuous_backups().table_name(self.name).send().await {
            Ok(output) => output,
            Err(error) => return Some(self.not_run(Level::Warning, "DescribeContinuousBackups", &aws::cause(&error))),
        };
        let status = output
            .continuous_backups_description()
            .and_then(ContinuousBackupsDescription::point_in_time_recovery_description)
            .and_then(PointInTimeRecoveryDescription::point_in_time_recovery_status);
        let is_on = status == Some(&PointInTimeRecoveryStatus::Enabled);
        (is_on == self.expires).then(|| {
            let option = format!("--point-in-time-recovery-specification PointInTimeRecoveryEnabled={}", !is_on);
            self.warning(
                if is_on {
                    "has point-in-time recovery, and a restored copy would make revoked logins valid again"
                } else {
                    "has no point-in-time recovery"
                },
                "update-continuous-backups",
                &option,
            )
        })
    }

    async fn time_to_live(&self, client: &Client) -> Option<Finding> {
        let output = match client.describe_time_to_live().table_name(self.name).send().await {
            Ok(output) => output,
            Err(error) => return Some(self.not_run(Level::Warning, "DescribeTimeToLive", &aws::cause(&error))),
        };
        let is_on = output.time_to_live_description().is_some_and(|description| {
            let status = description.time_to_live_status();
            matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
                && description.attribute_name() == Some(EXPIRES_AT)
        });
        (!is_on).then(|| {
            let option = format!("--time-to-live-specification Enabled=true,AttributeName={EXPIRES_AT}");
            self.warning("does not delete expired items", "update-time-to-live", &option)
        })
    }
}
