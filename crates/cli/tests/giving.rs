//! Rights that are given and taken: real processes, real sockets.

use crate::people::{Person, World, until};

fn stands(of: &Person, topic: &str, name: &str) -> Vec<String> {
    let members = of.json("Member", &["members", topic]);
    let named = members
        .into_iter()
        .find(|it| it["devices"][0]["name"] == name);
    let Some(member) = named else {
        return Vec::new();
    };
    let grants = member["grants"].as_array().unwrap().clone();
    let standing = grants.into_iter().filter(|grant| grant["stands"] == true);
    let rights = standing.flat_map(|grant| grant["rights"].as_array().unwrap().clone());
    rights
        .map(|right| right["right"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn who_is_revoked_reads_and_writes_no_more_and_the_others_go_on() {
    let world = World::new();
    let [alice, bob, cleo] = ["alice", "bob", "cleo"].map(|name| world.up(name));
    alice.creates("garden");
    let link = alice.invites("garden", "2");
    bob.joins(&link);
    cleo.joins(&link);
    bob.way(&["send", "garden", "before", "--wait", "delivered"]);
    assert_eq!(stands(&alice, "garden", "bob"), ["publish", "read"]);
    let taken = alice.object("Revoked", &["revoke", "garden", "bob"]);
    assert_eq!(taken["others"], 1, "cleo came by the same link");
    until("bob hears it", || {
        bob.tries(&["send", "garden", "after"]).code != 0
    });
    until("cleo goes on", || {
        cleo.tries(&["send", "garden", "still here"]).code == 0
    });
    until("alice hears cleo", || alice.texts("garden").len() == 2);
    alice.way(&["send", "garden", "between us", "--wait", "delivered"]);
    for person in [&alice, &cleo] {
        assert_eq!(
            person.texts("garden"),
            ["before", "still here", "between us"]
        );
        assert_eq!(stands(person, "garden", "bob"), [""; 0]);
    }
    // His own lines stay his; a restart changes nothing.
    bob.down();
    bob.up(&["--listen", "127.0.0.1:0"]);
    assert!(!bob.texts("garden").contains(&"between us".to_owned()));
    let (code, message) = bob.fails(&["send", "garden", "again"], 5);
    assert_eq!(code, "refused", "{message}");
    hints(
        &bob,
        &["send", "garden", "again"],
        (5, "`way members` shows what ended and by whom"),
    );
}

/// What the rules refuse is refused with what to do next, in both languages.
fn hints(of: &Person, words: &[&str], (code, hint): (i32, &str)) {
    let (_, told) = of.fails(words, code);
    assert!(told.contains(hint), "{told}");
    let human = of.tries(words).err;
    assert!(human.contains(hint), "{human}");
}

#[test]
fn refusals_say_what_to_do_next() {
    let world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.up(name));
    alice.creates("garden");
    let words = ["invite", "garden", "--publish", "--read", "--rate", "1/min"];
    let made = alice.object("Invite", &words);
    bob.joins(made["link"].as_str().unwrap());
    // Ten minutes of its rate at once, and then one a minute.
    for _ in 0..10 {
        bob.way(&["send", "garden", "hello"]);
    }
    hints(
        &bob,
        &["send", "garden", "hello"],
        (4, "try again in some minutes"),
    );
    hints(
        &bob,
        &["invite", "garden"],
        (5, "ask somebody who may for an invite"),
    );
    let members = bob.json("Member", &["members", "garden"]);
    let own = members.iter().find(|it| it["devices"][0]["own"] == true);
    assert_eq!(own.unwrap()["grants"][0]["used"]["messages"], 10);
    alice.object("Revoked", &["revoke", "garden", "bob", "--publish"]);
    until("bob hears it", || {
        let ended = bob.tries(&["send", "garden", "hello"]);
        ended.code == 5
    });
    hints(
        &bob,
        &["send", "garden", "hello"],
        (5, "`way members` shows what"),
    );
}

#[test]
fn who_is_given_more_gives_of_it() {
    let world = World::new();
    let [alice, bob, cleo] = ["alice", "bob", "cleo"].map(|name| world.up(name));
    alice.creates("garden");
    let link = alice.invites("garden", "2");
    bob.joins(&link);
    cleo.joins(&link);
    until("bob knows cleo", || {
        !stands(&bob, "garden", "cleo").is_empty()
    });
    bob.fails(&["grant", "garden", "cleo", "--admit"], 5);
    let all = ["--publish", "--read", "--admit"];
    alice.object("Granted", &[&["grant", "garden", "bob"][..], &all].concat());
    until("bob may admit", || {
        bob.tries(&[&["grant", "garden", "cleo", "--rate", "10/min"][..], &all].concat())
            .code
            == 0
    });
    until("alice hears of it", || {
        stands(&alice, "garden", "cleo").contains(&"admit".to_owned())
    });
    cleo.way(&["send", "garden", "thanks", "--wait", "delivered"]);
    // Whose the topic is keeps it, and whoever is not there cannot be named.
    alice.fails(&["revoke", "garden", "alice"], 5);
    bob.fails(&["revoke", "garden", "dora"], 6);
}
