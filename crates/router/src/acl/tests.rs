//! First match, the minute, the time to come again, order: against a naive account of all that passed.

use super::*;
use proptest::prelude::*;

const ME: Key = [0; 32];

fn at(ms: u64) -> Time {
    Time::from_micros(ms.saturating_mul(1000))
}

fn rule(way: Way, who: Who, messages: Option<u64>, bytes: Option<u64>) -> Rule {
    Rule {
        way,
        who,
        messages,
        bytes,
    }
}

fn keys(list: &[u8]) -> Who {
    Who::Keys(list.iter().map(|n| [*n; 32]).collect())
}

fn acl(rules: Vec<Rule>) -> Acl {
    let mut acl = Acl::new(ME);
    acl.set(Rules::new(rules).expect("few"));
    acl
}

fn any_way() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::In), Just(Way::Out), Just(Way::Author)]
}

fn any_who() -> impl Strategy<Value = Who> {
    prop_oneof![
        2 => Just(Who::All),
        1 => Just(Who::Group(Group::Clients)),
        1 => Just(Who::Group(Group::Cores)),
        4 => proptest::collection::vec(0_u8..6, 0..4).prop_map(|list| keys(&list)),
    ]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let limit = || proptest::option::of(0_u64..8);
    let bytes = proptest::option::of(0_u64..3000);
    (any_way(), any_who(), limit(), bytes)
        .prop_map(|(way, who, messages, bytes)| rule(way, who, messages, bytes))
}

/// One offer: how long after the one before, about whom, how long.
type Offer = (u64, Way, u8, u64);

fn any_offers() -> impl Strategy<Value = Vec<Offer>> {
    let wait = prop_oneof![3 => 0_u64..2_000, 1 => 0_u64..90_000];
    proptest::collection::vec((wait, any_way(), 0_u8..6, 0_u64..1500), 1..120)
}

/// What the rules mean, written down once more without counters.
fn first<'a>(rules: &'a [Rule], way: Way, key: &Key) -> Option<(usize, &'a Rule)> {
    let clients = |key: &Key| *key == [1; 32];
    rules.iter().enumerate().find(|(_, rule)| {
        rule.way == way
            && match &rule.who {
                Who::All => true,
                Who::Group(Group::Clients) => way != Way::Author && clients(key),
                Who::Group(Group::Cores) => way != Way::Author && *key == [2; 32],
                Who::Keys(keys) => keys.contains(key),
            }
    })
}

proptest! {
    #[test]
    fn the_first_rule_decides_and_no_minute_has_more(
        rules in proptest::collection::vec(any_rule(), 0..6),
        offers in any_offers(),
    ) {
        let mut acl = acl(rules.clone());
        acl.belongs([1; 32], Some(Group::Clients));
        acl.belongs([2; 32], Some(Group::Cores));
        let mut now = 0_u64;
        // What passed: when, by which rule, whose, how long; and when each minute began.
        let mut passed: Vec<(u64, usize, Key, u64)> = Vec::new();
        let mut began: BTreeMap<(usize, Key), u64> = BTreeMap::new();
        for (wait, way, n, len) in offers {
            now += wait;
            let key = [n; 32];
            let said = acl.room(at(now), way, &key);
            let list = rules.iter().any(|rule| rule.way == way);
            if key == ME || !list {
                prop_assert_eq!(said, Ok(Room::ALL));
                continue;
            }
            let Some((place, rule)) = first(&rules, way, &key) else {
                prop_assert_eq!(said, Err(No::Never { rule: None }));
                continue;
            };
            if rule.messages == Some(0) || rule.bytes == Some(0) {
                prop_assert_eq!(said, Err(No::Never { rule: Some(place + 1) }));
                continue;
            }
            let start = *began.entry((place, key)).or_insert(now);
            let start = if now - start >= 60_000 { now } else { start };
            let minute = passed.iter().filter(|(t, p, k, _)| {
                (*p, *k) == (place, key) && *t >= start
            });
            let (count, bytes) = minute.fold((0, 0), |(c, b), (.., len)| (c + 1, b + len));
            let full = rule.messages.is_some_and(|limit| count >= limit)
                || rule.bytes.is_some_and(|limit| bytes >= limit);
            if full {
                let end = start + 60_000;
                prop_assert_eq!(said, Err(No::Later { at: at(end), rule: place + 1 }));
                // The time that was named is right: not a moment before, but then.
                prop_assert!(acl.room(at(end - 1), way, &key).is_err());
                prop_assert!(acl.room(at(end), way, &key).is_ok());
            } else {
                prop_assert!(said.is_ok());
                acl.spend(at(now), way, &key, (1, len));
                began.insert((place, key), start);
                passed.push((now, place, key, len));
            }
        }
    }

    /// Swapping two rules that name nobody in common changes nothing; what comes after a rule for all
    /// is never asked.
    #[test]
    fn what_stands_behind_a_rule_for_all_counts_for_nothing(
        before in proptest::collection::vec(any_rule(), 0..4),
        behind in proptest::collection::vec(any_rule(), 0..4),
        offers in any_offers(),
    ) {
        let for_all = Way::ALL.map(|way| rule(way, Who::All, Some(3), None));
        let short: Vec<Rule> = before.into_iter().chain(for_all).collect();
        let long: Vec<Rule> = short.iter().cloned().chain(behind).collect();
        let (mut short, mut long) = (acl(short), acl(long));
        let mut now = 0;
        for (wait, way, n, len) in offers {
            now += wait;
            let key = [n; 32];
            let said = short.room(at(now), way, &key);
            prop_assert_eq!(said, long.room(at(now), way, &key));
            if said.is_ok() {
                short.spend(at(now), way, &key, (1, len));
                long.spend(at(now), way, &key, (1, len));
            }
        }
    }
}

#[test]
fn order_matters() {
    let one = rule(Way::In, keys(&[3]), Some(1), None);
    let all = rule(Way::In, Who::All, Some(0), None);
    let mut exception_first = acl(vec![one.clone(), all.clone()]);
    let mut exception_last = acl(vec![all, one]);
    assert!(exception_first.room(at(0), Way::In, &[3; 32]).is_ok());
    let never = Err(No::Never { rule: Some(1) });
    assert_eq!(exception_last.room(at(0), Way::In, &[3; 32]), never);
    let behind = Err(No::Never { rule: Some(2) });
    assert_eq!(exception_first.room(at(0), Way::In, &[4; 32]), behind);
}

#[test]
fn no_rule_allows_and_a_list_ends_with_a_refusal() {
    let mut none = acl(Vec::new());
    assert_eq!(none.room(at(0), Way::In, &[3; 32]), Ok(Room::ALL));
    assert_eq!(none.rules().summary(), "");
    let mut some = acl(vec![rule(Way::Out, keys(&[3]), Some(9), None)]);
    assert_eq!(
        some.room(at(0), Way::In, &[4; 32]),
        Ok(Room::ALL),
        "another list"
    );
    let refused = some.room(at(0), Way::Out, &[4; 32]);
    assert_eq!(refused, Err(No::Never { rule: None }));
    assert_eq!(
        some.room(at(0), Way::Out, &ME),
        Ok(Room::ALL),
        "its own node"
    );
    let summary = some.rules().summary();
    assert_eq!(
        summary,
        "out 1; what no rule of these lists names is refused"
    );
}

#[test]
fn the_same_rules_again_do_not_give_a_new_minute() {
    let rules = vec![rule(Way::In, Who::All, Some(1), None)];
    let mut acl = acl(rules.clone());
    acl.spend(at(0), Way::In, &[3; 32], (1, 10));
    acl.set(Rules::new(rules).expect("few"));
    assert!(acl.room(at(1), Way::In, &[3; 32]).is_err());
    acl.set(Rules::default());
    assert!(acl.room(at(1), Way::In, &[3; 32]).is_ok());
}

/// Somebody makes up keys without end, to have a fresh minute for each.
#[test]
fn keys_without_end_are_counted_as_one() {
    let mut acl = acl(vec![rule(Way::Author, Who::All, Some(2), None)]);
    let key = |n: u32| {
        let mut key = [7; 32];
        key[..4].copy_from_slice(&n.to_be_bytes());
        key
    };
    let mut passed = 0_usize;
    for n in 0..20_000 {
        if acl.room(at(5), Way::Author, &key(n)).is_ok() {
            acl.spend(at(5), Way::Author, &key(n), (1, 1));
            passed += 1;
        }
        assert!(
            acl.counts.len() <= MAX_COUNTED + 1,
            "one more for all the rest"
        );
    }
    assert_eq!(passed, MAX_COUNTED + 2);
    assert!(acl.room(at(60_005), Way::Author, &key(19_999)).is_ok());
}

#[test]
fn there_are_not_more_rules_than_may_be() {
    let one = rule(Way::In, Who::All, None, None);
    assert!(Rules::new(vec![one.clone(); MAX_RULES]).is_ok());
    assert_eq!(Rules::new(vec![one; MAX_RULES + 1]), Err(TooManyRules));
}

#[test]
fn words_fit_into_a_frame() {
    for no in [
        No::Later {
            at: at(1),
            rule: MAX_RULES,
        },
        No::Never {
            rule: Some(MAX_RULES),
        },
        No::Never { rule: None },
    ] {
        assert!(no.to_string().len() <= wire::limits::MAX_TEXT, "{no}");
    }
}
