//! What the world knows because it happened in it: who was invited to what, who joined, what was
//! written. Shared by all nodes' checkers, also across threads.

use super::devices::Devices;
use super::written::Written;
use crate::plan::{Act, NodeNo, Plan, TopicNo};
use identity::{EnvelopeId, NodeId, PublicKey, TopicId};
use machine::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use wire::{Class, Header};

/// What is known of a topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct TopicFacts {
    pub(crate) id: Option<TopicId>,
    /// Who has founded or joined it, and since when (microseconds).
    pub(crate) members: BTreeMap<NodeNo, u64>,
    /// Who has found it, and reads it without being let in.
    pub(crate) readers: BTreeSet<NodeNo>,
    /// Who was given its invite.
    pub(crate) invited: BTreeSet<NodeNo>,
    /// Who has left it.
    pub(crate) left: BTreeSet<NodeNo>,
    /// The steps of the plan by which rights were given and taken back, but for those that were
    /// declined. Of some nobody has heard whether they were done.
    pub(crate) rights: BTreeSet<u32>,
    /// Until when its newest invite stands, in milliseconds since 1970, as the clock of the inviter
    /// had it; 0 for none.
    pub(crate) invited_until: u64,
}

/// What is known of an envelope, from the header as it was first committed anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnvelopeFacts {
    pub(crate) topic: TopicNo,
    /// The chain that it belongs to.
    pub(crate) author: PublicKey,
    /// Its number there.
    pub(crate) number: u64,
    /// What it names: its previous and its deps.
    pub(crate) named: Vec<EnvelopeId>,
    /// Whether its class is content.
    pub(crate) content: bool,
    /// When it was written by its header, in milliseconds since 1970.
    pub(crate) created: u64,
    /// Until when its body is to be kept, in milliseconds since 1970.
    pub(crate) expires: u64,
    /// Its number among the envelopes of the topic, in the order in which the world heard of them.
    pub(crate) serial: u32,
    /// The numbers of what it names, in the same order; none for what nobody has heard of.
    pub(crate) past: Vec<Option<u32>>,
    /// The numbers of the content that it names, directly or through control envelopes: what must
    /// have lines before it has.
    pub(crate) before: Vec<u32>,
}

/// How long content lasts when its writer says nothing else.
const LIFESPAN_MS: u64 = 30 * 24 * 3600 * 1000;

/// Most of the content before an envelope that is remembered with it. Of more, the rest is not
/// looked at.
const MAX_BEFORE: usize = 64;

/// The message that a person wrote: the number of the step and which of its messages. Its text
/// begins with [`Message::text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Message {
    pub(crate) step: u32,
    pub(crate) index: u32,
}

impl Message {
    /// The text, padded to `bytes` where that is longer.
    pub(crate) fn text(self, bytes: u32) -> String {
        let mut text = self.name();
        text.push(' ');
        let wanted = bytes as usize;
        text.extend(std::iter::repeat_n('x', wanted.saturating_sub(text.len())));
        text
    }

    /// What a file is called that is shared in place of a text.
    pub(crate) fn name(self) -> String {
        format!("m{}.{}", self.step, self.index)
    }

    /// Reads the text or the name back.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let word = text.split(' ').next()?.strip_prefix('m')?;
        let (step, index) = word.split_once('.')?;
        Some(Self {
            step: step.parse().ok()?,
            index: index.parse().ok()?,
        })
    }
}

/// All facts of a world.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    topics: RwLock<Vec<TopicFacts>>,
    nodes: RwLock<BTreeMap<NodeId, NodeNo>>,
    envelopes: [RwLock<BTreeMap<EnvelopeId, Arc<EnvelopeFacts>>>; 16],
    /// Whose device a key belongs to.
    pub(crate) devices: Devices,
    /// Nodes whose whole machine was set back or copied without anybody noticing, or that lie.
    tainted: RwLock<BTreeSet<NodeNo>>,
    /// Nodes that have used a link to become another device of their person, and those that did it with success.
    devices_of: RwLock<(BTreeSet<NodeNo>, BTreeSet<NodeNo>)>,
    /// Homes of which a copy has come to life.
    doubled: RwLock<BTreeSet<NodeNo>>,
    /// Steps whose messages were not taken for want of keys that nobody who was removed has.
    keyless: RwLock<BTreeSet<u32>>,
    /// Steps whose messages were not taken because their writer is a guest that has written all that it
    /// may, and waits to be welcomed.
    unwelcomed: RwLock<BTreeSet<u32>>,
    /// When the messages of each step were stored at their author's, in microseconds and one more.
    sent: Vec<AtomicU64>,
    /// Until when they last by their headers, in milliseconds since 1970.
    lasts: Vec<AtomicU64>,
    /// What was written, by numbers.
    pub(crate) written: Written,
    /// Whether people share files.
    pub(crate) has_files: bool,
    /// Who begins to use a core node while the plan lasts, by the core node.
    pub(crate) later_clients: BTreeMap<NodeNo, BTreeSet<NodeNo>>,
}

impl Facts {
    pub(crate) fn new(topics: usize, steps: usize) -> Self {
        let numbers = || {
            std::iter::repeat_with(AtomicU64::default)
                .take(steps)
                .collect()
        };
        Self {
            topics: RwLock::new(vec![TopicFacts::default(); topics]),
            sent: numbers(),
            lasts: numbers(),
            ..Self::default()
        }
    }

    /// The messages of a step are stored at their author's, in these envelopes.
    pub(crate) fn sent(&self, step: u32, now: Time, envelopes: impl Iterator<Item = EnvelopeId>) {
        let known = envelopes.filter_map(|id| self.envelope(&id));
        // The date is the writer's word, for how long it lasts by default is not.
        let lasts = |known: Arc<EnvelopeFacts>| known.expires.max(known.created + LIFESPAN_MS);
        let lasts = known.map(lasts).min().unwrap_or(u64::MAX);
        let step = step as usize;
        if let (Some(sent), Some(until)) = (self.sent.get(step), self.lasts.get(step)) {
            sent.store(now.as_micros() + 1, Ordering::Relaxed);
            until.store(lasts, Ordering::Relaxed);
        }
    }

    /// The messages of a step were not taken: new keys have to be begun first.
    pub(crate) fn lacks_keys(&self, step: u32) {
        self.keyless
            .write()
            .expect("no checker panics")
            .insert(step);
    }

    /// Whether the messages of a step were not taken for want of keys.
    pub(crate) fn is_without_keys(&self, step: u32) -> bool {
        let keyless = self.keyless.read().expect("no checker panics");
        keyless.contains(&step)
    }

    /// The messages of a step were not taken: their writer has to be welcomed first.
    pub(crate) fn lacks_welcome(&self, step: u32) {
        self.unwelcomed
            .write()
            .expect("no checker panics")
            .insert(step);
    }

    /// Whether the messages of a step were not taken for want of a welcome.
    pub(crate) fn is_unwelcomed(&self, step: u32) -> bool {
        let unwelcomed = self.unwelcomed.read().expect("no checker panics");
        unwelcomed.contains(&step)
    }

    /// Until when the messages of a step last if it names no time, in milliseconds since 1970, as their
    /// writer's clock has it. Nothing for what was not sent.
    pub(crate) fn lasts(&self, step: u32) -> Option<u64> {
        self.sent_at(step)?;
        Some(self.lasts.get(step as usize)?.load(Ordering::Relaxed))
    }

    /// When the messages of a step were stored at their author's.
    pub(crate) fn sent_at(&self, step: u32) -> Option<Time> {
        let micros = self.sent.get(step as usize)?.load(Ordering::Relaxed);
        micros.checked_sub(1).map(Time::from_micros)
    }

    pub(crate) fn topic<R>(&self, no: TopicNo, f: impl FnOnce(&TopicFacts) -> R) -> R {
        f(&self.topics.read().expect("no checker panics")[no as usize])
    }

    pub(crate) fn change_topic<R>(&self, no: TopicNo, f: impl FnOnce(&mut TopicFacts) -> R) -> R {
        f(&mut self.topics.write().expect("no checker panics")[no as usize])
    }

    /// Whether the founder of a topic has taken rights from somebody, or a person has removed a device of its
    /// own, or has asked for it.
    pub(crate) fn is_revoked(&self, plan: &Plan, no: TopicNo, who: NodeNo) -> bool {
        let founder = plan.topics[no as usize].founder;
        let person = plan.nodes[who as usize].device_of.unwrap_or(who);
        let takes = |step: &u32| {
            let act = plan.steps.get(*step as usize).map(|step| &step.act);
            match act {
                Some(Act::Revoke { node, whom, .. }) => *node == founder && *whom == person,
                Some(Act::Unpair { device, .. }) => *device == who,
                _ => false,
            }
        };
        self.topic(no, |topic| topic.rights.iter().any(takes))
    }

    pub(crate) fn topic_no(&self, id: &TopicId) -> Option<TopicNo> {
        let topics = self.topics.read().expect("no checker panics");
        let at = topics.iter().position(|topic| topic.id == Some(*id))?;
        TopicNo::try_from(at).ok()
    }

    pub(crate) fn add_node(&self, id: NodeId, no: NodeNo) {
        self.nodes
            .write()
            .expect("no checker panics")
            .insert(id, no);
    }

    pub(crate) fn node_no(&self, id: &NodeId) -> Option<NodeNo> {
        self.nodes
            .read()
            .expect("no checker panics")
            .get(id)
            .copied()
    }

    fn shelf(&self, id: &EnvelopeId) -> &RwLock<BTreeMap<EnvelopeId, Arc<EnvelopeFacts>>> {
        &self.envelopes[usize::from(id.as_bytes()[0] >> 4)]
    }

    pub(crate) fn envelope(&self, id: &EnvelopeId) -> Option<Arc<EnvelopeFacts>> {
        let shelf = self.shelf(id).read().expect("no checker panics");
        shelf.get(id).cloned()
    }

    /// All envelopes of a topic that were committed anywhere.
    pub(crate) fn of_topic(&self, no: TopicNo) -> Vec<(EnvelopeId, Arc<EnvelopeFacts>)> {
        let mut all = Vec::new();
        for shelf in &self.envelopes {
            let shelf = shelf.read().expect("no checker panics");
            let of = shelf.iter().filter(|(_, envelope)| envelope.topic == no);
            all.extend(of.map(|(id, envelope)| (*id, Arc::clone(envelope))));
        }
        all
    }

    /// An envelope of a topic was committed somewhere; what it names was committed before, as far as
    /// nodes behave.
    pub(crate) fn learn(
        &self,
        id: EnvelopeId,
        topic: TopicNo,
        header: &Header,
    ) -> Arc<EnvelopeFacts> {
        let previous = EnvelopeId::from_bytes(header.previous);
        let previous = (header.number > 1).then_some(previous);
        let named: Vec<EnvelopeId> = header.deps.iter().copied().chain(previous).collect();
        let mut past = Vec::with_capacity(named.len());
        let mut before = Vec::new();
        let mut note = |serial: u32| {
            if before.len() < MAX_BEFORE && !before.contains(&serial) {
                before.push(serial);
            }
        };
        for id in &named {
            let known = self.envelope(id);
            past.push(known.as_ref().map(|known| known.serial));
            match known {
                Some(known) if known.content => note(known.serial),
                Some(known) => known.before.iter().copied().for_each(&mut note),
                None => {}
            }
        }
        let mut shelf = self.shelf(&id).write().expect("no checker panics");
        let facts = shelf.entry(id).or_insert_with(|| {
            Arc::new(EnvelopeFacts {
                topic,
                author: header.author,
                number: header.number,
                named,
                content: header.class == Class::Content,
                created: header.created,
                expires: header.expires,
                serial: self.written.next_serial(topic),
                past,
                before,
            })
        });
        Arc::clone(facts)
    }

    pub(crate) fn taint(&self, no: NodeNo) {
        self.tainted.write().expect("no checker panics").insert(no);
    }

    pub(crate) fn is_tainted(&self, no: NodeNo) -> bool {
        self.tainted
            .read()
            .expect("no checker panics")
            .contains(&no)
    }

    /// A node uses a link that makes it another device of its person.
    pub(crate) fn pairs(&self, no: NodeNo) {
        let mut devices = self.devices_of.write().expect("no checker panics");
        devices.0.insert(no);
    }

    /// It has become one.
    pub(crate) fn paired(&self, no: NodeNo) {
        let mut devices = self.devices_of.write().expect("no checker panics");
        devices.1.insert(no);
    }

    /// Whether a node has begun to be another device of its person.
    pub(crate) fn may_be_device(&self, no: NodeNo) -> bool {
        let devices = self.devices_of.read().expect("no checker panics");
        devices.0.contains(&no)
    }

    /// Whether a node has become another device of its person.
    pub(crate) fn is_device(&self, no: NodeNo) -> bool {
        let devices = self.devices_of.read().expect("no checker panics");
        devices.1.contains(&no)
    }

    /// A copy of this home has come to life.
    pub(crate) fn double(&self, home: NodeNo) {
        let mut doubled = self.doubled.write().expect("no checker panics");
        doubled.insert(home);
    }

    /// Whether a copy of this home runs, or ever ran.
    pub(crate) fn is_doubled(&self, home: NodeNo) -> bool {
        let doubled = self.doubled.read().expect("no checker panics");
        doubled.contains(&home)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Facts;
    use crate::plan::{Act, NodePlan, Path, Plan, Role, Site, Step, TopicPlan};
    use identity::{EnvelopeId, GrantId, PublicKey, TopicId};
    use wire::{Class, Header};

    /// The header of a content envelope.
    pub(crate) fn header(author: [u8; 32], number: u64) -> Header {
        Header {
            destination: TopicId::from_bytes([9; 32]).to_id(),
            author: PublicKey::from_bytes(author),
            number,
            previous: [number as u8; 32],
            generation: number,
            created: 1,
            expires: 2,
            body_len: 500,
            body_hash: [0; 32],
            count: 1,
            class: Class::Content,
            grant: GrantId::from_bytes([9; 32]),
            hops: 16,
            deps: Vec::new(),
            manifest: None,
            clock_unconfirmed: false,
            extensions: wire::Extensions::new(),
        }
    }

    /// A plan in which node 1 sends: for each step topic and number of messages. Two topics, four
    /// nodes, of which node 3 is a core node.
    pub(crate) fn plan(sends: &[(u32, u32)]) -> Plan {
        let node = |no: u32| NodePlan {
            name: format!("n{no}"),
            role: if no == 3 { Role::Core } else { Role::Person },
            site: 0,
            uses: Vec::new(),
            starts_ms: 0,
            commit_us: 0,
            skew_ms: 0,
            drift_ppm: 0,
            trust_clock: false,
            disk: 0,
            quota: 0,
            reads_after_ms: 0,
            lies: Vec::new(),
            twin_of: None,
            device_of: None,
        };
        let topic = |name: &str| TopicPlan {
            name: name.to_owned(),
            founder: 0,
            members: vec![1, 2],
            personal: false,
            public: false,
            readers: Vec::new(),
        };
        let send = |(topic, count): &(u32, u32)| Step {
            at_ms: 0,
            act: Act::Send {
                node: 1,
                topic: *topic,
                bytes: 20,
                count: *count,
                expires_ms: 0,
                file: 0,
            },
        };
        Plan {
            name: "test".to_owned(),
            seed: 1,
            length_ms: 1000,
            converge_ms: 0,
            sites: vec![Site {
                name: "here".to_owned(),
                inside: Path::default(),
                uplink: None,
                open: true,
                apart: false,
            }],
            nodes: (0..4).map(node).collect(),
            topics: vec![topic("tea"), topic("coffee")],
            steps: sends.iter().map(send).collect(),
        }
    }

    #[test]
    fn what_lies_before_is_found_through_control() {
        let facts = Facts::new(2, 0);
        let id = |byte: u8| EnvelopeId::from_bytes([byte; 32]);
        let learn = |no: u8, deps: &[u8], class: Class| {
            let header = Header {
                deps: deps.iter().map(|dep| id(*dep)).collect(),
                class,
                ..header([no; 32], 1)
            };
            facts.learn(id(no), 0, &header)
        };
        let first = learn(1, &[], Class::Content);
        let control = learn(2, &[1], Class::Control);
        assert_eq!(control.before, [first.serial]);
        let second = learn(3, &[2, 77], Class::Content);
        assert_eq!(second.before, [first.serial]);
        assert_eq!(second.past, [Some(control.serial), None]);
        let third = learn(4, &[3, 2], Class::Content);
        assert_eq!(third.before, [second.serial, first.serial]);
        assert_eq!(learn(1, &[4], Class::Content), first, "once");
        assert_eq!(
            facts.learn(id(5), 1, &header([5; 32], 1)).serial,
            0,
            "of another topic"
        );
    }
}
