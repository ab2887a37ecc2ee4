//! The modules of the OpenID Foundation's conformance suite: each test sends the requests of one module, with the clients and
//! the user of `tests/conformance`, and checks what the module checks. `docs/conformance.md` lists them.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::config::Pages;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use testing::{CHEAP_ARGON2, ISSUER, NOW, Response, TestApp, basic, demo, form_body};

use crate::browser::{Browser, attribute, field, page};
use crate::cases::pairs;

mod discovery;
mod fapi;
mod flows;
mod logout;
mod parameters;
mod request_objects;
mod scopes;
mod sessions;
mod tokens;
mod userinfo;

/// The URL of a suite on the same machine.
const SUITE: &str = "https://localhost:8443";
const FORM: &str = "application/x-www-form-urlencoded;charset=UTF-8";

/// The clients and the user, with plain secrets.
static RECORDS: LazyLock<Value> = LazyLock::new(|| {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/records.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap().replace("{suite}", SUITE)).unwrap()
});

/// The RSA key of all tests. The suite requires RS256.
static KEY: LazyLock<String> = LazyLock::new(|| demo::generate_pem().unwrap());

/// The parameters of an authorization request, in the order in which the suite sends them.
type Params = BTreeMap<&'static str, String>;

fn record(list: &str, number: usize, name: &str) -> &'static str {
    RECORDS[list][number][name].as_str().unwrap()
}

fn redirect_uri() -> &'static str {
    RECORDS["clients"][0]["redirect_uris"][0].as_str().unwrap()
}

/// Returns the parameters of an authorization request of the first client, with a new `state` and `nonce`.
fn params(scope: &str, other: &[(&'static str, &str)]) -> Params {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut params = BTreeMap::from([
        ("client_id", record("clients", 0, "client_id").to_owned()),
        ("redirect_uri", redirect_uri().to_owned()),
        ("scope", scope.to_owned()),
        ("state", format!("state{number:05}")),
        ("nonce", format!("nonce{number:05}")),
        ("response_type", "code".to_owned()),
    ]);
    params.extend(other.iter().map(|(name, value)| (*name, (*value).to_owned())));
    params
}

/// Returns the query of a request. The suite encodes neither `/` nor `:` in it.
fn encoded<'a>(params: impl IntoIterator<Item = (&'a &'static str, &'a String)>) -> String {
    let pairs: Vec<_> = params.into_iter().map(|(name, value)| (*name, value.as_str())).collect();
    form_body(&pairs).replace("%2F", "/").replace("%3A", ":")
}

/// The request of the browser to the redirect URI of the client.
struct Callback {
    /// The pages on the way.
    pages: Vec<String>,
    params: HashMap<String, String>,
}

/// A finished login.
struct Login {
    callback: Callback,
    /// The token response.
    response: Response,
    /// The claims of the ID token.
    id_token: Value,
}

/// A deployment, and the browser of the suite.
struct Suite {
    browser: Browser,
}

impl Suite {
    async fn start() -> Self {
        let test = TestApp::start_without_keys(|config| {
            config.argon2 = CHEAP_ARGON2;
            config.pages = Some(Pages::default());
        })
        .await;
        test.cloud.put_secret(&KEY).unwrap();
        test.app.keyring.load().await.unwrap();
        demo::add(&test.cloud, &test.app.hasher, &RECORDS).unwrap();
        Self { browser: Browser { test, cookie: None, first_cookie: None } }
    }

    /// Opens an authorization request.
    async fn open(&mut self, params: &Params) -> Response {
        self.browser.get(&format!("/oauth/authorize?{}", encoded(params))).await
    }

    /// Opens an authorization request, signs the user in and allows access if the pages require it.
    async fn authorize(&mut self, params: &Params) -> Callback {
        let first = self.open(params).await;
        self.follow(first).await
    }

    /// Follows redirects and pages until the browser returns to the client.
    async fn follow(&mut self, mut response: Response) -> Callback {
        let mut pages = Vec::new();
        loop {
            if let Some(location) = response.header("location").map(ToOwned::to_owned) {
                assert_eq!(response.status, 303);
                if let Some(query) = location.strip_prefix(&format!("{}?", redirect_uri())) {
                    return Callback { pages, params: pairs(query) };
                }
                response = self.browser.get(&location).await;
                continue;
            }
            let name = page(&response).0.unwrap();
            assert_eq!(response.status, 200, "{name}");
            let action = attribute(&response, "action").unwrap();
            let confirm = field(&response, "confirm").unwrap_or_default();
            let fields = match name.as_str() {
                "login" => [("username", record("users", 0, "username")), ("password", record("users", 0, "password"))],
                "consent" => [("confirm", confirm.as_str()), ("decision", "grant")],
                other => panic!("{other}"),
            };
            let keep = if name == "consent" { &[("for", "none")][..] } else { &[] };
            response = self.browser.post(&action, &[&fields[..], keep].concat()).await;
            pages.push(name);
        }
    }

    /// Sends a form with the headers of the suite's HTTP client.
    async fn post(&self, path: &str, authorization: Option<&str>, fields: &[(&str, &str)]) -> Response {
        let request = Request::post(path).header("content-type", FORM).header("accept", "application/json");
        let request = authorization.into_iter().fold(request, |request, value| request.header("authorization", value));
        self.browser.test.send(request.body(Body::from(form_body(fields))).unwrap()).await
    }

    /// Sends a token request with `client_secret_basic`.
    async fn token(&self, client: usize, fields: &[(&str, &str)]) -> Response {
        self.post("/oauth/token", Some(&credentials(client)), fields).await
    }

    async fn exchange(&self, code: &str) -> Response {
        let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri())];
        self.token(0, &fields).await
    }

    /// Runs the flow that most modules repeat: request, callback, token response, ID token, userinfo.
    async fn log_in(&mut self, params: &Params) -> Login {
        let callback = self.authorize(params).await;
        let response = self.exchange(callback.code(params)).await;
        self.finish(params, callback, response).await
    }

    /// Checks a token response, and that its access token is valid at userinfo.
    async fn finish(&self, params: &Params, callback: Callback, response: Response) -> Login {
        let id_token = self.id_token(params, &response).await;
        let userinfo = self.userinfo(&response).await;
        assert_eq!(userinfo.status, 200, "{:?}", userinfo.bytes);
        assert_eq!(userinfo.body["sub"], id_token["sub"]);
        Login { callback, response, id_token }
    }

    /// Calls userinfo with the access token in the header.
    async fn userinfo(&self, tokens: &Response) -> Response {
        let request = Request::get("/oauth/userinfo").header("accept", "application/json");
        let request = request.header("authorization", format!("Bearer {}", tokens.access_token()));
        self.browser.test.send(request.body(Body::empty()).unwrap()).await
    }

    /// Verifies the ID token of a token response with the published keys. Returns its claims.
    async fn id_token(&self, params: &Params, response: &Response) -> Value {
        assert_eq!((response.status, &response.body["token_type"]), (200, &Value::from("Bearer")));
        assert!((1..=31_536_000).contains(&response.body["expires_in"].as_u64().unwrap()));
        let token = response.body["id_token"].as_str().unwrap();
        let jwks = self.browser.test.send(Request::get("/.well-known/jwks.json").body(Body::empty()).unwrap()).await;
        let keys: JwkSet = serde_json::from_slice(&jwks.bytes).unwrap();
        let header = jsonwebtoken::decode_header(token).unwrap();
        let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        // The clock of a deployment is not the system time.
        validation.validate_exp = false;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[&params["client_id"]]);
        let claims = jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims;
        assert_eq!(claims["nonce"].as_str(), params.get("nonce").map(String::as_str));
        assert!(claims["exp"].as_u64() > claims["iat"].as_u64());
        let now = self.browser.test.now();
        assert!(claims["iat"] == now && (NOW..=now).contains(&claims["auth_time"].as_u64().unwrap()));
        assert_eq!(claims["at_hash"], at_hash(&response.access_token()));
        assert_eq!(claims["sub"], record("users", 0, "user_id"));
        // The claims of users are at userinfo only.
        let known = ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "amr", "at_hash", "sid"];
        assert!(claims.as_object().unwrap().keys().all(|name| known.contains(&name.as_str())), "{claims}");
        claims
    }
}

impl Callback {
    /// Returns the code, after the checks of a success.
    #[track_caller]
    fn code(&self, params: &Params) -> &str {
        self.check(params, &["code"]);
        let code = &self.params["code"];
        // The suite requires 128 bits of length.
        assert!(code.len() >= 16);
        code
    }

    /// Returns the error, after the checks of an error.
    #[track_caller]
    fn error(&self, params: &Params) -> &str {
        self.check(params, &["error", "error_description"]);
        let allowed = |byte: u8| (0x20..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\';
        assert!(self.params["error_description"].bytes().all(allowed));
        &self.params["error"]
    }

    /// Asserts that the parameters are these, `iss`, and the `state` of the request.
    #[track_caller]
    fn check(&self, params: &Params, expected: &[&str]) {
        assert_eq!(self.params.get("state"), params.get("state"), "{:?}", self.params);
        assert_eq!(self.params["iss"], ISSUER);
        assert!(expected.iter().all(|name| self.params.contains_key(*name)), "{:?}", self.params);
        assert_eq!(self.params.len(), expected.len() + 1 + usize::from(params.contains_key("state")));
    }
}

/// Returns the value of `Authorization` for a client of the records.
fn credentials(client: usize) -> String {
    let secret = RECORDS["clients"][client]["secrets"][0]["secret"].as_str().unwrap();
    basic(record("clients", client, "client_id"), secret)
}

/// Returns the left half of the SHA-256 of a token (OpenID Connect Core 1.0 section 3.1.3.6).
fn at_hash(token: &str) -> String {
    let hash = digest(&SHA256, token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
}
