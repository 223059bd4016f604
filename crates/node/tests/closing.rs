//! Grants whose time is over.

use crate::giving::{TEA, three};
use crate::story::{send, texts};
use crate::world::World;
use node::command::{AskedRight, Command, Reply, Right};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

fn grant_until(world: &mut World, node: usize, member: &str, right: Right, until: u64) {
    let command = Command::Grant {
        topic: TEA.to_owned(),
        member: member.to_owned(),
        rights: vec![AskedRight {
            right,
            from: 0,
            until: Some(until),
        }],
        messages: None,
        bytes: None,
        at: None,
    };
    let reply = world.ask(node, command);
    assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
}

/// What a node has that takes something away: here closes alone.
fn closes(world: &World, node: usize) -> usize {
    use machine::Base as _;
    let range = (&[][..], &[0xff; 64][..]);
    let rows = world
        .disk(node)
        .scan(lace::rows::LACE, range, 1 << 16, false);
    let rows = rows.expect("memory can be read");
    // The rows of what takes something away: `k` after the local number.
    rows.iter()
        .filter(|(key, _)| key.get(4) == Some(&b'k'))
        .count()
}

#[test]
fn what_is_over_is_closed_a_day_later_by_whoever_stands_above() {
    let (mut world, [alice, bob, cleo]) = three(51);
    let until = world.wall().as_millis() + 2 * 3_600_000;
    grant_until(&mut world, alice, "Bob", Right::Publish, until);
    send(&mut world, bob, TEA, "in time");
    world.pass(HOUR * 25);
    assert_eq!(closes(&world, cleo), 0, "a day has not passed");
    world.pass(HOUR * 3);
    for node in [alice, bob, cleo] {
        assert_eq!(closes(&world, node), 1);
        assert_eq!(texts(&mut world, node, TEA), ["in time"]);
    }
    // Only once, also by a node that starts anew.
    world.down(alice);
    world.up(alice);
    world.pass(HOUR * 30);
    assert_eq!(closes(&world, cleo), 1);
}

#[test]
fn nobody_closes_early_or_by_a_clock_that_nobody_confirmed() {
    let (mut world, [alice, bob, _]) = three(52);
    let until = world.wall().as_millis() + 3_600_000;
    grant_until(&mut world, alice, "Bob", Right::Publish, until);
    world.pass(Duration::from_secs(30));
    // Alice is away with a clock that stands two days ahead, which she does not trust.
    world.down(alice);
    world.nodes[alice].skew = 2 * 86_400_000;
    world.nodes[alice].config.trust_clock = false;
    world.cut = vec![(alice, bob), (alice, 2)];
    world.up(alice);
    world.pass(HOUR * 3);
    assert_eq!(closes(&world, alice), 0);
}
