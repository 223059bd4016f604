//! Bad input and bad circumstances, with real processes: each has a clear message and the right
//! exit code, and nothing is lost.

mod disk;
mod restored;
mod stranger;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use machine::Rng;
use rustix::process::Signal;
use serde_json::Value;

use crate::people::{Person, World};

fn dial(person: &Person) -> UnixStream {
    let stream = UnixStream::connect(person.home.join("way.sock")).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

/// Sends these bytes on the socket and gives the first so many lines that come back.
fn says(person: &Person, bytes: &[u8], count: usize) -> Vec<Value> {
    let stream = dial(person);
    let mut writer = stream.try_clone().unwrap();
    let sent = bytes.to_vec();
    // A node that has heard enough closes before all is written.
    let writing = std::thread::spawn(move || {
        let _ = writer.write_all(&sent);
        writer
    });
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let values = lines
        .take(count)
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect();
    writing.join().unwrap();
    values
}

#[test]
fn garbage_on_the_socket_is_answered_in_words_and_harms_nobody() {
    let world = World::new();
    let alice = world.up("alice");
    alice.creates("garden");
    alice.way(&["send", "garden", "one"]);
    let mut rng = Rng::from_seed([7; 32]);
    let mut noise = vec![0; 100_000];
    rng.fill(&mut noise);
    let noise: Vec<u8> = noise
        .into_iter()
        .map(|b| if b == b'\n' { 0 } else { b })
        .collect();
    let nested = "[".repeat(1_000_000);
    let long_topic = format!(
        r#"{{"v":1,"do":"read","topic":"{}","from":"last","limit":1}}"#,
        "t".repeat(1_000_000)
    );
    for (what, line) in [
        ("nothing", &b""[..]),
        ("noise", &noise),
        ("no JSON", b"hello"),
        ("half an object", br#"{"v":1,"do":"#),
        ("nesting", nested.as_bytes()),
        ("another version", br#"{"v":2,"do":"status"}"#),
        ("no version", br#"{"do":"status"}"#),
        ("an unknown deed", br#"{"v":1,"do":"explode"}"#),
        ("a field too few", br#"{"v":1,"do":"name"}"#),
        ("a negative number", br#"{"v":1,"do":"inbox","after":-1,"limit":1}"#),
        ("a number beyond 64 bits", br#"{"v":1,"do":"inbox","after":99999999999999999999,"limit":1}"#),
        ("no base64", br#"{"v":1,"do":"send","to":"garden","messages":[{"base64":"?"}],"expires":null,"best_effort":false}"#),
        ("a list instead of an object", b"[1,2,3]"),
    ] {
        let answers = says(&alice, &[line, b"\n"].concat(), 1);
        assert_eq!(answers.len(), 1, "{what}: {answers:?}");
        let error = &answers[0]["error"];
        assert_eq!(error["code"], "usage", "{what}: {error}");
        assert!(error["message"].as_str().unwrap().len() > 5, "{what}: {error}");
    }
    let answers = says(&alice, &[long_topic.as_bytes(), b"\n"].concat(), 1);
    assert_eq!(answers[0]["error"]["code"], "not-found");
    // A line without end, and one that is cut off.
    let endless = says(&alice, &vec![b'x'; 9 * 1024 * 1024], 1);
    assert_eq!(endless[0]["error"]["code"], "usage");
    let mut cut = dial(&alice);
    cut.write_all(br#"{"v":1,"do":"status"}"#).unwrap();
    cut.shutdown(Shutdown::Write).unwrap();
    assert_eq!(cut.read(&mut [0]).unwrap(), 0, "nobody waits for an answer");
    // A bad request does not end the connection; the one after it counts.
    let both = says(&alice, b"garbage\n{\"v\":1,\"do\":\"status\"}\n", 2);
    assert_eq!(both[0]["error"]["code"], "usage");
    assert!(both[1].get("id").is_some(), "{both:?}");
    // Messages at and beyond the limits.
    for length in [60 * 1024 + 1, 1024 * 1024] {
        let text = "m".repeat(length);
        let line = format!(
            r#"{{"v":1,"do":"send","to":"garden","messages":["{text}"],"expires":null,"best_effort":false}}"#
        );
        let answers = says(&alice, format!("{line}\n").as_bytes(), 1);
        assert!(
            answers[0].get("error").is_some(),
            "{length} bytes were taken"
        );
    }
    assert_eq!(alice.texts("garden"), ["one"]);
    assert!(!alice.log().contains("panicked"), "{}", alice.log());
}

#[test]
fn whoever_holds_the_socket_open_keeps_nobody_out_for_good() {
    let world = World::new();
    let alice = world.up("alice");
    // As many as are served at a time, each in the middle of a line, and some that wait.
    let idle: Vec<UnixStream> = (0..80)
        .map(|_| {
            let mut stream = dial(&alice);
            stream.write_all(b"{\"v\":1,").unwrap();
            stream
        })
        .collect();
    drop(idle);
    alice.way(&["status"]);
    // Requests whose answers nobody takes.
    alice.creates("garden");
    let lines = vec![b'a'; 1024].repeat(1);
    let input: Vec<u8> = std::iter::repeat_n([&lines[..], b"\n"].concat(), 2000)
        .flatten()
        .collect();
    assert_eq!(alice.run(&["send", "garden", "--lines"], &input).code, 0);
    let mut deaf = dial(&alice);
    let ask =
        "{\"v\":1,\"do\":\"read\",\"topic\":\"garden\",\"from\":{\"after\":0},\"limit\":2000}\n";
    deaf.write_all(ask.repeat(4).as_bytes()).unwrap();
    let mut first = [0; 1];
    deaf.read_exact(&mut first).unwrap();
    let began = Instant::now();
    alice.way(&["send", "garden", "heard"]);
    alice.way(&["status"]);
    assert!(began.elapsed() < Duration::from_secs(10));
    alice.down();
}

#[test]
fn a_signal_closes_a_busy_node_in_time_and_loses_nothing() {
    let world = World::new();
    let (alice, core) = (world.person("alice"), world.core("core"));
    let mut node = alice.serve(&["--listen", "127.0.0.1:0"]);
    node.line();
    alice.uses(&core);
    alice.creates("garden");
    alice.way(&["send", "garden", "first", "--wait", "held"]);
    // A peer that answers no more, though it lives.
    let stopped = core.pid().unwrap();
    rustix::process::kill_process(stopped, Signal::STOP).unwrap();
    let home = crate::fake::home(&alice.home);
    let writing = std::thread::spawn(move || {
        let mut sent = 0;
        let mut client = cli::client::Client::connect(&home).unwrap();
        loop {
            let ask = cli::request::Ask::Send {
                to: "garden".into(),
                messages: vec![cli::request::Text::Text("x".repeat(2000)); 50],
                expires: None,
                best_effort: false,
            };
            match client.all(ask) {
                Ok((lines, _)) => sent += lines.len(),
                Err(failure) => return (sent, failure),
            }
        }
    });
    // Under load at the latest when the first hundred lines are there.
    let until = Instant::now() + Duration::from_secs(60);
    while alice.texts("garden").len() < 100 {
        assert!(Instant::now() < until);
    }
    let began = Instant::now();
    node.signal(Signal::TERM);
    assert_eq!(node.code(), 0, "{}", alice.log());
    let took = began.elapsed();
    rustix::process::kill_process(stopped, Signal::CONT).unwrap();
    println!("closed in {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let (sent, failure) = writing.join().unwrap();
    assert_eq!(failure.code, cli::failure::Code::NoNode, "{failure}");
    alice.object("Check", &["check"]);
    alice.up(&[]);
    assert!(
        alice.texts("garden").len() > sent,
        "1 and {sent} were stored"
    );
    alice.way(&["send", "garden", "last", "--wait", "held"]);
}

/// What number a list of files has (`v12`): of those in one folder the last counts, the others are
/// left over.
fn version(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix('v')?.parse().ok()
}

/// The files of a store that count, and how long they are.
fn files(folder: &Path) -> Vec<(u64, PathBuf)> {
    let mut found = vec![];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().collect();
        let newest = entries.iter().filter_map(|e| version(&e.path())).max();
        for entry in entries {
            let (meta, path) = (entry.metadata().unwrap(), entry.path());
            let name = entry.file_name();
            let is_idle = ["reserve", "lock", "clean"].contains(&name.to_str().unwrap());
            let is_left_over = version(&path).is_some() && version(&path) != newest;
            if meta.is_dir() {
                folders.push(path);
            } else if !is_idle && !is_left_over {
                found.push((meta.len(), path));
            }
        }
    }
    found.sort();
    found
}

/// Every file of the store in turn: what `way check` says of it, and that the node either begins
/// with everything or says that it does not.
#[test]
fn damage_anywhere_in_the_store_is_named_and_never_passed_over() {
    let world = World::new();
    let alice = world.up("alice");
    alice.creates("garden");
    let text: String = (0..500).map(|n| format!("line {n}\n")).collect();
    assert_eq!(
        alice
            .run(&["send", "garden", "--lines"], text.as_bytes())
            .code,
        0
    );
    alice.down();
    let store = alice.home.join("store");
    let (mut named, mut unnoticed) = (0, vec![]);
    for (length, path) in files(&store) {
        let name = path.strip_prefix(&store).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let Some(last) = bytes.iter().rposition(|b| *b != 0) else {
            continue;
        };
        bytes[last / 2] ^= 0x10;
        let damaged = world.person("damaged");
        restored::copy(&alice.home, &damaged.home);
        std::fs::write(damaged.home.join("store").join(name), &bytes).unwrap();
        let ended = damaged.tries(&["--json", "check"]);
        match ended.code {
            7 => {
                named += 1;
                assert!(ended.err.contains("\"damaged\""), "{ended:?}");
            }
            0 => unnoticed.push((name.to_owned(), length)),
            code => panic!("exit {code}: {}: {ended:?}", name.display()),
        }
        std::fs::remove_dir_all(&damaged.home).unwrap();
    }
    println!("{named} files named, unnoticed: {unnoticed:?}");
    assert!(named > 0);
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
    alice.object("Check", &["check"]);
    // Without the word that it was closed in order, a home is as after a crash.
    std::fs::write(store.join("clean"), "garbage").unwrap();
    alice.up(&[]);
    assert_eq!(alice.texts("garden").len(), 500);
}

#[test]
fn every_mistake_in_the_settings_is_named_by_file_line_and_key() {
    let world = World::new();
    let alice = world.up("alice");
    alice.down();
    let path = alice.home.join("config.toml");
    let right = std::fs::read_to_string(&path).unwrap();
    for (key, line) in [
        ("listen", "listen = [\"nowhere\"]"),
        ("name", "name = 7"),
        ("log", "log = \"loud\""),
        ("public", "public = \"no port\""),
        ("trust_clock", "trust_clock = 1"),
        ("colour", "colour = \"red\""),
    ] {
        let mut lines: Vec<&str> = right
            .lines()
            .filter(|old| !old.starts_with(&format!("{key} ")))
            .collect();
        lines.insert(0, line);
        std::fs::write(&path, lines.join("\n")).unwrap();
        let (code, message) = alice.fails(&["up", "-d"], 1);
        assert_eq!(code, "config", "{line}: {message}");
        for word in ["config.toml", "line 1", key] {
            assert!(message.contains(word), "{line}: {message}");
        }
    }
    for text in ["listen = [", "\u{0}\u{1}", "[core\nserve = true"] {
        std::fs::write(&path, text).unwrap();
        let (code, message) = alice.fails(&["up", "-d"], 1);
        assert_eq!(code, "config", "{text:?}: {message}");
        assert!(message.contains("config.toml"), "{message}");
    }
    std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    let (code, message) = alice.fails(&["up", "-d"], 1);
    assert_eq!(code, "config", "{message}");
    assert!(message.contains("config.toml"), "{message}");
    std::fs::write(&path, right).unwrap();
    alice.up(&[]);
}

#[test]
fn keys_that_are_damaged_are_named_and_never_replaced() {
    let world = World::new();
    let alice = world.up("alice");
    let id = alice.object("Identity", &["id"])["id"].clone();
    alice.down();
    let path = alice.home.join("keys.toml");
    let right = std::fs::read(&path).unwrap();
    for bytes in [
        &b""[..],
        b"garbage",
        &right[..right.len() / 2],
        &[0xff; 200],
    ] {
        std::fs::write(&path, bytes).unwrap();
        let (code, message) = alice.fails(&["up", "-d"], 1);
        assert_eq!(code, "home", "{message}");
        assert!(message.contains("keys.toml"), "{message}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "it is left as it is");
    }
    std::fs::remove_file(&path).unwrap();
    let (code, message) = alice.fails(&["up", "-d"], 1);
    assert_eq!(code, "home");
    assert!(message.contains("a store but no keys"), "{message}");
    assert!(!path.exists());
    std::fs::write(&path, &right).unwrap();
    alice.up(&[]);
    assert_eq!(alice.object("Identity", &["id"])["id"], id);
}

#[test]
fn a_second_node_on_a_home_that_is_in_use_disturbs_nothing() {
    let world = World::new();
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    alice.creates("garden");
    bob.joins(&alice.invites("garden", "1"));
    let pid = alice.pid();
    for n in 0..5 {
        let (code, message) = alice.fails(&["up", "-d", "--listen", "127.0.0.1:0"], 1);
        assert_eq!(code, "home-in-use");
        assert!(message.contains(&pid.unwrap().to_string()), "{message}");
        alice.way(&["send", "garden", &n.to_string(), "--wait", "delivered"]);
    }
    for words in [&["check"][..], &["restore", "/nowhere"]] {
        assert_eq!(alice.tries(words).code, 1, "{words:?}");
    }
    assert_eq!(alice.pid(), pid);
    assert_eq!(bob.texts("garden"), ["0", "1", "2", "3", "4"]);
}
