//! Texts for scopes, by which a consent page explains them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::AllowedScopes;
use super::allowed::is_matched_by;

/// The largest length of a text in bytes.
const MAX_LENGTH: usize = 500;

/// The sentences that explain a scope, by language.
pub type Sentences = BTreeMap<String, String>;

/// The texts of all scopes, in the one item of the table `clients` that is not a client.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ScopeTexts {
    client_id: String,
    #[serde(default)]
    texts: Texts,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "BTreeMap<String, Sentences>")]
struct Texts(BTreeMap<String, Sentences>);

/// The reason why a text is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidText {
    /// This is neither a scope nor a prefix followed by `*`.
    Scope(String),
    /// This is not a language subtag of two or three lower-case letters (RFC 5646).
    Language(String),
    /// The sentence for this scope is empty, too long, or has control characters.
    Sentence(String),
}

impl fmt::Display for InvalidText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(scope) => write!(formatter, "{scope:?} is neither a scope nor a prefix that ends in *"),
            Self::Language(language) => {
                write!(formatter, "{language:?} is not a language; write two or three lower-case letters, such as en")
            }
            Self::Sentence(scope) => write!(
                formatter,
                "a text of {scope} is empty, longer than {MAX_LENGTH} bytes, or has control characters"
            ),
        }
    }
}

impl Default for ScopeTexts {
    fn default() -> Self {
        Self { client_id: Self::KEY.to_owned(), texts: Texts::default() }
    }
}

impl ScopeTexts {
    /// The key of the item. A client id is ASCII, so it cannot be this.
    pub const KEY: &'static str = "\u{a7}scopes";

    /// Returns the sentences of each scope or prefix.
    pub fn entries(&self) -> &BTreeMap<String, Sentences> {
        &self.texts.0
    }

    /// Replaces all texts.
    ///
    /// # Errors
    /// [`InvalidText`] for the first entry that is not valid. Then nothing is changed.
    pub fn replace(&mut self, entries: BTreeMap<String, Sentences>) -> Result<(), InvalidText> {
        self.texts = Texts::try_from(entries)?;
        Ok(())
    }

    /// Returns the sentences of a scope: its own, otherwise those of the longest prefix.
    pub fn of(&self, scope: &str) -> Option<&Sentences> {
        let matching = self.texts.0.iter().filter(|(entry, _)| is_matched_by(entry, scope));
        matching.max_by_key(|(entry, _)| (!entry.ends_with('*'), entry.len())).map(|(_, sentences)| sentences)
    }
}

impl TryFrom<BTreeMap<String, Sentences>> for Texts {
    type Error = InvalidText;

    fn try_from(entries: BTreeMap<String, Sentences>) -> Result<Self, InvalidText> {
        for (scope, sentences) in &entries {
            AllowedScopes::parse([scope.clone()].into()).map_err(|invalid| InvalidText::Scope(invalid.token))?;
            for (language, sentence) in sentences {
                if !(2..=3).contains(&language.len()) || !language.bytes().all(|byte| byte.is_ascii_lowercase()) {
                    return Err(InvalidText::Language(language.clone()));
                }
                if sentence.is_empty() || sentence.len() > MAX_LENGTH || sentence.contains(char::is_control) {
                    return Err(InvalidText::Sentence(scope.clone()));
                }
            }
        }
        Ok(Self(entries))
    }
}
