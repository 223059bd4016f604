//! Verifying a closed home.

use crate::content::Content;
use crate::engine::{Engine, describe, keyspace_name};
use crate::files::{self, Depth};
use crate::head::Chain;
use crate::home::Home;
use crate::journal::{Nobody, Scan, Watch};
use crate::{FORMAT, Head, HomeId, OpenFailed, Options, Room, free_space};
use fjall::Keyspace;
use machine::Table;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong with a home.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Commits that were durable are gone.
    Gap(crate::Gap),
    /// A commit does not match its hash.
    Commit {
        /// Its number.
        number: u64,
    },
    /// A file does not match its checksum or cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Rows of a table cannot be read.
    Table {
        /// The table.
        table: String,
        /// What the engine said.
        what: String,
    },
    /// The home could not be opened for checking.
    Closed {
        /// What the engine said.
        what: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap(gap) => gap.fmt(f),
            Self::Commit { number } => write!(f, "commit {number} does not match its hash"),
            Self::File { path, what } => write!(f, "{}: {what}", path.display()),
            Self::Table { table, what } => write!(f, "table {table} cannot be read: {what}"),
            Self::Closed { what } => write!(f, "the records cannot be opened: {what}"),
        }
    }
}

/// What was checked and found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The id of the home.
    pub home: HomeId,
    /// The format of the home.
    pub format: u32,
    /// The last commit.
    pub head: Head,
    /// Whether it was closed cleanly.
    pub clean: bool,
    /// Rows read, by table.
    pub rows: BTreeMap<String, u64>,
    /// Commits whose hash was computed anew from the journals.
    pub commits: u64,
    /// Files of the engine, without the journals, whose checksums were computed anew.
    pub files: u64,
    /// Contents. Which of their pieces are here, and are right, is for whoever uses them to say.
    pub content: u64,
    /// Bytes free on the disk.
    pub free: u64,
    /// What is wrong; nothing when it is sound.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn sound(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Verifies the closed home at `dir`: every file of records against its checksum, every row
/// readable, the hashes of the commits as far as the journals reach and their numbers as far as
/// they are kept. Contents are counted. It repairs nothing: where a file or a journal is damaged, rows
/// and hashes are not looked at.
///
/// # Errors
/// When there is no home, it is open elsewhere, or of a newer format.
pub fn check(dir: &Path, tables: &[Table]) -> Result<Report, OpenFailed> {
    let home = Home::existing(dir)?;
    let noted = home.clean();
    let scan = Scan::of(&home.db(), &home.id, &mut Nobody)?;
    let mut report = Report {
        home: home.id,
        format: FORMAT,
        head: scan.last.unwrap_or(Head::START),
        clean: noted.is_some(),
        rows: BTreeMap::new(),
        commits: 0,
        files: 0,
        content: 0,
        free: free_space(dir)?,
        findings: Vec::new(),
    };
    let findings = &mut report.findings;
    report.files = files::verify(&home.db(), Depth::Whole, &mut |path, what| {
        findings.push(Finding::File { path, what });
    })?;
    let unopenable = !report.findings.is_empty();
    report.content = count_contents(&Content::existing(dir))?;
    match scan.gap() {
        // Opening would cut the damaged journal off.
        Some(gap) => report.findings.push(Finding::Gap(gap)),
        // The engine trusts its files more than is good.
        None if unopenable => {}
        None => check_records(&home, tables, &scan, noted, &mut report)?,
    }
    Ok(report)
}

fn count_contents(content: &Content) -> Result<u64, OpenFailed> {
    let (mut count, mut after) = (0_u64, None);
    loop {
        let names = content.list(after, 1024)?;
        let Some(last) = names.last() else {
            return Ok(count);
        };
        after = Some(*last);
        count = count.saturating_add(names.len() as u64);
    }
}

fn check_records(
    home: &Home,
    tables: &[Table],
    scan: &Scan,
    noted: Option<Head>,
    report: &mut Report,
) -> Result<(), OpenFailed> {
    let options = Options {
        reserve: 0,
        ..Options::default()
    };
    // Without workers the engine writes nothing while it is looked at.
    let engine = match Engine::open(home, tables, &options, Room::Rescue) {
        Ok(engine) => engine,
        Err(error) => {
            report.findings.push(Finding::Closed {
                what: error.to_string(),
            });
            return Ok(());
        }
    };
    match engine.find_head(&home.id, scan, noted) {
        Ok((head, gap)) => {
            report.head = head;
            report.findings.extend(gap.map(Finding::Gap));
        }
        Err(error) => report.findings.push(Finding::Closed {
            what: error.to_string(),
        }),
    }
    let mut numbers = BTreeMap::new();
    for (table, keyspace) in engine.tables.values() {
        numbers.extend(keyspace_number(keyspace).map(|number| (number, table.id())));
        check_rows(&keyspace_name(*table), keyspace, report);
    }
    let mut chains = Chains {
        home: home.id,
        numbers,
        open: None,
        last: None,
        report,
    };
    Scan::of(&home.db(), &home.id, &mut chains)?;
    Ok(())
}

/// The engine names the folder of a keyspace by the number that its journals use.
fn keyspace_number(keyspace: &Keyspace) -> Option<u64> {
    keyspace.path().file_name()?.to_str()?.parse().ok()
}

fn check_rows(name: &str, keyspace: &Keyspace, report: &mut Report) {
    let mut rows = 0;
    // The engine asserts what it reads from disk.
    let read = std::panic::AssertUnwindSafe(|| -> Result<(), String> {
        for row in keyspace.iter() {
            row.into_inner().map_err(|error| describe(&error))?;
            rows += 1;
        }
        Ok(())
    });
    let read = std::panic::catch_unwind(read).unwrap_or_else(|_| Err("it gave up".to_owned()));
    if let Err(what) = read {
        report.findings.push(Finding::Table {
            table: name.to_owned(),
            what,
        });
    }
    report.rows.insert(name.to_owned(), rows);
}

/// Computes the hashes of commits anew from the batches in the journals.
struct Chains<'a> {
    home: HomeId,
    numbers: BTreeMap<u64, u8>,
    /// The commit whose writes are coming: what it says, and what it comes to; nothing to come to
    /// when the commit before it is not known.
    open: Option<(Head, Option<Chain>)>,
    last: Option<Head>,
    report: &'a mut Report,
}

impl Watch for Chains<'_> {
    fn item(&mut self, keyspace: u64, key: &[u8], value: Option<&[u8]>) {
        let row = value.and_then(|value| crate::journal::parse_row(&self.home, key, value));
        match (&mut self.open, self.numbers.get(&keyspace)) {
            (None, _) => {
                self.open = row.map(|head| {
                    let before = self.last.filter(|last| last.number + 1 == head.number);
                    (head, before.map(|before| Chain::new(&before)))
                });
            }
            (Some((_, Some(chain))), Some(table)) => chain.add(*table, key, value),
            (Some(_), _) => {}
        }
    }

    fn batch(&mut self, whole: bool, _: Option<Head>) {
        let open = self.open.take();
        if !whole {
            return;
        }
        let Some((said, chain)) = open else { return };
        self.last = Some(said);
        if let Some(chain) = chain {
            self.report.commits += 1;
            if chain.finish() != said {
                self.report.findings.push(Finding::Commit {
                    number: said.number,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_its_file() {
        let finding = Finding::File {
            path: "db/1".into(),
            what: "gone".to_owned(),
        };
        assert_eq!(finding.to_string(), "db/1: gone");
    }
}
