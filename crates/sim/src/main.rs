//! `way-sim`: what a network would do.

use std::process::ExitCode;

fn main() -> ExitCode {
    sim::cli::main()
}
