//! The resource owner password credentials grant (RFC 6749 section 4.3): a first-party application acts for a user.
//!
//! 1. The client is authenticated and may use the grant (section 4.3.2); our caller has seen to both.
//! 2. Username and password are there (section 4.3.2).
//! 3. The scope is one that the client may have (section 3.3).
//! 4. The password is the user's, and the user may log in. Every way to fail costs one hash and says the same.
//! 5. The scope is one that the user may have.
//! 6. A refresh family begins, if the client may use it; a hash of an old scheme is replaced by a current one.

use super::{GrantType, Issued, access_token, invalid_scope, refresh_token_expires_at};
use crate::app::App;
use crate::client::Client;
use crate::error::Error;
use crate::params::{Name, Params};
use crate::password_hash::{Hash, Verified};
use crate::random::random_id;
use crate::refresh::{Family, FamilyId, Reference};
use crate::store::StoreError;
use crate::token::{AccessToken, TokenVersion};
use crate::user::{User, Username};

const DESCRIPTION: &str = "The username or the password is wrong.";

/// The grant's own parameters, and the record that the username points to.
pub struct Request {
    scope: Option<String>,
    password: String,
    username: Option<Username>,
    /// Our own fault is told after the client's.
    user: Result<Option<User>, StoreError>,
    /// Before the user was read: a password that changes after this ends what the login begins.
    asked_at: u64,
}

impl Request {
    /// Takes the parameters of the grant and reads the user.
    ///
    /// # Errors
    /// `invalid_request` if one is missing.
    pub async fn read(app: &App, params: &mut Params) -> Result<Self, Error> {
        let asked_at = app.clock.now();
        let scope = params.take(Name::Scope);
        let username = params.take(Name::Username).ok_or(Error::InvalidRequest("The username is missing."))?;
        let password = params.take(Name::Password).ok_or(Error::InvalidRequest("The password is missing."))?;
        // A name that no account can have is an account that there is not.
        let username = Username::parse(&username);
        let user = match &username {
            Some(username) => {
                tracing::Span::current().record("user", username.log_id());
                app.store.user(username).await
            }
            None => Ok(None),
        };
        Ok(Self { scope, password, username, user, asked_at })
    }
}

/// Issues a user an access token, and a refresh token if the client may use one.
///
/// # Errors
/// `invalid_scope`, `invalid_grant`; our own faults.
pub async fn issue(app: &App, client: &Client, request: Request, version: TokenVersion) -> Result<Issued, Error> {
    let Request { scope: requested, password, username, user, asked_at } = request;
    let scope = client.scope(requested.as_deref()).map_err(invalid_scope)?;
    let user = user?;
    let login = log_in(app, username.as_ref(), user.as_ref(), &password, asked_at)?;
    let scope = login.user.scope(scope, requested.is_some()).map_err(invalid_scope)?;

    let keys = app.keyring.current().await?;
    let token = access_token(app, client, Some((login.user, login.at)), &scope);
    let issued = Issued::new(&token, version, &keys.current)?;

    let (reference, ()) = tokio::join!(begin_family(app, &login, &token, version), upgrade_hash(app, &login));
    Ok(issued.with_refresh_token(reference?.map(|reference| reference.mint(&keys.references))))
}

/// A user who proved the password.
struct Login<'a> {
    username: &'a Username,
    user: &'a User,
    hash: &'a Hash,
    verified: Verified,
    /// In seconds since the epoch.
    at: u64,
}

/// Step 4. A hash runs first whatever is wrong, so that no cause shows in the time. Who may not log in has none that
/// counts: whether the password was right, nobody learns.
fn log_in<'a>(
    app: &App,
    username: Option<&'a Username>,
    user: Option<&'a User>,
    password: &str,
    at: u64,
) -> Result<Login<'a>, Error> {
    let hash = user.filter(|user| user.enabled).and_then(|user| user.password_hash.as_ref());
    let verified = app.hasher.verify_password(hash, password);
    let reason = match (username, user, hash, verified) {
        (Some(username), Some(user), Some(hash), Some(verified)) => {
            return Ok(Login { username, user, hash, verified, at });
        }
        (_, Some(_), Some(_), _) => "wrong password",
        (_, Some(user), None, _) if !user.enabled => "disabled user",
        (_, Some(_), None, _) => "user without a password",
        (_, None, _, _) => "unknown user",
    };
    Err(Error::InvalidGrant { description: DESCRIPTION, reason })
}

/// Records the family of a login; none if the client may not use the refresh token that would come of it.
async fn begin_family(
    app: &App,
    login: &Login<'_>,
    token: &AccessToken<'_>,
    version: TokenVersion,
) -> Result<Option<Reference>, StoreError> {
    if !token.client.grant_types.contains(GrantType::RefreshToken.as_str()) {
        return Ok(None);
    }
    let id = FamilyId::generate();
    let absolute_expires_at = token.issued_at.saturating_add(u64::from(app.config.refresh_token_max_ttl));
    let family = Family {
        client_id: token.client.client_id.clone(),
        username: login.username.as_str().to_owned(),
        user_id: login.user.user_id.clone(),
        scopes: token.scope.clone(),
        version: version.number(),
        auth_time: login.at,
        generation: 0,
        rotated_at: token.issued_at,
        rotated_by: random_id(),
        retry_until: None,
        revoked: false,
        absolute_expires_at,
        expires_at: refresh_token_expires_at(app, token.client, token.issued_at, absolute_expires_at),
    };
    app.store.begin_refresh_family(id, &family).await?;
    Ok(Some(Reference { family: id, generation: 0 }))
}

/// Replaces a hash of an old scheme. The login does not depend on it: the next one would try again.
async fn upgrade_hash(app: &App, login: &Login<'_>) {
    let Some(new) = app.hasher.upgrade(login.hash, &login.verified) else {
        return;
    };
    let upgraded = match new {
        Ok(new) => app.store.upgrade_password_hash(login.username, login.hash, &new).await.map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(reason) = upgraded {
        tracing::warn!(reason, "a password hash keeps its old scheme for now");
    }
}
