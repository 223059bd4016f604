//! The home of a node: which folder it is, who may look into it, what lies where.
//!
//! ```text
//! config.toml  settings, written with comments at creation
//! keys.toml    node key and device secret, mode 0600, perhaps encrypted
//! store/       everything else
//! way.sock     the running node's socket, mode 0600
//! way.lock     held by the running node
//! way.log      log of a node in the background
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::failure::{Code, Failure};

/// A home that may or may not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    folder: PathBuf,
}

/// The environment that decides which home is meant.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `WAY_HOME`
    pub way_home: Option<PathBuf>,
    /// `XDG_DATA_HOME`
    pub xdg_data: Option<PathBuf>,
    /// `XDG_STATE_HOME`
    pub xdg_state: Option<PathBuf>,
    /// `HOME`
    pub user: Option<PathBuf>,
}

impl Environment {
    /// As this process sees it. Empty variables count as unset.
    #[must_use]
    pub fn of_process() -> Self {
        let path = |name| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        Self {
            way_home: path("WAY_HOME"),
            xdg_data: path("XDG_DATA_HOME"),
            xdg_state: path("XDG_STATE_HOME"),
            user: path("HOME"),
        }
    }

    /// The folder for what must not be inside a home: the marker by which a home that was set
    /// back is noticed.
    #[must_use]
    pub fn state_folder(&self) -> Option<PathBuf> {
        xdg(
            self.xdg_state.as_deref(),
            self.user.as_deref(),
            ".local/state",
        )
    }
}

/// The XDG Base Directory Specification: relative paths are to be ignored.
fn xdg(set: Option<&Path>, user: Option<&Path>, below: &str) -> Option<PathBuf> {
    set.filter(|path| path.is_absolute())
        .map(Path::to_owned)
        .or_else(|| user.map(|user| user.join(below)))
        .map(|base| base.join("waystation"))
}

impl Home {
    /// The home that is meant: `--home`, then `WAY_HOME`, then the XDG data folder.
    ///
    /// # Errors
    /// When nothing names one.
    pub fn resolve(option: Option<&Path>, environment: &Environment) -> Result<Self, Failure> {
        let folder = option
            .map(Path::to_owned)
            .or_else(|| environment.way_home.clone())
            .or_else(|| {
                xdg(
                    environment.xdg_data.as_deref(),
                    environment.user.as_deref(),
                    ".local/share",
                )
            })
            .ok_or_else(|| {
                Failure::new(
                    Code::Home,
                    "no home: neither --home nor WAY_HOME, XDG_DATA_HOME or HOME is set",
                    "give --home FOLDER",
                )
            })?;
        let folder = std::path::absolute(&folder)
            .map_err(|error| Failure::io("use the home", &folder, &error))?;
        Ok(Self { folder })
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// The key file.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.folder.join("keys.toml")
    }

    /// The folder of the store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// The log of a node in the background.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("way.log")
    }

    /// Whether a node has been created here.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.keys().exists()
    }

    /// Makes the folder, with mode 0700, or checks the one that is there: ours, and closed to
    /// others (group and other bits are taken away).
    ///
    /// # Errors
    /// When it cannot be made or belongs to somebody else.
    pub fn create_folder(&self) -> Result<(), Failure> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder);
        made.map_err(|error| Failure::io("create the home", &self.folder, &error))?;
        let meta = std::fs::metadata(&self.folder)
            .map_err(|error| Failure::io("look at the home", &self.folder, &error))?;
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(Failure::new(
                Code::Home,
                format!("the home {} belongs to another user", self.folder.display()),
                "choose another --home",
            ));
        }
        if meta.mode() & 0o077 != 0 {
            use std::os::unix::fs::PermissionsExt as _;
            let closed = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(&self.folder, closed)
                .map_err(|error| Failure::io("close to others the home", &self.folder, &error))?;
        }
        Ok(())
    }

    /// Returns when no node runs here. Takes the lock for a moment.
    ///
    /// # Errors
    /// When the lock cannot be read.
    pub fn wait_for_lock(&self) -> Result<(), Failure> {
        let path = self.folder.join("way.lock");
        let wait = || {
            let file = File::open(&path)?;
            rustix::fs::flock(&file, rustix::fs::FlockOperation::LockShared)?;
            Ok(())
        };
        wait().map_err(|error: std::io::Error| Failure::io("read", &path, &error))
    }

    /// Takes the lock that says "this node runs", or explains who has it.
    ///
    /// The kernel lets go of it when the process ends, however it ends.
    ///
    /// # Errors
    /// `home-in-use` when another process has it.
    pub fn lock(&self) -> Result<Lock, Failure> {
        let path = self.folder.join("way.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| Failure::io("write", &path, &error))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let pid = std::fs::read_to_string(&path).unwrap_or_default();
                let who = match pid.trim().parse::<u32>() {
                    Ok(pid) => format!(" (process {pid})"),
                    Err(_) => String::new(),
                };
                return Err(Failure::new(
                    Code::HomeInUse,
                    format!(
                        "a node is already running in {}{who}",
                        self.folder.display()
                    ),
                    "use it as it is, stop it with `way down`, or choose another --home",
                ));
            }
            Err(error) => return Err(Failure::io("lock", &path, &error.into())),
        }
        let written = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(|error| Failure::io("write", &path, &error))?;
        Ok(Lock(file))
    }
}

/// The lock of a home; dropping it lets go.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    /// Closing the file would not do: a process that another thread is starting has a copy of the
    /// handle until it becomes its own program, and the lock is held for as long.
    fn drop(&mut self) {
        // Where this fails, the lock ends with the last copy of the handle.
        let _ = self.0.unlock();
    }
}

/// Writes a file that others cannot read, whole or not at all: a temporary file in the same folder,
/// mode 0600, synced, then renamed, then the folder synced.
///
/// # Errors
/// When it cannot be written, or exists and `replace` is false.
pub fn write_private(path: &Path, bytes: &[u8], replace: bool) -> Result<(), Failure> {
    write_whole(path, bytes, replace).map_err(|error| Failure::io("write", path, &error))
}

fn write_whole(path: &Path, bytes: &[u8], replace: bool) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // `tempfile` creates with O_EXCL and mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    if replace {
        file.persist(path).map_err(|error| error.error)?;
    } else {
        file.persist_noclobber(path).map_err(|error| error.error)?;
    }
    match File::open(folder)?.sync_all() {
        // Some file systems cannot sync a folder, and say so.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn environment() -> Environment {
        Environment {
            way_home: Some("/way".into()),
            xdg_data: Some("/data".into()),
            xdg_state: Some("/state".into()),
            user: Some("/home/u".into()),
        }
    }

    #[test]
    fn the_option_wins_then_the_variable_then_xdg() {
        let folder = |option: Option<&str>, env: &Environment| {
            Home::resolve(option.map(Path::new), env).map(|home| home.folder)
        };
        let mut env = environment();
        assert_eq!(folder(Some("/x"), &env).unwrap(), Path::new("/x"));
        assert_eq!(folder(None, &env).unwrap(), Path::new("/way"));
        env.way_home = None;
        assert_eq!(folder(None, &env).unwrap(), Path::new("/data/waystation"));
        env.xdg_data = Some("relative".into());
        assert_eq!(
            folder(None, &env).unwrap(),
            Path::new("/home/u/.local/share/waystation")
        );
        env.user = None;
        assert_eq!(folder(None, &env).unwrap_err().code, Code::Home);
        assert_eq!(env.state_folder().unwrap(), Path::new("/state/waystation"));
    }

    #[test]
    fn a_home_is_closed_to_others_even_if_it_was_open() {
        let temp = tempfile::tempdir().unwrap();
        let home = Home {
            folder: temp.path().join("a/b"),
        };
        home.create_folder().unwrap();
        let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(home.folder()), 0o700);
        std::fs::set_permissions(home.folder(), std::fs::Permissions::from_mode(0o755)).unwrap();
        home.create_folder().unwrap();
        assert_eq!(mode(home.folder()), 0o700);
    }

    #[test]
    fn private_files_are_0600_and_not_overwritten_unasked() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("secret");
        write_private(&path, b"one", false).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert!(write_private(&path, b"two", false).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write_private(&path, b"three", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(
            std::fs::read_dir(temp.path()).unwrap().count(),
            1,
            "nothing is left behind"
        );
    }

    #[test]
    fn the_second_lock_is_refused_by_name() {
        let temp = tempfile::tempdir().unwrap();
        let home = Home {
            folder: temp.path().to_owned(),
        };
        let first = home.lock().unwrap();
        let refused = home.lock().unwrap_err();
        assert_eq!(refused.code, Code::HomeInUse);
        assert!(
            refused.message.contains(&std::process::id().to_string()),
            "{refused}"
        );
        let copy = first.0.try_clone().unwrap();
        drop(first);
        home.lock()
            .expect("though a process that is starting holds a copy");
        drop(copy);
    }
}
