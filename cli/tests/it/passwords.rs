//! New passwords that are easy to guess, and the words that make them so.

use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{ISSUER, PASSWORD, TestApp, USERNAME};

const STRONG: &str = "sable-lantern-quarry-mint";
const WEAK: &str = "the password is easy to guess; choose a longer one, for example four random words, or accept it with \
                    --accept-weak-password";

/// Creates a user with this password. Returns true if the password was accepted, false if it is easy to guess.
async fn accepts(test: &TestApp, username: &str, password: &str) -> bool {
    let ran = command_line(test).run_with(&["user", "create", username], password).await;
    let stored = test.cloud.item("UsersTable", &json!({"username": username})).unwrap();
    if ran.code == 0 {
        assert_eq!(test.password(username, password).await.status, 200);
    } else {
        ran.assert(1, WEAK);
        assert_eq!(stored.unwrap_or_default(), Value::Null);
        assert!(!ran.err.contains(password) && ran.out.is_empty(), "no part of the password is printed");
    }
    ran.code == 0
}

#[tokio::test]
async fn passwords_that_are_easy_to_guess_are_rejected() {
    let test = started().await;
    // Ten times as many characters as zxcvbn evaluates.
    let long = "qzxjk".repeat(200);
    for password in ["11112222", "password1", "P@ssw0rd2026", "qwertyuiop", "iloveyou1999", "Tr0ub4dour", &long] {
        assert!(!accepts(&test, "weak@example.com", password).await, "{password}");
    }
    let long: String = (0_u32..1_000).map(|n| char::from_digit(n * n * n % 1_009 % 36, 36).unwrap()).collect();
    for (number, password) in [STRONG, "kz8!vQ2#mT", "Grüne Kähne gähnen", &long].into_iter().enumerate() {
        assert!(accepts(&test, &format!("strong{number}@example.com"), password).await, "{password}");
    }
}

/// Each password is strong until it contains a name that an attacker tries first.
#[tokio::test]
async fn names_of_the_user_the_issuer_and_the_clients_make_a_password_weak() {
    let test = started().await;
    for (number, (username, password)) in [
        ("zorblatt.quimvane@example.com", "zorblatt.quimvane@example.com"),
        ("zorblatt.quimvane@example.com", "QuimvaneZorblatt"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(accepts(&test, &format!("other{number}@example.com"), password).await, "{password}");
        assert!(!accepts(&test, username, password).await, "{password}");
    }
    assert!(!accepts(&test, "issuer@example.com", ISSUER).await);

    let passwords = ["Frobnitz Ledgery", "wumpwidget72"];
    for password in passwords {
        assert!(
            accepts(&test, &format!("{}@example.com", &password[..4].to_lowercase()), password).await,
            "{password}"
        );
    }
    let create = ["client", "create", "wumpwidget", "--name", "Frobnitz Ledgery", "--scope", "legacy:*"];
    command_line(&test).run(&create).await.assert(0, "wumpwidget");
    for password in passwords {
        assert!(!accepts(&test, "late@example.com", password).await, "{password}");
    }
}

#[tokio::test]
async fn a_weak_password_is_accepted_with_a_flag() {
    let test = started().await;
    let line = command_line(&test);
    let weak = "iloveyou1999";
    line.run_with(&["user", "set-password", USERNAME], weak).await.assert(1, WEAK);
    assert_eq!(test.password(USERNAME, PASSWORD).await.status, 200, "the old password is kept");
    test.interceptor.clear_calls();
    let accepted = line.run_with(&["user", "set-password", USERNAME, "--accept-weak-password"], weak).await;
    accepted.assert(0, "session_generation");
    assert!(!test.interceptor.calls().contains(&"Scan ClientsTable".to_owned()), "the clients are not needed");
    assert_eq!(test.password(USERNAME, weak).await.status, 200);
    let create = ["user", "create", "weak@example.com", "--accept-weak-password"];
    line.run_with(&create, "short").await.assert(1, "at least 8 characters");
    line.run_with(&create, weak).await.assert(0, "weak@example.com");
}

#[tokio::test]
async fn the_number_of_clients_that_are_read_is_limited() {
    let test = started().await;
    for number in 0..3_000 {
        let client = json!({"client_id": format!("many-{number}"), "name": "n".repeat(1_000), "enabled": false});
        test.cloud.put("ClientsTable", &client).unwrap();
    }
    test.interceptor.clear_calls();
    assert!(accepts(&test, "new@example.com", STRONG).await);
    let pages = test.interceptor.calls().iter().filter(|call| *call == "Scan ClientsTable").count();
    assert!((1..=2).contains(&pages), "{pages} of 3 pages");
}
