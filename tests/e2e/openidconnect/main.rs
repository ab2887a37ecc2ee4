//! The Rust example of docs/openid-connect.md. The end-to-end tests run it.

use std::collections::HashMap;
use std::env;
use std::process::Command;

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    TokenResponse, reqwest, url::Url,
};
use serde::Deserialize;
use serde_json::json;

type Error = Box<dyn std::error::Error>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    issuer: String,
    client_id: String,
    client_secret: String,
    redirect_uri: String,
}

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// The values of a login. Store them in the session of the user at your server.
struct Checks {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

struct Server {
    issuer: String,
    client: Client,
    http: reqwest::Client,
}

impl Server {
    /// Fetches the metadata and the keys. Call it when your server starts, and again for a token with an unknown key.
    async fn discover(settings: Settings) -> Result<Self, Error> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let metadata = CoreProviderMetadata::discover_async(IssuerUrl::new(settings.issuer.clone())?, &http).await?;
        let (id, secret) = (ClientId::new(settings.client_id), ClientSecret::new(settings.client_secret));
        let client = CoreClient::from_provider_metadata(metadata, id, Some(secret))
            .set_redirect_uri(RedirectUrl::new(settings.redirect_uri)?);
        Ok(Self { issuer: settings.issuer, client, http })
    }

    /// Begins a login. Redirect to the URL.
    fn begin(&self) -> (Url, Checks) {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let request = self.client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let scopes = ["profile", "email"].map(|scope| Scope::new(scope.to_owned()));
        let (url, state, nonce) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
        (url, Checks { state, nonce, verifier })
    }

    /// Returns the tokens and the claims about the user. `url` is the URL of the request to the redirect URI, with its query.
    async fn finish(&self, url: &Url, checks: Checks) -> Result<(CoreTokenResponse, CoreUserInfoClaims), Error> {
        let params: HashMap<_, _> = url.query_pairs().into_owned().collect();
        if params.get("state") != Some(checks.state.secret()) || params.get("iss") != Some(&self.issuer) {
            return Err("the redirect does not belong to this login".into());
        }
        let code = AuthorizationCode::new(params.get("code").ok_or("the user did not log in")?.clone());
        let exchange = self.client.exchange_code(code)?.set_pkce_verifier(checks.verifier);
        let tokens = exchange.request_async(&self.http).await?;
        let id_token = tokens.id_token().ok_or("no ID token")?;
        let subject = id_token.claims(&self.client.id_token_verifier(), &checks.nonce)?.subject().clone();
        let request = self.client.user_info(tokens.access_token().clone(), Some(subject))?;
        let user = request.request_async(&self.http).await?;
        Ok((tokens, user))
    }

    /// Returns new tokens, with a new ID token.
    async fn refresh(&self, tokens: &CoreTokenResponse) -> Result<CoreTokenResponse, Error> {
        let refresh_token = tokens.refresh_token().ok_or("no refresh token")?;
        Ok(self.client.exchange_refresh_token(refresh_token)?.request_async(&self.http).await?)
    }
}

/// Checks the ID token of a response, whose `nonce` is present or absent, and that it belongs to the access token.
fn check(client: &Client, tokens: &CoreTokenResponse, has_nonce: bool) -> Result<(), Error> {
    let (id_token, verifier) = (tokens.id_token().ok_or("no ID token")?, client.id_token_verifier());
    let claims = id_token.claims(&verifier, |nonce: Option<&Nonce>| {
        if nonce.is_some() == has_nonce { Ok(()) } else { Err(format!("the nonce is {nonce:?}")) }
    })?;
    let (key, algorithm) = (id_token.signing_key(&verifier)?, id_token.signing_alg()?);
    let hash = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)?;
    if claims.access_token_hash() == Some(&hash) { Ok(()) } else { Err("another at_hash".into()) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let server = Server::discover(serde_json::from_str(&env::var("COUNTERSIGN")?)?).await?;
    let (url, checks) = server.begin();
    let output = Command::new("python").args(["tests/e2e/scripted_browser.py", url.as_str()]).output()?;
    let returned = Url::parse(str::from_utf8(&output.stdout)?.trim())?;
    let (tokens, user) = server.finish(&returned, checks).await?;
    check(&server.client, &tokens, true)?;
    let refreshed = server.refresh(&tokens).await?;
    check(&server.client, &refreshed, false)?;
    println!("{}", json!({ "tokens": tokens, "user": user, "refreshed": refreshed }));
    Ok(())
}
