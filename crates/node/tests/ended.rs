//! What is told to whom about rights that are over, or were never of use.

use crate::giving::{TEA, failure, grant, revoke, three};
use crate::paired::{failure as refused, members, pair, remove};
use crate::story::{found, invite, join, send, texts, wait};
use crate::world::World;
use node::command::{AskedRight, Code, Command, Problem, Reply, Right, WaitFor, Why};
use std::time::Duration;

fn problems(world: &mut World, node: usize) -> Vec<Problem> {
    let Reply::Status(status) = world.ask(node, Command::Status) else {
        panic!("no status");
    };
    let mut problems = status.problems;
    problems.retain(|problem| problem.code == "rights-ended");
    problems
}

fn role(world: &mut World, node: usize) -> String {
    let topic = TEA.to_owned();
    match world.ask(node, Command::TopicInfo { topic }) {
        Reply::TopicInfo(info) => info.row.role,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_revoked_is_told_by_whom() {
    let (mut world, [alice, bob, cleo]) = three(71);
    let reply = revoke(&mut world, alice, "Bob", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    for _ in 0..2 {
        let told = problems(&mut world, bob);
        assert_eq!(told.len(), 1, "{told:?}");
        let text = &told[0].text;
        assert!(text.contains("\"tea\"") && text.contains("Alice"), "{text}");
        assert!(told[0].hint.contains("invite"), "{told:?}");
        assert_eq!(role(&mut world, bob), "ended");
        // Also in another life.
        world.down(bob);
        world.up(bob);
        world.pass(Duration::from_secs(30));
    }
    for node in [alice, cleo] {
        assert!(problems(&mut world, node).is_empty());
        assert_eq!(role(&mut world, node), "member");
    }
}

#[test]
fn who_loses_one_right_is_told_which_until_it_has_it_again() {
    for (seed, right, word) in [(72, Right::Read, "read"), (73, Right::Publish, "write")] {
        let (mut world, [alice, bob, _]) = three(seed);
        let reply = revoke(&mut world, alice, "Bob", &[right], None);
        assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
        world.pass(Duration::from_secs(30));
        let told = problems(&mut world, bob);
        assert_eq!(told.len(), 1, "{told:?}");
        let text = &told[0].text;
        assert!(text.contains(word) && text.contains("Alice"), "{text}");
        assert_eq!(role(&mut world, bob), "member");
        let reply = grant(&mut world, alice, "Bob", &[Right::Publish, Right::Read]);
        assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
        world.pass(Duration::from_secs(30));
        let told = problems(&mut world, bob);
        assert!(told.is_empty(), "{told:?}");
    }
}

fn asked(world: &mut World, node: usize, member: &str, messages: Option<u32>) -> Option<String> {
    let right = |right| AskedRight {
        right,
        from: 0,
        until: None,
    };
    let command = Command::Grant {
        topic: TEA.to_owned(),
        member: member.to_owned(),
        rights: [Right::Publish, Right::Read, Right::Admit]
            .map(right)
            .to_vec(),
        messages,
        bytes: None,
        at: None,
    };
    let reply = world.ask(node, command);
    let Reply::Granted { name, unused, .. } = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(name, member);
    unused
}

fn invites(world: &mut World, node: usize, messages: Option<u32>) -> Reply {
    let command = Command::Invite {
        topic: TEA.to_owned(),
        rights: Vec::new(),
        messages,
        uses: 1,
        until: None,
        while_away: false,
    };
    world.ask(node, command)
}

#[test]
fn a_gift_that_will_not_be_used_is_said_to_whoever_gives_it() {
    let (mut world, [alice, bob, _]) = three(74);
    let unused = asked(&mut world, alice, "Bob", Some(20)).expect("it is tighter");
    assert!(unused.contains("20 messages a minute"), "{unused}");
    world.pass(Duration::from_secs(30));
    let told = failure(invites(&mut world, bob, None));
    assert_eq!(told.code, Code::Refused);
    assert!(told.hint.contains("20 messages a minute"), "{told:?}");
    // Without the bound it is of use.
    assert_eq!(asked(&mut world, alice, "Bob", None), None);
    world.pass(Duration::from_secs(30));
    let reply = invites(&mut world, bob, None);
    assert!(matches!(reply, Reply::Invited { .. }), "{reply:?}");
}

#[test]
fn an_invite_is_not_for_less_than_was_asked_for() {
    let mut world = World::new(75);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.add(name, false));
    let reply = world.ask(
        alice,
        Command::TopicCreate {
            name: TEA.to_owned(),
            messages: Some(160),
        },
    );
    assert!(matches!(reply, Reply::Topic { .. }), "{reply:?}");
    let link = invite(&mut world, alice, TEA, 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(20));
    assert_eq!(asked(&mut world, alice, "Bob", Some(160)), None);
    world.pass(Duration::from_secs(30));
    let told = failure(invites(&mut world, bob, Some(50)));
    assert_eq!(told.code, Code::Refused);
    assert!(told.message.contains("10 messages a minute"), "{told:?}");
    let reply = invites(&mut world, bob, Some(10));
    assert!(
        matches!(
            reply,
            Reply::Invited {
                messages: Some(10),
                ..
            }
        ),
        "{reply:?}"
    );
}

fn why(world: &mut World, node: usize, id: &str) -> Why {
    let id = Some(id.to_owned());
    match world.ask(node, Command::Why { id }) {
        Reply::Why(why) => *why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nobody_waits_for_the_home_that_is_asked() {
    let mut world = World::new(76);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.add(name, false));
    found(&mut world, alice, TEA);
    let link = invite(&mut world, alice, TEA, 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(20));
    let id = send(&mut world, bob, TEA, "hello");
    let reached = wait(&mut world, bob, &id, WaitFor::Delivered, None);
    assert!(matches!(
        reached,
        Reply::Reached {
            count: 1,
            of: 1,
            ..
        }
    ));
    world.pass(Duration::from_secs(5));
    let told = why(&mut world, alice, &id);
    assert!(told.waits_for.is_empty(), "{told:?}");
    assert_eq!((told.delivered, told.members), (1, 1), "{told:?}");
}

#[test]
fn a_device_that_is_alone_is_not_removed_by_itself() {
    let (mut world, [alice, bob, _]) = three(77);
    for (node, name) in [(alice, "Alice"), (bob, "Bob")] {
        let told = refused(remove(&mut world, node, name));
        assert_eq!(told.code, Code::Refused, "{told:?}");
        assert!(told.message.contains(TEA), "{told:?}");
        send(&mut world, node, TEA, name);
    }
    world.pass(Duration::from_secs(10));
    assert_eq!(texts(&mut world, bob, TEA), ["Alice", "Bob"]);
    // With another one beside it, it goes.
    let laptop = world.add("Laptop", false);
    pair(&mut world, alice, laptop);
    world.pass(Duration::from_secs(30));
    let reply = remove(&mut world, alice, "Alice");
    assert!(matches!(reply, Reply::Device(_)), "{reply:?}");
    world.pass(Duration::from_secs(30));
    let all = members(&mut world, bob, TEA);
    let seats = all.iter().flat_map(|it| &it.devices);
    let mut seats: Vec<&str> = seats
        .filter(|device| device.seated)
        .map(|device| device.name.as_str())
        .collect();
    seats.sort_unstable();
    assert_eq!(seats, ["Bob", "Cleo", "Laptop"]);
}

/// What Bob gives Eve he takes back in part; then Alice takes what Bob has, with all below.
#[test]
fn each_right_that_is_over_is_told_with_who_ended_it() {
    let (mut world, [alice, bob, cleo]) = three(78);
    let all = [Right::Publish, Right::Read, Right::Admit];
    let reply = grant(&mut world, alice, "Bob", &all);
    assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    let reply = grant(&mut world, bob, "Cleo", &all);
    assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    send(&mut world, cleo, TEA, "by what Bob gave");
    let reply = revoke(&mut world, bob, "Cleo", &[Right::Admit], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    let command = Command::Revoke {
        topic: TEA.to_owned(),
        member: "Bob".to_owned(),
        only: vec![Right::Read, Right::Admit],
        cut: None,
        cascade: true,
    };
    let reply = world.ask(alice, command);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(60));
    let members = members(&mut world, alice, TEA);
    let grants = members.iter().flat_map(|member| &member.grants);
    let of_bobs: Vec<_> = grants.filter(|grant| grant.by_name == "Bob").collect();
    assert_eq!(of_bobs.len(), 1, "{members:?}");
    let ends = of_bobs[0].ended.iter();
    let ends: Vec<(&str, bool, &[Right])> = ends
        .map(|end| (end.by_name.as_str(), end.above, end.rights.as_slice()))
        .collect();
    let expected: [(&str, bool, &[Right]); 2] = [
        ("Bob", false, &[Right::Admit]),
        ("Alice", true, &[Right::Read, Right::Admit]),
    ];
    assert_eq!(ends, expected);
}
