//! What was acknowledged before a `kill -9` is there afterwards.

use crate::{BODIES, HEADERS, body, commit, header, open};
use machine::Base;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use store::Store;

const CHILD: &str = "STORE_TEST_KILL_CHILD";
const ROUNDS: u64 = 10;

/// Not a test of its own: what the child of the next test does.
#[test]
fn child_commits_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let (store, opened) = open(&dir);
    let mut number = opened.head.number;
    let mut out = std::io::stdout();
    loop {
        number += 1;
        commit(&store, number);
        writeln!(out, "acknowledged {number}").expect("the parent listens");
        out.flush().expect("the parent listens");
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    let mut expected = 0;
    for round in 0..ROUNDS {
        let acknowledged = run_and_kill(&home, 40 + 97 * round);
        assert!(acknowledged > expected, "round {round} made no progress");
        expected = acknowledged;
        let (store, opened) = open(&home);
        assert!(!opened.clean, "a killed process leaves no clean end");
        assert_eq!(opened.gap, None, "round {round}");
        assert!(
            opened.head.number >= expected,
            "round {round}: {:?} < {expected}",
            opened.head
        );
        for number in 1..=opened.head.number {
            let key = number.to_be_bytes();
            assert_eq!(
                store.get(HEADERS, &key).expect("readable"),
                Some(header(number))
            );
            assert_eq!(
                store.get(BODIES, &key).expect("readable"),
                Some(body(number))
            );
        }
        expected = opened.head.number;
        if round % 2 == 0 {
            store.close().expect("it closes");
        }
    }
    println!("{expected} commits over {ROUNDS} kills, none lost");
}

/// Runs a child until it has acknowledged `commits` more commits, kills it, and gives back the last
/// number it acknowledged.
fn run_and_kill(home: &std::path::Path, commits: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this binary has a path"))
        .args([
            "--exact",
            "kill::child_commits_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD, home)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut last = 0;
    let mut seen = 0;
    let mut read = |line: String| {
        // The test harness prints its own words before the first line.
        if let Some((_, number)) = line.rsplit_once("acknowledged ") {
            last = number.parse().expect("a number");
            seen += 1;
        }
        (seen, last)
    };
    for line in lines.by_ref() {
        if read(line.expect("the child prints text")).0 == commits {
            break;
        }
    }
    child.kill().expect("the child can be killed");
    child.wait().expect("the child ends");
    // What it said before it died counts too; its last line may be cut short by the kill.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    rest.into_iter()
        .map(read)
        .next_back()
        .map_or(last, |(_, last)| last)
}
