//! Files that people name, read as far as they may be long.

use crate::scenario;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Bytes of a plan that was kept; a longer file is refused. A plan of many people for a day has some
/// hundred thousand.
pub(super) const MAX_PLAN: usize = 16 << 20;

/// How a record of a real node begins.
const RECORD: &[u8] = b"waystation record ";

/// What a file seems to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seems {
    /// A plan that was kept, as text.
    Plan(String),
    /// A scenario, as text.
    Scenario(String),
    /// A record that `way up --record` wrote, of any length.
    Record,
    /// Text of another kind.
    Text(String),
    /// No text.
    Bytes,
    /// Longer than anything that is read.
    Long,
}

/// Reads a file, at most so much of it.
///
/// # Errors
/// What the system says.
pub(super) fn read(file: &Path, most: usize) -> std::io::Result<Seems> {
    let mut bytes = Vec::new();
    let input = File::open(file)?;
    input.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(seems(bytes, most))
}

fn seems(bytes: Vec<u8>, most: usize) -> Seems {
    if bytes.starts_with(RECORD) {
        return Seems::Record;
    }
    if bytes.len() > most {
        return Seems::Long;
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Seems::Bytes;
    };
    let has = |heads: &[&str]| {
        let mut lines = text.lines().map(str::trim);
        lines.any(|line| heads.iter().any(|head| line.starts_with(head)))
    };
    if has(&["[plan]", "[[plan."]) {
        Seems::Plan(text)
    } else if has(&["[[people]]", "[[site]]", "[[topic]]"]) {
        Seems::Scenario(text)
    } else {
        Seems::Text(text)
    }
}

/// Whether this is the name of a ready-made scenario.
pub(super) fn is_ready(name: &str) -> bool {
    scenario::ready().iter().any(|(ready, ..)| *ready == name)
}

#[cfg(test)]
mod tests {
    use super::{Seems, seems};

    #[test]
    fn a_file_is_known_by_what_it_begins_with() {
        let of = |bytes: &[u8]| seems(bytes.to_vec(), 40);
        let text = str::to_owned;
        let plan = "story = \"x\"\n[plan]\n";
        assert_eq!(of(plan.as_bytes()), Seems::Plan(text(plan)));
        let scenario = "length = \"1h\"\n[[site]]\n";
        assert_eq!(of(scenario.as_bytes()), Seems::Scenario(text(scenario)));
        assert_eq!(of(b"waystation record 1\n\xff"), Seems::Record);
        let long = [b"waystation record 1\n".as_slice(), &[0; 99]].concat();
        assert_eq!(of(&long), Seems::Record, "however long");
        assert_eq!(of(&[b'x'; 41]), Seems::Long);
        assert_eq!(of(b"\xff\xfe"), Seems::Bytes);
        assert_eq!(of(b""), Seems::Text(String::new()));
    }
}
