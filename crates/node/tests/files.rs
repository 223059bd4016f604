//! Files, seen from whole nodes: what is shared is held with its blocks, and comes from whoever has it.

use crate::story::{found, invite, join, use_core, wait};
use crate::world::World;
use node::command::files::{File, FilesCommand, FilesReply};
use node::command::{Code, Command, LineKind, ReadFrom, Reply, WaitFor};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use wire::{Frame, TopicFrame};

const PATH: &str = "/home/alice/tea.pdf";
pub(crate) const TO: &str = "/home/bob/tea.pdf";

/// A core node, with Alice and Bob in a topic that it holds.
pub(crate) fn garden(seed: u8) -> (World, [usize; 3]) {
    let mut world = World::new(seed);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, bob, core);
    use_core(&mut world, alice, core);
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(10));
    (world, [core, alice, bob])
}

/// Bytes of a file that are nowhere the same.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let word = |n: usize| (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    (0..length.div_ceil(8))
        .flat_map(word)
        .take(length)
        .collect()
}

pub(crate) fn share(
    world: &mut World,
    node: usize,
    bytes: Vec<u8>,
    expires: Option<u64>,
) -> String {
    world.nodes[node]
        .outside
        .files
        .insert(PATH.to_owned(), bytes);
    let share = FilesCommand::Share {
        topic: "tea".to_owned(),
        path: PATH.to_owned(),
        expires,
    };
    match world.ask(node, Command::Files(share)) {
        Reply::Sent { ids, .. } => ids[0].to_string(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn is_held(world: &mut World, node: usize, id: &str) {
    let reply = wait(world, node, id, WaitFor::Held, None);
    assert!(matches!(reply, Reply::Reached { .. }), "{reply:?}");
}

pub(crate) fn files(world: &mut World, node: usize) -> Vec<File> {
    let list = FilesCommand::List {
        topic: "tea".to_owned(),
    };
    match world.ask(node, Command::Files(list)) {
        Reply::Files(FilesReply::Files { files, .. }) => files,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn get(world: &mut World, node: usize, file: &str, patience: Duration) -> Reply {
    let get = FilesCommand::Get {
        topic: "tea".to_owned(),
        file: file.to_owned(),
        to: TO.to_owned(),
        timeout_ms: u64::try_from(patience.as_millis()).expect("short"),
    };
    world.ask(node, Command::Files(get))
}

/// Blocks pass from one node to another as long as this says so.
pub(crate) fn gate(world: &mut World, from: usize, to: usize) -> Rc<Cell<bool>> {
    let open = Rc::new(Cell::new(false));
    let asked = Rc::clone(&open);
    world.tamper = Some(Box::new(move |a, b, bytes| {
        let frame = Frame::decode(&bytes);
        let blocks = matches!(
            frame,
            Ok(Frame::Topic {
                frame: TopicFrame::Blocks { .. },
                ..
            })
        );
        let stops = (a, b) == (from, to) && blocks && !asked.get();
        if stops { Vec::new() } else { vec![bytes] }
    }));
    open
}

#[test]
fn a_file_comes_through_a_core_node_when_its_author_is_away() {
    for length in [1, 16_383, 16_384, 3 << 20] {
        let (mut world, [core, alice, bob]) = garden(31);
        world.down(bob);
        let id = share(&mut world, alice, bytes(length), None);
        is_held(&mut world, alice, &id);
        world.down(alice);
        world.up(bob);
        world.pass(Duration::from_secs(10));
        let shown = files(&mut world, bob);
        assert_eq!(shown.len(), 1);
        let file = &shown[0];
        assert_eq!((file.name.as_str(), file.size), ("tea.pdf", length as u64));
        assert_eq!((file.from.as_str(), file.have), ("Alice", 0));
        assert!(file.parts > 0 && !file.wanted);
        match get(&mut world, bob, "tea.pdf", Duration::from_secs(50)) {
            Reply::Files(FilesReply::Got { file, to, .. }) => {
                assert_eq!((file.have, to.as_str()), (file.parts, TO));
            }
            other => panic!("{other:?}"),
        }
        assert!(
            world.nodes[bob].outside.files[TO] == bytes(length),
            "every byte"
        );
        // The core node has one content, and nothing of the file or its name can be read in it.
        let contents = world.nodes[core].outside.contents.iter();
        let contents: Vec<&[u8]> = contents.map(|(_, content)| content).collect();
        assert_eq!(contents.len(), 1);
        let clear = bytes(length);
        assert!(length < 64 || !contents[0].windows(64).any(|some| *some == clear[..64]));
        let lines = Command::Read {
            topic: "tea".to_owned(),
            from: ReadFrom::Last,
            limit: 1,
        };
        match world.ask(bob, lines) {
            Reply::Lines { lines, .. } => {
                let LineKind::File {
                    size, have, parts, ..
                } = &lines[0].kind
                else {
                    panic!("{:?}", lines[0]);
                };
                assert!((*size, *have) == (length as u64, *parts) && lines[0].text == "tea.pdf");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn held_is_said_when_all_blocks_are_here_and_not_before() {
    let (mut world, [core, alice, _]) = garden(32);
    let open = gate(&mut world, alice, core);
    let id = share(&mut world, alice, bytes(1 << 20), None);
    match wait(&mut world, alice, &id, WaitFor::Held, None) {
        Reply::Failed(failure) => assert_eq!(failure.code, Code::NotYet),
        other => panic!("{other:?}"),
    }
    // What comes after it on the same chain is held all the same.
    let text = crate::story::send(&mut world, alice, "tea", "later");
    is_held(&mut world, alice, &text);
    open.set(true);
    world.pass(Duration::from_secs(100));
    is_held(&mut world, alice, &id);
    // And it is so: it survives that the author is gone for good.
    world.down(alice);
    world.down(core);
    world.up(core);
    world.pass(Duration::from_secs(5));
    let contents = &world.nodes[core].outside.contents;
    assert!(contents.iter().any(|(_, content)| content.len() >= 1 << 20));
}

#[test]
fn fetching_goes_on_after_restarts_and_ends_where_it_was_to() {
    let (mut world, [core, alice, bob]) = garden(33);
    let id = share(&mut world, alice, bytes(9 << 20), None);
    is_held(&mut world, alice, &id);
    world.down(alice);
    let open = gate(&mut world, core, bob);
    open.set(true);
    for _ in 0..3 {
        let reply = get(&mut world, bob, &id, Duration::ZERO);
        assert!(
            matches!(reply, Reply::Failed(_) | Reply::Files(_)),
            "{reply:?}"
        );
        world.pass(Duration::from_micros(1));
        world.down(bob);
        world.up(bob);
        world.down(core);
        world.up(core);
    }
    world.pass(Duration::from_secs(120));
    // It was wanted, so it is here, whether or not somebody still waits.
    let file = &files(&mut world, bob)[0];
    assert_eq!(file.have, file.parts);
    world.nodes[bob].outside.files.clear();
    let n = file.n.to_string();
    let got = get(&mut world, bob, &n, Duration::from_secs(1));
    assert!(
        matches!(got, Reply::Files(FilesReply::Got { .. })),
        "{got:?}"
    );
    assert!(world.nodes[bob].outside.files[TO] == bytes(9 << 20));
}

#[test]
fn a_file_that_a_core_node_has_no_room_for_is_refused_with_its_reason() {
    let (mut world, [core, alice, _]) = garden(34);
    let quota = world.nodes[core].config.custody.quota.bytes;
    assert!(quota > 1 << 20, "else the test asks for too much");
    let node = world.id(alice).to_string();
    let small = Command::CoreAllow {
        node,
        quota: 1 << 20,
    };
    assert!(!matches!(world.ask(core, small), Reply::Failed(_)));
    world.pass(Duration::from_secs(2));
    world.nodes[alice]
        .outside
        .files
        .insert(PATH.to_owned(), bytes(2 << 20));
    let share = FilesCommand::Share {
        topic: "tea".to_owned(),
        path: PATH.to_owned(),
        expires: None,
    };
    let Reply::Sent { ids, warnings } = world.ask(alice, Command::Files(share)) else {
        panic!("it is shared")
    };
    let told = warnings.iter().any(|it| it.code == "core-too-small");
    assert!(told, "{warnings:?}");
    let id = ids[0].to_string();
    world.pass(Duration::from_secs(60));
    match world.ask(alice, Command::Why { id: Some(id) }) {
        Reply::Why(why) => {
            assert!(
                why.states.iter().all(|state| state.state != "held"),
                "{why:?}"
            );
            let told = format!("{why:?}");
            assert!(told.contains("quota") || told.contains("room"), "{told}");
        }
        other => panic!("{other:?}"),
    }
    assert!(world.nodes[core].outside.contents.is_empty());
}

#[test]
fn what_has_expired_or_was_dropped_takes_no_room() {
    let (mut world, [core, alice, bob]) = garden(35);
    let at = world.wall().as_millis() + 3_600_000;
    let id = share(&mut world, alice, bytes(1 << 20), Some(at));
    is_held(&mut world, alice, &id);
    let got = get(&mut world, bob, &id, Duration::from_secs(50));
    assert!(matches!(got, Reply::Files(_)), "{got:?}");
    assert_eq!(world.nodes[bob].outside.contents.len(), 1);
    let drop = FilesCommand::Drop {
        topic: "tea".to_owned(),
        file: id.clone(),
    };
    assert_eq!(world.ask(bob, Command::Files(drop)), Reply::Done);
    world.pass(Duration::from_secs(1));
    assert!(world.nodes[bob].outside.contents.is_empty());
    assert_eq!(files(&mut world, bob)[0].have, 0);
    // It can be had again from those who have it.
    world.nodes[bob].outside.files.clear();
    let got = get(&mut world, bob, &id, Duration::from_secs(50));
    assert!(matches!(got, Reply::Files(_)), "{got:?}");
    world.pass(Duration::from_secs(2 * 3_600));
    for node in [core, alice, bob] {
        assert!(world.nodes[node].outside.contents.is_empty(), "node {node}");
    }
    assert!(files(&mut world, bob).is_empty());
}

#[test]
fn what_no_record_names_is_removed_at_the_start() {
    let (mut world, [_, alice, _]) = garden(36);
    share(&mut world, alice, bytes(100_000), None);
    world.down(alice);
    let stray = machine::ContentName([9; 32]);
    world.nodes[alice]
        .outside
        .contents
        .insert(stray, vec![1; 10]);
    world.up(alice);
    world.pass(Duration::from_secs(1));
    let contents = &world.nodes[alice].outside.contents;
    assert!(contents.len() == 1 && contents.get(&stray).is_none());
}
