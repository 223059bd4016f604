//! Nodes that lie: what a lying node says instead of what it should.

mod leaked;
mod own;
mod stolen;

use super::host::{Around, Host, right};
use crate::plan::{LieKind, NodePlan};
use identity::{EnvelopeId, SecretKey, Signature, TopicId};
use machine::Rng;
use own::Own;
use std::collections::VecDeque;
use wire::{CutEntry, Frame, Header, Item, Raw, Receipt, ReceiptKind, TopicFrame};

/// What a liar remembers.
#[derive(Debug)]
pub(crate) struct Liar {
    lies: Vec<crate::plan::Lie>,
    /// Frames that it has said, to be said again.
    said: VecDeque<Vec<u8>>,
    /// How often each lie has written something of the node's own.
    written: Vec<u32>,
}

/// Frames that a liar keeps to say them again.
const MAX_SAID: usize = 64;
/// How often a flood repeats one frame.
const FLOOD: usize = 100;

impl Host {
    /// Whether this machine throws away what it is given now.
    pub(super) fn drops(&mut self, around: &Around<'_>) -> bool {
        let lies = self.liar.as_ref().filter(|_| around.net.lies);
        let mut lies = lies.into_iter().flat_map(|liar| &liar.lies);
        let lie = lies.find(|lie| lie.kind == LieKind::Drop).copied();
        lie.is_some_and(|lie| self.rng.below(u64::from(lie.one_in.max(1))) == 0)
    }
}

impl Liar {
    pub(crate) fn new(plan: &NodePlan) -> Option<Box<Self>> {
        (!plan.is_honest()).then(|| {
            Box::new(Self {
                lies: plan.lies.clone(),
                said: VecDeque::new(),
                written: vec![0; plan.lies.len()],
            })
        })
    }

    /// What is said instead of a frame, on which links.
    pub(crate) fn say(
        &mut self,
        host: &mut Host,
        around: &Around<'_>,
        end: u64,
        bytes: Vec<u8>,
    ) -> Vec<(u64, Vec<u8>)> {
        if self.said.len() == MAX_SAID {
            self.said.pop_front();
        }
        self.said.push_back(bytes.clone());
        let mut said = vec![(end, bytes)];
        for at in 0..self.lies.len() {
            let lie = self.lies[at];
            if host.rng.below(u64::from(lie.one_in.max(1))) == 0 {
                said = self.lie(host, around, (at, lie.kind), said);
            }
        }
        said
    }

    fn lie(
        &mut self,
        host: &mut Host,
        around: &Around<'_>,
        (at, kind): (usize, LieKind),
        mut said: Vec<(u64, Vec<u8>)>,
    ) -> Vec<(u64, Vec<u8>)> {
        let Some((end, bytes)) = said.first().cloned() else {
            return said;
        };
        match kind {
            // It is no frame that it lies about.
            LieKind::Drop => {}
            LieKind::Silent => said.clear(),
            LieKind::Withhold if has_blocks(&bytes) => said.clear(),
            LieKind::Garble => {
                let garbled = garble(&bytes, &mut host.rng);
                said[0].1 = garbled;
            }
            LieKind::Flood => said.extend(std::iter::repeat_n((end, bytes), FLOOD)),
            LieKind::Replay => {
                let ends = host.ends.up();
                let pick = |rng: &mut Rng, len: usize| rng.below(len as u64) as usize;
                let (to, what) = (
                    pick(&mut host.rng, ends.len()),
                    pick(&mut host.rng, self.said.len()),
                );
                if let (Some(end), Some(bytes)) = (ends.get(to), self.said.get(what)) {
                    said.push((*end, bytes.clone()));
                }
            }
            LieKind::BadSignature | LieKind::Withhold | LieKind::PoisonedId => {
                if let Some(changed) = change(kind, &bytes, &mut host.rng) {
                    said[0].1 = changed;
                }
            }
            LieKind::Fork | LieKind::FalseReceipt | LieKind::Outsider => {
                said.extend(invent(kind, host, around, &bytes).map(|bytes| (end, bytes)));
            }
            LieKind::StolenKey
            | LieKind::ForkFirst
            | LieKind::InventedDep
            | LieKind::LeakedLink => {
                if self.written[at] < self.lies[at].most
                    && let Some(bytes) = write(kind, host, around, &bytes)
                {
                    self.written[at] += 1;
                    said.push((end, bytes));
                }
            }
        }
        said
    }
}

/// Envelopes of its own, in a topic of which it says something anyhow.
fn write(kind: LieKind, host: &mut Host, around: &Around<'_>, prompt: &[u8]) -> Option<Vec<u8>> {
    let (_, topic) = crate::check::carriage::about(prompt)?;
    let own = Own::read(host, topic)?;
    let envelopes = match kind {
        LieKind::StolenKey => stolen::write(&own, host, around)?,
        LieKind::ForkFirst => own.second_first(&mut host.rng)?,
        LieKind::InventedDep => vec![own.names_nothing(&mut host.rng)?],
        LieKind::LeakedLink => leaked::write(&own, host, around)?,
        _ => return None,
    };
    let last = false;
    let frame = TopicFrame::Envelopes { envelopes, last };
    Some(Frame::Topic { topic, frame }.encode())
}

fn garble(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = usize::try_from(rng.below(bytes.len() as u64)).unwrap_or(0);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << rng.below(8);
    }
    bytes
}

/// A frame about a topic, changed where the lie lies.
fn change(kind: LieKind, bytes: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let Ok(Frame::Topic { topic, mut frame }) = Frame::decode(bytes) else {
        return None;
    };
    match (&mut frame, kind) {
        (TopicFrame::Envelopes { envelopes, .. }, LieKind::BadSignature) => {
            for raw in envelopes {
                raw.proof = spoil(raw.proof, rng);
            }
        }
        (TopicFrame::Receipts { receipts }, LieKind::BadSignature) => {
            for raw in receipts {
                raw.signature = spoil(raw.signature, rng);
            }
        }
        (TopicFrame::Differences { receipts }, LieKind::BadSignature) => {
            for difference in receipts {
                difference.signature = spoil(difference.signature, rng);
            }
        }
        (TopicFrame::Envelopes { envelopes, .. }, LieKind::Withhold) => {
            for raw in envelopes {
                raw.body = None;
            }
        }
        (TopicFrame::Bodies { bodies }, LieKind::Withhold) => {
            for (_, body) in bodies {
                *body = None;
            }
        }
        (TopicFrame::Envelopes { envelopes, .. }, LieKind::PoisonedId) => {
            for raw in envelopes {
                raw.body = raw.body.as_ref().map(|body| garble(body, rng));
            }
        }
        (TopicFrame::Bodies { bodies }, LieKind::PoisonedId) => {
            for (_, body) in bodies {
                *body = body.as_ref().map(|body| garble(body, rng));
            }
        }
        (TopicFrame::Blocks { bytes, .. }, LieKind::PoisonedId) if !bytes.is_empty() => {
            *bytes = garble(bytes, rng);
        }
        _ => return None,
    }
    Some(Frame::Topic { topic, frame }.encode())
}

/// Whether a frame carries blocks of a file.
fn has_blocks(bytes: &[u8]) -> bool {
    let frame = Frame::decode(bytes);
    matches!(
        frame,
        Ok(Frame::Topic {
            frame: TopicFrame::Blocks { .. },
            ..
        })
    )
}

fn spoil(signature: Signature, rng: &mut Rng) -> Signature {
    let mut bytes = signature.to_bytes();
    bytes[(rng.below(64)) as usize] ^= 1 << rng.below(8);
    Signature::from_bytes(bytes)
}

/// A frame of its own invention, prompted by one that carries what it has written.
fn invent(kind: LieKind, host: &mut Host, around: &Around<'_>, prompt: &[u8]) -> Option<Vec<u8>> {
    let Ok(Frame::Topic {
        topic,
        frame: TopicFrame::Envelopes { envelopes, .. },
    }) = Frame::decode(prompt)
    else {
        return None;
    };
    let raw = envelopes.last()?;
    let header = wire::decode_header(&raw.header_bytes).ok()?;
    let frame = match kind {
        LieKind::Fork => {
            let key = author(host, &header)?;
            TopicFrame::Envelopes {
                envelopes: vec![second(header, &key, around)],
                last: false,
            }
        }
        LieKind::FalseReceipt => TopicFrame::Receipts {
            receipts: vec![false_receipt(host, topic, &header, around)?],
        },
        LieKind::Outsider => TopicFrame::Envelopes {
            envelopes: vec![outsider(topic, header, &mut host.rng)],
            last: false,
        },
        _ => return None,
    };
    Some(Frame::Topic { topic, frame }.encode())
}

/// The key with which a node signed a header, from its own disk.
fn author(host: &Host, header: &Header) -> Option<SecretKey> {
    let mut keys = own::keys(host).into_iter();
    keys.find(|key| key.public() == header.author)
}

/// A second envelope with the number of one that exists.
fn second(mut header: Header, key: &SecretKey, around: &Around<'_>) -> Raw {
    let body = format!("a second {} at {}", header.number, around.now.as_micros());
    sign(&mut header, key, body.into_bytes())
}

/// The first envelope of somebody whom nobody has let in, under a grant that is known from the
/// header of somebody else. It comes behind that header, which is all that it names.
fn outsider(topic: TopicId, mut header: Header, rng: &mut Rng) -> Raw {
    let (device, author) = (SecretKey::generate(rng), SecretKey::generate(rng));
    let made_up = SecretKey::generate(rng);
    let sealing = identity::seal::hpke::derive_key_pair(&rng.array()).1;
    let certificate = wire::Certificate::sign(topic, &device, author.public(), 0);
    let (grant, time) = (header.grant, header.created);
    let claim = wire::Claim::sign(topic, &made_up, grant, device.public(), sealing, time);
    header.deps = vec![Header::id_of(&header.encode())];
    header.generation = header.generation.saturating_add(1);
    header.author = author.public();
    header.number = 1;
    header.previous = *topic.as_bytes();
    header.class = wire::Class::Control;
    header.expires = 0;
    header.count = 2;
    let body = wire::encode_items(&[Item::Certificate(certificate), Item::Claim(claim)]);
    sign(&mut header, &author, body)
}

/// Signs what a node's own code would refuse to sign.
pub(super) fn sign(header: &mut Header, key: &SecretKey, body: Vec<u8>) -> Raw {
    header.body_len = u32::try_from(body.len()).unwrap_or(0);
    header.body_hash = identity::seal::hash(&[&body]);
    let header_bytes = header.encode();
    let id = Header::id_of(&header_bytes);
    Raw {
        proof: key.sign(identity::Context::Envelope, id.as_bytes()),
        header_bytes,
        body: Some(body),
    }
}

/// A promise to hold what does not exist.
fn false_receipt(
    host: &Host,
    topic: TopicId,
    header: &Header,
    around: &Around<'_>,
) -> Option<wire::RawStatement> {
    let now = right(around.now).as_millis();
    let receipt = Receipt {
        topic,
        holder: host.config.node_key.public(),
        counter: now << 8,
        kind: ReceiptKind::Held,
        cut: vec![CutEntry {
            author: header.author,
            number: header.number + 1_000,
            id: Header::id_of(&header.encode()),
        }],
        exceptions: Vec::new(),
        until: now + 3_600_000,
        time: now,
        operator: None,
    };
    let signed = wire::sign_receipt(receipt, &host.config.node_key).ok()?;
    Some(signed.get().to_raw())
}

#[cfg(test)]
mod tests {
    use super::outsider;
    use crate::check::fixture::{ADA, BEN, LOCAL, Town};
    use lace::rows;
    use machine::Rng;
    use wire::{Class, Header, Item};

    #[test]
    fn an_outsider_is_signed_as_it_should_be_and_let_in_by_nobody() {
        let mut town = Town::settled();
        let prompt = town.say(ADA, &[]);
        town.give_all(&prompt);
        let header = prompt.get().envelope.header.clone();
        let (mut rng, grant, named) = (Rng::from_seed([3; 32]), header.grant, header.encode());
        let raw = outsider(town.topic, header, &mut rng);
        let checked = wire::check(raw).expect("hashes and signatures are right");
        let verified = checked.get();
        let header = &verified.envelope.header;
        assert_eq!((header.number, header.class), (1, Class::Control));
        assert_eq!(header.grant, grant, "somebody else's");
        assert_eq!(header.deps, [Header::id_of(&named)]);
        let items = verified.items.as_deref().expect("control has items");
        assert!(matches!(items, [Item::Certificate(_), Item::Claim(_)]));
        let authors = |town: &mut Town| {
            town.run(BEN, |_, store| {
                let key = [&LOCAL.to_be_bytes()[..], b"a"].concat();
                store.prefix(rows::LACE, &key, 100).len()
            })
        };
        let before = authors(&mut town);
        town.give(BEN, &checked);
        assert_eq!(authors(&mut town), before, "nobody has let it in");
    }
}
