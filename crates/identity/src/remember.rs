//! A memory of verified signatures and of secrets agreed on, for a process that runs many nodes:
//! the simulator.
//!
//! There, what one author signed is verified again at every node that it reaches, and the key that
//! it seals with is agreed on by each of thirty readers. Both are pure functions, so that what they
//! gave may be remembered for the whole process; nothing can be seen of it but time. What is signed
//! here is known to be good without any check, since signing is deterministic and every signature of
//! an honest key is. A program of one node has nothing to gain, and is built without it: the secrets
//! stay in memory until it is switched off.
//!
//! Only successes are remembered, under a keyed BLAKE3 hash of everything that they depend on:
//! whoever could make one of them pass for another has broken the hash, not the memory.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::names::PublicKey;
use crate::seal::NotOpened;
use crate::seal::hpke::{ENC_LEN, HpkeSecret};
use crate::sign::{BadSignature, Context, Signature};

/// Most signatures that are remembered at once, about 64 MB of memory; and most secrets, about
/// 100 MB. A sixty-fourth of them goes when its part of the memory is full: what is done again then
/// costs time, nothing else.
pub const MAX_REMEMBERED: usize = 1 << 20;

const SHARDS: usize = 64;

const SIGNED_KEY: &[u8; 32] = b"waystation remembered signatures";
const AGREED_KEY: &[u8; 32] = b"waystation remembered agreements";
const DERIVED_KEY: &[u8; 32] = b"waystation remembered key pairs ";

type Mark = [u8; 32];

#[expect(
    clippy::disallowed_types,
    reason = "the one state that nodes of a process share; it changes no result"
)]
type Shard<T> = std::sync::Mutex<BTreeMap<Mark, T>>;

struct Memory<T> {
    shards: [Shard<T>; SHARDS],
}

static ON: AtomicBool = AtomicBool::new(false);
static SIGNED: Memory<()> = Memory::new();
static AGREED: Memory<[u8; 32]> = Memory::new();

/// Whether verified signatures and secrets agreed on are remembered in this process from now on. At
/// the start they are not; switching off forgets them all.
pub fn remember(on: bool) {
    ON.store(on, Ordering::Relaxed);
    if !on {
        SIGNED.clear();
        AGREED.clear();
    }
}

std::thread_local! {
    static CHECKED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How many signatures this thread was asked to check since it began, remembered or not.
pub fn checked() -> u64 {
    CHECKED.get()
}

/// How many signatures are remembered, and how many secrets.
pub fn remembered() -> (usize, usize) {
    (SIGNED.len(), AGREED.len())
}

/// The verdict of `check`, unless it is known that it would be good.
pub(crate) fn or_check(
    (key, context): (&PublicKey, Context),
    bytes: &[u8],
    signature: &Signature,
    check: impl FnOnce() -> Result<(), BadSignature>,
) -> Result<(), BadSignature> {
    CHECKED.set(CHECKED.get().wrapping_add(1));
    if !ON.load(Ordering::Relaxed) {
        return check();
    }
    let mark = signed((key, context), bytes, signature);
    if SIGNED.get(&mark).is_some() {
        return Ok(());
    }
    check()?;
    SIGNED.add(mark, ());
    Ok(())
}

/// Something was signed in this process: its check would be good.
pub(crate) fn has_signed(of: (&PublicKey, Context), bytes: &[u8], signature: &Signature) {
    if ON.load(Ordering::Relaxed) {
        SIGNED.add(signed(of, bytes, signature), ());
    }
}

/// The key pair that `derive` gives for a seed, unless it is known already.
pub(crate) fn or_derive(
    seed: &[u8; 32],
    derive: impl FnOnce() -> ([u8; 32], [u8; 32]),
) -> ([u8; 32], [u8; 32]) {
    if !ON.load(Ordering::Relaxed) {
        return derive();
    }
    let of = |half: &[u8]| {
        Mark::from(*blake3::keyed_hash(DERIVED_KEY, &[seed, half].concat()).as_bytes())
    };
    let marks = (of(b"secret"), of(b"public"));
    if let (Some(secret), Some(public)) = (AGREED.get(&marks.0), AGREED.get(&marks.1)) {
        return (secret, public);
    }
    let (secret, public) = derive();
    AGREED.add(marks.0, secret);
    AGREED.add(marks.1, public);
    (secret, public)
}

/// What `agree` gives, unless it is known already. Secrets of another length than 32 are not
/// remembered.
pub(crate) fn or_agree<const N: usize>(
    secret: &HpkeSecret,
    enc: &[u8; ENC_LEN],
    label: &str,
    info: &[u8],
    agree: impl FnOnce() -> Result<[u8; N], NotOpened>,
) -> Result<[u8; N], NotOpened> {
    if !ON.load(Ordering::Relaxed) || N != 32 {
        return agree();
    }
    let mark = agreed(secret, enc, label, info);
    if let Some(Ok(known)) = AGREED.get(&mark).map(|known| known[..].try_into()) {
        return Ok(known);
    }
    let new = agree()?;
    if let Ok(new) = new[..].try_into() {
        AGREED.add(mark, new);
    }
    Ok(new)
}

/// What a verdict depends on. The name of a context holds no zero byte, key and signature have one
/// length each.
fn signed((key, context): (&PublicKey, Context), bytes: &[u8], signature: &Signature) -> Mark {
    let mut hasher = blake3::Hasher::new_keyed(SIGNED_KEY);
    hasher.update(context.name().as_bytes());
    hasher.update(&[0]);
    hasher.update(key.as_bytes());
    hasher.update(signature.as_bytes());
    hasher.update(bytes);
    hasher.finalize().into()
}

/// What a secret depends on. Key and encapsulation have one length each.
fn agreed(secret: &HpkeSecret, enc: &[u8; ENC_LEN], label: &str, info: &[u8]) -> Mark {
    let mut hasher = blake3::Hasher::new_keyed(AGREED_KEY);
    hasher.update(&*secret.to_bytes());
    hasher.update(enc);
    hasher.update(&(label.len() as u64).to_be_bytes());
    hasher.update(label.as_bytes());
    hasher.update(info);
    hasher.finalize().into()
}

impl<T: Copy> Memory<T> {
    const fn new() -> Self {
        Self {
            shards: [const { Shard::new(BTreeMap::new()) }; SHARDS],
        }
    }

    fn clear(&self) {
        for shard in &self.shards {
            with(shard, BTreeMap::clear);
        }
    }

    fn shard(&self, mark: &Mark) -> &Shard<T> {
        let [first, ..] = mark;
        &self.shards[usize::from(*first) % SHARDS]
    }

    fn get(&self, mark: &Mark) -> Option<T> {
        with(self.shard(mark), |known| known.get(mark).copied())
    }

    fn add(&self, mark: Mark, what: T) {
        with(self.shard(&mark), |known| {
            if known.len() >= MAX_REMEMBERED / SHARDS {
                known.clear();
            }
            known.insert(mark, what);
        });
    }

    fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| with(shard, |known| known.len())).sum()
    }
}

/// A map is whole whatever happened to whoever held the lock: nothing panics in between.
fn with<T, R>(shard: &Shard<T>, work: impl FnOnce(&mut BTreeMap<Mark, T>) -> R) -> R {
    work(&mut shard.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::{MAX_REMEMBERED, Memory, SHARDS, agreed, signed};
    use crate::names::PublicKey;
    use crate::seal::hpke::HpkeSecret;
    use crate::sign::{Context, Signature};

    #[test]
    fn a_mark_depends_on_everything() {
        let of = |key, context, bytes: &[u8], signature| {
            let key = PublicKey::from_bytes([key; 32]);
            signed(
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
    fn a_mark_of_a_secret_depends_on_everything() {
        let of = |secret, enc, label, info: &[u8]| {
            agreed(
                &HpkeSecret::from_bytes([secret; 32]),
                &[enc; 32],
                label,
                info,
            )
        };
        let marks = [
            of(1, 1, "a", b"bc"),
            of(1, 1, "ab", b"c"),
            of(1, 1, "a", b"c"),
            of(1, 2, "a", b"bc"),
            of(2, 1, "a", b"bc"),
        ];
        let different: std::collections::BTreeSet<_> = marks.iter().collect();
        assert_eq!(different.len(), marks.len());
        assert_eq!(marks[0], of(1, 1, "a", b"bc"));
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
            memory.add(mark(number), number);
        }
        assert_eq!(memory.len(), most);
        assert_eq!(memory.get(&mark(7)), Some(7));
        memory.add([63; 32], 0);
        memory.add(mark(most), most);
        assert_eq!(memory.len(), 2, "the other parts are left alone");
        assert_eq!(memory.get(&mark(most)), Some(most));
        assert_eq!(memory.get(&mark(7)), None);
        memory.clear();
        assert_eq!(memory.len(), 0);
    }
}
