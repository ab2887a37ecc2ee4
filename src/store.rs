//! The three tables. Every method is one atomic operation and one call to DynamoDB, except a scan.
//!
//! | table | key | record | file |
//! |---|---|---|---|
//! | clients | `client_id` | [`Client`](crate::client::Client) | `store/clients.rs` |
//! | clients | `§scopes` | [`ScopeTexts`](crate::scope::ScopeTexts) | `store/scope_texts.rs` |
//! | users | `username`, in its RFC 8265 form | [`User`](crate::user::User) | `store/users.rs` |
//! | grants | `id` = `refresh#` + family | [`Family`](crate::refresh_token::Family) | `store/refresh_families.rs` |
//! | grants | `id` = `revoked#` + hash | [`RevokedToken`](crate::revocation::RevokedToken) | `store/revoked_tokens.rs` |
//! | grants | `id` = `attempts#` + hash | [`Attempts`](crate::throttle::Attempts) | `store/attempts.rs` |
//! | grants | `id` = `assertion#` + hash | a client assertion that was used | `store/assertions.rs` |
//! | grants | `id` = `owner#` + user id | [`Owner`](crate::consent::Owner) | `store/owners.rs` |
//! | grants | `id` = `session#` + hash | [`Session`](crate::session::Session) | `store/sessions.rs` |
//!
//! | file | content |
//! |---|---|
//! | `store/item.rs` | the codec of items; `serde` attributes of a record decide its stored form |
//! | `store/call.rs` | the one function that calls DynamoDB |
//! | `store/administration.rs`, `store/changes.rs` | the writes of operators to clients and users |
//! | `store/error.rs` | the errors |
//!
//! Every read is strongly consistent. A record that is not valid is an error, never a default.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::call::{send, unless_condition_failed};
use self::item::{Item, Table, string};
use crate::config::Tables;

mod administration;
mod assertions;
mod attempts;
mod call;
mod changes;
mod clients;
mod error;
mod item;
mod owners;
mod refresh_families;
mod revoked_tokens;
mod scope_texts;
mod sessions;
mod users;

pub use administration::{Created, Record, Stored};
pub use attempts::Counted;
pub use error::StoreError;
pub use owners::ConsentKey;
pub use refresh_families::Rotation;

/// The tables of one deployment.
pub struct Store {
    dynamodb: Client,
    clients: Table,
    users: Table,
    grants: Table,
}

impl Store {
    /// Builds a client for these tables. Makes no call.
    pub fn new(sdk: &SdkConfig, tables: &Tables) -> Self {
        Self {
            dynamodb: Client::new(sdk),
            clients: Table { name: tables.clients.clone(), label: "clients", key: "client_id" },
            users: Table { name: tables.users.clone(), label: "users", key: "username" },
            grants: Table { name: tables.grants.clone(), label: "grants", key: "id" },
        }
    }

    /// Opens the connection, so that the first request does not wait for the handshake.
    ///
    /// # Errors
    /// [`StoreError`] if DynamoDB or the table of clients cannot be reached.
    pub async fn connect(&self) -> Result<(), StoreError> {
        self.read(&self.clients, "countersign-connects").await.map(|_| ())
    }

    /// Reads a record.
    async fn get<T: DeserializeOwned>(&self, table: &Table, key: &str) -> Result<Option<T>, StoreError> {
        self.read(table, key).await?.map(|item| table.decode(item)).transpose()
    }

    /// Reads an item with strong consistency.
    async fn read(&self, table: &Table, key: &str) -> Result<Option<Item>, StoreError> {
        let request = self.dynamodb.get_item().table_name(&table.name).key(table.key, string(key));
        Ok(send(request.consistent_read(true)).await?.item)
    }

    /// Stores a new item of the table `grants`, whose key is random.
    async fn put_new_grant(&self, key: &str, record: &impl Serialize) -> Result<(), StoreError> {
        let mut item = self.grants.encode(record)?;
        item.insert(self.grants.key.to_owned(), string(key));
        // An item with this key can only be the result of this write: its 128 bits are random. If the SDK sends the write
        // again because the response was lost, it must not undo later changes of the item.
        let request = self
            .dynamodb
            .put_item()
            .table_name(&self.grants.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(id)");
        unless_condition_failed(send(request).await)
    }

    /// Begins an update of an item.
    fn update(&self, table: &Table, key: &str) -> UpdateItemFluentBuilder {
        self.dynamodb.update_item().table_name(&table.name).key(table.key, string(key))
    }
}
