//! Outsiders who flood a node: what they say on each link, and what it may cost whom they dial.

use super::host::Around;
use identity::{GrantId, SealingKey, SecretKey, Signature, TopicId};
use machine::Rng;
use wire::{Certificate, Claim, Class, Frame, Header, IdentifyStep, Item, Raw, TopicFrame};

/// Longest frame that is nothing but random bytes.
const MAX_NOISE: u64 = 4_096;
/// Tags of one frame.
const TAGS: usize = 16;

/// What has come over a link of somebody who raids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Signatures that were checked for it so far.
    pub(crate) checked: u64,
    /// Bytes that were staged by the last turn.
    pub(crate) staged: u64,
}

impl Cost {
    /// What is beyond one check for each link, and nothing stored, in words.
    pub(crate) fn is_too_high(&self) -> Option<String> {
        let Self { checked, staged } = *self;
        (checked > 1 || staged > 0).then(|| {
            format!("an outsider's link cost {checked} signature checks, and stores {staged} bytes")
        })
    }
}

/// How every conversation begins.
pub(super) fn hello(around: &Around<'_>) -> Vec<u8> {
    let hello = Frame::Hello {
        min: 0,
        max: 0,
        wall: around.wall().as_millis(),
        advert: 1,
        software: "way-sim".to_owned(),
    };
    hello.encode()
}

/// Something that means nothing, or that was made up; about a topic of the world, where it names one.
pub(super) fn junk(rng: &mut Rng, around: &Around<'_>) -> Vec<u8> {
    let topics = around.plan.topics.len() as u64;
    let known = u32::try_from(rng.below(topics.max(1))).unwrap_or(0);
    let known = (topics > 0).then(|| around.facts.topic(known, |topic| topic.id));
    let topic = known.flatten().filter(|_| rng.below(2) == 0);
    let topic = topic.unwrap_or_else(|| TopicId::from_bytes(rng.array()));
    let frame = match rng.below(9) {
        0 => {
            let mut noise = vec![0; usize::try_from(1 + rng.below(MAX_NOISE)).unwrap_or(1)];
            rng.fill(&mut noise);
            return noise;
        }
        1 => Frame::Tags {
            round: u32::try_from(rng.below(3)).unwrap_or(0),
            tags: sorted(rng),
        },
        2 => Frame::Show {
            tag: rng.array(),
            device: SecretKey::generate(rng).public(),
            grant: GrantId::from_bytes(rng.array()),
            claim: Some(claim(rng, topic)),
            signature: signature(rng),
        },
        3 => Frame::Topic {
            topic,
            frame: TopicFrame::Envelopes {
                envelopes: vec![envelope(rng, topic)],
                last: false,
            },
        },
        4 => Frame::ClaimPut {
            loc: rng.array(),
            claim: claim(rng, topic),
        },
        5 => Frame::Identify {
            step: IdentifyStep::Question,
            sealed: rng.array::<{ wire::limits::IDENTIFY_LEN }>().to_vec(),
        },
        6 => Frame::CoreClaim {
            token: rng.array(),
            mac: rng.array(),
        },
        7 => Frame::Mail(envelope(rng, topic)),
        _ => Frame::InviteGet { loc: rng.array() },
    };
    frame.encode()
}

fn sorted(rng: &mut Rng) -> Vec<[u8; 16]> {
    let mut tags: Vec<[u8; 16]> = (0..TAGS).map(|_| rng.array()).collect();
    tags.sort_unstable();
    tags
}

fn signature(rng: &mut Rng) -> Signature {
    Signature::from_bytes(rng.array())
}

/// A claim of an invite that is made up, rightly signed.
fn claim(rng: &mut Rng, topic: TopicId) -> Claim {
    let (invite, device) = (SecretKey::generate(rng), SecretKey::generate(rng));
    let grant = GrantId::from_bytes(rng.array());
    let sealing = SealingKey::from_bytes(rng.array());
    Claim::sign(topic, &invite, grant, device.public(), sealing, 0)
}

/// The first envelope of somebody whom nobody knows, rightly signed.
fn envelope(rng: &mut Rng, topic: TopicId) -> Raw {
    let (device, author) = (SecretKey::generate(rng), SecretKey::generate(rng));
    let certificate = Certificate::sign(topic, &device, author.public(), 0);
    let items = [
        Item::Certificate(certificate),
        Item::Claim(claim(rng, topic)),
    ];
    let mut header = Header {
        destination: topic.to_id(),
        author: author.public(),
        number: 1,
        previous: *topic.as_bytes(),
        generation: 1,
        created: crate::plan::START_MS,
        expires: 0,
        body_len: 0,
        body_hash: [0; 32],
        count: 2,
        class: Class::Control,
        grant: GrantId::from_bytes(rng.array()),
        hops: 8,
        deps: Vec::new(),
        manifest: None,
        clock_unconfirmed: false,
        extensions: wire::Extensions::new(),
    };
    super::lies::sign(&mut header, &author, wire::encode_items(&items))
}

#[cfg(test)]
mod tests {
    use super::Cost;
    use identity::{Context, SecretKey};

    #[test]
    fn checks_are_counted_whether_they_hold_or_not() {
        let (key, other) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
        let signature = key.sign(Context::Show, b"here");
        let before = identity::checked();
        assert!(
            key.public()
                .verify(Context::Show, b"here", &signature)
                .is_ok()
        );
        assert!(
            other
                .public()
                .verify(Context::Show, b"here", &signature)
                .is_err()
        );
        assert_eq!(identity::checked(), before + 2);
    }

    #[test]
    fn one_check_is_what_an_outsiders_link_may_cost() {
        let cost = |checked, staged| Cost { checked, staged };
        assert_eq!(cost(1, 0).is_too_high(), None);
        assert!(cost(2, 0).is_too_high().is_some());
        assert!(cost(0, 1).is_too_high().is_some());
    }
}
