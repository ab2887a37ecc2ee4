//! Client assertions that were used, in the table `grants`.

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use super::call::{Failure, send};
use super::item::{number, string};
use super::{Store, StoreError};
use crate::random::random_id;

impl Store {
    /// Stores that an assertion was used. `id` is the hash of the client and the `jti`. Returns false if it was used
    /// before, and that use has not expired at `now`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn use_assertion(&self, id: &str, expires_at: u64, now: u64) -> Result<bool, StoreError> {
        let by = string(random_id());
        let put = self.dynamodb.put_item().table_name(&self.grants.name);
        let request = put
            .item(self.grants.key, string(format!("assertion#{id}")))
            .item("by", by.clone())
            .item("expires_at", number(expires_at))
            .condition_expression("attribute_not_exists(id) OR expires_at <= :now")
            .expression_attribute_values(":now", number(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match send(request).await {
            Ok(_) => Ok(true),
            // `by` is ours if the SDK sent this write again because the response was lost.
            Err(Failure::Condition(found)) => Ok(found.is_some_and(|item| item.get("by") == Some(&by))),
            Err(Failure::Store(error)) => Err(error),
        }
    }
}
