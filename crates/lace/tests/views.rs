//! Views and chains against a walk over the whole past, in random worlds; and somebody who makes
//! as many views as can be.

use crate::laws::{Play, below};
use crate::oracle::parents;
use crate::world::{Pair, Replica, content, control, follow, id_of, join, rng};
use identity::{EnvelopeId, PublicKey, SecretKey};
use lace::limits::{
    MAX_EFFECT_BYTES, MAX_EFFECTS, MAX_FACT_BYTES, MAX_FACTS_KEPT, MAX_JOINS, MAX_SET_BYTES,
    MAX_SETS, MAX_VIEW_STEPS,
};
use lace::{Admission, FactNo, Set, ViewNo, is_fact, rows};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Checked, Item, Verified};

type Pool = BTreeMap<EnvelopeId, Checked<Verified>>;

/// Which item of which envelope.
type Said = (EnvelopeId, identity::GrantId);

fn said(verified: &Checked<Verified>) -> Vec<Said> {
    let items = verified.get().items.iter().flatten();
    let facts = items.filter(|item| is_fact(item.kind()));
    facts.map(|item| (id_of(verified), item.id())).collect()
}

/// The facts in the past of each, by a walk over all of it.
fn walked(pool: &Pool) -> BTreeMap<EnvelopeId, BTreeSet<Said>> {
    let mut all = BTreeMap::new();
    for (id, verified) in pool {
        let (mut facts, mut seen) = (BTreeSet::new(), BTreeSet::from([*id]));
        let mut todo = vec![verified];
        while let Some(at) = todo.pop() {
            facts.extend(said(at));
            todo.extend(
                parents(at)
                    .into_iter()
                    .filter(|id| seen.insert(*id))
                    .map(|id| &pool[&id]),
            );
        }
        all.insert(*id, facts);
    }
    all
}

/// What is in a replica.
fn inside(replica: &mut Replica, pool: &[Checked<Verified>]) -> Pool {
    let all = pool.iter().map(|verified| (id_of(verified), verified));
    all.filter(|(id, _)| replica.contains(id))
        .map(|(id, verified)| (id, verified.clone()))
        .collect()
}

fn rows_with(replica: &Replica, tag: u8) -> Vec<Vec<u8>> {
    let all = replica.world.base().rows();
    all.filter(|(table, key, _)| *table == rows::LACE.id() && key[4] == tag)
        .map(|(_, key, _)| key[5..].to_vec())
        .collect()
}

/// Every view is the set that a walk finds, and no row is left of what is gone.
fn check_views(replica: &mut Replica, pool: &[Checked<Verified>]) {
    let pool = inside(replica, pool);
    let oracle = walked(&pool);
    let mut views: BTreeSet<ViewNo> = BTreeSet::new();
    let mut by_set: BTreeMap<Vec<FactNo>, ViewNo> = BTreeMap::new();
    let mut carriers: BTreeSet<EnvelopeId> = BTreeSet::new();
    for (id, verified) in &pool {
        let (set, named, facts) = replica.run(|lace, store| {
            let set = lace.view_of(store, id).expect("it is here");
            lace.facts(store, |facts| {
                let of = |no| facts.fact(no).expect("a fact that is here");
                let all: Vec<_> = set.iter().map(of).collect();
                (set.clone(), facts.find(id).expect("it is here"), all)
            })
        });
        assert_eq!(set.len(), facts.len());
        assert!(set.iter().is_sorted() && set.iter().all(|no| set.has(no)));
        let found: BTreeSet<Said> = facts.iter().map(|fact| (fact.carrier, fact.item)).collect();
        assert_eq!(found, oracle[id], "the facts of the past of {id:?}");
        assert_eq!(found.len(), facts.len(), "each once");
        let known = by_set.insert(set.iter().collect(), named.view);
        assert!(
            known.is_none_or(|known| known == named.view),
            "one number a set"
        );
        views.insert(named.view);
        for fact in &facts {
            assert_eq!(fact.item, fact.what.id());
            let header = &pool[&fact.carrier].get().envelope.header;
            let is = (fact.number, fact.generation, fact.created);
            assert_eq!(is, (header.number, header.generation, header.created));
            views.insert(fact.view);
        }
        // What an envelope carries, and the view of its past without it.
        let own = replica.run(|lace, store| lace.facts(store, |facts| facts.carried(id)));
        let items: Vec<Said> = own.iter().map(|fact| (fact.carrier, fact.item)).collect();
        assert_eq!(items, said(verified));
        for fact in own {
            let past = replica.run(|lace, store| lace.facts(store, |facts| facts.set(fact.view)));
            assert_eq!(past.len() + items.len(), set.len());
            assert!(set.includes(&past) && past.iter().all(|no| no < fact.no));
            carriers.insert(*id);
        }
    }
    views.remove(&ViewNo(0));
    let stored: BTreeSet<ViewNo> = rows_with(replica, b'v')
        .iter()
        .map(|key| ViewNo(u32::from_be_bytes(key[..].try_into().expect("a number"))))
        .collect();
    assert_eq!(
        stored, views,
        "rows of views that something holds, and no others"
    );
    assert_eq!(rows_with(replica, b'f').len(), carriers.len());
    assert!(rows_with(replica, b'w').len() <= views.len());
}

/// Chains are what a walk finds, and there are no more branches than ends of chains.
fn check_chains(replica: &mut Replica, pool: &[Checked<Verified>]) {
    let pool = inside(replica, pool);
    let mut by_author: BTreeMap<PublicKey, Vec<EnvelopeId>> = BTreeMap::new();
    for (id, verified) in &pool {
        let author = verified.get().envelope.header.author;
        by_author.entry(author).or_default().push(*id);
    }
    let mut ends = 0;
    for ids in by_author.values() {
        let mut previous = BTreeSet::new();
        for end in ids {
            let mut chain = BTreeSet::from([*end]);
            let mut at = *end;
            while let Some(verified) = pool.get(&at) {
                chain.insert(at);
                at = EnvelopeId::from_bytes(verified.get().envelope.header.previous);
                if chain.len() == 2 || pool.contains_key(&at) {
                    previous.insert(at);
                }
            }
            for of in ids {
                let found = replica.run(|lace, store| lace.on_chain(store, of, end));
                assert_eq!(found, chain.contains(of), "{of:?} on the chain of {end:?}");
            }
        }
        ends += ids.iter().filter(|id| !previous.contains(*id)).count();
    }
    let branches = rows_with(replica, b'r').len();
    let authors = by_author.len();
    assert!(
        branches <= ends && branches + authors >= ends,
        "{branches} {ends} {authors}"
    );
    let strangers = pool.keys().zip(pool.keys().skip(1));
    for (a, b) in strangers {
        let (one, two) = (
            &pool[a].get().envelope.header,
            &pool[b].get().envelope.header,
        );
        if one.author != two.author {
            assert!(!replica.run(|lace, store| lace.on_chain(store, a, b)));
        }
    }
}

/// Steps of a world in which replicas start again and sweep at any time.
fn wild(play: &mut Play, steps: usize) {
    for _ in 0..steps {
        play.step();
        let at = below(&mut play.rng, play.replicas.len());
        match play.rng.below(12) {
            0 => {
                let replica = play.replicas.remove(at);
                play.replicas.insert(at, replica.reopen());
            }
            1 => {
                let limit = 1 + below(&mut play.rng, 4);
                play.replicas[at].run(|lace, store| lace.sweep_void(store, limit));
            }
            2 => check_views(&mut play.replicas[at], &play.pool),
            _ => {}
        }
    }
}

#[test]
fn views_are_what_a_walk_over_the_past_finds() {
    let (mut joined, mut branches) = (0, 0);
    for seed in 0..250 {
        let mut play = Play::new(50_000 + seed);
        wild(&mut play, 40);
        for replica in &mut play.replicas {
            check_views(replica, &play.pool);
            check_chains(replica, &play.pool);
            joined += rows_with(replica, b'w').len();
            branches += rows_with(replica, b'r').len();
        }
        play.settle();
        let pool = play.pool.clone();
        for mut replica in play.replicas.drain(..) {
            // All that is void goes, comes again, and all starts again.
            while !replica
                .run(|lace, store| lace.sweep_void(store, 3))
                .is_empty()
            {}
            check_views(&mut replica, &pool);
            check_chains(&mut replica, &pool);
            for verified in pool.iter().chain(&pool) {
                replica.take(verified);
            }
            check_views(&mut replica, &pool);
            let mut replica = replica.reopen();
            check_views(&mut replica, &pool);
            check_chains(&mut replica, &pool);
        }
    }
    assert!(
        joined > 100 && branches > 100,
        "too tame: {joined} {branches}"
    );
}

#[test]
fn what_goes_and_comes_again_leaves_nothing_behind() {
    // A forked author whose void control and joins are swept and offered again for ever.
    let pair = Pair::new(310);
    let mut replica = pair.replica(1);
    let sealing = [Item::Sealing(pair.topic.invite.sealing)];
    let by_guest = |previous: &Checked<Verified>, deps: &[&Checked<Verified>]| {
        let header = follow(pair.topic.header(pair.topic.grant), Some(previous), deps);
        control(header, &sealing, &pair.guest)
    };
    let founders = {
        let grant = pair.topic.founder_grant();
        let header = follow(pair.topic.header(grant), Some(&pair.invited), &[]);
        control(header, &sealing, &pair.author)
    };
    let twin = pair.says(&pair.joined, &[], "twin");
    let said = by_guest(&pair.joined, &[]);
    let joins = pair.says(&said, &[&founders], "joins");
    let again = by_guest(&joins, &[&pair.joined, &founders]);
    replica.admitted(&founders);
    replica.take(&twin);
    let (mut counts, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..40 {
        for verified in [&said, &joins, &again, &twin] {
            assert!(matches!(
                replica.verdict(verified),
                Admission::Void | Admission::Duplicate { .. }
            ));
        }
        let pool = [&pair.first, &pair.invited, &pair.joined, &founders];
        let pool: Vec<_> = pool
            .into_iter()
            .chain([&twin, &said, &joins, &again])
            .cloned()
            .collect();
        check_views(&mut replica, &pool);
        check_chains(&mut replica, &pool);
        while !replica
            .run(|lace, store| lace.sweep_void(store, 1))
            .is_empty()
        {}
        counts.insert(replica.world.base().rows().count());
        numbers.insert(rows_with(&replica, b'v').len());
        assert!(rows_with(&replica, b'w').is_empty() && rows_with(&replica, b'r').is_empty());
        if round % 10 == 9 {
            replica = replica.reopen();
        }
    }
    assert_eq!(
        (counts.len(), numbers.len()),
        (1, 1),
        "{counts:?} {numbers:?}"
    );
}

/// Everything that a member may do to make views: chains that do not know of one another, joined
/// in all combinations by incarnations without end, and by branches.
#[test]
fn a_member_that_makes_views_without_end_fills_its_own_rows_alone() {
    let pair = Pair::new(311);
    let mut replica = pair.replica(1);
    let mut source = rng(3110);
    let sealing = Item::Sealing(pair.topic.invite.sealing);
    let start: Vec<usize> = [b'f', b'v', b'w', b'r']
        .map(|tag| rows_with(&replica, tag).len())
        .to_vec();
    let mut sent = 0;
    // Two chains of facts, each longer than the steps that a view may need.
    let length = 2 * usize::try_from(MAX_VIEW_STEPS).expect("small") + 20;
    let mut chains: Vec<Vec<Checked<Verified>>> = Vec::new();
    for _ in 0..2 {
        let keys = [(); 2].map(|()| SecretKey::generate(&mut source));
        let first = join(&pair.topic, &keys[0], &keys[1], 0, &[&pair.invited]);
        replica.admitted(&first);
        let mut chain = vec![first];
        for _ in 0..length {
            let last = chain.last().expect("begun");
            let header = follow(pair.topic.header(pair.topic.grant), Some(last), &[]);
            let next = control(
                header,
                &[sealing.clone(), Item::Leave, sealing.clone()],
                &keys[1],
            );
            replica.admitted(&next);
            chain.push(next);
        }
        sent += chain.len();
        chains.push(chain);
    }
    // Branches of one author, each of which joins another pair.
    let mut pairs = BTreeSet::new();
    for round in 0..600 {
        let at = (below(&mut source, length), below(&mut source, length));
        pairs.insert(at);
        let deps = [&chains[0][at.0], &chains[1][at.1]];
        if round % 3 == 0 {
            let keys = [(); 2].map(|()| SecretKey::generate(&mut source));
            let deps = [deps[0], deps[1], &pair.invited];
            replica.admitted(&join(&pair.topic, &keys[0], &keys[1], 0, &deps));
        } else {
            let header = follow(
                pair.topic.header(pair.topic.grant),
                Some(&pair.joined),
                &deps,
            );
            let body = source.array::<20>();
            replica.take(&content(header, &body, &pair.guest));
        }
        sent += 1;
        check_load(&replica);
        if round == 300 {
            replica = replica.reopen();
        }
    }
    assert!(pairs.len() > 500, "enough combinations");
    // Rows: a fact row, at most two views of which one has its hash, and a branch, each envelope.
    let most = [sent, 2 * sent, sent, sent];
    for ((tag, most), start) in [b'f', b'v', b'w', b'r'].into_iter().zip(most).zip(start) {
        let rows = rows_with(&replica, tag).len();
        assert!(rows - start <= most, "{}: {rows} rows", char::from(tag));
    }
    // Bytes: what a view adds, and all of it only when too much would have to be read.
    let all = replica.world.base().rows();
    let views = all.filter(|(table, key, _)| *table == rows::LACE.id() && key[4] == b'v');
    let sizes: Vec<usize> = views.map(|(_, _, row)| row.len()).collect();
    // 600 facts are at most 12 blocks of 64.
    let most = 32 + 4 * 17 + 32 + 12 * (12 + 2);
    assert!(
        sizes.iter().all(|size| *size <= most),
        "{:?}",
        sizes.iter().max()
    );
    // Whoever says the same again makes nothing new.
    let before = rows_with(&replica, b'v').len();
    let at = pairs.first().copied().expect("some");
    let deps = [&chains[0][at.0], &chains[1][at.1]];
    let header = follow(
        pair.topic.header(pair.topic.grant),
        Some(&pair.joined),
        &deps,
    );
    replica.take(&content(header, b"once more", &pair.guest));
    assert_eq!(rows_with(&replica, b'v').len(), before);
}

fn check_load(replica: &Replica) {
    let load = replica.lace.view_load();
    assert!(
        load.facts <= MAX_FACTS_KEPT && load.fact_bytes <= MAX_FACT_BYTES,
        "{load:?}"
    );
    assert!(
        load.sets <= MAX_SETS && load.set_bytes <= MAX_SET_BYTES,
        "{load:?}"
    );
    assert!(load.joins <= MAX_JOINS, "{load:?}");
    assert!(
        load.effects <= MAX_EFFECTS && load.effect_bytes <= MAX_EFFECT_BYTES,
        "{load:?}"
    );
}

#[test]
fn an_inadmissible_envelope_leaves_no_view() {
    let pair = Pair::new(312);
    let mut replica = pair.replica(1);
    let grant = pair.topic.founder_grant();
    let header = follow(pair.topic.header(grant), Some(&pair.invited), &[]);
    let sealing = [Item::Sealing(pair.topic.invite.sealing)];
    let founders = control(header, &sealing, &pair.author);
    replica.admitted(&founders);
    let before = replica.world.base().clone();
    // It would join two views, and may not.
    let header = follow(
        pair.topic.header(pair.topic.grant),
        Some(&pair.joined),
        &[&founders],
    );
    let title = control(header, &[Item::Title(vec![1; 60])], &pair.guest);
    let refused = Admission::Refused(lace::Rule::FounderOnly);
    assert_eq!(replica.verdict(&title), refused);
    assert!(*replica.world.base() == before, "nothing is written");
}

#[test]
fn sets_are_sets() {
    let mut source = rng(313);
    for _ in 0..300 {
        let mut draw = || -> BTreeSet<FactNo> {
            let most = 1 << source.below(14);
            (0..source.below(80))
                .map(|_| FactNo(u32::try_from(source.below(most)).expect("small")))
                .collect()
        };
        let (a, b) = (draw(), draw());
        let (one, two) = (Set::new(a.clone()), Set::new(b.clone()));
        assert_eq!(one.iter().collect::<BTreeSet<_>>(), a);
        assert_eq!((one.len(), one.is_empty()), (a.len(), a.is_empty()));
        assert_eq!(one.includes(&two), b.is_subset(&a));
        assert!(one.includes(&one) && one.includes(&Set::default()));
        let both = Set::new(a.union(&b).copied());
        assert!(both.includes(&one) && both.includes(&two));
        assert!((0..1 << 14).all(|no| one.has(FactNo(no)) == a.contains(&FactNo(no))));
    }
}
