//! The forms of the account page.

use countersign::date::Date;
use serde_json::Value;

use super::{Browser, JOHN, page, query};

/// A browser that is signed in, with the consent for one client.
async fn with_consent() -> Browser {
    let mut browser = Browser::start().await;
    browser.sign_in(JOHN).await;
    browser.code(&query("crm", "openid", &[])).await;
    browser
}

fn stored(browser: &Browser) -> Vec<Value> {
    [browser.test.items("GrantsTable"), browser.test.items("UsersTable")].concat()
}

#[tokio::test]
async fn s_813_a_form_of_the_account_page_counts_only_for_its_session() {
    let mut browser = with_consent().await;
    let ours = browser.cookie.clone();
    browser.cookie = None;
    browser.sign_in(JOHN).await;
    let of_other_session = browser.account_confirm().await;
    browser.cookie = ours;
    let confirm = browser.account_confirm().await;
    assert_ne!(confirm, of_other_session);
    let before = stored(&browser);
    for wrong in ["", "x", of_other_session.as_str(), &confirm[1..]] {
        for (path, field) in
            [("remove", ("client_id", "crm")), ("limit", ("until", "")), ("sign-out-everywhere", ("x", "y"))]
        {
            let fields = [("confirm", wrong), ("client_id", "crm"), field];
            let fields = if field.0 == "client_id" { &fields[..2] } else { &fields[..] };
            let response = browser.post(&format!("/account/{path}"), fields).await;
            assert_eq!((response.status, response.header("location")), (303, Some("/account")), "{path} {wrong}");
            assert_eq!(response.header("set-cookie"), None, "{path} {wrong}");
            assert_eq!(stored(&browser), before, "{path} {wrong}");
        }
    }
    assert_eq!(browser.account("remove", &[("client_id", "crm")]).await.status, 303);
    assert_ne!(stored(&browser), before);
}

#[tokio::test]
async fn an_end_date_is_a_day_from_today_to_ten_years_ahead() {
    let mut browser = with_consent().await;
    let today = Date::of(browser.test.now());
    let in_ten_years = today.in_years(10);
    let day_before = |date: Date| Date::of(date.last_second() - 86_400);
    let day_after = |date: Date| Date::of(date.last_second() + 1);
    for (until, is_accepted) in [
        (today.to_string(), true),
        (in_ten_years.to_string(), true),
        (String::new(), true),
        (day_before(today).to_string(), false),
        (day_after(in_ten_years).to_string(), false),
        ("2030-02-30".to_owned(), false),
        ("tomorrow".to_owned(), false),
    ] {
        let before = stored(&browser);
        let response = browser.account("limit", &[("client_id", "crm"), ("until", &until)]).await;
        if is_accepted {
            assert_eq!((response.status, response.header("location")), (303, Some("/account")), "{until}");
        } else {
            assert_eq!(response.status, 422, "{until}");
            assert_eq!(page(&response), (Some("account".into()), Some("until".into())), "{until}");
            assert_eq!(stored(&browser), before, "{until}");
        }
    }
}
