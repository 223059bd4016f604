//! The figures that Waystation is held to, each measured on real `way` processes with homes in a
//! temporary folder:
//!
//! ```text
//! cargo run --release -p cli --example figures -- volume|files|memory|core|privacy|all
//! ```
//!
//! Each prints what it measured beside its target, and the exit code is 1 when a target is missed.
//! Started by cargo it builds `way` first; otherwise it takes the one in the folder above its own.
//! `FIGURES_FOLDER` says where the temporary folder is made (`core` needs about 8 GB there), and
//! `FIGURES_SCALE` divides the numbers of messages, for trying things out.

mod files;
mod loader;
mod memory;
mod privacy;
mod search;
mod secrets;
mod serving;
mod stage;
mod volume;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What goes wrong ends the program with its reason.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Measures figures on the program at a path.
type Measure = fn(&Path, &mut Report) -> Result<(), Failed>;

/// What was measured so far.
#[derive(Debug, Default)]
struct Report {
    missed: usize,
}

impl Report {
    /// Says what was measured and whether it reaches the target.
    fn figure(&mut self, name: &str, measured: impl Display, target: impl Display, holds: bool) {
        let verdict = if holds { "holds" } else { "MISSED" };
        println!("{name}: {measured}   (target: {target}) {verdict}");
        self.missed += usize::from(!holds);
    }

    /// Says what has no target.
    fn note(&self, name: &str, measured: impl Display) {
        println!("{name}: {measured}");
    }
}

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let mut report = Report::default();
    match run(&name, &mut report) {
        Ok(()) if report.missed == 0 => ExitCode::SUCCESS,
        Ok(()) => {
            eprintln!("{} figures miss their targets", report.missed);
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("figures: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, report: &mut Report) -> Result<(), Failed> {
    let all = [
        ("volume", volume::measure as Measure),
        ("files", files::measure),
        ("memory-fresh", memory::fresh),
        ("memory-history", memory::history),
        ("memory-topics", memory::topics),
        ("core", serving::measure),
        ("privacy", privacy::measure),
    ];
    let is_meant = |figure: &str| name == "all" || figure.split('-').next() == Some(name);
    let chosen: Vec<_> = all
        .into_iter()
        .filter(|(figure, _)| *figure == name || is_meant(figure))
        .collect();
    if chosen.is_empty() {
        let names = all.map(|(figure, _)| figure).join(", ");
        return Err(format!("say one of {names}, memory or all").into());
    }
    let way = way()?;
    for (figure, measure) in chosen {
        println!("-- {figure}");
        measure(&way, report)?;
    }
    Ok(())
}

/// The program that is measured: built now if cargo is at hand.
fn way() -> Result<PathBuf, Failed> {
    let own = std::env::current_exe()?;
    // target/PROFILE/examples/figures
    let folder = own.parent().and_then(|examples| examples.parent());
    let folder = folder.ok_or("the example lies in no target folder")?;
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--package", "cli", "--bin", "way"]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        if !build.status()?.success() {
            return Err("`way` could not be built".into());
        }
    }
    let way = folder.join("way");
    if way.exists() {
        Ok(way)
    } else {
        Err(format!("{} is not built", way.display()).into())
    }
}

/// How many, after dividing by what `FIGURES_SCALE` says.
fn scaled(count: usize) -> usize {
    let by = std::env::var("FIGURES_SCALE")
        .ok()
        .and_then(|by| by.parse().ok());
    (count / by.unwrap_or(1).max(1)).max(1)
}
