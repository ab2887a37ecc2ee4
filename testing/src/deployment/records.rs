//! The records of a deployment: reading and changing what is stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::refresh_token::RefreshToken;
use serde_json::{Value, json};

use super::{FIXTURES, OLD, OTHER, TestApp, USERNAME};

impl TestApp {
    /// The number of users in the fixtures.
    pub fn users() -> usize {
        FIXTURES.1.len()
    }

    /// Changes attributes of a stored item; `null` takes one away.
    pub fn change(&self, table: &str, key: &Value, changes: &Value) {
        let stored = match table {
            "ClientsTable" => &FIXTURES.0,
            _ => &FIXTURES.1,
        };
        let (name, value) = key.as_object().unwrap().iter().next().unwrap();
        let mut item = stored.iter().find(|item| item[name] == *value).unwrap().as_object().unwrap().clone();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => item.remove(name),
                value => item.insert(name.clone(), value.clone()),
            };
        }
        self.cloud.put(table, &Value::Object(item)).unwrap();
    }

    pub fn change_client(&self, client_id: &str, changes: &Value) {
        self.change("ClientsTable", &json!({"client_id": client_id}), changes);
    }

    pub fn change_user(&self, changes: &Value) {
        self.change("UsersTable", &json!({"username": USERNAME}), changes);
    }

    /// The stored state of the family that a refresh token belongs to, as DynamoDB writes it.
    pub fn family(&self, refresh_token: &str) -> Value {
        self.find_family(refresh_token).unwrap()
    }

    /// The same, if the store has it.
    pub fn find_family(&self, refresh_token: &str) -> Option<Value> {
        let bytes = URL_SAFE_NO_PAD.decode(refresh_token.strip_prefix("cs_rt_").unwrap()).unwrap();
        self.find_family_by_id(&bytes[1..17])
    }

    /// The stored state of the family with this id, if the store has it.
    pub fn find_family_by_id(&self, id: &[u8]) -> Option<Value> {
        let id = format!("refresh#{}", URL_SAFE_NO_PAD.encode(id));
        self.cloud.item("GrantsTable", &json!({"id": id})).unwrap()
    }

    /// Puts an item, as DynamoDB writes it, into a table: the table is rolled back to an earlier state.
    pub fn put_back(&self, table: &str, item: &Value) {
        let request = json!({"TableName": table, "Item": item});
        self.cloud.database.put_item(serde_json::from_value(request).unwrap()).unwrap();
    }

    pub fn put_other_application(&self) {
        let hash = countersign::password_hash::hash_client_secret(OTHER.1);
        let other = json!({
            "client_id": OTHER.0, "enabled": true, "grant_types": ["password", "refresh_token"], "scopes": ["legacy:*"],
            "secrets": [{"id": "1", "hash": hash, "created_at": 1}],
        });
        self.cloud.put("ClientsTable", &other).unwrap();
    }

    pub async fn decoded(&self, refresh_token: &str) -> RefreshToken {
        let keys = self.app.keyring.current().await.unwrap();
        RefreshToken::read(&keys.refresh_token_keys, refresh_token).unwrap()
    }

    /// The stored state of a family, as `Cloud::put` takes it.
    pub fn stored_family(&self, refresh_token: &str) -> Value {
        let family = self.family(refresh_token);
        let plain = family.as_object().unwrap().iter().map(|(name, typed)| {
            let (kind, value) = typed.as_object().unwrap().iter().next().unwrap();
            let number = || value.as_str().unwrap().parse::<u64>().unwrap().into();
            (name.clone(), if kind == "N" { number() } else { value.clone() })
        });
        Value::Object(plain.collect())
    }

    /// The family that the `jti` of a user's access token names.
    pub fn family_of_access_token(&self, jti: &str) -> Value {
        let bytes = URL_SAFE_NO_PAD.decode(jti).unwrap();
        let id = format!("refresh#{}", URL_SAFE_NO_PAD.encode(&bytes[..16]));
        self.cloud.item("GrantsTable", &json!({"id": id})).unwrap().unwrap()
    }

    /// The generation that is live, or nothing if the family has ended.
    pub fn live_generation(&self, refresh_token: &str) -> Option<u32> {
        let family = self.family(refresh_token);
        let generation = family["generation"]["N"].as_str().unwrap().parse().unwrap();
        (family["revoked"]["BOOL"] == false).then_some(generation)
    }

    /// The items of a table, as DynamoDB writes them.
    pub fn items(&self, table: &str) -> Vec<Value> {
        let scan = serde_json::from_value(json!({"TableName": table})).unwrap();
        let found = serde_json::to_value(self.cloud.database.scan(scan).unwrap()).unwrap();
        found["Items"].as_array().unwrap().clone()
    }

    /// Revokes all families as an operator would who writes to the table.
    pub fn revoke_all(&self) {
        for mut family in self.items("GrantsTable") {
            family["revoked"]["BOOL"] = json!(true);
            self.put_back("GrantsTable", &family);
        }
    }

    pub fn hash_of(&self, username: &str) -> String {
        let user = self.cloud.item("UsersTable", &json!({"username": username})).unwrap().unwrap();
        user["password_hash"]["S"].as_str().unwrap().to_owned()
    }

    /// Gives the user of the imported hash another password, as an operator does.
    pub fn set_old_users_password(&self, password: &str) -> String {
        let hash = self.app.hasher.hash(password).unwrap().as_str().to_owned();
        self.change("UsersTable", &json!({"username": OLD.0}), &json!({"password_hash": hash}));
        hash
    }
}
