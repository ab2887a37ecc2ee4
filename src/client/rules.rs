//! The rules between the attributes of a client.

use super::{AuthMethod, Client, ClientKey, GrantType, MAX_CLIENT_KEYS, MAX_TRUST_ENTRIES, MetadataError};
use crate::scope::openid;

/// The largest length of the id of a client with a cookie, whose name contains the id.
const MAX_COOKIE_ID_LENGTH: usize = 64;

/// A rule: true if the record breaks it, the attribute that does not fit the others, and what to do.
type Rule = (bool, &'static str, &'static str);

impl Client {
    /// Returns true if the client has no credential: it sends its id only.
    pub fn is_public(&self) -> bool {
        self.token_endpoint_auth_method == Some(AuthMethod::Public)
    }

    /// Returns true if the client may use the grant. A public client may use fewer grants than its record lists: its id
    /// proves nothing. A password counts only from the client's own origins, which a client with a cookie has to prove.
    pub fn may_use(&self, grant_type: GrantType) -> bool {
        let is_usable = match grant_type {
            GrantType::AuthorizationCode | GrantType::RefreshToken => true,
            GrantType::Password => !self.is_public() || self.refresh_token_cookie,
            GrantType::ClientCredentials => !self.is_public(),
        };
        is_usable && self.grant_types.contains(&grant_type)
    }

    /// Returns true if the client may get ID tokens, which would pass for access tokens of version 1.
    pub fn gets_id_tokens(&self) -> bool {
        self.may_use(GrantType::AuthorizationCode) && self.scopes.allows(openid::OPENID)
    }

    /// Returns the names of the client's certificate: a client with one has exactly one of them.
    fn certificate_names(&self) -> Vec<&str> {
        let names = [&self.tls_client_auth_subject_dn, &self.tls_client_auth_san_dns, &self.tls_client_auth_san_uri];
        names.into_iter().flatten().map(String::as_str).collect()
    }

    /// Checks the rules between the attributes. A record that breaks one of them is malformed.
    ///
    /// # Errors
    /// [`MetadataError`] with the attribute that does not fit the others.
    pub fn check(&self) -> Result<(), MetadataError> {
        let rules =
            self.rules_of_certificates().into_iter().chain(self.rules_of_credentials()).chain(self.rules_of_pages());
        match rules.into_iter().find(|(is_broken, ..)| *is_broken) {
            Some((_, attribute, message)) => Err(MetadataError::new(attribute, message)),
            None => Ok(()),
        }
    }

    fn rules_of_certificates(&self) -> [Rule; 4] {
        let names = self.certificate_names();
        [
            (
                self.uses_certificate() && names.len() != 1,
                "token_endpoint_auth_method",
                "tls_client_auth needs exactly one name of the certificate: a subject, a DNS name or a URI",
            ),
            (
                names.iter().chain(&self.tls_client_auth_issuer_dn.as_deref()).any(|name| name.is_empty()),
                "tls_client_auth_subject_dn",
                "a name of a certificate is empty; remove it",
            ),
            (
                self.is_public() && !names.is_empty(),
                "token_endpoint_auth_method",
                "a public client (token_endpoint_auth_method none) has no certificate; remove its names first",
            ),
            (
                self.dpop_bound_access_tokens && self.tls_client_certificate_bound_access_tokens,
                "tls_client_certificate_bound_access_tokens",
                "a token is bound to one key; remove dpop_bound_access_tokens",
            ),
        ]
    }

    fn rules_of_credentials(&self) -> [Rule; 6] {
        [
            (
                self.is_public() && !self.secrets.is_empty(),
                "secrets",
                "a public client (token_endpoint_auth_method none) has no secrets; retire them first",
            ),
            (
                self.is_public() && !self.jwks.is_empty(),
                "jwks",
                "a public client (token_endpoint_auth_method none) has no keys; retire them first",
            ),
            (
                self.is_public() && !self.federated.is_empty(),
                "federated",
                "a public client (token_endpoint_auth_method none) trusts no issuer; remove the trust entries first",
            ),
            (
                self.federated.len() > MAX_TRUST_ENTRIES,
                "federated",
                "a client has at most 10 trust entries; remove one first",
            ),
            (self.jwks.len() > MAX_CLIENT_KEYS, "jwks", "a client has at most 4 keys; retire one first"),
            (has_repeated_kid(&self.jwks), "jwks", "two keys of the client have the same kid; choose another one"),
        ]
    }

    fn rules_of_pages(&self) -> [Rule; 4] {
        let has_cookie = self.refresh_token_cookie;
        [
            (
                has_cookie && !self.is_public(),
                "refresh_token_cookie",
                "refresh_token_cookie is for public clients; add token_endpoint_auth_method none",
            ),
            (
                has_cookie && self.allowed_origins.is_empty(),
                "refresh_token_cookie",
                "refresh_token_cookie needs the origins of the application in allowed_origins; add them",
            ),
            (
                has_cookie && !fits_cookie_name(&self.client_id),
                "refresh_token_cookie",
                "the name of the cookie contains the client id; use an id of at most 64 letters, digits, - and _",
            ),
            (
                self.is_public() && !self.require_pkce,
                "require_pkce",
                "require_pkce false is for clients with a credential; a public client needs PKCE",
            ),
        ]
    }
}

fn has_repeated_kid(keys: &[ClientKey]) -> bool {
    keys.iter().enumerate().any(|(index, key)| keys.iter().skip(index + 1).any(|other| other.kid == key.kid))
}

fn fits_cookie_name(client_id: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=MAX_COOKIE_ID_LENGTH).contains(&client_id.len()) && client_id.bytes().all(is_safe)
}
