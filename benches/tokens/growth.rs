//! Whether a token costs more when there are more clients and users.

use std::fs;
use std::sync::Arc;

use countersign::app::App;
use jsonwebtoken::Algorithm;
use tokio::runtime::Runtime;

use crate::deployment::{Ask, Routes, app_over, config_with_cheapest_hash};
use crate::folder::Folder;
use crate::measure::{Comparison, milliseconds, timed, wall};
use crate::process::CloudProcess;
use crate::report::{Report, figure, row, table};
use crate::setting;
use testing::cloud::BoxError;

const TURNS: usize = 25;
const SIZES: [u32; 2] = [100, 10_000];
const LARGEST: u32 = 1_000_000;
/// Steps that visit a table in an order that no cache knows: a prime, larger than any number of records.
const STRIDE: u64 = 2_147_483_647;

fn with_records<'a>(
    comparison: Comparison<'a>,
    name: &'static str,
    runtime: &'a Runtime,
    app: &Arc<App>,
    (count, ask): (u32, fn(&str) -> Ask),
) -> Comparison<'a> {
    let routes = Routes::of(app);
    let mut at = 0;
    comparison.with(name, move |turn| {
        timed(turn, || {
            runtime.block_on(async {
                for _ in 0..turn {
                    at = (at + STRIDE) % u64::from(count);
                    routes.ask(&ask(&format!("copy-{at}"))).await;
                }
            });
        })
    })
}

/// The part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    let folder = Folder::make("growth")?;
    let largest = setting("GROWTH").map_or(Ok(LARGEST), |count| count.parse())?;
    let mut comparison = Comparison::default();
    let mut sizes = Vec::new();
    for count in SIZES.into_iter().chain([largest]) {
        let before = wall();
        let file = folder.path.join(format!("{count}.db"));
        let account = CloudProcess::start_filled(&file, count)?;
        let filled_in = milliseconds(wall() - before) / 1000.0;
        let app = runtime.block_on(app_over(account.door(), Algorithm::ES256, config_with_cheapest_hash()?))?;
        // A comparison names its subjects once and for all.
        let name = |what: &str| -> &'static str { format!("{what} {count}").leak() };
        let (service, user) = (name("client_credentials"), name("password"));
        comparison =
            with_records(comparison, service, runtime, &app, (count, |name| Ask::client_credentials(Some(name))));
        comparison = with_records(comparison, user, runtime, &app, (count, |name| Ask::password(Some(name))));
        sizes.push((count, service, user, account, filled_in, fs::metadata(&file)?.len() / 1_000_000));
    }
    let measured = comparison.run(TURNS);
    let (_, smallest_service, smallest_user, ..) = sizes[0];
    let mut rows = Vec::new();
    let mut line = String::new();
    for (count, service, user, _, filled_in, megabytes) in &sizes {
        for (grant, name, smallest) in
            [("client_credentials", service, smallest_service), ("password, cheapest hash", user, smallest_user)]
        {
            let (cpu, wall) = (measured.ratio(name, smallest), measured.wall(name) / measured.wall(smallest));
            rows.push(row([
                count,
                &grant,
                &figure(measured.cpu(name)),
                &figure(cpu),
                &figure(measured.wall(name)),
                &figure(wall),
                &format!("{megabytes} MB, {} s", figure(*filled_in)),
            ]));
            line = format!(
                "with {count} clients and users {} x the CPU and {} x the time of {}",
                figure(cpu),
                figure(wall),
                SIZES[0]
            );
        }
    }
    let columns =
        ["clients, and users", "grant", "CPU us", "x the smallest", "wall us", "x the smallest", "the file, filled in"];
    table("Growth (medians of turns; the emulator on a file, in another process)", &columns, &rows);
    report.sum_up("growth", &line);
    Ok(())
}
