//! The homes of the demo, and the processes in them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;

use crate::client::object;
use crate::config::Over;
use crate::failure::{Code, Failure};
use crate::output::{Output, Stop, note};
use crate::plain;

/// Who takes part: the core nodes first.
pub(super) const CAST: [&str; 5] = ["core1", "core2", "alice", "bob", "carol"];
/// What one command may take. Guess: the slowest is the thousand messages on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// A line longer than that is shown with its middle left out.
const SHOWN: usize = 150;

/// The homes, and where the story is told.
pub(super) struct Stage<'o> {
    out: &'o mut Output,
    way: PathBuf,
    folder: Option<tempfile::TempDir>,
    began: Instant,
    /// Who has a node that runs.
    up: Vec<&'static str>,
    /// What the links run over.
    over: Over,
}

/// What a command printed.
pub(super) struct Ran {
    pub(super) out: String,
}

impl Ran {
    /// The object on its last line.
    pub(super) fn object<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        object(self.out.lines().last().unwrap_or(""))
    }

    /// The objects on its lines.
    pub(super) fn objects<T: DeserializeOwned>(&self) -> Result<Vec<T>, Failure> {
        self.out.lines().map(object).collect()
    }
}

/// What the demo says when something is not as it should be.
pub(super) fn wrong(what: impl Into<String>) -> Failure {
    Failure::new(
        Code::Demo,
        what,
        "the homes are left where they are; their logs are in way.log",
    )
}

impl<'o> Stage<'o> {
    pub(super) fn build(out: &'o mut Output, over: Over) -> Result<Self, Stop> {
        let way = std::env::current_exe()
            .map_err(|error| wrong(format!("cannot find the program itself: {error}")))?;
        let folder = tempfile::Builder::new()
            .prefix("waystation-demo-")
            .tempdir()
            .map_err(|error| wrong(format!("cannot make a folder for the homes: {error}")))?;
        let mut stage = Self {
            out,
            way,
            folder: Some(folder),
            began: Instant::now(),
            up: Vec::new(),
            over,
        };
        let place = stage.path().display().to_string();
        stage.say(&format!("The program   {}", stage.way.display()))?;
        stage.say(&format!("The homes     {place}/{{{}}}", CAST.join(",")))?;
        stage.say("`alice$ way …` stands for `WAY_HOME=…/alice way …`, and so for the others.")?;
        Ok(stage)
    }

    pub(super) fn path(&self) -> &Path {
        self.folder
            .as_ref()
            .map_or(Path::new("/"), tempfile::TempDir::path)
    }

    fn home(&self, who: &str) -> PathBuf {
        self.path().join(who)
    }

    /// Seconds since the curtain rose.
    pub(super) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// A line of the story.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Stop> {
        self.out.line(text)?;
        self.out.flush()
    }

    /// A heading of the story.
    pub(super) fn scene(&mut self, text: &str) -> Result<(), Stop> {
        let at = self.seconds();
        self.say(&format!("\n── {text} ({at:.1} s)"))
    }

    /// Starts somebody's node in the background.
    pub(super) fn up(&mut self, who: &'static str, words: &[&str]) -> Result<(), Stop> {
        let mut words: Vec<&str> = ["up", "-d"].iter().chain(words).copied().collect();
        if self.over != Over::Both {
            words.extend(["--transport", self.over.as_str()]);
        }
        self.way(who, &words, None)?;
        self.up.push(who);
        Ok(())
    }

    /// Stops somebody's node.
    pub(super) fn down(&mut self, who: &'static str) -> Result<(), Stop> {
        self.way(who, &["down"], None)?;
        self.up.retain(|other| *other != who);
        Ok(())
    }

    /// Kills somebody's node as a power failure would.
    pub(super) fn kill(&mut self, who: &'static str) -> Result<(), Stop> {
        let pid = self.pid(who)?;
        self.say(&format!("{who}$ kill -9 {}", pid.as_raw_nonzero()))?;
        kill_process(pid, Signal::KILL).map_err(|e| wrong(format!("kill -9 failed: {e}")))?;
        self.up.retain(|other| *other != who);
        Ok(())
    }

    fn pid(&self, who: &str) -> Result<Pid, Failure> {
        let lock = std::fs::read_to_string(self.home(who).join("way.lock")).unwrap_or_default();
        let pid = lock.trim().parse().ok().and_then(Pid::from_raw);
        pid.ok_or_else(|| wrong(format!("{who} has no process")))
    }

    /// Who has a node that runs.
    pub(super) fn online(&self) -> &[&'static str] {
        &self.up
    }

    /// Runs a command and shows what it prints.
    pub(super) fn way(
        &mut self,
        who: &str,
        words: &[&str],
        input: Option<&[u8]>,
    ) -> Result<Ran, Stop> {
        let ran = self.quietly(who, words, input)?;
        let lines: Vec<&str> = ran.out.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            if lines.len() > 6 && (2..lines.len() - 2).contains(&i) {
                if i == 2 {
                    self.out.line(&format!("    … {} lines", lines.len() - 4))?;
                }
                continue;
            }
            self.out
                .line(&format!("    {}", shortened(&plain::line(line))))?;
        }
        self.out.flush()?;
        Ok(ran)
    }

    /// Runs a command and shows only its line.
    pub(super) fn quietly(
        &mut self,
        who: &str,
        words: &[&str],
        input: Option<&[u8]>,
    ) -> Result<Ran, Stop> {
        let shown: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let from = if input.is_some() { " < messages" } else { "" };
        self.say(&format!("{who}$ way {}{from}", shown.join(" ")))?;
        Ok(self.silently(who, words, input)?)
    }

    /// Runs a command and shows nothing.
    pub(super) fn silently(
        &self,
        who: &str,
        words: &[&str],
        input: Option<&[u8]>,
    ) -> Result<Ran, Failure> {
        let stdin = if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        let mut child = Command::new(&self.way)
            .args(words)
            .env("WAY_HOME", self.home(who))
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env_remove("WAY_PASSPHRASE_FILE")
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| wrong(format!("cannot start way: {error}")))?;
        let pid = Pid::from_child(&child);
        if let (Some(bytes), Some(mut pipe)) = (input.map(<[u8]>::to_vec), child.stdin.take()) {
            // A command that stops reading says why itself.
            std::thread::spawn(move || pipe.write_all(&bytes));
        }
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        let what = format!("{who}: way {}", words.join(" "));
        let ended = receiver.recv_timeout(PATIENCE).map_err(|_| {
            // It is still running, so its number is still its own.
            let _ = kill_process(pid, Signal::KILL);
            wrong(format!("{what}: not done after {} s", PATIENCE.as_secs()))
        })?;
        let ended = ended.map_err(|error| wrong(format!("{what}: {error}")))?;
        let error = String::from_utf8_lossy(&ended.stderr);
        if !ended.status.success() {
            return Err(wrong(format!("{what}: {}: {}", ended.status, error.trim())));
        }
        let out = String::from_utf8(ended.stdout)
            .map_err(|_| wrong(format!("{what}: printed what is no text")))?;
        Ok(Ran { out })
    }

    /// Stops what runs and removes the homes.
    pub(super) fn clear(&mut self) -> Result<(), Stop> {
        for who in self.up.clone() {
            self.silently(who, &["down"], None)?;
            self.up.retain(|other| *other != who);
        }
        if let Some(folder) = self.folder.take() {
            folder
                .close()
                .map_err(|error| wrong(format!("cannot remove the homes: {error}")))?;
        }
        Ok(())
    }

    /// Starts whoever is down, leaves all of them running, and says how to play.
    pub(super) fn stay(&mut self) -> Result<(), Stop> {
        self.scene("They stay")?;
        for who in CAST {
            if !self.up.contains(&who) {
                self.up(who, &[])?;
            }
        }
        let Some(place) = self.folder.take().map(tempfile::TempDir::keep) else {
            return Ok(());
        };
        let (place, way) = (place.display(), self.way.display().to_string());
        self.say(&format!(
            "\nFive nodes are running. Paste this into a shell to play:\n\n\
             export XDG_STATE_HOME={place}/state\n\
             {functions}\n\
             alice send garden 'hello again' --wait delivered\n\
             bob read garden --follow\n\
             alice why\n\
             core1 core clients\n\n\
             and this to end it:\n\n\
             for who in {cast}; do WAY_HOME={place}/$who {way} down; done; rm -r {place}",
            functions = CAST
                .map(|who| format!("{who}() {{ WAY_HOME={place}/{who} {way} \"$@\"; }}"))
                .join("\n"),
            cast = CAST.join(" "),
        ))?;
        self.up.clear();
        Ok(())
    }

    /// After a failure: ends the processes, keeps the homes.
    pub(super) fn leave_traces(&mut self) {
        let _ = self.out.flush();
        for who in std::mem::take(&mut self.up) {
            if self.silently(who, &["down"], None).is_err()
                && let Ok(pid) = self.pid(who)
            {
                // It holds the lock of a home of this demo, so it is ours.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        if let Some(folder) = self.folder.take() {
            note(&format!(
                "the homes are left in {}",
                folder.keep().display()
            ));
        }
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if self.folder.is_some() {
            self.leave_traces();
        }
    }
}

fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:+@=,".contains(&b);
    let shown = if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    };
    shortened(&shown)
}

fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= SHOWN {
        return text.to_owned();
    }
    let head: String = text.chars().take(SHOWN / 2).collect();
    let tail: String = text.chars().skip(count - SHOWN / 3).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_shown_as_a_shell_takes_them() {
        assert_eq!(quoted("plain-word"), "plain-word");
        assert_eq!(quoted("two words"), "'two words'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn long_lines_lose_their_middle() {
        let long = "é".repeat(400);
        assert!(shortened(&long).chars().count() < SHOWN);
        assert_eq!(shortened("short"), "short");
    }
}
