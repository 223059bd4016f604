//! Where the next envelope belongs.

use crate::world::{DAY, Pair, Replica, START, content, id_of, join, plan, rng};
use identity::SecretKey;
use lace::limits::MAX_DEPS;
use lace::{NotWritable, Plan};
use wire::Class;

#[test]
fn a_guest_names_the_invite_first() {
    let pair = Pair::new(50);
    let mut replica = Replica::new(&pair.topic, 1);
    let key = SecretKey::generate(&mut rng(500)).public();
    let plan = plan(Class::Control, START);
    let grant = pair.topic.grant;
    let none = replica.run(|lace, store| lace.next_header(store, &key, &grant, &plan));
    assert_eq!(none, Err(NotWritable::NoInvite));
    replica.admitted(&pair.first);
    replica.admitted(&pair.invited);
    replica.admitted(&pair.founder_says(&pair.invited, &[], "later"));
    let header = replica.run(|lace, store| lace.next_header(store, &key, &grant, &plan));
    let header = header.expect("may join");
    assert!(
        header.deps.contains(&id_of(&pair.invited)),
        "though it is no head"
    );
    assert_eq!(
        (header.number, header.deps.len(), header.generation),
        (1, 2, 4)
    );
}

#[test]
fn answers_come_before_heads_and_deps_are_bounded() {
    let pair = Pair::new(51);
    let mut replica = pair.replica(1);
    let mut source = rng(510);
    for _ in 0..MAX_DEPS + 4 {
        let (device, key) = (
            SecretKey::generate(&mut source),
            SecretKey::generate(&mut source),
        );
        replica.admitted(&join(&pair.topic, &device, &key, 0, &[&pair.invited]));
    }
    let old = id_of(&pair.first);
    let own = id_of(&pair.joined);
    let unknown = identity::EnvelopeId::from_bytes([8; 32]);
    let plan = Plan {
        answers: vec![unknown, old, own],
        ..plan(Class::Content, START)
    };
    let (author, grant) = (pair.guest.public(), pair.topic.grant);
    let header = replica.run(|lace, store| lace.next_header(store, &author, &grant, &plan));
    let header = header.expect("may write");
    assert_eq!(header.deps.len(), MAX_DEPS);
    assert!(header.deps.contains(&old));
    assert!(!header.deps.contains(&unknown) && !header.deps.contains(&own));
    assert!(replica.lace.heads().count() > MAX_DEPS);
    // What it names is no head any more, and the rest is named by the next.
    let one = content(header, b"one", &pair.guest);
    replica.admitted(&one);
    let header = replica.run(|lace, store| lace.next_header(store, &author, &grant, &plan));
    let two = content(header.expect("may write"), b"two", &pair.guest);
    replica.admitted(&two);
    assert_eq!(replica.lace.heads().collect::<Vec<_>>(), [id_of(&two)]);
}

#[test]
fn time_never_goes_back_and_an_unconfirmed_clock_is_not_claimed() {
    let pair = Pair::new(52);
    let mut replica = pair.replica(1);
    let (author, grant) = (pair.guest.public(), pair.topic.grant);
    let write = |replica: &mut Replica, now, clock_confirmed| {
        let plan = Plan {
            clock_confirmed,
            ..plan(Class::Content, now)
        };
        let header = replica.run(|lace, store| lace.next_header(store, &author, &grant, &plan));
        let header = header.expect("may write");
        let created = header.created;
        assert_eq!(header.clock_unconfirmed, !clock_confirmed);
        replica.admitted(&content(header, b"x", &pair.guest));
        created
    };
    assert_eq!(write(&mut replica, START + DAY, true), START + DAY);
    assert_eq!(write(&mut replica, 0, true), START + DAY);
    assert_eq!(write(&mut replica, START + 9999 * DAY, false), START + DAY);
    assert_eq!(write(&mut replica, 0, false), START + DAY);
    assert_eq!(write(&mut replica, START + 2 * DAY, true), START + 2 * DAY);
}

/// Whoever takes something from an author that has forked says which branch it leaves, and names it;
/// nobody else names a closed author.
#[test]
fn control_names_the_branch_of_a_closed_author_that_it_leaves() {
    let pair = Pair::new(53);
    let mut replica = pair.replica(1);
    let [one, two] = ["one", "two"].map(|text| pair.founder_says(&pair.invited, &[], text));
    replica.admitted(&one);
    replica.verdict(&two);
    replica.settle();
    let (author, grant) = (pair.guest.public(), pair.topic.grant);
    for class in [Class::Content, Class::Control] {
        let plan = Plan {
            answers: vec![id_of(&one)],
            ..plan(class, START)
        };
        let header = replica.run(|lace, store| lace.next_header(store, &author, &grant, &plan));
        let names = header.expect("may write").deps.contains(&id_of(&one));
        assert_eq!(names, class == Class::Control);
    }
}
