//! The simulated disk of one node: compact, and cheaply cloned.
//!
//! Rows lie in small packed pages, in the order of table and key; a sorted list says at
//! which key each page begins. A write changes one page, in place. A clone shares the pages and
//! copies one when it is written to, so that a backup or a cloned machine costs next to nothing.
//! Long values are kept once for all disks of a world, in its [`Pool`]: in a topic of thirty
//! members every header and body lies on thirty disks.
//!
//! ```text
//!   list     edge ─ page     edge ─ page     edge ─ page          (≤ 2 KiB each)
//!                    └─ rows with short values        └─ long values ──► pool of the world
//! ```
//!
//! What it does not do: fail, fill up or lose anything. Faults are of the world that owns it.

mod edge;
#[cfg(test)]
mod laws;
mod page;
mod pool;

pub use pool::Pool;

use edge::Edge;
use machine::{Base, Batch, MemoryContents, ReadFailed, Row, Table};
use page::{HEAD, Page, Value};
use std::fmt;
use std::sync::Arc;

/// Bytes of packed rows from which on a page is split. Larger pages cost less memory and more time.
pub const LARGEST_PAGE: usize = 2_048;

/// A page with fewer bytes is joined to a neighbour that has room.
const SMALLEST_PAGE: usize = LARGEST_PAGE / 8;

/// A value of this length or longer lies in the pool, but for its first eight bytes.
pub const SHARED_FROM: usize = 96;

/// Bytes that the allocator takes beyond what a page asks for, with the counters before it. An
/// estimate.
const COST_OF_PAGE: usize = 48;

#[derive(Clone)]
struct Entry {
    /// No key in the pages before is as great; every key in this page is, but in the first page.
    edge: Edge,
    page: Arc<Page>,
}

/// The committed rows of one node, and its contents, in memory.
#[derive(Clone)]
pub struct Disk {
    pool: Arc<Pool>,
    /// Keys begin with the number of their table.
    pages: Vec<Entry>,
    commits: u64,
    live: u64,
    bytes: u64,
    contents: MemoryContents,
}

impl Disk {
    /// An empty one, whose long values lie in this pool.
    #[must_use]
    pub fn new(shared: &Arc<Pool>) -> Self {
        Self {
            pool: Arc::clone(shared),
            pages: Vec::new(),
            commits: 0,
            live: 0,
            bytes: 0,
            contents: MemoryContents::default(),
        }
    }

    /// Makes the writes of a batch.
    pub fn apply(&mut self, batch: &Batch) {
        let mut full = Vec::new();
        for (table, key, value) in &batch.writes {
            in_table(&mut full, *table, key);
            self.write(&full, value.as_deref());
        }
        self.commits += 1;
    }

    /// How many batches it has taken. A clone goes on counting from where it was made.
    #[must_use]
    pub const fn commits(&self) -> u64 {
        self.commits
    }

    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.live
    }

    /// Whether there are no rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The bytes of all keys and values.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes of all rows and contents.
    #[must_use]
    pub const fn used(&self) -> u64 {
        self.bytes + self.contents.bytes()
    }

    /// What is too large for rows.
    #[must_use]
    pub const fn contents(&self) -> &MemoryContents {
        &self.contents
    }

    /// The same, to be changed.
    pub const fn contents_mut(&mut self) -> &mut MemoryContents {
        &mut self.contents
    }

    /// Bytes of memory that it costs, about: pages that a clone shares are counted by both, the
    /// pool by neither. Walks over all pages.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let pages = self.pages.iter().map(|entry| {
            let page = entry.page.memory() + COST_OF_PAGE;
            (page + entry.edge.memory()) as u64
        });
        let list = self.pages.capacity() * size_of::<Entry>();
        (size_of::<Self>() + list) as u64 + pages.sum::<u64>()
    }

    /// All rows in the order of table and key: number of the table, key, value.
    pub fn rows(&self) -> impl Iterator<Item = (u8, Vec<u8>, Vec<u8>)> {
        self.pages.iter().flat_map(|entry| {
            let mut rows = entry.page.rows();
            std::iter::from_fn(move || {
                let value = rows.next()?.to_vec();
                let (table, key) = rows.key.split_first()?;
                Some((*table, key.to_vec(), value))
            })
        })
    }

    fn write(&mut self, full: &[u8], value: Option<&[u8]>) {
        let row = |value: usize| (full.len() - 1 + value) as u64;
        let before = match value {
            Some(value) => {
                self.live += 1;
                self.bytes += row(value.len());
                self.put(full, value)
            }
            None => self.remove(full),
        };
        if let Some(before) = before {
            self.live -= 1;
            self.bytes -= row(before);
        }
    }

    fn put(&mut self, full: &[u8], value: &[u8]) -> Option<usize> {
        if self.pages.is_empty() {
            let page = Arc::new(Page::default());
            let edge = Edge::new(&[]);
            self.pages.push(Entry { edge, page });
        }
        let at = self.page_of(full);
        let page = Arc::make_mut(&mut self.pages[at].page);
        let before = match value.split_first_chunk::<HEAD>() {
            Some((head, tail)) if value.len() >= SHARED_FROM => {
                page.put(full, Value::Pooled(head, &self.pool.share(tail)))
            }
            _ => page.put(full, Value::Plain(value)),
        };
        if page.len() > LARGEST_PAGE
            && let Some((edge, page)) = page.split()
        {
            let (edge, page) = (Edge::new(&edge), Arc::new(page));
            if self.pages.len() == self.pages.capacity() {
                self.pages.reserve_exact(self.pages.len() / 8 + 4);
            }
            self.pages.insert(at + 1, Entry { edge, page });
        }
        before
    }

    fn remove(&mut self, full: &[u8]) -> Option<usize> {
        let at = self.page_of(full);
        let shared = &mut self.pages.get_mut(at)?.page;
        // A page that a clone shares is not copied for nothing.
        shared.get(full)?;
        let page = Arc::make_mut(shared);
        let before = page.remove(full);
        if page.len() < SMALLEST_PAGE {
            self.tidy(at);
        }
        before
    }

    /// Does away with a page that has become small.
    fn tidy(&mut self, at: usize) {
        if self.pages[at].page.len() == 0 {
            self.pages.remove(at);
            return;
        }
        let first = at.saturating_sub(1);
        if let Some([left, right]) = self.pages.get_mut(first..first + 2)
            && left.page.len() + right.page.len() < LARGEST_PAGE * 3 / 4
        {
            Arc::make_mut(&mut left.page).join(&right.page);
            self.pages.remove(first + 1);
        }
    }

    /// The page that a key is in, or would be.
    fn page_of(&self, full: &[u8]) -> usize {
        self.pages
            .partition_point(|entry| entry.edge.bytes() <= full)
            .saturating_sub(1)
    }

    fn scan_up(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<Row> {
        let mut found = Vec::new();
        for entry in self.pages.iter().skip(self.page_of(from)) {
            let mut rows = entry.page.rows_from(from);
            while let Some(value) = rows.next() {
                if rows.key.as_slice() >= to {
                    return found;
                }
                found.push((rows.key[1..].to_vec(), value.to_vec()));
                if found.len() == limit {
                    return found;
                }
            }
        }
        found
    }

    fn scan_down(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<Row> {
        let mut found = Vec::new();
        let mut keys: Vec<u8> = Vec::new();
        let mut ends: Vec<(usize, Value<'_>)> = Vec::new();
        for entry in self.pages.iter().take(self.page_of(to) + 1).rev() {
            keys.clear();
            ends.clear();
            let mut rows = entry.page.rows_from(from);
            while let Some(value) = rows.next() {
                if rows.key.as_slice() >= to {
                    break;
                }
                keys.extend_from_slice(&rows.key[1..]);
                ends.push((keys.len(), value));
            }
            while let Some((end, value)) = ends.pop() {
                let begin = ends.last().map_or(0, |(end, _)| *end);
                found.push((keys[begin..end].to_vec(), value.to_vec()));
                if found.len() == limit {
                    return found;
                }
            }
            if entry.edge.bytes() <= from {
                break;
            }
        }
        found
    }
}

impl Base for Disk {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        let mut full = Vec::new();
        in_table(&mut full, table, key);
        let entry = self.pages.get(self.page_of(&full));
        let value = entry.and_then(|entry| entry.page.get(&full));
        Ok(value.map(Value::to_vec))
    }

    fn scan(
        &self,
        table: Table,
        range: (&[u8], &[u8]),
        limit: usize,
        back: bool,
    ) -> Result<Vec<Row>, ReadFailed> {
        if range.0 >= range.1 || limit == 0 {
            return Ok(Vec::new());
        }
        let (mut from, mut to) = (Vec::new(), Vec::new());
        in_table(&mut from, table, range.0);
        in_table(&mut to, table, range.1);
        Ok(if back {
            self.scan_down(&from, &to, limit)
        } else {
            self.scan_up(&from, &to, limit)
        })
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("rows", &self.live)
            .field("bytes", &self.bytes)
            .field("commits", &self.commits)
            .finish_non_exhaustive()
    }
}

/// A key as it lies in a page: the number of its table before it.
fn in_table(full: &mut Vec<u8>, table: Table, key: &[u8]) {
    full.clear();
    full.reserve(1 + key.len());
    full.push(table.id());
    full.extend_from_slice(key);
}
