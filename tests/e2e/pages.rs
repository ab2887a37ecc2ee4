//! A server of every page in each of its states, for the tests in a browser: `/<look>/<page>`. The looks are `plain`,
//! `brand`, `logo`, `long` (long words) and `hostile-<n>` (the texts of an attacker). `/frame/<page>` tries to show a page in
//! a frame. Prints the names of the pages, then its address.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::get;
use countersign::config::Pages;
use countersign::http::browser::pages::Look;
use testing::gallery::{HOSTILE, LONG, PAGES, WORDS, Words, gallery};
use tokio::net::TcpListener;

const LOGO: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='160' height='40'><rect width='160' height='40' rx='8' \
                    fill='#0a7'/></svg>";

#[tokio::main]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let link = |name: &str| Some(format!("https://example.org/{name}"));
    let named = Pages {
        brand_name: Some("Example".to_owned()),
        support_url: link("help"),
        privacy_url: link("privacy"),
        terms_url: link("terms"),
        ..Pages::default()
    };
    let logo = Pages { brand_logo_url: Some(format!("{address}/logo.svg")), ..named.clone() };
    let look = |pages: &Pages| Arc::new(Look::new(pages, &address));
    let mut router = Router::new()
        .route("/frame/{name}", get(async |Path(name): Path<String>| Html(format!("<iframe src=\"/brand/{name}\">"))))
        .route("/logo.svg", get(async || ([(CONTENT_TYPE, "image/svg+xml")], LOGO)))
        .nest("/plain", gallery(&look(&Pages::default()), WORDS))
        .nest("/brand", gallery(&look(&named), WORDS))
        .nest("/logo", gallery(&look(&logo), WORDS))
        .nest("/long", gallery(&look(&named), LONG));
    for (number, text) in HOSTILE.into_iter().enumerate() {
        router = router.nest(&format!("/hostile-{number}"), gallery(&look(&named), Words::all(text)));
    }
    println!("{}\n{address}", PAGES.join(" "));
    axum::serve(listener, router).await.unwrap();
}
