//! Every limit, filled.

use crate::world::{Pair, SMALL, content, follow, id_of, join, rng};
use identity::SecretKey;
use lace::limits::{MAX_AHEAD, MAX_RANGES, MAX_SERVE_SKIP, MAX_STRANGE_EVIDENCE};
use lace::{Budget, Range, Verdict};
use wire::check_evidence;

#[test]
fn evidence_about_strangers_is_bounded_and_about_authors_is_not() {
    let pair = Pair::new(80);
    let mut replica = pair.replica(1);
    let mut source = rng(800);
    let mut tell = |replica: &mut crate::world::Replica| {
        let key = SecretKey::generate(&mut source);
        let header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
        let pair = [b"left ", b"right"].map(|text| {
            content(header.clone(), text, &key)
                .get()
                .envelope
                .to_raw_header()
        });
        let [left, right] = pair;
        let evidence = check_evidence(left, right).expect("evidence");
        replica.run(|lace, store| lace.add_evidence(store, &evidence))
    };
    for _ in 0..MAX_STRANGE_EVIDENCE {
        assert!(tell(&mut replica));
    }
    assert!(!tell(&mut replica));
    assert_eq!(replica.lace.forks().count(), MAX_STRANGE_EVIDENCE);
    let left = pair
        .says(&pair.joined, &[], "left")
        .get()
        .envelope
        .to_raw_header();
    let right = pair
        .says(&pair.joined, &[], "right")
        .get()
        .envelope
        .to_raw_header();
    let evidence = check_evidence(left, right).expect("evidence");
    assert!(replica.run(|lace, store| lace.add_evidence(store, &evidence)));
    assert!(
        !replica.run(|lace, store| lace.add_evidence(store, &evidence)),
        "no news"
    );
    let replica = replica.reopen();
    assert_eq!(replica.lace.forks().count(), MAX_STRANGE_EVIDENCE + 1);
    let guest = replica.lace.author(&pair.guest.public()).expect("known");
    assert_eq!(guest.closed(), Some(2));
}

#[test]
fn evidence_of_another_topic_is_nothing_here() {
    let (pair, other) = (Pair::new(81), Pair::new(82));
    let mut replica = pair.replica(1);
    let left = other
        .says(&other.joined, &[], "left")
        .get()
        .envelope
        .to_raw_header();
    let right = other
        .says(&other.joined, &[], "right")
        .get()
        .envelope
        .to_raw_header();
    let evidence = check_evidence(left, right).expect("evidence");
    assert!(!replica.run(|lace, store| lace.add_evidence(store, &evidence)));
}

#[test]
fn ranges_beyond_the_limit_are_left_out() {
    let pair = Pair::new(83);
    let mut replica = pair.replica(1);
    let mut last = pair.joined.clone();
    for at in 0..MAX_RANGES {
        last = pair.says(&last, &[], &format!("{at}"));
        replica.admitted(&last);
    }
    let guest = pair.guest.public();
    let ranges: Vec<Range> = (1..=MAX_RANGES as u64 + 1)
        .map(|number| Range {
            author: guest,
            from: number,
            to: number,
        })
        .collect();
    assert_eq!(replica.serve_all(&ranges, SMALL).len(), MAX_RANGES);
}

#[test]
fn passing_over_what_was_not_asked_for_is_bounded() {
    let pair = Pair::new(84);
    let mut replica = pair.replica(1);
    let left = pair.says(&pair.joined, &[], "left");
    let right = pair.says(&pair.joined, &[], "right");
    replica.take(&left);
    replica.take(&right);
    let mut last = left.clone();
    for at in 0..MAX_SERVE_SKIP * 2 {
        last = pair.says(&last, &[], &format!("{at}"));
        replica.take(&last);
    }
    replica.admitted(&pair.founder_says(&pair.invited, &[&last], "named"));
    let number = last.get().envelope.header.number;
    let range = Range {
        author: pair.guest.public(),
        from: number,
        to: number,
    };
    let mut cursor = replica.lace.cursor(&[range], false);
    let mut calls = 0;
    loop {
        let budget = Budget {
            envelopes: 64,
            bytes: 200_000,
        };
        let served = replica.run(|lace, store| lace.serve(store, &mut cursor, budget));
        calls += 1;
        if served.done {
            assert_eq!(served.ids, [id_of(&last)]);
            break;
        }
        assert!(served.envelopes.is_empty());
    }
    assert!(calls > 1);
}

#[test]
fn what_lies_too_far_ahead_is_not_worth_a_check() {
    let pair = Pair::new(85);
    let mut replica = pair.replica(1);
    let mut look = |number: u64| {
        let mut header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
        header.number = number;
        header.generation = number + 5;
        let one = content(header, b"x", &pair.guest).get().envelope.clone();
        replica.run(|lace, store| lace.judge(store, &one.id, &one.header))
    };
    assert_eq!(look(1 + MAX_AHEAD), Verdict::New);
    assert_eq!(look(2 + MAX_AHEAD), Verdict::NoRoom);
    assert_eq!(look(wire::limits::MAX_NUMBER - 5), Verdict::NoRoom);
}

/// Prints what admission, opening and serving cost. Signing is not counted.
#[test]
#[ignore = "prints figures for people; run with --ignored --nocapture"]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it measures"
)]
fn figures() {
    let pair = Pair::new(86);
    let mut replica = pair.replica(1);
    let mut source = rng(860);
    for _ in 0..100 {
        let (device, key) = (
            SecretKey::generate(&mut source),
            SecretKey::generate(&mut source),
        );
        replica.admitted(&join(&pair.topic, &device, &key, 0, &[&pair.invited]));
    }
    let mut chain = Vec::new();
    let mut last = pair.joined.clone();
    for _ in 0..20_000 {
        let header = follow(pair.topic.header(pair.topic.grant), Some(&last), &[]);
        last = content(header, &[7; 1024], &pair.guest);
        chain.push(last.clone());
    }
    let cost = |name: &str, count: usize, run: &mut dyn FnMut()| {
        let before = std::time::Instant::now();
        run();
        let micros = before.elapsed().as_micros();
        println!(
            "{name}: {micros} µs, {} ns each",
            micros * 1000 / count as u128
        );
    };
    cost("admit 20,000", chain.len(), &mut || {
        for verified in &chain {
            replica.take(verified);
        }
    });
    let guest = pair.guest.public();
    let range = Range {
        author: guest,
        from: 1,
        to: u64::MAX,
    };
    let budget = Budget {
        envelopes: 64,
        bytes: 196_608,
    };
    cost("serve 20,000", chain.len(), &mut || {
        assert_eq!(replica.serve_all(&[range], budget).len(), 20_001);
    });
    let mut replica = Some(replica);
    cost("open", 1, &mut || {
        replica = replica.take().map(crate::world::Replica::reopen)
    });
    let replica = replica.as_mut().expect("opened");
    let first = pair.says(&pair.joined, &[], "another");
    cost("a fork below 20,000", chain.len(), &mut || {
        drop(replica.take(&first))
    });
}
