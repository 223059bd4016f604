//! Which envelopes lie on one chain, across any number of forks.

use crate::cost::{Counting, counted};
use crate::laws::below;
use crate::world::{Pair, content, follow, id_of, rng};
use identity::EnvelopeId;
use std::collections::BTreeMap;
use wire::{Checked, Verified};

/// Whether one is the other or an ancestor of it, by a walk.
fn walk(
    all: &BTreeMap<EnvelopeId, Checked<Verified>>,
    of: &Checked<Verified>,
    end: &Checked<Verified>,
) -> bool {
    let mut at = Some(end);
    while let Some(here) = at {
        if id_of(here) == id_of(of) {
            return true;
        }
        let before = here.get().envelope.header.previous;
        at = all.get(&EnvelopeId::from_bytes(before));
    }
    false
}

#[test]
fn chains_of_random_forks_are_what_a_walk_finds() {
    for seed in 0..12 {
        let pair = Pair::new(320 + seed);
        let mut source = rng(3200 + seed);
        let mut replica = pair.replica(1);
        let mut all = vec![pair.joined.clone()];
        // Some worlds fork now and then, some at every step.
        let reach = [2, 3, 8, 60][below(&mut source, 4)];
        for _ in 0..150 {
            let back = below(&mut source, reach.min(all.len()));
            let previous = all[all.len() - 1 - back].clone();
            let header = follow(pair.topic.header(pair.topic.grant), Some(&previous), &[]);
            let next = content(header, &source.array::<16>(), &pair.guest);
            replica.take(&next);
            all.push(next);
            if source.below(40) == 0 {
                replica = replica.reopen();
            }
        }
        let by_id: BTreeMap<_, _> = all.iter().map(|one| (id_of(one), one.clone())).collect();
        for _ in 0..2000 {
            let of = &all[below(&mut source, all.len())];
            let end = &all[below(&mut source, all.len())];
            let found = replica.run(|lace, store| lace.on_chain(store, &id_of(of), &id_of(end)));
            assert_eq!(found, walk(&by_id, of, end), "seed {seed}");
        }
        let stranger =
            replica.run(|lace, store| lace.on_chain(store, &id_of(&pair.first), &id_of(&all[3])));
        assert!(!stranger, "another author's");
        let unknown = EnvelopeId::from_bytes([9; 32]);
        assert!(!replica.run(|lace, store| lace.on_chain(store, &unknown, &id_of(&all[3]))));
        assert!(!replica.run(|lace, store| lace.on_chain(store, &unknown, &unknown)));
    }
}

#[test]
fn branches_on_branches_cost_the_logarithm_of_their_number() {
    let pair = Pair::new(340);
    let mut replica = pair.replica(1);
    let mut last = pair.joined.clone();
    let mut spine = vec![last.clone()];
    let mut shown = Vec::new();
    // At every number the envelope that comes second goes on.
    for at in 0..1000_u32 {
        let first = pair.says(&last, &[], &format!("first {at}"));
        let second = pair.says(&last, &[], &format!("second {at}"));
        replica.take(&first);
        replica.take(&second);
        shown.push(first);
        last = second.clone();
        spine.push(second);
    }
    let mut most = 0;
    for at in (0..spine.len()).step_by(37) {
        let (of, end) = (id_of(&spine[at]), id_of(&last));
        let counting = Counting::new(replica.world.base());
        let found = counted(&counting, |store| replica.lace.on_chain(store, &of, &end));
        assert!(found);
        most = most.max(counting.reads());
        let aside = id_of(&shown[at.min(999)]);
        let counting = Counting::new(replica.world.base());
        assert!(!counted(&counting, |store| {
            replica.lace.on_chain(store, &aside, &end)
        }));
        most = most.max(counting.reads());
    }
    // Both envelopes, the branch of the first, and twice the logarithm.
    assert!(most <= 3 + 2 * 11, "{most} rows");
}

#[test]
fn without_forks_a_chain_costs_nothing_but_its_ends() {
    let pair = Pair::new(341);
    let mut replica = pair.replica(1);
    let mut last = pair.joined.clone();
    for at in 0..500_u32 {
        last = pair.says(&last, &[], &at.to_string());
        replica.admitted(&last);
    }
    let counting = Counting::new(replica.world.base());
    let (of, end) = (id_of(&pair.joined), id_of(&last));
    assert!(counted(&counting, |store| replica
        .lace
        .on_chain(store, &of, &end)));
    assert_eq!(counting.reads(), 1, "the tip is in memory");
    assert!(!counted(&counting, |store| replica
        .lace
        .on_chain(store, &end, &of)));
}
