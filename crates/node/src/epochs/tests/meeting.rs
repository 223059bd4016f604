//! Whole nodes that remove one another's members, are cut off, stop, and meet again.

use super::NEXT;
use super::world::{Commits, World};
use crate::Input;
use crate::command::{Code, Command, LineKind, ReadFrom, Reply};
use crate::node::{Inner, Turn};
use crate::rows::{ANNOUNCING, NODE, vault_key};
use identity::{EpochId, GrantId};
use lace::{Admitted, AuthorNo, Effect, Facts, FoundersPolicy, Past, Policy, Rule, Set};
use rights::judge_epochs;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use topic::{Draft, Payload};
use wire::frame::Subject;
use wire::{Frame, Genesis, Item, Revocation, Verified};

/// The founder invites, anybody ends anybody's invite, and with it whoever has claimed it; epochs are
/// judged as they are to be.
#[derive(Debug)]
struct Anybody;

impl Policy for Anybody {
    fn speaks_of(&self, genesis: &Genesis, item: &Item) -> bool {
        // What guests write in all is counted by nobody here.
        let more = matches!(
            item,
            Item::Epoch(_) | Item::Boxes(_) | Item::Revocation(_) | Item::Invite(_)
        );
        more || FoundersPolicy.speaks_of(genesis, item)
    }

    fn admit(&self, past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
        judge_epochs(past, self, envelope).map_err(|_| Rule::Right)?;
        FoundersPolicy.admit(past, envelope)
    }

    fn effect(&self, facts: &dyn Facts, set: &Set, evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
        let mut effect = FoundersPolicy.effect(facts, set, evidence);
        for fact in set.iter().filter_map(|no| facts.fact(no)) {
            if let Item::Revocation(revocation) = &fact.what {
                effect.grants.remove(&revocation.grant);
                effect
                    .devices
                    .retain(|_, seat| seat.grant != revocation.grant);
            }
        }
        effect
    }
}

/// Does something inside a node.
pub(super) fn inside<R: 'static>(
    world: &mut World,
    node: usize,
    f: impl FnOnce(&mut Inner, &mut Turn<'_, '_>) -> R + 'static,
) -> R {
    let result = Rc::new(RefCell::new(None));
    let found = Rc::clone(&result);
    NEXT.set(Some(Box::new(move |inner, turn| {
        found.replace(Some(f(inner, turn)));
    })));
    let addresses = vec![format!("10.0.0.{node}:4433")];
    world.input(node, Input::Listening { addresses });
    let result = result.take();
    result.expect("the node is up")
}

pub(super) fn local(inner: &Inner) -> u32 {
    inner.host.keys.topics().next().unwrap().0
}

/// A world in which everybody has joined by an invite of its own; the first one is the founder.
pub(super) fn world(seed: u8, people: usize) -> World {
    let mut world = World::new(seed);
    world.rules = Some(&Anybody);
    for n in 0..people {
        world.add(&format!("Person {n}"), false);
    }
    let name = "tea".to_owned();
    world.ask(
        0,
        Command::TopicCreate {
            name,
            messages: None,
        },
    );
    for n in 1..people {
        let command = Command::Invite {
            rights: Vec::new(),
            messages: None,
            while_away: true,
            topic: "tea".to_owned(),
            uses: 1,
            until: None,
        };
        let invited = world.ask(0, command);
        let Reply::Invited { link, .. } = invited else {
            panic!("no invite: {invited:?}");
        };
        let command = Command::Join {
            link,
            name: None,
            timeout_ms: 30_000,
        };
        let joined = world.ask(n, command);
        assert!(matches!(joined, Reply::Topic { .. }), "{joined:?}");
    }
    world.pass(Duration::from_secs(20));
    world
}

fn send(world: &mut World, node: usize, text: &str) -> Reply {
    let command = Command::Send {
        to: "tea".to_owned(),
        messages: vec![text.as_bytes().to_vec()],
        expires: None,
        best_effort: false,
    };
    world.ask(node, command)
}

pub(super) fn sent(world: &mut World, node: usize, text: &str) {
    let reply = send(world, node, text);
    assert!(matches!(reply, Reply::Sent { .. }), "{reply:?}");
}

/// The texts that somebody can read.
pub(super) fn texts(world: &mut World, node: usize) -> Vec<String> {
    let command = Command::Read {
        topic: "tea".to_owned(),
        from: ReadFrom::After(0),
        limit: 500,
    };
    let Reply::Lines { lines, .. } = world.ask(node, command) else {
        panic!("no lines");
    };
    let texts = lines.iter().filter(|line| line.kind == LineKind::Text);
    texts.map(|line| line.text.clone()).collect()
}

/// The grant by which somebody has joined.
pub(super) fn grant(world: &mut World, node: usize) -> GrantId {
    inside(world, node, |inner, _| {
        let keys = inner.host.keys.topic(local(inner)).unwrap();
        GrantId::from_bytes(keys.row.grant)
    })
}

/// Ends somebody's grant; with an epoch in the same turn, if that is asked for.
pub(super) fn remove(world: &mut World, by: usize, grant: GrantId, at_once: bool) {
    inside(world, by, move |inner, turn| {
        let local = local(inner);
        let item = Item::Revocation(Revocation {
            grant,
            cut: Vec::new(),
            cascade: false,
            only: BTreeSet::new(),
            joint: None,
        });
        let draft = Draft {
            payload: Payload::Items(vec![item]),
            lifespan: None,
            answers: Vec::new(),
            manifest: None,
        };
        inner
            .with_topics(turn, |topics, env| topics.publish(env, local, draft))
            .unwrap();
        if at_once {
            inner.renew_epoch(turn, local);
        }
    });
}

/// What is written under, and whether this node opens it.
pub(super) fn newest(world: &mut World, node: usize) -> (Option<EpochId>, bool) {
    inside(world, node, |inner, _| {
        let ring = &inner.host.keys.topic(local(inner)).unwrap().ring;
        let held = ring.newest_clean();
        (
            held.map(|held| held.epoch().id()),
            held.is_some_and(|held| held.opens(0)),
        )
    })
}

/// How many epochs somebody has heard of, and whether an announcement is not finished.
pub(super) fn heard(world: &mut World, node: usize) -> (usize, bool) {
    inside(world, node, |inner, turn| {
        let local = local(inner);
        let open = turn.cx.store.has(NODE, &vault_key(ANNOUNCING, local));
        let ring = &inner.host.keys.topic(local).unwrap().ring;
        (ring.epochs().count(), open)
    })
}

pub(super) fn genesis(world: &mut World, node: usize) -> EpochId {
    inside(world, node, |inner, _| {
        let keys = inner.host.keys.topic(local(inner)).unwrap();
        keys.genesis.epoch.id()
    })
}

#[test]
fn whoever_removes_somebody_begins_an_epoch_in_the_same_turn() {
    let mut world = world(40, 3);
    let first = genesis(&mut world, 0);
    sent(&mut world, 1, "with everybody");
    world.pass(Duration::from_secs(2));
    let bobs = grant(&mut world, 2);
    world.nodes[0].commits = Commits::Held;
    remove(&mut world, 0, bobs, true);
    // Item and boxes are in the one commit that nobody has heard of yet.
    let (epoch, reads) = newest(&mut world, 0);
    assert!(epoch != Some(first) && epoch.is_some() && reads);
    assert_eq!(heard(&mut world, 0), (2, false));
    world.nodes[0].commits = Commits::Now;
    world.commit(0, usize::MAX);
    world.pass(Duration::from_secs(1));
    assert_eq!(newest(&mut world, 1), (epoch, true), "without a wait");
    sent(&mut world, 0, "without Bob");
    sent(&mut world, 1, "nor here");
    world.pass(Duration::from_secs(30));
    assert_eq!(heard(&mut world, 0).0, 2, "one is enough");
    let ours = ["with everybody", "without Bob", "nor here"];
    assert_eq!(texts(&mut world, 0), ours);
    assert_eq!(texts(&mut world, 1), ours);
    assert_eq!(texts(&mut world, 2), ["with everybody"]);
    assert!(!newest(&mut world, 2).1);
}

#[test]
fn of_many_who_hear_of_a_removal_one_begins_an_epoch() {
    let mut world = world(41, 6);
    let first = genesis(&mut world, 0);
    let removed = grant(&mut world, 5);
    // Somebody removes and says no more; it stops before its own moment has come.
    remove(&mut world, 4, removed, false);
    world.settle();
    world.down(4);
    world.pass(Duration::from_secs(30));
    let (epoch, reads) = newest(&mut world, 0);
    assert!(epoch.is_some() && epoch != Some(first) && reads);
    for node in 1..4 {
        assert_eq!(newest(&mut world, node), (epoch, true));
    }
    let (count, _) = heard(&mut world, 0);
    assert_eq!(count, 2, "they have waited for one another");
    // Who was away hears of it, and begins none of its own.
    world.up(4);
    world.pass(Duration::from_secs(60));
    assert_eq!(newest(&mut world, 4), (epoch, true));
    assert_eq!(heard(&mut world, 4).0, 2);
    sent(&mut world, 4, "still here");
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, 0), ["still here"]);
    assert!(texts(&mut world, 5).is_empty() && !newest(&mut world, 5).1);
}

#[test]
fn two_sides_that_each_removed_somebody_meet_in_one_clean_epoch() {
    // 0, 1 and 4 on one side, 2 and 3 on the other one.
    let mut world = world(42, 5);
    let first = genesis(&mut world, 0);
    let (xs, ys) = (grant(&mut world, 3), grant(&mut world, 4));
    for one in [0, 1, 4] {
        for other in [2, 3] {
            world.cut_off(one, other);
        }
    }
    world.pass(Duration::from_secs(1));
    remove(&mut world, 1, xs, true);
    remove(&mut world, 2, ys, true);
    world.pass(Duration::from_secs(60));
    let (one, two) = (newest(&mut world, 0), newest(&mut world, 2));
    assert!(one.1 && two.1 && one != two && one.0 != Some(first));
    assert_eq!(newest(&mut world, 1), one);
    assert_eq!(
        newest(&mut world, 4),
        one,
        "nobody there knows of its removal"
    );
    assert_eq!(newest(&mut world, 3), two);
    sent(&mut world, 0, "here");
    sent(&mut world, 2, "there");
    // However long it takes, and whoever starts anew meanwhile.
    world.pass(Duration::from_secs(3_600));
    for node in [0, 2] {
        world.down(node);
        world.up(node);
    }
    world.cut.clear();
    world.pass(Duration::from_secs(300));
    let (both, reads) = newest(&mut world, 0);
    assert!(reads && both != one.0 && both != two.0 && both.is_some());
    for node in [1, 2] {
        assert_eq!(newest(&mut world, node), (both, true));
    }
    sent(&mut world, 1, "together");
    world.pass(Duration::from_secs(5));
    for node in [0, 1, 2] {
        let mut all = texts(&mut world, node);
        all.sort();
        assert_eq!(all, ["here", "there", "together"], "at {node}");
        assert_eq!(heard(&mut world, node), (4, false), "one for both");
    }
    // Each of those removed has what was sealed to it before, and nothing of what is common.
    for (node, own) in [(4, "here"), (3, "there")] {
        assert_eq!(texts(&mut world, node), [own], "at {node}");
        let opens = inside(&mut world, node, move |inner, _| {
            let ring = &inner.host.keys.topic(local(inner)).unwrap().ring;
            ring.by_id(both.unwrap())
                .map(|held| held.access().is_some())
        });
        // Whether or not anybody still tells it of the epoch.
        assert_ne!(opens, Some(true), "at {node}");
    }
    // Who of both sides meets one of them from now on shows it nothing and tells it nothing of the topic; each
    // of those removed shows what it has, and so finds nobody.
    let heard: Rc<RefCell<Vec<(usize, usize, Frame)>>> = Rc::default();
    let tap = Rc::clone(&heard);
    world.tamper = Some(Box::new(move |from, to, bytes| {
        let frame = Frame::decode(&bytes).expect("honest");
        tap.borrow_mut().push((from, to, frame));
        vec![bytes]
    }));
    for removed in [3, 4] {
        for other in [0, 1, 2] {
            if let Some(link) = world.link(removed, other) {
                world.tear(link);
            }
            world.connect(removed, None, other);
        }
    }
    world.pass(Duration::from_secs(60));
    for node in [0, 1, 2] {
        sent(&mut world, node, "not for everybody");
    }
    world.pass(Duration::from_secs(300));
    let heard = heard.borrow();
    for removed in [3, 4] {
        for other in [0, 1, 2] {
            let said = |from, to| {
                let between = heard
                    .iter()
                    .filter(move |said| (said.0, said.1) == (from, to));
                between.map(|said| &said.2)
            };
            let asked = |frame: &Frame| matches!(frame, Frame::Tags { .. });
            assert!(said(removed, other).any(asked), "{removed} met {other}");
            let told = |frame: &&Frame| {
                let about =
                    matches!(frame, Frame::Refused { subject, .. } if *subject != Subject::Link);
                let of_topic = matches!(
                    frame,
                    Frame::Show { .. }
                        | Frame::GrantAsk { .. }
                        | Frame::GrantProof { .. }
                        | Frame::Topic { .. }
                );
                about || of_topic
            };
            let told: Vec<&Frame> = said(other, removed).filter(told).collect();
            assert!(told.is_empty(), "{other} tells {removed}: {told:?}");
        }
    }
    drop(heard);
    for (node, own) in [(4, "here"), (3, "there")] {
        assert_eq!(texts(&mut world, node), [own], "at {node}");
    }
}

/// Whether a node's disk has an announcement whose boxes are not all published.
fn is_unfinished(world: &World, node: usize) -> bool {
    let row = vault_key(ANNOUNCING, 1);
    let mut rows = world.disk(node).rows();
    rows.any(|(table, key, _)| table == NODE.id() && key == row)
}

/// Two who are left and one who was removed; the first one is about to begin an epoch, and its commits
/// of the moment in which it does are held back.
fn about_to_begin() -> World {
    let mut world = world(43, 3);
    let bobs = grant(&mut world, 2);
    // Nobody else begins one.
    world.down(1);
    remove(&mut world, 0, bobs, false);
    world.settle();
    for _ in 0..1_000 {
        // Only what is drawn, written and published then takes so many rows.
        let before = world.disk(0).rows().count();
        world.nodes[0].commits = Commits::Held;
        let (now, batches) = (world.now, world.batches);
        world.pass(Duration::from_secs(1));
        assert!(world.now > now && world.batches >= batches);
        let begun = newest(&mut world, 0).1;
        if begun {
            assert_eq!(world.disk(0).rows().count(), before);
            return world;
        }
        world.nodes[0].commits = Commits::Now;
        world.commit(0, usize::MAX);
    }
    panic!("it begins no epoch");
}

#[test]
fn a_stop_at_any_commit_between_announcing_and_boxes_leaves_a_node_that_finishes() {
    let mut unfinished = 0;
    for stop in 0..20 {
        let mut world = about_to_begin();
        let first = genesis(&mut world, 0);
        world.commit(0, stop);
        let over = !world.is_holding(0);
        world.nodes[0].commits = Commits::Now;
        world.down(0);
        unfinished += usize::from(is_unfinished(&world, 0));
        world.up(0);
        world.pass(Duration::from_secs(1));
        world.up(1);
        world.pass(Duration::from_secs(120));
        let (epoch, reads) = newest(&mut world, 0);
        assert!(reads && epoch != Some(first), "stopped after {stop}");
        assert_eq!(newest(&mut world, 1), (epoch, true), "stopped after {stop}");
        assert_eq!(heard(&mut world, 0), (2, false), "stopped after {stop}");
        sent(&mut world, 0, "after");
        world.pass(Duration::from_secs(5));
        assert_eq!(texts(&mut world, 1), ["after"]);
        assert!(texts(&mut world, 2).is_empty(), "stopped after {stop}");
        if over {
            assert!(stop > 1 && unfinished > 0, "{stop}, {unfinished} between");
            return;
        }
    }
    panic!("it does not come to rest");
}

#[test]
fn a_home_that_was_set_back_between_item_and_boxes_begins_another_epoch() {
    let mut world = about_to_begin();
    let first = genesis(&mut world, 0);
    while !is_unfinished(&world, 0) {
        assert!(world.is_holding(0), "it is never unfinished");
        world.commit(0, 1);
    }
    world.nodes[0].commits = Commits::Now;
    world.down(0);
    // Under another author key the boxes count for nobody.
    world.nodes[0].config.stale = true;
    world.up(0);
    world.nodes[0].config.stale = false;
    world.pass(Duration::from_secs(1));
    world.up(1);
    world.pass(Duration::from_secs(60));
    sent(&mut world, 0, "after");
    world.pass(Duration::from_secs(60));
    let (epoch, reads) = newest(&mut world, 0);
    assert!(reads && epoch != Some(first));
    assert_eq!(newest(&mut world, 1), (epoch, true));
    assert_eq!(heard(&mut world, 0), (3, false), "one of them for nothing");
    assert_eq!(texts(&mut world, 1), ["after"]);
    assert!(texts(&mut world, 2).is_empty());
}

/// Lets days pass while everybody is away.
fn days(world: &mut World, people: usize, days: u64) {
    for node in 0..people {
        world.down(node);
    }
    world.now = world.now.after(Duration::from_secs(days * 86_400));
    for node in 0..people {
        world.up(node);
    }
    world.pass(Duration::from_secs(60));
}

fn sealing(world: &mut World, node: usize) -> identity::SealingKey {
    inside(world, node, |inner, _| {
        let keys = inner.host.keys.topic(local(inner)).unwrap();
        keys.sealing.as_ref().unwrap().public()
    })
}

#[test]
fn the_first_to_write_when_slices_are_used_up_begins_an_epoch_for_keys_that_have_turned() {
    let mut world = world(44, 4);
    let before: Vec<_> = (0..3).map(|node| sealing(&mut world, node)).collect();
    let removed = grant(&mut world, 3);
    remove(&mut world, 0, removed, true);
    world.pass(Duration::from_secs(5));
    let old = newest(&mut world, 1);
    assert!(old.1);
    // A day after a box was opened another key is told.
    days(&mut world, 3, 2);
    let after: Vec<_> = (0..3).map(|node| sealing(&mut world, node)).collect();
    assert!(
        after
            .iter()
            .zip(&before)
            .all(|(after, before)| after != before)
    );
    // Nobody writes, so nothing begins, however long it takes.
    days(&mut world, 3, 40);
    assert_eq!(newest(&mut world, 1), old);
    assert_eq!(heard(&mut world, 1).0, 2);
    sent(&mut world, 2, "first");
    sent(&mut world, 1, "second");
    world.pass(Duration::from_secs(20));
    let new = newest(&mut world, 2);
    assert!(new != old && new.1);
    for node in 0..3 {
        assert_eq!(newest(&mut world, node), new);
        let mut all = texts(&mut world, node);
        all.sort();
        assert_eq!(all, ["first", "second"]);
    }
    assert_eq!(sealing(&mut world, 1), after[1], "the key it was sealed to");
}

#[test]
fn whoever_meets_a_core_node_alone_hears_of_the_epoch_there() {
    let mut world = world(45, 3);
    let core = world.add("Core", true);
    for client in 0..2 {
        let command = Command::CoreInvite {
            quota: 1 << 30,
            uses: 1,
        };
        let Reply::CoreInvited { link, .. } = world.ask(core, command) else {
            panic!("no invite");
        };
        let used = world.ask(client, Command::CoreUse { link });
        assert!(matches!(used, Reply::CoreUsed { .. }), "{used:?}");
    }
    world.pass(Duration::from_secs(30));
    let bobs = grant(&mut world, 2);
    world.down(1);
    remove(&mut world, 0, bobs, true);
    world.pass(Duration::from_secs(5));
    sent(&mut world, 0, "for later");
    world.pass(Duration::from_secs(30));
    let epoch = newest(&mut world, 0);
    world.down(0);
    world.down(2);
    world.up(1);
    world.pass(Duration::from_secs(60));
    assert_eq!(newest(&mut world, 1), epoch);
    assert_eq!(texts(&mut world, 1), ["for later"]);
    // The core node was told the new secret, and finds its client by it after a start.
    world.down(1);
    world.up(0);
    world.up(1);
    sent(&mut world, 1, "thank you");
    world.pass(Duration::from_secs(60));
    assert_eq!(texts(&mut world, 0), ["for later", "thank you"]);
    let secrets = inside(&mut world, core, |inner, _| {
        let local = local(inner);
        let secrets = inner.tidings.core_secrets(local);
        secrets
            .into_iter()
            .map(|secret| *secret.as_bytes())
            .collect::<Vec<_>>()
    });
    let newest = inside(&mut world, 0, |inner, _| {
        let ring = &inner.host.keys.topic(local(inner)).unwrap().ring;
        *ring.newest_clean().unwrap().core().unwrap().as_bytes()
    });
    assert!(secrets.contains(&newest));
    assert!(
        secrets.iter().all(|secret| *secret == newest),
        "of both clients"
    );
}

#[test]
fn who_finds_no_epoch_to_write_under_and_may_begin_none_is_told_so() {
    let mut world = world(46, 3);
    let removed = grant(&mut world, 2);
    world.down(1);
    remove(&mut world, 0, removed, false);
    world.settle();
    // It has heard that it is removed, and whoever would begin an epoch is away.
    world.down(0);
    world.pass(Duration::from_secs(60));
    assert_eq!(newest(&mut world, 2).0, None);
    let Reply::Failed(failure) = send(&mut world, 2, "to everybody") else {
        panic!("under the keys of somebody who was removed");
    };
    assert_eq!(failure.code, Code::NotYet);
    assert!(heard(&mut world, 2).0 == 1 && texts(&mut world, 2).is_empty());
    // Once the others are there, they have what it cannot read.
    world.up(0);
    world.up(1);
    world.pass(Duration::from_secs(60));
    sent(&mut world, 0, "without you");
    world.pass(Duration::from_secs(10));
    assert_eq!(texts(&mut world, 1), ["without you"]);
    assert!(texts(&mut world, 2).is_empty());
}
