//! Consents: what a user allowed each client, and the rules that require the consent page. Pure: no store, no clock.

use std::collections::BTreeMap;
use std::ops::Not;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::random::fill_random;
use crate::scope::Scope;

mod period;

pub use period::Period;

/// The number of clients that may have access to a user's account.
pub const MAX_CONSENTS: usize = 100;
const DAY: u64 = 24 * 60 * 60;

/// The consents of a user, one item of the table `grants`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The consents by client id. Includes those that have ended.
    pub consents: BTreeMap<String, Consent>,
    /// The number of removals and revisions of consents. A write of a consent depends on it, so a write that arrives late
    /// neither brings back a removed consent nor undoes an end date.
    pub revision: u64,
}

impl Owner {
    /// Returns the consent for a client, even if it has ended.
    pub fn consent(&self, client_id: &str) -> Option<&Consent> {
        self.consents.get(client_id)
    }

    /// Returns true if no further client may get access.
    pub fn is_full(&self) -> bool {
        self.consents.len() >= MAX_CONSENTS
    }
}

/// The consent of a user for a client. Times are in seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// A random id. Refresh token families have it, so that they end with the consent.
    pub id: String,
    /// The client's name when the user allowed access, for people.
    pub name: String,
    /// The scopes that the client may have.
    pub scopes: Scope,
    /// The time at which the consent was first given.
    pub since: u64,
    /// The end of the consent. Absent means that it has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The first second of the day, in UTC, on which the client last refreshed a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_on: Option<u64>,
    /// True if the consent page did not show all scopes to the user, because the client was first-party.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub unseen: bool,
}

/// A grant: the access that a user allows a client.
#[derive(Clone, Copy)]
pub struct Grant<'a> {
    /// The client's name.
    pub name: &'a str,
    /// The scopes of the request.
    pub scope: &'a Scope,
    /// The time for which access is allowed.
    pub period: Period,
    /// True if the user allowed it on the consent page.
    pub is_seen: bool,
}

impl Consent {
    /// Returns true if the end date has passed at `now`.
    pub fn has_ended(&self, now: u64) -> bool {
        self.until.is_some_and(|until| now >= until)
    }

    /// Returns true if this is the consent with which a login began, and it has not ended.
    pub fn permits(&self, consent_id: &str, now: u64) -> bool {
        self.id == consent_id && !self.has_ended(now)
    }

    /// Returns true if the write of this consent over the stored one counts as a revision: every write except the first
    /// grant and one that only adds scopes, whose conditions fail when they are repeated.
    pub fn is_revision_of(&self, found: Option<&Self>) -> bool {
        found.is_some_and(|found| self.id != found.id || self.until != found.until || self.scopes == found.scopes)
    }

    /// Returns true if this consent permits the same as the other one: the SDK sends a write again when its response is
    /// lost, and then finds its own write.
    pub fn is_equivalent(&self, other: &Self) -> bool {
        (&self.id, &self.scopes, self.until, self.unseen) == (&other.id, &other.scopes, other.until, other.unseen)
    }

    /// Returns true if the consent contains this scope token.
    pub fn has(&self, token: &str) -> bool {
        self.scopes.contains(token)
    }

    /// Returns the consent after a grant at `now`. A consent that has not ended keeps its id and unites the scopes. One
    /// that has ended is replaced, so nothing that ended with it is valid again. Returns `None` if the period is not
    /// offered for this consent.
    pub fn granted(found: Option<&Self>, grant: Grant<'_>, now: u64) -> Option<Self> {
        let found = found.filter(|consent| !consent.has_ended(now));
        let Grant { name, scope, period, is_seen } = grant;
        if !period.is_offered(found) {
            return None;
        }
        let until = period.until(found, now);
        Some(match found {
            Some(found) => {
                let scopes = found.scopes.clone().with(scope);
                let unseen = !is_seen && (found.unseen || scopes != found.scopes);
                let is_same = (&scopes, until, unseen) == (&found.scopes, found.until, found.unseen);
                let name = if is_same { &found.name } else { name };
                Self { name: name.to_owned(), scopes, until, unseen, ..found.clone() }
            }
            None => Self {
                id: generate_id(),
                name: name.to_owned(),
                scopes: scope.clone(),
                since: now,
                until,
                used_on: None,
                unseen: !is_seen,
            },
        })
    }

    /// Returns the consent with another end, `None` for no end. A consent that has ended at `now` has no successor, because
    /// a later end would make valid again what ended with it.
    pub fn limited(&self, until: Option<u64>, now: u64) -> Option<Self> {
        (!self.has_ended(now)).then(|| Self { until, ..self.clone() })
    }

    /// Returns the new `used_on` if a use at `now` has to be written: once a day.
    pub fn use_to_write(&self, now: u64) -> Option<u64> {
        let today = now - now % DAY;
        (self.used_on != Some(today)).then_some(today)
    }
}

fn generate_id() -> String {
    let mut bits = [0; 8];
    fill_random(&mut bits);
    URL_SAFE_NO_PAD.encode(bits)
}

/// The facts of an authorization request that decide if the consent page is due.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// True if `prompt` contains `consent`.
    pub prompts_consent: bool,
    /// True if the client is our own application.
    pub first_party: bool,
    /// The scopes of the code.
    pub scope: &'a Scope,
    /// True if any program may receive the redirect: a loopback address or a private-use scheme.
    pub is_native: bool,
}

/// The reason why the consent page is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageDue {
    /// The user has to allow something (C1 to C3).
    Consent,
    /// The user allowed everything, but has to see where the redirect goes (C4, RFC 8252 section 8.6).
    Interaction,
}

impl Facts<'_> {
    /// Returns the reason why the consent page is due at `now`. `None` means that the code is issued without it.
    pub fn page_due(self, consent: Option<&Consent>, now: u64) -> Option<PageDue> {
        let lacks_scope = || {
            let seen = consent.filter(|consent| !consent.unseen);
            !self.scope.tokens().iter().all(|token| seen.is_some_and(|consent| consent.has(token)))
        };
        let has_ended = consent.is_some_and(|consent| consent.has_ended(now));
        if self.prompts_consent || has_ended || !self.first_party && lacks_scope() {
            Some(PageDue::Consent)
        } else {
            self.is_native.then_some(PageDue::Interaction)
        }
    }
}
