//! Secrets of epochs, sealed to those who are entitled to them.
//!
//! ```text
//! box    hpke to a topic sealing key, name "box", fields topic id ‖ epoch id, associated data the
//!        sealing key; plaintext an access
//! keys   hpke to a topic sealing key, name "keys", field topic id, associated data the sealing key;
//!        plaintext n u8 ‖ n × (epoch id 32 ‖ length u16 ‖ access)
//! hint   kdf("hint", sealing key)[0..8]: names the key without saying whose it is
//! hints  kdf("hints", the hints of an epoch's devices, ascending, one for each device): so that nobody
//!        is left out unseen
//! older  aead(kdf("prev", M ‖ id of the older epoch), "", its M): a new member recognises, under the
//!        new epoch, those who have not heard of it
//! ```
//!
//! A box is judged by what is in it: the secret is compared with the keys that the epoch announced
//! ([`KeyRing::unlock`](crate::KeyRing::unlock)). Whoever announced an epoch with a false box shows it by
//! its own signature, and the right secret comes from any other reader.

use identity::seal::hpke::{BadKey, HpkeSecret, open as hpke_open, seal as hpke_seal};
use identity::seal::{NotOpened, aead_open, aead_seal, kdf};
use identity::{EpochId, SealingKey, TopicId};
use machine::Rng;
use wire::SealedTo;
use zeroize::Zeroizing;

use crate::access::Access;
use crate::epoch::MeetingSecret;
use crate::limits::{MAX_KEYS, MAX_KEYS_PLAIN};
use crate::unicast::key_hint;

/// Seals an access to an epoch to one entitled device, or to a core node.
///
/// # Errors
/// [`BadKey`] when the key is of small order: nothing can be sealed to it.
pub fn seal_box(
    (topic, epoch): (TopicId, EpochId),
    to: &SealingKey,
    access: &Access,
    rng: &mut Rng,
) -> Result<SealedTo, BadKey> {
    let fields = [topic.as_bytes().as_slice(), epoch.as_bytes()];
    seal_to(("box", &fields), to, &access.to_bytes(), rng)
}

/// Opens the box that is sealed to this key. Whether the access fits its epoch is for the ring to say.
///
/// # Errors
/// [`NotOpened`] when it is sealed to another key, for another epoch or topic, or holds no access.
pub fn open_box(
    (topic, epoch): (TopicId, EpochId),
    secret: &HpkeSecret,
    sealed: &SealedTo,
) -> Result<Access, NotOpened> {
    let fields = [topic.as_bytes().as_slice(), epoch.as_bytes()];
    let plain = open_from(("box", &fields), secret, sealed)?;
    Access::from_bytes(&plain).map_err(|_| NotOpened)
}

/// Seals accesses to several epochs to one device that asked for them: as many of the first ones as
/// [`MAX_KEYS`] and [`MAX_KEYS_PLAIN`] let in. Says how many.
///
/// # Errors
/// [`BadKey`] when the key is of small order.
pub fn seal_keys(
    topic: TopicId,
    to: &SealingKey,
    keys: &[(EpochId, Access)],
    rng: &mut Rng,
) -> Result<(SealedTo, usize), BadKey> {
    // All of it at once: what outgrows its place leaves a copy behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(MAX_KEYS_PLAIN));
    plain.push(0);
    let mut count = 0u8;
    for (epoch, access) in keys.iter().take(MAX_KEYS) {
        let access = access.to_bytes();
        let Ok(length) = u16::try_from(access.len()) else {
            break;
        };
        if plain.len() + 34 + access.len() > MAX_KEYS_PLAIN {
            break;
        }
        plain.extend_from_slice(epoch.as_bytes());
        plain.extend_from_slice(&length.to_be_bytes());
        plain.extend_from_slice(&access);
        count += 1;
    }
    if let Some(first) = plain.first_mut() {
        *first = count;
    }
    let sealed = seal_to(("keys", &[topic.as_bytes().as_slice()]), to, &plain, rng)?;
    Ok((sealed, usize::from(count)))
}

/// Opens what [`seal_keys`] made. Whether an access fits its epoch is for the ring to say.
///
/// # Errors
/// [`NotOpened`] when it is sealed to another key or for another topic, or is not of that form.
pub fn open_keys(
    topic: TopicId,
    secret: &HpkeSecret,
    sealed: &SealedTo,
) -> Result<Vec<(EpochId, Access)>, NotOpened> {
    let plain = open_from(("keys", &[topic.as_bytes().as_slice()]), secret, sealed)?;
    read_keys(&plain).ok_or(NotOpened)
}

fn read_keys(plain: &[u8]) -> Option<Vec<(EpochId, Access)>> {
    let (count, mut rest) = plain.split_first()?;
    if usize::from(*count) > MAX_KEYS {
        return None;
    }
    let mut keys = Vec::new();
    for _ in 0..*count {
        let (epoch, after) = rest.split_first_chunk::<32>()?;
        let (length, after) = after.split_first_chunk::<2>()?;
        let (access, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        rest = after;
        let access = Access::from_bytes(access).ok()?;
        keys.push((EpochId::from_bytes(*epoch), access));
    }
    rest.is_empty().then_some(keys)
}

/// What an epoch's announcement says about whom it is sealed to: the hash of the hints, one for each
/// device.
#[must_use]
pub fn hints_hash<'a>(devices: impl IntoIterator<Item = &'a SealingKey>) -> [u8; 32] {
    hash_of_hints(devices.into_iter().map(key_hint).collect())
}

/// The same of hints. One that stands for two devices counts twice: keys with equal hints can be made,
/// and nobody is left out by them.
pub(crate) fn hash_of_hints(mut hints: Vec<[u8; 8]>) -> [u8; 32] {
    hints.sort_unstable();
    kdf("hints", &[hints.as_flattened()])
}

/// Seals the meeting secret of an older epoch under that of the one that follows it.
#[must_use]
pub fn seal_older(newer: &MeetingSecret, epoch: EpochId, older: &MeetingSecret) -> Vec<u8> {
    // The pair of M and the older epoch's id seals one plaintext, ever: that epoch's M.
    let key = Zeroizing::new(kdf("prev", &[newer.as_bytes(), epoch.as_bytes()]));
    aead_seal(&key, b"", older.as_bytes())
}

/// Opens what [`seal_older`] made.
///
/// # Errors
/// [`NotOpened`] when it was sealed under another secret, or for another epoch.
pub fn open_older(
    newer: &MeetingSecret,
    epoch: EpochId,
    sealed: &[u8],
) -> Result<MeetingSecret, NotOpened> {
    let key = Zeroizing::new(kdf("prev", &[newer.as_bytes(), epoch.as_bytes()]));
    let older = Zeroizing::new(aead_open(&key, b"", sealed)?);
    let older = older.as_slice().try_into().map_err(|_| NotOpened)?;
    Ok(MeetingSecret::from_bytes(older))
}

fn seal_to(
    (name, fields): (&str, &[&[u8]]),
    to: &SealingKey,
    plain: &[u8],
    rng: &mut Rng,
) -> Result<SealedTo, BadKey> {
    // A generator whose state was restored (a machine set back while it runs) still gives another
    // encapsulation for another key or plaintext.
    let fresh = Zeroizing::new(rng.array::<32>());
    let seed = Zeroizing::new(kdf("box seed", &[&*fresh, to.as_bytes(), plain]));
    let mut own = Rng::from_seed(*seed);
    let (enc, sealed) = hpke_seal(to, name, fields, to.as_bytes(), plain, &mut own)?;
    Ok(SealedTo {
        hint: key_hint(to),
        enc,
        sealed,
    })
}

fn open_from(
    (name, fields): (&str, &[&[u8]]),
    secret: &HpkeSecret,
    sealed: &SealedTo,
) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let public = secret.public();
    if sealed.hint != key_hint(&public) {
        return Err(NotOpened);
    }
    let aad = public.as_bytes();
    hpke_open(secret, name, fields, &sealed.enc, aad, &sealed.sealed).map(Zeroizing::new)
}
