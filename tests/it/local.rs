//! `examples/local`, as a new user runs it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use testing::{ClientKeyPair, access_token_hash, file, form};

// The credentials in the text that the example prints at its start.
const SERVICE: (&str, &str) = ("demo-service", "cs_ZeMCredNtsx-jo-PBup0nRutWeco3c1iwWNMiqPiopYlTe8wH");
const APPLICATION: (&str, &str) = ("demo-app", "cs_4HG7xuHUrZdtD1g5wSJxgKB__alGAihun5X5vSILKkwG6pDgn");
const USER: (&str, &str) = ("john.smith@itccompliance.co.uk", "secret-password");

/// Returns the binary of the example, which `cargo test` builds.
fn binary() -> PathBuf {
    let target = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    target.join("examples/local")
}

struct Local {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
    url: String,
    introduction: String,
}

impl Local {
    async fn start(data: &Path) -> Self {
        Self::start_with("--data", data).await
    }

    /// Starts the example with an option that takes a file.
    async fn start_with(option: &str, file: &Path) -> Self {
        let mut command = Command::new(binary());
        command.args(["--port", "0", option]).arg(file).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().expect("the example, which `cargo test` builds");
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut introduction = String::new();
        while !introduction.contains("Ctrl-C") {
            introduction += &output.next_line().await.unwrap().unwrap();
            introduction.push('\n');
        }
        let url = introduction.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:")).unwrap();
        Self { process, output, url: url.to_owned(), introduction }
    }

    fn keys(&self) -> &str {
        self.introduction.lines().find(|line| line.contains("\"keys\"")).unwrap()
    }

    async fn request(&self, (id, secret): (&str, &str), body: String) -> (u16, Value) {
        let request = Request::post(&self.url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
            .body(Body::from(body));
        let (status, _, body) = send(request.unwrap()).await;
        (status, body)
    }

    /// Ends the process like Ctrl-C.
    async fn interrupt(mut self) {
        let pid = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
        while let Some(line) = self.output.next_line().await.unwrap() {
            if line == "Stopped." {
                break;
            }
        }
        assert!(self.process.wait().await.unwrap().success());
    }
}

#[tokio::test]
async fn the_data_of_a_run_is_available_in_the_next_run() {
    let data = std::env::temp_dir().join(format!("countersign-{}.db", std::process::id()));
    let _ = std::fs::remove_file(&data);

    let first = Local::start(&data).await;
    let (status, service) = first.request(SERVICE, "grant_type=client_credentials".to_owned()).await;
    assert_eq!((status, &service["token_type"]), (200, &Value::from("Bearer")));
    let login = format!("grant_type=password&username={}&password={}", USER.0, USER.1);
    let (_, user) = first.request(APPLICATION, login).await;
    let refresh = format!("grant_type=refresh_token&refresh_token={}", user["refresh_token"].as_str().unwrap());
    let (status, response) = first.request(APPLICATION, "grant_type=password&username=x&password=x".to_owned()).await;
    assert_eq!((status, &response["error"]), (400, &Value::from("invalid_grant")));
    // The introduction has one command for each grant.
    let curls: Vec<_> = first.introduction.lines().filter(|line| line.trim().starts_with("curl ")).collect();
    for (curl, grant_type) in curls.iter().zip(["client_credentials", "password", "refresh_token"]) {
        assert!(curl.contains(grant_type) && curl.contains(&first.url), "{curl}");
    }
    assert_eq!(curls.len(), 3);
    assert!(curls[0].contains(&format!("-u {}:{}", SERVICE.0, SERVICE.1)), "{}", curls[0]);
    assert!([APPLICATION.0, APPLICATION.1, USER.0, USER.1].iter().all(|part| curls[1].contains(part)), "{}", curls[1]);
    let keys = first.keys().to_owned();
    first.interrupt().await;

    let second = Local::start(&data).await;
    assert_eq!(second.keys(), keys);
    let (status, response) = second.request(APPLICATION, refresh).await;
    assert_eq!(status, 200, "{response}");
    second.interrupt().await;
    std::fs::remove_file(&data).unwrap();
}

/// Sends a request. Returns the status, the headers and the JSON of the response.
async fn send(request: Request<Body>) -> (u16, HeaderMap, Value) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let (parts, body) = client.request(request).await.unwrap().map(Body::new).into_parts();
    let body = serde_json::from_slice(&to_bytes(body, usize::MAX).await.unwrap()).unwrap();
    (parts.status.as_u16(), parts.headers, body)
}

#[tokio::test]
async fn the_demo_api_checks_the_proof_of_a_bound_token() {
    let client = json!({
        "client_id": "reader", "enabled": true, "grant_types": ["client_credentials"], "scopes": ["demo:read", "other"],
        "secrets": [{"id": "1", "secret": "cs_reader"}], "resources": ["https://other.example"],
    });
    let records = file("records.json", &json!({"clients": [client], "users": []}).to_string());
    let local = Local::start_with("--records", &records).await;
    let origin = local.url.strip_suffix("/oauth/token").unwrap();
    let api = format!("{origin}/demo/vehicles");
    let get = async |path: &str, headers: &[(&str, &str)]| {
        let request = Request::get(format!("{origin}{path}"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        send(request.body(Body::empty()).unwrap()).await
    };
    let (status, headers, _) = get("/demo/vehicles", &[]).await;
    let challenge = headers["www-authenticate"].to_str().unwrap();
    let metadata = "/.well-known/oauth-protected-resource/demo/vehicles";
    assert_eq!(challenge, format!("Bearer resource_metadata=\"{origin}{metadata}\", scope=\"demo:read\""));
    assert_eq!((status, get(metadata, &[]).await.2["resource"].as_str()), (401, Some(&*api)));

    let key = ClientKeyPair::generate("ES256");
    let nonce = headers["dpop-nonce"].to_str().unwrap();
    let proof = |jti: &str, method: &str, token: &str| {
        let url = if method == "POST" { &local.url } else { &api };
        let ath = access_token_hash(token);
        key.proof_of(&json!({"jti": jti, "htm": method, "htu": url, "iat": 0, "nonce": nonce, "ath": ath}))
    };
    let requested = async |params: &[(&str, &str)], headers: &[(&str, &str)]| {
        let request = form(&[&[("grant_type", "client_credentials")], params].concat()).basic("reader", "cs_reader");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        send(request.to("POST", &local.url)).await.2["access_token"].as_str().unwrap().to_owned()
    };
    let token = async |scope: &str, proof: Option<&str>| {
        requested(&[("scope", scope)], proof.map(|proof| ("dpop", proof)).as_slice()).await
    };
    let scope = ("scope", "demo:read");
    let other_audience = requested(&[scope, ("resource", "https://other.example")], &[]).await;
    let version_1 = requested(&[scope], &[("accept", "application/json; version=1")]).await;
    let bound = token("demo:read", Some(&proof("1", "POST", ""))).await;
    let (plain, other) = (token("demo:read", None).await, token("other", None).await);
    let [with_dpop, with_bearer] = ["DPoP", "Bearer"].map(|scheme| format!("{scheme} {bound}"));
    let [plain_with_dpop, plain_with_bearer] = ["DPoP", "Bearer"].map(|scheme| format!("{scheme} {plain}"));
    let used = proof("2", "GET", &bound);
    for (authorization, proof, status, error) in [
        (&with_dpop, &used, 200, None),
        (&with_dpop, &used, 401, Some("invalid_dpop_proof")),
        (&with_dpop, &proof("3", "GET", &bound), 200, None),
        (&with_dpop, &proof("4", "GET", &plain), 401, Some("invalid_token")),
        (&with_dpop, &proof("5", "POST", &bound), 401, Some("invalid_dpop_proof")),
        (&with_bearer, &proof("6", "GET", &bound), 401, Some("invalid_token")),
        (&plain_with_bearer, &"x".to_owned(), 200, None),
        (&plain_with_dpop, &proof("7", "GET", &plain), 401, Some("invalid_token")),
        (&format!("Bearer {other}"), &"x".to_owned(), 403, Some("insufficient_scope")),
        (&format!("Bearer {other_audience}"), &"x".to_owned(), 401, Some("invalid_token")),
        (&format!("Bearer {version_1}"), &"x".to_owned(), 401, Some("invalid_token")),
        (&"Bearer x".to_owned(), &"x".to_owned(), 401, Some("invalid_token")),
    ] {
        let (found, headers, body) = get("/demo/vehicles", &[("authorization", authorization), ("dpop", proof)]).await;
        assert_eq!((found, body["error"].as_str()), (status, error), "{authorization} {proof}");
        assert_eq!(headers.contains_key("www-authenticate"), status != 200);
    }
    local.interrupt().await;
}

#[tokio::test]
async fn a_port_that_is_in_use_is_reported_in_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Command::new(binary()).args(["--port", &port]).output().await.unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(line.contains(&port) && line.contains("--port") && line.lines().count() == 1, "{line}");
}
