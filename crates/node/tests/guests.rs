//! Guests: who has a link of the kind while away writes at once, so much in all, until somebody who may admit
//! welcomes it.

use crate::giving::{failure, grant};
use crate::restored::info;
use crate::story::{found, invite, join, send, texts, use_core};
use crate::welcomes::right;
use crate::world::World;
use node::command::{Code, Command, GrantKind, Member, Reply, Right};
use std::time::Duration;

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
    let mut world = World::new(214);
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
