//! Bodies that come late, and go early.

use crate::world::{DAY, Pair, START, id_of, plan, without_body};
use lace::{AddedBody, Admission, Body};
use wire::{Class, check_body};

#[test]
fn a_body_comes_later_and_only_the_right_one() {
    let pair = Pair::new(30);
    let mut replica = pair.replica(1);
    let one = pair.says(&pair.joined, &[], "one");
    let id = id_of(&one);
    let n = replica.admitted(&without_body(&one));
    let (missing, more) = replica.run(|lace, store| lace.missing_bodies(store, 0, 10));
    assert_eq!(
        (missing.len(), missing[0].id, missing[0].n, more),
        (1, id, n, None)
    );
    let held = replica
        .run(|lace, store| lace.envelope(store, &id))
        .expect("here");
    assert_eq!(held.body, Body::Missing);
    assert!(held.effective);
    // The header alone is forwarded, but not named.
    assert!(replica.lace.heads().any(|head| head == id));
    let plan = plan(Class::Content, START);
    let author = pair.author.public();
    let grant = pair.topic.founder_grant();
    let header = replica.run(|lace, store| lace.next_header(store, &author, &grant, &plan));
    assert!(!header.expect("may write").deps.contains(&id));

    assert!(check_body(&one.get().envelope, b"two".to_vec()).is_err());
    let body = || check_body(&one.get().envelope, b"one".to_vec()).expect("the body");
    let added = replica.run(|lace, store| lace.add_body(store, body()));
    assert_eq!(added, AddedBody::Added { n });
    let again = replica.run(|lace, store| lace.add_body(store, body()));
    assert_eq!(again, AddedBody::NotWanted);
    assert_eq!(
        replica
            .run(|lace, store| lace.missing_bodies(store, 0, 10))
            .0,
        []
    );
    let header = replica.run(|lace, store| lace.next_header(store, &author, &grant, &plan));
    assert!(header.expect("may write").deps.contains(&id));
}

#[test]
fn a_duplicate_brings_the_missing_body() {
    let pair = Pair::new(31);
    let mut replica = pair.replica(1);
    let one = pair.says(&pair.joined, &[], "one");
    replica.admitted(&without_body(&one));
    let before = replica.lace.totals().body_bytes;
    assert_eq!(
        replica.verdict(&one),
        Admission::Duplicate {
            body_was_missing: true
        }
    );
    assert_eq!(
        replica.verdict(&one),
        Admission::Duplicate {
            body_was_missing: false
        }
    );
    assert_eq!(replica.lace.totals().body_bytes, before + 3);
}

#[test]
fn bodies_expire_and_headers_and_control_do_not() {
    let pair = Pair::new(32);
    let mut replica = pair.replica(1);
    let one = pair.says(&pair.joined, &[], "one");
    let two = pair.says(&one, &[], "two");
    let three = pair.says(&two, &[], "three");
    replica.admitted(&one);
    replica.admitted(&two);
    replica.admitted(&without_body(&three));
    let before = (replica.hashes(), *replica.lace.totals());
    let end = START + 30 * DAY;
    assert_eq!(
        replica.run(|lace, store| lace.next_expiry(store)),
        Some(end)
    );
    assert_eq!(
        replica.run(|lace, store| lace.expire(store, end - 1, 10)),
        []
    );
    let freed = replica.run(|lace, store| lace.expire(store, end, 2));
    assert_eq!(freed.len(), 2);
    let freed = replica.run(|lace, store| lace.expire(store, end, 2));
    assert_eq!(freed.len(), 1);
    assert_eq!(replica.run(|lace, store| lace.next_expiry(store)), None);
    assert_eq!(replica.hashes(), before.0, "expiry changes no cut");
    assert_eq!(replica.lace.totals().body_bytes, before.1.body_bytes - 6);
    assert_eq!(replica.lace.totals().header_bytes, before.1.header_bytes);
    assert_eq!(
        replica
            .run(|lace, store| lace.missing_bodies(store, 0, 10))
            .0,
        []
    );
    for verified in [&one, &three] {
        let id = id_of(verified);
        let held = replica
            .run(|lace, store| lace.envelope(store, &id))
            .expect("the header stays");
        assert_eq!(held.body, Body::Gone);
        assert_eq!(
            replica.verdict(verified),
            Admission::Duplicate {
                body_was_missing: false
            }
        );
    }
    let id = id_of(&pair.invited);
    let held = replica
        .run(|lace, store| lace.envelope(store, &id))
        .expect("control stays");
    assert!(matches!(held.body, Body::Here(_)));
    let replica = replica.reopen();
    assert_eq!(replica.lace.totals().body_bytes, before.1.body_bytes - 6);
}

#[test]
fn a_dropped_body_is_gone_and_control_cannot_be_dropped() {
    let pair = Pair::new(33);
    let mut replica = pair.replica(1);
    let one = pair.says(&pair.joined, &[], "one");
    let id = id_of(&one);
    replica.admitted(&one);
    let freed = replica
        .run(|lace, store| lace.drop_body(store, &id))
        .expect("dropped");
    assert_eq!((freed.number, freed.bytes), (2, 3));
    assert_eq!(replica.run(|lace, store| lace.drop_body(store, &id)), None);
    let held = replica
        .run(|lace, store| lace.envelope(store, &id))
        .expect("here");
    assert_eq!(held.body, Body::Gone);
    let control = id_of(&pair.joined);
    assert_eq!(
        replica.run(|lace, store| lace.drop_body(store, &control)),
        None
    );
}
