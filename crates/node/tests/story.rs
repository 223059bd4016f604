//! People who come and go, and core nodes that stay.

use crate::world::World;
use node::command::{Code, Command, LineKind, ReadFrom, Reply, WaitFor};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use wire::Frame;

pub(crate) fn found(world: &mut World, node: usize, name: &str) -> String {
    match world.ask(
        node,
        Command::TopicCreate {
            name: name.to_owned(),
            messages: None,
        },
    ) {
        Reply::Topic { id, .. } => id.to_string(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn invite(world: &mut World, node: usize, topic: &str, uses: u32) -> String {
    let command = Command::Invite {
        rights: Vec::new(),
        messages: None,
        while_away: true,
        topic: topic.to_owned(),
        uses,
        until: None,
    };
    match world.ask(node, command) {
        Reply::Invited { link, .. } => link,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn join(world: &mut World, node: usize, link: &str) {
    let command = Command::Join {
        link: link.to_owned(),
        name: None,
        timeout_ms: 30_000,
    };
    match world.ask(node, command) {
        Reply::Topic { .. } => {}
        other => panic!("{other:?}"),
    }
}

pub(crate) fn send(world: &mut World, node: usize, topic: &str, text: &str) -> String {
    let command = Command::Send {
        to: topic.to_owned(),
        messages: vec![text.as_bytes().to_vec()],
        expires: None,
        best_effort: false,
    };
    match world.ask(node, command) {
        Reply::Sent { ids, .. } => ids[0].to_string(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn texts(world: &mut World, node: usize, topic: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut after = 0;
    loop {
        let from = ReadFrom::After(after);
        match world.ask(
            node,
            Command::Read {
                topic: topic.to_owned(),
                from,
                limit: 500,
            },
        ) {
            Reply::Lines {
                lines, last, more, ..
            } => {
                let text = lines.iter().filter(|line| line.kind == LineKind::Text);
                texts.extend(text.map(|line| line.text.clone()));
                after = last;
                if !more {
                    return texts;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn wait(
    world: &mut World,
    node: usize,
    id: &str,
    state: WaitFor,
    of: Option<u32>,
) -> Reply {
    let command = Command::Wait {
        id: id.to_owned(),
        state,
        of,
        timeout_ms: 20_000,
    };
    world.ask(node, command)
}

pub(crate) fn use_core(world: &mut World, client: usize, core: usize) {
    let Reply::CoreInvited { link, .. } = world.ask(
        core,
        Command::CoreInvite {
            quota: 1 << 30,
            uses: 1,
        },
    ) else {
        panic!("no invite");
    };
    match world.ask(client, Command::CoreUse { link }) {
        Reply::CoreUsed { .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_people_talk() {
    let mut world = World::new(1);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, "tea");
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    let id = send(&mut world, alice, "tea", "The kettle is on");
    let reached = wait(&mut world, alice, &id, WaitFor::Delivered, None);
    assert_eq!(
        reached,
        Reply::Reached {
            state: WaitFor::Delivered,
            count: 1,
            of: 1
        }
    );
    let id = send(&mut world, bob, "tea", "On my way");
    wait(&mut world, bob, &id, WaitFor::Delivered, None);
    world.pass(Duration::from_secs(2));
    assert_eq!(
        texts(&mut world, alice, "tea"),
        ["The kettle is on", "On my way"]
    );
    assert_eq!(
        texts(&mut world, bob, "tea"),
        ["The kettle is on", "On my way"]
    );
}

#[test]
fn a_core_node_keeps_what_the_absent_miss() {
    let mut world = World::new(2);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, alice, core);
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(2));
    world.down(bob);
    let id = send(&mut world, alice, "tea", "Bring a cup");
    let held = wait(&mut world, alice, &id, WaitFor::Held, None);
    assert_eq!(
        held,
        Reply::Reached {
            state: WaitFor::Held,
            count: 1,
            of: 1
        }
    );
    world.down(alice);
    world.up(bob);
    world.pass(Duration::from_secs(20));
    assert_eq!(texts(&mut world, bob, "tea"), ["Bring a cup"]);
    world.down(bob);
    world.up(alice);
    let reached = wait(&mut world, alice, &id, WaitFor::Delivered, None);
    assert_eq!(
        reached,
        Reply::Reached {
            state: WaitFor::Delivered,
            count: 1,
            of: 1
        }
    );
}

#[test]
fn joining_works_while_the_inviter_is_away() {
    let mut world = World::new(3);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, alice, core);
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 1);
    world.pass(Duration::from_secs(2));
    world.down(alice);
    let look = Command::JoinLook {
        link: link.clone(),
        timeout_ms: 30_000,
    };
    match world.ask(bob, look) {
        Reply::Invitation {
            topic_name,
            inviter_name,
            ..
        } => {
            assert_eq!(
                (topic_name.as_str(), inviter_name.as_str()),
                ("tea", "Alice")
            );
        }
        other => panic!("{other:?}"),
    }
    join(&mut world, bob, &link);
    send(&mut world, bob, "tea", "Anybody here?");
    world.pass(Duration::from_secs(5));
    world.down(bob);
    world.up(alice);
    world.pass(Duration::from_secs(20));
    assert_eq!(texts(&mut world, alice, "tea"), ["Anybody here?"]);
}

/// Alice uses two core nodes. Her link names one of them, Bob uses the other, and reaches neither her
/// nor the one that is named.
#[test]
fn a_box_is_looked_for_at_a_core_node_that_both_use() {
    let mut world = World::new(44);
    let (one, two) = (world.add("core one", true), world.add("core two", true));
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, alice, one);
    use_core(&mut world, alice, two);
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 1);
    world.pass(Duration::from_secs(2));
    let named: wire::JoinLink = link.parse().expect("a link");
    let names = |core: usize| named.at.iter().any(|way| way.node == world.id(core));
    let (named, other) = if names(one) { (one, two) } else { (two, one) };
    assert!(!names(other));
    use_core(&mut world, bob, other);
    world.down(alice);
    world.down(named);
    join(&mut world, bob, &link);
    send(&mut world, bob, "tea", "Anybody here?");
    world.pass(Duration::from_secs(5));
    world.down(bob);
    world.up(alice);
    world.pass(Duration::from_secs(20));
    assert_eq!(texts(&mut world, alice, "tea"), ["Anybody here?"]);
}

/// What clients told their core nodes of one another outlasts the clients' being there.
#[test]
fn core_nodes_that_start_anew_find_one_another_without_their_clients() {
    let mut world = World::new(45);
    let (one, two) = (world.add("core one", true), world.add("core two", true));
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, alice, one);
    use_core(&mut world, bob, two);
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(120));
    for node in [alice, bob, one, two] {
        world.down(node);
    }
    world.up(one);
    world.up(two);
    world.pass(Duration::from_secs(20));
    assert!(world.link(one, two).is_some());
}

/// Alice uses core 1, Bob core 2, Carol is Alice's guest; no two of the three are ever up together.
#[test]
fn three_people_who_never_meet() {
    let mut world = World::new(4);
    let (one, two) = (world.add("core one", true), world.add("core two", true));
    let people = [
        world.add("Alice", false),
        world.add("Bob", false),
        world.add("Carol", false),
    ];
    let [alice, bob, carol] = people;
    use_core(&mut world, alice, one);
    use_core(&mut world, bob, two);
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 2);
    world.pass(Duration::from_secs(2));
    world.down(alice);
    world.down(bob);
    join(&mut world, carol, &link);
    world.pass(Duration::from_secs(5));
    world.down(carol);
    world.up(bob);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(30));
    world.down(bob);
    for round in 0..3 {
        for person in people {
            world.up(person);
            world.pass(Duration::from_secs(40));
            let name = world.nodes[person].config.name.clone();
            send(&mut world, person, "tea", &format!("{name} {round}"));
            world.pass(Duration::from_secs(40));
            world.down(person);
            world.pass(Duration::from_secs(40));
        }
    }
    for person in people {
        world.up(person);
        world.pass(Duration::from_secs(60));
        let mut seen = texts(&mut world, person, "tea");
        assert_eq!(
            seen.len(),
            9,
            "{} saw {seen:?}",
            world.nodes[person].config.name
        );
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 9, "nothing twice");
        world.down(person);
    }
}

#[test]
fn a_garbage_link_and_an_unknown_invite_are_told_apart() {
    let mut world = World::new(5);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, "tea");
    let link = invite(&mut world, alice, "tea", 1);
    let code = |reply| match reply {
        Reply::Failed(failure) => failure.code,
        other => panic!("{other:?}"),
    };
    let look = |link: &str| Command::JoinLook {
        link: link.to_owned(),
        timeout_ms: 5_000,
    };
    let cut = &link[..link.len() - 3];
    assert_eq!(code(world.ask(bob, look(cut))), Code::Usage);
    assert_eq!(code(world.ask(bob, look("way:join/hello"))), Code::Usage);
    world.down(alice);
    assert_eq!(code(world.ask(bob, look(&link))), Code::NotYet);
}

#[test]
fn an_invite_that_is_not_to_be_had_is_asked_for_while_somebody_waits() {
    let mut world = World::new(7);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, "tea");
    let text = invite(&mut world, alice, "tea", 1);
    let link: wire::JoinLink = text.parse().expect("a link");
    let made_up = |number: u8| {
        let (seed, at) = ([number; 16], link.at.clone());
        wire::JoinLink { seed, at }.to_text().expect("a link")
    };
    let look = |link: String| Command::JoinLook {
        link,
        timeout_ms: 5_000,
    };
    let taken_up = |world: &World| {
        let kernel = world.nodes[bob].kernel.as_ref().expect("it is up");
        kernel.machine().figures().joining
    };
    world.down(alice);
    // More than are taken up at once.
    for number in 0..80 {
        let Reply::Failed(failure) = world.ask(bob, look(made_up(number))) else {
            panic!("nobody has it");
        };
        assert_eq!(failure.code, Code::NotYet, "{number}: {failure:?}");
    }
    assert_eq!(taken_up(&world), 0, "they are given up");
    world.up(alice);
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    world.tamper = Some(Box::new(move |from, _, bytes| {
        let get = matches!(Frame::decode(&bytes), Ok(Frame::InviteGet { .. }));
        count.set(count.get() + u32::from(get && from == bob));
        vec![bytes]
    }));
    let missed = world.ask(bob, look(made_up(1)));
    let Reply::Failed(failure) = missed else {
        panic!("{missed:?}");
    };
    assert_eq!(failure.code, Code::NotFound);
    assert_eq!(asked.get(), 1, "for the one that somebody waits for");
    world.pass(Duration::from_secs(600));
    assert_eq!(asked.get(), 1, "and not again");
    // What is to be had is had all the same, and kept for the second half.
    let shown = world.ask(bob, look(text.clone()));
    assert!(matches!(shown, Reply::Invitation { .. }), "{shown:?}");
    assert_eq!(taken_up(&world), 1);
    world.pass(Duration::from_secs(600));
    join(&mut world, bob, &text);
}

#[test]
fn unicast_reaches_its_node_once() {
    let mut world = World::new(6);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    // A stranger is refused: each has to know the other.
    let address = world.address(bob);
    world.ask(alice, Command::PeerAdd { address });
    let address = world.address(alice);
    world.ask(bob, Command::PeerAdd { address });
    world.pass(Duration::from_secs(3));
    let to = world.id(bob).to_string();
    let id = send(&mut world, alice, &to, "Just for you");
    let reached = wait(&mut world, alice, &id, WaitFor::Delivered, None);
    assert_eq!(
        reached,
        Reply::Reached {
            state: WaitFor::Delivered,
            count: 1,
            of: 1
        }
    );
    match world.ask(
        bob,
        Command::Inbox {
            after: 0,
            limit: 10,
        },
    ) {
        Reply::Inbox { mails, .. } => {
            assert_eq!(mails.len(), 1);
            assert_eq!(mails[0].text, "Just for you");
        }
        other => panic!("{other:?}"),
    }
    let ping = Command::PingNode {
        node: to,
        timeout_ms: 5_000,
    };
    assert!(matches!(world.ask(alice, ping), Reply::Pong { .. }));
}
