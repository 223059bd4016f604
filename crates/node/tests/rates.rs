//! Rate rules: what they let pass, what they delay, and what they never keep out.

use crate::mailed::{mail, mails};
use crate::story::{found, invite, join, send, texts};
use crate::world::World;
use identity::SecretKey;
use node::Input;
use node::acl::{Rule, Rules, Way, Who};
use node::command::{Command, Reply, Status};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wire::frame::Subject;
use wire::{Code, Frame, TopicFrame};

const MINUTE: Duration = Duration::from_secs(60);

fn rule(way: Way, who: Who, messages: u64) -> Rule {
    Rule {
        way,
        who,
        messages: Some(messages),
        bytes: None,
    }
}

fn set(world: &mut World, node: usize, rules: Vec<Rule>) {
    let input = Input::Rules {
        rules: Some(Rules::new(rules).expect("few")),
        wrong: None,
    };
    world.input(node, input);
    world.settle();
}

fn status(world: &mut World, node: usize) -> Status {
    match world.ask(node, Command::Status) {
        Reply::Status(status) => status,
        other => panic!("{other:?}"),
    }
}

/// Alice, who founded a topic, and others in it, linked.
fn topic(seed: u8, others: &[&str]) -> (World, Vec<usize>) {
    let mut world = World::new(seed);
    let mut all = vec![world.add("Alice", false)];
    all.extend(others.iter().map(|name| world.add(name, false)));
    found(&mut world, all[0], "tea");
    let link = invite(&mut world, all[0], "tea", 8);
    for other in &all[1..] {
        join(&mut world, *other, &link);
    }
    world.pass(Duration::from_secs(1200));
    (world, all)
}

/// A refusal: by whom, why, until when, and whether it is about mail.
#[derive(Debug)]
struct Refusal {
    by: usize,
    code: Code,
    retry: u64,
    mail: bool,
}

/// Every refusal that says when to come again.
fn refusals(world: &mut World) -> Rc<RefCell<Vec<Refusal>>> {
    let heard: Rc<RefCell<Vec<Refusal>>> = Rc::default();
    let tap = Rc::clone(&heard);
    world.tamper = Some(Box::new(move |by, _, bytes| {
        match Frame::decode(&bytes).expect("honest") {
            Frame::Topic {
                frame: TopicFrame::Refused { code, retry, .. },
                ..
            } => tap.borrow_mut().push(Refusal {
                by,
                code,
                retry,
                mail: false,
            }),
            Frame::Refused {
                subject: Subject::Mail(_),
                code,
                retry,
                ..
            } => tap.borrow_mut().push(Refusal {
                by,
                code,
                retry,
                mail: true,
            }),
            _ => {}
        }
        vec![bytes]
    }));
    heard
}

/// Looks at a number every minute until it is what it should be; it never grows by more than `most`.
fn grows(world: &mut World, all: usize, most: usize, mut count: impl FnMut(&mut World) -> usize) {
    let mut before = count(world);
    assert!(before <= most, "{before} at once");
    let mut minutes = 0;
    while before < all {
        world.pass(MINUTE);
        let now = count(world);
        assert!(now - before <= 2 * most, "{before}, then {now}");
        before = now;
        minutes += 1;
        assert!(minutes < 40, "{before} of {all}");
    }
    assert!(minutes >= all / most / 2, "{minutes} minutes for {all}");
}

#[test]
fn what_a_peer_gives_beyond_its_rate_comes_later_and_all_of_it_comes() {
    let (mut world, all) = topic(150, &["Bob"]);
    let (alice, bob) = (all[0], all[1]);
    set(&mut world, bob, vec![rule(Way::In, Who::All, 4)]);
    let heard = refusals(&mut world);
    let wall = world.wall().as_millis();
    for n in 0..24 {
        send(&mut world, alice, "tea", &n.to_string());
    }
    world.settle();
    grows(&mut world, 24, 4, |world| texts(world, bob, "tea").len());
    let heard = heard.borrow();
    assert_eq!((heard[0].by, heard[0].code), (bob, Code::RATE));
    let end = wall + 60_000;
    assert_eq!(heard[0].retry, end, "the minute that began now");
    assert!(world.link(alice, bob).is_some(), "nobody has misbehaved");
    assert!(status(&mut world, alice).problems.is_empty());
}

#[test]
fn what_this_node_gives_a_peer_waits_until_it_may() {
    let (mut world, all) = topic(151, &["Bob"]);
    let (alice, bob) = (all[0], all[1]);
    set(&mut world, alice, vec![rule(Way::Out, Who::All, 4)]);
    let heard = refusals(&mut world);
    for n in 0..24 {
        send(&mut world, alice, "tea", &n.to_string());
    }
    world.settle();
    grows(&mut world, 24, 4, |world| texts(world, bob, "tea").len());
    assert!(heard.borrow().is_empty(), "it is not offered before");
    assert!(world.link(alice, bob).is_some());
}

/// Who comes anew asks for everything, and is not given it at once; nor does it take its giver for
/// one that does not answer.
#[test]
fn an_answer_that_goes_on_later_is_waited_for() {
    let (mut world, all) = topic(152, &["Bob"]);
    let (alice, bob) = (all[0], all[1]);
    world.down(bob);
    for n in 0..60 {
        send(&mut world, alice, "tea", &n.to_string());
    }
    set(&mut world, alice, vec![rule(Way::Out, Who::All, 3)]);
    world.up(bob);
    world.pass(Duration::from_secs(1));
    let link = world.link(alice, bob);
    grows(&mut world, 60, 3, |world| texts(world, bob, "tea").len());
    assert_eq!(world.link(alice, bob), link, "the same link all the time");
}

#[test]
fn an_author_without_a_rule_is_not_taken_until_something_depends_on_it() {
    let (mut world, all) = topic(153, &["Bob", "Carol"]);
    let (alice, bob, carol) = (all[0], all[1], all[2]);
    world.cut_off(bob, carol);
    let who = author_of(&mut world, carol);
    let others = rule(Way::Author, Who::All, 1_000);
    set(&mut world, bob, vec![rule(Way::Author, who, 0), others]);
    send(&mut world, carol, "tea", "unwanted");
    world.pass(Duration::from_secs(600));
    assert_eq!(texts(&mut world, alice, "tea"), ["unwanted"]);
    assert!(texts(&mut world, bob, "tea").is_empty(), "declined");
    // What depends on it is taken, and so it is.
    send(&mut world, alice, "tea", "an answer");
    world.pass(Duration::from_secs(300));
    assert_eq!(texts(&mut world, bob, "tea"), ["unwanted", "an answer"]);
    // The rest is as unwanted as before, until the rules change.
    send(&mut world, carol, "tea", "more");
    world.pass(Duration::from_secs(600));
    assert_eq!(texts(&mut world, bob, "tea").len(), 2);
    set(&mut world, bob, Vec::new());
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, bob, "tea").len(), 3, "at once");
}

#[test]
fn a_peer_of_which_nothing_is_taken_keeps_nothing_away_that_others_give() {
    let (mut world, all) = topic(154, &["Bob", "Carol"]);
    let (alice, bob, carol) = (all[0], all[1], all[2]);
    let carols = Who::Keys([*world.id(carol).as_bytes()].into_iter().collect());
    let others = rule(Way::In, Who::All, 10_000);
    set(&mut world, bob, vec![rule(Way::In, carols, 0), others]);
    for n in 0..5 {
        send(&mut world, carol, "tea", &n.to_string());
    }
    world.pass(Duration::from_secs(300));
    assert_eq!(texts(&mut world, alice, "tea").len(), 5);
    assert_eq!(texts(&mut world, bob, "tea").len(), 5, "from Alice");
}

#[test]
fn mail_keeps_to_the_rates_of_both_ends() {
    for (seed, way) in [(155, Way::In), (156, Way::Author), (157, Way::Out)] {
        let (mut world, all) = topic(seed, &["Bob"]);
        let (alice, bob) = (all[0], all[1]);
        let limited = if way == Way::Out { alice } else { bob };
        set(&mut world, limited, vec![rule(way, Who::All, 3)]);
        let heard = refusals(&mut world);
        for n in 0..12 {
            mail(&mut world, alice, bob, &n.to_string());
        }
        world.pass(Duration::from_secs(1));
        grows(&mut world, 12, 3, |world| mails(world, bob).len());
        let heard = heard.borrow();
        assert_eq!(heard.is_empty(), way == Way::Out, "{way:?}: {heard:?}");
        // Once for what was offered before the first refusal came, and once a minute for one more.
        let offered = heard.iter().filter(|refusal| refusal.mail).count();
        assert!(offered <= 12 * 6, "{way:?}: {offered} refusals");
        let timed = |refusal: &Refusal| refusal.code == Code::RATE && refusal.retry > 0;
        assert!(heard.iter().all(timed));
    }
}

#[test]
fn ones_own_device_is_never_limited() {
    let (mut world, all) = topic(158, &["Bob"]);
    let (alice, bob) = (all[0], all[1]);
    set(&mut world, bob, vec![rule(Way::Author, Who::All, 0)]);
    for n in 0..5 {
        send(&mut world, bob, "tea", &n.to_string());
    }
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, alice, "tea").len(), 5);
    assert_eq!(texts(&mut world, bob, "tea").len(), 5);
}

#[test]
fn rules_change_while_the_node_runs_and_a_wrong_file_changes_nothing() {
    let (mut world, all) = topic(159, &["Bob"]);
    let (alice, bob) = (all[0], all[1]);
    assert_eq!(status(&mut world, bob).rules, "");
    let nobody = Who::Keys([[9; 32]].into_iter().collect());
    set(&mut world, bob, vec![rule(Way::In, nobody, 5)]);
    let now = status(&mut world, bob);
    assert_eq!(
        now.rules,
        "in 1; what no rule of these lists names is refused"
    );
    assert!(now.problems.is_empty());
    send(&mut world, alice, "tea", "hello?");
    world.pass(MINUTE);
    assert!(
        texts(&mut world, bob, "tea").is_empty(),
        "the list ends with a refusal"
    );
    let wrong = "config.toml, line 7, key who: \"al\" is no id";
    world.input(
        bob,
        Input::Rules {
            rules: None,
            wrong: Some(wrong.to_owned()),
        },
    );
    world.settle();
    let now = status(&mut world, bob);
    assert_eq!(
        now.rules,
        "in 1; what no rule of these lists names is refused"
    );
    let shown = now.problems.iter().find(|problem| problem.code == "config");
    let shown = shown.expect("it is shown");
    assert!(
        shown.text == wrong && shown.hint.contains("correct the file"),
        "{shown:?}"
    );
    assert!(
        texts(&mut world, bob, "tea").is_empty(),
        "the old rules are in force"
    );
    set(&mut world, bob, Vec::new());
    let now = status(&mut world, bob);
    assert!(now.rules.is_empty() && now.problems.is_empty());
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, bob, "tea"), ["hello?"]);
}

/// The key under which a node writes in its topic, from its disk.
fn author_of(world: &mut World, node: usize) -> Who {
    let vault = world.nodes[node].config.device.vault();
    let rows = world.disk(node).rows();
    let row = rows.filter(|(table, key, _)| {
        *table == node::rows::VAULT.id() && key.first() == Some(&node::rows::AUTHOR)
    });
    let (_, key, row) = row.last().expect("an author key");
    let name = [b"vault ".as_slice(), key].concat();
    let seed = vault.open(&name, row).expect("its own vault");
    let key = SecretKey::from_seed(seed.as_slice().try_into().expect("a seed"));
    Who::Keys([key.public().to_bytes()].into_iter().collect())
}
