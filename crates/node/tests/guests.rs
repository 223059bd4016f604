//! Guests: who has a link of the kind while away writes at once, so much in all, until somebody who may admit
//! welcomes it.

use crate::giving::{failure, grant, revoke};
use crate::owners::three_own;
use crate::public::found_public;
use crate::restored::info;
use crate::story::{found, invite, join, send, texts, use_core};
use crate::welcomes::right;
use crate::world::World;
use lace::{Admitted, AuthorNo, Effect, Facts, Past, Policy, Rule, Set};
use node::command::{AskedRight, Code, Command, GrantKind, Member, Reply, Right};
use rights::Law;
use std::collections::BTreeMap;
use std::time::Duration;
use wire::limits::DAY_MS;
use wire::{Genesis, Item, Verified};

const TEA: &str = "tea";

/// What a guest writes before it is stopped: its number 1 is control.
const MESSAGES: usize = 63;

/// A core node, Alice who founded a topic that it keeps, and guests that have come by one link for so many
/// devices while she is away.
fn away(seed: u8, uses: u32, guests: &[&str]) -> (World, usize, Vec<usize>) {
    let mut world = World::new(seed);
    let core = world.add("core", true);
    let alice = world.add("Alice", false);
    use_core(&mut world, alice, core);
    found(&mut world, alice, TEA);
    let link = invite(&mut world, alice, TEA, uses);
    world.pass(Duration::from_secs(5));
    world.down(alice);
    let mut all = Vec::new();
    for name in guests {
        let guest = world.add(name, false);
        join(&mut world, guest, &link);
        all.push(guest);
    }
    world.pass(Duration::from_secs(5));
    (world, alice, all)
}

/// Alice, who is away, and two by one link of hers: Bob, who may let people in, and Cleo, a guest.
fn with_doorkeeper(seed: u8) -> (World, [usize; 3]) {
    let mut world = World::new(seed);
    let alice = world.add("Alice", false);
    let (bob, cleo) = (world.add("Bob", false), world.add("Cleo", false));
    found(&mut world, alice, TEA);
    let link = invite(&mut world, alice, TEA, 2);
    for guest in [bob, cleo] {
        join(&mut world, guest, &link);
    }
    let all = [Right::Publish, Right::Read, Right::Admit];
    grant(&mut world, alice, "Bob", &all);
    world.pass(Duration::from_secs(30));
    world.down(alice);
    (world, [alice, bob, cleo])
}

fn sends(world: &mut World, node: usize, text: &str) -> Reply {
    let command = Command::Send {
        to: TEA.to_owned(),
        messages: vec![text.as_bytes().to_vec()],
        expires: None,
        best_effort: false,
    };
    world.ask(node, command)
}

/// Writes until its own node refuses: how many messages it sent, and the refusal.
fn until_refused(world: &mut World, node: usize) -> (usize, node::command::Failure) {
    for count in 0..=MESSAGES {
        match sends(world, node, &count.to_string()) {
            Reply::Sent { .. } => {}
            reply => return (count, failure(reply)),
        }
    }
    panic!("it was never refused");
}

fn members(world: &mut World, node: usize) -> Vec<Member> {
    let topic = TEA.to_owned();
    match world.ask(node, Command::Members { topic }) {
        Reply::Members(members) => members,
        other => panic!("{other:?}"),
    }
}

/// By what a member of this name has its place, as a node shows it.
fn place(world: &mut World, node: usize, name: &str) -> GrantKind {
    let mut all = members(world, node).into_iter();
    let member = all.find(|member| member.devices.iter().any(|device| device.name == name));
    let grants = member.expect("takes part").grants;
    assert_eq!(grants.len(), 1, "{grants:?}");
    grants[0].kind
}

#[test]
fn a_guest_writes_so_much_and_goes_on_when_it_is_welcome() {
    let (mut world, alice, guests) = away(210, 1, &["Bob"]);
    let bob = guests[0];
    let (count, refusal) = until_refused(&mut world, bob);
    assert_eq!(count, MESSAGES);
    assert_eq!(refusal.code, Code::NotYet);
    let says = |text: &str| {
        assert!(text.contains("waits for a welcome by Alice"), "{text}");
    };
    assert!(
        refusal.message.contains("64 envelopes and 1024 KiB"),
        "{refusal:?}"
    );
    says(&refusal.message);
    // Asked again it says the same, in other words, also after it has been down.
    world.down(bob);
    world.up(bob);
    for id in [None, Some(TEA.to_owned())] {
        let why = failure(world.ask(bob, Command::Why { id }));
        assert_eq!(why.code, Code::NotYet);
        says(&why.message);
    }
    says(&format!(
        "waits for {}",
        info(&mut world, bob).waits_for.expect("waits")
    ));
    let own = texts(&mut world, bob, TEA);
    assert_eq!(own.len(), MESSAGES, "what was refused was not written");

    // She comes, and gives it a grant without asking anybody.
    world.up(alice);
    world.pass(Duration::from_secs(60));
    assert_eq!(texts(&mut world, alice, TEA), own);
    assert_eq!(info(&mut world, bob).waits_for, None);
    send(&mut world, bob, TEA, "on");
    for n in 0..MESSAGES {
        send(&mut world, bob, TEA, &format!("more {n}"));
    }
    world.pass(Duration::from_secs(60));
    assert_eq!(texts(&mut world, alice, TEA).len(), 2 * MESSAGES + 1);
    assert_eq!(place(&mut world, alice, "Bob"), GrantKind::Grant);
}

/// With its inviter there it never notices, and who writes little costs no grant.
#[test]
fn a_guest_is_welcomed_before_it_has_to_stop() {
    let mut world = World::new(211);
    let alice = world.add("Alice", false);
    let (bob, cleo) = (world.add("Bob", false), world.add("Cleo", false));
    found(&mut world, alice, TEA);
    let link = invite(&mut world, alice, TEA, 2);
    join(&mut world, bob, &link);
    join(&mut world, cleo, &link);
    for n in 0..20 {
        send(&mut world, cleo, TEA, &format!("cleo {n}"));
    }
    for n in 0..200 {
        send(&mut world, bob, TEA, &n.to_string());
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(texts(&mut world, alice, TEA).len(), 220);
    assert_eq!(texts(&mut world, cleo, TEA).len(), 220);
    assert_eq!(place(&mut world, alice, "Bob"), GrantKind::Grant);
    assert_eq!(place(&mut world, alice, "Cleo"), GrantKind::Invite);
}

/// Each guest has the bound to itself, and a link that leaked lets in as many as it is for: beyond that
/// it takes a person.
#[test]
fn as_many_guests_are_welcomed_as_the_link_is_for() {
    let (mut world, alice, guests) = away(212, 2, &["Bob", "Cleo", "Mallory"]);
    for guest in &guests {
        let (count, _) = until_refused(&mut world, *guest);
        assert_eq!(count, MESSAGES);
    }
    world.up(alice);
    world.pass(Duration::from_secs(60));
    let mut stuck = Vec::new();
    for guest in guests {
        match sends(&mut world, guest, "on") {
            Reply::Sent { .. } => {}
            reply => {
                assert_eq!(failure(reply).code, Code::NotYet);
                stuck.push(guest);
            }
        }
    }
    assert_eq!(stuck.len(), 1, "{stuck:?}");
    let waiting = info(&mut world, alice).waiting;
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert!(waiting[0].beyond);
    grant(
        &mut world,
        alice,
        &waiting[0].device,
        &[Right::Publish, Right::Read],
    );
    world.pass(Duration::from_secs(60));
    send(&mut world, stuck[0], TEA, "thanks");
    assert!(info(&mut world, alice).waiting.is_empty());
}

/// The time of a claim is its claimer's word: who has found a link after its end, and says that it came before,
/// is not welcomed by itself.
#[test]
fn a_guest_that_is_first_seen_after_the_end_waits_for_a_person() {
    let mut world = World::new(213);
    let core = world.add("core", true);
    let alice = world.add("Alice", false);
    use_core(&mut world, alice, core);
    found(&mut world, alice, TEA);
    let until = world.wall().as_millis() + 3_600_000;
    let command = Command::Invite {
        rights: vec![right(Right::Publish, 0), right(Right::Read, 0)],
        messages: None,
        while_away: true,
        topic: TEA.to_owned(),
        uses: 2,
        until: Some(until),
    };
    let Reply::Invited { link, .. } = world.ask(alice, command) else {
        panic!("no invite");
    };
    world.pass(Duration::from_secs(5));
    let bob = world.add("Bob", false);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(30));
    world.down(alice);
    let mallory = world.add("Mallory", false);
    join(&mut world, mallory, &link);
    world.pass(Duration::from_secs(7_200));
    world.up(alice);
    world.pass(Duration::from_secs(60));
    for guest in [bob, mallory] {
        for n in 0..40 {
            send(&mut world, guest, TEA, &n.to_string());
        }
        world.pass(Duration::from_secs(60));
    }
    assert_eq!(place(&mut world, alice, "Bob"), GrantKind::Grant);
    assert_eq!(place(&mut world, alice, "Mallory"), GrantKind::Invite);
    let waiting = info(&mut world, alice).waiting;
    assert!(waiting.len() == 1 && waiting[0].beyond, "{waiting:?}");
}

/// The founder is away: whoever was given the right to let people in does it.
#[test]
fn anybody_who_may_admit_welcomes_a_guest() {
    let (mut world, [alice, _, cleo]) = with_doorkeeper(214);
    for n in 0..2 * MESSAGES {
        send(&mut world, cleo, TEA, &n.to_string());
        world.pass(Duration::from_secs(1));
    }
    world.up(alice);
    world.pass(Duration::from_secs(60));
    assert_eq!(texts(&mut world, alice, TEA).len(), 2 * MESSAGES);
}

/// A guest that may write no more may still leave.
#[test]
fn a_guest_that_is_stopped_leaves() {
    let (mut world, _, guests) = away(215, 1, &["Bob"]);
    until_refused(&mut world, guests[0]);
    let topic = TEA.to_owned();
    let reply = world.ask(guests[0], Command::TopicLeave { topic });
    assert_eq!(reply, Reply::Done);
}

fn asks(world: &mut World, node: usize, rights: &[Right], uses: u32, until: Option<u64>) -> String {
    let rights: Vec<AskedRight> = rights.iter().map(|one| right(*one, 0)).collect();
    let command = Command::Invite {
        rights,
        messages: None,
        while_away: true,
        topic: TEA.to_owned(),
        uses,
        until,
    };
    match world.ask(node, command) {
        Reply::Invited { link, .. } => link,
        other => panic!("{other:?}"),
    }
}

fn sends_many(world: &mut World, node: usize, count: usize) {
    for n in 0..count {
        send(world, node, TEA, &n.to_string());
    }
    world.pass(Duration::from_secs(60));
}

/// What has been taken back of an invite no machine gives again, and neither what is left of it.
#[test]
fn what_was_taken_back_of_an_invite_no_machine_gives_again() {
    let mut world = World::new(216);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, TEA);
    let all = [Right::Publish, Right::Read, Right::Admit];
    let link = asks(&mut world, alice, &all, 1, None);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(10));
    let reply = revoke(&mut world, alice, "Bob", &[Right::Admit], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    sends_many(&mut world, bob, 50);
    assert_eq!(place(&mut world, alice, "Bob"), GrantKind::Invite);
    let waiting = info(&mut world, alice).waiting;
    assert!(waiting.len() == 1 && waiting[0].beyond, "{waiting:?}");
}

/// Its inviter has been removed, and with it what it gave: a guest has what was left of it from whoever did so, and
/// no machine gives it anything.
#[test]
fn nobody_is_welcomed_by_an_invite_of_who_was_removed() {
    let mut world = World::new(217);
    let people = ["Alice", "Bob", "Cleo"].map(|name| world.add(name, false));
    let [alice, bob, cleo] = people;
    found(&mut world, alice, TEA);
    let link = invite(&mut world, alice, TEA, 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(10));
    let all = [Right::Publish, Right::Read, Right::Admit];
    grant(&mut world, alice, "Bob", &all);
    world.pass(Duration::from_secs(10));
    let link = invite(&mut world, bob, TEA, 5);
    join(&mut world, cleo, &link);
    world.pass(Duration::from_secs(10));
    world.down(cleo);
    revoke(&mut world, alice, "Bob", &[], None);
    world.pass(Duration::from_secs(10));
    // She has a grant of her own by now; whoever has the link still comes to nothing by it.
    let mallory = world.add("Mallory", false);
    let command = Command::Join {
        link,
        name: None,
        timeout_ms: 20_000,
    };
    let joined = world.ask(mallory, command);
    assert!(!matches!(joined, Reply::Topic { .. }), "{joined:?}");
    world.up(cleo);
    sends_many(&mut world, cleo, 2 * MESSAGES);
    assert_eq!(texts(&mut world, alice, TEA).len(), 2 * MESSAGES);
    assert!(info(&mut world, alice).waiting.is_empty());
}

/// A guest whose bound is used up is glad of any grant by which it may write, also of one that gives less.
#[test]
fn a_guest_that_is_stopped_goes_over_to_whatever_lets_it_write() {
    let (mut world, alice, guests) = away(218, 1, &["Bob", "Cleo"]);
    for guest in &guests {
        until_refused(&mut world, *guest);
    }
    world.up(alice);
    world.pass(Duration::from_secs(60));
    let waiting = info(&mut world, alice).waiting;
    let [stuck] = waiting.as_slice() else {
        panic!("{waiting:?}");
    };
    grant(&mut world, alice, &stuck.device, &[Right::Publish]);
    world.pass(Duration::from_secs(60));
    for guest in guests {
        assert_eq!(info(&mut world, guest).waits_for, None);
        send(&mut world, guest, TEA, "on");
    }
    world.pass(Duration::from_secs(30));
    assert_eq!(texts(&mut world, alice, TEA).len(), 2 * MESSAGES + 2);
}

/// What is left is too little for what it says: it goes over, too, and says it.
#[test]
fn a_long_message_goes_over_before_the_bound_is_used_up() {
    let (mut world, alice, guests) = away(219, 1, &["Bob", "Cleo"]);
    let long = "x".repeat(60_000);
    for guest in &guests {
        let mut count = 0;
        while matches!(sends(&mut world, *guest, &long), Reply::Sent { .. }) {
            count += 1;
        }
        assert_eq!(count, 16, "padded to 64 KiB each");
    }
    world.up(alice);
    world.pass(Duration::from_secs(60));
    let waiting = info(&mut world, alice).waiting;
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    grant(&mut world, alice, &waiting[0].device, &[Right::Publish]);
    world.pass(Duration::from_secs(60));
    for guest in guests {
        send(&mut world, guest, TEA, &long);
    }
}

/// Whether somebody came in time is asked of a confirmed clock once, and kept: a clock that nobody
/// confirms later on lets nobody in who came late.
#[test]
fn who_came_late_stays_late_whatever_the_clock_says_later() {
    let mut world = World::new(220);
    let alice = world.add("Alice", false);
    let core = world.add("core", true);
    use_core(&mut world, alice, core);
    found(&mut world, alice, TEA);
    let until = world.wall().as_millis() + 3_600_000;
    let link = asks(
        &mut world,
        alice,
        &[Right::Publish, Right::Read],
        2,
        Some(until),
    );
    world.pass(Duration::from_secs(5));
    world.down(alice);
    let mallory = world.add("Mallory", false);
    join(&mut world, mallory, &link);
    world.pass(Duration::from_secs(7_200));
    world.up(alice);
    world.pass(Duration::from_secs(60));
    // It has been seen, too late. Now her clock goes back by a day, and nobody agrees with it.
    world.down(alice);
    world.nodes[alice].config.trust_clock = false;
    world.nodes[alice].skew = -86_400_000;
    world.up(alice);
    sends_many(&mut world, mallory, 50);
    assert_eq!(place(&mut world, alice, "Mallory"), GrantKind::Invite);
    let waiting = info(&mut world, alice).waiting;
    assert!(waiting.len() == 1 && waiting[0].beyond, "{waiting:?}");
    // Nor does one that is trusted now, and wrong.
    world.down(alice);
    world.nodes[alice].config.trust_clock = true;
    world.up(alice);
    world.pass(Duration::from_secs(60));
    assert_eq!(place(&mut world, alice, "Mallory"), GrantKind::Invite);
}

/// A clock that nobody confirms makes nobody late, as for attended invites: with one core node there is often
/// nobody to confirm it. Once somebody does, it counts when a claim was seen.
#[test]
fn nobody_is_late_by_a_clock_that_nobody_confirmed() {
    for (confirmed, kind) in [(false, GrantKind::Grant), (true, GrantKind::Invite)] {
        let mut world = World::new(221);
        let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
        found(&mut world, alice, TEA);
        let until = world.wall().as_millis() + 3_600_000;
        let link = asks(
            &mut world,
            alice,
            &[Right::Publish, Right::Read],
            1,
            Some(until),
        );
        world.down(alice);
        world.nodes[alice].config.trust_clock = false;
        world.nodes[alice].skew = 86_400_000;
        world.up(alice);
        join(&mut world, bob, &link);
        world.pass(Duration::from_secs(10));
        if confirmed {
            world.down(alice);
            world.nodes[alice].config.trust_clock = true;
            world.up(alice);
            world.pass(Duration::from_secs(10));
        }
        sends_many(&mut world, bob, 50);
        assert_eq!(place(&mut world, alice, "Bob"), kind);
    }
}

/// What one administrator gives ends with that one. A guest of another's goes over to it when it could write
/// no more, and not before.
#[test]
fn a_guest_that_may_still_write_goes_over_to_nobody_elses_grant() {
    let (mut world, [_, _, cleo]) = with_doorkeeper(227);
    sends_many(&mut world, cleo, 50);
    world.pass(Duration::from_secs(60));
    let writes = |world: &mut World, of: GrantKind| {
        let mut all = members(world, cleo).into_iter();
        let own = all.find(|it| it.devices.iter().any(|device| device.name == "Cleo"));
        let mut grants = own.expect("takes part").grants.into_iter();
        let given = grants.find(|grant| grant.kind == of);
        given.map(|grant| grant.writes)
    };
    assert_eq!(writes(&mut world, GrantKind::Grant), Some(false), "given");
    sends_many(&mut world, cleo, 20);
    assert_eq!(writes(&mut world, GrantKind::Grant), Some(true));
}

/// Two who may admit and never meet welcome no more than the link is for, by what each hears of the other.
#[test]
fn all_who_may_admit_count_whom_the_others_welcomed() {
    let names = ["Bob", "Cleo", "Dora", "Eve", "Fay"];
    let (mut world, alice, guests) = away(222, 2, &names);
    let [bob, first @ ..] = guests.as_slice() else {
        panic!("five");
    };
    world.up(alice);
    world.pass(Duration::from_secs(30));
    let all = [Right::Publish, Right::Read, Right::Admit];
    grant(&mut world, alice, "Bob", &all);
    world.pass(Duration::from_secs(30));
    world.down(*bob);
    for guest in &first[..2] {
        sends_many(&mut world, *guest, 40);
    }
    for name in ["Cleo", "Dora"] {
        assert_eq!(place(&mut world, alice, name), GrantKind::Grant);
    }
    // Now he is there alone, with what the core node has.
    world.down(alice);
    world.up(*bob);
    world.pass(Duration::from_secs(30));
    for guest in &first[2..] {
        sends_many(&mut world, *guest, 40);
    }
    for name in ["Eve", "Fay"] {
        assert_eq!(place(&mut world, *bob, name), GrantKind::Invite);
    }
}

/// Whoever may admit stops at once after it has welcomed a guest, and comes again: there is one grant.
#[test]
fn who_welcomes_and_stops_welcomes_once() {
    let (mut world, alice, guests) = away(223, 2, &["Bob"]);
    until_refused(&mut world, guests[0]);
    for _ in 0..4 {
        world.up(alice);
        world.pass(Duration::from_millis(700));
        world.down(alice);
    }
    world.up(alice);
    world.pass(Duration::from_secs(60));
    assert_eq!(place(&mut world, alice, "Bob"), GrantKind::Grant);
    send(&mut world, guests[0], TEA, "on");
}

/// A guest's own clock is nobody's measure: months wrong, it is welcomed as anybody.
#[test]
fn a_guest_whose_clock_is_months_wrong_is_welcomed() {
    const MONTHS: i64 = 100 * 86_400_000;
    for skew in [-MONTHS, MONTHS] {
        let mut world = World::new(224);
        let alice = world.add("Alice", false);
        found(&mut world, alice, TEA);
        let link = invite(&mut world, alice, TEA, 1);
        let bob = world.add_down("Bob", false);
        world.nodes[bob].skew = skew;
        world.nodes[bob].config.trust_clock = false;
        world.up(bob);
        join(&mut world, bob, &link);
        sends_many(&mut world, bob, 40);
        sends_many(&mut world, bob, MESSAGES);
        assert_eq!(place(&mut world, alice, "Bob"), GrantKind::Grant, "{skew}");
    }
}

/// A link that is in far too many hands takes half of what its inviter can give, and no more: the rest is for
/// what people say.
#[test]
fn a_leaked_link_leaves_its_inviter_half_of_its_grants() {
    let mut world = World::new(225);
    let core = world.add("core", true);
    let alice = world.add("Alice", false);
    use_core(&mut world, alice, core);
    found(&mut world, alice, TEA);
    let link = invite(&mut world, alice, TEA, 1_000);
    world.pass(Duration::from_secs(5));
    world.down(alice);
    for n in 0..40 {
        let guest = world.add(&format!("Guest {n}"), false);
        join(&mut world, guest, &link);
        for n in 0..33 {
            send(&mut world, guest, TEA, &n.to_string());
        }
        world.pass(Duration::from_secs(2));
        world.down(guest);
    }
    world.up(alice);
    world.pass(Duration::from_secs(120));
    let members = members(&mut world, alice);
    let kinds = members.iter().flat_map(|member| &member.grants);
    let given = kinds.filter(|grant| grant.kind == GrantKind::Grant);
    assert_eq!(given.count(), 32);
    let waiting = info(&mut world, alice).waiting;
    assert_eq!(waiting.len(), 8);
    assert!(waiting.iter().all(|one| one.beyond));
    // A person's word still has room.
    for one in waiting {
        let reply = grant(
            &mut world,
            alice,
            &one.device,
            &[Right::Publish, Right::Read],
        );
        assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    }
    invite(&mut world, alice, TEA, 1);
}

/// In a public topic, and where everybody is bound by the topic, it is as elsewhere.
#[test]
fn guests_of_public_and_of_bounded_topics_are_welcomed() {
    for public in [true, false] {
        let mut world = World::new(226);
        let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
        if public {
            found_public(&mut world, alice);
        } else {
            let name = TEA.to_owned();
            let messages = Some(10);
            let reply = world.ask(alice, Command::TopicCreate { name, messages });
            assert!(matches!(reply, Reply::Topic { .. }), "{reply:?}");
        }
        let link = invite(&mut world, alice, TEA, 1);
        join(&mut world, bob, &link);
        for n in 0..2 * MESSAGES {
            send(&mut world, bob, TEA, &n.to_string());
            world.pass(Duration::from_secs(10));
        }
        assert_eq!(
            texts(&mut world, alice, TEA).len(),
            2 * MESSAGES,
            "{public}"
        );
        assert_eq!(place(&mut world, alice, "Bob"), GrantKind::Grant);
    }
}

/// Owners come by links without a bound; whom one of them invites alone is a guest, and welcomed by it alone.
#[test]
fn owners_are_no_guests_and_welcome_theirs() {
    let (mut world, [alice, bob, _]) = three_own(227);
    for n in 0..2 * MESSAGES {
        send(&mut world, bob, TEA, &n.to_string());
    }
    let dora = world.add("Dora", false);
    let link = invite(&mut world, alice, TEA, 1);
    join(&mut world, dora, &link);
    sends_many(&mut world, dora, 40);
    sends_many(&mut world, dora, MESSAGES);
    assert_eq!(place(&mut world, alice, "Dora"), GrantKind::Grant);
    assert_eq!(texts(&mut world, bob, TEA).len(), 3 * MESSAGES + 40);
}

/// The law, which says to whoever leaves that it has said too much in this minute.
#[derive(Debug)]
struct Busy;

impl Policy for Busy {
    fn speaks_of(&self, genesis: &Genesis, item: &Item) -> bool {
        Law.speaks_of(genesis, item)
    }

    fn admit(&self, past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
        let mut items = envelope.items.iter().flatten();
        if items.any(|item| matches!(item, Item::Leave)) {
            return Err(Rule::Rate);
        }
        Law.admit(past, envelope)
    }

    fn effect(&self, facts: &dyn Facts, set: &Set, evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
        Law.effect(facts, set, evidence)
    }
}

/// Who is refused for a while has to say again that it leaves: the others would never hear of it.
#[test]
fn who_is_refused_for_a_while_has_not_left() {
    let mut world = World::new(228);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, TEA);
    let link = invite(&mut world, alice, TEA, 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(10));
    world.down(bob);
    world.rules = Some(&Busy);
    world.up(bob);
    let leave = |world: &mut World| {
        let topic = TEA.to_owned();
        world.ask(bob, Command::TopicLeave { topic })
    };
    failure(leave(&mut world));
    assert_eq!(info(&mut world, bob).row.role, "member");
    world.down(bob);
    world.rules = None;
    world.up(bob);
    assert_eq!(leave(&mut world), Reply::Done);
    world.pass(Duration::from_secs(30));
    let shown = info(&mut world, alice).members;
    assert!(
        shown
            .iter()
            .any(|member| member.left && member.name == "Bob")
    );
}

/// What a link of the kind while away gives is what its holder reads.
#[test]
fn a_guest_reads_no_more_than_its_link_gives() {
    for reads_later in [false, true] {
        let mut world = World::new(231);
        let core = world.add("core", true);
        let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
        use_core(&mut world, alice, core);
        found(&mut world, alice, TEA);
        send(&mut world, alice, TEA, "before");
        let from = world.wall().as_millis() + 2 * DAY_MS;
        let ask = |right, from| AskedRight {
            right,
            from,
            until: None,
        };
        let mut rights = vec![ask(Right::Publish, 0)];
        rights.extend(reads_later.then_some(ask(Right::Read, from)));
        let invited = world.ask(
            alice,
            Command::Invite {
                rights,
                messages: None,
                while_away: true,
                topic: TEA.to_owned(),
                uses: 1,
                until: None,
            },
        );
        let Reply::Invited { link, .. } = invited else {
            panic!("{invited:?}");
        };
        send(&mut world, alice, TEA, "meanwhile");
        world.pass(Duration::from_secs(5));
        join(&mut world, bob, &link);
        world.pass(Duration::from_secs(20));
        send(&mut world, alice, TEA, "after");
        send(&mut world, bob, TEA, "hello");
        world.pass(Duration::from_secs(20));
        assert_eq!(texts(&mut world, bob, TEA), ["hello"]);
        let all = ["before", "meanwhile", "after", "hello"];
        assert_eq!(texts(&mut world, alice, TEA), all);
        if reads_later {
            world.pass(Duration::from_millis(2 * DAY_MS));
            send(&mut world, alice, TEA, "for all");
            world.pass(Duration::from_secs(60));
            assert_eq!(texts(&mut world, bob, TEA), ["hello", "for all"]);
        }
    }
}

/// What many have said of rights and nobody names costs a guest nothing of the half that is left for what its person
/// writes: others begin the keys that follow.
#[test]
fn a_guest_keeps_half_of_what_it_may_write_for_its_person() {
    let mut world = World::new(233);
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
    world.down(alice);
    // Those who have gone are only met by Zoe, one by one, when she has written half.
    let all: Vec<usize> = [zoe].into_iter().chain(guests.clone()).collect();
    for (no, one) in all.iter().enumerate() {
        for other in &all[no + 1..] {
            world.cut_off(*one, *other);
        }
    }
    let own = |world: &mut World| {
        let all = members(world, zoe).into_iter();
        let own = all.flat_map(|member| member.devices).find(|it| it.own);
        own.expect("takes part").envelopes
    };
    while own(&mut world) < 32 {
        send(&mut world, zoe, TEA, "mine");
    }
    for guest in &guests {
        let topic = TEA.to_owned();
        let reply = world.ask(*guest, Command::TopicLeave { topic });
        assert_eq!(reply, Reply::Done);
    }
    world.cut.clear();
    world.pass(Duration::from_secs(900));
    let left = members(&mut world, zoe).into_iter();
    let left = left.flat_map(|member| member.devices).filter(|it| it.left);
    assert_eq!(left.count(), 9, "she has heard of them all");
    assert_eq!(own(&mut world), 32);
    world.up(alice);
    world.pass(Duration::from_secs(900));
    for node in [alice, zoe] {
        send(&mut world, node, TEA, "they are gone");
    }
    world.pass(Duration::from_secs(30));
    for node in [alice, zoe] {
        let texts = texts(&mut world, node, TEA).into_iter();
        assert_eq!(texts.filter(|text| text == "they are gone").count(), 2);
    }
}
