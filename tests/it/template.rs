//! The stack, where the code depends on it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use countersign::config::Config;
use serde_json::{Value, json};

use crate::cloud::{environment, template};
use crate::support::ISSUER;

fn resource(name: &str) -> Value {
    template().unwrap()["Resources"][name].clone()
}

#[test]
fn the_function_is_given_every_variable_that_it_requires_and_none_that_it_does_not_read() {
    let function = resource("ApiFunction");
    let given = function["Properties"]["Environment"]["Variables"].as_object().unwrap().clone();
    let asked = RefCell::new(BTreeSet::new());
    let config = Config::from_variables(|name| {
        asked.borrow_mut().insert(name.to_owned());
        environment(ISSUER).get(name).filter(|_| given.contains_key(name)).map(Into::into)
    });
    assert!(config.is_ok(), "{config:?}");
    for name in given.keys() {
        assert!(asked.borrow().contains(name), "{name} is not read");
    }
    for (name, table) in
        [("CLIENTS_TABLE", "ClientsTable"), ("USERS_TABLE", "UsersTable"), ("GRANTS_TABLE", "GrantsTable")]
    {
        assert_eq!(given[name], table);
    }
    assert_eq!(given["SIGNING_SECRET_ID"], "SigningSecret");
}

#[test]
fn the_function_is_built_and_sized_as_it_must_be() {
    let function = resource("ApiFunction");
    assert_eq!(function["Properties"]["Runtime"], "provided.al2023");
    assert_eq!(function["Properties"]["MemorySize"], 1769);
    assert_eq!(function["Metadata"], json!({"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": "api"}}));
}

#[test]
fn the_tables_are_kept_encrypted_and_recoverable() {
    for (name, policy) in [("ClientsTable", "Retain"), ("UsersTable", "Retain"), ("GrantsTable", "Delete")] {
        let table = resource(name);
        assert_eq!(table["DeletionPolicy"], policy);
        assert_eq!(table["UpdateReplacePolicy"], policy);
        assert_eq!(table["Properties"]["BillingMode"], "PAY_PER_REQUEST");
        assert_eq!(table["Properties"]["SSESpecification"]["SSEEnabled"], true);
        assert_eq!(table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    }
    let ttl = &resource("GrantsTable")["Properties"]["TimeToLiveSpecification"];
    assert_eq!(*ttl, json!({"AttributeName": "expires_at", "Enabled": true}));
}

#[test]
fn the_role_has_no_wildcard() {
    let policies = resource("ApiRole")["Properties"]["Policies"].clone();
    assert!(!policies.to_string().contains('*'), "{policies}");
    assert!(resource("ApiRole")["Properties"].get("ManagedPolicyArns").is_none());
    assert!(resource("ApiFunction")["Properties"].get("Policies").is_none(), "the role is the one place of rights");
}
