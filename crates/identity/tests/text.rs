//! Text forms: one text for one name.

use identity::{EngineId, EnvelopeId, Id, IdBytesError, Kind, NodeId, Scheme, TextError, TopicId};
use proptest::prelude::*;

fn topic() -> TopicId {
    TopicId::from_bytes([0xab; 32])
}

fn any_id() -> impl Strategy<Value = Id> {
    (0_u8..5, 0_u8..2, any::<[u8; 32]>()).prop_map(|(kind, scheme, bytes)| {
        Id::new(
            Kind::from_u8(kind).unwrap(),
            Scheme::from_u8(scheme).unwrap(),
            bytes,
        )
    })
}

#[test]
fn kinds_show_in_the_text() {
    assert!(topic().to_string().starts_with("topic1"));
    assert!(NodeId::from_bytes([1; 32]).to_string().starts_with("node1"));
    assert!(
        EngineId::from_bytes([1; 32])
            .to_string()
            .starts_with("engine1")
    );
    assert_eq!(NodeId::from_bytes([1; 32]).to_string().len(), 64);
}

#[test]
fn upper_case_is_read_and_mixed_case_is_not() {
    let text = topic().to_string();
    assert_eq!(text.to_uppercase().parse(), Ok(topic()));
    let mut mixed = text.clone();
    mixed.replace_range(0..1, "T");
    assert_eq!(mixed.parse::<TopicId>(), Err(TextError::Garbled));
    let mut mixed = text.to_uppercase();
    mixed.replace_range(0..1, "t");
    assert_eq!(mixed.parse::<TopicId>(), Err(TextError::Garbled));
}

#[test]
fn an_id_of_another_kind_is_refused_with_both_kinds_named() {
    let error = topic().to_string().parse::<NodeId>().unwrap_err();
    assert_eq!(
        error,
        TextError::OtherKind {
            wanted: "node",
            found: "topic"
        }
    );
    assert_eq!(
        error.to_string(),
        "this is the id of a topic, and a node was asked for"
    );
    // A node's id by hash is no node's id either.
    let odd = Id::new(Kind::Node, Scheme::Hash, [1; 32]).to_string();
    assert!(odd.parse::<NodeId>().is_err());
    assert!(odd.parse::<Id>().is_ok());
}

#[test]
fn one_wrong_character_is_noticed_everywhere() {
    let text = topic().to_string();
    for at in 0..text.len() {
        for replacement in ['q', 'p', '7', '!', 'é'] {
            let mut changed: Vec<char> = text.chars().collect();
            if changed[at] == replacement {
                continue;
            }
            changed[at] = replacement;
            let changed: String = changed.into_iter().collect();
            assert!(changed.parse::<TopicId>().is_err(), "{changed}");
        }
    }
}

#[test]
fn the_older_checksum_and_other_padding_are_refused() {
    use bech32::{Bech32, Bech32m, Fe32, Fe32IterExt as _, Hrp};
    let hrp = Hrp::parse("topic").unwrap();
    let mut data = vec![1];
    data.extend_from_slice(topic().as_bytes());
    let older = bech32::encode::<Bech32>(hrp, &data).unwrap();
    assert_eq!(older.parse::<TopicId>(), Err(TextError::Garbled));
    // 33 bytes are 52 digits and 4 bits; the last digit's one bit of padding must be zero.
    use bech32::ByteIterExt as _;
    let mut digits: Vec<Fe32> = data.iter().copied().bytes_to_fes().collect();
    let last = digits.len() - 1;
    digits[last] = Fe32::try_from(digits[last].to_u8() | 1).unwrap();
    let padded: String = digits
        .iter()
        .copied()
        .with_checksum::<Bech32m>(&hrp)
        .chars()
        .collect();
    assert!(padded.parse::<TopicId>().is_err(), "{padded}");
    digits[last] = Fe32::try_from(digits[last].to_u8() & !1).unwrap();
    let right: String = digits
        .iter()
        .copied()
        .with_checksum::<Bech32m>(&hrp)
        .chars()
        .collect();
    assert_eq!(right.parse(), Ok(topic()));
}

#[test]
fn other_prefixes_lengths_and_schemes_are_refused() {
    use bech32::{Bech32m, Hrp};
    let encode = |prefix: &str, data: &[u8]| {
        bech32::encode::<Bech32m>(Hrp::parse(prefix).unwrap(), data).unwrap()
    };
    assert_eq!(
        encode("person", &[1; 33]).parse::<Id>(),
        Err(TextError::UnknownKind)
    );
    assert_eq!(
        encode("topic", &[2; 33]).parse::<Id>(),
        Err(TextError::UnknownScheme)
    );
    for len in [0, 1, 31, 32, 34, 64, 300] {
        assert!(
            encode("topic", &vec![1; len]).parse::<Id>().is_err(),
            "{len}"
        );
    }
    for text in ["", "1", "topic", "topic1", "node1@", &"q".repeat(10_000)] {
        assert!(text.parse::<Id>().is_err());
    }
}

#[test]
fn wire_bytes_of_unknown_kinds_are_refused() {
    let good = topic().to_id().to_wire();
    assert_eq!(Id::from_wire(&good), Ok(topic().to_id()));
    let mut kind = good;
    kind[0] = 5;
    assert_eq!(Id::from_wire(&kind), Err(IdBytesError::Kind(5)));
    let mut scheme = good;
    scheme[1] = 2;
    assert_eq!(Id::from_wire(&scheme), Err(IdBytesError::Scheme(2)));
}

#[test]
fn hexadecimal_in_one_case_and_of_one_length() {
    let id = EnvelopeId::from_bytes([0xab; 32]);
    assert_eq!(id.to_string(), "ab".repeat(32));
    assert_eq!("AB".repeat(32).parse(), Ok(id));
    for text in [
        "Ab".repeat(32),
        "ab".repeat(31),
        "ab".repeat(33),
        "ag".repeat(32),
        String::new(),
    ] {
        assert_eq!(text.parse::<EnvelopeId>(), Err(TextError::NotHex), "{text}");
    }
}

#[test]
fn logs_show_the_beginning_alone() {
    assert_eq!(format!("{:?}", topic()), "TopicId:abababab");
    assert_eq!(format!("{:?}", topic().to_id()), "topic:abababab");
}

proptest! {
    #[test]
    fn text_and_wire_give_the_id_back(id in any_id()) {
        prop_assert_eq!(id.to_string().parse::<Id>(), Ok(id));
        prop_assert_eq!(id.to_string().to_uppercase().parse::<Id>(), Ok(id));
        prop_assert_eq!(Id::from_wire(&id.to_wire()), Ok(id));
    }

    #[test]
    fn whatever_parses_is_the_one_text(text in "(node|engine|topic|domain|member)1[a-z0-9]{0,64}") {
        if let Ok(id) = text.parse::<Id>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        let _ = text.parse::<Id>();
        let _ = text.parse::<EnvelopeId>();
    }
}
