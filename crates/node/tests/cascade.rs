//! Taking back what somebody was given, with all that it gave to others.

use crate::giving::{TEA, grant};
use crate::story::{found, invite, join, send, texts};
use crate::world::World;
use node::command::{Command, Reply, Right};
use std::time::Duration;

const ALL: [Right; 3] = [Right::Publish, Right::Read, Right::Admit];

fn granted(world: &mut World, node: usize, member: &str) {
    let reply = grant(world, node, member, &ALL);
    assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
}

fn cascade(world: &mut World, node: usize, member: &str, cut: Option<String>) -> Reply {
    let command = Command::Revoke {
        topic: TEA.to_owned(),
        member: member.to_owned(),
        only: Vec::new(),
        cut,
        cascade: true,
    };
    world.ask(node, command)
}

/// Alice lets Bob and Dora in; Bob lets Fay in by a link, and she Gus; each may admit, and has said something.
fn line_of_four(seed: u8) -> (World, [usize; 5]) {
    let mut world = World::new(seed);
    let people = ["Alice", "Bob", "Dora", "Fay", "Gus"].map(|name| world.add(name, false));
    let [alice, bob, dora, fay, gus] = people;
    found(&mut world, alice, TEA);
    let link = invite(&mut world, alice, TEA, 2);
    join(&mut world, bob, &link);
    join(&mut world, dora, &link);
    world.pass(Duration::from_secs(20));
    for (inviter, name, guest) in [(bob, "Bob", fay), (fay, "Fay", gus)] {
        let above = if inviter == bob { alice } else { bob };
        granted(&mut world, above, name);
        send(&mut world, inviter, TEA, &format!("I am {name}"));
        world.pass(Duration::from_secs(10));
        let link = invite(&mut world, inviter, TEA, 1);
        join(&mut world, guest, &link);
        world.pass(Duration::from_secs(20));
    }
    send(&mut world, gus, TEA, "I am Gus");
    world.pass(Duration::from_secs(30));
    (world, people)
}

#[test]
fn what_those_below_wrote_before_stands_and_nothing_after() {
    let (mut world, [alice, bob, dora, fay, gus]) = line_of_four(66);
    // What Alice does not have when she decides falls.
    for (one, other) in [(fay, alice), (fay, bob), (fay, dora), (fay, gus)] {
        world.cut_off(one, other);
    }
    send(&mut world, fay, TEA, "too late");
    let reply = cascade(&mut world, alice, "Bob", None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    world.cut.clear();
    world.pass(Duration::from_secs(120));
    for name in [bob, fay, gus] {
        let command = Command::Send {
            to: TEA.to_owned(),
            messages: vec![b"still here?".to_vec()],
            expires: None,
            best_effort: false,
        };
        let reply = world.ask(name, command);
        // Fay was cut off, and nobody tells her.
        assert!(
            name == fay || matches!(reply, Reply::Failed(_)),
            "{reply:?}"
        );
    }
    send(&mut world, alice, TEA, "between us");
    world.pass(Duration::from_secs(60));
    for node in [alice, dora] {
        let mut texts = texts(&mut world, node, TEA);
        texts.sort();
        assert_eq!(texts, ["I am Bob", "I am Fay", "I am Gus", "between us"]);
        let topic = TEA.to_owned();
        let Reply::Members(members) = world.ask(node, Command::Members { topic }) else {
            panic!("no members");
        };
        let seated = members.iter().flat_map(|it| &it.devices);
        let seated = seated.filter(|device| device.seated);
        let mut seated: Vec<&str> = seated.map(|device| device.name.as_str()).collect();
        seated.sort_unstable();
        assert_eq!(seated, ["Alice", "Dora"]);
        // What they called themselves before they were let go stands too.
        let names = members.iter().flat_map(|it| &it.devices);
        let mut names: Vec<&str> = names.map(|device| device.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["Alice", "Bob", "Dora", "Fay", "Gus"]);
    }
    for node in [bob, fay, gus] {
        assert!(!texts(&mut world, node, TEA).contains(&"between us".to_owned()));
    }
}

#[test]
fn a_cut_at_a_message_leaves_what_those_below_wrote_who_were_let_in_before() {
    let (mut world, [alice, bob, dora, _, _]) = line_of_four(67);
    let last = send(&mut world, bob, TEA, "up to here");
    world.pass(Duration::from_secs(5));
    send(&mut world, bob, TEA, "no more of this");
    world.pass(Duration::from_secs(10));
    let reply = cascade(&mut world, alice, "Bob", Some(last));
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(60));
    for node in [alice, dora] {
        let mut texts = texts(&mut world, node, TEA);
        texts.sort();
        assert_eq!(texts, ["I am Bob", "I am Fay", "I am Gus", "up to here"]);
    }
}
