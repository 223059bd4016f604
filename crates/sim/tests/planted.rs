//! The swarm finds every known defect, without knowing which one is planted.

use machine::planted::Bug;
use sim::Limits;
use sim::search::{How, search};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Seeds within which each defect has to be found.
const SEEDS: u64 = 200;

/// Some defects keep nodes busy without end. No world without one has as many events.
const MAX_EVENTS: u64 = 4_000_000;

/// How a defect was found.
struct Find {
    bug: Bug,
    /// In which world, and by what; none if in none.
    seed: Option<(u64, String)>,
}

/// Tries one seed after another until a promise breaks.
fn find(bug: Bug) -> Find {
    let mut seed = None;
    let how = How {
        threads: 1,
        twice: false,
        limits: Limits {
            events: Some(MAX_EVENTS),
            ..Limits::default()
        },
        planted: Some(bug),
    };
    search(0..SEEDS, how, &mut |found| {
        let broken = found.outcome.broken.first();
        let by = broken.map(|broken| broken.promise.to_owned());
        match by.or_else(|| found.outcome.unfinished.map(|_| "it never ends".to_owned())) {
            Some(by) if seed.is_none() => {
                seed = Some((found.seed, by));
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    });
    Find { bug, seed }
}

#[test]
fn the_swarm_finds_every_known_defect() {
    let next = AtomicUsize::new(0);
    let finds = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            // One defect for each thread: what is planted is planted in a thread.
            scope.spawn(|| {
                while let Some(bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let find = find(*bug);
                    finds.lock().expect("nobody panics").push(find);
                }
            });
        }
    });
    let mut finds = finds.into_inner().expect("nobody panics");
    finds.sort_by_key(|find| find.bug);
    println!("{:24} seeds  promise", "defect");
    let mut missed = Vec::new();
    for Find { bug, seed } in &finds {
        match seed {
            Some((seed, by)) => println!("{:24} {:5}  {by}", bug.name(), seed + 1),
            None => missed.push(bug.name()),
        }
    }
    assert_eq!(finds.len(), Bug::ALL.len());
    assert!(
        missed.is_empty(),
        "not found within {SEEDS} seeds: {missed:?}"
    );
}
