//! Calls to DynamoDB. Every call goes through [`send`].

use std::error::Error;
use std::iter;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::{delete_item, get_item, put_item, scan, update_item};
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};

use super::StoreError;
use super::item::Item;
use crate::durations::{Measured, Work};

/// The reason why a call failed.
pub(super) enum Failure {
    /// The condition of the write is false. Contains the stored item, if there is one and the call requested it.
    Condition(Option<Item>),
    /// Any other error.
    Store(StoreError),
}

/// Converts the failure of a call without a condition.
impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Condition(_) => Self::Rejected { cause: "a condition failed that was not requested".to_owned() },
            Failure::Store(error) => error,
        }
    }
}

/// Sends a call.
///
/// A response of DynamoDB contains the consumed capacity, which every call requests. A response without it is an error:
/// an empty response, for example from a proxy, would otherwise mean "no such item" or "written".
pub(super) fn send<C: Call>(call: C) -> impl Future<Output = Result<C::Output, Failure>> + Send {
    // Boxed here, because the SDK's future has 5 KB, which would be moved with every future that contains it.
    let response = Box::pin(call.start());
    async move {
        let _measured = Measured::begin(Work::StoreCall);
        let output = response.await.map_err(|error| failure(C::NAME, &error))?;
        if C::consumed_capacity(&output).is_none() {
            let cause = format!("{}: the response does not contain the consumed capacity", C::NAME);
            return Err(Failure::Store(StoreError::Unavailable { cause }));
        }
        Ok(output)
    }
}

/// Returns true if the condition of a write was true, so that the write had an effect.
pub(super) fn condition_held<T>(result: Result<T, Failure>) -> Result<bool, StoreError> {
    match result {
        Ok(_) => Ok(true),
        Err(Failure::Condition(_)) => Ok(false),
        Err(Failure::Store(error)) => Err(error),
    }
}

/// Treats a failed condition as success: the write is not needed, or was done before.
pub(super) fn unless_condition_failed<T>(result: Result<T, Failure>) -> Result<(), StoreError> {
    condition_held(result).map(drop)
}

fn failure<E>(operation: &'static str, error: &SdkError<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let mut causes = iter::successors(error.source(), |cause| (*cause).source());
    match causes.find_map(|cause| cause.downcast_ref::<ConditionalCheckFailedException>()) {
        Some(failed) => Failure::Condition(failed.item.clone()),
        None => Failure::Store(StoreError::from_sdk(operation, error)),
    }
}

/// An operation of DynamoDB with its parameters.
pub(super) trait Call: Sized {
    /// The name of the operation.
    const NAME: &'static str;
    type Output: Send;
    type Error: ProvideErrorMetadata + Error + Send + Sync + 'static;

    /// Starts the operation, and requests the consumed capacity.
    fn start(self) -> impl Future<Output = Result<Self::Output, SdkError<Self::Error>>> + Send;

    /// Returns the consumed capacity that a response contains.
    fn consumed_capacity(output: &Self::Output) -> Option<&ConsumedCapacity>;
}

macro_rules! call {
    ($name:literal, $builder:ty, $output:ty, $error:ty) => {
        impl Call for $builder {
            const NAME: &'static str = $name;
            type Output = $output;
            type Error = $error;

            fn start(self) -> impl Future<Output = Result<$output, SdkError<$error>>> + Send {
                self.return_consumed_capacity(ReturnConsumedCapacity::Total).send()
            }

            fn consumed_capacity(output: &$output) -> Option<&ConsumedCapacity> {
                output.consumed_capacity()
            }
        }
    };
}

call!("GetItem", get_item::builders::GetItemFluentBuilder, get_item::GetItemOutput, get_item::GetItemError);
call!("PutItem", put_item::builders::PutItemFluentBuilder, put_item::PutItemOutput, put_item::PutItemError);
call!(
    "UpdateItem",
    update_item::builders::UpdateItemFluentBuilder,
    update_item::UpdateItemOutput,
    update_item::UpdateItemError
);
call!(
    "DeleteItem",
    delete_item::builders::DeleteItemFluentBuilder,
    delete_item::DeleteItemOutput,
    delete_item::DeleteItemError
);
call!("Scan", scan::builders::ScanFluentBuilder, scan::ScanOutput, scan::ScanError);
