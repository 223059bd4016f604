//! Random trees of delegation in which people take back what was given: whatever order it is heard
//! in comes to the same, and nobody outside of what was taken back loses anything.

use std::collections::{BTreeMap, BTreeSet};

use identity::{EnvelopeId, GrantId};
use lace::Admission;
use proptest::prelude::*;
use wire::Right;

use crate::town::{MINUTE, Replica, Sealed, id, revoke_with};
use crate::trees::{Person, Tree, Try, play, shuffled, tries};

/// Who takes back what from whom, and what it leaves.
#[derive(Clone, Debug)]
struct Cut {
    by: usize,
    of: usize,
    /// How much of the chain it leaves.
    leaves: usize,
    cascade: bool,
    /// One right alone.
    only: Option<Right>,
    /// Whether somebody below is chosen rather than anybody.
    below: bool,
}

fn cuts() -> impl Strategy<Value = Vec<Cut>> {
    let right = prop_oneof![Just(Right::Publish), Just(Right::Read), Just(Right::Admit)];
    let whom = (any::<usize>(), any::<usize>(), prop::bool::weighted(0.8));
    let what = (
        any::<usize>(),
        any::<bool>(),
        prop::option::weighted(0.3, right),
    );
    let one = (whom, what).prop_map(|((by, of, below), (leaves, cascade, only))| Cut {
        by,
        of,
        leaves,
        cascade,
        only,
        below,
    });
    prop::collection::vec(one, 1..6)
}

/// A tree in which everybody who may has said something, and some have taken something back.
struct Felled {
    tree: Tree,
    /// The grants that an admitted envelope takes from.
    taken: BTreeSet<GrantId>,
}

/// Adds what a person would write next, if it is admitted.
fn offers(replica: &mut Replica, tree: &mut Tree, by: usize, next: Sealed) -> bool {
    let taken = matches!(replica.verdict(&next), Admission::Admitted { .. });
    if taken {
        tree.people[by].pen.chain.push(next.clone());
        tree.admitted.push(next);
    }
    taken
}

fn fell(tries: &[Try], cuts: &[Cut]) -> Felled {
    let mut tree = play(tries);
    let mut replica = Replica::new(&tree.town);
    for envelope in &tree.admitted.clone() {
        replica.takes(envelope);
    }
    let mut now = tree.now;
    let all_speak = |replica: &mut Replica, tree: &mut Tree, now: u64| {
        for by in 0..tree.people.len() {
            let next = tree.people[by].pen.content(&tree.town, (1, 20), &[], now);
            offers(replica, tree, by, next);
        }
    };
    all_speak(&mut replica, &mut tree, now);
    let mut taken = BTreeSet::new();
    for cut in cuts {
        now += MINUTE;
        let by = cut.by % tree.people.len();
        let own = tree.people[by].pen.grant;
        let below: Vec<usize> = (0..tree.people.len())
            .filter(|of| tree.people[*of].above.contains(&own))
            .collect();
        let of = match below.get(cut.of % below.len().max(1)) {
            Some(of) if cut.below => *of,
            _ => cut.of % tree.people.len(),
        };
        let (giver, holder) = (&tree.people[by], &tree.people[of]);
        let last = holder
            .pen
            .chain
            .get(cut.leaves % (holder.pen.chain.len() + 1));
        let ends: Vec<&Sealed> = last.into_iter().collect();
        let grant = holder.pen.grant;
        let item = revoke_with(grant, &ends, |it| {
            it.cascade = cut.cascade;
            it.only = cut.only.into_iter().collect();
        });
        // It names the carrier of what it takes back, or something later, as whoever heard of it.
        let named = holder.pen.chain.first().into_iter().chain(last);
        let deps: Vec<&Sealed> = named.collect();
        let next = giver.pen.control(&tree.town, &[item], &deps, now);
        let above = holder.above.contains(&own) || grant == own;
        if offers(&mut replica, &mut tree, by, next) {
            assert!(above, "only from above, or one's own");
            taken.insert(grant);
        }
    }
    // Those who have not heard of it write on.
    now += MINUTE;
    all_speak(&mut replica, &mut tree, now);
    tree.now = now;
    Felled { tree, taken }
}

/// Whether anything was taken from a person's grant or from one above it.
fn is_touched(person: &Person, taken: &BTreeSet<GrantId>) -> bool {
    let own = [person.pen.grant];
    let mut grants = person.above.iter().chain(&own);
    grants.any(|grant| taken.contains(grant))
}

fn standing(replica: &mut Replica, of: &Tree) -> BTreeMap<EnvelopeId, bool> {
    let all = of.admitted.iter();
    all.map(|envelope| (id(envelope), replica.stands(envelope)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// Whose grant nobody took from, nor one above it, loses nothing of what it wrote.
    #[test]
    fn what_is_taken_back_touches_nothing_beside_it(tries in tries(), cuts in cuts()) {
        let Felled { tree, taken } = fell(&tries, &cuts);
        let mut replica = Replica::new(&tree.town);
        for envelope in &tree.admitted {
            replica.verdict(envelope);
        }
        let effect = replica.run(|lace, store| lace.held_effect(store));
        for person in &tree.people {
            if is_touched(person, &taken) {
                continue;
            }
            let seat = effect.grants.get(&person.pen.grant);
            prop_assert!(seat.is_some_and(|seat| seat.over == lace::Over::default()));
            for envelope in &person.pen.chain {
                prop_assert!(replica.stands(envelope));
            }
        }
    }

    /// Whoever hears it in another order, or begins anew, comes to the same.
    #[test]
    fn what_is_taken_back_is_the_same_in_every_order(
        tries in tries(),
        cuts in cuts(),
        orders in prop::array::uniform3(any::<u64>()),
    ) {
        let Felled { tree, .. } = fell(&tries, &cuts);
        let mut first = Replica::new(&tree.town);
        for envelope in &tree.admitted {
            first.verdict(envelope);
        }
        let stands = standing(&mut first, &tree);
        for (at, order) in orders.into_iter().enumerate() {
            let mut other = Replica::new(&tree.town);
            for envelope in &shuffled(&tree.admitted, order) {
                other.verdict(envelope);
            }
            if at == 0 {
                other = other.reopen();
            }
            for envelope in &tree.admitted {
                prop_assert!(other.has(envelope));
            }
            prop_assert_eq!(&standing(&mut other, &tree), &stands);
        }
    }
}
