//! Every kind of token at every place that takes one: none passes for another.

use std::sync::LazyLock;

use axum::http::Request;
use serde_json::Value;

use crate::browser::{Browser, JOHN, VERIFIER, page, parameter, query, request_of};
use crate::cases::pairs;
use testing::{ClientKeyPair, Response, form, form_body, raw_form};

/// The key of the bound token, and of all proofs.
static KEY: LazyLock<ClientKeyPair> = LazyLock::new(|| ClientKeyPair::generate("ES256"));

/// The places that accept each kind.
const ACCEPTED: [(Kind, &[Place]); 10] = [
    (Kind::AccessToken1, &[Place::Introspection, Place::Revocation]),
    (Kind::AccessToken2, &[Place::Introspection, Place::UserInfo, Place::UserInfoForm, Place::Revocation]),
    (Kind::AccessTokenOfService, &[Place::Introspection, Place::Revocation]),
    (Kind::BoundAccessToken, &[Place::Introspection, Place::UserInfoProof, Place::Revocation]),
    (Kind::Proof, &[Place::Proof]),
    (Kind::IdToken, &[Place::HintOfAuthorization, Place::HintOfLogout]),
    (Kind::RefreshToken, &[Place::Introspection, Place::Refresh, Place::Revocation]),
    (Kind::CookieRefreshToken, &[Place::RefreshCookie, Place::Revocation]),
    (Kind::Code, &[Place::Exchange]),
    (Kind::Session, &[Place::SessionCookie]),
];

#[derive(Clone, Copy, Debug)]
enum Kind {
    AccessToken1,
    AccessToken2,
    AccessTokenOfService,
    BoundAccessToken,
    Proof,
    IdToken,
    RefreshToken,
    CookieRefreshToken,
    Code,
    Session,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    SessionCookie,
    HintOfAuthorization,
    Introspection,
    UserInfo,
    UserInfoForm,
    UserInfoProof,
    Proof,
    RefreshCookie,
    Refresh,
    Exchange,
    Revocation,
    HintOfLogout,
}

/// A place that ends a login, or uses the token up, follows the places that do not.
const PLACES: [Place; 12] = [
    Place::SessionCookie,
    Place::HintOfAuthorization,
    Place::Introspection,
    Place::UserInfo,
    Place::UserInfoForm,
    Place::UserInfoProof,
    Place::Proof,
    Place::RefreshCookie,
    Place::Refresh,
    Place::Exchange,
    Place::Revocation,
    Place::HintOfLogout,
];

/// A token, the client that it was issued to, and a valid access token of the same login.
struct Issued {
    text: String,
    client_id: &'static str,
    query: String,
    witness: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Kind {
    fn client_id(self) -> &'static str {
        match self {
            Self::AccessToken1 => "legacy-portal",
            Self::AccessTokenOfService | Self::Proof => "no-code",
            Self::CookieRefreshToken => "store",
            _ => "crm",
        }
    }

    async fn issue(self, browser: &mut Browser) -> Issued {
        browser.sign_in(JOHN).await;
        let client_id = self.client_id();
        if let Self::AccessTokenOfService | Self::Proof = self {
            let text = browser
                .token(client_id, &[("grant_type", "client_credentials"), ("scope", "legacy:autonomy.read")])
                .await
                .access_token();
            let witness = text.clone();
            let text = if let Self::Proof = self { KEY.proof(&browser.test) } else { text };
            return Issued { witness, text, client_id, query: String::new() };
        }
        let scope = if let Self::AccessToken1 = self { "legacy:autonomy.read" } else { "openid offline_access" };
        let query = query(client_id, scope, &[]);
        let code = browser.code(&query).await;
        if let Self::Code = self {
            return Issued { text: code, client_id, query, witness: String::new() };
        }
        let exchanged = match self {
            Self::AccessToken1 => exchange_for_version_1(browser, &code).await,
            Self::BoundAccessToken => exchange_with_proof(browser, &query, &code).await,
            _ => browser.exchange(&query, &code, VERIFIER).await,
        };
        let witness = exchanged.access_token();
        let text = match self {
            Self::IdToken => text(&exchanged.body["id_token"]),
            Self::RefreshToken => exchanged.refresh_token(),
            Self::CookieRefreshToken => exchanged.cookie().unwrap().1.to_owned(),
            Self::Session => browser.cookie.clone().unwrap().split_once('=').unwrap().1.to_owned(),
            _ => witness.clone(),
        };
        Issued { text, client_id, query, witness }
    }
}

async fn exchange_for_version_1(browser: &Browser, code: &str) -> Response {
    let redirect_uri = ("redirect_uri", "https://old.example/cb");
    let fields = [("grant_type", "authorization_code"), ("code", code), redirect_uri, ("code_verifier", VERIFIER)];
    browser.test.send(request_of("legacy-portal", &fields).header("accept", "version=1").post()).await
}

async fn exchange_with_proof(browser: &Browser, query: &str, code: &str) -> Response {
    let redirect_uri = &pairs(query)["redirect_uri"];
    let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri)];
    let request = request_of("crm", &[&fields[..], &[("code_verifier", VERIFIER)]].concat());
    browser.test.send(request.header("dpop", &KEY.proof(&browser.test)).post()).await
}

/// Returns true if a place accepts the token that needs no other credential, or that is a proof itself.
async fn takes(browser: &Browser, place: Place, text: &str) -> bool {
    const USERINFO: &str = "/oauth/userinfo";
    let authorization = |scheme: &str| raw_form("").header("authorization", &format!("{scheme} {text}"));
    let request = match place {
        Place::UserInfo => authorization("Bearer").to("GET", USERINFO),
        Place::UserInfoForm => form(&[("access_token", text)]).to("POST", USERINFO),
        Place::UserInfoProof => {
            authorization("DPoP").header("dpop", &KEY.proof_for(&browser.test, text)).to("GET", USERINFO)
        }
        _ => {
            let fields = [("grant_type", "client_credentials"), ("scope", "legacy:autonomy.read")];
            request_of("no-code", &fields).header("dpop", text).post()
        }
    };
    let response = browser.test.send(request).await;
    match (response.status, place) {
        (200, _) => {}
        (_, Place::Proof) => response.assert_error(400, "invalid_dpop_proof"),
        _ if response.header("www-authenticate").unwrap().starts_with("DPoP ") => {
            response.assert_dpop_error(401, "invalid_token");
        }
        _ => response.assert_bearer_error(401, "invalid_token"),
    }
    response.status == 200
}

/// Returns true if the place accepts the token.
async fn accepts(browser: &mut Browser, place: Place, issued: &mut Issued) -> bool {
    let Issued { text, client_id, query, .. } = &*issued;
    match place {
        Place::SessionCookie => {
            let request = Request::get("/account").header("cookie", format!("__Host-session={text}"));
            page(&browser.send(request, "").await).0.as_deref() == Some("account")
        }
        Place::HintOfAuthorization => {
            let query = crate::browser::query("crm", "openid", &[("prompt", "none"), ("id_token_hint", text)]);
            let response = browser.get(&format!("/oauth/authorize?{query}")).await;
            parameter(&response, "error").as_deref() != Some("invalid_request")
        }
        Place::Introspection => {
            browser.at("/oauth/introspect", client_id, &[("token", text)]).await.body["active"] == true
        }
        Place::UserInfo | Place::UserInfoForm | Place::UserInfoProof | Place::Proof => {
            takes(browser, place, text).await
        }
        Place::RefreshCookie => {
            let cookie = format!("__Host-Http-countersign-store={text}");
            let request = form(&[("client_id", "store"), ("grant_type", "refresh_token")]).header("cookie", &cookie);
            let response = browser.test.send(request.header("origin", "https://store.example").post()).await;
            is_accepted_at_token(&response)
        }
        Place::Refresh => {
            let fields = [("grant_type", "refresh_token"), ("refresh_token", text.as_str())];
            // A client with a cookie must not send the parameter.
            let client_id = if *client_id == "store" { "crm" } else { client_id };
            is_accepted_at_token(&browser.token(client_id, &fields).await)
        }
        Place::Exchange => {
            let query =
                if query.contains("client_id=crm") { query } else { &crate::browser::query("crm", "openid", &[]) };
            let response = browser.exchange(query, text, VERIFIER).await;
            if response.status == 200 {
                issued.witness = response.access_token();
            }
            is_accepted_at_token(&response)
        }
        Place::Revocation => {
            let response = browser.at("/oauth/revoke", client_id, &[("token", text)]).await;
            assert_eq!(response.status, 200, "{:?}", response.bytes);
            !browser.is_active(client_id, &issued.witness).await
        }
        Place::HintOfLogout => {
            let fields = [("id_token_hint", text.as_str()), ("post_logout_redirect_uri", "https://crm.example/bye")];
            browser.get(&format!("/oauth/logout?{}", form_body(&fields))).await.status == 303
        }
    }
}

#[track_caller]
fn is_accepted_at_token(response: &Response) -> bool {
    if response.status != 200 {
        assert!(
            ["invalid_grant", "unauthorized_client"].contains(&&*text(&response.body["error"])),
            "{:?}",
            response.body
        );
    }
    response.status == 200
}

impl Browser {
    /// Sends a request of a client of the fixtures to an endpoint.
    async fn at(&self, path: &str, client_id: &str, fields: &[(&str, &str)]) -> Response {
        self.test.send(request_of(client_id, fields).to("POST", path)).await
    }

    /// Returns true if userinfo, or the introspection of the client, says that an access token is active.
    async fn is_active(&self, client_id: &str, token: &str) -> bool {
        if client_id == "store" {
            let request = raw_form("").header("authorization", &format!("Bearer {token}"));
            return self.test.send(request.to("GET", "/oauth/userinfo")).await.status == 200;
        }
        self.at("/oauth/introspect", client_id, &[("token", token)]).await.body["active"] == true
    }
}

#[tokio::test]
async fn s_824_no_kind_of_token_passes_for_another() {
    for (kind, expected) in ACCEPTED {
        let mut browser = Browser::start().await;
        let mut issued = kind.issue(&mut browser).await;
        assert!(!issued.text.is_empty(), "{kind:?}");
        // The session of the browser is another one for the session that is presented.
        let session = browser.cookie.clone();
        let mut accepted = Vec::new();
        for place in PLACES {
            browser.cookie.clone_from(&session);
            if accepts(&mut browser, place, &mut issued).await {
                accepted.push(place);
            }
        }
        assert_eq!(accepted, expected, "{kind:?}");
    }
}
