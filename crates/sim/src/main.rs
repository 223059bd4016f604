//! `way-sim`: what a network would do.

use std::process::ExitCode;

/// Nodes are made of many small pieces that threads hand to one another, and a run is as fast as they
/// are allocated.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sim::cli::main()
}
