//! Custody from outside: the core node's half, the client's half, and the laws of quotas.

mod client;
mod core_node;
mod desk;
mod laws;
mod promises;
mod usage;
