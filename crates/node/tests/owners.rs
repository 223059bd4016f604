//! Topics that several own.

use crate::giving::revoke;
use crate::story::{invite, join, send, texts, wait};
use crate::together::proposed;
use crate::world::World;
use node::command::owners::{Owners, OwnersCommand, OwnersReply, Proposal};
use node::command::public::{PublicCommand, PublicReply};
use node::command::{Code, Command, Failure, Reply, WaitFor};
use std::time::Duration;

pub(crate) const TEA: &str = "tea";

pub(crate) fn owners(world: &mut World, node: usize, command: OwnersCommand) -> Reply {
    world.ask(node, Command::Owners(command))
}

pub(crate) fn list(world: &mut World, node: usize) -> Owners {
    let topic = TEA.to_owned();
    match owners(world, node, OwnersCommand::List { topic }) {
        Reply::Owners(OwnersReply::List(owners)) => owners,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn pending(world: &mut World, node: usize) -> Vec<Proposal> {
    match owners(world, node, OwnersCommand::Pending) {
        Reply::Owners(OwnersReply::Pending(all)) => all,
        other => panic!("{other:?}"),
    }
}

/// Signs the one proposal that waits; gives it as it stands then.
pub(crate) fn sign(world: &mut World, node: usize) -> Proposal {
    let all = pending(world, node);
    let [one] = all.as_slice() else {
        panic!("{all:?}");
    };
    let id = one.id.get(..12).expect("digits").to_owned();
    match owners(world, node, OwnersCommand::Sign { id }) {
        Reply::Owners(OwnersReply::Signed(proposal)) => proposal,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn propose(
    world: &mut World,
    node: usize,
    (add, remove): (&[&str], &[&str]),
    threshold: Option<u8>,
) -> Reply {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let command = OwnersCommand::Propose {
        topic: TEA.to_owned(),
        add: names(add),
        remove: names(remove),
        threshold,
    };
    owners(world, node, command)
}

pub(crate) fn failure(reply: Reply) -> Failure {
    match reply {
        Reply::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn names(owners: &Owners) -> Vec<&str> {
    let mut names: Vec<&str> = owners.devices.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn problems(world: &mut World, node: usize) -> usize {
    let Reply::Status(status) = world.ask(node, Command::Status) else {
        panic!("no status");
    };
    let about = status.problems.iter().filter(|it| it.code == "owners");
    about.count()
}

/// Alice, Bob and Cleo own a topic; two of them decide.
pub(crate) fn three_own(seed: u8) -> (World, [usize; 3]) {
    three_own_a(seed, (false, None))
}

/// The same of a topic that is public or not, with this many messages a minute for whoever is let in.
fn three_own_a(seed: u8, (public, messages): (bool, Option<u32>)) -> (World, [usize; 3]) {
    let mut world = World::new(seed);
    let people = ["Alice", "Bob", "Cleo"].map(|name| world.add(name, false));
    let [alice, bob, cleo] = people;
    let command = OwnersCommand::Create {
        name: TEA.to_owned(),
        threshold: 2,
        count: 3,
        public,
        messages,
    };
    let Reply::Owners(OwnersReply::Created { links, .. }) = owners(&mut world, alice, command)
    else {
        panic!("not founded");
    };
    assert_eq!(links.len(), 2);
    assert_eq!(problems(&mut world, alice), 1);
    join(&mut world, bob, &links[0]);
    world.pass(Duration::from_secs(10));
    let so_far = list(&mut world, alice);
    assert_eq!((names(&so_far), so_far.missing.len()), (vec!["Alice"], 1));
    assert!(pending(&mut world, bob).is_empty());
    join(&mut world, cleo, &links[1]);
    world.pass(Duration::from_secs(10));
    // Alice has to see who has come by her links, and both have to agree.
    assert!(pending(&mut world, bob).is_empty());
    assert_eq!(sign(&mut world, alice).lacks, 2);
    world.pass(Duration::from_secs(5));
    assert_eq!(sign(&mut world, bob).lacks, 1);
    world.pass(Duration::from_secs(5));
    assert_eq!(list(&mut world, alice).devices.len(), 1);
    let last = sign(&mut world, cleo);
    assert!(last.done && last.lacks == 0, "{last:?}");
    world.pass(Duration::from_secs(10));
    (world, people)
}

#[test]
fn owners_come_in_when_all_have_joined_and_agreed() {
    let (mut world, people) = three_own(61);
    for node in people {
        let all = list(&mut world, node);
        assert_eq!(names(&all), ["Alice", "Bob", "Cleo"]);
        assert_eq!((all.threshold, all.missing.len()), (2, 0));
        assert!(pending(&mut world, node).is_empty());
    }
    assert_eq!(problems(&mut world, people[0]), 0);
    // Each of them may let people in.
    for (at, node) in people.into_iter().enumerate().take(1) {
        let link = invite(&mut world, node, TEA, 1);
        let guest = world.add(&format!("Guest {at}"), false);
        join(&mut world, guest, &link);
    }
    let id = send(&mut world, people[2], TEA, "ours");
    let reached = wait(&mut world, people[2], &id, WaitFor::Delivered, None);
    assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
}

#[test]
fn one_of_them_decides_nothing_alone() {
    let (mut world, [alice, bob, cleo]) = three_own(62);
    let Reply::Owners(OwnersReply::Signed(mine)) =
        propose(&mut world, bob, (&[], &["Alice"]), Some(1))
    else {
        panic!("not proposed");
    };
    assert!(!mine.done && mine.lacks == 1, "{mine:?}");
    // He may sign it as often as he likes.
    let again = OwnersCommand::Sign { id: mine.id };
    failure(owners(&mut world, bob, again));
    world.pass(Duration::from_secs(30));
    for node in [alice, bob, cleo] {
        assert_eq!(list(&mut world, node).devices.len(), 3);
        assert_eq!(pending(&mut world, node).len(), 1);
    }
    // Nor does whoever is none of them.
    let link = invite(&mut world, alice, TEA, 1);
    let dan = world.add("Dan", false);
    join(&mut world, dan, &link);
    world.pass(Duration::from_secs(10));
    let refused = failure(propose(&mut world, dan, (&["Dan"], &[]), None));
    assert_eq!(refused.code, Code::Refused);
    let id = pending(&mut world, dan)
        .first()
        .expect("he hears of it")
        .id
        .clone();
    let refused = failure(owners(&mut world, dan, OwnersCommand::Sign { id }));
    assert_eq!(refused.code, Code::Refused);
    assert_eq!(list(&mut world, dan).devices.len(), 3);
}

#[test]
fn the_others_go_on_when_the_founder_is_gone_for_ever() {
    let (mut world, [alice, bob, cleo]) = three_own(63);
    send(&mut world, alice, TEA, "my last words");
    world.pass(Duration::from_secs(5));
    world.down(alice);
    let link = match world.ask(
        bob,
        Command::Invite {
            topic: TEA.to_owned(),
            rights: Vec::new(),
            messages: None,
            uses: 1,
            until: None,
            while_away: true,
        },
    ) {
        Reply::Invited { link, .. } => link,
        other => panic!("{other:?}"),
    };
    let dan = world.add("Dan", false);
    join(&mut world, dan, &link);
    world.pass(Duration::from_secs(20));
    // Dan takes Alice's place.
    let Reply::Owners(OwnersReply::Signed(_)) =
        propose(&mut world, bob, (&["Dan"], &["Alice"]), None)
    else {
        panic!("not proposed");
    };
    world.pass(Duration::from_secs(5));
    sign(&mut world, cleo);
    world.pass(Duration::from_secs(5));
    assert!(sign(&mut world, dan).done);
    world.pass(Duration::from_secs(30));
    for node in [bob, cleo, dan] {
        assert_eq!(names(&list(&mut world, node)), ["Bob", "Cleo", "Dan"]);
        assert_eq!(texts(&mut world, node, TEA), ["my last words"]);
    }
    world.pass(Duration::from_secs(60));
    let id = send(&mut world, dan, TEA, "welcome me");
    world.pass(Duration::from_secs(60));
    for node in [bob, cleo] {
        assert_eq!(
            texts(&mut world, node, TEA),
            ["my last words", "welcome me"]
        );
    }
    let reached = wait(&mut world, dan, &id, WaitFor::Delivered, None);
    assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
}

/// The link of an owner has been read by somebody else, who was faster or slower than whom it was meant for.
#[test]
fn who_found_an_owners_link_becomes_no_owner_by_it() {
    for meant_first in [true, false] {
        let mut world = World::new(64);
        let people = ["Alice", "Bob", "Cleo", "Mallory"].map(|name| world.add(name, false));
        let [alice, bob, cleo, mallory] = people;
        let command = OwnersCommand::Create {
            name: TEA.to_owned(),
            threshold: 2,
            count: 3,
            public: false,
            messages: None,
        };
        let Reply::Owners(OwnersReply::Created { links, .. }) = owners(&mut world, alice, command)
        else {
            panic!("not founded");
        };
        let [first, second] = if meant_first {
            [bob, mallory]
        } else {
            [mallory, bob]
        };
        join(&mut world, first, &links[0]);
        world.pass(Duration::from_secs(10));
        // Whoever claims what was used says so to nobody who would not hear of it.
        let again = Command::Join {
            link: links[0].clone(),
            name: None,
            timeout_ms: 30_000,
        };
        let _second = world.ask(second, again);
        join(&mut world, cleo, &links[1]);
        world.pass(Duration::from_secs(30));
        let before = list(&mut world, alice);
        assert_eq!(names(&before), ["Alice"]);
        // She is asked, by names with keys: nothing has been signed for her.
        let asked = pending(&mut world, alice);
        assert!(asked.iter().all(|one| one.signed.is_empty()), "{asked:?}");
        assert!(pending(&mut world, cleo).is_empty());
        assert!(!before.missing.is_empty());
        // She names whom she meant.
        if names_of(&mut world, alice).contains(&"Bob".to_owned()) {
            let add: &[&str] = &["Bob", "Cleo"];
            let Reply::Owners(OwnersReply::Signed(_)) =
                propose(&mut world, alice, (add, &[]), Some(2))
            else {
                panic!("not proposed");
            };
            world.pass(Duration::from_secs(5));
            sign(&mut world, bob);
            world.pass(Duration::from_secs(5));
            assert!(sign(&mut world, cleo).done);
            world.pass(Duration::from_secs(20));
            let after = list(&mut world, alice);
            assert_eq!(names(&after), ["Alice", "Bob", "Cleo"]);
            assert!(after.missing.is_empty(), "{after:?}");
        }
    }
}

fn names_of(world: &mut World, node: usize) -> Vec<String> {
    let topic = TEA.to_owned();
    let Reply::Members(members) = world.ask(node, Command::Members { topic }) else {
        panic!("no members");
    };
    let devices = members.into_iter().flat_map(|member| member.devices);
    devices.map(|device| device.name).collect()
}

#[test]
fn a_public_topic_with_a_bound_may_have_several_owners() {
    let (mut world, [alice, bob, cleo]) = three_own_a(68, (true, Some(3)));
    let topic = TEA.to_owned();
    let found = world.ask(bob, Command::Public(PublicCommand::Link { topic }));
    let Reply::Public(PublicReply::Link { link, .. }) = found else {
        panic!("{found:?}");
    };
    let guests = invite(&mut world, bob, TEA, 1);
    world.down(alice);
    let (rose, dan) = (world.add("Rose", false), world.add("Dan", false));
    join(&mut world, rose, &link);
    join(&mut world, dan, &guests);
    world.pass(Duration::from_secs(10));
    for n in 0..5 {
        // Owners are bound by nothing.
        send(&mut world, cleo, TEA, &format!("Cleo {n}"));
    }
    let command = |n| Command::Send {
        to: TEA.to_owned(),
        messages: vec![format!("Dan {n}").into_bytes()],
        expires: None,
        best_effort: false,
    };
    // Ten minutes of his rate at once, and no more.
    let said = (0..40).map(|n| world.ask(dan, command(n)));
    let said = said.filter(|reply| matches!(reply, Reply::Sent { .. }));
    assert_eq!(said.count(), 30);
    world.pass(Duration::from_secs(10));
    let read = texts(&mut world, rose, TEA);
    assert_eq!(read.len(), 35, "{read:?}");
    // Two of them can still decide.
    proposed(revoke(&mut world, bob, "Dan", &[], None));
    world.pass(Duration::from_secs(5));
    assert!(sign(&mut world, cleo).done);
    world.pass(Duration::from_secs(10));
    let refused = world.ask(dan, command(40));
    assert!(matches!(refused, Reply::Failed(_)), "{refused:?}");
}
