//! `prompt`: the steps that the client requires (OpenID Connect Core section 3.1.2.1).

use crate::error::Error;

/// The parameter `prompt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The request gets a response without a page.
    pub none: bool,
    /// The user signs in again: `login`, or `select_account`, because a user selects an account by signing in.
    pub login: bool,
    /// The user sees the consent page.
    pub consent: bool,
}

impl Prompt {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Error> {
        let mut prompt = Self::default();
        for token in text.into_iter().flat_map(|text| text.split(' ')) {
            match token {
                "none" => prompt.none = true,
                _ if is_login(token) => prompt.login = true,
                "consent" => prompt.consent = true,
                _ => return Err(Error::invalid_request("The prompt has an unknown value.")),
            }
        }
        if prompt.none && (prompt.login || prompt.consent) {
            return Err(Error::invalid_request("The prompt has none beside another value."));
        }
        Ok(prompt)
    }
}

fn is_login(token: &str) -> bool {
    matches!(token, "login" | "select_account")
}

/// Returns the text of `prompt` without the values that a login satisfies.
pub(super) fn without_login(text: &str) -> Option<String> {
    let tokens: Vec<_> = text.split(' ').filter(|token| !is_login(token)).collect();
    (!tokens.is_empty()).then(|| tokens.join(" "))
}
