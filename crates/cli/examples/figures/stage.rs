//! Real processes, each with a home of its own, and what the system says about them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use cli::client::Client;
use cli::home::{Environment, Home};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::Failed;

/// How often something that has no event to wait for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A folder for homes, which goes when the figure is done.
pub(crate) struct Stage {
    way: PathBuf,
    folder: tempfile::TempDir,
}

/// Somebody with a home.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) home: Home,
    pub(crate) state: PathBuf,
    way: PathBuf,
}

impl Stage {
    pub(crate) fn new(way: &Path) -> Result<Self, Failed> {
        let folder = match std::env::var_os("FIGURES_FOLDER") {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        Ok(Self {
            way: way.to_owned(),
            folder,
        })
    }

    /// For what lies beside the homes.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn person(&self, name: &str) -> Result<Person, Failed> {
        let folder = self.folder.path().join(name);
        Ok(Person {
            name: name.to_owned(),
            home: Home::resolve(Some(&folder), &Environment::default())?,
            state: self.folder.path().join("state"),
            way: self.way.clone(),
        })
    }

    /// Somebody whose node runs.
    pub(crate) fn up(&self, name: &str) -> Result<Person, Failed> {
        let person = self.person(name)?;
        person.way(&["up", "-d", "--name", name, "--listen", "127.0.0.1:0"])?;
        Ok(person)
    }

    /// A core node that runs.
    pub(crate) fn core(&self, name: &str) -> Result<Person, Failed> {
        let person = self.person(name)?;
        let words = [
            "up",
            "-d",
            "--core",
            "--name",
            name,
            "--listen",
            "127.0.0.1:0",
        ];
        person.way(&words)?;
        Ok(person)
    }
}

impl Person {
    fn run(&self, words: &[&str]) -> Result<Output, Failed> {
        let mut command = Command::new(&self.way);
        command.args(words).env_clear().env("PATH", "/usr/bin:/bin");
        command
            .env("WAY_HOME", self.home.folder())
            .env("XDG_STATE_HOME", &self.state);
        // Settings of the allocator and the like are part of what is tried out.
        for (key, value) in std::env::vars().filter(|(key, _)| key.starts_with("MALLOC_")) {
            command.env(key, value);
        }
        Ok(command.output()?)
    }

    /// Runs a command that must succeed; its objects.
    pub(crate) fn way(&self, words: &[&str]) -> Result<Vec<Value>, Failed> {
        let output = self.run(&[&["--json"], words].concat())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: way {}: {said}", self.name, words.join(" ")).into());
        }
        let lines = String::from_utf8(output.stdout)?;
        let values: Result<Vec<Value>, _> = lines.lines().map(serde_json::from_str).collect();
        Ok(values?)
    }

    /// A text of the one object of a command.
    pub(crate) fn text(&self, words: &[&str], field: &str) -> Result<String, Failed> {
        let value = self.way(words)?.pop().unwrap_or_default();
        let text = value.get(field).and_then(Value::as_str);
        Ok(text
            .ok_or_else(|| format!("way {}: no {field}", words.join(" ")))?
            .to_owned())
    }

    /// Starts the node again.
    pub(crate) fn up(&self) -> Result<(), Failed> {
        self.way(&["up", "-d"]).map(drop)
    }

    pub(crate) fn down(&self) -> Result<(), Failed> {
        self.way(&["down"]).map(drop)
    }

    /// Ends the node as a power failure would, and waits until it is gone.
    pub(crate) fn kill(&self) -> Result<(), Failed> {
        kill_process(self.pid()?, Signal::KILL)?;
        Ok(self.home.wait_for_lock()?)
    }

    /// Becomes a client of a core node.
    pub(crate) fn uses(&self, core: &Self, quota: &str) -> Result<(), Failed> {
        let link = core.text(&["core", "invite", "--quota", quota], "link")?;
        self.way(&["core", "use", &link]).map(drop)
    }

    pub(crate) fn client(&self) -> Result<Client, Failed> {
        Ok(Client::connect(&self.home)?)
    }

    fn pid(&self) -> Result<Pid, Failed> {
        let text = std::fs::read_to_string(self.home.folder().join("way.lock"))?;
        Ok(Pid::from_raw(text.trim().parse()?).ok_or("no process has number 0")?)
    }

    fn proc(&self, name: &str) -> Result<PathBuf, Failed> {
        let pid = self.pid()?.as_raw_nonzero();
        Ok(format!("/proc/{pid}/{name}").into())
    }

    /// A line of the kernel's status of the node, in KiB: `VmRSS`, `VmHWM`, `RssAnon`.
    pub(crate) fn kib(&self, what: &str) -> Result<u64, Failed> {
        let status = std::fs::read_to_string(self.proc("status")?)?;
        let line = status.lines().find_map(|line| line.strip_prefix(what));
        let kib = line.and_then(|line| line.trim_matches([':', '\t', ' ']).strip_suffix("kB"));
        Ok(kib.ok_or_else(|| format!("no {what}"))?.trim().parse()?)
    }

    /// Time on a processor that the node's threads have had.
    pub(crate) fn cpu(&self) -> Result<Duration, Failed> {
        let mut nanos = 0;
        for thread in std::fs::read_dir(self.proc("task")?)? {
            // A thread may have ended meanwhile.
            let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) else {
                continue;
            };
            let first = text.split(' ').next().unwrap_or_default();
            nanos += first.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // Only a process that holds the lock of this home is this person's node.
        if self.home.exists()
            && self.home.lock().is_err()
            && let Ok(pid) = self.pid()
        {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Looks until there is something to see.
pub(crate) fn until<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Result<Option<T>, Failed>,
) -> Result<T, Failed> {
    let began = Instant::now();
    loop {
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        if began.elapsed() > patience {
            return Err(format!("after {} s still waiting: {what}", patience.as_secs()).into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Mebibytes with one digit, of kibibytes.
pub(crate) fn mib(kib: u64) -> String {
    format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024)
}
