//! The cost of each grant in this process, through the router: as a multiple of its floor, and without its store calls.

use std::hint::black_box;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use countersign::app::App;
use countersign::aws;
use countersign::refresh_token::{Family, FamilyId};
use countersign::throttle::{Attempts, Count, Subject, begin};
use countersign::user::Username;
use jsonwebtoken::Algorithm;
use tokio::runtime::Runtime;

use crate::deployment::{
    app, app_over, canned, client, config, config_with_cheapest_hash, pem, sdk, seeded_cloud, username,
};
use crate::floors::{DEFAULT_COST, MESSAGE, add_get_item, add_password_hash, add_signatures};
use crate::measure::{Compared, Comparison};
use crate::process::CloudProcess;
use crate::report::{Report, at_most, figure, note, row, table};
use crate::request::{Routes, TokenRequest, refresh_token};
use testing::cloud::BoxError;

const TURNS: usize = 31;

/// Adds a subject that sends the same request each time.
fn add_requests(comparison: &mut Comparison<'_>, name: &'static str, app: &Arc<App>, request: TokenRequest) {
    let routes = Routes::new(app);
    comparison.add_async(name, async move || {
        routes.send(&request).await;
    });
}

/// Adds the store call of client credentials. With `signs`, a signature by the deployment's key follows: after a store
/// call the caches are colder than between two signatures.
fn add_read(comparison: &mut Comparison<'_>, name: &'static str, app: &Arc<App>, signs: bool) {
    let app = app.clone();
    let keys = signs.then(|| comparison.runtime.block_on(app.keyring.current()).unwrap());
    comparison.add_async(name, async move || {
        assert!(app.store.client(client(0).0).await.unwrap().is_some());
        if let Some(keys) = &keys {
            black_box(keys.current.sign(&MESSAGE).unwrap());
        }
    });
}

/// Adds a subject that uses the refresh token of each response in the next request.
fn add_refreshes(comparison: &mut Comparison<'_>, name: &'static str, app: &Arc<App>) {
    let routes = Routes::new(app);
    let mut token = refresh_token(&comparison.runtime.block_on(routes.send(&TokenRequest::password(None))));
    comparison.add_async(name, async move || {
        token = refresh_token(&routes.send(&TokenRequest::refresh_token(&token)).await);
    });
}

/// Runs the part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    let stored = with_store(runtime)?;
    let [rs256, es256, eddsa] = without_store(runtime)?;
    let rest = password(runtime)?;
    report.sum_up(
        "grants",
        &format!(
            "client_credentials ES256 {} us with its read; outside the store call x the signature: RS256 {}, ES256 {}, \
             EdDSA {}; a password grant without its hash and store calls {} of the hash",
            figure(stored.cpu("client_credentials ES256")),
            at_most(rs256, "", 1.15),
            at_most(es256, "", 2.5),
            figure(eddsa),
            at_most(rest, " %", 3.0),
        ),
    );
    Ok(())
}

/// Measures every grant, with the emulator in another process.
fn with_store(runtime: &Runtime) -> Result<Compared, BoxError> {
    let emulator = CloudProcess::start()?;
    let over = |algorithm| runtime.block_on(app_over(emulator.address(), algorithm, config()?));
    let (rs256, es256, eddsa) = (over(Algorithm::RS256)?, over(Algorithm::ES256)?, over(Algorithm::EdDSA)?);
    let service = TokenRequest::client_credentials(None);
    let mut comparison = Comparison::new(runtime);
    add_password_hash(&mut comparison, "argon2id", DEFAULT_COST);
    add_signatures(&mut comparison)?;
    add_requests(&mut comparison, "client_credentials RS256", &rs256, service.clone());
    add_requests(&mut comparison, "client_credentials ES256", &es256, service.clone());
    add_requests(&mut comparison, "client_credentials EdDSA", &eddsa, service);
    add_refreshes(&mut comparison, "refresh_token RS256", &rs256);
    add_refreshes(&mut comparison, "refresh_token ES256", &es256);
    add_requests(&mut comparison, "password ES256", &es256, TokenRequest::password(None));
    let measured = comparison.run(TURNS);

    let grants = [
        ("client_credentials RS256", "RS256", "1 read"),
        ("client_credentials ES256", "ES256", "1 read"),
        ("client_credentials EdDSA", "EdDSA", "1 read"),
        ("refresh_token RS256", "RS256", "3 reads, 1 write"),
        ("refresh_token ES256", "ES256", "3 reads, 1 write"),
        ("password ES256", "argon2id", "3 reads, 2 writes"),
    ];
    let rows = grants.map(|(name, floor, calls)| {
        let ratio = figure(measured.ratio(name, floor));
        row([&name, &figure(measured.cpu(name)), &figure(measured.wall(name)), &floor, &ratio, &calls])
    });
    let columns = ["grant", "CPU us", "wall us", "floor", "CPU x the floor", "store calls"];
    table("Grants through the router, the emulator in another process (medians of turns)", &columns, &rows);
    Ok(measured)
}

/// Measures `client_credentials` with fixed responses of AWS. Returns the cost without the store call as a multiple of
/// the signature, for RS256, ES256 and EdDSA.
fn without_store(runtime: &Runtime) -> Result<[f64; 3], BoxError> {
    let measured = measure_without_store(runtime)?;
    let ratio = |grant: &str, algorithm: &str| measured.of_turns(|cpu| (cpu(grant) - cpu("client")) / cpu(algorithm));
    let grants = [
        ("RS256", "grant RS256", "client, RS256", Some(1.15)),
        ("ES256", "grant ES256", "client, ES256", Some(2.5)),
        ("EdDSA", "grant EdDSA", "client, EdDSA", None),
    ];
    let rows = grants.map(|(algorithm, grant, signed, goal)| {
        let difference = |whole: &str, part: &str| figure(measured.of_turns(|cpu| cpu(whole) - cpu(part)));
        let ratio = ratio(grant, algorithm);
        row([
            &algorithm,
            &figure(measured.cpu(algorithm)),
            &difference(signed, "client"),
            &figure(measured.cpu(grant)),
            &figure(measured.cpu("GetItem")),
            &figure(measured.cpu("client")),
            &difference(grant, "client"),
            &goal.map_or_else(|| figure(ratio), |goal| at_most(ratio, "", goal)),
            &figure(measured.of_turns(|cpu| (cpu(grant) - cpu("GetItem")) / cpu(algorithm))),
            &difference(grant, signed),
        ])
    });
    let columns = [
        "client_credentials",
        "signature",
        "signature after a read",
        "the grant",
        "its GetItem",
        "its store call, including the conversion of the item",
        "outside the store call",
        "x the signature",
        "x the signature, including the conversion of the item",
        "without store call and signature",
    ];
    table("client_credentials with fixed responses of AWS (CPU us, medians of turns)", &columns, &rows);
    note(&format!(
        "Of the cost without store call and signature, the router with its layers and one log line takes {} us (a \
         request to a path without a route). Building that request takes {} us of them.",
        figure(measured.cpu("unknown path")),
        figure(measured.cpu("request")),
    ));
    Ok(grants.map(|(algorithm, grant, ..)| ratio(grant, algorithm)))
}

fn measure_without_store(runtime: &Runtime) -> Result<Compared, BoxError> {
    let cloud = seeded_cloud(&config()?)?;
    let over = |algorithm| -> Result<Arc<App>, BoxError> {
        let canned = canned(&cloud, &pem(algorithm))?;
        runtime.block_on(async { app(&aws::load(sdk(&canned)).await, config()?).await })
    };
    let (rs256, es256, eddsa) = (over(Algorithm::RS256)?, over(Algorithm::ES256)?, over(Algorithm::EdDSA)?);
    let settings = runtime.block_on(aws::load(sdk(&canned(&cloud, "")?)));

    let service = TokenRequest::client_credentials(None);
    let mut comparison = Comparison::new(runtime);
    add_signatures(&mut comparison)?;
    add_get_item(&mut comparison, "GetItem", Client::new(&settings));
    add_read(&mut comparison, "client", &es256, false);
    add_read(&mut comparison, "client, RS256", &rs256, true);
    add_read(&mut comparison, "client, ES256", &es256, true);
    add_read(&mut comparison, "client, EdDSA", &eddsa, true);
    let (routes, request) = (Routes::new(&es256), service.clone());
    comparison.add_async("unknown path", async move || routes.send_to_unknown_path(&request).await);
    let request = service.clone();
    comparison.add("request", move || {
        black_box(request.to_http(""));
    });
    add_requests(&mut comparison, "grant RS256", &rs256, service.clone());
    add_requests(&mut comparison, "grant ES256", &es256, service.clone());
    add_requests(&mut comparison, "grant EdDSA", &eddsa, service);
    Ok(comparison.run(TURNS))
}

/// Measures a password grant with fixed responses of AWS. Returns the cost without the hash and the store calls, in
/// percent of the hash. Uses the cheapest hash, because two default hashes differ by more than one percent.
fn password(runtime: &Runtime) -> Result<f64, BoxError> {
    let measured = measure_password(runtime)?;
    let rest = |cpu: &dyn Fn(&str) -> f64| cpu("grant") - cpu("cheapest hash") - cpu("store calls");
    let percent = measured.of_turns(|cpu| 100.0 * rest(cpu) / cpu("argon2id"));
    let cells = row([
        &figure(measured.cpu("argon2id")),
        &figure(measured.cpu("grant")),
        &figure(measured.cpu("cheapest hash")),
        &figure(measured.cpu("store calls")),
        &figure(measured.of_turns(rest)),
        &at_most(percent, "", 3.0),
    ]);
    let columns = [
        "the hash",
        "the grant with the cheapest hash",
        "the cheapest hash",
        "the store calls",
        "without hash and store calls",
        "% of the hash",
    ];
    table("password (ES256) with fixed responses of AWS (CPU us, medians of turns)", &columns, &[cells]);
    Ok(percent)
}

fn measure_password(runtime: &Runtime) -> Result<Compared, BoxError> {
    let config = config_with_cheapest_hash()?;
    let canned = canned(&seeded_cloud(&config)?, &pem(Algorithm::ES256))?;
    let app = runtime.block_on(async { app(&aws::load(sdk(&canned)).await, config).await })?;
    let username = Username::parse(username()).ok_or("the username of the demo is not valid")?;
    let hash = runtime.block_on(app.store.user(&username))?.and_then(|user| user.password_hash);
    // The fixed responses need a family to respond with: that of the first login.
    runtime.block_on(Routes::new(&app).send(&TokenRequest::password(None)));
    let family: Family = runtime.block_on(app.store.refresh_family(FamilyId::generate()))?.ok_or("no family")?;

    let mut comparison = Comparison::new(runtime);
    add_password_hash(&mut comparison, "argon2id", DEFAULT_COST);
    add_requests(&mut comparison, "grant", &app, TokenRequest::password(None));
    let hasher = app.clone();
    comparison.add_async("cheapest hash", async move || {
        let attempt = begin(&hasher, Subject::account("a"), None, Ok(Attempts::default())).unwrap();
        drop(hasher.hasher.verify_password(attempt, hash.as_ref(), "secret-password").await.unwrap());
    });
    comparison.add_async("store calls", async move || {
        // The reads run concurrently, as in the grant.
        let subject = Subject::account(username.as_str());
        let reads = (app.store.client(client(1).0), app.store.user(&username), app.store.attempts(subject.item_id()));
        let (client, user, attempts) = tokio::join!(reads.0, reads.1, reads.2);
        assert!(client.unwrap().is_some() && user.unwrap().is_some());
        let (attempts, now) = (attempts.unwrap(), app.clock.now());
        let count = Count::of(&attempts, attempts.place(None, now), (None, true), now);
        let (counted, stored) = tokio::join!(
            app.store.count_attempt(subject.item_id(), &count, app.throttle.budget),
            app.store.begin_refresh_family(FamilyId::generate(), &family),
        );
        counted.and(stored).unwrap();
    });
    Ok(comparison.run(TURNS))
}
