//! Items sealed to members and to readers.

use rights::limits::{MAX_ITEM_PLAIN, MIN_ITEM_PADDED};
use rights::{
    ItemSubject, OpenCache, OpenedItem, SealRefused, SenderKeys, open, open_item_to_members,
    open_item_to_readers, seal_item_to_members, seal_item_to_readers,
};
use wire::limits::{MAX_SEALED_ITEM, SEALED_BODY_OVERHEAD};

use crate::support::{
    NOW, author, core_ring, flips, founded, member_ring, public_ring, rng, sealed, subject, texts,
};

fn of_kind(of: &rights::Founded, kind: u8) -> ItemSubject {
    ItemSubject {
        topic: of.topic,
        author: author(9),
        created: NOW.as_millis(),
        kind,
    }
}

#[test]
fn readers_open_what_was_sealed_to_readers_and_nobody_else_does() {
    let of = founded(1);
    let held = of.ring.newest_clean().unwrap();
    let name = of_kind(&of, 5);
    let item =
        seal_item_to_readers(&mut SenderKeys::new(), held, &name, b"Ada", &mut rng(5)).unwrap();
    assert_eq!(
        item.len(),
        MIN_ITEM_PADDED + SEALED_BODY_OVERHEAD,
        "short names look alike"
    );
    let read =
        |ring: &rights::KeyRing| open_item_to_readers(&mut OpenCache::new(), ring, &name, &item);
    assert_eq!(read(&of.ring), OpenedItem::Plain(b"Ada".to_vec()));
    for ring in [member_ring(&of), core_ring(&of), public_ring(&of)] {
        assert_eq!(read(&ring), OpenedItem::NoKey);
    }
}

#[test]
fn members_open_what_was_sealed_to_members_and_cores_do_not() {
    let of = founded(1);
    let held = of.ring.newest_clean().unwrap();
    let cores = of_kind(&of, 6);
    let item = seal_item_to_members(held, &cores, b"core.example", &mut rng(5)).unwrap();
    for ring in [of.ring.clone(), member_ring(&of)] {
        let plain = OpenedItem::Plain(b"core.example".to_vec());
        assert_eq!(open_item_to_members(&ring, &cores, &item), plain);
    }
    for ring in [core_ring(&of), public_ring(&of)] {
        assert_eq!(
            open_item_to_members(&ring, &cores, &item),
            OpenedItem::NoKey
        );
        let refused = seal_item_to_members(ring.newest_clean().unwrap(), &cores, b"", &mut rng(5));
        if ring.newest_clean().unwrap().access().is_none() {
            assert_eq!(refused, Err(SealRefused::NoKey));
        }
    }
}

#[test]
fn an_item_belongs_to_topic_author_and_kind() {
    let (of, other) = (founded(1), founded(2));
    let held = of.ring.newest_clean().unwrap();
    let here = of_kind(&of, 5);
    let to_readers =
        seal_item_to_readers(&mut SenderKeys::new(), held, &here, b"Ada", &mut rng(5)).unwrap();
    let to_members = seal_item_to_members(held, &here, b"Ada", &mut rng(5)).unwrap();
    let elsewhere = [
        ItemSubject {
            topic: other.topic,
            ..here
        },
        ItemSubject {
            author: author(8),
            ..here
        },
        ItemSubject { kind: 7, ..here },
    ];
    for there in elsewhere {
        let opened = open_item_to_readers(&mut OpenCache::new(), &of.ring, &there, &to_readers);
        assert_eq!(opened, OpenedItem::Malformed, "{there:?}");
        let opened = open_item_to_members(&of.ring, &there, &to_members);
        assert_eq!(opened, OpenedItem::Malformed, "{there:?}");
    }
    // Neither kind passes for the other, nor a body for an item, nor an item for a body.
    let mut cache = OpenCache::new();
    assert_eq!(
        open_item_to_members(&of.ring, &here, &to_readers),
        OpenedItem::Malformed
    );
    let opened = open_item_to_readers(&mut cache, &of.ring, &here, &to_members);
    assert_eq!(opened, OpenedItem::Malformed);
    let body_subject = subject(&of, 9, 1, 1);
    let body = sealed(&of.ring, &body_subject, &texts(1), 5);
    let opened = open_item_to_readers(&mut cache, &of.ring, &here, &body);
    assert_eq!(opened, OpenedItem::Malformed);
    let opened = open(&mut cache, &of.ring, &body_subject, &to_readers);
    assert_eq!(opened, rights::Opened::Malformed);
}

#[test]
fn a_flipped_bit_anywhere_opens_no_item() {
    let of = founded(1);
    let held = of.ring.newest_clean().unwrap();
    let here = of_kind(&of, 5);
    let to_readers =
        seal_item_to_readers(&mut SenderKeys::new(), held, &here, b"Ada", &mut rng(5)).unwrap();
    for (at, flipped) in flips(&to_readers) {
        let opened = open_item_to_readers(&mut OpenCache::new(), &of.ring, &here, &flipped);
        assert!(!matches!(opened, OpenedItem::Plain(_)), "byte {at}");
    }
    let to_members = seal_item_to_members(held, &here, b"Ada", &mut rng(5)).unwrap();
    for (at, flipped) in flips(&to_members) {
        let opened = open_item_to_members(&of.ring, &here, &flipped);
        assert!(!matches!(opened, OpenedItem::Plain(_)), "byte {at}");
    }
    for len in 0..to_members.len() {
        assert_ne!(
            open_item_to_members(&of.ring, &here, &to_members[..len]),
            OpenedItem::Plain(b"Ada".to_vec())
        );
    }
}

#[test]
fn the_longest_item_fits_and_a_longer_one_is_refused() {
    let of = founded(1);
    let held = of.ring.newest_clean().unwrap();
    let here = of_kind(&of, 6);
    let mut senders = SenderKeys::new();
    let longest = vec![7; MAX_ITEM_PLAIN];
    let item = seal_item_to_readers(&mut senders, held, &here, &longest, &mut rng(5)).unwrap();
    assert_eq!(item.len(), MAX_SEALED_ITEM);
    let opened = open_item_to_readers(&mut OpenCache::new(), &of.ring, &here, &item);
    assert_eq!(opened, OpenedItem::Plain(longest.clone()));
    assert!(
        seal_item_to_members(held, &here, &longest, &mut rng(5))
            .unwrap()
            .len()
            < MAX_SEALED_ITEM
    );
    let longer = vec![7; MAX_ITEM_PLAIN + 1];
    assert_eq!(
        seal_item_to_members(held, &here, &longer, &mut rng(5)),
        Err(SealRefused::ItemTooLong(longer.len()))
    );
}
