//! The surface of `way`, held against its documents.

mod attended;
mod crash;
mod devices;
mod docs;
mod fake;
mod files;
mod giving;
mod life;
mod member;
mod nat;
mod operators;
mod owners;
mod party;
mod people;
mod privacy;
mod public;
mod reach;
mod samples;
mod surface;
mod table;
mod talk;
mod tcp;
mod tour;
mod trouble;
