//! The chunks of a TLS connection (docs/spec/link.md): a kind, a length, and so many bytes.

use crate::{limits::MAX_CLOSE_TEXT, link};

/// Kind and length.
pub(super) const HEAD: usize = 3;

/// Most bytes of data in a chunk: with its head they fill one record of TLS.
pub(super) const MAX_DATA: usize = 16 * 1024 - HEAD;

/// Bytes of a code.
const CODE: usize = 4;

/// What stands in a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// The next bytes of the stream, 1 to [`MAX_DATA`].
    Data(Vec<u8>),
    /// So many more bytes may be sent.
    More(usize),
    /// Nothing but that this end is alive.
    Alive,
    /// The last chunk.
    Close(Goodbye),
}

/// How a link ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Goodbye {
    pub(super) code: u32,
    /// At most [`MAX_CLOSE_TEXT`] bytes.
    pub(super) text: String,
}

/// The kinds of chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data = 0,
    More = 1,
    Alive = 2,
    Close = 3,
}

impl Chunk {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Data(bytes) => framed(Kind::Data, bytes),
            // A window fits 32 bits.
            Self::More(bytes) => framed(
                Kind::More,
                &u32::try_from(*bytes).unwrap_or(u32::MAX).to_be_bytes(),
            ),
            Self::Alive => framed(Kind::Alive, &[]),
            Self::Close(Goodbye { code, text }) => framed(
                Kind::Close,
                &[&code.to_be_bytes()[..], text.as_bytes()].concat(),
            ),
        }
    }

    /// What follows a head: the kind, and how many bytes. An error says what is wrong with it.
    pub(super) fn head(head: [u8; HEAD]) -> Result<(Kind, usize), &'static str> {
        let [kind, high, low] = head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (kind, fits) = match kind {
            0 => (Kind::Data, (1..=MAX_DATA).contains(&length)),
            1 => (Kind::More, length == size_of::<u32>()),
            2 => (Kind::Alive, length == 0),
            3 => (
                Kind::Close,
                (CODE..=CODE + MAX_CLOSE_TEXT).contains(&length),
            ),
            _ => return Err("a chunk of an unknown kind"),
        };
        if fits {
            Ok((kind, length))
        } else {
            Err("a chunk of a wrong length")
        }
    }

    /// Reads what follows a head.
    pub(super) fn decode(kind: Kind, body: Vec<u8>) -> Result<Self, &'static str> {
        let number = body.first_chunk().copied().map(u32::from_be_bytes);
        let number = number.ok_or("a chunk of a wrong length");
        Ok(match kind {
            Kind::Data => Self::Data(body),
            Kind::More => Self::More(usize::try_from(number?).unwrap_or(usize::MAX)),
            Kind::Alive => Self::Alive,
            Kind::Close => {
                let text = String::from_utf8_lossy(body.get(CODE..).unwrap_or_default());
                Self::Close(Goodbye {
                    code: number?,
                    text: link::cut(&text).to_owned(),
                })
            }
        })
    }
}

fn framed(kind: Kind, body: &[u8]) -> Vec<u8> {
    // No body is longer than `MAX_DATA`.
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.push(kind as u8);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let goodbye = |text: &str| {
            Chunk::Close(Goodbye {
                code: 1_003,
                text: text.to_owned(),
            })
        };
        for chunk in [
            Chunk::Data(vec![7]),
            Chunk::Data(vec![9; MAX_DATA]),
            Chunk::More(524_288),
            Chunk::Alive,
            goodbye(""),
            goodbye(&"é".repeat(MAX_CLOSE_TEXT / 2)),
        ] {
            let bytes = chunk.encode();
            let (head, body) = bytes.split_first_chunk().expect("a head");
            let (kind, length) = Chunk::head(*head).expect("a good head");
            assert_eq!(length, body.len());
            assert_eq!(Chunk::decode(kind, body.to_vec()), Ok(chunk));
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        assert_eq!(Chunk::Data(b"ab".to_vec()).encode(), *b"\0\0\x02ab");
        assert_eq!(Chunk::More(1).encode(), [1, 0, 4, 0, 0, 0, 1]);
        assert_eq!(Chunk::Alive.encode(), [2, 0, 0]);
        let close = Chunk::Close(Goodbye {
            code: 19,
            text: "x".to_owned(),
        });
        assert_eq!(close.encode(), *b"\x03\0\x05\0\0\0\x13x");
    }

    #[test]
    fn what_is_no_chunk_is_refused_by_its_head() {
        let long = u16::try_from(MAX_DATA + 1).expect("small").to_be_bytes();
        for head in [
            [0, 0, 0],
            [0, long[0], long[1]],
            [1, 0, 3],
            [1, 0, 5],
            [2, 0, 1],
            [3, 0, 3],
            [3, 0, 133],
            [4, 0, 0],
            [255, 255, 255],
        ] {
            assert!(Chunk::head(head).is_err(), "{head:?}");
        }
    }
}
