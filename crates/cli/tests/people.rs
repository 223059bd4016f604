//! Real processes: each person has a home in a temporary folder, and the built `way`.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::docs;

/// What a command may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks until it is so; a process that never comes there fails the test.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A folder for homes, and for what must lie outside of them.
pub(crate) struct World {
    folder: tempfile::TempDir,
    /// What starts its people, as in [`Person::within`].
    within: Vec<String>,
}

/// Somebody with a home.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) home: PathBuf,
    pub(crate) state: PathBuf,
    passphrase: Option<PathBuf>,
    /// What its processes are started with beside the usual.
    pub(crate) environment: Vec<(String, String)>,
    /// What starts them, with its arguments; nothing: the test itself.
    pub(crate) within: Vec<String>,
}

/// A network of its own, in which there is nothing but loopback: what goes over it can be counted. It lasts
/// as long as the process that keeps it, and those within.
pub(crate) struct Apart {
    keeper: Child,
}

impl Apart {
    /// Nothing where the test may not make one: that takes root.
    pub(crate) fn new() -> Option<Self> {
        let words = ["--net", "sh", "-c"];
        let keep = "ip link set lo up && echo up && exec sleep infinity";
        let mut keeper = Command::new("unshare")
            .args(words)
            .arg(keep)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let out = keeper.stdout.take().map(BufReader::new);
        // Where it is refused there is no line.
        let _ = out?.read_line(&mut line);
        let apart = Self { keeper };
        (line.trim() == "up").then_some(apart)
    }

    /// Bytes that have gone over its loopback since it was made.
    pub(crate) fn moved(&self) -> u64 {
        let devices = format!("/proc/{}/net/dev", self.keeper.id());
        let devices = std::fs::read_to_string(devices).unwrap();
        let mut lines = devices.lines();
        let line = lines.find_map(|line| line.trim().strip_prefix("lo:"));
        let received = line.unwrap().split_whitespace().next().unwrap();
        received.parse().unwrap()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// What a process printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            within: Vec::new(),
        }
    }

    /// Whose people run in a network of their own.
    pub(crate) fn within(apart: &Apart) -> Self {
        let keeper = apart.keeper.id();
        Self {
            within: vec!["nsenter".to_owned(), format!("--net=/proc/{keeper}/ns/net")],
            ..Self::new()
        }
    }

    /// Variables for processes.
    pub(crate) fn variables(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        variables.iter().map(own).collect()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Somebody without a node yet.
    pub(crate) fn person(&self, name: &str) -> Person {
        Person {
            name: name.to_owned(),
            home: self.path().join(name),
            state: self.path().join("state"),
            passphrase: None,
            environment: Vec::new(),
            within: self.within.clone(),
        }
    }

    /// Somebody whose node runs.
    pub(crate) fn up(&self, name: &str) -> Person {
        let person = self.person(name);
        person.up(&["--name", name, "--listen", "127.0.0.1:0"]);
        person
    }

    /// A core node that runs.
    pub(crate) fn core(&self, name: &str) -> Person {
        let person = self.person(name);
        person.up(&["--core", "--name", name, "--listen", "127.0.0.1:0"]);
        person
    }
}

impl Ended {
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.out.lines().collect()
    }

    /// The id on the last line.
    pub(crate) fn id(&self) -> String {
        self.lines()
            .last()
            .map(|line| (*line).to_owned())
            .unwrap_or_default()
    }
}

impl Person {
    pub(crate) fn with_passphrase(mut self, file: &Path) -> Self {
        self.passphrase = Some(file.to_owned());
        self
    }

    pub(crate) fn without_passphrase(mut self) -> Self {
        self.passphrase = None;
        self
    }

    fn command(&self, words: &[&str]) -> Command {
        let way = env!("CARGO_BIN_EXE_way");
        let mut command = match self.within.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(way);
                command
            }
            None => Command::new(way),
        };
        command.args(words).env_clear().env("WAY_HOME", &self.home);
        command
            .env("XDG_STATE_HOME", &self.state)
            .env("PATH", "/usr/bin:/bin");
        if let Some(file) = &self.passphrase {
            command.env("WAY_PASSPHRASE_FILE", file);
        }
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Starts a command whose output is read while it runs.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        self.spawn(words, Stdio::inherit())
    }

    /// Starts the node as a child of the test; what it logs goes to the home's log file. Nothing
    /// is waited for.
    pub(crate) fn serve(&self, words: &[&str]) -> Running {
        std::fs::create_dir_all(&self.home).unwrap();
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.home.join("way.log"))
            .unwrap();
        self.spawn(&[&["--json", "up"], words].concat(), log.into())
    }

    fn spawn(&self, words: &[&str], errors: Stdio) -> Running {
        let mut child = self
            .command(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let out = child.stdout.take().map(BufReader::new);
        Running {
            child,
            out,
            what: format!("{}: way {}", self.name, words.join(" ")),
        }
    }

    /// Runs a command to its end, with this on its standard input.
    pub(crate) fn run(&self, words: &[&str], input: &[u8]) -> Ended {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&child);
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
        // Who does not want it closes it.
        std::thread::spawn(move || stdin.write_all(&input));
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(ended) = receiver.recv_timeout(PATIENCE) else {
            kill_process(pid, Signal::KILL).unwrap();
            panic!(
                "{}: way {}: not done in time\n{}",
                self.name,
                words.join(" "),
                self.log()
            );
        };
        let ended = ended.unwrap();
        Ended {
            code: ended.status.code().unwrap_or(-1),
            out: String::from_utf8(ended.stdout).unwrap(),
            err: String::from_utf8(ended.stderr).unwrap(),
        }
    }

    /// Runs a command whatever comes of it.
    pub(crate) fn tries(&self, words: &[&str]) -> Ended {
        self.run(words, b"")
    }

    /// Runs a command that must succeed.
    pub(crate) fn way(&self, words: &[&str]) -> Ended {
        let ended = self.tries(words);
        let what = words.join(" ");
        assert_eq!(
            ended.code,
            0,
            "{}: way {what}: {ended:#?}\n{}",
            self.name,
            self.log()
        );
        ended
    }

    /// Runs a command that must fail with this exit code, in both languages; its code and message.
    pub(crate) fn fails(&self, words: &[&str], code: i32) -> (String, String) {
        let human = self.tries(words);
        assert_eq!(
            human.code,
            code,
            "{}: way {}: {human:?}",
            self.name,
            words.join(" ")
        );
        assert!(human.err.starts_with("way: "), "{human:?}");
        let ended = self.tries(&[&["--json"], words].concat());
        assert_eq!(ended.code, code, "{ended:?}");
        let line = ended.err.lines().last().unwrap();
        let value: Value = serde_json::from_str(line).unwrap();
        let objects = docs::objects();
        docs::check(&objects, "Error", &value["error"], &mut BTreeSet::new());
        let text = |key: &str| value["error"][key].as_str().unwrap().to_owned();
        (
            text("code"),
            format!("{}\n{}", text("message"), text("hint")),
        )
    }

    /// Runs a command with `--json`; its objects, held against the specification.
    pub(crate) fn json(&self, name: &str, words: &[&str]) -> Vec<Value> {
        let ended = self.way(&[&["--json"], words].concat());
        let objects = docs::objects();
        let values = ended
            .out
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        values
            .inspect(|value| docs::check(&objects, name, value, &mut BTreeSet::new()))
            .collect()
    }

    /// The one object of a command.
    pub(crate) fn object(&self, name: &str, words: &[&str]) -> Value {
        let mut values = self.json(name, words);
        assert_eq!(values.len(), 1, "way {}", words.join(" "));
        values.remove(0)
    }

    pub(crate) fn up(&self, words: &[&str]) -> Value {
        self.object("Up", &[&["up", "-d"], words].concat())
    }

    pub(crate) fn down(&self) {
        self.object("Down", &["down"]);
    }

    /// Writes into the settings of a core node that is down who runs it.
    pub(crate) fn is_run_by(&self, operator: &str) {
        let file = self.home.join("config.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let line = "operator = \"\"";
        assert!(text.contains(line), "{text}");
        std::fs::write(
            &file,
            text.replace(line, &format!("operator = {operator:?}")),
        )
        .unwrap();
    }

    /// Becomes a client of a core node.
    pub(crate) fn uses(&self, core: &Self) {
        self.uses_up_to(core, "64MiB");
    }

    /// Becomes a client of a core node that grants this quota.
    pub(crate) fn uses_up_to(&self, core: &Self, quota: &str) {
        let invite = core.object("CoreInvite", &["core", "invite", "--quota", quota]);
        self.object(
            "CoreUsed",
            &["core", "use", invite["link"].as_str().unwrap()],
        );
    }

    /// Both keep a link to each other; returns when each has heard of the other.
    pub(crate) fn befriends(&self, other: &Self) {
        for (one, two) in [(self, other), (other, self)] {
            let identity = two.object("Identity", &["id"]);
            let added = one.object(
                "PeerAdded",
                &["peer", "add", identity["addresses"][0].as_str().unwrap()],
            );
            assert_eq!(added["id"], identity["id"]);
        }
        // What is sealed to somebody needs their advert, so that is here now.
        for (one, two) in [(self, other), (other, self)] {
            let id = two.object("Identity", &["id"])["id"]
                .as_str()
                .unwrap()
                .to_owned();
            one.object("Sent", &["send", &id, "hello", "--wait", "delivered"]);
        }
    }

    /// Makes a topic.
    pub(crate) fn creates(&self, topic: &str) -> Value {
        self.object("TopicId", &["topic", "create", topic])
    }

    /// A link to a topic.
    pub(crate) fn invites(&self, topic: &str, uses: &str) -> String {
        let invite = self.object("Invite", &["invite", topic, "--uses", uses, "--while-away"]);
        invite["link"].as_str().unwrap().to_owned()
    }

    pub(crate) fn joins(&self, link: &str) -> Value {
        self.object("TopicId", &["join", link, "--yes"])
    }

    /// The next texts that `read --new` shows, as they come.
    pub(crate) fn next(&self, topic: &str, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            let limit = (count - texts.len()).to_string();
            let words = ["read", topic, "--new", "--follow", "--limit", &limit];
            texts.extend(texts_of(&self.json("Line", &words)));
        }
        texts
    }

    /// All texts of a topic.
    pub(crate) fn texts(&self, topic: &str) -> Vec<String> {
        texts_of(&self.json("Line", &["read", topic]))
    }

    pub(crate) fn pid(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.home.join("way.lock")).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }

    /// Ends the node as a power failure would, and waits until it is gone.
    pub(crate) fn killed(&self) {
        kill_process(self.pid().unwrap(), Signal::KILL).unwrap();
        crate::fake::home(&self.home).wait_for_lock().unwrap();
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.join("way.log")).unwrap_or_default()
    }
}

fn texts_of(lines: &[Value]) -> Vec<String> {
    lines
        .iter()
        .filter(|line| line["kind"] == "text")
        .map(|line| line["text"].as_str().unwrap().to_owned())
        .collect()
}

impl Drop for Person {
    fn drop(&mut self) {
        // Only a process that holds the lock of this home is this person's node.
        if self.home.exists()
            && crate::fake::home(&self.home).lock().is_err()
            && let Some(pid) = self.pid()
        {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// A command that runs.
pub(crate) struct Running {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    what: String,
}

impl Running {
    /// Its next line of output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let mut out = self.out.take().unwrap();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let read = out.read_line(&mut line);
            sender.send((out, line, read.is_ok()))
        });
        let Ok((out, line, true)) = receiver.recv_timeout(PATIENCE) else {
            panic!("{}: no further line in time", self.what)
        };
        self.out = Some(out);
        line.trim_end().to_owned()
    }

    /// The process, for who looks at it from outside.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it as a power failure would, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn code(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
