//! `countersign token inspect --live`: the content of a token, and its state: the records that decide if it is active, as the introspection endpoint reads them.

use countersign::client::Client;
use countersign::clock::Clock;
use countersign::grant::records::LoginRecords;
use countersign::introspection::{Evidence, active};
use countersign::refresh_token::Family;
use countersign::revocation::{RevokedToken, owner};
use countersign::token::presented::PresentedToken;
use countersign::token::verify::{Holder, inspect};
use countersign::user::User;
use serde::Serialize;

use super::inspect::{Context, View, dropped_at, format};
use super::{bare, family_of};
use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::{Outcome, input, output};

/// The state of a token as JSON. A record that the token does not depend on, or that does not exist, is absent.
#[derive(Serialize)]
struct State {
    active: bool,
    /// The reason why the token is not active.
    reason: Option<&'static str>,
    kind: &'static str,
    client_id: Option<String>,
    client: Option<ClientState>,
    login: Option<Login>,
    user: Option<UserState>,
    /// The end of the consent, for a login by code.
    #[serde(skip_serializing_if = "Option::is_none")]
    consent_until: Option<String>,
    /// True if the browser session was ended, for a login by code.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_ended: Option<bool>,
    /// True if the token of a service was revoked.
    revoked: bool,
}

#[derive(Serialize)]
struct ClientState {
    enabled: bool,
}

#[derive(Serialize)]
struct Login {
    /// The name of the login in the log.
    session: String,
    username: String,
    generation: u32,
    revoked: bool,
    expires_at: u64,
    absolute_expires_at: u64,
}

#[derive(Serialize)]
struct UserState {
    enabled: bool,
    /// True if the user is the one who logged in, and was not logged out everywhere since.
    same: bool,
}

/// A token with its state as JSON.
#[derive(Serialize)]
struct Inspected<'a> {
    /// The content of an access token.
    #[serde(flatten)]
    content: Option<View<'a>>,
    /// Absent if the token is not valid.
    state: Option<&'a State>,
}

/// Inspects the token of the prompt or of stdin with the keys in the secret.
pub async fn run(target: &Target, json: bool) -> Result<Outcome, Error> {
    let deployment = target.find().await?;
    let text = input::secret("Token")?;
    let (token, issuer) = (bare(&text), &deployment.config.issuer);
    let keys = deployment.key_set().await?;
    let now = Clock::System.now();
    let presented = PresentedToken::read(token, issuer, &keys, now);
    let state = match &presented {
        Some(presented) => Some(State::read(&deployment, presented, now).await?),
        None => None,
    };
    let inspection = match presented {
        Some(PresentedToken::Refresh(_)) => None,
        _ => Some(inspect(token, issuer, Some(&keys.public_keys), now)),
    };
    let dropped_at = match &inspection {
        Some(inspection) => dropped_at(&deployment, inspection).await,
        None => None,
    };
    let context = Context { token, issuer, unverified: "", dropped_at };
    let problems = inspection.as_ref().map(|inspection| context.problems(inspection)).unwrap_or_default();
    let content = inspection.as_ref().map(|inspection| View::new(inspection, &problems));
    output::result(json, &Inspected { content, state: state.as_ref() }, || {
        let content = inspection.as_ref().map(|inspection| format(inspection, &problems, now));
        let parts = content.into_iter().chain(state.as_ref().map(State::show));
        parts.collect::<Vec<_>>().join("\n\n")
    })?;
    Ok(if state.is_some_and(|state| state.active) { Outcome::Done } else { Outcome::NeedsAttention })
}

impl State {
    /// Reads the records of a token.
    async fn read(deployment: &Deployment, token: &PresentedToken, now: u64) -> Result<Self, Error> {
        let store = &deployment.store;
        let family = family_of(deployment, token).await?;
        let client_id = owner(token, family.as_ref()).map(ToOwned::to_owned);
        let client = match &client_id {
            Some(client_id) => store.client(client_id).await?,
            None => None,
        };
        let records = LoginRecords::read(store, family.as_ref(), now).await?;
        let records = records.with(client.as_ref());
        let revoked = match token {
            PresentedToken::Access(token) if token.holder == Holder::Service => {
                store.revoked_token(&token.token_id).await?
            }
            _ => None,
        };
        let evidence = Evidence { token, family: family.as_ref(), records, revoked: revoked.as_ref() };
        let reason = active(evidence, &deployment.config.issuer, now).err();
        let login = token.family().zip(family.as_ref()).map(|(id, family)| Login::new(id.log_id(), family));
        Ok(Self {
            active: reason.is_none(),
            reason,
            kind: match token {
                PresentedToken::Access(_) => "access token",
                PresentedToken::Refresh(_) => "refresh token",
            },
            client_id,
            client: client.as_ref().map(|client: &Client| ClientState { enabled: client.enabled }),
            login,
            user: records.user.zip(family.as_ref()).map(|(user, family)| UserState::new(user, family)),
            consent_until: records
                .consent
                .map(|consent| consent.until.map_or_else(|| "no end".to_owned(), output::time)),
            session_ended: records.session.map(|session| session.ended),
            revoked: revoked.is_some_and(|revoked: RevokedToken| revoked.is_in_force(now)),
        })
    }

    /// Formats the state as text.
    fn show(&self) -> String {
        let enabled = |enabled: bool| if enabled { "enabled" } else { "disabled" };
        let client = self.client.as_ref().map_or("does not exist", |client| enabled(client.enabled));
        let user = self.user.as_ref().map_or("does not exist", |user| match (user.same, user.enabled) {
            (false, _) => "logged out everywhere, or another user",
            (true, is_enabled) => enabled(is_enabled),
        });
        let login = self.login.as_ref();
        let record = output::record([
            ("kind", Some(self.kind.to_owned())),
            ("client", Some(format!("{} ({client})", self.client_id.as_deref().unwrap_or("unknown")))),
            ("login", login.map(Login::show)),
            ("user", login.map(|login| format!("{} ({user})", login.username))),
            ("consent until", self.consent_until.clone()),
            ("browser session", self.session_ended.map(|ended| if ended { "ended" } else { "not ended" }.to_owned())),
            ("revoked", self.revoked.then(|| "yes".to_owned())),
        ]);
        let (good, bad) = (output::GOOD, output::BAD);
        match self.reason {
            None => format!("{record}\n\n{good}The token is active.{good:#}"),
            Some(reason) => format!("{record}\n\n{bad}The token is not active:{bad:#} {reason}."),
        }
    }
}

impl Login {
    fn new(session: String, family: &Family) -> Self {
        Self {
            session,
            username: family.username.as_str().to_owned(),
            generation: family.generation,
            revoked: family.revoked,
            expires_at: family.expires_at,
            absolute_expires_at: family.absolute_expires_at,
        }
    }

    fn show(&self) -> String {
        let end = output::time(self.expires_at.min(self.absolute_expires_at));
        let state = if self.revoked { "revoked".to_owned() } else { format!("until {end}") };
        format!("{} ({state}, generation {})", self.session, self.generation)
    }
}

impl UserState {
    fn new(user: &User, family: &Family) -> Self {
        let same = user.user_id == family.user_id && Some(user.session_generation) == family.session_generation;
        Self { enabled: user.enabled, same }
    }
}
