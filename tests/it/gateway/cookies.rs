//! Cookies in events and in responses (S-911, S-814).

use serde_json::{Value, json};

use super::{demo, events, with};
use crate::support::start_api;

#[tokio::test]
async fn s_911_a_cookie_of_one_event_is_used_by_the_next() {
    const NAME: &str = "__Host-Http-countersign-demo-browser";
    let (_test, cloud) = demo().await;
    let mut function = start_api(cloud, &[]).await;
    let events = events();
    let login = function.call(events["cookie_login"].clone()).await;
    // The gateway sends each entry as a separate header, and joins the headers of other names.
    let [cookie] = &login["cookies"].as_array().unwrap()[..] else { panic!("{login}") };
    assert_eq!(login["headers"].get("set-cookie"), None);
    let pair = cookie.as_str().unwrap().split(';').next().unwrap();
    let refresh = &events["cookie_refresh"];
    let with_cookies = |cookies: Value| with(refresh, "/cookies", cookies);
    let response = function.invoke(with_cookies(json!(["theme=dark", pair]))).await;
    response.assert_issued(2);
    let (name, next, _) = response.cookie().unwrap();
    assert_eq!((name, response.body.get("refresh_token")), (NAME, None));
    let next = format!("{NAME}={next}");

    for cookies in [json!([next, next]), json!([format!("{next}; {next}")]), json!([format!("{NAME}="), next])] {
        let response = function.invoke(with_cookies(cookies)).await;
        response.assert_error(400, "invalid_request");
        assert_eq!(response.cookie(), None);
    }
    for cookies in [json!([]), Value::Null, json!(["theme=dark"])] {
        let response = function.invoke(with_cookies(cookies)).await;
        response.assert_error(400, "invalid_grant");
        assert_eq!(response.cookie(), None);
    }
    // Bytes that are not text are allowed in other cookies.
    function.invoke(with_cookies(json!(["a=\u{fc}", next]))).await.assert_issued(2);
    let output = function.end().await;
    assert!(!output.contains("__Host") && !output.contains("cs_rt_") && !output.contains("theme"), "{output}");
}

#[tokio::test]
async fn s_814_the_session_of_a_login_form_is_used_by_the_next_event() {
    let (_test, cloud) = demo().await;
    let mut function = start_api(cloud, &[("LOGIN_PAGES", "on")]).await;
    let events = events();
    let login = function.call(events["login_form"].clone()).await;
    assert_eq!(login["statusCode"], 303, "{login}");
    let [cookie] = &login["cookies"].as_array().unwrap()[..] else { panic!("{login}") };
    let pair = cookie.as_str().unwrap().split(';').next().unwrap();
    assert!(pair.starts_with("__Host-session="));

    let authorize = &events["authorize_with_session"];
    let page = |response: &Value| {
        let (_, rest) = response["body"].as_str().unwrap().split_once("data-page=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let signed_out = function.call(authorize.clone()).await;
    assert_eq!(page(&signed_out), "login");
    let signed_in = function.call(with(authorize, "/cookies", json!(["theme=dark", pair]))).await;
    assert_eq!(page(&signed_in), "consent");
    let output = function.end().await;
    assert!(!output.contains("__Host") && !output.contains(pair) && !output.contains("st-1"), "{output}");
}
