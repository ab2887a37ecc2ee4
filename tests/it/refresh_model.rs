//! Random sequences of events for refresh token families. After each step the response and the store must match a model
//! of the rules, which shares no code with the service. Independently of the model, no used token and no revoked family
//! becomes valid again.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::password_hash::Hasher;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use self::model::{Expected, GRACE, IDLE, InjectedFault, MAX, Model, Presented, RequestedScope, Use};
use testing::{APPLICATION, CHEAP_ARGON2, NOW, OTHER_APPLICATION, PASSWORD, Response, SCOPE, TestApp, USERNAME, form};

mod model;

const CASES: u32 = 48;
/// The part of [`SCOPE`] that a narrowed user has. No request names it.
const NARROWED_SCOPE: &str = "legacy:autonomy.write";

/// One step.
#[derive(Clone, Debug)]
enum Operation {
    LogIn,
    Refresh(Use),
    AdvanceClock(i64),
    EnableUser(bool),
    /// Reduces the scopes of the user to [`NARROWED_SCOPE`], or restores them.
    NarrowUser(bool),
    /// Logs the user out everywhere.
    EndSessions,
    EnableClient(bool),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let token = prop_oneof![
        8 => Just(Presented::Active),
        6 => Just(Presented::Previous),
        2 => (0..4usize).prop_map(Presented::Older),
        1 => Just(Presented::Ahead),
        1 => Just(Presented::Forged),
    ];
    let scope = prop_oneof![
        12 => Just(RequestedScope::Unspecified),
        2 => Just(RequestedScope::Narrower),
        1 => Just(RequestedScope::Wider),
        1 => Just(RequestedScope::NotAllowed),
    ];
    let family = prop_oneof![3 => Just(0), 1 => 0..3usize];
    let fault = prop_oneof![
        18 => Just(InjectedFault::None),
        1 => Just(InjectedFault::LostResponse),
        1 => Just(InjectedFault::Outage),
    ];
    let refresh = (family, token, prop::bool::weighted(0.05), scope, fault);
    let steps = vec![1, 5, GRACE, GRACE + 1, 300, 999, 1_000, -1, -GRACE, -GRACE - 1, -300, -1_500];
    let operation = prop_oneof![
        4 => Just(Operation::LogIn),
        24 => refresh.prop_map(|(family, token, by_other_client, scope, fault)| {
            Operation::Refresh(Use { family, token, by_other_client, scope, fault })
        }),
        7 => prop::sample::select(steps).prop_map(Operation::AdvanceClock),
        2 => prop::bool::weighted(0.8).prop_map(Operation::EnableUser),
        2 => prop::bool::ANY.prop_map(Operation::NarrowUser),
        1 => Just(Operation::EndSessions),
        2 => prop::bool::weighted(0.8).prop_map(Operation::EnableClient),
    ];
    prop::collection::vec(operation, 1..40)
}

/// The last stored state of a family, which must never go back.
#[derive(Default)]
struct Seen {
    generation: u64,
    revoked: bool,
}

/// One case with its deployment.
struct World<'a> {
    test: &'a TestApp,
    password_hash: &'a str,
    model: Model,
    seen: Vec<Seen>,
}

impl<'a> World<'a> {
    fn new(test: &'a TestApp, password_hash: &'a str) -> Self {
        test.advance_clock(NOW.cast_signed() - test.now().cast_signed());
        let model = Model {
            now: NOW,
            client_enabled: true,
            user_enabled: true,
            user_narrowed: false,
            session_generation: 0,
            families: Vec::new(),
        };
        let world = Self { test, password_hash, model, seen: Vec::new() };
        world.put_records();
        world
    }

    fn put_records(&self) {
        let model = &self.model;
        self.test.change_client(APPLICATION.0, &json!({"enabled": model.client_enabled}));
        self.test.change_user(&json!({
            "password_hash": self.password_hash,
            "enabled": model.user_enabled,
            "session_generation": model.session_generation,
            "scopes": if model.user_narrowed { [NARROWED_SCOPE].as_slice() } else { &["legacy:*"] },
        }));
    }

    async fn step(&mut self, operation: &Operation) -> Option<Expected> {
        match *operation {
            Operation::LogIn => return Some(self.log_in().await),
            Operation::Refresh(_) if self.model.families.is_empty() => return Some(self.log_in().await),
            Operation::Refresh(presented) => {
                match presented.fault {
                    InjectedFault::None => {}
                    InjectedFault::LostResponse => self.test.interceptor.lose_response("UpdateItem GrantsTable"),
                    InjectedFault::Outage => {
                        self.test.interceptor.fail("GetItem UsersTable", 500, "InternalServerError");
                    }
                }
                let expected = self.refresh(presented).await;
                self.test.interceptor.stop_failing();
                return Some(expected);
            }
            Operation::AdvanceClock(seconds) => {
                self.test.advance_clock(seconds);
                self.model.now = self.test.now();
                return None;
            }
            Operation::EnableUser(enabled) => self.model.user_enabled = enabled,
            Operation::NarrowUser(narrowed) => self.model.user_narrowed = narrowed,
            Operation::EndSessions => self.model.session_generation += 1,
            Operation::EnableClient(enabled) => self.model.client_enabled = enabled,
        }
        self.put_records();
        None
    }

    async fn log_in(&mut self) -> Expected {
        let expected = self.model.log_in();
        let response = self.test.password(USERNAME, PASSWORD).await;
        if let Some((status, error)) = expected.error_response() {
            response.assert_error(status, error);
        } else {
            self.assert_claims(&response, self.model.now, SCOPE);
            let token = response.refresh_token();
            assert!(self.model.families.iter().all(|family| !family.tokens.contains(&token)));
            self.model.logged_in(token);
            self.seen.push(Seen::default());
        }
        expected
    }

    async fn refresh(&mut self, presented: Use) -> Expected {
        let index = (self.model.families.len() - 1).saturating_sub(presented.family);
        let Use { token, by_other_client, scope, .. } = presented;
        let family = &self.model.families[index];
        let generation = family.index(token);
        let used_before = generation + 1 < family.tokens.len();
        let text = match token {
            Presented::Ahead => self.successor_of(family.tokens.last().unwrap()).await,
            Presented::Forged => forged(family.tokens.last().unwrap()),
            _ => family.tokens[generation].clone(),
        };
        let expected = self.model.refresh(index, presented);
        let client = if by_other_client { OTHER_APPLICATION } else { APPLICATION };
        let params = [("grant_type", "refresh_token"), ("refresh_token", text.as_str()), ("scope", scope.text())];
        let response = self.test.send(form(&params).basic(client.0, client.1).post()).await;

        if let Some((status, error)) = expected.error_response() {
            response.assert_error(status, error);
            return expected;
        }
        assert!(!self.seen[index].revoked, "a revoked family is valid again");
        let logged_in_at = self.model.families[index].logged_in_at;
        let granted = match scope {
            RequestedScope::Unspecified if self.model.user_narrowed => NARROWED_SCOPE,
            RequestedScope::Unspecified => SCOPE,
            _ => scope.text(),
        };
        self.assert_claims(&response, logged_in_at, granted);
        let successor = response.refresh_token();
        if used_before {
            let known = &self.model.families[index].tokens;
            assert_eq!(Some(&successor), known.get(generation + 1), "a used token has another successor");
            assert_eq!(generation + 2, known.len(), "a token is valid after its successor was used");
        } else {
            assert!(self.model.families.iter().all(|family| !family.tokens.contains(&successor)));
            *self.model.families[index].tokens.last_mut().unwrap() = successor;
        }
        expected
    }

    /// Returns the successor of a token. The client cannot compute it.
    async fn successor_of(&self, token: &str) -> String {
        let keys = self.test.app.keyring.current().await.unwrap();
        self.test.parse_refresh_token(token).await.successor().mint(&keys.refresh_token_keys)
    }

    fn assert_claims(&self, response: &Response, auth_time: u64, scope: &str) {
        let claims = response.assert_issued(2);
        assert_eq!((claims.number("auth_time"), claims.number("iat")), (auth_time, self.model.now));
        assert_eq!((&claims.0["sub"], &claims.0["client_id"]), (&json!("1042"), &json!(APPLICATION.0)));
        // The order of the tokens is not stored.
        let tokens = |text: &str| text.split(' ').map(ToOwned::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(tokens(claims.0["scope"].as_str().unwrap()), tokens(scope));
    }

    /// Asserts that the store matches the model, and that no family went back.
    fn assert_stored(&mut self) {
        for (family, seen) in self.model.families.iter().zip(&mut self.seen) {
            let stored = self.test.family(&family.tokens[0]);
            let number = |name: &str| stored[name]["N"].as_str().unwrap().parse::<u64>().unwrap();
            let generation = number("generation");
            assert_eq!(generation, u64::try_from(family.tokens.len()).unwrap() - 1);
            assert_eq!(stored["revoked"]["BOOL"], Value::from(family.revoked));
            assert_eq!(number("auth_time"), family.logged_in_at);
            assert_eq!(number("rotated_at"), family.rotated_at);
            assert_eq!(number("expires_at"), family.expires_at);
            assert_eq!(number("absolute_expires_at"), family.absolute_expires_at);
            assert_eq!(stored["client_id"]["S"], APPLICATION.0);

            let revoked = stored["revoked"]["BOOL"] == true;
            assert!(generation >= seen.generation && (revoked || !seen.revoked), "a family went back");
            assert!(generation <= seen.generation + 1, "more than one generation in one step");
            *seen = Seen { generation, revoked };
        }
    }
}

/// Returns a token with a flipped bit in its signature.
fn forged(token: &str) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(&token["cs_rt_".len()..]).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    format!("cs_rt_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Starts a deployment with short lifetimes. Returns a cheap hash of the user's password, too.
async fn start() -> (TestApp, String) {
    let test = TestApp::start_with(|config| {
        config.lifetimes.refresh_grace = u32::try_from(GRACE).unwrap();
        config.lifetimes.refresh_token_idle = u32::try_from(IDLE).unwrap();
        config.lifetimes.refresh_token_max = u32::try_from(MAX).unwrap();
        // A family does not expire before its access tokens.
        config.lifetimes.user_token = 600;
        config.argon2 = CHEAP_ARGON2;
    });
    let test = test.await;
    test.put_other_application();
    (test, Hasher::new(CHEAP_ARGON2).unwrap().hash(PASSWORD).unwrap().as_str().to_owned())
}

/// A use of the active token of the last login, without a scope and without a fault.
const ACTIVE: Use = Use {
    family: 0,
    token: Presented::Active,
    by_other_client: false,
    scope: RequestedScope::Unspecified,
    fault: InjectedFault::None,
};

const fn refresh(token: Presented) -> Operation {
    Operation::Refresh(Use { token, ..ACTIVE })
}

const fn refresh_for(scope: RequestedScope) -> Operation {
    Operation::Refresh(Use { scope, ..ACTIVE })
}

const fn refresh_with_fault(fault: InjectedFault, scope: RequestedScope) -> Operation {
    Operation::Refresh(Use { scope, fault, ..ACTIVE })
}

/// Each rule at least once: operations in this order, and their results.
const RULES: [(Operation, Option<Expected>); 56] = [
    (Operation::LogIn, Some(Expected::LoggedIn)),
    (refresh(Presented::Active), Some(Expected::Rotated)),
    (refresh(Presented::Previous), Some(Expected::SameSuccessor)),
    (Operation::AdvanceClock(GRACE), None),
    (refresh(Presented::Previous), Some(Expected::SameSuccessor)),
    (Operation::Refresh(Use { by_other_client: true, ..ACTIVE }), Some(Expected::OtherClient)),
    (refresh(Presented::Forged), Some(Expected::ForgedToken)),
    (refresh_for(RequestedScope::Wider), Some(Expected::InvalidScope)),
    (refresh_for(RequestedScope::NotAllowed), Some(Expected::InvalidScope)),
    (refresh_for(RequestedScope::Narrower), Some(Expected::Rotated)),
    (Operation::NarrowUser(true), None),
    (Operation::LogIn, Some(Expected::InvalidScope)),
    (refresh_for(RequestedScope::Narrower), Some(Expected::InvalidScope)),
    (refresh(Presented::Active), Some(Expected::Rotated)),
    (Operation::NarrowUser(false), None),
    (refresh_with_fault(InjectedFault::LostResponse, RequestedScope::Unspecified), Some(Expected::Rotated)),
    (Operation::AdvanceClock(-GRACE - 1), None),
    (refresh(Presented::Previous), Some(Expected::Undecided)),
    (Operation::AdvanceClock(1), None),
    (refresh(Presented::Previous), Some(Expected::SameSuccessor)),
    (Operation::AdvanceClock(2 * GRACE + 1), None),
    (refresh(Presented::Previous), Some(Expected::Replayed)),
    (refresh(Presented::Active), Some(Expected::RevokedFamily)),
    (Operation::LogIn, Some(Expected::LoggedIn)),
    (refresh(Presented::Active), Some(Expected::Rotated)),
    (refresh(Presented::Active), Some(Expected::Rotated)),
    (refresh(Presented::Older(0)), Some(Expected::Replayed)),
    (Operation::LogIn, Some(Expected::LoggedIn)),
    (Operation::AdvanceClock(IDLE.cast_signed()), None),
    (refresh(Presented::Active), Some(Expected::Expired)),
    (Operation::LogIn, Some(Expected::LoggedIn)),
    (Operation::AdvanceClock(IDLE.cast_signed() - 1), None),
    (refresh(Presented::Active), Some(Expected::Rotated)),
    (Operation::AdvanceClock((MAX - IDLE).cast_signed()), None),
    (refresh(Presented::Active), Some(Expected::Rotated)),
    (Operation::AdvanceClock(1), None),
    (refresh(Presented::Previous), Some(Expected::Expired)),
    (refresh(Presented::Active), Some(Expected::Expired)),
    (Operation::LogIn, Some(Expected::LoggedIn)),
    (Operation::EnableClient(false), None),
    (refresh(Presented::Active), Some(Expected::InvalidClient)),
    (Operation::EnableClient(true), None),
    (refresh(Presented::Active), Some(Expected::Rotated)),
    (refresh_with_fault(InjectedFault::Outage, RequestedScope::Narrower), Some(Expected::Unavailable)),
    (refresh_with_fault(InjectedFault::Outage, RequestedScope::Unspecified), Some(Expected::Unavailable)),
    (Operation::AdvanceClock(300), None),
    (refresh(Presented::Active), Some(Expected::Rotated)),
    (refresh(Presented::Ahead), Some(Expected::RolledBack)),
    (refresh(Presented::Active), Some(Expected::RevokedFamily)),
    (Operation::LogIn, Some(Expected::LoggedIn)),
    (Operation::EndSessions, None),
    (refresh(Presented::Active), Some(Expected::LoginEnded)),
    (Operation::LogIn, Some(Expected::LoggedIn)),
    (refresh(Presented::Active), Some(Expected::Rotated)),
    (Operation::EnableUser(false), None),
    (Operation::LogIn, Some(Expected::LoginRejected)),
];

#[tokio::test]
async fn each_rule_of_refresh_token_families_holds() {
    let (test, password_hash) = start().await;
    let mut world = World::new(&test, &password_hash);
    for (operation, expected) in RULES {
        assert_eq!(world.step(&operation).await, expected, "{operation:?}");
        world.assert_stored();
    }
}

#[test]
fn the_rules_of_refresh_token_families_hold_in_any_order_of_events() {
    let runtime = Runtime::new().unwrap();
    let (test, password_hash) = runtime.block_on(start());
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&operations(), |operations| {
        runtime.block_on(async {
            let mut world = World::new(&test, &password_hash);
            for operation in &operations {
                world.step(operation).await;
                world.assert_stored();
            }
        });
        Ok(())
    });
    result.unwrap();
}
