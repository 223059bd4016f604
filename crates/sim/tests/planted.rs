//! The swarm finds every known defect, without knowing which one is planted.

use machine::planted::Bug;
use sim::Limits;
use sim::search::{How, search};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Seeds within which each defect has to be found.
const SEEDS: u64 = 200;

/// Some defects keep nodes busy without end. No world without one has as many events.
const MAX_EVENTS: u64 = 1_500_000;

/// How a defect was found.
struct Find {
    bug: Bug,
    /// In which world, and by which promise; none if in none.
    seed: Option<(u64, String)>,
}

impl Find {
    /// A row of the table.
    fn tell(&self) {
        match &self.seed {
            Some((seed, by)) => println!("{:24} {:5}  {by}", self.bug.name(), seed + 1),
            None => println!("{:24}     -  not found", self.bug.name()),
        }
    }
}

/// Worlds that were tried without any defect, and whether every promise held.
type Sound = Mutex<BTreeMap<u64, bool>>;

const fn how(planted: Option<Bug>) -> How {
    How {
        threads: 1,
        twice: false,
        limits: Limits {
            time: None,
            memory: None,
            events: Some(MAX_EVENTS),
        },
        planted,
    }
}

/// What is wrong in the world of a seed.
fn wrong(seed: u64, planted: Option<Bug>) -> Option<String> {
    let mut wrong = None;
    search(seed..seed + 1, how(planted), &mut |found| {
        let broken = found.outcome.broken.first();
        let promise = broken.map(|broken| broken.promise.to_owned());
        let endless = found.outcome.unfinished;
        wrong = promise.or_else(|| endless.map(|_| "it does not end".to_owned()));
        ControlFlow::Continue(())
    });
    wrong
}

/// Whether every promise holds in the world of a seed where no defect is planted.
fn is_sound(seed: u64, sound: &Sound) -> bool {
    let known = sound.lock().expect("nobody panics").get(&seed).copied();
    known.unwrap_or_else(|| {
        let holds = wrong(seed, None).is_none();
        sound.lock().expect("nobody panics").insert(seed, holds);
        holds
    })
}

/// Tries one seed after another until a promise breaks that holds without the defect.
fn find(bug: Bug, sound: &Sound) -> Find {
    let mut tried = (0..SEEDS).filter_map(|seed| Some((seed, wrong(seed, Some(bug))?)));
    let seed = tried.find(|(seed, _)| is_sound(*seed, sound));
    Find { bug, seed }
}

#[test]
fn the_swarm_finds_every_known_defect() {
    let next = AtomicUsize::new(0);
    let (finds, sound) = (Mutex::new(Vec::new()), Sound::default());
    println!("{:24} seeds  promise", "defect");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            // One defect for each thread: what is planted is planted in a thread.
            scope.spawn(|| {
                while let Some(bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let find = find(*bug, &sound);
                    find.tell();
                    finds.lock().expect("nobody panics").push(find);
                }
            });
        }
    });
    let finds = finds.into_inner().expect("nobody panics");
    let missed = finds.iter().filter(|find| find.seed.is_none());
    let missed: Vec<&str> = missed.map(|find| find.bug.name()).collect();
    assert_eq!(finds.len(), Bug::ALL.len());
    assert!(
        missed.is_empty(),
        "not found within {SEEDS} seeds: {missed:?}"
    );
}
