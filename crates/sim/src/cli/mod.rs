//! The program `way-sim`.

mod args;
mod files;
mod growth;
mod one;
mod replay;
mod swarm;

use crate::interrupt;
use args::{Bounds, Cli, Command};
use clap::Parser as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Held,
    Broke,
}

/// What cannot be done, in words.
type Failed = String;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Whoever asks for help and closes the pipe has seen enough.
            let _closed = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let done = match &cli.command {
        Command::Run(run) => one::run(run),
        Command::Swarm(swarm) => swarm::run(swarm),
        Command::Replay(replay) => replay::run(replay),
        Command::Shrink(shrink) => replay::shrink(shrink),
        Command::List => one::list(),
        Command::Growth(growth) => growth::run(growth),
    };
    let done = match UNSAID.get() {
        Some(why) => Err(format!("cannot write what came of it: {why}")),
        None => done,
    };
    match done {
        Ok(End::Held) if interrupt::asked() => ExitCode::from(interrupt::EXIT_CODE),
        Ok(End::Held) => ExitCode::SUCCESS,
        Ok(End::Broke) => ExitCode::from(1),
        Err(why) => {
            let _closed = writeln!(std::io::stderr(), "way-sim: {why}");
            ExitCode::from(2)
        }
    }
}

/// A line on standard output. A reader who went away is no reason to stop; what else goes wrong with
/// it is told at the end.
fn say(line: impl std::fmt::Display) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        note(&error);
    }
}

/// Notes why something could not be written, unless its reader went away.
fn note(error: &std::io::Error) {
    if error.kind() != std::io::ErrorKind::BrokenPipe {
        UNSAID.get_or_init(|| error.to_string());
    }
}

/// Lines that are written while a world runs, which does not stop where they cannot be.
struct Lines<W>(W);

impl<W: std::io::Write> std::io::Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes).inspect_err(note)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush().inspect_err(note)
    }
}

impl<W: std::io::Write + Send + 'static> Lines<W> {
    fn boxed(to: W) -> Box<dyn std::io::Write + Send> {
        Box::new(std::io::BufWriter::new(Self(to)))
    }
}

/// Why something could not be said.
static UNSAID: OnceLock<String> = OnceLock::new();

/// A line for people: on standard output, unless that is for programs.
fn tell(json: bool, line: impl std::fmt::Display) {
    if json {
        let _closed = writeln!(std::io::stderr(), "{line}");
    } else {
        say(line);
    }
}

impl Bounds {
    fn limits(&self) -> crate::Limits {
        crate::Limits {
            time: self.max_time.map(Duration::from_secs),
            memory: self.max_memory.map(|mib| mib.saturating_mul(1 << 20)),
            events: None,
        }
    }

    fn threads(&self) -> usize {
        self.threads
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
            .clamp(1, MAX_THREADS)
    }

    /// Threads for one world: a small one is done sooner by one.
    fn threads_for(&self, plan: &crate::plan::Plan) -> usize {
        if self.threads.is_none() && plan.nodes.len() < MIN_FOR_THREADS {
            1
        } else {
            self.threads()
        }
    }

    /// How worlds are run.
    fn how(&self, twice: bool) -> Result<crate::search::How, Failed> {
        Ok(crate::search::How {
            threads: self.threads(),
            twice,
            limits: self.limits(),
            #[cfg(feature = "planted")]
            planted: self.bug()?,
        })
    }

    /// Sets what holds for the whole process.
    fn set(&self) -> Result<(), Failed> {
        identity::remember(!self.verify_all);
        Ok(())
    }

    /// The defect that is to be switched in, for [`crate::Options`].
    #[cfg(feature = "planted")]
    fn bug(&self) -> Result<Option<machine::planted::Bug>, Failed> {
        let Some(name) = &self.planted else {
            return Ok(None);
        };
        let names = machine::planted::Bug::ALL.map(machine::planted::Bug::name);
        let bug = machine::planted::Bug::from_name(name);
        bug.map(Some)
            .ok_or_else(|| format!("no defect is called {name:?}; there are {names:?}"))
    }
}

/// Worlds with fewer nodes run on one thread unless somebody asks for more.
const MIN_FOR_THREADS: usize = 500;
/// Threads beyond which nothing gets faster.
const MAX_THREADS: usize = 64;
