//! The surface of `way`, held against its documents.

mod docs;
mod fake;
mod samples;
mod surface;
