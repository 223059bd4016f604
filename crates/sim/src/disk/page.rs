//! A page: sorted rows, packed.
//!
//! ```text
//! row     same ‖ rest ‖ value ‖ rest of the key ‖ contents      numbers are varints (LEB128)
//!         same   bytes that its key has in common with the key before
//!         rest   bytes of the key that follow
//!         value  0 in the pool: 8 bytes, and the next of `pooled` | n + 1: n bytes
//! ```
//!
//! A key is found by walking. That is cheap, because a row that has more in common with the row
//! before than the key has need not be compared.

use super::pool::Shared;

/// Bytes of a value in the pool that stay in the row: a header's row begins with the place that the
/// envelope has at this node alone.
pub(super) const HEAD: usize = 8;

const POOLED: usize = 0;
const PLAIN: usize = 1;

/// Bytes that a page's memory grows by.
const STEP: usize = 64;

/// The value of a row.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// All of it.
    Plain(&'a [u8]),
    /// Its first [`HEAD`] bytes, and the rest.
    Pooled(&'a [u8], &'a Shared),
}

impl Value<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Pooled(head, tail) => head.len() + tail.bytes().len(),
        }
    }

    pub(super) fn to_vec(self) -> Vec<u8> {
        match self {
            Self::Plain(bytes) => bytes.to_vec(),
            Self::Pooled(head, tail) => [head, tail.bytes()].concat(),
        }
    }

    const fn kind(&self) -> usize {
        match self {
            Self::Plain(bytes) => PLAIN + bytes.len(),
            Self::Pooled(..) => POOLED,
        }
    }
}

/// Sorted rows.
#[derive(Clone, Default)]
pub(super) struct Page {
    arena: Vec<u8>,
    /// The values in the pool, in the order of rows.
    pooled: Vec<Shared>,
}

/// A row as it lies there.
#[derive(Clone, Copy)]
struct Packed<'a> {
    same: usize,
    rest: &'a [u8],
    kind: usize,
    /// Where `rest` begins.
    rest_at: usize,
    /// Where the contents begin.
    contents_at: usize,
    /// Where the next row begins.
    next: usize,
}

/// Where a key is, or would be.
struct Spot<'a> {
    at: usize,
    /// Values in the pool before it.
    pooled: usize,
    /// Bytes that it has in common with the key before.
    same: usize,
    /// The row that is there.
    row: Option<Packed<'a>>,
    /// Bytes that the key has in common with that row's: all of them if that is its row.
    common: usize,
    found: bool,
}

impl Page {
    /// Bytes of its rows.
    pub(super) const fn len(&self) -> usize {
        self.arena.len()
    }

    /// Bytes of memory, the pool aside.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.arena.capacity() + self.pooled.capacity() * size_of::<Shared>()
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<Value<'_>> {
        let spot = self.seek(key);
        let row = spot.row.filter(|_| spot.found)?;
        Some(self.value(&row, spot.pooled))
    }

    /// Writes a row. Gives the length of the value that it had.
    pub(super) fn put(&mut self, key: &[u8], value: Value<'_>) -> Option<usize> {
        let spot = self.seek(key);
        let mut new = Vec::with_capacity(key.len() + value.len().min(128) + 16);
        encode(&mut new, spot.same, &key[spot.same..], value);
        let (at, pooled) = (spot.at, spot.pooled);
        let (mut end, mut before, mut was_pooled) = (at, None, false);
        match spot.row {
            Some(row) if spot.found => {
                end = row.next;
                before = Some(self.value(&row, pooled).len());
                was_pooled = row.kind == POOLED;
            }
            Some(row) => {
                // The row after it has more in common with it than with the row before.
                let more = spot.common - row.same;
                head(&mut new, spot.common, row.rest.len() - more, row.kind);
                end = row.rest_at + more;
            }
            None => {}
        }
        self.replace(at, end, &new);
        match (value, was_pooled) {
            (Value::Pooled(_, tail), true) => self.pooled[pooled] = tail.clone(),
            (Value::Pooled(_, tail), false) => {
                self.pooled.reserve_exact(1);
                self.pooled.insert(pooled, tail.clone());
            }
            (Value::Plain(_), true) => drop(self.pooled.remove(pooled)),
            (Value::Plain(_), false) => {}
        }
        before
    }

    /// Removes a row. Gives the length of its value.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<usize> {
        let spot = self.seek(key);
        let row = spot.row.filter(|_| spot.found)?;
        let len = self.value(&row, spot.pooled).len();
        let mut new = Vec::new();
        let mut end = row.next;
        if row.next < self.arena.len() {
            // What the row after it had in common with it alone has to be said there.
            let after = self.packed(row.next);
            let less = after.same.saturating_sub(row.same);
            head(
                &mut new,
                after.same - less,
                after.rest.len() + less,
                after.kind,
            );
            new.extend_from_slice(&row.rest[..less]);
            end = after.rest_at;
        }
        let (at, pooled, was_pooled) = (spot.at, spot.pooled, row.kind == POOLED);
        self.replace(at, end, &new);
        if was_pooled {
            self.pooled.remove(pooled);
        }
        Some(len)
    }

    /// Moves the greater half into a page of its own: a key at which that begins, and the page.
    pub(super) fn split(&mut self) -> Option<(Vec<u8>, Self)> {
        let half = self.arena.len() / 2;
        let mut rows = self.rows();
        while rows.at < half {
            rows.next()?;
        }
        let (at, pooled, mut key) = (rows.at, rows.pooled, std::mem::take(&mut rows.key));
        let row = (at < self.arena.len()).then(|| self.packed(at))?;
        key.truncate(row.same);
        key.extend_from_slice(row.rest);
        let mut arena = Vec::with_capacity(self.arena.len() - at + row.same + STEP);
        head(&mut arena, 0, key.len(), row.kind);
        arena.extend_from_slice(&key);
        arena.extend_from_slice(&self.arena[row.contents_at..]);
        // Already with this byte it is greater than all that stay.
        key.truncate(row.same + 1);
        let other = Self {
            arena,
            pooled: self.pooled.split_off(pooled),
        };
        self.arena.truncate(at);
        self.arena.shrink_to(at + STEP);
        self.pooled.shrink_to_fit();
        Some((key, other))
    }

    /// Takes the rows of the page that follows.
    pub(super) fn join(&mut self, other: &Self) {
        if other.arena.is_empty() {
            return;
        }
        let mut rows = self.rows();
        while rows.next().is_some() {}
        let last = std::mem::take(&mut rows.key);
        let row = other.packed(0);
        let same = in_common(&last, row.rest);
        self.arena.reserve_exact(other.arena.len() + STEP);
        head(&mut self.arena, same, row.rest.len() - same, row.kind);
        self.arena.extend_from_slice(&row.rest[same..]);
        self.arena
            .extend_from_slice(&other.arena[row.contents_at..]);
        self.pooled.extend_from_slice(&other.pooled);
    }

    /// All rows, upwards.
    pub(super) const fn rows(&self) -> Rows<'_> {
        Rows {
            page: self,
            at: 0,
            pooled: 0,
            key: Vec::new(),
        }
    }

    /// The rows from the first whose key is not smaller, upwards.
    pub(super) fn rows_from(&self, from: &[u8]) -> Rows<'_> {
        let spot = self.seek(from);
        let known = spot.row.map_or(0, |row| row.same);
        let mut key = Vec::with_capacity(from.len() + STEP);
        key.extend_from_slice(&from[..known]);
        Rows {
            page: self,
            at: spot.at,
            pooled: spot.pooled,
            key,
        }
    }

    fn seek(&self, key: &[u8]) -> Spot<'_> {
        let mut spot = Spot {
            at: 0,
            pooled: 0,
            same: 0,
            row: None,
            common: 0,
            found: false,
        };
        while spot.at < self.arena.len() {
            let row = self.packed(spot.at);
            if row.same < spot.same {
                // It is greater where the row before agreed.
                spot.common = row.same;
                spot.row = Some(row);
                break;
            }
            // One that has more in common with the row before is smaller than `key` as well.
            if row.same == spot.same {
                let wanted = &key[spot.same..];
                let common = in_common(row.rest, wanted);
                let smaller = match (row.rest.get(common), wanted.get(common)) {
                    (None, there) => there.is_some(),
                    (Some(here), there) => there.is_some_and(|there| here < there),
                };
                if !smaller {
                    spot.common = spot.same + common;
                    spot.found = common == wanted.len() && common == row.rest.len();
                    spot.row = Some(row);
                    break;
                }
                spot.same += common;
            }
            spot.pooled += usize::from(row.kind == POOLED);
            spot.at = row.next;
        }
        spot
    }

    #[inline]
    fn packed(&self, at: usize) -> Packed<'_> {
        let (same, rest, kind, rest_at) = match self.arena[at..].first_chunk() {
            // Nearly always each of the three is one byte.
            Some([same, rest, kind]) if (same | rest | kind) < 0x80 => (
                usize::from(*same),
                usize::from(*rest),
                usize::from(*kind),
                at + 3,
            ),
            _ => {
                let mut at = at;
                let same = self.number(&mut at);
                let rest = self.number(&mut at);
                (same, rest, self.number(&mut at), at)
            }
        };
        let contents_at = rest_at + rest;
        let contents = if kind == POOLED { HEAD } else { kind - PLAIN };
        Packed {
            same,
            rest: &self.arena[rest_at..contents_at],
            kind,
            rest_at,
            contents_at,
            next: contents_at + contents,
        }
    }

    fn value(&self, row: &Packed<'_>, pooled: usize) -> Value<'_> {
        let contents = &self.arena[row.contents_at..row.next];
        if row.kind == POOLED {
            Value::Pooled(contents, &self.pooled[pooled])
        } else {
            Value::Plain(contents)
        }
    }

    fn number(&self, at: &mut usize) -> usize {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let byte = self.arena[*at];
            *at += 1;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    /// Puts other bytes where some are.
    fn replace(&mut self, from: usize, to: usize, new: &[u8]) {
        let (before, after) = (self.arena.len(), self.arena.len() + new.len() - (to - from));
        if after > before {
            if after > self.arena.capacity() {
                self.arena.reserve_exact(after - before + STEP);
            }
            self.arena.resize(after, 0);
        }
        self.arena.copy_within(to..before, from + new.len());
        self.arena.truncate(after);
        self.arena[from..from + new.len()].copy_from_slice(new);
        if self.arena.capacity() > after + 4 * STEP {
            self.arena.shrink_to(after + STEP);
        }
    }
}

/// Walks over the rows of a page.
pub(super) struct Rows<'a> {
    page: &'a Page,
    at: usize,
    pooled: usize,
    /// The key of the row that came last.
    pub(super) key: Vec<u8>,
}

impl<'a> Rows<'a> {
    /// Goes on to the next row: its key is in `key` then.
    pub(super) fn next(&mut self) -> Option<Value<'a>> {
        if self.at >= self.page.arena.len() {
            return None;
        }
        let row = self.page.packed(self.at);
        self.key.truncate(row.same);
        self.key.extend_from_slice(row.rest);
        let value = self.page.value(&row, self.pooled);
        self.pooled += usize::from(row.kind == POOLED);
        self.at = row.next;
        Some(value)
    }
}

/// How many bytes two strings have in common at the front: by words, then by bytes.
fn in_common(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let same = 8 * words.take_while(|(a, b)| a == b).count();
    let rest = a[same..].iter().zip(&b[same..]);
    same + rest.take_while(|(a, b)| a == b).count()
}

fn encode(into: &mut Vec<u8>, same: usize, rest: &[u8], value: Value<'_>) {
    head(into, same, rest.len(), value.kind());
    into.extend_from_slice(rest);
    match value {
        Value::Plain(bytes) => into.extend_from_slice(bytes),
        Value::Pooled(head, _) => into.extend_from_slice(head),
    }
}

fn head(into: &mut Vec<u8>, same: usize, rest: usize, kind: usize) {
    for mut number in [same, rest, kind] {
        while number >= 0x80 {
            into.push(number as u8 | 0x80);
            number >>= 7;
        }
        into.push(number as u8);
    }
}
