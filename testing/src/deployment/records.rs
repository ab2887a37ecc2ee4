//! Access to the stored records of a deployment.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::password_hash::hash_client_secret;
use countersign::refresh_token::RefreshToken;
use serde_json::{Value, json};

use super::{FIXTURES, IMPORTED_USER, OTHER_APPLICATION, TestApp, USERNAME};
use crate::with_changes;

impl TestApp {
    /// Returns the number of users in the fixtures.
    pub fn user_count() -> usize {
        FIXTURES.1.len()
    }

    /// Stores a fixture with changed attributes; `null` removes an attribute. Earlier changes of the record are lost.
    fn change_record(&self, table: &str, key: &Value, changes: &Value) {
        let fixtures = match table {
            "ClientsTable" => &FIXTURES.0,
            _ => &FIXTURES.1,
        };
        let (name, value) = key.as_object().unwrap().iter().next().unwrap();
        let item = fixtures.iter().find(|item| item[name] == *value).unwrap().clone();
        self.cloud.put(table, &with_changes(item, changes)).unwrap();
    }

    /// Stores a client of the fixtures with changed attributes.
    pub fn change_client(&self, client_id: &str, changes: &Value) {
        self.change_record("ClientsTable", &json!({"client_id": client_id}), changes);
    }

    /// Stores the user [`USERNAME`] with changed attributes.
    pub fn change_user(&self, changes: &Value) {
        self.change_record("UsersTable", &json!({"username": USERNAME}), changes);
    }

    /// Stores the user [`IMPORTED_USER`] with changed attributes.
    pub fn change_imported_user(&self, changes: &Value) {
        self.change_record("UsersTable", &json!({"username": IMPORTED_USER.0}), changes);
    }

    /// Sets another password for the imported user, like `countersign user set-password`. Returns the hash.
    pub fn set_imported_users_password(&self, password: &str) -> String {
        let hash = self.app.hasher.hash(password).unwrap().as_str().to_owned();
        self.change_imported_user(&json!({"password_hash": hash}));
        hash
    }

    /// Returns the stored password hash of a user.
    pub fn password_hash_of(&self, username: &str) -> String {
        let user = self.cloud.item("UsersTable", &json!({"username": username})).unwrap().unwrap();
        user["password_hash"]["S"].as_str().unwrap().to_owned()
    }

    /// Stores the client [`OTHER_APPLICATION`].
    pub fn put_other_application(&self) {
        let hash = hash_client_secret(OTHER_APPLICATION.1);
        let client = json!({
            "client_id": OTHER_APPLICATION.0, "enabled": true, "grant_types": ["password", "refresh_token"],
            "scopes": ["legacy:*"], "secrets": [{"id": "1", "hash": hash, "created_at": 1}],
        });
        self.cloud.put("ClientsTable", &client).unwrap();
    }

    /// Returns the items of a table, in the JSON of DynamoDB.
    pub fn items(&self, table: &str) -> Vec<Value> {
        let scan = serde_json::from_value(json!({"TableName": table})).unwrap();
        let found = serde_json::to_value(self.cloud.database.scan(scan).unwrap()).unwrap();
        found["Items"].as_array().unwrap().clone()
    }

    /// Stores an earlier copy of an item, in the JSON of DynamoDB.
    pub fn restore_item(&self, table: &str, item: &Value) {
        let request = json!({"TableName": table, "Item": item});
        self.cloud.database.put_item(serde_json::from_value(request).unwrap()).unwrap();
    }

    /// Deletes an item, like DynamoDB's TTL. The key is in the JSON of DynamoDB.
    pub fn delete_item(&self, table: &str, key: &Value) {
        let request = json!({"TableName": table, "Key": key});
        self.cloud.database.delete_item(serde_json::from_value(request).unwrap()).unwrap();
    }

    /// Returns the stored family of a refresh token, in the JSON of DynamoDB.
    pub fn family(&self, refresh_token: &str) -> Value {
        self.find_family(refresh_token).unwrap()
    }

    /// Returns the stored family of a refresh token, if there is one.
    pub fn find_family(&self, refresh_token: &str) -> Option<Value> {
        let bytes = URL_SAFE_NO_PAD.decode(refresh_token.strip_prefix("cs_rt_").unwrap()).unwrap();
        self.find_family_by_id(&bytes[1..17])
    }

    /// Returns the stored family with this id, if there is one.
    pub fn find_family_by_id(&self, id: &[u8]) -> Option<Value> {
        let id = format!("refresh#{}", URL_SAFE_NO_PAD.encode(id));
        self.cloud.item("GrantsTable", &json!({"id": id})).unwrap()
    }

    /// Returns the stored family that the `jti` of a user's access token names.
    pub fn family_of_access_token(&self, jti: &str) -> Value {
        self.find_family_by_id(&URL_SAFE_NO_PAD.decode(jti).unwrap()[..16]).unwrap()
    }

    /// Returns the stored family of a refresh token as plain JSON, which [`Cloud::put`](crate::Cloud::put) takes.
    pub fn plain_family(&self, refresh_token: &str) -> Value {
        let family = self.family(refresh_token);
        let plain = family.as_object().unwrap().iter().map(|(name, typed)| {
            let (kind, value) = typed.as_object().unwrap().iter().next().unwrap();
            let number = || value.as_str().unwrap().parse::<u64>().unwrap().into();
            (name.clone(), if kind == "N" { number() } else { value.clone() })
        });
        Value::Object(plain.collect())
    }

    /// Returns the active generation in the family of a refresh token, or `None` if the family is revoked.
    pub fn active_generation(&self, refresh_token: &str) -> Option<u32> {
        active_generation(&self.family(refresh_token))
    }

    /// Returns the active generation of each family that is not revoked.
    pub fn active_generations(&self) -> Vec<u32> {
        self.families().iter().filter_map(active_generation).collect()
    }

    /// Returns the families, in the JSON of DynamoDB.
    pub fn families(&self) -> Vec<Value> {
        let is_family = |item: &Value| item["id"]["S"].as_str().unwrap().starts_with("refresh#");
        self.items("GrantsTable").into_iter().filter(is_family).collect()
    }

    /// Sets `revoked` in all families.
    pub fn revoke_all(&self) {
        for mut family in self.families() {
            family["revoked"]["BOOL"] = json!(true);
            self.restore_item("GrantsTable", &family);
        }
    }

    /// Returns the parts of a refresh token.
    pub async fn parse_refresh_token(&self, refresh_token: &str) -> RefreshToken {
        let keys = self.app.keyring.current().await.unwrap();
        RefreshToken::read(&keys.refresh_token_keys, refresh_token).unwrap()
    }
}

/// Returns the active generation of a stored family, or `None` if the family is revoked.
pub(crate) fn active_generation(family: &Value) -> Option<u32> {
    let generation = family["generation"]["N"].as_str().unwrap().parse().unwrap();
    (family["revoked"]["BOOL"] == false).then_some(generation)
}
