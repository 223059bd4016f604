//! The engine behind the embedded store: opening it, and what its last commit is.

use crate::error::io;
use crate::files::{self, Depth};
use crate::gap::{self, Gap};
use crate::home::Home;
use crate::journal::{Scan, parse_row};
use crate::{Head, HomeId, OpenFailed, Options, Room, tuning};
use fjall::{AbstractTree, Database, Keyspace};
use machine::Table;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where the commit rows and the notes of this crate stand.
pub(crate) const COMMITS: &str = "waystation";
/// The gap that nobody has settled yet.
pub(crate) const GAP: &[u8] = b"gap";
/// Below this number commits may be missing from the list: a gap there is known.
pub(crate) const KNOWN: &[u8] = b"known";

/// The engine, opened, before anything is known of its head.
pub(crate) struct Engine {
    pub(crate) db: Database,
    pub(crate) commits: Keyspace,
    pub(crate) tables: BTreeMap<u8, (Table, Keyspace)>,
}

impl Engine {
    pub(crate) fn open(
        home: &Home,
        tables: &[Table],
        options: &Options,
        room: Room,
    ) -> Result<Self, OpenFailed> {
        let open = || -> fjall::Result<Self> {
            let db = tuning::open(&home.db(), options, room)?;
            let commits = db.keyspace(COMMITS, || tuning::keyspace(options))?;
            let mut open = BTreeMap::new();
            for table in tables {
                let keyspace = db.keyspace(&keyspace_name(*table), || tuning::keyspace(options))?;
                open.insert(table.id(), (*table, keyspace));
            }
            Ok(Self {
                db,
                commits,
                tables: open,
            })
        };
        verify(home, Depth::Opening)?;
        // The engine asserts what it reads from disk; a damaged home must not end the process.
        let failed = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(open)) {
            Ok(Ok(opened)) => return Ok(opened),
            Ok(Err(error)) => engine_failed(error),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                let what = format!("the engine gave up: {}", text.unwrap_or("no reason given"));
                OpenFailed::Damaged { what }
            }
        };
        // The engine says that something is wrong, not where.
        Err(verify(home, Depth::Whole).err().unwrap_or(failed))
    }

    /// The last commit, and what is missing before or after it.
    pub(crate) fn find_head(
        &self,
        home: &HomeId,
        scan: &Scan,
        noted: Option<Head>,
    ) -> Result<(Head, Option<Gap>), OpenFailed> {
        let mut rows = BTreeMap::new();
        for row in self.commits.iter() {
            let (key, value) = row.into_inner().map_err(engine_failed)?;
            if let Some(head) = parse_row(home, &key, &value) {
                rows.insert(head.number, head.hash);
            }
        }
        let last = rows.last_key_value().map(|(number, hash)| Head {
            number: *number,
            hash: *hash,
        });
        let head = last.unwrap_or(Head::START);
        let known = self.commits.get(KNOWN).map_err(engine_failed)?;
        let known = known.and_then(|row| Some(u64::from_be_bytes(row.as_ref().try_into().ok()?)));
        let gap = scan
            .gap()
            .or_else(|| gap::ahead_of_journals(scan, head))
            .or_else(|| gap::behind_note(head, noted))
            .or_else(|| gap::hole(&rows, known.unwrap_or(1)));
        let gap = gap.map(|gap| Gap {
            ahead: self.ahead(scan),
            ..gap
        });
        Ok((head, gap))
    }

    /// Tables that hold what no journal holds any more.
    fn ahead(&self, scan: &Scan) -> Vec<String> {
        let Some(sequence) = scan.sequence else {
            return Vec::new();
        };
        let tables = self
            .tables
            .values()
            .map(|(table, keyspace)| (table.name(), keyspace));
        tables
            .filter(|(_, keyspace)| {
                keyspace
                    .tree
                    .get_highest_persisted_seqno()
                    .is_some_and(|found| found > sequence)
            })
            .map(|(name, _)| name.to_owned())
            .collect()
    }
}

pub(crate) fn keyspace_name(table: Table) -> String {
    format!("{:03}-{}", table.id(), table.name())
}

/// An engine that was interrupted while it made its folder cannot open it again. Nothing was ever
/// committed there.
pub(crate) fn clear_unfinished(home: &Home, scan: &Scan) -> Result<(), OpenFailed> {
    let db = home.db();
    if !db.exists() || db.join("version").exists() {
        return Ok(());
    }
    let tables = std::fs::read_dir(db.join("keyspaces")).map_or(0, Iterator::count);
    if scan.last.is_some() || tables > 1 {
        let what = format!("{} is missing", db.join("version").display());
        return Err(OpenFailed::Damaged { what });
    }
    std::fs::remove_dir_all(&db).map_err(io("clearing", &db))
}

/// Refuses files that would make the engine end the process, and names them.
fn verify(home: &Home, depth: Depth) -> Result<(), OpenFailed> {
    let mut bad = Vec::new();
    let mut note = |path: PathBuf, what| bad.push(format!("{}: {what}", path.display()));
    files::verify(&home.db(), depth, &mut note)?;
    if bad.is_empty() {
        Ok(())
    } else {
        Err(OpenFailed::Damaged {
            what: bad.join("; "),
        })
    }
}

pub(crate) fn engine_failed(error: fjall::Error) -> OpenFailed {
    match error {
        fjall::Error::Locked => OpenFailed::Engine("its records are locked".to_owned()),
        fjall::Error::JournalRecovery(_) | fjall::Error::Unrecoverable => OpenFailed::Damaged {
            what: describe(&error),
        },
        other => OpenFailed::Engine(describe(&other)),
    }
}

/// The engine's errors print as their Rust form; the causes say more.
pub(crate) fn describe(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Io(error) => error.to_string(),
        fjall::Error::Storage(error) => format!("{error:?}"),
        fjall::Error::Poisoned => "an earlier write to the disk failed".to_owned(),
        other => format!("{other:?}"),
    }
}
