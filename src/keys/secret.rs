//! The signing secret in Secrets Manager. Only this file reads and writes it.

use aws_config::SdkConfig;
use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::SdkError;

use super::KeyError;
use crate::aws;
use crate::encoding::hex;

/// The secret of one deployment.
pub(super) struct SigningSecret {
    secrets_manager: Client,
    id: String,
}

/// One version of the secret.
pub(super) struct Version {
    /// The id that Secrets Manager assigned.
    pub id: String,
    /// The text: a document of keys, or a bare PEM.
    pub text: String,
}

impl SigningSecret {
    /// Refers to a secret by name or ARN. Makes no call.
    pub fn new(sdk: &SdkConfig, id: String) -> Self {
        Self { secrets_manager: Client::new(sdk), id }
    }

    /// Reads the current version. Returns `None` if the secret was created without a value.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] if the secret cannot be read, [`KeyError::Unusable`] if it has no text.
    pub async fn read(&self) -> Result<Option<Version>, KeyError> {
        let request = self.secrets_manager.get_secret_value().secret_id(&self.id);
        // Boxed, because the future of an SDK call is large.
        let output = match Box::pin(request.send()).await {
            Ok(output) => output,
            // The secret exists, and has no version yet.
            Err(SdkError::ServiceError(error)) if error.err().is_resource_not_found_exception() => return Ok(None),
            Err(error) => return Err(KeyError::Unavailable(aws::cause(&error))),
        };
        if output.secret_binary.is_some() {
            return Err(KeyError::Unusable("it has no text"));
        }
        let text = output.secret_string.unwrap_or_default();
        let id = output.version_id.unwrap_or_default();
        Ok((!text.trim().is_empty()).then_some(Version { id, text }))
    }

    /// Writes the successor of the version that was read, or the first version. Returns false if another process wrote
    /// the successor of that version first.
    ///
    /// The write is a compare-and-swap. Its `ClientRequestToken`, which becomes the name of the new version, follows from
    /// the version that was read. Of two processes that read the same version, Secrets Manager rejects the second write,
    /// because a version of that name exists with other content.
    ///
    /// # Errors
    /// The cause, if the secret cannot be written.
    pub async fn write(&self, read: Option<&Version>, text: String) -> Result<bool, String> {
        let from = read.map_or("none", |version| &version.id);
        let token = hex(digest(&SHA256, format!("countersign {from}").as_bytes()).as_ref());
        let request = self.secrets_manager.put_secret_value().secret_id(&self.id);
        match Box::pin(request.client_request_token(token).secret_string(text).send()).await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_resource_exists_exception() => Ok(false),
            Err(error) => Err(aws::cause(&error)),
        }
    }
}
