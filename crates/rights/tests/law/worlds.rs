//! Random schedules of people and attackers, signed: replicas that hear all of it, in whatever order
//! and with restarts in the middle of anything, come to what the model says in plain sets.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use identity::{EnvelopeId, GrantId};
use lace::Admission;
use machine::Rng;
use rights::eff::{Class, Rights};
use wire::Genesis;

use super::model_naive::{Known, Naive, Standing};
use super::model_play::Play;
use super::model_world::{Item, Set, World, each, one};
use crate::scribe::{Book, Writer};
use crate::town::{Replica, Sealed, id};

const STEPS: usize = 70;

/// What the model says of a set, in the words of the graph.
struct Expected {
    effective: Set,
    kept: Set,
    /// By envelope and place in it.
    void: BTreeSet<(usize, usize)>,
    grants: BTreeSet<GrantId>,
}

fn closure(world: &World, of: Set) -> Set {
    each(of).fold(of, |all, env| all | world.envs[env].past)
}

fn expected(world: &World, set: Set, known: &Known) -> Expected {
    let naive = Naive::new(world, set, known, None);
    let inside = |env: usize| {
        naive.full(world.envs[env].root, Class::Other) & one(env) != 0
            && !naive.is_forked(env, Class::Other)
    };
    let (mut firm, mut loose) = (0, 0);
    for env in each(set) {
        match world.envs[env].items.is_empty() {
            true => match naive.content(env) {
                Standing::Stands => firm |= one(env),
                Standing::Loose => loose |= one(env),
                Standing::Void => {}
            },
            false if inside(env) => firm |= one(env),
            false => {}
        }
    }
    let (mut void, mut pins) = (BTreeSet::new(), 0);
    for (no, (env, index)) in world.at.iter().enumerate() {
        if set & one(*env) == 0 {
            continue;
        }
        let stands = match &world.envs[*env].items[*index] {
            // Whoever forks its first envelope a thousand times has no thousand of them kept.
            Item::Certificate { .. } | Item::Claim => inside(*env),
            _ => naive.stands(no),
        };
        if !stands {
            void.insert((*env, *index));
        }
        if stands || naive.is_pinned(no) {
            pins |= one(*env);
        }
    }
    let held = closure(world, firm);
    let grants = world.grants.iter().enumerate().filter(|(grant, _)| {
        let ends = |from| naive.ends(*grant, from);
        let mut all = ends(true).into_iter().chain(ends(false));
        naive.is_born(*grant)
            && naive.closes(*grant).is_empty()
            && !all.any(|end| end.2.has(Rights::ALL))
    });
    Expected {
        effective: firm | (loose & held),
        kept: held | closure(world, pins),
        void,
        grants: grants.map(|(_, row)| row.id).collect(),
    }
}

/// A schedule to its end, and all that was written in it.
struct Story {
    play: Play,
    genesis: Genesis,
    pages: Vec<Sealed>,
    /// Envelopes that may be offered: admissible, or at least with an admissible past.
    fine: Vec<usize>,
    bad: Vec<usize>,
}

fn story(seed: u64) -> Story {
    let book = Rc::new(RefCell::new(Book::default()));
    let writer = Writer {
        book: Rc::clone(&book),
        salt: seed,
    };
    let mut play = Play::drawn(seed, None, |salt, owners| {
        World::written(salt, owners, Some(Box::new(writer)))
    });
    for _ in 0..STEPS {
        play.step();
    }
    let ending = play.finish();
    assert!(ending.same && ending.silent, "seed {seed}: replicas differ");
    let book = book.borrow();
    let (mut fine, mut bad) = (Vec::new(), Vec::new());
    for env in 0..play.world.envs.len() {
        if play.is_admissible(env) {
            fine.push(env);
        } else if each(play.world.envs[env].past).all(|before| play.is_admissible(before)) {
            bad.push(env);
        }
    }
    Story {
        genesis: book.genesis.clone().unwrap(),
        pages: book.pages.clone(),
        play,
        fine,
        bad,
    }
}

/// How often the interesting things happened.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    refused: usize,
    void: usize,
    loose: usize,
    pinned: usize,
    ends: usize,
    acts: usize,
    joint: usize,
    closes: usize,
    forks: usize,
}

impl Story {
    fn replica(&self) -> Replica {
        Replica::of(&self.genesis)
    }

    /// Takes all that is admissible in some order, restarting now and then.
    fn hear(&self, rng: &mut Rng) -> Replica {
        let mut replica = self.replica();
        let mut order = self.fine.clone();
        rng.shuffle(&mut order);
        if rng.below(4) == 0 {
            order.sort_unstable();
        }
        for env in order.iter().chain(&order) {
            replica.verdict(&self.pages[*env]);
            match rng.below(12) {
                0 => replica.settle(),
                1 => drop(replica.run(|lace, store| lace.work_within(store, 1))),
                2 => replica = replica.reopen(),
                _ => {}
            }
        }
        // What was parked is forgotten by a restart, and comes again.
        for env in &self.fine {
            replica.verdict(&self.pages[*env]);
        }
        replica.settle();
        replica
    }

    fn check(&self, seed: u64, replica: &mut Replica, expected: &Expected) {
        let world = &self.play.world;
        for env in &self.fine {
            let (page, it) = (&self.pages[*env], &world.envs[*env]);
            let name = || format!("seed {seed}, envelope {env}: {:?}", it.items);
            if !replica.has(page) {
                let verdict = replica.verdict(page);
                panic!("{verdict:?}, {}, {it:?}", name());
            }
            let found = (replica.keeps(page), replica.stands(page));
            let kept = expected.kept & one(*env) != 0;
            let effective = expected.effective & one(*env) != 0;
            assert_eq!(found, (kept, effective), "kept, effective, {}", name());
        }
        let (void, grants) = self.effect(replica);
        assert_eq!(void, expected.void, "seed {seed}: void facts");
        assert_eq!(grants, expected.grants, "seed {seed}: grants that stand");
    }

    /// The facts that are void, and the grants that stand.
    fn effect(&self, replica: &mut Replica) -> (BTreeSet<(usize, usize)>, BTreeSet<GrantId>) {
        let effect = replica.run(|lace, store| lace.held_effect(store));
        let by_id: BTreeMap<EnvelopeId, usize> = self
            .pages
            .iter()
            .enumerate()
            .map(|(env, page)| (id(page), env))
            .collect();
        let void = replica.run(|lace, store| {
            lace.facts(store, |facts| {
                let void = effect.void.keys().map(|no| {
                    let fact = facts.fact(*no).unwrap();
                    let carried = facts.carried(&fact.carrier);
                    let index = carried.iter().position(|it| it.no == *no).unwrap();
                    (by_id[&fact.carrier], index)
                });
                void.collect()
            })
        });
        (void, effect.grants.keys().copied().collect())
    }

    fn count(&self, tally: &mut Tally, expected: &Expected, all: Set, known: &Known) {
        let world = &self.play.world;
        tally.refused += self.bad.len();
        tally.forks += known.len();
        tally.void += (all & !expected.kept).count_ones() as usize;
        tally.loose += (expected.kept & !expected.effective).count_ones() as usize;
        for (env, index) in &world.at {
            if all & one(*env) == 0 || expected.void.contains(&(*env, *index)) {
                continue;
            }
            match &world.envs[*env].items[*index] {
                Item::Revocation { joint, .. } => {
                    tally.ends += 1;
                    tally.joint += usize::from(joint.is_some());
                }
                Item::Grant(grant) => {
                    tally.joint += usize::from(world.grants[*grant].joint.is_some());
                }
                Item::Close { .. } => tally.closes += 1,
                Item::Act { .. } => {
                    tally.acts += 1;
                    tally.pinned += usize::from(expected.effective & one(*env) == 0);
                }
                _ => {}
            }
        }
    }
}

fn told(seed: u64, tally: &mut Tally) {
    let story = story(seed);
    let all = story.fine.iter().fold(0, |all, env| all | one(*env));
    let known = super::model_play::forks(&story.play.world, all);
    let expected = expected(&story.play.world, all, &known);
    story.count(tally, &expected, all, &known);
    let mut bytes = [3; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let mut rng = Rng::from_seed(bytes);
    for _ in 0..2 {
        let mut replica = story.hear(&mut rng);
        story.check(seed, &mut replica, &expected);
        // What breaks a rule breaks it everywhere. It comes last: parked, it would be evidence.
        for env in &story.bad {
            let verdict = replica.verdict(&story.pages[*env]);
            let it = &story.play.world.envs[*env];
            assert!(
                matches!(verdict, Admission::Refused(_)),
                "seed {seed}, envelope {env} {verdict:?}: {it:?}"
            );
        }
        // What is void goes without a trace.
        let limit = 1 + usize::try_from(rng.below(3)).unwrap();
        while !replica
            .run(|lace, store| lace.sweep_void(store, limit))
            .is_empty()
        {}
        replica.settle();
        for env in &story.fine {
            let (page, bit) = (&story.pages[*env], one(*env));
            let found = (replica.has(page), replica.stands(page));
            let kept = expected.kept & bit != 0;
            assert_eq!(
                found,
                (kept, expected.effective & bit != 0),
                "seed {seed}, envelope {env} when what is void has gone"
            );
        }
        let (_, grants) = story.effect(&mut replica);
        assert_eq!(grants, expected.grants, "seed {seed}: grants, swept");
        // It comes again.
        let mut replica = replica.reopen();
        for env in story.fine.iter().chain(&story.fine) {
            replica.verdict(&story.pages[*env]);
        }
        replica.settle();
        story.check(seed, &mut replica, &expected);
    }
}

fn told_all(seeds: core::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        told(seed, &mut tally);
    }
    println!("{tally:?}");
    tally
}

#[test]
fn replicas_come_to_what_the_model_says_in_whatever_order_they_hear() {
    let tally = told_all(0..60);
    let Tally {
        refused,
        void,
        loose,
        pinned,
        ends,
        acts,
        joint,
        closes,
        forks,
    } = tally;
    let all = [
        refused, void, loose, pinned, ends, acts, joint, closes, forks,
    ];
    assert!(all.into_iter().min() > Some(9), "too tame: {tally:?}");
}

/// Signed envelopes of 3,000 schedules in all, in two halves so that both cores work.
#[test]
fn replicas_come_to_what_the_model_says_in_the_first_half_of_the_schedules() {
    told_all(100_000..101_500);
}

#[test]
fn replicas_come_to_what_the_model_says_in_the_second_half_of_the_schedules() {
    told_all(101_500..103_000);
}
