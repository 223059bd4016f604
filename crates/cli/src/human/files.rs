//! Files in words.

use super::minutes;
use crate::plain::line;
use crate::schema::File;
use crate::size::Size;

/// `way files`.
#[must_use]
pub fn list(files: &[File]) -> String {
    if files.is_empty() {
        return "no files are shared".to_owned();
    }
    let lines: Vec<String> = files.iter().map(one).collect();
    lines.join("\n")
}

fn one(file: &File) -> String {
    let what = if file.folder {
        format!("/ ({} entries)", file.entries)
    } else {
        String::new()
    };
    format!(
        "{} {} {}: {}{what}, {}, {}",
        file.n,
        minutes(&file.at),
        line(&file.from),
        line(&file.name),
        Size(file.size),
        standing(file)
    )
}

/// How much of a file is here.
fn standing(file: &File) -> String {
    if file.have == file.parts {
        return "here".to_owned();
    }
    let part = format!("{} % here", percent(file));
    match (file.wanted, file.sources) {
        (false, _) if file.have == 0 => "not fetched".to_owned(),
        (false, _) => part,
        (true, 0) => format!("{part}, nobody who has it can be reached"),
        (true, sources) => format!("{part}, coming from {sources}"),
    }
}

/// Whole percent of the blocks that are here.
#[must_use]
pub fn percent(file: &File) -> u64 {
    u64::from(file.have) * 100 / u64::from(file.parts.max(1))
}

/// `way get`.
#[must_use]
pub fn got(file: &File) -> String {
    let to = file.to.as_deref().unwrap_or_default();
    format!("{}: {}", line(to), Size(file.size))
}
