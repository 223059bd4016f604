//! What somebody outside hears of a node, byte by byte and by the clock, and what it costs it.

use super::{Said, assert_same_disk, cast, heard, hello, specimens};
use crate::world::World;
use node::command::{Command, Reply};
use router::limits::{SORRY_EVERY, STRANGER_BYTES, STRANGER_TIME};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wire::frame::Subject;
use wire::{Code, Frame, TopicFrame};

const STEP: Duration = Duration::from_millis(10);

/// A refusal, and how many milliseconds after the link was up it came.
type Capture = Vec<(u64, Vec<u8>)>;

/// Somebody who dials a node, and what it does.
struct Attempt {
    liar: usize,
    node: usize,
    /// Whether it says hello at once.
    greets: bool,
    /// How long it waits with the rest.
    waits: Duration,
    frames: Vec<Vec<u8>>,
}

/// Every refusal and goodbye that an attempt hears within so long, or until its link is closed.
fn capture(world: &mut World, attempt: &Attempt, patience: Duration) -> Capture {
    let link = world.connect(attempt.liar, Some(0), attempt.node);
    if attempt.greets {
        let greeting = hello(world).encode();
        world.inject(link, greeting);
    }
    world.settle();
    let begin = world.now;
    world.pass(attempt.waits);
    for frame in &attempt.frames {
        world.inject(link, frame.clone());
    }
    world.settle();
    let (mut caught, mut seen) = (Capture::new(), 0);
    loop {
        let elapsed = world.now.since(begin);
        let frames = heard(world, attempt.liar, link);
        for frame in frames.iter().skip(seen) {
            if matches!(
                frame,
                Frame::Bye { .. } | Frame::Refused { .. } | Frame::CoreRefused { .. }
            ) {
                caught.push((elapsed.as_millis() as u64, frame.encode()));
            }
        }
        seen = frames.len();
        let up = world.links().iter().any(|(other, ..)| *other == link);
        if !up || elapsed >= patience {
            break;
        }
        world.pass(STEP);
    }
    world.tear(link);
    world.pass(STEP);
    caught
}

/// The frames of a kind that anybody has said to a node.
fn said_to(said: &Said, node: usize, kind: impl Fn(&Frame) -> bool) -> Vec<Vec<u8>> {
    let frames = said.iter().filter(|(_, to, _)| *to == node);
    let frames = frames.map(|(.., bytes)| bytes.clone());
    frames
        .filter(|bytes| kind(&Frame::decode(bytes).expect("honest")))
        .collect()
}

/// All that is refused to somebody outside with an answer, and why.
fn refused(said: &Said, node: usize) -> Vec<(&'static str, Vec<u8>)> {
    let one = |kind: &dyn Fn(&Frame) -> bool| {
        let mut frames = said_to(said, node, kind);
        assert!(!frames.is_empty(), "it was said");
        frames.swap_remove(0)
    };
    let unknown = Frame::AtCore {
        token: [1; 16],
        tag: [2; 16],
        sealed: vec![3; 400],
    };
    let claim = Frame::CoreClaim {
        token: [1; 16],
        mac: [2; 32],
    };
    vec![
        ("a topic that is not held here", unknown.encode()),
        (
            "a topic that is, proved on another link",
            one(&|frame| matches!(frame, Frame::AtCore { .. })),
        ),
        ("an invite that there is not", claim.encode()),
        (
            "an invite of another, shown on another link",
            one(&|frame| matches!(frame, Frame::CoreClaim { .. })),
        ),
        (
            "a topic to be held, by no client",
            one(&|frame| matches!(frame, Frame::CoreServe { .. })),
        ),
        (
            "a box to be kept, by no client",
            one(&|frame| matches!(frame, Frame::BoxPut { .. })),
        ),
    ]
}

fn deny(world: &mut World, core: usize, whom: usize) {
    let id = world.id(whom).to_string();
    let reply = world.ask(core, Command::CoreDeny { node: id });
    assert!(matches!(reply, Reply::CoreDenied { .. }), "{reply:?}");
}

#[test]
fn every_refusal_to_an_outsider_is_one_code_one_size_and_one_time() {
    let (mut cast, said) = cast(70);
    let core = cast.one;
    let world = &mut cast.world;
    let (liar, denied) = (world.add_liar("Liar"), world.add_liar("Denied"));
    deny(world, core, denied);
    let step = SORRY_EVERY.as_millis() as u64;
    let mut answers: Vec<(String, Capture)> = Vec::new();
    for (why, frame) in refused(&said, core) {
        for (who, name) in [(liar, "unknown"), (denied, "denied")] {
            for waits in [0, 90, 240, 250] {
                let attempt = Attempt {
                    liar: who,
                    node: core,
                    greets: true,
                    waits: Duration::from_millis(waits),
                    frames: vec![frame.clone()],
                };
                let caught = capture(world, &attempt, Duration::from_secs(1));
                answers.push((format!("{why}, {name}, after {waits} ms"), caught));
            }
        }
    }
    let (_, first) = answers.first().expect("many").clone();
    let [(at, bytes)] = first.as_slice() else {
        panic!("one answer: {first:?}");
    };
    assert_eq!(*at, step);
    let shown = Frame::decode(bytes).expect("honest");
    assert!(
        matches!(
            shown,
            Frame::Refused {
                subject: Subject::Link,
                code: Code::STRANGER,
                retry: 0,
                ..
            }
        ),
        "{shown:?}"
    );
    for (why, caught) in &answers {
        assert_eq!(*caught, first, "{why}");
    }
    // Later it is the next step, whatever the reason.
    for (why, frame) in refused(&said, core) {
        let attempt = Attempt {
            liar,
            node: core,
            greets: true,
            waits: Duration::from_millis(step + 10),
            frames: vec![frame],
        };
        let caught = capture(world, &attempt, Duration::from_secs(1));
        assert_eq!(caught, [(2 * step, bytes.clone())], "{why}");
    }
    cast.talk_goes_on();
}

#[test]
fn every_end_of_an_outsiders_link_is_one_code_one_size_and_one_time() {
    let (mut cast, said) = cast(71);
    let core = cast.one;
    let world = &mut cast.world;
    let (liar, denied) = (world.add_liar("Liar"), world.add_liar("Denied"));
    deny(world, core, denied);
    let much = Frame::AtCore {
        token: [1; 16],
        tag: [2; 16],
        sealed: vec![3; 400],
    };
    let causes: Vec<(&str, bool, Vec<Vec<u8>>)> = vec![
        ("no frame", true, vec![vec![0xff]]),
        ("no frame, before the hello", false, vec![vec![0xff]]),
        ("no hello", false, vec![Frame::AdvertAsk.encode()]),
        ("a second hello", true, vec![hello(world).encode()]),
        ("too much", true, vec![much.encode(); 60]),
    ];
    let mut ends: Vec<(String, Capture)> = Vec::new();
    for (why, greets, frames) in causes {
        for (who, name) in [(liar, "unknown"), (denied, "denied")] {
            for waits in [0, 130, 240] {
                let attempt = Attempt {
                    liar: who,
                    node: core,
                    greets,
                    waits: Duration::from_millis(waits),
                    frames: frames.clone(),
                };
                let caught = capture(world, &attempt, Duration::from_secs(1));
                ends.push((format!("{why}, {name}, after {waits} ms"), caught));
            }
        }
    }
    let (_, first) = ends.first().expect("many").clone();
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(first[0].0, SORRY_EVERY.as_millis() as u64);
    for (why, caught) in &ends {
        assert_eq!(*caught, first, "{why}");
    }
    // Whoever does nothing wrong, or is not understood, has the same end at its time.
    let bye = first[0].1.clone();
    let end = STRANGER_TIME.as_millis() as u64;
    let silent = specimens(&said).into_iter().filter(|bytes| {
        let frame = Frame::decode(bytes).expect("honest");
        matches!(
            frame,
            Frame::Tags { .. } | Frame::Show { .. } | Frame::GrantAsk { .. } | Frame::Topic { .. }
        )
    });
    // Of boxes two: beyond what a stranger may say it would end sooner, and for that reason.
    let mut boxes = 0;
    let silent: Vec<Vec<u8>> = silent
        .filter(|bytes| {
            let frame = Frame::decode(bytes).expect("honest");
            let held = matches!(&frame, Frame::Topic { frame, .. } if is_box(frame));
            boxes += usize::from(held);
            !held || boxes <= 2
        })
        .collect();
    let said = silent.iter().map(Vec::len).sum::<usize>() + hello(world).encode().len();
    assert!(said <= usize::try_from(STRANGER_BYTES).expect("small"));
    for frames in [Vec::new(), silent] {
        for who in [liar, denied] {
            let attempt = Attempt {
                liar: who,
                node: core,
                greets: true,
                waits: Duration::ZERO,
                frames: frames.clone(),
            };
            let caught = capture(world, &attempt, Duration::from_secs(12));
            assert_eq!(caught, [(end, bye.clone())]);
        }
    }
    cast.talk_goes_on();
}

/// A box is there or not, for whoever is denied or not: the answers have one length, and whoever asks
/// too often hears what everybody hears.
#[test]
fn an_outsider_who_asks_for_boxes_learns_nothing() {
    let (mut cast, said) = cast(72);
    let core = cast.one;
    let world = &mut cast.world;
    let (liar, denied) = (world.add_liar("Liar"), world.add_liar("Denied"));
    deny(world, core, denied);
    let asks = said_to(&said, core, |frame| {
        matches!(frame, Frame::InviteGet { .. })
    });
    let there = asks.first().expect("Bob and Carol asked").clone();
    let nowhere = Frame::InviteGet { loc: [7; 32] }.encode();
    let mut lengths = Vec::new();
    let mut given = Vec::new();
    for who in [liar, denied] {
        for ask in [&there, &nowhere] {
            let link = world.connect(who, Some(0), core);
            let greeting = hello(world).encode();
            world.inject(link, greeting);
            world.inject(link, ask.clone());
            world.settle();
            let answers = heard(world, who, link);
            let sealed = answers.into_iter().find_map(|frame| match frame {
                Frame::InviteBox { sealed, .. } => Some(sealed),
                _ => None,
            });
            let sealed = sealed.expect("an answer");
            lengths.push(sealed.len());
            given.push(sealed);
            world.tear(link);
            world.pass(Duration::from_secs(120));
        }
    }
    assert!(lengths.iter().all(|len| *len == lengths[0]), "{lengths:?}");
    let honest: Vec<Vec<u8>> = said
        .iter()
        .filter_map(|(_, _, bytes)| match Frame::decode(bytes) {
            Ok(Frame::InviteBox { sealed, .. }) => Some(sealed),
            _ => None,
        })
        .collect();
    assert!(
        honest.contains(&given[0]),
        "the box itself, to whoever has the link"
    );
    assert!(!honest.contains(&given[2]), "not to whoever is denied");
    let attempt = Attempt {
        liar,
        node: core,
        greets: true,
        waits: Duration::ZERO,
        frames: vec![nowhere; 200],
    };
    let caught = capture(world, &attempt, Duration::from_secs(1));
    assert!(!caught.is_empty(), "that was too often");
    let (at, bytes) = caught[0].clone();
    assert_eq!(at, SORRY_EVERY.as_millis() as u64);
    assert!(caught.iter().all(|(_, other)| *other == bytes));
    let shown = Frame::decode(&bytes).expect("honest");
    assert!(
        matches!(
            shown,
            Frame::Refused {
                code: Code::STRANGER,
                ..
            }
        ),
        "{shown:?}"
    );
    cast.talk_goes_on();
}

/// The link itself costs a node one check of a signature, below this. Beyond that an outsider's flood
/// makes it check nothing, store nothing, and say nothing to anybody else.
#[test]
fn a_flood_from_outside_costs_no_check_no_row_and_no_frame_to_others() {
    let (mut cast, said) = cast(73);
    let (core, alice) = (cast.one, cast.alice);
    let world = &mut cast.world;
    let flood = specimens(&said);
    let liars: Vec<usize> = (0..8)
        .map(|n| world.add_liar(&format!("Liar {n}")))
        .collect();
    for node in [core, alice] {
        world.pass(Duration::from_secs(1200));
        let before = world.disk(node).clone();
        let checks = world.checks.clone();
        let out: Rc<RefCell<Vec<(usize, u16)>>> = Rc::default();
        let tap = Rc::clone(&out);
        world.tamper = Some(Box::new(move |from, to, bytes| {
            if from == node {
                let kind = u16::from(Frame::decode(&bytes).expect("honest").kind());
                tap.borrow_mut().push((to, kind));
            }
            vec![bytes]
        }));
        for round in 0..25 {
            for liar in &liars {
                let link = world.connect(*liar, Some(0), node);
                world.inject(link, hello(world).encode());
                for bytes in &flood {
                    world.inject(link, bytes.clone());
                }
            }
            world.pass(Duration::from_millis(200 + round));
        }
        world.tamper = None;
        assert_eq!(world.checks, checks, "200 links, and not one signature");
        for (to, kind) in out.borrow().iter() {
            let live = [
                Frame::Ping { nonce: 0 }.kind(),
                Frame::Pong { nonce: 0 }.kind(),
            ];
            let live = live.map(u16::from);
            assert!(liars.contains(to) || live.contains(kind), "{kind} to {to}");
            let asks = Frame::GrantAsk {
                grant: identity::GrantId::from_bytes([0; 32]),
            };
            assert_ne!(
                *kind,
                u16::from(asks.kind()),
                "nothing to check is asked for"
            );
        }
        world.pass(Duration::from_secs(20));
        assert_same_disk(world, node, &before, "a flood from outside");
    }
    cast.talk_goes_on();
}

const fn is_box(frame: &TopicFrame) -> bool {
    matches!(frame, TopicFrame::Box(_))
}
