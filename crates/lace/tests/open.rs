//! Opening and forgetting.

use crate::world::{LOCAL, Pair, Replica, content, follow, id_of};
use lace::Lace;
use lace::rows::TABLES;
use machine::test::World;

#[test]
fn opening_reads_no_envelopes() {
    let pair = Pair::new(60);
    let mut replica = pair.replica(1);
    let mut before = pair.joined.clone();
    for at in 0..1000_u32 {
        let header = follow(pair.topic.header(pair.topic.grant), Some(&before), &[]);
        before = content(header, &at.to_be_bytes(), &pair.guest);
        replica.admitted(&before);
    }
    // A store from which all envelopes are taken away still opens to the same heads and counts.
    let totals = *replica.lace.totals();
    let hashes = replica.hashes();
    let mut bare = machine::MemoryBase::new();
    let base = replica.world.into_base();
    for (table, key, value) in base
        .rows()
        .filter(|(table, ..)| *table == lace::rows::LACE.id())
    {
        bare.load(table, key.to_vec(), value.to_vec());
    }
    let mut world = World::over(bare, 1);
    let lace = world
        .turn(|cx| Lace::open(&mut cx.store, LOCAL))
        .expect("opens");
    assert_eq!((lace.cut_hash(), lace.evidence_hash()), hashes);
    assert_eq!(*lace.totals(), totals);
    assert_eq!(lace.heads().collect::<Vec<_>>(), [id_of(&before)]);
}

#[test]
fn forgetting_removes_every_row_of_this_topic_and_none_of_another() {
    let pair = Pair::new(61);
    let mut replica = pair.replica(1);
    let mut before = pair.joined.clone();
    for at in 0..100_u32 {
        before = pair.says(&before, &[&pair.invited], &format!("{at}"));
        replica.admitted(&before);
    }
    // A fork, so that rows of every table are there.
    let twin = pair.says(&pair.joined, &[], "twin");
    replica.take(&twin);
    replica.take(&pair.founder_says(&pair.invited, &[&twin], "named"));
    let mut world = replica.world;
    let mut others = Vec::new();
    for local in [LOCAL - 1, LOCAL + 1] {
        let lace = world.turn(|cx| Lace::create(&mut cx.store, local, &pair.topic.genesis));
        let mut other = Replica { world, lace };
        other.admitted(&pair.first);
        world = other.world;
        others.push((local, other.lace.cut_hash()));
    }
    let mut calls = 0;
    while !world.turn(|cx| Lace::forget(&mut cx.store, LOCAL, 50)) {
        calls += 1;
        assert!(world.turn(|cx| Lace::open(&mut cx.store, LOCAL)).is_none());
        assert!(world.turn(|cx| Lace::is_forgetting(&mut cx.store, LOCAL)));
    }
    assert!(calls > 5, "in steps");
    assert!(!world.turn(|cx| Lace::is_forgetting(&mut cx.store, LOCAL)));
    assert!(world.turn(|cx| Lace::forget(&mut cx.store, LOCAL, 50)));
    let ids: Vec<u8> = TABLES.iter().map(|table| table.id()).collect();
    for (table, key, _) in world.base().rows() {
        assert!(ids.contains(&table));
        assert_ne!(&key[..4], &LOCAL.to_be_bytes());
    }
    for (local, hash) in others {
        let other = world
            .turn(|cx| Lace::open(&mut cx.store, local))
            .expect("still there");
        assert_eq!(other.cut_hash(), hash);
    }
    assert!(world.turn(|cx| Lace::open(&mut cx.store, 12345)).is_none());
}

#[test]
fn an_envelope_costs_its_rows_and_no_more() {
    let pair = Pair::new(62);
    let mut replica = pair.replica(1);
    let mut before = pair.joined.clone();
    for at in 0..500_u32 {
        let header = follow(pair.topic.header(pair.topic.grant), Some(&before), &[]);
        before = content(header, &at.to_be_bytes(), &pair.guest);
        let rows = replica.world.base().rows().count();
        replica.admitted(&before);
        // Header, body, id, place, expiry: nothing grows with the length of the chain.
        assert_eq!(replica.world.base().rows().count(), rows + 5);
    }
}
