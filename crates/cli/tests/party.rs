//! A birthday party, with real processes: three friends plan it in a private topic, and she whom it
//! is for may write there at once and read from a given time on. Until then she tries whatever
//! somebody can who has her disk, her memory, all that has reached her, and a hand on her clock.

mod loot;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use cli::when::{now_ms, rfc3339};
use rustix::process::Signal;

use crate::people::{Person, Running, World};
use crate::privacy::search::{Needle, search};
use crate::table::search_memory;
use loot::Loot;

const TOPIC: &str = "birthday-party";
/// When she may read, after the beginning of the test, and by how much clocks are set ahead to be
/// past that.
const FROM_MS: u64 = 2 * 3_600_000;
const AHEAD: &str = "10800";
const BEFORE: [&str; 5] = [
    "The boathouse is ours from seven o'clock.",
    "Her sister brings the lanterns, all forty of them.",
    "Nobody says a word about the trumpeter.",
    "Somebody has to keep her away until eight.",
    "Then it is the walnut cake after all, for thirty.",
];
const HERS: [&str; 2] = [
    "Is there anything that I should bring along?",
    "Whatever it is you whisper of, I am curious.",
];
const AFTER: [&str; 3] = [
    "Now you may know it: happy birthday!",
    "We have kept it from you for a month.",
    "And the trumpeter sends his best wishes.",
];
const NAMES: [&str; 3] = [
    "Annabel of the boathouse",
    "Balthasar with the lanterns",
    "Dorothea the trumpeter's aunt",
];

/// Somebody whose node is a child of the test.
struct Guest {
    person: Person,
    node: Option<Running>,
}

impl Guest {
    fn new(world: &World, name: &str, clock: &Path) -> Self {
        let mut person = world.person(name);
        person.environment = ahead(clock, "0");
        Self { person, node: None }
    }

    fn up(&mut self, words: &[&str]) {
        let mut node = self.person.serve(words);
        assert!(node.line().contains("addresses"), "{}", self.person.log());
        self.node = Some(node);
    }

    /// For the first time.
    fn begins(&mut self, words: &[&str]) {
        let name = self.person.name.clone();
        let own = ["--name", &name, "--listen", "127.0.0.1:0"];
        self.up(&[&own, words].concat());
    }

    /// As a power failure ends it.
    fn killed(&mut self) {
        self.node.take().unwrap().kill();
    }

    /// As somebody ends it who waits until it has written all that it has to.
    fn ends(&mut self) {
        let mut node = self.node.take().unwrap();
        node.signal(Signal::TERM);
        assert_eq!(node.code(), 0, "{}", self.person.log());
    }

    fn says(&self, text: &str, wait: &[&str]) {
        let words = [&["send", TOPIC, text, "--wait"], wait].concat();
        self.person.object("Sent", &words);
    }
}

/// What a process is started with whose clock is set so many seconds ahead.
fn ahead(clock: &Path, seconds: &str) -> Vec<(String, String)> {
    let preload = ("LD_PRELOAD", clock.to_str().unwrap());
    World::variables(&[preload, ("PARTY_CLOCK_AHEAD", seconds)])
}

/// Builds what sets clocks, and sees that it does.
fn clock(folder: &Path) -> PathBuf {
    let made = folder.join("clock.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/party/clock.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&made)
        .args([source, "-ldl"])
        .status();
    assert!(
        built.unwrap().success(),
        "cc, which links this test as well"
    );
    let out = Command::new("date")
        .arg("+%s")
        .envs(ahead(&made, AHEAD))
        .output();
    let said = String::from_utf8(out.unwrap().stdout).unwrap();
    let said: u64 = said.trim().parse().unwrap();
    let seconds: u64 = AHEAD.parse().unwrap();
    assert!(said.abs_diff(now_ms() / 1000 + seconds) < 60);
    made
}

/// The latest time that a recorded node has seen on its own clock, ms since 1970
/// (docs/spec/record.md): length 4 ‖ kind 1 ‖ sum 4 ‖ body, of turns time 8 ‖ wall time 8.
fn latest_recorded(record: &[u8]) -> u64 {
    let mut rest = record.strip_prefix(b"waystation record 1\n").unwrap();
    let mut latest = 0;
    while let Some((length, next)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap();
        let Some(entry) = next.get(..5 + length) else {
            break;
        };
        if matches!(entry[0], 3 | 4) {
            let wall = entry[13..21].try_into().unwrap();
            latest = latest.max(u64::from_le_bytes(wall));
        }
        rest = &next[5 + length..];
    }
    latest
}

/// The three, and their core node.
struct Friends {
    core: Guest,
    three: [Guest; 3],
}

impl Friends {
    /// They meet: two through a core node as well, the third directly alone.
    fn meet(world: &World, clock: &Path) -> Self {
        let mut core = Guest::new(world, "core", clock);
        core.begins(&["--core"]);
        let three = ["alice", "bob", "dave"].map(|name| {
            let mut guest = Guest::new(world, name, clock);
            guest.begins(&[]);
            guest
        });
        for (guest, name) in three.iter().zip(NAMES) {
            guest.person.way(&["name", name]);
        }
        let [alice, bob, dave] = &three;
        alice.person.uses(&core.person);
        bob.person.uses(&core.person);
        alice.person.creates(TOPIC);
        for friend in [bob, dave] {
            friend.person.joins(&alice.person.invites(TOPIC, "1"));
        }
        Self { core, three }
    }

    /// They speak before anybody else is invited.
    fn plan(&mut self) {
        let [alice, bob, dave] = &mut self.three;
        alice.says(BEFORE[0], &["delivered", "--of", "2"]);
        dave.says(BEFORE[1], &["delivered", "--of", "2"]);
        // Through the core node: the one is gone when the other comes.
        bob.killed();
        alice.says(BEFORE[2], &["held"]);
        alice.killed();
        bob.up(&[]);
        let all: BTreeSet<String> = bob.person.next(TOPIC, 3).into_iter().collect();
        assert_eq!(all, strings(&BEFORE[..3]));
        alice.up(&[]);
    }

    /// One of them invites her, who may write at once and read from a time on.
    fn invite(&self, from: u64) -> String {
        let time = rfc3339(from);
        let words = ["invite", TOPIC, "--publish", "--read", "--read-from", &time];
        let made = self.three[0].person.object("Invite", &words);
        let rights = &made["rights"];
        assert_eq!(rights[0]["right"], "publish");
        assert_eq!(rights[0]["from"], serde_json::Value::Null);
        assert_eq!(
            (&rights[1]["right"], &rights[1]["from"]),
            (&"read".into(), &time.into())
        );
        made["link"].as_str().unwrap().to_owned()
    }

    fn are_up(&mut self) {
        self.three.iter_mut().for_each(|friend| friend.up(&[]));
    }

    /// All of them go; what the first one holds.
    fn are_killed(&mut self) -> Loot {
        self.three.iter_mut().for_each(Guest::killed);
        Loot::of(&self.three[0].person.home)
    }
}

fn strings(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn needles(what: &str, texts: &[&str]) -> Vec<Needle> {
    let each = texts.iter();
    each.map(|text| Needle::new(what, text.as_bytes()))
        .collect()
}

/// She whom it is for, and the records of all that has reached her.
struct Carol {
    guest: Guest,
    records: PathBuf,
}

impl Carol {
    fn up(&mut self, words: &[&str], life: &str) {
        let record = self.records.join(life);
        let words = [words, &["--record", record.to_str().unwrap()]].concat();
        self.guest.up(&words);
    }

    /// Whether any of these is on her disk, in what has reached her, or in the memory of her node
    /// while that runs.
    fn has(&self, needles: &[Needle]) -> Vec<String> {
        let disk = search(&self.guest.person.home, needles).unwrap();
        assert!(disk.bytes > 10_000 && disk.files > 3, "it was used");
        let records = search(&self.records, needles).unwrap();
        assert!(records.bytes > 10_000, "there are records");
        let mut found = [disk.found, records.found].concat();
        if let Some(node) = &self.guest.node {
            let memory = search_memory(node.process(), needles).unwrap();
            assert!(memory.bytes > 1_000_000, "its memory was read");
            found.extend(memory.found);
        }
        found
    }

    /// What her disk opens by any of her keys, whatever it was made for, once her node is gone.
    /// That nothing that she holds, or that is in a box, opens a slice of before is seen, too; and
    /// that the bodies are there, by what a friend reads of them.
    fn opens(&self, friend: &Loot, from: u64) -> BTreeSet<String> {
        let loot = Loot::of(&self.guest.person.home);
        let there: BTreeSet<String> = friend.reads(&loot.bodies).into_values().collect();
        assert!(there.is_superset(&strings(&BEFORE[..4])), "{there:?}");
        let old = loot.slices_before(from);
        assert!(
            old.len() > 1,
            "the first epoch, and a slice of the next one"
        );
        let accesses = loot.all_accesses();
        assert!(!accesses.is_empty());
        for (epoch, access) in accesses {
            for (_, slice) in old.iter().filter(|(of, _)| *of == epoch) {
                assert!(!access.opens(*slice), "slice {slice} of {epoch:?}");
            }
        }
        let read: BTreeSet<String> = loot.reads(&loot.bodies).into_values().collect();
        let tried = texts(loot.tries(&loot.bodies).into_values());
        assert!(tried.is_superset(&read), "{tried:?}, but read {read:?}");
        tried
    }
}

/// What stands in plaintexts of bodies.
fn texts(plain: impl Iterator<Item = Vec<u8>>) -> BTreeSet<String> {
    let all = [&BEFORE[..], &HERS, &AFTER].concat();
    let holds = |plain: &[u8], text: &str| {
        let mut windows = plain.windows(text.len());
        windows.any(|window| window == text.as_bytes())
    };
    let text = |plain: Vec<u8>| {
        let fit = all.iter().find(|text| holds(&plain, text));
        (*fit.expect("one of those that were said")).to_owned()
    };
    plain.map(text).collect()
}

#[test]
fn she_reads_nothing_of_her_party_before_it_is_time_and_then_what_she_may() {
    let world = World::new();
    let clock = clock(world.path());
    let from = (now_ms() + FROM_MS) / 1000 * 1000;
    let mut friends = Friends::meet(&world, &clock);
    friends.plan();
    let records = world.path().join("records");
    std::fs::create_dir(&records).unwrap();
    let guest = Guest::new(&world, "carol", &clock);
    let mut carol = Carol { guest, records };
    carol.up(&["--name", "carol", "--listen", "127.0.0.1:0"], "first");
    carol.guest.person.joins(&friends.invite(from));
    // She writes at once, and everybody reads it; what they say reaches her and stays closed.
    friends.three[0].says(BEFORE[3], &["delivered", "--of", "3"]);
    carol.guest.says(HERS[0], &["delivered", "--of", "3"]);
    for friend in &friends.three {
        let read = friend.person.texts(TOPIC);
        assert!(read.contains(&HERS[0].to_owned()), "{read:?}");
    }
    assert_eq!(carol.guest.person.texts(TOPIC), HERS[..1]);
    let said = needles("a text of before", &BEFORE);
    let names = needles("the name of who spoke before", &NAMES[1..]);
    let tries = |carol: &mut Carol, friend: &Loot| {
        let bodies = friend.bodies_of(&BEFORE);
        assert!(bodies.len() >= 4);
        let secrets = friend.secrets_before(from, &bodies);
        let all = [said.as_slice(), &secrets].concat();
        assert_eq!(carol.has(&all), [""; 0]);
        carol.guest.ends();
        assert_eq!(carol.has(&all), [""; 0]);
        carol.opens(friend, from)
    };
    assert_eq!(carol.has(&names), [""; 0]);
    let friend = friends.are_killed();
    assert_eq!(tries(&mut carol, &friend), strings(&HERS[..1]));
    // By her clock it is time. By the others' it is not, and they give her what they say.
    friends.are_up();
    carol.guest.person.environment = ahead(&clock, AHEAD);
    carol.up(&[], "second");
    friends.three[0].says(BEFORE[4], &["delivered", "--of", "3"]);
    assert_eq!(carol.guest.person.texts(TOPIC), HERS[..1]);
    let friend = friends.are_killed();
    assert_eq!(tries(&mut carol, &friend), strings(&HERS[..1]));
    let record = std::fs::read(carol.records.join("second")).unwrap();
    assert!(latest_recorded(&record) > from, "her clock was set ahead");
    // It is time, for all of them.
    friends.core.killed();
    for guest in [&mut friends.core].into_iter().chain(&mut friends.three) {
        guest.person.environment = ahead(&clock, AHEAD);
        guest.up(&[]);
    }
    carol.up(&[], "third");
    for (friend, text) in friends.three.iter().zip(AFTER) {
        friend.says(text, &["delivered", "--of", "3"]);
    }
    carol.guest.says(HERS[1], &["delivered", "--of", "3"]);
    let read: BTreeSet<String> = carol.guest.person.texts(TOPIC).into_iter().collect();
    let hers = strings(&[&HERS[..], &AFTER].concat());
    assert_eq!(read, hers);
    let all = strings(&[&BEFORE[..], &HERS, &AFTER].concat());
    for friend in &friends.three {
        let read: BTreeSet<String> = friend.person.texts(TOPIC).into_iter().collect();
        assert_eq!(read, all);
    }
    // What is looked for is found where it is: she has typed her own lines.
    assert!(!carol.has(&needles("a text of hers", &HERS)).is_empty());
    let friend = friends.are_killed();
    assert_eq!(tries(&mut carol, &friend), hers);
}
