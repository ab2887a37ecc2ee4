//! `countersign token`: gets a token, and lists the problems of a token.

use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{APPLICATION, CommandOutput, ISSUER, PASSWORD, SERVICE, TestApp, USERNAME, changed_token};

async fn get(test: &TestApp, url: &str, more: &[&str], secret: &str) -> CommandOutput {
    let arguments = ["--url", url, "token", "get", "--client-id", SERVICE.0];
    command_line(test).run_with(&[&arguments[..], more].concat(), secret).await
}

async fn inspect(test: &TestApp, url: &str, token: &str) -> CommandOutput {
    command_line(test).run_with(&["--url", url, "token", "inspect", "--json"], token).await
}

#[tokio::test]
async fn token_get_returns_a_valid_token_of_either_version() {
    let test = started().await;
    let url = test.serve().await;
    for version in ["1", "2"] {
        let got = get(&test, &url, &["--token-version", version], &format!("{}\n", SERVICE.1)).await;
        got.assert(0, "");
        assert_eq!((got.err.as_str(), got.out.lines().count()), ("", 1), "a shell can use the output");
        let inspected = inspect(&test, &url, &got.out).await;
        let found = inspected.assert(0, "").json();
        assert_eq!((&found["valid"], &found["version"]), (&json!(true), &json!(version.parse::<u8>().unwrap())));
        assert_eq!(found["claims"]["iss"], ISSUER);
        let shown = command_line(&test).run_with(&["token", "inspect", "--url", &url], &got.out).await;
        shown.assert(0, "The token is valid. It expires in 1").assert(0, SERVICE.0);
    }
    let scoped = get(&test, &url, &["--scope", "legacy:autonomy.read", "--json"], SERVICE.1).await;
    assert_eq!(scoped.json()["scope"], "legacy:autonomy.read");
}

#[tokio::test]
async fn token_get_logs_in_a_user() {
    const SCOPE: &str = "legacy:autonomy.read";
    let test = started().await;
    let url = test.serve().await;
    let log_in = async |more: &[&str], input: String| {
        let arguments =
            ["--url", &url, "token", "get", "--client-id", APPLICATION.0, "--scope", SCOPE, "--username", USERNAME];
        command_line(&test).run_with(&[&arguments[..], more].concat(), &input).await
    };
    let secrets = |password: &str| format!("{}\n{password}\n", APPLICATION.1);
    let got = log_in(&["--json"], secrets(PASSWORD)).await;
    assert_eq!(got.assert(0, "").err, "");
    assert!(got.json()["refresh_token"].is_string(), "{got:?}");
    let token = got.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(inspect(&test, &url, &token).await.json()["claims"]["client_id"], APPLICATION.0);
    for (input, said) in [
        (
            secrets("cAnArY"),
            "The username or the password is wrong); check them, and that the user is enabled: `countersign user show",
        ),
        (APPLICATION.1.to_owned(), "stdin has no password; write to stdin, one per line: client secret, password"),
        (secrets("a\nb"), "stdin has 3 lines; write only: client secret, password"),
    ] {
        let failed = log_in(&[], input).await;
        failed.assert(1, said);
        assert!(!format!("{failed:?}").contains("cAnArY") && !format!("{failed:?}").contains(APPLICATION.1));
    }
    // A public client has no secret.
    let origin = ["--origin", "https://app.auth.example"];
    log_in(&origin, PASSWORD.to_owned()).await.assert(1, "not public, or the origin is not allowed");
}

#[tokio::test]
async fn an_error_of_token_get_says_what_to_do_but_not_the_secret() {
    let test = started().await;
    let url = test.serve().await;
    for (more, secret, said) in [
        (&[][..], "cAnArY-secret", "invalid_client: Client authentication failed); the id or the secret is wrong"),
        (&["--scope", "never:had"], SERVICE.1, "request an allowed scope with --scope"),
        (&[], "", "stdin has no client secret"),
        (&["--client-id", "x"], "cAnArY-secret", "the argument '--client-id <ID>' cannot be used multiple times"),
    ] {
        let failed = get(&test, &url, more, secret).await;
        assert!(failed.code == 1 || failed.code == 2);
        failed.assert(failed.code, said);
        assert!(!format!("{failed:?}").contains("cAnArY") && !format!("{failed:?}").contains(SERVICE.1));
    }
    get(&test, "http://127.0.0.1:9", &[], "secret").await.assert(1, "did not respond");
    get(&test, &format!("{url}/other"), &[], "secret").await.assert(1, "check --url");
    test.change_client(SERVICE.0, &json!({"dpop_bound_access_tokens": true}));
    get(&test, &url, &[], SERVICE.1).await.assert(1, "only its own library can request them");
}

/// Returns a token of another deployment with the same issuer.
async fn foreign_token() -> String {
    let other = TestApp::start().await;
    other.cloud.put_secret(&testing::p256_pem()).unwrap();
    other.use_system_time().await;
    let response = other.form(SERVICE, &[("grant_type", "client_credentials")]).await;
    response.body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn token_inspect_describes_each_problem() {
    let test = started().await;
    let url = test.serve().await;
    let good = test.form(SERVICE, &[("grant_type", "client_credentials")]).await;
    let good = good.body["access_token"].as_str().unwrap();
    let (foreign, refresh) = (foreign_token().await, test.log_in().await);
    let day = 86_400;
    let expired = test.now() - 2 * day;
    let (first, last) = good.split_at(good.len() - 40);
    let flipped = format!("{first}{}{}", if last.starts_with('A') { "B" } else { "A" }, &last[1..]);
    let table: [(&str, String, &str); 21] = [
        ("changed", changed_token(good, |_, claims| claims["sub"] = json!("root")), "The signature is wrong"),
        ("flipped", flipped.clone(), "The signature is wrong"),
        ("with its scheme", format!("DPoP {flipped}"), "The signature is wrong"),
        ("foreign", foreign, "The key is not published"),
        ("none", changed_token(good, |header, _| header["alg"] = json!("none")), "The token is not signed"),
        ("HS256", changed_token(good, |header, _| header["alg"] = json!("HS256")), "a shared secret"),
        (
            "RS256",
            changed_token(good, |header, _| header["alg"] = json!("RS256")),
            "The alg does not match the algorithm of the key, ES256",
        ),
        ("no kid", changed_token(good, |header, _| header["kid"] = Value::Null), "has no kid"),
        ("crit", changed_token(good, |header, _| header["crit"] = json!(["b64"])), "has a crit"),
        ("typ", changed_token(good, |header, _| header["typ"] = json!("logout+jwt")), "neither at+jwt"),
        (
            "iss",
            changed_token(good, |_, claims| claims["iss"] = json!(format!("{ISSUER}/"))),
            "The issuer is not exactly https://auth.example",
        ),
        ("exp", changed_token(good, |_, claims| claims["exp"] = json!(expired)), "The token expired 2d"),
        (
            "nbf",
            changed_token(good, |_, claims| claims["nbf"] = json!(expired + 3 * day)),
            "The token is not valid for another",
        ),
        (
            "iat",
            changed_token(good, |_, claims| claims["iat"] = json!(expired + 9 * day)),
            "The exp is not after the iat",
        ),
        ("no scope", changed_token(good, |_, claims| claims["scope"] = Value::Null), "The scope is not a list"),
        (
            "exp as text",
            changed_token(good, |_, claims| claims["exp"] = json!("1")),
            "The exp is not a whole number of seconds",
        ),
        ("refresh token", refresh, "This is a refresh token"),
        ("code", "cs_ac_AgGY95E-DuEe2p4W7Umvb7uQ".to_owned(), "This is an authorization code"),
        ("secret", APPLICATION.1.to_owned(), "This looks like a client secret"),
        ("five parts", "a.b.c.d.e".to_owned(), "The token is encrypted"),
        ("junk", "not-a-token".to_owned(), "This is not a JWT"),
    ];
    for (name, token, said) in table {
        let inspected = inspect(&test, &url, &token).await;
        assert_eq!(inspected.code, 3, "{name}: {inspected:?}");
        let problems = inspected.json()["problems"].to_string();
        assert!(problems.contains(said), "{name}: {problems}");
    }
}

#[tokio::test]
async fn token_inspect_reads_the_token_from_stdin_and_explains_an_unknown_key() {
    let test = started().await;
    let (url, foreign) = (test.serve().await, foreign_token().await);
    let shown = command_line(&test).run_with(&["token", "inspect", "--url", &url], &foreign).await;
    shown.assert(3, "The token is not valid:").assert(3, "was removed");
    command_line(&test).run_with(&["token", "inspect", &foreign], "").await.assert(2, "unexpected argument");
}

/// The content is shown even if the issuer does not respond.
#[tokio::test]
async fn a_token_is_decoded_without_the_keys() {
    let test = started().await;
    let url = test.serve().await;
    let token = get(&test, &url, &[], SERVICE.1).await.out;
    let inspect = ["token", "inspect", "--issuer", ISSUER, "--url", "http://127.0.0.1:9"];
    let ran = command_line(&test).run_with(&inspect, &token).await;
    ran.assert(3, "The signature cannot be checked").assert(3, SERVICE.0);
}

/// Secrets and public keys travel over http only to a loopback host, in every notation of the URL.
#[tokio::test]
async fn http_is_for_loopback_hosts_only() {
    const REMOTE: &str = "http is only for loopback hosts";
    const SILENT: &str = "/oauth/token did not respond";
    let test = started().await;
    for (code, url, said) in [
        (2, "http://login.example", REMOTE),
        (2, "http://127.0.0.1.example", REMOTE),
        (2, "http://localhost.example:80", REMOTE),
        (2, "http://127.0.0.1@login.example", "contains `@`"),
        (2, "http://127.0.0.1:80@login.example/", "contains `@`"),
        (2, "https://user:password@login.example", "contains `@`"),
        (2, "http://login.example\\@127.0.0.1", REMOTE),
        (2, "http://login.example#@127.0.0.1", "has a query or a fragment"),
        (2, "http://login.example?@127.0.0.1", "has a query or a fragment"),
        (2, "HTTP://LOGIN.EXAMPLE", REMOTE),
        (2, "http:login.example", REMOTE),
        (2, "http://0.0.0.0", REMOTE),
        (2, "http://3232235777", REMOTE),
        (2, "http://[::2]", REMOTE),
        (2, "http://[::ffff:10.0.0.1]", REMOTE),
        (2, "http://", "not a URL"),
        (2, "ftp://127.0.0.1", "not a URL"),
        (2, "login.example", "not a URL"),
        (1, "http://127.0.0.1:9", SILENT),
        (1, "http://127.0.0.2:9/", SILENT),
        (1, "http://LOCALHOST:9", "http://localhost:9/oauth/token did not respond"),
        (1, "http://[::1]:9", SILENT),
        // The address that was checked is the one that is called.
        (1, "http://2130706433:9", "http://127.0.0.1:9/oauth/token did not respond"),
        (1, "http://127.1:9\\@login.example", "http://127.0.0.1:9/"),
        (1, "https://127.0.0.1:9", SILENT),
    ] {
        get(&test, url, &[], SERVICE.1).await.assert(code, said);
    }
    // The same for whatever names the URL.
    let url = "http://login.example";
    let run = async |arguments: &[&str], name: &str| {
        let mut command = command_line(&test).bare(arguments);
        let command = command.envs(testing::cloud::environment(ISSUER)).env(name, url);
        CommandOutput::of(command.spawn().unwrap(), SERVICE.1).await
    };
    run(&["token", "get", "--client-id", "x"], "COUNTERSIGN_URL").await.assert(2, REMOTE);
    run(&["token", "get", "--client-id", "x"], "ISSUER").await.assert(1, REMOTE);
    run(&["token", "inspect"], "ISSUER").await.assert(1, REMOTE);
    run(&["token", "inspect", "--issuer", url], "NOTHING").await.assert(1, REMOTE);
    run(&["doctor", "--no-users"], "COUNTERSIGN_URL").await.assert(2, REMOTE);
    run(&["doctor", "--no-users"], "ISSUER").await.assert(1, REMOTE);
}
