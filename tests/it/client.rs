//! The record of a client, and the rules for its attributes.

use std::collections::BTreeSet;

use countersign::client::{ATTRIBUTES, Audiences, Client, ClientMetadata, GrantType, HttpsUrl, Secret};
use serde_json::{Value, json};

use testing::{CLIENT_CREDENTIALS, SERVICE, TestApp, form};

fn metadata(attributes: &Value) -> Result<ClientMetadata, serde_json::Error> {
    serde_json::from_value(attributes.clone())
}

/// A client with a value for every attribute that a client with secrets can have.
fn full() -> Value {
    json!({
        "name": "Full", "enabled": false,
        "federated": [
            {"issuer": "https://a.example", "subject": "b", "claims": {"c": {"d": 7}}, "max_age": 60},
            {"issuer": "https://a.example", "subject": "c", "audience": "https://d.example"},
        ], "grant_types": ["client_credentials", "password"], "scopes": ["a:*", "b"],
        "default_scopes": ["a:1", "b"], "audience": "https://api.example", "resources": ["https://b.example/*"], "access_token_ttl": 60,
        "refresh_token_ttl": 120, "allowed_origins": ["https://a.example"],
        "user_address": "forwarded", "introspects": ["https://a.example/*"], "first_party": true, "require_pkce": false,
        "tls_client_certificate_bound_access_tokens": true, "legacy_audience": true,
        "tls_client_auth_subject_dn": "CN=a", "tls_client_auth_san_dns": "a.example",
        "tls_client_auth_san_uri": "spiffe://a.example/b", "tls_client_auth_issuer_dn": "CN=b",
        "redirect_uris": ["com.example.app:/cb", "https://a.example/cb"],
        "post_logout_redirect_uris": ["https://a.example/bye"],
        "client_uri": "https://a.example", "policy_uri": "https://a.example/privacy",
        "tos_uri": "https://a.example/terms?of=use", "system": {"id": 7, "none": null},
    })
}

/// A client with the attributes of a public client.
fn public() -> Value {
    json!({
        "enabled": true, "token_endpoint_auth_method": "none", "grant_types": [], "scopes": [],
        "allowed_origins": ["https://a.example"], "refresh_token_cookie": true, "dpop_bound_access_tokens": true,
    })
}

#[test]
fn the_list_of_attributes_is_complete() {
    let mut members = BTreeSet::new();
    for attributes in [full(), public()] {
        let mut client = Client::new("full".to_owned(), 1);
        metadata(&attributes).unwrap().write_to(&mut client, 2).unwrap();
        client.secrets = vec![Secret::generate(1).unwrap().1];
        client.revoked_serials.insert("abc".to_owned()).unwrap();
        members.extend(json!(client).as_object().unwrap().keys().cloned());
    }
    let others = ["client_id", "secrets", "revoked_serials", "created_at", "updated_at"];
    let names = ATTRIBUTES.iter().map(|attribute| attribute.name).chain(others);
    assert_eq!(members, names.map(ToOwned::to_owned).collect());
}

#[test]
fn metadata_is_written_to_the_client_and_read_back() {
    let mut client = Client::new("full".to_owned(), 1);
    client.secrets = vec![Secret::generate(1).unwrap().1];
    client.revoked_serials.insert("abc".to_owned()).unwrap();
    metadata(&full()).unwrap().write_to(&mut client, 2).unwrap();
    assert_eq!(Value::Object(ClientMetadata::of(&client).attributes()), full());
    assert!(client.revoked_serials.contains("abc"), "a file does not make a revoked certificate valid");
    assert_eq!((client.secrets.len(), client.created_at, client.updated_at), (1, Some(1), Some(2)));
    assert_eq!(client.grant_types, [GrantType::ClientCredentials, GrantType::Password].into());

    // An absent attribute is removed, except `enabled`.
    metadata(&json!({"audience": null, "default_scopes": []})).unwrap().write_to(&mut client, 3).unwrap();
    let bare = json!({"enabled": false, "grant_types": [], "scopes": []});
    assert_eq!(Value::Object(ClientMetadata::of(&client).attributes()), bare);

    let mut client = Client::new("full".to_owned(), 1);
    metadata(&public()).unwrap().write_to(&mut client, 2).unwrap();
    assert_eq!(Value::Object(ClientMetadata::of(&client).attributes()), public());
}

/// A file may contain the value that an absent attribute has.
#[test]
fn a_value_that_means_the_same_as_an_absent_one_is_not_written() {
    let mut client = Client::new("one".to_owned(), 1);
    let defaults =
        json!({"first_party": false, "refresh_token_cookie": false, "require_pkce": true, "introspects": []});
    metadata(&defaults).unwrap().write_to(&mut client, 2).unwrap();
    let bare = json!({"enabled": true, "grant_types": [], "scopes": []});
    assert_eq!(Value::Object(ClientMetadata::of(&client).attributes()), bare);
    assert_eq!(Value::Object(metadata(&defaults).unwrap().attributes()), json!({"grant_types": [], "scopes": []}));
}

#[test]
fn attributes_that_do_not_fit_each_other_are_rejected() {
    for (id, changes, attribute) in [
        ("a", json!({"token_endpoint_auth_method": null}), "refresh_token_cookie"),
        ("a", json!({"allowed_origins": []}), "refresh_token_cookie"),
        ("a.b", json!({}), "refresh_token_cookie"),
        (&"a".repeat(65), json!({}), "refresh_token_cookie"),
        ("a", json!({"require_pkce": false}), "require_pkce"),
        ("a", json!({"tls_client_auth_san_dns": "a.example"}), "token_endpoint_auth_method"),
        (
            "a",
            json!({"tls_client_certificate_bound_access_tokens": true}),
            "tls_client_certificate_bound_access_tokens",
        ),
    ] {
        let mut attributes = public();
        attributes.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let error = metadata(&attributes).unwrap().write_to(&mut Client::new(id.to_owned(), 1), 2).unwrap_err();
        assert_eq!(error.attribute, attribute, "{id} {changes}");
    }
    metadata(&public()).unwrap().write_to(&mut Client::new("a".repeat(64), 1), 2).unwrap();

    let mut with_secret = Client::new("a".to_owned(), 1);
    with_secret.secrets = vec![Secret::generate(1).unwrap().1];
    let error = metadata(&json!({"token_endpoint_auth_method": "none"})).unwrap().write_to(&mut with_secret, 2);
    assert_eq!(error.unwrap_err().attribute, "secrets");
    assert_eq!((with_secret.secrets.len(), with_secret.is_public()), (1, false));
}

#[test]
fn a_public_client_may_use_only_grants_that_need_no_credential() {
    let grant_types = GrantType::ALL.map(GrantType::as_str);
    let may_use = |attributes: &Value| {
        let mut client = Client::new("one".to_owned(), 1);
        metadata(attributes).unwrap().write_to(&mut client, 2).unwrap();
        GrantType::ALL.into_iter().filter(|grant_type| client.may_use(*grant_type)).map(GrantType::as_str).collect()
    };
    let names: Vec<_> = may_use(&json!({"grant_types": grant_types}));
    assert_eq!(names, grant_types);
    let public = json!({"grant_types": grant_types, "token_endpoint_auth_method": "none"});
    let names: Vec<_> = may_use(&public);
    assert_eq!(names, ["authorization_code", "refresh_token"]);
    let mut with_cookie = public;
    with_cookie["allowed_origins"] = json!(["https://a.example"]);
    with_cookie["refresh_token_cookie"] = json!(true);
    let names: Vec<_> = may_use(&with_cookie);
    assert_eq!(names, ["authorization_code", "password", "refresh_token"]);
    with_cookie["grant_types"] = json!([]);
    let names: Vec<_> = may_use(&with_cookie);
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn audiences_are_covered_exactly_or_by_a_prefix() {
    let audiences = |list: &[&str]| {
        Audiences::try_from(list.iter().map(|audience| (*audience).to_owned()).collect::<BTreeSet<_>>())
    };
    let covered = audiences(&["https://a.example", "https://b.example/*"]).unwrap();
    for (audience, is_covered) in [
        ("https://a.example", true),
        ("https://a.example/", false),
        ("https://A.example", false),
        ("https://b.example/x", true),
        ("https://b.example/", false),
        ("https://b.example", false),
        ("*", false),
        ("", false),
    ] {
        assert_eq!(covered.cover(audience), is_covered, "{audience:?}");
    }
    assert!(audiences(&["*"]).unwrap().cover("anything"));
    assert!(!Audiences::default().cover("") && !Audiences::default().cover("a"));
    for bad in ["", "a*b", "**", "a\nb"] {
        assert!(audiences(&[bad]).is_err(), "{bad:?}");
    }
}

#[test]
fn links_are_https_urls() {
    for (url, is_valid) in [
        ("https://a.example", true),
        ("https://a.example:8443/terms?x=%20#y", true),
        ("http://a.example", false),
        ("HTTPS://a.example", false),
        ("https://", false),
        ("https://user@a.example", false),
        ("https://user:password@a.example", false),
        ("https://a.example/\"onclick", false),
        ("https://a.example/<b>", false),
        ("https://a.example\\@b.example", false),
        ("https://a.example/a b", false),
        ("https://\u{e4}.example", false),
        ("javascript:alert(1)", false),
        (&format!("https://a.example/{}", "a".repeat(2_030)), true),
        (&format!("https://a.example/{}", "a".repeat(2_031)), false),
    ] {
        assert_eq!(HttpsUrl::try_from(url.to_owned()).is_ok(), is_valid, "{url}");
    }
}

#[test]
fn an_attribute_that_is_not_valid_is_named() {
    for (attributes, attribute, message) in [
        (json!({"audience": "a\nb"}), "audience", "the audience is empty or has control characters"),
        (
            json!({"grant_types": ["implicit"]}),
            "grant_types",
            "the grant type \"implicit\" is not supported; supported are authorization_code, client_credentials, password, refresh_token",
        ),
        (json!({"scopes": ["a b"]}), "scopes", "the scope \"a b\" contains a space; list each scope separately"),
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
        (
            json!({"resources": ["a*b"]}),
            "resources",
            "the resource \"a*b\" is not valid: write an absolute URI without a fragment, or an https URI whose path ends \
             in /*; http is for 127.0.0.1, [::1] and localhost",
        ),
        (
            json!({"introspects": ["a*b"]}),
            "introspects",
            "the audience \"a*b\" is not valid: write an exact one, or a prefix that ends in *",
        ),
        (
            json!({"tos_uri": "http://a.example"}),
            "tos_uri",
            "the URL is not an https URL of at most 2048 printable ASCII characters without a user name; write \
             https://host/path",
        ),
        (
            json!({"token_endpoint_auth_method": "client_secret_post"}),
            "token_endpoint_auth_method",
            "unknown variant `client_secret_post`, expected one of `none`, `private_key_jwt`, `tls_client_auth`",
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
