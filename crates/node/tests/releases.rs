//! What is given at a time that has not come yet.

use crate::giving::{TEA, failure, grant, revoke, three};
use crate::owners::{pending, sign, three_own};
use crate::public::{alice_and_rose, key};
use crate::restored::info;
use crate::story::{found, invite, join, send, texts};
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
    let link = to_write(&mut world, alice, TEA);
    join(&mut world, bob, &link);
    world.pass(MINUTE);
    send(&mut world, alice, TEA, "sealed");
    send(&mut world, bob, TEA, "curious");
    world.pass(MINUTE);
    (world, [alice, bob])
}

/// A link for somebody who may write and not read.
fn to_write(world: &mut World, alice: usize, topic: &str) -> String {
    let command = Command::Invite {
        topic: topic.to_owned(),
        rights: vec![always(Right::Publish)],
        messages: None,
        uses: 1,
        until: None,
        while_away: false,
    };
    match world.ask(alice, command) {
        Reply::Invited { link, .. } => link,
        other => panic!("{other:?}"),
    }
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
    release_to(world, alice, (TEA, "Bob"), at)
}

fn release_to(world: &mut World, alice: usize, (topic, member): (&str, &str), at: u64) -> Reply {
    let command = Command::Grant {
        topic: topic.to_owned(),
        member: member.to_owned(),
        rights: vec![always(Right::Read)],
        messages: None,
        bytes: None,
        at: Some(at),
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

/// To whoever reads a public topic the right to write is given at its time, or not at all.
#[test]
fn a_reader_is_given_the_right_to_write_at_its_time() {
    let (mut world, [alice, rose], _) = alice_and_rose(75);
    let her = key(&info(&mut world, rose));
    let later = |world: &mut World, right| {
        let at = world.wall().as_millis() + 3_600_000;
        let command = Command::Grant {
            topic: TEA.to_owned(),
            member: her.clone(),
            rights: vec![always(right)],
            messages: None,
            bytes: None,
            at: Some(at),
        };
        world.ask(alice, command)
    };
    assert_eq!(failure(later(&mut world, Right::Read)).code, Code::Usage);
    let reply = later(&mut world, Right::Publish);
    assert!(matches!(reply, Reply::Scheduled { .. }), "{reply:?}");
    let [waits] = releases(&mut world, alice).try_into().expect("one waits");
    assert_eq!(waits.member, her);
    // She holds nothing yet, and it is taken back all the same: by all of her key, or a piece of it.
    for named in [her.as_str(), her.get(..12).expect("digits")] {
        let reply = revoke(&mut world, alice, named, &[Right::Publish], None);
        assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
        assert!(releases(&mut world, alice).is_empty());
        later(&mut world, Right::Publish);
    }
    world.pass(HOUR - 5 * MINUTE);
    assert_eq!(info(&mut world, rose).row.role, "reader", "before its time");
    world.pass(7 * MINUTE);
    assert_eq!(info(&mut world, rose).row.role, "member", "at its time");
    send(&mut world, rose, TEA, "at last");
    world.pass(MINUTE);
    assert_eq!(texts(&mut world, alice, TEA), ["before", "at last"]);
}

/// Dan, whom Cleo has let in and shown out again, is given nothing once Alice has taken back what waits.
#[test]
fn what_waits_for_somebody_without_a_seat_is_taken_back() {
    let (mut world, [alice, _, cleo]) = three(76);
    let all = [Right::Publish, Right::Read, Right::Admit];
    grant(&mut world, alice, "Cleo", &all);
    world.pass(MINUTE);
    let link = to_write(&mut world, cleo, TEA);
    let dan = world.add("Dan", false);
    join(&mut world, dan, &link);
    world.pass(MINUTE);
    let at = world.wall().as_millis() + 3_600_000;
    let reply = release_to(&mut world, alice, (TEA, "Dan"), at);
    assert!(matches!(reply, Reply::Scheduled { .. }), "{reply:?}");
    let [waits] = releases(&mut world, alice).try_into().expect("one waits");
    let reply = revoke(&mut world, cleo, "Dan", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(MINUTE);
    let member = waits.member.get(..20).expect("digits");
    let reply = revoke(&mut world, alice, member, &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    assert!(releases(&mut world, alice).is_empty());
    let none = revoke(&mut world, alice, member, &[], None);
    assert_eq!(failure(none).code, Code::NotFound);
}

/// Where several decide, what one of them is to give later is proposed then, and known to nobody before.
#[test]
fn what_several_decide_is_proposed_at_its_time() {
    let (mut world, [alice, bob, cleo]) = three_own(77);
    let link = invite(&mut world, alice, TEA, 1);
    let dan = world.add("Dan", false);
    join(&mut world, dan, &link);
    world.pass(MINUTE);
    let at = world.wall().as_millis() + 3_600_000;
    let command = Command::Grant {
        topic: TEA.to_owned(),
        member: "Dan".to_owned(),
        rights: vec![always(Right::Publish), always(Right::Admit)],
        messages: None,
        bytes: None,
        at: Some(at),
    };
    let reply = world.ask(alice, command);
    assert!(matches!(reply, Reply::Scheduled { .. }), "{reply:?}");
    world.pass(HOUR - 5 * MINUTE);
    for node in [alice, bob, cleo] {
        assert!(pending(&mut world, node).is_empty());
    }
    assert!(releases(&mut world, bob).is_empty());
    world.pass(7 * MINUTE);
    assert!(releases(&mut world, alice).is_empty());
    let signed = sign(&mut world, cleo);
    assert!(signed.done && signed.text.contains("admit"), "{signed:?}");
}

/// Several wait, for two people and in two topics.
#[test]
fn each_gift_has_its_own_time_and_is_taken_back_by_itself() {
    let (mut world, [alice, bob]) = letters(78);
    let cleo = world.add("Cleo", false);
    found(&mut world, alice, "milk");
    for topic in [TEA, "milk"] {
        let link = to_write(&mut world, alice, topic);
        join(&mut world, cleo, &link);
    }
    world.pass(MINUTE);
    send(&mut world, alice, "milk", "sealed, too");
    in_an_hour(&mut world, alice);
    let now = world.wall().as_millis();
    for (of, wait) in [((TEA, "Cleo"), 3_600_000), (("milk", "Cleo"), 1_800_000)] {
        let reply = release_to(&mut world, alice, of, now + wait);
        assert!(matches!(reply, Reply::Scheduled { .. }), "{reply:?}");
    }
    world.pass(HOUR / 2 + 3 * MINUTE);
    assert_eq!(texts(&mut world, cleo, "milk"), ["sealed, too"]);
    assert!(!reads(&mut world, bob) && !reads(&mut world, cleo));
    revoke(&mut world, alice, "Bob", &[Right::Read], None);
    assert_eq!(releases(&mut world, alice).len(), 1, "that is Cleo's");
    world.pass(HOUR / 2 + 3 * MINUTE);
    assert!(!reads(&mut world, bob) && reads(&mut world, cleo));
}
