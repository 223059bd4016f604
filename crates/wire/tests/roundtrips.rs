//! What was written is what is read, and signed values survive their trip.

use identity::SecretKey;
use proptest::prelude::*;
use wire::plain::{Message, decode_messages, encode_messages, message_len, padded_len};
use wire::{
    Class, Frame, Genesis, Header, Item, NodeAdvert, Raw, Receipt, check, decode_header,
    decode_items, encode_items, limits, sign_envelope,
};

use crate::{rights_strategies, strategies};

#[test]
fn padding_is_small_and_never_too_much() {
    for len in 0..=limits::MAX_PLAIN {
        let padded = padded_len(len);
        assert!(padded >= len && padded <= limits::MAX_PLAIN);
        assert!(padded * 100 <= len * 112 + 100, "{len} became {padded}");
        assert_eq!(padded_len(padded), padded);
    }
    // Of 65,430 lengths few remain to be seen.
    let seen: std::collections::BTreeSet<usize> = (0..=limits::MAX_PLAIN).map(padded_len).collect();
    assert!(seen.len() < 300, "{}", seen.len());
}

#[test]
fn a_body_holds_what_fits_and_no_more() {
    let largest = Message::text("x".repeat(limits::MAX_PLAIN - 6));
    let plain = encode_messages(std::slice::from_ref(&largest));
    assert_eq!(plain.len(), limits::MAX_PLAIN);
    assert_eq!(decode_messages(&plain), Ok(vec![largest]));
    let over = encode_messages(&[Message::text("x".repeat(limits::MAX_PLAIN - 5))]);
    assert!(decode_messages(&over).is_err());
    let many = vec![Message::text("a"); 1_024];
    assert_eq!(decode_messages(&encode_messages(&many)), Ok(many));
    let too_many = vec![Message::text("a"); 1_025];
    assert!(decode_messages(&encode_messages(&too_many)).is_err());
    assert!(decode_messages(&encode_messages(&[])).is_err());
    assert!(decode_messages(&[]).is_err());
}

#[test]
fn padding_must_be_the_one_that_is_added() {
    let plain = encode_messages(&[Message::text("x".repeat(1_000))]);
    let mut longer = plain.clone();
    longer.push(0);
    assert!(decode_messages(&longer).is_err());
    let mut marked = plain.clone();
    *marked.last_mut().unwrap() = 1;
    assert!(decode_messages(&marked).is_err());
    assert!(decode_messages(&plain[..plain.len() - 1]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn headers(header in strategies::header()) {
        prop_assert_eq!(decode_header(&header.encode()), Ok(header));
    }

    #[test]
    fn items(items in prop::collection::vec(strategies::item(), 0..limits::MAX_SIGNED_ITEMS)) {
        prop_assert_eq!(decode_items(&encode_items(&items)), Ok(items.clone()));
        for item in items {
            prop_assert_eq!(Item::decode(&item.encode()), Ok(item));
        }
    }

    #[test]
    fn boxes(boxes in rights_strategies::boxes()) {
        let items = vec![Item::Boxes(boxes)];
        prop_assert_eq!(decode_items(&encode_items(&items)), Ok(items));
    }

    #[test]
    fn geneses(genesis in strategies::genesis()) {
        let again = Genesis::decode(&genesis.encode());
        prop_assert_eq!(again.as_ref().map(Genesis::topic_id), Ok(genesis.topic_id()));
        prop_assert_eq!(again, Ok(genesis));
    }

    #[test]
    fn receipts(receipt in strategies::receipt()) {
        prop_assert_eq!(Receipt::decode(&receipt.encode()), Ok(receipt));
    }

    #[test]
    fn adverts(advert in strategies::advert()) {
        prop_assert_eq!(NodeAdvert::decode(&advert.encode()), Ok(advert));
    }

    #[test]
    fn raws(raw in strategies::raw()) {
        let bytes = raw.encode();
        prop_assert!(bytes.len() <= raw.encoded_len());
        prop_assert_eq!(Raw::decode(&bytes), Ok(raw));
    }

    #[test]
    fn frames(frame in strategies::frame()) {
        prop_assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }

    #[test]
    fn messages(
        messages in prop::collection::vec(
            (any::<u8>(), prop::collection::vec(any::<u8>(), 0..200))
                .prop_map(|(kind, bytes)| Message { kind, bytes }),
            1..40,
        ),
    ) {
        let plain = encode_messages(&messages);
        let room: usize = messages.iter().map(|message| message_len(message.bytes.len())).sum();
        prop_assert!(plain.len() <= padded_len(room + 3));
        prop_assert_eq!(decode_messages(&plain), Ok(messages));
    }

    #[test]
    fn signed_envelopes_pass_and_changed_ones_do_not(
        header in strategies::header(),
        body in prop::collection::vec(any::<u8>(), 1..200),
        bit in any::<prop::sample::Index>(),
    ) {
        let header = match header.class {
            Class::Control => Header {
                class: Class::Content,
                expires: header.created + 1,
                ..header
            },
            _ => header,
        };
        let key = SecretKey::from_seed([1; 32]);
        let signed = sign_envelope(header, body.clone(), &key).unwrap();
        let good = signed.get().envelope.to_raw(Some(body));
        prop_assert_eq!(check(good.clone()), Ok(signed));
        let mut changed = good;
        let bit = bit.index(changed.header_bytes.len() * 8);
        changed.header_bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(check(changed).is_err());
    }
}
