//! The allocations of a request outside its store call. Each costs CPU time, in the request and in the caches.

use std::io;
use std::sync::Arc;

use allocation_counter::measure;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use countersign::app::App;
use countersign::aws;
use countersign::clock::Clock;
use countersign::http::router;
use countersign::log;
use countersign::password_hash::Hasher;
use serde_json::json;
use testing::canned::Canned;
use testing::cloud::{self, Cloud};
use testing::demo::{self, FIXTURES};
use testing::{CLIENT_CREDENTIALS, ISSUER, basic, form_body, pem};
use tokio::runtime::Builder;
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

/// The 108 allocations of 2026-11-26, and a few for changes of the libraries. They were 242 before.
const MOST: u64 = 111;

#[test]
fn client_credentials_needs_few_allocations_outside_its_store_call() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let cloud = Cloud::open(None).unwrap();
    let config = cloud::config(ISSUER).unwrap();
    demo::seed(&cloud, &Hasher::new(config.argon2).unwrap()).unwrap();
    let text = |pointer| FIXTURES.pointer(pointer).unwrap().as_str().unwrap();
    let (id, secret) = (text("/clients/0/client_id"), text("/clients/0/secrets/0/secret"));
    let item = cloud.item("ClientsTable", &json!({"client_id": id})).unwrap().unwrap();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap();
    let canned = Canned::new(&pem(key.as_ref()), [("ClientsTable", id, item)]);
    let sdk = cloud::sdk(([127, 0, 0, 1], 9).into()).http_client(canned.http_client());
    let app = Arc::new(App::new(config, &runtime.block_on(aws::load(sdk)), Clock::System).unwrap());
    let routes = router(app.clone());

    let send = || {
        let request = Request::post("/oauth/token")
            .header(AUTHORIZATION, basic(id, secret))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json; version=2")
            .body(Body::from(form_body(&CLIENT_CREDENTIALS)))
            .unwrap();
        let respond = async {
            let response = routes.clone().oneshot(request).await.unwrap();
            assert!(response.status().is_success());
            to_bytes(response.into_body(), usize::MAX).await.unwrap()
        };
        measure(|| drop(runtime.block_on(respond))).count_total
    };
    let _subscriber = tracing::subscriber::set_default(registry().with(log::lines(io::sink)));
    // The first requests load the keys and fill caches.
    for _ in 0..3 {
        send();
    }
    let (request, read) = (send(), measure(|| drop(runtime.block_on(app.store.client(id)))).count_total);
    let outside = request - read;
    assert!(outside <= MOST, "{outside} of {request} allocations");
}
