//! Topics that several own: real processes, and a founder whose machine is gone for ever.

use serde_json::Value;

use crate::people::{Person, World, until};

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Signs the one thing that waits, as soon as it has come.
fn signs(person: &Person) -> Value {
    let mut waits = Vec::new();
    until("something waits", || {
        waits = person.json("Proposal", &["owners", "pending"]);
        !waits.is_empty()
    });
    assert_eq!(waits.len(), 1, "{waits:?}");
    let id: String = text(&waits[0]["id"]).chars().take(12).collect();
    person.object("Proposal", &["owners", "sign", &id])
}

fn owners(of: &Person) -> Vec<String> {
    let owners = of.object("Owners", &["owners", "list", "garden"]);
    let devices = owners["devices"].as_array().unwrap();
    let mut names: Vec<String> = devices.iter().map(|it| text(&it["name"])).collect();
    names.sort();
    names
}

/// What somebody may do, by what somebody knows.
fn rights(of: &Person, name: &str) -> Vec<String> {
    let members = of.json("Member", &["members", "garden"]);
    let named = members.iter().find(|it| it["devices"][0]["name"] == name);
    let grants = named.map(|it| it["grants"].as_array().unwrap().clone());
    let grants = grants.unwrap_or_default().into_iter();
    let standing = grants.filter(|grant| grant["stands"] == true);
    let rights = standing.flat_map(|grant| grant["rights"].as_array().unwrap().clone());
    let rights = rights.filter(|right| right["over"] == false);
    rights.map(|right| text(&right["right"])).collect()
}

#[test]
fn two_of_three_go_on_without_the_founder() {
    let world = World::new();
    let core = world.core("core");
    let [alice, bob, cleo] = ["alice", "bob", "cleo"].map(|name| world.up(name));
    alice.uses(&core);
    let made = alice.object(
        "OwnedTopic",
        &["topic", "create", "garden", "--owners", "2of3"],
    );
    bob.joins(made["links"][0].as_str().unwrap());
    cleo.joins(made["links"][1].as_str().unwrap());
    // The founder looks who has come, and then all three have agreed.
    signs(&alice);
    until("bob agrees", || {
        !bob.json("Proposal", &["owners", "pending"]).is_empty()
    });
    signs(&bob);
    until("cleo sees that bob has", || {
        let waits = cleo.json("Proposal", &["owners", "pending"]);
        waits.iter().any(|it| it["lacks"] == 1)
    });
    assert_eq!(signs(&cleo)["done"], true);
    for person in [&alice, &bob, &cleo] {
        until("all own it", || owners(person) == ["alice", "bob", "cleo"]);
    }
    // Nobody takes a device of theirs its seat alone: where that fails in every topic, the command has failed.
    let (code, message) = alice.fails(&["device", "remove", "bob"], 5);
    assert_eq!(code, "refused", "{message}");
    assert!(
        message.contains("\"garden\": it takes several owners"),
        "{message}"
    );
    let dan = world.up("dan");
    dan.joins(&bob.invites("garden", "1"));
    alice.way(&["send", "garden", "my last words", "--wait", "held"]);
    until("all have heard it", || {
        [&bob, &cleo, &dan]
            .iter()
            .all(|it| it.texts("garden") == ["my last words"])
    });
    alice.killed();

    // They give.
    let all = ["grant", "garden", "dan", "--publish", "--read", "--admit"];
    let asked = bob.object("Proposal", &all);
    assert_eq!(
        (&asked["lacks"], &asked["done"]),
        (&1.into(), &false.into())
    );
    assert_eq!(asked["gives"][0]["rights"].as_array().unwrap().len(), 3);
    until("cleo is asked", || {
        !cleo.json("Proposal", &["owners", "pending"]).is_empty()
    });
    assert_eq!(
        rights(&cleo, "dan"),
        ["publish", "read"],
        "one gives nothing"
    );
    assert_eq!(signs(&cleo)["done"], true);
    until("dan may admit", || {
        rights(&dan, "dan").contains(&"admit".to_owned())
    });
    // They take a core node of their own; what is said is held there.
    let shed = world.core("shed");
    bob.uses(&shed);
    until("the new one holds it", || {
        let words = [
            "send",
            "garden",
            "held",
            "--wait",
            "held",
            "--timeout",
            "5s",
        ];
        bob.tries(&words).code == 0
    });
    core.killed();
    let eve = world.up("eve");
    eve.joins(&dan.invites("garden", "1"));
    eve.way(&[
        "send",
        "garden",
        "hello",
        "--wait",
        "delivered",
        "--of",
        "1",
    ]);

    // They take back.
    until("bob knows that dan writes under it", || {
        rights(&bob, "dan").contains(&"admit".to_owned())
    });
    // What Dan gave ends with Dan's rights, but for whom Cleo knows: they get grants of their own.
    until("cleo knows eve", || !rights(&cleo, "eve").is_empty());
    cleo.object("Proposal", &["revoke", "garden", "dan"]);
    assert_eq!(signs(&bob)["done"], true);
    until("dan hears it", || {
        dan.tries(&["send", "garden", "after"]).code != 0
    });
    // They change who owns it. Eve, who came by an invite of Dan's, holds a grant of theirs now: she is a member by
    // herself.
    until("eve stays", || {
        rights(&bob, "eve").contains(&"publish".to_owned())
    });
    let words = |name: &'static str| {
        [
            "owners", "propose", "garden", "--add", name, "--remove", "alice",
        ]
    };
    let (_, message) = bob.fails(&words("eve"), 5);
    assert!(message.contains("a grant of its own"), "{message}");
    let frank = world.up("frank");
    frank.joins(&bob.invites("garden", "1"));
    until("bob knows frank", || !rights(&bob, "frank").is_empty());
    bob.object("Proposal", &words("frank"));
    signs(&cleo);
    until("both have signed", || {
        let waits = frank.json("Proposal", &["owners", "pending"]);
        waits.iter().any(|it| it["lacks"] == 1)
    });
    assert_eq!(signs(&frank)["done"], true);
    for person in [&bob, &cleo, &frank] {
        until("they own it", || owners(person) == ["bob", "cleo", "frank"]);
    }
    until("frank writes on", || {
        let words = ["send", "garden", "ours", "--wait", "delivered", "--of", "1"];
        frank.tries(&words).code == 0
    });
}
