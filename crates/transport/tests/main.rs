//! Tests of the transports against the one suite, and against peers that misbehave.

mod attack;
mod conform;
mod internet;
mod tls;
