//! Tests of the transports against one another's suite, and of `quic` against peers that misbehave.

mod attack;
mod conform;
