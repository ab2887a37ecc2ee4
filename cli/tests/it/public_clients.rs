//! Public clients and clients with a cookie, by each command that writes them.

use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{SERVICE, TestApp, file};

fn stored(test: &TestApp, client_id: &str) -> Value {
    test.cloud.item("ClientsTable", &json!({"client_id": client_id})).unwrap().unwrap_or_default()
}

const COOKIE: [&str; 4] = ["--public", "--refresh-token-cookie", "--allowed-origin", "https://app.example"];

#[tokio::test]
async fn a_public_client_is_created_without_a_secret() {
    let test = started().await;
    let line = command_line(&test);
    let made = line.run(&[&["client", "create", "spa"], &COOKIE[..], &["--grant-type", "password"]].concat()).await;
    made.assert(0, "");
    assert_eq!(made.out, "created public client spa\n");
    assert!(!made.err.contains("secret is not shown again"), "{made:?}");
    let item = stored(&test, "spa");
    assert_eq!((&item["token_endpoint_auth_method"]["S"], &item["secrets"]), (&json!("none"), &Value::Null));
    assert_eq!(item["refresh_token_cookie"]["BOOL"], true);

    assert_eq!(line.json(&["client", "create", "app", "--public"]).await, json!({"client_id": "app"}));
    let listed = line.run(&["client", "list"]).await;
    let row = listed.out.lines().find(|line| line.starts_with("spa")).unwrap();
    assert!(row.ends_with("public"), "{row}");
    let shown = line.run(&["client", "show", "spa"]).await;
    assert!(shown.out.contains("none") && !shown.out.contains("SECRET"), "{shown:?}");

    let rotated = line.run(&["client", "rotate-secret", "spa"]).await;
    rotated.assert(1, "spa is a public client, which has no secrets");
    assert_eq!(stored(&test, "spa"), item);
    line.run(&["client", "update", "spa", "--unset", "token-endpoint-auth-method"]).await.assert(1, "is for public");
    let unset = ["--unset", "token-endpoint-auth-method", "--unset", "refresh-token-cookie"];
    line.run(&[&["client", "update", "spa"], &unset[..]].concat()).await.assert(0, "");
    line.run(&["client", "rotate-secret", "spa"]).await.assert(0, "");
    assert_eq!(stored(&test, "spa")["secrets"]["L"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn flags_are_written_and_removed() {
    let test = started().await;
    let line = command_line(&test);
    let update = async |flags: &[&str]| line.json(&[&["client", "update", SERVICE.0], flags].concat()).await;
    let links = ["--client-uri", "https://a.example", "--policy-uri", "https://a.example/p", "--tos-uri"];
    let shown = update(&[&links[..], &["https://a.example/t", "--first-party", "--require-pkce=false"]].concat()).await;
    let attributes = ["client_uri", "policy_uri", "tos_uri", "first_party", "require_pkce"];
    let values = attributes.map(|name| shown[name].clone());
    assert_eq!(json!(values), json!(["https://a.example", "https://a.example/p", "https://a.example/t", true, false]));
    let uris = ["--redirect-uri", "http://127.0.0.1/cb", "--redirect-uri", "com.example.app:/cb"];
    let shown = update(&[&uris[..], &["--post-logout-redirect-uri", "https://a.example/bye"]].concat()).await;
    assert_eq!(shown["redirect_uris"], json!(["com.example.app:/cb", "http://127.0.0.1/cb"]));
    assert_eq!(shown["post_logout_redirect_uris"], json!(["https://a.example/bye"]));
    let shown = update(&["--introspects", "https://b.example/*", "--introspects", "a", "--require-pkce"]).await;
    assert_eq!(shown["introspects"], json!(["a", "https://b.example/*"]));
    assert_eq!((&shown["require_pkce"], &shown["first_party"]), (&Value::Null, &json!(true)));
    let shown = update(&["--resource", "https://b.example/*", "--resource", "urn:a"]).await;
    assert_eq!(shown["resources"], json!(["https://b.example/*", "urn:a"]));
    let shown = update(&["--add-resource", "urn:c", "--remove-resource", "urn:a"]).await;
    assert_eq!(shown["resources"], json!(["https://b.example/*", "urn:c"]));
    let unknown = ["client", "update", SERVICE.0, "--remove-resource", "urn:a"];
    line.run(&unknown).await.assert(1, "has no resource \"urn:a\"");
    assert_eq!(update(&["--unset", "resources"]).await["resources"], Value::Null);
    assert_eq!(update(&["--dpop-bound"]).await["dpop_bound_access_tokens"], true);
    assert_eq!(stored(&test, SERVICE.0)["dpop_bound_access_tokens"], json!({"BOOL": true}));
    assert_eq!(update(&["--name", "n"]).await["dpop_bound_access_tokens"], true);
    assert_eq!(update(&["--no-dpop-bound"]).await["dpop_bound_access_tokens"], Value::Null);
    line.run(&["client", "update", SERVICE.0, "--dpop-bound", "--no-dpop-bound"])
        .await
        .assert(2, "cannot be used with");
    let shown = update(&["--first-party=false", "--unset", "tos-uri"]).await;
    assert_eq!((&shown["first_party"], &shown["tos_uri"]), (&Value::Null, &Value::Null));
    assert_eq!(stored(&test, SERVICE.0)["first_party"], Value::Null);
}

#[tokio::test]
async fn no_command_writes_attributes_that_do_not_fit_each_other() {
    let test = started().await;
    let line = command_line(&test);
    let before = stored(&test, SERVICE.0);
    for (arguments, said) in [
        (&["client", "update", SERVICE.0, "--public"][..], "has no secrets; retire them first"),
        (&["client", "update", SERVICE.0, "--refresh-token-cookie"], "is for public clients"),
        (&["client", "create", "spa", "--public", "--refresh-token-cookie"], "in allowed_origins"),
        (&["client", "create", "spa", "--public", "--require-pkce=false"], "needs PKCE"),
        (&["client", "create", "spa", "--tos-uri", "http://a.example"], "not an https URL"),
        (&["client", "create", "spa", "--introspects", "a*b"], "not valid"),
        (&["client", "create", "spa", "--resource", "http://a.example"], "http is for 127.0.0.1"),
        (&["client", "create", "spa", "--redirect-uri", "http://a.example/cb"], "the redirect URI"),
        (&[&["client", "create", &"a".repeat(65)], &COOKIE[..]].concat(), "at most 64"),
    ] {
        line.run(arguments).await.assert(1, said);
    }
    let path = file("no-origin.toml", "[clients.spa]\nrefresh_token_cookie = true\n");
    line.run(&["plan", path.to_str().unwrap()]).await.assert(1, "client spa: refresh_token_cookie is for public");
    let path = file("secrets.toml", &format!("[clients.{}]\ntoken_endpoint_auth_method = \"none\"\n", SERVICE.0));
    line.run(&["apply", path.to_str().unwrap(), "--yes"]).await.assert(1, "retire them first");
    let lines = [
        json!({"client_id": "spa", "token_endpoint_auth_method": "none", "secret": "guessable"}),
        json!({"client_id": "spa", "token_endpoint_auth_method": "none", "refresh_token_cookie": true}),
    ];
    let path = file("public.jsonl", &lines.map(|line| line.to_string()).join("\n"));
    let ran = line.run(&["import", "clients", path.to_str().unwrap(), "--json"]).await;
    assert_eq!(ran.assert(3, "").json()["rejected"].as_array().unwrap().len(), 2);
    assert_eq!((stored(&test, "spa"), stored(&test, SERVICE.0)), (Value::Null, before));
}

#[tokio::test]
async fn apply_and_import_write_public_clients() {
    let test = started().await;
    let line = command_line(&test);
    let text = "[clients.spa]\ntoken_endpoint_auth_method = \"none\"\nfirst_party = true\nrequire_pkce = true\n\
                resources = [\"urn:a\"]\n";
    let path = file("spa.toml", text);
    let ran = line.run(&["apply", path.to_str().unwrap(), "--yes"]).await;
    ran.assert(0, "1 applied");
    assert!(!ran.out.contains("client_secret") && !ran.err.contains("shown again"), "{ran:?}");
    let spa = stored(&test, "spa");
    assert_eq!((&spa["secrets"], &spa["resources"]["SS"]), (&Value::Null, &json!(["urn:a"])));
    line.run(&["plan", path.to_str().unwrap()]).await.assert(0, "No changes.");

    let csv = "client_id,token_endpoint_auth_method,first_party,require_pkce,introspects,resources\n\
               one,none,t,1,a https://b.example/*,urn:a urn:b\ntwo,,no,,,\nthree,,perhaps,,,\n";
    let path = file("public.csv", csv);
    let ran = line.run(&["import", "clients", path.to_str().unwrap(), "--json"]).await;
    let rejected = ran.assert(3, "").json()["rejected"].clone();
    assert_eq!(rejected[0]["reason"], "first_party is neither true nor false; write true or false");
    let one = stored(&test, "one");
    assert_eq!((&one["token_endpoint_auth_method"]["S"], &one["first_party"]["BOOL"]), (&json!("none"), &json!(true)));
    assert_eq!(one["introspects"]["SS"], json!(["a", "https://b.example/*"]));
    assert_eq!(one["resources"]["SS"], json!(["urn:a", "urn:b"]));
    assert_eq!((&one["require_pkce"], &stored(&test, "two")["first_party"]), (&Value::Null, &Value::Null));
}
