//! Answers to claims: who welcomes somebody hands over what the grant that it gives opens.
//!
//! ```text
//! answer     enc 32 ‖ ct     hpke to the sealing key that the claim names, name "welcome",
//!                            fields topic id ‖ kdf("claim", claim item), associated data the
//! sealing key plaintext  grant 32 ‖ signature 64 ‖ n u8 ‖ n × (epoch id 32 ‖ length u16 ‖ access)
//! ‖ zeros                            2,000 bytes; the signature is the welcoming device's, context
//!                            "waystation/welcome/v1", over topic id ‖ kdf("claim", …) ‖ grant ‖
//!                            kdf("welcome keys", n and what follows it, without the zeros)
//! ```
//!
//! So only the claimer reads it, for this claim alone, and its length says nothing. Who keeps the
//! claim knows the key that is sealed to, and could seal something else to it: the claimer finds
//! out in the topic who gave the grant, takes the keys if that device has signed them, and compares
//! them with what the topic's epochs announce.

use identity::seal::hpke::{BadKey, HpkeSecret, open as hpke_open, seal as hpke_seal};
use identity::seal::{NotOpened, kdf};
use identity::{
    BadSignature, Context, EpochId, GrantId, PublicKey, SealingKey, SecretKey, Signature, TopicId,
};
use machine::Rng;
use wire::limits::BOX_LEN;
use zeroize::Zeroizing;

use crate::access::Access;

/// Bytes of an answer's plaintext: what is left of the box beside an encapsulated key and a tag.
const PLAIN_LEN: usize = BOX_LEN - 32 - 16;
/// Bytes of it beside what is handed over.
const HEAD_LEN: usize = 32 + 64 + 1;

/// What an answer says.
#[derive(Clone, Debug)]
pub struct Welcomed {
    /// The grant that welcomes.
    pub grant: GrantId,
    /// What is handed over, the newest epoch first.
    pub keys: Vec<(EpochId, Access)>,
    /// Of the device that welcomes.
    signature: Signature,
}

impl Welcomed {
    /// What a device hands over with a grant to whoever made a claim: accesses to epochs, the first
    /// as many as fit into an answer.
    #[must_use]
    pub fn sign(
        (topic, claim): (TopicId, [u8; 32]),
        device: &SecretKey,
        grant: GrantId,
        mut keys: Vec<(EpochId, Access)>,
    ) -> Self {
        let mut room = PLAIN_LEN - HEAD_LEN;
        let mut fits = 0;
        for (_, access) in &keys {
            let Some(left) = room.checked_sub(34 + access.to_bytes().len()) else {
                break;
            };
            (room, fits) = (left, fits + 1);
        }
        keys.truncate(fits.min(usize::from(u8::MAX)));
        let statement = statement((topic, claim), grant, &keys);
        let signature = device.sign(Context::Welcome, &statement);
        Self {
            grant,
            keys,
            signature,
        }
    }

    /// Whether this device has signed it, for this claim.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(
        &self,
        (topic, claim): (TopicId, [u8; 32]),
        device: &PublicKey,
    ) -> Result<(), BadSignature> {
        let statement = statement((topic, claim), self.grant, &self.keys);
        device.verify(Context::Welcome, &statement, &self.signature)
    }
}

fn statement(
    (topic, claim): (TopicId, [u8; 32]),
    grant: GrantId,
    keys: &[(EpochId, Access)],
) -> Vec<u8> {
    let keys: [u8; 32] = kdf("welcome keys", &[&listed(keys)]);
    [
        topic.as_bytes().as_slice(),
        &claim,
        grant.as_bytes(),
        &keys,
        b"keys",
    ]
    .concat()
}

fn listed(keys: &[(EpochId, Access)]) -> Zeroizing<Vec<u8>> {
    // All of it at once: what outgrows its place leaves a copy behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(PLAIN_LEN));
    plain.push(u8::try_from(keys.len()).unwrap_or(u8::MAX));
    for (epoch, access) in keys {
        let access = access.to_bytes();
        plain.extend_from_slice(epoch.as_bytes());
        // An access is no longer than Access::MAX_BYTES.
        let length = u16::try_from(access.len()).unwrap_or(u16::MAX);
        plain.extend_from_slice(&length.to_be_bytes());
        plain.extend_from_slice(&access);
    }
    plain
}

/// Seals an answer to whoever made a claim. Always [`BOX_LEN`] bytes.
///
/// # Errors
/// [`BadKey`] when nothing can be sealed to the key that the claim names.
pub fn seal_answer(
    (topic, claim): (TopicId, [u8; 32]),
    to: &SealingKey,
    welcomed: &Welcomed,
    rng: &mut Rng,
) -> Result<Vec<u8>, BadKey> {
    let mut plain = Zeroizing::new(Vec::with_capacity(PLAIN_LEN));
    plain.extend_from_slice(welcomed.grant.as_bytes());
    plain.extend_from_slice(welcomed.signature.as_bytes());
    plain.extend_from_slice(&listed(&welcomed.keys));
    plain.resize(PLAIN_LEN, 0);
    let fresh = Zeroizing::new(rng.array::<32>());
    let seed = Zeroizing::new(kdf("box seed", &[&*fresh, to.as_bytes(), &plain]));
    let mut own = Rng::from_seed(*seed);
    let fields = [topic.as_bytes().as_slice(), &claim];
    let (enc, sealed) = hpke_seal(to, "welcome", &fields, to.as_bytes(), &plain, &mut own)?;
    Ok([enc.as_slice(), &sealed].concat())
}

/// Opens what [`seal_answer`] made.
///
/// # Errors
/// [`NotOpened`]: another key, claim or topic, random bytes where there is no answer, or not of
/// that form.
pub fn open_answer(
    (topic, claim): (TopicId, [u8; 32]),
    secret: &HpkeSecret,
    sealed: &[u8],
) -> Result<Welcomed, NotOpened> {
    if sealed.len() != BOX_LEN {
        return Err(NotOpened);
    }
    let (enc, sealed) = sealed.split_first_chunk::<32>().ok_or(NotOpened)?;
    let public = secret.public();
    let fields = [topic.as_bytes().as_slice(), &claim];
    let plain = hpke_open(secret, "welcome", &fields, enc, public.as_bytes(), sealed)
        .map(Zeroizing::new)?;
    read(&plain).ok_or(NotOpened)
}

fn read(plain: &[u8]) -> Option<Welcomed> {
    let (grant, rest) = plain.split_first_chunk::<32>()?;
    let (signature, rest) = rest.split_first_chunk::<64>()?;
    let (count, mut rest) = rest.split_first()?;
    let mut keys = Vec::new();
    for _ in 0..*count {
        let (epoch, after) = rest.split_first_chunk::<32>()?;
        let (length, after) = after.split_first_chunk::<2>()?;
        let (access, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        rest = after;
        keys.push((
            EpochId::from_bytes(*epoch),
            Access::from_bytes(access).ok()?,
        ));
    }
    let grant = GrantId::from_bytes(*grant);
    let padded = rest.iter().all(|byte| *byte == 0);
    let signature = Signature::from_bytes(*signature);
    padded.then_some(Welcomed {
        grant,
        keys,
        signature,
    })
}
