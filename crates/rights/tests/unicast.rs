//! Bodies from node to node.

use identity::SealingKey;
use identity::seal::hpke::HpkeSecret;
use rights::{Opened, SealRefused, key_hint, open_unicast, seal_unicast};
use wire::Header;

use crate::support::{author, flips, founded, header, node, rng, texts};

fn mail() -> Header {
    Header {
        destination: node(2).to_id(),
        previous: [0; 32],
        ..header(founded(1).topic, author(1), 1, 1)
    }
}

#[test]
fn the_recipient_opens_with_whichever_key_is_named() {
    let (old, new) = (
        HpkeSecret::generate(&mut rng(1)),
        HpkeSecret::generate(&mut rng(2)),
    );
    let body = seal_unicast(&old.public(), &mail(), &texts(1), &mut rng(5)).unwrap();
    assert_eq!(body[..8], key_hint(&old.public()));
    let opened = open_unicast(&[new.clone(), old], &mail(), &body);
    assert_eq!(opened, Opened::Messages(texts(1)));
    assert_eq!(open_unicast(&[new], &mail(), &body), Opened::NoKey);
}

#[test]
fn it_belongs_to_one_header_source_and_destination() {
    let key = [HpkeSecret::generate(&mut rng(1))];
    let body = seal_unicast(&key[0].public(), &mail(), &texts(1), &mut rng(5)).unwrap();
    let changed = [
        Header {
            author: author(3),
            ..mail()
        },
        Header {
            destination: node(3).to_id(),
            ..mail()
        },
        Header {
            number: 2,
            ..mail()
        },
        Header { count: 2, ..mail() },
    ];
    for header in changed {
        assert_eq!(open_unicast(&key, &header, &body), Opened::Malformed);
    }
    for (at, flipped) in flips(&body) {
        let expected = if at < 8 {
            Opened::NoKey
        } else {
            Opened::Malformed
        };
        assert_eq!(open_unicast(&key, &mail(), &flipped), expected, "byte {at}");
    }
    for len in 0..40 {
        assert_eq!(open_unicast(&key, &mail(), &body[..len]), Opened::Malformed);
    }
}

#[test]
fn what_cannot_be_sealed_is_refused() {
    let key = HpkeSecret::generate(&mut rng(1)).public();
    let refused = |to: &SealingKey, count| seal_unicast(to, &mail(), &texts(count), &mut rng(5));
    assert_eq!(refused(&key, 0), Err(SealRefused::Messages(0)));
    assert_eq!(
        refused(&key, 2),
        Err(SealRefused::Count {
            given: 2,
            announced: 1
        })
    );
    let zero = SealingKey::from_bytes([0; 32]);
    assert_eq!(refused(&zero, 1), Err(SealRefused::BadKey));
}

#[test]
fn a_repeated_generator_repeats_no_encapsulation_for_another_text() {
    let key = HpkeSecret::generate(&mut rng(1)).public();
    let seal = |text: &str| {
        let messages = [wire::plain::Message::text(text)];
        seal_unicast(&key, &mail(), &messages, &mut rng(5)).unwrap()
    };
    assert_eq!(seal("same"), seal("same"));
    assert_ne!(seal("dawn")[8..40], seal("dusk")[8..40]);
}
