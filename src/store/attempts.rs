//! Failed guesses, in the table `grants`.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use serde::Deserialize;

use super::call::{Failure, send};
use super::item::{Item, number, string};
use super::{Store, StoreError};
use crate::throttle::{AHEAD, Attempts, Budget, Count, NETWORK_FAILURES, QUIET};

/// The result of a count.
#[derive(Debug)]
pub enum Counted {
    /// This write counted the guess.
    Counted {
        /// The consecutive failures in the lane after the guess.
        failures: u64,
    },
    /// The condition failed. This is the item that DynamoDB found.
    Changed(Attempts),
}

/// The attributes of the item that do not belong to a lane.
#[derive(Deserialize)]
struct Writer {
    by: Option<String>,
}

impl Store {
    /// Reads the failed guesses at a subject, by the id of its item. A subject without an item has none. `expires_at` is
    /// not compared, because each lane has a time that decides whether the lane counts.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn attempts(&self, item_id: &str) -> Result<Attempts, StoreError> {
        self.decode_attempts(self.read(&self.grants, item_id).await?)
    }

    /// Counts a guess if the budget allows it. Right and wrong guesses have the same condition. All guarantees about
    /// guesses depend on this conditional update.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn count_attempt(&self, item_id: &str, count: &Count, budget: Budget) -> Result<Counted, StoreError> {
        let request = Update::of(count)
            .write_to(self.update(&self.grants, item_id), budget)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let (item, is_written) = match send(request).await {
            Ok(output) => (self.decode_attempts(output.attributes)?, true),
            Err(Failure::Condition(found)) => (self.decode_attempts(found)?, false),
            Err(Failure::Store(error)) => return Err(error),
        };
        // If the SDK sends our write again because the response was lost, the guess counts once.
        if !is_written && item.by.as_ref() != Some(&count.by) {
            return Ok(Counted::Changed(item));
        }
        let lane = match &count.place.network {
            Some(network) => item.networks.get(network).copied(),
            None => item.common,
        };
        Ok(Counted::Counted { failures: lane.map_or(0, |lane| lane.failures) })
    }

    /// Deletes the failed guesses at a subject, and its known networks. A malformed item is deleted too. Returns false if
    /// there is no item.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn delete_attempts(&self, item_id: &str) -> Result<bool, StoreError> {
        let delete = self.dynamodb.delete_item().table_name(&self.grants.name);
        let request = delete.key(self.grants.key, string(item_id)).return_values(ReturnValue::AllOld);
        Ok(send(request).await?.attributes.is_some())
    }

    fn decode_attempts(&self, item: Option<Item>) -> Result<Attempts, StoreError> {
        let (networks, rest): (Item, Item) =
            item.unwrap_or_default().into_iter().partition(|(name, _)| name.starts_with("n:"));
        // serde reads a record also from a list.
        if let Some((name, _)) = networks.iter().find(|(_, lane)| !lane.is_m()) {
            return Err(self.grants.malformed(name.clone()));
        }
        let has_lane = rest.contains_key("failures") || rest.contains_key("last_at");
        let Writer { by } = self.grants.decode(rest.clone())?;
        let common = if has_lane { Some(self.grants.decode(rest)?) } else { None };
        Ok(Attempts { common, networks: self.grants.decode(networks)?, by })
    }
}

/// The expressions of a count, as they are built.
struct Update<'a> {
    count: &'a Count,
    names: HashMap<String, String>,
    values: Item,
    /// The assignments of the update.
    set: Vec<String>,
}

impl<'a> Update<'a> {
    fn of(count: &'a Count) -> Self {
        Self { count, names: HashMap::new(), values: HashMap::new(), set: Vec::new() }
    }

    fn write_to(mut self, request: UpdateItemFluentBuilder, budget: Budget) -> UpdateItemFluentBuilder {
        let condition = format!("(attribute_not_exists(#by) OR #by <> :by) AND ({})", self.condition(budget));
        self.count_in_lane();
        self.set.push("#by = :by, expires_at = :expires_at".to_owned());
        self.add_network();
        let mut update = format!("SET {}", self.set.join(", "));
        if !self.count.removed.is_empty() {
            update.push_str(" REMOVE ");
            update.push_str(&self.removed());
        }
        self.name("#by", "by");
        self.value(":by", string(&self.count.by));
        self.value(":expires_at", number(self.count.expires_at));
        request
            .set_expression_attribute_names(Some(self.names))
            .set_expression_attribute_values(Some(self.values))
            .condition_expression(condition)
            .update_expression(update)
    }

    fn name(&mut self, placeholder: &str, name: &str) {
        self.names.insert(placeholder.to_owned(), name.to_owned());
    }

    fn value(&mut self, placeholder: &str, value: AttributeValue) {
        self.values.insert(placeholder.to_owned(), value);
    }

    /// Returns the path of an attribute of the lane.
    fn path(&self, attribute: &str) -> String {
        if self.count.place.network.is_some() { format!("#lane.{attribute}") } else { attribute.to_owned() }
    }

    /// Returns the condition that the lane allows an attempt: the rule of [`Attempts::judge`].
    fn condition(&mut self, budget: Budget) -> String {
        let (failures, last_at, now) = (self.path("failures"), self.path("last_at"), self.count.now);
        let is_known = if let Some(network) = &self.count.place.network {
            self.name("#lane", network);
            self.value(":unknown", number(NETWORK_FAILURES));
            format!("{failures} < :unknown AND ")
        } else {
            String::new()
        };
        if self.count.place.lane.is_none() {
            self.value(":quiet", number(now.saturating_sub(QUIET)));
            if self.count.place.network.is_some() {
                return format!("{is_known}{last_at} <= :quiet");
            }
            self.value(":ahead", number(now + AHEAD));
            return format!("attribute_not_exists({last_at}) OR {last_at} <= :quiet OR {last_at} > :ahead");
        }
        let delays = budget.delays();
        let mut allowed = vec![format!("{failures} < :f0")];
        for (index, (count, delay)) in delays.iter().enumerate() {
            let compares = if index + 1 == delays.len() { ">=" } else { "=" };
            allowed.push(format!("({failures} {compares} :f{index} AND {last_at} <= :t{index})"));
            self.value(&format!(":f{index}"), number(*count));
            self.value(&format!(":t{index}"), number(now.saturating_sub(*delay)));
        }
        let allowed = allowed.join(" OR ");
        // DynamoDB rejects redundant parentheses.
        if is_known.is_empty() { allowed } else { format!("{is_known}({allowed})") }
    }

    /// Sets the failures and the time of the lane. A known network that has no current lane gets a new map.
    fn count_in_lane(&mut self) {
        let (failures, last_at) = (self.path("failures"), self.path("last_at"));
        let counted = number(u64::from(!self.count.is_right));
        let is_current = self.count.place.lane.is_some();
        if !is_current && self.count.place.network.is_some() {
            self.set.push("#lane = :lane".to_owned());
            self.value(":lane", lane(counted, self.count.now));
            return;
        }
        let adds = is_current && !self.count.is_right;
        let before = if adds { format!("{failures} + ") } else { String::new() };
        self.set.push(format!("{failures} = {before}:counted, {last_at} = :now"));
        self.value(":counted", counted);
        self.value(":now", number(self.count.now));
    }

    fn add_network(&mut self) {
        let Some(network) = &self.count.new_network else {
            return;
        };
        self.set.push("#new = :new".to_owned());
        self.name("#new", network);
        self.value(":new", lane(number(0_u64), self.count.now));
    }

    fn removed(&mut self) -> String {
        let mut placeholders = Vec::new();
        for (index, network) in self.count.removed.iter().enumerate() {
            let placeholder = format!("#old{index}");
            self.name(&placeholder, network);
            placeholders.push(placeholder);
        }
        placeholders.join(", ")
    }
}

/// Returns the value of a lane of a network.
fn lane(failures: AttributeValue, last_at: u64) -> AttributeValue {
    AttributeValue::M(HashMap::from([("failures".to_owned(), failures), ("last_at".to_owned(), number(last_at))]))
}
