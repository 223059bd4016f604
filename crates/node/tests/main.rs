//! Whole nodes in a world without I/O.

mod story;
mod world;
