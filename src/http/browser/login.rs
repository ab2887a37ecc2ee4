//! `POST /oauth/login`: a user signs in with a password.

use std::sync::Arc;

use axum::Extension;
use axum::response::{AppendHeaders, IntoResponse, Response};

use super::cookies;
use super::failure::Failure;
use super::pages::LoginError;
use super::requested::Requested;
use super::responses::{done, login_page, redirect, to_account};
use super::visit::{Presented, Visit};
use crate::client::GrantType;
use crate::error::{Code, Error};
use crate::http::decision::Decision;
use crate::http::paths;
use crate::http::request::body::BufferedRequest;
use crate::login::{Candidate, PASSWORD, USERNAME, log_in, no_such_account};
use crate::params::{Defined, Param, Params};
use crate::session::{Session, SessionCookie};
use crate::store::StoreError;
use crate::user::User;

const TYPED_USERNAME: Param = Param::unlimited(USERNAME.name());
const TYPED_PASSWORD: Param = Param::unlimited(PASSWORD.name());
const CANCEL: Param = Param::unlimited("cancel");
/// A value that no account can have is a wrong one, so its limits are not those of the form.
const DEFINED: Defined = Defined(&[&[TYPED_USERNAME, TYPED_PASSWORD, CANCEL]]);

/// The fields of the form.
struct Fields {
    is_cancelled: bool,
    /// Without outer spaces.
    username: String,
    password: String,
}

impl Fields {
    fn take(form: &mut Params) -> Self {
        let mut take = |param| form.take(param).unwrap_or_default();
        let username = take(TYPED_USERNAME).trim_matches(' ').to_owned();
        Self { is_cancelled: !take(CANCEL).is_empty(), username, password: take(TYPED_PASSWORD) }
    }

    fn are_missing(&self) -> bool {
        self.username.is_empty() || self.password.is_empty()
    }

    /// Reads the records of the user. Returns `None` if there is nothing to check.
    async fn candidate(&self, visit: &Visit) -> Option<Candidate> {
        let may_exist = USERNAME.check(&self.username).is_ok() && PASSWORD.check(&self.password).is_ok();
        if self.is_cancelled || self.are_missing() || !may_exist {
            return None;
        }
        Some(Candidate::read(&visit.app, &self.username, self.password.clone()).await)
    }
}

/// Handles the form of the login page.
pub(super) async fn post(visit: Visit, received: BufferedRequest) -> Result<Response, Failure> {
    tracing::Span::current().record("grant", GrantType::Password.as_str());
    let fields = Fields::take(&mut received.form(DEFINED)?);
    let requested = async {
        if visit.query.is_empty() {
            return Ok(None);
        }
        Requested::check(&visit, visit.query.as_bytes()).await.map(Some)
    };
    let (requested, presented, candidate) = tokio::join!(requested, visit.presented(), fields.candidate(&visit));
    decide(&visit, requested?.as_ref(), (fields, candidate), presented).await
}

async fn decide(
    visit: &Visit,
    requested: Option<&Requested>,
    (fields, candidate): (Fields, Option<Candidate>),
    presented: Result<Option<Presented>, Error>,
) -> Result<Response, Failure> {
    if let Some(requested) = requested.filter(|requested| fields.is_cancelled || requested.request.prompt.none) {
        let is_cancelled = fields.is_cancelled;
        let error = if is_cancelled { Error::access_denied() } else { Error::login_required() };
        return Err(requested.reject(visit, error));
    }
    if fields.is_cancelled {
        return Ok(to_account(visit));
    }
    let rejected = |shown, error| {
        let page = login_page(visit, requested, &fields.username, Some(shown));
        Ok((Extension(Decision::NotIssued(Arc::new(error))), page).into_response())
    };
    if fields.are_missing() {
        return rejected(LoginError::Missing, Error::invalid_request("The username or the password is missing."));
    }
    let Some(candidate) = candidate else {
        return rejected(LoginError::Credentials, no_such_account());
    };
    let presented = presented?;
    let work = |user, _| begin(visit, requested, user, presented.as_ref());
    match log_in(&visit.app, candidate, visit.network, work).await {
        Ok(begun) => {
            let Some((user, cookie)) = begun else {
                let error =
                    Error::invalid_grant("The client expects another user.", "not the user of the id_token_hint");
                return rejected(LoginError::OtherAccount, error);
            };
            let cookie = finish(visit, &user, (presented, cookie)).await?;
            let response = requested.map_or_else(|| to_account(visit), |requested| after_login(visit, requested));
            Ok((AppendHeaders(cookies::set(&cookie)), response).into_response())
        }
        Err(error) => match error.code() {
            Code::InvalidGrant => rejected(LoginError::Credentials, error),
            Code::TooManyAttempts { retry_after } => rejected(LoginError::Throttled { retry_after }, error),
            _ => Err(error.into()),
        },
    }
}

/// A user whose password was right, and the cookie of the new session. `None` if a session of the same user is renewed.
type Begun = (Arc<User>, Option<SessionCookie>);

/// Stores the new session of a login, concurrently with the count of the guess. Changes no session that exists, because the
/// guess may not count. Returns `None` if the client expects another user.
async fn begin(
    visit: &Visit,
    requested: Option<&Requested>,
    user: Arc<User>,
    presented: Option<&Presented>,
) -> Result<Option<Begun>, Error> {
    if !requested.is_none_or(|requested| requested.expects(&user)) {
        return Ok(None);
    }
    if presented.is_some_and(|presented| presented.session.is_for(&user)) {
        return Ok(Some((user, None)));
    }
    let cookie = new_session(visit, &user).await?;
    Ok(Some((user, Some(cookie))))
}

async fn new_session(visit: &Visit, user: &User) -> Result<SessionCookie, StoreError> {
    let cookie = SessionCookie::generate();
    visit.app.store.begin_session(&cookie.id().key(), &session(visit, user, &cookie)).await?;
    Ok(cookie)
}

fn session(visit: &Visit, user: &User, cookie: &SessionCookie) -> Session {
    Session::begin(cookie, user, visit.app.clock.now(), visit.lifetimes)
}

/// Changes the session of the request's cookie after the guess was counted: renews that of the same user, or ends that of
/// another one. Returns the cookie of the login.
async fn finish(
    visit: &Visit,
    user: &User,
    (presented, begun): (Option<Presented>, Option<SessionCookie>),
) -> Result<SessionCookie, StoreError> {
    let Some(Presented { cookie: old, session: read }) = presented else {
        return match begun {
            Some(cookie) => Ok(cookie),
            None => new_session(visit, user).await,
        };
    };
    let (store, key) = (&visit.app.store, old.id().key());
    if let Some(cookie) = begun {
        store.end_session(&key).await?;
        return Ok(cookie);
    }
    let cookie = SessionCookie::for_session(old.id());
    if store.renew_session(&key, &read, &session(visit, user, &cookie)).await? {
        return Ok(cookie);
    }
    new_session(visit, user).await
}

/// Returns the redirect to the request without what the login has satisfied.
fn after_login(visit: &Visit, requested: &Requested) -> Response {
    let query = requested.request.query().after_login();
    done(redirect(&format!("{}{}?{query}", visit.view.base(), paths::AUTHORIZE)))
}
