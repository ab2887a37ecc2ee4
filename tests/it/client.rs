//! The record of a client, and the rules for its attributes.

use std::collections::BTreeSet;

use countersign::client::{ATTRIBUTES, Client, ClientMetadata, GrantType};
use serde_json::{Value, json};

use testing::{CLIENT_CREDENTIALS, SERVICE, TestApp, form};

fn metadata(attributes: &Value) -> Result<ClientMetadata, serde_json::Error> {
    serde_json::from_value(attributes.clone())
}

/// A client with a value for every attribute.
fn full() -> Value {
    json!({
        "name": "Full", "enabled": false, "grant_types": ["client_credentials", "password"], "scopes": ["a:*", "b"],
        "default_scopes": ["a:1", "b"], "audience": "https://api.example", "access_token_ttl": 60,
        "refresh_token_ttl": 120, "allowed_origins": ["https://a.example"], "system": {"id": 7, "none": null},
    })
}

#[test]
fn the_list_of_attributes_is_complete() {
    let mut client = Client::new("full".to_owned(), 1);
    metadata(&full()).unwrap().write_to(&mut client, 2).unwrap();
    client.secrets = vec![countersign::client::Secret::generate(1).unwrap().1];
    let value = json!(client);
    let members: BTreeSet<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let others = ["client_id", "secrets", "created_at", "updated_at"];
    assert_eq!(members, ATTRIBUTES.iter().map(|attribute| attribute.name).chain(others).collect());
}

#[test]
fn metadata_is_written_to_the_client_and_read_back() {
    let mut client = Client::new("full".to_owned(), 1);
    client.secrets = vec![countersign::client::Secret::generate(1).unwrap().1];
    metadata(&full()).unwrap().write_to(&mut client, 2).unwrap();
    assert_eq!(Value::Object(ClientMetadata::of(&client).attributes()), full());
    assert_eq!((client.secrets.len(), client.created_at, client.updated_at), (1, Some(1), Some(2)));
    assert_eq!(client.grant_types, [GrantType::ClientCredentials, GrantType::Password].into());

    // An absent attribute is removed, except `enabled`.
    metadata(&json!({"audience": null, "default_scopes": []})).unwrap().write_to(&mut client, 3).unwrap();
    let bare = json!({"enabled": false, "grant_types": [], "scopes": []});
    assert_eq!(Value::Object(ClientMetadata::of(&client).attributes()), bare);
}

#[test]
fn an_attribute_that_is_not_valid_is_named() {
    for (attributes, attribute, message) in [
        (json!({"name": ""}), "name", "the name is empty or has control characters"),
        (json!({"audience": "a\nb"}), "audience", "the audience is empty or has control characters"),
        (
            json!({"grant_types": ["implicit"]}),
            "grant_types",
            "the grant type \"implicit\" is not supported; supported are client_credentials, password, refresh_token",
        ),
        (json!({"scopes": ["a b"]}), "scopes", "the scope \"a b\" contains a space; list each scope separately"),
        (
            json!({"scopes": ["a*b"]}),
            "scopes",
            "the scope \"a*b\" has a * in the wrong place; only an allowed scope may end in *",
        ),
        (
            json!({"scopes": ["a:*"], "default_scopes": ["a:*"]}),
            "default_scopes",
            "the scope \"a:*\" has a * in the wrong place; only an allowed scope may end in *",
        ),
        (
            json!({"scopes": ["a"], "default_scopes": ["b"]}),
            "default_scopes",
            "the default scope \"b\" is not among the scopes; add it to the scopes, or remove it",
        ),
        (json!({"access_token_ttl": 0}), "access_token_ttl", "the access_token_ttl is 0; write at least 1 second"),
        (json!({"refresh_token_ttl": 0}), "refresh_token_ttl", "the refresh_token_ttl is 0; write at least 1 second"),
        (
            json!({"access_token_ttl": 604_801}),
            "access_token_ttl",
            "the access_token_ttl is above the maximum of 7 days (604800 seconds)",
        ),
        (
            json!({"allowed_origins": ["https://a.example/"]}),
            "allowed_origins",
            "the origin \"https://a.example/\" is not one that a browser sends: write https://host[:port], or http:// \
             with localhost or 127.0.0.1, in lower case, without a default port, a path, a final slash or a wildcard",
        ),
    ] {
        let mut client = Client::new("one".to_owned(), 1);
        client.name = Some("before".to_owned());
        let before = json!(client);
        let error = metadata(&attributes).unwrap().write_to(&mut client, 2).unwrap_err();
        assert_eq!((error.attribute.as_str(), error.to_string().as_str()), (attribute, message));
        assert_eq!(json!(client), before, "{attribute}");
    }
}

#[test]
fn metadata_has_the_known_attributes_in_their_form() {
    for (attributes, message) in [
        (json!({"secret": "x"}), "unknown field `secret`, expected one of `name`"),
        (json!({"client_id": "x"}), "unknown field `client_id`"),
        (json!({"name": 7}), "invalid type"),
        (json!({"scopes": "a b"}), "invalid type"),
        (json!({"access_token_ttl": -1}), "invalid value"),
        (json!({"access_token_ttl": 1.5}), "invalid type"),
        (json!({"enabled": "true"}), "invalid type"),
        (json!({"system": [1]}), "invalid type"),
        (json!("text"), "invalid type"),
    ] {
        let error = metadata(&attributes).unwrap_err().to_string();
        assert!(error.starts_with(message), "{attributes}: {error}");
    }
}

/// A later version may have stored grant types that this one does not know.
#[tokio::test]
async fn an_unknown_grant_type_in_a_record_is_ignored_and_kept() {
    let test = TestApp::start().await;
    test.change_client(SERVICE.0, &json!({"grant_types": ["client_credentials", "urn:later", "Password"]}));
    test.form(SERVICE, &CLIENT_CREDENTIALS).await.assert_issued(2);
    let password = form(&[("grant_type", "password"), ("username", "a"), ("password", "b")]);
    test.send(password.basic(SERVICE.0, SERVICE.1).post()).await.assert_error(400, "unauthorized_client");

    let mut stored = test.app.store.stored::<Client>(SERVICE.0).await.unwrap().unwrap();
    assert_eq!(stored.record.grant_types, [GrantType::ClientCredentials].into());
    stored.record.name = Some("Renamed".to_owned());
    assert!(test.app.store.replace(&stored).await.unwrap());
    let item = test.cloud.item("ClientsTable", &json!({"client_id": SERVICE.0})).unwrap().unwrap();
    assert_eq!(item["name"]["S"], "Renamed");
    assert_eq!(item["grant_types"]["SS"], json!(["Password", "client_credentials", "urn:later"]));
}
