//! One person with several devices: real processes, real sockets.

use crate::people::{Person, World, until};

/// How many devices of each member may act for it, by what somebody knows.
fn seats(of: &Person, topic: &str) -> Vec<usize> {
    let members = of.json("Member", &["members", topic]);
    let seated = |member: &serde_json::Value| {
        let devices = member["devices"].as_array().unwrap().clone();
        devices.iter().filter(|it| it["seated"] == true).count()
    };
    members.iter().map(seated).collect()
}

fn link(of: &Person) -> String {
    let made = of.object("DeviceInvite", &["device", "invite"]);
    made["link"].as_str().unwrap().to_owned()
}

#[test]
fn a_phone_and_a_laptop_are_one_member_until_one_is_lost() {
    let world = World::new();
    let [phone, bob, laptop, thief] =
        ["phone", "bob", "laptop", "thief"].map(|name| world.up(name));
    phone.creates("garden");
    bob.joins(&phone.invites("garden", "1"));
    phone.way(&["send", "garden", "before"]);
    let made = link(&phone);
    // `way join` knows such a link too.
    let joined = laptop.object("DeviceJoined", &["join", &made]);
    assert_eq!(
        (&joined["name"], &joined["topics"]),
        (&"phone".into(), &1.into())
    );
    let (code, message) = thief.fails(&["device", "join", &made], 5);
    assert_eq!(code, "refused", "{message}");
    until("the laptop writes", || {
        laptop.tries(&["send", "garden", "from the laptop"]).code == 0
    });
    until("all know of it", || {
        [&phone, &bob, &laptop]
            .iter()
            .all(|it| seats(it, "garden") == [2, 1])
    });
    // One member beside Bob, and one beside her.
    let sent = bob.object("Sent", &["send", "garden", "both", "--wait", "delivered"]);
    assert_eq!((&sent["count"], &sent["of"]), (&1.into(), &1.into()));
    laptop.way(&["send", "garden", "here", "--wait", "delivered"]);
    // What is founded on one is on the other, too.
    laptop.creates("shed");
    until("the phone has it", || {
        phone.tries(&["send", "shed", "and here"]).code == 0
    });
    let devices = phone.json("OwnDevice", &["device", "list"]);
    assert_eq!(devices.len(), 2);
    let names: Vec<&serde_json::Value> = devices.iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["phone", "laptop"]);

    let removed = phone.object("DeviceRemoved", &["device", "remove", "laptop"]);
    assert_eq!(removed["failed"].as_array().unwrap().len(), 0, "{removed}");
    until("bob hears it", || seats(&bob, "garden") == [1, 1]);
    until("the laptop hears it", || {
        laptop.tries(&["send", "garden", "from a thief"]).code != 0
    });
    phone.way(&["send", "garden", "between us", "--wait", "delivered"]);
    for person in [&phone, &bob] {
        let texts = person.texts("garden");
        assert!(
            texts.contains(&"here".to_owned()),
            "what it wrote stands: {texts:?}"
        );
        assert!(!texts.contains(&"from a thief".to_owned()), "{texts:?}");
    }
    assert!(!laptop.texts("garden").contains(&"between us".to_owned()));
    let (code, _) = phone.fails(&["device", "remove", "nobody"], 6);
    assert_eq!(code, "not-found");
    let (code, _) = phone.fails(&["device", "join", "way:device/abc"], 2);
    assert_eq!(code, "usage");
}

#[test]
fn a_device_that_comes_after_somebody_was_removed_takes_part() {
    let world = World::new();
    let [phone, bob, cleo, laptop] = ["phone", "bob", "cleo", "laptop"].map(|name| world.up(name));
    phone.creates("garden");
    bob.joins(&phone.invites("garden", "1"));
    cleo.joins(&phone.invites("garden", "1"));
    phone.way(&["send", "garden", "to all", "--wait", "delivered"]);
    phone.way(&["revoke", "garden", "cleo"]);
    phone.way(&["send", "garden", "to bob", "--wait", "delivered"]);
    let joined = laptop.object("DeviceJoined", &["device", "join", &link(&phone)]);
    assert_eq!(joined["topics"], 1);
    until("the laptop writes", || {
        laptop.tries(&["send", "garden", "from the laptop"]).code == 0
    });
    until("all know of it", || {
        [&phone, &bob, &laptop]
            .iter()
            .all(|it| seats(it, "garden")[..2] == [2, 1])
    });
    until("it has come", || {
        [&phone, &bob, &laptop].iter().all(|it| {
            let texts = it.texts("garden");
            ["to all", "to bob", "from the laptop"]
                .iter()
                .all(|text| texts.contains(&(*text).to_owned()))
        })
    });
    assert!(!cleo.texts("garden").contains(&"to bob".to_owned()));
}
