//! Simultaneous guesses at one account in two processes (S-305).

use std::sync::Arc;

use aws_lc_rs::rand;
use countersign::password_hash::Hash;
use countersign::throttle::{Subject, begin};
use serde_json::json;
use testing::{PASSWORD, TestApp};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::login;

/// The numbers of simultaneous guesses.
const COUNTS: [usize; 3] = [6, 20, 64];
/// The budget.
const FREE_ATTEMPTS: usize = 5;

/// The end of a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Right,
    Wrong,
    Rejected,
}

/// Two processes that share only the tables, and the hash of [`PASSWORD`].
struct Race {
    processes: [Arc<TestApp>; 2],
    hash: Hash,
}

impl Race {
    async fn start() -> Self {
        let test = TestApp::start_with_cheap_hashes().await;
        let processes = [Arc::new(test.directly().await), Arc::new(test.directly().await)];
        let hash = test.app.hasher.hash(PASSWORD).unwrap();
        Self { processes, hash }
    }

    /// Guesses this number of times behind a barrier. The right guess has a random place. Returns true if it gets its
    /// result. Asserts that no more guesses get a result than the budget allows.
    async fn run<G, F>(&self, (count, username): (usize, &str), guess: G) -> bool
    where
        G: Fn(Arc<TestApp>, String, &'static str) -> F,
        F: Future<Output = End> + Send + 'static,
    {
        let (right, barrier) = (random_below(count), Arc::new(Barrier::new(count)));
        let mut guesses = JoinSet::new();
        for number in 0..count {
            let password = if number == right { PASSWORD } else { "wrong" };
            let guess = guess(self.processes[number % 2].clone(), username.to_owned(), password);
            let barrier = barrier.clone();
            guesses.spawn(async move {
                barrier.wait().await;
                guess.await
            });
        }
        let ends = guesses.join_all().await;
        let number_of = |end| ends.iter().filter(|other| **other == end).count();
        let (is_right, wrong) = (number_of(End::Right) == 1, number_of(End::Wrong));
        // A right guess is one of the budget, and then the budget begins again.
        let most = if is_right { FREE_ATTEMPTS - 1 + FREE_ATTEMPTS } else { FREE_ATTEMPTS };
        assert!(wrong <= most, "{count} guesses, right: {is_right}: {wrong} wrong guesses got a result");
        let id = Subject::account(username).item_id().to_owned();
        let item = self.processes[0].cloud.item("GrantsTable", &json!({"id": id})).unwrap().unwrap();
        let failures: usize = item["failures"]["N"].as_str().unwrap().parse().unwrap();
        // Those after the right guess.
        assert!(
            failures <= FREE_ATTEMPTS && (failures..failures + FREE_ATTEMPTS).contains(&wrong),
            "{failures} {wrong}"
        );
        assert!(is_right || failures == wrong);
        is_right
    }

    /// Returns the number of rounds in which the right guess gets its result. The rounds leave out the router, because
    /// its code takes half of the time.
    async fn rounds_with_right_result(&self, (count, rounds): (usize, usize)) -> usize {
        let mut won = 0;
        for _ in 0..rounds {
            let username = format!("guessed-{}", random_below(usize::MAX));
            let hash = self.hash.clone();
            let is_right = self.run((count, &username), |process, username, password| {
                let hash = hash.clone();
                async move { guess(&process, &username, (&hash, password)).await }
            });
            won += usize::from(is_right.await);
        }
        won
    }
}

/// Guesses through the router.
async fn log_in(process: Arc<TestApp>, username: String, password: &'static str) -> End {
    match process.send(login(&username, password).post()).await.status {
        200 => End::Right,
        400 => End::Wrong,
        429 => End::Rejected,
        other => panic!("{other}"),
    }
}

/// Guesses as `grant/password.rs` does.
async fn guess(process: &TestApp, username: &str, (hash, password): (&Hash, &str)) -> End {
    let subject = Subject::account(username);
    let item = process.app.store.attempts(subject.item_id()).await;
    let Ok(attempt) = begin(&process.app, subject, None, item) else { return End::Rejected };
    let guess = process.app.hasher.verify_password(attempt, Some(hash), password).await.unwrap();
    match guess.settle(async |_| ()).await {
        Ok(Some(_)) => End::Right,
        Ok(None) => End::Wrong,
        Err(_) => End::Rejected,
    }
}

fn random_below(limit: usize) -> usize {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).unwrap();
    usize::from_ne_bytes(bytes) % limit
}

#[tokio::test(flavor = "multi_thread")]
async fn s_305_simultaneous_guesses_in_two_processes_get_no_more_results_than_the_budget_allows() {
    let race = Race::start().await;
    for (count, rounds) in COUNTS.into_iter().zip([6, 3, 1]) {
        for round in 0..rounds {
            let username = format!("guessed-{count}-{round}");
            let user = json!({"username": username, "user_id": username, "enabled": true, "scopes": ["legacy:*"],
                "password_hash": race.hash.as_str()});
            race.processes[0].cloud.put("UsersTable", &user).unwrap();
            race.run((count, &username), log_in).await;
        }
    }
}

/// A fair race is outside of 3 standard deviations in 3 of 1,000 runs. Such a run is repeated once, so that chance fails
/// this test in 3 of 100,000 runs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute: make faults"]
async fn s_305_the_right_one_of_simultaneous_guesses_gets_its_result_as_often_as_by_chance() {
    const ROUNDS: usize = 200;
    let race = Race::start().await;
    for count in COUNTS {
        // A binomial distribution with the probability FREE_ATTEMPTS / count; both sides are multiplied by the square of
        // `count`.
        let is_fair = |won: usize| {
            let distance = (won * count).abs_diff(ROUNDS * FREE_ATTEMPTS);
            distance.pow(2) <= 9 * ROUNDS * FREE_ATTEMPTS * (count - FREE_ATTEMPTS)
        };
        let expected = ROUNDS * FREE_ATTEMPTS / count;
        let mut won = race.rounds_with_right_result((count, ROUNDS)).await;
        if !is_fair(won) {
            won = race.rounds_with_right_result((count, ROUNDS)).await;
        }
        assert!(is_fair(won), "{count} guesses: {won} of {ROUNDS} rounds, expected {expected}");
        println!(
            "faults: race of {count} guesses, 2 processes: {ROUNDS} rounds, the right guess got its result in {won} \
             (by chance {expected})"
        );
    }
}
