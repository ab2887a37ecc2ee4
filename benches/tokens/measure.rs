//! Clocks and counters, and the comparison of costs.
//!
//! No benchmark framework does this. The machine is shared and its speed drifts, so the subjects of a comparison take
//! turns: a ratio is computed within each turn, and the median of the ratios is printed. The cost is CPU time, of this
//! process or of another one.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Runtime;

/// The approximate duration of one turn of one subject.
const TURN: Duration = Duration::from_millis(20);
const MAX_RUNS_PER_TURN: u32 = 5_000;

/// Returns the time of a monotonic clock.
pub fn wall() -> Duration {
    read(ClockId::Monotonic)
}

/// Returns the CPU time of this process.
pub fn cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// Returns the CPU time of all threads of another process, in steps of 10 ms.
pub fn cpu_of_process(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name in parentheses may contain anything. Fields 12 and 13 after it are the times in user and kernel mode.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    fields.map(|ticks| Duration::from_millis(10) * ticks.parse::<u32>().unwrap()).sum()
}

/// Returns the CPU time of the running threads of another process, to the nanosecond.
pub fn cpu_of_threads(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let nanoseconds = |task: fs::DirEntry| -> u64 {
        // The file is missing if the thread has ended in the meantime.
        let statistics = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        statistics.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
    };
    Duration::from_nanos(tasks.map(|task| nanoseconds(task.unwrap())).sum())
}

/// Returns the resident memory of another process, in MiB.
pub fn resident_mib(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u32 = line.trim().trim_end_matches(" kB").parse().unwrap();
    f64::from(kib) / 1024.0
}

/// The cost of one run.
#[derive(Clone, Copy)]
struct Cost {
    cpu: Duration,
    wall: Duration,
}

/// Measures `work`, which consists of `count` runs. Returns the cost of one run.
fn timed(count: u32, work: impl FnOnce()) -> Cost {
    let (cpu_before, wall_before) = (cpu(), wall());
    work();
    Cost { cpu: (cpu() - cpu_before) / count, wall: (wall() - wall_before) / count }
}

/// Runs a subject a number of times. Returns the cost of one run.
type Turn<'a> = Box<dyn FnMut(u32) -> Cost + 'a>;

/// The subjects that are compared, each with its name.
pub struct Comparison<'a> {
    pub runtime: &'a Runtime,
    subjects: Vec<(&'static str, Turn<'a>)>,
}

impl<'a> Comparison<'a> {
    /// Creates a comparison whose asynchronous subjects use this runtime.
    pub fn new(runtime: &'a Runtime) -> Self {
        Self { runtime, subjects: Vec::new() }
    }

    /// Adds a subject.
    pub fn add(&mut self, name: &'static str, mut work: impl FnMut() + 'a) {
        self.subjects.push((name, Box::new(move |count| timed(count, || (0..count).for_each(|_| work())))));
    }

    /// Adds an asynchronous subject.
    pub fn add_async(&mut self, name: &'static str, mut work: impl AsyncFnMut() + 'a) {
        let runtime = self.runtime;
        let turn = move |count| {
            timed(count, || {
                runtime.block_on(async {
                    for _ in 0..count {
                        work().await;
                    }
                });
            })
        };
        self.subjects.push((name, Box::new(turn)));
    }

    /// Runs each subject for a number of turns, one subject after the other within each turn.
    pub fn run(self, turns: usize) -> Compared {
        let mut subjects: Vec<_> = self
            .subjects
            .into_iter()
            .map(|(name, mut turn)| {
                let runs_per_turn = |one: Duration| {
                    let count = TURN.as_nanos() / one.as_nanos().max(10);
                    u32::try_from(count).unwrap_or(u32::MAX).clamp(1, MAX_RUNS_PER_TURN)
                };
                // The first runs are slow: measures once to warm up, and once more to choose the number of runs.
                let count = runs_per_turn(turn(2).cpu);
                let count = runs_per_turn(turn(count).cpu);
                (name, turn, count, Vec::with_capacity(turns))
            })
            .collect();
        for _ in 0..turns {
            for (_, turn, count, costs) in &mut subjects {
                let cost = turn(*count);
                costs.push(cost);
            }
        }
        Compared(subjects.into_iter().map(|(name, _, _, costs)| (name, costs)).collect())
    }
}

/// The cost of each subject in each turn.
pub struct Compared(Vec<(&'static str, Vec<Cost>)>);

impl Compared {
    /// Returns the median CPU time of one run, in microseconds.
    pub fn cpu(&self, name: &str) -> f64 {
        median(self.costs(name).iter().map(|cost| microseconds(cost.cpu)))
    }

    /// Returns the median duration of one run, in microseconds.
    pub fn wall(&self, name: &str) -> f64 {
        median(self.costs(name).iter().map(|cost| microseconds(cost.wall)))
    }

    /// Computes a figure from the CPU times of each turn. Returns the median.
    pub fn of_turns(&self, figure: impl Fn(&dyn Fn(&str) -> f64) -> f64) -> f64 {
        let turns = self.0.first().unwrap().1.len();
        median((0..turns).map(|turn| figure(&|name| microseconds(self.costs(name)[turn].cpu))))
    }

    /// Returns the CPU time of one subject divided by that of another.
    pub fn ratio(&self, name: &str, other: &str) -> f64 {
        self.of_turns(|cpu| cpu(name) / cpu(other))
    }

    fn costs(&self, name: &str) -> &[Cost] {
        &self.0.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no subject is called {name}")).1
    }
}

/// Converts a duration to microseconds.
pub fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Converts a duration to milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Returns the median.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(values, 50)
}

/// Returns the value that `percent` of the values do not exceed.
pub fn percentile(values: impl IntoIterator<Item = f64>, percent: usize) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * percent / 100]
}
