//! Identifying: how members find together again who do not hold the same newest epoch, while somebody
//! who was removed from the topic learns nothing.
//!
//! ```text
//! frame    = salt 24 ‖ 4 blocks, sorted                       always 3,608 bytes, question or answer
//! block    = 8 records ‖ aead(k, "", proof)                    one topic; random bytes if there is none
//! record   = tag 16 ‖ aead(kdf("identify", M ‖ topic id ‖ salt ‖ step u8 ‖ role u8 ‖ L), "", k)
//!                                                              one of the last 8 meeting secrets
//! tag      = mac(kdf("old", M), topic id ‖ salt ‖ step u8 ‖ role u8 ‖ L)[0..16]
//! proof    = device key 32 ‖ grant id 32 ‖ signature 64 ‖ length u8 ‖ claim item or nothing ‖ zeros
//! ```
//!
//! The question goes to a peer that is expected to take part in the topic and shares no newest secret.
//! It is always answered, after the same time and with as many bytes: with a proof of one's own under
//! the secret that a record was recognised by, if the device that it names takes part and has lost no
//! right; with random bytes otherwise. Salt, step, role and L make each key its own and end reflection
//! and replay. The signature (context "waystation/identify/v1", over L ‖ topic id ‖ role u8) says what that of
//! a [`Show`](crate::Show) says. Here it is sealed, and no tag goes out by itself: whoever has been removed
//! since knows old secrets, and could tell by a tag that the topic is there.

use identity::seal::{aead_open, aead_seal, kdf, mac};
use identity::{Context, TopicId};
use machine::Rng;
use std::collections::BTreeMap;
use wire::limits::IDENTIFY_LEN;
use wire::{Frame, IdentifyStep};
use zeroize::Zeroizing;

use crate::epoch::MeetingSecret;
use crate::limits::MAX_MEETING_SECRETS;
use crate::link::{LinkSecret, Role};
use crate::secret::first;
use crate::show::{Proof, Shown, Standing};

/// Topics that one frame asks about, or answers for.
pub const IDENTIFY_TOPICS: usize = 4;

const SALT: usize = 24;
const TAG: usize = 16;
/// The key of a block, and the authenticator of its sealing.
const WRAPPED: usize = 32 + 16;
const RECORD: usize = TAG + WRAPPED;
/// Longest claim item with which a proof fits; [`wire::Claim`]s are shorter.
const CLAIM: usize = 239;
const PROOF: usize = 32 + 32 + 64 + 1 + CLAIM;
const BLOCK: usize = MAX_MEETING_SECRETS * RECORD + PROOF + 16;

const _: () = assert!(SALT + IDENTIFY_TOPICS * BLOCK == IDENTIFY_LEN);

/// A topic in which a device identifies itself, under some of the topic's meeting secrets.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The topic.
    pub topic: TopicId,
    /// The secrets that a peer may recognise it by; of more than [`MAX_MEETING_SECRETS`] the first.
    pub secrets: Vec<MeetingSecret>,
    /// Who takes part.
    pub standing: Standing,
}

/// Who has identified itself, and by which secret it was recognised. The caller's duties are those of
/// [`Shown`].
#[derive(Clone, Debug)]
pub struct Identified {
    /// The statement.
    pub shown: Shown,
    /// The secret: what an answer is sealed under.
    pub under: MeetingSecret,
}

/// The frame by which a device identifies itself in these topics (of more than [`IDENTIFY_TOPICS`] in
/// the first), or in none: nobody who lacks the secrets can tell.
#[must_use]
pub fn identify(link: &LinkSecret, step: IdentifyStep, of: &[Identity], rng: &mut Rng) -> Frame {
    let salt = rng.array::<SALT>();
    let place = Place::new(link, step, link.role(), &salt);
    let mut blocks: Vec<Vec<u8>> = of
        .iter()
        .take(IDENTIFY_TOPICS)
        .filter_map(|identity| block(&place, link, identity, rng))
        .collect();
    blocks.resize_with(IDENTIFY_TOPICS, || rng.array::<BLOCK>().to_vec());
    // In no order that tells anything.
    blocks.sort_unstable();
    Frame::Identify {
        step,
        sealed: [salt.to_vec(), blocks.concat()].concat(),
    }
}

/// Who identified itself in a frame of this step that came over the link, in topics and under secrets
/// of these. At most two signatures are checked for each of the [`IDENTIFY_TOPICS`] blocks, and none
/// for who holds no secret.
#[must_use]
pub fn identified(
    link: &LinkSecret,
    step: IdentifyStep,
    sealed: &[u8],
    known: &[(TopicId, MeetingSecret)],
) -> Vec<Identified> {
    let Some((salt, blocks)) = sealed
        .split_first_chunk::<SALT>()
        .filter(|_| sealed.len() == IDENTIFY_LEN)
    else {
        return Vec::new();
    };
    let place = Place::new(link, step, link.role().other(), salt);
    let expected: BTreeMap<[u8; TAG], &(TopicId, MeetingSecret)> = known
        .iter()
        .map(|entry| (place.tag(&entry.0, &entry.1), entry))
        .collect();
    let found = blocks.chunks_exact(BLOCK).filter_map(|block| {
        let (records, proof) = block.split_at_checked(MAX_MEETING_SECRETS * RECORD)?;
        records.chunks_exact(RECORD).find_map(|record| {
            let (tag, wrapped) = record.split_first_chunk::<TAG>()?;
            let (topic, meeting) = expected.get(tag)?;
            let key = aead_open(&place.key(topic, meeting), b"", wrapped).ok()?;
            let key = Zeroizing::new(<[u8; 32]>::try_from(key.as_slice()).ok()?);
            let proof = aead_open(&key, b"", proof).ok()?;
            // From here on the block is spent, whatever its signature is worth.
            Some((*topic, meeting, proof))
        })
    });
    found
        .filter_map(|(topic, meeting, proof)| {
            let shown = unpad(&proof)?.verify(Context::Identify, link, topic).ok()?;
            Some(Identified {
                shown,
                under: meeting.clone(),
            })
        })
        .collect()
}

/// One topic's records and proof. None if its claim is too long to be one.
fn block(
    place: &Place<'_>,
    link: &LinkSecret,
    identity: &Identity,
    rng: &mut Rng,
) -> Option<Vec<u8>> {
    let proof = pad(&identity
        .standing
        .prove(Context::Identify, link, identity.topic))?;
    let key = Zeroizing::new(rng.array::<32>());
    // Somebody may have announced one secret for two epochs: records that are alike are not random.
    let each: BTreeMap<&[u8; 32], &MeetingSecret> = identity
        .secrets
        .iter()
        .take(MAX_MEETING_SECRETS)
        .map(|meeting| (meeting.as_bytes(), meeting))
        .collect();
    let mut records: Vec<Vec<u8>> = each
        .into_values()
        .map(|meeting| {
            let wrapped = aead_seal(&place.key(&identity.topic, meeting), b"", key.as_slice());
            [
                place.tag(&identity.topic, meeting).as_slice(),
                wrapped.as_slice(),
            ]
            .concat()
        })
        .collect();
    records.resize_with(MAX_MEETING_SECRETS, || rng.array::<RECORD>().to_vec());
    records.sort_unstable();
    records.push(aead_seal(&key, b"", &proof));
    Some(records.concat())
}

/// The proof's bytes, the claim's length said and the rest filled with zeros.
fn pad(proof: &[u8]) -> Option<Vec<u8>> {
    let (fixed, claim) = proof.split_at_checked(PROOF - 1 - CLAIM)?;
    let length = u8::try_from(claim.len()).ok()?;
    let mut padded = [fixed, &[length], claim].concat();
    let fits = padded.len() <= PROOF;
    padded.resize(PROOF, 0);
    fits.then_some(padded)
}

fn unpad(padded: &[u8]) -> Option<Proof> {
    let (fixed, rest) = padded.split_at_checked(PROOF - 1 - CLAIM)?;
    let (length, rest) = rest.split_first()?;
    let claim = rest.get(..usize::from(*length))?;
    Proof::read(&[fixed, claim].concat())
}

/// Where a frame stands: what every key and tag in it is bound to.
struct Place<'a> {
    salt: &'a [u8; SALT],
    step: IdentifyStep,
    role: Role,
    link: &'a LinkSecret,
}

impl<'a> Place<'a> {
    const fn new(
        link: &'a LinkSecret,
        step: IdentifyStep,
        role: Role,
        salt: &'a [u8; SALT],
    ) -> Self {
        Self {
            salt,
            step,
            role,
            link,
        }
    }

    fn tag(&self, topic: &TopicId, meeting: &MeetingSecret) -> [u8; TAG] {
        let key = Zeroizing::new(kdf("old", &[meeting.as_bytes()]));
        let step = [self.step.byte(), self.role.byte()];
        first(&mac(
            &key,
            &[topic.as_bytes(), self.salt, &step, self.link.bytes()],
        ))
    }

    fn key(&self, topic: &TopicId, meeting: &MeetingSecret) -> Zeroizing<[u8; 32]> {
        let step = [self.step.byte(), self.role.byte()];
        Zeroizing::new(kdf(
            "identify",
            &[
                meeting.as_bytes(),
                topic.as_bytes(),
                self.salt,
                &step,
                self.link.bytes(),
            ],
        ))
    }
}
