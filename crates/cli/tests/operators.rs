//! Core nodes of one operator, as people see them.

use crate::people::{Person, World, until};
use serde_json::Value;

/// A core node in whose settings its operator has written this; nothing: the line as it was made.
fn core_of(world: &World, name: &str, operator: &str) -> Person {
    let core = world.core(name);
    if !operator.is_empty() {
        core.down();
        core.is_run_by(operator);
        core.up(&[]);
    }
    core
}

fn held(why: &Value) -> Vec<&Value> {
    let states = why["states"].as_array().unwrap().iter();
    states.filter(|state| state["state"] == "held").collect()
}

#[test]
fn core_nodes_of_one_operator_count_once() {
    let world = World::new();
    let (one, two) = (
        core_of(&world, "one", "example.org"),
        core_of(&world, "two", "example.org"),
    );
    let three = core_of(&world, "three", "");
    let alice = world.up("alice");
    alice.uses(&one);
    alice.uses(&two);
    alice.creates("garden");
    let sent = alice.object("Sent", &["send", "garden", "hello", "--wait", "held"]);
    let id = sent["id"].as_str().unwrap();
    let why = || alice.object("Why", &["why", id]);
    until("both hold it", || held(&why()).len() == 2);
    let told = why();
    assert_eq!(told["held"], 1, "{told}");
    let tag = identity::OperatorTag::of("example.org").to_string();
    for state in held(&told) {
        assert_eq!(state["operator"], tag.as_str(), "{told}");
    }
    let shown = alice.way(&["why", id]).out;
    for expected in ["held by 1 custodian", "counted once: ", &tag[..8]] {
        assert!(shown.contains(expected), "no {expected:?} in {shown}");
    }
    // Two are waited for in vain, until somebody else holds it, too.
    let second = ["--wait", "held", "--of", "2", "--timeout"];
    let again = [&["send", "garden", "again"], &second[..], &["4s"]].concat();
    assert_eq!(alice.fails(&again, 4).0, "not-yet");
    alice.uses(&three);
    let more = [&["send", "garden", "more"], &second[..], &["60s"]].concat();
    assert_eq!(alice.object("Sent", &more)["count"], 2);
    let cores = alice.json("Core", &["core", "list"]);
    let said: Vec<&Value> = cores.iter().map(|core| &core["operator"]).collect();
    assert_eq!(said.iter().filter(|said| **said == tag.as_str()).count(), 2);
    assert_eq!(said.iter().filter(|said| said.is_null()).count(), 1);
    let list = alice.way(&["core", "list"]).out;
    assert!(list.contains("what they hold counts once"), "{list}");
    // It is kept, by whichever way it came.
    alice.down();
    alice.up(&[]);
    assert_eq!(why()["held"], 2);
}
