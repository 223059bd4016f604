//! `cargo xtask mutate`: takes single checks of rights and secrecy out of the code, one after
//! another, and sees that the tests notice each.
//!
//! It works on a copy of what git knows, below the target folder: the tree is never touched. That
//! every mutation of the lists still fits the code the ordinary tests see to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::tidy;

mod budgets;
mod chains;
mod epochs;
mod files;
mod guests;
mod law;
mod nodes;
mod proofs;
mod reach;
mod standing;

/// One check taken out.
struct Mutation {
    /// What no longer holds.
    what: &'static str,
    file: &'static str,
    /// Stands once in the file, whatever spaces and line ends are between its words.
    from: &'static str,
    to: &'static str,
    /// Arguments of `cargo test`, each for one target: at least one of these has to fail.
    tests: &'static [&'static str],
}

/// All of them.
const LISTS: [&[Mutation]; 10] = [
    chains::MUTATIONS,
    law::MUTATIONS,
    budgets::MUTATIONS,
    standing::MUTATIONS,
    epochs::MUTATIONS,
    guests::MUTATIONS,
    proofs::MUTATIONS,
    reach::MUTATIONS,
    nodes::MUTATIONS,
    files::MUTATIONS,
];

/// Whether a test fails once a check is gone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Noticed,
    Missed,
    DoesNotBuild,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Noticed => "noticed",
            Self::Missed => "NOT noticed",
            Self::DoesNotBuild => "DOES NOT BUILD",
        }
    }
}

/// Runs all mutations, or those whose description or file has this text.
pub(crate) fn run(only: &str) -> Result<(), String> {
    fits()?;
    let copy = copy()?;
    let all = LISTS.into_iter().flatten();
    let chosen = all.filter(|one| one.what.contains(only) || one.file.contains(only));
    let (mut noticed, mut missed) = (0_usize, Vec::new());
    let start = Instant::now();
    for one in chosen {
        let begun = Instant::now();
        let outcome = with(&copy, one)?;
        let (word, took) = (outcome.word(), begun.elapsed().as_secs());
        println!("{word:<15}{took:>4} s  {} ({})", one.what, one.file);
        match outcome {
            Outcome::Noticed => noticed += 1,
            Outcome::Missed | Outcome::DoesNotBuild => missed.push(one.what),
        }
    }
    let (took, not) = (start.elapsed().as_secs() / 60, missed.len());
    println!("{noticed} noticed, {not} not, in {took} min");
    match (noticed, missed.as_slice()) {
        (0, []) => Err(format!(
            "no mutation has {only:?} in its description or file"
        )),
        (_, []) => Ok(()),
        _ => Err(format!("no test notices: {}", missed.join("; "))),
    }
}

/// Whether every mutation fits the code: what it replaces stands there once, and something else
/// takes its place.
fn fits() -> Result<(), String> {
    for one in LISTS.into_iter().flatten() {
        let path = tidy::root().join(one.file);
        let text = std::fs::read_to_string(&path).map_err(|why| format!("{}: {why}", one.file))?;
        let times = places(&text, one.from).len();
        if times != 1 || one.from == one.to || one.tests.is_empty() {
            return Err(format!(
                "the mutation {:?} fits {times} places of {}; the lists in xtask/src/mutate are to \
                 follow the code",
                one.what, one.file
            ));
        }
    }
    Ok(())
}

/// Where some words stand in a text, with any spaces and line ends between them: from, and until.
fn places(text: &str, words: &str) -> Vec<(usize, usize)> {
    let Some(first) = words.split_whitespace().next() else {
        return Vec::new();
    };
    let starts = text.match_indices(first).map(|(start, _)| start);
    let found = starts.filter_map(|start| {
        let mut end = start;
        for (at, word) in words.split_whitespace().enumerate() {
            let rest = text.get(end..)?;
            let next = rest.trim_start();
            if at > 0 && next.len() == rest.len() {
                return None;
            }
            end = text.len() - next.strip_prefix(word)?.len();
        }
        Some((start, end))
    });
    found.collect()
}

/// What git knows of the tree, copied.
fn copy() -> Result<PathBuf, String> {
    let (root, copy) = (tidy::root(), tidy::root().join("target/mutate/tree"));
    let known = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .map_err(|why| format!("git: {why}"))?;
    for file in String::from_utf8_lossy(&known.stdout).lines() {
        put(&root.join(file), &copy.join(file))?;
    }
    Ok(copy)
}

/// Copies a file, unless it is the same: what has not changed is not built anew.
fn put(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |why: std::io::Error| format!("{}: {why}", to.display());
    // What git knows may have been removed.
    let Ok(bytes) = std::fs::read(from) else {
        return match std::fs::remove_file(to) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(failed(why)),
            _ => Ok(()),
        };
    };
    if std::fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(to, bytes).map_err(failed)
}

fn with(copy: &Path, one: &Mutation) -> Result<Outcome, String> {
    let file = copy.join(one.file);
    let failed = |why: std::io::Error| format!("{}: {why}", file.display());
    let sound = std::fs::read_to_string(&file).map_err(failed)?;
    let [(start, end)] = places(&sound, one.from)[..] else {
        return Err(format!(
            "{}: the copy is another one than the tree",
            one.file
        ));
    };
    let (before, after) = (&sound[..start], &sound[end..]);
    std::fs::write(&file, [before, one.to.trim(), after].concat()).map_err(failed)?;
    let outcome = judge(copy, one);
    std::fs::write(&file, sound).map_err(failed)?;
    outcome
}

/// The tests that the mutation names, in this order, up to the first that fails.
fn judge(copy: &Path, one: &Mutation) -> Result<Outcome, String> {
    for tests in one.tests {
        let which: Vec<&str> = tests.split_whitespace().collect();
        // What does not build fails, too, and says nothing.
        if !cargo(
            copy,
            &[&["test", "-q", "--locked", "--no-run"], &which[..]].concat(),
        )? {
            return Ok(Outcome::DoesNotBuild);
        }
        if !cargo(copy, &[&["test", "-q", "--locked"], &which[..]].concat())? {
            return Ok(Outcome::Noticed);
        }
    }
    Ok(Outcome::Missed)
}

fn cargo(copy: &Path, words: &[&str]) -> Result<bool, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let status = Command::new(cargo)
        .args(words)
        .env(
            "CARGO_TARGET_DIR",
            tidy::root().join("target/mutate/target"),
        )
        .current_dir(copy)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|why| format!("cargo: {why}"))?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::{LISTS, fits, places};
    use std::collections::BTreeSet;

    #[test]
    fn every_mutation_fits_the_code() {
        fits().unwrap();
    }

    #[test]
    fn no_two_mutations_have_one_name() {
        let all = LISTS.into_iter().flatten();
        let names: BTreeSet<&str> = all.clone().map(|one| one.what).collect();
        assert_eq!(names.len(), all.count());
    }

    #[test]
    fn words_are_found_whatever_is_between_them() {
        let text = "if a\n    && b {\nif a && bc {\nif  a&& b {";
        assert_eq!(places(text, "if a && b {"), [(0, 15)]);
        assert_eq!(places(text, "&& b"), [(9, 13), (21, 25), (34, 38)]);
        assert_eq!(places(text, "b { if"), [(12, 18)]);
        assert!(places(text, "").is_empty());
        assert!(places(text, "b { else").is_empty());
    }
}
