//! What a program can check about the tree, so that nobody has to remember it.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::includes;

/// What each crate may depend on inside the workspace. Arrows point down only, and protocol crates
/// never meet except in `node`.
const LAYERS: &[(&str, &[&str])] = &[
    ("machine", &[]),
    ("identity", &["machine"]),
    ("wire", &["machine", "identity"]),
    ("lace", &["machine", "identity", "wire"]),
    ("rights", &["machine", "identity", "wire", "lace"]),
    ("router", &["machine", "identity", "wire", "lace"]),
    ("topic", &["machine", "identity", "wire", "lace"]),
    ("custody", &["machine", "identity", "wire", "lace"]),
    ("block", &["machine", "identity", "wire", "lace"]),
    (
        "node",
        &[
            "machine", "identity", "wire", "lace", "rights", "router", "topic", "custody", "block",
        ],
    ),
    ("store", &["machine"]),
    ("transport", &["machine", "identity", "wire"]),
    (
        "driver",
        &[
            "machine",
            "identity",
            "wire",
            "block",
            "store",
            "node",
            "transport",
        ],
    ),
    (
        "cli",
        &[
            "machine",
            "identity",
            "wire",
            "rights",
            "custody",
            "node",
            "store",
            "transport",
            "driver",
        ],
    ),
    // Beside the real world, not above it: of the driver it takes the reader of records, of the
    // transport its limits, of block contents in memory.
    (
        "sim",
        &[
            "machine",
            "identity",
            "wire",
            "lace",
            "rights",
            "router",
            "topic",
            "custody",
            "block",
            "node",
            "transport",
            "driver",
        ],
    ),
    ("xtask", &[]),
];

/// Crates without I/O: all below the worlds.
const PURE: &[&str] = &[
    "machine", "identity", "wire", "lace", "rights", "router", "topic", "custody", "block", "node",
];

/// What crates without I/O may use from outside, tests aside.
const PURE_MAY_USE: &[&str] = &[
    "bech32",
    "blake2b_simd",
    "blake3",
    "chacha20",
    "chacha20poly1305",
    "data-encoding",
    "ed25519-dalek",
    "hpke",
    "minicbor",
    "rand_chacha",
    "rand_core",
    "thiserror",
    "unicode-normalization",
    "zeroize",
];

/// Features that one crate alone may switch on: what they do has no place in a program that people
/// run. `remember` keeps signatures that were good (docs/decisions/0012-remembered-signatures.md).
const ONE_ALONE: &[(&str, &str, &str)] = &[("identity", "remember", "sim")];

/// Licences that may be linked. Nothing copyleft is among them, save weak file-level terms of data.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// A source file longer than this is more than a person holds in the head.
const MAX_SOURCE_LINES: usize = 900;

/// The top of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Whether what can be mended by a program is mended, or reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fix {
    Mend,
    Report,
}

impl Fix {
    /// What whoever started this program asked for.
    pub(crate) fn asked() -> Self {
        let option = std::env::args().skip(2).any(|argument| argument == "--fix");
        let variable = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
        if option || variable {
            Self::Mend
        } else {
            Self::Report
        }
    }
}

/// Runs every check; the error lists all that was found.
pub(crate) fn check(fix: Fix) -> Result<(), String> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .exec()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let mut found = Vec::new();
    layers(&metadata, &mut found);
    features(&metadata, &mut found);
    licences(&metadata, &mut found);
    bans(&mut found);
    sources(&mut found);
    documents(&metadata, fix, &mut found);
    if found.is_empty() {
        Ok(())
    } else {
        Err(format!("tidy:\n  {}", found.join("\n  ")))
    }
}

fn layers(metadata: &Metadata, found: &mut Vec<String>) {
    let table: BTreeMap<&str, BTreeSet<&str>> = LAYERS
        .iter()
        .map(|(name, below)| (*name, below.iter().copied().collect()))
        .collect();
    let members: BTreeSet<&str> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some(allowed) = table.get(name) else {
            found.push(format!("crate {name} has no row in the table of layers"));
            continue;
        };
        for dependency in &package.dependencies {
            if dependency.kind != DependencyKind::Normal {
                continue;
            }
            let used = dependency.name.as_str();
            if members.contains(used) && !allowed.contains(used) {
                found.push(format!(
                    "crate {name} must not depend on {used}: arrows point down"
                ));
            }
            let outside = !members.contains(used);
            if outside && PURE.contains(&name) && !PURE_MAY_USE.contains(&used) {
                found.push(format!("crate {name} has no I/O and must not use {used}"));
            }
        }
    }
}

/// No crate but the one that may switches on a feature of [`ONE_ALONE`], passes it on or has it on by
/// default.
fn features(metadata: &Metadata, found: &mut Vec<String>) {
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        for dependency in &package.dependencies {
            let asked = dependency.features.iter();
            found.extend(asked.filter_map(|one| switches_on(name, &dependency.name, one)));
        }
        for one in package.features.values().flatten() {
            let (used, one) = one.split_once('/').unwrap_or((name, one));
            found.extend(switches_on(name, used.trim_end_matches('?'), one));
        }
    }
}

/// What is wrong when this crate switches on that feature of a crate.
fn switches_on(name: &str, used: &str, feature: &str) -> Option<String> {
    let row = |row: &&(&str, &str, &str)| (row.0, row.1) == (used, feature);
    let (_, _, only) = ONE_ALONE.iter().find(row)?;
    (name != *only).then(|| {
        format!("crate {name} must not switch on {used}/{feature}, which {only} alone has")
    })
}

fn licences(metadata: &Metadata, found: &mut Vec<String>) {
    for package in &metadata.packages {
        let Some(expression) = &package.license else {
            found.push(format!(
                "{} {} names no licence",
                package.name, package.version
            ));
            continue;
        };
        if !permits(expression) {
            found.push(format!(
                "{} {}: licence {expression}",
                package.name, package.version
            ));
        }
    }
}

/// Whether an SPDX expression can be met with [`LICENCES`] alone. `OR` binds weaker than `AND`;
/// parentheses hold alternatives.
fn permits(expression: &str) -> bool {
    let flat = expression.replace('/', " OR ").replace(['(', ')'], " ");
    if expression.contains('(') && flat.contains(" AND ") {
        // `(A OR B) AND C`: every conjunct must be met.
        return expression
            .split(" AND ")
            .all(|part| permits(part.trim().trim_matches(['(', ')'])));
    }
    flat.split(" OR ").any(|choice| {
        choice
            .split(" AND ")
            .all(|one| LICENCES.contains(&one.trim()))
    })
}

fn bans(found: &mut Vec<String>) {
    let model = read(&root().join("crates/machine/clippy.toml"));
    for name in PURE {
        let folder = root().join("crates").join(name);
        if read(&folder.join("clippy.toml")) != model {
            found.push(format!(
                "crates/{name}/clippy.toml differs from that of machine"
            ));
        }
        if !read(&folder.join("src/lib.rs")).contains("deny(clippy::float_arithmetic)") {
            found.push(format!(
                "crates/{name}/src/lib.rs does not deny floating point"
            ));
        }
    }
}

fn sources(found: &mut Vec<String>) {
    let mut files = Vec::new();
    collect(&root().join("crates"), "rs", &mut files);
    collect(&root().join("xtask"), "rs", &mut files);
    for file in files {
        let text = read(&file);
        let shown = file
            .strip_prefix(root())
            .unwrap_or(&file)
            .display()
            .to_string();
        let lines = text.lines().count();
        if lines > MAX_SOURCE_LINES {
            found.push(format!(
                "{shown} has {lines} lines; at most {MAX_SOURCE_LINES}"
            ));
        }
        for word in ["todo!(", "unimplemented!(", "dbg!(", concat!("FIX", "ME")] {
            if !shown.starts_with("xtask") && text.contains(word) {
                found.push(format!("{shown} contains {word}"));
            }
        }
        let banned_stem = ["utils", "common", "helpers", "misc"];
        let stem = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        if banned_stem.contains(&stem) {
            found.push(format!("{shown}: a file is named after what it holds"));
        }
    }
}

/// Every crate is named in the README, every document in the list of its folder; every path that a
/// document names exists, and the code that it shows is the code that there is.
fn documents(metadata: &Metadata, fix: Fix, found: &mut Vec<String>) {
    let readme = read(&root().join("README.md"));
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        if name != "xtask" && !readme.contains(&format!("`{name}`")) {
            found.push(format!("README.md does not name the crate `{name}`"));
        }
    }
    let mut files = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    collect(&root().join("docs"), "md", &mut files);
    includes::check(&root(), &files, fix == Fix::Mend, found);
    for folder in ["docs", "docs/spec", "docs/decisions"] {
        listed(&root().join(folder), found);
    }
    stories(found);
    for file in files {
        let text = read(&file);
        let shown = file
            .strip_prefix(root())
            .unwrap_or(&file)
            .display()
            .to_string();
        for path in named_paths(&text) {
            if !root().join(&path).exists() {
                found.push(format!("{shown} names {path}, which is not there"));
            }
        }
    }
}

/// Every plan that was kept says what went wrong.
fn stories(found: &mut Vec<String>) {
    let mut plans = Vec::new();
    collect(&root().join("crates/sim/seeds"), "toml", &mut plans);
    for plan in plans {
        let has_story = read(&plan).lines().any(is_story);
        if !has_story {
            let shown = plan.strip_prefix(root()).unwrap_or(&plan).display();
            found.push(format!(
                "{shown} does not say what went wrong: story = \"...\""
            ));
        }
    }
}

fn is_story(line: &str) -> bool {
    line.strip_prefix("story = ")
        .is_some_and(|story| !["\"\"", "''"].contains(&story.trim()))
}

/// The page `README.md` of a folder names everything beside it.
fn listed(folder: &Path, found: &mut Vec<String>) {
    let list = read(&folder.join("README.md"));
    for path in entries(folder) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let target = if path.is_dir() {
            format!("({name}/README.md)")
        } else {
            format!("({name})")
        };
        if name != "README.md" && !list.contains(&target) {
            let shown = folder.strip_prefix(root()).unwrap_or(folder).display();
            found.push(format!("{shown}/README.md does not name {name}"));
        }
    }
}

/// What lies in a folder, in order.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Paths in back quotes or link targets that begin with a folder of this repository.
fn named_paths(text: &str) -> BTreeSet<String> {
    text.split(['`', '(', ')', ' ', '\n', '"', ',', ';'])
        .map(|word| {
            word.trim_end_matches(['.', ':'])
                .split(['#', ':'])
                .next()
                .unwrap_or_default()
        })
        .filter(|word| {
            ["crates/", "docs/", "xtask/", "vectors/"]
                .iter()
                .any(|p| word.starts_with(p))
        })
        .filter(|word| !word.contains(['*', '<', '…', '{']))
        .map(str::to_owned)
        .collect()
}

fn collect(folder: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    for path in entries(folder) {
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, extension, into);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            into.push(path);
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{is_story, named_paths, permits, switches_on};

    #[test]
    fn licence_expressions_are_understood() {
        for good in [
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
            "GPL-3.0-only OR MIT",
            "Apache-2.0 AND ISC",
        ] {
            assert!(permits(good), "{good}");
        }
        for bad in [
            "GPL-3.0-only",
            "AGPL-3.0",
            "MIT AND GPL-2.0",
            "(MIT OR ISC) AND MPL-2.0",
            "",
        ] {
            assert!(!permits(bad), "{bad}");
        }
    }

    #[test]
    fn what_the_simulator_alone_switches_on_is_switched_on_by_nobody_else() {
        assert_eq!(switches_on("sim", "identity", "remember"), None);
        assert_eq!(switches_on("wire", "identity", "planted"), None);
        for other in ["cli", "node", "identity"] {
            let wrong = switches_on(other, "identity", "remember").unwrap();
            assert!(wrong.contains(other) && wrong.contains("identity/remember"));
        }
    }

    #[test]
    fn paths_are_found_in_prose() {
        let text = "see `crates/machine/src/lib.rs` and [x](docs/glossary.md#cut), crates/*.";
        let found: Vec<String> = named_paths(text).into_iter().collect();
        assert_eq!(found, ["crates/machine/src/lib.rs", "docs/glossary.md"]);
    }

    #[test]
    fn a_story_is_more_than_quotes() {
        assert!(is_story("story = \"a receipt left before its commit\""));
        assert!(is_story("story = \"\"\""), "it goes on below");
        assert!(!is_story("story = \"\""));
        assert!(!is_story("promise = \"durability\""));
    }

    #[test]
    fn the_tree_is_tidy() {
        super::check(super::Fix::Report).unwrap();
    }
}
