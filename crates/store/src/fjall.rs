//! The embedded store.

use crate::engine::{COMMITS, Engine, GAP, KNOWN, clear_unfinished, describe, engine_failed};
use crate::gap::{self, Gap};
use crate::head::{Writes, merge};
use crate::home::Home;
use crate::journal::{Nobody, Scan, commit_row, parse_row, slot};
use crate::space::{Reserve, enough_for_new, occupied};
use crate::{
    CommitFailed, Head, HomeId, MAX_TABLES, OpenFailed, Opened, Options, RECLAIM_FROM,
    RECLAIM_PART, RECLAIM_PASSES, RECLAIM_ROWS, RESCUE, Room, Space, Store, WAITING_FILES,
    WAITING_MEMTABLES, free_space,
};
use fjall::{AbstractTree, Database, Keyspace, PersistMode, Readable};
use machine::{Base, Batch, ReadFailed, Row, Table};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A shareable handle on an embedded store. The home stays locked until the last handle is gone.
#[derive(Clone)]
pub struct FjallStore(Arc<Inner>);

struct Inner {
    // Before the home: its files must be closed when the lock ends.
    tables: BTreeMap<u8, (Table, Keyspace)>,
    commits: Keyspace,
    db: Database,
    committer: Mutex<Committer>,
    room: Room,
    memtables: u64,
    reserve: Reserve,
    home: Home,
}

struct Committer {
    head: Head,
    ended: Option<CommitFailed>,
}

impl FjallStore {
    /// Opens the home at `dir`, making it when there is none.
    ///
    /// # Errors
    /// [`OpenFailed`].
    pub fn open(
        dir: &Path,
        tables: &[Table],
        options: &Options,
    ) -> Result<(Self, Opened), OpenFailed> {
        check_tables(tables)?;
        enough_for_new(dir)?;
        let home = Home::open(dir)?;
        let reserve = Reserve::new(dir, options.reserve, options.floor);
        let room = reserve.settle()?;
        let noted = home.take_clean()?;
        let scan = Scan::of(&home.db(), &home.id, &mut Nobody)?;
        let kept = scan.repair(&home.dir.join("damaged"))?;
        clear_unfinished(&home, &scan)?;
        let engine = Engine::open(&home, tables, options, room)?;
        let (head, mut gap) = engine.find_head(&home.id, &scan, noted)?;
        if let (Some(gap), Some(kept)) = (&mut gap, kept.first()) {
            gap.place.push_str(&format!("; kept in {}", kept.display()));
        }
        let created = home.created;
        let inner = Inner {
            tables: engine.tables,
            commits: engine.commits,
            db: engine.db,
            committer: Mutex::new(Committer { head, ended: None }),
            room,
            memtables: options.memtables,
            reserve,
            home,
        };
        let store = Self(Arc::new(inner));
        let gap = store.settle_gap(gap, noted)?;
        let opened = Opened {
            home: store.0.home.id,
            created,
            clean: created || (noted == Some(head) && gap.is_none()),
            head: store.head(),
            gap,
            room,
        };
        Ok((store, opened))
    }

    /// Says that what a gap means for this node is durably noted elsewhere: the next start does not
    /// report it again.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn forget_gap(&self) -> Result<(), CommitFailed> {
        let mut committer = self.committer();
        if let Some(ended) = &committer.ended {
            return Err(ended.clone());
        }
        let next = committer.head.after(&Writes::new());
        self.write(&mut committer, next, &Writes::new(), Some(Note::Forget))
    }

    /// Gives the disk back what removed rows took, of every table from which much was removed since
    /// the last time. It takes a while, and in the meantime some room; reads and commits go on. The
    /// engine does the same by itself, but only as new rows push old ones on.
    ///
    /// # Errors
    /// When the disk fails; the next commit says the same.
    pub fn reclaim(&self) -> Result<(), CommitFailed> {
        if self.0.room == Room::Rescue {
            return Ok(());
        }
        let failed = |error: fjall::Error| self.classify(&error);
        for (_, keyspace) in self.0.tables.values() {
            let tree = &keyspace.tree;
            if !tree.active_memtable().is_empty() {
                keyspace.rotate_memtable().map_err(failed)?;
            }
            while tree.sealed_memtable_count() > 0 {
                self.0.db.persist(PersistMode::Buffer).map_err(failed)?;
                std::thread::sleep(Duration::from_millis(1));
            }
            // The first pass removes the rows; files of values that have become empty go, and those
            // that have become sparse are written anew, with the next one.
            for _ in 0..RECLAIM_PASSES {
                if !self.worth_reclaiming(keyspace) {
                    break;
                }
                keyspace.major_compact().map_err(failed)?;
            }
        }
        // The engine lets go of files that are in no newer version of a table when it next looks at
        // all tables after a commit.
        let mut committer = self.committer();
        if let Some(ended) = &committer.ended {
            return Err(ended.clone());
        }
        let next = committer.head.after(&Writes::new());
        self.write(&mut committer, next, &Writes::new(), None)?;
        self.0.commits.rotate_memtable().map_err(failed)?;
        Ok(())
    }

    fn worth_reclaiming(&self, keyspace: &Keyspace) -> bool {
        let tree = &keyspace.tree;
        let removed = tree.tombstone_count();
        let rows = tree.approximate_len() as u64;
        let many = removed >= RECLAIM_ROWS && removed.saturating_mul(RECLAIM_PART) >= rows;
        if !many && tree.stale_blob_bytes() < RECLAIM_FROM {
            return false;
        }
        // All sorted files of the table are written anew before the old ones go.
        let sorted: u64 = tree
            .current_version()
            .iter_levels()
            .map(|level| level.size())
            .sum();
        let needed = sorted.saturating_add(RESCUE);
        free_space(&self.0.home.dir).is_ok_and(|free| free >= needed)
    }

    /// The folder of the home.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.0.home.dir
    }

    /// The id of the home.
    #[must_use]
    pub fn home(&self) -> HomeId {
        self.0.home.id
    }

    /// All rows of a table as they were at one moment, together with those of the other tables
    /// read through the same snapshot.
    pub(crate) fn snapshot(&self) -> fjall::Snapshot {
        self.0.db.snapshot()
    }

    /// Calls `each` with every row of `table` in `snapshot`, in the order of keys.
    pub(crate) fn each_row<E: From<ReadFailed>>(
        &self,
        snapshot: &fjall::Snapshot,
        table: Table,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let keyspace = self.keyspace(table)?;
        for row in snapshot.iter(keyspace) {
            let (key, value) = row
                .into_inner()
                .map_err(|error| read_failed(table, &error))?;
            each(&key, &value)?;
        }
        Ok(())
    }

    fn keyspace(&self, table: Table) -> Result<&Keyspace, ReadFailed> {
        let found = self.0.tables.get(&table.id()).map(|(_, keyspace)| keyspace);
        found.ok_or_else(|| ReadFailed {
            table: table.name(),
            reason: "the home was not opened with it".to_owned(),
        })
    }

    /// A panic of another committer leaves nothing half done here: the engine has the writes or
    /// has not, and `head` is set last.
    fn committer(&self) -> MutexGuard<'_, Committer> {
        self.0
            .committer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a new gap down, or finds one that nobody has settled yet.
    fn settle_gap(&self, gap: Option<Gap>, noted: Option<Head>) -> Result<Option<Gap>, OpenFailed> {
        let Some(gap) = gap else {
            let row = self.0.commits.get(GAP).map_err(engine_failed)?;
            return Ok(row.and_then(|row| gap::from_text(&row)));
        };
        // A gap that was noticed by the note of a clean end alone has no number after it.
        let lost = noted.map_or(gap.last, |noted| noted.number.max(gap.last));
        let mut committer = self.committer();
        let number = committer.head.number.max(lost);
        let next = Head {
            number,
            ..committer.head
        }
        .after(&Writes::new());
        self.write(&mut committer, next, &Writes::new(), Some(Note::Gap(&gap)))
            .map_err(|error| OpenFailed::Engine(error.to_string()))?;
        Ok(Some(gap))
    }

    fn write(
        &self,
        committer: &mut Committer,
        next: Head,
        writes: &Writes<'_>,
        note: Option<Note<'_>>,
    ) -> Result<(), CommitFailed> {
        let mut batch = self.0.db.batch().durability(Some(PersistMode::SyncData));
        let (key, row) = commit_row(&self.0.home.id, &next);
        batch.insert(&self.0.commits, key, row);
        match note {
            Some(Note::Gap(gap)) => {
                batch.insert(&self.0.commits, GAP, gap::to_text(gap).as_bytes());
                batch.insert(&self.0.commits, KNOWN, next.number.to_be_bytes());
            }
            Some(Note::Forget) => batch.remove(&self.0.commits, GAP),
            None => {}
        }
        for ((table, key), value) in writes {
            let Some((_, keyspace)) = self.0.tables.get(&table.id()) else {
                return Err(CommitFailed::UnknownTable(table.name()));
            };
            match value {
                Some(value) => batch.insert(keyspace, *key, *value),
                None => batch.remove(keyspace, *key),
            }
        }
        batch
            .commit()
            .map_err(|error| self.end(committer, &error))?;
        committer.head = next;
        Ok(())
    }

    fn end(&self, committer: &mut Committer, error: &fjall::Error) -> CommitFailed {
        let failed = self.classify(error);
        committer.ended = Some(CommitFailed::Ended(failed.to_string()));
        failed
    }

    fn classify(&self, error: &fjall::Error) -> CommitFailed {
        let text = describe(error);
        // The engine says only that an earlier step failed; the disk says why.
        let none_left = free_space(&self.0.home.dir).is_ok_and(|free| free < 1 << 20);
        let full = match error {
            fjall::Error::Io(error) => error.kind() == std::io::ErrorKind::StorageFull,
            fjall::Error::Poisoned => none_left,
            _ => false,
        };
        if full || none_left {
            CommitFailed::Full(text)
        } else {
            CommitFailed::Failed(text)
        }
    }

    /// Waits while the disk is behind. The engine would wait too, but for ever once its workers
    /// have failed; this wait ends with an error then.
    fn wait_for_disk(
        &self,
        committer: &mut Committer,
        writes: &Writes<'_>,
    ) -> Result<(), CommitFailed> {
        let mut last = None;
        for (table, _) in writes.keys() {
            if last == Some(table.id()) {
                continue;
            }
            last = Some(table.id());
            let Some((_, keyspace)) = self.0.tables.get(&table.id()) else {
                return Err(CommitFailed::UnknownTable(table.name()));
            };
            while keyspace.tree.sealed_memtable_count() >= WAITING_MEMTABLES
                || (self.0.room != Room::Rescue && keyspace.tree.l0_run_count() >= WAITING_FILES)
            {
                if self.0.room == Room::Rescue {
                    let failed = CommitFailed::Full("no room to empty memtables".to_owned());
                    committer.ended = Some(CommitFailed::Ended(failed.to_string()));
                    return Err(failed);
                }
                self.0
                    .db
                    .persist(PersistMode::Buffer)
                    .map_err(|e| self.end(committer, &e))?;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    /// Sends the fullest memtable to disk when all together exceed their budget.
    fn trim_memory(&self) -> fjall::Result<()> {
        if self.0.room == Room::Rescue || self.0.db.write_buffer_size() <= self.0.memtables {
            return Ok(());
        }
        let all = self.0.tables.values().map(|(_, keyspace)| keyspace);
        let sizes = all
            .chain([&self.0.commits])
            .map(|k| (k.tree.active_memtable().size(), k));
        let sizes: Vec<(u64, &Keyspace)> = sizes.collect();
        let active: u64 = sizes.iter().map(|(size, _)| size).sum();
        // What is sealed already is on its way.
        if active <= self.0.memtables {
            return Ok(());
        }
        match sizes.into_iter().max_by_key(|(size, _)| *size) {
            Some((_, fullest)) => fullest.rotate_memtable().map(drop),
            None => Ok(()),
        }
    }
}

enum Note<'a> {
    Gap(&'a Gap),
    Forget,
}

impl Base for FjallStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        let value = self
            .keyspace(table)?
            .get(key)
            .map_err(|error| read_failed(table, &error))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        table: Table,
        range: (&[u8], &[u8]),
        limit: usize,
        back: bool,
    ) -> Result<Vec<Row>, ReadFailed> {
        let keyspace = self.keyspace(table)?;
        if range.0 >= range.1 {
            return Ok(Vec::new());
        }
        let mut rows = self.0.db.snapshot().range(keyspace, range.0..range.1);
        let mut found = Vec::new();
        while found.len() < limit {
            let next = if back { rows.next_back() } else { rows.next() };
            let Some(row) = next else { break };
            let (key, value) = row
                .into_inner()
                .map_err(|error| read_failed(table, &error))?;
            found.push((key.to_vec(), value.to_vec()));
        }
        Ok(found)
    }
}

impl Store for FjallStore {
    fn commit(&self, batches: &[Arc<Batch>]) -> Result<Head, CommitFailed> {
        let writes = merge(batches);
        let mut committer = self.committer();
        if let Some(ended) = &committer.ended {
            return Err(ended.clone());
        }
        if writes.is_empty() {
            return Ok(committer.head);
        }
        self.wait_for_disk(&mut committer, &writes)?;
        let next = committer.head.after(&writes);
        self.write(&mut committer, next, &writes, None)?;
        // The commit stands whatever comes of this; the next one will say what is wrong.
        if let Err(error) = self.trim_memory() {
            self.end(&mut committer, &error);
        }
        Ok(next)
    }

    fn head(&self) -> Head {
        self.committer().head
    }

    fn hash_of(&self, number: u64) -> Result<Option<[u8; 32]>, ReadFailed> {
        let failed = |error: fjall::Error| ReadFailed {
            table: COMMITS,
            reason: describe(&error),
        };
        let row = self.0.commits.get(slot(number)).map_err(failed)?;
        let head = row.and_then(|row| parse_row(&self.0.home.id, &slot(number), &row));
        Ok(head
            .filter(|head| head.number == number)
            .map(|head| head.hash))
    }

    fn tables(&self) -> Vec<Table> {
        self.0.tables.values().map(|(table, _)| *table).collect()
    }

    fn space(&self) -> Space {
        // A disk that cannot be asked is taken for full: nothing is promised on it.
        let free = free_space(&self.0.home.dir).unwrap_or(0);
        let reserve = &self.0.reserve;
        if !reserve.held() && reserve.affordable(free) {
            // Failing is reported by `reserved`.
            let _ = reserve.make();
        }
        Space {
            free,
            used: occupied(&self.0.home.db()),
            room: reserve.judge(self.0.room, free),
            reserved: reserve.held(),
            reopen: self.0.room == Room::Rescue && reserve.affordable(free),
        }
    }

    fn close(&self) -> Result<Head, CommitFailed> {
        let mut committer = self.committer();
        if let Some(ended) = &committer.ended {
            return Err(ended.clone());
        }
        self.0
            .db
            .persist(PersistMode::SyncAll)
            .map_err(|error| self.end(&mut committer, &error))?;
        committer.ended = Some(CommitFailed::Closed);
        let noted = self.0.home.note_clean(&committer.head);
        noted.map_err(|error| CommitFailed::Failed(error.to_string()))?;
        Ok(committer.head)
    }
}

impl std::fmt::Debug for FjallStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallStore")
            .field("dir", &self.0.home.dir)
            .finish_non_exhaustive()
    }
}

fn check_tables(tables: &[Table]) -> Result<(), OpenFailed> {
    if tables.len() > MAX_TABLES {
        return Err(OpenFailed::Tables(format!("{} of them", tables.len())));
    }
    let mut seen = BTreeMap::new();
    for table in tables {
        if let Some(other) = seen.insert(table.id(), table.name()) {
            let text = format!("{other} and {} have number {}", table.name(), table.id());
            return Err(OpenFailed::Tables(text));
        }
    }
    Ok(())
}

fn read_failed(table: Table, error: &fjall::Error) -> ReadFailed {
    ReadFailed {
        table: table.name(),
        reason: describe(error),
    }
}
