//! Whatever happens to refresh families, in whatever order: each step is answered, and leaves the store, as a model of the
//! rules says, which shares no code with the service. What was used or has ended never comes back, whatever the model says.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::password_hash::Hasher;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use self::model::{Asked, Expected, GRACE, IDLE, MAX, Model, Presented, Trouble, Use};
use testing::OTHER;
use testing::{APPLICATION, CHEAP_ARGON2, NOW, PASSWORD, Response, SCOPE, TestApp, USERNAME, form};

mod model;

const CASES: u32 = 48;
/// The half that nobody asks for by name.
const HALF_OF_SCOPE: &str = "legacy:autonomy.write";

/// What happens in one step.
#[derive(Clone, Debug)]
enum Operation {
    LogIn,
    Refresh(Use),
    Pass(i64),
    EnableUser(bool),
    /// The user may have half of the scopes, or all.
    NarrowUser(bool),
    /// The user is logged out everywhere.
    EndSessions,
    EnableClient(bool),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let token = prop_oneof![
        8 => Just(Presented::Live),
        6 => Just(Presented::Previous),
        2 => (0..4usize).prop_map(Presented::Older),
        1 => Just(Presented::Ahead),
        1 => Just(Presented::Forged),
    ];
    let scope = prop_oneof![
        12 => Just(Asked::Nothing),
        2 => Just(Asked::Narrower),
        1 => Just(Asked::Wider),
        1 => Just(Asked::NotTheClients),
    ];
    let family = prop_oneof![3 => Just(0), 1 => 0..3usize];
    let trouble = prop_oneof![
        18 => Just(Trouble::Nothing),
        1 => Just(Trouble::LostAnswer),
        1 => Just(Trouble::Outage),
    ];
    let refresh = (family, token, prop::bool::weighted(0.05), scope, trouble);
    let steps = vec![1, 5, GRACE, GRACE + 1, 300, 999, 1_000, -1, -GRACE, -GRACE - 1, -300, -1_500];
    let operation = prop_oneof![
        4 => Just(Operation::LogIn),
        24 => refresh.prop_map(|(family, token, foreign, scope, trouble)| {
            Operation::Refresh(Use { family, token, foreign, scope, trouble })
        }),
        7 => prop::sample::select(steps).prop_map(Operation::Pass),
        2 => prop::bool::weighted(0.8).prop_map(Operation::EnableUser),
        2 => prop::bool::ANY.prop_map(Operation::NarrowUser),
        1 => Just(Operation::EndSessions),
        2 => prop::bool::weighted(0.8).prop_map(Operation::EnableClient),
    ];
    prop::collection::vec(operation, 1..40)
}

/// What has been seen of a family: whatever the model says, this never goes back.
#[derive(Default)]
struct Seen {
    generation: u64,
    ended: bool,
}

/// One case, with the deployment that it runs on.
struct World<'a> {
    test: &'a TestApp,
    password_hash: &'a str,
    model: Model,
    seen: Vec<Seen>,
}

impl<'a> World<'a> {
    fn new(test: &'a TestApp, password_hash: &'a str) -> Self {
        test.pass(NOW.cast_signed() - test.now().cast_signed());
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
            "scopes": if model.user_narrowed { [HALF_OF_SCOPE].as_slice() } else { &["legacy:*"] },
        }));
    }

    async fn step(&mut self, operation: &Operation) -> Option<Expected> {
        match *operation {
            Operation::LogIn => return Some(self.log_in().await),
            Operation::Refresh(_) if self.model.families.is_empty() => return Some(self.log_in().await),
            Operation::Refresh(presented) => {
                match presented.trouble {
                    Trouble::Nothing => {}
                    Trouble::LostAnswer => self.test.interceptor.lose_response("UpdateItem GrantsTable"),
                    Trouble::Outage => self.test.interceptor.fail("GetItem UsersTable", 500, "InternalServerError"),
                }
                let expected = self.refresh(presented).await;
                self.test.interceptor.stop_failing();
                return Some(expected);
            }
            Operation::Pass(seconds) => {
                self.test.pass(seconds);
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
        let Use { token, foreign, scope, .. } = presented;
        let family = &self.model.families[index];
        let generation = family.index(token);
        let used_before = generation + 1 < family.tokens.len();
        let text = match token {
            Presented::Ahead => self.ahead(family.tokens.last().unwrap()).await,
            Presented::Forged => forged(family.tokens.last().unwrap()),
            _ => family.tokens[generation].clone(),
        };
        let expected = self.model.refresh(index, presented);
        let client = if foreign { OTHER } else { APPLICATION };
        let params = [("grant_type", "refresh_token"), ("refresh_token", text.as_str()), ("scope", scope.text())];
        let response = self.test.send(form(&params).basic(client.0, client.1).post()).await;

        if let Some((status, error)) = expected.error_response() {
            response.assert_error(status, error);
            return expected;
        }
        assert!(!self.seen[index].ended, "a family that has ended is back");
        let logged_in_at = self.model.families[index].logged_in_at;
        let granted = match scope {
            Asked::Nothing if self.model.user_narrowed => HALF_OF_SCOPE,
            Asked::Nothing => SCOPE,
            _ => scope.text(),
        };
        self.assert_claims(&response, logged_in_at, granted);
        let successor = response.refresh_token();
        if used_before {
            let known = &self.model.families[index].tokens;
            assert_eq!(Some(&successor), known.get(generation + 1), "a used token has another successor");
            assert_eq!(generation + 2, known.len(), "a token revives whose successor was used");
        } else {
            assert!(self.model.families.iter().all(|family| !family.tokens.contains(&successor)));
            *self.model.families[index].tokens.last_mut().unwrap() = successor;
        }
        expected
    }

    /// The token after this one, which its holder cannot make.
    async fn ahead(&self, token: &str) -> String {
        let keys = self.test.app.keyring.current().await.unwrap();
        self.test.decoded(token).await.successor().mint(&keys.refresh_token_keys)
    }

    fn assert_claims(&self, response: &Response, auth_time: u64, scope: &str) {
        let claims = response.assert_issued(2);
        assert_eq!((claims.number("auth_time"), claims.number("iat")), (auth_time, self.model.now));
        assert_eq!((&claims.0["sub"], &claims.0["client_id"]), (&json!("1042"), &json!(APPLICATION.0)));
        // A set, once it has been stored.
        let tokens = |text: &str| text.split(' ').map(ToOwned::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(tokens(claims.0["scope"].as_str().unwrap()), tokens(scope));
    }

    /// What is stored is what the rules say, and never goes back.
    fn assert_stored(&mut self) {
        for (family, seen) in self.model.families.iter().zip(&mut self.seen) {
            let stored = self.test.family(&family.tokens[0]);
            let number = |name: &str| stored[name]["N"].as_str().unwrap().parse::<u64>().unwrap();
            let generation = number("generation");
            assert_eq!(generation, u64::try_from(family.tokens.len()).unwrap() - 1);
            assert_eq!(stored["revoked"]["BOOL"], Value::from(family.ended));
            assert_eq!(number("auth_time"), family.logged_in_at);
            assert_eq!(number("rotated_at"), family.rotated_at);
            assert_eq!(number("expires_at"), family.expires_at);
            assert_eq!(number("absolute_expires_at"), family.ends_at);
            assert_eq!(stored["client_id"]["S"], APPLICATION.0);

            let ended = stored["revoked"]["BOOL"] == true;
            assert!(generation >= seen.generation && (ended || !seen.ended), "a family went back");
            assert!(generation <= seen.generation + 1, "more than one generation in one step");
            *seen = Seen { generation, ended };
        }
    }
}

/// A token with one bit of its signature turned.
fn forged(token: &str) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(&token["cs_rt_".len()..]).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    format!("cs_rt_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// A deployment whose tokens die soon, and a hash of the user's password that costs nothing: hashing is not what this is
/// about.
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

/// The live token of the last login, for its whole scope, with nothing wrong.
const LIVE: Use =
    Use { family: 0, token: Presented::Live, foreign: false, scope: Asked::Nothing, trouble: Trouble::Nothing };

fn refresh(token: Presented) -> Operation {
    Operation::Refresh(Use { token, ..LIVE })
}

fn refresh_for(scope: Asked) -> Operation {
    Operation::Refresh(Use { scope, ..LIVE })
}

fn refresh_in(trouble: Trouble, scope: Asked) -> Operation {
    Operation::Refresh(Use { scope, trouble, ..LIVE })
}

/// Once each, so that chance need not come by.
#[tokio::test]
async fn the_rules_of_refresh_families_each_by_itself() {
    let (test, password_hash) = start().await;
    let mut world = World::new(&test, &password_hash);
    for (operation, expected) in [
        (Operation::LogIn, Some(Expected::LoggedIn)),
        (refresh(Presented::Live), Some(Expected::Rotated)),
        (refresh(Presented::Previous), Some(Expected::GivenAgain)),
        (Operation::Pass(GRACE), None),
        (refresh(Presented::Previous), Some(Expected::GivenAgain)),
        (Operation::Refresh(Use { foreign: true, ..LIVE }), Some(Expected::Foreign)),
        (refresh(Presented::Forged), Some(Expected::NotOurs)),
        (refresh_for(Asked::Wider), Some(Expected::InvalidScope)),
        (refresh_for(Asked::NotTheClients), Some(Expected::InvalidScope)),
        (refresh_for(Asked::Narrower), Some(Expected::Rotated)),
        (Operation::NarrowUser(true), None),
        (Operation::LogIn, Some(Expected::InvalidScope)),
        (refresh_for(Asked::Narrower), Some(Expected::InvalidScope)),
        (refresh(Presented::Live), Some(Expected::Rotated)),
        (Operation::NarrowUser(false), None),
        (refresh_in(Trouble::LostAnswer, Asked::Nothing), Some(Expected::Rotated)),
        (Operation::Pass(-GRACE - 1), None),
        (refresh(Presented::Previous), Some(Expected::NobodyKnows)),
        (Operation::Pass(1), None),
        (refresh(Presented::Previous), Some(Expected::GivenAgain)),
        (Operation::Pass(2 * GRACE + 1), None),
        (refresh(Presented::Previous), Some(Expected::Replayed)),
        (refresh(Presented::Live), Some(Expected::Over)),
        (Operation::LogIn, Some(Expected::LoggedIn)),
        (refresh(Presented::Live), Some(Expected::Rotated)),
        (refresh(Presented::Live), Some(Expected::Rotated)),
        (refresh(Presented::Older(0)), Some(Expected::Replayed)),
        (Operation::LogIn, Some(Expected::LoggedIn)),
        (Operation::Pass(IDLE.cast_signed()), None),
        (refresh(Presented::Live), Some(Expected::Expired)),
        (Operation::LogIn, Some(Expected::LoggedIn)),
        (Operation::Pass(IDLE.cast_signed() - 1), None),
        (refresh(Presented::Live), Some(Expected::Rotated)),
        (Operation::Pass((MAX - IDLE).cast_signed()), None),
        (refresh(Presented::Live), Some(Expected::Rotated)),
        (Operation::Pass(1), None),
        (refresh(Presented::Previous), Some(Expected::Expired)),
        (refresh(Presented::Live), Some(Expected::Expired)),
        (Operation::LogIn, Some(Expected::LoggedIn)),
        (Operation::EnableClient(false), None),
        (refresh(Presented::Live), Some(Expected::InvalidClient)),
        (Operation::EnableClient(true), None),
        (refresh(Presented::Live), Some(Expected::Rotated)),
        (refresh_in(Trouble::Outage, Asked::Narrower), Some(Expected::NoAnswer)),
        (refresh_in(Trouble::Outage, Asked::Nothing), Some(Expected::NoAnswer)),
        (Operation::Pass(300), None),
        (refresh(Presented::Live), Some(Expected::Rotated)),
        (refresh(Presented::Ahead), Some(Expected::RolledBack)),
        (refresh(Presented::Live), Some(Expected::Over)),
        (Operation::LogIn, Some(Expected::LoggedIn)),
        (Operation::EndSessions, None),
        (refresh(Presented::Live), Some(Expected::UserGone)),
        (Operation::LogIn, Some(Expected::LoggedIn)),
        (refresh(Presented::Live), Some(Expected::Rotated)),
        (Operation::EnableUser(false), None),
        (Operation::LogIn, Some(Expected::NoLogin)),
    ] {
        assert_eq!(world.step(&operation).await, expected, "{operation:?}");
        world.assert_stored();
    }
}

#[test]
fn whatever_happens_to_refresh_families_goes_by_the_rules() {
    let runtime = Runtime::new().unwrap();
    let (test, password_hash) = runtime.block_on(start());
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&operations(), |operations| {
        runtime.block_on(async {
            let mut world = World::new(&test, &password_hash);
            for operation in &operations {
                world.step(operation).await;
                world.assert_stored();
            }
        });
        Ok(())
    });
    outcome.unwrap();
}
