//! A refresh, a revocation and an introspection of one login, in three processes, in every order of their round trips
//! (S-409, S-902). The same for a login by code, a sign-out and userinfo (S-823).

use std::cell::Cell;
use std::time::Duration;

use tokio::time::sleep;

use countersign::consent::Period;
use testing::{APPLICATION, PASSWORD, Response, TestApp, USERNAME, raw_form};

/// The concurrent calls in each round trip of a request.
const REFRESH: &[usize] = &[2, 1, 1];
const REVOCATION: &[usize] = &[2, 1];
const LOG_OUT: &[usize] = &[2, 1, 1];
const INTROSPECTION: &[usize] = &[3, 1];
/// An exchange of a code, or a refresh of a login by code.
const CODE_LOGIN: &[usize] = &[2, 3, 1];
const SIGN_OUT: &[usize] = &[1];
const USERINFO: &[usize] = &[2, 3];

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

    async fn run<T>(&self, request: impl Future<Output = T>) -> T {
        let response = request.await;
        self.has_response.set(true);
        response
    }

    /// Holds the calls of the next request.
    fn hold(&self) {
        self.passed.set(0);
        self.has_response.set(false);
        self.test.interceptor.hold();
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
        processes.iter().for_each(Process::hold);
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

/// Runs an exchange or a refresh, a sign-out and userinfo in every order, and returns the number of orders.
async fn interleave_sign_out(is_exchange: bool) -> usize {
    let test = TestApp::start_with_codes().await;
    test.code().await;
    // Without this write, the rotation is the only write of a refresh.
    test.use_consent().await;
    let mut processes = Vec::new();
    for round_trips in [CODE_LOGIN, SIGN_OUT, USERINFO] {
        processes.push(Process::start(&test, round_trips).await);
    }
    let [login, sign_out, userinfo] = &processes[..] else { unreachable!() };
    let orders = orders(&[login, sign_out, userinfo].map(|process| process.round_trips.len()));
    for order in &orders {
        let browser = test.sign_in("openid legacy:autonomy.read", Period::Unlimited).await;
        let first = test.exchange(&test.code_of(&browser, &[]).await).await;
        let code = test.code_of(&browser, &[]).await;
        let session = browser.session.key();
        processes.iter().for_each(Process::hold);
        let send = async {
            if is_exchange {
                login.test.exchange(&code).await
            } else {
                login.test.refresh_code_login(&first.refresh_token()).await
            }
        };
        let (issued, ended, claims, ()) = tokio::join!(
            login.run(send),
            sign_out.run(sign_out.test.app.store.end_session(&session)),
            userinfo.run(claims(&userinfo.test, &first)),
            async {
                for process in order {
                    processes[*process].step().await;
                }
            }
        );
        ended.unwrap();
        let first_userinfo = order.iter().position(|process| *process == 2);
        if first_userinfo > order.iter().rposition(|process| *process == 1) {
            claims.assert_bearer_error(401, "invalid_token");
        }
        for response in [&first, &issued].into_iter().filter(|response| response.status == 200) {
            self::claims(&test, response).await.assert_bearer_error(401, "invalid_token");
            test.refresh_code_login(&response.refresh_token()).await.assert_error(400, "invalid_grant");
        }
    }
    orders.len()
}

async fn claims(test: &TestApp, login: &Response) -> Response {
    let bearer = format!("Bearer {}", login.access_token());
    test.send(raw_form("").header("authorization", &bearer).to("GET", "/oauth/userinfo")).await
}

#[tokio::test]
async fn s_823_a_sign_out_ends_the_login_in_every_order_of_an_exchange_or_a_refresh_and_userinfo() {
    let orders = [interleave_sign_out(true).await, interleave_sign_out(false).await];
    println!("faults: S-823 orders of a sign-out, an exchange or a refresh, and userinfo: {orders:?}");
    assert_eq!(orders, [60, 60]);
}
