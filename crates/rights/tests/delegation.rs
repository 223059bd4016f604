//! Random trees of delegation: what is issued along one chain never sums to more than its share,
//! and a chain never writes more than its rate.

use proptest::prelude::*;
use rights::budget::{Bucket, CarveError, Carving, Cost, Issued, RateError, Rates};
use rights::eff::limits::{BUCKET_MS, MAX_GRANTS, MAX_RATE, MINUTE_MS};

/// A grant of a tree, and what its holder's one chain has issued.
#[derive(Clone, Debug)]
struct Node {
    rates: Rates,
    share: u16,
    issued: Vec<(usize, Issued)>,
}

/// One thing that an issuer tries: at which node, with what rates, for how long; or an end.
#[derive(Clone, Debug)]
enum Try {
    Issue {
        at: usize,
        rates: Rates,
        share: u16,
        lasts: Option<u64>,
    },
    End {
        at: usize,
        which: usize,
    },
    Wait(u64),
}

fn rate() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        1 => Just(None),
        6 => (1_u64..600).prop_map(Some),
        1 => Just(Some(MAX_RATE)),
    ]
}

fn rates() -> impl Strategy<Value = Rates> {
    (rate(), rate()).prop_map(|(messages, bytes)| Rates { messages, bytes })
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = prop_oneof![
        6 => (any::<usize>(), rates(), 1_u16..=256, proptest::option::of(0_u64..50)).prop_map(
            |(at, rates, share, lasts)| Try::Issue {
                at,
                rates,
                share,
                lasts: lasts.map(|minutes| minutes * MINUTE_MS),
            }
        ),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(at, which)| Try::End { at, which }),
        2 => (1_u64..40).prop_map(|minutes| Try::Wait(minutes * MINUTE_MS / 2)),
    ];
    proptest::collection::vec(one, 1..120)
}

/// What is over weighs for ten minutes more, and what was taken back for ten minutes in all.
fn weighs(it: &Issued, now: u64) -> bool {
    match it.until.filter(|until| *until <= now) {
        _ if it.ended => now < it.since + BUCKET_MS,
        Some(until) => now < until.max(it.since) + BUCKET_MS,
        None => true,
    }
}

/// The sum of what weighs, with the absent as more than everything.
fn sum(node: &Node, now: u64, of: impl Fn(&Rates) -> Option<u64>) -> u128 {
    let open = node.issued.iter().filter(|(_, it)| weighs(it, now));
    open.map(|(_, it)| of(&it.rates).map_or(u128::MAX / 1000, u128::from))
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_chain_never_gives_away_more_than_its_share(own in rates(), tries in tries()) {
        let mut nodes = vec![Node { rates: own, share: 256, issued: vec![] }];
        let mut now = 0;
        for one in tries {
            match one {
                Try::Wait(time) => now += time,
                Try::End { at, which } => {
                    let at = at % nodes.len();
                    let count = nodes[at].issued.len().max(1);
                    if let Some((_, issued)) = nodes[at].issued.get_mut(which % count) {
                        issued.ended = true;
                    }
                }
                Try::Issue { at, rates, share, lasts } => {
                    let at = at % nodes.len();
                    let node = &nodes[at];
                    let carving = Carving { own: node.rates, share: node.share };
                    let before: Vec<Issued> = node.issued.iter().map(|it| it.1).collect();
                    let verdict = carving.allows(before, &rates, now);
                    let number = nodes.len();
                    let until = lasts.map(|time| now + time);
                    let issued = Issued { rates, since: now, until, ended: false };
                    if verdict.is_ok() {
                        nodes[at].issued.push((number, issued));
                        nodes.push(Node { rates, share, issued: vec![] });
                    } else {
                        // Refused only where it would have been too much.
                        let mut with = nodes[at].clone();
                        with.issued.push((number, issued));
                        prop_assert!(!fits(&with, now), "{verdict:?}");
                    }
                }
            }
            for node in &nodes {
                prop_assert!(fits(node, now));
            }
        }
        // What hangs below a node through all depths is at most what the node has.
        for (at, node) in nodes.iter().enumerate() {
            if let Some(rate) = node.rates.messages {
                prop_assert!(leaves(&nodes, at, now) <= u128::from(rate));
            }
        }
    }

    #[test]
    fn a_chain_writes_ten_minutes_at_once_and_its_rate_after_that(
        rate in 1_u64..5000,
        steps in proptest::collection::vec((0_u64..200_000, 0_u64..3000), 1..60),
    ) {
        let rates = Rates { messages: Some(rate), bytes: None };
        let mut bucket = Bucket::full(&rates);
        let (mut time, mut written) = (0_u128, 0_u128);
        for (elapsed, messages) in steps {
            time += u128::from(elapsed);
            let cost = Cost { messages, bytes: u64::MAX };
            let before = bucket;
            match bucket.after(elapsed, &rates, &cost) {
                Ok(after) => {
                    bucket = after;
                    written += u128::from(messages.max(1));
                }
                Err(error) => {
                    prop_assert_eq!(error, RateError::Messages);
                    // What it says about waiting is exact.
                    match before.wait(&rates, &cost) {
                        Some(wait) => {
                            prop_assert!(wait > elapsed);
                            prop_assert!(before.after(wait, &rates, &cost).is_ok());
                            prop_assert!(before.after(wait - 1, &rates, &cost).is_err());
                        }
                        None => prop_assert!(before.after(u64::MAX, &rates, &cost).is_err()),
                    }
                    time -= u128::from(elapsed);
                }
            }
            let allowed = u128::from(rate) * (time + u128::from(BUCKET_MS));
            prop_assert!(written * u128::from(MINUTE_MS) <= allowed);
        }
    }

    #[test]
    fn no_numbers_overflow(
        level in any::<(u64, u64)>(),
        elapsed in any::<u64>(),
        rates in (any::<Option<u64>>(), any::<Option<u64>>()),
        cost in any::<(u64, u64)>(),
        share in any::<u16>(),
    ) {
        let rates = Rates { messages: rates.0, bytes: rates.1 }.part(share);
        let bucket = Bucket { messages: level.0, bytes: level.1 };
        let cost = Cost { messages: cost.0, bytes: cost.1 };
        let _ = bucket.wait(&rates, &cost);
        if let Ok(after) = bucket.after(elapsed, &rates, &cost) {
            let full = Bucket::full(&rates);
            prop_assert!(after.messages <= full.messages && after.bytes <= full.bytes);
        }
        let carving = Carving { own: rates, share };
        let issued = Issued { rates, since: elapsed, until: None, ended: false };
        let _ = carving.allows([issued; 3], &rates, elapsed);
    }
}

/// Whether what a chain has issued is within its share.
fn fits(node: &Node, now: u64) -> bool {
    let part = |rate: u64| u128::from(rate) * u128::from(node.share) / 256;
    let open = node.issued.iter().filter(|(_, it)| weighs(it, now));
    let messages = node
        .rates
        .messages
        .is_none_or(|it| sum(node, now, |it| it.messages) <= part(it));
    let bytes = node
        .rates
        .bytes
        .is_none_or(|it| sum(node, now, |it| it.bytes) <= part(it));
    messages && bytes && open.count() <= MAX_GRANTS
}

/// The rates of the open grants below a node that have none below them.
fn leaves(nodes: &[Node], at: usize, now: u64) -> u128 {
    let open = nodes[at].issued.iter().filter(|(_, it)| weighs(it, now));
    open.map(|(child, it)| {
        let below = leaves(nodes, *child, now);
        below.max(it.rates.messages.map_or(u128::MAX / 1000, u128::from))
    })
    .sum()
}

fn messages(rate: u64) -> Rates {
    Rates {
        messages: Some(rate),
        bytes: None,
    }
}

fn open(rate: u64) -> Issued {
    Issued {
        rates: messages(rate),
        since: 0,
        until: None,
        ended: false,
    }
}

#[test]
fn a_device_gives_away_its_share_and_not_the_composition_s() {
    let carving = Carving {
        own: messages(100),
        share: 64,
    };
    assert_eq!(carving.allows([], &messages(25), 0), Ok(()));
    assert_eq!(
        carving.allows([], &messages(26), 0),
        Err(CarveError::TooMuch)
    );
    assert_eq!(
        carving.allows([open(20)], &messages(6), 0),
        Err(CarveError::TooMuch)
    );
}

#[test]
fn what_has_no_limit_is_not_carved_from_what_has_one() {
    let carving = Carving {
        own: messages(100),
        share: 256,
    };
    assert_eq!(
        carving.allows([], &Rates::default(), 0),
        Err(CarveError::NoLimit)
    );
    let free = Carving {
        own: Rates::default(),
        share: 1,
    };
    assert_eq!(free.allows([open(7)], &Rates::default(), 0), Ok(()));
}

#[test]
fn what_is_over_or_ended_gives_its_part_back() {
    let carving = Carving {
        own: messages(10),
        share: 256,
    };
    let over = Issued {
        until: Some(5),
        ..open(10)
    };
    assert_eq!(
        carving.allows([over], &messages(10), 4),
        Err(CarveError::TooMuch)
    );
    let late = 5 + BUCKET_MS;
    assert_eq!(carving.allows([over], &messages(10), late), Ok(()));
    let ended = Issued {
        ended: true,
        ..open(10)
    };
    assert_eq!(carving.allows([ended], &messages(10), BUCKET_MS), Ok(()));
}

/// Grants of a moment, one after another, are each begun with a full bucket.
#[test]
fn short_grants_are_no_more_than_one_long_one() {
    let carving = Carving {
        own: messages(10),
        share: 256,
    };
    let at = 1000;
    let over = |until| Issued {
        since: at,
        until: Some(until),
        ..open(10)
    };
    let ended = Issued {
        since: at,
        ended: true,
        ..open(10)
    };
    // Over in a moment, over before it was issued, taken back at once.
    for issued in [over(at + 1), over(0), ended] {
        for now in [at + 1, at + BUCKET_MS - 1] {
            let verdict = carving.allows([issued], &messages(1), now);
            assert_eq!(verdict, Err(CarveError::TooMuch), "{issued:?} {now}");
        }
        let verdict = carving.allows([issued], &messages(10), at + 1 + BUCKET_MS);
        assert_eq!(verdict, Ok(()), "{issued:?}");
    }
}

#[test]
fn a_chain_has_at_most_so_many_grants() {
    let carving = Carving {
        own: Rates::default(),
        share: 256,
    };
    let many = [open(1); MAX_GRANTS];
    assert_eq!(
        carving.allows(many[1..].iter().copied(), &messages(1), 0),
        Ok(())
    );
    assert_eq!(
        carving.allows(many, &messages(1), 0),
        Err(CarveError::TooMany)
    );
}

/// A chain that jumps far ahead in the time it claims gains ten minutes and no more.
#[test]
fn claimed_time_far_ahead_fills_the_bucket_once() {
    let rates = messages(6);
    let cost = Cost {
        messages: 60,
        bytes: 0,
    };
    let empty = Bucket::full(&rates).after(0, &rates, &cost).unwrap();
    let one = Cost {
        messages: 1,
        bytes: 0,
    };
    assert_eq!(empty.after(0, &rates, &one), Err(RateError::Messages));
    let full = empty.after(u64::MAX, &rates, &cost).unwrap();
    assert_eq!(full.after(0, &rates, &one), Err(RateError::Messages));
    assert_eq!(full.wait(&rates, &one), Some(10_000));
    let more = Cost {
        messages: 61,
        bytes: 0,
    };
    assert_eq!(full.wait(&rates, &more), None);
}

/// An envelope without messages is not free.
#[test]
fn nothing_is_free() {
    let rates = messages(1);
    let nothing = Cost {
        messages: 0,
        bytes: 0,
    };
    let mut bucket = Bucket::full(&rates);
    for _ in 0..10 {
        bucket = bucket.after(0, &rates, &nothing).unwrap();
    }
    assert_eq!(bucket.after(0, &rates, &nothing), Err(RateError::Messages));
}
