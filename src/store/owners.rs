//! The consents of users, in the table `grants`: one item for each user, one attribute for each client.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::call::{Failure, send, unless_condition_failed};
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

    /// Stores a consent, if the consent of the client is still the one that was read: none, or one with the same id, scopes
    /// and end. Otherwise it could undo an end date that the user set meanwhile. Returns false if not; then nothing changes.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put_consent(
        &self,
        key: ConsentKey<'_>,
        read: Option<&Consent>,
        new: &Consent,
    ) -> Result<bool, StoreError> {
        let request = self
            .update_grant(&id(key.user_id))
            .update_expression("SET #c = :new")
            .expression_attribute_names("#c", key.attribute())
            .expression_attribute_values(":new", AttributeValue::M(self.grants.encode(new)?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let request = match read {
            Some(read) => self.unless_changed(request, read)?,
            None => request.condition_expression("attribute_not_exists(#c)"),
        };
        match send(request).await {
            Ok(_) => Ok(true),
            Err(Failure::Condition(found)) => {
                // The SDK sends a write again when its response is lost. Then this is our own write.
                let found = self.decode_owner(found)?;
                let found = found.consent(key.client_id).map(|found| self.access(found)).transpose()?;
                Ok(found == Some(self.access(new)?))
            }
            Err(Failure::Store(error)) => Err(error),
        }
    }

    /// Adds the condition that the consent `#c` is the one that was read.
    fn unless_changed(
        &self,
        request: UpdateItemFluentBuilder,
        read: &Consent,
    ) -> Result<UpdateItemFluentBuilder, StoreError> {
        let [id, scopes, until] = self.access(read)?;
        let same_end = if until.is_some() { "#c.#until = :until" } else { "attribute_not_exists(#c.#until)" };
        let request = request
            .condition_expression(format!("#c.#id = :id AND #c.#scopes = :scopes AND {same_end}"))
            .expression_attribute_names("#id", "id")
            .expression_attribute_names("#scopes", "scopes")
            .expression_attribute_names("#until", "until");
        let values = [(":id", id), (":scopes", scopes), (":until", until)];
        let values = values.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Ok(values.fold(request, |request, (name, value)| request.expression_attribute_values(name, value)))
    }

    /// Returns the attributes of a consent that decide about access: the id, the scopes and the end.
    fn access(&self, consent: &Consent) -> Result<[Option<AttributeValue>; 3], StoreError> {
        let mut item = self.grants.encode(consent)?;
        Ok(["id", "scopes", "until"].map(|name| item.remove(name)))
    }

    /// Writes the day on which a client last used a consent, unless the consent is not the one that was read.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn use_consent(&self, key: ConsentKey<'_>, consent: &Consent, used_on: u64) -> Result<(), StoreError> {
        let request = self
            .update_grant(&id(key.user_id))
            .condition_expression("#c.#id = :id")
            .update_expression("SET #c.used_on = :used_on")
            .expression_attribute_names("#c", key.attribute())
            .expression_attribute_names("#id", "id")
            .expression_attribute_values(":id", string(&consent.id))
            .expression_attribute_values(":used_on", number(used_on));
        unless_condition_failed(send(request).await)
    }

    /// Removes a consent, and with it every login of the client, unless the consent is not the one that was read.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn remove_consent(&self, key: ConsentKey<'_>, consent: &Consent) -> Result<(), StoreError> {
        let request = self
            .update_grant(&id(key.user_id))
            .condition_expression("#c.#id = :id")
            .update_expression("REMOVE #c")
            .expression_attribute_names("#c", key.attribute())
            .expression_attribute_names("#id", "id")
            .expression_attribute_values(":id", string(&consent.id));
        unless_condition_failed(send(request).await)
    }

    fn decode_owner(&self, item: Option<Item>) -> Result<Owner, StoreError> {
        let mut item = item.unwrap_or_default();
        item.retain(|name, _| name.starts_with(PREFIX));
        let consents: BTreeMap<String, Consent> = self.grants.decode(item)?;
        let client_id = |name: String| name.strip_prefix(PREFIX).unwrap_or_default().to_owned();
        Ok(Owner { consents: consents.into_iter().map(|(name, consent)| (client_id(name), consent)).collect() })
    }
}
