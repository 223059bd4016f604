//! The entries of a record.

use std::io::{self, Read, Write};

use machine::{Time, WallTime};

use crate::limits::MAX_ENTRY;

/// The first line of the file.
pub(super) const MAGIC: &[u8; 20] = b"waystation record 1\n";

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// What the program wants to know at a replay: once, first.
    Header(Vec<u8>),
    /// A life begins, with this seed; and what the program says about it.
    Life { seed: [u8; 32], about: Vec<u8> },
    /// A row of the store at the start of a life.
    Row {
        table: u8,
        key: Vec<u8>,
        value: Vec<u8>,
    },
    /// A turn; without an input it was a deadline's.
    Turn {
        now: Time,
        wall: WallTime,
        input: Option<Vec<u8>>,
    },
    /// A batch was given to the disk.
    Took(u64),
    /// A batch was durable.
    Done(u64),
    /// The running hash of all outputs of this life, where something was put out.
    Hash([u8; 16]),
    /// The life ended by a fault; what its last turn put out does not count.
    Fault,
}

impl Entry {
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut body = Vec::new();
        let kind = self.encode(&mut body);
        let length = u32::try_from(body.len())
            .ok()
            .filter(|_| body.len() <= MAX_ENTRY)
            .ok_or_else(|| io::Error::other("an entry of the record is too long"))?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&[kind])?;
        out.write_all(&sum(kind, &body))?;
        out.write_all(&body)
    }

    fn encode(&self, body: &mut Vec<u8>) -> u8 {
        match self {
            Self::Header(bytes) => {
                body.extend_from_slice(bytes);
                0
            }
            Self::Life { seed, about } => {
                body.extend_from_slice(seed);
                body.extend_from_slice(about);
                1
            }
            Self::Row { table, key, value } => {
                body.push(*table);
                let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
                body.extend_from_slice(&length.to_le_bytes());
                body.extend_from_slice(key);
                body.extend_from_slice(value);
                2
            }
            Self::Turn { now, wall, input } => {
                body.extend_from_slice(&now.as_micros().to_le_bytes());
                body.extend_from_slice(&wall.as_millis().to_le_bytes());
                match input {
                    None => 3,
                    Some(input) => {
                        body.extend_from_slice(input);
                        4
                    }
                }
            }
            Self::Took(number) => {
                body.extend_from_slice(&number.to_le_bytes());
                5
            }
            Self::Done(number) => {
                body.extend_from_slice(&number.to_le_bytes());
                6
            }
            Self::Hash(hash) => {
                body.extend_from_slice(hash);
                7
            }
            Self::Fault => 8,
        }
    }

    /// The next entry; `None` at the end of the file or where it was cut off.
    pub(super) fn read(input: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = [0; 9];
        if !fill(input, &mut head)? {
            return Ok(None);
        }
        let [a, b, c, d, kind, expected @ ..] = head;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > MAX_ENTRY {
            return Err(bad());
        }
        let mut body = Vec::new();
        // Room grows with what there is to read.
        input.by_ref().take(length as u64).read_to_end(&mut body)?;
        if body.len() < length {
            return Ok(None);
        }
        if sum(kind, &body) != expected {
            return Err(bad());
        }
        Self::decode(kind, body).map(Some).ok_or_else(bad)
    }

    fn decode(kind: u8, body: Vec<u8>) -> Option<Self> {
        Some(match kind {
            0 => Self::Header(body),
            1 => {
                let (seed, about) = body.split_first_chunk()?;
                Self::Life {
                    seed: *seed,
                    about: about.to_vec(),
                }
            }
            2 => {
                let (&[table, low, high], rest) = body.split_first_chunk()?;
                let length = usize::from(u16::from_le_bytes([low, high]));
                let (key, value) = rest.split_at_checked(length)?;
                Self::Row {
                    table,
                    key: key.to_vec(),
                    value: value.to_vec(),
                }
            }
            3 | 4 => {
                let (now, rest) = body.split_first_chunk()?;
                let (wall, rest) = rest.split_first_chunk()?;
                Self::Turn {
                    now: Time::from_micros(u64::from_le_bytes(*now)),
                    wall: WallTime::from_millis(u64::from_le_bytes(*wall)),
                    input: (kind == 4).then(|| rest.to_vec()),
                }
            }
            5 => Self::Took(u64::from_le_bytes(body.try_into().ok()?)),
            6 => Self::Done(u64::from_le_bytes(body.try_into().ok()?)),
            7 => Self::Hash(body.try_into().ok()?),
            8 if body.is_empty() => Self::Fault,
            _ => return None,
        })
    }
}

/// Tells damage from a machine that behaves otherwise. It guards against accidents, not against
/// whoever writes records.
fn sum(kind: u8, body: &[u8]) -> [u8; 4] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[kind]).update(body);
    let mut sum = [0; 4];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

/// Fills the buffer; false where the file ends before.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn bad() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "this is no record, or it is damaged",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Entry> {
        vec![
            Entry::Header(b"about".to_vec()),
            Entry::Life {
                seed: [7; 32],
                about: b"it".to_vec(),
            },
            Entry::Row {
                table: 3,
                key: b"key".to_vec(),
                value: vec![],
            },
            Entry::Turn {
                now: Time::from_micros(5),
                wall: WallTime::from_millis(6),
                input: Some(vec![]),
            },
            Entry::Turn {
                now: Time::ZERO,
                wall: WallTime::from_millis(0),
                input: None,
            },
            Entry::Took(1),
            Entry::Done(u64::MAX),
            Entry::Hash([9; 16]),
            Entry::Fault,
        ]
    }

    fn bytes(entries: &[Entry]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in entries {
            entry.write(&mut bytes).expect("memory takes it");
        }
        bytes
    }

    #[test]
    fn entries_are_read_as_they_were_written() {
        let bytes = bytes(&some());
        let mut rest = &bytes[..];
        for entry in some() {
            assert_eq!(Entry::read(&mut rest).expect("good"), Some(entry));
        }
        assert_eq!(Entry::read(&mut rest).expect("good"), None);
    }

    #[test]
    fn a_record_cut_off_anywhere_ends_there() {
        let bytes = bytes(&some());
        for end in 0..bytes.len() {
            let mut rest = &bytes[..end];
            let mut read = 0;
            while Entry::read(&mut rest)
                .expect("what is whole is good")
                .is_some()
            {
                read += 1;
            }
            assert!(read < some().len());
        }
    }

    #[test]
    fn what_is_no_entry_is_refused_without_making_room() {
        let cases: [(u8, &[u8]); 4] = [(99, &[]), (5, &[1]), (2, &[1, 255, 255]), (1, &[0; 31])];
        for (kind, body) in cases {
            let mut bytes = vec![u8::try_from(body.len()).expect("short"), 0, 0, 0, kind];
            bytes.extend(sum(kind, body));
            bytes.extend(body);
            assert!(Entry::read(&mut &bytes[..]).is_err());
        }
        assert!(Entry::read(&mut &[255; 64][..]).is_err());
    }

    #[test]
    fn a_changed_byte_of_kind_sum_or_body_is_found() {
        for entry in some() {
            let good = bytes(&[entry]);
            for at in 4..good.len() {
                let mut other = good.clone();
                other[at] ^= 1;
                assert!(Entry::read(&mut &other[..]).is_err());
            }
        }
    }
}
