//! The content of a verified access token.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Inspection, Part, Problem};
use crate::confirmation::Confirmation;
use crate::refresh_token::FamilyId;
use crate::scope::Scope;
use crate::token::TokenVersion;

/// An access token that the verifier accepted. Times are in seconds since the epoch.
pub struct VerifiedToken {
    /// The version of the token.
    pub version: TokenVersion,
    /// The id of the key that signed the token.
    pub kid: String,
    /// The client that the token was issued to: `client_id`, or `aud` in version 1.
    pub client_id: String,
    /// The scope: `scope`, or `scopes` in version 1.
    pub scope: Scope,
    /// `aud`
    pub audience: String,
    /// `sub`
    pub subject: String,
    /// `iat`
    pub issued_at: u64,
    /// `nbf`
    pub not_before: u64,
    /// `exp`
    pub expires_at: u64,
    /// `jti`
    pub token_id: String,
    /// The key that the token is bound to: `cnf`, in version 2 only.
    pub cnf: Option<Confirmation>,
    /// The party for which the client has the token.
    pub holder: Holder,
    /// `dealer`, in version 1 only.
    pub dealer: Option<Map<String, Value>>,
    /// `system`, in version 1 only.
    pub system: Option<Map<String, Value>>,
}

/// The party for which a client has an access token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The client itself, which is a service.
    Service,
    /// A user, with the family of the login. Tokens of builds before families for every login name no family.
    User(Option<FamilyId>),
}

impl VerifiedToken {
    /// Converts an inspection without problems.
    ///
    /// # Errors
    /// A [`Problem`], which cannot occur, because the inspection found all claims in their form.
    pub(super) fn of(inspection: &Inspection) -> Result<Self, Problem> {
        let version = inspection.version.ok_or(Problem::Type)?;
        let header = inspection.header.as_ref().ok_or(Problem::NotAnObject(Part::Header))?;
        let claims = inspection.claims.as_ref().ok_or(Problem::NotAnObject(Part::Payload))?;
        let text = |name| string(claims, name).ok_or(Problem::Missing(name));
        let time = |name| claims.get(name).and_then(Value::as_u64).ok_or(Problem::Missing(name));
        let object =
            |name| claims.get(name).and_then(Value::as_object).cloned().filter(|_| version == TokenVersion::V1);
        let (client_id, scope) = match version {
            TokenVersion::V1 => (text("aud")?, joined(claims.get("scopes"))),
            TokenVersion::V2 => (text("client_id")?, text("scope")?),
        };
        let (subject, token_id) = (text("sub")?, text("jti")?);
        let holder = match FamilyId::of_token_id(&token_id) {
            None if subject == client_id && !claims.contains_key("auth_time") => Holder::Service,
            family => Holder::User(family),
        };
        Ok(Self {
            version,
            kid: string(header, "kid").ok_or(Problem::NoKid)?,
            client_id,
            scope: Scope::parse(&scope).map_err(|_| Problem::Missing("scope"))?,
            audience: text("aud")?,
            subject,
            issued_at: time("iat")?,
            not_before: time("nbf")?,
            expires_at: time("exp")?,
            token_id,
            cnf: claims.get("cnf").map(Confirmation::deserialize).transpose().map_err(|_| Problem::Missing("cnf"))?,
            holder,
            dealer: object("dealer"),
            system: object("system"),
        })
    }
}

fn string(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(ToOwned::to_owned)
}

fn joined(tokens: Option<&Value>) -> String {
    let tokens = tokens.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    tokens.collect::<Vec<_>>().join(" ")
}
