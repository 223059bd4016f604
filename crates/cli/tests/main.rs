//! The surface of `way`, held against its documents.

mod docs;
mod fake;
mod life;
mod people;
mod samples;
mod surface;
mod talk;
