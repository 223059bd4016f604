//! What a chain may spend, by the time that it claims.

use identity::{Device, Form};
use lace::{Admission, Rule};
use proptest::prelude::*;
use wire::{Budget, Header, Item, Terms, TopicPolicy};

use crate::town::{
    DAY, MINUTE, Pen, Replica, START, Sealed, Town, created, grant, grant_to, limited,
};

/// A chain under a grant of so many messages and bytes a minute.
fn under(town: &mut Town, budget: Budget) -> (Pen, Pen) {
    let mut owner = town.owners();
    let bea = town.key();
    let terms = Terms {
        budget,
        ..Terms::GUEST
    };
    let given = grant(town.root(), &bea.public(), terms);
    let at = owner.issue(town, std::slice::from_ref(&given), &[], START);
    let mut pen = town.pen(&bea, given.id());
    pen.begin(town, 0, &[], &[&at], START);
    (owner, pen)
}

fn messages(rate: u32) -> Budget {
    Budget {
        messages: Some(rate),
        ..Budget::default()
    }
}

#[test]
fn a_flood_under_a_valid_grant_is_refused_the_same_everywhere() {
    let mut town = Town::new(100);
    let (owner, mut pen) = under(&mut town, messages(2));
    // Ten minutes' worth at once, and nothing more until time is claimed.
    for _ in 0..20 {
        pen.say(&town, &[], START);
    }
    let more = pen.content(&town, (1, 20), &[], START + MINUTE / 2 - 1);
    let due = pen.content(&town, (1, 20), &[], START + MINUTE / 2);
    let two = pen.content(&town, (2, 20), &[], START + MINUTE / 2);
    for mut replica in [
        Replica::with(&town, &[&owner, &pen]),
        Replica::with(&town, &[&owner, &pen]).reopen(),
    ] {
        replica.refuses(&more, Rule::Rate);
        replica.refuses(&two, Rule::Rate);
        replica.takes(&due);
    }
}

/// Who is given no rate and no size has those of the topic; what its grant names counts instead. The topic's own
/// grant has no bound.
#[test]
fn who_is_given_no_bound_has_the_topic_s() {
    let policy = TopicPolicy {
        budget: Budget {
            messages: Some(2),
            largest: Some(500),
            lifespan: Some(DAY),
            hops: Some(20),
            ..Budget::default()
        },
        ..TopicPolicy::default()
    };
    for (named, many) in [(Budget::default(), 20), (messages(3), 30)] {
        let mut town = Town::founded(108, policy);
        let (mut owner, mut pen) = under(&mut town, named);
        let mut replica = Replica::with(&town, &[&owner, &pen]);
        let large = pen.content(&town, (1, 501), &[], START);
        let with =
            |change: fn(&mut Header)| pen.content_with(&town, vec![1; 20], &[], START, change);
        let long = with(|header| header.expires += 1);
        let far = with(|header| header.hops = 21);
        for said in [large, long, far] {
            replica.refuses(&said, Rule::Size);
        }
        for _ in 0..many {
            let said = pen.content(&town, (1, 20), &[], START);
            replica.takes(&said);
            pen.chain.push(said);
        }
        let more = pen.content(&town, (1, 20), &[], START);
        replica.refuses(&more, Rule::Rate);
        for _ in 0..40 {
            let said = owner.content(&town, (1, 5_000), &[], START);
            replica.takes(&said);
            owner.chain.push(said);
        }
    }
}

#[test]
fn bytes_count_with_header_and_proof() {
    let mut town = Town::new(101);
    let budget = Budget {
        bytes: Some(1000),
        ..Budget::default()
    };
    let (owner, mut pen) = under(&mut town, budget);
    let full = pen.content(&town, (1, 9_000), &[], START);
    let beside = full.get().envelope.header_bytes.len() + 64;
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    let exact = pen.content(&town, (1, 10_000 - beside), &[], START);
    let over = pen.content(&town, (1, 10_001 - beside), &[], START);
    // Both have a length of as many digits, so their headers are alike.
    replica.refuses(&over, Rule::Rate);
    replica.takes(&exact);
    pen.chain.push(exact);
    let next = pen.content(&town, (1, 20), &[], START + MINUTE / 10);
    replica.refuses(&next, Rule::Rate);
}

#[test]
fn control_has_a_rate_of_its_own() {
    let mut town = Town::new(102);
    let (owner, mut pen) = under(&mut town, messages(1));
    for _ in 0..10 {
        pen.say(&town, &[], START);
    }
    // Content is spent; control is not. Number 1 was control.
    for _ in 1..600 {
        pen.issue(&town, &[Item::Leave], &[], START);
    }
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    let soon = pen.control(&town, &[Item::Leave], &[], START + 999);
    let later = pen.control(&town, &[Item::Leave], &[], START + 1000);
    replica.refuses(&soon, Rule::Rate);
    replica.takes(&later);
    let said = pen.content(&town, (1, 20), &[], START + MINUTE - 1);
    replica.refuses(&said, Rule::Rate);
}

/// A carrier comes with what was written in a week without a link, all at once.
#[test]
fn a_weeks_backlog_within_its_rate_is_admitted_whole() {
    let mut town = Town::new(103);
    let (owner, mut pen) = under(&mut town, limited(1, 2000));
    let mut now = START;
    while now < START + 7 * DAY {
        for _ in 0..10 {
            pen.say(&town, &[], now);
        }
        now += 10 * MINUTE * 6;
    }
    let mut replica = Replica::with(&town, &[&owner]);
    for envelope in &pen.chain {
        replica.takes(envelope);
    }
    assert!(pen.chain.len() > 1600);
}

#[test]
fn a_branch_begins_with_what_was_left_where_it_parts() {
    let mut town = Town::new(104);
    let (owner, mut pen) = under(&mut town, messages(1));
    for _ in 0..9 {
        pen.say(&town, &[], START);
    }
    let mut twin = pen.clone();
    pen.say(&town, &[], START);
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    let other = twin.content(&town, (1, 21), &[], START);
    assert_eq!(replica.verdict(&other), Admission::Void);
    twin.chain.push(other);
    replica.refuses(&twin.content(&town, (1, 20), &[], START), Rule::Rate);
}

/// A device writes its part of what its composition may, and leaves the others theirs.
#[test]
fn a_device_spends_its_share_and_no_more() {
    let mut town = Town::new(110);
    let mut owner = town.owners();
    let (bea, other) = (town.key(), town.key());
    let mut keys = [(bea.public(), 64), (other.public(), 192)];
    keys.sort_unstable();
    let devices = keys.map(|(key, share)| Device { key, share });
    let terms = Terms {
        budget: messages(40),
        ..Terms::GUEST
    };
    let given = grant_to(town.root(), Form::new(devices.to_vec(), 1).unwrap(), terms);
    let at = owner.issue(&town, std::slice::from_ref(&given), &[], START);
    for (device, most) in [(&bea, 100), (&other, 300)] {
        let mut pen = town.pen(device, given.id());
        pen.begin(&town, 0, &[], &[&at], START);
        let mut replica = Replica::with(&town, &[&owner, &pen]);
        let more = pen.content(&town, (most + 1, 20), &[], START);
        replica.refuses(&more, Rule::Rate);
        replica.takes(&pen.content(&town, (most, 20), &[], START));
    }
}

/// What a bucket does, in plain numbers.
fn expected(rate: u64, steps: &[(u64, u16)]) -> usize {
    let (mut level, mut count) = (rate * 600_000, 0);
    for (wait, messages) in steps {
        level = (level + rate * (*wait).min(600_000)).min(rate * 600_000);
        let Some(left) = level.checked_sub(u64::from(*messages) * 60_000) else {
            return count;
        };
        (level, count) = (left, count + 1);
    }
    count
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// Equal at a replica that takes a chain as it is written, at one that starts anew all the
    /// time, and at one that hears it from the end.
    #[test]
    fn buckets_follow_claimed_time_alone(
        rate in 1_u32..8,
        steps in proptest::collection::vec((0_u64..400_000, 1_u16..30), 1..40),
    ) {
        let mut town = Town::new(105);
        let (owner, mut pen) = under(&mut town, messages(rate));
        let mut now = START;
        for (wait, count) in &steps {
            now += wait;
            let next = pen.content(&town, (*count, 20), &[], now);
            pen.chain.push(next);
        }
        // The first envelope was written at the beginning, so that the first wait counts.
        let expected = 1 + expected(u64::from(rate), &steps);
        let taken = |replica: &mut Replica, chain: &[Sealed]| {
            for envelope in chain {
                replica.verdict(envelope);
            }
        };
        let mut one = Replica::with(&town, &[&owner]);
        taken(&mut one, &pen.chain);
        let mut two = Replica::with(&town, &[&owner]);
        for envelope in &pen.chain {
            two.verdict(envelope);
            two = two.reopen();
        }
        let mut three = Replica::with(&town, &[&owner]);
        let backwards: Vec<Sealed> = pen.chain.iter().rev().cloned().collect();
        taken(&mut three, &backwards);
        for mut replica in [one, two, three] {
            let here = pen.chain.iter().filter(|envelope| replica.has(envelope)).count();
            prop_assert_eq!(here, expected);
        }
        prop_assert!(created(pen.chain.last().unwrap()) == now);
    }
}

/// A guest that nobody has welcomed yet, by an invite of so many envelopes and bytes in all.
fn unwelcomed(town: &mut Town, envelopes: u64, bytes: u64) -> (Pen, Pen) {
    let mut owner = town.owners();
    let budget = Budget {
        total_envelopes: Some(envelopes),
        total_bytes: Some(bytes),
        ..Budget::default()
    };
    let terms = Terms {
        budget,
        ..Terms::GUEST
    };
    let invite = town.invite(town.root(), terms);
    let at = owner.issue(town, std::slice::from_ref(&invite.1), &[], START);
    let guest = town.guest(&invite, &at);
    (owner, guest)
}

/// However much time is claimed, and whatever it is: so many envelopes under one author key.
#[test]
fn an_unwelcomed_guest_writes_so_many_envelopes_in_all() {
    let mut town = Town::new(105);
    let (owner, mut pen) = unwelcomed(&mut town, 64, 1 << 20);
    let mut now = START;
    while pen.chain.len() < 64 {
        now += 20 * MINUTE;
        if pen.chain.len() % 2 == 0 {
            pen.say(&town, &[], now);
        } else {
            pen.issue(&town, &[Item::Leave], &[], now);
        }
    }
    let late = now + 300 * DAY;
    let said = pen.content(&town, (1, 20), &[], late);
    let done = pen.control(&town, &[Item::Leave], &[], late);
    for mut replica in [
        Replica::with(&town, &[&owner, &pen]),
        Replica::with(&town, &[&owner, &pen]).reopen(),
    ] {
        replica.refuses(&said, Rule::Total);
        replica.refuses(&done, Rule::Total);
    }
}

/// Bytes count with headers and proofs, from number 1 on, and a branch has what was left where it
/// parts.
#[test]
fn an_unwelcomed_guest_writes_so_many_bytes_in_all() {
    let mut town = Town::new(106);
    let (owner, mut pen) = unwelcomed(&mut town, 64, 20_000);
    let cost = |envelope: &Sealed| {
        let envelope = &envelope.get().envelope;
        envelope.header_bytes.len() + 64 + envelope.header.body_len as usize
    };
    let first: usize = pen.chain.iter().map(cost).sum();
    let twelve = pen.content(&town, (1, 12_000), &[], START + MINUTE);
    let left = 20_000 - first - cost(&twelve);
    pen.chain.push(twelve);
    let probe = pen.content(&town, (1, 5_000), &[], START + 90 * DAY);
    let beside = cost(&probe) - 5_000;
    let mut replica = Replica::with(&town, &[&owner, &pen]).reopen();
    let over = pen.content(&town, (1, left - beside + 1), &[], START + 90 * DAY);
    replica.refuses(&over, Rule::Total);
    let mut twin = pen.clone();
    let exact = pen.content(&town, (1, left - beside), &[], START + 90 * DAY);
    replica.takes(&exact);
    pen.chain.push(exact);
    replica.refuses(
        &pen.content(&town, (1, 1), &[], START + 91 * DAY),
        Rule::Total,
    );
    let other = twin.content(&town, (1, left - beside - 1), &[], START + 90 * DAY);
    assert_eq!(replica.verdict(&other), Admission::Void);
    twin.chain.push(other);
    replica.refuses(
        &twin.content(&town, (1, 20), &[], START + 91 * DAY),
        Rule::Total,
    );
}

/// A device that nobody has welcomed begins a few author keys, each with the totals to itself, however
/// many weeks it claims to have passed.
#[test]
fn an_unwelcomed_guest_begins_few_author_keys() {
    let mut town = Town::new(107);
    let mut owner = town.owners();
    let budget = Budget {
        total_envelopes: Some(64),
        ..Budget::default()
    };
    let terms = Terms {
        budget,
        ..Terms::GUEST
    };
    let invite = town.invite(town.root(), terms);
    let at = owner.issue(&town, std::slice::from_ref(&invite.1), &[], START);
    let device = town.key();
    let mut replica = Replica::with(&town, &[&owner]);
    for index in 0..8 {
        let mut pen = town.pen(&device, invite.1.id());
        let claim = pen.claim(&town, &invite.0, START);
        pen.begin(&town, index, &[claim], &[&at], START + 50 * DAY);
        let first = pen.chain.remove(0);
        if u64::from(index) <= rights::limits::UNWELCOMED_INCARNATIONS {
            replica.takes(&first);
        } else {
            replica.refuses(&first, Rule::Index);
        }
    }
}
