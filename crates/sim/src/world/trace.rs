//! What a run was: a hash that is the same for the same seed, and lines that people read.

use machine::Time;
use std::io::Write;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The running hash of everything that happened to one node and that it put out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) u64);

impl Digest {
    /// Something happened, or left, at this time.
    pub(crate) fn add(&mut self, at: Time, tag: u8, bytes: &[u8]) {
        let seed = self.0 ^ at.as_micros().rotate_left(8) ^ u64::from(tag);
        self.0 = xxh3_64_with_seed(bytes, seed);
    }
}

/// Lines for people: step, time, node, what.
pub(crate) struct Trace {
    pub(crate) step: u64,
    pub(crate) out: Box<dyn Write + Send>,
}

impl Trace {
    pub(crate) fn line(&mut self, at: Time, node: &str, text: &str) {
        let seconds = at.as_micros() / 1_000_000;
        let micros = at.as_micros() % 1_000_000;
        let end = text
            .char_indices()
            .nth(LONGEST)
            .map_or(text.len(), |(end, _)| end);
        let text = text.get(..end).unwrap_or(text);
        // A reader who went away is no reason to stop.
        let _gone = writeln!(
            self.out,
            "{:>8}  {seconds:>6}.{micros:06}  {node:<12}  {text}",
            self.step
        );
    }
}

/// Letters of one line.
const LONGEST: usize = 220;

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("step", &self.step).finish()
    }
}
