//! The form of records in DynamoDB: the name and the type of every attribute.

use countersign::client::Client;
use countersign::confirmation::Confirmation;
use countersign::refresh_token::{Authorization, Family, FamilyId};
use countersign::scope::{AllowedScopes, Scope};
use countersign::store::{Created, Record, StoreError};
use countersign::user::{User, Username};
use serde_json::{Value, json};

use testing::TestApp;

const HASH: &str = "$sha256$47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

fn client(json: Value) -> Client {
    serde_json::from_value(json).unwrap()
}

fn user(json: Value) -> User {
    serde_json::from_value(json).unwrap()
}

async fn create<R: Record>(test: &TestApp, record: &R) {
    assert!(matches!(test.app.store.create(record).await.unwrap(), Created::New));
}

#[tokio::test]
async fn a_client_is_stored_with_all_attributes_that_have_a_value() {
    let test = TestApp::start().await;
    let full = client(json!({
        "client_id": "full", "name": "", "enabled": true, "grant_types": ["password", "client_credentials"],
        "secrets": [{"id": "a", "hash": HASH, "created_at": 1, "expires_at": 2}, {"hash": HASH}],
        "scopes": ["b", "a:*"], "default_scopes": ["b", "a:1"], "audience": "https://api.example",
        "resources": ["https://b.example/*", "https://a.example"],
        "system": {"text": "", "none": null, "number": 1.5, "list": [], "set": ["a", "a"], "map": {"in": {}}},
        "access_token_ttl": 60, "refresh_token_ttl": 4_294_967_295_u32,
        "allowed_origins": ["https://b.example", "https://a.example"], "user_address": "source",
        "introspects": ["https://b.example/*", "a"], "first_party": true, "require_pkce": false,
        "dpop_bound_access_tokens": true, "tls_client_auth_subject_dn": "CN=a", "tls_client_auth_san_dns": "a.example",
        "tls_client_auth_san_uri": "spiffe://a.example/b", "tls_client_auth_issuer_dn": "CN=b",
        "revoked_serials": ["b", "a"],
        "redirect_uris": ["https://b.example/cb", "https://a.example/cb"],
        "post_logout_redirect_uris": ["https://a.example/bye"], "client_uri": "https://a.example", "policy_uri": "https://a.example/p", "tos_uri": "https://a.example/t",
        "created_at": 3, "updated_at": 4,
    }));
    create(&test, &full).await;
    let stored = json!({
        "client_id": {"S": "full"}, "name": {"S": ""}, "enabled": {"BOOL": true},
        "grant_types": {"SS": ["client_credentials", "password"]},
        "secrets": {"L": [
            {"M": {"id": {"S": "a"}, "hash": {"S": HASH}, "created_at": {"N": "1"}, "expires_at": {"N": "2"}}},
            {"M": {"hash": {"S": HASH}}},
        ]},
        "scopes": {"SS": ["a:*", "b"]}, "default_scopes": {"SS": ["a:1", "b"]},
        "audience": {"S": "https://api.example"}, "resources": {"SS": ["https://a.example", "https://b.example/*"]},
        "system": {"M": {
            "text": {"S": ""}, "none": {"NULL": true}, "number": {"N": "1.5"}, "list": {"L": []},
            "set": {"L": [{"S": "a"}, {"S": "a"}]}, "map": {"M": {"in": {"M": {}}}},
        }},
        "access_token_ttl": {"N": "60"}, "refresh_token_ttl": {"N": "4294967295"},
        "allowed_origins": {"SS": ["https://a.example", "https://b.example"]}, "user_address": {"S": "source"},
        "introspects": {"SS": ["a", "https://b.example/*"]}, "first_party": {"BOOL": true},
        "redirect_uris": {"SS": ["https://a.example/cb", "https://b.example/cb"]},
        "post_logout_redirect_uris": {"SS": ["https://a.example/bye"]}, "require_pkce": {"BOOL": false},
        "dpop_bound_access_tokens": {"BOOL": true}, "tls_client_auth_subject_dn": {"S": "CN=a"},
        "tls_client_auth_san_dns": {"S": "a.example"}, "tls_client_auth_san_uri": {"S": "spiffe://a.example/b"},
        "tls_client_auth_issuer_dn": {"S": "CN=b"}, "revoked_serials": {"SS": ["a", "b"]}, "client_uri": {"S": "https://a.example"},
        "policy_uri": {"S": "https://a.example/p"}, "tos_uri": {"S": "https://a.example/t"},
        "created_at": {"N": "3"}, "updated_at": {"N": "4"},
    });
    assert_eq!(test.cloud.item("ClientsTable", &json!({"client_id": "full"})).unwrap(), Some(stored));

    let public = client(json!({
        "client_id": "public", "enabled": true, "token_endpoint_auth_method": "none",
        "allowed_origins": ["https://a.example"], "refresh_token_cookie": true,
        "tls_client_certificate_bound_access_tokens": true,
    }));
    create(&test, &public).await;
    let stored = json!({
        "client_id": {"S": "public"}, "enabled": {"BOOL": true}, "token_endpoint_auth_method": {"S": "none"},
        "allowed_origins": {"SS": ["https://a.example"]}, "refresh_token_cookie": {"BOOL": true},
        "tls_client_certificate_bound_access_tokens": {"BOOL": true},
    });
    assert_eq!(test.cloud.item("ClientsTable", &json!({"client_id": "public"})).unwrap(), Some(stored));

    create(&test, &Client::new("bare".to_owned(), 5)).await;
    let stored = json!({
        "client_id": {"S": "bare"}, "enabled": {"BOOL": true}, "created_at": {"N": "5"}, "updated_at": {"N": "5"},
    });
    assert_eq!(test.cloud.item("ClientsTable", &json!({"client_id": "bare"})).unwrap(), Some(stored));
}

#[tokio::test]
async fn a_user_is_stored_with_all_attributes_that_have_a_value() {
    let test = TestApp::start().await;
    let full = user(json!({
        "username": "full", "user_id": "1", "password_hash": HASH, "scopes": ["b", "a:*"], "enabled": false,
        "dealer": {"none": null, "ids": [1, -2]}, "claims": {"email": "a@b.example", "email_verified": true, "updated_at": 7},
        "session_generation": 18_446_744_073_709_551_615_u64,
    }));
    create(&test, &full).await;
    let stored = json!({
        "username": {"S": "full"}, "user_id": {"S": "1"}, "password_hash": {"S": HASH},
        "scopes": {"SS": ["a:*", "b"]}, "enabled": {"BOOL": false},
        "dealer": {"M": {"none": {"NULL": true}, "ids": {"L": [{"N": "1"}, {"N": "-2"}]}}},
        "claims": {"M": {"email": {"S": "a@b.example"}, "email_verified": {"BOOL": true}, "updated_at": {"N": "7"}}},
        "session_generation": {"N": "18446744073709551615"},
    });
    assert_eq!(test.cloud.item("UsersTable", &json!({"username": "full"})).unwrap(), Some(stored));

    create(&test, &user(json!({"username": "bare", "user_id": "2", "enabled": true}))).await;
    let stored = json!({"username": {"S": "bare"}, "user_id": {"S": "2"}, "enabled": {"BOOL": true}});
    assert_eq!(test.cloud.item("UsersTable", &json!({"username": "bare"})).unwrap(), Some(stored));
}

/// Absent scopes mean all scopes of the client, so a user without any scope must not be stored without the attribute.
#[tokio::test]
async fn a_user_with_an_empty_set_of_scopes_is_not_stored() {
    let test = TestApp::start().await;
    let none = user(json!({"username": "none", "user_id": "1", "scopes": [], "enabled": true}));
    assert_eq!(none.scopes, Some(AllowedScopes::default()));
    let created = test.app.store.create(&none).await;
    assert!(
        matches!(&created, Err(StoreError::Malformed { table: "users", problem }) if problem == "scopes"),
        "{:?}",
        created.err()
    );
    assert_eq!(test.cloud.item("UsersTable", &json!({"username": "none"})).unwrap(), None);
}

/// The service would reject the record.
#[tokio::test]
async fn a_client_whose_attributes_do_not_fit_each_other_is_not_stored() {
    let test = TestApp::start().await;
    let is_of_cookie = |problem: &str| problem.starts_with("refresh_token_cookie: ");
    let is_rejected =
        |error| matches!(error, StoreError::Malformed { table: "clients", problem } if is_of_cookie(&problem));
    let mut record = client(json!({"client_id": "c", "enabled": true, "refresh_token_cookie": true}));
    assert!(test.app.store.create(&record).await.is_err_and(is_rejected));
    record.refresh_token_cookie = false;
    create(&test, &record).await;
    let before = test.cloud.item("ClientsTable", &json!({"client_id": "c"})).unwrap();
    let mut stored = test.app.store.stored::<Client>("c").await.unwrap().unwrap();
    stored.record.refresh_token_cookie = true;
    assert!(test.app.store.replace(&stored).await.is_err_and(is_rejected));
    assert_eq!(test.cloud.item("ClientsTable", &json!({"client_id": "c"})).unwrap(), before);
}

#[tokio::test]
async fn a_family_is_stored_under_its_id() {
    let test = TestApp::start().await;
    let id = FamilyId::generate();
    let mut family = Family {
        client_id: "c".to_owned(),
        username: Username::parse("u").unwrap(),
        user_id: "1".to_owned(),
        session_generation: Some(0),
        scopes: Scope::parse("b a").unwrap(),
        version: 2,
        auth_time: 3,
        generation: 0,
        rotated_at: 4,
        rotated_by: "r".to_owned(),
        revoked: false,
        absolute_expires_at: 6,
        expires_at: 5,
        resource: None,
        cnf: None,
        authorization: None,
    };
    let mut stored = json!({
        "id": {"S": format!("refresh#{id}")}, "client_id": {"S": "c"}, "username": {"S": "u"}, "user_id": {"S": "1"},
        "session_generation": {"N": "0"}, "scopes": {"SS": ["a", "b"]}, "version": {"N": "2"}, "auth_time": {"N": "3"},
        "generation": {"N": "0"}, "rotated_at": {"N": "4"}, "rotated_by": {"S": "r"}, "revoked": {"BOOL": false},
        "absolute_expires_at": {"N": "6"}, "expires_at": {"N": "5"},
    });
    let item = |id: FamilyId| test.cloud.item("GrantsTable", &json!({"id": format!("refresh#{id}")})).unwrap().unwrap();
    test.app.store.begin_refresh_family(id, &family).await.unwrap();
    assert_eq!(item(id), stored);

    let id = FamilyId::generate();
    family.resource = Some("https://a.example".to_owned());
    family.authorization = Some(Box::new(Authorization {
        redirect_uri: "https://app.example/cb".to_owned(),
        code_challenge: None,
        nonce: Some("n".to_owned()),
        consent: "c".to_owned(),
        session: "session#s".to_owned(),
    }));
    test.app.store.begin_refresh_family(id, &family).await.unwrap();
    let authorization = json!({"redirect_uri": {"S": "https://app.example/cb"}, "nonce": {"S": "n"},
        "consent": {"S": "c"}, "session": {"S": "session#s"}});
    assert_eq!(item(id)["authorization"], json!({"M": authorization}));
    assert_eq!(item(id)["resource"], json!({"S": "https://a.example"}));
    let read = test.app.store.refresh_family(id).await.unwrap().unwrap();
    assert_eq!((&read.authorization, &read.resource), (&family.authorization, &family.resource));

    let id = FamilyId::generate();
    family.cnf = Some(Confirmation::Jkt("t".to_owned()));
    test.app.store.begin_refresh_family(id, &family).await.unwrap();
    assert_eq!(item(id)["cnf"], json!({"M": {"jkt": {"S": "t"}}}));
    assert_eq!(test.app.store.refresh_family(id).await.unwrap().unwrap().cnf, family.cnf);

    let id = FamilyId::generate();
    family.cnf = None;
    family.authorization = None;
    family.resource = None;
    family.session_generation = None;
    test.app.store.begin_refresh_family(id, &family).await.unwrap();
    stored.as_object_mut().unwrap().remove("session_generation");
    stored["id"]["S"] = json!(format!("refresh#{id}"));
    assert_eq!(item(id), stored);
}

#[tokio::test]
async fn the_order_of_scopes_is_not_a_change() {
    let test = TestApp::start().await;
    let mut new = client(json!({"client_id": "new", "scopes": ["a", "b"], "enabled": true}));
    new.default_scopes = Some(Scope::parse("b a").unwrap());
    create(&test, &new).await;
    let mut stored = test.app.store.stored::<Client>("new").await.unwrap().unwrap();
    stored.record.default_scopes = new.default_scopes.clone();
    assert!(!test.app.store.replace(&stored).await.unwrap());
    stored.record.default_scopes = Some(Scope::parse("b").unwrap());
    assert!(test.app.store.replace(&stored).await.unwrap());
}
