//! Guesses without a request. Only a counted guess has a result, so these helpers count each guess in an AWS of fixed
//! responses.

use std::sync::Arc;

use aws_config::SdkConfig;
use countersign::app::App;
use countersign::aws;
use countersign::clock::Clock;
use countersign::password_hash::{Hash, Hasher, Verified};
use countersign::throttle::{Attempt, Attempts, Subject, begin};
use tokio::runtime::Builder;

use crate::canned::Canned;
use crate::cloud;
use crate::deployment::ISSUER;

/// Returns what a hasher verifies, if the password is right.
pub fn verify_password(hasher: &Hasher, hash: Option<&Hash>, password: &str) -> Option<Verified> {
    block_on(async {
        let app = app().await;
        let guess = hasher.verify_password(attempt(&app), hash, password).await.unwrap();
        guess.settle(async |verified| verified).await.unwrap().map(|(verified, _)| verified)
    })
}

/// Returns true if one of the hashes verifies a secret: a generated one, or one that a person may have chosen.
pub fn verify_secret(hasher: &Hasher, hashes: &[&Hash], secret: &str) -> bool {
    hasher.verify_generated_secret(hashes, secret).is_some()
        || block_on(async {
            let app = app().await;
            let guess = hasher.verify_secret(attempt(&app), hashes, &[secret]).await.unwrap();
            guess.settle(async |_| ()).await.unwrap().is_some()
        })
}

/// Returns the hash that replaces a verified one.
pub fn upgrade(hasher: &Hasher, hash: &Hash, verified: &Verified) -> Option<Hash> {
    block_on(hasher.upgrade(hash, verified)).map(Result::unwrap)
}

fn attempt(app: &App) -> Attempt<'_> {
    begin(app, Subject::account("a"), None, Ok(Attempts::default())).unwrap()
}

async fn app() -> Arc<App> {
    let sdk = cloud::sdk(([127, 0, 0, 1], 9).into()).http_client(Canned::new("", []).http_client());
    let sdk: SdkConfig = aws::load(sdk).await;
    Arc::new(App::new(cloud::config(ISSUER).unwrap(), &sdk, Clock::System).unwrap())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
