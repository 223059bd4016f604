//! The same seed gives the same run: twice in one process, in another process, on several threads,
//! and with every signature checked anew.

use sim::{Options, Outcome, run, swarm};
use std::process::Command;

/// Seeds that are compared.
const SEEDS: std::ops::Range<u64> = 0..3;

fn on(threads: usize, seed: u64) -> Outcome {
    let options = Options {
        threads,
        ..Options::default()
    };
    run(&swarm::plan(seed), options)
}

#[test]
fn the_same_seed_gives_the_same_run_on_any_number_of_threads() {
    for seed in SEEDS {
        let first = on(1, seed);
        assert_eq!(first.unfinished, None);
        for threads in [1, 2, 3] {
            let again = on(threads, seed);
            assert_eq!(again.hash, first.hash, "seed {seed}, {threads} threads");
            assert_eq!(again.broken, first.broken);
            assert_eq!(again.events, first.events);
        }
    }
}

#[test]
fn another_process_gives_the_same_run() {
    let seeds = SEEDS.end.to_string();
    for more in [None, Some("--verify-all")] {
        let out = Command::new(env!("CARGO_BIN_EXE_way-sim"))
            .args(["swarm", "--json", "--keep-going", "--seeds", &seeds])
            .args(more)
            .output()
            .expect("it starts");
        let mut seen = 0;
        for line in String::from_utf8(out.stdout).expect("text").lines() {
            let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else {
                continue;
            };
            let (Some(seed), Some(hash)) = (line["seed"].as_u64(), line["hash"].as_str()) else {
                continue;
            };
            let here: String = on(1, seed)
                .hash
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(hash, here, "seed {seed} {more:?}");
            seen += 1;
        }
        assert_eq!(seen, SEEDS.end);
    }
}
