//! One person with several devices.

use crate::giving::grant;
use crate::owners::three_own;
use crate::story::{found, invite, join, send, texts, wait};
use crate::world::World;
use node::command::devices::{DeviceCommand, DeviceReply, DeviceRow};
use node::command::{Code, Command, Failure, Member, Reply, Right, WaitFor};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const TEA: &str = "tea";

pub(crate) fn device(world: &mut World, node: usize, command: DeviceCommand) -> Reply {
    world.ask(node, Command::Device(command))
}

pub(crate) fn device_link(world: &mut World, node: usize) -> String {
    match device(world, node, DeviceCommand::Invite) {
        Reply::Device(DeviceReply::Invited { link, .. }) => link,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn device_join(world: &mut World, node: usize, link: &str) -> Reply {
    let command = DeviceCommand::Join {
        link: link.to_owned(),
        timeout_ms: 30_000,
    };
    device(world, node, command)
}

/// Makes a node another device of whoever is on the first; says how many topics it was given.
pub(crate) fn pair(world: &mut World, first: usize, second: usize) -> u32 {
    let link = device_link(world, first);
    match device_join(world, second, &link) {
        Reply::Device(DeviceReply::Joined { topics, .. }) => topics,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn remove(world: &mut World, node: usize, name: &str) -> Reply {
    let command = DeviceCommand::Remove {
        device: name.to_owned(),
        topic: None,
    };
    device(world, node, command)
}

pub(crate) fn list(world: &mut World, node: usize) -> Vec<DeviceRow> {
    match device(world, node, DeviceCommand::List) {
        Reply::Device(DeviceReply::List(rows)) => rows,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn failure(reply: Reply) -> Failure {
    match reply {
        Reply::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn members(world: &mut World, node: usize, topic: &str) -> Vec<Member> {
    let topic = topic.to_owned();
    match world.ask(node, Command::Members { topic }) {
        Reply::Members(members) => members,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn seated(members: &[Member]) -> Vec<usize> {
    let seats = |member: &Member| member.devices.iter().filter(|it| it.seated).count();
    members.iter().map(seats).collect()
}

fn delivered(world: &mut World, node: usize, text: &str, of: u32) {
    let id = send(world, node, TEA, text);
    let reached = wait(world, node, &id, WaitFor::Delivered, None);
    let state = WaitFor::Delivered;
    let count = of;
    assert_eq!(reached, Reply::Reached { state, count, of }, "{text}");
}

/// Alice has founded a topic, in which Bob takes part, and has a laptop beside her phone.
fn alice_has_two(seed: u8) -> (World, [usize; 3]) {
    let mut world = World::new(seed);
    let [phone, bob] = ["Phone", "Bob"].map(|name| world.add(name, false));
    found(&mut world, phone, TEA);
    let link = invite(&mut world, phone, TEA, 1);
    join(&mut world, bob, &link);
    send(&mut world, phone, TEA, "before");
    world.pass(Duration::from_secs(5));
    let laptop = world.add("Laptop", false);
    assert_eq!(pair(&mut world, phone, laptop), 1);
    world.pass(Duration::from_secs(30));
    (world, [phone, laptop, bob])
}

#[test]
fn a_second_device_is_the_same_member() {
    let (mut world, [phone, laptop, bob]) = alice_has_two(91);
    for node in [phone, laptop, bob] {
        let members = members(&mut world, node, TEA);
        assert_eq!(seated(&members), [2, 1], "{members:?}");
    }
    // It reads what was written before it came, and is read.
    assert_eq!(texts(&mut world, laptop, TEA), ["before"]);
    // Each counts once, however many devices it has.
    delivered(&mut world, laptop, "from the laptop", 1);
    delivered(&mut world, phone, "from the phone", 1);
    delivered(&mut world, bob, "hello, both of you", 1);
    world.pass(Duration::from_secs(5));
    for node in [phone, laptop, bob] {
        assert_eq!(texts(&mut world, node, TEA).len(), 4);
    }
}

#[test]
fn topics_that_one_device_joins_later_come_to_the_other() {
    let (mut world, [phone, laptop, bob]) = alice_has_two(92);
    found(&mut world, laptop, "later");
    world.pass(Duration::from_secs(10));
    let id = send(&mut world, phone, "later", "here too");
    wait(&mut world, phone, &id, WaitFor::Stored, None);
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, laptop, "later"), ["here too"]);
    // Also on a later link, and after both were down.
    world.down(phone);
    found(&mut world, laptop, "third");
    world.down(laptop);
    world.up(phone);
    world.up(laptop);
    world.pass(Duration::from_secs(60));
    send(&mut world, phone, "third", "and here");
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, laptop, "third"), ["and here"]);
    assert_eq!(members(&mut world, bob, TEA).len(), 2);
    let rows = list(&mut world, phone);
    let names: Vec<(&str, bool, usize)> = rows
        .iter()
        .map(|row| (row.name.as_str(), row.own, row.topics.len()))
        .collect();
    assert_eq!(names, [("Phone", true, 3), ("Laptop", false, 3)]);
    assert!(rows.iter().all(|row| row.topics.iter().all(|it| it.seated)));
    assert!(rows[1].linked && rows[1].since.is_some() && rows[1].seen.is_some());
}

#[test]
fn a_device_that_was_removed_neither_writes_nor_reads_nor_comes_back() {
    let (mut world, [phone, laptop, bob]) = alice_has_two(93);
    delivered(&mut world, laptop, "still mine", 1);
    let Reply::Device(DeviceReply::Removed { topics, failed, .. }) =
        remove(&mut world, phone, "Laptop")
    else {
        panic!("not removed");
    };
    assert_eq!((topics, failed), (vec![TEA.to_owned()], Vec::new()));
    world.pass(Duration::from_secs(30));
    // What it wrote stands; it is given no more, and what it writes nobody takes.
    delivered(&mut world, phone, "between us", 1);
    let refused = world.ask(
        laptop,
        Command::Send {
            to: TEA.to_owned(),
            messages: vec![b"from a thief".to_vec()],
            expires: None,
            best_effort: false,
        },
    );
    failure(refused);
    world.pass(Duration::from_secs(60));
    for node in [phone, bob] {
        let texts = texts(&mut world, node, TEA);
        assert_eq!(texts, ["before", "still mine", "between us"]);
        assert_eq!(seated(&members(&mut world, node, TEA)), [1, 1]);
    }
    let known = texts(&mut world, laptop, TEA);
    assert!(!known.contains(&"between us".to_owned()), "{known:?}");
    // The two do not know one another any more, on new links too.
    found(&mut world, phone, "new");
    world.down(laptop);
    world.up(laptop);
    world.pass(Duration::from_secs(60));
    let command = Command::TopicInfo {
        topic: "new".to_owned(),
    };
    failure(world.ask(laptop, command));
    let rows = list(&mut world, phone);
    let laptop = rows.iter().find(|row| row.name == "Laptop").unwrap();
    assert!(
        laptop.topics.iter().all(|topic| !topic.seated),
        "{laptop:?}"
    );
    assert_eq!(laptop.since, None);
}

/// Lets two groups hear nothing of one another.
pub(crate) fn part(world: &mut World, one: &[usize], other: &[usize]) {
    for a in one {
        for b in other {
            world.cut_off(*a, *b);
        }
    }
}

pub(crate) fn removed(world: &mut World, node: usize, name: &str) {
    let reply = remove(world, node, name);
    let Reply::Device(DeviceReply::Removed { topics, failed, .. }) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!((topics.len(), failed), (1, Vec::new()));
}

/// Which of these may act for their members, by what a node knows.
pub(crate) fn stand(world: &mut World, node: usize, names: &[&str]) -> Vec<bool> {
    let members = members(world, node, TEA);
    let devices = members.iter().flat_map(|member| &member.devices);
    let devices: Vec<(&str, bool)> = devices.map(|it| (it.name.as_str(), it.seated)).collect();
    let seated = |name: &&str| devices.iter().any(|it| it.0 == *name && it.1);
    names.iter().map(seated).collect()
}

#[test]
fn two_devices_that_remove_one_another() {
    let (mut world, [phone, laptop, bob]) = alice_has_two(95);
    let link = invite(&mut world, phone, TEA, 1);
    let cleo = world.add("Cleo", false);
    join(&mut world, cleo, &link);
    world.pass(Duration::from_secs(20));
    send(&mut world, laptop, TEA, "mine so far");
    world.pass(Duration::from_secs(5));
    // The thief of the laptop removes the phone, and Bob hears it; the phone removes the laptop, and Cleo
    // hears that.
    part(&mut world, &[laptop, bob], &[phone, cleo]);
    removed(&mut world, laptop, "Phone");
    send(&mut world, bob, TEA, "what is going on?");
    world.pass(Duration::from_secs(30));
    removed(&mut world, phone, "Laptop");
    send(&mut world, phone, TEA, "it was stolen");
    world.pass(Duration::from_secs(30));
    assert_eq!(stand(&mut world, bob, &["Phone", "Laptop"]), [false, true]);
    assert_eq!(stand(&mut world, cleo, &["Phone", "Laptop"]), [true, false]);
    world.cut.clear();
    world.pass(Duration::from_secs(300));
    // The phone was there first. Nothing that was written before falls, and nothing of others'.
    for node in [phone, bob, cleo] {
        assert_eq!(stand(&mut world, node, &["Phone", "Laptop"]), [true, false]);
        let texts = texts(&mut world, node, TEA);
        for text in [
            "before",
            "mine so far",
            "what is going on?",
            "it was stolen",
        ] {
            assert!(texts.contains(&text.to_owned()), "{text}: {texts:?}");
        }
    }
    let rows = list(&mut world, phone);
    assert_eq!(rows[0].topics[0].ties.len(), 1, "{rows:?}");
}

/// Alice has a phone, a tablet and a laptop; the laptop was seated by the tablet, or by the phone, and the
/// tablet and the laptop know one another.
pub(crate) fn alice_has_three(seed: u8, by_phone: bool) -> (World, [usize; 3]) {
    let mut world = World::new(seed);
    let [phone, tablet, laptop] = ["Phone", "Tablet", "Laptop"].map(|name| world.add(name, false));
    found(&mut world, phone, TEA);
    assert_eq!(pair(&mut world, phone, tablet), 1);
    world.pass(Duration::from_secs(30));
    if by_phone {
        assert_eq!(pair(&mut world, phone, laptop), 1);
        world.pass(Duration::from_secs(30));
        assert_eq!(pair(&mut world, tablet, laptop), 0);
    } else {
        assert_eq!(pair(&mut world, tablet, laptop), 1);
    }
    world.pass(Duration::from_secs(30));
    assert_eq!(seated(&members(&mut world, tablet, TEA)), [3]);
    (world, [phone, tablet, laptop])
}

/// What one node says to another of devices from now on.
fn said_to(world: &mut World, from: usize, to: usize) -> Rc<RefCell<usize>> {
    let said = Rc::new(RefCell::new(0));
    let into = Rc::clone(&said);
    world.tamper = Some(Box::new(move |by, at, bytes| {
        let is_pair = matches!(wire::Frame::decode(&bytes), Ok(wire::Frame::Pair { .. }));
        if (by, at) == (from, to) && is_pair {
            *into.borrow_mut() += 1;
        }
        vec![bytes]
    }));
    said
}

fn lacks(world: &mut World, node: usize, topic: &str) {
    let topic = topic.to_owned();
    failure(world.ask(node, Command::TopicInfo { topic }));
}

#[test]
fn a_device_that_one_removes_is_forgotten_by_all_others() {
    for (seed, by_phone) in [(81, false), (82, true)] {
        let (mut world, [phone, tablet, laptop]) = alice_has_three(seed, by_phone);
        removed(&mut world, phone, "Laptop");
        world.pass(Duration::from_secs(30));
        let said = said_to(&mut world, tablet, laptop);
        // What begins later does not come to it, on the link that stands and on new ones.
        found(&mut world, tablet, "new");
        world.pass(Duration::from_secs(60));
        lacks(&mut world, laptop, "new");
        world.down(laptop);
        world.up(laptop);
        world.pass(Duration::from_secs(60));
        world.down(tablet);
        world.up(tablet);
        found(&mut world, tablet, "third");
        world.pass(Duration::from_secs(120));
        for topic in ["new", "third"] {
            lacks(&mut world, laptop, topic);
            assert_eq!(seated(&members(&mut world, tablet, topic)), [2]);
        }
        send(&mut world, tablet, TEA, "between us");
        world.pass(Duration::from_secs(30));
        assert_eq!(texts(&mut world, phone, TEA), ["between us"]);
        assert!(texts(&mut world, laptop, TEA).is_empty());
        assert_eq!(*said.borrow(), 0, "by the phone: {by_phone}");
        for node in [phone, tablet] {
            assert_eq!(seated(&members(&mut world, node, TEA)), [2]);
            let rows = list(&mut world, node);
            let row = rows.iter().find(|row| row.name == "Laptop").expect("a row");
            assert_eq!(row.since, None, "{row:?}");
            // The two others go on.
            assert_eq!(rows.iter().filter(|row| row.since.is_some()).count(), 1);
        }
    }
}

#[test]
fn a_device_removed_from_one_topic_alone_is_not_seated_there_again() {
    let (mut world, [phone, laptop, _]) = alice_has_two(83);
    let command = DeviceCommand::Remove {
        device: "Laptop".to_owned(),
        topic: Some(TEA.to_owned()),
    };
    let reply = device(&mut world, phone, command);
    assert!(matches!(
        reply,
        Reply::Device(DeviceReply::Removed { ref topics, .. }) if topics.len() == 1
    ));
    world.pass(Duration::from_secs(30));
    for node in [phone, laptop] {
        world.down(node);
        world.up(node);
        world.pass(Duration::from_secs(60));
    }
    assert_eq!(seated(&members(&mut world, phone, TEA)), [1, 1]);
    // It is still the person's: what begins later comes to it.
    found(&mut world, phone, "new");
    world.pass(Duration::from_secs(60));
    assert_eq!(seated(&members(&mut world, phone, "new")), [2]);
    assert_eq!(seated(&members(&mut world, phone, TEA)), [1, 1]);
}

/// Alice has founded a topic in which Cleo takes part, and Bob with two devices, whom she has welcomed.
fn bob_has_two(seed: u8) -> (World, [usize; 4]) {
    let mut world = World::new(seed);
    let people = ["Alice", "Cleo", "Phone"].map(|name| world.add(name, false));
    let [alice, cleo, phone] = people;
    found(&mut world, alice, TEA);
    for node in [cleo, phone] {
        let command = Command::Invite {
            topic: TEA.to_owned(),
            rights: Vec::new(),
            messages: None,
            uses: 1,
            until: None,
            while_away: false,
        };
        let Reply::Invited { link, .. } = world.ask(alice, command) else {
            panic!("no link");
        };
        join(&mut world, node, &link);
    }
    world.pass(Duration::from_secs(20));
    let laptop = world.add("Laptop", false);
    assert_eq!(pair(&mut world, phone, laptop), 1);
    world.pass(Duration::from_secs(30));
    (world, [alice, cleo, phone, laptop])
}

#[test]
fn who_was_welcomed_may_have_several_devices_too() {
    let (mut world, [alice, cleo, phone, laptop]) = bob_has_two(99);
    for node in [alice, cleo, phone, laptop] {
        let members = members(&mut world, node, TEA);
        assert_eq!(members.len(), 3, "{members:?}");
        assert_eq!(stand(&mut world, node, &["Phone", "Laptop"]), [true, true]);
    }
    delivered(&mut world, laptop, "from both of me", 2);
    delivered(&mut world, alice, "good", 2);
    assert_eq!(texts(&mut world, laptop, TEA).len(), 2);
}

#[test]
fn what_is_given_to_a_member_all_its_devices_have() {
    let (mut world, [alice, cleo, phone, laptop]) = bob_has_two(100);
    let everything = [Right::Publish, Right::Read, Right::Admit];
    let reply = grant(&mut world, alice, "Laptop", &everything);
    let Reply::Granted { member, .. } = reply else {
        panic!("{reply:?}");
    };
    world.pass(Duration::from_secs(30));
    // Either of them gives of it.
    for (node, right) in [(phone, Right::Publish), (laptop, Right::Read)] {
        let reply = grant(&mut world, node, "Cleo", &[right]);
        assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    }
    world.pass(Duration::from_secs(30));
    for node in [alice, cleo, phone, laptop] {
        let all = members(&mut world, node, TEA);
        let bob = all.iter().find(|one| one.id == member).expect("Bob");
        let stand = bob.grants.iter().filter(|grant| grant.stands);
        assert_eq!((bob.devices.len(), stand.count()), (2, 2));
        let by = |text: &str| {
            let grants = all.iter().flat_map(|one| &one.grants);
            grants
                .filter(|grant| grant.stands && grant.by_name == text)
                .count()
        };
        assert_eq!((by("Phone"), by("Laptop")), (1, 1), "at {node}");
    }
}

#[test]
fn who_stands_above_decides_between_two_devices() {
    let (mut world, [alice, cleo, phone, laptop]) = bob_has_two(90);
    part(&mut world, &[laptop, cleo], &[phone, alice]);
    removed(&mut world, laptop, "Phone");
    world.pass(Duration::from_secs(30));
    removed(&mut world, phone, "Laptop");
    world.pass(Duration::from_secs(30));
    world.cut.clear();
    world.pass(Duration::from_secs(300));
    for node in [alice, cleo, phone] {
        assert_eq!(stand(&mut world, node, &["Phone", "Laptop"]), [true, false]);
    }
    let rows = list(&mut world, phone);
    let (_, other) = rows[0].topics[0].ties.first().expect("a tie").clone();
    // Nobody decides for itself, and nobody who stands beside.
    for node in [phone, cleo] {
        let command = DeviceCommand::Choose {
            topic: TEA.to_owned(),
            act: other.clone(),
        };
        let refused = failure(device(&mut world, node, command));
        assert_eq!(refused.code, Code::Refused, "{refused:?}");
    }
    // It was the phone that was stolen.
    let command = DeviceCommand::Choose {
        topic: TEA.to_owned(),
        act: other.get(..12).expect("digits").to_owned(),
    };
    assert!(matches!(
        device(&mut world, alice, command),
        Reply::Device(DeviceReply::Chosen {
            countersigned: true,
            ..
        })
    ));
    world.pass(Duration::from_secs(300));
    for node in [alice, cleo, laptop] {
        assert_eq!(stand(&mut world, node, &["Phone", "Laptop"]), [false, true]);
    }
    delivered(&mut world, laptop, "back again", 2);
}

#[test]
fn an_act_in_the_hands_of_whom_it_removes() {
    let (mut world, [phone, laptop, bob]) = alice_has_two(89);
    // The laptop takes its own seat away: its own envelope lies outside the cut of the act that it carries.
    removed(&mut world, laptop, "Laptop");
    world.pass(Duration::from_secs(60));
    for node in [phone, bob] {
        assert_eq!(stand(&mut world, node, &["Phone", "Laptop"]), [true, false]);
    }
    delivered(&mut world, phone, "it went by itself", 1);
}

#[test]
fn who_takes_part_as_somebody_else_is_not_seated_twice() {
    let mut world = World::new(96);
    let [phone, laptop] = ["Phone", "Laptop"].map(|name| world.add(name, false));
    found(&mut world, phone, TEA);
    let link = invite(&mut world, phone, TEA, 1);
    join(&mut world, laptop, &link);
    let grant = Command::Grant {
        topic: TEA.to_owned(),
        member: "Laptop".to_owned(),
        rights: vec![node::command::AskedRight {
            right: Right::Admit,
            from: 0,
            until: None,
        }],
        messages: None,
        bytes: None,
        at: None,
    };
    assert!(matches!(world.ask(phone, grant), Reply::Granted { .. }));
    world.pass(Duration::from_secs(5));
    assert_eq!(pair(&mut world, phone, laptop), 0);
    world.pass(Duration::from_secs(30));
    let members = members(&mut world, phone, TEA);
    assert_eq!(seated(&members), [1, 1], "{members:?}");
}

/// Who has said what.
type Said = Rc<RefCell<Vec<(usize, Vec<u8>)>>>;

/// Frames between two nodes, as they were said.
fn recorded(world: &mut World) -> Said {
    let said = Said::default();
    let into = Rc::clone(&said);
    world.tamper = Some(Box::new(move |from, _, bytes| {
        if matches!(wire::Frame::decode(&bytes), Ok(wire::Frame::Pair { .. })) {
            into.borrow_mut().push((from, bytes.clone()));
        }
        vec![bytes]
    }));
    said
}

#[test]
fn what_was_said_on_one_link_is_worth_nothing_on_another() {
    let mut world = World::new(97);
    let [phone, laptop] = ["Phone", "Laptop"].map(|name| world.add(name, false));
    found(&mut world, phone, TEA);
    let link = device_link(&mut world, phone);
    let said = recorded(&mut world);
    device_join(&mut world, laptop, &link);
    world.tamper = None;
    let said = said.borrow().clone();
    assert!(said.len() > 6, "{} messages", said.len());
    let thief = world.add_liar("Thief");
    // The thief has heard all that both said, and says it again: on a link of its own, and as if it
    // came on theirs.
    let own = world.connect(thief, None, phone);
    let hello = wire::Frame::Hello {
        min: 0,
        max: 0,
        wall: world.wall().as_millis(),
        advert: 0,
        software: "thief".to_owned(),
    };
    world.inject(own, hello.encode());
    let theirs = world.link(laptop, phone).expect("a link");
    for (from, bytes) in &said {
        world.inject(own, bytes.clone());
        if *from == laptop {
            world.inject(theirs, bytes.clone());
        }
    }
    world.pass(Duration::from_secs(30));
    assert_eq!(list(&mut world, phone).len(), 2);
    let members = members(&mut world, phone, TEA);
    assert_eq!(seated(&members), [2], "{members:?}");
    let heard = world.nodes[thief].heard.take().expect("a liar");
    let answered = heard.iter().any(|(_, heard)| match heard {
        crate::world::Heard::Frame(bytes) => {
            matches!(wire::Frame::decode(bytes), Ok(wire::Frame::Pair { .. }))
        }
        crate::world::Heard::Other => false,
    });
    assert!(!answered);
}

#[test]
fn whatever_a_stranger_says_of_devices_is_refused() {
    let mut world = World::new(98);
    let phone = world.add("Phone", false);
    found(&mut world, phone, TEA);
    device_link(&mut world, phone);
    let thief = world.add_liar("Thief");
    let mut rng = machine::Rng::from_seed([5; 32]);
    for round in 0..24_usize {
        let link = world.connect(thief, None, phone);
        let hello = wire::Frame::Hello {
            min: 0,
            max: 0,
            wall: world.wall().as_millis(),
            advert: 0,
            software: "thief".to_owned(),
        };
        world.inject(link, hello.encode());
        for step in [
            wire::frame::PairStep::Seed,
            wire::frame::PairStep::Known,
            wire::frame::PairStep::On,
        ] {
            let len = [0, 15, 16, 31, 32, 200, 2_000, wire::limits::MAX_PAIR][round % 8];
            let seed = wire::Frame::Pair {
                step,
                sealed: (0..len).map(|_| rng.array::<1>()[0]).collect(),
            };
            world.inject(link, seed.encode());
        }
        // Over-long, and no frame at all.
        let long = wire::Frame::Pair {
            step: wire::frame::PairStep::Seed,
            sealed: vec![0; wire::limits::MAX_PAIR + 1],
        };
        world.inject(link, long.encode());
        world.pass(Duration::from_secs(1));
    }
    world.pass(Duration::from_secs(30));
    assert_eq!(list(&mut world, phone).len(), 1);
    assert_eq!(seated(&members(&mut world, phone, TEA)), [1]);
}

#[test]
fn a_link_serves_once_and_not_for_long() {
    let mut world = World::new(94);
    let [phone, laptop, thief] = ["Phone", "Laptop", "Thief"].map(|name| world.add(name, false));
    found(&mut world, phone, TEA);
    let link = device_link(&mut world, phone);
    assert!(matches!(
        device_join(&mut world, laptop, &link),
        Reply::Device(DeviceReply::Joined { topics: 1, .. })
    ));
    let refused = failure(device_join(&mut world, thief, &link));
    assert_eq!(refused.code, Code::Refused, "{refused:?}");
    // Another one is too old by a minute.
    let link = device_link(&mut world, phone);
    world.pass(Duration::from_secs(11 * 60));
    let refused = failure(device_join(&mut world, thief, &link));
    assert_eq!(refused.code, Code::Refused, "{refused:?}");
    // A restart voids those that are open.
    let link = device_link(&mut world, phone);
    world.down(phone);
    world.up(phone);
    let refused = failure(device_join(&mut world, thief, &link));
    assert_eq!(refused.code, Code::Refused, "{refused:?}");
    // Of many the oldest is void.
    let first = device_link(&mut world, phone);
    for _ in 0..4 {
        device_link(&mut world, phone);
    }
    failure(device_join(&mut world, thief, &first));
    assert_eq!(list(&mut world, phone).len(), 2);
    let own = device_link(&mut world, phone);
    let refused = failure(device_join(&mut world, phone, &own));
    assert_eq!(refused.code, Code::Usage);
    let garbled = failure(device_join(&mut world, phone, "way:join/abc"));
    assert_eq!(garbled.code, Code::Usage);
}

/// A link for a device that leads nowhere takes nothing from a link to a topic at the same node.
#[test]
fn a_pairing_that_fails_ends_no_other_errand() {
    let mut world = World::new(131);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, "tea");
    let text = invite(&mut world, alice, "tea", 1);
    let link: wire::JoinLink = text.parse().expect("a link");
    let made_up = wire::DeviceLink {
        seed: [7; 16],
        at: link.at,
    };
    world.down(alice);
    let look = Command::JoinLook {
        link: text,
        timeout_ms: 600_000,
    };
    let waits = world.ask_for(bob, look, Duration::from_secs(1));
    assert!(waits.is_none(), "it waits for Alice");
    let made_up = made_up.to_text().expect("a link");
    failure(device_join(&mut world, bob, &made_up));
    world.up(alice);
    world.pass(Duration::from_secs(120));
    let replies: Vec<&Reply> = world.nodes[bob].replies.values().collect();
    assert!(
        matches!(replies[..], [Reply::Invitation { .. }]),
        "{replies:?}"
    );
}

/// The problems of a node with a code, by their texts.
fn problems(world: &mut World, node: usize, code: &str) -> Vec<String> {
    let Reply::Status(status) = world.ask(node, Command::Status) else {
        panic!("no status");
    };
    let problems = status.problems.into_iter();
    let problems = problems.filter(|problem| problem.code == code);
    problems.map(|problem| problem.text).collect()
}

/// That a device has lost its seat is told as long as it is so, however often it starts anew.
#[test]
fn a_device_that_was_removed_is_told_so_also_after_a_restart() {
    let (mut world, [phone, laptop, bob]) = alice_has_two(101);
    send(&mut world, laptop, TEA, "mine");
    world.pass(Duration::from_secs(5));
    assert!(problems(&mut world, laptop, "device-removed").is_empty());
    removed(&mut world, phone, "Laptop");
    world.pass(Duration::from_secs(30));
    let told = [format!(
        "another device has removed this one from the topic {TEA:?}"
    )];
    assert_eq!(problems(&mut world, laptop, "device-removed"), told);
    world.down(laptop);
    world.up(laptop);
    assert_eq!(problems(&mut world, laptop, "device-removed"), told);
    assert!(
        problems(&mut world, laptop, "rights-ended").is_empty(),
        "it is said once"
    );
    for node in [phone, bob] {
        assert!(problems(&mut world, node, "device-removed").is_empty());
    }
    let leave = Command::TopicLeave {
        topic: TEA.to_owned(),
    };
    assert_eq!(world.ask(laptop, leave), Reply::Done);
    assert!(problems(&mut world, laptop, "device-removed").is_empty());
}

/// Where a device keeps its seat everywhere, its removal has failed, and it is said why in each topic; where it keeps
/// one of several, that is told beside those that it has lost.
#[test]
fn a_removal_that_fails_in_every_topic_is_a_failure() {
    let (mut world, [alice, bob, _]) = three_own(102);
    let refused = failure(remove(&mut world, alice, "Bob"));
    assert_eq!(refused.code, Code::Refused, "{refused:?}");
    let why = "Bob is not removed from \"tea\": it takes several owners to change them";
    assert_eq!(refused.message, why);
    assert!(refused.hint.contains("`way owners propose"), "{refused:?}");
    let one = DeviceCommand::Remove {
        device: "Bob".to_owned(),
        topic: Some(TEA.to_owned()),
    };
    assert_eq!(failure(device(&mut world, alice, one)), refused);
    // Bob's node becomes her second device, with a seat in a topic of her own.
    pair(&mut world, alice, bob);
    found(&mut world, alice, "mine");
    world.pass(Duration::from_secs(60));
    assert_eq!(seated(&members(&mut world, alice, "mine")), [2]);
    let reply = remove(&mut world, alice, "Bob");
    let Reply::Device(DeviceReply::Removed { topics, failed, .. }) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(topics, ["mine"]);
    let why = "it takes several owners to change them".to_owned();
    assert_eq!(failed, [(TEA.to_owned(), why)]);
    // Nothing that begins later comes to it, also where the rest has failed.
    found(&mut world, alice, "later");
    world.pass(Duration::from_secs(60));
    lacks(&mut world, bob, "later");
    assert_eq!(failure(remove(&mut world, alice, "Bob")), refused);
}
