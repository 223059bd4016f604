//! Parts of epochs: whose interval opens which slices, and what is given up.

use identity::EpochId;
use proptest::prelude::*;
use rights::{
    Access, AccessRefused, Epoch, EpochSecret, KeyRing, OpenCache, Opened, Portion, Subject, open,
};
use wire::EpochItem;

use crate::support::{
    DAY, NOW, author, founded, header, opened, public_ring, sealed, sliced, texts,
};

/// An epoch of this many days from `NOW` on.
fn days(count: u8) -> (EpochSecret, Epoch) {
    let secret = EpochSecret::from_bytes([7; 32]);
    let item = EpochItem {
        suite: 1,
        start: NOW.as_millis(),
        slice: DAY,
        keys: secret.slice_public(count),
    };
    let epoch = Epoch::from_item(&item).unwrap();
    (secret, epoch)
}

fn day(n: u64) -> u64 {
    NOW.as_millis() + n * DAY
}

#[test]
fn a_right_opens_the_slices_that_lie_wholly_within_it() {
    let (_, epoch) = days(10);
    let within = |from, until| epoch.slices_within(from, until);
    assert_eq!(within(0, None), 0..10);
    assert_eq!(within(day(0), None), 0..10);
    // One millisecond too late at the beginning, one too early at the end.
    assert_eq!(within(day(3), Some(day(6))), 3..6);
    assert_eq!(within(day(3) + 1, Some(day(6))), 4..6);
    assert_eq!(within(day(3), Some(day(6) - 1)), 3..5);
    assert_eq!(within(day(3) - 1, Some(day(6) + 1)), 3..6);
    assert_eq!(within(day(2) + 1, Some(day(3) - 1)), 3..3, "none");
    assert!(within(day(6), Some(day(3))).is_empty());
    // What comes after the last slice is sealed to it, so who has an end does not open it.
    assert_eq!(within(day(9), None), 9..10);
    assert!(within(day(9), Some(day(10))).is_empty());
    assert_eq!(within(day(8), Some(u64::MAX)), 8..9);
    assert!(within(day(10), None).is_empty());
    assert!(within(u64::MAX, None).is_empty());
    assert!(within(0, Some(day(0))).is_empty());
    assert!(within(0, Some(0)).is_empty());
}

#[test]
fn one_slice_without_end_is_for_rights_without_end() {
    let of = founded(1);
    let epoch = of.ring.newest_clean().unwrap().epoch();
    assert_eq!(epoch.slices_within(NOW.as_millis(), None), 0..1);
    assert!(epoch.slices_within(NOW.as_millis() + 1, None).is_empty());
    assert!(epoch.slices_within(0, Some(u64::MAX)).is_empty());
}

proptest! {
    /// Whatever somebody's right is, none of its slices takes anything of a time outside of it, but
    /// for what claims to be older than the epoch itself.
    #[test]
    fn no_slice_of_a_right_takes_what_is_outside_of_it(
        count in 1u8..=32, from in 0u64..40, until in proptest::option::of(0u64..40),
        early in -1i64..=1, late in -1i64..=1, at in 0u64..50, off in -1i64..=1,
    ) {
        let (_, epoch) = days(count);
        let near = |n: u64, by: i64| day(n).saturating_add_signed(by);
        let (from, until) = (near(from, early), until.map(|until| near(until, late)));
        let created = near(at, off).max(NOW.as_millis());
        let opens = epoch.slices_within(from, until).contains(&epoch.slice_of(created));
        prop_assert!(!opens || (created >= from && until.is_none_or(|until| created < until)));
        // Exactly those slices are opened that begin in it and, if it ends, end in it.
        let slice = epoch.slice_of(created);
        let begins = day(u64::from(slice));
        let ends = (slice + 1 < count).then_some(begins + DAY);
        let within = from <= begins && until.is_none_or(|until| ends.is_some_and(|at| at <= until));
        prop_assert_eq!(opens, within);
    }
}

/// A body of the topic's founder, written on a day.
fn body_of(genesis: &wire::Genesis, ring: &KeyRing, day: u64) -> (Subject, Vec<u8>) {
    let mut header = header(genesis.topic_id(), author(9), 1, 1);
    header.created = NOW.as_millis() + day * DAY + 5;
    let subject = Subject::of(&header).unwrap();
    let body = sealed(ring, &subject, &texts(1), 5);
    (subject, body)
}

#[test]
fn an_interval_opens_exactly_its_slices() {
    let (genesis, full) = sliced(1);
    let all = full.newest_clean().unwrap().access().unwrap();
    let epoch = genesis.epoch.id();
    for part in [0..1, 1..2, 2..3, 0..2, 1..3, 0..3, 1..1] {
        let mut ring = KeyRing::new(genesis.topic_id(), &genesis).unwrap();
        let access = all.part(part.clone()).unwrap();
        let kept = access.to_bytes();
        ring.unlock(epoch, Access::from_bytes(&kept).unwrap())
            .unwrap();
        assert_eq!(ring.reads(), !part.is_empty());
        for slice in 0..3u8 {
            let (subject, body) = body_of(&genesis, &full, slice.into());
            assert_eq!(body[17], slice);
            let read = opened(&ring, &subject, &body);
            let expected = if part.contains(&slice) {
                Opened::Messages(texts(1))
            } else {
                Opened::NoKey
            };
            assert_eq!(read, expected, "{part:?} {slice}");
        }
        // It writes, and recognises, whatever it reads.
        let meeting = *all.meeting().unwrap().as_bytes();
        let own = ring.newest_clean().unwrap().meeting().unwrap();
        assert_eq!(*own.as_bytes(), meeting);
    }
}

#[test]
fn slices_add_up_and_are_compared_with_what_was_announced() {
    let (genesis, full) = sliced(1);
    let all = full.newest_clean().unwrap().access().unwrap();
    let epoch = genesis.epoch.id();
    let mut ring = KeyRing::new(genesis.topic_id(), &genesis).unwrap();
    ring.unlock(epoch, all.part(0..1).unwrap()).unwrap();
    ring.unlock(epoch, Access::Member(all.meeting().unwrap()))
        .unwrap();
    ring.unlock(epoch, all.part(2..3).unwrap()).unwrap();
    let opens = |ring: &KeyRing| [0, 1, 2].map(|slice| ring.newest_clean().unwrap().opens(slice));
    assert_eq!(opens(&ring), [true, false, true]);
    // The seed of one slice in the place of another, of another epoch, of a slice that is not there.
    let bytes = all.part(1..2).unwrap().to_bytes().to_vec();
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        Access::from_bytes(&bytes).unwrap()
    };
    let none = Access::Slices(all.meeting().unwrap(), Default::default());
    assert!(Access::from_bytes(&none.to_bytes()).is_err());
    for bad in [with(34, 2), with(34, 31), with(50, bytes[50] ^ 1)] {
        assert_eq!(ring.unlock(epoch, bad), Err(AccessRefused::Mismatch));
        assert_eq!(opens(&ring), [true, false, true]);
    }
    ring.unlock(epoch, all.clone()).unwrap();
    assert_eq!(opens(&ring), [true; 3]);
}

#[test]
fn what_was_given_up_is_not_opened_and_does_not_come_back() {
    let (genesis, full) = sliced(1);
    let epoch = genesis.epoch.id();
    let all = full.newest_clean().unwrap().access().unwrap().clone();
    let bodies: Vec<_> = (0..3).map(|day| body_of(&genesis, &full, day)).collect();
    let mut ring = full.clone();
    let reads = |ring: &KeyRing| {
        let read = |(subject, body): &(Subject, Vec<u8>)| {
            opened(ring, subject, body) == Opened::Messages(texts(1))
        };
        bodies.iter().map(read).collect::<Vec<_>>()
    };
    assert_eq!(ring.forget_before(day(0)), []);
    assert_eq!(ring.forget_before(day(1) - 1), [], "not over yet");
    assert_eq!(reads(&ring), [true, true, true]);
    assert_eq!(ring.forget_before(day(1)), [epoch]);
    assert_eq!(ring.forget_before(day(1)), [], "nothing more");
    assert_eq!(reads(&ring), [false, true, true]);
    // E itself is gone: it would open all.
    let kept = ring.newest_clean().unwrap().access().unwrap();
    assert!(kept.epoch_secret().is_none());
    // Not by the same box again, not by what another reader hands over, not by a clock set back.
    ring.unlock(epoch, all.clone()).unwrap();
    ring.unlock(epoch, all.part(0..2).unwrap()).unwrap();
    assert_eq!(ring.forget_before(0), []);
    assert_eq!(reads(&ring), [false, true, true]);
    // Nor by what the vault kept of an earlier life.
    let mut again = KeyRing::new(genesis.topic_id(), &genesis).unwrap();
    again.give_up(epoch, ring.by_id(epoch).unwrap().kept_from());
    again.restore(epoch, all.clone());
    assert_eq!(reads(&again), [false, true, true]);
    again.give_up(epoch, 0);
    again.give_up(epoch, 200);
    assert_eq!(reads(&again), [false, false, false]);
    assert!(again.newest_clean().unwrap().meeting().is_some(), "M stays");
    assert!(!again.reads());
}

#[test]
fn the_last_slice_ends_when_another_epoch_has_followed_here_for_that_long() {
    let (genesis, full) = sliced(1);
    let epoch = genesis.epoch.id();
    let kept = |ring: &KeyRing| ring.by_id(epoch).unwrap().kept_from();
    let mut ring = full.clone();
    ring.forget_before(day(1_000));
    assert_eq!(kept(&ring), 2, "it may still be written under");
    assert!(ring.note_followed(epoch, day(10)));
    assert!(!ring.note_followed(epoch, day(4)), "the first time counts");
    ring.forget_before(day(10) - 1);
    assert_eq!(kept(&ring), 2);
    ring.forget_before(day(10));
    assert_eq!(kept(&ring), 3);
    assert!(!ring.reads());
    // An epoch that follows at once does not end the slices of those days.
    let mut ring = full;
    ring.note_followed(epoch, day(0));
    ring.forget_before(day(3) - 1);
    assert_eq!(kept(&ring), 2);
    ring.forget_before(day(3));
    assert_eq!(kept(&ring), 3);
    // One slice without end as well.
    let of = founded(1);
    let mut ring = of.ring.clone();
    assert_eq!(ring.forget_before(u64::MAX), []);
    ring.note_followed(of.genesis.epoch.id(), day(10));
    assert_eq!(ring.forget_before(day(10) - 1), []);
    assert_eq!(ring.forget_before(day(10)), [of.genesis.epoch.id()]);
    assert!(!ring.reads());
}

#[test]
fn an_epoch_ends_where_a_newer_one_is_clean() {
    let of = founded(1);
    let genesis = of.genesis.epoch.id();
    let mut ring = of.ring.clone();
    assert_eq!(ring.note_ended(day(1)), [], "it is the newest itself");
    let next = days(3).1;
    let id = next.id();
    ring.add(next, 5, &[]);
    ring.mark(id, false);
    assert_eq!(
        ring.note_ended(day(2)),
        [],
        "boxes of the other are missing"
    );
    ring.mark(id, true);
    assert_eq!(ring.note_ended(day(3)), [genesis]);
    assert_eq!(ring.note_ended(day(4)), [], "once");
    assert_eq!(ring.by_id(genesis).unwrap().followed(), Some(day(3)));
    assert_eq!(ring.by_id(id).unwrap().followed(), None);
    for epoch in [id, genesis] {
        ring.mark(epoch, false);
    }
    let mut ring = ring.clone();
    assert_eq!(ring.note_ended(day(5)), [], "none is clean");
}

#[test]
fn a_ring_knows_nothing_of_epochs_that_it_does_not_have() {
    let of = founded(1);
    let mut ring = public_ring(&of);
    let other = EpochId::from_bytes([1; 32]);
    ring.mark(other, false);
    ring.give_up(other, 1);
    ring.restore(
        other,
        of.ring.newest_clean().unwrap().access().unwrap().clone(),
    );
    assert!(!ring.note_followed(other, 1));
    assert!(ring.by_id(other).is_none());
}

#[test]
fn who_asks_is_handed_what_it_may_have_and_no_more() {
    let of = founded(1);
    let (secret, epoch) = days(8);
    let mut ring = of.ring.clone();
    ring.add(epoch.clone(), 4, &[]);
    let (id, genesis) = (epoch.id(), of.genesis.epoch.id());
    ring.restore(id, Access::Reader(secret.clone()));
    let all = Portion::Reads {
        from: 0,
        until: None,
    };
    let part = Portion::Reads {
        from: day(2),
        until: Some(day(5)),
    };
    let opens = |handed: &[(EpochId, Access)]| -> Vec<u8> {
        let access = handed.iter().find(|(epoch, _)| *epoch == id);
        let access = access.map(|(_, access)| access).unwrap();
        (0..40).filter(|slice| access.opens(*slice)).collect()
    };
    let asked = [(id, u32::MAX), (genesis, u32::MAX)];
    let whole = ring.hand_over(&asked, all);
    assert_eq!(whole.len(), 2);
    assert!(
        whole
            .iter()
            .all(|(_, access)| access.epoch_secret().is_some())
    );
    // An interval, whatever is asked for; of the genesis' one slice without end it gets nothing.
    let some = ring.hand_over(&asked, part);
    assert_eq!(opens(&some), [2, 3, 4]);
    assert!(matches!(some[1], (_, Access::Member(_))));
    assert_eq!(opens(&ring.hand_over(&[(id, 0b1010)], part)), [3]);
    assert_eq!(opens(&ring.hand_over(&[(id, 0b1010)], all)), [1, 3]);
    let writes = ring.hand_over(&asked, Portion::Writes);
    assert!(
        writes
            .iter()
            .all(|(_, access)| matches!(access, Access::Member(_)))
    );
    assert!(
        ring.hand_over(&[(EpochId::from_bytes([9; 32]), 1)], all)
            .is_empty()
    );
    // Whoever holds a part gives no more than that; a core node nothing; what was given up is gone.
    let mut partly = public_ring(&of);
    partly.add(epoch.clone(), 4, &[]);
    partly.restore(id, Access::Reader(secret.clone()).part(3..6).unwrap());
    assert_eq!(opens(&partly.hand_over(&asked, all)), [3, 4, 5]);
    let mut core = public_ring(&of);
    core.add(epoch.clone(), 4, &[]);
    core.restore(id, Access::Core(secret.meeting().core()));
    assert!(core.hand_over(&asked, all).is_empty());
    ring.give_up(id, 4);
    assert_eq!(opens(&ring.hand_over(&asked, all)), [4, 5, 6, 7]);
    // What is asked for is what is missing.
    assert_eq!(partly.lacking(id, all), Some(0b1100_0111));
    assert_eq!(partly.lacking(id, Portion::Writes), None);
    assert_eq!(partly.lacking(genesis, Portion::Writes), Some(0), "M");
    assert_eq!(partly.lacking(genesis, all), Some(1));
    assert_eq!(
        ring.lacking(id, all),
        None,
        "nobody asks for what it gave up"
    );
    assert_eq!(partly.lacking(id, part), Some(0b0000_0100));
}

#[test]
fn a_core_node_has_no_part_to_give() {
    let of = founded(1);
    let access = of.ring.newest_clean().unwrap().access().unwrap();
    let core = Access::Core(access.core());
    assert!(core.part(0..1).is_none());
    assert!(core.meeting().is_none());
    assert!(!core.opens(0));
    let member = Access::Member(access.meeting().unwrap());
    assert!(matches!(member.part(0..32), Some(Access::Member(_))));
    let body = body_of(&of.genesis, &of.ring, 0);
    for access in [core, member] {
        let mut ring = public_ring(&of);
        ring.unlock(of.genesis.epoch.id(), access).unwrap();
        let verdict = open(&mut OpenCache::new(), &ring, &body.0, &body.1);
        assert_eq!(verdict, Opened::NoKey);
    }
}
