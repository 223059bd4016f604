//! Strangers on a real link: whatever they send, they are closed within their budget, and nothing
//! of it is stored.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use identity::NodeId;
use machine::{Base as _, Rng};
use store::{FjallStore, Options, Store as _};
use transport::quic;
use transport::{Command, DialToken, Event, Events, LinkId, Transport as _, limits::MAX_FRAME};

use crate::people::{Person, World};

/// What a stranger may take; the rest is for a busy machine.
const BUDGET: Duration = Duration::from_secs(10 + 5);
/// A table with a handful of rows at most of which are asked for at once.
const ROWS: usize = 100_000;

type Rows = BTreeMap<(String, Vec<u8>), Vec<u8>>;

/// All rows of a home whose node is down.
fn rows(home: &Path) -> Rows {
    let tables = node::tables();
    let (store, _) = FjallStore::open(&home.join("store"), &tables, &Options::default()).unwrap();
    let mut all = Rows::new();
    for table in tables {
        let range: (&[u8], &[u8]) = (&[0], &[0xff; 64]);
        for (key, value) in store.scan(table, range, ROWS, false).unwrap() {
            all.insert((table.name().to_owned(), key), value);
        }
    }
    store.close().unwrap();
    all
}

/// The rows that are not the same.
fn differences(one: &Rows, other: &Rows) -> Vec<(String, Vec<u8>)> {
    let keys = one.keys().chain(other.keys());
    let mut different: Vec<_> = keys
        .filter(|key| one.get(*key) != other.get(*key))
        .cloned()
        .collect();
    different.dedup();
    different
}

/// Where a node is.
fn address(person: &Person) -> (NodeId, String) {
    let identity = person.object("Identity", &["id"]);
    let id = identity["id"].as_str().unwrap().parse().unwrap();
    let address = identity["addresses"][0].as_str().unwrap();
    (id, address.split('@').next_back().unwrap().to_owned())
}

/// What a stranger sends, given the first frame that the node sent.
type Attack = fn(&[u8], &mut Rng) -> Vec<Vec<u8>>;

fn noise(rng: &mut Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill(&mut bytes);
    bytes
}

/// The node's own hello is a valid one of the stranger as well.
const ATTACKS: &[(&str, Attack)] = &[
    ("says nothing", |_, _| vec![]),
    ("says hello and no more", |hello, _| vec![hello.to_vec()]),
    ("says hello twice", |hello, _| vec![hello.to_vec(); 2]),
    ("a hello that is cut short", |hello, rng| {
        let cut = 1 + usize::try_from(rng.below(hello.len() as u64 - 1)).unwrap();
        vec![hello[..cut].to_vec()]
    }),
    ("a hello with a flipped bit", |hello, rng| {
        let mut bytes = hello.to_vec();
        let at = usize::try_from(rng.below(hello.len() as u64)).unwrap();
        bytes[at] ^= 1 << rng.below(8);
        vec![bytes]
    }),
    ("a hello with something behind it", |hello, _| {
        vec![[hello, b"x"].concat()]
    }),
    ("noise", |_, rng| vec![noise(rng, 100)]),
    ("noise after hello", |hello, rng| {
        vec![hello.to_vec(), noise(rng, 500)]
    }),
    ("many small frames of noise", |hello, rng| {
        let mut frames = vec![hello.to_vec()];
        frames.extend((0..200).map(|_| noise(rng, 3)));
        frames
    }),
    ("every single byte", |_, _| {
        (0..=255).map(|b| vec![b]).collect()
    }),
    ("more than a stranger may send", |hello, rng| {
        vec![hello.to_vec(), noise(rng, 17 * 1024)]
    }),
    ("the longest frame there is", |_, rng| {
        vec![noise(rng, MAX_FRAME)]
    }),
    ("a list of four billion", |hello, _| {
        // CBOR: an array of 2^32-1 things, and a text of 2^63 bytes.
        vec![
            hello.to_vec(),
            vec![0x9a, 0xff, 0xff, 0xff, 0xff],
            vec![
                0x82, 0x01, 0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
        ]
    }),
    ("nesting", |hello, _| {
        vec![hello.to_vec(), vec![0x81; 15_000]]
    }),
];

async fn next(events: &mut Events) -> Event {
    tokio::time::timeout(BUDGET * 2, events.next())
        .await
        .expect("something happens")
        .expect("the transport is open")
}

/// What came of an attack: how long the link lived after it, and why it ended.
struct Met {
    what: &'static str,
    lived: Duration,
    reason: String,
}

async fn attack(
    node: NodeId,
    address: String,
    what: &'static str,
    frames: Attack,
    mut rng: Rng,
) -> Met {
    let listen = transport::Listen::At(vec!["127.0.0.1:0".parse().unwrap()]);
    let (stranger, mut events) = quic::open(transport::Config::new(rng.array(), listen))
        .await
        .unwrap();
    let token = DialToken(1);
    stranger.command(Command::Dial {
        token,
        node,
        address,
    });
    let began = Instant::now();
    let link = match next(&mut events).await {
        Event::Up { link, .. } => link,
        // In a crowd not everybody gets as far as a link.
        other => {
            return Met {
                what,
                lived: Duration::ZERO,
                reason: format!("{other:?}"),
            };
        }
    };
    let hello = match next(&mut events).await {
        Event::Frame { bytes, .. } => bytes,
        other => {
            return Met {
                what,
                lived: began.elapsed(),
                reason: format!("{other:?}"),
            };
        }
    };
    for bytes in frames(&hello, &mut rng) {
        stranger.command(Command::Send { link, bytes });
    }
    let reason = until_down(&mut events, link).await;
    let lived = began.elapsed();
    stranger.shut().await;
    Met {
        what,
        lived,
        reason,
    }
}

async fn until_down(events: &mut Events, link: LinkId) -> String {
    loop {
        if let Event::Down { link: down, reason } = next(events).await
            && down == link
        {
            return reason.to_string();
        }
    }
}

/// All attacks at once.
fn attacked(person: &Person, seed: u8) -> Vec<Met> {
    let (node, address) = address(person);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut rng = Rng::from_seed([seed; 32]);
    runtime.block_on(async {
        let mut all = tokio::task::JoinSet::new();
        for (what, frames) in ATTACKS {
            all.spawn(attack(node, address.clone(), what, *frames, rng.fork()));
        }
        all.join_all().await
    })
}

#[test]
fn a_stranger_is_closed_within_its_budget_and_leaves_nothing_behind() {
    let world = World::new();
    for (name, words) in [("person", &[][..]), ("core", &["--core"][..])] {
        let person = world.person(name);
        person.up(&[words, &["--name", name, "--listen", "127.0.0.1:0"]].concat());
        person.creates("garden");
        person.down();
        let first = rows(&person.home);
        person.up(&[]);
        person.down();
        let second = rows(&person.home);
        // What a start alone changes.
        let of_starting = differences(&first, &second);
        person.up(&[]);
        for met in attacked(&person, 1) {
            println!("{name}: {}: {:?}: {}", met.what, met.lived, met.reason);
            assert!(met.lived < BUDGET, "{}: {:?}", met.what, met.lived);
            assert!(
                met.reason.starts_with("closed by the peer with code"),
                "{}: {}",
                met.what,
                met.reason
            );
        }
        let status = person.object("Status", &["status"]);
        assert_eq!(status["links"], 0);
        person.down();
        let after = rows(&person.home);
        assert!(second.len() > 3, "the rows were read");
        let left: Vec<_> = differences(&second, &after)
            .into_iter()
            .filter(|key| !of_starting.contains(key))
            .collect();
        assert!(left.is_empty(), "{name}: {left:?}");
        assert!(!person.log().contains("panicked"), "{}", person.log());
    }
}

#[test]
fn people_talk_on_while_strangers_pour_in() {
    let world = World::new();
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    alice.creates("garden");
    bob.joins(&alice.invites("garden", "1"));
    alice.way(&["send", "garden", "before", "--wait", "delivered"]);
    std::thread::scope(|scope| {
        // More than may be there at once.
        let attacks: Vec<_> = (0..4)
            .map(|seed| {
                scope.spawn({
                    let alice = &alice;
                    move || attacked(alice, 10 + seed)
                })
            })
            .collect();
        for n in 0..20 {
            let text = format!("during {n}");
            alice.way(&["send", "garden", &text, "--wait", "delivered"]);
            bob.way(&["send", "garden", &text, "--wait", "delivered"]);
        }
        for attack in attacks {
            for met in attack.join().unwrap() {
                assert!(met.lived < BUDGET, "{}: {:?}", met.what, met.lived);
            }
        }
    });
    // One who was shut out by the crowd comes in again.
    bob.killed();
    bob.up(&[]);
    alice.way(&["send", "garden", "after", "--wait", "delivered"]);
    assert_eq!(alice.texts("garden").len(), 42);
    assert_eq!(bob.texts("garden").len(), 42);
}
