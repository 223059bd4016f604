//! Sealed bodies.

use identity::seal::hash;
use identity::{EnvelopeId, GrantId, PublicKey, SealingKey};
use proptest::prelude::*;
use rights::limits::MAX_SENDER_KEYS;
use rights::{
    Access, Epoch, KeyRing, OpenCache, Opened, SealRefused, SenderKeys, Subject, open, seal,
};
use wire::Header;
use wire::limits::{MAX_BODY, MAX_PLAIN, SEALED_BODY_OVERHEAD};
use wire::plain::{Message, encode_messages};

use crate::support::{
    DAY, NOW, author, core_ring, flips, founded, header, member_ring, opened, public_ring, rng,
    sealed, sliced, subject, texts,
};

#[test]
fn a_reader_opens_what_an_author_sealed() {
    let of = founded(1);
    let messages = texts(3);
    let subject = subject(&of, 9, 1, 3);
    let body = sealed(&of.ring, &subject, &messages, 5);
    assert_eq!(
        body.len(),
        encode_messages(&messages).len() + SEALED_BODY_OVERHEAD
    );
    assert_eq!(
        opened(&of.ring, &subject, &body),
        Opened::Messages(messages)
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let of = founded(1);
    let subject = subject(&of, 9, 1, 1);
    let one = sealed(&of.ring, &subject, &texts(1), 5);
    assert_eq!(one, sealed(&of.ring, &subject, &texts(1), 5));
    assert_ne!(one, sealed(&of.ring, &subject, &texts(1), 6));
}

#[test]
fn a_sender_key_lasts_until_the_next_start() {
    let of = founded(1);
    let epoch = of.ring.newest_clean().unwrap().epoch();
    let (mut senders, mut rng) = (SenderKeys::new(), rng(5));
    let mut enc_of = |senders: &mut SenderKeys, number| {
        let body = seal(
            senders,
            epoch,
            &subject(&of, 9, number, 1),
            &texts(1),
            &mut rng,
        )
        .unwrap();
        (body[18..50].to_vec(), body[50..74].to_vec())
    };
    let (one, salt_one) = enc_of(&mut senders, 1);
    let (two, salt_two) = enc_of(&mut senders, 2);
    assert_eq!(one, two, "one encapsulation in all bodies");
    assert_ne!(salt_one, salt_two, "a salt of its own in each");
    let (after, _) = enc_of(&mut SenderKeys::new(), 3);
    assert_ne!(one, after, "a fresh one after a start");
}

#[test]
fn a_writer_remembers_a_bounded_number_of_sender_keys() {
    let of = founded(1);
    let epoch = of.ring.newest_clean().unwrap().epoch();
    let (mut senders, mut rng) = (SenderKeys::new(), rng(5));
    for n in 0..=MAX_SENDER_KEYS as u64 {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&n.to_be_bytes());
        let author = PublicKey::from_bytes(key);
        let subject = Subject {
            author,
            ..subject(&of, 9, 1, 1)
        };
        let body = seal(&mut senders, epoch, &subject, &texts(1), &mut rng).unwrap();
        if n == MAX_SENDER_KEYS as u64 {
            assert_eq!(
                opened(&of.ring, &subject, &body),
                Opened::Messages(texts(1))
            );
        }
    }
    assert_eq!(senders.len(), MAX_SENDER_KEYS);
}

#[test]
fn a_machine_set_back_repeats_no_key() {
    // The same generator state, the same sender key, the same header: only the text differs.
    let of = founded(1);
    let subject = subject(&of, 9, 1, 1);
    let one = sealed(&of.ring, &subject, &[Message::text("attack at dawn")], 5);
    let two = sealed(&of.ring, &subject, &[Message::text("attack at dusk")], 5);
    assert_eq!(one[18..50], two[18..50]);
    assert_ne!(one[50..74], two[50..74], "the salt, so the key");
}

#[test]
fn who_cannot_read_can_write_and_a_writer_reads_its_own_after_a_restart() {
    let of = founded(1);
    let subject = subject(&of, 9, 1, 2);
    let writer = public_ring(&of);
    let body = sealed(&writer, &subject, &texts(2), 5);
    assert_eq!(opened(&writer, &subject, &body), Opened::NoKey);
    assert_eq!(
        opened(&of.ring, &subject, &body),
        Opened::Messages(texts(2))
    );
}

#[test]
fn holders_of_m_and_c_open_nothing() {
    let of = founded(1);
    let subject = subject(&of, 9, 1, 1);
    let body = sealed(&of.ring, &subject, &texts(1), 5);
    for ring in [member_ring(&of), core_ring(&of)] {
        assert!(!ring.reads());
        assert_eq!(opened(&ring, &subject, &body), Opened::NoKey);
    }
    // Nor by posing their secret, or what follows from it, as the epoch's.
    let held = of.ring.newest_clean().unwrap();
    let meeting = held.meeting().unwrap();
    let core = meeting.core();
    let members = meeting.members_key();
    for secret in [meeting.as_bytes(), core.as_bytes(), members.as_bytes()] {
        let access = Access::from_bytes(&[&[1], secret.as_slice()].concat()).unwrap();
        let mut ring = public_ring(&of);
        ring.unlock(held.epoch().id(), access).unwrap_err();
        assert_eq!(opened(&ring, &subject, &body), Opened::NoKey);
    }
}

#[test]
fn a_flipped_bit_anywhere_opens_nothing() {
    let of = founded(1);
    let subject = subject(&of, 9, 1, 2);
    let body = sealed(&of.ring, &subject, &texts(2), 5);
    let mut warm = OpenCache::new();
    assert!(matches!(
        open(&mut warm, &of.ring, &subject, &body),
        Opened::Messages(_)
    ));
    for (at, flipped) in flips(&body) {
        let verdict = opened(&of.ring, &subject, &flipped);
        // A changed epoch id names an epoch that is not held; all else is malformed.
        let expected = if (1..17).contains(&at) {
            Opened::NoKey
        } else {
            Opened::Malformed
        };
        assert_eq!(verdict, expected, "byte {at}");
        assert_eq!(
            open(&mut warm, &of.ring, &subject, &flipped),
            expected,
            "byte {at}, warm"
        );
    }
    assert_eq!(warm.len(), 1);
}

#[test]
fn a_body_cut_short_or_drawn_out_opens_nothing() {
    let of = founded(1);
    let subject = subject(&of, 9, 1, 1);
    let body = sealed(&of.ring, &subject, &texts(1), 5);
    for len in 0..body.len() {
        assert_eq!(opened(&of.ring, &subject, &body[..len]), Opened::Malformed);
    }
    let longer = [body.as_slice(), &[0]].concat();
    assert_eq!(opened(&of.ring, &subject, &longer), Opened::Malformed);
    assert_eq!(
        opened(&of.ring, &subject, &vec![1; MAX_BODY + 1]),
        Opened::Malformed
    );
}

#[test]
fn a_body_belongs_to_one_header() {
    let of = founded(1);
    let plain = header(of.topic, author(9), 1, 1);
    let body = sealed(&of.ring, &Subject::of(&plain).unwrap(), &texts(1), 5);
    let verdict = |header: &Header| opened(&of.ring, &Subject::of(header).unwrap(), &body);
    let filled = Header {
        body_len: u32::try_from(body.len()).unwrap(),
        body_hash: hash(&[&body]),
        ..plain.clone()
    };
    assert!(
        matches!(verdict(&filled), Opened::Messages(_)),
        "8 and 9 are not bound"
    );
    let changed = [
        Header {
            author: author(8),
            ..plain.clone()
        },
        Header {
            number: 2,
            ..plain.clone()
        },
        Header {
            previous: [3; 32],
            ..plain.clone()
        },
        Header {
            generation: 7,
            ..plain.clone()
        },
        Header {
            created: plain.created + 1,
            ..plain.clone()
        },
        Header {
            expires: plain.expires + 1,
            ..plain.clone()
        },
        Header {
            count: 2,
            ..plain.clone()
        },
        Header {
            grant: GrantId::from_bytes([3; 32]),
            ..plain.clone()
        },
        Header {
            hops: 9,
            ..plain.clone()
        },
        Header {
            deps: vec![EnvelopeId::from_bytes([3; 32])],
            ..plain.clone()
        },
        Header {
            clock_unconfirmed: true,
            ..plain.clone()
        },
    ];
    for header in changed {
        assert_eq!(verdict(&header), Opened::Malformed, "{header:?}");
    }
}

#[test]
fn nobody_passes_off_anothers_body() {
    let of = founded(1);
    let theirs = subject(&of, 9, 1, 1);
    let body = sealed(&of.ring, &theirs, &texts(1), 5);
    // The thief copies everything that it can: the header fields too, under its own key.
    let thief = Subject {
        author: author(8),
        ..theirs.clone()
    };
    let mut cache = OpenCache::new();
    assert!(matches!(
        open(&mut cache, &of.ring, &theirs, &body),
        Opened::Messages(_)
    ));
    assert_eq!(open(&mut cache, &of.ring, &thief, &body), Opened::Malformed);
    assert_eq!(opened(&of.ring, &thief, &body), Opened::Malformed);
}

#[test]
fn another_topic_opens_nothing_even_with_the_same_epoch() {
    let (of, other) = (founded(1), founded(2));
    let here = subject(&of, 9, 1, 1);
    let body = sealed(&of.ring, &here, &texts(1), 5);
    let there = Subject {
        topic: other.topic,
        ..here.clone()
    };
    assert_eq!(opened(&other.ring, &there, &body), Opened::NoKey);
    // A topic whose founder copied this one's epoch, and a reader of both, with a warm cache.
    let mut genesis = of.genesis.clone();
    genesis.random = [77; 32];
    let held = of.ring.newest_clean().unwrap();
    let mut copy = KeyRing::new(genesis.topic_id(), &genesis).unwrap();
    copy.unlock(held.epoch().id(), held.access().unwrap().clone())
        .unwrap();
    let copied = Subject {
        topic: copy.topic(),
        ..here.clone()
    };
    let mut cache = OpenCache::new();
    assert!(matches!(
        open(&mut cache, &of.ring, &here, &body),
        Opened::Messages(_)
    ));
    assert_eq!(open(&mut cache, &copy, &copied, &body), Opened::Malformed);
    assert_eq!(
        open(&mut cache, &copy, &here, &body),
        Opened::Malformed,
        "the wrong ring"
    );
}

#[test]
fn a_body_belongs_to_the_slice_of_its_time() {
    let (genesis, ring) = sliced(1);
    let epoch = ring.newest_clean().unwrap().epoch();
    let start = NOW.as_millis();
    assert_eq!(epoch.slice_of(0), 0);
    assert_eq!(epoch.slice_of(start + DAY - 1), 0);
    assert_eq!(epoch.slice_of(start + DAY), 1);
    assert_eq!(epoch.slice_of(start + 2 * DAY), 2);
    assert_eq!(epoch.slice_of(u64::MAX), 2, "clamped");
    let at = |created| {
        let header = Header {
            created,
            ..header(genesis.topic_id(), author(9), 1, 1)
        };
        Subject::of(&header).unwrap()
    };
    let monday = at(start + DAY / 2);
    let body = sealed(&ring, &monday, &texts(1), 5);
    assert_eq!(body[17], 0);
    assert!(matches!(opened(&ring, &monday, &body), Opened::Messages(_)));
    // The same statement with a time of another day, the slice byte left or changed.
    let tuesday = Subject {
        created: start + DAY,
        ..monday.clone()
    };
    let mut moved = body.clone();
    moved[17] = 1;
    for (subject, body) in [(&tuesday, &body), (&tuesday, &moved), (&monday, &moved)] {
        assert_eq!(opened(&ring, subject, body), Opened::Malformed);
    }
    let body = sealed(&ring, &at(start + DAY), &texts(1), 5);
    assert_eq!(body[17], 1);
    assert!(matches!(
        opened(&ring, &at(start + DAY), &body),
        Opened::Messages(_)
    ));
}

#[test]
fn another_number_of_messages_than_the_header_says_is_malformed() {
    let of = founded(1);
    let says_two = subject(&of, 9, 1, 2);
    let epoch = of.ring.newest_clean().unwrap().epoch();
    let mut senders = SenderKeys::new();
    assert_eq!(
        seal(&mut senders, epoch, &says_two, &texts(1), &mut rng(5)),
        Err(SealRefused::Count {
            given: 1,
            announced: 2
        })
    );
    // An author that seals one message under a header that says two, by its own program.
    let sealed_as_one = Subject {
        count: 1,
        ..says_two.clone()
    };
    let body = seal(&mut senders, epoch, &sealed_as_one, &texts(1), &mut rng(5)).unwrap();
    assert_eq!(opened(&of.ring, &says_two, &body), Opened::Malformed);
    assert_eq!(
        opened(
            &of.ring,
            &Subject {
                count: 0,
                ..says_two
            },
            &body
        ),
        Opened::Malformed
    );
}

/// The u-coordinates of small order, in both encodings below 2²⁵⁵.
pub(crate) const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn small_order() -> impl Iterator<Item = [u8; 32]> {
    SMALL_ORDER.into_iter().flat_map(|hex| {
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        let low: [u8; 32] = bytes.try_into().unwrap();
        let mut high = low;
        high[31] |= 0x80;
        [low, high]
    })
}

#[test]
fn an_encapsulation_of_small_order_is_malformed() {
    let of = founded(1);
    let subject = subject(&of, 9, 1, 1);
    let body = sealed(&of.ring, &subject, &texts(1), 5);
    let mut cache = OpenCache::new();
    for enc in small_order() {
        let mut bad = body.clone();
        bad[18..50].copy_from_slice(&enc);
        assert_eq!(
            open(&mut cache, &of.ring, &subject, &bad),
            Opened::Malformed
        );
    }
    assert!(cache.is_empty());
}

#[test]
fn nothing_is_sealed_to_an_announced_key_of_small_order() {
    let of = founded(1);
    for key in small_order() {
        let mut item = of.genesis.epoch.clone();
        item.keys = vec![SealingKey::from_bytes(key)];
        let epoch = Epoch::from_item(&item).unwrap();
        let refused = seal(
            &mut SenderKeys::new(),
            &epoch,
            &subject(&of, 9, 1, 1),
            &texts(1),
            &mut rng(5),
        );
        assert_eq!(refused, Err(SealRefused::BadKey));
    }
}

#[test]
fn false_encapsulations_do_not_reach_the_memory() {
    let of = founded(1);
    let good = subject(&of, 9, 1, 1);
    let body = sealed(&of.ring, &good, &texts(1), 5);
    let mut cache = OpenCache::new();
    assert!(matches!(
        open(&mut cache, &of.ring, &good, &body),
        Opened::Messages(_)
    ));
    for n in 0..2_000u32 {
        let mut bad = body.clone();
        bad[20..24].copy_from_slice(&n.to_be_bytes());
        let stranger = subject(&of, u8::try_from(n % 200).unwrap(), 1, 1);
        assert_eq!(
            open(&mut cache, &of.ring, &stranger, &bad),
            Opened::Malformed
        );
    }
    assert_eq!(cache.len(), 1);
    assert!(matches!(
        open(&mut cache, &of.ring, &good, &body),
        Opened::Messages(_)
    ));
}

#[test]
fn what_does_not_fit_is_refused_at_sealing() {
    let of = founded(1);
    let epoch = of.ring.newest_clean().unwrap().epoch();
    let try_seal = |messages: &[Message]| {
        let count = u16::try_from(messages.len()).unwrap_or(u16::MAX);
        seal(
            &mut SenderKeys::new(),
            epoch,
            &subject(&of, 9, 1, count),
            messages,
            &mut rng(5),
        )
    };
    assert_eq!(try_seal(&[]), Err(SealRefused::Messages(0)));
    assert_eq!(try_seal(&texts(1025)), Err(SealRefused::Messages(1025)));
    let longest = Message {
        kind: 0,
        bytes: vec![7; MAX_PLAIN - 6],
    };
    let body = try_seal(core::slice::from_ref(&longest)).unwrap();
    assert_eq!(body.len(), MAX_BODY, "padding never goes past what fits");
    let read = opened(&of.ring, &subject(&of, 9, 1, 1), &body);
    assert_eq!(read, Opened::Messages(vec![longest]));
    let longer = Message {
        kind: 0,
        bytes: vec![7; MAX_PLAIN],
    };
    assert!(matches!(try_seal(&[longer]), Err(SealRefused::TooLong(_))));
}

fn arbitrary_messages() -> impl Strategy<Value = Vec<Message>> {
    let message = (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..300))
        .prop_map(|(kind, bytes)| Message { kind, bytes });
    proptest::collection::vec(message, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_sealed_is_opened(messages in arbitrary_messages(), seed: u8, number in 1u64..99) {
        let of = founded(1);
        let count = u16::try_from(messages.len()).unwrap();
        let subject = subject(&of, seed, number, count);
        let body = sealed(&of.ring, &subject, &messages, seed);
        prop_assert_eq!(opened(&of.ring, &subject, &body), Opened::Messages(messages));
    }

    #[test]
    fn any_bytes_have_one_verdict(
        noise in proptest::collection::vec(any::<u8>(), 0..400),
        at in 0usize..200,
        start in any::<bool>(),
    ) {
        let of = founded(1);
        let subject = subject(&of, 9, 1, 1);
        let good = sealed(&of.ring, &subject, &texts(1), 5);
        let mut body = if start { good.clone() } else { Vec::new() };
        body.truncate(at);
        body.extend_from_slice(&noise);
        let mut warm = OpenCache::new();
        let _ = open(&mut warm, &of.ring, &subject, &good);
        let verdict = opened(&of.ring, &subject, &body);
        prop_assert_eq!(open(&mut warm, &of.ring, &subject, &body), verdict.clone());
        if body != good {
            prop_assert!(!matches!(verdict, Opened::Messages(_)));
        }
    }
}
