//! Disks that are full or cannot be written: real ones, mounted in memory, for which the test must
//! run as root.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::people::{Person, World, until};

const PATIENCE: Duration = Duration::from_secs(60);
const MIB: u64 = 1024 * 1024;

/// A small disk; gone when this is dropped.
struct Disk {
    place: PathBuf,
}

impl Disk {
    /// Says why there is none on standard output.
    fn mounted(place: &Path, bytes: u64) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can mount a small disk");
            return None;
        }
        std::fs::create_dir_all(place).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(place)
            .status();
        match mounted {
            Ok(status) if status.success() => Some(Self {
                place: place.to_owned(),
            }),
            other => {
                println!("skipped: no small disk can be mounted here: {other:?}");
                None
            }
        }
    }

    /// A process that was just stopped may hold its log open for a moment longer; until it has ended
    /// the system says that the disk is in use.
    fn remount(&self, option: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let remounted = Command::new("mount")
                .args(["-o", &format!("remount,{option}")])
                .arg(&self.place)
                .output()
                .unwrap();
            if remounted.status.success() {
                return;
            }
            assert!(Instant::now() < until, "{remounted:?}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Fills it up until so much is left.
    fn fill(&self, left: u64) {
        let free = store::free_space(&self.place).unwrap();
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(self.place.join("filler"))
            .unwrap();
        let mut wanted = free.saturating_sub(left);
        let chunk = vec![0; 64 * 1024];
        while wanted > 0 {
            let part = wanted.min(chunk.len() as u64);
            match file.write(&chunk[..usize::try_from(part).unwrap()]) {
                Ok(0) | Err(_) => return,
                Ok(written) => wanted -= written as u64,
            }
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.place.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A process that is still about to end may use it for a moment: then it goes when it can.
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

/// Somebody whose home lies on this disk, and whose free-space floor is 64 MiB.
fn on(world: &World, disk: &Disk, name: &str, words: &[&str]) -> Person {
    let mut person = world.person(name);
    person.home = disk.place.join(name);
    person.up(&[words, &["--name", name, "--listen", "127.0.0.1:0"]].concat());
    person.down();
    let config = person.home.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line.starts_with("free_space_floor") {
            true => "free_space_floor = \"64MiB\"".to_owned(),
            false => line.to_owned(),
        })
        .collect();
    assert!(lines.iter().any(|line| line.contains("64MiB")), "{text}");
    std::fs::write(&config, lines.join("\n")).unwrap();
    person.up(&[]);
    person
}

/// Asks until the status says that the disk is full, or that it is not.
fn knows(person: &Person, full: bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        let ended = person.tries(&["--json", "status"]);
        let says = ended.out.contains("\"code\":\"full\"");
        if !ended.out.is_empty() && says == full {
            return;
        }
        assert!(Instant::now() < until, "{ended:?}\n{}", person.log());
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn refused_for_room(person: &Person, words: &[&str]) {
    let (code, message) = person.fails(words, 1);
    assert_eq!(code, "full", "{message}");
    assert!(
        message.contains("disk is full") && message.contains("free"),
        "{message}"
    );
}

#[test]
fn a_full_disk_stops_what_is_new_and_nothing_else() {
    let world = World::new();
    let Some(disk) = Disk::mounted(&world.path().join("disk"), 400 * MIB) else {
        return;
    };
    let alice = on(&world, &disk, "alice", &[]);
    let bob = world.up("bob");
    alice.creates("garden");
    alice.creates("old");
    bob.joins(&alice.invites("garden", "1"));
    alice.way(&["send", "garden", "one", "--wait", "delivered"]);
    bob.down();
    alice.way(&["send", "garden", "two"]);
    disk.fill(32 * MIB);
    knows(&alice, true);
    refused_for_room(&alice, &["send", "garden", "three"]);
    // Reading, handing over and deletion go on.
    assert_eq!(alice.texts("garden"), ["one", "two"]);
    assert_eq!(alice.next("garden", 2), ["one", "two"]);
    bob.up(&[]);
    assert_eq!(bob.next("garden", 2), ["one", "two"]);
    alice.object("Done", &["topic", "leave", "old"]);
    alice.object("Done", &["topic", "forget", "old", "--yes"]);
    assert_eq!(alice.json("Topic", &["topic", "list"]).len(), 1);
    // A start is possible as well.
    alice.killed();
    alice.up(&[]);
    knows(&alice, true);
    assert_eq!(alice.texts("garden"), ["one", "two"]);
    refused_for_room(&alice, &["send", "garden", "three"]);
    disk.empty();
    knows(&alice, false);
    alice.way(&["send", "garden", "three", "--wait", "delivered"]);
    bob.way(&["send", "garden", "four", "--wait", "delivered"]);
    assert_eq!(alice.texts("garden"), ["one", "two", "three", "four"]);
    assert_eq!(bob.texts("garden"), ["one", "two", "three", "four"]);
    alice.down();
    alice.object("Check", &["check"]);
}

#[test]
fn not_a_byte_is_left_and_nothing_is_lost() {
    let world = World::new();
    let Some(disk) = Disk::mounted(&world.path().join("disk"), 400 * MIB) else {
        return;
    };
    let alice = on(&world, &disk, "alice", &[]);
    let bob = world.up("bob");
    alice.creates("garden");
    bob.joins(&alice.invites("garden", "1"));
    let mut sent = vec![];
    let big = "x".repeat(40_000);
    let mut n = 0;
    let mut send = |until_refused: bool| {
        for _ in 0..200 {
            let text = format!("{n} {big}");
            n += 1;
            match alice.run(&["send", "garden"], text.as_bytes()).code {
                0 => sent.push(text),
                _ if until_refused => return sent.clone(),
                code => panic!("exit code {code}"),
            }
            if !until_refused && sent.len() % 5 == 0 {
                return sent.clone();
            }
        }
        panic!("never refused")
    };
    send(false);
    // From one moment to the next, without a byte for what is being committed.
    disk.fill(0);
    send(true);
    assert_eq!(store::free_space(&disk.place).unwrap() / MIB / 32, 0);
    // Whatever became of the node, it comes up again once there is room, with all it promised.
    disk.empty();
    if alice.tries(&["status"]).code == 3 {
        alice.up(&[]);
    }
    knows(&alice, false);
    let sent = send(false);
    alice.way(&["send", "garden", "last", "--wait", "delivered"]);
    for person in [&alice, &bob] {
        let texts = person.texts("garden");
        let missing = sent.iter().filter(|text| !texts.contains(text)).count();
        assert_eq!(missing, 0, "{} lacks some", person.name);
        assert_eq!(texts.last().unwrap(), "last");
    }
    let info = bob.object("TopicInfo", &["topic", "info", "garden"]);
    assert_eq!(info["forked"], serde_json::json!([]));
}

#[test]
fn a_node_that_cannot_begin_for_want_of_room_says_so() {
    let world = World::new();
    let Some(disk) = Disk::mounted(&world.path().join("disk"), 400 * MIB) else {
        return;
    };
    let alice = on(&world, &disk, "alice", &[]);
    alice.creates("garden");
    alice.way(&["send", "garden", "one"]);
    alice.down();
    std::fs::remove_file(alice.home.join("store/reserve")).unwrap();
    disk.fill(0);
    let (code, message) = alice.fails(&["up", "-d"], 1);
    assert_eq!(code, "full", "{message}");
    assert!(message.contains("nothing is lost"), "{message}");
    disk.empty();
    alice.up(&[]);
    assert_eq!(alice.texts("garden"), ["one"]);
}

#[test]
fn a_core_node_with_a_full_disk_hands_over_and_takes_nothing_new() {
    let world = World::new();
    let Some(disk) = Disk::mounted(&world.path().join("disk"), 400 * MIB) else {
        return;
    };
    let core = on(&world, &disk, "core", &["--core"]);
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    alice.uses(&core);
    alice.creates("garden");
    bob.joins(&alice.invites("garden", "1"));
    bob.down();
    alice.way(&["send", "garden", "one", "--wait", "held"]);
    disk.fill(32 * MIB);
    knows(&core, true);
    let words = ["send", "garden", "two", "--wait", "held", "--timeout", "3s"];
    let (code, _) = alice.fails(&words, 4);
    assert_eq!(code, "not-yet");
    alice.down();
    bob.up(&[]);
    assert_eq!(bob.next("garden", 1), ["one"]);
    bob.down();
    disk.empty();
    knows(&core, false);
    alice.up(&[]);
    alice.way(&["send", "garden", "three", "--wait", "held"]);
    alice.down();
    bob.up(&[]);
    // `fails` sent it twice.
    assert_eq!(bob.next("garden", 3), ["two", "two", "three"]);
}

#[test]
fn a_home_that_cannot_be_written_is_a_clear_error_and_stays_whole() {
    let world = World::new();
    let Some(disk) = Disk::mounted(&world.path().join("disk"), 400 * MIB) else {
        return;
    };
    let alice = on(&world, &disk, "alice", &[]);
    alice.creates("garden");
    alice.way(&["send", "garden", "one"]);
    alice.down();
    disk.remount("ro");
    for words in [&["up"][..], &["up", "-d"]] {
        let (code, message) = alice.fails(words, 1);
        assert_eq!(code, "io");
        assert!(message.contains("Read-only file system"), "{message}");
    }
    let mut fresh = world.person("fresh");
    fresh.home = disk.place.join("fresh");
    let (code, message) = fresh.fails(&["up", "-d"], 1);
    assert_eq!(code, "io");
    assert!(message.contains("cannot create the home"), "{message}");
    disk.remount("rw");
    alice.up(&[]);
    assert_eq!(alice.texts("garden"), ["one"]);
}

#[test]
fn a_file_that_fills_the_disk_goes_on_when_there_is_room_again() {
    let world = World::new();
    let Some(disk) = Disk::mounted(&world.path().join("disk"), 400 * MIB) else {
        return;
    };
    let alice = world.up("alice");
    let bob = on(&world, &disk, "bob", &[]);
    alice.creates("garden");
    bob.joins(&alice.invites("garden", "1"));
    let mut photograph = vec![0; 120 << 20];
    machine::Rng::from_seed([3; 32]).fill(&mut photograph);
    let from = world.path().join("photograph.raw");
    std::fs::write(&from, &photograph).unwrap();
    alice.way(&["share", "garden", from.to_str().unwrap()]);
    until("Bob has read of it", || {
        !bob.json("File", &["files", "garden"]).is_empty()
    });
    // There is room for a part of it.
    disk.fill(64 * MIB + 20 * MIB);
    let to = world.path().join("got.raw");
    let get = [
        "get",
        "garden",
        "photograph.raw",
        "--to",
        to.to_str().unwrap(),
    ];
    let stops = bob.tries(&[&get[..], &["--timeout", "20s"]].concat());
    assert_ne!(stops.code, 0, "{stops:?}");
    assert!(!to.exists());
    let until = Instant::now() + PATIENCE;
    while !["\"full\"", "blocks-unwritten"]
        .iter()
        .any(|code| bob.tries(&["--json", "status"]).out.contains(code))
    {
        assert!(Instant::now() < until, "{}", bob.log());
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let have = |file: &serde_json::Value| (file["have"].as_u64(), file["parts"].as_u64());
    let (some, all) = have(&bob.object("File", &["files", "garden"]));
    assert!(some < all, "{some:?} of {all:?}");
    // A restart changes nothing of that, even one with so little room that records are not merged.
    bob.killed();
    disk.fill(16 * MIB);
    bob.up(&[]);
    knows(&bob, true);
    disk.empty();
    // The store is opened anew meanwhile; whoever waits waits on.
    bob.way(&[&get[..], &["--timeout", "60s"]].concat());
    assert!(std::fs::read(&to).unwrap() == photograph, "every byte");
    // What is here as blocks is not written where there is no room for it, and nothing is left of the attempt.
    disk.fill(30 * MIB);
    let folder = disk.place.join("out");
    std::fs::create_dir(&folder).unwrap();
    let out = folder.join("again.raw");
    let again = [
        "get",
        "garden",
        "photograph.raw",
        "--to",
        out.to_str().unwrap(),
    ];
    let ended = bob.tries(&again);
    assert_ne!(ended.code, 0, "{ended:?}");
    assert!(
        ended.err.contains("room") || ended.err.contains("full"),
        "{ended:?}"
    );
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    disk.empty();
    bob.way(&again);
    assert!(std::fs::read(&out).unwrap() == photograph, "every byte");
}
