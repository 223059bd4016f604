//! Files and folders between real processes.

mod journey;
mod tree;
