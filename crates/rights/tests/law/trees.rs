//! Random trees of delegation: what is issued along one chain never sums to more than its share,
//! and replicas that hear the same in different orders agree.

use std::collections::BTreeMap;

use identity::{Device, Form, GrantId};
use lace::Rule;
use proptest::prelude::*;
use wire::{Budget, Interval, Item, Rights, Terms, TopicPolicy};

use crate::town::{MINUTE, Pen, Replica, START, Sealed, Town, grant_to};

/// What somebody tries: who, with whom, and how much.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    by: usize,
    /// Out of whose grant: mostly its own.
    parent: usize,
    share: u16,
    rates: (Option<u32>, Option<u32>),
    rights: u8,
    lasts: Option<u64>,
    wait: u64,
    invite: Option<u32>,
}

pub(crate) fn tries() -> impl Strategy<Value = Vec<Try>> {
    let rate = || prop_oneof![1 => Just(None), 8 => (1_u32..40).prop_map(Some)];
    let one = (
        (
            any::<usize>(),
            any::<usize>(),
            prop_oneof![1_u16..256, Just(256)],
        ),
        (rate(), rate()),
        (1_u8..8, proptest::option::of(1_u64..30)),
        (0_u64..5, proptest::option::of(1_u32..4)),
    );
    let one = one.prop_map(
        |((by, parent, share), rates, (rights, lasts), (wait, invite))| Try {
            by,
            parent,
            share,
            rates,
            // Mostly with the right to admit, so that trees grow.
            rights: if rights < 6 { rights | 4 } else { rights },
            lasts,
            wait,
            invite,
        },
    );
    proptest::collection::vec(one, 1..40)
}

/// What somebody has issued: rates, uses, when, and its end.
type Given = (Budget, u64, u64, Option<u64>);

/// What is over weighs for ten minutes more.
fn weighs(given: &Given, now: u64) -> bool {
    let over = given.3.filter(|end| *end <= now);
    over.is_none_or(|end| now < end.max(given.2) + 10 * MINUTE)
}

/// Somebody in the tree.
pub(crate) struct Person {
    pub(crate) pen: Pen,
    /// The grants above its own, the topic's own first.
    pub(crate) above: Vec<GrantId>,
    terms: Terms,
    share: u16,
    depth: u32,
    /// What its chain has issued.
    issued: Vec<Given>,
}

fn terms(of: &Try, now: u64) -> Terms {
    let interval = Some(Interval {
        from: START,
        until: of.lasts.map(|minutes| now + minutes * MINUTE),
    });
    let right = |bit: u8| interval.filter(|_| of.rights & bit != 0);
    Terms {
        rights: Rights {
            publish: right(1),
            read: right(2),
            admit: right(4),
        },
        budget: Budget {
            messages: of.rates.0,
            bytes: of.rates.1.map(|rate| rate * 1000),
            ..Budget::default()
        },
    }
}

fn end(rights: &Rights) -> Option<u64> {
    let mut last = 0;
    for (_, time) in rights.iter() {
        last = last.max(time.until?);
    }
    Some(last)
}

/// Which rule it breaks, told apart from the code under test.
fn judged(person: &Person, of: &Try, parent: GrantId, terms: &Terms, now: u64) -> Option<Rule> {
    let own = &person.terms;
    let Some(admit) = own.rights.admit else {
        return Some(Rule::Right);
    };
    if !admit.holds(now) {
        return Some(Rule::Time);
    }
    if end(&own.rights).is_some_and(|end| now >= end) {
        return Some(Rule::Time);
    }
    if parent != person.pen.grant || person.depth >= 8 {
        return Some(Rule::Parent);
    }
    for (right, time) in terms.rights.iter() {
        let fits = own.rights.get(right).is_some_and(|own| {
            own.from <= time.from
                && own
                    .until
                    .is_none_or(|until| time.until.is_some_and(|end| end <= until))
        });
        if !fits {
            return Some(Rule::Within);
        }
    }
    let uses = u64::from(of.invite.unwrap_or(1));
    let all = person.issued.iter();
    let open: Vec<_> = all.filter(|it| weighs(it, now)).collect();
    for rate in [
        (|budget: &Budget| budget.messages) as fn(&Budget) -> Option<u32>,
        |budget| budget.bytes,
    ] {
        let Some(own) = rate(&own.budget) else {
            continue;
        };
        let Some(more) = rate(&terms.budget) else {
            return Some(Rule::Within);
        };
        let sum: u64 = open
            .iter()
            .map(|(budget, uses, ..)| u64::from(rate(budget).unwrap()) * uses)
            .sum();
        let bound = u64::from(own) * u64::from(person.share) / 256;
        if sum + u64::from(more) * uses > bound {
            return Some(Rule::Carve);
        }
    }
    (open.len() >= 64).then_some(Rule::Carve)
}

/// A tree that has grown.
pub(crate) struct Tree {
    pub(crate) town: Town,
    pub(crate) people: Vec<Person>,
    /// When the last of it was written.
    pub(crate) now: u64,
    /// Envelopes that were taken, each after its past, and those that break a rule.
    pub(crate) admitted: Vec<Sealed>,
    refused: Vec<Sealed>,
}

pub(crate) fn play(tries: &[Try]) -> Tree {
    play_in(Budget::default(), tries)
}

/// The same where this bounds whoever names no bound.
fn play_in(budget: Budget, tries: &[Try]) -> Tree {
    let policy = TopicPolicy {
        budget,
        ..TopicPolicy::default()
    };
    let mut town = Town::founded(200, policy);
    let owner = town.owners();
    let mut replica = Replica::with(&town, &[&owner]);
    let mut admitted = owner.chain.clone();
    let mut refused = Vec::new();
    let mut people = vec![Person {
        pen: owner,
        above: Vec::new(),
        terms: crate::town::ALL,
        share: 256,
        depth: 0,
        issued: Vec::new(),
    }];
    let mut now = START;
    for of in tries {
        now += of.wait * MINUTE;
        let (by, with) = (of.by % people.len(), of.parent % (people.len() * 8));
        // Seven of eight out of one's own.
        let parent = people
            .get(with)
            .map_or(people[by].pen.grant, |it| it.pen.grant);
        let named = terms(of, now);
        let terms = Terms {
            budget: Budget {
                messages: named.budget.messages.or(budget.messages),
                bytes: named.budget.bytes.or(budget.bytes),
                ..named.budget
            },
            ..named
        };
        let (device, other) = (town.key(), town.key());
        let mut form = Form::one(device.public());
        if of.share < 256 {
            let mut keys = [
                (device.public(), of.share),
                (other.public(), 256 - of.share),
            ];
            keys.sort_unstable();
            let devices = keys.map(|(key, share)| Device { key, share });
            form = Form::new(devices.to_vec(), 1).unwrap();
        }
        let item = match of.invite {
            Some(uses) => match town.invite(parent, named).1 {
                Item::Invite(invite) => Item::Invite(wire::Invite { uses, ..invite }),
                other => other,
            },
            None => grant_to(parent, form, named),
        };
        let expected = judged(&people[by], of, parent, &terms, now);
        let written = people[by]
            .pen
            .control(&town, std::slice::from_ref(&item), &[], now);
        if let Some(rule) = expected {
            replica.refuses(&written, rule);
            refused.push(written);
            continue;
        }
        replica.takes(&written);
        admitted.push(written.clone());
        let uses = u64::from(of.invite.unwrap_or(1));
        people[by].pen.chain.push(written.clone());
        people[by]
            .issued
            .push((terms.budget, uses, now, end(&terms.rights)));
        if of.invite.is_none() {
            let mut pen = town.pen(&device, item.id());
            let first = pen.begin(&town, 0, &[], &[&written], now);
            replica.takes(&first);
            admitted.push(first);
            let depth = people[by].depth + 1;
            let above = [people[by].above.as_slice(), &[people[by].pen.grant]].concat();
            people.push(Person {
                pen,
                above,
                terms,
                share: of.share,
                depth,
                issued: Vec::new(),
            });
        }
        // What hangs below a chain never is more than it has.
        for person in &people {
            if let Some(own) = person.terms.budget.messages {
                let open = person.issued.iter().filter(|it| weighs(it, now));
                let sum: u64 = open
                    .map(|(budget, uses, ..)| u64::from(budget.messages.unwrap()) * uses)
                    .sum();
                assert!(sum * 256 <= u64::from(own) * u64::from(person.share));
            }
        }
    }
    Tree {
        town,
        people,
        now,
        admitted,
        refused,
    }
}

/// The same in another order.
pub(crate) fn shuffled(all: &[Sealed], order: u64) -> Vec<Sealed> {
    let mut all = all.to_vec();
    let mut random = order | 1;
    for at in (1..all.len()).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let other = usize::try_from(random % (at as u64 + 1)).unwrap();
        all.swap(at, other);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_issued_never_sums_to_more_than_the_share(tries in tries()) {
        play(&tries);
    }

    /// Also where the topic says what bounds those who are given no rate.
    #[test]
    fn who_names_no_rate_is_summed_with_the_topic_s(
        tries in tries(),
        messages in proptest::option::of(1_u32..40),
        bytes in proptest::option::of(1_u32..40),
    ) {
        let bytes = bytes.map(|rate| rate * 1000);
        play_in(Budget { messages, bytes, ..Budget::default() }, &tries);
    }

    /// In whatever order envelopes come, then those that break a rule, and with restarts.
    #[test]
    fn replicas_agree_whatever_came_first(tries in tries(), order in any::<u64>()) {
        let Tree { town, admitted, refused, .. } = play(&tries);
        let all = shuffled(&admitted, order);
        let mut replica = Replica::new(&town);
        // Those that break a rule come last: parked, they would be evidence of a fork.
        for envelope in all.iter().chain(&refused) {
            replica.verdict(envelope);
        }
        for envelope in &admitted {
            prop_assert!(replica.has(envelope));
        }
        for envelope in &refused {
            prop_assert!(!replica.has(envelope));
        }
        let effects: Vec<_> = [false, true]
            .map(|anew| {
                let replica = Replica::with(&town, &[]);
                let mut replica = if anew { replica.reopen() } else { replica };
                for envelope in &admitted {
                    replica.verdict(envelope);
                }
                replica.run(|lace, store| lace.held_effect(store))
            })
            .into();
        let mut shuffled = replica.reopen();
        let effect = shuffled.run(|lace, store| lace.held_effect(store));
        for other in effects {
            // Numbers of facts are each replica's own.
            let plain = |effect: &lace::Effect| -> BTreeMap<_, _> {
                let grants = effect.grants.iter();
                grants.map(|(id, it)| (*id, (it.since, it.depth, it.holder))).collect()
            };
            prop_assert_eq!(plain(&other), plain(&effect));
            let seats = |effect: &lace::Effect| -> Vec<_> {
                let seats = effect.devices.iter();
                seats.map(|(of, seat)| (*of, seat.grant, seat.share)).collect()
            };
            prop_assert_eq!(seats(&other), seats(&effect));
            prop_assert!(effect.void.is_empty() && effect.limits.is_empty());
        }
    }
}
