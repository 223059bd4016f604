//! Whole nodes in a world without I/O.

mod agreements;
mod branches;
mod cascade;
mod chains;
mod claims;
mod closing;
mod doors;
mod ended;
mod fallen;
mod files;
mod giving;
mod going_on;
mod guests;
mod handed;
mod held;
mod idle;
mod liars;
mod mailed;
mod meetings;
mod newcomers;
mod operators;
mod outside;
mod owners;
mod paired;
mod promised;
mod public;
mod rates;
mod reach;
mod releases;
mod restored;
mod roll;
mod several;
mod silence;
mod story;
mod together;
mod told;
mod trust;
mod unshared;
mod ways;
mod welcomes;
mod witness;
mod world;
mod worlds;

// Worlds are played inside the crate as well.
use node as tested;
