//! A refresh, a revocation and an introspection of one login, in three processes, in every order of their round trips
//! (S-409, S-902).

use std::cell::Cell;
use std::time::Duration;

use tokio::time::sleep;

use testing::{APPLICATION, PASSWORD, Response, TestApp, USERNAME};

/// The concurrent calls in each round trip of a request.
const REFRESH: &[usize] = &[2, 1, 1];
const REVOCATION: &[usize] = &[2, 1];
const LOG_OUT: &[usize] = &[2, 1, 1];
const INTROSPECTION: &[usize] = &[3, 1];

/// A process with one request, whose calls are held.
struct Process {
    test: TestApp,
    round_trips: &'static [usize],
    /// The number of round trips that were let through.
    passed: Cell<usize>,
    has_response: Cell<bool>,
}

impl Process {
    async fn start(test: &TestApp, round_trips: &'static [usize]) -> Self {
        let test = test.separate_execution_environment().await;
        test.app.warm_up().await;
        Self { test, round_trips, passed: Cell::new(0), has_response: Cell::new(false) }
    }

    async fn run(&self, request: impl Future<Output = Response>) -> Response {
        let response = request.await;
        self.has_response.set(true);
        response
    }

    /// Waits until the calls of the next round trip are held, or until the request has its response.
    async fn settle(&self) {
        let next = self.round_trips.get(self.passed.get()).copied().unwrap_or(usize::MAX);
        while !self.has_response.get() && self.test.interceptor.held() < next {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Lets the next round trip through. A request that was rejected has none.
    async fn step(&self) {
        self.settle().await;
        if !self.has_response.get() {
            self.test.interceptor.let_through(self.round_trips[self.passed.get()]).await;
            self.passed.set(self.passed.get() + 1);
            self.settle().await;
        }
    }
}

/// Returns every order of the steps of processes, in which each process has its number of steps.
fn orders(left: &[usize]) -> Vec<Vec<usize>> {
    if left.iter().all(|steps| *steps == 0) {
        return vec![Vec::new()];
    }
    let mut orders = Vec::new();
    for process in (0..left.len()).filter(|process| left[*process] > 0) {
        let mut rest = left.to_vec();
        rest[process] -= 1;
        orders.extend(self::orders(&rest).into_iter().map(|order| [&[process], &order[..]].concat()));
    }
    orders
}

/// Runs the three requests in every order, and returns the number of orders.
async fn interleave(ending: &'static [usize], params: &[(&str, &str)]) -> usize {
    let test = TestApp::start_with_cheap_hashes().await;
    let mut processes = Vec::new();
    for round_trips in [REFRESH, ending, INTROSPECTION] {
        processes.push(Process::start(&test, round_trips).await);
    }
    let [refresh, end, introspection] = &processes[..] else { unreachable!() };
    let orders = orders(&[refresh, end, introspection].map(|process| process.round_trips.len()));
    for order in &orders {
        let login = test.password(USERNAME, PASSWORD).await;
        let (refresh_token, access_token) = (login.refresh_token(), login.access_token());
        for process in &processes {
            process.passed.set(0);
            process.has_response.set(false);
            process.test.interceptor.hold();
        }
        let params = [&[("token", refresh_token.as_str())], params].concat();
        let (refreshed, ended, introspected, ()) = tokio::join!(
            refresh.run(refresh.test.refresh(&refresh_token)),
            end.run(end.test.revoke(APPLICATION, &params)),
            introspection.run(introspection.test.introspect(APPLICATION, &access_token)),
            async {
                for process in order {
                    processes[*process].step().await;
                }
            }
        );
        ended.assert_revoked();
        let first_introspection = order.iter().position(|process| *process == 2);
        if first_introspection > order.iter().rposition(|process| *process == 1) {
            introspected.assert_inactive();
        }
        assert_over(&test, &[&login, &refreshed]).await;
    }
    orders.len()
}

/// Asserts that no token of the responses is active or can be refreshed.
async fn assert_over(test: &TestApp, responses: &[&Response]) {
    for response in responses.iter().filter(|response| response.status == 200) {
        test.introspect(APPLICATION, &response.access_token()).await.assert_inactive();
        test.introspect(APPLICATION, &response.refresh_token()).await.assert_inactive();
        test.refresh(&response.refresh_token()).await.assert_error(400, "invalid_grant");
    }
}

#[tokio::test]
async fn s_902_a_revocation_ends_the_login_in_every_order_of_a_refresh_and_an_introspection() {
    let orders = interleave(REVOCATION, &[]).await;
    println!("faults: S-902 orders of a refresh, a revocation and an introspection: {orders}");
    assert_eq!(orders, 210);
}

#[tokio::test]
async fn s_909_a_log_out_everywhere_ends_the_login_in_every_order_of_a_refresh_and_an_introspection() {
    let orders = interleave(LOG_OUT, &[("all_sessions", "true")]).await;
    println!("faults: S-909 orders of a refresh, a log-out everywhere and an introspection: {orders}");
    assert_eq!(orders, 560);
}
