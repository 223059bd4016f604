//! Nodes that lie: strangers, members, guests and neighbours that send whatever they like.

use crate::restored::info;
use crate::story::{found, invite, join, send, texts, use_core, wait};
use crate::world::{Heard, World};
use identity::{SecretKey, TopicId};
use machine::{MemoryBase, Rng};
use node::LinkId;
use node::command::{Command, Reply, WaitFor};
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
    fn talk_goes_on(&mut self) {
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
    fn say(&mut self, from: usize, to: usize, frame: &Frame) {
        self.say_bytes(from, to, frame.encode());
    }

    fn say_bytes(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        for _ in 0..20 {
            if let Some(link) = self.world.link(from, to) {
                return self.world.inject(link, bytes);
            }
            self.world.pass(Duration::from_secs(20));
        }
        panic!("no link from {from} to {to}");
    }

    /// The key with which a node signs its envelopes in the topic, from its disk.
    fn author(&self, node: usize) -> SecretKey {
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
    fn newest(&self, node: usize) -> wire::Header {
        let author = self.author(node).public();
        let found = crate::witness::on_disk(self.world.disk(node), &self.topic, |lace, store| {
            let tip = lace.author(&author)?.tip()?.id;
            Some(lace.header(store, &tip)?.header)
        });
        found.flatten().expect("its own newest")
    }

    /// A header that follows a node's newest.
    fn next(&self, node: usize) -> wire::Header {
        let mut header = self.newest(node);
        header.previous = *header_id(&header).as_bytes();
        header.number += 1;
        header.generation += 1;
        header.deps = Vec::new();
        header.created += 1;
        header
    }

    fn envelope(&self, key: &SecretKey, header: wire::Header, body: &[u8]) -> Vec<u8> {
        let raw = sign_anything(header, key, body);
        self.topic_frame(TopicFrame::Envelopes {
            envelopes: vec![raw],
            last: false,
        })
    }

    fn topic_frame(&self, frame: TopicFrame) -> Vec<u8> {
        Frame::Topic {
            topic: self.topic,
            frame,
        }
        .encode()
    }
}

/// Signs what our own code would refuse to sign.
fn sign_anything(mut header: wire::Header, key: &SecretKey, body: &[u8]) -> wire::Raw {
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

fn header_id(header: &wire::Header) -> identity::EnvelopeId {
    wire::Header::id_of(&header.encode())
}

fn rows(disk: &MemoryBase) -> BTreeMap<(u8, Vec<u8>), Vec<u8>> {
    let rows = disk.rows();
    rows.map(|(table, key, value)| ((table, key.to_vec()), value.to_vec()))
        .collect()
}

/// What a disk has that it had not before.
fn assert_same_disk(world: &World, node: usize, before: &MemoryBase, when: &str) {
    let (before, after) = (rows(before), rows(world.disk(node)));
    for (key, value) in &after {
        assert_eq!(before.get(key), Some(value), "{when}: row {key:?} is new");
    }
    assert_eq!(before.len(), after.len(), "{when}: a row is gone");
}

fn hello(world: &World) -> Frame {
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
fn heard(world: &World, liar: usize, link: LinkId) -> Vec<Frame> {
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
fn specimens(said: &Said) -> Vec<Vec<u8>> {
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

#[test]
fn a_stranger_leaves_nothing_behind() {
    let (mut cast, said) = cast(60);
    let world = &mut cast.world;
    let liar = world.add_liar("Liar");
    for node in [cast.alice, cast.one] {
        let before = world.disk(node).clone();
        for bytes in specimens(&said) {
            // Before the hello.
            let link = world.connect(liar, Some(1), node);
            world.inject(link, bytes.clone());
            world.pass(Duration::from_millis(10));
            assert!(
                // A ping may overtake the hello, which waits for a commit.
                Frame::decode(&bytes).expect("honest").kind() <= 3
                    || world.link(liar, node).is_none(),
                "whoever does not say hello first is shown out"
            );
            world.tear(link);
            // After it.
            let link = world.connect(liar, Some(1), node);
            world.inject(link, hello(world).encode());
            world.inject(link, bytes);
            world.pass(Duration::from_millis(10));
            for frame in heard(world, liar, link) {
                assert!(!matches!(
                    frame,
                    Frame::Topic { .. } | Frame::GrantProof { .. }
                ));
            }
            world.tear(link);
        }
        world.pass(Duration::from_secs(20));
        assert_same_disk(world, node, &before, "frames of a stranger");
    }
    cast.talk_goes_on();
}

#[test]
fn a_stranger_gets_sixteen_kilobytes_and_ten_seconds() {
    let (mut cast, said) = cast(61);
    let world = &mut cast.world;
    let liar = world.add_liar("Liar");
    let before = world.disk(cast.alice).clone();
    let tags = said.iter().map(|(_, _, bytes)| bytes);
    let tags = tags.filter(|bytes| Frame::decode(bytes).expect("honest").kind() == 6);
    let tags = tags.max_by_key(|bytes| bytes.len()).expect("tags").clone();
    let link = world.connect(liar, Some(1), cast.alice);
    world.inject(link, hello(world).encode());
    let mut taken = 0;
    while world.link(liar, cast.alice).is_some() {
        taken += tags.len();
        world.inject(link, tags.clone());
        world.settle();
        assert!(taken < 17 * 1024, "{taken} bytes were taken");
    }
    // One that says nothing.
    world.connect(liar, Some(1), cast.alice);
    world.pass(Duration::from_secs(11));
    assert_eq!(world.link(liar, cast.alice), None);
    // Very many at once.
    let links: Vec<LinkId> = (0..200)
        .map(|_| world.connect(liar, Some(1), cast.alice))
        .collect();
    world.settle();
    let open = world
        .links()
        .iter()
        .filter(|(link, ..)| links.contains(link))
        .count();
    assert!(open <= 33, "{open} links of one stranger");
    world.pass(Duration::from_secs(30));
    assert_same_disk(world, cast.alice, &before, "a stranger's flood");
    cast.talk_goes_on();
}

#[test]
fn proofs_of_another_link_prove_nothing() {
    let (mut cast, said) = cast(62);
    let world = &mut cast.world;
    let liar = world.add_liar("Liar");
    for node in [cast.alice, cast.one, cast.two] {
        let before = world.disk(node).clone();
        for from in 0..5 {
            let link = world.connect(liar, Some(1), node);
            world.inject(link, hello(world).encode());
            for (_, _, bytes) in said.iter().filter(|(by, to, _)| (*by, *to) == (from, node)) {
                let kind = Frame::decode(bytes).expect("honest").kind();
                if matches!(kind, 6 | 7 | 8 | 9 | 10 | 14 | 15 | 17 | 21) {
                    world.inject(link, bytes.clone());
                }
            }
            world.pass(Duration::from_secs(1));
            for frame in heard(world, liar, link) {
                let shown = matches!(
                    frame,
                    Frame::Topic { .. }
                        | Frame::Show { .. }
                        | Frame::GrantProof { .. }
                        | Frame::CoreAgreed { .. }
                        | Frame::CoreServing { .. }
                );
                assert!(!shown, "{frame:?}");
            }
            world.tear(link);
        }
        // Its own words, thrown back.
        let link = world.connect(liar, Some(1), node);
        world.inject(link, hello(world).encode());
        for _ in 0..20 {
            world.settle();
            let words = heard(world, liar, link);
            for frame in words.iter().filter(|frame| frame.kind() > 1) {
                world.inject(link, frame.encode());
            }
        }
        assert!(
            heard(world, liar, link)
                .iter()
                .all(|frame| frame.kind() < 21)
        );
        world.tear(link);
        world.pass(Duration::from_secs(20));
        assert_same_disk(world, node, &before, "replayed proofs");
    }
    cast.talk_goes_on();
}

/// Everything that was ever said, again and changed, on the links of honest nodes.
#[test]
fn changed_frames_on_honest_links_change_nothing() {
    let (mut cast, said) = cast(63);
    let mut rng = Rng::from_seed([63; 32]);
    let mut count = 0;
    for round in 0..3 {
        for (from, to, bytes) in &said {
            let kind = Frame::decode(bytes).expect("honest").kind();
            // A peer may of course say goodbye, cancel its service or refuse.
            if matches!(kind, 1 | 16 | 19 | 24) {
                continue;
            }
            let mut bytes = bytes.clone();
            for _ in 0..round {
                let at = usize::try_from(rng.below(bytes.len() as u64)).expect("short");
                bytes[at] ^= 1 << rng.below(8);
            }
            if matches!(Frame::decode(&bytes), Ok(frame) if matches!(frame.kind(), 1 | 16 | 19 | 24))
            {
                continue;
            }
            cast.say_bytes(*from, *to, bytes);
            cast.world.settle();
            count += 1;
        }
    }
    assert!(count > 500, "{count} frames");
    cast.talk_goes_on();
}

/// Garbage that no decoder takes ends the link and nothing else.
#[test]
fn garbage_ends_the_link() {
    let (mut cast, _) = cast(64);
    let mut rng = Rng::from_seed([64; 32]);
    for length in [
        0_usize,
        1,
        2,
        100,
        5_000,
        wire::limits::MAX_FRAME,
        wire::limits::MAX_FRAME + 1,
    ] {
        let mut bytes = vec![0; length];
        rng.fill(&mut bytes);
        cast.say_bytes(cast.bob, cast.alice, bytes);
        cast.world.settle();
    }
    cast.talk_goes_on();
}

#[test]
fn a_member_cannot_speak_for_another() {
    let (mut cast, _) = cast(65);
    cast.world.down(cast.carol);
    let id = send(&mut cast.world, cast.alice, "tea", "for Carol");
    cast.world.pass(Duration::from_secs(20));
    let (bobs, alices) = (cast.author(cast.bob), cast.newest(cast.alice));
    let carol = cast.author(cast.carol).public();
    let entry = wire::CutEntry {
        author: alices.author,
        number: alices.number,
        id: header_id(&alices),
    };
    let core = cast.world.nodes[cast.two].config.node_key.public();
    let mut receipts = Vec::new();
    for (holder, kind) in [
        (carol, wire::ReceiptKind::Delivered),
        (core, wire::ReceiptKind::Held),
        (bobs.public(), wire::ReceiptKind::Held),
    ] {
        let mut receipt = wire::Receipt {
            topic: cast.topic,
            holder: bobs.public(),
            counter: u64::MAX >> 8,
            kind,
            cut: vec![entry],
            exceptions: vec![],
            until: if kind == wire::ReceiptKind::Held {
                entry.number + (1 << 42)
            } else {
                0
            },
            time: alices.created + 1,
        };
        let signed = wire::sign_receipt(receipt.clone(), &bobs).expect("it signs");
        let mut raw = signed.get().to_raw();
        receipt.holder = holder;
        raw.bytes = receipt.encode();
        receipts.push(raw);
    }
    for raw in receipts {
        let frame = cast.topic_frame(TopicFrame::Receipts {
            receipts: vec![raw],
        });
        cast.say_bytes(cast.bob, cast.alice, frame);
        cast.world.pass(Duration::from_secs(100));
    }
    match cast.world.ask(cast.alice, Command::Why { id: Some(id) }) {
        Reply::Why(why) => {
            assert_eq!((why.delivered, why.members), (1, 2), "{why:#?}");
            let held = why.states.iter().filter(|state| state.state == "held");
            for state in held {
                let cores = [cast.world.id(cast.one), cast.world.id(cast.two)];
                assert!(
                    cores.iter().any(|core| core.to_string() == state.by),
                    "{state:?}"
                );
                assert!(state.until.expect("a promise") < alices.created * 2);
            }
        }
        other => panic!("{other:?}"),
    }
}

/// A cut that claims what does not exist costs its claimer a link, and others nothing.
#[test]
fn false_cuts_are_not_believed_for_long() {
    let (mut cast, _) = cast(66);
    let alices = cast.newest(cast.alice);
    let mut rng = Rng::from_seed([66; 32]);
    for round in 0..12 {
        let mut entries = vec![wire::CutEntry {
            author: alices.author,
            number: alices.number + 1_000_000,
            id: identity::EnvelopeId::from_bytes(rng.array()),
        }];
        for _ in 0..300 {
            entries.push(wire::CutEntry {
                author: identity::PublicKey::from_bytes(rng.array()),
                number: 1 + rng.below(1 << 40),
                id: identity::EnvelopeId::from_bytes(rng.array()),
            });
        }
        entries.sort();
        let frame = TopicFrame::Cut {
            entries,
            first: true,
            last: true,
        };
        let frame = cast.topic_frame(frame);
        cast.say_bytes(cast.bob, cast.alice, frame);
        cast.world.pass(Duration::from_secs(1));
        let text = format!("meanwhile {round}");
        let id = send(&mut cast.world, cast.alice, "tea", &text);
        let reached = wait(
            &mut cast.world,
            cast.alice,
            &id,
            WaitFor::Delivered,
            Some(1),
        );
        assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
    }
    cast.world.pass(Duration::from_secs(700));
    for node in [cast.alice, cast.bob, cast.carol] {
        assert_eq!(texts(&mut cast.world, node, "tea").len(), 15);
        assert_eq!(info(&mut cast.world, node).members.len(), 3);
    }
}

/// Envelopes that a member signs and no rule admits.
#[test]
fn inadmissible_envelopes_are_not_stored() {
    let (mut cast, _) = cast(67);
    let key = cast.author(cast.bob);
    let alice = cast.author(cast.alice).public();
    let good = cast.next(cast.bob);
    let mut bad: Vec<(&str, wire::Header)> = Vec::new();
    let mut with = |what, change: &dyn Fn(&mut wire::Header)| {
        let mut header = good.clone();
        change(&mut header);
        bad.push((what, header));
    };
    with("a generation too high", &|header| header.generation += 5);
    with("a generation too low", &|header| header.generation = 1);
    with("an earlier time", &|header| header.created = 1);
    with("a life too long", &|header| {
        header.expires = header.created + (1 << 45)
    });
    with("over before it began", &|header| {
        header.expires = header.created.saturating_sub(1)
    });
    with("another grant", &|header| {
        header.grant = identity::GrantId::from_bytes([9; 32])
    });
    with("a past that does not exist", &|header| {
        header.deps = vec![identity::EnvelopeId::from_bytes([9; 32])];
    });
    with("another topic", &|header| {
        header.destination = TopicId::from_bytes([9; 32]).to_id();
    });
    let mut raws: Vec<(&str, wire::Raw)> = bad
        .into_iter()
        .map(|(what, header)| (what, sign_anything(header, &key, b"body")))
        .collect();
    let good = sign_anything(good, &key, b"body");
    let mut header = wire::decode_header(&good.header_bytes).expect("a good one");
    header.author = alice;
    raws.push((
        "another's name",
        wire::Raw {
            header_bytes: header.encode(),
            ..good.clone()
        },
    ));
    let mut header = wire::decode_header(&good.header_bytes).expect("a good one");
    header.body_len += 1;
    raws.push((
        "another length",
        wire::Raw {
            header_bytes: header.encode(),
            ..good.clone()
        },
    ));
    for (what, raw) in raws {
        let id = wire::Header::id_of(&raw.header_bytes);
        let frame = TopicFrame::Envelopes {
            envelopes: vec![raw],
            last: false,
        };
        let frame = cast.topic_frame(frame);
        cast.say_bytes(cast.bob, cast.alice, frame);
        cast.world.pass(Duration::from_secs(2));
        let stored =
            crate::witness::on_disk(cast.world.disk(cast.alice), &cast.topic, |lace, store| {
                lace.contains(store, &id)
            });
        assert_eq!(stored, Some(false), "{what}");
    }
    cast.talk_goes_on();
}

/// Someone without an invite makes itself a member, with whatever it can sign.
#[test]
fn nobody_lets_itself_in() {
    let (mut cast, _) = cast(68);
    let mut rng = Rng::from_seed([68; 32]);
    let template = cast.newest(cast.bob);
    let (device, author) = (SecretKey::generate(&mut rng), SecretKey::generate(&mut rng));
    let forged = SecretKey::generate(&mut rng);
    let sealing = identity::seal::hpke::derive_key_pair(&[7; 32]).1;
    let carrier = crate::witness::on_disk(cast.world.disk(cast.bob), &cast.topic, |lace, _| {
        let invite = lace.invites().next().expect("an invite");
        (invite.carrier, invite.key)
    });
    let (carrier, invite) = carrier.expect("the topic");
    let certificate = wire::Certificate::sign(cast.topic, &device, author.public(), 0);
    let mut claim = wire::Claim::sign(
        cast.topic,
        &forged,
        template.grant,
        device.public(),
        sealing,
        template.created,
    );
    let own = claim;
    claim.invite = invite;
    let mut false_certificate = certificate;
    false_certificate.device = cast.newest(cast.carol).author;
    use wire::Item;
    for items in [
        vec![Item::Certificate(certificate), Item::Claim(claim)],
        vec![Item::Certificate(certificate), Item::Claim(own)],
        vec![Item::Certificate(certificate)],
        vec![Item::Certificate(false_certificate), Item::Claim(own)],
        vec![Item::Leave],
    ] {
        let mut header = template.clone();
        header.author = author.public();
        header.number = 1;
        header.previous = *cast.topic.as_bytes();
        header.class = wire::Class::Control;
        header.expires = 0;
        header.count = u16::try_from(items.len()).expect("few");
        header.deps = vec![carrier];
        let body = wire::encode_items(&items);
        let raw = sign_anything(header, &author, &body);
        let frame = TopicFrame::Envelopes {
            envelopes: vec![raw],
            last: false,
        };
        let frame = cast.topic_frame(frame);
        for to in [cast.alice, cast.two] {
            cast.say_bytes(cast.bob, to, frame.clone());
            cast.world.pass(Duration::from_secs(2));
            let known = crate::witness::on_disk(cast.world.disk(to), &cast.topic, |lace, _| {
                lace.author(&author.public()).is_some()
            });
            assert_eq!(known, Some(false));
        }
    }
    cast.talk_goes_on();
}

/// A member signs two envelopes with one number and shows each to somebody else.
#[test]
fn a_member_that_forks_hurts_itself_alone() {
    let (mut cast, _) = cast(69);
    let key = cast.author(cast.bob);
    let next = cast.next(cast.bob);
    for branch in 0..20 {
        let mut header = next.clone();
        header.created += branch;
        let to = if branch % 2 == 0 {
            cast.alice
        } else {
            cast.carol
        };
        let frame = cast.envelope(&key, header, format!("branch {branch}").as_bytes());
        cast.say_bytes(cast.bob, to, frame);
        cast.world.settle();
    }
    cast.world.pass(Duration::from_secs(700));
    let id = send(&mut cast.world, cast.alice, "tea", "still here");
    wait(
        &mut cast.world,
        cast.alice,
        &id,
        WaitFor::Delivered,
        Some(1),
    );
    send(&mut cast.world, cast.carol, "tea", "so am I");
    send(&mut cast.world, cast.bob, "tea", "sorry");
    cast.world.pass(Duration::from_secs(60));
    for node in [cast.alice, cast.carol] {
        let seen = texts(&mut cast.world, node, "tea");
        for text in ["one", "two", "three", "still here", "so am I", "sorry"] {
            assert_eq!(
                seen.iter().filter(|seen| *seen == text).count(),
                1,
                "{text}: {seen:?}"
            );
        }
        let info = info(&mut cast.world, node);
        assert_eq!((info.forked.len(), info.members.len()), (1, 3));
    }
}

/// What only a client may ask of a core node, asked by a guest; and a client's lists of cores with
/// tickets that are not for it.
#[test]
fn a_core_node_obeys_its_clients_alone() {
    let (mut cast, said) = cast(70);
    let before = cast.world.disk(cast.one).clone();
    let mine: Vec<Vec<u8>> = said
        .iter()
        .filter(|(from, to, _)| (*from, *to) == (cast.alice, cast.one))
        .map(|(_, _, bytes)| bytes.clone())
        .filter(|bytes| (13..=20).contains(&Frame::decode(bytes).expect("honest").kind()))
        .collect();
    assert!(mine.len() >= 4, "claims, services, boxes, peers");
    for bytes in mine {
        cast.say_bytes(cast.carol, cast.one, bytes);
        cast.world.settle();
    }
    cast.say(
        cast.carol,
        cast.one,
        &Frame::CoreUnserve { topic: cast.topic },
    );
    let other = TopicId::from_bytes([9; 32]);
    let secret = identity::Secret::from_bytes([9; 32]);
    let serve = Frame::CoreServe {
        topic: other,
        genesis: vec![0xa0],
        secret,
        share: u64::MAX,
    };
    cast.say(cast.carol, cast.one, &serve);
    cast.world.pass(Duration::from_secs(1));
    assert_same_disk(
        &cast.world,
        cast.one,
        &before,
        "a guest that plays the client",
    );
    let Reply::CoreClients(clients) = cast.world.ask(cast.one, Command::CoreClients) else {
        panic!("no list");
    };
    assert_eq!(clients.len(), 1);

    let device = cast.world.nodes[cast.carol]
        .config
        .device
        .joiner_key(cast.topic);
    let now = cast.world.wall();
    let until = machine::WallTime::from_millis(now.as_millis() + 1_000_000_000);
    for core in [cast.one, cast.two] {
        let ticket = rights::issue_ticket(&device, cast.topic, cast.world.id(core), now, until);
        let peers = vec![wire::frame::CorePeer {
            node: cast.world.id(cast.carol),
            uri: format!("quic://{}", cast.world.address(cast.carol)),
            ticket,
        }];
        cast.say(
            cast.carol,
            cast.one,
            &Frame::CorePeers {
                topic: cast.topic,
                peers: peers.clone(),
            },
        );
        cast.world.settle();
        assert_same_disk(&cast.world, cast.one, &before, "a guest's list of cores");
        // A foreign ticket in a client's own list is left out.
        let frame = Frame::CorePeers {
            topic: other,
            peers,
        };
        cast.say(cast.alice, cast.one, &frame);
        cast.world.settle();
    }
    cast.talk_goes_on();
}

/// Questions for boxes: four a minute, the rest waits; a miss looks like a hit.
#[test]
fn whoever_guesses_at_boxes_learns_nothing() {
    let (mut cast, _) = cast(71);
    let world = &mut cast.world;
    let mut rng = Rng::from_seed([71; 32]);
    let liar = world.add_liar("Liar");
    for node in [cast.alice, cast.one] {
        let before = world.disk(node).clone();
        let link = world.connect(liar, Some(1), node);
        world.inject(link, hello(world).encode());
        for _ in 0..1_000 {
            world.inject(link, Frame::InviteGet { loc: rng.array() }.encode());
        }
        world.pass(Duration::from_secs(5));
        let boxes: Vec<Frame> = heard(world, liar, link)
            .into_iter()
            .filter(|frame| matches!(frame, Frame::InviteBox { .. }))
            .collect();
        assert!((1..=4).contains(&boxes.len()), "{} boxes", boxes.len());
        world.inject(link, vec![0; 300 * 1024]);
        world.pass(Duration::from_secs(130));
        assert_eq!(
            world.link(liar, node),
            None,
            "nobody takes up an invite for two minutes"
        );
        assert_same_disk(world, node, &before, "guesses at boxes");
    }
    cast.talk_goes_on();
}

/// A guest that fills its part of a client's quota: the client's own messages are still held.
#[test]
fn a_guest_cannot_use_up_what_its_host_needs() {
    let mut world = World::new(72);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    let Reply::CoreInvited { link, .. } = world.ask(
        core,
        Command::CoreInvite {
            quota: 4 << 20,
            uses: 1,
        },
    ) else {
        panic!("no invite");
    };
    assert!(matches!(
        world.ask(alice, Command::CoreUse { link }),
        Reply::CoreUsed { .. }
    ));
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(2));
    world.down(alice);
    let mut last = String::new();
    for number in 0..120 {
        last = send(
            &mut world,
            bob,
            "tea",
            &format!("{number} {}", "x".repeat(50_000)),
        );
        world.pass(Duration::from_secs(1));
    }
    let command = Command::Wait {
        id: last,
        state: WaitFor::Held,
        of: None,
        timeout_ms: 5_000,
    };
    assert!(
        matches!(world.ask(bob, command), Reply::Failed(_)),
        "there is an end to it"
    );
    let Reply::CoreClients(clients) = world.ask(core, Command::CoreClients) else {
        panic!("no list");
    };
    assert!(
        clients[0].used <= 2 << 20,
        "guests use half at most: {clients:?}"
    );
    world.cut_off(alice, bob);
    world.up(alice);
    world.pass(Duration::from_secs(30));
    let id = send(&mut world, alice, "tea", "I am the client");
    let held = wait(&mut world, alice, &id, WaitFor::Held, None);
    assert_eq!(
        held,
        Reply::Reached {
            state: WaitFor::Held,
            count: 1,
            of: 1
        }
    );
    world.cut.clear();
    world.pass(Duration::from_secs(700));
    assert_eq!(
        texts(&mut world, alice, "tea").len(),
        121,
        "and nothing is lost"
    );
    assert_eq!(texts(&mut world, bob, "tea").len(), 121);
}
