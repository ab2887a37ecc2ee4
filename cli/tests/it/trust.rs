//! `countersign client trust`, and trust entries in other commands.

use serde_json::{Value, json};

use testing::cloud::environment;
use testing::{ClientKeyPair, CommandOutput, FakeIssuer, SERVICE, TestApp, file};

use crate::{command_line, started};

/// The issuer of the deployment. A local one may use local issuers.
const OWN_ISSUER: &str = "http://localhost:8080";
const SUBJECT: &str = "repo:octo@1/app@2:ref:refs/heads/main";

/// A deployment, and an issuer with one key.
struct Platform {
    test: TestApp,
    issuer: FakeIssuer,
    key: ClientKeyPair,
}

impl Platform {
    async fn start() -> Self {
        let key = ClientKeyPair::generate("ES256");
        let mut jwk = key.jwk.clone();
        jwk["kid"] = json!("1");
        Self { test: started().await, issuer: FakeIssuer::start(&[jwk]).await, key }
    }

    fn token(&self, subject: &str) -> String {
        let now = self.test.now();
        let claims = json!({
            "iss": self.issuer.url, "sub": subject, "aud": OWN_ISSUER, "iat": now, "exp": now + 300,
            "repository_id": "2", "text": "a\u{7}b",
        });
        self.key.sign(&json!({"alg": "ES256", "kid": "1"}), &claims)
    }

    /// Runs a command of a local deployment.
    async fn run(&self, arguments: &[&str], stdin: &str) -> CommandOutput {
        let mut command = command_line(&self.test).bare(arguments);
        command.envs(environment(OWN_ISSUER));
        CommandOutput::of(command.spawn().unwrap(), stdin).await
    }

    async fn trust(&self, arguments: &[&str], stdin: &str) -> CommandOutput {
        self.run(&[&["client", "trust"], arguments].concat(), stdin).await
    }

    fn stored(&self) -> Value {
        let item = self.test.cloud.item("ClientsTable", &json!({"client_id": SERVICE.0})).unwrap().unwrap();
        item["federated"]["L"].clone()
    }
}

#[tokio::test]
async fn an_entry_is_added_listed_tested_and_removed() {
    let platform = Platform::start().await;
    let (id, url) = (SERVICE.0, &*platform.issuer.url);
    let claims = r#"{"repository_id":"2"}"#;
    let add = ["add", id, "--issuer", url, "--subject", SUBJECT, "--claims", claims, "--max-age", "5m"];
    platform.trust(&add, "").await.assert(0, "1 (`client trust list`)");
    let stored = &platform.stored()[0]["M"];
    assert_eq!((&stored["issuer"]["S"], &stored["subject"]["S"]), (&json!(url), &json!(SUBJECT)));
    assert_eq!((&stored["max_age"]["N"], &stored["claims"]["M"]["repository_id"]["S"]), (&json!("300"), &json!("2")));
    let entry = stored["id"]["S"].as_str().unwrap();
    assert!(entry.len() == 8 && entry.bytes().all(|byte| byte.is_ascii_hexdigit()));
    platform.trust(&add, "").await.assert(0, "trusts the same tokens; nothing was written");
    assert_eq!(platform.stored().as_array().unwrap().len(), 1);

    let listed = platform.trust(&["list", id], "").await;
    listed.assert(0, entry).assert(0, url).assert(0, "5m").assert(0, "published");
    let as_json = platform.trust(&["list", id, "--json"], "").await.json();
    assert_eq!(as_json[0]["claims"]["repository_id"], "2");
    assert_eq!(platform.run(&["client", "show", id, "--json"], "").await.json()["federated"], as_json);

    let good = platform.token(SUBJECT);
    platform.trust(&["test", id], &good).await.assert(0, entry);
    let tested = platform.trust(&["test", id, "--json"], &good).await;
    assert_eq!(tested.json(), json!({"accepted": true, "entry": entry}));
    for (token, reason) in [
        (platform.token("other"), "a token with another subject"),
        (format!("{}AAAA", &good[..good.len() - 4]), "no key of the issuer with this kid verifies the token"),
        ("nonsense".to_owned(), "a text that is not a signed JWT"),
    ] {
        let tested = platform.trust(&["test", id], &token).await;
        tested.assert(3, reason);
        assert!(!format!("{tested:?}").contains(&token));
    }
    platform.issuer.set(testing::Behavior::Status(500));
    platform.trust(&["test", id], &good).await.assert(3, "discovery document: status 500");

    platform.trust(&["remove", id, "other"], "").await.assert(1, "see `countersign client trust list billing-cron`");
    assert!(platform.run(&["client", "list"], "").await.out.contains("1 secret + 1 workload"));
    // A client with another credential needs no confirmation.
    let client = platform.run(&["client", "show", id, "--json"], "").await.json();
    let secret = client["secrets"][0]["id"].as_str().unwrap();
    platform.run(&["client", "retire-secret", id, secret], "").await.assert(0, "");
    assert!(platform.run(&["client", "list"], "").await.out.contains("  1 workload"));
    let removed = platform.trust(&["remove", id, entry], "").await;
    removed.assert(0, "billing-cron gets no tokens without a credential; add one with `countersign client key add");
    assert_eq!(platform.stored(), Value::Null);
    platform.trust(&["list", id], "").await.assert(0, "No trust entries");
}

#[tokio::test]
async fn an_entry_is_made_from_a_token_that_is_verified_first() {
    let platform = Platform::start().await;
    let add = ["add", SERVICE.0, "--from-token"];
    let token = platform.token(SUBJECT);
    let shown = platform.trust(&add, &token).await;
    let question = "Trust this workload as the client billing-cron? stdin is not a terminal; confirm with --yes";
    assert!(shown.code == 1 && shown.err.contains(question), "{shown:?}");
    for part in [&*format!("iss: \"{}\"", platform.issuer.url), SUBJECT, "repository_id: \"2\""] {
        assert!(shown.err.contains(part), "{part}: {shown:?}");
    }
    assert!(!shown.err.contains('\u{7}') && !format!("{shown:?}").contains(&token));
    assert_eq!(platform.stored(), Value::Null);

    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    let rejected = platform.trust(&[&add[..], &["--yes"]].concat(), &forged).await;
    rejected.assert(1, "the token does not prove the workload: no key of the issuer");
    let other = [&add[..], &["--yes", "--audience", "https://other.example"]].concat();
    platform.trust(&other, &token).await.assert(1, "a token for another audience");
    assert_eq!(platform.stored(), Value::Null);

    let added = platform.trust(&[&add[..], &["--yes", "--json"]].concat(), &token).await;
    assert_eq!(added.json()["federated"][0]["subject"], SUBJECT);
    assert_eq!(platform.stored()[0]["M"]["claims"], Value::Null);
    platform.trust(&["test", SERVICE.0], &token).await.assert(0, "The token proves the client.");
}

#[tokio::test]
async fn an_entry_that_could_never_work_is_not_added() {
    let platform = Platform::start().await;
    let keys = file("keys.json", &json!({"keys": [{"kty": "oct", "kid": "1", "k": "AAAA"}]}).to_string());
    for (issuer, more, said) in [
        (OWN_ISSUER, &[][..], "the issuer is this deployment"),
        ("https://10.0.0.1", &[], "keys are fetched only by https from a host name"),
        ("http://issuer.example", &[], "the issuer is not an https URL"),
        ("https://issuer.example", &["--jwks", keys.to_str().unwrap()], "the key set contains a private key"),
        ("https://issuer.example", &["--jwks", "/nowhere"], "cannot read /nowhere"),
        ("https://issuer.example", &["--claims", r#"{"a":[1]}"#], "the claims are not at most 20"),
        ("https://issuer.example", &["--audience", ""], "1 to 2,048 bytes"),
    ] {
        let add = ["add", SERVICE.0, "--issuer", issuer, "--subject", SUBJECT];
        platform.trust(&[&add[..], more].concat(), "").await.assert(1, said);
    }
    let add = ["add", SERVICE.0, "--issuer", "https://issuer.example", "--subject"];
    platform
        .trust(&[&add[..], &[SUBJECT, "--max-age", "59"]].concat(), "")
        .await
        .assert(2, "from 60 to 86,400 seconds");
    platform.trust(&["add", SERVICE.0, "--issuer", "https://issuer.example"], "").await.assert(2, "--subject");
    for number in 0..10 {
        platform.trust(&[&add[..], &[&number.to_string()]].concat(), "").await.assert(0, "");
    }
    platform.trust(&[&add[..], &["10"]].concat(), "").await.assert(1, "at most 10 trust entries");
    let public = ["client", "update", SERVICE.0, "--public"];
    platform.run(&public, "").await.assert(1, "a public client");
    let create = ["client", "create", "pub", "--public", "--scope", "a", "--grant-type", "refresh_token"];
    platform.run(&create, "").await.assert(0, "");
    let add = ["add", "pub", "--issuer", "https://issuer.example", "--subject", SUBJECT];
    platform.trust(&add, "").await.assert(1, "pub is a public client, which has no trust entries; for a client with");
}

#[tokio::test]
async fn a_file_describes_trust_entries_and_keeps_their_ids() {
    let platform = Platform::start().await;
    let text = |member: &str| {
        format!(
            "[clients.workload]\ngrant_types = [\"client_credentials\"]\nscopes = [\"a\"]\n\
             [[clients.workload.federated]]\nissuer = \"https://issuer.example\"\nsubject = \"b\"\n{member}\n"
        )
    };
    let apply = async |member: &str, more: &[&str]| {
        let path = file("trust.toml", &text(member));
        platform.run(&[&["apply", path.to_str().unwrap(), "--yes"], more].concat(), "").await
    };
    let entry = || {
        let item = platform.test.cloud.item("ClientsTable", &json!({"client_id": "workload"})).unwrap().unwrap();
        item["federated"]["L"][0]["M"].clone()
    };
    apply("max_age = 60", &[]).await.assert(0, "1 applied");
    let first = entry();
    assert_eq!((&first["max_age"]["N"], first["id"]["S"].is_string()), (&json!("60"), true));
    apply("max_age = 60", &[]).await.assert(0, "No changes.");
    assert_eq!(entry(), first);
    let update = ["client", "update", "workload", "--name", "x"];
    platform.run(&update, "").await.assert(0, "");
    assert_eq!(entry(), first);
    apply("max_age = 60\nclaims = { c = { d = 7 } }", &[]).await.assert(0, "1 applied");
    assert_eq!(entry()["claims"]["M"]["c"]["M"]["d"]["N"], "7");
    assert_ne!(entry()["id"], first["id"]);
    apply("claim = { c = 7 }", &[]).await.assert(1, "a trust entry has no member \"claim\"");
    apply("max_age = 59", &[]).await.assert(1, "max_age is from 60 to 86,400 seconds");
    let ours = file("ours.toml", &text("").replace("https://issuer.example", OWN_ISSUER));
    for command in [&["plan", ours.to_str().unwrap()][..], &["apply", ours.to_str().unwrap(), "--yes"]] {
        platform.run(command, "").await.assert(1, "workload: the issuer is this deployment");
    }
}

#[tokio::test]
async fn doctor_checks_each_trusted_issuer() {
    let platform = Platform::start().await;
    let entries = json!([
        {"issuer": platform.issuer.url, "subject": "a"},
        {"issuer": platform.issuer.url, "subject": "b", "audience": "https://other.example"},
        {"issuer": format!("{}/other", platform.issuer.url), "subject": "a"},
        {"issuer": "https://10.0.0.1", "subject": "a"},
    ]);
    platform.test.change_client(SERVICE.0, &json!({"federated": entries, "legacy_audience": true}));
    let off =
        json!({"client_id": "off", "enabled": false, "federated": [{"issuer": "https://a.example", "subject": "a"}]});
    platform.test.cloud.put("ClientsTable", &off).unwrap();
    let ran = platform.run(&["--url", "http://127.0.0.1:1", "doctor", "--no-users"], "").await;
    for said in [
        format!("{} publishes usable keys", platform.issuer.url),
        "https://10.0.0.1: discovery document: the URL is not an https URL with a host name".to_owned(),
        format!("{}: secrets beside trust entries", SERVICE.0),
        format!("{}: a trust entry with an audience that is not the issuer", SERVICE.0),
        format!("{}: legacy_audience", SERVICE.0),
    ] {
        assert!(ran.out.contains(&said), "{said}: {ran:?}");
    }
    assert_eq!(platform.issuer.fetches(), 2);
    assert!(!ran.out.contains("https://a.example"));

    let ours = json!({"issuer": OWN_ISSUER, "subject": "a"});
    let changes = json!({"secrets": null, "federated": [entries[0], ours], "legacy_audience": null});
    platform.test.change_client(SERVICE.0, &changes);
    let certified = json!({"client_id": "certified", "enabled": true, "scopes": ["a"], "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a.example"});
    platform.test.cloud.put("ClientsTable", &certified).unwrap();
    let doctor = ["--url", "http://127.0.0.1:1", "doctor", "--no-users"];
    let ran = platform.run(&doctor, "").await;
    ran.assert(1, &format!("{}: a trust entry for the issuer of this deployment", SERVICE.0));
    assert!(ran.out.contains("certified: a certificate is required, but MtlsDomainName is empty"), "{ran:?}");
    for absent in ["no active credential", "beside trust entries", "legacy_audience"] {
        assert!(!ran.out.contains(absent), "{absent}: {ran:?}");
    }
    let mut command = command_line(&platform.test).bare(&doctor);
    command.envs(environment(OWN_ISSUER)).env("MTLS_DOMAIN", "mtls.auth.example");
    let ran = CommandOutput::of(command.spawn().unwrap(), "").await;
    assert!(!ran.out.contains("a certificate is required"), "{ran:?}");
}
