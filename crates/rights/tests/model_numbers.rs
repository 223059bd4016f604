//! Local numbers and the order of hearing are a replica's own: what stands does not follow them.

use std::collections::{BTreeMap, BTreeSet};

use identity::{EnvelopeId, GrantId};
use rights::eff::{AuthorNo, Effect, Fact, FactNo, Facts, Root, Spot, eff};

use super::model_play::{Play, facts_effect};
use super::model_world::{World, one};

/// The same facts, numbered from the end.
struct Backwards<'a> {
    world: &'a World,
    facts: Vec<Fact>,
}

impl<'a> Backwards<'a> {
    fn new(world: &'a World) -> Self {
        let mut facts: Vec<Fact> = world.facts.iter().rev().cloned().collect();
        for (no, fact) in facts.iter_mut().enumerate() {
            fact.no = FactNo(no as u32);
            fact.author = other(fact.author);
        }
        Self { world, facts }
    }

    fn back(&self, no: FactNo) -> FactNo {
        FactNo(self.facts.len() as u32 - 1 - no.0)
    }
}

/// An author's number at the other replica.
fn other(author: AuthorNo) -> AuthorNo {
    AuthorNo(1000 - author.0)
}

impl Facts for Backwards<'_> {
    fn root(&self) -> &Root {
        self.world.root()
    }

    fn fact(&self, no: FactNo) -> Option<&Fact> {
        self.facts.get(no.0 as usize)
    }

    fn on_chain(&self, of: &Spot, end: &EnvelopeId) -> bool {
        self.world.on_chain(of, end)
    }

    fn in_past(&self, fact: FactNo, of: &EnvelopeId) -> bool {
        self.world.in_past(self.back(fact), of)
    }
}

/// What of an effect has the same name everywhere.
fn named(effect: &Effect) -> BTreeMap<GrantId, (u32, bool, usize, usize, usize)> {
    let grants = effect.grants().iter().map(|(id, it)| {
        let ends = (it.above.len(), it.own.len(), it.closes.len());
        (*id, (it.depth, it.born, ends.0, ends.1, ends.2))
    });
    grants.collect()
}

#[test]
fn another_numbering_comes_to_the_same() {
    for seed in 0..300 {
        let mut play = Play::new(seed, None);
        for _ in 0..60 {
            play.step();
        }
        let (all, known) = play.all();
        let world = &play.world;
        let effect = facts_effect(world, all, &known);
        let there = Backwards::new(world);
        let set: Vec<FactNo> = world.facts_of(all);
        let set: Vec<FactNo> = set.into_iter().map(|no| there.back(no)).collect();
        let roots = world.envs.iter().enumerate().filter(|it| it.1.root == it.0);
        let evidence: BTreeMap<AuthorNo, u64> = roots
            .filter_map(|(no, env)| {
                let number = known.get(&env.key)?;
                Some((other(AuthorNo(no as u32)), *number))
            })
            .collect();
        let elsewhere = eff(&there, &set, &evidence);
        assert_eq!(named(&effect), named(&elsewhere), "seed {seed}");
        let void: BTreeSet<FactNo> = elsewhere.void().keys().map(|no| there.back(*no)).collect();
        assert!(effect.void().keys().eq(&void), "seed {seed}");
        let pinned: BTreeSet<FactNo> = elsewhere
            .pinned()
            .iter()
            .map(|no| there.back(*no))
            .collect();
        assert_eq!(*effect.pinned(), pinned, "seed {seed}");
        for member in &world.members {
            let states = |effect: &Effect| {
                let states = effect.member(&member.id).map(|it| it.states.clone());
                let states = states.into_iter().flatten();
                states.map(|it| (it.id, it.form)).collect::<Vec<_>>()
            };
            assert_eq!(states(&effect), states(&elsewhere), "seed {seed}");
        }
        // A fact that is not there is passed over, and twice is once.
        let mut more = world.facts_of(all);
        more.push(FactNo(u32::MAX));
        more.extend(world.facts_of(all & one(0)));
        assert!(all == 0 || more.len() > world.facts_of(all).len());
        let evidence = BTreeMap::new();
        assert_eq!(
            eff(world, &more, &evidence),
            eff(world, &world.facts_of(all), &evidence)
        );
    }
}
