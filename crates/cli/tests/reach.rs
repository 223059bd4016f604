//! Real processes, one of which is within reach of its core node alone.

use std::collections::BTreeSet;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use crate::people::{Person, World, until};
use crate::privacy::search::{Needle, look, search};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let probe = TcpListener::bind("127.0.0.1:0").unwrap();
    probe.local_addr().unwrap().port()
}

/// How somebody may have written down that a node is at this port of this machine.
fn at(what: &str, port: u16) -> [Needle; 2] {
    let binary = [&[0xff, 0xff, 127, 0, 0, 1][..], &port.to_be_bytes()].concat();
    [
        Needle::new(what, format!("127.0.0.1:{port}").as_bytes()),
        Needle::new(what, &binary),
    ]
}

/// A socket of a process.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Socket {
    over: &'static str,
    port: u16,
    far: u16,
    listens: bool,
}

/// The internet sockets of somebody's node, as the kernel lists them.
fn sockets(of: &Person) -> BTreeSet<Socket> {
    let pid = of.pid().unwrap().as_raw_nonzero();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let own: BTreeSet<String> = links
        .filter_map(|link| {
            let text = link.to_string_lossy().into_owned();
            let number = text.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(number.to_owned())
        })
        .collect();
    let mut found = BTreeSet::new();
    for over in ["tcp", "tcp6", "udp", "udp6"] {
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/{over}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if own.contains(fields[9]) {
                let port = |text: &str| u16::from_str_radix(text.rsplit(':').next().unwrap(), 16);
                found.insert(Socket {
                    over,
                    port: port(fields[1]).unwrap(),
                    far: port(fields[2]).unwrap(),
                    listens: over.starts_with("tcp") && fields[3] == "0A",
                });
            }
        }
    }
    found
}

/// What of this somebody's process has in its memory.
fn in_memory(of: &Person, needles: &[Needle]) -> (usize, Vec<String>) {
    let pid = of.pid().unwrap().as_raw_nonzero();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let (mut size, mut found) = (0, Vec::new());
    for line in maps.lines().filter(|line| line.contains(" rw-p ")) {
        let (from, rest) = line.split_once('-').unwrap();
        let to = rest.split(' ').next().unwrap();
        let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).unwrap());
        memory.seek(SeekFrom::Start(from)).unwrap();
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        // Some of it, such as what the kernel has there itself, cannot be read.
        if memory.read_exact(&mut bytes).is_ok() && bytes.iter().any(|byte| *byte != 0) {
            size += bytes.len();
            look(&bytes, needles, Path::new("memory"), &mut found);
        }
    }
    (size, found)
}

fn port_of(core: &Person) -> u16 {
    let identity = core.object("Identity", &["id"]);
    let address = identity["addresses"][0].as_str().unwrap();
    address.rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn everything_goes_through_the_core_node_and_nobody_learns_where_she_is() {
    let world = World::new();
    let core = world.core("core");
    let (alice, bob) = (world.person("alice"), world.up("bob"));
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let public = format!("alice.hidden.example:{port}");
    let words = ["--name", "alice", "--listen", &listen, "--public", &public];
    alice.up(&[&words[..], &["--reach", "core"]].concat());
    for name in ["Status", "Identity"] {
        let word = if name == "Status" { "status" } else { "id" };
        // Nothing is well with her until she uses a core node.
        let ended = alice.tries(&["--json", word]);
        assert!(ended.out.contains(r#""reach":"core""#), "{ended:?}");
    }
    assert_eq!(
        alice.object("Identity", &["id"])["addresses"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    for person in [&alice, &bob] {
        person.uses(&core);
    }
    assert_eq!(alice.object("Status", &["status"])["reach"], "core");
    alice.creates("tea");
    bob.joins(&alice.invites("tea", "1"));
    alice.way(&["send", "tea", "one", "--wait", "delivered"]);
    bob.way(&["send", "tea", "two", "--wait", "delivered"]);
    for (from, to) in [(&alice, &bob), (&bob, &alice)] {
        let id = to.object("Identity", &["id"])["id"].clone();
        from.way(&["send", id.as_str().unwrap(), "psst", "--wait", "delivered"]);
    }
    let file = world.path().join("tea.bin");
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&file, &bytes).unwrap();
    alice.way(&["share", "tea", file.to_str().unwrap(), "--wait", "held"]);
    let to = world.path().join("got.bin");
    until("it is listed", || {
        bob.tries(&["files", "tea"]).out.contains("tea.bin")
    });
    bob.way(&["get", "tea", "tea.bin", "--to", to.to_str().unwrap()]);
    assert!(std::fs::read(&to).unwrap() == bytes);

    // She listens nowhere, and the only one to whom she is connected is the core node.
    let hers = sockets(&alice);
    assert!(
        hers.iter()
            .all(|it| !it.listens && it.over.starts_with("tcp")),
        "{hers:?}"
    );
    assert!(
        !hers.is_empty() && hers.iter().all(|it| it.far == port_of(&core)),
        "{hers:?}"
    );
    assert!(
        sockets(&bob).iter().any(|it| it.listens),
        "the look sees what there is"
    );
    TcpStream::connect(&listen).unwrap_err();

    // Nobody has written down, or remembers, where she might have been or from where she dialled.
    let mut needles: Vec<Needle> = at("her address", port).into();
    needles.push(Needle::new("her public address", b"alice.hidden.example"));
    let dialled: Vec<u16> = hers.iter().map(|it| it.port).collect();
    let (size, found) = in_memory(&bob, &needles);
    assert!(size > 1_000_000 && found.is_empty(), "{found:?}");
    let (_, found) = in_memory(&core, &needles);
    assert!(found.is_empty(), "{found:?}");
    needles.extend(
        dialled
            .into_iter()
            .flat_map(|port| at("whence she dialled", port)),
    );
    let (_, found) = in_memory(&bob, &needles);
    assert!(found.is_empty(), "{found:?}");
    for home in [&bob.home, &core.home] {
        let searched = search(home, &needles).unwrap();
        assert!(
            searched.bytes > 10_000 && searched.found.is_empty(),
            "{:?}",
            searched.found
        );
    }
    let own = search(&alice.home, &needles).unwrap().found;
    assert!(
        own.iter().any(|found| found.contains("her address")),
        "{own:?}"
    );

    // Whoever is told where she might be, and insists, has no link with her.
    let id = alice.object("Identity", &["id"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    bob.way(&["peer", "add", &format!("{id}@{listen}")]);
    bob.way(&["peer", "add", &format!("tls://{id}@{listen}")]);
    let pinged = bob.tries(&["ping", &id, "--timeout", "5s"]);
    assert_ne!(pinged.code, 0, "{pinged:?}");
    let linked = |of: &Person| {
        of.json("Peer", &["peers"])
            .into_iter()
            .any(|peer| peer["linked"] == true && peer["id"] == id.as_str())
    };
    assert!(!linked(&bob));
    let his = bob.object("Identity", &["id"])["addresses"][0].clone();
    let (code, text) = alice.fails(&["peer", "add", his.as_str().unwrap()], 5);
    assert!(code == "refused" && text.contains("reach = core"), "{text}");

    // The other way round, and back: what was watched for is there as soon as she wants it to be.
    alice.down();
    alice.up(&["--reach", "any"]);
    until("he is told", || {
        let found = search(&bob.home, &needles[..3]).unwrap().found;
        found
            .iter()
            .any(|found| found.contains("her public address"))
    });
    until("they are linked", || linked(&bob));
    alice.down();
    alice.up(&[]);
    assert_eq!(alice.object("Status", &["status"])["reach"], "core");
    alice.way(&["send", "tea", "three", "--wait", "delivered"]);
    assert!(
        sockets(&alice)
            .iter()
            .all(|it| !it.listens && it.far == port_of(&core))
    );
    assert_eq!(bob.texts("tea"), ["one", "two", "three"]);
}

#[test]
fn who_serves_others_is_within_their_reach() {
    let world = World::new();
    let core = world.person("core");
    let (code, text) = core.fails(&["up", "-d", "--core", "--reach", "core"], 2);
    assert!(code == "usage" && text.contains("core node"), "{text}");
    let (code, text) = core.fails(&["up", "-d", "--reach", "core", "--transport", "quic"], 2);
    assert!(code == "usage" && text.contains("TLS"), "{text}");
    // What its file says is kept to, and a person who wants something else is told where it stands.
    core.up(&["--core", "--listen", "127.0.0.1:0"]);
    core.down();
    let file = core.home.join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("reach = \"any\"", "reach = \"core\"")).unwrap();
    let (code, text) = core.fails(&["up", "-d"], 1);
    assert!(code == "config" && text.contains("core node"), "{text}");
}
