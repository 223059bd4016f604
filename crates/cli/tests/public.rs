//! A public topic with real processes: its founder, her core node, and strangers who have only the link
//! or the id.

use crate::people::{Person, World, until};

const UP: [&str; 2] = ["--listen", "127.0.0.1:0"];

fn held(person: &Person, text: &str) {
    person.way(&["send", "notices", text, "--wait", "held"]);
}

fn role(person: &Person) -> String {
    let info = person.object("TopicInfo", &["topic", "info", "notices"]);
    info["role"].as_str().unwrap().to_owned()
}

#[test]
fn a_stranger_reads_all_and_writes_while_it_is_allowed_to() {
    let world = World::new();
    let core = world.core("core");
    let alice = world.up("alice");
    alice.uses(&core);
    let made = alice.object("TopicId", &["topic", "create", "notices", "--public"]);
    let id = made["id"].as_str().unwrap();
    held(&alice, "first");
    let made = alice.object("TopicLink", &["topic", "link", "notices"]);
    let link = made["link"].as_str().unwrap();
    alice.down();
    // By the link, from the core node alone.
    let rose = world.up("rose");
    let there = ["--name", "notices", "--timeout", "60s"];
    rose.object("TopicId", &[&["join", link], &there[..]].concat());
    assert_eq!(rose.next("notices", 1), ["first"]);
    let (_, message) = rose.fails(&["send", "notices", "me too"], 5);
    assert!(message.contains("--publish"), "{message}");
    // By the id, from whoever is known: Rose, who only reads.
    let sam = world.up("sam");
    sam.befriends(&rose);
    sam.object("TopicId", &[&["join", id], &there[..]].concat());
    assert_eq!(sam.next("notices", 1), ["first"]);
    // Alice lets Rose write; before that neither is a member.
    alice.up(&UP);
    let info = rose.object("TopicInfo", &["topic", "info", "notices"]);
    assert_eq!(
        (&info["role"], &info["public"]),
        (&"reader".into(), &true.into())
    );
    let key = info["device"].as_str().unwrap();
    assert_eq!(alice.json("Member", &["members", "notices"]).len(), 1);
    alice.object("Granted", &["grant", "notices", key, "--publish"]);
    held(&alice, "rose may write");
    assert_eq!(rose.next("notices", 1), ["rose may write"]);
    assert_eq!(role(&rose), "member");
    // What a node says that it holds counts when a member has listed it as a core node.
    until("rose knows the core node", || {
        let info = rose.object("TopicInfo", &["topic", "info", "notices"]);
        info["cores"]
            .as_array()
            .is_some_and(|cores| !cores.is_empty())
    });
    alice.down();
    held(&rose, "thank you");
    alice.up(&UP);
    let seen = alice.next("notices", 3);
    assert_eq!(seen, ["first", "rose may write", "thank you"]);
    assert_eq!(sam.next("notices", 2), ["rose may write", "thank you"]);
    // And no longer. She reads on.
    alice.object("Revoked", &["revoke", "notices", key]);
    held(&alice, "goodbye");
    assert_eq!(rose.next("notices", 2), ["thank you", "goodbye"]);
    assert_eq!(role(&rose), "reader");
    rose.fails(&["send", "notices", "but"], 5);
    rose.fails(&["grant", "notices", key, "--publish"], 5);
    // Nobody is given the right to read, and a private topic has no link.
    alice.fails(&["grant", "notices", key, "--read"], 2);
    alice.creates("garden");
    alice.fails(&["topic", "link", "garden"], 5);
}
