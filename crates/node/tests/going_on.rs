//! Whoever something is taken from, or from whose giver, goes on by what is left.

use crate::giving::{TEA, grant, three};
use crate::story::{send, texts, wait};
use crate::world::World;
use node::command::{Command, Reply, Right, WaitFor};
use std::time::Duration;

const ALL: [Right; 3] = [Right::Publish, Right::Read, Right::Admit];

fn writes(world: &mut World, node: usize, text: &str) {
    let id = send(world, node, TEA, text);
    let reached = wait(world, node, &id, WaitFor::Delivered, Some(1));
    assert!(
        matches!(reached, Reply::Reached { .. }),
        "{text}: {reached:?}"
    );
    world.pass(Duration::from_secs(20));
}

fn gives(world: &mut World, node: usize, member: &str, rights: &[Right]) {
    let reply = grant(world, node, member, rights);
    assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
}

fn takes(world: &mut World, node: usize, member: &str, only: &[Right], cascade: bool) -> Reply {
    let command = Command::Revoke {
        topic: TEA.to_owned(),
        member: member.to_owned(),
        only: only.to_vec(),
        cut: None,
        cascade,
    };
    let reply = world.ask(node, command);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(40));
    reply
}

#[test]
fn what_ends_with_the_revoked_serves_nobody() {
    let (mut world, [alice, bob, cleo]) = three(61);
    gives(&mut world, alice, "Bob", &ALL);
    writes(&mut world, bob, "under my own");
    // As much as came with the invite that both have claimed: it ends with Bob's own.
    gives(&mut world, bob, "Cleo", &[Right::Publish, Right::Read]);
    let reply = takes(&mut world, alice, "Bob", &[], true);
    let Reply::Revoked { others, .. } = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(others, 1, "Cleo is given a grant of her own");
    writes(&mut world, cleo, "I am still here");
    assert!(texts(&mut world, alice, TEA).contains(&"I am still here".to_owned()));
}

#[test]
fn whoever_may_write_by_its_invite_does_when_a_gift_does_not_let_it_any_more() {
    let (mut world, [alice, bob, cleo]) = three(62);
    gives(&mut world, alice, "Cleo", &ALL);
    writes(&mut world, cleo, "under my own");
    gives(&mut world, cleo, "Bob", &ALL);
    writes(&mut world, bob, "under Cleo's");
    // What is left of it lets him read and admit; the invite lets him write.
    takes(&mut world, cleo, "Bob", &[Right::Publish], false);
    writes(&mut world, bob, "still here");
    assert!(texts(&mut world, alice, TEA).contains(&"still here".to_owned()));
}
