//! Topics among several engines in memory: worlds small enough to look at.

mod attacks;
mod boxes;
mod delivery;
mod differences;
mod net;
mod operators;
mod quotas;
mod receipts;
mod swarm;
mod sync;
mod told;
mod withdrawn;
