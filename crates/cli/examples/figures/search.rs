//! Looks for texts and secrets in every file of a home, however they may be written.

use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

/// Something that must not be there.
#[derive(Clone)]
pub(crate) struct Needle {
    pub(crate) what: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Needle {
    /// At least eight bytes: shorter ones stand in any file by chance.
    pub(crate) fn new(what: &str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 8, "{what} is too short to be looked for");
        let mut forms = vec![("as it is", bytes.to_vec())];
        forms.push(("reversed", bytes.iter().rev().copied().collect()));
        forms.push(("in hex", HEXLOWER.encode(bytes).into_bytes()));
        forms.push(("in hex", HEXUPPER.encode(bytes).into_bytes()));
        for skip in 0..3 {
            // Whatever stands before it: one of three ways to cut it into groups of three bytes.
            let whole = bytes.get(skip..).unwrap_or_default();
            let whole = whole.get(..whole.len() / 3 * 3).unwrap_or_default();
            forms.push(("in base64", BASE64.encode(whole).into_bytes()));
            forms.push(("in base64", BASE64URL.encode(whole).into_bytes()));
        }
        Self {
            what: what.to_owned(),
            forms,
        }
    }
}

/// What was found, and how much was searched.
pub(crate) struct Searched {
    pub(crate) bytes: usize,
    pub(crate) files: usize,
    /// What, in which form, and where.
    pub(crate) found: Vec<String>,
}

/// Searches every file below a folder, byte by byte, and the names of the files.
pub(crate) fn search(folder: &Path, needles: &[Needle]) -> std::io::Result<Searched> {
    let mut searched = Searched {
        bytes: 0,
        files: 0,
        found: Vec::new(),
    };
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path: PathBuf = entry?.path();
            let name = path
                .file_name()
                .map(|name| name.as_encoded_bytes().to_vec());
            look(
                &name.unwrap_or_default(),
                needles,
                &path,
                &mut searched.found,
            );
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = std::fs::read(&path)?;
                searched.files += 1;
                searched.bytes += bytes.len();
                look(&bytes, needles, &path, &mut searched.found);
            }
        }
    }
    Ok(searched)
}

/// All needles at once: their forms by the first two bytes.
pub(crate) fn look(bytes: &[u8], needles: &[Needle], path: &Path, found: &mut Vec<String>) {
    if bytes.is_empty() {
        return;
    }
    let mut starts: Vec<Vec<(&str, &str, &[u8])>> = vec![Vec::new(); 1 << 16];
    for needle in needles {
        for (form, text) in &needle.forms {
            if let Some(place) = place(text).and_then(|place| starts.get_mut(place)) {
                place.push((&needle.what, form, text));
            }
        }
    }
    for at in 0..bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(maybe) = place(rest).and_then(|place| starts.get(place)) else {
            continue;
        };
        for (what, form, text) in maybe {
            if rest.starts_with(text) {
                found.push(format!("{what}, {form}, in {}", path.display()));
            }
        }
    }
}

fn place(bytes: &[u8]) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(*bytes.first_chunk()?)))
}

#[cfg(test)]
mod tests {
    use super::{Needle, search};
    use data_encoding::{BASE64, HEXLOWER};

    #[test]
    fn every_form_is_found_wherever_it_stands() {
        let secret = b"a secret of some length";
        let needle = [Needle::new("it", secret)];
        for before in 0..5 {
            let whole = [&vec![b'x'; before][..], secret, b"yz"].concat();
            let reversed: Vec<u8> = whole.iter().rev().copied().collect();
            let hex = HEXLOWER.encode(&whole).into_bytes();
            let base = BASE64.encode(&whole).into_bytes();
            for bytes in [&whole, &reversed, &hex, &base] {
                let folder = tempfile::tempdir().unwrap();
                std::fs::create_dir(folder.path().join("deeper")).unwrap();
                std::fs::write(folder.path().join("deeper/file"), bytes).unwrap();
                let searched = search(folder.path(), &needle).unwrap();
                assert!(!searched.found.is_empty(), "{before}: {bytes:?}");
                assert_eq!((searched.bytes, searched.files), (bytes.len(), 1));
            }
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), b"a secret of some lengt").unwrap();
        assert!(search(folder.path(), &needle).unwrap().found.is_empty());
        std::fs::write(folder.path().join("a secret of some length"), b"").unwrap();
        assert!(!search(folder.path(), &needle).unwrap().found.is_empty());
    }
}
