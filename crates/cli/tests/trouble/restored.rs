//! Homes that were set back, restored or copied: nothing lost, nobody banned, and what is written
//! next goes out under a new incarnation.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::people::{Person, World};

/// Copies a folder with all that lies in it.
pub(super) fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(done.unwrap().success());
}

/// Puts a copy of a folder in its place.
fn put_back(copied: &Path, place: &Path) {
    std::fs::remove_dir_all(place).unwrap();
    copy(copied, place);
}

/// The number of a message's envelope on its author's chain.
fn number(person: &Person, text: &str) -> u64 {
    let lines = person.json("Line", &["read", "garden"]);
    let line = lines.iter().find(|line| line["text"] == text);
    let line = line.unwrap_or_else(|| panic!("{} lacks {text}", person.name));
    line["seq"].as_u64().unwrap()
}

/// That these are all texts, in whatever order; each once.
fn has(person: &Person, wanted: &[&str]) {
    let mut texts = person.texts("garden");
    texts.sort();
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    assert_eq!(texts, wanted, "{}", person.name);
}

/// That all sees as it should be: so many devices, no fork, nobody shut out.
fn nobody_is_banned(people: &[&Person], devices: usize) {
    for person in people {
        let info = person.object("TopicInfo", &["topic", "info", "garden"]);
        assert_eq!(info["devices"].as_array().unwrap().len(), devices, "{info}");
        assert_eq!(info["forked"], serde_json::json!([]), "{}", person.name);
    }
    for person in people {
        let text = format!("{} is still heard", person.name);
        person.way(&["send", "garden", &text, "--wait", "delivered"]);
        for other in people {
            assert!(other.texts("garden").contains(&text), "{}", other.name);
        }
    }
}

/// Alice, Bob, and what both have; then Alice's node is down.
fn begun(world: &World) -> (Person, Person) {
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    alice.creates("garden");
    bob.joins(&alice.invites("garden", "1"));
    alice.way(&["send", "garden", "one", "--wait", "delivered"]);
    bob.way(&["send", "garden", "two", "--wait", "delivered"]);
    alice.down();
    (alice, bob)
}

/// What Alice writes after her home was copied, and Bob sees.
fn goes_on(alice: &Person) {
    for text in ["three", "four"] {
        alice.way(&["send", "garden", text, "--wait", "delivered"]);
    }
}

#[test]
fn a_copy_that_is_put_back_loses_nothing() {
    let world = World::new();
    let (alice, bob) = begun(&world);
    let copied = world.path().join("copy");
    copy(&alice.home, &copied);
    alice.up(&[]);
    goes_on(&alice);
    alice.down();
    put_back(&copied, &alice.home);
    alice.up(&[]);
    alice.way(&["send", "garden", "five", "--wait", "delivered"]);
    for person in [&alice, &bob] {
        has(person, &["one", "two", "three", "four", "five"]);
        assert!(
            number(person, "four") > number(person, "five"),
            "a new chain"
        );
    }
    nobody_is_banned(&[&alice, &bob], 2);
}

#[test]
fn a_copy_that_is_put_back_after_kill_9_loses_nothing() {
    let world = World::new();
    let (alice, bob) = begun(&world);
    alice.up(&[]);
    alice.killed();
    let copied = world.path().join("copy");
    copy(&alice.home, &copied);
    alice.up(&[]);
    goes_on(&alice);
    alice.killed();
    put_back(&copied, &alice.home);
    alice.up(&[]);
    alice.way(&["send", "garden", "five", "--wait", "delivered"]);
    has(&bob, &["one", "two", "three", "four", "five"]);
    has(&alice, &["one", "two", "three", "four", "five"]);
    nobody_is_banned(&[&alice, &bob], 2);
}

#[test]
fn a_copy_that_is_put_back_and_writes_before_it_meets_anybody_loses_nothing() {
    let world = World::new();
    let (alice, bob) = begun(&world);
    let copied = world.path().join("copy");
    copy(&alice.home, &copied);
    alice.up(&[]);
    goes_on(&alice);
    alice.down();
    bob.down();
    put_back(&copied, &alice.home);
    alice.up(&[]);
    alice.way(&["send", "garden", "five"]);
    bob.up(&[]);
    alice.way(&["send", "garden", "six", "--wait", "delivered"]);
    for person in [&alice, &bob] {
        has(person, &["one", "two", "three", "four", "five", "six"]);
    }
    nobody_is_banned(&[&alice, &bob], 2);
}

#[test]
fn what_a_core_node_holds_comes_back_to_a_home_that_was_set_back() {
    let world = World::new();
    let core = world.core("core");
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    alice.uses(&core);
    alice.creates("garden");
    bob.joins(&alice.invites("garden", "1"));
    alice.way(&["send", "garden", "one", "--wait", "delivered"]);
    alice.down();
    bob.down();
    let copied = world.path().join("copy");
    copy(&alice.home, &copied);
    alice.up(&[]);
    alice.way(&["send", "garden", "two", "--wait", "held"]);
    alice.down();
    put_back(&copied, &alice.home);
    alice.up(&[]);
    alice.way(&["send", "garden", "three", "--wait", "held"]);
    has(&alice, &["one", "two", "three"]);
    alice.down();
    bob.up(&[]);
    assert_eq!(bob.next("garden", 3).len(), 3);
    has(&bob, &["one", "two", "three"]);
    alice.up(&[]);
    nobody_is_banned(&[&alice, &bob], 2);
}

/// A second place for Alice's home, with a folder of its own for the marker.
fn elsewhere(world: &World, alice: &Person) -> Person {
    let mut second = world.person("second");
    second.state = world.path().join("state of the second");
    copy(&alice.home, &second.home);
    second
}

#[test]
fn a_copy_that_starts_offline_and_then_meets_who_has_seen_more_loses_nothing() {
    let world = World::new();
    let (alice, bob) = begun(&world);
    let second = elsewhere(&world, &alice);
    alice.up(&[]);
    goes_on(&alice);
    alice.down();
    bob.down();
    second.up(&[]);
    second.way(&["send", "garden", "five"]);
    has(&second, &["one", "two", "five"]);
    bob.up(&[]);
    second.way(&["send", "garden", "six", "--wait", "delivered"]);
    for person in [&second, &bob] {
        has(person, &["one", "two", "three", "four", "five", "six"]);
        assert!(
            number(person, "four") > number(person, "five"),
            "a new chain"
        );
    }
    nobody_is_banned(&[&second, &bob], 2);
}

#[test]
fn a_machine_that_was_set_back_as_a_whole_asks_before_it_writes() {
    let world = World::new();
    let (alice, bob) = begun(&world);
    let (home, state) = (world.path().join("copy"), world.path().join("marker"));
    copy(&alice.home, &home);
    copy(&alice.state, &state);
    alice.up(&[]);
    goes_on(&alice);
    alice.down();
    put_back(&home, &alice.home);
    put_back(&state, &alice.state);
    // The marker says that all is well; only Bob knows better.
    alice.up(&[]);
    assert_eq!(alice.next("garden", 4).len(), 4);
    alice.way(&["send", "garden", "five", "--wait", "delivered"]);
    for person in [&alice, &bob] {
        has(person, &["one", "two", "three", "four", "five"]);
    }
    nobody_is_banned(&[&alice, &bob], 2);
}

#[test]
fn a_machine_that_was_set_back_as_a_whole_and_meets_nobody_goes_on_all_the_same() {
    let world = World::new();
    let (alice, bob) = begun(&world);
    let (home, state) = (world.path().join("copy"), world.path().join("marker"));
    copy(&alice.home, &home);
    copy(&alice.state, &state);
    alice.up(&[]);
    goes_on(&alice);
    let seen = bob.json("Line", &["read", "garden"]);
    alice.down();
    bob.down();
    put_back(&home, &alice.home);
    put_back(&state, &alice.state);
    alice.up(&[]);
    // Nothing on this machine and nobody in reach can tell: one chain is written twice.
    alice.way(&["send", "garden", "five"]);
    bob.up(&[]);
    // What cannot be avoided is that one author key is closed; nothing that was there goes, and
    // the device goes on under another.
    let until = Instant::now() + Duration::from_secs(60);
    while alice.object("TopicInfo", &["topic", "info", "garden"])["forked"] == serde_json::json!([])
    {
        assert!(Instant::now() < until, "nobody has noticed");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    alice.way(&["send", "garden", "six", "--wait", "delivered"]);
    bob.way(&["send", "garden", "seven", "--wait", "delivered"]);
    for text in ["one", "two", "six", "seven"] {
        assert!(bob.texts("garden").contains(&text.to_owned()), "{text}");
        assert!(alice.texts("garden").contains(&text.to_owned()), "{text}");
    }
    // What Bob had seen keeps its place: what lies above the fork is said to be withdrawn.
    let lines = bob.json("Line", &["read", "garden"]);
    assert!(lines.len() > seen.len());
    for (line, before) in lines.iter().zip(&seen) {
        assert_eq!((&line["n"], &line["id"]), (&before["n"], &before["id"]));
    }
}
