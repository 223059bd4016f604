//! Files of pre-shared keys: 16 random bytes, written as 32 hexadecimal digits or 26 characters of
//! base32, and nothing else in the file but a line's end.
//!
//! The file belongs to whoever may become a client, so it is closed to others like a key file. A
//! password is no such key: it would have to be stretched, and whoever has seen its token could
//! still try all likely ones at home. What is plainly none of 16 random bytes is refused.

use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use data_encoding::{BASE32_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use rights::CoreInviteSeed;
use zeroize::Zeroizing;

use crate::failure::{Code, Failure};
use crate::home::write_private;

/// More than the longest key with a line's end. A longer file is another one.
const MAX_FILE: u64 = 64;
/// Different bytes in a key, at least. Of 16 random ones fewer than 9 differ once in some thousand
/// million keys; a repeated pattern has no more than 8.
const MIN_DISTINCT: usize = 9;
/// What to do about a file that holds no key.
const MAKE_ONE: &str = "`way core new-psk FILE` makes one, also `openssl rand -hex 16 >FILE; chmod 600 FILE`; \
     it is a key for programs, no password";

/// The key in a file.
///
/// # Errors
/// When it cannot be read, others may read it, or it holds no key.
pub fn from_file(path: &Path) -> Result<CoreInviteSeed, Failure> {
    let unread = |error: std::io::Error| Failure::io("read the key file", path, &error);
    let mut file = std::fs::File::open(path).map_err(unread)?;
    let about = file.metadata().map_err(unread)?;
    // What a pipe holds nobody else can read.
    if about.is_file() && about.mode() & 0o077 != 0 {
        return Err(Failure::new(
            Code::Refused,
            format!("others may read the key file {}", path.display()),
            format!(
                "if nobody has: `chmod 600 {}`; else make another key",
                path.display()
            ),
        ));
    }
    let mut text = Zeroizing::new(String::new());
    let read = Read::by_ref(&mut file)
        .take(MAX_FILE.saturating_add(1))
        .read_to_string(&mut text);
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err("it is no text".to_owned())
        }
        Err(error) => return Err(unread(error)),
        Ok(_) if text.len() as u64 > MAX_FILE => Err("it is too long".to_owned()),
        Ok(_) => parse(&text),
    }
    .map_err(|why| {
        let text = format!("{} holds no pre-shared key: {why}", path.display());
        Failure::new(Code::Usage, text, MAKE_ONE)
    })
}

/// The key that a text says.
///
/// # Errors
/// Why it says none. What the text is does not stand in it.
pub fn parse(text: &str) -> Result<CoreInviteSeed, String> {
    let text = text.trim_ascii_end();
    let bytes = match text.len() {
        32 => HEXLOWER_PERMISSIVE.decode(text.as_bytes()),
        26 => {
            let upper = Zeroizing::new(text.to_ascii_uppercase());
            BASE32_NOPAD.decode(upper.as_bytes())
        }
        other => {
            return Err(format!(
                "a key is 32 hexadecimal digits or 26 characters of base32, not {other} characters"
            ));
        }
    };
    let bytes = bytes.map(Zeroizing::new);
    let key: Option<[u8; 16]> = bytes
        .ok()
        .and_then(|bytes| bytes.as_slice().try_into().ok());
    let key = key.map(Zeroizing::new).ok_or_else(|| {
        "a key is 32 hexadecimal digits or 26 characters of base32, and this has others".to_owned()
    })?;
    if !is_random(&key) {
        return Err("these are no 16 random bytes".to_owned());
    }
    Ok(CoreInviteSeed::from_bytes(*key))
}

/// Whether these could be random bytes: neither a pattern nor letters that somebody typed.
fn is_random(key: &[u8; 16]) -> bool {
    let mut distinct = key.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let is = distinct.len() >= MIN_DISTINCT;
    zeroize::Zeroize::zeroize(&mut distinct);
    is && !key.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The text of a key.
#[must_use]
pub fn to_text(key: &CoreInviteSeed) -> Zeroizing<String> {
    Zeroizing::new(HEXLOWER.encode(key.as_bytes()))
}

/// Writes a new key to a file that is not there yet, closed to others.
///
/// # Errors
/// When the file is there or cannot be written, or the system gives no randomness.
pub fn new_file(path: &Path) -> Result<(), Failure> {
    let mut key = Zeroizing::new([0_u8; 16]);
    while !is_random(&key) {
        getrandom::fill(&mut *key).map_err(|error| {
            let text = format!("the system gave no randomness: {error}");
            Failure::new(Code::Failed, text, "")
        })?;
    }
    let text = to_text(&CoreInviteSeed::from_bytes(*key));
    let line = Zeroizing::new(format!("{}\n", text.as_str()));
    write_private(path, line.as_bytes(), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const HEX: &str = "00f1e2d3c4b5a69788796a5b4c3d2e1f";

    fn key() -> CoreInviteSeed {
        let bytes = HEXLOWER.decode(HEX.as_bytes()).unwrap();
        CoreInviteSeed::from_bytes(bytes.try_into().unwrap())
    }

    #[test]
    fn both_forms_say_the_same_key() {
        let base32 = BASE32_NOPAD.encode(key().as_bytes());
        assert_eq!(base32.len(), 26);
        for text in [HEX, &HEX.to_uppercase(), &base32, &base32.to_lowercase()] {
            assert_eq!(parse(text).as_ref(), Ok(&key()), "{text}");
            assert_eq!(parse(&format!("{text}\r\n")).as_ref(), Ok(&key()));
        }
        assert_eq!(to_text(&key()).as_str(), HEX);
    }

    /// What people write instead of a key: each is refused, and no refusal repeats it.
    #[test]
    fn passwords_and_pieces_are_no_keys() {
        let typed = HEXLOWER.encode(b"correct horse ba");
        for text in [
            "",
            "hunter2",
            "correct horse battery staple",
            &HEX[1..],
            &format!("{HEX}0"),
            &format!(" {HEX}"),
            &format!("{HEX}\n{HEX}"),
            &format!("0x{}", &HEX[2..]),
            &HEX.replace('f', "g"),
            // 26 characters whose last one has bits that no byte takes.
            "AAAAAAAAAAAAAAAAAAAAAAAAAB",
            "PASSWORDPASSWORDPASSWORDPA",
            &"0".repeat(32),
            "0123456789abcdef0123456789abcdef",
            &typed,
            &"é".repeat(16),
        ] {
            let why = parse(text).unwrap_err();
            assert!(text.is_empty() || !why.contains(text), "{why}");
        }
    }

    #[test]
    fn a_new_file_is_closed_to_others_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("psk");
        new_file(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let first = from_file(&path).unwrap();
        assert_eq!(new_file(&path).unwrap_err().code, Code::Io);
        assert_eq!(from_file(&path).unwrap(), first, "it is still there");
        let other = folder.path().join("other");
        new_file(&other).unwrap();
        assert_ne!(from_file(&other).unwrap(), first);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("psk");
        new_file(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            let open = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, open).unwrap();
            let refused = from_file(&path).unwrap_err();
            assert_eq!(refused.code, Code::Refused);
            assert!(refused.hint.contains("chmod 600"), "{refused:?}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        from_file(&path).unwrap();
    }

    #[test]
    fn other_files_are_refused_with_how_to_make_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("psk");
        for bytes in [
            &b"hunter2\n"[..],
            b"\xff\xfe\n",
            &[b'0'; 65],
            &vec![b'a'; 1 << 20],
        ] {
            write_private(&path, bytes, true).unwrap();
            let refused = from_file(&path).unwrap_err();
            assert_eq!(refused.code, Code::Usage);
            assert!(refused.hint.contains("new-psk"), "{refused:?}");
            assert!(!refused.message.contains("hunter2"), "{refused:?}");
        }
        assert_eq!(from_file(folder.path()).unwrap_err().code, Code::Io);
    }
}
