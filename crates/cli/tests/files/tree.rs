//! A folder as it stands on the disk: made, and compared.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use machine::Rng;

/// Makes a folder of so many files with so many bytes in all: most are small, the last has what is left.
pub(super) fn make(at: &Path, files: usize, bytes: usize, seed: u64) {
    let mut start = [0; 32];
    start[..8].copy_from_slice(&seed.to_be_bytes());
    let mut rng = Rng::from_seed(start);
    let mut left = bytes;
    for number in 1..=files {
        // As people have them: photographs beside notes, and some that are empty.
        let share = left / (files - number + 1) * 2;
        let length = match number {
            _ if number == files => left,
            _ if number % 50 == 0 => 0,
            _ => rng.below(share as u64) as usize,
        };
        left -= length;
        let folder = at.join(format!("part {}", number % 40));
        fs::create_dir_all(&folder).unwrap();
        let mut content = vec![0; length];
        rng.fill(&mut content);
        let file = folder.join(format!("{number} – größe.bin"));
        fs::write(&file, content).unwrap();
        if number % 7 == 0 {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

/// What is told of a file: its content by its hash, whether it can be executed, when it was changed (ms since
/// 1970, as exactly as is kept).
type Entry = (blake3::Hash, bool, u128);

/// All files of a folder, by path.
pub(super) fn entries(at: &Path) -> BTreeMap<String, Entry> {
    let mut all = BTreeMap::new();
    let mut folders = vec![at.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let told = fs::symlink_metadata(&path).unwrap();
            if told.is_dir() {
                folders.push(path);
                continue;
            }
            let hash = blake3::hash(&fs::read(&path).unwrap());
            let executable = told.permissions().mode() & 0o100 != 0;
            let name = path.strip_prefix(at).unwrap().to_str().unwrap();
            let changed = told.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
            let entry = (hash, executable, changed.as_millis());
            all.insert(name.to_owned(), entry);
        }
    }
    all
}
