//! What the node has checked on other threads, or inline: pure functions of bytes.

use crate::receipts::kind_of;
use identity::{EnvelopeId, PublicKey, Signature, TopicId};
use wire::cbor::{Reader, Writer};
use wire::{
    Answer, Checked, CheckedBody, Claim, Envelope, Evidence, Item, Malformed, Raw, RawHeader,
    RawStatement, Refused, SignedReceipt, Slot, TopicBox, Verified,
};

/// Something to check. It holds all that is needed, so [`Job::run`] may run anywhere.
#[derive(Debug)]
pub struct Job {
    pub(crate) work: Work,
    pub(crate) bytes: usize,
    pub(crate) last: bool,
}

#[derive(Debug)]
pub(crate) enum Work {
    Envelopes(Vec<Raw>),
    Bodies(Vec<(Envelope, Vec<u8>)>),
    Receipts(Vec<RawStatement>),
    /// Receipts that were rebuilt of differences, and which they are.
    Rebuilt(Vec<(Slot, RawStatement)>),
    Evidence(Vec<(RawHeader, RawHeader)>),
    /// A box, and its topic.
    Box(TopicId, Box<TopicBox>),
    /// A claim, and its topic.
    Claim(TopicId, Box<Claim>),
    /// An answer to a claim, and its topic.
    Answer(TopicId, Answer),
}

/// The results of a [`Job`]; only [`Job::run`] makes one. Results of one link are best brought back
/// in the order of their jobs; another order costs time, nothing else.
#[derive(Debug)]
pub struct Done {
    pub(crate) results: Results,
    pub(crate) bytes: usize,
    pub(crate) last: bool,
}

#[derive(Debug)]
pub(crate) enum Results {
    Envelopes(Vec<Result<Checked<Verified>, Refused>>),
    Bodies(Vec<Result<Checked<CheckedBody>, (EnvelopeId, Refused)>>),
    Receipts(Vec<Result<Checked<SignedReceipt>, Refused>>),
    /// Which one it was, where it does not hold.
    Rebuilt(Vec<Result<Checked<SignedReceipt>, Slot>>),
    Evidence(Vec<Result<Checked<Evidence>, Refused>>),
    Box(Result<Box<Checked<TopicBox>>, Refused>),
    Claim(Result<Box<Checked<Claim>>, Refused>),
    Answer(Result<Box<Checked<Answer>>, Refused>),
}

impl Job {
    pub(crate) const fn new(work: Work, bytes: usize, last: bool) -> Self {
        Self { work, bytes, last }
    }

    /// Bytes to be checked, for sharing work among threads.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The job as bytes, for the record of a run: `[kind, bytes, last, [item …]]`. Results are never
    /// written down; whoever reads a job back runs it again.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.array(4)
            .uint(self.work.kind())
            .uint(self.bytes as u64)
            .bool(self.last);
        match &self.work {
            Work::Envelopes(raws) => items(&mut w, raws, |w, raw| {
                w.bytes(&raw.encode());
            }),
            Work::Bodies(bodies) => items(&mut w, bodies, |w, (envelope, body)| {
                let header = envelope.to_raw_header().encode();
                w.array(2).bytes(&header).bytes(body);
            }),
            Work::Receipts(raws) => items(&mut w, raws, |w, raw| {
                w.array(2).bytes(&raw.bytes).bytes(raw.signature.as_bytes());
            }),
            Work::Rebuilt(rebuilt) => items(&mut w, rebuilt, |w, (slot, raw)| {
                w.array(5).bytes(slot.holder.as_bytes());
                w.uint(slot.kind as u8).uint(slot.counter);
                w.bytes(&raw.bytes).bytes(raw.signature.as_bytes());
            }),
            Work::Evidence(pairs) => items(&mut w, pairs, |w, (a, b)| {
                w.array(2).bytes(&a.encode()).bytes(&b.encode());
            }),
            Work::Box(topic, held) => {
                w.array(2).bytes(topic.as_bytes());
                w.bytes(&held.encode());
            }
            Work::Claim(topic, claim) => {
                w.array(2).bytes(topic.as_bytes());
                w.bytes(&claim.encode());
            }
            Work::Answer(topic, answer) => {
                w.array(2).bytes(topic.as_bytes());
                w.bytes(&answer.encode());
            }
        }
        w.into_bytes()
    }

    /// Reads back what [`Job::encode`] wrote.
    ///
    /// # Errors
    /// [`Malformed`] when these bytes are no job.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let max = bytes.len();
        let mut r = Reader::new(bytes, max)?;
        r.tuple(4, "job")?;
        let kind = r.u8("kind of job")?;
        let size = r.u64("bytes of a job")?;
        let size = usize::try_from(size).map_err(|_| r.wrong("bytes of a job"))?;
        let last = r.bool("whether it is the last")?;
        let count = r.list(max, "items of a job")?;
        let work = match kind {
            0 => Work::Envelopes(read(&mut r, count, |r| Raw::decode(r.bytes(max, "raw")?))?),
            1 => Work::Bodies(read(&mut r, count, |r| {
                r.tuple(2, "envelope and body")?;
                let raw = RawHeader::decode(r.bytes(max, "header")?)?;
                let envelope = Envelope::from_stored(raw.header_bytes, raw.proof)?;
                Ok((envelope, r.bytes(max, "body")?.to_vec()))
            })?),
            2 => Work::Receipts(read(&mut r, count, |r| {
                r.tuple(2, "statement")?;
                Ok(RawStatement {
                    bytes: r.bytes(max, "statement")?.to_vec(),
                    signature: Signature::from_bytes(r.array("signature")?),
                })
            })?),
            3 => Work::Evidence(read(&mut r, count, |r| {
                r.tuple(2, "pair of headers")?;
                let first = RawHeader::decode(r.bytes(max, "header")?)?;
                Ok((first, RawHeader::decode(r.bytes(max, "header")?)?))
            })?),
            4 if count == 2 => Work::Box(
                TopicId::from_bytes(r.array("topic")?),
                Box::new(TopicBox::decode(r.bytes(max, "box")?)?),
            ),
            5 => Work::Rebuilt(read(&mut r, count, |r| {
                r.tuple(5, "receipt that was rebuilt")?;
                let holder = PublicKey::from_bytes(r.array("holder")?);
                let kind = kind_of(r.u8("kind of receipt")?);
                let slot = Slot {
                    holder,
                    kind: kind.ok_or_else(|| r.wrong("kind of receipt"))?,
                    counter: r.u64("counter")?,
                };
                let bytes = r.bytes(max, "statement")?.to_vec();
                let signature = Signature::from_bytes(r.array("signature")?);
                Ok((slot, RawStatement { bytes, signature }))
            })?),
            6 if count == 2 => {
                let topic = TopicId::from_bytes(r.array("topic")?);
                match Item::decode(r.bytes(max, "claim")?)? {
                    Item::Claim(claim) => Work::Claim(topic, Box::new(claim)),
                    _ => return Err(r.wrong("claim")),
                }
            }
            7 if count == 2 => Work::Answer(
                TopicId::from_bytes(r.array("topic")?),
                Answer::decode(r.bytes(max, "answer")?)?,
            ),
            _ => return Err(r.wrong("kind of job")),
        };
        Ok(Self::new(work, size, last))
    }

    /// Checks: encodings, hashes, strict signatures. Pure.
    #[must_use]
    pub fn run(self) -> Done {
        let results = match self.work {
            Work::Envelopes(raws) => {
                Results::Envelopes(raws.into_iter().map(wire::check).collect())
            }
            Work::Bodies(bodies) => Results::Bodies(
                bodies
                    .into_iter()
                    .map(|(envelope, body)| {
                        wire::check_body(&envelope, body).map_err(|refused| (envelope.id, refused))
                    })
                    .collect(),
            ),
            Work::Receipts(raws) => {
                Results::Receipts(raws.into_iter().map(wire::check_receipt).collect())
            }
            Work::Rebuilt(rebuilt) => {
                let check = |(slot, raw)| wire::check_receipt(raw).map_err(|_| slot);
                Results::Rebuilt(rebuilt.into_iter().map(check).collect())
            }
            Work::Evidence(pairs) => Results::Evidence(
                pairs
                    .into_iter()
                    .map(|(a, b)| wire::check_evidence(a, b))
                    .collect(),
            ),
            Work::Box(topic, held) => Results::Box(wire::check_box(topic, *held).map(Box::new)),
            Work::Claim(topic, claim) => {
                Results::Claim(wire::check_claim(topic, *claim).map(Box::new))
            }
            Work::Answer(topic, answer) => {
                Results::Answer(wire::check_answer(topic, answer).map(Box::new))
            }
        };
        Done {
            results,
            bytes: self.bytes,
            last: self.last,
        }
    }
}

impl Work {
    const fn kind(&self) -> u8 {
        match self {
            Self::Envelopes(_) => 0,
            Self::Bodies(_) => 1,
            Self::Receipts(_) => 2,
            Self::Evidence(_) => 3,
            Self::Box(..) => 4,
            Self::Rebuilt(_) => 5,
            Self::Claim(..) => 6,
            Self::Answer(..) => 7,
        }
    }
}

fn items<T>(w: &mut Writer, items: &[T], mut item: impl FnMut(&mut Writer, &T)) {
    w.array(items.len());
    for each in items {
        item(w, each);
    }
}

fn read<'b, T>(
    r: &mut Reader<'b>,
    count: usize,
    mut item: impl FnMut(&mut Reader<'b>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    // Room grows with what there is to read.
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(item(r)?);
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::SecretKey;

    fn raw(body: Option<Vec<u8>>) -> Raw {
        Raw {
            header_bytes: vec![7; 30],
            proof: Signature::from_bytes([1; 64]),
            body,
        }
    }

    fn jobs() -> Vec<Job> {
        let header = raw(None).to_header();
        let statement = RawStatement {
            bytes: vec![3; 9],
            signature: Signature::from_bytes([4; 64]),
        };
        let slot = Slot {
            holder: PublicKey::from_bytes([2; 32]),
            kind: wire::ReceiptKind::Read,
            counter: 70_000,
        };
        let founder = SecretKey::from_seed([6; 32]);
        let sealed = vec![7; wire::limits::BOX_LEN];
        let topic = TopicId::from_bytes([5; 32]);
        let grant = identity::GrantId::from_bytes([3; 32]);
        let held = TopicBox::sign(topic, &founder, [8; 32], sealed.clone(), 9, grant);
        let sealing = identity::SealingKey::from_bytes([4; 32]);
        let claim = Claim::sign(topic, &founder, grant, founder.public(), sealing, 7);
        let answer = Answer::sign(topic, &founder, claim.hash(), sealed);
        vec![
            Job::new(
                Work::Envelopes(vec![raw(None), raw(Some(vec![9; 200]))]),
                400,
                true,
            ),
            Job::new(Work::Envelopes(vec![]), 0, true),
            Job::new(Work::Bodies(vec![]), 0, false),
            Job::new(
                Work::Receipts(vec![statement.clone(), statement.clone()]),
                150,
                false,
            ),
            Job::new(Work::Rebuilt(vec![(slot, statement)]), 90, false),
            Job::new(Work::Evidence(vec![(header.clone(), header)]), 200, false),
            Job::new(Work::Box(topic, Box::new(held)), 2_200, false),
            Job::new(Work::Claim(topic, Box::new(claim)), 250, false),
            Job::new(Work::Answer(topic, answer), 2_200, false),
        ]
    }

    #[test]
    fn a_job_that_was_written_down_gives_the_same_results() {
        for job in jobs() {
            let again = Job::decode(&job.encode()).unwrap();
            assert_eq!(format!("{job:?}"), format!("{again:?}"));
            assert_eq!(format!("{:?}", job.run()), format!("{:?}", again.run()));
        }
    }

    #[test]
    fn what_is_no_job_is_refused() {
        for job in jobs() {
            let bytes = job.encode();
            for end in 0..bytes.len() {
                assert!(Job::decode(&bytes[..end]).is_err());
            }
            let mut other = bytes.clone();
            other[1] = 8;
            assert!(Job::decode(&other).is_err(), "a kind that there is not");
        }
    }
}
