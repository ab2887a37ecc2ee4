//! Every page in each of its states, over the layer of the browser's routes: for the tests of the pages, and for their
//! pictures.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use countersign::error::Error;
use countersign::http::browser::pages::{
    Account, AppLine, Consent, ErrorPage, Keep, Login, LoginError, Look, Outside, Page, ScopeLine, SignOut, SignedOut,
    View,
};
use countersign::http::browser::with_pages;

/// The names of the pages.
pub const PAGES: [&str; 26] = [
    "login",
    "login-account",
    "login-missing",
    "login-no-password",
    "login-credentials",
    "login-throttled",
    "login-other-account",
    "consent",
    "consent-new",
    "consent-keep",
    "consent-keep-until",
    "consent-for",
    "account",
    "account-empty",
    "account-until",
    "sign-out",
    "sign-out-query",
    "signed-out",
    "error-client",
    "error-redirect-uri",
    "error-request",
    "error-cross-site",
    "error-applications",
    "error-unavailable",
    "error-server",
    "error-status",
];

/// The times in the pages: 3 March 2026, 20 November 2026, and the last second of 31 January 2027.
const TIMES: [u64; 3] = [1_772_496_000, 1_795_132_800, 1_801_439_999];

/// The texts in the pages.
#[derive(Clone, Copy)]
pub struct Words {
    /// The name of a client.
    pub client: &'static str,
    /// A username.
    pub user: &'static str,
    /// An operator's text of a scope.
    pub scope_text: &'static str,
    /// A scope without a text.
    pub scope: &'static str,
    /// A canonical query.
    pub query: &'static str,
}

/// Ordinary words.
pub const WORDS: Words = Words {
    client: "Example CRM",
    user: "john.smith@itccompliance.co.uk",
    scope_text: "Read your vehicle orders",
    scope: "legacy:autonomy.read",
    query: "client_id=crm&redirect_uri=https%3A%2F%2Fcrm.example%2Fcb&response_type=code&scope=openid&state=st-1",
};

/// Texts that try to leave their place in a page, or to change the text around it.
pub const HOSTILE: [&str; 18] = [
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "</title></style></strong><script>alert(1)</script>",
    "\" onfocus=\"alert(1)\" autofocus x=\"",
    "' onmouseover='alert(1)' x='",
    "\"><img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=\"0;url=//evil.example\">",
    "<!--",
    "]]><![CDATA[",
    "javascript:alert(1)",
    "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#34;",
    "{{ 7 * 7 }}{% include \"login.html\" %}${7*7}",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\u{202e}moc.elpmaxe\u{2066}\u{200f}\u{feff}\u{ad}\u{e0041}",
    "a\0\r\n\tb\u{1b}[31m\u{85}\u{7f}",
    "<script\u{ad}>alert(1)</script\0>",
];

/// Words that need much room.
pub const LONG: Words = Words {
    client: "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft für Kraftfahrzeuge & Söhne",
    user: "a.very.long.name.that.never.ends.because.the.directory.allows.it@subdomain.of.a.long.domain.itccompliance.co.uk",
    scope_text: "Read, change and export all orders, offers, invoices and messages of every dealer of your company",
    scope: "https://api.example.org/scopes/vehicles.orders.offers.invoices.messages.read_write_export",
    query: WORDS.query,
};

impl Words {
    /// Returns words of which every one that others write is this text.
    pub const fn all(text: &'static str) -> Self {
        Self { client: text, user: text, scope_text: text, scope: text, query: WORDS.query }
    }
}

/// Returns a router with the path `/{name}` for each page.
pub fn gallery(look: &Arc<Look>, words: Words) -> Router {
    let page = async move |Path(name): Path<String>, Extension(view): Extension<View>| page(&name, &view, words);
    with_pages(Router::new().route("/{name}", get(page)), look.clone())
}

fn page(name: &str, view: &View, words: Words) -> Response {
    let (kind, state) = name.split_once('-').unwrap_or((name, ""));
    match (kind, state) {
        ("login", state) => login(view, words, state),
        ("consent", state) => consent(view, words, state),
        ("account", state) => account(view, words, state),
        ("sign", "out") => SignOut { view, query: "", confirm: CONFIRM }.response(),
        ("sign", "out-query") => SignOut { view, query: words.query, confirm: CONFIRM }.response(),
        ("signed", "out") => SignedOut { view }.response(),
        ("error", state) => error(state),
        _ => panic!("unknown page {name}"),
    }
}

const CONFIRM: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn login(view: &View, words: Words, state: &str) -> Response {
    let error = match state {
        "" | "account" => None,
        "missing" | "no-password" => Some(LoginError::Missing),
        "credentials" => Some(LoginError::Credentials),
        "throttled" => Some(LoginError::Throttled { retry_after: 30 }),
        "other-account" => Some(LoginError::OtherAccount),
        _ => panic!("unknown error {state}"),
    };
    let username = if ["", "account", "missing"].contains(&state) { "" } else { words.user };
    let (client, query) = if state == "account" { (None, "") } else { (Some(Outside(words.client)), words.query) };
    Login { view, client, query, username: Outside(username), error }.response()
}

fn scopes(words: Words, new: &str) -> Vec<ScopeLine<'static>> {
    let own = ScopeLine { token: Outside(words.scope), text: Some(Outside(words.scope_text)), is_new: new == "some" };
    let built_in =
        ["openid", "email"].map(|token| ScopeLine { token: Outside(token), text: None, is_new: new == "all" });
    built_in.into_iter().chain([own, ScopeLine { text: None, ..own }]).collect()
}

fn consent(view: &View, words: Words, state: &str) -> Response {
    let with_links = ["new", "keep"].contains(&state);
    Consent {
        view,
        client: Outside(words.client),
        returns_to: "crm.example",
        user: Outside(words.user),
        query: words.query,
        other_account_query: Some("client_id=crm&prompt=login"),
        scopes: scopes(words, if state == "new" { "some" } else { "" }),
        confirm: CONFIRM,
        keep: match state {
            "keep" => Keep::WithoutEnd,
            "keep-until" => Keep::Until(TIMES[2]),
            _ => Keep::NotOffered,
        },
        client_uri: with_links.then_some("https://crm.example/"),
        policy_uri: (state != "keep-until").then_some("https://crm.example/privacy"),
        tos_uri: with_links.then_some("https://crm.example/terms"),
        lacks_period: state == "for",
    }
    .response()
}

fn account(view: &View, words: Words, state: &str) -> Response {
    let [since, used_on, until] = TIMES;
    let app = AppLine {
        client_id: "crm",
        name: Outside(words.client),
        scopes: scopes(words, ""),
        since,
        used_on: Some(used_on),
        until: Some(until),
        has_ended: false,
    };
    let unlimited = AppLine { client_id: "desk", used_on: None, until: None, ..app.clone() };
    let ended = AppLine { client_id: "old", until: Some(used_on), has_ended: true, ..app.clone() };
    Account {
        view,
        user: Outside(words.user),
        confirm: CONFIRM,
        apps: if state == "empty" { Vec::new() } else { vec![app, unlimited, ended] },
        invalid_until: (state == "until").then_some("desk"),
    }
    .response()
}

fn error(state: &str) -> Response {
    let page = match state {
        "client" => ErrorPage::Client,
        "redirect-uri" => ErrorPage::RedirectUri,
        "request" => ErrorPage::Request,
        "cross-site" => ErrorPage::CrossSite,
        "applications" => ErrorPage::Applications,
        "unavailable" => return Error::temporarily_unavailable("a test").into_response(),
        "server" => ErrorPage::ServerError,
        "status" => return Error::invalid_request("A test.").into_response(),
        _ => panic!("unknown error page {state}"),
    };
    page.because(Error::server_error("a test"))
}
