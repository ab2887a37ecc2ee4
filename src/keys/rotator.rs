//! Applies rotations to the signing secret: read a version, decide ([`rotation`](super::rotation)), write the next
//! version.
//!
//! The write is a compare-and-swap, so simultaneous rotations, repeated events and crashes leave a valid set of keys.
//! To put an earlier version back, write its text as a new version.

use std::time::Duration;
use std::{error, fmt};

use aws_config::SdkConfig;
use serde::Serialize;

use super::document::Content;
use super::secret::{SigningSecret, Version};
use super::{Document, KeyError, Rotated, RotationPolicy};
use crate::clock::Clock;

/// The number of attempts of a rotation. An attempt fails only if another process writes first.
const ATTEMPTS: u8 = 5;
/// The pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(200);

/// A change of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationRequest<'a> {
    /// Create the first set if the secret is empty. Replace a next key whose algorithm is not the deployment's.
    Provide,
    /// Promote the next key, once verifiers have had time to fetch it.
    Rotate {
        /// The seconds for which the current key must have signed; 0 for an immediate rotation.
        after: u64,
    },
    /// Drop the compromised key of this kid immediately.
    Emergency(&'a str),
}

/// The result of a rotation. Names keys by kid, and contains no key material.
#[derive(Debug, Serialize)]
pub struct RotationReport {
    /// True if the secret was written.
    pub changed: bool,
    /// The reason why it was not written.
    pub reason: Option<&'static str>,
    /// The kid of the key that signs.
    pub current: Option<String>,
    /// The kid of the key that signs next.
    pub next: Option<String>,
    /// The kids of the keys that signed before.
    pub previous: Vec<String>,
}

/// The reason why the keys were not changed.
#[derive(Debug)]
pub enum RotationError {
    /// The secret cannot be read, or its content is not valid. Invalid content is never overwritten.
    Keys(KeyError),
    /// The secret cannot be written.
    Write(String),
    /// Other processes wrote first, several times in a row.
    Busy,
    /// The secret does not have what the request names.
    Nothing(&'static str),
}

impl fmt::Display for RotationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(error) => error.fmt(formatter),
            Self::Write(cause) => write!(formatter, "the signing secret cannot be written: {cause}"),
            Self::Busy => formatter.write_str("other processes keep changing the signing secret"),
            Self::Nothing(reason) => formatter.write_str(reason),
        }
    }
}

impl error::Error for RotationError {}

impl From<KeyError> for RotationError {
    fn from(error: KeyError) -> Self {
        Self::Keys(error)
    }
}

/// Rotates the keys of one secret.
pub struct Rotator {
    secret: SigningSecret,
    policy: RotationPolicy,
    clock: Clock,
}

impl Rotator {
    /// Builds a rotator for this secret. Makes no call.
    pub fn new(sdk: &SdkConfig, secret_id: String, policy: RotationPolicy, clock: Clock) -> Self {
        Self { secret: SigningSecret::new(sdk, secret_id), policy, clock }
    }

    /// Changes the keys as requested, if that is still necessary, and logs the result.
    ///
    /// # Errors
    /// [`RotationError`]; the secret is unchanged, or as another process changed it meanwhile.
    pub async fn run(&self, request: RotationRequest<'_>) -> Result<RotationReport, RotationError> {
        // Boxed: the futures of two SDK calls within those of the runtime are nested too deeply for the compiler
        // otherwise.
        let done = Box::pin(self.apply(request)).await;
        match &done {
            Ok(RotationReport { changed, reason, current, next, .. }) => {
                tracing::info!(event = "keys", outcome = "done", ?request, changed, reason, current, next);
            }
            Err(error) => tracing::error!(event = "keys", outcome = "failed", ?request, reason = %error),
        }
        done
    }

    async fn apply(&self, request: RotationRequest<'_>) -> Result<RotationReport, RotationError> {
        for _ in 0..ATTEMPTS {
            let version = self.secret.read().await?;
            let document = match self.decide(version.as_ref(), request)? {
                Decision::Write(document) => document,
                Decision::Keep(report) => return Ok(report),
            };
            let text = document.to_text()?;
            if self.secret.write(version.as_ref(), text).await.map_err(RotationError::Write)? {
                return Ok(RotationReport::new(Some(&document), None));
            }
            // Another process wrote first. Secrets Manager may take a moment to show its version.
            tokio::time::sleep(PAUSE).await;
        }
        Err(RotationError::Busy)
    }

    fn decide(&self, version: Option<&Version>, request: RotationRequest<'_>) -> Result<Decision, RotationError> {
        let now = self.clock.now();
        let is_emergency = matches!(request, RotationRequest::Emergency(_));
        let Some(version) = version else {
            if is_emergency {
                return Err(RotationError::Nothing("the secret has no keys yet"));
            }
            return Ok(Decision::Write(Box::new(Document::generate(&self.policy, now)?)));
        };
        let content = Content::parse(&version.text)?;
        // An invalid key must not be reported, nor copied into the next version.
        content.key_set(now)?;
        let document = match content {
            Content::Document(document) => document,
            Content::External(_) if is_emergency => {
                return Err(RotationError::Nothing(
                    "the secret is an externally managed key: replace it in Secrets Manager",
                ));
            }
            Content::External(_) => {
                let reason = "the secret is an externally managed key, which is not rotated";
                return Ok(Decision::Keep(RotationReport::new(None, Some(reason))));
            }
        };
        let rotated = match request {
            RotationRequest::Provide => document.align(&self.policy, now),
            RotationRequest::Rotate { after } => document.rotate(&self.policy, after, now),
            RotationRequest::Emergency(kid) => document.drop_compromised(kid, &self.policy, now),
        }?;
        Ok(match rotated {
            Rotated::Changed(changed) => Decision::Write(changed),
            Rotated::Unchanged(reason) => Decision::Keep(RotationReport::new(Some(&document), Some(reason))),
        })
    }
}

/// The decision about the version that was read.
enum Decision {
    /// Write this document.
    Write(Box<Document>),
    /// Write nothing.
    Keep(RotationReport),
}

impl RotationReport {
    /// Reports the keys of a document, if there is one. With a reason, the secret was not changed.
    fn new(document: Option<&Document>, reason: Option<&'static str>) -> Self {
        let kids = document.map(Document::kids);
        let owned = |kid: &str| kid.to_owned();
        Self {
            changed: reason.is_none(),
            reason,
            current: kids.as_ref().map(|(current, ..)| owned(current)),
            next: kids.as_ref().and_then(|(_, next, _)| next.map(owned)),
            previous: kids.map(|(.., previous)| previous.into_iter().map(owned).collect()).unwrap_or_default(),
        }
    }
}
