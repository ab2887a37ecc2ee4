//! The cost of a token with more and more clients and users.

use std::fs;
use std::sync::Arc;

use countersign::app::App;
use jsonwebtoken::Algorithm;
use tokio::runtime::Runtime;

use crate::deployment::{app_over, config_with_cheapest_hash};
use crate::folder::Folder;
use crate::measure::{Comparison, milliseconds, wall};
use crate::process::CloudProcess;
use crate::report::{Report, figure, row, table};
use crate::request::{Routes, TokenRequest};
use crate::setting;
use testing::cloud::BoxError;

const TURNS: usize = 25;
const SIZES: [u32; 2] = [100, 10_000];
const LARGEST: u32 = 1_000_000;
/// The distance between two records that are read one after the other: a prime larger than any number of records, so
/// that all records are read, in an order that no cache predicts.
const STRIDE: u64 = 2_147_483_647;

/// An emulated AWS with a number of clients and users, and the names of its two subjects.
struct Size {
    count: u32,
    service: &'static str,
    user: &'static str,
    /// Runs until all sizes are measured.
    _emulator: CloudProcess,
    filled_in_seconds: f64,
    megabytes: u64,
}

impl Size {
    /// Starts an emulator with `count` clients and users, and adds their requests to the comparison.
    fn add(count: u32, folder: &Folder, comparison: &mut Comparison<'_>) -> Result<Self, BoxError> {
        let before = wall();
        let file = folder.path.join(format!("{count}.db"));
        let emulator = CloudProcess::start_filled(&file, count)?;
        let filled_in_seconds = milliseconds(wall() - before) / 1000.0;
        let app = app_over(emulator.address(), Algorithm::ES256, config_with_cheapest_hash()?);
        let app = comparison.runtime.block_on(app)?;
        // The names of subjects are `'static`.
        let name = |grant: &str| -> &'static str { format!("{grant} {count}").leak() };
        let (service, user) = (name("client_credentials"), name("password"));
        add_requests(comparison, service, &app, (count, |name| TokenRequest::client_credentials(Some(name))));
        add_requests(comparison, user, &app, (count, |name| TokenRequest::password(Some(name))));
        let megabytes = fs::metadata(&file)?.len() / 1_000_000;
        Ok(Self { count, service, user, _emulator: emulator, filled_in_seconds, megabytes })
    }
}

/// Adds a subject that sends the request of another record each time.
fn add_requests(
    comparison: &mut Comparison<'_>,
    name: &'static str,
    app: &Arc<App>,
    (count, request): (u32, fn(&str) -> TokenRequest),
) {
    let routes = Routes::new(app);
    let mut record = 0;
    comparison.add_async(name, async move || {
        record = (record + STRIDE) % u64::from(count);
        routes.send(&request(&format!("copy-{record}"))).await;
    });
}

/// Runs the part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    let folder = Folder::create("growth")?;
    let largest = setting("GROWTH").map_or(Ok(LARGEST), |count| count.parse())?;
    let mut comparison = Comparison::new(runtime);
    let mut sizes = Vec::new();
    for count in SIZES.into_iter().chain([largest]) {
        sizes.push(Size::add(count, &folder, &mut comparison)?);
    }
    let measured = comparison.run(TURNS);
    let smallest = &sizes[0];
    let mut rows = Vec::new();
    let mut line = String::new();
    for size in &sizes {
        for (grant, name, smallest) in [
            ("client_credentials", size.service, smallest.service),
            ("password, cheapest hash", size.user, smallest.user),
        ] {
            let (cpu, wall) = (measured.ratio(name, smallest), measured.wall(name) / measured.wall(smallest));
            rows.push(row([
                &size.count,
                &grant,
                &figure(measured.cpu(name)),
                &figure(cpu),
                &figure(measured.wall(name)),
                &figure(wall),
                &format!("{} MB, {} s", size.megabytes, figure(size.filled_in_seconds)),
            ]));
            line = format!(
                "with {} clients and users {} x the CPU and {} x the time of {}",
                size.count,
                figure(cpu),
                figure(wall),
                SIZES[0]
            );
        }
    }
    let columns = [
        "clients, and users",
        "grant",
        "CPU us",
        "x the smallest",
        "wall us",
        "x the smallest",
        "size of the file, filled in",
    ];
    table("Growth (medians of turns; the emulator in another process, with a file)", &columns, &rows);
    report.sum_up("growth", &line);
    Ok(())
}
