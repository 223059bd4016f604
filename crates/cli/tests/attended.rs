//! Attended invites with real processes: the inviter's home is away, and somebody else who may
//! admit welcomes.

use crate::people::World;

#[test]
fn somebody_else_who_may_admit_welcomes_while_the_inviter_is_away() {
    let world = World::new();
    let core = world.core("core");
    let [alice, bob] = ["alice", "bob"].map(|name| world.up(name));
    alice.uses(&core);
    alice.creates("garden");
    let made = alice.object("Invite", &["invite", "garden"]);
    assert_eq!(made["attended"], true);
    bob.joins(made["link"].as_str().unwrap());
    let words = ["grant", "garden", "bob", "--publish", "--read", "--admit"];
    alice.object("Granted", &words);
    let words = ["send", "garden", "you may all come", "--wait", "delivered"];
    alice.way(&words);
    // For the next one: ten messages a minute, welcomed by whoever is there.
    let words = [
        "invite",
        "garden",
        "--publish",
        "--read",
        "--rate",
        "10/min",
    ];
    let made = alice.object("Invite", &words);
    let link = made["link"].as_str().unwrap();
    assert_eq!(made["rights"][1]["right"], "read");
    assert_eq!(made["messages"], 10);
    alice.way(&["send", "garden", "bob will let them in", "--wait", "held"]);
    bob.down();
    alice.down();
    let cleo = world.up("cleo");
    // Nobody is there to let her in, and she is told for whom she waits.
    let words = ["join", link, "--yes", "--timeout", "3s"];
    let ended = cleo.tries(&words);
    assert_eq!(ended.code, 4, "{ended:?}");
    for said in ["has to welcome you", "waits for a welcome by alice"] {
        assert!(ended.err.contains(said), "{ended:?}");
    }
    let (_, message) = cleo.fails(&["why"], 4);
    assert!(
        message.contains("waits for a welcome by alice"),
        "{message}"
    );
    assert_eq!(
        cleo.object("TopicInfo", &["topic", "info", "garden"])["role"],
        "joining"
    );
    // Bob comes back; Alice does not.
    bob.up(&["--listen", "127.0.0.1:0"]);
    let words = ["join", link, "--yes", "--timeout", "120s"];
    cleo.object("TopicId", &words);
    // Alice is not there to have it.
    let there = ["--wait", "delivered", "--of", "1"];
    bob.way(&[&["send", "garden", "welcome"], &there[..]].concat());
    let seen = cleo.texts("garden");
    for text in ["you may all come", "welcome"] {
        assert!(seen.contains(&text.to_owned()), "{seen:?}");
    }
    cleo.way(&[&["send", "garden", "thanks"], &there[..]].concat());
    assert!(bob.texts("garden").contains(&"thanks".to_owned()));
}
