//! The stack, where the code depends on it. What it promises beyond that is asserted on the translated template
//! (`tests/e2e/test_template.py`).

use std::cell::RefCell;
use std::collections::BTreeSet;

use countersign::config::Config;
use countersign::secret::{Hash, Hasher};
use serde_json::{Value, json};

use crate::cloud::{environment, template};
use crate::support::ISSUER;

fn variables() -> serde_json::Map<String, Value> {
    let function = template().unwrap()["Resources"]["ApiFunction"].clone();
    function["Properties"]["Environment"]["Variables"].as_object().unwrap().clone()
}

/// The parameter that a variable is given by.
fn parameter(variable: &str) -> Option<Value> {
    let name = variables()[variable].as_str()?.to_owned();
    template().unwrap()["Parameters"].get(name).cloned()
}

#[test]
fn the_function_is_given_every_variable_that_it_reads_and_no_other() {
    let given = variables();
    let read = RefCell::new(BTreeSet::new());
    Config::from_variables(|name| {
        read.borrow_mut().insert(name.to_owned());
        environment(ISSUER).get(name).map(Into::into)
    })
    .unwrap();
    assert_eq!(given.keys().cloned().collect::<BTreeSet<_>>(), read.into_inner());
    for (name, resource) in [
        ("CLIENTS_TABLE", "ClientsTable"),
        ("USERS_TABLE", "UsersTable"),
        ("GRANTS_TABLE", "GrantsTable"),
        ("SIGNING_SECRET_ID", "SigningSecret.Id"),
    ] {
        assert_eq!(given[name], resource);
    }
}

#[test]
fn the_defaults_of_the_parameters_are_those_of_the_function() {
    let from = |variable: &dyn Fn(&str) -> Option<String>| {
        let config = Config::from_variables(|name| {
            environment(ISSUER).get(name).cloned().or_else(|| variable(name)).map(Into::into)
        });
        format!("{:?}", config.unwrap())
    };
    let asked = RefCell::new(0);
    let by_parameters = from(&|name| {
        *asked.borrow_mut() += 1;
        Some(parameter(name).unwrap()["Default"].to_string())
    });
    assert_eq!(by_parameters, from(&|_| None));
    assert_eq!(asked.into_inner(), 8);
}

#[test]
fn every_password_hash_that_the_parameters_allow_can_be_made_and_verified() {
    let allowed = |variable: &str| -> Vec<u32> {
        serde_json::from_value(parameter(variable).unwrap()["AllowedValues"].clone()).unwrap()
    };
    let (memory, iterations) = (allowed("ARGON2_MEMORY_KIB"), allowed("ARGON2_ITERATIONS"));
    let most = (*memory.iter().max().unwrap(), *iterations.iter().max().unwrap());
    for parallelism in allowed("ARGON2_PARALLELISM") {
        let hasher = Hasher::new(most.0, most.1, parallelism).unwrap();
        let stored = Hash::try_from(hasher.hash("secret").unwrap().as_str().to_owned()).unwrap();
        assert!(hasher.verify_password(Some(&stored), "secret"));
    }
    assert!(memory.contains(&19_456) && iterations.contains(&2));
}

#[test]
fn the_function_is_built_as_it_must_be() {
    let function = &template().unwrap()["Resources"]["ApiFunction"];
    assert_eq!(function["Properties"]["Runtime"], "provided.al2023");
    assert_eq!(function["Metadata"], json!({"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": "api"}}));
}
