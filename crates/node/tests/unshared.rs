//! Files that their author takes back, that are not to take more room, and that a disk damages.

use crate::files::{TO, bytes, files, garden, get, is_held, share};
use crate::story::{found, invite, join};
use crate::world::World;
use node::command::files::{FilesCommand, FilesReply};
use node::command::{Code, Command, LineKind, ReadFrom, Reply};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(50);

fn unshare(world: &mut World, node: usize, file: &str) -> Reply {
    let unshare = FilesCommand::Unshare {
        topic: "tea".to_owned(),
        file: file.to_owned(),
    };
    world.ask(node, Command::Files(unshare))
}

fn limit(world: &mut World, node: usize, bytes: Option<u64>) {
    let limit = FilesCommand::Limit {
        topic: "tea".to_owned(),
        bytes,
    };
    assert_eq!(world.ask(node, Command::Files(limit)), Reply::Done);
}

/// What files take, and may take.
fn taken(world: &mut World, node: usize) -> (u64, Option<u64>) {
    let topic = "tea".to_owned();
    match world.ask(node, Command::TopicInfo { topic }) {
        Reply::TopicInfo(info) => info.files,
        other => panic!("{other:?}"),
    }
}

fn stored(world: &World, node: usize) -> u64 {
    world.nodes[node].outside.contents.bytes()
}

fn has_failed(reply: &Reply, code: Code) {
    match reply {
        Reply::Failed(failure) => assert_eq!(failure.code, code, "{failure:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_unshared_goes_everywhere_and_its_room_comes_back() {
    let (mut world, [core, alice, bob]) = garden(41);
    let used = |world: &mut World| match world.ask(core, Command::CoreClients) {
        Reply::CoreClients(clients) => clients.iter().map(|client| client.used).sum::<u64>(),
        other => panic!("{other:?}"),
    };
    let before = used(&mut world);
    let id = share(&mut world, alice, bytes(2 << 20), None);
    is_held(&mut world, alice, &id);
    assert!(used(&mut world) > before + (2 << 20));
    assert!(matches!(get(&mut world, bob, &id, SOON), Reply::Files(_)));
    // Nobody but who has shared it takes it back.
    has_failed(&unshare(&mut world, bob, &id), Code::Refused);
    // Who is away hears of it later.
    world.down(bob);
    assert_eq!(unshare(&mut world, alice, &id), Reply::Done);
    world.pass(Duration::from_secs(10));
    for node in [core, alice] {
        assert!(world.nodes[node].outside.contents.is_empty(), "node {node}");
    }
    assert!(used(&mut world) < before + 10_000, "its room is free again");
    world.down(alice);
    world.up(bob);
    world.pass(Duration::from_secs(10));
    assert!(world.nodes[bob].outside.contents.is_empty());
    assert!(files(&mut world, bob).is_empty());
    has_failed(&get(&mut world, bob, &id, SOON), Code::NotFound);
    // What was said of it is still read, with what became of it.
    let read = Command::Read {
        topic: "tea".to_owned(),
        from: ReadFrom::Last,
        limit: 9,
    };
    let Reply::Lines { lines, .. } = world.ask(bob, read) else {
        panic!("lines")
    };
    let file = lines
        .iter()
        .find_map(|line| match &line.kind {
            LineKind::File { unshared, have, .. } => Some((*unshared, *have)),
            _ => None,
        })
        .expect("its line");
    assert_eq!(file, (true, 0));
    // It goes for good: not even a restart or a new member brings it back.
    world.up(alice);
    let link = invite(&mut world, alice, "tea", 1);
    let carol = world.add("Carol", false);
    join(&mut world, carol, &link);
    for node in [core, bob] {
        world.down(node);
        world.up(node);
    }
    world.pass(Duration::from_secs(60));
    for node in 0..world.nodes.len() {
        assert!(world.nodes[node].outside.contents.is_empty(), "node {node}");
    }
    assert!(files(&mut world, carol).is_empty());
    // Shared anew it is another envelope, and there again.
    world.nodes[alice].outside.files.clear();
    let again = share(&mut world, alice, bytes(2 << 20), None);
    is_held(&mut world, alice, &again);
    world.nodes[bob].outside.files.clear();
    assert!(matches!(
        get(&mut world, bob, &again, SOON),
        Reply::Files(_)
    ));
}

#[test]
fn a_file_that_two_have_shared_stays_until_both_take_it_back() {
    let (mut world, [core, alice, bob]) = garden(42);
    let one = share(&mut world, alice, bytes(1 << 20), None);
    is_held(&mut world, alice, &one);
    let two = share(&mut world, bob, bytes(1 << 20), None);
    is_held(&mut world, bob, &two);
    assert_eq!(
        world.nodes[core].outside.contents.len(),
        1,
        "the same blocks"
    );
    assert_eq!(unshare(&mut world, alice, &one), Reply::Done);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.nodes[core].outside.contents.len(), 1);
    assert_eq!(files(&mut world, alice).len(), 1);
    assert_eq!(unshare(&mut world, bob, &two), Reply::Done);
    world.pass(Duration::from_secs(10));
    for node in [core, alice, bob] {
        assert!(world.nodes[node].outside.contents.is_empty(), "node {node}");
    }
}

#[test]
fn who_waits_for_a_file_that_is_taken_back_is_told() {
    let (mut world, [core, alice, bob]) = garden(43);
    let id = share(&mut world, alice, bytes(1 << 20), None);
    world.pass(Duration::from_secs(5));
    // Nothing of it is given while Bob asks.
    let open = crate::files::gate(&mut world, core, bob);
    open.set(false);
    let get = FilesCommand::Get {
        topic: "tea".to_owned(),
        file: id.clone(),
        to: TO.to_owned(),
        timeout_ms: 3_600_000,
    };
    let request = world.begin(bob, Command::Files(get));
    world.pass(Duration::from_secs(5));
    assert!(world.answer(bob, request).is_none(), "it waits");
    assert_eq!(unshare(&mut world, alice, &id), Reply::Done);
    world.pass(Duration::from_secs(10));
    let told = world.answer(bob, request).expect("it is told");
    has_failed(&told, Code::NotFound);
}

#[test]
fn files_take_no_more_than_they_may() {
    let (mut world, [_, alice, bob]) = garden(44);
    let id = share(&mut world, alice, bytes(2 << 20), None);
    is_held(&mut world, alice, &id);
    assert_eq!(taken(&mut world, alice), (stored(&world, alice), None));
    assert_eq!(taken(&mut world, bob), (0, None));
    limit(&mut world, bob, Some(1 << 20));
    has_failed(&get(&mut world, bob, &id, SOON), Code::Refused);
    assert!(world.nodes[bob].outside.contents.is_empty());
    limit(&mut world, bob, Some(3 << 20));
    assert!(matches!(get(&mut world, bob, &id, SOON), Reply::Files(_)));
    let (is, most) = taken(&mut world, bob);
    assert_eq!((is, most), (stored(&world, bob), Some(3 << 20)));
    // What is shared counts as well, and leaves nothing where it does not fit.
    let path = "/home/bob/large".to_owned();
    world.nodes[bob]
        .outside
        .files
        .insert(path.clone(), bytes((1 << 20) + 1));
    let share = FilesCommand::Share {
        topic: "tea".to_owned(),
        path,
        expires: None,
    };
    has_failed(&world.ask(bob, Command::Files(share)), Code::Refused);
    assert_eq!(world.nodes[bob].outside.contents.len(), 1);
    world.down(bob);
    world.up(bob);
    assert_eq!(taken(&mut world, bob), (is, most), "it is remembered");
    let drop = FilesCommand::Drop {
        topic: "tea".to_owned(),
        file: id,
    };
    assert_eq!(world.ask(bob, Command::Files(drop)), Reply::Done);
    limit(&mut world, bob, None);
    assert_eq!(taken(&mut world, bob), (0, None));
}

/// Flips a bit of each content of a node.
fn damage(world: &mut World, node: usize) {
    let contents = &mut world.nodes[node].outside.contents;
    for (name, content) in contents.clone().iter() {
        let mut content = content.to_vec();
        content[40_000] ^= 1;
        contents.insert(*name, content);
    }
}

#[test]
fn what_a_disk_has_damaged_is_fetched_again_when_it_is_asked_for() {
    let (mut world, [_, alice, bob]) = garden(45);
    let id = share(&mut world, alice, bytes(1 << 20), None);
    is_held(&mut world, alice, &id);
    assert!(matches!(get(&mut world, bob, &id, SOON), Reply::Files(_)));
    damage(&mut world, bob);
    world.nodes[bob].outside.files.clear();
    has_failed(&get(&mut world, bob, &id, SOON), Code::NotYet);
    world.pass(Duration::from_secs(5));
    let got = get(&mut world, bob, &id, SOON);
    assert!(
        matches!(got, Reply::Files(FilesReply::Got { .. })),
        "{got:?}"
    );
    assert!(world.nodes[bob].outside.files[TO] == bytes(1 << 20));
}

#[test]
fn what_a_core_node_s_disk_has_damaged_is_noticed_and_held_again_only_when_it_is_whole() {
    let (mut world, [core, alice, bob]) = garden(46);
    let id = share(&mut world, alice, bytes(1 << 20), None);
    is_held(&mut world, alice, &id);
    let good = world.nodes[core].outside.contents.clone();
    damage(&mut world, core);
    // Its author has it still, so it is whole again before anybody misses it.
    world.pass(node::limits::SCRUB_FIRST * 2);
    assert!(world.nodes[core].outside.contents == good, "it is mended");
    // With nobody who has it, nobody is told that it is held.
    world.down(alice);
    damage(&mut world, core);
    world.pass(node::limits::SCRUB_ROUND * 2);
    let lost = files(&mut world, bob);
    assert_eq!(lost.len(), 1);
    world.up(alice);
    world.pass(Duration::from_secs(120));
    assert!(world.nodes[core].outside.contents == good, "it is mended");
    assert!(matches!(get(&mut world, bob, &id, SOON), Reply::Files(_)));
}

#[test]
fn nothing_is_said_to_be_taken_back_of_what_another_topic_has() {
    let (mut world, [_, alice, bob]) = garden(47);
    found(&mut world, alice, "other");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "other", 1);
    join(&mut world, bob, &link);
    let id = share(&mut world, alice, bytes(1 << 20), None);
    is_held(&mut world, alice, &id);
    let other = FilesCommand::Unshare {
        topic: "other".to_owned(),
        file: id.clone(),
    };
    has_failed(&world.ask(alice, Command::Files(other)), Code::NotFound);
    assert!(matches!(get(&mut world, bob, &id, SOON), Reply::Files(_)));
}
