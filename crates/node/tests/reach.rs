//! `reach = core`: a member that is dialled by nobody but its core nodes, and of which nobody learns where it is.
//! A watcher looks at everything that leaves every node and at everything that every other node stores, opened with
//! all keys that members have.

mod attacks;

use crate::files::{bytes, files, get, is_held, share};
use crate::giving::grant;
use crate::mailed::{advert_of, mail, mails};
use crate::paired::{device, device_join, device_link, failure};
use crate::restored::info;
use crate::story::{found, invite, join, send, texts, use_core, wait};
use crate::world::World;
use machine::MemoryBase;
use node::command::devices::DeviceCommand;
use node::command::files::FilesReply;
use node::command::{Code, Command, Reply, Right, WaitFor};
use node::{Input, Reach};
use rights::{Access, Epoch, InviteSeed, ItemSubject, KeyRing, OpenCache, OpenedItem, Subject};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;
use wire::{Class, Frame, Item, JoinLink, TopicFrame};

const CORE: usize = 0;
const ALICE: usize = 1;
const BOB: usize = 2;
const CAROL: usize = 3;

/// What of Alice nobody may learn: where she says that she is, where she listens, and from where she is seen to dial.
const WHERE: [&str; 5] = [
    "alice.hidden.example",
    "10.0.0.1:",
    "10.77.66.55",
    ":47831",
    ":50123",
];
/// The same as links for people have it.
const BINARY: [&[u8]; 3] = [
    &[0xff, 0xff, 10, 77, 66, 55],
    &[0xff, 0xff, 10, 0, 0, 1],
    &[10, 77, 66, 55, 0xba, 0xd7],
];

/// Every frame that has left a node: from, to, bytes.
type Said = Rc<RefCell<Vec<(usize, usize, Vec<u8>)>>>;

/// What of Alice stands in these bytes.
fn traces(bytes: &[u8]) -> Vec<String> {
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|some| some == needle);
    let texts = WHERE.iter().filter(|text| has(text.as_bytes()));
    let binary = BINARY.iter().filter(|binary| has(binary));
    let texts = texts.map(|text| (*text).to_owned());
    texts.chain(binary.map(|it| format!("{it:?}"))).collect()
}

/// A core node and three people, of whom Alice is within reach of hers alone.
fn garden(seed: u8, reach: Reach) -> (World, Said) {
    let mut world = World::new(seed);
    let said: Said = Rc::default();
    let tap = Rc::clone(&said);
    world.tamper = Some(Box::new(move |from, to, bytes| {
        tap.borrow_mut().push((from, to, bytes.clone()));
        vec![bytes]
    }));
    world.add("core", true);
    world.add_down("Alice", false);
    world.nodes[ALICE].config.public = vec!["alice.hidden.example:47831".to_owned()];
    world.hosts.insert(ALICE, "10.77.66.55:50123".to_owned());
    starts(&mut world, reach);
    world.add("Bob", false);
    world.add("Carol", false);
    for client in [ALICE, BOB] {
        use_core(&mut world, client, CORE);
    }
    (world, said)
}

/// Alice's node starts, and finds where it could be reached.
fn starts(world: &mut World, reach: Reach) {
    if world.is_up(ALICE) {
        world.down(ALICE);
    }
    world.nodes[ALICE].config.reach = reach;
    world.up(ALICE);
    let addresses = vec!["10.0.0.1:4433".to_owned(), "10.77.66.55:47831".to_owned()];
    world.input(ALICE, Input::Listening { addresses });
    world.pass(Duration::from_secs(5));
}

/// The keys that a member has of the topic `tea`, from its disk.
fn ring(world: &World, of: usize) -> KeyRing {
    let topic = topic(world);
    let disk = world.disk(of);
    let (genesis, epochs) = crate::witness::on_disk(disk, &topic, |lace, store| {
        let mut epochs = Vec::new();
        for place in lace.order(store, 0, 100_000) {
            for item in items(&lace.envelope(store, &place.id).expect("it is here")) {
                if let Item::Epoch(next) = item {
                    epochs.push(Epoch::from_next(&next).expect("it was taken"));
                }
            }
        }
        (lace.genesis().clone(), epochs)
    })
    .expect("the topic");
    let mut ring = KeyRing::new(topic, &genesis).expect("a good genesis");
    for (generation, epoch) in (1..).zip(epochs) {
        ring.add(epoch, generation, &[]);
    }
    let vault = world.nodes[of].config.device.vault();
    for (table, key, row) in disk.rows() {
        // `e` ‖ topic ‖ epoch.
        if table == node::rows::VAULT.id() && key.first() == Some(&b'e') && key.len() == 37 {
            let name = [b"vault ".as_slice(), key].concat();
            let access = Access::from_bytes(&vault.open(&name, row).expect("its own vault"));
            let epoch = identity::EpochId::from_bytes(key[5..].try_into().expect("32 bytes"));
            ring.restore(epoch, access.expect("its own secret"));
        }
    }
    ring
}

fn items(held: &lace::Held) -> Vec<Item> {
    match &held.body {
        lace::Body::Here(body) if held.envelope.header.class == Class::Control => {
            wire::decode_items(body).expect("it was taken")
        }
        _ => Vec::new(),
    }
}

fn topic(world: &World) -> identity::TopicId {
    let disk = world.disk(BOB);
    let topics: Vec<_> = machine::test::World::over(disk.clone(), 0).turn(|cx| {
        let laces = (1..16).filter_map(|local| lace::Lace::open(&mut cx.store, local));
        laces.map(|lace| lace.id()).collect()
    });
    topics[0]
}

/// What is sealed in the envelopes on a disk, opened: profiles, lists of core nodes, messages. How many of each.
fn opened(disk: &MemoryBase, ring: &KeyRing) -> (Vec<Vec<u8>>, [usize; 3]) {
    let (mut plain, mut counts) = (Vec::new(), [0; 3]);
    let mut cache = OpenCache::new();
    let envelopes = crate::witness::on_disk(disk, &ring.topic(), |lace, store| {
        let order = lace.order(store, 0, 100_000).into_iter();
        order
            .filter_map(|place| lace.envelope(store, &place.id))
            .collect::<Vec<_>>()
    });
    for held in envelopes.expect("the topic") {
        let header = &held.envelope.header;
        let of = |kind| ItemSubject {
            topic: ring.topic(),
            author: header.author,
            created: header.created,
            kind,
        };
        for item in items(&held) {
            let (at, opened) = match &item {
                Item::Profile(it) => (
                    0,
                    rights::open_item_to_readers(&mut cache, ring, &of(5), it),
                ),
                Item::Cores(it) => (1, rights::open_item_to_members(ring, &of(6), it)),
                _ => continue,
            };
            let OpenedItem::Plain(it) = opened else {
                panic!("a member opens everything: {item:?}");
            };
            counts[at] += 1;
            plain.push(it);
        }
        if let (Class::Content, lace::Body::Here(body)) = (header.class, &held.body) {
            let subject = Subject::of(header).expect("of a topic");
            let rights::Opened::Messages(messages) = rights::open(&mut cache, ring, &subject, body)
            else {
                panic!("a member opens everything");
            };
            counts[2] += messages.len();
            plain.extend(messages.into_iter().map(|message| message.bytes));
        }
    }
    (plain, counts)
}

/// What was in the boxes of an invite that were sent or put anywhere.
fn boxes(said: &Said, link: &str) -> Vec<Vec<u8>> {
    let link: JoinLink = link.parse().expect("a link");
    let seed = InviteSeed::from_bytes(link.seed);
    let said = said.borrow();
    let sealed = said
        .iter()
        .filter_map(|(_, _, bytes)| match Frame::decode(bytes) {
            Ok(Frame::InviteBox { sealed, .. } | Frame::BoxPut { sealed, .. }) => Some(sealed),
            Ok(Frame::Topic {
                frame: TopicFrame::Box(held),
                ..
            }) => Some(held.sealed),
            _ => None,
        });
    let found = sealed.filter_map(|sealed| seed.open_box(&sealed).ok());
    let text = |it: rights::Invitation| format!("{:?} {} {}", it.cores, it.inviter, it.title);
    found.map(text).map(String::into_bytes).collect()
}

/// Whatever of Alice stands anywhere but with her: in what was said by anybody from this frame on, in what the others
/// store, in what was sealed, and in what the others are told when they ask.
fn found_anywhere(world: &mut World, said: &Said, from: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut look = |what: &str, bytes: &[u8]| {
        found.extend(
            traces(bytes)
                .into_iter()
                .map(|trace| format!("{trace} in {what}")),
        );
    };
    for (from, to, bytes) in said.borrow().iter().skip(from) {
        look(&format!("a frame from {from} to {to}"), bytes);
    }
    let keys = ring(world, BOB);
    for other in [CORE, BOB, CAROL] {
        for (table, key, value) in world.disk(other).rows() {
            look(&format!("table {table} of {other}"), key);
            look(&format!("table {table} of {other}"), value);
        }
        for (_, content) in world.nodes[other].outside.contents.iter() {
            look(&format!("a content of {other}"), content);
        }
    }
    for plain in opened(world.disk(BOB), &keys).0 {
        look("what was sealed", &plain);
    }
    for (other, command) in [
        (ALICE, Command::Identity),
        (BOB, Command::Peers),
        (BOB, Command::CoreList),
        (BOB, Command::Status),
    ] {
        look(
            &format!("{command:?} of {other}"),
            format!("{:?}", world.ask(other, command)).as_bytes(),
        );
    }
    for other in [ALICE, BOB] {
        look("topic info", format!("{:?}", info(world, other)).as_bytes());
    }
    found
}

/// Alice lets Bob in, so that he may let others in; gives her link.
fn lets_bob_in(world: &mut World) -> String {
    let link = invite(world, ALICE, "tea", 1);
    join(world, BOB, &link);
    world.pass(Duration::from_secs(10));
    let rights = [Right::Publish, Right::Read, Right::Admit];
    let granted = grant(world, ALICE, "Bob", &rights);
    assert!(!matches!(granted, Reply::Failed(_)), "{granted:?}");
    world.pass(Duration::from_secs(10));
    link
}

fn delivers(world: &mut World, node: usize, id: &str) {
    let reply = wait(world, node, id, WaitFor::Delivered, None);
    assert!(matches!(reply, Reply::Reached { .. }), "{reply:?}");
}

/// Alice never has a link with anybody but her core node, and tries to have none.
fn is_alone_with_core(world: &World) {
    let far = world.links().into_iter();
    let far = far.filter(|(_, near, _)| *near == ALICE);
    assert!(far.clone().all(|(_, _, far)| far == CORE));
    let core = world.id(CORE);
    let dials = world.dials.iter().filter(|(from, ..)| *from == ALICE);
    for (_, whom, at) in dials {
        assert!(*whom == core && at == "10.0.0.0:4433", "{whom} at {at}");
    }
    let her = world.id(ALICE);
    let to_her = world.dials.iter().find(|(_, whom, _)| *whom == her);
    assert_eq!(to_her, None, "nobody tries to dial her");
}

/// What people do in a topic: all of it comes through the core node. Gives the links that were made.
fn story(world: &mut World, said: &Said) -> Vec<String> {
    found(world, ALICE, "tea");
    world.pass(Duration::from_secs(2));
    let hers = lets_bob_in(world);
    for (from, to, text) in [(ALICE, BOB, "one"), (BOB, ALICE, "two")] {
        let id = send(world, from, "tea", text);
        delivers(world, from, &id);
        let id = mail(world, from, to, text);
        delivers(world, from, &id);
        assert_eq!(mails(world, to), [text]);
    }
    let id = share(world, ALICE, bytes(100_000), None);
    is_held(world, ALICE, &id);
    let got = get(world, BOB, &id, Duration::from_secs(50));
    assert!(
        matches!(got, Reply::Files(FilesReply::Got { .. })),
        "{got:?}"
    );
    let id = share(world, BOB, bytes(200_000), None);
    is_held(world, BOB, &id);
    world.pass(Duration::from_secs(5));
    assert_eq!(files(world, ALICE).len(), 2);
    let got = get(world, ALICE, &id, Duration::from_secs(50));
    assert!(
        matches!(got, Reply::Files(FilesReply::Got { .. })),
        "{got:?}"
    );
    // By whose link somebody comes makes no difference.
    let his = invite(world, BOB, "tea", 1);
    join(world, CAROL, &his);
    world.pass(Duration::from_secs(10));
    let id = send(world, CAROL, "tea", "three");
    delivers(world, CAROL, &id);
    assert_eq!(texts(world, ALICE, "tea"), ["one", "two", "three"]);
    let id = mail(world, CAROL, ALICE, "by way of her core node");
    delivers(world, CAROL, &id);
    // Her name and her sealing key are told anew.
    let name = "Alice Liddell".to_owned();
    assert_eq!(world.ask(ALICE, Command::SetName { name }), Reply::Done);
    world.pass(Duration::from_secs(8 * 24 * 3600));
    assert!(!boxes(said, &hers).is_empty() && !boxes(said, &his).is_empty());
    vec![hers, his]
}

#[test]
fn nothing_that_leaves_her_says_where_she_is() {
    let (mut world, said) = garden(81, Reach::Core);
    let links = story(&mut world, &said);
    starts(&mut world, Reach::Core);
    is_alone_with_core(&world);
    assert!(world.dials.iter().any(|(from, ..)| *from == ALICE));
    for link in &links {
        let at = link.parse::<JoinLink>().expect("a link").at;
        assert!(at.iter().all(|at| at.node != world.id(ALICE)), "{at:?}");
        for contents in boxes(&said, link) {
            assert_eq!(traces(&contents), Vec::<String>::new());
        }
    }
    assert_eq!(found_anywhere(&mut world, &said, 0), BTreeSet::new());
    // The watcher has not looked at nothing: it can read what members can, and finds it all as soon as it is there.
    let keys = ring(&world, BOB);
    let (_, counts) = opened(world.disk(BOB), &keys);
    assert!(
        counts[0] >= 4 && counts[1] >= 2 && counts[2] == 5,
        "{counts:?}"
    );
    let advert = advert_of(&world, BOB, ALICE).expect("she has told");
    assert!(advert.addresses.is_empty() && advert.cores.len() == 1);
    let from = said.borrow().len();
    starts(&mut world, Reach::Any);
    world.pass(Duration::from_secs(30));
    let found = found_anywhere(&mut world, &said, from);
    for needle in &WHERE[..4] {
        for place in ["what was sealed", "a frame from 1 to", "of 2"] {
            let is = |text: &&String| text.starts_with(needle) && text.contains(place);
            assert!(
                found.iter().any(|text| is(&text)),
                "{needle} {place}: {found:?}"
            );
        }
    }
    let link = invite(&mut world, ALICE, "tea", 1);
    let at = link.parse::<JoinLink>().expect("a link").at;
    assert!(at.iter().any(|at| at.node == world.id(ALICE)));
}

#[test]
fn who_knew_where_she_was_is_told_that_it_counts_no_more() {
    let (mut world, said) = garden(82, Reach::Any);
    // What was found and not configured is no news where a core node holds the topic, but that it counts no more is.
    world.nodes[ALICE].config.public.clear();
    starts(&mut world, Reach::Any);
    found(&mut world, ALICE, "tea");
    world.pass(Duration::from_secs(2));
    lets_bob_in(&mut world);
    world.pass(Duration::from_secs(60));
    assert!(world.link(ALICE, BOB).is_some(), "they are linked");
    assert!(
        !advert_of(&world, BOB, ALICE)
            .expect("told")
            .addresses
            .is_empty()
    );
    starts(&mut world, Reach::Core);
    world.pass(Duration::from_secs(60));
    let (from, dials) = (said.borrow().len(), world.dials.len());
    // His invites do not lead to her any more, though hers led him there.
    let his = invite(&mut world, BOB, "tea", 1);
    join(&mut world, CAROL, &his);
    for contents in boxes(&said, &his) {
        assert_eq!(traces(&contents), Vec::<String>::new());
    }
    world.down(BOB);
    world.up(BOB);
    let id = mail(&mut world, BOB, ALICE, "still there?");
    delivers(&mut world, BOB, &id);
    world.pass(Duration::from_secs(24 * 3600));
    world.dials.drain(..dials);
    is_alone_with_core(&world);
    for other in [CORE, BOB, CAROL] {
        let advert = advert_of(&world, other, ALICE).expect("told");
        assert!(advert.addresses.is_empty(), "{advert:?}");
    }
    let frames = said.borrow().iter().skip(from).cloned().collect::<Vec<_>>();
    for (by, to, bytes) in frames {
        assert_eq!(traces(&bytes), Vec::<String>::new(), "from {by} to {to}");
    }
}

#[test]
fn devices_are_not_linked_with_one_another() {
    let (mut world, _) = garden(83, Reach::Core);
    let refused = failure(device(&mut world, ALICE, DeviceCommand::Invite));
    assert_eq!(refused.code, Code::Refused);
    let link = device_link(&mut world, BOB);
    let refused = failure(device_join(&mut world, ALICE, &link));
    assert_eq!(refused.code, Code::Refused);
    is_alone_with_core(&world);
    // Those that she had before are not dialled any more, and have the topic through the core node.
    starts(&mut world, Reach::Any);
    found(&mut world, ALICE, "tea");
    let link = device_link(&mut world, ALICE);
    let joined = device_join(&mut world, CAROL, &link);
    assert!(matches!(joined, Reply::Device(_)), "{joined:?}");
    world.pass(Duration::from_secs(30));
    starts(&mut world, Reach::Core);
    world.pass(Duration::from_secs(30));
    let dials = world.dials.len();
    for (from, to) in [(ALICE, CAROL), (CAROL, ALICE)] {
        let text = format!("from {from}");
        send(&mut world, from, "tea", &text);
        world.pass(Duration::from_secs(120));
        assert!(texts(&mut world, to, "tea").contains(&text));
    }
    world.pass(Duration::from_secs(24 * 3600));
    world.dials.drain(..dials);
    is_alone_with_core(&world);
}
