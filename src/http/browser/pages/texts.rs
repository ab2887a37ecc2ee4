//! The texts of the pages: one value for each language, so that a missing text does not compile.

use crate::date::Date;
use crate::scope::openid;

mod de;
mod en;

pub(super) use de::DE;
pub(super) use en::EN;

/// The text before and after something that the page inserts.
#[derive(Clone, Copy)]
pub(super) struct Around(pub &'static str, pub &'static str);

/// A heading and a sentence.
pub(super) struct Message {
    pub heading: &'static str,
    pub text: &'static str,
}

/// The texts of one language.
pub(super) struct Texts {
    /// The language tag (RFC 5646).
    pub tag: &'static str,
    /// The start of the title of a form with an error.
    pub error_prefix: &'static str,
    pub help: &'static str,
    pub privacy: &'static str,
    pub terms: &'static str,
    pub your_account: &'static str,
    pub signed_in_as: &'static str,
    pub months: [&'static str; 12],
    /// The text between the day and the month.
    pub after_day: &'static str,
    pub errors: Errors,
    pub form_errors: FormErrors,
    pub scopes: Scopes,
    pub login: Login,
    pub consent: Consent,
    pub account: Account,
    pub sign_out: SignOut,
}

/// The error pages.
pub(super) struct Errors {
    pub client: Message,
    pub redirect_uri: Message,
    pub request: Message,
    pub cross_site: Message,
    pub applications: Message,
    pub unavailable: Message,
    pub server_error: Message,
}

/// The errors in forms.
pub(super) struct FormErrors {
    pub heading: &'static str,
    pub missing: &'static str,
    pub credentials: &'static str,
    /// Around the time to wait.
    pub throttled: Around,
    pub second: &'static str,
    pub seconds: &'static str,
    pub minutes: &'static str,
    pub other_account: &'static str,
    pub period: &'static str,
    pub until: &'static str,
}

/// The scopes of OpenID Connect.
pub(super) struct Scopes {
    pub openid: &'static str,
    pub profile: &'static str,
    pub email: &'static str,
    pub offline_access: &'static str,
}

/// The login page.
pub(super) struct Login {
    pub heading: &'static str,
    /// Around the name of the client.
    pub continue_to: Around,
    pub continue_to_account: &'static str,
    pub username: &'static str,
    pub password: &'static str,
    pub sign_in: &'static str,
    pub cancel: &'static str,
}

/// The consent page.
pub(super) struct Consent {
    pub title: &'static str,
    /// Around the name of the client.
    pub heading: Around,
    /// Around the host or scheme.
    pub returns_to: Around,
    pub other_account: &'static str,
    /// Around the name of the client.
    pub scopes: Around,
    pub new: &'static str,
    pub period: &'static str,
    /// Around the date.
    pub keep_until: Around,
    pub keep_without_end: &'static str,
    pub without_end: &'static str,
    pub hour: &'static str,
    pub day: &'static str,
    pub month: &'static str,
    pub year: &'static str,
    pub grant: &'static str,
    pub deny: &'static str,
    /// Around the link to the account page.
    pub removal: Around,
    pub account_page: &'static str,
    /// Around the link to the client's website.
    pub visit: Around,
    /// Around the links to the client's other pages.
    pub read: Around,
    /// Around the name of the client.
    pub website: Around,
    pub policy: Around,
    pub terms: Around,
}

/// The account page.
pub(super) struct Account {
    pub apps: &'static str,
    pub explanation: &'static str,
    pub no_apps: &'static str,
    /// Around the date.
    pub since: Around,
    pub used_on: Around,
    pub ended: Around,
    pub until: &'static str,
    pub until_hint: &'static str,
    pub save: &'static str,
    pub removal_hint: &'static str,
    pub remove: &'static str,
    pub sign_out: &'static str,
    pub sign_out_hint: &'static str,
    pub sign_out_everywhere: &'static str,
    pub sign_out_everywhere_hint: &'static str,
}

/// The pages of the sign-out.
pub(super) struct SignOut {
    pub question: Message,
    pub button: &'static str,
    pub stay: &'static str,
    pub done: Message,
}

impl Texts {
    /// Returns the day of a time, in UTC. `time` is in seconds since the epoch.
    pub fn date(&self, time: u64) -> String {
        let Date { year, month, day } = Date::of(time);
        let month = usize::try_from(month).ok().and_then(|month| self.months.get(month.wrapping_sub(1)));
        format!("{day}{}{} {year}", self.after_day, month.copied().unwrap_or_default())
    }

    /// Returns the error of the throttle, which allows the next attempt after this number of seconds.
    pub fn throttled(&self, seconds: u32) -> String {
        let errors = &self.form_errors;
        let (number, unit) = match seconds {
            0..=1 => (1, errors.second),
            2..120 => (seconds, errors.seconds),
            _ => (seconds.div_ceil(60), errors.minutes),
        };
        let Around(before, after) = errors.throttled;
        format!("{before}{number} {unit}{after}")
    }

    /// Returns the built-in text of a scope.
    pub fn scope(&self, token: &str) -> Option<&'static str> {
        match token {
            openid::OPENID => Some(self.scopes.openid),
            openid::PROFILE => Some(self.scopes.profile),
            openid::EMAIL => Some(self.scopes.email),
            openid::OFFLINE_ACCESS => Some(self.scopes.offline_access),
            _ => None,
        }
    }
}
