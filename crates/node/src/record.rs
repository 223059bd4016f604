//! Inputs as bytes, for records of a run.
//!
//! A record holds every input of a node; replaying it gives the same outputs. The bytes are for the
//! program that wrote them, not for other versions.
