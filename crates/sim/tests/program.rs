//! The program as a newcomer uses it, with all that may be wrong with what they name.

use sim::swarm;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_way-sim"));
    command.current_dir(folder);
    command
}

fn way_sim(folder: &Path, words: &[&str]) -> Output {
    program(folder)
        .args(words)
        .output()
        .expect("the program runs")
}

/// What was said on both outputs, and the exit code.
fn ended(folder: &Path, words: &[&str]) -> (String, Option<i32>) {
    let output = way_sim(folder, words);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (said, output.status.code())
}

const BASICS: &str = include_str!("../scenarios/basics.toml");

/// Files that are not what they should be.
fn files(folder: &Path) {
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.join(name), bytes).expect("it can be written");
    };
    write("empty.toml", b"");
    write("bytes.toml", &[0xff, 0, 0xfe, 7]);
    write("long.toml", &vec![b'#'; 20 << 20]);
    write("basics.toml", BASICS.as_bytes());
    write("key.toml", BASICS.replace("length", "lenght").as_bytes());
    let value = BASICS.replace("down = \"1m\"", "down = \"1 month\"");
    write("value.toml", value.as_bytes());
    let nobody = BASICS.replace("founder = \"ana\"", "founder = \"anna\"");
    write("nobody.toml", nobody.as_bytes());
    let late = BASICS.replace("at = \"", "at = \"99");
    write("late.toml", late.as_bytes());
    write("half.toml", b"story = \"x\"\n[plan]\nname = 7\n");
    std::fs::create_dir(folder.join("folder")).expect("a folder");
}

#[test]
fn bad_input_is_refused_in_words_and_with_the_code_of_usage() {
    let folder = tempfile::tempdir().expect("a folder");
    files(folder.path());
    let cases: &[(&[&str], &str)] = &[
        (&["run", "empty.toml"], "there is no [[site]]"),
        (&["run", "bytes.toml"], "it is no text"),
        (&["run", "long.toml"], "more than 1048576 bytes"),
        (&["run", "key.toml"], "did you mean `length`?"),
        (&["run", "value.toml"], "impossible for `down`"),
        (&["run", "nobody.toml"], "did you mean `ana`?"),
        (&["run", "late.toml"], "a time before the end: `length` is"),
        (&["run", "absent.toml"], "ready-made scenarios are basics"),
        (&["run", "folder"], "cannot read folder"),
        (&["run", "half.toml"], "way-sim replay half.toml"),
        (
            &["run", "basics.toml", "--seed", "-1"],
            "invalid value '-1'",
        ),
        (&["run", "basics.toml", "--nodes", "0"], "there once"),
        (
            &["run", "basics.toml", "--report", "no/where.html"],
            "cannot write no/where.html",
        ),
        (
            &["run", "basics.toml", "--trace", "folder"],
            "cannot write folder",
        ),
        (&["replay", "basics.toml"], "way-sim run basics.toml"),
        (&["replay", "city"], "way-sim run city"),
        (&["replay", "half.toml"], "is no plan that was kept"),
        (
            &["replay", "bytes.toml"],
            "neither a plan that was kept nor a record",
        ),
        (
            &["replay", "empty.toml"],
            "neither a plan that was kept nor a record",
        ),
        (&["replay", "long.toml"], "more than 16777216 bytes"),
        (&["replay", "18446744073709551616"], "there is no seed"),
        (
            &["replay", "3", "--report", "no/where.html"],
            "cannot write no/where.html",
        ),
        (&["shrink", "basics.toml"], "is a scenario"),
        (&["swarm", "--seeds", "0"], "invalid value '0'"),
        (
            &["swarm", "--from", "18446744073709551615", "--seeds", "2"],
            "no such seeds",
        ),
    ];
    for (words, expected) in cases {
        let (said, code) = ended(folder.path(), words);
        assert!(said.contains(expected), "{words:?}: {said}");
        assert_eq!(code, Some(2), "{words:?}: {said}");
        assert!(!said.contains("panicked"), "{words:?}: {said}");
    }
}

#[test]
fn a_replay_stops_at_its_step_and_counts_nothing_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (said, code) = ended(folder.path(), &["replay", "3", "--until", "48"]);
    assert_eq!(code, Some(0));
    assert!(said.ends_with("stopped at step 48\n"), "{said}");
    assert!(said.contains(": 48 events, "), "{said}");
    let steps = said
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok());
    assert_eq!(steps.max(), Some(48_u64));
    let (quiet, _) = ended(folder.path(), &["replay", "3", "--until", "48", "--quiet"]);
    assert!(quiet.starts_with("swarm 3"), "{quiet}");
    assert!(quiet.ends_with("stopped at step 48\n"), "{quiet}");
}

#[test]
fn a_record_that_was_cut_off_is_not_as_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record");
    // An entry: its length, its kind, its sum; then nothing of it.
    let whole: &[u8] = b"waystation record 1\n";
    std::fs::write(&path, whole).expect("it can be written");
    let (said, code) = ended(folder.path(), &["replay", "record"]);
    assert_eq!(code, Some(2), "without a head it is none: {said}");
    let config = node::Config {
        node_key: identity::SecretKey::from_seed([7; 32]),
        device: rights::DeviceSecret::generate(&mut machine::Rng::from_seed([7; 32])),
        stale: false,
        core: false,
        name: "a".to_owned(),
        reach: node::Reach::Any,
        public: Vec::new(),
        trust_clock: true,
        custody: custody::Settings::default(),
        store_limit: 0,
        software: "test".to_owned(),
    };
    std::fs::remove_file(&path).expect("it was there");
    let head = node::record::encode_config(&config);
    let recorder = driver::record::Recorder::<node::Input, node::Out>::create(&path, &head, vec![]);
    drop(recorder.expect("it can be written"));
    let (said, code) = ended(folder.path(), &["replay", "record"]);
    assert_eq!(
        (said.contains("all as recorded"), code),
        (true, Some(0)),
        "{said}"
    );
    let mut cut = std::fs::read(&path).expect("it can be read");
    cut.extend([42, 0, 0, 0, 1]);
    std::fs::write(&path, cut).expect("it can be written");
    let (said, code) = ended(folder.path(), &["replay", "record"]);
    assert!(said.contains("the record ends early"), "{said}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_reader_who_goes_away_and_a_full_disk_are_no_panics() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = program(folder.path())
        .args(["replay", "3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut line = String::new();
    let out = child.stdout.take().expect("it is piped");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let mut said = String::new();
    let errors = child.stderr.as_mut().expect("it is piped");
    errors.read_to_string(&mut said).expect("text");
    assert_eq!(said, "");
    // Whatever comes of that world, it is told without a panic.
    let code = child.wait().expect("it ends").code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        return;
    };
    let output = program(folder.path()).arg("list").stdout(full).output();
    let output = output.expect("the program runs");
    assert_eq!(output.status.code(), Some(2), "what came of it is lost");
    let words = ["run", "basics", "--trace", "/dev/full"];
    let (said, code) = ended(folder.path(), &words);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("cannot write what came of it"), "{said}");
}

#[test]
fn an_interrupt_ends_a_run_with_what_was_learnt() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(swarm::plan(3).length_ms > 60_000, "more than a pipe holds");
    let mut child = program(folder.path())
        .args(["replay", "3"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut said = String::new();
    out.read_line(&mut said).expect("a line");
    // Nobody reads on, so it cannot have ended.
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.expect("there is a shell's kill").success());
    out.read_to_string(&mut said).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{said}");
    assert!(
        said.ends_with("stopped before the end: interrupted\n"),
        "{said}"
    );
    assert!(
        said.contains("no promise broke before it ended early"),
        "{said}"
    );
}
