//! What the simulated disk costs: bytes a row and nanoseconds a call, for many persons' disks that
//! share the envelopes of their topics.
//!
//! `cargo run --release -p sim --example disk-figures [DISKS [ENVELOPES]]`

use machine::{Base, Batch, Table};
use sim::disk::{Disk, Pool};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const HEADER: Table = Table::new(41, "header");
const BODY: Table = Table::new(42, "body");
const ID: Table = Table::new(43, "id");
const ORDER: Table = Table::new(44, "order");
const EXPIRY: Table = Table::new(47, "expiry");
const NAMED: Table = Table::new(48, "named");
const TOPIC: Table = Table::new(60, "topic");
const LINE: Table = Table::new(61, "line");
const SHOWN: Table = Table::new(62, "shown");
const QUEUE: Table = Table::new(84, "queue");

/// Topics of a person, and authors of a topic.
const TOPICS: u64 = 3;
const AUTHORS: u64 = 30;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let disks = numbers.next().and_then(Result::ok).unwrap_or(200);
    let envelopes = numbers.next().and_then(Result::ok).unwrap_or(1_000);
    let before = resident();
    let pool = Arc::new(Pool::new());
    let begun = Instant::now();
    let mut all: Vec<Disk> = (0..disks).map(|_| Disk::new(&pool)).collect();
    let mut written = 0;
    for number in 0..envelopes {
        for (node, disk) in all.iter_mut().enumerate() {
            let batch = arrival(number, node as u64 / AUTHORS);
            written += batch.writes.len();
            disk.apply(&batch);
        }
    }
    let applied = begun.elapsed();
    let rows: u64 = all.iter().map(Disk::len).sum();
    let bytes: u64 = all.iter().map(Disk::bytes).sum();
    let memory: u64 = all.iter().map(Disk::memory).sum();
    let grown = resident().saturating_sub(before);
    println!("{disks} disks, {} rows each", rows / disks);
    show("key and value", bytes, rows);
    show("disk in memory", memory, rows);
    show("pool", pool.memory(), rows);
    show("process grew by", grown, rows);
    let making = making(envelopes, disks);
    let apply = applied.saturating_sub(making).as_nanos() as f64;
    println!(
        "apply               {:>8.0} ns a row",
        apply / written as f64
    );
    reads(&all, envelopes);
    let begun = Instant::now();
    let clones = all.clone();
    println!("clone               {:>8.0} ns", per(begun, disks));
    drop(clones);
}

/// How long it takes to make the batches alone.
fn making(envelopes: u64, disks: u64) -> std::time::Duration {
    let begun = Instant::now();
    for number in 0..envelopes {
        for node in 0..disks {
            black_box(arrival(number, node / AUTHORS));
        }
    }
    begun.elapsed()
}

fn reads(all: &[Disk], envelopes: u64) {
    const ROUNDS: u64 = 2_000;
    let each = |what: &str, call: &dyn Fn(&Disk, u64) -> usize| {
        let begun = Instant::now();
        let mut found = 0;
        for round in 0..ROUNDS {
            for (node, disk) in all.iter().enumerate() {
                let number = mix(round * 1_000 + node as u64) % envelopes;
                found += black_box(call(disk, number));
            }
        }
        let calls = ROUNDS * all.len() as u64;
        let ns = per(begun, calls);
        println!(
            "{what:<19} {ns:>8.0} ns   ({} rows each)",
            found / calls as usize
        );
    };
    each("get, short", &|disk, number| {
        let key = key(number % TOPICS, &[&(number / TOPICS + 1).to_be_bytes()]);
        usize::from(disk.get(ORDER, &key).is_ok_and(|row| row.is_some()))
    });
    each("get, long", &|disk, number| {
        // The branch is another at each group of nodes; the rows from the number on are not.
        let (author, at) = (author(number), number / (TOPICS * AUTHORS));
        let from = key(number % TOPICS, &[&author.to_be_bytes(), &at.to_be_bytes()]);
        scan(disk, HEADER, &from, 1)
    });
    each("get, absent", &|disk, number| {
        let id = hash(number, u64::MAX);
        let key = key(number % TOPICS, &[&id]);
        usize::from(disk.get(ID, &key).is_ok_and(|row| row.is_some()))
    });
    each("scan of 1 row", &|disk, number| {
        let from = key(number % TOPICS, &[&(number / TOPICS).to_be_bytes()]);
        scan(disk, LINE, &from, 1)
    });
    each("scan of 50 rows", &|disk, number| {
        let from = key(number % TOPICS, &[&(number / TOPICS / 2).to_be_bytes()]);
        scan(disk, LINE, &from, 50)
    });
}

fn scan(disk: &Disk, table: Table, from: &[u8], limit: usize) -> usize {
    disk.scan(table, (from, &[255; 64]), limit, false)
        .map_or(0, |rows| rows.len())
}

/// The writes that an envelope from somebody else causes on a member's disk.
fn arrival(number: u64, group: u64) -> Batch {
    let topic = number % TOPICS;
    let place = (number / TOPICS + 1).to_be_bytes();
    let id = hash(number, group);
    let before = hash(number.saturating_sub(TOPICS), group);
    let spot = |number: u64, id: &[u8]| {
        let on_chain = number / (TOPICS * AUTHORS);
        [
            &author(number).to_be_bytes(),
            on_chain.to_be_bytes().as_slice(),
            &id[..16],
        ]
        .concat()
    };
    let at = spot(number, &id);
    let named = spot(number.saturating_sub(TOPICS), &before);
    let header = [place.as_slice(), &hash(number + 1, group).repeat(8)].concat();
    let queued = number.to_be_bytes();
    let mut writes = vec![
        (HEADER, key(topic, &[&at]), Some(header)),
        (
            BODY,
            key(topic, &[&at]),
            Some(hash(number + 2, group).repeat(6)),
        ),
        (ID, key(topic, &[&id]), Some(vec![7; 32])),
        (
            ORDER,
            key(topic, &[&place]),
            Some([&at[..12], &[1], &id].concat()),
        ),
        (
            EXPIRY,
            key(topic, &[&(number / 100).to_be_bytes(), &at]),
            Some(vec![0; 4]),
        ),
        (NAMED, key(topic, &[&named, &at]), Some(Vec::new())),
        (
            TOPIC,
            key(topic, &[]),
            Some([id.as_slice(), &[3; 27]].concat()),
        ),
        (
            LINE,
            key(topic, &[&place]),
            Some([&id[..], &[2; 14]].concat()),
        ),
        (SHOWN, key(topic, &[&id]), Some(vec![1; 9])),
        (QUEUE, key(0, &[&queued]), Some(vec![5; 60])),
    ];
    if let Some(last) = number.checked_sub(1) {
        writes.push((QUEUE, key(0, &[&last.to_be_bytes()]), None));
    }
    Batch {
        number,
        last_turn: number,
        writes,
    }
}

fn author(number: u64) -> u32 {
    (number / TOPICS % AUTHORS) as u32
}

fn key(topic: u64, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = (topic as u32).to_be_bytes().to_vec();
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

fn hash(number: u64, group: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (part, eight) in bytes.chunks_mut(8).enumerate() {
        eight.copy_from_slice(&mix(mix(number) ^ mix(group + 77) ^ part as u64).to_be_bytes());
    }
    bytes
}

/// SplitMix64.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn per(begun: Instant, calls: u64) -> f64 {
    begun.elapsed().as_nanos() as f64 / calls as f64
}

fn show(what: &str, bytes: u64, rows: u64) {
    println!("{what:<19} {:>8.1} bytes a row", bytes as f64 / rows as f64);
}

/// Bytes of this process that are in memory; 0 where the system does not say.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}
