//! What is inside the sealed body of a mail.
//!
//! ```text
//!   0            4                            4+n
//!   +------------+----------------------------+----------+
//!   | n, u32     | CBOR [0, engine, kind,     | zeros    |
//!   | big-endian |       payload]             |          |
//!   +------------+----------------------------+----------+
//!   padded to the lengths of Padmé (at most 12 % more)
//! ```

use core::fmt;

use wire::Malformed;
use wire::cbor::{Reader, Writer};

use crate::limits::{MAX_ENGINE, MAX_PAYLOAD};

/// The format of the plaintext.
const FORMAT: u8 = 0;

/// What a mail is to the engine that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Message = 0,
    EchoAsk = 1,
    EchoAnswer = 2,
}

/// The plaintext of a mail.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) engine: String,
    pub(crate) kind: Kind,
    pub(crate) payload: Vec<u8>,
}

impl fmt::Debug for Body {
    /// Without what it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.payload.len();
        write!(f, "Body({:?}, {:?}, {len} bytes)", self.engine, self.kind)
    }
}

impl Body {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.array(4)
            .uint(FORMAT)
            .text(&self.engine)
            .uint(self.kind as u8)
            .bytes(&self.payload);
        let cbor = w.into_bytes();
        // The payload is bounded far below 4 GiB.
        let len = u32::try_from(cbor.len()).unwrap_or(u32::MAX);
        let mut plain = len.to_be_bytes().to_vec();
        plain.extend_from_slice(&cbor);
        plain.resize(padme(plain.len()), 0);
        plain
    }

    pub(crate) fn decode(plain: &[u8]) -> Result<Self, Malformed> {
        let wrong = |what| Malformed { at: 0, what };
        let (len, rest) = plain
            .split_first_chunk::<4>()
            .ok_or_else(|| wrong("mail"))?;
        // A u32 fits a usize on the platforms that this program is built for.
        let len = u32::from_be_bytes(*len) as usize;
        let cbor = rest.get(..len).ok_or_else(|| wrong("length of the mail"))?;
        let padding = rest.get(len..).unwrap_or_default();
        if plain.len() != padme(len.saturating_add(4)) || padding.iter().any(|byte| *byte != 0) {
            return Err(wrong("padding of the mail"));
        }
        let mut r = Reader::new(cbor, cbor.len())?;
        r.tuple(4, "mail")?;
        if r.u8("format")? != FORMAT {
            return Err(r.wrong("format"));
        }
        let engine = r.text(MAX_ENGINE, "engine")?.to_owned();
        let kind = match r.u8("kind")? {
            0 => Kind::Message,
            1 => Kind::EchoAsk,
            2 => Kind::EchoAnswer,
            _ => return Err(r.wrong("kind")),
        };
        let payload = r.bytes(MAX_PAYLOAD, "payload")?.to_vec();
        Ok(Self {
            engine,
            kind,
            payload,
        })
    }
}

/// The padded length: of a length whose highest bit is E only the S highest bits are kept, S being
/// the length of E (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and
/// Communication with PURBs", 2019, algorithm 1).
fn padme(len: usize) -> usize {
    if len < 2 {
        return len;
    }
    let e = len.ilog2();
    let s = e.ilog2().saturating_add(1);
    let mask = (1_usize << e.saturating_sub(s)).saturating_sub(1);
    len.saturating_add(mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_decodes_to_what_was_encoded(
            engine in "[a-z]{0,32}",
            payload in proptest::collection::vec(any::<u8>(), 0..3000),
        ) {
            let body = Body { engine, kind: Kind::Message, payload };
            prop_assert_eq!(Body::decode(&body.encode()), Ok(body));
        }

        #[test]
        fn nothing_else_decodes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(body) = Body::decode(&bytes) {
                prop_assert_eq!(body.encode(), bytes, "one encoding for each body");
            }
        }
    }

    #[test]
    fn padding_hides_the_length_and_costs_an_eighth_at_most() {
        for len in 2..70_000 {
            let padded = padme(len);
            assert!(
                padded >= len && padded - len <= len / 8 + 1,
                "{len} {padded}"
            );
            assert_eq!(padme(padded), padded);
        }
        let largest = Body {
            engine: "e".repeat(MAX_ENGINE),
            kind: Kind::Message,
            payload: vec![1; MAX_PAYLOAD],
        };
        // Key id, encapsulation and tag come on top.
        assert!(largest.encode().len() + 8 + 32 + 16 <= wire::limits::MAX_BODY);
    }

    #[test]
    fn changed_padding_is_refused() {
        let body = Body {
            engine: "inbox".into(),
            kind: Kind::Message,
            payload: vec![7; 500],
        };
        let mut plain = body.encode();
        *plain.last_mut().expect("not empty") = 1;
        assert!(Body::decode(&plain).is_err());
        plain.push(0);
        assert!(Body::decode(&plain).is_err());
        assert!(Body::decode(&u32::MAX.to_be_bytes()).is_err());
    }
}
