//! Measures a home of small records: how long writing and opening take, what stays in memory.
//!
//! `cargo run -p store --example memory -- [RECORDS] [FOLDER]` (100,000 records of 1 KiB without
//! arguments). The figures are printed by child processes, so that what writing needed does not
//! count for opening; the writer is killed, so that opening is that after a crash.

use machine::{Base, Batch, Rng, Table};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;
use store::{FjallStore, Options, Store};

const HEADERS: Table = Table::new(1, "headers");
const BODIES: Table = Table::new(2, "bodies");
const ORDER: Table = Table::new(3, "order");
const TABLES: [Table; 3] = [HEADERS, BODIES, ORDER];
const GROUP: u64 = 100;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["write", home, records] => write(Path::new(home), records.parse().expect("a number")),
        ["read", home, records] => read(Path::new(home), records.parse().expect("a number")),
        ["expire", home, records] => expire(Path::new(home), records.parse().expect("a number")),
        ["empty", home] => empty(Path::new(home)),
        rest => measure(rest),
    }
}

fn measure(args: &[&str]) {
    let records = args.first().copied().unwrap_or("100000");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = args
        .get(1)
        .map_or_else(|| dir.path().join("home"), PathBuf::from);
    let home = home.to_string_lossy().into_owned();
    child(&["empty", &format!("{home}-empty")]);
    child(&["write", &home, records]);
    child(&["read", &home, records]);
    child(&["expire", &home, records]);
}

fn child(args: &[&str]) {
    let program = std::env::current_exe().expect("this program has a path");
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .status();
    // The writer ends by killing itself.
    status.expect("a child runs");
}

fn empty(home: &Path) {
    let (store, _) = FjallStore::open(home, &TABLES, &options()).expect("it opens");
    println!("fresh home: {} KiB resident", resident());
    store.close().expect("it closes");
}

/// The id by which a record is found: random, as hashes are.
fn id(number: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    Rng::from_seed(seed).array()
}

fn write(home: &Path, records: u64) {
    let (store, _) = FjallStore::open(home, &TABLES, &options()).expect("it opens");
    let mut rng = Rng::from_seed([1; 32]);
    let begin = Instant::now();
    let mut slowest = 0;
    for group in 0..records.div_ceil(GROUP) {
        let mut writes = Vec::new();
        for number in group * GROUP..((group + 1) * GROUP).min(records) {
            let mut body = vec![0; 1024];
            rng.fill(&mut body);
            let header = body[..300].to_vec();
            let order = number.to_be_bytes().to_vec();
            writes.push((HEADERS, id(number).to_vec(), Some(header)));
            writes.push((BODIES, order.clone(), Some(body)));
            writes.push((ORDER, order, Some(id(number).to_vec())));
        }
        let commit = Instant::now();
        store
            .commit(&[Arc::new(Batch {
                number: group,
                last_turn: group,
                writes,
            })])
            .expect("ok");
        slowest = slowest.max(commit.elapsed().as_millis());
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{records} records of 1 KiB written in {seconds:.1} s by {GROUP} a commit \
         (slowest {slowest} ms), {} MiB on disk, {} KiB resident",
        store.space().used >> 20,
        resident()
    );
    let pid = rustix::process::getpid();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it dies");
}

fn read(home: &Path, records: u64) {
    let begin = Instant::now();
    let (store, opened) = FjallStore::open(home, &TABLES, &options()).expect("it opens");
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "opened after a kill in {seconds:.2} s at {}: {} KiB resident",
        opened.head,
        resident()
    );
    let mut rng = Rng::from_seed([2; 32]);
    let begin = Instant::now();
    for _ in 0..10_000 {
        let number = rng.below(records);
        assert!(store.get(HEADERS, &id(number)).expect("readable").is_some());
        assert!(
            store
                .get(BODIES, &number.to_be_bytes())
                .expect("readable")
                .is_some()
        );
    }
    let each = begin.elapsed().as_micros() / 20_000;
    println!("random reads: {each} µs each; {} KiB resident", resident());
    let begin = Instant::now();
    let mut from = 0_u64.to_be_bytes().to_vec();
    let mut rows = 0;
    loop {
        let step = store
            .scan(BODIES, (&from, &[255]), 256, false)
            .expect("readable");
        let Some((last, _)) = step.last() else { break };
        rows += step.len();
        from = [last.as_slice(), &[0]].concat();
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{rows} bodies scanned in {seconds:.1} s; {} KiB resident",
        resident()
    );
    std::thread::sleep(std::time::Duration::from_secs(3));
    println!(
        "at rest: {} KiB resident, {} MiB on disk",
        resident(),
        store.space().used >> 20
    );
    let begin = Instant::now();
    store.close().expect("it closes");
    drop(store);
    let closing = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let opened = FjallStore::open(home, &TABLES, &options())
        .expect("it opens")
        .1;
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "closed in {closing:.2} s, opened again in {seconds:.2} s, clean: {}",
        opened.clean
    );
}

/// Removes nine bodies of ten, as expiry does, and looks at what the disk gets back.
fn expire(home: &Path, records: u64) {
    let (store, _) = FjallStore::open(home, &TABLES, &options()).expect("it opens");
    let before = store.space().used >> 20;
    let begin = Instant::now();
    for group in 0..(records * 9 / 10).div_ceil(GROUP) {
        let numbers = group * GROUP..(group + 1) * GROUP;
        let writes = numbers
            .map(|number| (BODIES, number.to_be_bytes().to_vec(), None))
            .collect();
        store
            .commit(&[Arc::new(Batch {
                number: group,
                last_turn: group,
                writes,
            })])
            .expect("ok");
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "nine of ten bodies removed in {seconds:.1} s, {} KiB resident",
        resident()
    );
    let begin = Instant::now();
    store.reclaim().expect("it reclaims");
    let seconds = begin.elapsed().as_secs_f64();
    let now = store.space().used >> 20;
    println!(
        "reclaimed in {seconds:.1} s: {before} MiB on disk before, {now} MiB now, {} KiB resident",
        resident()
    );
    let begin = Instant::now();
    for number in 0..1000_u64 {
        let writes = vec![(ORDER, number.to_be_bytes().to_vec(), Some(vec![1; 100]))];
        store
            .commit(&[Arc::new(Batch {
                number,
                last_turn: number,
                writes,
            })])
            .expect("ok");
    }
    let each = begin.elapsed().as_micros() / 1000;
    println!("durable commits of one small record: {each} µs each");
}

fn options() -> Options {
    Options {
        reserve: 0,
        floor: 0,
        ..Options::default()
    }
}

/// Resident memory of this process in KiB, as the kernel counts it.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
