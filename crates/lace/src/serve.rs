//! Serving ranges of the kept set to a peer, each envelope after its past.

use crate::lace::{Lace, Stored};
use crate::limits::{MAX_RANGES, MAX_SERVE_SKIP, SERVE_CHUNK};
use crate::rows::{self, Bytes, Spot};
use identity::{EnvelopeId, PublicKey, Signature};
use machine::Staged;
use wire::{Class, Range, Raw};

/// What one call of [`Lace::serve`] may give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Envelopes.
    pub envelopes: usize,
    /// Bytes of headers, proofs and bodies; a single larger envelope is given alone.
    pub bytes: usize,
}

/// What one call of [`Lace::serve`] gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Served {
    /// Envelopes, each after its past as far as that was asked for.
    pub envelopes: Vec<Raw>,
    /// Their ids, in the same order.
    pub ids: Vec<EnvelopeId>,
    /// Whether nothing of the ranges is left.
    pub done: bool,
}

/// How far ranges have been served. Plain data: it holds nothing of the lace and may be kept as
/// long as one likes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    streams: Vec<Stream>,
    control_only: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Stream {
    author: u32,
    part: Part,
    /// First and last number wanted.
    from: u64,
    to: u64,
    /// The place of the next row, as far as it is known.
    place: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// The chain below the fork, by number; `from` moves.
    Chain,
    /// What stands beyond the fork, by place, greater than this.
    Beyond(u64),
}

struct Row {
    place: u64,
    spot: Spot,
}

impl Cursor {
    /// Whether nothing of the ranges is left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.streams.is_empty()
    }
}

impl Lace {
    /// Leaves out what is still to be served of an author.
    pub fn leave_out(&self, cursor: &mut Cursor, author: &PublicKey) {
        let no = self.author(author).map(|author| author.no);
        cursor.streams.retain(|stream| Some(stream.author) != no);
    }

    /// Begins to serve ranges, at most [`MAX_RANGES`]. `control_only` leaves out the bodies of
    /// content; their headers go, since what follows could not be admitted without them.
    #[must_use]
    pub fn cursor(&self, ranges: &[Range], control_only: bool) -> Cursor {
        let mut streams = Vec::new();
        for range in ranges.iter().take(MAX_RANGES) {
            let Some(author) = self.author(&range.author) else {
                continue;
            };
            let stream = |part| Stream {
                author: author.no,
                part,
                from: range.from,
                to: range.to,
                place: None,
            };
            streams.push(stream(Part::Chain));
            if !author.ends.is_empty() {
                streams.push(stream(Part::Beyond(0)));
            }
        }
        Cursor {
            streams,
            control_only,
        }
    }

    /// Gives the next envelopes of the kept set, in the local causal order, so that whoever has
    /// the rest of their past can admit each as it comes.
    pub fn serve(&self, store: &mut Staged<'_>, cursor: &mut Cursor, budget: Budget) -> Served {
        let mut served = Served {
            envelopes: Vec::new(),
            ids: Vec::new(),
            done: false,
        };
        let mut bytes = 0_usize;
        let mut skips = MAX_SERVE_SKIP;
        loop {
            cursor.streams.retain_mut(|stream| {
                stream.place.is_some() || self.find_next(store, stream, &mut skips)
            });
            if skips == 0 {
                return served;
            }
            let Some((at, until)) = first_of(&cursor.streams) else {
                served.done = true;
                return served;
            };
            let Some(stream) = cursor.streams.get_mut(at) else {
                return served;
            };
            let left = budget.envelopes.saturating_sub(served.envelopes.len());
            let chunk = self.chunk(store, stream, left.min(SERVE_CHUNK));
            if chunk.is_empty() {
                // The author was closed below it since the last call.
                stream.place = None;
            }
            for row in chunk {
                if row.place > until {
                    stream.place = Some(row.place);
                    break;
                }
                let Some((id, raw)) = self.raw(store, &row.spot, cursor.control_only) else {
                    stream.pass(&row);
                    continue;
                };
                let size = raw.encoded_len();
                if !served.envelopes.is_empty() && bytes.saturating_add(size) > budget.bytes {
                    return served;
                }
                bytes = bytes.saturating_add(size);
                stream.pass(&row);
                served.envelopes.push(raw);
                served.ids.push(id);
            }
            if served.envelopes.len() >= budget.envelopes {
                served.done = cursor.streams.is_empty();
                return served;
            }
        }
    }

    /// Finds the place of a stream's next row; says whether there is one.
    fn find_next(&self, store: &mut Staged<'_>, stream: &mut Stream, skips: &mut usize) -> bool {
        if let Some(row) = self.chunk(store, stream, 1).first() {
            stream.place = Some(row.place);
            return true;
        }
        // Rows beyond the fork are in the order of places, not of numbers: some are passed over.
        while let Part::Beyond(after) = stream.part {
            if *skips == 0 {
                return true;
            }
            let rows = self.beyond(store, stream.author, after, SERVE_CHUNK);
            for row in &rows {
                if (stream.from..=stream.to).contains(&row.spot.number) {
                    stream.place = Some(row.place);
                    return true;
                }
                *skips = skips.saturating_sub(1);
                stream.part = Part::Beyond(row.place);
            }
            if rows.is_empty() {
                return false;
            }
        }
        false
    }

    /// The next rows of a stream, as far as they follow one another without a gap.
    fn chunk(&self, store: &mut Staged<'_>, stream: &Stream, limit: usize) -> Vec<Row> {
        match stream.part {
            Part::Chain => {
                let closed = self.by_no(stream.author).and_then(|author| author.closed);
                let to = stream
                    .to
                    .min(closed.map_or(u64::MAX, |from| from.saturating_sub(1)));
                if stream.from > to {
                    return Vec::new();
                }
                let low = rows::from_number(self.local, stream.author, stream.from);
                let high = rows::after_number(self.local, stream.author, to);
                let rows = store.scan(rows::HEADER, &low, &high, limit);
                rows.iter()
                    .filter_map(|(key, row)| {
                        let spot = Spot::read(&mut Bytes(key.get(4..)?))?;
                        Some(Row {
                            place: Bytes(row).u64()?,
                            spot,
                        })
                    })
                    .collect()
            }
            Part::Beyond(after) => {
                let mut rows = self.beyond(store, stream.author, after, limit);
                let wanted = |row: &Row| (stream.from..=stream.to).contains(&row.spot.number);
                let end = rows.iter().position(|row| !wanted(row));
                rows.truncate(end.unwrap_or(rows.len()));
                rows
            }
        }
    }

    fn beyond(&self, store: &mut Staged<'_>, no: u32, after: u64, limit: usize) -> Vec<Row> {
        let low = self.stands_key(no, after.saturating_add(1));
        let high = rows::key(self.local, &[&no.to_be_bytes(), &[u8::MAX; 9]]);
        let rows = store.scan(rows::STANDS, &low, &high, limit);
        rows.iter()
            .filter_map(|(key, row)| {
                let place = Bytes(key.get(8..)?).u64()?;
                let mut bytes = Bytes(row);
                let number = bytes.u64()?;
                let spot = Spot {
                    author: no,
                    number,
                    branch: bytes.array()?,
                };
                Some(Row { place, spot })
            })
            .collect()
    }

    fn raw(
        &self,
        store: &mut Staged<'_>,
        spot: &Spot,
        control_only: bool,
    ) -> Option<(EnvelopeId, Raw)> {
        let key = rows::at_spot(self.local, spot);
        let row = store.get(rows::HEADER, &key)?;
        let leave_body =
            control_only && Stored::decode(&row)?.envelope.header.class == Class::Content;
        let mut bytes = Bytes(&row);
        bytes.u64()?;
        let proof = Signature::from_bytes(bytes.array()?);
        let header_bytes = bytes.0.to_vec();
        let id = wire::Header::id_of(&header_bytes);
        let body = if leave_body {
            None
        } else {
            store.get(rows::BODY, &key)
        };
        Some((
            id,
            Raw {
                header_bytes,
                proof,
                body,
            },
        ))
    }
}

impl Stream {
    /// A row has been served.
    fn pass(&mut self, row: &Row) {
        match &mut self.part {
            Part::Chain => self.from = row.spot.number.saturating_add(1),
            Part::Beyond(after) => *after = row.place,
        }
        self.place = None;
    }
}

/// The stream with the least next place, and up to which place it may be served before another.
fn first_of(streams: &[Stream]) -> Option<(usize, u64)> {
    let mut places: Vec<(u64, usize)> = streams
        .iter()
        .enumerate()
        .filter_map(|(at, stream)| Some((stream.place?, at)))
        .collect();
    places.sort_unstable();
    let (_, at) = *places.first()?;
    Some((at, places.get(1).map_or(u64::MAX, |(place, _)| *place)))
}
