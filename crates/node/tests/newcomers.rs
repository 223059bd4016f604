//! People who come late: to a topic without its founder, to one of which half has expired, and
//! people whose clocks are wrong.

use crate::giving::revoke;
use crate::restored::{info, pair};
use crate::story::{found, invite, join, send, texts, use_core, wait};
use crate::world::World;
use node::command::{Command, Line, LineKind, ReadFrom, Reply, WaitFor};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use wire::{Frame, TopicFrame};

fn lines(world: &mut World, node: usize) -> Vec<Line> {
    let command = Command::Read {
        topic: "tea".to_owned(),
        from: ReadFrom::After(0),
        limit: 500,
    };
    match world.ask(node, command) {
        Reply::Lines { lines, .. } => lines,
        other => panic!("{other:?}"),
    }
}

fn send_until(world: &mut World, node: usize, text: &str, lifespan: Duration) {
    let expires = world.wall().as_millis() + u64::try_from(lifespan.as_millis()).expect("short");
    let command = Command::Send {
        to: "tea".to_owned(),
        messages: vec![text.as_bytes().to_vec()],
        expires: Some(expires),
        best_effort: false,
    };
    assert!(matches!(world.ask(node, command), Reply::Sent { .. }));
}

/// No core node, and the founder is away: a member that is up gives the box and the topic.
#[test]
fn a_member_lets_a_newcomer_in_while_the_founder_is_away() {
    let (mut world, alice, bob) = pair(30);
    let link = invite(&mut world, alice, "tea", 1);
    world.pass(Duration::from_secs(2));
    world.down(alice);
    let carol = world.add("Carol", false);
    join(&mut world, carol, &link);
    send(&mut world, carol, "tea", "three");
    world.pass(Duration::from_secs(3));
    assert_eq!(texts(&mut world, bob, "tea"), ["one", "two", "three"]);
    assert_eq!(texts(&mut world, carol, "tea"), ["one", "two", "three"]);
    world.down(bob);
    world.up(alice);
    world.pass(Duration::from_secs(400));
    assert_eq!(texts(&mut world, alice, "tea"), ["one", "two", "three"]);
}

#[test]
fn a_newcomer_gets_the_rest_of_what_has_half_expired() {
    for through_core in [false, true] {
        let mut world = World::new(31);
        let core = world.add("core", true);
        let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
        use_core(&mut world, alice, core);
        found(&mut world, alice, "tea");
        world.pass(Duration::from_secs(2));
        let link = invite(&mut world, alice, "tea", 1);
        for number in 0..20 {
            let hours = if number % 2 == 0 { 1 } else { 100 };
            let lifespan = Duration::from_secs(hours * 3600);
            send_until(&mut world, alice, &format!("m{number}"), lifespan);
        }
        world.pass(Duration::from_secs(4 * 3600));
        if through_core {
            world.down(alice);
        } else {
            world.cut_off(bob, core);
        }
        join(&mut world, bob, &link);
        world.pass(Duration::from_secs(60));
        let lines = lines(&mut world, bob);
        let shown: Vec<String> = lines
            .iter()
            .filter(|line| matches!(line.kind, LineKind::Text | LineKind::Gap))
            .map(|line| match line.kind {
                LineKind::Gap => {
                    assert!(line.text.contains("expired"), "{line:?}");
                    "gap".to_owned()
                }
                _ => line.text.clone(),
            })
            .collect();
        let expected: Vec<String> = (0..20)
            .map(|n| {
                if n % 2 == 0 {
                    "gap".to_owned()
                } else {
                    format!("m{n}")
                }
            })
            .collect();
        assert_eq!(shown, expected, "through the core: {through_core}");
    }
}

/// Bodies that do not come for a while: a gap is shown in time, nobody is silenced, and the text is
/// shown when it is there, also by those who have it from others.
#[test]
fn late_bodies_are_shown_when_they_come() {
    let (mut world, alice, bob) = pair(32);
    let link = invite(&mut world, alice, "tea", 1);
    let carol = world.add("Carol", false);
    join(&mut world, carol, &link);
    world.pass(Duration::from_secs(5));
    world.cut_off(alice, carol);
    let withhold = Rc::new(Cell::new(true));
    let on = Rc::clone(&withhold);
    world.tamper = Some(Box::new(move |from, _, bytes| {
        if from != alice || !on.get() {
            return vec![bytes];
        }
        match Frame::decode(&bytes) {
            Ok(Frame::Topic {
                topic,
                frame:
                    TopicFrame::Envelopes {
                        mut envelopes,
                        last,
                    },
            }) => {
                for raw in &mut envelopes {
                    let header = wire::decode_header(&raw.header_bytes).expect("honest");
                    if header.class == wire::Class::Content {
                        raw.body = None;
                    }
                }
                let frame = TopicFrame::Envelopes { envelopes, last };
                vec![Frame::Topic { topic, frame }.encode()]
            }
            Ok(Frame::Topic {
                frame: TopicFrame::Bodies { .. },
                ..
            }) => vec![],
            _ => vec![bytes],
        }
    }));
    let id = send(&mut world, alice, "tea", "three");
    world.pass(Duration::from_secs(10));
    let early = wait_short(&mut world, alice, &id);
    assert!(
        matches!(early, Reply::Failed(_)),
        "without its body nothing is delivered: {early:?}"
    );
    world.pass(Duration::from_secs(60));
    for node in [bob, carol] {
        let gaps = lines(&mut world, node)
            .into_iter()
            .filter(|line| line.kind == LineKind::Gap);
        assert_eq!(gaps.count(), 1, "the gap is shown");
    }
    send(&mut world, bob, "tea", "four");
    world.pass(Duration::from_secs(2));
    assert!(
        texts(&mut world, alice, "tea").contains(&"four".to_owned()),
        "nobody is silenced"
    );
    withhold.set(false);
    let link = world.link(alice, bob).expect("a link");
    world.tear(link);
    world.pass(Duration::from_secs(400));
    for node in [bob, carol] {
        let seen = texts(&mut world, node, "tea");
        assert_eq!(
            seen.iter().filter(|text| *text == "three").count(),
            1,
            "{seen:?}"
        );
    }
    let reached = wait(&mut world, alice, &id, WaitFor::Delivered, Some(2));
    assert!(
        matches!(reached, Reply::Reached { count: 2, .. }),
        "{reached:?}"
    );
}

fn wait_short(world: &mut World, node: usize, id: &str) -> Reply {
    let id = id.to_owned();
    world.ask(
        node,
        Command::Wait {
            id,
            state: WaitFor::Delivered,
            of: None,
            timeout_ms: 2_000,
        },
    )
}

const YEAR_MS: i64 = 365 * 24 * 3600 * 1000;

/// A clock that stands at 1970 or 2099 and that nobody has confirmed: nothing is deleted, nothing
/// harmful is published, and the others go on as if nothing were.
#[test]
fn wrong_clocks_harm_nobody() {
    for years in [-56, 73] {
        let (mut world, alice, bob) = pair(33);
        let link = invite(&mut world, alice, "tea", 2);
        let carol = world.add_down("Carol", false);
        world.nodes[carol].skew = years * YEAR_MS;
        world.nodes[carol].config.trust_clock = false;
        world.up(carol);
        join(&mut world, carol, &link);
        send_until(&mut world, alice, "soon over", Duration::from_secs(3600));
        world.pass(Duration::from_secs(5));
        let bodies = texts(&mut world, carol, "tea");
        assert_eq!(bodies, ["one", "two", "soon over"], "years: {years}");
        let id = send(&mut world, carol, "tea", "what time is it?");
        let reached = wait(&mut world, carol, &id, WaitFor::Delivered, Some(2));
        assert!(
            matches!(reached, Reply::Reached { .. }),
            "years: {years}: {reached:?}"
        );
        let id = send(&mut world, alice, "tea", "three");
        let reached = wait(&mut world, alice, &id, WaitFor::Delivered, Some(2));
        assert!(
            matches!(reached, Reply::Reached { count: 2, .. }),
            "{reached:?}"
        );
        world.pass(Duration::from_secs(300));
        let right = world.wall().as_millis();
        for node in [alice, bob, carol] {
            let lines = lines(&mut world, node);
            assert_eq!(
                lines
                    .iter()
                    .filter(|line| line.kind == LineKind::Text)
                    .count(),
                5
            );
            for line in lines {
                assert!(
                    line.at <= right + 300_000,
                    "nothing claims the future: {line:?}"
                );
                assert!(
                    line.at + 3_600_000 > right,
                    "nothing claims a time long gone: {line:?}"
                );
            }
        }
        let names: Vec<_> = info(&mut world, alice)
            .members
            .into_iter()
            .map(|m| m.name)
            .collect();
        assert!(
            names.iter().any(|name| name.contains("Carol")),
            "years: {years}: {names:?}"
        );
    }
}

/// A clock that steps back a little, as clocks do when they are set.
#[test]
fn a_clock_that_steps_back_changes_nothing() {
    let (mut world, alice, bob) = pair(34);
    world.nodes[alice].skew = -120_000;
    send(&mut world, alice, "tea", "three");
    world.ask(
        alice,
        Command::SetName {
            name: "Alice the second".to_owned(),
        },
    );
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, bob, "tea"), ["one", "two", "three"]);
    let names: Vec<_> = info(&mut world, bob)
        .members
        .into_iter()
        .map(|m| m.name)
        .collect();
    assert!(
        names.iter().any(|name| name.contains("Alice the second")),
        "{names:?}"
    );
}

/// A trusted clock that is decades ahead: its owner is told, and what it writes does not push the
/// others' messages aside.
#[test]
fn a_trusted_clock_in_2099_does_not_take_others_along() {
    let (mut world, alice, bob) = pair(35);
    world.down(bob);
    world.nodes[bob].skew = 73 * YEAR_MS;
    world.up(bob);
    world.pass(Duration::from_secs(5));
    send(&mut world, bob, "tea", "from the future");
    world.pass(Duration::from_secs(5));
    let id = send(&mut world, alice, "tea", "three");
    world.pass(Duration::from_secs(5));
    let at = lines(&mut world, alice)
        .into_iter()
        .find(|line| id.starts_with(&line.id.to_string()));
    let at = at.expect("its own line").at;
    assert!(
        at <= world.wall().as_millis(),
        "its own clock is the right one"
    );
    world.down(bob);
    world.nodes[bob].skew = 0;
    world.up(bob);
    world.pass(Duration::from_secs(400));
    send(&mut world, bob, "tea", "back again");
    world.pass(Duration::from_secs(400));
    let seen = texts(&mut world, alice, "tea");
    assert!(seen.contains(&"back again".to_owned()), "{seen:?}");
}

/// The box of an invite brings the topic's first key epoch alone. Somebody was removed since, so that
/// another one is written under, and nobody is there who could hand it over.
#[test]
fn who_comes_after_a_removal_reads_through_a_core_node_alone() {
    let mut world = World::new(33);
    let core = world.add("core", true);
    let [alice, bob, carol] = ["Alice", "Bob", "Carol"].map(|name| world.add(name, false));
    use_core(&mut world, alice, core);
    found(&mut world, alice, "tea");
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(20));
    revoke(&mut world, alice, "Bob", &[], None);
    world.pass(Duration::from_secs(20));
    let link = invite(&mut world, alice, "tea", 1);
    send(&mut world, alice, "tea", "after Bob");
    world.pass(Duration::from_secs(60));
    world.down(alice);
    world.down(bob);
    join(&mut world, carol, &link);
    world.pass(Duration::from_secs(60));
    assert_eq!(texts(&mut world, carol, "tea"), ["after Bob"]);
}

/// Whoever shows itself may be asked to prove a grant before the envelope that gives it has come: it
/// answers when it has.
#[test]
fn a_grant_that_was_asked_for_too_early_is_proved_when_it_has_come() {
    let (mut world, alice, bob) = pair(37);
    world.pass(Duration::from_secs(5));
    world.cut_off(alice, bob);
    // Bob hears nothing of this invite.
    let link = invite(&mut world, alice, "tea", 1);
    let carol = world.add("Carol", false);
    world.connect(carol, None, bob);
    join(&mut world, carol, &link);
    world.pass(Duration::from_secs(2));
    world.down(alice);
    let on = world.link(carol, bob).expect("linked");
    send(&mut world, carol, "tea", "three");
    world.pass(Duration::from_secs(2));
    assert_eq!(texts(&mut world, bob, "tea"), ["one", "two", "three"]);
    assert_eq!(world.link(carol, bob), Some(on), "on the same link");
}
