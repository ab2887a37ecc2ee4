//! Clocks and counters, and how costs are compared.
//!
//! No bench framework does this: the machine is shared and its speed drifts, so that what is set against each other is
//! measured in turns, the ratio is taken within each turn, and the median of those is told. And what counts is CPU time,
//! of this process or of another one.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How long one turn of one subject takes, about.
const TURN: Duration = Duration::from_millis(20);
const MOST_IN_A_TURN: u32 = 5_000;

/// The time on a clock that only goes forward.
pub fn wall() -> Duration {
    read(ClockId::Monotonic)
}

/// The CPU time of this process.
pub fn cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// The CPU time of another process until now, in hundredths of a second.
pub fn cpu_so_far(process: u32) -> Duration {
    let told = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // After the name, which may hold anything, the times in user and kernel mode are the 12th and the 13th.
    let fields = told.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    fields.map(|ticks| Duration::from_millis(10) * ticks.parse::<u32>().unwrap()).sum()
}

/// The same to the nanosecond, but of the threads alone that it has now.
pub fn cpu_of(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let nanoseconds = |task: fs::DirEntry| -> u64 {
        // A thread may have ended since.
        let told = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        told.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
    };
    Duration::from_nanos(tasks.map(|task| nanoseconds(task.unwrap())).sum())
}

/// The memory of another process that is resident, in MiB.
pub fn resident_mib(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u32 = line.trim().trim_end_matches(" kB").parse().unwrap();
    f64::from(kib) / 1024.0
}

/// What one of something cost.
#[derive(Clone, Copy)]
pub struct Cost {
    pub cpu: Duration,
    pub wall: Duration,
}

/// Measures work that is `count` of something.
pub fn timed(count: u32, work: impl FnOnce()) -> Cost {
    let (cpu_before, wall_before) = (cpu(), wall());
    work();
    Cost { cpu: (cpu() - cpu_before) / count, wall: (wall() - wall_before) / count }
}

/// Does so many of something, and says what one of them cost.
type Turn<'a> = Box<dyn FnMut(u32) -> Cost + 'a>;

/// What is compared, each by a name.
#[derive(Default)]
pub struct Comparison<'a> {
    subjects: Vec<(&'static str, Turn<'a>)>,
}

impl<'a> Comparison<'a> {
    /// Adds what says itself what one of it cost.
    pub fn with(mut self, name: &'static str, turn: impl FnMut(u32) -> Cost + 'a) -> Self {
        self.subjects.push((name, Box::new(turn)));
        self
    }

    /// Adds what is the same each time.
    pub fn with_same(self, name: &'static str, mut work: impl FnMut() + 'a) -> Self {
        self.with(name, move |count| timed(count, || (0..count).for_each(|_| work())))
    }

    /// Has everyone take so many turns, one after the other.
    pub fn run(self, turns: usize) -> Compared {
        let mut subjects: Vec<_> = self
            .subjects
            .into_iter()
            .map(|(name, mut turn)| {
                let fill = |one: Duration| {
                    let count = TURN.as_nanos() / one.as_nanos().max(10);
                    u32::try_from(count).unwrap_or(u32::MAX).clamp(1, MOST_IN_A_TURN)
                };
                // Once to warm up, once to see how many make a turn: the first few of anything are slow.
                let count = fill(turn(2).cpu);
                let count = fill(turn(count).cpu);
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

/// What each subject cost in each turn.
pub struct Compared(Vec<(&'static str, Vec<Cost>)>);

impl Compared {
    /// The median CPU time of one, in microseconds.
    pub fn cpu(&self, name: &str) -> f64 {
        median(self.costs(name).iter().map(|cost| microseconds(cost.cpu)))
    }

    /// The median time of one, in microseconds.
    pub fn wall(&self, name: &str) -> f64 {
        median(self.costs(name).iter().map(|cost| microseconds(cost.wall)))
    }

    /// The median of a figure that is made anew of each turn's CPU times.
    pub fn of_turns(&self, figure: impl Fn(&dyn Fn(&str) -> f64) -> f64) -> f64 {
        let turns = self.0.first().unwrap().1.len();
        median((0..turns).map(|turn| figure(&|name| microseconds(self.costs(name)[turn].cpu))))
    }

    /// How many times the CPU time of the other.
    pub fn ratio(&self, name: &str, other: &str) -> f64 {
        self.of_turns(|cpu| cpu(name) / cpu(other))
    }

    fn costs(&self, name: &str) -> &[Cost] {
        &self.0.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("nothing is called {name}")).1
    }
}

/// In microseconds.
pub fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// In milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The middle one.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(values, 50)
}

/// The value that so many of a hundred are not above.
pub fn percentile(values: impl IntoIterator<Item = f64>, percent: usize) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * percent / 100]
}
