//! People who talk: real processes, real sockets.

use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::people::World;

#[test]
fn two_people_one_topic_one_message_each_way() {
    let world = World::new();
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    let topic = alice.creates("garden");
    let link = alice.invites("garden", "1");
    let joined = bob.joins(&link);
    assert_eq!(joined, topic);
    let sent = alice.way(&["send", "garden", "hello", "--wait", "delivered"]);
    assert_eq!(sent.lines().len(), 1, "the id alone");
    assert_eq!(bob.next("garden", 1), ["hello"]);
    bob.way(&["send", "garden", "hello yourself", "--wait", "delivered"]);
    assert_eq!(alice.next("garden", 2), ["hello", "hello yourself"]);
    let why = alice.object("Why", &["why", &sent.id()]);
    assert_eq!((&why["delivered"], &why["members"]), (&1.into(), &1.into()));
    let line = &bob.json("Line", &["read", "garden", "--limit", "1"])[0];
    assert_eq!(line["text"], "hello yourself");
    // All that looks at a topic.
    for person in [&alice, &bob] {
        let list = person.object("Topic", &["topic", "list"]);
        assert_eq!(
            (&list["name"], &list["members"]),
            (&"garden".into(), &2.into())
        );
        let info = person.object("TopicInfo", &["topic", "info", "garden"]);
        assert_eq!(info["devices"].as_array().unwrap().len(), 2);
        assert_eq!(person.object("Peer", &["peers"])["linked"], true);
    }
}

#[test]
fn names_and_ids_are_resolved_and_ambiguity_is_exit_6() {
    let world = World::new();
    let alice = world.up("alice");
    let one = alice.creates("garden")["id"].as_str().unwrap().to_owned();
    alice.creates("garage");
    assert_eq!(
        alice.object("TopicInfo", &["topic", "info", &one])["name"],
        "garden"
    );
    assert_eq!(
        alice.object("TopicInfo", &["topic", "info", &one[..20]])["name"],
        "garden"
    );
    let (code, message) = alice.fails(&["topic", "info", "nowhere"], 6);
    assert_eq!(code, "not-found", "{message}");
    let (code, _) = alice.fails(&["topic", "info", "topic1"], 6);
    assert_eq!(code, "not-found", "what all ids begin with names none");
    // Two core nodes of one name (a person's name is for members of its topics alone): each is shown
    // with a piece of its key, and the name is ambiguous.
    let twins = [world.person("one"), world.person("two")];
    for twin in &twins {
        twin.up(&["--core", "--name", "bob", "--listen", "127.0.0.1:0"]);
        alice.befriends(twin);
    }
    let mut names: Vec<String> = alice
        .json("Peer", &["peers"])
        .iter()
        .map(|peer| peer["name"].as_str().unwrap().to_owned())
        .collect();
    names.dedup();
    assert!(
        names.len() == 2 && names.iter().all(|name| name.starts_with("bob")),
        "{names:?}"
    );
    let (code, _) = alice.fails(&["ping", "bob"], 6);
    assert_eq!(code, "ambiguous");
    let ended = alice.tries(&["--json", "ping", "bob"]);
    let value: serde_json::Value = serde_json::from_str(ended.err.trim()).unwrap();
    assert_eq!(value["error"]["candidates"].as_array().unwrap().len(), 2);
    assert_eq!(alice.fails(&["why", "00"], 2).0, "usage");
    assert_eq!(alice.fails(&["why", &"00".repeat(32)], 6).0, "not-found");
}

#[test]
fn lines_are_streamed_and_read_back() {
    let world = World::new();
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    alice.creates("garden");
    bob.joins(&alice.invites("garden", "1"));
    let lines: Vec<String> = (0..3000)
        .map(|n| format!("line {n} {}", "é".repeat(n % 50)))
        .collect();
    let input = lines.join("\n");
    let sent = alice.run(&["send", "garden", "--lines"], input.as_bytes());
    assert_eq!(sent.code, 0, "{}", sent.err);
    assert_eq!(sent.lines().len(), lines.len());
    assert_eq!(bob.next("garden", lines.len()), lines);
    assert_eq!(bob.texts("garden"), lines);
    // From standard input, whole; a closed pipe is no error.
    assert_eq!(alice.run(&["send", "garden"], b"one\ntwo\n").code, 0);
    assert_eq!(bob.next("garden", 1), ["one\ntwo"]);
    let mut reader = Command::new(env!("CARGO_BIN_EXE_way"))
        .args(["read", "garden"])
        .env("WAY_HOME", &bob.home)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    reader
        .stdout
        .take()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    let ended = reader.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.len()), (Some(0), 0));
}

#[test]
fn follow_goes_on_after_a_restart() {
    let world = World::new();
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    alice.creates("garden");
    bob.joins(&alice.invites("garden", "1"));
    alice.way(&["send", "garden", "one", "--wait", "delivered"]);
    let mut reader = bob.start(&["read", "garden", "--follow", "--json"]);
    let mut next = || loop {
        let line: serde_json::Value = serde_json::from_str(&reader.line()).unwrap();
        if line["kind"] == "text" {
            return line["text"].as_str().unwrap().to_owned();
        }
    };
    assert_eq!(next(), "one");
    bob.killed();
    alice.way(&["send", "garden", "two"]);
    bob.up(&[]);
    assert_eq!(next(), "two");
    alice.way(&["send", "garden", "three"]);
    assert_eq!(next(), "three");
}

#[test]
fn the_durable_cursor_survives_kill_9() {
    let world = World::new();
    let alice = world.up("alice");
    alice.creates("garden");
    let input: String = (0..50).map(|n| format!("{n}\n")).collect();
    assert_eq!(
        alice
            .run(&["send", "garden", "--lines"], input.as_bytes())
            .code,
        0
    );
    let first = alice.next("garden", 20);
    alice.killed();
    alice.up(&[]);
    let second = alice.next("garden", 30);
    let all: Vec<String> = first.into_iter().chain(second).collect();
    assert_eq!(all, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(alice.way(&["read", "garden", "--new"]).out.is_empty());
}

#[test]
fn reading_begins_where_it_is_told() {
    let world = World::new();
    let alice = world.up("alice");
    alice.creates("garden");
    let ids: Vec<String> = ["a", "b", "c"]
        .map(|text| alice.way(&["send", "garden", text]).id())
        .into();
    let texts = |words: &[&str]| {
        let lines = alice.json("Line", &[&["read", "garden"], words].concat());
        lines
            .iter()
            .filter(|line| line["kind"] == "text")
            .map(|line| line["text"].clone())
            .collect()
    };
    let all: Vec<serde_json::Value> = texts(&[]);
    assert_eq!(all, ["a", "b", "c"]);
    let after: Vec<serde_json::Value> = texts(&["--since", &ids[0]]);
    assert_eq!(after, ["b", "c"]);
    let last: Vec<serde_json::Value> = texts(&["--limit", "1"]);
    assert_eq!(last, ["c"]);
    let lines = alice.json("Line", &["read", "garden", "--limit", "2"]);
    let n = lines[0]["n"].to_string();
    let later: Vec<serde_json::Value> = texts(&["--since", &n]);
    assert_eq!(later, ["c"]);
    let none: Vec<serde_json::Value> = texts(&["--since", "+1h"]);
    assert!(none.is_empty());
    let recent: Vec<serde_json::Value> = texts(&["--since", "-1h"]);
    assert_eq!(recent, ["a", "b", "c"]);
}

#[test]
fn a_core_node_holds_what_the_absent_miss() {
    let world = World::new();
    let core = world.core("core");
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    alice.uses(&core);
    assert_eq!(alice.object("Core", &["core", "list"])["state"], "agreed");
    alice.creates("garden");
    bob.joins(&alice.invites("garden", "1"));
    alice.way(&["send", "garden", "one", "--wait", "delivered"]);
    bob.down();
    let sent = alice.way(&["send", "garden", "two", "--wait", "held"]).id();
    let why = alice.object("Why", &["why", &sent]);
    assert_eq!(why["held"], 1);
    assert!(
        why["states"]
            .as_array()
            .unwrap()
            .iter()
            .any(|state| state["state"] == "held")
    );
    alice.down();
    bob.up(&[]);
    assert_eq!(bob.next("garden", 2), ["one", "two"]);
    let client = core.object("Client", &["core", "clients"]);
    assert_eq!(
        (&client["allowed"], &client["topics"]),
        (&true.into(), &1.into())
    );
    let (code, _) = bob.fails(
        &[
            "send",
            "garden",
            "x",
            "--wait",
            "delivered",
            "--timeout",
            "1s",
        ],
        4,
    );
    assert_eq!(code, "not-yet");
}

#[test]
fn joining_works_while_the_inviter_is_away() {
    let world = World::new();
    let core = world.core("core");
    let alice = world.up("alice");
    alice.uses(&core);
    alice.creates("garden");
    alice.way(&["send", "garden", "before", "--wait", "held"]);
    let link = alice.invites("garden", "1");
    alice.way(&["send", "garden", "after the invite", "--wait", "held"]);
    alice.down();
    let bob = world.up("bob");
    bob.joins(&link);
    assert_eq!(bob.next("garden", 2), ["before", "after the invite"]);
}

#[test]
fn an_operator_serves_whom_it_will() {
    let world = World::new();
    let core = world.core("core");
    let (alice, mallory) = (world.up("alice"), world.up("mallory"));
    let invite = core.object("CoreInvite", &["core", "invite", "--uses", "1"]);
    let link = invite["link"].as_str().unwrap();
    alice.object("CoreUsed", &["core", "use", link]);
    assert_eq!(
        mallory.fails(&["core", "use", link], 5).0,
        "refused",
        "the invite is used up"
    );
    let id = alice.object("Identity", &["id"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    core.object("CoreDenied", &["core", "deny", &id]);
    assert_eq!(
        core.object("Client", &["core", "clients"])["allowed"],
        false
    );
    core.object("Done", &["core", "allow", &id]);
    assert_eq!(core.object("Client", &["core", "clients"])["allowed"], true);
    assert_eq!(
        mallory.fails(&["core", "use", "way:core/garbage"], 2).0,
        "usage"
    );
}

#[test]
fn nodes_are_told_and_pinged() {
    let world = World::new();
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    let id = bob.object("Identity", &["id"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    alice.befriends(&bob);
    let pong = alice.object("Pong", &["ping", &id]);
    assert!(pong["rtt_ms"].as_f64().unwrap() > 0.0);
    alice.way(&["send", &id, "psst", "--wait", "delivered"]);
    alice.object("Pong", &["ping", &id[..24]]);
    let mails = bob.json("Mail", &["inbox"]);
    let texts: Vec<&str> = mails
        .iter()
        .map(|mail| mail["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["hello", "psst"]);
    assert_eq!(mails[1]["from"], alice.object("Identity", &["id"])["id"]);
    alice.object("Done", &["peer", "remove", &id]);
    assert_eq!(alice.fails(&["peer", "add", "nonsense"], 2).0, "usage");
    assert_eq!(alice.fails(&["peer", "remove", "nobody"], 6).0, "not-found");
}

#[test]
fn bad_links_are_refused_in_words() {
    let world = World::new();
    let alice = world.up("alice");
    for link in ["garbage", "way:join/", "way:join/aaaa", "way:core/aaaa", ""] {
        let (code, message) = alice.fails(&["join", link, "--timeout", "2s"], 2);
        assert_eq!(code, "usage", "{link:?}: {message}");
    }
    alice.creates("garden");
    let link = alice.invites("garden", "1");
    let mut broken = link.into_bytes();
    let last = broken.len() - 3;
    broken[last] = if broken[last] == b'a' { b'b' } else { b'a' };
    let broken = String::from_utf8(broken).unwrap();
    assert_eq!(
        alice.fails(&["join", &broken, "--timeout", "2s"], 2).0,
        "usage"
    );
}

#[test]
fn a_topic_is_left_and_forgotten() {
    let world = World::new();
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    alice.creates("garden");
    bob.joins(&alice.invites("garden", "1"));
    alice.way(&["send", "garden", "hello", "--wait", "delivered"]);
    bob.object("Done", &["topic", "leave", "garden"]);
    assert_eq!(bob.object("Topic", &["topic", "list"])["role"], "left");
    assert_eq!(bob.texts("garden"), ["hello"]);
    bob.fails(&["send", "garden", "x"], 5);
    let leave = |person: &crate::people::Person| {
        let mut reader = person.start(&["read", "garden", "--follow", "--json"]);
        loop {
            if reader.line().contains("\"kind\":\"leave\"") {
                return;
            }
        }
    };
    leave(&alice);
    bob.object("Done", &["topic", "forget", "garden", "--yes"]);
    assert!(bob.json("Topic", &["topic", "list"]).is_empty());
    assert_eq!(bob.fails(&["read", "garden"], 6).0, "not-found");
}
