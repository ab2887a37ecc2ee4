//! `src/config`: the environment variables, their defaults, and the errors of invalid values.

use std::ffi::{OsStr, OsString};
use std::process::Command;
use std::time::Duration;

use aws_types::service_config::ServiceConfigKey;
use countersign::aws::{self, Roots};
use countersign::config::{self, Config, ConfigError, RotationConfig};
use countersign::password_hash::Argon2Params;
use countersign::throttle::Budget;

use testing::ISSUER;
use testing::cloud::environment;

mod pages;

/// Returns the settings of valid variables of which one is changed, or removed by `None`.
fn with(name: &'static str, value: Option<&OsStr>) -> Result<Config, ConfigError> {
    Config::from_variables(|variable| {
        if variable == name { value.map(OsStr::to_owned) } else { environment(ISSUER).get(variable).map(Into::into) }
    })
}

fn rotation_with(name: &'static str, value: Option<&OsStr>) -> Result<RotationConfig, ConfigError> {
    RotationConfig::from_variables(|variable| {
        if variable == name { value.map(OsStr::to_owned) } else { environment(ISSUER).get(variable).map(Into::into) }
    })
}

#[test]
fn missing_variables_have_defaults() {
    let config = with("", None).unwrap();
    assert_eq!((config.lifetimes.user_token, config.lifetimes.service_token), (3_600, 43_200));
    assert_eq!((config.lifetimes.refresh_token_idle, config.lifetimes.refresh_token_max), (2_592_000, 7_776_000));
    assert_eq!(config.lifetimes.refresh_grace, 10);
    assert_eq!(config.argon2, Argon2Params { memory_kib: 19_456, iterations: 2, parallelism: 1 });
    assert!(config.pages.is_none());
    assert_eq!((config.throttle, config.max_concurrency), (Budget { free_attempts: 5, max_delay: 3_600 }, 1));
    for (free_attempts, max_delay) in [(1, 60), (20, 86_400)] {
        let budget = with("FREE_ATTEMPTS", Some(free_attempts.to_string().as_ref())).unwrap().throttle;
        assert_eq!(budget.free_attempts, free_attempts);
        let budget = with("MAX_ATTEMPT_DELAY", Some(max_delay.to_string().as_ref())).unwrap().throttle;
        assert_eq!(budget.max_delay, max_delay);
    }
    for grace in [0, 5, 60] {
        assert_eq!(with("REFRESH_GRACE", Some(grace.to_string().as_ref())).unwrap().lifetimes.refresh_grace, grace);
    }
    // A grace that is shorter than the retries of the SDK would turn its retries into replays.
    for grace in ["1", "4"] {
        let error = with("REFRESH_GRACE", Some(grace.as_ref())).unwrap_err();
        assert_eq!(error.to_string(), "environment variable REFRESH_GRACE must be 0 or at least 5");
    }
    assert_eq!(with("USER_TOKEN_TTL", Some("".as_ref())).unwrap().lifetimes.user_token, 3_600);
}

#[test]
fn the_error_names_a_missing_or_invalid_variable() {
    for name in environment(ISSUER).into_keys() {
        for value in [None, Some("".as_ref())] {
            // Some variables are only settings of the rotation function.
            let error = with(name, value).err().or_else(|| rotation_with(name, value).err()).unwrap();
            assert_eq!(error.to_string(), format!("environment variable {name} is missing"));
        }
    }
    for name in [
        "USER_TOKEN_TTL",
        "SERVICE_TOKEN_TTL",
        "REFRESH_TOKEN_IDLE_TTL",
        "REFRESH_TOKEN_MAX_TTL",
        "KEYS_MAX_AGE",
        "ARGON2_MEMORY_KIB",
        "ARGON2_ITERATIONS",
        "ARGON2_PARALLELISM",
    ] {
        for value in ["0", "-1", "1.5", "1h", " 1", "4294967296", "canary"] {
            let error = with(name, Some(value.as_ref())).unwrap_err();
            assert_eq!(error.variable, name, "{value}");
            assert!(!error.to_string().contains("canary"));
        }
    }
    for (name, values) in [
        ("FREE_ATTEMPTS", ["0", "21", "-1", "x"]),
        ("MAX_ATTEMPT_DELAY", ["59", "86401", "-60", "1h"]),
        ("AWS_LAMBDA_MAX_CONCURRENCY", ["0", "-1", "x", "1.5"]),
    ] {
        for value in values {
            assert_eq!(with(name, Some(value.as_ref())).unwrap_err().variable, name, "{value}");
        }
    }
    for value in ["https://a.example", "A.example", "a.example/b", "a.example:443", "canary.example?"] {
        let error = with("MTLS_DOMAIN", Some(value.as_ref())).unwrap_err();
        assert_eq!(error.to_string(), "environment variable MTLS_DOMAIN must be a domain name in lower case");
    }
    let domain = with("MTLS_DOMAIN", Some("mtls.a-1.example".as_ref())).unwrap().mtls_domain;
    assert_eq!(domain.as_deref(), Some("mtls.a-1.example"));
    for (name, value) in [("SIGNING_ALGORITHM", "HS256"), ("KEY_PUBLIC_FOR", "soon")] {
        assert_eq!(rotation_with(name, Some(value.as_ref())).unwrap_err().variable, name);
    }
    for value in ["-1", "1.5", "4294967296", "canary"] {
        assert_eq!(with("REFRESH_GRACE", Some(value.as_ref())).unwrap_err().variable, "REFRESH_GRACE", "{value}");
    }
}

#[cfg(unix)]
#[test]
fn the_error_names_a_variable_that_is_not_utf_8() {
    use std::os::unix::ffi::OsStringExt;
    let value = OsString::from_vec(vec![b'1', 0xff]);
    for name in ["CLIENTS_TABLE", "REFRESH_GRACE", "USER_TOKEN_TTL"] {
        assert_eq!(
            with(name, Some(&value)).unwrap_err().to_string(),
            format!("environment variable {name} is not UTF-8")
        );
    }
}

#[test]
fn an_issuer_is_a_url_in_exactly_one_form() {
    for issuer in ["https://auth.example", "https://auth.example/tenant/a", "http://127.0.0.1:9000"] {
        assert_eq!(with("ISSUER", Some(issuer.as_ref())).unwrap().issuer, issuer);
    }
    for issuer in [
        "auth.example",
        "https://",
        "https:///a",
        "ftp://auth.example",
        "HTTPS://auth.example",
        "https://auth.example/",
        "https://auth.example?a",
        "https://auth.example#a",
        "https://auth.example/a b",
        " https://auth.example",
        "https://auth.ex\u{e4}mple",
    ] {
        assert_eq!(with("ISSUER", Some(issuer.as_ref())).unwrap_err().variable, "ISSUER", "{issuer}");
    }
}

#[test]
fn a_function_with_invalid_settings_prints_one_line_and_stops() {
    let start = |changes: &[(&str, &str)]| {
        let mut function = Command::new(env!("CARGO_BIN_EXE_api"));
        function.env_clear().env("AWS_REGION", "eu-west-2");
        function.envs(environment(ISSUER)).envs(changes.iter().copied());
        let output = function.output().unwrap();
        assert!(!output.status.success());
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(start(&[("GRANTS_TABLE", "")]), "countersign: environment variable GRANTS_TABLE is missing\n");
    let line = start(&[]);
    assert!(line.contains("AWS_LAMBDA_RUNTIME_API") && line.lines().count() == 1, "{line}");
    let line = start(&[("ARGON2_MEMORY_KIB", "4194304"), ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")]);
    assert!(line.contains("ARGON2_MEMORY_KIB") && line.lines().count() == 1, "{line}");
}

#[test]
fn the_connection_to_aws_depends_only_on_environment_variables() {
    let connection = |variables: &[(&str, &str)]| {
        config::connection(|variable| {
            variables.iter().find(|(name, _)| *name == variable).map(|(_, value)| value.into())
        })
    };
    assert_eq!(
        connection(&[]),
        Err(ConfigError { variable: "AWS_REGION", problem: "is missing".into() }),
        "the SDK would call the metadata service of a virtual machine"
    );
    let region = ("AWS_REGION", "eu-west-2");
    let regional = connection(&[region, ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")]).unwrap();
    let sdk = regional.sdk().unwrap();
    assert_eq!((sdk.region().unwrap().as_ref(), sdk.endpoint_url()), ("eu-west-2", None));
    assert_eq!((sdk.use_fips(), sdk.use_dual_stack()), (Some(false), Some(false)));
    assert!(sdk.credentials_provider().is_some() && sdk.http_client().is_some());
    assert_eq!(sdk.timeout_config().unwrap().operation_timeout(), Some(Duration::from_secs(3)));
    let other = connection(&[
        region,
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:2"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "True"),
    ]);
    let sdk = other.unwrap().sdk().unwrap();
    assert_eq!(sdk.endpoint_url(), Some("http://127.0.0.1:4566"));
    for (service, endpoint) in [("DynamoDB", "http://127.0.0.1:1"), ("Secrets Manager", "http://127.0.0.1:2")] {
        let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
        let found = sdk.service_config().unwrap().load_config(key.build().unwrap());
        assert_eq!(found.as_deref(), Some(endpoint));
    }
    assert_eq!((sdk.use_fips(), sdk.use_dual_stack()), (Some(true), Some(true)));
}

#[test]
fn the_trusted_certificates_depend_on_the_endpoint() {
    let roots = |variables: &[(&str, &str)]| {
        config::roots(|variable| variables.iter().find(|(name, _)| *name == variable).map(|(_, value)| value.into()))
    };
    let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
    assert_eq!(roots(&[lambda, ("AWS_REGION", "eu-west-2")]), Ok(Roots::Amazon));
    assert_eq!(roots(&[("AWS_REGION", "eu-west-2")]), Ok(Roots::System));
    for region in ["cn-north-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1"] {
        assert_eq!(roots(&[lambda, ("AWS_REGION", region)]), Ok(Roots::System), "{region}");
    }
    let local = ("AWS_ENDPOINT_URL", "https://127.0.0.1:4566");
    assert_eq!(roots(&[lambda, local, ("AWS_REGION", "eu-west-2")]), Ok(Roots::System));

    let bundle = concat!(env!("CARGO_MANIFEST_DIR"), "/src/aws/amazon_trust_services.pem");
    let named = roots(&[lambda, ("AWS_CA_BUNDLE", bundle)]).unwrap();
    assert!(matches!(&named, Roots::Pem(text) if text.contains("BEGIN CERTIFICATE")));
    for roots in [named, Roots::Amazon, Roots::System] {
        assert!(aws::https(&roots).is_ok());
    }
    // The cause is the text of the operating system, which does not quote the path.
    let error_of = |file| roots(&[("AWS_CA_BUNDLE", file)]).unwrap_err();
    let unreadable = ["/nowhere", "/"].map(|file| {
        let error = error_of(file);
        let cause = error.problem.strip_prefix("names a file that cannot be read: ").unwrap();
        assert!(error.variable == "AWS_CA_BUNDLE" && !cause.is_empty() && !cause.contains("nowhere"), "{error}");
        error
    });
    assert_ne!(unreadable[0], unreadable[1], "the causes differ");
    let problem = "names a file that does not contain PEM certificates".into();
    let other_file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert_eq!(error_of(other_file), ConfigError { variable: "AWS_CA_BUNDLE", problem });
}
