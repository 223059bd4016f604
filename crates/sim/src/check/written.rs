//! What was written in the world, numbered densely, so that a node's checkers can keep a bit for each
//! message and envelope instead of its name.

use super::facts::Message;
use crate::plan::{Act, NodeNo, Plan, TopicNo};
use identity::EnvelopeId;
use std::collections::BTreeMap;
use std::sync::{OnceLock, RwLock};

/// A growing set of small numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// None.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a number; says whether it is new.
    pub(crate) fn add(&mut self, number: u32) -> bool {
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    pub(crate) fn has(&self, number: u32) -> bool {
        let word = self.0.get(number as usize / 64);
        word.is_some_and(|word| word & (1 << (number % 64)) != 0)
    }
}

/// The numbers of the messages of a plan: those of one topic from 0 on, in the order of its steps.
#[derive(Debug, Default)]
struct Messages {
    /// For each step the number of its first message.
    first: Vec<u32>,
}

impl Messages {
    fn of(plan: &Plan) -> Self {
        let mut next = vec![0_u32; plan.topics.len()];
        let first = plan.steps.iter().map(|step| {
            let Act::Send { topic, count, .. } = &step.act else {
                return 0;
            };
            let topic = *topic as usize;
            let first = next[topic];
            next[topic] = first.saturating_add(*count);
            first
        });
        let first = first.collect();
        Self { first }
    }
}

/// A unicast envelope that has left its author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mailed {
    /// The beginning of the mail's name, which is the same for all envelopes that carry it.
    pub(crate) name: u64,
    /// Whether nobody acknowledges it.
    pub(crate) live: bool,
}

/// What was written in the world.
#[derive(Debug, Default)]
pub(crate) struct Written {
    messages: OnceLock<Messages>,
    /// How many envelopes of each topic have a number.
    serials: RwLock<BTreeMap<TopicNo, u32>>,
    mails: RwLock<BTreeMap<EnvelopeId, Mailed>>,
    /// As whom a node writes in a topic: a hash of its device's text.
    writers: RwLock<BTreeMap<(TopicNo, NodeNo), u64>>,
}

impl Written {
    /// The number of a message among those of its topic; nothing when nobody was to write it.
    pub(crate) fn number(&self, plan: &Plan, message: Message) -> Option<(TopicNo, u32)> {
        let step = message.step as usize;
        let Act::Send { topic, count, .. } = &plan.steps.get(step)?.act else {
            return None;
        };
        let messages = self.messages.get_or_init(|| Messages::of(plan));
        let number = messages.first.get(step)?.checked_add(message.index)?;
        (message.index < *count).then_some((*topic, number))
    }

    /// Gives an envelope of a topic the next number.
    pub(super) fn next_serial(&self, topic: TopicNo) -> u32 {
        let mut serials = self.serials.write().expect("no checker panics");
        let next = serials.entry(topic).or_default();
        *next += 1;
        *next - 1
    }

    /// A unicast envelope leaves its author.
    pub(crate) fn mailed(&self, id: EnvelopeId, mail: Mailed) {
        self.mails
            .write()
            .expect("no checker panics")
            .insert(id, mail);
    }

    /// What is known of a unicast envelope.
    pub(crate) fn mail(&self, id: &EnvelopeId) -> Option<Mailed> {
        self.mails
            .read()
            .expect("no checker panics")
            .get(id)
            .copied()
    }

    /// Whether a node has always written as this device in a topic, as far as anybody has seen.
    pub(crate) fn is_writer(&self, topic: TopicNo, node: NodeNo, device: &str) -> bool {
        let hash = xxhash_rust::xxh3::xxh3_64(device.as_bytes());
        let known = self
            .writers
            .read()
            .expect("no checker panics")
            .get(&(topic, node))
            .copied();
        let known = known.unwrap_or_else(|| {
            let mut writers = self.writers.write().expect("no checker panics");
            *writers.entry((topic, node)).or_insert(hash)
        });
        known == hash
    }
}

#[cfg(test)]
mod tests {
    use super::{Bits, Messages, Written};
    use crate::check::facts::Message;
    use crate::check::facts::tests::plan;

    #[test]
    fn bits_are_kept() {
        let mut bits = Bits::default();
        for number in [3, 64, 1000, 3] {
            bits.add(number);
        }
        assert!(bits.has(64) && !bits.has(65) && !bits.has(100_000));
        assert!(bits.has(3) && bits.has(1000) && !bits.has(0));
    }

    #[test]
    fn messages_have_numbers() {
        let plan = plan(&[(0, 2), (1, 3), (0, 1), (1, 1)]);
        assert_eq!(Messages::of(&plan).first, [0, 0, 2, 3]);
        let written = Written::default();
        for (step, index, topic) in [(0, 1, 0), (1, 2, 1), (2, 0, 0), (3, 0, 1)] {
            let message = Message { step, index };
            let (of, _) = written.number(&plan, message).expect("planned");
            assert_eq!(of, topic);
        }
        assert_eq!(written.number(&plan, Message { step: 2, index: 1 }), None);
        assert_eq!(written.number(&plan, Message { step: 9, index: 0 }), None);
    }

    #[test]
    fn a_writer_keeps_its_device() {
        let written = Written::default();
        assert!(written.is_writer(0, 1, "key1"));
        assert!(written.is_writer(0, 1, "key1") && written.is_writer(0, 2, "key2"));
        assert!(!written.is_writer(0, 1, "key2"));
    }
}
