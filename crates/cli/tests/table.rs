//! Who sees what, line by line (docs/spec/secrecy.md, "Who sees what"): the homes and the whole memory of
//! running processes are searched for what each may know, and for what it may not.

use crate::people::{Person, Running, World, until};
use crate::privacy::search::{Needle, Searched, look, search};
use crate::privacy::secrets_of;
use serde_json::Value;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// Bytes of a page of memory.
const PAGE: u64 = 4096;
const TOPIC: &str = "observatory-on-the-hill";
const NAMES: [&str; 3] = [
    "Wilhelmina of the mill",
    "Bartholomew the baker",
    "Cunegonde at the window",
];
const TEXTS: [&str; 4] = [
    "The comet stands above the western ridge.",
    "Tonight the dome stays open until three.",
    "Somebody has left the lamp on in the cellar.",
    "Now that he is gone, we meet at the south door.",
];
/// What the one says who may only write.
const REPORT: &str = "Cloud cover nine tenths, wind from the sea.";
/// What the core node's operator has written into its settings.
const OPERATOR: &str = "the observatory's board";
const MAIL: &str = "Nobody but you knows where the key is.";

/// A line of the table: what it is about, and whether a member who reads, one who may only write, a core
/// node that serves the topic and a stranger hold it.
struct Line {
    needle: Needle,
    seen: [bool; 4],
}

const READER: usize = 0;
const WRITER: usize = 1;
const CORE: usize = 2;
const STRANGER: usize = 3;

const ALL_OF_IT: [bool; 4] = [true, true, true, false];
const READERS: [bool; 4] = [true, false, false, false];

fn line(what: &str, bytes: &[u8], seen: [bool; 4]) -> Line {
    Line {
        needle: Needle::new(what, bytes),
        seen,
    }
}

/// The 32 bytes behind a text form.
fn bytes_of(id: &Value) -> [u8; 32] {
    let text = id.as_str().unwrap();
    match text.parse::<identity::Id>() {
        Ok(id) => *id.as_bytes(),
        Err(_) => text.parse::<identity::EnvelopeId>().unwrap().to_bytes(),
    }
}

/// A node that runs as a child of the test, so that the test may look at its memory.
fn serve(world: &World, name: &str, words: &[&str]) -> (Person, Running) {
    run(world.person(name), words)
}

fn run(person: Person, words: &[&str]) -> (Person, Running) {
    let name = person.name.clone();
    let name = name.as_str();
    let listen = ["--name", name, "--listen", "127.0.0.1:0"];
    let mut node = person.serve(&[&listen, words].concat());
    node.line();
    (person, node)
}

/// Searches the whole memory of a running process that this one has started, byte by byte: every page
/// that it may read and that is there, its heap and stacks and what it has mapped.
pub(crate) fn search_memory(process: u32, needles: &[Needle]) -> std::io::Result<Searched> {
    let mut searched = Searched {
        bytes: 0,
        files: 0,
        found: Vec::new(),
    };
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps"))?;
    let memory = std::fs::File::open(format!("/proc/{process}/mem"))?;
    let pages = std::fs::File::open(format!("/proc/{process}/pagemap"))?;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let name = words.nth(3).unwrap_or("");
        let ends = range.split_once('-').and_then(|(from, to)| {
            let number = |text| u64::from_str_radix(text, 16).ok();
            Some((number(from)?, number(to)?))
        });
        // What the kernel lends cannot be read, and is nobody's.
        let Some((from, to)) = ends.filter(|_| rights.starts_with('r') && !name.starts_with("[v"))
        else {
            continue;
        };
        let place = PathBuf::from(format!("memory at {range} {rights} {name}"));
        searched.files += 1;
        let mut run = Vec::new();
        for page in from / PAGE..to / PAGE {
            let mut entry = [0; 8];
            pages.read_exact_at(&mut entry, page * 8)?;
            // Present or swapped out: bits 63 and 62 (Documentation/admin-guide/mm/pagemap.rst).
            if u64::from_le_bytes(entry) >> 62 != 0 {
                let at = run.len();
                run.resize(at + PAGE as usize, 0);
                let read = run
                    .get_mut(at..)
                    .map(|into| memory.read_exact_at(into, page * PAGE));
                if read.is_some_and(|read| read.is_ok()) {
                    searched.bytes += PAGE as usize;
                    continue;
                }
                run.truncate(at);
            }
            look(
                &std::mem::take(&mut run),
                needles,
                &place,
                &mut searched.found,
            );
        }
        look(&run, needles, &place, &mut searched.found);
    }
    Ok(searched)
}

/// What of the needles is in somebody's home or memory.
fn held(person: &Person, node: &Running, needles: &[Needle]) -> Vec<String> {
    let home = search(&person.home, needles).unwrap();
    let memory = search_memory(node.process(), needles).unwrap();
    assert!(memory.bytes > 1_000_000, "its memory was read");
    [home.found, memory.found].concat()
}

#[test]
fn everybody_holds_what_the_table_says_and_no_more() {
    let world = World::new();
    let core = world.core("core");
    core.down();
    core.is_run_by(OPERATOR);
    let (core, core_runs) = run(core, &["--core"]);
    let (alice, alice_runs) = serve(&world, "alice", &[]);
    let (bob, cleo) = (world.up("bob"), world.up("cleo"));
    for (person, name) in [&alice, &bob, &cleo].into_iter().zip(NAMES) {
        person.way(&["name", name]);
    }
    // Cleo takes part and never meets the core node: it hears of her through Alice alone.
    let topic = alice.creates(TOPIC);
    cleo.joins(&alice.invites(TOPIC, "1"));
    let last = cleo.object("Sent", &["send", TOPIC, TEXTS[2], "--wait", "delivered"]);
    let hers = cleo.object("Identity", &["id"]);
    cleo.down();
    alice.uses(&core);
    bob.uses(&core);
    bob.joins(&alice.invites(TOPIC, "1"));
    let first = alice.object("Sent", &["send", TOPIC, TEXTS[0], "--wait", "held"]);
    bob.object("Sent", &["send", TOPIC, TEXTS[1], "--wait", "held"]);
    let his = bob.object("Identity", &["id"]);
    bob.down();
    // Eve may only write; somebody comes and is removed, so that all goes on under other keys.
    let (eve, eve_runs) = serve(&world, "eve", &[]);
    let made = alice.object("Invite", &["invite", TOPIC, "--publish"]);
    eve.joins(made["link"].as_str().unwrap());
    eve.way(&["send", TOPIC, REPORT, "--wait", "delivered", "--of", "1"]);
    let frank = world.up("frank");
    frank.joins(&alice.invites(TOPIC, "1"));
    frank.way(&[
        "send",
        TOPIC,
        "here I am",
        "--wait",
        "delivered",
        "--of",
        "1",
    ]);
    alice.way(&["revoke", TOPIC, "frank"]);
    frank.down();
    let later = alice.object("Sent", &["send", TOPIC, TEXTS[3], "--wait", "held"]);
    until("eve has it", || {
        eve.tries(&["why", later["id"].as_str().unwrap()]).code == 0
    });
    let members = alice.json("Member", &["members", TOPIC]);
    let bobs = members
        .iter()
        .find(|one| one["devices"][0]["name"] == NAMES[1]);
    let bobs = bobs.expect("bob takes part");
    let to = his["id"].as_str().unwrap();
    alice.object("Sent", &["send", to, MAIL, "--wait", "held"]);
    // A stranger who is linked with both and takes part in nothing.
    let (dave, dave_runs) = serve(&world, "dave", &[]);
    for other in [&alice, &core] {
        let identity = other.object("Identity", &["id"]);
        dave.way(&["peer", "add", identity["addresses"][0].as_str().unwrap()]);
    }
    let table = [
        line("the topic's id", &bytes_of(&topic["id"]), ALL_OF_IT),
        line("an envelope's id", &bytes_of(&first["id"]), ALL_OF_IT),
        line(
            "an envelope of who never met it",
            &bytes_of(&last["id"]),
            ALL_OF_IT,
        ),
        line("one under later keys", &bytes_of(&later["id"]), ALL_OF_IT),
        line(
            "a member's device key",
            &bytes_of(&bobs["devices"][0]["device"]),
            ALL_OF_IT,
        ),
        line(
            "a member's grant",
            &bytes_of(&bobs["grants"][0]["id"]),
            ALL_OF_IT,
        ),
        line(TEXTS[0], TEXTS[0].as_bytes(), READERS),
        line(TEXTS[2], TEXTS[2].as_bytes(), READERS),
        line(TEXTS[3], TEXTS[3].as_bytes(), READERS),
        line(
            "what the one says who may only write",
            REPORT.as_bytes(),
            [true, true, false, false],
        ),
        // Her invite has told her.
        line(
            "the topic's name",
            TOPIC.as_bytes(),
            [true, true, false, false],
        ),
        line("a member's name", NAMES[1].as_bytes(), READERS),
        line("the name of who never met it", NAMES[2].as_bytes(), READERS),
        line(
            "the node id of its client",
            &bytes_of(&his["id"]),
            [true, false, true, false],
        ),
        line(
            "the node id of who never met it",
            &bytes_of(&hers["id"]),
            READERS,
        ),
        line("what a message to a node says", MAIL.as_bytes(), READERS),
        line(
            "the tag of the core node's operator",
            identity::OperatorTag::of(OPERATOR).as_bytes(),
            ALL_OF_IT,
        ),
        line(
            "what the operator has written",
            OPERATOR.as_bytes(),
            [false, false, true, false],
        ),
    ];
    let needles: Vec<Needle> = table.iter().map(|line| line.needle.clone()).collect();
    let nodes = [
        (&alice, &alice_runs),
        (&eve, &eve_runs),
        (&core, &core_runs),
        (&dave, &dave_runs),
    ];
    for (who, (person, node)) in [READER, WRITER, CORE, STRANGER].into_iter().zip(nodes) {
        let mut found = held(person, node, &needles);
        if who == READER || who == WRITER {
            // Content rests sealed with members as well: it is seen by who asks.
            let shown = person.texts(TOPIC);
            let named = |text: &String| match text.as_str() {
                REPORT => "what the one says who may only write".to_owned(),
                text => text.to_owned(),
            };
            found.extend(
                shown
                    .iter()
                    .map(|text| format!("{}, as it is", named(text))),
            );
        }
        for line in &table {
            let name = &line.needle.what;
            let place = found
                .iter()
                .find(|one| one.starts_with(&format!("{name}, ")));
            assert_eq!(
                place.is_some(),
                line.seen[who],
                "{}: {name}: {place:?}",
                person.name
            );
        }
    }
    // Of secrets that open anything the core node holds none, in its memory or on its disk.
    let secrets = [secrets_of(&bob), secrets_of(&cleo)].concat();
    for one in [
        search(&core.home, &secrets),
        search_memory(core_runs.process(), &secrets),
    ] {
        assert_eq!(one.unwrap().found, Vec::<String>::new());
    }
}
