//! The authorization code grant (RFC 6749 section 4.1.3): an application acts for a user who signed in at our page.
//!
//! 1. The client is authenticated and may use the grant (section 4.1.3); the caller checked both.
//! 2. The code is present. A verifier has its form (RFC 7636 section 4.1).
//! 3. A requested resource is one that the client may have (RFC 8707 section 2.2).
//! 4. We made the code, for this client.
//! 5. The redirect URI is that of the authorization request. It may be absent if the request had a challenge (OAuth 2.1).
//! 6. The verifier proves the challenge (RFC 7636 section 4.6). A verifier without a challenge is rejected (RFC 9700
//!    section 4.8.2).
//! 7. The code was not used. Otherwise this is a replay, and the family ends with all its tokens (section 4.1.2). There is
//!    no grace: a client that lost the response gets a new code by one redirect.
//! 8. The family is valid: the user, the consent and the browser session. A requested resource is that of the login, if
//!    the login named one.
//! 9. The tokens are signed. Then one conditional update makes generation 1 the active one, and stores the key of a public
//!    client (RFC 9449 section 5). It is the only write and comes last, so a request that is rejected or fails leaves the
//!    code usable.

use super::Caller;
use super::issue::{Access, Issued, next_generation};
use super::records::StoredLogin;
use super::resource::RESOURCE;
use crate::app::App;
use crate::error::Error;
use crate::params::{Grammar, Param, Params};
use crate::pkce::Verifier;
use crate::refresh_token::{
    Authorization, AuthorizationCode, FOREIGN, FamilyId, NextGeneration, Presented, RefreshToken, Standing,
};
use crate::session::sid;
use crate::store::Rotation;
use crate::token::{IdToken, Login};

mod begin;

pub use begin::{Granted, begin};

/// `code` (RFC 6749 section 4.1.3). A malformed one is rejected later, like one that we did not make.
const CODE: Param = Param::new("code", 1024, Grammar::Text);
/// `redirect_uri` (RFC 6749 section 4.1.3)
const REDIRECT_URI: Param = Param::new("redirect_uri", 2048, Grammar::Text);
/// `code_verifier` (RFC 7636 section 4.5)
const CODE_VERIFIER: Param = Param::new("code_verifier", 128, Grammar::Text);

/// The parameters of the grant.
pub const PARAMS: &[Param] = &[CODE, REDIRECT_URI, CODE_VERIFIER, RESOURCE];

/// The seconds for which a second use gets the same tokens again.
const NO_GRACE: u32 = 0;

/// The values of the grant's parameters, and the login that the code names.
pub struct Request {
    proof: Proof,
    resources: Vec<String>,
    /// A server error counts only after the client's errors.
    found: Result<Option<(AuthorizationCode, StoredLogin)>, Error>,
    /// The time at which the request was received, in seconds since the epoch.
    received_at: u64,
}

/// The parameters that prove that the client made the authorization request.
struct Proof {
    redirect_uri: Option<String>,
    verifier: Option<Verifier>,
}

impl Request {
    /// Takes the parameters of the grant and reads the login. A code that we did not make is rejected without a read.
    ///
    /// # Errors
    /// `invalid_request` if the code is missing or the verifier is malformed.
    pub async fn read(app: &App, params: &mut Params) -> Result<Self, Error> {
        let received_at = app.clock.now();
        let code = params.require(CODE)?;
        let redirect_uri = params.take(REDIRECT_URI);
        let parse = |text| {
            let malformed = Error::invalid_request("The code_verifier is not 43 to 128 unreserved characters.");
            Verifier::parse(text).ok_or(malformed)
        };
        let verifier = params.take(CODE_VERIFIER).map(parse).transpose()?;
        let resources = params.take_all(RESOURCE);
        let found = find(app, &code, received_at).await;
        Ok(Self { proof: Proof { redirect_uri, verifier }, resources, found, received_at })
    }
}

async fn find(app: &App, code: &str, at: u64) -> Result<Option<(AuthorizationCode, StoredLogin)>, Error> {
    let keys = app.keyring.current().await?;
    Ok(match AuthorizationCode::read(&keys.refresh_token_keys, code) {
        Some(code) => StoredLogin::read(&app.store, code.0, at).await?.map(|login| (code, login)),
        None => None,
    })
}

/// Issues the first tokens of a login by code.
///
/// # Errors
/// `invalid_target`, `invalid_grant`; server errors.
pub async fn issue(app: &App, request: Request, caller: &Caller) -> Result<Issued, Error> {
    let client = &caller.client;
    let Request { proof, resources, found, received_at: now } = request;
    let requested = caller.resource(app, &resources)?;
    let (code, StoredLogin { family, records }) =
        found?.ok_or(reject("a code that we did not make, or whose family does not exist"))?;
    let span = tracing::Span::current();
    span.record("session", code.0.log_id());
    let keys = app.keyring.current().await?;
    span.record("user", keys.log_id(&family.username));
    let authorization = family.authorization.as_deref().ok_or(reject("a login without an authorization request"))?;

    let presented = Presented { generation: 0, client_id: &client.client_id, at: now };
    let standing = family.standing(presented, NO_GRACE);
    if standing != Standing::Foreign {
        proof.check(authorization)?;
    }
    check_unused(app, code.0, standing).await?;
    let records = records?;
    let user = family.valid_user(records.with(Some(client)), now).map_err(reject)?;
    let scope = family.scope_left(&family.scopes, client, user);
    let scope = scope.map_err(|_| reject("client and user have lost all scopes"))?;
    let resource = caller.resource_of_login(app, &family, requested)?;

    let ends_at = family.last_end(records.consent());
    let login = Login { user, at: family.auth_time, family: code.0, ends_at };
    let access = Access { login: Some(login), resource: resource.as_deref(), scope: &scope, issued_at: now };
    let token = caller.access_token(app, access);
    let sid = sid(&authorization.session, &client.client_id);
    let id_token = IdToken { access: &token, login, nonce: authorization.nonce.as_deref(), sid };
    let issued = Issued::new(&token, caller.version, &keys.current)?.with_id_token(&id_token, &keys.current)?;
    let used = RefreshToken { family: code.0, generation: 0 };
    let next = NextGeneration { cnf: caller.key_of_refresh_tokens(), ..next_generation(app, &token, &family) };
    exchange(app, used, &next).await?;
    Ok(issued.with_refresh_token(&token, (used.successor(), next.expires_at), &keys.refresh_token_keys))
}

impl Proof {
    /// Steps 5 and 6.
    fn check(&self, authorization: &Authorization) -> Result<(), Error> {
        let challenge = authorization.code_challenge.as_ref();
        match &self.redirect_uri {
            Some(uri) if *uri == authorization.redirect_uri => {}
            None if challenge.is_some() => {}
            _ => return Err(reject("not the redirect_uri of the authorization request")),
        }
        match (challenge, &self.verifier) {
            (Some(challenge), Some(verifier)) if challenge.is_proven_by(verifier) => Ok(()),
            (None, None) => Ok(()),
            _ => Err(reject("the code_verifier does not prove the challenge of the authorization request")),
        }
    }
}

/// Step 7. Without a grace, every other generation than the active one is a replay.
async fn check_unused(app: &App, family: FamilyId, standing: Standing) -> Result<(), Error> {
    let span = tracing::Span::current();
    match standing {
        Standing::Active => Ok(()),
        Standing::Invalid(reason) => Err(reject(reason)),
        Standing::Foreign => {
            span.record("risk", "foreign_token");
            Err(reject(FOREIGN))
        }
        Standing::Retried | Standing::Replayed | Standing::RolledBack | Standing::Undecided => {
            span.record("risk", "replay");
            app.store.revoke_refresh_family(family).await?;
            Err(reject("a used code was presented again"))
        }
    }
}

/// Step 9. If another request used the code since the family was read, this one is a replay.
async fn exchange(app: &App, used: RefreshToken, next: &NextGeneration<'_>) -> Result<(), Error> {
    let found = match app.store.rotate_refresh_token(used, next).await? {
        Rotation::Rotated => return Ok(()),
        Rotation::Lost(found) => found.ok_or(reject("the family does not exist any more"))?,
    };
    if found.is_written_by(next) {
        return Ok(());
    }
    let presented = Presented { generation: used.generation, client_id: next.client_id, at: next.rotated_at };
    check_unused(app, used.family, found.standing(presented, NO_GRACE)).await?;
    Err(Error::temporarily_unavailable("the condition failed for an unused code"))
}

/// Returns `invalid_grant` with one description for every cause.
fn reject(reason: &'static str) -> Error {
    Error::invalid_grant("The code is invalid, expired, used or not yours.", reason)
}
