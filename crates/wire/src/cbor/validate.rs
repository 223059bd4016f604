//! The validator. It runs before anything is decoded, in one pass, without recursion and without
//! allocating: a length that is only claimed is compared with the bytes that are there.

use crate::cbor::Malformed;
use crate::limits::MAX_DEPTH;

/// An array or map that is open while scanning.
#[derive(Clone, Copy)]
struct Level {
    /// Elements, or pairs, that are still to come; never 0.
    left: u64,
    map: bool,
    /// In a map: the next item is a key.
    at_key: bool,
    last_key: Option<u64>,
}

/// What an item's head says.
enum Head {
    Integer(u64),
    Other,
    String { len: u64, text: bool },
    Open { len: u64, map: bool },
}

/// Accepts exactly one value with nothing after it.
pub fn validate(bytes: &[u8]) -> Result<(), Malformed> {
    let end = validate_prefix(bytes)?;
    if end == bytes.len() {
        Ok(())
    } else {
        Err(Malformed {
            at: end,
            what: "bytes follow the value",
        })
    }
}

/// Accepts one value at the beginning; gives the offset of its end.
pub fn validate_prefix(bytes: &[u8]) -> Result<usize, Malformed> {
    let mut scan = Scan {
        bytes,
        at: 0,
        levels: [Level::CLOSED; MAX_DEPTH],
        depth: 0,
    };
    loop {
        if scan.item()? {
            return Ok(scan.at);
        }
    }
}

impl Level {
    const CLOSED: Self = Self {
        left: 0,
        map: false,
        at_key: false,
        last_key: None,
    };
}

struct Scan<'b> {
    bytes: &'b [u8],
    at: usize,
    levels: [Level; MAX_DEPTH],
    /// How many of `levels` are open.
    depth: usize,
}

impl Scan<'_> {
    /// Scans one item's head (and string); true when the outermost value is complete.
    fn item(&mut self) -> Result<bool, Malformed> {
        let start = self.at;
        let head = self.head()?;
        self.check_key(start, &head)?;
        match head {
            Head::Integer(_) | Head::Other => {}
            Head::String { len, text } => self.string(start, len, text)?,
            Head::Open { len, map } if len > 0 => {
                self.open(start, len, map)?;
                return Ok(false);
            }
            Head::Open { .. } => {
                if self.depth >= MAX_DEPTH {
                    return Err(Malformed {
                        at: start,
                        what: "nested too deeply",
                    });
                }
            }
        }
        Ok(self.close())
    }

    /// In a map, keys are unsigned integers, each greater than the one before.
    fn check_key(&mut self, start: usize, head: &Head) -> Result<(), Malformed> {
        let Some(level) = self.top() else {
            return Ok(());
        };
        if !(level.map && level.at_key) {
            return Ok(());
        }
        let Head::Integer(key) = *head else {
            return Err(Malformed {
                at: start,
                what: "a key is not an unsigned integer",
            });
        };
        match level.last_key {
            Some(last) if key == last => Err(Malformed {
                at: start,
                what: "a key comes twice",
            }),
            Some(last) if key < last => Err(Malformed {
                at: start,
                what: "keys are not in order",
            }),
            _ => {
                level.last_key = Some(key);
                Ok(())
            }
        }
    }

    fn string(&mut self, start: usize, len: u64, text: bool) -> Result<(), Malformed> {
        let len = usize::try_from(len).ok();
        let found = len
            .and_then(|len| self.at.checked_add(len))
            .and_then(|end| Some((end, self.bytes.get(self.at..end)?)));
        let Some((end, content)) = found else {
            return Err(Malformed {
                at: start,
                what: "a string is longer than what is there",
            });
        };
        if text && core::str::from_utf8(content).is_err() {
            return Err(Malformed {
                at: start,
                what: "a text is not UTF-8",
            });
        }
        self.at = end;
        Ok(())
    }

    fn open(&mut self, start: usize, len: u64, map: bool) -> Result<(), Malformed> {
        // Each element takes at least a byte, so a greater claim is refused before it is followed.
        let there = self.bytes.len().saturating_sub(self.at) as u64;
        if len > if map { there / 2 } else { there } {
            return Err(Malformed {
                at: start,
                what: "more elements claimed than there are bytes",
            });
        }
        let Some(level) = self.levels.get_mut(self.depth) else {
            return Err(Malformed {
                at: start,
                what: "nested too deeply",
            });
        };
        *level = Level {
            left: len,
            map,
            at_key: map,
            last_key: None,
        };
        self.depth += 1;
        Ok(())
    }

    /// Counts a finished item in the levels around it; true when none is left open.
    fn close(&mut self) -> bool {
        while let Some(level) = self.top() {
            if level.map && level.at_key {
                level.at_key = false;
                return false;
            }
            level.at_key = level.map;
            level.left -= 1;
            if level.left > 0 {
                return false;
            }
            self.depth -= 1;
        }
        true
    }

    fn top(&mut self) -> Option<&mut Level> {
        self.levels.get_mut(self.depth.checked_sub(1)?)
    }

    fn head(&mut self) -> Result<Head, Malformed> {
        let start = self.at;
        let initial = self.byte()?;
        let (major, info) = (initial >> 5, initial & 0x1f);
        if major == 7 {
            return match info {
                20..=22 => Ok(Head::Other),
                _ => Err(Malformed {
                    at: start,
                    what: "floats and other simple values",
                }),
            };
        }
        let value = self.argument(start, info)?;
        match major {
            0 => Ok(Head::Integer(value)),
            1 => Ok(Head::Other),
            2 | 3 => Ok(Head::String {
                len: value,
                text: major == 3,
            }),
            4 | 5 => Ok(Head::Open {
                len: value,
                map: major == 5,
            }),
            _ => Err(Malformed {
                at: start,
                what: "a tag",
            }),
        }
    }

    /// The number in a head, which must be in its shortest form.
    fn argument(&mut self, start: usize, info: u8) -> Result<u64, Malformed> {
        let (len, least) = match info {
            0..=23 => return Ok(u64::from(info)),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            31 => {
                return Err(Malformed {
                    at: start,
                    what: "an indefinite length",
                });
            }
            _ => {
                return Err(Malformed {
                    at: start,
                    what: "a reserved head",
                });
            }
        };
        let mut value = 0;
        for _ in 0..len {
            value = (value << 8) | u64::from(self.byte()?);
        }
        if value < least {
            return Err(Malformed {
                at: start,
                what: "a head is not the shortest",
            });
        }
        Ok(value)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = self.bytes.get(self.at).ok_or(Malformed {
            at: self.at,
            what: "it is cut off",
        })?;
        self.at += 1;
        Ok(*byte)
    }
}
