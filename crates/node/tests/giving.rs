//! Giving rights to members, and taking them back.

use crate::story::{found, invite, join, send, texts, wait};
use crate::welcomes::{Asked, attended};
use crate::world::World;
use lace::{Admitted, AuthorNo, Effect, Facts, Past, Policy, Rule, Set};
use node::command::{
    AskedRight, Code, Command, Failure, LineKind, ReadFrom, Reply, Right, WaitFor,
};
use rights::Law;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;
use wire::{Genesis, Item, Verified};

pub(crate) const TEA: &str = "tea";

/// Alice has founded a topic, in which Bob and Cleo take part by one invite.
pub(crate) fn three(seed: u8) -> (World, [usize; 3]) {
    let mut world = World::new(seed);
    let people = ["Alice", "Bob", "Cleo"].map(|name| world.add(name, false));
    let [alice, bob, cleo] = people;
    found(&mut world, alice, TEA);
    let link = invite(&mut world, alice, TEA, 2);
    join(&mut world, bob, &link);
    join(&mut world, cleo, &link);
    world.pass(Duration::from_secs(20));
    (world, people)
}

pub(crate) fn revoke(
    world: &mut World,
    node: usize,
    member: &str,
    only: &[Right],
    cut: Option<String>,
) -> Reply {
    let command = Command::Revoke {
        topic: TEA.to_owned(),
        member: member.to_owned(),
        only: only.to_vec(),
        cut,
        cascade: false,
    };
    world.ask(node, command)
}

pub(crate) fn grant(world: &mut World, node: usize, member: &str, rights: &[Right]) -> Reply {
    let ask = |right: &Right| AskedRight {
        right: *right,
        from: 0,
        until: None,
    };
    let command = Command::Grant {
        topic: TEA.to_owned(),
        member: member.to_owned(),
        rights: rights.iter().map(ask).collect(),
        messages: None,
        bytes: None,
        at: None,
    };
    world.ask(node, command)
}

pub(crate) fn failure(reply: Reply) -> Failure {
    match reply {
        Reply::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

fn delivered(world: &mut World, node: usize, text: &str) {
    let id = send(world, node, TEA, text);
    let reached = wait(world, node, &id, WaitFor::Delivered, None);
    assert!(
        matches!(reached, Reply::Reached { .. }),
        "{text}: {reached:?}"
    );
}

#[test]
fn whoever_is_revoked_neither_writes_nor_reads_on() {
    let (mut world, [alice, bob, cleo]) = three(41);
    delivered(&mut world, bob, "before");
    let reply = revoke(&mut world, alice, "Bob", &[], None);
    let Reply::Revoked { grants, others, .. } = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(
        (grants.len(), others),
        (1, 1),
        "Cleo claimed the same invite"
    );
    world.pass(Duration::from_secs(30));
    // Cleo goes on, under a grant of her own.
    delivered(&mut world, cleo, "I am still here");
    delivered(&mut world, alice, "good");
    world.pass(Duration::from_secs(30));
    let last = send(&mut world, alice, TEA, "between us");
    let reached = wait(&mut world, alice, &last, WaitFor::Delivered, Some(1));
    assert!(
        matches!(reached, Reply::Reached { of: 1, .. }),
        "{reached:?}"
    );
    let command = Command::Send {
        to: TEA.to_owned(),
        messages: vec![b"after".to_vec()],
        expires: None,
        best_effort: false,
    };
    let refused = failure(world.ask(bob, command));
    assert!(refused.message.contains("cut off"), "{refused:?}");
    world.pass(Duration::from_secs(60));
    for node in [alice, cleo] {
        let texts = texts(&mut world, node, TEA);
        assert!(texts.contains(&"before".to_owned()), "it was said before");
        assert!(texts.contains(&"between us".to_owned()));
        assert!(!texts.contains(&"after".to_owned()));
    }
    let texts = texts(&mut world, bob, TEA);
    assert!(!texts.contains(&"between us".to_owned()), "{texts:?}");
}

#[test]
fn what_was_said_after_a_message_falls_with_it() {
    let (mut world, [alice, bob, cleo]) = three(42);
    let first = send(&mut world, bob, TEA, "first");
    wait(&mut world, bob, &first, WaitFor::Delivered, None);
    delivered(&mut world, bob, "second");
    world.pass(Duration::from_secs(5));
    let reply = revoke(&mut world, alice, "Bob", &[], Some(first));
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    for node in [alice, cleo] {
        assert_eq!(texts(&mut world, node, TEA), ["first"]);
        let command = Command::Read {
            topic: TEA.to_owned(),
            from: ReadFrom::After(0),
            limit: 100,
        };
        let Reply::Lines { lines, .. } = world.ask(node, command) else {
            panic!("no lines");
        };
        let fell = |of: bool| {
            let mut lines = lines.iter();
            lines.find(
                |line| matches!(line.kind, LineKind::Withdrawn { of: it } if it.is_some() == of),
            )
        };
        let (there, notice) = (
            fell(false).expect("in its place"),
            fell(true).expect("a notice"),
        );
        assert!(
            notice.n > there.n && notice.text == "cut off by Alice",
            "{notice:?}"
        );
        assert_eq!(notice.kind, LineKind::Withdrawn { of: Some(there.n) });
    }
}

#[test]
fn who_is_given_more_goes_on_under_that() {
    let (mut world, [alice, bob, cleo]) = three(43);
    let all = [Right::Publish, Right::Read, Right::Admit];
    let refused = failure(grant(&mut world, bob, "Cleo", &all));
    assert!(!refused.message.is_empty());
    let reply = grant(&mut world, alice, "Bob", &all);
    let Reply::Granted { member, .. } = reply else {
        panic!("{reply:?}");
    };
    world.pass(Duration::from_secs(30));
    delivered(&mut world, bob, "under my own");
    let Reply::Members(members) = world.ask(
        alice,
        Command::Members {
            topic: TEA.to_owned(),
        },
    ) else {
        panic!("no members");
    };
    let bob_now = members
        .iter()
        .find(|it| it.id == member)
        .expect("he is there");
    let writes = bob_now.grants.iter().filter(|grant| grant.writes);
    assert!(
        writes.clone().any(|grant| grant.rights.len() == 3),
        "{bob_now:?}"
    );
    // He gives of his own, and takes that back.
    let reply = grant(&mut world, bob, "Cleo", &all);
    assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    delivered(&mut world, cleo, "me too");
    world.pass(Duration::from_secs(10));
    // Cleo holds an invite of Alice's as well, which is not Bob's to take: she goes back to that.
    let reply = revoke(&mut world, bob, "Cleo", &[], None);
    assert!(
        matches!(&reply, Reply::Revoked { grants, .. } if grants.len() == 1),
        "{reply:?}"
    );
    world.pass(Duration::from_secs(30));
    delivered(&mut world, cleo, "as before");
    let refused = failure(revoke(&mut world, bob, "Cleo", &[], None));
    assert_eq!(refused.code, Code::Refused, "{refused:?}");
    // What Alice gave she takes, and what hangs under it ends with `cascade`, or stays.
    let reply = revoke(&mut world, alice, "Bob", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(60));
    delivered(&mut world, cleo, "still here");
}

#[test]
fn who_may_not_read_writes_on() {
    let (mut world, [alice, bob, cleo]) = three(44);
    delivered(&mut world, bob, "hello");
    let reply = revoke(&mut world, alice, "Bob", &[Right::Read], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(60));
    let secret = send(&mut world, alice, TEA, "not for Bob");
    wait(&mut world, alice, &secret, WaitFor::Delivered, None);
    send(&mut world, bob, TEA, "I write on");
    world.pass(Duration::from_secs(60));
    let heard = texts(&mut world, cleo, TEA);
    assert!(heard.contains(&"I write on".to_owned()), "{heard:?}");
    assert!(heard.contains(&"not for Bob".to_owned()), "{heard:?}");
    let heard = texts(&mut world, bob, TEA);
    assert!(!heard.contains(&"not for Bob".to_owned()), "{heard:?}");
}

/// What Bob says of rights while he may not write stands, and nobody names it by itself: whoever begins
/// the keys that follow a removal by him has to.
#[test]
fn who_may_not_write_removes_others_all_the_same() {
    let mut world = World::new(49);
    let [alice, bob, cleo] = ["Alice", "Bob", "Cleo"].map(|name| world.add(name, false));
    found(&mut world, alice, TEA);
    let link = invite(&mut world, alice, TEA, 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(20));
    let reply = grant(
        &mut world,
        alice,
        "Bob",
        &[Right::Publish, Right::Read, Right::Admit],
    );
    assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    let link = invite(&mut world, bob, TEA, 1);
    join(&mut world, cleo, &link);
    world.pass(Duration::from_secs(30));
    delivered(&mut world, cleo, "by what Bob gave");
    let reply = revoke(&mut world, alice, "Bob", &[Right::Publish], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    delivered(&mut world, alice, "Bob only reads");
    let reply = revoke(&mut world, bob, "Cleo", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    delivered(&mut world, alice, "not for Cleo");
    world.pass(Duration::from_secs(30));
    assert!(texts(&mut world, bob, TEA).contains(&"not for Cleo".to_owned()));
    assert!(!texts(&mut world, cleo, TEA).contains(&"not for Cleo".to_owned()));
}

/// Nobody names the last word of those who may not write: nine of them, where one envelope names eight.
#[test]
fn more_leave_unnamed_than_one_envelope_names() {
    let mut world = World::new(50);
    let (alice, zoe) = (world.add("Alice", false), world.add("Zoe", false));
    let names: Vec<String> = (1..=9).map(|n| format!("guest {n}")).collect();
    let guests: Vec<usize> = names.iter().map(|name| world.add(name, false)).collect();
    found(&mut world, alice, TEA);
    let link = invite(&mut world, alice, TEA, 10);
    for node in [zoe].iter().chain(&guests) {
        join(&mut world, *node, &link);
    }
    world.pass(Duration::from_secs(60));
    for (name, guest) in names.iter().zip(&guests) {
        send(&mut world, *guest, TEA, "hello");
        world.pass(Duration::from_secs(5));
        let reply = revoke(&mut world, alice, name, &[Right::Publish], None);
        assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    }
    world.pass(Duration::from_secs(60));
    let all: Vec<usize> = [alice, zoe].into_iter().chain(guests.clone()).collect();
    for (no, one) in all.iter().enumerate() {
        for other in &all[no + 1..] {
            world.cut_off(*one, *other);
        }
    }
    for guest in &guests {
        let topic = TEA.to_owned();
        let reply = world.ask(*guest, Command::TopicLeave { topic });
        assert_eq!(reply, Reply::Done);
    }
    world.cut.clear();
    world.pass(Duration::from_secs(900));
    send(&mut world, alice, TEA, "they are gone");
    world.pass(Duration::from_secs(30));
    assert!(texts(&mut world, zoe, TEA).contains(&"they are gone".to_owned()));
}

/// Each of these times takes a key epoch, and of those that a device may begin in a day the last are kept.
#[test]
fn rights_for_a_time_leave_key_epochs_for_removals() {
    let (mut world, [alice, bob, cleo]) = three(52);
    let later = world.wall().as_millis() + 172_800_000;
    let mut replies = Vec::new();
    for n in 1..=3 {
        let ask = |right, from| AskedRight {
            right,
            from,
            until: None,
        };
        let command = Command::Invite {
            rights: vec![ask(Right::Publish, 0), ask(Right::Read, later + n)],
            messages: None,
            while_away: false,
            topic: TEA.to_owned(),
            uses: 1,
            until: None,
        };
        replies.push(world.ask(alice, command));
        world.pass(Duration::from_secs(10));
    }
    let refused = failure(replies.remove(2));
    assert_eq!(refused.code, Code::NotYet, "{refused:?}");
    let given = |reply: &Reply| matches!(reply, Reply::Invited { .. });
    assert!(replies.iter().all(given), "{replies:?}");
    let reply = revoke(&mut world, alice, "Cleo", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    // Nobody else is there to begin one.
    world.cut_off(alice, bob);
    send(&mut world, alice, TEA, "not for Cleo");
    world.cut.clear();
    world.pass(Duration::from_secs(120));
    assert!(texts(&mut world, bob, TEA).contains(&"not for Cleo".to_owned()));
    assert!(!texts(&mut world, cleo, TEA).contains(&"not for Cleo".to_owned()));
}

#[test]
fn what_cannot_be_given_or_taken_is_said() {
    let (mut world, [alice, bob, _]) = three(45);
    let code = |reply: Reply| failure(reply).code;
    assert_eq!(code(grant(&mut world, alice, "Bob", &[])), Code::Usage);
    assert_eq!(
        code(grant(&mut world, alice, "Dora", &[Right::Read])),
        Code::NotFound
    );
    assert_eq!(
        code(revoke(&mut world, alice, "Alice", &[], None)),
        Code::Refused
    );
    assert_eq!(
        code(revoke(&mut world, bob, "Alice", &[], None)),
        Code::Refused
    );
    let own = send(&mut world, alice, TEA, "mine");
    let other = revoke(&mut world, alice, "Bob", &[], Some(own));
    assert_eq!(code(other), Code::NotFound);
    let ask = AskedRight {
        right: Right::Admit,
        from: 0,
        until: None,
    };
    let invite = Command::Invite {
        rights: vec![ask],
        messages: None,
        while_away: true,
        topic: TEA.to_owned(),
        uses: 1,
        until: None,
    };
    assert_eq!(code(world.ask(alice, invite)), Code::Usage);
    let taken = failure(revoke(&mut world, bob, "Cleo", &[], None));
    assert!(!taken.message.is_empty());
    // Nothing of all that has changed anything.
    delivered(&mut world, bob, "as before");
}

#[test]
fn what_was_taken_from_one_is_not_given_back_with_anothers_end() {
    let (mut world, [alice, bob, cleo]) = three(46);
    delivered(&mut world, bob, "hello");
    delivered(&mut world, cleo, "hello too");
    let reply = revoke(&mut world, alice, "Bob", &[Right::Read], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(40));
    let reply = revoke(&mut world, alice, "Cleo", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(60));
    send(&mut world, alice, TEA, "for nobody else");
    world.pass(Duration::from_secs(60));
    for node in [bob, cleo] {
        let texts = texts(&mut world, node, TEA);
        assert!(!texts.contains(&"for nobody else".to_owned()), "{texts:?}");
    }
    send(&mut world, bob, TEA, "I may still write");
    world.pass(Duration::from_secs(30));
    assert!(texts(&mut world, alice, TEA).contains(&"I may still write".to_owned()));
}

#[test]
fn nobody_is_moved_to_a_grant_that_holds_less() {
    let (mut world, [alice, bob, cleo]) = three(47);
    let now = world.wall().as_millis();
    let ask = |right, from, until| AskedRight { right, from, until };
    let all = |from, until| {
        [Right::Publish, Right::Read, Right::Admit].map(|right| ask(right, from, until))
    };
    let give = |world: &mut World, rights: [AskedRight; 3], messages| {
        let command = Command::Grant {
            topic: TEA.to_owned(),
            member: "Bob".to_owned(),
            rights: rights.to_vec(),
            messages,
            bytes: None,
            at: None,
        };
        let reply = world.ask(alice, command);
        assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
        world.pass(Duration::from_secs(20));
    };
    // One message a minute, or not yet: Bob writes on as he could.
    give(&mut world, all(0, None), Some(1));
    give(&mut world, all(now + 86_400_000, None), None);
    for n in 0..20 {
        send(&mut world, bob, TEA, &format!("{n}"));
    }
    // For ten minutes he may admit; then he writes on by the invite that he came by.
    give(&mut world, all(0, Some(now + 600_000)), None);
    let reply = grant(&mut world, bob, "Cleo", &[Right::Read]);
    assert!(
        matches!(reply, Reply::Failed(_)),
        "out of a grant that ends: {reply:?}"
    );
    world.pass(Duration::from_secs(660));
    delivered(&mut world, bob, "still here");
    assert!(texts(&mut world, cleo, TEA).contains(&"19".to_owned()));
}

#[test]
fn a_name_that_reads_like_anothers_key_is_nobodys() {
    let (mut world, [alice, bob, cleo]) = three(48);
    let command = Command::Members {
        topic: TEA.to_owned(),
    };
    let Reply::Members(members) = world.ask(alice, command) else {
        panic!("no members");
    };
    let bobs = members.iter().flat_map(|member| &member.devices);
    let mut key = bobs
        .filter(|device| device.name == "Bob")
        .map(|device| device.device[..8].to_owned());
    let key = key.next_back().expect("he is there");
    let name = key.clone();
    assert_eq!(world.ask(cleo, Command::SetName { name }), Reply::Done);
    world.pass(Duration::from_secs(120));
    let reply = failure(grant(&mut world, alice, &key, &[Right::Admit]));
    assert_eq!(reply.code, Code::Ambiguous, "{reply:?}");
    delivered(&mut world, bob, "as before");
}

#[test]
fn the_links_of_whoever_is_revoked_end_too() {
    let (mut world, [alice, bob, _]) = three(49);
    let all = [Right::Publish, Right::Read, Right::Admit];
    grant(&mut world, alice, "Bob", &all);
    world.pass(Duration::from_secs(30));
    delivered(&mut world, bob, "under my own");
    let made = world.ask(
        bob,
        Command::Invite {
            rights: Vec::new(),
            messages: None,
            while_away: true,
            topic: TEA.to_owned(),
            uses: 1,
            until: None,
        },
    );
    let Reply::Invited { link, .. } = made else {
        panic!("{made:?}");
    };
    world.pass(Duration::from_secs(20));
    let reply = revoke(&mut world, alice, "Bob", &[], None);
    let Reply::Revoked { grants, .. } = &reply else {
        panic!("{reply:?}");
    };
    assert_eq!(
        grants.len(),
        3,
        "what he had, what he came by, and what he gave: {grants:?}"
    );
    world.pass(Duration::from_secs(60));
    // Somebody new takes Bob's link, with Bob's help.
    let dora = world.add("Dora", false);
    let command = Command::Join {
        link,
        name: None,
        timeout_ms: 30_000,
    };
    let _ = world.ask(dora, command);
    world.pass(Duration::from_secs(60));
    send(&mut world, alice, TEA, "between us");
    world.pass(Duration::from_secs(60));
    for node in [bob, dora] {
        let read = Command::Read {
            topic: TEA.to_owned(),
            from: ReadFrom::After(0),
            limit: 500,
        };
        if let Reply::Lines { lines, .. } = world.ask(node, read) {
            assert!(
                lines.iter().all(|line| line.text != "between us"),
                "{lines:?}"
            );
        }
    }
}

/// Who reads for a time begins no keys, so that whoever came by its link while nobody is there would read nothing:
/// such a link is refused, with why. One that is attended opens what it gives, and so does one that opens nothing
/// to read.
#[test]
fn who_reads_for_a_time_gives_no_link_that_would_open_nothing() {
    let mut world = World::new(53);
    let [alice, bob, cleo] = ["Alice", "Bob", "Cleo"].map(|name| world.add(name, false));
    found(&mut world, alice, TEA);
    let until = world.wall().as_millis() + 10 * 86_400_000;
    let right = |right, until| AskedRight {
        right,
        from: 0,
        until,
    };
    let asked = Asked {
        rights: vec![
            right(Right::Publish, None),
            right(Right::Read, Some(until)),
            right(Right::Admit, None),
        ],
        ..Asked::default()
    };
    let link = attended(&mut world, alice, asked);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(30));
    let asks = |world: &mut World, node, rights, while_away| {
        let command = Command::Invite {
            rights,
            messages: None,
            while_away,
            topic: TEA.to_owned(),
            uses: 1,
            until: None,
        };
        world.ask(node, command)
    };
    let refused = failure(asks(&mut world, bob, Vec::new(), true));
    assert_eq!(refused.code, Code::Refused, "{refused:?}");
    assert!(
        refused.message.contains("would open nothing"),
        "{refused:?}"
    );
    assert!(refused.hint.contains("--while-away"), "{refused:?}");
    let writes = vec![right(Right::Publish, None)];
    let reply = asks(&mut world, bob, writes, true);
    assert!(matches!(reply, Reply::Invited { .. }), "{reply:?}");
    let Reply::Invited { link, .. } = asks(&mut world, bob, Vec::new(), false) else {
        panic!("not invited");
    };
    send(&mut world, alice, TEA, "before");
    join(&mut world, cleo, &link);
    send(&mut world, alice, TEA, "after");
    world.pass(Duration::from_secs(30));
    assert!(texts(&mut world, cleo, TEA).contains(&"after".to_owned()));
}

thread_local! {
    /// How many announcements of keys are still refused.
    static REFUSES: Cell<u32> = const { Cell::new(0) };
}

/// The law, by which too much was said in this minute for keys to be announced, as often as is set.
#[derive(Debug)]
struct Busy;

impl Policy for Busy {
    fn speaks_of(&self, genesis: &Genesis, item: &Item) -> bool {
        Law.speaks_of(genesis, item)
    }

    fn admit(&self, past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
        let mut items = envelope.items.iter().flatten();
        if REFUSES.get() > 0 && items.any(|item| matches!(item, Item::Epoch(_))) {
            REFUSES.set(REFUSES.get() - 1);
            return Err(Rule::Rate);
        }
        Law.admit(past, envelope)
    }

    fn effect(&self, facts: &dyn Facts, set: &Set, evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
        Law.effect(facts, set, evidence)
    }
}

/// Keys that could not be announced with a removal, since too much was said, are announced when the rate allows it: by
/// whoever removed somebody, without a word from anybody.
#[test]
fn keys_that_were_refused_by_rate_are_announced_later() {
    let (mut world, [alice, bob, cleo]) = three(54);
    world.down(alice);
    world.rules = Some(&Busy);
    world.up(alice);
    world.pass(Duration::from_secs(20));
    // Nobody else is there to announce any.
    world.down(bob);
    REFUSES.set(2);
    let reply = revoke(&mut world, alice, "Cleo", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    assert_eq!(REFUSES.get(), 1, "tried at once");
    world.pass(Duration::from_secs(600));
    assert_eq!(REFUSES.get(), 0, "and again");
    send(&mut world, alice, TEA, "not for Cleo");
    world.rules = None;
    world.up(bob);
    world.pass(Duration::from_secs(60));
    assert!(texts(&mut world, bob, TEA).contains(&"not for Cleo".to_owned()));
    assert!(!texts(&mut world, cleo, TEA).contains(&"not for Cleo".to_owned()));
}
