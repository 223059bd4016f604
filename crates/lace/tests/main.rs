//! Laws, attacks and limits of the graph of one topic.

mod bodies;
mod laws;
mod limits;
mod membership;
mod open;
mod oracle;
mod parking;
mod rules;
mod serving;
mod world;
mod writing;
