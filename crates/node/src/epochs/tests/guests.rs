//! Who is noted as a guest: what whoever has a link may fill of other people's disks, and what is dropped.

use super::attended::invite;
use super::meeting::{inside, local};
use super::world::World;
use crate::command::{Command, Reply, Right};
use crate::guests::welcomed_by;
use crate::limits::GUEST_ENVELOPES;
use crate::look::look;
use crate::rows;
use identity::PublicKey;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wire::{Claim, Item};

const TEA: &str = "tea";

/// Alice, and somebody who has come by her link for so many devices; the claim.
fn two(seed: u8, uses: u32) -> (World, usize, usize, Claim) {
    let mut world = World::new(seed);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    let name = TEA.to_owned();
    let messages = None;
    let created = world.ask(alice, Command::TopicCreate { name, messages });
    assert!(matches!(created, Reply::Topic { .. }));
    let link = invite(&mut world, alice, uses, true);
    let joined = world.ask(
        bob,
        Command::Join {
            link,
            name: None,
            timeout_ms: 30_000,
        },
    );
    assert!(matches!(joined, Reply::Topic { .. }));
    world.pass(Duration::from_secs(5));
    let noted = noted(&mut world, alice);
    let claim = *noted.values().next().expect("it is noted");
    (world, alice, bob, claim)
}

/// Who is noted on a node's disk, by author key.
fn noted(world: &mut World, node: usize) -> BTreeMap<PublicKey, Claim> {
    inside(world, node, |inner, turn| {
        let rows = rows::guests(&mut turn.cx.store, local(inner)).into_iter();
        let claims = rows.map(|(author, row)| match Item::decode(&row[9..]) {
            Ok(Item::Claim(claim)) => (author, claim),
            other => panic!("{other:?}"),
        });
        claims.collect()
    })
}

/// Author keys begin at a node, each with a claim.
fn begin(world: &mut World, node: usize, claims: Vec<(PublicKey, Claim)>) {
    inside(world, node, move |inner, turn| {
        let local = local(inner);
        for (author, claim) in &claims {
            inner.note_guest(turn, (local, author), claim);
        }
    });
}

fn key(kind: u8, no: u16) -> PublicKey {
    let mut bytes = [kind; 32];
    bytes[..2].copy_from_slice(&no.to_be_bytes());
    PublicKey::from_bytes(bytes)
}

fn send(world: &mut World, node: usize, count: u64) {
    for n in 0..count {
        let command = Command::Send {
            to: TEA.to_owned(),
            messages: vec![n.to_string().into_bytes()],
            expires: None,
            best_effort: false,
        };
        let reply = world.ask(node, command);
        assert!(matches!(reply, Reply::Sent { .. }), "{reply:?}");
    }
    world.pass(Duration::from_secs(30));
}

/// A link that a thousand have: of so many devices as it is for, and eight more, anything is kept.
#[test]
fn a_leaked_link_fills_no_more_rows_than_it_is_for() {
    for (uses, most) in [(2, 10), (1_000_000, 264)] {
        let (mut world, alice, _, claim) = two(220, uses);
        let others = (0..1_000).map(|no| {
            let device = key(1, no);
            (key(2, no), Claim { device, ..claim })
        });
        begin(&mut world, alice, others.collect());
        let noted = noted(&mut world, alice);
        let devices: BTreeSet<PublicKey> = noted.values().map(|claim| claim.device).collect();
        assert_eq!((noted.len(), devices.len()), (most, most));
        assert!(
            devices.contains(&claim.device),
            "who came first is not pushed out"
        );
    }
}

/// A device that numbers its keys as it likes, or claims again and again, fills no more than its own rows.
#[test]
fn one_device_has_four_rows() {
    let (mut world, alice, _, claim) = two(221, 100);
    let again = (0..100).map(|no| {
        let time = claim.time.saturating_sub(u64::from(no));
        (key(3, no), Claim { time, ..claim })
    });
    begin(&mut world, alice, again.collect());
    assert_eq!(noted(&mut world, alice).len(), 4);
}

/// Rows of those who are no guests any more are dropped, also over a restart.
#[test]
fn who_is_no_guest_any_more_has_no_rows() {
    let topic = || TEA.to_owned();
    // Welcomed by the machine.
    let (mut world, alice, bob, _) = two(222, 1);
    send(&mut world, bob, GUEST_ENVELOPES / 2);
    assert!(noted(&mut world, alice).is_empty());
    world.down(alice);
    world.up(alice);
    assert!(noted(&mut world, alice).is_empty());
    // Given as much by a person.
    let (mut world, alice, _, _) = two(223, 1);
    let right = |right| crate::command::AskedRight {
        right,
        from: 0,
        until: None,
    };
    let given = world.ask(
        alice,
        Command::Grant {
            topic: topic(),
            member: "Bob".to_owned(),
            rights: vec![right(Right::Publish), right(Right::Read)],
            messages: None,
            bytes: None,
            at: None,
        },
    );
    assert!(matches!(given, Reply::Granted { .. }), "{given:?}");
    assert!(noted(&mut world, alice).is_empty());
    // Removed.
    let (mut world, alice, _, _) = two(224, 1);
    let revoked = world.ask(
        alice,
        Command::Revoke {
            topic: topic(),
            member: "Bob".to_owned(),
            only: Vec::new(),
            cut: None,
            cascade: false,
        },
    );
    assert!(matches!(revoked, Reply::Revoked { .. }), "{revoked:?}");
    assert!(noted(&mut world, alice).is_empty());
    // Has left.
    let (mut world, alice, bob, _) = two(225, 1);
    let left = world.ask(bob, Command::TopicLeave { topic: topic() });
    assert_eq!(left, Reply::Done);
    world.pass(Duration::from_secs(30));
    assert!(noted(&mut world, alice).is_empty());
}

/// How many grants of a node's present author welcome guests is what the graph says: after a restart, too.
#[test]
fn what_a_machine_has_given_is_counted_by_the_graph() {
    let (mut world, alice, bob, _) = two(226, 1);
    let given = |world: &mut World| {
        inside(world, alice, |inner, turn| {
            let local = local(inner);
            let keys = inner.host.keys.topic(local).unwrap();
            let own = keys.certificate().unwrap().author;
            look(&mut inner.topics, turn.cx, local, |lace, store| {
                let effect = lace.held_effect(store);
                welcomed_by(lace, store, (&effect, &own))
            })
        })
    };
    assert_eq!(given(&mut world), Some(0));
    send(&mut world, bob, GUEST_ENVELOPES);
    assert_eq!(given(&mut world), Some(1));
    world.down(alice);
    world.up(alice);
    assert_eq!(given(&mut world), Some(1));
}

/// The times at which guests are welcomed come from the graph, whose bytes are those that the law has counted: it
/// does not matter whose bodies are here.
#[test]
fn what_a_guest_has_written_is_counted_by_the_law() {
    let (mut world, alice, bob, _) = two(227, 1);
    let command = Command::Send {
        to: TEA.to_owned(),
        messages: vec![vec![b'x'; 50_000]],
        expires: None,
        best_effort: false,
    };
    let reply = world.ask(bob, command);
    assert!(matches!(reply, Reply::Sent { .. }), "{reply:?}");
    world.pass(Duration::from_secs(5));
    let author = *noted(&mut world, alice).keys().next().unwrap();
    let (before, spent) = inside(&mut world, alice, move |inner, turn| {
        let local = local(inner);
        look(&mut inner.topics, turn.cx, local, |lace, _| {
            let author = lace.author(&author).unwrap();
            let counts = author.counts();
            (
                counts.header_bytes + counts.body_bytes,
                author.spent_in_all(),
            )
        })
        .unwrap()
    });
    assert_eq!(before, spent, "as long as all bodies are here");
    assert!(spent > 50_000);
}
