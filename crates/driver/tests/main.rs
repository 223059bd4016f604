//! Tests of the driver: when outputs leave, how lives end, and that records replay.

mod contents;
mod files;
mod lives;
mod record;
mod release;
mod talk;
mod world;
