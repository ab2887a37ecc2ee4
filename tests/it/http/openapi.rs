//! `openapi.yaml` matches the router and the public cases. `TestApp::send` asserts that it documents every response.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use countersign::config::Pages;
use testing::{CASES, CONTRACT, TestApp, examples, form, raw_form, resolved, schema};

#[tokio::test]
async fn the_documented_paths_and_methods_are_those_of_the_router() {
    let source = |file| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let code =
        ["src/http.rs", "src/http/browser.rs", "src/http/oauth.rs", "src/http/published.rs"].map(source).concat();
    let paths = CONTRACT["paths"].as_object().unwrap();
    // One route has the path of an issuer after a documented path, and one is for deployments without login pages.
    assert_eq!(code.matches("route(").count(), paths.len() + 2);
    let test = TestApp::start_with(|config| config.pages = Some(Pages::default())).await;
    for (path, operations) in paths {
        let documented: BTreeSet<_> = operations.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
            // OPTIONS is a method only as a preflight.
            let request =
                raw_form("").header("origin", "https://a.example").header("access-control-request-method", "POST");
            let response = test.send(request.to(method, path)).await;
            assert_eq!(![404, 405].contains(&response.status), documented.contains(method), "{method} {path}");
            if let Some(allow) = response.header("allow") {
                // Every path with GET also has HEAD.
                let allowed = allow.split(',').filter(|method| *method != "HEAD").map(ToOwned::to_owned);
                assert_eq!(allowed.collect::<BTreeSet<_>>(), documented);
            }
        }
    }
}

/// Returns the documented statuses and error codes. The responses of API Gateway have no error code.
fn documented_errors() -> BTreeSet<(u64, String)> {
    let mut errors = BTreeSet::new();
    for (status, response) in CONTRACT["paths"]["/oauth/token"]["post"]["responses"].as_object().unwrap() {
        let schema = &resolved(response)["content"]["application/json"]["schema"];
        let alternatives = schema["anyOf"].as_array().map_or_else(|| vec![schema], |any| any.iter().collect());
        for alternative in alternatives {
            let error = &resolved(alternative)["properties"]["error"];
            let codes = error["enum"].as_array().cloned().unwrap_or_else(|| vec![error["const"].clone()]);
            let codes = codes.iter().filter_map(Value::as_str);
            errors.extend(codes.map(|code| (status.parse().unwrap(), code.to_owned())));
        }
    }
    errors
}

#[test]
fn every_documented_error_is_a_server_error_or_occurs_in_the_public_cases() {
    let expects = CASES["cases"].as_array().unwrap().iter().map(|case| &case["expect"]);
    let mut known: BTreeSet<(u64, String)> =
        expects.filter_map(|e| Some((e["status"].as_u64()?, e["error"].as_str()?.to_owned()))).collect();
    known.extend([(500, "server_error".to_owned()), (503, "temporarily_unavailable".to_owned())]);
    // `tests/it/http/oauth/binding.rs` has these two.
    known.extend(["invalid_dpop_proof", "use_dpop_nonce"].map(|code| (400, code.to_owned())));
    // `tests/cases/throttle.json` and `tests/cases/client-authentication.json` have these.
    known.insert((429, "temporarily_unavailable".to_owned()));
    known.insert((400, "invalid_target".to_owned()));
    assert_eq!(documented_errors(), known);
}

#[test]
fn every_request_with_a_token_response_matches_its_schema() {
    let content = &CONTRACT["paths"]["/oauth/token"]["post"]["requestBody"]["content"];
    let [in_json, in_form] =
        ["application/json", "application/x-www-form-urlencoded"].map(|t| schema(&content[t]["schema"]));
    let mut seen = 0;
    for case in CASES["cases"].as_array().unwrap().iter().filter(|case| case["expect"]["status"] == 200) {
        let request = &case["request"];
        let body = request["body"].as_str().unwrap();
        let is_json = request["headers"]["content-type"].as_str().unwrap().to_lowercase().contains("json");
        let error = if is_json {
            in_json.validate(&serde_json::from_str(body).unwrap()).err().map(|error| error.to_string())
        } else {
            let members: serde_json::Map<_, _> =
                crate::cases::pairs(body).into_iter().map(|(name, value)| (name, Value::from(value))).collect();
            in_form.validate(&members.into()).err().map(|error| error.to_string())
        };
        assert_eq!(error, None, "{}", case["id"]);
        seen += 1;
    }
    assert!(seen > 10);
}

#[tokio::test]
async fn the_documented_lengths_are_the_limits() {
    let test = TestApp::start().await;
    let schemas = &CONTRACT["components"]["schemas"];
    let requests = ["AuthorizationCodeRequest", "ClientCredentialsRequest", "PasswordRequest", "RefreshTokenRequest"];
    let mut names = BTreeSet::new();
    for (name, property) in requests.iter().flat_map(|request| schemas[request]["properties"].as_object().unwrap()) {
        let property = resolved(property);
        names.insert(name.as_str());
        let Some(limit) = property["maxLength"].as_u64() else {
            assert!(["client_assertion_type", "grant_type"].contains(&name.as_str()), "{name} has no limit");
            continue;
        };
        let is_too_long = async |length: u64| {
            let value = "a".repeat(usize::try_from(length).unwrap());
            let response = test.send(form(&[("grant_type", "password"), (name, &value)]).post()).await;
            response.body["error_description"].as_str().unwrap().contains("too long")
        };
        assert!(!is_too_long(limit).await && is_too_long(limit + 1).await, "{name} is not limited to {limit}");
    }
    let defined = [
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "client_secret",
        "code",
        "code_verifier",
        "grant_type",
        "password",
        "redirect_uri",
        "refresh_token",
        "resource",
        "scope",
        "username",
    ];
    assert_eq!(names, defined.into());
}

/// Returns the media types of all requests and responses, with a name for messages.
fn contents() -> Vec<(String, &'static Value)> {
    let mut contents = Vec::new();
    for (path, operations) in CONTRACT["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap().iter();
            let bodies = responses.map(|(status, response)| (status.as_str(), response));
            let bodies = bodies.chain(operation.get("requestBody").map(|body| ("request", body)));
            for (name, body) in bodies {
                let types = resolved(body)["content"].as_object().into_iter().flatten();
                contents.extend(types.map(|(t, content)| (format!("{method} {path} {name} {t}"), content)));
            }
        }
    }
    contents
}

#[test]
fn every_request_and_response_has_examples_that_match_its_schema() {
    for (name, content) in contents() {
        let (examples, schema) = (examples(content), schema(&content["schema"]));
        assert!(!examples.is_empty(), "{name} has no example");
        for (example, value) in examples {
            let error = schema.validate(value).err().map(|error| error.to_string());
            assert_eq!(error, None, "{name} {example}");
        }
    }
    let token_request = schema(&json!({"$ref": "#/components/schemas/TokenRequest"}));
    assert!(!token_request.is_valid(&json!({"grant_type": "password"})));
}

/// Returns the string literals of the library that are sentences of error responses, or ends of such sentences.
fn sentences() -> BTreeSet<String> {
    // Without the pages, whose sentences are in the log only.
    let files = [
        "src/error.rs",
        "src/params.rs",
        "src/scope.rs",
        "src/resource.rs",
        "src/login.rs",
        "src/grant.rs",
        "src/authorization.rs",
    ];
    let folders = ["src/authorization", "src/grant", "src/http/oauth", "src/http/request"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let in_folders = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let files = files.iter().map(|file| root.join(file)).chain(in_folders.map(|entry| entry.unwrap().path()));
    let files = files.filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let mut sentences = BTreeSet::new();
    for source in files.map(|file| std::fs::read_to_string(file).unwrap()) {
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        let literals = code.flat_map(|line| line.split('"').skip(1).step_by(2).map(ToOwned::to_owned));
        sentences.extend(literals.filter(|text| text.starts_with([' ', 'A', 'O', 'T']) && text.ends_with('.')));
    }
    sentences
}

#[test]
fn every_sentence_of_an_error_response_is_documented() {
    let document = serde_json::to_string(&*CONTRACT).unwrap();
    let sentences = sentences();
    assert!(sentences.len() > 50, "{sentences:?}");
    let missing: Vec<_> = sentences.iter().filter(|sentence| !document.contains(sentence.as_str())).collect();
    // Only the log contains these: the browser gets a page.
    assert_eq!(missing, ["The body is not a form.", "The request is not well-formed."]);
}
