//! A line on the terminal that says how far a run is and how long it will still take.
//!
//! This and the real time of a report are all that looks at a real clock; nothing of it reaches
//! what is simulated.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// The shortest time between two lines.
const EVERY: Duration = Duration::from_millis(200);

/// What is counted up to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Microseconds of simulated time.
    Time,
    /// Seeds.
    Seeds,
}

/// The progress of one run or of many, on the terminal; nothing where there is none.
#[derive(Debug)]
pub struct Progress {
    what: String,
    unit: Unit,
    total: u64,
    began: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// For one world that ends after so many microseconds of simulated time.
    #[must_use]
    pub fn world(name: &str, end_us: u64) -> Self {
        Self::new(name, Unit::Time, end_us)
    }

    /// For so many seeds.
    #[must_use]
    pub fn seeds(seeds: u64) -> Self {
        Self::new("swarm", Unit::Seeds, seeds)
    }

    fn new(what: &str, unit: Unit, total: u64) -> Self {
        Self {
            // Its own line, and short enough to stay one.
            what: what.chars().filter(|c| !c.is_control()).take(24).collect(),
            unit,
            total,
            began: Instant::now(),
            shown: None,
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Real time since the beginning.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Says how far it is: microseconds or seeds, and events that were processed in all. May be
    /// called often; it writes at most five times a second.
    pub fn update(&mut self, done: u64, events: u64) {
        if !self.terminal {
            return;
        }
        let now = Instant::now();
        if self.shown.is_some_and(|shown| now - shown < EVERY) {
            return;
        }
        self.shown = Some(now);
        let line = self.line(now - self.began, done, events);
        // Nobody is helped when a progress line cannot be written.
        let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
    }

    /// Takes the line away, so that others can be written. Done also when it is dropped.
    pub fn clear(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    /// The line, at most 80 letters.
    fn line(&self, elapsed: Duration, done: u64, events: u64) -> String {
        let done = done.min(self.total);
        let hundredths = match u128::from(self.total) {
            0 => 100,
            total => u128::from(done) * 100 / total,
        };
        let at = match self.unit {
            Unit::Time => clock(done / 1_000_000),
            Unit::Seeds => format!("{done}/{}", self.total),
        };
        let speed = u128::from(events) * 1_000 / elapsed.as_millis().max(1);
        let speed = match speed {
            0..10_000 => format!("{speed}"),
            10_000..10_000_000 => format!("{}k", speed / 1_000),
            _ => format!("{}M", speed / 1_000_000),
        };
        let left = match done {
            0 => "?".to_owned(),
            _ => {
                let rest = u128::from(self.total - done);
                let left = elapsed.as_secs_f64() * rest as f64 / done as f64;
                clock(left.ceil() as u64)
            }
        };
        let what = &self.what;
        format!("{what}  {at}  {hundredths} %  {speed} events/s  {left} left")
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// `2:03`, `1:02:03`, `3d 01:02:03`.
fn clock(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{seconds:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("{days}d {hours:02}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Progress, clock};
    use std::time::Duration;

    #[test]
    fn a_line_says_how_far_and_how_long_still() {
        let world = Progress::world("city", 86_400_000_000);
        let line = world.line(Duration::from_secs(90), 21_600_000_000, 9_000_000);
        assert_eq!(line, "city  6:00:00  25 %  100k events/s  4:30 left");
        let swarm = Progress::seeds(300);
        let line = swarm.line(Duration::from_millis(1_500), 10, 1_200);
        assert_eq!(line, "swarm  10/300  3 %  800 events/s  0:44 left");
    }

    #[test]
    fn the_beginning_and_the_end_have_a_line_too() {
        let nothing = Progress::world("", 0);
        assert_eq!(
            nothing.line(Duration::ZERO, 0, 0),
            "  0:00  100 %  0 events/s  ? left"
        );
        let long = Progress::world(&"x\n".repeat(100), u64::MAX);
        let line = long.line(Duration::from_secs(1), u64::MAX, u64::MAX);
        assert!(
            line.ends_with("0:00 left") && !line.contains('\n'),
            "{line}"
        );
        assert_eq!(clock(266_523), "3d 02:02:03");
    }
}
