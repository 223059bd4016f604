//! Rate rules: read again when the configuration file has changed, while the node runs.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use driver::Handle;
use node::Input;
use node::acl::Rules;

use crate::config::Config;

/// How often it is looked whether the file has changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What an input about rules counts for in the node's inbox.
const SMALL: usize = 64;

/// What the node was told last: each life of it is told that again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The rules in force.
    pub(super) rules: Rules,
    /// What is wrong with the file that is there now.
    pub(super) wrong: Option<String>,
}

impl Told {
    /// All of it, for a node that knows nothing.
    pub(super) fn input(&self) -> Input {
        Input::Rules {
            rules: Some(self.rules.clone()),
            wrong: self.wrong.clone(),
        }
    }
}

/// Shared by the node's thread, which begins lives, and the task that looks at the file.
pub(super) type Shared = Arc<Mutex<Told>>;

/// What the node is told now.
pub(super) fn now(shared: &Shared) -> Told {
    // Whole between statements, whoever panicked.
    shared
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// The file, as it was when it was last looked at.
pub(super) struct File {
    path: PathBuf,
    seen: Option<Seen>,
}

#[derive(PartialEq, Eq)]
struct Seen {
    modified: (i64, i64),
    length: u64,
    inode: u64,
}

impl Seen {
    fn of(about: &Metadata) -> Self {
        Self {
            modified: (about.mtime(), about.mtime_nsec()),
            length: about.len(),
            inode: about.ino(),
        }
    }
}

impl File {
    /// A file that has not been looked at.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    /// Looks at the file: what the node is to be told, if the file has changed and says otherwise
    /// than what the node was told before. A wrong file leaves the rules as they are.
    pub(super) fn look(&mut self, told: &Told) -> Option<Told> {
        // Taken before reading: a change in between is seen the next time. A file that is not there
        // is being replaced, or was moved away: the rules stay.
        let seen = Seen::of(&std::fs::metadata(&self.path).ok()?);
        if self.seen.as_ref() == Some(&seen) {
            return None;
        }
        self.seen = Some(seen);
        let now = match Config::read(&self.path) {
            Ok(config) => Told {
                rules: config.acl.0,
                wrong: None,
            },
            Err(failure) => Told {
                rules: told.rules.clone(),
                wrong: Some(failure.message),
            },
        };
        (now != *told).then_some(now)
    }
}

/// Tells the node when the rules in the file have changed, or the file has become wrong.
pub(super) async fn follow(path: PathBuf, shared: Shared, handle: Handle<Input>) {
    let mut file = Some(File::new(path));
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        every.tick().await;
        let (Some(mut looked), told) = (file.take(), now(&shared)) else {
            return;
        };
        // It reads from the disk, so not on a thread of the runtime's own.
        let look = move || {
            let changed = looked.look(&told);
            (looked, changed)
        };
        let Ok((looked, changed)) = tokio::task::spawn_blocking(look).await else {
            return;
        };
        file = Some(looked);
        let Some(changed) = changed else {
            continue;
        };
        match &changed.wrong {
            Some(wrong) => tracing::warn!("the rate rules stay as they are: {wrong}"),
            None => tracing::info!("the rate rules of the configuration file are in force"),
        }
        let input = changed.input();
        *shared.lock().unwrap_or_else(PoisonError::into_inner) = changed;
        if handle.send(input, SMALL).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[[acl]]\nway = \"in\"\nwho = \"all\"\nmessages = 5\n";

    #[test]
    fn a_change_is_told_once_and_a_wrong_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let mut file = File::new(path.clone());
        let mut told = Told::default();
        assert_eq!(file.look(&told), None, "there is no file");
        std::fs::write(&path, "log = \"info\"\n").unwrap();
        assert_eq!(file.look(&told), None, "it has no rules");
        std::fs::write(&path, ONE).unwrap();
        told = file.look(&told).expect("a rule");
        assert_eq!((told.rules.list().len(), &told.wrong), (1, &None));
        assert_eq!(file.look(&told), None, "nothing has changed");
        std::fs::write(&path, ONE.replace("all", "nobody")).unwrap();
        told = file.look(&told).expect("it is wrong");
        assert_eq!(told.rules.list().len(), 1, "the old rule stays in force");
        let wrong = told.wrong.clone().expect("says why");
        assert!(
            wrong.contains("line 3, key who") && wrong.contains("nobody"),
            "{wrong}"
        );
        assert_eq!(file.look(&told), None, "it is said once");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file.look(&told), None, "it is being replaced");
        std::fs::write(&path, "# none\n").unwrap();
        assert_eq!(file.look(&told), Some(Told::default()));
    }
}
