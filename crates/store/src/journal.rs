//! Reading the engine's journals before the engine does.
//!
//! The engine ends its replay at the first record that it cannot read and cuts the file off there,
//! silently: right for a torn tail, wrong for a byte that went bad in the middle, behind which lie
//! commits that were acknowledged (fjall#311). So the journals are read here first. What lies
//! behind a bad place is recognised by the row that every commit carries; it is named, and kept
//! aside before anything is cut off.
//!
//! The layout, as fjall 3.1 writes it (little-endian):
//!
//! ```text
//! batch = 1 ‖ items (4) ‖ sequence (8) ‖ item* ‖ 3 ‖ xxh3-64 of the items (8) ‖ "FJL" 3
//! item  = 2 ‖ type (1) ‖ compression (1) ‖ keyspace (8) ‖ key length (2) ‖ value length (4)
//!           ‖ stored length (4) ‖ key ‖ value
//! ```
//!
//! Our first item in each batch is the commit row, whose value is
//! `home id (16) ‖ number (8, big-endian) ‖ hash (32)` under the key `number mod HISTORY (2)`.

use crate::error::io;
use crate::gap::Gap;
use crate::head::Head;
use crate::home::{make_folder, sync_folder};
use crate::{HISTORY, HomeId, OpenFailed};
use machine::{MAX_KEY, MAX_RECORD};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const VALUE: u8 = 0;
const TRAILER: [u8; 4] = *b"FJL\x03";
const ROW: usize = 56;
/// From the tag of a commit row to the home id in it.
const ROW_HEAD: usize = 23;
/// A sequence number further ahead than this of the one before is taken for a bad byte.
const MAX_STEP: u64 = 1 << 32;

/// The row that marks a commit.
pub(crate) fn commit_row(home: &HomeId, head: &Head) -> ([u8; 2], [u8; ROW]) {
    let mut row = [0; ROW];
    row[..16].copy_from_slice(home.as_bytes());
    row[16..24].copy_from_slice(&head.number.to_be_bytes());
    row[24..].copy_from_slice(&head.hash);
    (slot(head.number), row)
}

pub(crate) fn slot(number: u64) -> [u8; 2] {
    // HISTORY is below 2^16.
    ((number % HISTORY) as u16).to_be_bytes()
}

/// The head in a commit row of this home.
pub(crate) fn parse_row(home: &HomeId, key: &[u8], row: &[u8]) -> Option<Head> {
    let row: &[u8; ROW] = row.try_into().ok()?;
    if row[..16] != home.as_bytes()[..] {
        return None;
    }
    let number = u64::from_be_bytes(row[16..24].try_into().ok()?);
    let hash = row[24..].try_into().ok()?;
    (slot(number)[..] == *key).then_some(Head { number, hash })
}

/// What the journals of a home hold.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) files: Vec<FileScan>,
    /// The last commit in a whole batch.
    pub(crate) last: Option<Head>,
    /// The engine's sequence number of the last whole batch.
    pub(crate) sequence: Option<u64>,
}

/// What one journal holds.
#[derive(Debug)]
pub(crate) struct FileScan {
    pub(crate) path: PathBuf,
    /// Where its last whole batch ends.
    pub(crate) whole: u64,
    /// The last commit up to there, in this or an earlier journal.
    pub(crate) held: u64,
    pub(crate) broken: Option<Broken>,
}

#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) why: String,
    /// Commits whose rows stand behind the bad place.
    pub(crate) behind: BTreeSet<u64>,
}

/// Sees the items of the journals, whole or not; [`Watch::batch`] follows when they were whole.
pub(crate) trait Watch {
    fn item(&mut self, keyspace: u64, key: &[u8], value: Option<&[u8]>);
    fn batch(&mut self, whole: bool, row: Option<Head>);
}

pub(crate) struct Nobody;

impl Watch for Nobody {
    fn item(&mut self, _: u64, _: &[u8], _: Option<&[u8]>) {}
    fn batch(&mut self, _: bool, _: Option<Head>) {}
}

impl Scan {
    /// Reads every journal in `db`, oldest first. It changes nothing.
    pub(crate) fn of(db: &Path, home: &HomeId, watch: &mut dyn Watch) -> Result<Self, OpenFailed> {
        let mut scan = Self::default();
        for path in journals(db)? {
            let mut reader = Reader::open(&path, home)?;
            let why = loop {
                match reader.batch(scan.sequence, watch) {
                    Ok(Step::Batch { sequence, row }) => {
                        if let (Some(head), Some(last)) = (row, scan.last)
                            && head.number <= last.number
                        {
                            break Some(format!("commit {} after {}", head.number, last.number));
                        }
                        scan.sequence = Some(sequence);
                        scan.last = row.or(scan.last);
                    }
                    Ok(Step::End) => break None,
                    Err(Stop::Bad(why)) => break Some(why),
                    Err(Stop::Io(error)) => return Err(io("reading", &path)(error)),
                }
            };
            let whole = reader.whole;
            let held = scan.last.map_or(0, |head| head.number);
            let broken = match why {
                Some(why) => Some(Broken {
                    why,
                    behind: rows_behind(&path, whole, home)?,
                }),
                None => None,
            };
            scan.files.push(FileScan {
                path,
                whole,
                held,
                broken,
            });
        }
        Ok(scan)
    }

    /// The first journal with a bad place that is more than the torn tail of a commit nobody was
    /// told of.
    pub(crate) fn gap(&self) -> Option<Gap> {
        let newest = self.files.len().saturating_sub(1);
        self.files.iter().enumerate().find_map(|(index, file)| {
            let broken = file.broken.as_ref()?;
            // The commit after the last whole one may be the one whose writing was interrupted.
            let torn = index == newest && broken.behind.iter().all(|n| *n <= file.held + 1);
            let last = broken.behind.last().copied().unwrap_or(file.held + 1);
            (!torn).then(|| Gap {
                held: file.held,
                first: file.held + 1,
                last: last.max(file.held + 1),
                place: file.place(broken),
                ahead: Vec::new(),
            })
        })
    }

    /// Cuts broken journals off behind their last whole batch, as the engine would, but keeps what
    /// is cut off when it is more than a torn tail. Returns where it is kept.
    pub(crate) fn repair(&self, aside: &Path) -> Result<Vec<PathBuf>, OpenFailed> {
        let mut kept = Vec::new();
        let gap = self.gap().is_some();
        for file in &self.files {
            if file.broken.is_none() {
                continue;
            }
            if gap {
                kept.push(file.keep(aside)?);
            }
            let cut = OpenOptions::new().write(true).open(&file.path);
            cut.and_then(|journal| {
                journal
                    .set_len(file.whole)
                    .and_then(|()| journal.sync_all())
            })
            .map_err(io("cutting off", &file.path))?;
        }
        Ok(kept)
    }
}

impl FileScan {
    fn name(&self) -> String {
        self.path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    pub(crate) fn place(&self, broken: &Broken) -> String {
        format!(
            "journal {} cannot be read from byte {}: {}",
            self.name(),
            self.whole,
            broken.why
        )
    }

    fn keep(&self, aside: &Path) -> Result<PathBuf, OpenFailed> {
        make_folder(aside)?;
        let kept = aside.join(format!("{}-from-{}", self.name(), self.whole));
        let copied = (|| {
            let mut from = File::open(&self.path)?;
            from.seek(SeekFrom::Start(self.whole))?;
            let mut to = File::create(&kept)?;
            std::io::copy(&mut from, &mut to)?;
            to.sync_all()
        })();
        copied.map_err(io("keeping a damaged journal at", &kept))?;
        sync_folder(aside)?;
        Ok(kept)
    }
}

fn journals(db: &Path) -> Result<Vec<PathBuf>, OpenFailed> {
    let entries = match fs::read_dir(db) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io("listing", db)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(io("listing", db))?.path();
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        if path.extension().is_some_and(|extension| extension == "jnl")
            && let Ok(number) = stem.parse::<u64>()
        {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

enum Step {
    Batch { sequence: u64, row: Option<Head> },
    End,
}

enum Stop {
    Bad(String),
    Io(std::io::Error),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::Bad("it ends within a batch".to_owned()),
            _ => Self::Io(error),
        }
    }
}

fn bad<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Bad(why.into()))
}

struct Reader<'a> {
    input: BufReader<File>,
    at: u64,
    whole: u64,
    home: &'a HomeId,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn open(path: &Path, home: &'a HomeId) -> Result<Self, OpenFailed> {
        let file = File::open(path).map_err(io("opening", path))?;
        let input = BufReader::with_capacity(256 * 1024, file);
        Ok(Self {
            input,
            at: 0,
            whole: 0,
            home,
            key: Vec::new(),
            value: Vec::new(),
        })
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn batch(&mut self, before: Option<u64>, watch: &mut dyn Watch) -> Result<Step, Stop> {
        if self.input_is_empty()? {
            return Ok(Step::End);
        }
        let result = self.inner(before, watch);
        match &result {
            Ok(Step::Batch { row, .. }) => {
                self.whole = self.at;
                watch.batch(true, *row);
            }
            Ok(Step::End) => {}
            Err(_) => watch.batch(false, None),
        }
        result
    }

    fn input_is_empty(&mut self) -> Result<bool, Stop> {
        use std::io::BufRead;
        Ok(self.input.fill_buf()?.is_empty())
    }

    fn inner(&mut self, before: Option<u64>, watch: &mut dyn Watch) -> Result<Step, Stop> {
        match self.take::<1>()? {
            [START] => {}
            // The engine sets the whole file's length beforehand; what is not written yet is zero.
            [0] if self.rest_is_zero()? => return Ok(Step::End),
            [tag] => return bad(format!("a batch cannot begin with {tag}")),
        }
        let items = u32::from_le_bytes(self.take()?);
        let sequence = u64::from_le_bytes(self.take()?);
        if let Some(before) = before
            && (sequence <= before || sequence - before > MAX_STEP)
        {
            return bad(format!("sequence {sequence} after {before}"));
        }
        let mut hasher = Xxh3::new();
        let mut row = None;
        for _ in 0..items {
            let head = self.item(&mut hasher, watch)?;
            row = row.or(head);
        }
        if self.take::<1>()? != [END] {
            return bad("a batch is longer than it says");
        }
        if u64::from_le_bytes(self.take()?) != hasher.digest() {
            return bad("a batch does not match its checksum");
        }
        if self.take::<4>()? != TRAILER {
            return bad("a batch does not end as it should");
        }
        Ok(Step::Batch { sequence, row })
    }

    fn item(&mut self, hasher: &mut Xxh3, watch: &mut dyn Watch) -> Result<Option<Head>, Stop> {
        let head: [u8; 21] = self.take()?;
        let [tag, kind, compression, rest @ ..] = head;
        if tag != ITEM || kind > 2 || compression != 0 {
            return bad(format!(
                "an item cannot begin with {tag} {kind} {compression}"
            ));
        }
        let (keyspace, lengths) = rest.split_at(8);
        let keyspace = u64::from_le_bytes(keyspace.try_into().unwrap_or_default());
        let key = usize::from(u16::from_le_bytes([lengths[0], lengths[1]]));
        let value = u32::from_le_bytes([lengths[2], lengths[3], lengths[4], lengths[5]]);
        let stored = u32::from_le_bytes([lengths[6], lengths[7], lengths[8], lengths[9]]);
        let long = usize::try_from(value).map_or(true, |value| value > MAX_RECORD);
        // No allocation follows a length that this store would never have written.
        if value != stored || long || key > MAX_KEY {
            return bad(format!("an item of {key} and {value} bytes"));
        }
        self.key.resize(key, 0);
        self.value.resize(value as usize, 0);
        self.input.read_exact(&mut self.key)?;
        self.input.read_exact(&mut self.value)?;
        self.at += key as u64 + u64::from(value);
        hasher.update(&head);
        hasher.update(&self.key);
        hasher.update(&self.value);
        watch.item(
            keyspace,
            &self.key,
            (kind == VALUE).then_some(self.value.as_slice()),
        );
        Ok(parse_row(self.home, &self.key, &self.value))
    }

    fn rest_is_zero(&mut self) -> Result<bool, Stop> {
        use std::io::BufRead;
        loop {
            let bytes = self.input.fill_buf()?;
            let length = bytes.len();
            if length == 0 {
                return Ok(true);
            }
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            self.input.consume(length);
        }
    }
}

/// The numbers of the commits whose rows stand in `path` behind `from`. The home's id in a row is
/// known to nobody outside, so nothing that a peer makes this node store can pose as one.
fn rows_behind(path: &Path, from: u64, home: &HomeId) -> Result<BTreeSet<u64>, OpenFailed> {
    const STEP: usize = 1 << 20;
    let read = || -> std::io::Result<BTreeSet<u64>> {
        let mut found = BTreeSet::new();
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut window: Vec<u8> = Vec::with_capacity(STEP + ROW_HEAD + ROW);
        loop {
            let had = window.len();
            let more = file.by_ref().take(STEP as u64).read_to_end(&mut window)?;
            rows_in(&window, home, &mut found);
            if more == 0 {
                return Ok(found);
            }
            // A row may lie across two windows; seen twice is no harm.
            let keep = (had + more).min(ROW_HEAD + ROW);
            window.drain(..window.len() - keep);
        }
    };
    read().map_err(io("reading", path))
}

fn rows_in(window: &[u8], home: &HomeId, found: &mut BTreeSet<u64>) {
    let [first, ..] = *home.as_bytes();
    let mut from = ROW_HEAD;
    while let Some(step) = window
        .get(from..)
        .and_then(|w| w.iter().position(|b| *b == first))
    {
        let at = from + step;
        from = at + 1;
        let (Some(head), Some(row)) = (window.get(at - ROW_HEAD..at), window.get(at..at + ROW))
        else {
            continue;
        };
        let lengths = [2, 0, 56, 0, 0, 0, 56, 0, 0, 0];
        if head[..3] == [ITEM, VALUE, 0]
            && head[11..21] == lengths
            && let Some(head) = parse_row(home, &head[21..], row)
        {
            found.insert(head.number);
        }
    }
}
