//! Whole nodes, the very code that `way up` runs, in a simulated world.
//!
//! A world is drawn from a seed: networks, disks, clocks, people, and everything that goes wrong.
//! Time costs nothing; the only source of randomness is the seed. Checkers watch every node after
//! every step.

pub mod check;
pub mod cli;
pub mod disk;
mod interrupt;
mod kept;
pub mod memory;
pub mod metrics;
mod panics;
pub mod plan;
pub mod progress;
pub mod report;
mod run;
pub mod scenario;
pub mod search;
mod shrink;
pub mod swarm;
pub mod world;

pub use kept::Kept;
pub use run::{Options, Progress, run};
pub use shrink::{Shrunk, shrink};
pub use world::{Limits, Outcome};
