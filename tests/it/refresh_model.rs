//! Whatever happens to refresh families, in whatever order: each step is answered, and leaves the store, as a model of the
//! rules says, which shares no code with the service. What was used or has ended never comes back, whatever the model says.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::secret::Hasher;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::refresh::OTHER;
use crate::support::{APPLICATION, Answer, NOW, PASSWORD, SCOPE, TestApp, USERNAME, form};

const GRACE: i64 = 10;
const IDLE: u64 = 1_000;
const MAX: u64 = 1_500;
const CASES: u32 = 48;
/// The half that nobody asks for by name.
const HALF_OF_SCOPE: &str = "legacy:autonomy.write";

/// What happens in one step.
#[derive(Clone, Debug)]
enum Operation {
    LogIn,
    /// Of the family that began so many logins before the last; the answer to the first write may be lost.
    Refresh {
        family: usize,
        token: Presented,
        foreign: bool,
        scope: Asked,
        lost: bool,
    },
    Pass(i64),
    EnableUser(bool),
    /// The user may have half of the scopes, or all.
    NarrowUser(bool),
    /// Sessions are valid from so many seconds after now.
    EndSessions(u64),
    EnableClient(bool),
}

/// Which token of a family is presented.
#[derive(Clone, Copy, Debug)]
enum Presented {
    Live,
    Previous,
    /// Any before that.
    Older(usize),
    /// One that the family will only come to.
    Ahead,
    Forged,
}

/// The scope that is asked for.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Nothing,
    Narrower,
    /// The client may have it; the login did not.
    Wider,
    NotTheClients,
}

impl Asked {
    fn text(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Narrower => "legacy:autonomy.read",
            Self::Wider => "legacy:autonomy.read legacy:other",
            Self::NotTheClients => "payments",
        }
    }
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
    let refresh = (family, token, prop::bool::weighted(0.05), scope, prop::bool::weighted(0.05));
    let steps = vec![1, 5, GRACE, GRACE + 1, 300, 999, 1_000, -1, -GRACE, -GRACE - 1, -300, -1_500];
    let operation = prop_oneof![
        4 => Just(Operation::LogIn),
        24 => refresh.prop_map(|(family, token, foreign, scope, lost)| {
            Operation::Refresh { family, token, foreign, scope, lost }
        }),
        7 => prop::sample::select(steps).prop_map(Operation::Pass),
        2 => prop::bool::weighted(0.8).prop_map(Operation::EnableUser),
        2 => prop::bool::ANY.prop_map(Operation::NarrowUser),
        1 => (0..2u64).prop_map(Operation::EndSessions),
        2 => prop::bool::weighted(0.8).prop_map(Operation::EnableClient),
    ];
    prop::collection::vec(operation, 1..40)
}

/// What the model expects of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    LoggedIn,
    Rotated,
    GivenAgain,
    /// Refused, and nothing has changed.
    InvalidClient,
    InvalidScope,
    Foreign,
    NotOurs,
    Over,
    Expired,
    NotYet,
    NobodyKnows,
    /// Refused, and the family has ended.
    Replayed,
    UserGone,
    /// A login that is refused.
    NoLogin,
}

impl Expected {
    /// The status of the answer, and its error.
    fn refusal(self) -> Option<(u16, &'static str)> {
        match self {
            Self::LoggedIn | Self::Rotated | Self::GivenAgain => None,
            Self::InvalidClient => Some((401, "invalid_client")),
            Self::InvalidScope => Some((400, "invalid_scope")),
            Self::NobodyKnows => Some((503, "temporarily_unavailable")),
            _ => Some((400, "invalid_grant")),
        }
    }
}

/// A family, as the rules have it.
#[derive(Debug)]
struct Family {
    /// By generation; the last one is live, if any is.
    tokens: Vec<String>,
    logged_in_at: u64,
    rotated_at: u64,
    expires_at: u64,
    ends_at: u64,
    ended: bool,
}

/// The whole world, as the rules have it.
struct Model {
    now: u64,
    client_enabled: bool,
    user_enabled: bool,
    user_narrowed: bool,
    sessions_valid_from: u64,
    families: Vec<Family>,
}

impl Model {
    fn log_in(&self) -> Expected {
        match (self.client_enabled, self.user_enabled) {
            (false, _) => Expected::InvalidClient,
            (true, false) => Expected::NoLogin,
            (true, true) if self.user_narrowed => Expected::InvalidScope,
            (true, true) => Expected::LoggedIn,
        }
    }

    fn logged_in(&mut self, token: String) {
        let now = self.now;
        let (expires_at, ends_at) = (now + IDLE, now + MAX);
        let tokens = vec![token];
        self.families.push(Family { tokens, logged_in_at: now, rotated_at: now, expires_at, ends_at, ended: false });
    }

    /// What comes of presenting a token; what happens to its family is noted, but for the successor's text.
    fn refresh(&mut self, family: usize, token: Presented, foreign: bool, scope: Asked) -> Expected {
        let family = &mut self.families[family];
        if !self.client_enabled && !foreign {
            return Expected::InvalidClient;
        }
        if matches!(scope, Asked::NotTheClients) {
            return Expected::InvalidScope;
        }
        let behind = match token {
            Presented::Forged => return Expected::NotOurs,
            _ if foreign => return Expected::Foreign,
            _ if family.ended => return Expected::Over,
            _ if self.now >= family.expires_at.min(family.ends_at) => return Expected::Expired,
            Presented::Ahead => return Expected::NotYet,
            presented => family.tokens.len() - 1 - family.index(presented),
        };
        let since_rotation = self.now.cast_signed() - family.rotated_at.cast_signed();
        let again = match behind {
            0 => false,
            1 if since_rotation < -GRACE => return Expected::NobodyKnows,
            1 if since_rotation <= GRACE => true,
            _ => {
                family.ended = true;
                return Expected::Replayed;
            }
        };
        if matches!(scope, Asked::Wider) {
            return Expected::InvalidScope;
        }
        let gone = !self.user_enabled || self.sessions_valid_from > family.logged_in_at;
        // Who asks for a scope has the user looked at first: what is refused consumes nothing.
        let consumes = match scope {
            Asked::Nothing => true,
            _ if gone => false,
            _ if self.user_narrowed => return Expected::InvalidScope,
            _ => true,
        };
        if consumes && !again {
            family.rotated_at = self.now;
            family.expires_at = (self.now + IDLE).min(family.ends_at);
            family.tokens.push(String::new());
        }
        if gone {
            family.ended = true;
            return Expected::UserGone;
        }
        if again { Expected::GivenAgain } else { Expected::Rotated }
    }
}

impl Family {
    /// The generation of a token that is presented; a family that has none before its first presents that.
    fn index(&self, presented: Presented) -> usize {
        let live = self.tokens.len() - 1;
        match presented {
            Presented::Previous => live.saturating_sub(1),
            Presented::Older(steps) => live.saturating_sub(2 + steps),
            _ => live,
        }
    }
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
            sessions_valid_from: 0,
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
            "sessions_valid_from": model.sessions_valid_from,
            "scopes": if model.user_narrowed { [HALF_OF_SCOPE].as_slice() } else { &["legacy:*"] },
        }));
    }

    async fn step(&mut self, operation: &Operation) -> Option<Expected> {
        match *operation {
            Operation::LogIn => return Some(self.log_in().await),
            Operation::Refresh { .. } if self.model.families.is_empty() => return Some(self.log_in().await),
            Operation::Refresh { family, token, foreign, scope, lost } => {
                let family = (self.model.families.len() - 1).saturating_sub(family);
                if lost {
                    self.test.door.lose_answer("UpdateItem GrantsTable");
                }
                return Some(self.refresh(family, token, foreign, scope).await);
            }
            Operation::Pass(seconds) => {
                self.test.pass(seconds);
                self.model.now = self.test.now();
                return None;
            }
            Operation::EnableUser(enabled) => self.model.user_enabled = enabled,
            Operation::NarrowUser(narrowed) => self.model.user_narrowed = narrowed,
            Operation::EndSessions(after) => self.model.sessions_valid_from = self.model.now + after,
            Operation::EnableClient(enabled) => self.model.client_enabled = enabled,
        }
        self.put_records();
        None
    }

    async fn log_in(&mut self) -> Expected {
        let expected = self.model.log_in();
        let answer = self.test.password(USERNAME, PASSWORD).await;
        if let Some((status, error)) = expected.refusal() {
            answer.assert_refused(status, error);
        } else {
            self.assert_claims(&answer, self.model.now, SCOPE);
            let token = answer.refresh_token();
            assert!(self.model.families.iter().all(|family| !family.tokens.contains(&token)));
            self.model.logged_in(token);
            self.seen.push(Seen::default());
        }
        expected
    }

    async fn refresh(&mut self, index: usize, presented: Presented, foreign: bool, scope: Asked) -> Expected {
        let family = &self.model.families[index];
        let generation = family.index(presented);
        let used_before = generation + 1 < family.tokens.len();
        let token = match presented {
            Presented::Ahead => self.ahead(family.tokens.last().unwrap()).await,
            Presented::Forged => forged(family.tokens.last().unwrap()),
            _ => family.tokens[generation].clone(),
        };
        let expected = self.model.refresh(index, presented, foreign, scope);
        let client = if foreign { OTHER } else { APPLICATION };
        let params = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", scope.text())];
        let answer = self.test.send(form(&params).basic(client.0, client.1).post()).await;

        if let Some((status, error)) = expected.refusal() {
            answer.assert_refused(status, error);
            if expected == Expected::UserGone {
                // The successor that nobody was given.
                let last = self.model.families[index].tokens.iter().rposition(|token| !token.is_empty()).unwrap();
                let successor = self.ahead(&self.model.families[index].tokens[last].clone()).await;
                self.model.families[index].tokens.iter_mut().filter(|token| token.is_empty()).for_each(|token| {
                    token.clone_from(&successor);
                });
            }
            return expected;
        }
        assert!(!self.seen[index].ended, "a family that has ended is back");
        let logged_in_at = self.model.families[index].logged_in_at;
        let granted = match scope {
            Asked::Nothing if self.model.user_narrowed => HALF_OF_SCOPE,
            Asked::Nothing => SCOPE,
            _ => scope.text(),
        };
        self.assert_claims(&answer, logged_in_at, granted);
        let successor = answer.refresh_token();
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
        self.test.reference(token).await.successor().mint(&keys.references)
    }

    fn assert_claims(&self, answer: &Answer, auth_time: u64, scope: &str) {
        let claims = answer.assert_issued(2);
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
        config.refresh_grace = u32::try_from(GRACE).unwrap();
        config.refresh_token_idle_ttl = u32::try_from(IDLE).unwrap();
        config.refresh_token_max_ttl = u32::try_from(MAX).unwrap();
        (config.argon2_memory_kib, config.argon2_iterations) = (8, 1);
    });
    let test = test.await;
    test.put_other_application();
    (test, Hasher::new(8, 1, 1).unwrap().hash(PASSWORD).unwrap().as_str().to_owned())
}

fn refresh(token: Presented) -> Operation {
    Operation::Refresh { family: 0, token, foreign: false, scope: Asked::Nothing, lost: false }
}

fn refresh_for(scope: Asked) -> Operation {
    Operation::Refresh { family: 0, token: Presented::Live, foreign: false, scope, lost: false }
}

/// Once each, so that chance need not come by.
#[tokio::test]
async fn the_rules_of_refresh_families_each_by_itself() {
    let (test, password_hash) = start().await;
    let mut world = World::new(&test, &password_hash);
    let foreign =
        Operation::Refresh { family: 0, token: Presented::Live, foreign: true, scope: Asked::Nothing, lost: false };
    let lost =
        Operation::Refresh { family: 0, token: Presented::Live, foreign: false, scope: Asked::Nothing, lost: true };
    for (operation, expected) in [
        (Operation::LogIn, Some(Expected::LoggedIn)),
        (refresh(Presented::Live), Some(Expected::Rotated)),
        (refresh(Presented::Previous), Some(Expected::GivenAgain)),
        (Operation::Pass(GRACE), None),
        (refresh(Presented::Previous), Some(Expected::GivenAgain)),
        (foreign, Some(Expected::Foreign)),
        (refresh(Presented::Forged), Some(Expected::NotOurs)),
        (refresh(Presented::Ahead), Some(Expected::NotYet)),
        (refresh_for(Asked::Wider), Some(Expected::InvalidScope)),
        (refresh_for(Asked::NotTheClients), Some(Expected::InvalidScope)),
        (refresh_for(Asked::Narrower), Some(Expected::Rotated)),
        (Operation::NarrowUser(true), None),
        (Operation::LogIn, Some(Expected::InvalidScope)),
        (refresh_for(Asked::Narrower), Some(Expected::InvalidScope)),
        (refresh(Presented::Live), Some(Expected::Rotated)),
        (Operation::NarrowUser(false), None),
        (lost, Some(Expected::Rotated)),
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
        (Operation::EndSessions(0), None),
        (refresh(Presented::Live), Some(Expected::Rotated)),
        (Operation::EndSessions(1), None),
        (refresh(Presented::Live), Some(Expected::UserGone)),
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
