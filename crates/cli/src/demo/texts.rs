//! Real texts: lines of files that happen to be on this machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where machines keep prose; the first that have enough are taken.
const PLACES: [&str; 8] = [
    "/usr/share/common-licenses",
    "/usr/share/dict",
    "/usr/share/doc",
    "/usr/share/licenses",
    "/usr/share/perl",
    "/usr/lib/python3",
    "/usr/share",
    "/etc",
];
/// A file longer than that is not read.
const MAX_FILE: u64 = 4 * 1024 * 1024;
/// A line longer than that is not taken, so that a thousand fit into a few batches.
const MAX_LINE: usize = 4 * 1024;
/// Files looked at in all.
const MAX_FILES: usize = 20_000;

/// Lines, and the files that they are from.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) lines: Vec<String>,
    pub(super) files: Vec<PathBuf>,
}

/// So many lines of text files; fewer if the machine has no more.
pub(super) fn find(count: usize) -> Texts {
    let mut texts = Texts {
        lines: Vec::new(),
        files: Vec::new(),
    };
    let mut looked = 0;
    for place in PLACES {
        walk(Path::new(place), count, &mut texts, &mut looked);
        if texts.lines.len() >= count {
            break;
        }
    }
    texts
}

fn walk(folder: &Path, count: usize, texts: &mut Texts, looked: &mut usize) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    // In order, so that two runs on one machine send the same.
    let entries: BTreeSet<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    for path in entries {
        if texts.lines.len() >= count || *looked >= MAX_FILES {
            return;
        }
        let Ok(meta) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        if meta.is_dir() {
            walk(&path, count, texts, looked);
        } else if meta.is_file() && meta.len() <= MAX_FILE {
            *looked += 1;
            take(&path, count, texts);
        }
    }
}

fn take(path: &Path, count: usize, texts: &mut Texts) {
    let Ok(text) = std::fs::read_to_string(path) else {
        return;
    };
    if text.contains('\0') {
        return;
    }
    let before = texts.lines.len();
    // As `way send --lines` takes them: what is between two line ends, empty ones left out.
    let lines = text
        .split('\n')
        .filter(|line| !line.is_empty() && line.len() <= MAX_LINE);
    texts
        .lines
        .extend(lines.take(count - before).map(str::to_owned));
    if texts.lines.len() > before {
        texts.files.push(path.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_as_they_stand_in_the_file() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("b"), "three\r\n\n four \nfive").unwrap();
        std::fs::write(temp.path().join("a"), "one\ntwo\n").unwrap();
        std::fs::write(temp.path().join("c"), b"\xff\xfe").unwrap();
        std::fs::write(temp.path().join("d"), "x\0y\n").unwrap();
        let (mut texts, mut looked) = (
            Texts {
                lines: vec![],
                files: vec![],
            },
            0,
        );
        walk(temp.path(), 4, &mut texts, &mut looked);
        assert_eq!(texts.lines, ["one", "two", "three\r", " four "]);
        assert_eq!(texts.files.len(), 2);
    }
}
