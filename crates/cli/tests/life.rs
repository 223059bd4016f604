//! The life of a home and of its node: real processes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::people::World;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_home_is_made_at_first_use_and_closed_to_others() {
    let world = World::new();
    let alice = world.up("alice");
    assert_eq!(mode(&alice.home), 0o700);
    for file in [
        "keys.toml",
        "config.toml",
        "way.sock",
        "way.lock",
        "way.log",
    ] {
        assert_eq!(mode(&alice.home.join(file)), 0o600, "{file}");
    }
    let id = alice.object("Identity", &["id"]);
    assert_eq!(id["name"], "alice");
    let status = alice.object("Status", &["status"]);
    assert_eq!(status["id"], id["id"]);
    assert_eq!(status["problems"], serde_json::json!([]));
    alice.down();
    // All of it is kept: the id, the name, the port.
    alice.up(&[]);
    assert_eq!(alice.object("Identity", &["id"]), id);
}

#[test]
fn a_second_node_on_one_home_is_refused() {
    let world = World::new();
    let alice = world.up("alice");
    for words in [&["up"][..], &["up", "-d"]] {
        let (code, message) = alice.fails(words, 1);
        assert_eq!(code, "home-in-use");
        assert!(
            message.contains("already running") && message.contains("way down"),
            "{message}"
        );
    }
    alice.way(&["status"]);
}

#[test]
fn down_is_down_and_then_there_is_no_node() {
    let world = World::new();
    let nobody = world.person("nobody");
    let (code, message) = nobody.fails(&["status"], 3);
    assert_eq!(code, "no-node");
    assert!(message.contains("way up"), "{message}");
    let alice = world.up("alice");
    alice.down();
    assert!(!alice.home.join("way.sock").exists());
    assert_eq!(alice.fails(&["status"], 3).0, "no-node");
    assert_eq!(alice.fails(&["down"], 3).0, "no-node");
}

#[test]
fn a_signal_closes_the_node_in_time() {
    let world = World::new();
    let alice = world.person("alice");
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut node = alice.start(&["--json", "up", "--listen", "127.0.0.1:0"]);
        assert!(node.line().contains("\"addresses\""));
        let began = Instant::now();
        node.signal(signal);
        assert_eq!(node.code(), 0, "{signal:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{signal:?}");
    }
}

#[test]
fn after_kill_9_the_node_starts_as_it_was() {
    let world = World::new();
    let alice = world.up("alice");
    alice.creates("garden");
    let id = alice.way(&["send", "garden", "one"]).id();
    alice.killed();
    assert_eq!(alice.fails(&["status"], 3).0, "no-node");
    alice.up(&[]);
    let lines = alice.json("Line", &["read", "garden"]);
    assert!(
        lines
            .iter()
            .any(|line| line["id"] == id.as_str() && line["text"] == "one")
    );
    alice.way(&["send", "garden", "two"]);
    assert_eq!(alice.texts("garden"), ["one", "two"]);
}

#[test]
fn a_passphrase_is_asked_for_and_a_wrong_one_is_a_clear_error() {
    let world = World::new();
    let (right, wrong) = (world.path().join("right"), world.path().join("wrong"));
    std::fs::write(&right, "correct horse\n").unwrap();
    std::fs::write(&wrong, "battery staple\n").unwrap();
    let alice = world.person("alice").with_passphrase(&right);
    alice.up(&["--listen", "127.0.0.1:0"]);
    let id = alice.object("Identity", &["id"])["id"].clone();
    alice.down();
    let keys = std::fs::read_to_string(alice.home.join("keys.toml")).unwrap();
    assert!(keys.contains("[sealed]"), "{keys}");
    let alice = alice.with_passphrase(&wrong);
    let (code, message) = alice.fails(&["up", "-d"], 1);
    assert_eq!(code, "passphrase");
    assert!(message.contains("passphrase is wrong"), "{message}");
    let alice = alice.without_passphrase();
    let (code, message) = alice.fails(&["up", "-d"], 1);
    assert_eq!(code, "passphrase");
    assert!(message.contains("WAY_PASSPHRASE_FILE"), "{message}");
    let alice = alice.with_passphrase(&right);
    alice.up(&[]);
    assert_eq!(alice.object("Identity", &["id"])["id"], id);
}

#[test]
fn a_plain_key_file_is_encrypted_when_a_passphrase_is_named() {
    let world = World::new();
    let alice = world.up("alice");
    alice.down();
    let file = world.path().join("phrase");
    std::fs::write(&file, "x").unwrap();
    let alice = alice.with_passphrase(&file);
    alice.up(&[]);
    alice.down();
    let keys = std::fs::read_to_string(alice.home.join("keys.toml")).unwrap();
    assert!(keys.contains("[sealed]"), "{keys}");
    assert_eq!(alice.without_passphrase().fails(&["up"], 1).0, "passphrase");
}

#[test]
fn a_wrong_configuration_is_named_by_line_and_key() {
    let world = World::new();
    let alice = world.up("alice");
    alice.down();
    let path = alice.home.join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("name = \"alice\"") && text.contains("127.0.0.1:"),
        "{text}"
    );
    let line = text
        .lines()
        .position(|line| line.starts_with("trust_clock"))
        .unwrap()
        + 1;
    let text = text.replace("trust_clock = false", "trust_clock = \"perhaps\"");
    std::fs::write(&path, text).unwrap();
    for words in [&["up"][..], &["up", "-d"]] {
        let (code, message) = alice.fails(words, 1);
        assert_eq!(code, "config");
        assert!(
            message.contains(&format!("line {line}, key trust_clock")),
            "{message}"
        );
    }
}

#[test]
fn a_home_that_cannot_be_made_is_a_clear_error() {
    let world = World::new();
    let mut alice = world.person("alice");
    std::fs::write(&alice.home, "a file").unwrap();
    alice.home = alice.home.join("below");
    for words in [&["up"][..], &["up", "-d"]] {
        let (code, message) = alice.fails(words, 1);
        assert_eq!(code, "io");
        assert!(message.contains("cannot create the home"), "{message}");
    }
    alice.home = world.path().to_owned();
}

#[test]
fn a_taken_port_is_a_clear_error() {
    let world = World::new();
    let alice = world.up("alice");
    let config = std::fs::read_to_string(alice.home.join("config.toml")).unwrap();
    let listen = config
        .lines()
        .find(|line| line.starts_with("listen"))
        .unwrap();
    let address = listen.split('"').nth(1).unwrap();
    let bob = world.person("bob");
    let (code, message) = bob.fails(&["up", "-d", "--listen", address], 1);
    assert_eq!(code, "address");
    assert!(message.contains(address), "{message}");
}

#[test]
fn a_very_long_home_works() {
    let world = World::new();
    let mut alice = world.person("alice");
    alice.home = world.path().join("x".repeat(120)).join("y".repeat(120));
    alice.up(&["--listen", "127.0.0.1:0"]);
    alice.way(&["status"]);
    alice.down();
}

#[test]
fn the_name_is_kept() {
    let world = World::new();
    let alice = world.up("alice");
    assert_eq!(
        alice.object("Identity", &["name", "Alice B."])["name"],
        "Alice B."
    );
    alice.down();
    let config = std::fs::read_to_string(alice.home.join("config.toml")).unwrap();
    assert!(config.contains("name = \"Alice B.\""), "{config}");
    alice.up(&[]);
    assert_eq!(alice.object("Identity", &["id"])["name"], "Alice B.");
    alice.fails(&["name", &"x".repeat(65)], 2);
}

#[test]
fn the_log_names_no_address_and_no_topic() {
    let world = World::new();
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    let topic = alice.creates("garden")["id"].as_str().unwrap().to_owned();
    bob.joins(&alice.invites("garden", "1"));
    alice.way(&["send", "garden", "secret words", "--wait", "delivered"]);
    alice.down();
    bob.down();
    for log in [alice.log(), bob.log()] {
        assert!(!log.is_empty());
        for word in ["127.0.0.1", &topic, "topic1", "garden", "secret words"] {
            assert!(!log.contains(word), "{word} in:\n{log}");
        }
    }
}

#[test]
fn a_store_is_checked_and_damage_is_exit_7() {
    let world = World::new();
    let alice = world.up("alice");
    alice.creates("garden");
    let text: String = (0..2000).map(|n| format!("line {n}\n")).collect();
    assert_eq!(
        alice
            .run(&["send", "garden", "--lines"], text.as_bytes())
            .code,
        0
    );
    assert_eq!(alice.fails(&["check"], 1).0, "home-in-use");
    alice.down();
    alice.object("Check", &["check"]);
    // A few bytes in the middle of the largest file.
    let mut files = vec![];
    let mut folders = vec![alice.home.join("store")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.metadata().unwrap() {
                meta if meta.is_dir() => folders.push(entry.path()),
                // The reserve is made of blocks that hold nothing.
                _ if entry.file_name() == "reserve" => {}
                meta => files.push((meta.len(), entry.path())),
            }
        }
    }
    files.sort();
    let (length, path) = files.pop().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let content = bytes
        .iter()
        .rposition(|b| *b != 0)
        .unwrap_or(bytes.len() - 1);
    for byte in bytes.iter_mut().skip(content / 2).take(16) {
        *byte ^= 0x5a;
    }
    std::fs::write(&path, bytes).unwrap();
    let (code, message) = alice.fails(&["check"], 7);
    assert_eq!(
        code,
        "damaged",
        "{length} bytes in {}: {message}",
        path.display()
    );
}

#[test]
fn a_backup_is_restored_and_writes_on_under_a_new_incarnation() {
    let world = World::new();
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    alice.creates("garden");
    bob.joins(&alice.invites("garden", "1"));
    alice.way(&["send", "garden", "one", "--wait", "delivered"]);
    let file = world.path().join("backup");
    let path = file.to_str().unwrap();
    let backup = alice.object("Backup", &["backup", path]);
    assert_eq!(
        (&backup["file"], &backup["encrypted"]),
        (&path.into(), &false.into())
    );
    assert_eq!(mode(&file), 0o600);
    alice.fails(&["backup", path], 1);
    // What is written after the backup is known to Bob alone when Alice's machine is lost.
    alice.way(&["send", "garden", "two", "--wait", "delivered"]);
    let id = alice.object("Identity", &["id"])["id"].clone();
    alice.fails(&["restore", path], 1);
    alice.killed();
    std::fs::remove_dir_all(&alice.home).unwrap();
    let restored = alice.object("Restored", &["restore", path]);
    assert_eq!(restored["id"], id);
    alice.up(&[]);
    alice.way(&["send", "garden", "three", "--wait", "delivered"]);
    let mut texts = alice.texts("garden");
    texts.sort();
    assert_eq!(texts, ["one", "three", "two"]);
    assert_eq!(bob.texts("garden"), ["one", "two", "three"]);
    // A backup that is cut short, or changed, makes no home.
    let bytes = std::fs::read(&file).unwrap();
    let carol = world.person("carol");
    for cut in [0, 10, 30, 500, bytes.len() / 2, bytes.len() - 1] {
        let bad = world.path().join(format!("cut{cut}"));
        std::fs::write(&bad, &bytes[..cut]).unwrap();
        carol.fails(&["restore", bad.to_str().unwrap()], 1);
        assert!(!carol.home.join("keys.toml").exists());
    }
    let mut changed = bytes.clone();
    let middle = changed.len() - 100;
    changed[middle] ^= 1;
    let bad = world.path().join("changed");
    std::fs::write(&bad, changed).unwrap();
    carol.fails(&["restore", bad.to_str().unwrap()], 1);
    assert!(!carol.home.join("keys.toml").exists());
}

#[test]
fn a_core_node_says_whether_its_public_address_answers() {
    let world = World::new();
    let core = world.person("core");
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let up = core.up(&["--core", "--listen", &address, "--public", &address]);
    assert_eq!(
        (&up["core"], &up["reachable"]),
        (&true.into(), &true.into())
    );
    core.down();
    // As it was at creation, but for this run another address, where nobody answers.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let up = core.up(&["--public", &address]);
    assert_eq!(
        (&up["core"], &up["reachable"]),
        (&true.into(), &false.into())
    );
}

#[test]
fn a_run_is_recorded_and_played_back() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let file = world.path().join("record");
    let path = file.to_str().unwrap();
    alice.up(&["--listen", "127.0.0.1:0", "--record", path]);
    alice.creates("garden");
    // The joiner's node is started by the same command.
    bob.up(&["--listen", "127.0.0.1:0"]);
    bob.down();
    let link = alice.invites("garden", "1");
    bob.object("TopicId", &["join", &link, "--up", "--yes"]);
    alice.way(&["send", "garden", "hello", "--wait", "delivered"]);
    alice.down();
    assert_eq!(mode(&file), 0o600);
    let replayed = alice.object("Replay", &["replay", path]);
    assert!(replayed["turns"].as_u64().unwrap() > 10, "{replayed}");
    assert_eq!(alice.object("Replay", &["replay", path]), replayed);
    let (code, _) = alice.fails(&["replay", "/etc/passwd"], 1);
    assert_eq!(code, "io");
}

#[test]
fn a_home_at_rest_is_backed_up_too() {
    let world = World::new();
    let alice = world.up("alice");
    let id = alice.object("Identity", &["id"])["id"].clone();
    alice.down();
    let file = world.path().join("backup");
    alice.object("Backup", &["backup", file.to_str().unwrap()]);
    let mut elsewhere = world.person("elsewhere");
    let restored = elsewhere.object("Restored", &["restore", file.to_str().unwrap()]);
    assert_eq!(restored["id"], id);
    elsewhere.name = "alice".into();
    elsewhere.up(&[]);
    assert_eq!(elsewhere.object("Identity", &["id"])["id"], id);
}
