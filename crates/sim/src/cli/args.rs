//! The words of the command line, as clap parses them.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Runs whole nodes in a simulated world: shows what a network would do, and finds the runs in which
/// a promise breaks.
#[derive(Debug, Parser)]
#[command(
    name = "way-sim",
    version,
    about,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 every promise held, 1 a promise broke (the last line says which), \
                  2 usage, 130 interrupted (Ctrl-C: what was learnt until then is told; a second one \
                  ends it at once)."
)]
pub(super) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs one scenario: a file, or the name of a ready-made one (`way-sim list`).
    Run(Run),
    /// Draws worlds from seeds and runs them all.
    Swarm(Swarm),
    /// Plays a run again, step by step: that of a seed, of a plan that was kept, or of a record that
    /// `way up --record` wrote.
    Replay(Replay),
    /// Makes the world of a seed in which a promise breaks as small as it can be.
    Shrink(Shrink),
    /// Lists the ready-made scenarios and the promises.
    List,
    /// Runs one scenario with more and more nodes, and prints how events, bytes, memory and time grow.
    Growth(Growth),
}

/// What ends a run early, and how it is carried out.
#[derive(Debug, Args)]
pub(super) struct Bounds {
    /// Real seconds that a run may take; what was learnt until then is told.
    #[arg(long, value_name = "SECONDS")]
    pub(super) max_time: Option<u64>,
    /// Mebibytes of memory that the program may use; what was learnt until then is told.
    #[arg(long, value_name = "MIB")]
    pub(super) max_memory: Option<u64>,
    /// Threads to use [default: as many as there are processors]; the outcome is the same.
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Checks every signature wherever it is met, instead of remembering those that were good.
    #[arg(long)]
    pub(super) verify_all: bool,
    /// Switches in a known defect, to see it found (in a program built for that).
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "BUG")]
    pub(super) planted: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// A scenario (TOML), or the name of a ready-made one.
    pub(super) file: String,
    /// From which everything is drawn that the scenario leaves open.
    #[arg(long, default_value_t = 1, allow_negative_numbers = true)]
    pub(super) seed: u64,
    /// About so many nodes, in the proportions of the scenario.
    #[arg(long, value_name = "N")]
    pub(super) nodes: Option<u32>,
    /// Writes a page with plots.
    #[arg(long, value_name = "OUT.html")]
    pub(super) report: Option<PathBuf>,
    /// Writes every step as a line: number, time, node, what.
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,
    /// Prints the report as JSON instead of lines for people.
    #[arg(long)]
    pub(super) json: bool,
    /// Runs it a second time and compares.
    #[arg(long)]
    pub(super) twice: bool,
    #[command(flatten)]
    pub(super) bounds: Bounds,
}

#[derive(Debug, Args)]
pub(super) struct Swarm {
    /// How many worlds.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(super) from: u64,
    /// Runs each world twice and compares.
    #[arg(long)]
    pub(super) twice: bool,
    /// Prints a line of JSON for each world.
    #[arg(long)]
    pub(super) json: bool,
    /// Goes on after a promise broke.
    #[arg(long)]
    pub(super) keep_going: bool,
    #[command(flatten)]
    pub(super) bounds: Bounds,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// A seed of the swarm, a plan that was kept (TOML), or a record.
    pub(super) what: String,
    /// Stops after this step; what came later is not in the summary either.
    #[arg(long, value_name = "STEP")]
    pub(super) until: Option<u64>,
    /// Prints no steps, only what came of it.
    #[arg(long)]
    pub(super) quiet: bool,
    /// Writes a page with plots.
    #[arg(long, value_name = "OUT.html")]
    pub(super) report: Option<PathBuf>,
    #[command(flatten)]
    pub(super) bounds: Bounds,
}

#[derive(Debug, Args)]
pub(super) struct Shrink {
    /// The seed, or a file with a plan.
    pub(super) what: String,
    /// Where the smaller plan goes [default: standard output].
    #[arg(long, value_name = "FILE.toml")]
    pub(super) out: Option<PathBuf>,
    /// One line that says what it was.
    #[arg(long, default_value = "")]
    pub(super) story: String,
    /// Plans that may be tried.
    #[arg(long, default_value_t = 400)]
    pub(super) most: u32,
    #[command(flatten)]
    pub(super) bounds: Bounds,
}

#[derive(Debug, Args)]
pub(super) struct Growth {
    /// A scenario (TOML), or the name of a ready-made one.
    #[arg(default_value = "city")]
    pub(super) file: String,
    /// Numbers of nodes.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000])]
    pub(super) nodes: Vec<u32>,
    /// From which everything is drawn that the scenario leaves open.
    #[arg(long, default_value_t = 1, allow_negative_numbers = true)]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) bounds: Bounds,
}
