//! The rotation of the signing keys, from one reading of the secret to the one write that follows from it.
//!
//! The write is a compare-and-swap: its `ClientRequestToken`, which becomes the name of the new version, follows from
//! the version that was read. Of two that read the same version, Secrets Manager refuses the second, because a version
//! of that name exists with another content. So rotations at once, repeated events and crashes leave a valid set. To put
//! an earlier version back, put its text as a new one.

use std::time::Duration;
use std::{error, fmt};

use aws_config::SdkConfig;
use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::SdkError;
use serde::Serialize;

use crate::aws;
use crate::clock::Clock;
use crate::keys::{Document, KeyError, KeySet, KeyState, Staged, Staging};

/// How often a rotation begins anew because another one was quicker.
const ATTEMPTS: u8 = 5;
/// How long it waits before that.
const PAUSE: Duration = Duration::from_millis(200);

/// What is to be done to the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Make the first set if there is none; have the next key be of the deployment's algorithm.
    Provide,
    /// Have the next key sign, if verifiers can have seen it, and if the current one has signed for so many seconds.
    Rotate {
        /// 0 is at once.
        after: u64,
    },
    /// Drop the compromised key of this kid at once.
    Emergency(&'a str),
}

/// What was done. Names keys, and has nothing else of them.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether the secret was written.
    pub changed: bool,
    /// If not, why not.
    pub reason: Option<&'static str>,
    /// The kid of the key that signs.
    pub current: Option<String>,
    /// The kid of the key that will.
    pub next: Option<String>,
    /// The kids of those that did.
    pub previous: Vec<String>,
}

/// The keys of the secret, as people see them.
pub struct Keys {
    /// Where each stands.
    pub states: Vec<KeyState>,
    /// What verifiers should get: a JWK set (RFC 7517 section 5), in JSON.
    pub jwks: String,
    /// Whether they are rotated: a key that somebody brought along is not.
    pub are_rotated: bool,
}

/// Why the keys are as they were.
#[derive(Debug)]
pub enum RotationError {
    /// The secret cannot be read, or is not what it must be. What is there is never written over.
    Keys(KeyError),
    /// The secret cannot be written.
    Write(String),
    /// Others were quicker, time and again.
    Busy,
    /// There is nothing to do it to.
    Nothing(&'static str),
}

impl fmt::Display for RotationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(error) => error.fmt(formatter),
            Self::Write(cause) => write!(formatter, "the signing secret cannot be written: {cause}"),
            Self::Busy => formatter.write_str("the signing secret is being changed by others"),
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

/// Who rotates the keys of one secret.
pub struct Rotation {
    secrets_manager: Client,
    secret_id: String,
    staging: Staging,
    clock: Clock,
}

/// One version of the secret.
struct Version {
    id: String,
    text: String,
}

impl Rotation {
    /// For this secret. Calls nobody yet.
    pub fn new(sdk: &SdkConfig, secret_id: String, staging: Staging, clock: Clock) -> Self {
        Self { secrets_manager: Client::new(sdk), secret_id, staging, clock }
    }

    /// Does what is asked for, if the keys are not so already, and tells the log.
    ///
    /// # Errors
    /// [`RotationError`]; the secret is as it was, or as somebody else made it meanwhile.
    pub async fn run(&self, request: Request<'_>) -> Result<Report, RotationError> {
        // Boxed: the futures of two SDK calls within those of the runtime are too deep for the compiler otherwise.
        let done = Box::pin(self.stage(request)).await;
        match &done {
            Ok(Report { changed, reason, current, next, .. }) => {
                tracing::info!(outcome = "keys", ?request, changed, reason, current, next);
            }
            Err(error) => tracing::error!(outcome = "failed", ?request, reason = %error),
        }
        done
    }

    async fn stage(&self, request: Request<'_>) -> Result<Report, RotationError> {
        for _ in 0..ATTEMPTS {
            let version = read(&self.secrets_manager, &self.secret_id).await?;
            let now = self.clock.now();
            let staged = match &version {
                Some(version) if !Document::is_one(&version.text) => {
                    // What nobody can use is not to be called a key.
                    KeySet::parse(&version.text, now)?;
                    return match request {
                        Request::Emergency(_) => {
                            Err(RotationError::Nothing("the secret is a key of your own: put another one there"))
                        }
                        _ => Ok(Report::new(None, Some("the secret is a key of your own, which is not rotated"))),
                    };
                }
                Some(version) => {
                    let document = Document::parse(&version.text)?;
                    // All of it must be good: what nobody can use is not to be passed on.
                    document.key_set(now)?;
                    let staged = match request {
                        Request::Provide => document.align(&self.staging, now),
                        Request::Rotate { after } => document.rotate(&self.staging, after, now),
                        Request::Emergency(kid) => document.drop_compromised(kid, &self.staging, now),
                    }?;
                    match staged {
                        Staged::Changed(changed) => changed,
                        Staged::Unchanged(reason) => return Ok(Report::new(Some(&document), Some(reason))),
                    }
                }
                None if matches!(request, Request::Emergency(_)) => {
                    return Err(RotationError::Nothing("the secret has no keys yet"));
                }
                None => Box::new(Document::generate(&self.staging, now)?),
            };
            let id = version.map_or_else(|| "none".to_owned(), |version| version.id);
            if self.write(&id, &staged).await? {
                return Ok(Report::new(Some(&staged), None));
            }
            // Somebody else was quicker; Secrets Manager may take a moment to show it.
            tokio::time::sleep(PAUSE).await;
        }
        Err(RotationError::Busy)
    }

    /// Writes what follows from a version; whether nobody else was quicker.
    async fn write(&self, from: &str, document: &Document) -> Result<bool, RotationError> {
        let token = hex(digest(&SHA256, format!("countersign {from}").as_bytes()).as_ref());
        let request = self
            .secrets_manager
            .put_secret_value()
            .secret_id(&self.secret_id)
            .client_request_token(token)
            .secret_string(document.to_text()?);
        match request.send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_resource_exists_exception() => Ok(false),
            Err(error) => Err(RotationError::Write(aws::cause(&error))),
        }
    }
}

impl Keys {
    /// Reads the keys of a secret as they are.
    ///
    /// # Errors
    /// [`RotationError::Keys`] if they cannot be read or used; [`RotationError::Nothing`] if there are none.
    pub async fn read(sdk: &SdkConfig, secret_id: &str, now: u64) -> Result<Self, RotationError> {
        let version = Box::pin(read(&Client::new(sdk), secret_id)).await?;
        let version = version.ok_or(RotationError::Nothing("the secret has no keys yet"))?;
        let set = KeySet::parse(&version.text, now)?;
        if !Document::is_one(&version.text) {
            return Ok(Self { states: vec![KeyState::of_own(&set.current)], jwks: set.jwks, are_rotated: false });
        }
        Ok(Self { states: Document::parse(&version.text)?.states(now), jwks: set.jwks, are_rotated: true })
    }
}

async fn read(secrets_manager: &Client, secret_id: &str) -> Result<Option<Version>, RotationError> {
    match secrets_manager.get_secret_value().secret_id(secret_id).send().await {
        Ok(output) => {
            if output.secret_binary.is_some() {
                return Err(KeyError::Unusable("it has no text").into());
            }
            let text = output.secret_string.unwrap_or_default();
            let id = output.version_id.unwrap_or_default();
            // A secret that was created without a value.
            Ok((!text.trim().is_empty()).then_some(Version { id, text }))
        }
        // There is a secret, and no version of it yet.
        Err(SdkError::ServiceError(error)) if error.err().is_resource_not_found_exception() => Ok(None),
        Err(error) => Err(KeyError::Unavailable(aws::cause(&error)).into()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

impl Report {
    /// Of the keys as they are now, if it is known what they are; unchanged if there is a reason for that.
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
