//! Homes that are set back or copied: nothing is lost, and nobody is banned.

use crate::giving::{grant, revoke, three};
use crate::story::{found, invite, join, send, texts, use_core, wait};
use crate::world::World;
use node::command::{Command, Reply, Right, TopicInfo, WaitFor};
use std::time::Duration;

pub(crate) fn info(world: &mut World, node: usize) -> TopicInfo {
    match world.ask(
        node,
        Command::TopicInfo {
            topic: "tea".to_owned(),
        },
    ) {
        Reply::TopicInfo(info) => *info,
        other => panic!("{other:?}"),
    }
}

/// Alice and Bob in a topic, where each has written once.
pub(crate) fn pair(seed: u8) -> (World, usize, usize) {
    let mut world = World::new(seed);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, "tea");
    let link = invite(&mut world, alice, "tea", 4);
    join(&mut world, bob, &link);
    send(&mut world, alice, "tea", "one");
    send(&mut world, bob, "tea", "two");
    world.pass(Duration::from_secs(2));
    (world, alice, bob)
}

/// Sets a home back to what it was before `later`, and starts it again.
fn set_back(world: &mut World, node: usize, stale: bool, later: impl FnOnce(&mut World)) {
    let old = world.disk(node).clone();
    later(world);
    world.pass(Duration::from_secs(2));
    world.down(node);
    world.set_disk(node, old);
    world.nodes[node].config.stale = stale;
    world.up(node);
    world.nodes[node].config.stale = false;
}

fn sorted(world: &mut World, node: usize) -> Vec<String> {
    let mut seen = texts(world, node, "tea");
    seen.sort();
    seen
}

#[test]
fn a_restored_backup_loses_nothing() {
    for stale in [true, false] {
        let (mut world, alice, bob) = pair(20);
        set_back(&mut world, alice, stale, |world| {
            send(world, alice, "tea", "three");
            send(world, alice, "tea", "two and a half");
        });
        world.pass(Duration::from_secs(400));
        let id = send(&mut world, alice, "tea", "zz after");
        let reached = wait(&mut world, alice, &id, WaitFor::Delivered, None);
        assert_eq!(
            reached,
            Reply::Reached {
                state: WaitFor::Delivered,
                count: 1,
                of: 1
            }
        );
        send(&mut world, bob, "tea", "zz answer");
        world.pass(Duration::from_secs(5));
        let all = [
            "one",
            "three",
            "two",
            "two and a half",
            "zz after",
            "zz answer",
        ];
        for node in [alice, bob] {
            assert_eq!(sorted(&mut world, node), all, "stale: {stale}");
            let info = info(&mut world, node);
            assert_eq!(info.forked, Vec::<String>::new(), "no key is closed");
            assert_eq!(info.members.len(), 2, "it is the same member");
        }
    }
}

/// The marker outside the home says that it is a copy: what is written before anybody is reached
/// already goes under a new author key.
#[test]
fn a_copy_that_writes_before_it_meets_anybody_loses_nothing() {
    let (mut world, alice, bob) = pair(21);
    set_back(&mut world, alice, true, |world| {
        send(world, alice, "tea", "three");
        world.pass(Duration::from_secs(1));
        world.cut_off(alice, bob);
    });
    send(&mut world, alice, "tea", "zz alone");
    world.pass(Duration::from_secs(30));
    world.cut.clear();
    world.pass(Duration::from_secs(400));
    send(&mut world, bob, "tea", "zz answer");
    send(&mut world, alice, "tea", "zz last");
    world.pass(Duration::from_secs(5));
    let all = ["one", "three", "two", "zz alone", "zz answer", "zz last"];
    for node in [alice, bob] {
        assert_eq!(sorted(&mut world, node), all);
        assert_eq!(info(&mut world, node).forked, Vec::<String>::new());
    }
}

/// A whole machine set back while it reaches nobody: its author contradicts itself. One key is
/// closed; what others wrote and what they answered to stands; the device goes on.
#[test]
fn a_fork_closes_one_key_and_erases_nothing_of_others() {
    let (mut world, alice, bob) = pair(22);
    set_back(&mut world, alice, false, |world| {
        send(world, alice, "tea", "three");
        world.pass(Duration::from_secs(1));
        send(world, bob, "tea", "two: I saw three");
        world.pass(Duration::from_secs(1));
        world.cut_off(alice, bob);
    });
    send(&mut world, alice, "tea", "three again");
    world.pass(Duration::from_secs(30));
    world.cut.clear();
    world.pass(Duration::from_secs(400));
    let id = send(&mut world, alice, "tea", "zz on");
    let reached = wait(&mut world, alice, &id, WaitFor::Delivered, None);
    assert_eq!(
        reached,
        Reply::Reached {
            state: WaitFor::Delivered,
            count: 1,
            of: 1
        }
    );
    send(&mut world, bob, "tea", "zz me too");
    world.pass(Duration::from_secs(5));
    for node in [alice, bob] {
        let info = info(&mut world, node);
        assert_eq!(info.forked.len(), 1, "one author key is closed");
        assert_eq!(info.members.len(), 2, "nobody is banned");
        let seen = sorted(&mut world, node);
        for text in [
            "one",
            "three",
            "two",
            "two: I saw three",
            "zz me too",
            "zz on",
        ] {
            let count = seen.iter().filter(|seen| *seen == text).count();
            assert_eq!(count, 1, "{} sees {seen:?}", world.nodes[node].config.name);
        }
    }
}

/// The copy runs beside the original, which is stopped only then: as with a cloned disk.
#[test]
fn a_restored_core_node_is_filled_again() {
    let mut world = World::new(23);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, alice, core);
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(2));
    world.down(bob);
    set_back(&mut world, core, true, |world| {
        let id = send(world, alice, "tea", "Bring a cup");
        wait(world, alice, &id, WaitFor::Held, None);
    });
    world.pass(Duration::from_secs(60));
    world.down(alice);
    world.up(bob);
    world.pass(Duration::from_secs(60));
    assert_eq!(texts(&mut world, bob, "tea"), ["Bring a cup"]);
}

#[test]
fn mail_after_a_restored_backup_comes_once() {
    for stale in [true, false] {
        let (mut world, alice, bob) = pair(24);
        let (to, back) = (world.id(bob).to_string(), world.id(alice).to_string());
        set_back(&mut world, alice, stale, |world| {
            let id = send(world, alice, &to, "first");
            wait(world, alice, &id, WaitFor::Delivered, None);
            let id = send(world, bob, &back, "to be lost with the disk");
            wait(world, bob, &id, WaitFor::Delivered, None);
        });
        world.pass(Duration::from_secs(100));
        let id = send(&mut world, alice, &to, "second");
        wait(&mut world, alice, &id, WaitFor::Delivered, None);
        let Reply::Inbox { mails, .. } = world.ask(bob, Command::Inbox { after: 0, limit: 9 })
        else {
            panic!("no inbox");
        };
        let mails: Vec<_> = mails.into_iter().map(|mail| mail.text).collect();
        assert_eq!(mails, ["first", "second"], "stale: {stale}");
    }
}

/// Set back again and again: the device writes under new keys as long as it is no nuisance.
#[test]
fn a_machine_that_is_set_back_every_day_goes_on() {
    let (mut world, alice, bob) = pair(25);
    for day in 0..10 {
        set_back(&mut world, alice, day % 2 == 0, |world| {
            send(world, alice, "tea", &format!("day {day}"));
            world.pass(Duration::from_secs(1));
        });
        world.pass(Duration::from_secs(24 * 3600));
        send(&mut world, alice, "tea", &format!("day {day}, later"));
        world.pass(Duration::from_secs(1));
    }
    world.pass(Duration::from_secs(10));
    for node in [alice, bob] {
        assert_eq!(texts(&mut world, node, "tea").len(), 22);
        assert_eq!(info(&mut world, node).forked, Vec::<String>::new());
    }
}

/// What is delivered to a restored home is acknowledged, also when nobody writes there.
#[test]
fn a_restored_home_that_only_reads_acknowledges() {
    let (mut world, alice, bob) = pair(26);
    set_back(&mut world, alice, true, |_| {});
    world.pass(Duration::from_secs(30));
    let id = send(&mut world, bob, "tea", "three");
    let reached = wait(&mut world, bob, &id, WaitFor::Delivered, None);
    assert!(
        matches!(
            reached,
            Reply::Reached {
                count: 1,
                of: 1,
                ..
            }
        ),
        "{reached:?}"
    );
    assert_eq!(
        info(&mut world, bob).members.len(),
        2,
        "it is the same member"
    );
}

/// Bob gives Cleo more than her invite does, takes it back, and then his home is set back to before that: by the
/// fork his revocation is void, so the grant stands again by all that is held. In the past of what Cleo writes
/// it does not. She goes on under her invite.
#[test]
fn who_took_a_grant_back_on_a_branch_silences_nobody() {
    let (mut world, [alice, bob, cleo]) = three(67);
    let all = [Right::Publish, Right::Read, Right::Admit];
    for (giver, to) in [(alice, "Bob"), (bob, "Cleo")] {
        let reply = grant(&mut world, giver, to, &all);
        assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
        world.pass(Duration::from_secs(30));
    }
    send(&mut world, cleo, "tea", "under the grant");
    world.pass(Duration::from_secs(5));
    let old = world.disk(bob).clone();
    let taken = revoke(&mut world, bob, "Cleo", &[], None);
    assert!(matches!(taken, Reply::Revoked { .. }), "{taken:?}");
    world.pass(Duration::from_secs(30));
    send(&mut world, cleo, "tea", "under the invite");
    world.pass(Duration::from_secs(5));
    world.down(bob);
    world.set_disk(bob, old);
    world.cut_off(bob, alice);
    world.cut_off(bob, cleo);
    world.up(bob);
    send(&mut world, bob, "tea", "on another branch");
    world.pass(Duration::from_secs(5));
    world.cut.clear();
    world.pass(Duration::from_secs(400));
    for text in ["still here", "and still"] {
        let id = send(&mut world, cleo, "tea", text);
        let reached = wait(&mut world, cleo, &id, WaitFor::Delivered, Some(1));
        assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
    }
    assert!(texts(&mut world, alice, "tea").contains(&"and still".to_owned()));
}
