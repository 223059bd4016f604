//! Writing a record.

use std::{
    fmt,
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::Path,
};

use machine::{
    Base, ContentEffect, Event, Exempt, MAX_KEY, Ports, ReadFailed, Table, Time, WallTime,
};

use super::{
    Digest, Recordable,
    entry::{Entry, MAGIC},
};
use crate::limits::ROWS_PER_SCAN;

/// Writes down what happens to one node. If the file cannot be written any further, it says so in
/// the log and stops; the node goes on.
pub struct Recorder<I, P: Ports> {
    out: Option<Box<dyn Write + Send>>,
    tables: Vec<Table>,
    encode: fn(&I, &mut Vec<u8>),
    running: Running<P>,
}

/// How to feed one output to a hash.
type DigestOf<O> = fn(&O, &mut dyn FnMut(&[u8]));

/// The running hash over the outputs of one life, the same for recording and replay.
pub(super) struct Running<P: Ports> {
    hasher: blake3::Hasher,
    fresh: bool,
    outputs: u64,
    verbatim: DigestOf<P::Verbatim>,
    advisory: DigestOf<P::Advisory>,
    held: DigestOf<P::Held>,
}

impl<I: Recordable, P: Ports> Recorder<I, P>
where
    P::Held: Digest,
    P::Verbatim: Digest,
    P::Advisory: Digest,
{
    /// Begins a record in a new file that only its owner may read. `header` comes back at a
    /// replay: whatever else is needed to build the machine. `tables` are those of the store.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn create(path: &Path, header: &[u8], tables: Vec<Table>) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        Self::new(Box::new(BufWriter::new(file)), header, tables)
    }

    /// Begins a record that goes anywhere.
    ///
    /// # Errors
    /// When its head cannot be written.
    pub fn new(
        mut out: Box<dyn Write + Send>,
        header: &[u8],
        tables: Vec<Table>,
    ) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Entry::Header(header.to_vec()).write(&mut out)?;
        Ok(Self {
            out: Some(out),
            tables,
            encode: I::encode,
            running: Running::new(),
        })
    }
}

impl<I, P: Ports> Recorder<I, P> {
    /// A life begins over these rows.
    pub(crate) fn begin(&mut self, seed: [u8; 32], about: &[u8], base: &impl Base) {
        self.running.restart();
        let about = about.to_vec();
        self.write(&Entry::Life { seed, about });
        for table in self.tables.clone() {
            if let Err(error) = self.rows(table, base) {
                self.give_up(&error);
            }
        }
    }

    fn rows(&mut self, table: Table, base: &impl Base) -> Result<(), ReadFailed> {
        let end = [u8::MAX; MAX_KEY + 1];
        let mut from = Vec::new();
        while self.out.is_some() {
            let rows = base.scan(table, (&from, &end), ROWS_PER_SCAN, false)?;
            let Some((last, _)) = rows.last() else { break };
            // The smallest key after the last one.
            from = last.clone();
            from.push(0);
            for (key, value) in rows {
                self.write(&Entry::Row {
                    table: table.id(),
                    key,
                    value,
                });
            }
        }
        Ok(())
    }

    pub(crate) fn turn(&mut self, now: Time, wall: WallTime, event: &Event<I>) {
        let input = match event {
            Event::Deadline => None,
            Event::Input(input) => {
                let mut bytes = Vec::new();
                (self.encode)(input, &mut bytes);
                Some(bytes)
            }
        };
        self.write(&Entry::Turn { now, wall, input });
    }

    pub(crate) fn took(&mut self, number: u64) {
        self.write(&Entry::Took(number));
    }

    pub(crate) fn done(&mut self, number: u64) {
        self.write(&Entry::Done(number));
    }

    pub(crate) fn exempt(&mut self, exempt: &Exempt<P>) {
        self.running.exempt(exempt);
    }

    pub(crate) fn held(&mut self, held: &P::Held) {
        self.running.held(held);
    }

    /// Writes the hash down if anything was put out since the last mark.
    pub(crate) fn mark(&mut self) {
        if let Some(hash) = self.running.mark() {
            self.write(&Entry::Hash(hash));
        }
    }

    /// The life ended by a fault.
    pub(crate) fn fault(&mut self) {
        self.write(&Entry::Fault);
        self.flush();
    }

    pub(crate) fn flush(&mut self) {
        if let Some(Err(error)) = self.out.as_mut().map(Write::flush) {
            self.give_up(&error);
        }
    }

    fn write(&mut self, entry: &Entry) {
        if let Some(Err(error)) = self.out.as_mut().map(|out| entry.write(out)) {
            self.give_up(&error);
        }
    }

    fn give_up(&mut self, error: &dyn fmt::Display) {
        tracing::error!(%error, "the record ends here: it could not be written any further");
        self.out = None;
    }
}

impl<I, P: Ports> Drop for Recorder<I, P> {
    fn drop(&mut self) {
        self.flush();
    }
}

impl<I, P: Ports> fmt::Debug for Recorder<I, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("tables", &self.tables)
            .finish_non_exhaustive()
    }
}

impl<P: Ports> Running<P> {
    pub(super) fn new() -> Self
    where
        P::Held: Digest,
        P::Verbatim: Digest,
        P::Advisory: Digest,
    {
        Self {
            hasher: hasher(),
            fresh: false,
            outputs: 0,
            verbatim: P::Verbatim::digest,
            advisory: P::Advisory::digest,
            held: P::Held::digest,
        }
    }

    pub(super) fn restart(&mut self) {
        self.hasher = hasher();
        self.fresh = false;
    }

    pub(super) fn exempt(&mut self, exempt: &Exempt<P>) {
        match exempt {
            Exempt::Verbatim(output) => {
                let digest = self.verbatim;
                self.feed(1, |into| digest(output, into));
            }
            Exempt::Advisory(output) => {
                let digest = self.advisory;
                self.feed(2, |into| digest(output, into));
            }
            Exempt::Content(ContentEffect::Write { name, at, bytes }) => self.feed(3, |into| {
                into(&name.0);
                into(&at.to_be_bytes());
                into(bytes);
            }),
            Exempt::Content(ContentEffect::Read { name, at, len }) => self.feed(4, |into| {
                into(&name.0);
                into(&at.to_be_bytes());
                into(&len.to_be_bytes());
            }),
            Exempt::Content(ContentEffect::Delete(name)) => self.feed(5, |into| into(&name.0)),
            Exempt::Content(ContentEffect::List { after }) => self.feed(6, |into| {
                if let Some(name) = after {
                    into(&name.0);
                }
            }),
        }
    }

    pub(super) fn held(&mut self, output: &P::Held) {
        let digest = self.held;
        self.feed(0, |into| digest(output, into));
    }

    /// Class, length, bytes: so that no two lists of outputs give the same stream.
    fn feed(&mut self, class: u8, digest: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let mut output = blake3::Hasher::new();
        digest(&mut |bytes| {
            output.update(bytes);
        });
        self.hasher.update(&[class]);
        self.hasher.update(output.finalize().as_bytes());
        self.fresh = true;
        self.outputs += 1;
    }

    pub(super) fn mark(&mut self) -> Option<[u8; 16]> {
        if !std::mem::take(&mut self.fresh) {
            return None;
        }
        let mut hash = [0; 16];
        self.hasher.finalize_xof().fill(&mut hash);
        Some(hash)
    }

    pub(super) const fn outputs(&self) -> u64 {
        self.outputs
    }
}

fn hasher() -> blake3::Hasher {
    blake3::Hasher::new_derive_key("waystation record outputs v1")
}
