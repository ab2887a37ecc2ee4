//! What each grant costs this process, through the router: beside its floor, and without its store.

use std::hint::black_box;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use countersign::app::App;
use countersign::aws;
use countersign::refresh_token::{Family, FamilyId};
use countersign::user::Username;
use jsonwebtoken::Algorithm;
use tokio::runtime::Runtime;

use crate::deployment::{
    Ask, Routes, app, app_over, canned, client, config, config_with_cheapest_hash, pem, refresh_token, sdk, seeded,
    username,
};
use crate::floors::{MESSAGE, with_get_item, with_hash, with_signatures};
use crate::measure::{Compared, Comparison, timed};
use crate::process::CloudProcess;
use crate::report::{Report, at_most, figure, note, row, table};
use testing::cloud::{BoxError, Cloud};

const TURNS: usize = 31;

/// The same request again and again.
fn with_asked<'a>(
    comparison: Comparison<'a>,
    name: &'static str,
    runtime: &'a Runtime,
    app: &Arc<App>,
    ask: Ask,
) -> Comparison<'a> {
    let routes = Routes::of(app);
    comparison.with(name, move |count| {
        timed(count, || {
            runtime.block_on(async {
                for _ in 0..count {
                    routes.ask(&ask).await;
                }
            });
        })
    })
}

/// The store call of the grant alone, or with a signature after it: no signature in a grant finds the caches as one
/// among signatures does.
fn with_read<'a>(
    comparison: Comparison<'a>,
    name: &'static str,
    runtime: &'a Runtime,
    app: &Arc<App>,
    signer: Option<&Arc<App>>,
) -> Comparison<'a> {
    let app = app.clone();
    let keys = signer.map(|signer| runtime.block_on(signer.keyring.current()).unwrap());
    comparison.with(name, move |count| {
        timed(count, || {
            runtime.block_on(async {
                for _ in 0..count {
                    assert!(app.store.client(client(0).0).await.unwrap().is_some());
                    if let Some(keys) = &keys {
                        black_box(keys.current.sign(&MESSAGE).unwrap());
                    }
                }
            });
        })
    })
}

/// Each refresh token for the next.
fn with_refreshed<'a>(
    comparison: Comparison<'a>,
    name: &'static str,
    runtime: &'a Runtime,
    app: &Arc<App>,
) -> Comparison<'a> {
    let routes = Routes::of(app);
    let mut token = refresh_token(&runtime.block_on(routes.ask(&Ask::password(None))));
    comparison.with(name, move |count| {
        timed(count, || {
            runtime.block_on(async {
                for _ in 0..count {
                    token = refresh_token(&routes.ask(&Ask::refresh_token(&token)).await);
                }
            });
        })
    })
}

/// The part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    let stored = with_store(runtime)?;
    let (rs256, es256, eddsa) = without_store(runtime)?;
    let rest = password(runtime)?;
    report.sum_up(
        "grants",
        &format!(
            "client_credentials ES256 {} us with its read; outside the store call x the signature: RS256 {}, ES256 {}, \
             EdDSA {}; a password grant but its hash and store calls {} of the hash",
            figure(stored.cpu("client_credentials ES256")),
            at_most(rs256, "", 1.15),
            at_most(es256, "", 2.0),
            figure(eddsa),
            at_most(rest, " %", 3.0),
        ),
    );
    Ok(())
}

/// Every grant, over the emulator in another process.
fn with_store(runtime: &Runtime) -> Result<Compared, BoxError> {
    let emulator = CloudProcess::start()?;
    let over = |algorithm| runtime.block_on(app_over(emulator.door(), algorithm, config()?));
    let (rs256, es256, eddsa) = (over(Algorithm::RS256)?, over(Algorithm::ES256)?, over(Algorithm::EdDSA)?);
    let service = Ask::client_credentials(None);
    let comparison = with_signatures(with_hash(Comparison::default(), "argon2id"))?;
    let comparison = with_asked(comparison, "client_credentials RS256", runtime, &rs256, service.clone());
    let comparison = with_asked(comparison, "client_credentials ES256", runtime, &es256, service.clone());
    let comparison = with_asked(comparison, "client_credentials EdDSA", runtime, &eddsa, service);
    let comparison = with_refreshed(comparison, "refresh_token RS256", runtime, &rs256);
    let comparison = with_refreshed(comparison, "refresh_token ES256", runtime, &es256);
    let comparison = with_asked(comparison, "password ES256", runtime, &es256, Ask::password(None));
    let measured = comparison.run(TURNS);

    let grants = [
        ("client_credentials RS256", "RS256", "1 read"),
        ("client_credentials ES256", "ES256", "1 read"),
        ("client_credentials EdDSA", "EdDSA", "1 read"),
        ("refresh_token RS256", "RS256", "3 reads, 1 write"),
        ("refresh_token ES256", "ES256", "3 reads, 1 write"),
        ("password ES256", "argon2id", "2 reads, 1 write"),
    ];
    let rows = grants.map(|(name, floor, calls)| {
        let ratio = figure(measured.ratio(name, floor));
        row([&name, &figure(measured.cpu(name)), &figure(measured.wall(name)), &floor, &ratio, &calls])
    });
    let columns = ["grant", "CPU us", "wall us", "floor", "CPU x the floor", "store calls"];
    table("Grants through the router, the emulator in another process (medians of turns)", &columns, &rows);
    Ok(measured)
}

/// What is left of `client_credentials` when the store is taken off; in signatures, for each algorithm.
fn without_store(runtime: &Runtime) -> Result<(f64, f64, f64), BoxError> {
    let cloud = Cloud::open(None)?;
    seeded(&cloud, config()?)?;
    let over = |algorithm| -> Result<Arc<App>, BoxError> {
        let canned = canned(&cloud, &pem(algorithm))?;
        runtime.block_on(async { app(&aws::load(sdk(&canned)).await, config()?).await })
    };
    let (rs256, es256, eddsa) = (over(Algorithm::RS256)?, over(Algorithm::ES256)?, over(Algorithm::EdDSA)?);
    let settings = runtime.block_on(aws::load(sdk(&canned(&cloud, "")?)));

    let service = Ask::client_credentials(None);
    let comparison = with_signatures(Comparison::default())?;
    let comparison = with_get_item(comparison, "GetItem", runtime, Client::new(&settings));
    let comparison = with_read(comparison, "client", runtime, &es256, None);
    let comparison = with_read(comparison, "client, RS256", runtime, &rs256, Some(&rs256));
    let comparison = with_read(comparison, "client, ES256", runtime, &es256, Some(&es256));
    let comparison = with_read(comparison, "client, EdDSA", runtime, &eddsa, Some(&eddsa));
    let (nowhere, ask) = (Routes::of(&es256), service.clone());
    let comparison = comparison.with("nowhere", move |count| {
        timed(count, || {
            runtime.block_on(async {
                for _ in 0..count {
                    nowhere.ask_nowhere(&ask).await;
                }
            });
        })
    });
    let ask = service.clone();
    let comparison = comparison.with_same("request", move || {
        black_box(ask.request(""));
    });
    let comparison = with_asked(comparison, "grant RS256", runtime, &rs256, service.clone());
    let comparison = with_asked(comparison, "grant ES256", runtime, &es256, service.clone());
    let measured = with_asked(comparison, "grant EdDSA", runtime, &eddsa, service).run(TURNS);

    let mut rows = Vec::new();
    let mut ratios = Vec::new();
    for (algorithm, grant, signed, goal) in [
        ("RS256", "grant RS256", "client, RS256", Some(1.15)),
        ("ES256", "grant ES256", "client, ES256", Some(2.0)),
        ("EdDSA", "grant EdDSA", "client, EdDSA", None),
    ] {
        let ratio = measured.of_turns(|cpu| (cpu(grant) - cpu("client")) / cpu(algorithm));
        let less = |whole: &str, part: &str| figure(measured.of_turns(|cpu| cpu(whole) - cpu(part)));
        rows.push(row([
            &algorithm,
            &figure(measured.cpu(algorithm)),
            &less(signed, "client"),
            &figure(measured.cpu(grant)),
            &figure(measured.cpu("GetItem")),
            &figure(measured.cpu("client")),
            &less(grant, "client"),
            &goal.map_or_else(|| figure(ratio), |goal| at_most(ratio, "", goal)),
            &figure(measured.of_turns(|cpu| (cpu(grant) - cpu("GetItem")) / cpu(algorithm))),
            &less(grant, signed),
        ]));
        ratios.push(ratio);
    }
    let columns = [
        "client_credentials",
        "signature",
        "signature after a read",
        "the grant",
        "its GetItem",
        "its store call, item to record included",
        "outside the store call",
        "x the signature",
        "x the signature, with item to record",
        "all but store call and signature",
    ];
    table("client_credentials with ready answers of AWS (CPU us, medians of turns)", &columns, &rows);
    note(&format!(
        "Of what is neither store call nor signature, the router with its layers and one log line is {} us (a request for \
         which there is no route), of that making the request {} us.",
        figure(measured.cpu("nowhere")),
        figure(measured.cpu("request")),
    ));
    Ok((ratios[0], ratios[1], ratios[2]))
}

/// What is left of a password grant when hash and store calls are taken off; in percent of the hash. Measured with the
/// cheapest hash, for a hundredth of a hash drowns in what two hashes differ by.
fn password(runtime: &Runtime) -> Result<f64, BoxError> {
    let cloud = Cloud::open(None)?;
    seeded(&cloud, config_with_cheapest_hash()?)?;
    let canned = canned(&cloud, &pem(Algorithm::ES256))?;
    let app = runtime.block_on(async { app(&aws::load(sdk(&canned)).await, config_with_cheapest_hash()?).await })?;
    let (hasher, store) = (app.clone(), app.clone());
    let username = Username::parse(username()).ok_or("the demo's user has no name")?;
    let hash = runtime.block_on(app.store.user(&username))?.and_then(|user| user.password_hash);
    // Has a family be there, of which the answers are made that follow.
    runtime.block_on(Routes::of(&app).ask(&Ask::password(None)));
    let family: Family = runtime.block_on(app.store.refresh_family(FamilyId::generate()))?.ok_or("no family")?;

    let comparison = with_hash(Comparison::default(), "argon2id");
    let comparison = with_asked(comparison, "grant", runtime, &app, Ask::password(None));
    let comparison = comparison.with_same("cheapest hash", move || {
        assert!(hasher.hasher.verify_password(hash.as_ref(), "secret-password").is_some());
    });
    let comparison = comparison.with("store calls", move |count| {
        timed(count, || {
            runtime.block_on(async {
                for _ in 0..count {
                    // As the grant does: the reads side by side.
                    let (client, user) = tokio::join!(store.store.client(client(1).0), store.store.user(&username));
                    assert!(client.unwrap().is_some() && user.unwrap().is_some());
                    store.store.begin_refresh_family(FamilyId::generate(), &family).await.unwrap();
                }
            });
        })
    });
    let measured = comparison.run(TURNS);
    let rest = |cpu: &dyn Fn(&str) -> f64| cpu("grant") - cpu("cheapest hash") - cpu("store calls");
    let percent = measured.of_turns(|cpu| 100.0 * rest(cpu) / cpu("argon2id"));
    let cells = [
        &figure(measured.cpu("argon2id")),
        &figure(measured.cpu("grant")),
        &figure(measured.cpu("cheapest hash")),
        &figure(measured.cpu("store calls")),
        &figure(measured.of_turns(rest)),
        &at_most(percent, "", 3.0),
    ];
    let columns = [
        "the hash",
        "the grant with the cheapest hash",
        "that hash",
        "the store calls",
        "all but hash and store calls",
        "% of the hash",
    ];
    table(
        "password (ES256) with ready answers of AWS (CPU us, medians of turns)",
        &columns,
        &[cells.map(ToString::to_string).into()],
    );
    Ok(percent)
}
