//! Code that documents show is the code that runs: regions between anchors, copied and compared.

use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- include ";
const END: &str = "<!-- end -->";

/// Holds every included region of these documents against its source. With `fix`, writes those
/// that differ instead of reporting them.
pub(crate) fn check(root: &Path, documents: &[PathBuf], fix: bool, found: &mut Vec<String>) {
    for document in documents {
        let shown = document.strip_prefix(root).unwrap_or(document).display();
        let Ok(text) = fs::read_to_string(document) else {
            found.push(format!("{shown} cannot be read"));
            continue;
        };
        let read = |path: &str| fs::read_to_string(root.join(path)).ok();
        match filled(&text, read) {
            Err(why) => found.push(format!("{shown}: {why}")),
            Ok(wanted) if wanted == text => {}
            Ok(wanted) if fix => {
                if let Err(error) = fs::write(document, wanted) {
                    found.push(format!("{shown} cannot be written: {error}"));
                }
            }
            Ok(_) => found.push(format!(
                "{shown} shows code that has changed: `cargo xtask tidy --fix` copies it again"
            )),
        }
    }
}

/// The document with every included region as it is in its source.
fn filled(text: &str, read: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(what) = line
            .strip_prefix(BEGIN)
            .and_then(|rest| rest.strip_suffix(" -->"))
        else {
            continue;
        };
        let (path, anchor) = what
            .split_once(':')
            .ok_or_else(|| format!("`{line}` names no anchor"))?;
        let source = read(path).ok_or_else(|| format!("{path} cannot be read"))?;
        let region = region(&source, anchor)
            .ok_or_else(|| format!("{path} has no region between anchors `{anchor}`"))?;
        out.push_str(&format!("```rust\n{region}```\n{END}\n"));
        if !lines.by_ref().any(|line| line == END) {
            return Err(format!("`{line}` has no end"));
        }
    }
    Ok(out)
}

/// The lines between `// ANCHOR: name` and `// ANCHOR_END: name`.
fn region(source: &str, name: &str) -> Option<String> {
    let begin = format!("// ANCHOR: {name}");
    let end = format!("// ANCHOR_END: {name}");
    let mut lines = source.lines().map(str::trim_end);
    lines.by_ref().find(|line| line.trim_start() == begin)?;
    let mut region = String::new();
    for line in lines {
        if line.trim_start() == end {
            return Some(region);
        }
        region.push_str(line);
        region.push('\n');
    }
    None
}

#[cfg(test)]
mod tests {
    use super::filled;

    const SOURCE: &str = "use a;\n// ANCHOR: it\nfn it() {\n}\n// ANCHOR_END: it\nrest\n";

    fn fill(text: &str) -> Result<String, String> {
        filled(text, |path| (path == "x.rs").then(|| SOURCE.to_owned()))
    }

    #[test]
    fn a_region_is_copied_once_and_for_all() {
        let text = "before\n<!-- include x.rs:it -->\nold\n<!-- end -->\nafter\n";
        let wanted =
            "before\n<!-- include x.rs:it -->\n```rust\nfn it() {\n}\n```\n<!-- end -->\nafter\n";
        assert_eq!(fill(text).as_deref(), Ok(wanted));
        assert_eq!(fill(wanted).as_deref(), Ok(wanted));
    }

    #[test]
    fn what_cannot_be_copied_is_named() {
        for text in [
            "<!-- include y.rs:it -->\n<!-- end -->\n",
            "<!-- include x.rs:other -->\n<!-- end -->\n",
            "<!-- include x.rs -->\n<!-- end -->\n",
            "<!-- include x.rs:it -->\nno end\n",
        ] {
            assert!(fill(text).is_err(), "{text}");
        }
    }
}
