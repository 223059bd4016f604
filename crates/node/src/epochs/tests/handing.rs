//! Keys that are handed over by other members, and those that are not.

use super::meeting::{genesis, grant, heard, inside, local, newest, remove, sent, texts, world};
use super::world::World;
use crate::command::{Command, Reply};
use crate::rows::{SEALING, VAULT, vault_key};
use std::time::Duration;
use wire::{Frame, TopicFrame};

/// Lets somebody in, later than the others.
fn let_in(world: &mut World, name: &str) -> usize {
    let node = world.add(name, false);
    let command = Command::Invite {
        rights: Vec::new(),
        messages: None,
        while_away: true,
        topic: "tea".to_owned(),
        uses: 1,
        until: None,
    };
    let Reply::Invited { link, .. } = world.ask(0, command) else {
        panic!("no invite");
    };
    let command = Command::Join {
        link,
        name: None,
        timeout_ms: 30_000,
    };
    let joined = world.ask(node, command);
    assert!(matches!(joined, Reply::Topic { .. }), "{joined:?}");
    node
}

#[test]
fn who_joins_after_an_epoch_has_begun_is_handed_its_keys() {
    let mut world = world(50, 3);
    sent(&mut world, 1, "before");
    let bobs = grant(&mut world, 2);
    remove(&mut world, 0, bobs, true);
    world.pass(Duration::from_secs(5));
    sent(&mut world, 0, "after");
    // Long after: nobody is recognised by what was just before any more.
    world.pass(Duration::from_secs(3_600));
    let eve = let_in(&mut world, "Eve");
    // One has begun with her invite; those before it she is handed.
    let epoch = newest(&mut world, 0);
    world.pass(Duration::from_secs(150));
    assert_eq!(newest(&mut world, eve), epoch);
    assert_eq!(texts(&mut world, eve), ["before", "after"]);
    sent(&mut world, eve, "hello");
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, 1), ["before", "after", "hello"]);
    assert_eq!(heard(&mut world, 1).0, 3, "it takes no other epoch");
    // Who was removed has its link still, and is handed nothing.
    let topic = inside(&mut world, 2, |inner, _| {
        inner.host.keys.topic(local(inner)).unwrap().id
    });
    let id = epoch.0.unwrap();
    for _ in 0..3 {
        inside(&mut world, 2, move |inner, turn| {
            let local = local(inner);
            let links: Vec<_> = inner.links.keys().copied().collect();
            for link in links {
                let epochs = vec![(id, u32::MAX)];
                let frame = TopicFrame::KeysAsk { epochs };
                turn.send(link, &Frame::Topic { topic, frame });
            }
            inner.epochs_changed(turn, local);
        });
        world.pass(Duration::from_secs(70));
    }
    assert!(!newest(&mut world, 2).1);
    assert_eq!(texts(&mut world, 2), ["before"]);
}

#[test]
fn who_cannot_open_its_box_is_handed_the_keys() {
    let mut world = world(51, 4);
    let first = genesis(&mut world, 0);
    let removed = grant(&mut world, 3);
    world.pass(Duration::from_secs(5));
    // Its sealing key is lost, so it tells another one; the announcement was made without it.
    world.down(1);
    remove(&mut world, 0, removed, true);
    sent(&mut world, 0, "in the new epoch");
    world.pass(Duration::from_secs(5));
    let epoch = newest(&mut world, 0);
    let mut disk = world.disk(1).clone();
    disk = without(disk, &vault_key(SEALING, 1));
    world.set_disk(1, disk);
    world.up(1);
    world.pass(Duration::from_secs(150));
    assert!(epoch.0 != Some(first) && epoch.1);
    assert_eq!(newest(&mut world, 1), epoch);
    assert_eq!(texts(&mut world, 1), ["in the new epoch"]);
}

/// What a disk holds but for one secret row.
fn without(disk: machine::MemoryBase, key: &[u8]) -> machine::MemoryBase {
    let mut world = machine::test::World::over(disk, 1);
    world.turn(|cx| {
        assert!(cx.store.has(VAULT, key));
        cx.store.delete(VAULT, key);
    });
    world.into_base()
}

#[test]
fn keys_that_were_not_asked_for_are_not_looked_at() {
    let mut world = world(52, 3);
    let bobs = grant(&mut world, 2);
    let sealing = inside(&mut world, 1, |inner, _| {
        let keys = inner.host.keys.topic(local(inner)).unwrap();
        keys.sealing.as_ref().unwrap().public()
    });
    remove(&mut world, 0, bobs, true);
    world.pass(Duration::from_secs(5));
    let due = |world: &mut World| {
        inside(world, 1, |inner, _| {
            let keys = inner.host.keys.topic(local(inner)).unwrap();
            keys.ring.epochs().count()
        })
    };
    let before = due(&mut world);
    // The removed one knows the sealing key of the other, and sends it keys that it made up.
    inside(&mut world, 2, move |inner, turn| {
        let topic = inner.host.keys.topic(local(inner)).unwrap().id;
        let lie = rights::Access::Reader(rights::EpochSecret::from_bytes([6; 32]));
        let keys = [(identity::EpochId::from_bytes([1; 32]), lie)];
        let (keys, _) = rights::seal_keys(topic, &sealing, &keys, turn.cx.rng).unwrap();
        let links: Vec<_> = inner.links.keys().copied().collect();
        for link in links {
            let frame = TopicFrame::Keys { keys: keys.clone() };
            turn.send(link, &Frame::Topic { topic, frame });
        }
    });
    world.pass(Duration::from_secs(5));
    assert_eq!(due(&mut world), before);
    sent(&mut world, 1, "undisturbed");
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, 0), ["undisturbed"]);
}

#[test]
fn a_home_that_was_set_back_tells_a_key_that_no_copy_of_it_has() {
    for node in [0, 1] {
        let mut world = world(53, 4);
        let sealing = move |world: &mut World| {
            inside(world, node, |inner, _| {
                let keys = inner.host.keys.topic(local(inner)).unwrap();
                keys.sealing.as_ref().unwrap().public()
            })
        };
        let copied = sealing(&mut world);
        let copy = world.disk(node).clone();
        // Since the copy was made a box was opened, and the key has turned.
        let removed = grant(&mut world, 3);
        remove(&mut world, 0, removed, true);
        world.pass(Duration::from_secs(86_500));
        let turned = sealing(&mut world);
        assert_ne!(turned, copied);
        world.down(node);
        world.set_disk(node, copy);
        world.nodes[node].config.stale = true;
        world.up(node);
        world.nodes[node].config.stale = false;
        world.pass(Duration::from_secs(10));
        sent(&mut world, node, "back again");
        world.pass(Duration::from_secs(200));
        let now = sealing(&mut world);
        assert!(now != copied && now != turned, "node {node}");
        let epoch = newest(&mut world, 2);
        assert!(epoch.1);
        assert_eq!(newest(&mut world, node), epoch, "it has its keys again");
        // It tells that key once.
        world.pass(Duration::from_secs(300));
        assert_eq!(sealing(&mut world), now);
        let told = inside(&mut world, 2, move |inner, turn| {
            let local = local(inner);
            let survey = inner.survey_epochs(turn, local).unwrap();
            survey.now.entitled(turn.cx.wall.as_millis())
        });
        assert!(told.iter().any(|device| device.to == now));
        assert!(
            told.iter()
                .all(|device| device.to != copied && device.to != turned)
        );
    }
}
