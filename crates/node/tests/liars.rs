//! Nodes that lie: strangers, members, guests and neighbours that send whatever they like.

mod cores;
mod members;
mod outsiders;
mod profiles;
mod strangers;

use crate::restored::info;
use crate::story::{found, invite, join, send, texts, use_core, wait};
use crate::world::{Heard, World};
use identity::{SecretKey, TopicId};
use machine::MemoryBase;
use node::LinkId;
use node::command::{Reply, WaitFor};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use wire::{Frame, TopicFrame};

/// Who is there: a founder with a core node, a member with another, a guest of the first.
pub(crate) struct Cast {
    pub(crate) world: World,
    pub(crate) topic: TopicId,
    pub(crate) one: usize,
    pub(crate) two: usize,
    pub(crate) alice: usize,
    pub(crate) bob: usize,
    pub(crate) carol: usize,
}

/// Who said what to whom.
pub(crate) type Said = Vec<(usize, usize, Vec<u8>)>;

/// A conversation in which nearly every kind of frame is spoken, and all that was said.
pub(crate) fn cast(seed: u8) -> (Cast, Said) {
    let mut world = World::new(seed);
    let said: Rc<RefCell<Said>> = Rc::default();
    let tap = Rc::clone(&said);
    world.tamper = Some(Box::new(move |from, to, bytes| {
        tap.borrow_mut().push((from, to, bytes.clone()));
        vec![bytes]
    }));
    let (one, two) = (world.add("core one", true), world.add("core two", true));
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    let carol = world.add("Carol", false);
    use_core(&mut world, alice, one);
    use_core(&mut world, bob, two);
    let topic = found(&mut world, alice, "tea").parse().expect("an id");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 8);
    world.pass(Duration::from_secs(2));
    join(&mut world, bob, &link);
    join(&mut world, carol, &link);
    world.pass(Duration::from_secs(20));
    for (who, text) in [(alice, "one"), (bob, "two"), (carol, "three")] {
        send(&mut world, who, "tea", text);
        world.pass(Duration::from_secs(1));
    }
    let to = world.id(bob).to_string();
    let id = send(&mut world, alice, &to, "psst");
    wait(&mut world, alice, &id, WaitFor::Delivered, None);
    world.pass(Duration::from_secs(60));
    world.tamper = None;
    let said = said.borrow().clone();
    (
        Cast {
            world,
            topic,
            one,
            two,
            alice,
            bob,
            carol,
        },
        said,
    )
}

impl Cast {
    /// Whatever was tried: the honest ones still talk, and have exactly what honest people wrote.
    pub(crate) fn talk_goes_on(&mut self) {
        self.world.pass(Duration::from_secs(700));
        let id = send(&mut self.world, self.alice, "tea", "still here");
        let reached = wait(
            &mut self.world,
            self.alice,
            &id,
            WaitFor::Delivered,
            Some(2),
        );
        assert_eq!(
            reached,
            Reply::Reached {
                state: WaitFor::Delivered,
                count: 2,
                of: 2
            }
        );
        send(&mut self.world, self.carol, "tea", "so am I");
        self.world.pass(Duration::from_secs(60));
        for node in [self.alice, self.bob, self.carol] {
            let mut seen = texts(&mut self.world, node, "tea");
            seen.sort();
            assert_eq!(seen, ["one", "so am I", "still here", "three", "two"]);
            let info = info(&mut self.world, node);
            assert_eq!(info.members.len(), 3);
            assert_eq!(info.forked, Vec::<String>::new());
        }
    }

    /// Sends a frame as one node on its link to another, which is made if it is missing.
    pub(crate) fn say(&mut self, from: usize, to: usize, frame: &Frame) {
        self.say_bytes(from, to, frame.encode());
    }

    pub(crate) fn say_bytes(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        for _ in 0..20 {
            if let Some(link) = self.world.link(from, to) {
                return self.world.inject(link, bytes);
            }
            self.world.pass(Duration::from_secs(20));
        }
        panic!("no link from {from} to {to}");
    }

    /// The key with which a node signs its envelopes in the topic, from its disk.
    pub(crate) fn author(&self, node: usize) -> SecretKey {
        let machine = &self.world.nodes[node];
        let vault = machine.config.device.vault();
        let rows = self.world.disk(node).rows();
        let row = rows.filter(|(table, key, _)| {
            *table == node::rows::VAULT.id() && key.first() == Some(&node::rows::AUTHOR)
        });
        let (_, key, row) = row.last().expect("an author key");
        let name = [b"vault ".as_slice(), key].concat();
        let seed = vault.open(&name, row).expect("its own vault");
        SecretKey::from_seed(seed.as_slice().try_into().expect("a seed"))
    }

    /// The newest header of a node's author, to be changed.
    pub(crate) fn newest(&self, node: usize) -> wire::Header {
        let author = self.author(node).public();
        let found = crate::witness::on_disk(self.world.disk(node), &self.topic, |lace, store| {
            let tip = lace.author(&author)?.tip()?.id;
            Some(lace.header(store, &tip)?.header)
        });
        found.flatten().expect("its own newest")
    }

    /// A header that follows a node's newest.
    pub(crate) fn next(&self, node: usize) -> wire::Header {
        let mut header = self.newest(node);
        header.previous = *header_id(&header).as_bytes();
        header.number += 1;
        header.generation += 1;
        header.deps = Vec::new();
        header.created += 1;
        header
    }

    pub(crate) fn envelope(&self, key: &SecretKey, header: wire::Header, body: &[u8]) -> Vec<u8> {
        let raw = sign_anything(header, key, body);
        self.topic_frame(TopicFrame::Envelopes {
            envelopes: vec![raw],
            last: false,
        })
    }

    pub(crate) fn topic_frame(&self, frame: TopicFrame) -> Vec<u8> {
        Frame::Topic {
            topic: self.topic,
            frame,
        }
        .encode()
    }
}

/// Signs what our own code would refuse to sign.
pub(crate) fn sign_anything(mut header: wire::Header, key: &SecretKey, body: &[u8]) -> wire::Raw {
    header.author = key.public();
    header.body_len = u32::try_from(body.len()).expect("short");
    header.body_hash = identity::seal::hash(&[body]);
    let header_bytes = header.encode();
    let id = wire::Header::id_of(&header_bytes);
    let proof = key.sign(identity::Context::Envelope, id.as_bytes());
    wire::Raw {
        header_bytes,
        proof,
        body: Some(body.to_vec()),
    }
}

pub(crate) fn header_id(header: &wire::Header) -> identity::EnvelopeId {
    wire::Header::id_of(&header.encode())
}

pub(crate) fn rows(disk: &MemoryBase) -> BTreeMap<(u8, Vec<u8>), Vec<u8>> {
    let rows = disk.rows();
    rows.map(|(table, key, value)| ((table, key.to_vec()), value.to_vec()))
        .collect()
}

/// What a disk has that it had not before.
pub(crate) fn assert_same_disk(world: &World, node: usize, before: &MemoryBase, when: &str) {
    let (before, after) = (rows(before), rows(world.disk(node)));
    for (key, value) in &after {
        assert_eq!(before.get(key), Some(value), "{when}: row {key:?} is new");
    }
    assert_eq!(before.len(), after.len(), "{when}: a row is gone");
}

pub(crate) fn hello(world: &World) -> Frame {
    let wall = world.wall().as_millis();
    Frame::Hello {
        min: 0,
        max: 0,
        wall,
        advert: 7,
        software: "liar".to_owned(),
    }
}

/// Frames that reached the liar on a link.
pub(crate) fn heard(world: &World, liar: usize, link: LinkId) -> Vec<Frame> {
    let heard = world.nodes[liar].heard.as_ref().expect("a liar");
    let frames = heard
        .iter()
        .filter(|(on, _)| *on == link)
        .filter_map(|(_, heard)| match heard {
            Heard::Frame(bytes) => Some(Frame::decode(bytes).expect("honest frames decode")),
            _ => None,
        });
    frames.collect()
}

/// One or two frames of each kind and, for frames about topics, of each kind of these.
pub(crate) fn specimens(said: &Said) -> Vec<Vec<u8>> {
    let mut kinds: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (_, _, bytes) in said {
        let frame = Frame::decode(bytes).expect("honest frames decode");
        let kind = match &frame {
            Frame::Topic { frame, .. } => format!("{frame:?}")
                .split(' ')
                .next()
                .expect("a word")
                .to_owned(),
            other => other.kind().to_string(),
        };
        let some = kinds.entry(kind).or_default();
        if some.len() < 3 {
            some.push(bytes.clone());
        }
    }
    assert!(kinds.len() >= 22, "the conversation has {:?}", kinds.keys());
    kinds.into_values().flatten().collect()
}
