//! `countersign scope`: manages the texts by which a consent page explains scopes.

use std::collections::BTreeMap;

use clap::Subcommand;
use countersign::scope::{ScopeTexts, Sentences};
use countersign::store::{Created, Stored};
use serde_json::json;

use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::{Outcome, output};

#[derive(Subcommand)]
pub enum Command {
    /// Set the texts of a scope
    #[command(after_help = "Example:
  countersign scope describe orders:read \\
    --text en='See your orders' --text de='Ihre Bestellungen sehen'

A text of `orders:*` is for each scope that begins with `orders:` and has no text of its own. Texts in
other languages are not changed.")]
    Describe {
        /// The scope, or a prefix that ends in *
        scope: String,
        /// A language and the text in it (repeatable)
        #[arg(long = "text", value_name = "LANGUAGE=TEXT", required = true, value_parser = text)]
        texts: Vec<(String, String)>,
    },
    /// List the texts of all scopes
    List,
    /// Remove the texts of a scope
    Remove {
        /// The scope, or a prefix that ends in *
        scope: String,
    },
}

/// Parses a language and a text.
fn text(argument: &str) -> Result<(String, String), String> {
    let (language, text) = argument.split_once('=').ok_or("write LANGUAGE=TEXT, such as en='See your orders'")?;
    Ok((language.to_owned(), text.to_owned()))
}

pub async fn run(target: &Target, json: bool, command: Command) -> Result<Outcome, Error> {
    let deployment = target.find().await?;
    match command {
        Command::Describe { scope, texts } => {
            let mut change = Change::read(&deployment).await?;
            let mut entries = change.texts().entries().clone();
            entries.entry(scope.clone()).or_default().extend(texts);
            change.replace(entries)?;
            deployment.announce().await?;
            change.write(&deployment).await?;
            let described = change.texts().entries().iter().filter(|(entry, _)| **entry == scope);
            list(json, &described.map(|(scope, sentences)| (scope.clone(), sentences.clone())).collect())?;
        }
        Command::List => list(json, deployment.store.scope_texts().await?.entries())?,
        Command::Remove { scope } => {
            let mut change = Change::read(&deployment).await?;
            let mut entries = change.texts().entries().clone();
            if entries.remove(&scope).is_none() {
                return Err(Error::new(format!("{scope:?} has no text; list the texts with `countersign scope list`")));
            }
            change.replace(entries)?;
            deployment.announce().await?;
            change.write(&deployment).await?;
            output::result(json, &json!({"removed": scope}), || format!("removed the texts of {scope}"))?;
        }
    }
    Ok(Outcome::Done)
}

fn list(json: bool, entries: &BTreeMap<String, Sentences>) -> Result<(), Error> {
    output::result(json, entries, || {
        if entries.is_empty() {
            return "No texts. Add one with `countersign scope describe`.".to_owned();
        }
        let row =
            |(scope, language, text): (&String, &String, &String)| vec![scope.clone(), language.clone(), text.clone()];
        let texts = entries
            .iter()
            .flat_map(|(scope, sentences)| sentences.iter().map(move |(language, text)| (scope, language, text)));
        output::table(&["SCOPE", "LANGUAGE", "TEXT"], texts.map(row))
    })
}

/// The texts of scopes, read to be changed and written back.
pub struct Change {
    /// The item, or `None` if it does not exist.
    stored: Option<Stored<ScopeTexts>>,
    /// The texts to write if the item does not exist.
    new: ScopeTexts,
}

impl Change {
    /// Reads the texts.
    pub async fn read(deployment: &Deployment) -> Result<Self, Error> {
        let stored = deployment.store.stored(ScopeTexts::KEY).await?;
        Ok(Self { stored, new: ScopeTexts::default() })
    }

    /// Returns the texts.
    pub fn texts(&self) -> &ScopeTexts {
        self.stored.as_ref().map_or(&self.new, |stored| &stored.record)
    }

    /// Replaces all texts, without writing them.
    pub fn replace(&mut self, entries: BTreeMap<String, Sentences>) -> Result<(), Error> {
        let texts = self.stored.as_mut().map_or(&mut self.new, |stored| &mut stored.record);
        texts.replace(entries).map_err(|invalid| Error::new(invalid.to_string()))
    }

    /// Writes the texts, unless another process changed them meanwhile.
    pub async fn write(&self, deployment: &Deployment) -> Result<(), Error> {
        let Some(stored) = &self.stored else {
            return match deployment.store.create(&self.new).await? {
                Created::New | Created::Same => Ok(()),
                Created::Taken(_) => Err(Error::new(
                    "the texts were changed simultaneously by another process; check them, and try again",
                )),
            };
        };
        deployment.store.replace(stored).await?;
        Ok(())
    }
}
