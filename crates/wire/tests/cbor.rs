//! The validator against a second, recursive implementation that decodes and encodes again.

use proptest::prelude::*;
use wire::cbor::{Malformed, Reader, Writer, validate, validate_prefix};
use wire::limits::MAX_DEPTH;

/// A value of the subset.
#[derive(Clone, Debug)]
enum Value {
    Uint(u64),
    Negative(u64),
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(u64, Self)>),
    Simple(u8),
}

/// Decodes leniently: any head length, any order of keys. `None` for what is no CBOR of the subset.
fn decode(bytes: &[u8], at: &mut usize, depth: usize) -> Option<Value> {
    let initial = *bytes.get(*at)?;
    *at += 1;
    let (major, info) = (initial >> 5, initial & 31);
    if major == 7 {
        return (20..=22).contains(&info).then_some(Value::Simple(info));
    }
    let argument = match info {
        0..=23 => u64::from(info),
        24..=27 => {
            let mut value = 0;
            for _ in 0..1 << (info - 24) {
                value = value << 8 | u64::from(*bytes.get(*at)?);
                *at += 1;
            }
            value
        }
        _ => return None,
    };
    let depth = if major >= 4 {
        depth.checked_sub(1)?
    } else {
        depth
    };
    match major {
        0 => Some(Value::Uint(argument)),
        1 => Some(Value::Negative(argument)),
        2 | 3 => {
            let end = at.checked_add(usize::try_from(argument).ok()?)?;
            let content = bytes.get(*at..end)?.to_vec();
            *at = end;
            Some(if major == 2 {
                Value::Bytes(content)
            } else {
                Value::Text(String::from_utf8(content).ok()?)
            })
        }
        4 => {
            let mut list = Vec::new();
            for _ in 0..argument {
                list.push(decode(bytes, at, depth)?);
            }
            Some(Value::List(list))
        }
        5 => {
            let mut map = Vec::new();
            for _ in 0..argument {
                let Value::Uint(key) = decode(bytes, at, depth)? else {
                    return None;
                };
                map.push((key, decode(bytes, at, depth)?));
            }
            Some(Value::Map(map))
        }
        _ => None,
    }
}

fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    match value {
        0..=23 => out.push(major | value as u8),
        24..=0xff => out.extend_from_slice(&[major | 24, value as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// Encodes in the one deterministic way.
fn encode(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Uint(n) => head(out, 0, *n),
        Value::Negative(n) => head(out, 1, *n),
        Value::Bytes(bytes) => {
            head(out, 2, bytes.len() as u64);
            out.extend_from_slice(bytes);
        }
        Value::Text(text) => {
            head(out, 3, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
        Value::List(list) => {
            head(out, 4, list.len() as u64);
            for element in list {
                encode(out, element);
            }
        }
        Value::Map(map) => {
            let sorted: std::collections::BTreeMap<u64, &Value> =
                map.iter().map(|(key, value)| (*key, value)).collect();
            head(out, 5, sorted.len() as u64);
            for (key, value) in sorted {
                head(out, 0, key);
                encode(out, value);
            }
        }
        Value::Simple(info) => out.push(7 << 5 | info),
    }
}

/// Whether the second implementation takes `bytes` for the one encoding of a value.
fn is_canonical(bytes: &[u8]) -> bool {
    let mut at = 0;
    let Some(value) = decode(bytes, &mut at, MAX_DEPTH) else {
        return false;
    };
    let mut again = Vec::new();
    encode(&mut again, &value);
    at == bytes.len() && again == bytes
}

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        0_u64..30,
        200_u64..300,
        any::<u32>().prop_map(u64::from),
        any::<u64>()
    ];
    let leaf = prop_oneof![
        number.clone().prop_map(Value::Uint),
        number.clone().prop_map(Value::Negative),
        prop::collection::vec(any::<u8>(), 0..70).prop_map(Value::Bytes),
        ".{0,20}".prop_map(Value::Text),
        (20_u8..=22).prop_map(Value::Simple),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::vec((number.clone(), inner), 0..6).prop_map(Value::Map),
        ]
    })
}

/// The encoding of some value.
pub(crate) fn any_value() -> impl Strategy<Value = Vec<u8>> {
    value().prop_map(|value| {
        let mut bytes = Vec::new();
        encode(&mut bytes, &value);
        bytes
    })
}

#[test]
fn both_implementations_agree_on_every_short_string() {
    let mut accepted = 0;
    for a in 0..=255_u8 {
        for b in 0..=255_u8 {
            for bytes in [
                vec![a],
                vec![a, b],
                vec![a, b, 0],
                vec![a, b, a, 0],
                vec![a, b, 1, b, 0],
            ] {
                let canonical = is_canonical(&bytes);
                assert_eq!(validate(&bytes).is_ok(), canonical, "{bytes:x?}");
                accepted += u32::from(canonical);
            }
        }
    }
    assert!(accepted > 1_000);
}

#[test]
fn nesting_is_sixteen_and_no_more() {
    let nested = |depth: usize, inner: u8| {
        let mut bytes = vec![0x81; depth];
        bytes.push(inner);
        bytes
    };
    assert!(validate(&nested(MAX_DEPTH, 0x00)).is_ok());
    assert!(validate(&nested(MAX_DEPTH - 1, 0x80)).is_ok());
    let deep = Err(Malformed {
        at: MAX_DEPTH,
        what: "nested too deeply",
    });
    assert_eq!(validate(&nested(MAX_DEPTH, 0x80)), deep);
    assert_eq!(validate(&nested(MAX_DEPTH + 1, 0x00)), deep);
    assert_eq!(validate(&nested(MAX_DEPTH, 0xa0)), deep);
}

#[test]
fn a_prefix_ends_where_its_value_ends() {
    assert_eq!(validate_prefix(&[0x82, 0x01, 0x02, 0xff, 0xff]), Ok(3));
    assert_eq!(validate(&[0x82, 0x01, 0x02, 0xff]).unwrap_err().at, 3);
}

#[test]
fn errors_say_where_and_what() {
    let error = validate(&[0x82, 0x00, 0x18, 0x05]).unwrap_err();
    assert_eq!(
        error,
        Malformed {
            at: 2,
            what: "a head is not the shortest"
        }
    );
    assert_eq!(
        error.to_string(),
        "malformed at byte 2 (a head is not the shortest)"
    );
}

#[test]
fn a_map_is_read_to_its_end() {
    let bytes = [0xa2, 0x00, 0x05, 0x02, 0x06];
    let mut r = Reader::new(&bytes, 100).unwrap();
    let mut f = r.fields("map").unwrap();
    f.need(&mut r, 0, "zero").unwrap();
    assert_eq!(r.u64("zero"), Ok(5));
    assert_eq!(f.maybe(&mut r, 1), Ok(false));
    assert!(f.need(&mut r, 1, "one").is_err());
    assert_eq!(f.end(&mut r).unwrap_err().what, "an unknown field");
}

#[test]
fn empty_lists_are_left_out() {
    let mut w = Writer::new();
    w.map(Writer::present::<u8>(&[]))
        .list(0, &[] as &[u8], |_, _| {});
    assert_eq!(w.into_bytes(), [0xa0]);
    let present_and_empty = [0xa1, 0x00, 0x80];
    let mut r = Reader::new(&present_and_empty, 100).unwrap();
    let mut f = r.fields("map").unwrap();
    assert!(f.list(&mut r, 0, 9, "list", |r| r.u64("n")).is_err());
    let _ = f.end(&mut r);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn values_are_accepted(bytes in any_value()) {
        prop_assert_eq!(validate(&bytes), Ok(()));
    }

    #[test]
    fn both_implementations_agree_on_random_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..24),
    ) {
        prop_assert_eq!(validate(&bytes).is_ok(), is_canonical(&bytes));
    }

    #[test]
    fn both_implementations_agree_on_changed_values(
        mut bytes in any_value(),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let at = at.index(bytes.len());
        bytes[at] = value;
        prop_assert_eq!(validate(&bytes).is_ok(), is_canonical(&bytes));
    }
}
