//! From the words of the command line to an exit code.

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let _cli = Cli::parse();
    ExitCode::SUCCESS
}
