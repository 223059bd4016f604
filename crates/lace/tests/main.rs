//! Laws, attacks and limits of the graph of one topic.

mod bodies;
mod bounds;
mod chains;
mod cost;
mod laws;
mod limits;
mod membership;
mod open;
mod oracle;
mod parking;
mod policy;
mod ruler;
mod rules;
mod serving;
mod views;
mod world;
mod writing;
