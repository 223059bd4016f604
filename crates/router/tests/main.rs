//! The router from outside: one of it with scripted peers, and worlds of several.

mod crowds;
mod custodians;
mod dialling;
mod ladder;
mod laws;
mod meetings;
mod net;
mod resealed;
mod worlds;
