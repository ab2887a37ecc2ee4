//! The records of the model of consents, and the functions of the service that judge them.

use std::sync::LazyLock;

use countersign::client::Client;
use countersign::consent::{Consent, Facts, Grant, Period};
use countersign::refresh_token::{Authorization, Family, Records};
use countersign::scope::Scope;
use countersign::user::User;
use serde_json::json;

use crate::state::{CLIENT, START, Stored};

/// The end date, in seconds.
pub const END: u64 = START as u64 + 60;
/// A time after the end date.
const LATER: u8 = START + 100;

static CLIENT_RECORD: LazyLock<Client> = LazyLock::new(|| {
    let client = json!({
        "client_id": CLIENT, "enabled": true, "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://app.example/cb"], "scopes": ["*"],
    });
    serde_json::from_value(client).unwrap()
});
static USER: LazyLock<User> =
    LazyLock::new(|| serde_json::from_value(json!({"username": "", "user_id": "", "enabled": true})).unwrap());
/// The narrow scope and the wide one. With `offline_access`, a login does not depend on the browser session.
static SCOPES: LazyLock<[Scope; 2]> =
    LazyLock::new(|| ["offline_access", "offline_access s"].map(|scope| Scope::parse(scope).unwrap()));

fn scope(is_wide: bool) -> Scope {
    SCOPES[usize::from(is_wide)].clone()
}

/// Returns the clock before the end date, or after it.
pub fn time(is_late: bool) -> u64 {
    if is_late { LATER.into() } else { START.into() }
}

/// A consent. Its id is a number, because the ids of the service are random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Given {
    pub id: u8,
    pub is_wide: bool,
    /// True if the consent ends at [`END`].
    pub until: bool,
}

impl Given {
    /// Returns the consent as the service reads it.
    pub fn consent(self) -> Consent {
        Consent {
            id: self.id.to_string(),
            name: String::new(),
            scopes: scope(self.is_wide),
            since: START.into(),
            until: self.until.then_some(END),
            used_on: None,
            unseen: false,
        }
    }

    fn of(consent: &Consent, id: u8) -> Self {
        Self { id, is_wide: consent.has("s"), until: consent.until.is_some() }
    }

    /// Returns the consent after a grant. A new consent has the id `new_id`.
    pub fn granted(found: Option<Self>, (is_wide, period): (bool, Period), now: u64, new_id: u8) -> Option<Self> {
        let read = found.map(Self::consent);
        let grant = Grant { name: "", scope: &scope(is_wide), period, is_seen: true };
        let new = Consent::granted(read.as_ref(), grant, now)?;
        let is_same = read.is_some_and(|read| read.id == new.id);
        Some(Self::of(&new, found.filter(|_| is_same).map_or(new_id, |found| found.id)))
    }

    /// Returns the consent after a change of its end date.
    pub fn limited(self, until: bool, now: u64) -> Option<Self> {
        let limited = self.consent().limited(until.then_some(END), now)?;
        Some(Self::of(&limited, self.id))
    }
}

/// Returns true if a first-party client gets a code without the consent page.
pub fn needs_no_page(found: Option<Given>, is_wide: bool, now: u64) -> bool {
    let facts = Facts { prompts_consent: false, first_party: true, scope: &scope(is_wide), is_native: false };
    facts.page_due(found.map(Given::consent).as_ref(), now).is_none()
}

/// A login by code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Login {
    /// The id of the request that issued the code.
    pub id: u8,
    /// The id of the consent.
    pub consent: u8,
    pub is_wide: bool,
    /// True if the consent had the end date when the code was issued.
    pub until: bool,
    pub family: Stored,
}

impl Login {
    /// Returns the login of a code that the request `id` issues.
    pub fn begin(id: u8, consent: Given, is_wide: bool) -> Self {
        let family =
            Stored { session: 0, generation: 0, rotated_at: START, rotated_by: 0, revoked: false, retry_until: 0 };
        Self { id, consent: consent.id, is_wide, until: consent.until, family }
    }

    /// Returns the family as the service reads it.
    pub fn family(self) -> Family {
        let family = self.family.family();
        let end = if self.until { END } else { family.absolute_expires_at };
        let authorization = Authorization {
            redirect_uri: String::new(),
            code_challenge: None,
            nonce: None,
            consent: self.consent.to_string(),
            session: String::new(),
        };
        Family {
            scopes: scope(self.is_wide),
            absolute_expires_at: end,
            expires_at: end,
            cnf: None,
            authorization: Some(Box::new(authorization)),
            ..family
        }
    }

    /// Returns the login that a rotation of the generation `used` by a request stores.
    pub fn next(self, (used, by): (u8, u8), is_late: bool) -> Self {
        Self { family: self.family.next(used, if is_late { LATER } else { START }, by), ..self }
    }

    /// Returns true if the login is valid with this consent.
    pub fn is_valid(self, consent: Option<Given>, now: u64) -> bool {
        let consent = consent.map(Given::consent);
        let records =
            Records { client: Some(&CLIENT_RECORD), user: Some(&USER), consent: consent.as_ref(), session: None };
        self.family().valid_user(records, now).is_ok()
    }
}
