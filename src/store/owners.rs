//! The consents of users, in the table `grants`: one item for each user, one attribute for each client.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use serde::Deserialize;

use super::call::{Failure, condition_held, send, unless_condition_failed};
use super::item::{Item, number, string};
use super::{Store, StoreError};
use crate::consent::{Consent, Owner};

const PREFIX: &str = "c#";

/// A client, in the item of a user.
#[derive(Clone, Copy)]
pub struct ConsentKey<'a> {
    /// The user's stable identifier.
    pub user_id: &'a str,
    /// The client.
    pub client_id: &'a str,
}

impl ConsentKey<'_> {
    fn attribute(self) -> String {
        format!("{PREFIX}{}", self.client_id)
    }
}

/// The attribute that is not a consent.
#[derive(Deserialize)]
struct Revision {
    #[serde(default)]
    revision: u64,
}

fn id(user_id: &str) -> String {
    format!("owner#{user_id}")
}

impl Store {
    /// Reads the consents of a user. A user without an item has none.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn owner(&self, user_id: &str) -> Result<Owner, StoreError> {
        self.decode_owner(self.read(&self.grants, &id(user_id)).await?)
    }

    /// Stores a consent, if the consent of the client is still the one that was read: none, or one with the same id and
    /// scopes, and with the same revision of the owner. Otherwise a late write could undo a removal or an end date that
    /// the user set meanwhile. Returns false if not; then nothing changes.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put_consent(&self, key: ConsentKey<'_>, read: &Owner, new: &Consent) -> Result<bool, StoreError> {
        let found = read.consent(key.client_id);
        let scopes =
            found.map(|found| self.grants.encode(found)).transpose()?.and_then(|mut item| item.remove("scopes"));
        let is_revision = new.is_revision_of(found);
        let is_known = read.revision > 0;
        let same_consent =
            if found.is_some() { "#c.id = :id AND #c.scopes = :scopes" } else { "attribute_not_exists(#c)" };
        let same_revision = if is_known { "revision = :revision" } else { "attribute_not_exists(revision)" };
        let values = [
            (":new", Some(AttributeValue::M(self.grants.encode(new)?))),
            (":id", found.map(|found| string(&found.id))),
            (":scopes", scopes),
            (":revision", is_known.then(|| number(read.revision))),
            (":one", is_revision.then(|| number(1_u64))),
        ];
        let values = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let request = self
            .update(&self.grants, &id(key.user_id))
            .condition_expression(format!("{same_consent} AND {same_revision}"))
            .update_expression(if is_revision { "SET #c = :new ADD revision :one" } else { "SET #c = :new" })
            .expression_attribute_names("#c", key.attribute())
            .set_expression_attribute_values(Some(values.collect()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match send(request).await {
            Ok(_) => Ok(true),
            Err(Failure::Condition(found)) => {
                // The SDK sends a write again when its response is lost. Then this is our own write.
                let found = self.decode_owner(found)?;
                Ok(found.consent(key.client_id).is_some_and(|found| found.is_equivalent(new)))
            }
            Err(Failure::Store(error)) => Err(error),
        }
    }

    /// Writes the day on which a client last used a consent, unless the consent is not the one that was read.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn use_consent(&self, key: ConsentKey<'_>, consent: &Consent, used_on: u64) -> Result<(), StoreError> {
        let request = self
            .update(&self.grants, &id(key.user_id))
            .condition_expression("#c.#id = :id")
            .update_expression("SET #c.used_on = :used_on")
            .expression_attribute_names("#c", key.attribute())
            .expression_attribute_names("#id", "id")
            .expression_attribute_values(":id", string(&consent.id))
            .expression_attribute_values(":used_on", number(used_on));
        unless_condition_failed(send(request).await)
    }

    /// Removes a consent, and with it every login of the client, if the consent is the one that was read. Returns false if
    /// not; then nothing changes.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn remove_consent(&self, key: ConsentKey<'_>, consent: &Consent) -> Result<bool, StoreError> {
        let request = self
            .update(&self.grants, &id(key.user_id))
            .condition_expression("#c.#id = :id")
            .update_expression("REMOVE #c ADD revision :one")
            .expression_attribute_names("#c", key.attribute())
            .expression_attribute_names("#id", "id")
            .expression_attribute_values(":id", string(&consent.id))
            .expression_attribute_values(":one", number(1_u64));
        condition_held(send(request).await)
    }

    fn decode_owner(&self, item: Option<Item>) -> Result<Owner, StoreError> {
        let item = item.unwrap_or_default();
        let (consents, others): (Item, Item) = item.into_iter().partition(|(name, _)| name.starts_with(PREFIX));
        let consents: BTreeMap<String, Consent> = self.grants.decode(consents)?;
        let client_id = |name: String| name.strip_prefix(PREFIX).unwrap_or_default().to_owned();
        let consents = consents.into_iter().map(|(name, consent)| (client_id(name), consent)).collect();
        Ok(Owner { consents, revision: self.grants.decode::<Revision>(others)?.revision })
    }
}
