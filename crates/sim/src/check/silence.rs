//! Sync falls silent when there is nothing left to say.
//!
//! When everybody has everything, the world listens for a quarter of an hour. Keep-alives are not
//! counted. What is left beside them are receipts that are renewed, and links that are made anew.

use super::carriage::inner_kind;
use super::{Broken, Everybody};

/// The name of the promise.
pub(crate) const PROMISE: &str = "silence";

/// Kinds of frames: the greatest is 24. Those about a topic are counted by what is in them.
const KINDS: usize = 48;
/// What is in a frame about a topic: the greatest is 11. Counted from here on.
const INNER: u8 = 32;
/// Asks for a pong, and the pong.
const KEEP_ALIVE: [u8; 2] = [2, 3];
/// Frames that are allowed for each end of a link, as in the tests of whole nodes.
const FRAMES_PER_END: u64 = 8;
/// How many kinds and nodes a report names.
const NAMED: usize = 8;

/// What one node has said since the world began to listen.
#[derive(Debug, Default)]
pub(crate) struct Silence(Option<Box<[u32; KINDS]>>);

impl Silence {
    /// The world listens from now on, or no more.
    pub(crate) fn expect(&mut self, expected: bool) {
        self.0 = expected.then(|| Box::new([0; KINDS]));
    }

    /// A frame leaves.
    pub(crate) fn leaves(&mut self, frame: &[u8]) {
        if let Some(frames) = &mut self.0 {
            let kind = match frame {
                [0x82, 21, ..] => INNER + inner_kind(frame).unwrap_or_default(),
                [0x82, kind @ 0..=0x17, ..] | [0x82, 0x18, kind, ..] => *kind,
                _ => u8::MAX,
            };
            if !KEEP_ALIVE.contains(&kind) {
                let at = usize::from(kind).min(KINDS - 1);
                frames[at] = frames[at].saturating_add(1);
            }
        }
    }

    pub(crate) fn total(&self) -> u64 {
        let frames = self.0.iter().flat_map(|frames| **frames);
        frames.map(u64::from).sum()
    }
}

/// Whether everybody was silent while the world listened.
pub(crate) fn check(everybody: &Everybody<'_>) -> Vec<Broken> {
    let ends: usize = everybody.nodes.iter().map(|node| node.linked.len()).sum();
    let allowed = FRAMES_PER_END * ends as u64;
    let said = everybody
        .nodes
        .iter()
        .map(|node| node.watch.silence.total());
    let total: u64 = said.sum();
    if total <= allowed {
        return Vec::new();
    }
    let mut what =
        format!("{total} frames over {ends} ends of links, when nothing was left to say");
    what.push_str(&by_kind(everybody));
    what.push_str(&by_node(everybody));
    vec![Broken {
        promise: PROMISE,
        at_us: everybody.now.as_micros(),
        node: None,
        what,
    }]
}

fn by_kind(everybody: &Everybody<'_>) -> String {
    let mut kinds = [0_u64; KINDS];
    let nodes = everybody.nodes.iter();
    for frames in nodes.filter_map(|node| node.watch.silence.0.as_ref()) {
        for (sum, count) in kinds.iter_mut().zip(**frames) {
            *sum += u64::from(count);
        }
    }
    let mut kinds: Vec<(u64, usize)> = kinds.into_iter().zip(0..).filter(|k| k.0 > 0).collect();
    kinds.sort_unstable_by(|a, b| b.cmp(a));
    let text = kinds.iter().take(NAMED);
    let name = |kind: usize| match kind.checked_sub(usize::from(INNER)) {
        Some(inner) => format!("21, inner kind {inner}"),
        None => kind.to_string(),
    };
    text.map(|(count, kind)| format!("\n  {count} of kind {}", name(*kind)))
        .collect()
}

fn by_node(everybody: &Everybody<'_>) -> String {
    let mut nodes: Vec<(u64, &str, usize)> = everybody
        .nodes
        .iter()
        .map(|node| {
            (
                node.watch.silence.total(),
                &*node.plan.name,
                node.linked.len(),
            )
        })
        .filter(|(total, ..)| *total > 0)
        .collect();
    nodes.sort_unstable_by(|a, b| b.cmp(a));
    let text = nodes.iter().take(NAMED);
    text.map(|(count, name, ends)| format!("\n  {count} from {name}, which has {ends} links"))
        .collect()
}
