//! Where a passphrase comes from: a file that `WAY_PASSPHRASE_FILE` names, or a person at a
//! terminal. Never an argument and never an environment variable: other processes can read those.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::{Code, Failure};
use crate::keys::Passphrase;

/// The variable that names a file.
pub const VARIABLE: &str = "WAY_PASSPHRASE_FILE";
/// A longer passphrase is a mistaken file.
const MAX: u64 = 1024;

/// The file that is named, if one is.
#[must_use]
pub fn named_file() -> Option<PathBuf> {
    std::env::var_os(VARIABLE)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The passphrase in a file: its first line.
///
/// # Errors
/// When it cannot be read, is empty or too long.
pub fn from_file(path: &Path) -> Result<Passphrase, Failure> {
    let file = std::fs::File::open(path)
        .map_err(|error| Failure::io("read the passphrase file", path, &error))?;
    first_line(file).map_err(|why| {
        Failure::new(
            Code::Passphrase,
            format!("{VARIABLE}, {}: {why}", path.display()),
            "",
        )
    })
}

/// The passphrase that the process that started this one hands over.
///
/// # Errors
/// When there is none.
pub fn from_starter() -> Result<Passphrase, Failure> {
    first_line(std::io::stdin()).map_err(|_| needed())
}

/// Asks the person at the terminal.
///
/// # Errors
/// When there is no terminal.
pub fn ask(question: &str) -> Result<Passphrase, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(needed());
    }
    let silent = |error: rustix::io::Errno| {
        Failure::new(
            Code::Passphrase,
            format!("the terminal does not stop showing: {error}"),
            "",
        )
    };
    let shown = tcgetattr(&stdin).map_err(silent)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden.local_modes.insert(LocalModes::ECHONL);
    let mut error = std::io::stderr();
    // A question that cannot be shown is still answered or not.
    let _ = write!(error, "{question}").and_then(|()| error.flush());
    tcsetattr(&stdin, OptionalActions::Flush, &hidden).map_err(silent)?;
    let mut line = Zeroizing::new(String::new());
    let read = stdin.lock().take(MAX).read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Flush, &shown).map_err(silent)?;
    match read {
        Ok(n) if n > 0 => Ok(Passphrase(
            line.trim_end_matches(['\r', '\n']).as_bytes().to_vec(),
        )),
        _ => Err(needed()),
    }
}

/// What to say when a passphrase is needed and there is none.
#[must_use]
pub fn needed() -> Failure {
    Failure::new(
        Code::Passphrase,
        "the keys of this home are encrypted and no passphrase was given",
        format!("start `way up` on a terminal, or name a file with {VARIABLE}"),
    )
}

fn first_line(from: impl std::io::Read) -> Result<Passphrase, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX as usize + 2));
    from.take(MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or(&[]);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.len() as u64 {
        0 => Err("there is no passphrase in it".to_owned()),
        n if n > MAX => Err(format!("a passphrase may have at most {MAX} bytes")),
        _ => Ok(Passphrase(line.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_the_first_line() {
        let read = |text: &str| first_line(text.as_bytes()).map(|phrase| phrase.0.clone());
        assert_eq!(read("one\ntwo\n"), Ok(b"one".to_vec()));
        assert_eq!(read("one\r\n"), Ok(b"one".to_vec()));
        assert_eq!(read(" sp aced "), Ok(b" sp aced ".to_vec()));
        assert!(read("").is_err() && read("\n").is_err());
        assert!(read(&"x".repeat(1025)).is_err());
        assert!(from_file(Path::new("/nonexistent")).is_err());
    }
}
