//! The parts of `template.yaml` that the code depends on. `tests/e2e/test_template.py` tests the rest.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;

use countersign::config::{Config, RotationConfig};
use countersign::password_hash::{Argon2Params, Hash, Hasher};
use serde_json::{Value, json};

use testing::ISSUER;
use testing::cloud::{TEMPLATE, environment};
use testing::guess::verify_password;

/// Returns the environment variables of a function.
fn variables(function: &str) -> serde_json::Map<String, Value> {
    let function = TEMPLATE["Resources"][function].clone();
    function["Properties"]["Environment"]["Variables"].as_object().unwrap().clone()
}

/// Returns the parameter that sets a variable of a function.
fn parameter(function: &str, variable: &str) -> Option<Value> {
    let name = variables(function)[variable].as_str()?.to_owned();
    TEMPLATE["Parameters"].get(name).cloned()
}

#[test]
fn each_function_has_exactly_the_variables_that_it_reads() {
    let read = RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        read.borrow_mut().insert(name.to_owned());
        environment(ISSUER).get(name).map(Into::into)
    };
    Config::from_variables(lookup).unwrap();
    let given = variables("ApiFunction");
    // Lambda sets this one.
    assert!(read.borrow_mut().remove("AWS_LAMBDA_MAX_CONCURRENCY"));
    assert_eq!(given.keys().cloned().collect::<BTreeSet<_>>(), read.take());
    for (name, resource) in [
        ("CLIENTS_TABLE", json!(["MakesClientsTable", "ClientsTable", "ExistingClientsTable"])),
        ("USERS_TABLE", json!(["MakesUsersTable", "UsersTable", "ExistingUsersTable"])),
        ("GRANTS_TABLE", json!("GrantsTable")),
        ("SIGNING_SECRET_ID", json!("SigningSecret.Id")),
    ] {
        assert_eq!(given[name], resource);
    }
    RotationConfig::from_variables(lookup).unwrap();
    let given = variables("RotateFunction");
    assert_eq!(given.keys().cloned().collect::<BTreeSet<_>>(), read.take());
    assert_eq!(given["SIGNING_SECRET_ID"], "SigningSecret.Id");
}

#[test]
fn the_defaults_of_the_parameters_are_the_defaults_of_the_functions() {
    let defaults = RefCell::new(Vec::new());
    let given = |function: &'static str| {
        let defaults = &defaults;
        move |name: &str| -> Option<OsString> {
            if name == "AWS_LAMBDA_MAX_CONCURRENCY" {
                return None;
            }
            let by_default = ["SIGNING_ALGORITHM", "KEY_PUBLIC_FOR"].contains(&name);
            if let Some(value) = environment(ISSUER).get(name).filter(|_| !by_default) {
                return Some(value.into());
            }
            defaults.borrow_mut().push(name.to_owned());
            let default = parameter(function, name).unwrap()["Default"].clone();
            Some(default.as_str().map_or_else(|| default.to_string(), ToOwned::to_owned).into())
        }
    };
    let without_parameters = |name: &str| environment(ISSUER).get(name).map(Into::into);
    let by_parameters = Config::from_variables(given("ApiFunction")).unwrap();
    assert_eq!(format!("{by_parameters:?}"), format!("{:?}", Config::from_variables(without_parameters).unwrap()));
    let by_parameters = RotationConfig::from_variables(given("RotateFunction")).unwrap();
    assert_eq!(
        format!("{by_parameters:?}"),
        format!("{:?}", RotationConfig::from_variables(without_parameters).unwrap())
    );
    assert_eq!(defaults.into_inner().len(), 21 + 3);
}

#[test]
fn every_allowed_argon2_parameter_can_hash_and_verify() {
    let allowed = |variable: &str| -> Vec<u32> {
        serde_json::from_value(parameter("ApiFunction", variable).unwrap()["AllowedValues"].clone()).unwrap()
    };
    let (memory, iterations) = (allowed("ARGON2_MEMORY_KIB"), allowed("ARGON2_ITERATIONS"));
    let most = (*memory.iter().max().unwrap(), *iterations.iter().max().unwrap());
    for parallelism in allowed("ARGON2_PARALLELISM") {
        let hasher = Hasher::new(Argon2Params { memory_kib: most.0, iterations: most.1, parallelism }).unwrap();
        let stored = Hash::try_from(hasher.hash("secret").unwrap().as_str().to_owned()).unwrap();
        assert!(verify_password(&hasher, Some(&stored), "secret").is_some());
    }
    assert!(memory.contains(&19_456) && iterations.contains(&2));
}

#[test]
fn each_function_has_its_runtime_and_its_build() {
    for (name, binary) in [("ApiFunction", "api"), ("RotateFunction", "rotate")] {
        let function = &TEMPLATE["Resources"][name];
        assert_eq!(function["Properties"]["Runtime"], "provided.al2023");
        let built = json!({"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": binary}});
        assert_eq!(function["Metadata"], built);
    }
}

#[test]
fn the_metadata_of_the_application_is_that_of_the_package() {
    let application = &TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"];
    assert_eq!(application["Name"], env!("CARGO_PKG_NAME"));
    assert_eq!(application["SemanticVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(application["SpdxLicenseId"], env!("CARGO_PKG_LICENSE"));
    for file in ["LicenseUrl", "ReadmeUrl"] {
        assert!(super::root().join(application[file].as_str().unwrap()).is_file(), "{file}");
    }
}

#[test]
fn s_608_the_audit_log_survives_the_stack_and_is_protected_from_deletion() {
    let resources = &TEMPLATE["Resources"];
    assert_eq!(resources["ApiFunction"]["Properties"]["LoggingConfig"]["LogGroup"], "ApiLogGroup");
    let group = &resources["ApiLogGroup"];
    assert_eq!(group["DeletionPolicy"], "RetainExceptOnCreate");
    assert_eq!(group["UpdateReplacePolicy"], "Retain");
    assert_eq!(group["Properties"]["DeletionProtectionEnabled"], true);
    assert_eq!(group["Properties"]["RetentionInDays"], "LogRetentionDays");
    // With a name, a new stack of the same name could not create its group.
    assert_eq!(group["Properties"].get("LogGroupName"), None);
}
