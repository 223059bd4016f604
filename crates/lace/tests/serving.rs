//! Serving, cuts and what receipts cover.

use crate::world::{Pair, Replica, SMALL, content, follow, id_of, join, pull, rng, sync};
use identity::SecretKey;
use lace::limits::{CLOSE_CHUNK, MAX_CUT_IDS};
use lace::{Admission, Budget, Coverage, CutEntry, Range};
use wire::{Checked, Verified};

/// A chatter of both, each naming the other's last.
fn chatter(pair: &Pair, rounds: usize) -> Vec<Checked<Verified>> {
    let mut all = vec![pair.invited.clone(), pair.joined.clone()];
    for at in 0..rounds {
        let (mine, other) = (all[all.len() - 2].clone(), all[all.len() - 1].clone());
        let text = format!("{at}");
        let next = if at % 2 == 0 {
            pair.founder_says(&mine, &[&other], &text)
        } else {
            pair.says(&mine, &[&other], &text)
        };
        all.push(next);
    }
    all
}

#[test]
fn ranges_are_merged_so_that_everything_comes_after_its_past() {
    let pair = Pair::new(40);
    let mut from = pair.replica(1);
    let all = chatter(&pair, 200);
    for verified in &all[2..] {
        from.admitted(verified);
    }
    let mut to = Replica::new(&pair.topic, 2);
    let wants = from.run(|lace, store| {
        let cut: Vec<CutEntry> = lace.cut().collect();
        let _ = store;
        cut
    });
    let found = to.run(|lace, store| lace.compare(store, &wants, None, true));
    assert_eq!(found.wants.len(), 2);
    for budget in [
        SMALL,
        Budget {
            envelopes: 1,
            bytes: 1,
        },
        Budget {
            envelopes: 64,
            bytes: 2000,
        },
    ] {
        let raws = from.serve_all(&found.wants, budget);
        assert_eq!(raws.len(), 203);
        let mut to = Replica::new(&pair.topic, 2);
        for raw in raws {
            to.admitted(&wire::check(raw).expect("holds"));
        }
        assert_eq!(to.hashes(), from.hashes());
    }
    // Control first: the bodies of content stay behind.
    let mut cursor = from.lace.cursor(&found.wants, true);
    let budget = Budget {
        envelopes: 500,
        bytes: 1_000_000,
    };
    let served = from.run(|lace, store| lace.serve(store, &mut cursor, budget));
    assert_eq!(
        served
            .envelopes
            .iter()
            .filter(|raw| raw.body.is_some())
            .count(),
        3
    );
    assert!(served.done && cursor.is_done());
}

#[test]
fn a_cursor_asks_for_no_more_than_the_range() {
    let pair = Pair::new(41);
    let mut from = pair.replica(1);
    for verified in &chatter(&pair, 20)[2..] {
        from.admitted(verified);
    }
    let guest = pair.guest.public();
    let range = |from, to| Range {
        author: guest,
        from,
        to,
    };
    let count = |from: &mut Replica, range| from.serve_all(&[range], SMALL).len();
    assert_eq!(count(&mut from, range(1, 1)), 1);
    assert_eq!(count(&mut from, range(3, 7)), 5);
    assert_eq!(count(&mut from, range(9, u64::MAX)), 3);
    assert_eq!(count(&mut from, range(100, 90)), 0);
    assert_eq!(count(&mut from, range(100, u64::MAX)), 0);
    let stranger = Range {
        author: pair.guest_device.public(),
        from: 1,
        to: 5,
    };
    assert_eq!(count(&mut from, stranger), 0);
}

#[test]
fn both_branches_of_a_fork_are_served_when_they_stand() {
    let pair = Pair::new(42);
    let mut a = pair.replica(1);
    let mut b = pair.replica(2);
    let (left, right) = (
        pair.says(&pair.joined, &[], "left"),
        pair.says(&pair.joined, &[], "right"),
    );
    a.admitted(&left);
    b.admitted(&right);
    // The founder, at two places, names one and then the other before hearing of the fork.
    let at_a = pair.founder_says(&pair.invited, &[&left], "at a");
    a.admitted(&at_a);
    let mut source = rng(420);
    let (device, key) = (
        SecretKey::generate(&mut source),
        SecretKey::generate(&mut source),
    );
    let third = join(&pair.topic, &device, &key, 0, &[&pair.invited, &right]);
    b.admitted(&third);
    sync(&mut a, &mut b, 1);
    for replica in [&mut a, &mut b] {
        for verified in [&left, &right, &at_a, &third] {
            assert!(replica.effective(&id_of(verified)));
        }
        let guest = pair.guest.public();
        assert_eq!(
            replica
                .lace
                .cut()
                .filter(|entry| entry.author == guest)
                .count(),
            2
        );
        assert_eq!(
            replica
                .run(|lace, store| lace.at(store, &guest, 2, 8))
                .len(),
            2
        );
    }
    // A newcomer gets both.
    let mut c = Replica::new(&pair.topic, 3);
    sync(&mut c, &mut a, 3);
    assert!(c.effective(&id_of(&left)) && c.effective(&id_of(&right)));
    assert_eq!(pull(&mut c, &mut a, 3), 0);
}

#[test]
fn a_void_branch_stands_again_when_something_names_it() {
    let pair = Pair::new(43);
    let mut replica = pair.replica(1);
    let left = pair.says(&pair.joined, &[], "left");
    let more = pair.says(&left, &[], "more");
    let right = pair.says(&pair.joined, &[], "right");
    let before = replica.admitted(&left);
    replica.admitted(&more);
    assert_eq!(replica.verdict(&right), Admission::Void);
    assert!(!replica.kept(&id_of(&left)) && !replica.kept(&id_of(&more)));
    assert!(
        replica.contains(&id_of(&right)),
        "void is stored, not served"
    );
    let guest = pair.guest.public();
    let all = [Range {
        author: guest,
        from: 1,
        to: u64::MAX,
    }];
    assert_eq!(replica.serve_all(&all, SMALL).len(), 1);
    let named = pair.founder_says(&pair.invited, &[&left], "named");
    let report = replica.take(&named);
    // It gets a new place, before that of what names it, and a reader sees it again.
    let Admission::Admitted { n, .. } = report[0].1 else {
        panic!("{report:?}")
    };
    assert_eq!(report[0].0, id_of(&left));
    assert!(n > before);
    assert!(replica.effective(&id_of(&left)) && !replica.kept(&id_of(&more)));
    assert_eq!(
        replica.run(|lace, store| lace.by_place(store, before)),
        None
    );
    assert_eq!(replica.serve_all(&all, SMALL).len(), 2);
    // Control beyond the fork is kept where it is named, and void all the same.
    assert!(!replica.effective(&id_of(&right)));
}

#[test]
fn many_branches_are_listed_up_to_the_limit_and_still_come() {
    let pair = Pair::new(44);
    let mut replicas: Vec<Replica> = Vec::new();
    let mut source = rng(440);
    for at in 0..MAX_CUT_IDS as u64 + 3 {
        let mut replica = pair.replica(at);
        let header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
        let branch = content(header, &at.to_be_bytes(), &pair.guest);
        replica.admitted(&branch);
        let (device, key) = (
            SecretKey::generate(&mut source),
            SecretKey::generate(&mut source),
        );
        replica.admitted(&join(
            &pair.topic,
            &device,
            &key,
            0,
            &[&pair.invited, &branch],
        ));
        replicas.push(replica);
    }
    let (first, others) = replicas.split_first_mut().expect("several");
    for other in others.iter_mut() {
        sync(first, other, 2);
    }
    let guest = pair.guest.public();
    assert_eq!(
        first
            .lace
            .cut()
            .filter(|entry| entry.author == guest)
            .count(),
        MAX_CUT_IDS
    );
    assert_eq!(
        first
            .run(|lace, store| lace.at(store, &guest, 2, 100))
            .len(),
        MAX_CUT_IDS + 3
    );
    let mut newcomer = Replica::new(&pair.topic, 99);
    sync(&mut newcomer, first, 4);
    for other in others.iter_mut() {
        sync(other, first, 4);
        assert_eq!(other.hashes(), newcomer.hashes());
    }
}

#[test]
fn a_deep_fork_is_found_in_few_rounds() {
    let pair = Pair::new(45);
    let (mut a, mut b) = (pair.replica(1), pair.replica(2));
    for (replica, text) in [(&mut a, "left"), (&mut b, "right")] {
        let mut before = pair.joined.clone();
        for at in 0..600 {
            before = pair.says(&before, &[], &format!("{text} {at}"));
            replica.admitted(&before);
        }
    }
    let mut rounds = 0;
    while a.hashes() != b.hashes() {
        pull(&mut a, &mut b, 10);
        pull(&mut b, &mut a, 10);
        rounds += 1;
        assert!(rounds < 12, "too many rounds");
    }
    let author = a.lace.author(&pair.guest.public()).expect("known");
    assert_eq!(author.closed(), Some(2));
    assert_eq!(a.lace.parked_load().0, 0);
}

#[test]
fn a_receipt_covers_a_chain_by_id_and_not_by_number() {
    let pair = Pair::new(46);
    let mut replica = pair.replica(1);
    let one = pair.says(&pair.joined, &[], "one");
    let two = pair.says(&one, &[], "two");
    let twin = pair.says(&one, &[], "twin");
    let third = pair.says(&twin, &[], "third");
    replica.admitted(&one);
    replica.admitted(&two);
    let entry = |verified: &Checked<Verified>| {
        let envelope = &verified.get().envelope;
        CutEntry {
            author: envelope.header.author,
            number: envelope.header.number,
            id: envelope.id,
        }
    };
    let mut covers = |verified: &Checked<Verified>| {
        replica.run(|lace, store| lace.covers(store, &entry(verified)))
    };
    assert_eq!(covers(&one), Coverage::Covers);
    assert_eq!(covers(&two), Coverage::Covers);
    assert_eq!(covers(&twin), Coverage::OtherBranch);
    assert_eq!(covers(&third), Coverage::Ahead);
    replica.take(&twin);
    replica.take(&third);
    let mut by = |entry: CutEntry, verified: &Checked<Verified>| {
        let id = id_of(verified);
        replica.run(|lace, store| lace.covers_envelope(store, &entry, &id))
    };
    assert!(by(entry(&third), &one) && by(entry(&third), &twin));
    assert!(!by(entry(&third), &two) && by(entry(&two), &two) && !by(entry(&one), &two));
    assert!(!by(entry(&pair.invited), &one));
}

#[test]
fn a_long_chain_is_closed_in_steps() {
    let pair = Pair::new(47);
    let (mut a, mut b) = (pair.replica(1), pair.replica(2));
    let mut before = pair.joined.clone();
    let mut named = None;
    for at in 0..3 * CLOSE_CHUNK {
        before = pair.says(&before, &[], &format!("{at}"));
        a.admitted(&before);
        if at == CLOSE_CHUNK + 5 {
            let header = pair.founder_says(&pair.invited, &[&before], "as far as here");
            a.admitted(&header);
            named = Some(before.clone());
        }
    }
    let named = named.expect("named");
    let twin = pair.says(&pair.joined, &[], "twin");
    b.admitted(&twin);
    assert_eq!(a.verdict(&twin), Admission::NoRoom);
    assert!(a.lace.has_work());
    assert!(!a.effective(&id_of(&before)));
    // A restart does not forget it.
    let mut a = a.reopen();
    assert!(a.lace.has_work());
    let mut steps = 0;
    while a.lace.has_work() {
        a.run(|lace, store| lace.work(store));
        steps += 1;
    }
    assert_eq!(steps, 2);
    assert_eq!(a.verdict(&twin), Admission::Void);
    assert!(a.effective(&id_of(&named)));
    let author = a.lace.author(&pair.guest.public()).expect("known");
    assert_eq!(
        (author.closed(), author.tip().map(|tip| tip.number)),
        (Some(2), Some(1))
    );
    assert_eq!(
        a.lace
            .cut()
            .filter(|entry| entry.id == id_of(&named))
            .count(),
        1
    );
    sync(&mut a, &mut b, 5);
    assert!(b.effective(&id_of(&named)) && !b.effective(&id_of(&twin)));
    let order = a.run(|lace, store| lace.order(store, 0, 100_000));
    let kept = order.into_iter().filter(|place| a.kept(&place.id)).count() as u64;
    assert_eq!(kept, 3 + 1 + CLOSE_CHUNK + 6);
}
