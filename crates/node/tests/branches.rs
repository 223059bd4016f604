//! Devices of one member that remove one another, and devices that say they are others.

use crate::paired::{
    alice_has_three, device, failure, list, members, pair, part, removed, seated, stand,
};
use crate::story::{invite, join, send};
use crate::world::World;
use identity::PublicKey;
use machine::test::World as Disk;
use node::command::devices::{Branch, Choice, DeviceCommand, DeviceReply, DeviceRow};
use node::command::{Code, Command, Reply};
use std::time::Duration;

const TEA: &str = "tea";

fn branches(world: &mut World, node: usize) -> Vec<Branch> {
    match device(world, node, DeviceCommand::Branches { topic: None }) {
        Reply::Device(DeviceReply::Branches(branches)) => branches,
        other => panic!("{other:?}"),
    }
}

fn choose(world: &mut World, node: usize, act: &str) -> Reply {
    let command = DeviceCommand::Choose {
        topic: TEA.to_owned(),
        act: act.get(..12).expect("digits").to_owned(),
    };
    device(world, node, command)
}

/// The phone is stolen and removes the laptop, the laptop removes the phone: the tablet, which neither has removed,
/// decides.
#[test]
fn another_device_of_the_member_decides_between_two() {
    let (mut world, [phone, tablet, laptop]) = alice_has_three(71, true);
    let link = invite(&mut world, phone, TEA, 1);
    let bob = world.add("Bob", false);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(20));
    assert!(branches(&mut world, tablet).is_empty());
    // Bob hears the one and the tablet the other, so that both come to both.
    part(&mut world, &[phone, bob], &[laptop, tablet]);
    removed(&mut world, phone, "Laptop");
    removed(&mut world, laptop, "Phone");
    world.pass(Duration::from_secs(30));
    world.cut.clear();
    world.pass(Duration::from_secs(300));
    // The phone was there first.
    assert_eq!(
        stand(&mut world, tablet, &["Phone", "Laptop", "Tablet"]),
        [true, false, true]
    );
    let both = branches(&mut world, tablet);
    let [counts, other] = both.as_slice() else {
        panic!("{both:?}");
    };
    assert!(counts.counts && !other.counts && counts.own);
    assert_eq!(
        (&counts.removes[..], &other.removes[..]),
        (&["Laptop".to_owned()][..], &["Phone".to_owned()][..])
    );
    assert_eq!((counts.may, other.may), (Choice::Sign, Choice::Sign));
    // Who has signed, or would go by it, does not.
    let act = other.act.clone();
    for node in [phone, laptop] {
        let refused = failure(choose(&mut world, node, &act));
        assert!(
            matches!(refused.code, Code::Refused | Code::NotFound),
            "{refused:?}"
        );
    }
    let Reply::Device(DeviceReply::Chosen {
        countersigned,
        counts,
        ..
    }) = choose(&mut world, tablet, &act)
    else {
        panic!("not chosen");
    };
    assert!(!countersigned && counts);
    world.pass(Duration::from_secs(300));
    for node in [tablet, laptop] {
        assert_eq!(
            stand(&mut world, node, &["Phone", "Laptop", "Tablet"]),
            [false, true, true]
        );
    }
    send(&mut world, laptop, TEA, "back again");
    world.pass(Duration::from_secs(60));
    assert!(
        branches(&mut world, tablet)
            .iter()
            .all(|it| it.may != Choice::Sign || !it.counts)
    );
}

fn key_of(rows: &[DeviceRow], name: &str) -> String {
    let row = rows.iter().find(|row| row.name == name).expect("a row");
    row.topics.first().expect("a topic").device.clone()
}

/// What a node holds of the profile of one device is set to that of another, as if that had told so.
fn tells(world: &mut World, node: usize, liar: &str, as_if: &str) {
    world.down(node);
    let mut disk = Disk::over(world.disk(node).clone(), 0);
    let rows: Vec<(Vec<u8>, Vec<u8>)> = world
        .disk(node)
        .rows()
        .filter(|(table, key, _)| {
            *table == node::rows::NODE.id() && key.first() == Some(&b'p') && key.len() == 37
        })
        .map(|(_, key, value)| (key.to_vec(), value.to_vec()))
        .collect();
    let of = |text: &str| {
        let mut rows = rows.iter();
        rows.find(|(key, _)| {
            let device: [u8; 32] = key[5..].try_into().expect("a key");
            PublicKey::from_bytes(device).to_string() == text
        })
    };
    let (key, _) = of(liar).expect("it told");
    let (_, value) = of(as_if).expect("it told, too");
    disk.turn(|cx| cx.store.put(node::rows::NODE, key.clone(), value.clone()));
    world.set_disk(node, disk.into_base());
    world.up(node);
}

/// A stolen laptop says that it is on the tablet: who removes the one does not remove the other.
#[test]
fn a_device_that_says_it_is_another_does_not_take_it_along() {
    let (mut world, [phone, tablet, laptop]) = alice_has_three(72, true);
    let before = list(&mut world, phone);
    let (tablets, laptops) = (key_of(&before, "Tablet"), key_of(&before, "Laptop"));
    tells(&mut world, phone, &laptops, &tablets);
    world.pass(Duration::from_secs(120));
    let rows = list(&mut world, phone);
    let at = |rows: &[DeviceRow], node| {
        let row = rows
            .iter()
            .find(|row| row.node == Some(node))
            .expect("a row");
        let keys = row.topics.iter().map(|topic| topic.device.clone());
        keys.collect::<Vec<String>>()
    };
    assert_eq!(at(&rows, world.id(tablet)), std::slice::from_ref(&tablets));
    assert_eq!(at(&rows, world.id(laptop)), std::slice::from_ref(&laptops));
    removed(&mut world, phone, laptops.get(..16).expect("digits"));
    world.pass(Duration::from_secs(60));
    for node in [phone, tablet] {
        assert_eq!(seated(&members(&mut world, node, TEA)), [2]);
    }
    let rows = list(&mut world, phone);
    let known = |of| {
        let row = rows.iter().find(|row| row.node == Some(of));
        row.is_some_and(|row| row.since.is_some())
    };
    assert!(known(world.id(tablet)), "{rows:?}");
    assert!(!known(world.id(laptop)), "{rows:?}");
}

/// It is told apart from whom the links know, and closed if it proves nothing else.
#[test]
fn a_removed_device_is_a_stranger_on_a_link_that_stands() {
    let mut world = World::new(73);
    let [phone, laptop] = ["Phone", "Laptop"].map(|name| world.add(name, false));
    crate::story::found(&mut world, phone, TEA);
    assert_eq!(pair(&mut world, phone, laptop), 1);
    world.pass(Duration::from_secs(30));
    assert!(world.link(phone, laptop).is_some());
    let stood = world.link(phone, laptop);
    removed(&mut world, phone, "Laptop");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.link(phone, laptop), stood);
    // What strangers may not do it may not do from this moment on.
    let to = world.id(phone).to_string();
    send(&mut world, laptop, &to, "open the door");
    world.pass(Duration::from_secs(20));
    assert_ne!(world.link(phone, laptop), stood, "it has proved nothing");
    world.pass(Duration::from_secs(600));
    let mails = match world.ask(phone, Command::Inbox { after: 0, limit: 9 }) {
        Reply::Inbox { mails, .. } => mails,
        other => panic!("{other:?}"),
    };
    assert_eq!(mails, []);
    let peers = match world.ask(phone, Command::Peers) {
        Reply::Peers(peers) => peers,
        other => panic!("{other:?}"),
    };
    let laptop = world.id(laptop);
    let mut others = peers.iter().filter(|peer| peer.id == laptop);
    assert!(others.all(|peer| peer.why == "incoming"), "{peers:?}");
}
