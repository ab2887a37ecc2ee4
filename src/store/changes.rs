//! The difference between two states of a record, as a conditional update.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;

use super::item::Item;

/// The attribute that changes with every change of a record.
const UPDATED_AT: &str = "updated_at";

/// The attributes that differ between two states of a record.
pub(super) struct Changes<'a> {
    names: Vec<&'a String>,
    after: &'a Item,
}

impl<'a> Changes<'a> {
    pub fn between(before: &'a Item, after: &'a Item) -> Self {
        let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
        names.sort();
        names.dedup();
        names.retain(|name| before.get(*name) != after.get(*name));
        Self { names, after }
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns true if a state of the record has the changes. The time of its last change may be different.
    pub fn are_in(&self, found: &Item) -> bool {
        self.names.iter().all(|name| *name == UPDATED_AT || found.get(*name) == self.after.get(*name))
    }

    /// Adds the changes to an update of the record, with the condition that the changed attributes still have the values
    /// of the item `read`. `#key` is the key attribute.
    pub fn write_to(&self, mut request: UpdateItemFluentBuilder, read: &Item) -> UpdateItemFluentBuilder {
        let (mut condition, mut set, mut remove) = (vec!["attribute_exists(#key)".to_owned()], Vec::new(), Vec::new());
        for (number, name) in self.names.iter().enumerate() {
            request = request.expression_attribute_names(format!("#{number}"), *name);
            match read.get(*name) {
                // A different time of the last change is not a conflict.
                _ if *name == UPDATED_AT => {}
                Some(old) => {
                    condition.push(format!("#{number} = :old{number}"));
                    request = request.expression_attribute_values(format!(":old{number}"), old.clone());
                }
                None => condition.push(format!("attribute_not_exists(#{number})")),
            }
            match self.after.get(*name) {
                Some(new) => {
                    set.push(format!("#{number} = :new{number}"));
                    request = request.expression_attribute_values(format!(":new{number}"), new.clone());
                }
                None => remove.push(format!("#{number}")),
            }
        }
        let clauses = [("SET", set), ("REMOVE", remove)];
        let clauses = clauses.iter().filter(|(_, parts)| !parts.is_empty());
        let update: Vec<_> = clauses.map(|(verb, parts)| format!("{verb} {}", parts.join(", "))).collect();
        request.condition_expression(condition.join(" AND ")).update_expression(update.join(" "))
    }
}
