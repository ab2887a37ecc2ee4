//! Client authentication by a secret, and of clients that send only their id (RFC 6749 section 2.3.1).

use std::iter;

use super::{Context, Pair, certificate, find, record};
use crate::app::App;
use crate::client::{Client, Secret};
use crate::error::Error;
use crate::throttle::{self, Network, Subject};

/// Authenticates a client by its id and a secret; the second pair contains the halves of Basic before form-decoding, if they
/// differ. Every cause of failure does the same work (S-202).
///
/// A public client sends its id and no secret, and so does a client with a certificate. A client with a cookie must also
/// send one of its origins (S-912): the cookie comes with every request of its site.
///
/// Many libraries do not encode the halves of Basic, and a system that countersign replaces may have accepted that.
/// Therefore raw halves are also accepted, but only for an imported secret (S-211).
///
/// # Errors
/// Those of [`authenticate`](super::authenticate).
pub(super) async fn authenticate(
    app: &App,
    (presented, raw): (Pair, Option<Pair>),
    context: Context<'_>,
) -> Result<Client, Error> {
    let has_secret = iter::once(&presented).chain(&raw).any(|pair| !pair.client_secret.is_empty());
    let network = context.source.map(Network::from);
    let (same_id, other_id) = match raw {
        Some(raw) if raw.client_id == presented.client_id => (Some(raw.client_secret), None),
        raw => (None, raw),
    };
    let mut client = find(app, &presented.client_id).await?;
    if let Some(client) = client.take_if(|client| !has_secret && needs_no_secret(client, context.page)) {
        record(Some(&client));
        return Ok(client);
    }
    if let Some(client) = client.take_if(|client| !has_secret && client.uses_certificate()) {
        record(Some(&client));
        certificate::prove(&client, context.certificate).map_err(Error::invalid_client)?;
        return Ok(client);
    }
    if other_id.is_none() {
        record(client.as_ref());
    }
    let secrets = active_secrets(app, client.as_ref(), &presented.client_secret);
    let mut proven = app
        .hasher
        .verify_generated_secret(&secrets, &presented.client_secret)
        .map(Secret::name)
        .filter(|_| client.as_ref().is_some_and(|client| client.enabled));
    if let Some(client) = client.as_ref().filter(|_| proven.is_none()) {
        let forms: Vec<_> = iter::once(presented.client_secret.as_str()).chain(same_id.as_deref()).collect();
        proven = guess(app, client, &forms, network).await?;
    }
    if let Some(raw) = other_id {
        let other = if proven.is_some() { None } else { find(app, &raw.client_id).await? };
        record(other.as_ref().or(client.as_ref()));
        if let Some(other) = &other {
            proven = guess(app, other, &[&raw.client_secret], network).await?;
        }
        client = other.or(client);
    }
    let client = client.ok_or(Error::invalid_client("unknown client"))?;
    match (proven, client.enabled) {
        (Some(secret), _) => {
            tracing::Span::current().record("secret_id", secret);
            Ok(client)
        }
        (None, true) if client.is_public() => {
            Err(Error::invalid_client("a public client with a secret, or from an origin that is not its own"))
        }
        (None, true) => Err(Error::invalid_client("wrong or expired secret")),
        (None, false) => Err(Error::invalid_client("disabled client")),
    }
}

/// Returns true if the client is authenticated by its id, for a request of this page.
fn needs_no_secret(client: &Client, page: Option<&str>) -> bool {
    let is_own_page = || page.is_some_and(|origin| client.allowed_origins.contains(origin));
    client.is_public() && client.enabled && (!client.refresh_token_cookie || is_own_page())
}

/// Returns the secrets that a presented secret is compared with.
fn active_secrets<'a>(app: &App, client: Option<&'a Client>, client_secret: &str) -> Vec<&'a Secret> {
    let secrets = client.into_iter().flat_map(|client| client.accepted_secrets(app.clock.now()));
    secrets.filter(|_| !client_secret.is_empty()).collect()
}

/// Guesses at the imported secrets of a client, if it has any: at most one guess, in one or two forms. Returns the name of
/// the secret if the guess is right and the client is enabled.
async fn guess(app: &App, client: &Client, forms: &[&str], network: Option<Network>) -> Result<Option<String>, Error> {
    let forms: Vec<_> = forms.iter().copied().filter(|form| !form.is_empty()).collect();
    let secrets = active_secrets(app, Some(client), forms.first().copied().unwrap_or_default());
    if !secrets.iter().any(|secret| secret.hash.is_slow()) {
        return Ok(None);
    }
    let subject = Subject::client(&client.client_id);
    throttle::recall(app, &subject, network)?;
    let attempts = app.store.attempts(subject.item_id()).await;
    let attempt = throttle::begin(app, subject, network, attempts)?;
    let guess = app.hasher.verify_secret(attempt, &secrets, &forms).await?.only_if(client.enabled);
    Ok(guess.settle(async |secret: &Secret| secret.name()).await?.map(|(name, _)| name))
}
