//! Who takes part, as people are told.

use crate::giving::{failure, grant};
use crate::story::{found, invite, join, send, texts};
use crate::welcomes::{Asked, attended};
use crate::world::World;
use node::command::{Came, Code, Command, GrantKind, Member, Reply, Right, Used};
use std::collections::BTreeSet;
use std::time::Duration;

fn members(world: &mut World, node: usize) -> Vec<Member> {
    let topic = "tea".to_owned();
    match world.ask(node, Command::Members { topic }) {
        Reply::Members(members) => members,
        other => panic!("{other:?}"),
    }
}

#[test]
fn members_are_told_with_devices_and_grants() {
    let mut world = World::new(150);
    let alice = world.add("Alice", false);
    let bob = world.add("Bob", false);
    found(&mut world, alice, "tea");
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    send(&mut world, bob, "tea", "here");
    world.pass(Duration::from_secs(5));
    for node in [alice, bob] {
        let all = members(&mut world, node);
        assert_eq!(all.len(), 2, "{all:?}");
        let names: Vec<&str> = all.iter().map(|who| who.devices[0].name.as_str()).collect();
        assert_eq!(names, ["Alice", "Bob"], "from the owner down");
        let own: Vec<bool> = all.iter().map(|who| who.devices[0].own).collect();
        assert_eq!(own, [node == alice, node == bob]);
        let [owners, guests] = [0, 1].map(|at| &all[at].grants[0]);
        assert_eq!((owners.kind, owners.depth), (GrantKind::Own, 0));
        assert_eq!((guests.kind, guests.depth), (GrantKind::Invite, 1));
        assert_eq!(guests.parent.as_ref(), Some(&owners.id));
        assert_eq!(guests.by, Some(all[0].devices[0].device.clone()));
        assert_eq!(guests.by_name, "Alice");
        assert!(owners.by.is_none() && owners.ended.is_empty());
        let rights = |at: usize| -> Vec<Right> {
            let rights = all[at].grants[0].rights.iter();
            rights.map(|right| right.right).collect()
        };
        assert_eq!(rights(0), [Right::Publish, Right::Read, Right::Admit]);
        assert_eq!(rights(1), [Right::Publish, Right::Read]);
        for who in &all {
            let device = &who.devices[0];
            assert!(device.seated && !device.left && device.share == 256);
            assert!(device.envelopes > 0);
            let grant = &who.grants[0];
            assert!(grant.stands && grant.writes && grant.since > 0);
            assert!(grant.rights.iter().all(|right| !right.over));
        }
    }
    let leave = Command::TopicLeave {
        topic: "tea".into(),
    };
    assert_eq!(world.ask(bob, leave), Reply::Done);
    world.pass(Duration::from_secs(5));
    let all = members(&mut world, alice);
    assert!(all[1].devices[0].left && all[1].devices[0].seated);
    let topic = "coffee".to_owned();
    match world.ask(alice, Command::Members { topic }) {
        Reply::Failed(failure) => assert_eq!(failure.code, Code::NotFound),
        other => panic!("{other:?}"),
    }
}

/// What a member of this name has used of its grant, as a node shows it.
fn used(world: &mut World, node: usize, name: &str) -> Option<Used> {
    let mut all = members(world, node).into_iter();
    let member = all.find(|member| member.devices.iter().any(|device| device.name == name));
    let grants = member.expect("takes part").grants;
    let mut under = grants.into_iter().filter(|grant| grant.writes);
    under.next().expect("writes").used
}

/// What is shown as used is what the law's bucket lacks: at ten minutes' worth nothing more is written, and
/// time gives it back.
#[test]
fn what_is_used_of_a_budget_is_what_cannot_be_written_now() {
    let mut world = World::new(151);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, "tea");
    let asked = Asked {
        messages: Some(6),
        ..Asked::default()
    };
    let link = attended(&mut world, alice, asked);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(5));
    let messages = |count| {
        let used = Used {
            messages: Some(count),
            ..Used::default()
        };
        Some(used)
    };
    assert_eq!(used(&mut world, alice, "Alice"), None, "nothing bounds her");
    assert_eq!(used(&mut world, alice, "Bob"), messages(0));
    for n in 0..60 {
        send(&mut world, bob, "tea", &n.to_string());
    }
    world.settle();
    for node in [alice, bob] {
        assert_eq!(used(&mut world, node, "Bob"), messages(60));
    }
    let more = Command::Send {
        to: "tea".into(),
        messages: vec![b"more".to_vec()],
        expires: None,
        best_effort: false,
    };
    let refused = failure(world.ask(bob, more.clone()));
    assert_eq!(refused.code, Code::NotYet, "{refused:?}");
    assert!(refused.hint.contains("`way members`"), "{refused:?}");
    // Six a minute: one in ten seconds. What is not given back whole is not shown as free.
    world.pass(Duration::from_secs(9));
    assert_eq!(used(&mut world, bob, "Bob"), messages(60));
    world.pass(Duration::from_secs(1));
    assert_eq!(used(&mut world, bob, "Bob"), messages(59));
    assert!(matches!(world.ask(bob, more), Reply::Sent { .. }));
    world.pass(Duration::from_secs(300));
    for node in [alice, bob] {
        assert_eq!(used(&mut world, node, "Bob"), messages(30));
    }
    world.pass(Duration::from_secs(600));
    assert_eq!(used(&mut world, alice, "Bob"), messages(0));
}

/// What is counted in all no time gives back.
#[test]
fn what_a_guest_has_used_in_all_is_shown() {
    let mut world = World::new(152);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, "tea");
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    send(&mut world, bob, "tea", "here");
    world.pass(Duration::from_secs(3600));
    let grants = members(&mut world, alice).remove(1).grants;
    let bound = (grants[0].total_envelopes, grants[0].total_bytes);
    assert_eq!(bound, (Some(64), Some(1 << 20)));
    let used = used(&mut world, alice, "Bob").expect("bounded");
    assert_eq!((used.messages, used.bytes), (None, None));
    assert_eq!(used.total_envelopes, Some(2), "the first, and the message");
    assert!(
        used.total_bytes.is_some_and(|bytes| bytes > 500),
        "{used:?}"
    );
}

/// How a member of this name came, as a node shows it.
fn came(world: &mut World, node: usize, name: &str) -> Came {
    let mut all = members(world, node).into_iter();
    let member = all.find(|member| member.devices.iter().any(|device| device.name == name));
    let grants = member.expect("takes part").grants;
    let mut came = grants.into_iter().filter_map(|grant| grant.came);
    came.next().expect("came by an invite")
}

/// Two parts of a topic each welcome as many as the invite is for. When they meet, both show the same one as beyond its
/// uses, and by what; both stay.
#[test]
fn who_was_welcomed_beyond_an_invites_uses_is_shown_with_evidence_and_stays() {
    let mut world = World::new(153);
    let names = ["Alice", "Bob", "Cleo", "Dora"];
    let [alice, bob, cleo, dora] = names.map(|name| world.add(name, false));
    found(&mut world, alice, "tea");
    let link = attended(&mut world, alice, Asked::default());
    join(&mut world, bob, &link);
    let all = [Right::Publish, Right::Read, Right::Admit];
    grant(&mut world, alice, "Bob", &all);
    world.pass(Duration::from_secs(30));
    let link = attended(&mut world, alice, Asked::default());
    world.pass(Duration::from_secs(30));
    for one in [alice, cleo] {
        for other in [bob, dora] {
            world.cut_off(one, other);
        }
    }
    join(&mut world, cleo, &link);
    join(&mut world, dora, &link);
    let alone = came(&mut world, alice, "Cleo");
    assert_eq!((alone.place, alone.uses), (Some(1), Some(1)));
    world.cut.clear();
    world.pass(Duration::from_secs(300));
    let [first, second] = [cleo, dora].map(|node| {
        let name = names[node];
        let seen = [alice, bob, cleo, dora].map(|at| came(&mut world, at, name));
        let places = seen.each_ref().map(|came| (came.place, came.is_beyond()));
        assert!(places.iter().all(|place| *place == places[0]), "{seen:?}");
        let [came, ..] = seen;
        assert_eq!(came.uses, Some(1));
        assert_ne!(came.invite, self::came(&mut world, alice, "Bob").invite);
        // The evidence is an envelope that is here.
        let id = Some(came.envelope.clone());
        let why = world.ask(bob, Command::Why { id });
        assert!(matches!(why, Reply::Why(_)), "{why:?}");
        came
    });
    assert_eq!(first.invite, second.invite);
    let places = BTreeSet::from([first.place, second.place]);
    assert_eq!(places, [Some(1), Some(2)].into());
    assert!(first.is_beyond() != second.is_beyond());
    for (node, text) in [(cleo, "cleo"), (dora, "dora")] {
        send(&mut world, node, "tea", text);
    }
    world.pass(Duration::from_secs(30));
    let mut read = texts(&mut world, bob, "tea");
    read.sort();
    assert_eq!(read, ["cleo", "dora"]);
}

/// Of those who came while nobody was there, everybody shows the same as beyond the uses; whom somebody has welcomed
/// comes before who wrote first.
#[test]
fn who_came_beyond_an_invites_uses_while_nobody_was_there_is_shown() {
    let mut world = World::new(154);
    let names = ["Alice", "Bob", "Cleo", "Dora"];
    let [alice, bob, cleo, dora] = names.map(|name| world.add(name, false));
    found(&mut world, alice, "tea");
    let link = invite(&mut world, alice, "tea", 2);
    for guest in [bob, cleo, dora] {
        join(&mut world, guest, &link);
        world.pass(Duration::from_secs(5));
    }
    let beyond = |world: &mut World, at: usize| {
        let guests = [bob, cleo, dora].map(|node| (node, came(world, at, names[node])));
        let places: BTreeSet<Option<u32>> = guests.iter().map(|(_, came)| came.place).collect();
        assert_eq!(places, [Some(1), Some(2), Some(3)].into(), "{guests:?}");
        let mut beyond = guests.into_iter().filter(|(_, came)| came.is_beyond());
        beyond.next().expect("three came by a link for two")
    };
    let (last, evidence) = beyond(&mut world, alice);
    for at in [bob, cleo, dora] {
        assert_eq!(beyond(&mut world, at), (last, evidence.clone()));
    }
    for n in 0..40 {
        send(&mut world, last, "tea", &n.to_string());
        world.pass(Duration::from_secs(1));
    }
    world.pass(Duration::from_secs(60));
    let came = came(&mut world, bob, names[last]);
    assert_eq!((came.place, came.is_beyond()), (Some(1), false), "welcomed");
    assert_eq!(
        (&came.invite, &came.claim),
        (&evidence.invite, &evidence.claim)
    );
    assert_ne!(came.envelope, evidence.envelope);
    assert_ne!(beyond(&mut world, alice).0, last);
}
