//! Several processes of the function on the same tables, and one that stands still: what no single process shows.
//! `FUNCTION` names the binary that is tried, as it is deployed; without it, it is the tests' own.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{command_line, start_api};
use testing::{
    APPLICATION, FaultProxy, Function, OLD, PASSWORD, Ran, Response, SCOPE, SERVICE, TestApp, USERNAME, event,
};

const ANOTHER_PASSWORD: &str = "plum-kettle-orbit-fern";

/// Processes of the function that have nothing in common but the tables.
struct Fleet {
    test: TestApp,
    functions: Vec<Function>,
}

impl Fleet {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let test = TestApp::start().await;
        let mut functions = Vec::new();
        for _ in 0..4 {
            functions.push(start_api(test.cloud_address(), settings).await);
        }
        Self { test, functions }
    }

    /// Has each process response an event of its own, all at once.
    async fn at_once(&mut self, events: impl Fn(usize) -> Value) -> Vec<Response> {
        for (process, function) in self.functions.iter().enumerate() {
            function.send(events(process)).await;
        }
        let mut responses = Vec::new();
        for function in &mut self.functions {
            responses.push(function.response().await);
        }
        responses
    }

    async fn refresh_token(&mut self, (username, password): (&str, &str)) -> String {
        self.functions[0].invoke(login(username, password)).await.refresh_token()
    }

    /// Sends requests from all processes again and again until an operator's command has ended or a request was rejected.
    /// Returns all responses. What is rejected may be a wrong guess, of which there are not to be many.
    async fn while_operator(&mut self, arguments: &[&str], input: &str, ask: impl Fn(usize) -> Value) -> Vec<Response> {
        let command = command_line(&self.test).start(arguments);
        let input = input.to_owned();
        let running = tokio::spawn(async move { Ran::of(command, &input).await });
        let mut responses = Vec::new();
        while !running.is_finished() && responses.iter().all(|response: &Response| response.status == 200) {
            responses.extend(self.at_once(&ask).await);
        }
        running.await.unwrap().assert(0, "");
        responses
    }

    /// The items of a table, as DynamoDB writes them.
    fn items(&self, table: &str) -> Vec<Value> {
        let scan = serde_json::from_value(json!({"TableName": table})).unwrap();
        let found = serde_json::to_value(self.test.cloud.database.scan(scan).unwrap()).unwrap();
        found["Items"].as_array().unwrap().clone()
    }

    fn live_families(&self) -> usize {
        self.items("GrantsTable").iter().filter(|family| family["revoked"]["BOOL"] == false).count()
    }

    fn stored_hash(&self, username: &str) -> String {
        let user = self.test.cloud.item("UsersTable", &json!({"username": username})).unwrap().unwrap();
        user["password_hash"]["S"].as_str().unwrap().to_owned()
    }
}

fn login(username: &str, password: &str) -> Value {
    let params = [("grant_type", "password"), ("username", username), ("password", password), ("scope", SCOPE)];
    event(APPLICATION, &params)
}

fn refresh(token: &str) -> Value {
    event(APPLICATION, &[("grant_type", "refresh_token"), ("refresh_token", token)])
}

#[tokio::test]
async fn s_402_processes_that_use_one_token_at_once_get_one_successor() {
    let mut fleet = Fleet::start(&[]).await;
    let mut token = fleet.refresh_token((USERNAME, PASSWORD)).await;
    for generation in 1..=25 {
        let responses = fleet.at_once(|_| refresh(&token)).await;
        let successors: HashSet<_> = responses.iter().map(Response::refresh_token).collect();
        assert_eq!(successors.len(), 1);
        let family = fleet.test.family(&token);
        assert_eq!(
            (&family["generation"]["N"], &family["revoked"]["BOOL"]),
            (&json!(generation.to_string()), &json!(false))
        );
        token = successors.into_iter().next().unwrap();
    }
    println!("faults: race of refreshes, 4 processes: 25 rounds, one live leaf after each");
}

#[tokio::test]
async fn s_402_processes_that_use_one_token_at_once_without_grace_leave_no_leaf() {
    let mut fleet = Fleet::start(&[("REFRESH_GRACE", "0")]).await;
    for _ in 0..25 {
        let token = fleet.refresh_token((USERNAME, PASSWORD)).await;
        let responses = fleet.at_once(|_| refresh(&token)).await;
        let (issued, refused): (Vec<_>, Vec<_>) = responses.iter().partition(|response| response.status == 200);
        assert_eq!((issued.len(), refused.len()), (1, 3));
        for response in refused {
            response.assert_error(400, "invalid_grant");
        }
        // A request that read the token as the active one and lost the race ends nothing; a later one is a replay.
        assert!(fleet.live_families() <= 1);
        fleet.functions[0].invoke(refresh(&token)).await.assert_error(400, "invalid_grant");
        assert_eq!(fleet.live_families(), 0, "a second use is a replay");
    }
    println!("faults: race of refreshes without grace, 4 processes: 25 rounds, one token in each");
}

#[tokio::test]
async fn s_406_a_user_who_is_disabled_beside_refreshes_gets_nothing_any_more() {
    let mut fleet = Fleet::start(&[]).await;
    let mut count = 0;
    for _ in 0..4 {
        let mut tokens = Vec::new();
        for _ in 0..4 {
            tokens.push(fleet.refresh_token((USERNAME, PASSWORD)).await);
        }
        // Each process goes on from the token that it has: from the predecessor, in the grace, that is the same.
        let responses =
            fleet.while_operator(&["user", "disable", USERNAME], "", |process| refresh(&tokens[process])).await;
        count += responses.len();
        for response in &responses {
            assert!(response.status == 200 || response.body["error"] == "invalid_grant", "{:?}", response.bytes);
        }
        for response in fleet.at_once(|process| refresh(&tokens[process])).await {
            response.assert_error(400, "invalid_grant");
        }
        for response in responses.iter().filter(|response| response.status == 200) {
            tokens.push(response.refresh_token());
        }
        assert_eq!(fleet.live_families(), 0);
        command_line(&fleet.test).run(&["user", "enable", USERNAME]).await.assert(0, "");
        for token in tokens.iter().collect::<HashSet<_>>() {
            fleet.functions[0].invoke(refresh(token)).await.assert_error(400, "invalid_grant");
        }
    }
    println!(
        "faults: race of refreshes and a disabled user: 4 rounds, {count} refreshes beside, no live leaf after each"
    );
}

#[tokio::test]
async fn s_303_logins_at_once_upgrade_a_hash_once() {
    let mut fleet = Fleet::start(&[]).await;
    for _ in 0..4 {
        fleet.test.change("UsersTable", &json!({"username": OLD.0}), &json!({}));
        assert!(fleet.stored_hash(OLD.0).starts_with("$2y$"));
        // On a busy machine an upgrade may be given up, and left to the next login.
        for _ in 0..10 {
            for response in fleet.at_once(|_| login(OLD.0, OLD.1)).await {
                response.assert_issued(2);
            }
            if !fleet.stored_hash(OLD.0).starts_with("$2y$") {
                break;
            }
        }
        let upgraded = fleet.stored_hash(OLD.0);
        assert!(upgraded.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{upgraded}");
        for response in fleet.at_once(|_| login(OLD.0, OLD.1)).await {
            response.assert_issued(2);
        }
        assert_eq!(fleet.stored_hash(OLD.0), upgraded);
    }
    println!("faults: race of hash upgrades, 4 processes: 4 rounds, one hash after each, and it verifies");
}

#[tokio::test]
async fn s_303_a_password_that_changes_beside_logins_is_the_new_one_and_the_old_logins_end() {
    let mut fleet = Fleet::start(&[]).await;
    let mut count = 0;
    for _ in 0..3 {
        fleet.test.change("UsersTable", &json!({"username": OLD.0}), &json!({}));
        // An old hash, so that each login wants to replace what the operator replaces.
        let arguments = ["user", "set-password", OLD.0];
        let responses = fleet.while_operator(&arguments, ANOTHER_PASSWORD, |_| login(OLD.0, OLD.1)).await;
        count += responses.len();
        fleet.functions[1].invoke(login(OLD.0, ANOTHER_PASSWORD)).await.assert_issued(2);
        fleet.functions[0].invoke(login(OLD.0, OLD.1)).await.assert_error(400, "invalid_grant");
        for response in responses {
            match response.status {
                200 => {
                    let token = response.refresh_token();
                    fleet.functions[2].invoke(refresh(&token)).await.assert_error(400, "invalid_grant");
                }
                _ => response.assert_error(400, "invalid_grant"),
            }
        }
    }
    println!("faults: race of logins and a password change: 3 rounds, {count} logins beside, none outlives it");
}

/// What becomes of the connections of an environment that stands still.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Kept,
    Reset,
    Forgotten,
}

/// `FREEZE_SECONDS` says for how long: a moment, or, by `make faults`, a minute.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says for how long")]
async fn s_710_after_a_freeze_the_first_request_works() {
    let seconds = std::env::var("FREEZE_SECONDS").map_or(2, |seconds| seconds.parse().unwrap());
    let mut frozen = Vec::new();
    for meanwhile in [Meanwhile::Kept, Meanwhile::Reset, Meanwhile::Forgotten] {
        for first in 0..3 {
            let test = TestApp::start().await;
            let proxy = FaultProxy::before(&test).await;
            let mut function = start_api(proxy.address(), &[]).await;
            let token = function.invoke(login(USERNAME, PASSWORD)).await.refresh_token();
            let service = event(SERVICE, &[("grant_type", "client_credentials")]);
            function.invoke(service.clone()).await.assert_issued(2);
            let request = [service, login(USERNAME, PASSWORD), refresh(&token)][first].clone();
            function.signal("-STOP");
            match meanwhile {
                Meanwhile::Kept => {}
                Meanwhile::Reset => proxy.reset_connections().await,
                Meanwhile::Forgotten => proxy.forget_connections(),
            }
            frozen.push((test, proxy, function, request, meanwhile));
        }
    }
    sleep(Duration::from_secs(seconds)).await;
    let count = frozen.len();
    for (_test, _proxy, mut function, request, meanwhile) in frozen {
        function.signal("-CONT");
        let response = function.invoke(request).await;
        assert_eq!(response.status, 200, "{meanwhile:?}: {:?}\n{}", response.bytes, function.end().await);
    }
    println!("faults: S-710 after {seconds} s of standing still: {count} combinations");
}
