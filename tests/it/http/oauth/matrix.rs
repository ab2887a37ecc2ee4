//! The matrix: every kind of token in every state, revoked and introspected by every kind of client (S-901).

use serde_json::{Value, json};

use super::bad_tokens::{parts, signed};
use super::{API, log_in, service_token, started};
use testing::{APPLICATION, OTHER_APPLICATION, Response, SERVICE, TestApp};

/// The kind of a presented token.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    User(u8),
    Service(u8),
    Refresh,
}

/// The state in which the token is presented.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Valid,
    UserDeleted,
    UserDisabled,
    LoggedOut,
    NameReused,
    LoginRevoked,
    LoginExpired,
    NoFamily,
    OldTokenId,
    TokenRevoked,
    ClientDisabled,
    TokenExpired,
    Forged,
    Used,
    UsedLongAgo,
    RolledBack,
}

/// The effect of a revocation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Revoked {
    Ends,
    Nothing,
    InvalidGrant,
    InvalidClient,
}

/// The response to an introspection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Active,
    No,
    InvalidClient,
}

/// The state, and the expected results: revoked by the owner and by another client; introspected by the owner, by a client
/// that introspects the audience, and by another client.
type Row = (State, Revoked, Revoked, Seen, Seen, Seen);

const OF_USER_TOKENS: [Row; 11] = [
    (State::Valid, Revoked::Ends, Revoked::InvalidGrant, Seen::Active, Seen::Active, Seen::No),
    (State::UserDeleted, Revoked::Ends, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::UserDisabled, Revoked::Ends, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::LoggedOut, Revoked::Ends, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::NameReused, Revoked::Ends, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::LoginRevoked, Revoked::Nothing, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::NoFamily, Revoked::Nothing, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::OldTokenId, Revoked::Nothing, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::ClientDisabled, Revoked::InvalidClient, Revoked::InvalidGrant, Seen::InvalidClient, Seen::No, Seen::No),
    (State::TokenExpired, Revoked::Nothing, Revoked::Nothing, Seen::No, Seen::No, Seen::No),
    (State::Forged, Revoked::Nothing, Revoked::Nothing, Seen::No, Seen::No, Seen::No),
];

const OF_SERVICE_TOKENS: [Row; 5] = [
    (State::Valid, Revoked::Ends, Revoked::InvalidGrant, Seen::Active, Seen::Active, Seen::No),
    (State::TokenRevoked, Revoked::Ends, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::ClientDisabled, Revoked::InvalidClient, Revoked::InvalidGrant, Seen::InvalidClient, Seen::No, Seen::No),
    (State::TokenExpired, Revoked::Nothing, Revoked::Nothing, Seen::No, Seen::No, Seen::No),
    (State::Forged, Revoked::Nothing, Revoked::Nothing, Seen::No, Seen::No, Seen::No),
];

const OF_REFRESH_TOKENS: [Row; 12] = [
    (State::Valid, Revoked::Ends, Revoked::InvalidGrant, Seen::Active, Seen::No, Seen::No),
    (State::UserDeleted, Revoked::Ends, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::UserDisabled, Revoked::Ends, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::LoggedOut, Revoked::Ends, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::NameReused, Revoked::Ends, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::Used, Revoked::Ends, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::UsedLongAgo, Revoked::Ends, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::RolledBack, Revoked::Ends, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::LoginRevoked, Revoked::Nothing, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::LoginExpired, Revoked::Nothing, Revoked::InvalidGrant, Seen::No, Seen::No, Seen::No),
    (State::NoFamily, Revoked::Nothing, Revoked::Nothing, Seen::No, Seen::No, Seen::No),
    (State::Forged, Revoked::Nothing, Revoked::Nothing, Seen::No, Seen::No, Seen::No),
];

fn rows() -> Vec<(Kind, Row)> {
    let kinds = [
        (Kind::User(1), &OF_USER_TOKENS[..]),
        (Kind::User(2), &OF_USER_TOKENS),
        (Kind::Service(1), &OF_SERVICE_TOKENS),
        (Kind::Service(2), &OF_SERVICE_TOKENS),
        (Kind::Refresh, &OF_REFRESH_TOKENS),
    ];
    kinds.into_iter().flat_map(|(kind, rows)| rows.iter().map(move |row| (kind, *row))).collect()
}

/// A deployment with a token in a state.
struct Cell {
    test: TestApp,
    token: String,
    owner: (&'static str, &'static str),
}

impl Cell {
    async fn prepare(kind: Kind, state: State) -> Self {
        let test = started().await;
        let (token, owner) = match kind {
            Kind::User(version) => (log_in(&test, version).await.access_token(), APPLICATION),
            Kind::Service(version) => (service_token(&test, version).await, SERVICE),
            Kind::Refresh => (test.log_in().await, APPLICATION),
        };
        let mut cell = Self { test, token, owner };
        cell.change(state).await;
        cell
    }

    async fn change(&mut self, state: State) {
        let test = &self.test;
        match state {
            State::Valid => {}
            State::UserDeleted => test.delete_item("UsersTable", &json!({"username": {"S": testing::USERNAME}})),
            State::UserDisabled => test.change_user(&json!({"enabled": false})),
            State::LoggedOut => test.change_user(&json!({"session_generation": 1})),
            State::NameReused => test.change_user(&json!({"user_id": "another"})),
            State::LoginRevoked => test.revoke_all(),
            State::LoginExpired => test.advance_clock(2_592_000),
            State::NoFamily => {
                for family in test.families() {
                    test.delete_item("GrantsTable", &json!({"id": family["id"]}));
                }
            }
            // A `jti` of builds before families for every login.
            State::OldTokenId => {
                let (header, mut claims) = parts(&self.token);
                claims["jti"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
                self.token = signed(test, &header.to_string(), &claims.to_string()).await;
            }
            State::TokenRevoked => test.revoke(self.owner, &[("token", &self.token)]).await.assert_revoked(),
            State::ClientDisabled => test.change_client(self.owner.0, &json!({"enabled": false})),
            // Shorter than a login lasts, so that only the access token expires.
            State::TokenExpired => test.advance_clock(43_200),
            State::Forged => self.token = changed(&self.token),
            State::Used | State::UsedLongAgo => {
                test.refresh(&self.token).await.assert_issued(2);
                test.advance_clock(if state == State::Used { 0 } else { 60 });
            }
            State::RolledBack => {
                let before = test.family(&self.token);
                self.token = test.refresh(&self.token).await.refresh_token();
                self.test.restore_item("GrantsTable", &before);
            }
        }
    }

    fn stored(&self) -> Vec<Value> {
        ["ClientsTable", "UsersTable", "GrantsTable"].iter().flat_map(|table| self.test.items(table)).collect()
    }

    /// Returns the effect of a revocation by a client.
    async fn revoke(&self, client: (&str, &str), params: &[(&str, &str)]) -> Revoked {
        let before = self.stored();
        let response = self.test.revoke(client, &[&[("token", &*self.token)], params].concat()).await;
        let has_changed = self.stored() != before;
        match response.status {
            200 => response.assert_revoked(),
            400 => response.assert_error(400, "invalid_grant"),
            _ => response.assert_error(401, "invalid_client"),
        }
        assert!(response.status == 200 || !has_changed, "an error response changed something");
        match (response.status, has_changed) {
            (200, true) => Revoked::Ends,
            (200, false) => Revoked::Nothing,
            (400, _) => Revoked::InvalidGrant,
            _ => Revoked::InvalidClient,
        }
    }

    async fn introspect(&self, client: (&str, &str)) -> Seen {
        let before = self.stored();
        let response: Response = self.test.introspect(client, &self.token).await;
        assert_eq!(self.stored(), before, "an introspection changed something");
        match (response.status, &response.body["active"]) {
            (200, Value::Bool(true)) => Seen::Active,
            (200, _) => {
                response.assert_inactive();
                Seen::No
            }
            _ => {
                response.assert_error(401, "invalid_client");
                Seen::InvalidClient
            }
        }
    }
}

/// Changes the last character before the end, which is a part of the signature or of the HMAC.
fn changed(token: &str) -> String {
    let (start, end) = token.split_at(token.len() - 4);
    let other = if end.starts_with('A') { "B" } else { "A" };
    format!("{start}{other}{}", &end[1..])
}

#[tokio::test]
async fn s_901_each_cell_of_the_matrix_of_revocations() {
    for (kind, (state, by_owner, by_other, ..)) in rows() {
        let cell = Cell::prepare(kind, state).await;
        assert_eq!(cell.revoke(OTHER_APPLICATION, &[]).await, by_other, "{kind:?}, {state:?}, by another client");
        let by_owner = visible(by_owner, state);
        assert_eq!(cell.revoke(cell.owner, &[]).await, by_owner, "{kind:?}, {state:?}, by the owner");
        if by_owner == Revoked::Ends {
            for client in [cell.owner, API] {
                cell.test.introspect(client, &cell.token).await.assert_inactive();
            }
            assert_eq!(cell.revoke(cell.owner, &[]).await, Revoked::Nothing, "{kind:?}, {state:?}, again");
        }
    }
}

/// Returns the effect that the tables show. A repeated revocation of a service's token writes the same item again.
fn visible(effect: Revoked, state: State) -> Revoked {
    if state == State::TokenRevoked { Revoked::Nothing } else { effect }
}

/// `all_sessions` logs the user out only with an active token of a user. With any other token it has no effect.
#[tokio::test]
async fn s_910_all_sessions_with_each_row_of_the_matrix() {
    for (kind, (state, by_owner, by_other, seen, ..)) in rows() {
        let cell = Cell::prepare(kind, state).await;
        let users = cell.test.items("UsersTable");
        let all = [("all_sessions", "true")];
        assert_eq!(cell.revoke(OTHER_APPLICATION, &all).await, by_other, "{kind:?}, {state:?}, by another client");
        assert_eq!(cell.revoke(cell.owner, &all).await, visible(by_owner, state), "{kind:?}, {state:?}, by the owner");
        let logs_out = seen == Seen::Active && !matches!(kind, Kind::Service(_));
        assert_eq!(cell.test.items("UsersTable") != users, logs_out, "{kind:?}, {state:?}");
    }
}

#[tokio::test]
async fn s_901_each_cell_of_the_matrix_of_introspections() {
    for (kind, (state, _, _, by_owner, by_audience, by_other)) in rows() {
        let cell = Cell::prepare(kind, state).await;
        for (client, expected) in [(cell.owner, by_owner), (API, by_audience), (OTHER_APPLICATION, by_other)] {
            assert_eq!(cell.introspect(client).await, expected, "{kind:?}, {state:?}, by {}", client.0);
        }
    }
}

/// A revocation by another client leaves the token to its owner (S-904).
#[tokio::test]
async fn s_904_after_the_attempt_of_another_client_the_owner_can_use_the_token() {
    for kind in [Kind::User(2), Kind::Service(2), Kind::Refresh] {
        let cell = Cell::prepare(kind, State::Valid).await;
        assert_eq!(cell.revoke(OTHER_APPLICATION, &[]).await, Revoked::InvalidGrant);
        assert_eq!(cell.introspect(cell.owner).await, Seen::Active, "{kind:?}");
        if kind == Kind::Refresh {
            cell.test.refresh(&cell.token).await.assert_issued(2);
        }
    }
}
