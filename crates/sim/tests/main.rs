//! The simulator and its program, from outside: promises in many worlds, the same run from the same
//! seed, known defects found, documents true.

mod people;
#[cfg(feature = "planted")]
mod planted;
mod program;
mod reference;
mod same;
mod seeds;
mod worlds;
