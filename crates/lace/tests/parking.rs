//! What waits for its past, and how much of it.

use crate::world::{Pair, content, follow, id_of, join, rng};
use identity::SecretKey;
use lace::limits::{
    MAX_PARKED, MAX_PARKED_BYTES_PER_AUTHOR, MAX_PARKED_PER_AUTHOR, MAX_PARKED_UNKNOWN,
};
use lace::{Admission, Rule};
use wire::{Checked, Verified};

fn chain(pair: &Pair, len: usize, size: usize) -> Vec<Checked<Verified>> {
    let mut all: Vec<Checked<Verified>> = Vec::new();
    for at in 0..len {
        let before = all.last().unwrap_or(&pair.joined);
        let header = follow(pair.topic.header(pair.topic.grant), Some(before), &[]);
        let mut body = vec![0; size];
        body[..8].copy_from_slice(&(at as u64).to_be_bytes());
        all.push(content(header, &body, &pair.guest));
    }
    all
}

#[test]
fn what_comes_backwards_is_admitted_in_causal_order() {
    let pair = Pair::new(20);
    let mut replica = pair.replica(1);
    let chain = chain(&pair, 50, 10);
    for verified in chain[1..].iter().rev() {
        assert!(matches!(
            replica.verdict(verified),
            Admission::Parked { .. }
        ));
        assert!(!replica.contains(&id_of(verified)));
    }
    assert_eq!(replica.lace.parked().count(), 49);
    let before = replica.hashes();
    let report = replica.take(&chain[0]);
    assert_ne!(replica.hashes(), before);
    let ids: Vec<_> = report.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, chain.iter().map(id_of).collect::<Vec<_>>());
    assert_eq!(replica.lace.parked_load(), (0, 0));
}

#[test]
fn what_is_parked_is_not_compared_named_or_counted() {
    let pair = Pair::new(21);
    let mut replica = pair.replica(1);
    let chain = chain(&pair, 2, 10);
    let before = (
        replica.hashes(),
        *replica.lace.totals(),
        replica.lace.last_place(),
    );
    replica.take(&chain[1]);
    assert_eq!(
        (
            replica.hashes(),
            *replica.lace.totals(),
            replica.lace.last_place()
        ),
        before
    );
    assert!(replica.lace.heads().all(|head| head != id_of(&chain[1])));
    let wants = replica.lace.parked_wants();
    assert_eq!(wants.len(), 1);
    assert_eq!((wants[0].from, wants[0].to), (2, 2));
    // It does not survive a restart, and is then simply offered again.
    let mut replica = replica.reopen();
    assert_eq!(replica.lace.parked_load(), (0, 0));
    replica.take(&chain[1]);
    replica.take(&chain[0]);
    assert!(replica.contains(&id_of(&chain[1])));
}

#[test]
fn an_author_fills_its_own_room_and_nobody_elses() {
    let pair = Pair::new(22);
    let mut replica = pair.replica(1);
    let chain = chain(&pair, MAX_PARKED_PER_AUTHOR + 10, 10);
    for verified in &chain[2..] {
        replica.take(verified);
    }
    assert_eq!(replica.lace.parked_load().0, MAX_PARKED_PER_AUTHOR);
    assert_eq!(replica.verdict(&chain[chain.len() - 1]), Admission::NoRoom);
    // A lower number takes the place of the highest.
    assert!(matches!(
        replica.verdict(&chain[1]),
        Admission::Parked { .. }
    ));
    assert_eq!(replica.lace.parked_load().0, MAX_PARKED_PER_AUTHOR);
    // Others still have room.
    let one = pair.founder_says(&pair.invited, &[], "one");
    let two = pair.founder_says(&one, &[], "two");
    assert!(matches!(replica.verdict(&two), Admission::Parked { .. }));
    // And all comes right when the past comes.
    replica.take(&chain[0]);
    for verified in &chain {
        replica.take(verified);
    }
    assert!(
        chain
            .iter()
            .all(|verified| replica.contains(&id_of(verified)))
    );
}

#[test]
fn bytes_are_bounded_too() {
    let pair = Pair::new(23);
    let mut replica = pair.replica(1);
    for verified in &chain(&pair, 40, 60_000)[1..] {
        replica.take(verified);
    }
    let (_, bytes) = replica.lace.parked_load();
    assert!(bytes <= MAX_PARKED_BYTES_PER_AUTHOR && bytes > MAX_PARKED_BYTES_PER_AUTHOR / 2);
}

#[test]
fn strangers_share_a_small_room() {
    let pair = Pair::new(24);
    let mut replica = pair.replica(1);
    let mut source = rng(240);
    for _ in 0..MAX_PARKED_UNKNOWN + 40 {
        let (device, key) = (
            SecretKey::generate(&mut source),
            SecretKey::generate(&mut source),
        );
        // The invite that they name is one that nobody ever sees.
        let unseen = pair.founder_says(&pair.invited, &[], "unseen");
        replica.take(&join(
            &pair.topic,
            &device,
            &key,
            0,
            &[&pair.invited, &unseen],
        ));
    }
    assert_eq!(replica.lace.parked_load().0, MAX_PARKED_UNKNOWN);
    const { assert!(MAX_PARKED_UNKNOWN < MAX_PARKED) };
}

#[test]
fn what_waits_for_the_inadmissible_goes_with_it() {
    let pair = Pair::new(25);
    let mut replica = pair.replica(1);
    let mut header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
    header.generation += 1;
    let wrong = content(header, b"x", &pair.guest);
    let after = pair.says(&wrong, &[], "after");
    let beside = pair.founder_says(&pair.invited, &[&after], "beside");
    replica.take(&beside);
    replica.take(&after);
    assert_eq!(replica.lace.parked_load().0, 2);
    assert_eq!(
        replica.verdict(&wrong),
        Admission::Refused(Rule::Generation)
    );
    assert_eq!(replica.lace.parked_load(), (0, 0));
}

#[test]
fn a_fork_is_seen_in_what_can_only_be_parked() {
    let pair = Pair::new(26);
    let mut replica = pair.replica(1);
    let left = chain(&pair, 3, 10);
    let right = chain(&pair, 3, 12);
    for verified in &left {
        replica.take(verified);
    }
    // Only the last of the other branch comes: evidence needs no past.
    let report = replica.take(&right[2]);
    assert!(matches!(report[0].1, Admission::Fork(_)));
    assert_eq!(
        replica
            .lace
            .forks()
            .map(|(_, seen)| seen.number)
            .collect::<Vec<_>>(),
        [4]
    );
    // What lies below is asked for until the place where the branches part is found.
    replica.take(&right[1]);
    replica.take(&right[0]);
    assert_eq!(
        replica
            .lace
            .forks()
            .map(|(_, seen)| seen.number)
            .collect::<Vec<_>>(),
        [2]
    );
    let author = replica.lace.author(&pair.guest.public()).expect("known");
    assert_eq!(author.tip().map(|tip| tip.id), Some(id_of(&pair.joined)));
}

#[test]
fn what_waits_beyond_a_fork_can_be_dropped() {
    let pair = Pair::new(25);
    let mut replica = pair.replica(1);
    let old = chain(&pair, 3, 10);
    replica.admitted(&pair.says(&pair.joined, &[], "after an old backup"));
    let waits = pair.founder_says(&pair.invited, &[], "one");
    replica.take(&pair.founder_says(&waits, &[], "two"));
    // The other branch: its first envelope shows the fork, and is void.
    let report = replica.take(&old[0]);
    assert!(matches!(report.last(), Some((_, Admission::Void))));
    assert!(matches!(replica.verdict(&old[2]), Admission::Parked { .. }));
    let beyond = replica.lace.parked_beyond_forks();
    assert_eq!(beyond, [id_of(&old[2])]);
    replica.lace.drop_parked_one(&beyond[0]);
    assert_eq!(replica.lace.parked().count(), 1, "the other one waits on");
    // Offered after its past it is taken.
    assert_eq!(replica.verdict(&old[1]), Admission::Void);
    assert_eq!(replica.verdict(&old[2]), Admission::Void);
}
