//! What is given at a time that has not come yet.

use crate::giving::{TEA, failure, revoke};
use crate::story::{found, join, send, texts};
use crate::world::World;
use node::command::{AskedRight, Code, Command, Release, Reply, Right};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Alice has founded a topic in which Bob may write and not read; both have written.
fn letters(seed: u8) -> (World, [usize; 2]) {
    let mut world = World::new(seed);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.add(name, false));
    found(&mut world, alice, TEA);
    let command = Command::Invite {
        topic: TEA.to_owned(),
        rights: vec![always(Right::Publish)],
        messages: None,
        uses: 1,
        until: None,
        while_away: false,
    };
    let Reply::Invited { link, .. } = world.ask(alice, command) else {
        panic!("no invite");
    };
    join(&mut world, bob, &link);
    world.pass(MINUTE);
    send(&mut world, alice, TEA, "sealed");
    send(&mut world, bob, TEA, "curious");
    world.pass(MINUTE);
    (world, [alice, bob])
}

fn always(right: Right) -> AskedRight {
    AskedRight {
        right,
        from: 0,
        until: None,
    }
}

/// Alice's device is to let Bob read at this time, all that was written.
fn release(world: &mut World, alice: usize, at: u64) -> Reply {
    let command = Command::GrantLater {
        topic: TEA.to_owned(),
        member: "Bob".to_owned(),
        rights: vec![always(Right::Read)],
        messages: None,
        bytes: None,
        at,
    };
    world.ask(alice, command)
}

fn in_an_hour(world: &mut World, alice: usize) -> u64 {
    let at = world.wall().as_millis() + 3_600_000;
    let reply = release(world, alice, at);
    assert!(matches!(reply, Reply::Scheduled { .. }), "{reply:?}");
    at
}

fn releases(world: &mut World, node: usize) -> Vec<Release> {
    let topic = TEA.to_owned();
    match world.ask(node, Command::TopicInfo { topic }) {
        Reply::TopicInfo(info) => info.releases,
        other => panic!("{other:?}"),
    }
}

fn reads(world: &mut World, node: usize) -> bool {
    texts(world, node, TEA).contains(&"sealed".to_owned())
}

#[test]
fn what_was_written_opens_at_its_time_and_not_before() {
    let (mut world, [alice, bob]) = letters(71);
    let at = in_an_hour(&mut world, alice);
    let [waits] = releases(&mut world, alice).try_into().expect("one waits");
    assert_eq!((waits.at, waits.rights), (at, vec![always(Right::Read)]));
    // Neither a clock of his own nor starting again brings it forward; nor do her restarts lose it.
    world.down(bob);
    world.nodes[bob].skew = 2 * 3_600_000;
    world.up(bob);
    world.down(alice);
    world.up(alice);
    world.pass(HOUR - 5 * MINUTE);
    assert!(!reads(&mut world, bob), "before its time");
    world.pass(7 * MINUTE);
    assert!(reads(&mut world, bob), "at its time");
    assert!(releases(&mut world, alice).is_empty());
}

#[test]
fn a_device_that_is_away_or_unsure_of_the_time_is_late_and_never_early() {
    let (mut world, [alice, bob]) = letters(72);
    in_an_hour(&mut world, alice);
    world.down(alice);
    world.nodes[alice].skew = 3 * 3_600_000;
    world.nodes[alice].config.trust_clock = false;
    world.cut = vec![(alice, bob)];
    world.up(alice);
    world.pass(MINUTE);
    assert_eq!(
        releases(&mut world, alice).len(),
        1,
        "nobody has confirmed her clock"
    );
    world.down(alice);
    world.cut.clear();
    world.nodes[alice].skew = 0;
    world.nodes[alice].config.trust_clock = true;
    world.pass(2 * HOUR);
    assert!(!reads(&mut world, bob), "only she can give it");
    world.up(alice);
    world.pass(3 * MINUTE);
    assert!(reads(&mut world, bob));
}

#[test]
fn what_waits_is_taken_back_with_what_stands_or_by_itself() {
    let (mut world, [alice, bob]) = letters(73);
    in_an_hour(&mut world, alice);
    revoke(&mut world, alice, "Bob", &[Right::Admit], None);
    assert_eq!(
        releases(&mut world, alice).len(),
        1,
        "that was another right"
    );
    revoke(&mut world, alice, "Bob", &[Right::Read], None);
    assert!(releases(&mut world, alice).is_empty());
    world.pass(2 * HOUR);
    assert!(!reads(&mut world, bob));
    // With everything that he has.
    in_an_hour(&mut world, alice);
    let reply = revoke(&mut world, alice, "Bob", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    assert!(releases(&mut world, alice).is_empty());
}

#[test]
fn so_many_wait_and_no_more_and_nobody_gives_what_it_has_not() {
    let (mut world, [alice, bob]) = letters(74);
    let now = world.wall().as_millis();
    let later = |n: u64| now + 3_600_000 + n;
    for n in 0..node::limits::MAX_RELEASES as u64 {
        let reply = release(&mut world, alice, later(n));
        assert!(matches!(reply, Reply::Scheduled { .. }), "{reply:?}");
    }
    let refused = failure(release(&mut world, alice, later(1_000)));
    assert_eq!(refused.code, Code::Failed, "{refused:?}");
    // Bob may not admit: what he keeps for himself comes to nothing, and he is told.
    let reply = release(&mut world, bob, now);
    assert!(matches!(reply, Reply::Scheduled { .. }), "{reply:?}");
    world.pass(MINUTE);
    assert!(!reads(&mut world, bob));
    let Reply::Status(status) = world.ask(bob, Command::Status) else {
        panic!("no status");
    };
    let told = status
        .problems
        .iter()
        .any(|problem| problem.code == "release");
    assert!(told, "{:?}", status.problems);
    assert_eq!(releases(&mut world, bob).len(), 1, "it is tried again");
}
