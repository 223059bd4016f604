//! A memory of verified signatures, for a process that runs many nodes: the simulator.
//!
//! There, what one author signed is verified again at every node that it reaches. A verification is
//! a pure function of key, context, bytes and signature, so that its verdict may be remembered
//! for the whole process; nothing can be seen of it but time. A program of one node has nothing to
//! gain, and is built without it.
//!
//! Only successes are remembered, under a keyed BLAKE3 hash of everything that the verdict depends
//! on: whoever could make one of them pass for another has broken the hash, not the memory.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::names::PublicKey;
use crate::sign::{BadSignature, Context, Signature};

/// Most signatures that are remembered at once, about 64 MB of memory. A sixty-fourth of them goes
/// when its part of the memory is full: what is verified again then costs time, nothing else.
pub const MAX_REMEMBERED: usize = 1 << 20;

const SHARDS: usize = 64;

const KEY: &[u8; 32] = b"waystation remembered signatures";

type Mark = [u8; 32];

#[expect(
    clippy::disallowed_types,
    reason = "the one state that nodes of a process share; it changes no verdict"
)]
type Shard = std::sync::Mutex<BTreeSet<Mark>>;

struct Memory {
    on: AtomicBool,
    shards: [Shard; SHARDS],
}

static MEMORY: Memory = Memory::new();

/// Whether verified signatures are remembered in this process from now on. At the start they are
/// not; switching off forgets them all.
pub fn remember(on: bool) {
    MEMORY.switch(on);
}

/// How many signatures are remembered.
pub fn remembered() -> usize {
    MEMORY.len()
}

/// The verdict of `check`, unless it is known that it would be good.
pub(crate) fn or_check(
    (key, context): (&PublicKey, Context),
    bytes: &[u8],
    signature: &Signature,
    check: impl FnOnce() -> Result<(), BadSignature>,
) -> Result<(), BadSignature> {
    if !MEMORY.on.load(Ordering::Relaxed) {
        return check();
    }
    let mark = mark((key, context), bytes, signature);
    if MEMORY.has(&mark) {
        return Ok(());
    }
    check()?;
    MEMORY.add(mark);
    Ok(())
}

/// What a verdict depends on. The name of a context holds no zero byte, key and signature have one
/// length each.
fn mark((key, context): (&PublicKey, Context), bytes: &[u8], signature: &Signature) -> Mark {
    let mut hasher = blake3::Hasher::new_keyed(KEY);
    hasher.update(context.name().as_bytes());
    hasher.update(&[0]);
    hasher.update(key.as_bytes());
    hasher.update(signature.as_bytes());
    hasher.update(bytes);
    hasher.finalize().into()
}

impl Memory {
    const fn new() -> Self {
        Self {
            on: AtomicBool::new(false),
            shards: [const { Shard::new(BTreeSet::new()) }; SHARDS],
        }
    }

    fn switch(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
        if !on {
            for shard in &self.shards {
                with(shard, BTreeSet::clear);
            }
        }
    }

    fn shard(&self, mark: &Mark) -> &Shard {
        let [first, ..] = mark;
        &self.shards[usize::from(*first) % SHARDS]
    }

    fn has(&self, mark: &Mark) -> bool {
        with(self.shard(mark), |marks| marks.contains(mark))
    }

    fn add(&self, mark: Mark) {
        with(self.shard(&mark), |marks| {
            if marks.len() >= MAX_REMEMBERED / SHARDS {
                marks.clear();
            }
            marks.insert(mark);
        });
    }

    fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| with(shard, |marks| marks.len()))
            .sum()
    }
}

/// A set is whole whatever happened to whoever held the lock: nothing panics in between.
fn with<T>(shard: &Shard, work: impl FnOnce(&mut BTreeSet<Mark>) -> T) -> T {
    work(&mut shard.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::{MAX_REMEMBERED, Memory, SHARDS, mark};
    use crate::names::PublicKey;
    use crate::sign::{Context, Signature};

    #[test]
    fn a_mark_depends_on_everything() {
        let of = |key, context, bytes: &[u8], signature| {
            let key = PublicKey::from_bytes([key; 32]);
            mark(
                (&key, context),
                bytes,
                &Signature::from_bytes([signature; 64]),
            )
        };
        let marks = [
            of(1, Context::Envelope, b"", 1),
            of(1, Context::Envelope, b"a", 1),
            of(1, Context::Envelope, b"ab", 1),
            of(2, Context::Envelope, b"a", 1),
            of(1, Context::Receipt, b"a", 1),
            of(1, Context::MailReceipt, b"a", 1),
            of(1, Context::Envelope, b"a", 2),
        ];
        let different: std::collections::BTreeSet<_> = marks.iter().collect();
        assert_eq!(different.len(), marks.len());
        assert_eq!(marks[1], of(1, Context::Envelope, b"a", 1));
    }

    #[test]
    fn a_full_part_is_emptied() {
        let memory = Memory::new();
        let mark = |number: usize| {
            let mut mark = [0; 32];
            mark[24..].copy_from_slice(&number.to_be_bytes());
            mark
        };
        // All of them fall into one part.
        let most = MAX_REMEMBERED / SHARDS;
        for number in 0..most {
            memory.add(mark(number));
        }
        assert_eq!(memory.len(), most);
        assert!(memory.has(&mark(0)));
        memory.add([63; 32]);
        memory.add(mark(most));
        assert_eq!(memory.len(), 2, "the other parts are left alone");
        assert!(memory.has(&mark(most)) && memory.has(&[63; 32]));
        memory.switch(false);
        assert_eq!(memory.len(), 0);
    }
}
