//! Who takes part, as people are told.

use crate::story::{found, invite, join, send};
use crate::world::World;
use node::command::{Code, Command, GrantKind, Member, Reply, Right};
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
