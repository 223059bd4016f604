//! What two devices of one person say to one another, sealed inside [`Frame::Pair`](crate::Frame::Pair).
//!
//! Each topic goes through the same steps: an offer by the device that takes part in it, the key with
//! which the other one would, the act that seats that key, signed by both, and, once the act is
//! published, what the person may read there.

use identity::{EnvelopeId, GrantId, PublicKey, TopicId};

use crate::act::Act;
use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::epoch::NextEpoch;
use crate::genesis::Genesis;
use crate::item::Item;
use crate::limits::{
    MAX_ADDRESSES, MAX_CONTROL_BODY, MAX_GENESIS, MAX_NAME, MAX_PAIR_ACCESS, MAX_PAIR_EPOCHS,
    MAX_PAIR_PLAIN, MAX_SEALED_ITEM,
};
use crate::plain::CoreList;

/// A topic that the sender takes part in, offered to another device of the same person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PairOffer {
    /// The topic.
    pub genesis: Genesis,
    /// What the sender calls it.
    pub name: String,
    /// Under which grant the person takes part.
    pub grant: GrantId,
    /// Where the topic can be found, at most 4.
    pub cores: CoreList,
}

/// What a device holds of the secret of an epoch.
#[derive(Clone, PartialEq, Eq)]
pub struct PairEpoch {
    /// What announced it; nothing for the epoch of the genesis.
    pub item: Option<NextEpoch>,
    /// The generation of the envelope that announced it; 0 for that of the genesis.
    pub generation: u64,
    /// The access, as `rights::Access` has it. Secret.
    pub access: Vec<u8>,
}

impl core::fmt::Debug for PairEpoch {
    /// Without the access.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PairEpoch")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// Why an offer is not taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PairPass {
    /// The device takes part by the same member already: nothing is to be done.
    Has = 0,
    /// It takes part as another member, has left, holds the topic for others, or cannot take it.
    No = 1,
}

/// One message between two devices of a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PairMessage {
    /// 0: the first of each side.
    Hello {
        /// The sender's name.
        name: String,
        /// Where it can be reached, at most 8.
        addresses: Vec<String>,
    },
    /// 1: a topic.
    Offer(Box<PairOffer>),
    /// 2: it is wanted.
    Take {
        /// Which.
        topic: TopicId,
        /// The sender's device key in it.
        device: PublicKey,
    },
    /// 3: it is not.
    Pass {
        /// Which.
        topic: TopicId,
        /// Why.
        why: PairPass,
    },
    /// 4: the act that would seat the device, signed by the sender as one of the form before.
    Propose {
        /// Where.
        topic: TopicId,
        /// What.
        act: Box<Act>,
    },
    /// 5: the same, signed by the new device too.
    Consent {
        /// Where.
        topic: TopicId,
        /// What.
        act: Box<Act>,
    },
    /// 6: the act is published. May come several times, with further epochs.
    Given {
        /// Where.
        topic: TopicId,
        /// The envelope that carries the act.
        at: EnvelopeId,
        /// The device that published it.
        by: PublicKey,
        /// What the person may read, the newest first, at most [`MAX_PAIR_EPOCHS`].
        epochs: Vec<PairEpoch>,
    },
    /// 7: the sender has offered all that it has to offer for now.
    Done,
}

impl PairMessage {
    /// The plaintext.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.array(2);
        match self {
            Self::Hello { name, addresses } => {
                w.uint(0_u8).map(1 + Writer::present(addresses));
                w.key(0).text(name).list(1, addresses, |w, uri| {
                    w.text(uri);
                });
            }
            Self::Offer(offer) => {
                w.uint(1_u8).map(4).key(0).bytes(&offer.genesis.encode());
                w.key(1).text(&offer.name);
                w.key(2).bytes(offer.grant.as_bytes());
                w.key(3).bytes(&offer.cores.encode());
            }
            Self::Take { topic, device } => {
                w.uint(2_u8).map(2).key(0).bytes(topic.as_bytes());
                w.key(1).bytes(device.as_bytes());
            }
            Self::Pass { topic, why } => {
                w.uint(3_u8).map(2).key(0).bytes(topic.as_bytes());
                w.key(1).uint(*why as u8);
            }
            Self::Propose { topic, act } => write_act(&mut w, 4, topic, act),
            Self::Consent { topic, act } => write_act(&mut w, 5, topic, act),
            Self::Given {
                topic,
                at,
                by,
                epochs,
            } => {
                w.uint(6_u8).map(3 + Writer::present(epochs));
                w.key(0).bytes(topic.as_bytes());
                w.key(1).bytes(at.as_bytes()).key(2).bytes(by.as_bytes());
                w.list(3, epochs, |w, epoch| epoch.write(w));
            }
            Self::Done => {
                w.uint(7_u8).map(0);
            }
        }
        w.into_bytes()
    }

    /// Reads the plaintext. Signatures in it are not checked.
    pub fn decode(plain: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(plain, MAX_PAIR_PLAIN)?;
        let r = &mut reader;
        r.tuple(2, "message")?;
        let kind = r.at_most(7, "a message of unknown type")?;
        let mut f = r.fields("fields of a message")?;
        let message = match kind {
            0 => {
                f.need(r, 0, "name")?;
                let name = r.shown(MAX_NAME, "name")?;
                let addresses = f.list(r, 1, MAX_ADDRESSES, "addresses", |r| r.uri("address"))?;
                Self::Hello { name, addresses }
            }
            1 => Self::Offer(Box::new(PairOffer::read(r, &mut f)?)),
            2 => {
                let topic = read_topic(r, &mut f)?;
                f.need(r, 1, "device")?;
                let device = PublicKey::from_bytes(r.array("device")?);
                Self::Take { topic, device }
            }
            3 => {
                let topic = read_topic(r, &mut f)?;
                f.need(r, 1, "reason")?;
                let why = match r.at_most(1, "reason")? {
                    0 => PairPass::Has,
                    _ => PairPass::No,
                };
                Self::Pass { topic, why }
            }
            4 | 5 => {
                let topic = read_topic(r, &mut f)?;
                f.need(r, 1, "act")?;
                let act = read_act(r)?;
                if kind == 4 {
                    Self::Propose { topic, act }
                } else {
                    Self::Consent { topic, act }
                }
            }
            6 => {
                let topic = read_topic(r, &mut f)?;
                f.need(r, 1, "envelope")?;
                let at = EnvelopeId::from_bytes(r.array("envelope")?);
                f.need(r, 2, "device")?;
                let by = PublicKey::from_bytes(r.array("device")?);
                let epochs = f.list(r, 3, MAX_PAIR_EPOCHS, "epochs", PairEpoch::read)?;
                Self::Given {
                    topic,
                    at,
                    by,
                    epochs,
                }
            }
            _ => Self::Done,
        };
        f.end(r)?;
        Ok(message)
    }
}

impl PairOffer {
    fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "genesis")?;
        let genesis = Genesis::decode(r.bytes(MAX_GENESIS, "genesis")?)?;
        f.need(r, 1, "name")?;
        let name = r.shown(MAX_NAME, "name")?;
        f.need(r, 2, "grant")?;
        let grant = GrantId::from_bytes(r.array("grant")?);
        f.need(r, 3, "cores")?;
        let cores = CoreList::decode(r.bytes(MAX_SEALED_ITEM, "cores")?)?;
        Ok(Self {
            genesis,
            name,
            grant,
            cores,
        })
    }
}

impl PairEpoch {
    fn write(&self, w: &mut Writer) {
        w.map(2 + usize::from(self.item.is_some()));
        if let Some(item) = &self.item {
            w.key(0).bytes(&Item::Epoch(item.clone()).encode());
        }
        w.key(1).uint(self.generation).key(2).bytes(&self.access);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut f = r.fields("epoch")?;
        let item = if f.maybe(r, 0)? {
            let wrong = r.wrong("epoch");
            match Item::decode(r.bytes(MAX_CONTROL_BODY, "epoch")?)? {
                Item::Epoch(item) => Some(item),
                _ => return Err(wrong),
            }
        } else {
            None
        };
        f.need(r, 1, "generation")?;
        let generation = r.u64("generation")?;
        f.need(r, 2, "access")?;
        let access = r.bytes(MAX_PAIR_ACCESS, "access")?.to_vec();
        f.end(r)?;
        Ok(Self {
            item,
            generation,
            access,
        })
    }
}

fn write_act(w: &mut Writer, kind: u8, topic: &TopicId, act: &Act) {
    w.uint(kind).map(2).key(0).bytes(topic.as_bytes());
    w.key(1).bytes(&Item::Act(act.clone()).encode());
}

fn read_act(r: &mut Reader<'_>) -> Result<Box<Act>, Malformed> {
    let wrong = r.wrong("act");
    match Item::decode(r.bytes(MAX_CONTROL_BODY, "act")?)? {
        Item::Act(act) => Ok(Box::new(act)),
        _ => Err(wrong),
    }
}

fn read_topic(r: &mut Reader<'_>, f: &mut Fields) -> Result<TopicId, Malformed> {
    f.need(r, 0, "topic")?;
    Ok(TopicId::from_bytes(r.array("topic")?))
}
