//! Which names may come from elsewhere and be written to a disk here.

use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;

use crate::limits::MAX_NAME;

/// What a name of a file or a folder breaks. The rules are those of all systems together: a folder
/// that is shared on one can be written on every other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NameRule {
    /// Nothing, or nothing that can be seen.
    #[error("a name must not be empty")]
    Empty,
    /// `.` or `..`, also with invisible characters between.
    #[error("a name must not be . or ..")]
    Dots,
    /// More than [`MAX_NAME`] bytes.
    #[error("a name has at most {MAX_NAME} bytes of UTF-8")]
    Long,
    /// A separator of paths, or `:`, which on Windows begins a drive or a stream.
    #[error("a name must not contain / \\ or :")]
    Separator,
    /// A control character, a line separator, or one that changes the direction of what stands around
    /// it: the name would not be shown as it is.
    #[error("a name must not contain control characters")]
    Control,
    /// A dot or a space at the end, which Windows leaves out.
    #[error("a name must not end in a dot or a space")]
    End,
    /// The name of a device on Windows, such as `CON` or `nul.txt`.
    #[error("the name is that of a device on Windows")]
    Device,
}

/// Names of devices on Windows; besides them COM and LPT with a digit.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// Whether a file or folder may have this name.
pub fn check_name(name: &str) -> Result<(), NameRule> {
    if name.len() > MAX_NAME {
        return Err(NameRule::Long);
    }
    if !wire::is_shown_text(name) {
        return Err(NameRule::Control);
    }
    // Some file systems leave out what is invisible when they compare names.
    let visible: String = name.chars().filter(|char| !is_ignorable(*char)).collect();
    if visible.is_empty() {
        return Err(NameRule::Empty);
    }
    if visible.contains(['/', '\\', ':']) {
        return Err(NameRule::Separator);
    }
    if visible == "." || visible == ".." {
        return Err(NameRule::Dots);
    }
    if visible.ends_with(['.', ' ']) {
        return Err(NameRule::End);
    }
    if is_device(&visible) {
        return Err(NameRule::Device);
    }
    Ok(())
}

/// What two names have in common that some file system takes for one: APFS and HFS+ whatever their
/// normal form and case, NTFS and exFAT whatever their case, ext4 (where it folds case) all that and
/// invisible characters.
///
/// It is the normal form D of the upper case of the lower case of the normal form D, all by Unicode's
/// full mappings, without invisible characters. That is equal for whatever full case folding makes
/// equal (`ß` and `SS`, `ς` and `Σ`), and for `ı` and `i`; it needs no table of foldings beside the
/// standard library's.
pub(super) fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_uppercase();
    }
    let visible = name.chars().filter(|char| !is_ignorable(*char));
    let decomposed: String = visible.nfd().collect();
    decomposed.to_lowercase().to_uppercase().nfd().collect()
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim_end_matches(' ').to_ascii_uppercase();
    let port = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"));
    let digit = |rest: &str| {
        let mut chars = rest.chars();
        let first = chars.next();
        first.is_some_and(|char| char.is_ascii_digit() || matches!(char, '¹' | '²' | '³'))
            && chars.next().is_none()
    };
    DEVICES.contains(&stem.as_str()) || port.is_some_and(digit)
}

/// Unicode's `Default_Ignorable_Code_Point`: nothing is shown for them.
fn is_ignorable(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
