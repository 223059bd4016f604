//! A folder crosses from one person through a core node to another, while all three are killed with -9 at
//! random moments, the second one's link changes from `quic` to `tls`, and the first one goes away for good.
//!
//! `WAY_FILES_SEED` repeats the choices of a run; the moments are as the machine has them. It prints how
//! much was moved:
//!
//! ```text
//! cargo test -p cli --test main files::journey -- --nocapture
//! ```

use std::time::{Duration, Instant};

use machine::Rng;
use serde_json::Value;

use super::tree;
use crate::member::Member;
use crate::people::{Apart, World};

const TOPIC: &str = "archive";
const FILES: usize = 2_000;
const BYTES: usize = 210_000_000;
/// Most that may go over each of the two hops, in hundredths of the size.
const MOST_PERCENT: u64 = 110;
/// Most that a node may take of memory.
const MOST_MEMORY_KIB: u64 = 96 * 1024;
/// How long each half may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

struct Run {
    rng: Rng,
    kills: u32,
    /// The most memory that anybody took, KiB.
    peak: u64,
}

impl Run {
    /// Lets a random time pass: that the moment is random is the point.
    fn while_something_happens(&mut self, most_ms: u64) {
        std::thread::sleep(Duration::from_millis(50 + self.rng.below(most_ms)));
    }

    fn kill(&mut self, member: &mut Member) {
        self.look_at(member);
        member.kill();
        self.kills += 1;
    }

    /// Kills somebody after a moment, and starts them again after another.
    fn crash(&mut self, member: &mut Member, words: &[&str]) {
        self.while_something_happens(900);
        self.kill(member);
        self.while_something_happens(300);
        member.start_with(words);
        member.wait_up();
    }

    /// The most memory that a node has taken so far.
    fn look_at(&mut self, member: &Member) {
        let status = format!("/proc/{}/status", member.process().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB").parse();
        self.peak = self.peak.max(kib.unwrap());
    }
}

fn asks_until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// How much of the folder is with somebody, and of how much.
fn have(member: &Member) -> Option<(u64, u64)> {
    let ended = member.person.tries(&["--json", "files", TOPIC]);
    let file: Value = serde_json::from_str(ended.out.lines().next()?).ok()?;
    Some((file["have"].as_u64()?, file["parts"].as_u64()?))
}

#[test]
fn a_folder_crosses_while_everybody_is_killed() {
    let mut fresh = [0; 8];
    getrandom::fill(&mut fresh).unwrap();
    let given = std::env::var("WAY_FILES_SEED").map(|seed| seed.parse().unwrap());
    let seed = given.unwrap_or(u64::from_be_bytes(fresh));
    println!("files: WAY_FILES_SEED={seed}");
    let mut start = [0; 32];
    start[..8].copy_from_slice(&seed.to_be_bytes());
    let rng = Rng::from_seed(start);
    let mut run = Run {
        rng,
        kills: 0,
        peak: 0,
    };

    let apart = Apart::new();
    let world = apart.as_ref().map_or_else(World::new, World::within);
    let mut core = Member::new(&world, "core", &["--core"]);
    let mut alice = Member::new(&world, "alice", &["--transport", "quic"]);
    let mut bob = Member::new(&world, "bob", &["--transport", "quic"]);
    alice.person.uses_up_to(&core.person, "2GiB");
    bob.person.uses_up_to(&core.person, "2GiB");
    alice.person.creates(TOPIC);
    bob.person.joins(&alice.person.invites(TOPIC, "1"));

    let folder = world.path().join("photographs");
    tree::make(&folder, FILES, BYTES, seed);
    let made = tree::entries(&folder);
    assert_eq!(made.len(), FILES);
    let moved = || apart.as_ref().map_or(0, Apart::moved);
    let before = moved();
    let path = folder.to_str().unwrap();
    let id = alice.person.object("Sent", &["share", TOPIC, path])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    run.crash(&mut alice, &[]);
    run.crash(&mut core, &[]);
    run.crash(&mut alice, &[]);
    asks_until("the core node holds it", || {
        let why = alice.person.tries(&["--json", "why", &id]);
        let why = serde_json::from_str::<Value>(&why.out);
        why.is_ok_and(|why| why["held"].as_u64() > Some(0))
    });
    run.kill(&mut alice);
    std::fs::remove_dir_all(&alice.person.home).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let first = moved() - before;

    let before = moved();
    let all = run.rng.below(60) + 20;
    let to = world.path().join("got");
    let (told, get) = (to.to_str().unwrap(), ["get", TOPIC, "photographs", "--to"]);
    let begin = |bob: &Member| {
        let words = [&get[..], &[told, "--timeout", "0s"]].concat();
        bob.person.tries(&words);
    };
    begin(&bob);
    run.crash(&mut bob, &["--transport", "tls"]);
    begin(&bob);
    asks_until("some of it is there", || {
        have(&bob).is_some_and(|(have, parts)| have * 100 >= parts * all)
    });
    run.crash(&mut core, &[]);
    run.crash(&mut bob, &[]);
    let began = Instant::now();
    loop {
        let words = [&get[..], &[told, "--timeout", "30s"]].concat();
        if bob.person.tries(&words).code == 0 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "never: {:?}", have(&bob));
    }
    let second = moved() - before;
    let got = tree::entries(&to);
    assert!(made == got, "every byte, name, time and permission");
    for member in [&core, &bob] {
        run.look_at(member);
    }
    let percent = |moved: u64| moved * 100 / BYTES as u64;
    println!(
        "files: {FILES} files with {BYTES} bytes, {} kills: {} % of their size to the core node, {} % from \
         it; at most {} MiB of memory",
        run.kills,
        percent(first),
        percent(second),
        run.peak / 1024
    );
    assert!(run.peak <= MOST_MEMORY_KIB, "{} KiB", run.peak);
    if apart.is_none() {
        eprintln!(
            "files: what was moved was not counted: this takes root, unshare, nsenter and ip"
        );
        return;
    }
    for moved in [first, second] {
        assert!(percent(moved) <= MOST_PERCENT, "{moved} bytes");
    }
}
