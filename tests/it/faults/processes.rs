//! Several processes of the function with the same tables, and a frozen process. The environment variable `FUNCTION` can
//! name another binary, for example the deployed one.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{command_line, start_api};
use testing::{
    APPLICATION, CLIENT_CREDENTIALS, CODE_CLIENT, CommandOutput, FaultProxy, Function, IMPORTED_USER, PASSWORD,
    Response, SCOPE, SERVICE, TestApp, USERNAME, event, exchange,
};

const ANOTHER_PASSWORD: &str = "plum-kettle-orbit-fern";

/// Four processes of the function that share only the tables.
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

    /// Sends an event to each process simultaneously, and returns the responses.
    async fn invoke_all(&mut self, events: impl Fn(usize) -> Value) -> Vec<Response> {
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

    /// Invokes all processes repeatedly until a command of the operator has ended or a request was rejected. Returns all
    /// responses. It stops at a rejection, because a wrong password can be a guess, and guesses can be limited.
    async fn invoke_during_command(
        &mut self,
        arguments: &[&str],
        input: &str,
        request: impl Fn(usize) -> Value,
    ) -> Vec<Response> {
        let command = command_line(&self.test).start(arguments);
        let input = input.to_owned();
        let running = tokio::spawn(async move { CommandOutput::of(command, &input).await });
        let mut responses = Vec::new();
        while !running.is_finished() && responses.iter().all(|response: &Response| response.status == 200) {
            responses.extend(self.invoke_all(&request).await);
        }
        running.await.unwrap().assert(0, "");
        responses
    }

    fn active_families(&self) -> usize {
        self.test.active_generations().len()
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
async fn s_402_concurrent_processes_get_one_successor_of_a_token() {
    let mut fleet = Fleet::start(&[]).await;
    let mut token = fleet.refresh_token((USERNAME, PASSWORD)).await;
    for generation in 1..=25 {
        let responses = fleet.invoke_all(|_| refresh(&token)).await;
        let successors: HashSet<_> = responses.iter().map(Response::refresh_token).collect();
        assert_eq!(successors.len(), 1);
        assert_eq!(fleet.test.active_generation(&token), Some(generation));
        token = successors.into_iter().next().unwrap();
    }
    println!("faults: race of refreshes, 4 processes: 25 rounds, one active refresh token after each");
}

#[tokio::test]
async fn s_402_without_a_grace_one_of_concurrent_processes_gets_a_successor() {
    let mut fleet = Fleet::start(&[("REFRESH_GRACE", "0")]).await;
    for _ in 0..25 {
        let token = fleet.refresh_token((USERNAME, PASSWORD)).await;
        let responses = fleet.invoke_all(|_| refresh(&token)).await;
        let (issued, rejected): (Vec<_>, Vec<_>) = responses.iter().partition(|response| response.status == 200);
        assert_eq!((issued.len(), rejected.len()), (1, 3));
        for response in rejected {
            response.assert_error(400, "invalid_grant");
        }
        // A request that read the token as active and lost the race revokes nothing. A later request is a replay.
        assert!(fleet.active_families() <= 1);
        fleet.functions[0].invoke(refresh(&token)).await.assert_error(400, "invalid_grant");
        assert_eq!(fleet.active_families(), 0, "a second use is a replay");
    }
    println!("faults: race of refreshes without grace, 4 processes: 25 rounds, one token in each");
}

#[tokio::test]
async fn s_806_one_of_concurrent_processes_exchanges_a_code() {
    let mut fleet = Fleet::start(&[("LOGIN_PAGES", "on")]).await;
    fleet.test.use_system_time().await;
    fleet.test.put_code_client(&json!({}));
    for round in 0..25 {
        let code = fleet.test.code().await;
        let request = event(CODE_CLIENT, &exchange(&[("code", &code)]));
        let responses = fleet.invoke_all(|_| request.clone()).await;
        let (issued, rejected): (Vec<_>, Vec<_>) = responses.iter().partition(|response| response.status == 200);
        assert_eq!((issued.len(), rejected.len()), (1, 3), "round {round}");
        for response in rejected {
            response.assert_error(400, "invalid_grant");
        }
        assert_eq!(fleet.active_families(), 0, "the others are replays, which end the login");
    }
    println!("faults: race of exchanges, 4 processes: 25 rounds, one success in each");
}

#[tokio::test]
async fn s_406_a_user_who_is_disabled_during_refreshes_gets_no_more_tokens() {
    let mut fleet = Fleet::start(&[]).await;
    let mut count = 0;
    for _ in 0..4 {
        let mut tokens = Vec::new();
        for _ in 0..4 {
            tokens.push(fleet.refresh_token((USERNAME, PASSWORD)).await);
        }
        // Each process repeats the same token. Within the grace these are retries.
        let responses =
            fleet.invoke_during_command(&["user", "disable", USERNAME], "", |process| refresh(&tokens[process])).await;
        count += responses.len();
        for response in &responses {
            assert!(response.status == 200 || response.body["error"] == "invalid_grant", "{:?}", response.bytes);
        }
        for response in fleet.invoke_all(|process| refresh(&tokens[process])).await {
            response.assert_error(400, "invalid_grant");
        }
        for response in responses.iter().filter(|response| response.status == 200) {
            tokens.push(response.refresh_token());
        }
        assert_eq!(fleet.active_families(), 0);
        command_line(&fleet.test).run(&["user", "enable", USERNAME]).await.assert(0, "");
        for token in tokens.iter().collect::<HashSet<_>>() {
            fleet.functions[0].invoke(refresh(token)).await.assert_error(400, "invalid_grant");
        }
    }
    println!(
        "faults: race of refreshes and a disabled user: 4 rounds, {count} concurrent refreshes, no active refresh token after each"
    );
}

#[tokio::test]
async fn s_303_concurrent_logins_upgrade_a_hash_once() {
    let mut fleet = Fleet::start(&[]).await;
    for _ in 0..4 {
        fleet.test.change_imported_user(&json!({}));
        assert!(fleet.test.password_hash_of(IMPORTED_USER.0).starts_with("$2y$"));
        // On a busy machine an upgrade can exceed its time limit. The next login repeats it.
        for _ in 0..10 {
            for response in fleet.invoke_all(|_| login(IMPORTED_USER.0, IMPORTED_USER.1)).await {
                response.assert_issued(2);
            }
            if !fleet.test.password_hash_of(IMPORTED_USER.0).starts_with("$2y$") {
                break;
            }
        }
        let upgraded = fleet.test.password_hash_of(IMPORTED_USER.0);
        assert!(upgraded.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{upgraded}");
        for response in fleet.invoke_all(|_| login(IMPORTED_USER.0, IMPORTED_USER.1)).await {
            response.assert_issued(2);
        }
        assert_eq!(fleet.test.password_hash_of(IMPORTED_USER.0), upgraded);
    }
    println!("faults: race of hash upgrades, 4 processes: 4 rounds, one valid hash after each");
}

#[tokio::test]
async fn s_303_a_password_change_during_logins_ends_them_and_is_not_undone() {
    let mut fleet = Fleet::start(&[]).await;
    let mut count = 0;
    for _ in 0..3 {
        fleet.test.change_imported_user(&json!({}));
        // The hash is imported, so that each login tries to replace the hash that the operator replaces.
        let arguments = ["user", "set-password", IMPORTED_USER.0];
        let responses = fleet
            .invoke_during_command(&arguments, ANOTHER_PASSWORD, |_| login(IMPORTED_USER.0, IMPORTED_USER.1))
            .await;
        count += responses.len();
        fleet.functions[1].invoke(login(IMPORTED_USER.0, ANOTHER_PASSWORD)).await.assert_issued(2);
        fleet.functions[0].invoke(login(IMPORTED_USER.0, IMPORTED_USER.1)).await.assert_error(400, "invalid_grant");
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
    println!("faults: race of logins and a password change: 3 rounds, {count} concurrent logins, all ended by it");
}

/// The state of the connections after the freeze.
#[derive(Clone, Copy, Debug)]
enum Connections {
    Open,
    Reset,
    Silenced,
}

/// The environment variable `FREEZE_SECONDS` sets the duration. `make faults` uses a minute.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a setting of the tests")]
async fn s_710_after_a_freeze_the_first_request_works() {
    let seconds = std::env::var("FREEZE_SECONDS").map_or(2, |seconds| seconds.parse().unwrap());
    let mut frozen = Vec::new();
    for connections in [Connections::Open, Connections::Reset, Connections::Silenced] {
        for first in 0..3 {
            let test = TestApp::start().await;
            let proxy = FaultProxy::before(&test).await;
            let mut function = start_api(proxy.address(), &[]).await;
            let token = function.invoke(login(USERNAME, PASSWORD)).await.refresh_token();
            let service = event(SERVICE, &CLIENT_CREDENTIALS);
            function.invoke(service.clone()).await.assert_issued(2);
            let request = [service, login(USERNAME, PASSWORD), refresh(&token)][first].clone();
            function.signal("-STOP");
            match connections {
                Connections::Open => {}
                Connections::Reset => proxy.reset_connections().await,
                Connections::Silenced => proxy.silence_connections(),
            }
            frozen.push((test, proxy, function, request, connections));
        }
    }
    sleep(Duration::from_secs(seconds)).await;
    let count = frozen.len();
    for (_test, _proxy, mut function, request, connections) in frozen {
        function.signal("-CONT");
        let response = function.invoke(request).await;
        assert_eq!(response.status, 200, "{connections:?}: {:?}\n{}", response.bytes, function.end().await);
    }
    println!("faults: S-710 after a freeze of {seconds} s: {count} combinations");
}
