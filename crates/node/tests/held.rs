//! One turn's commit is held back, and everything is asked that can be asked: the node reveals
//! nothing of that turn.

use crate::liars::Said;
use crate::restored::pair;
use crate::story::{found, invite, join, send, use_core};
use crate::world::{Commits, Slipped, World};
use node::command::{Command, ReadFrom, Reply, RequestId, WaitFor};
use node::{Held, Input};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wire::{Frame, TopicFrame};

/// Every question that an application can ask without changing anything, and some that do.
fn questions(id: &str, peer: &str) -> Vec<Command> {
    let tea = || "tea".to_owned();
    let wait = |state| Command::Wait {
        id: id.to_owned(),
        state,
        of: Some(1),
        timeout_ms: 3_000,
    };
    let read = |from| Command::Read {
        topic: tea(),
        from,
        limit: 50,
    };
    vec![
        Command::Status,
        Command::Identity,
        Command::Peers,
        Command::CoreClients,
        Command::CoreList,
        Command::Topics,
        Command::TopicInfo { topic: tea() },
        read(ReadFrom::Last),
        read(ReadFrom::After(0)),
        read(ReadFrom::Cursor),
        read(ReadFrom::Time(0)),
        read(ReadFrom::AfterMessage(id.to_owned())),
        wait(WaitFor::Stored),
        wait(WaitFor::Held),
        wait(WaitFor::Delivered),
        Command::Inbox {
            after: 0,
            limit: 10,
        },
        Command::Why { id: None },
        Command::Why {
            id: Some(id.to_owned()),
        },
        Command::PingNode {
            node: peer.to_owned(),
            timeout_ms: 3_000,
        },
        Command::Confirm { topic: tea(), n: 1 },
        Command::Invite {
            rights: Vec::new(),
            messages: None,
            while_away: true,
            topic: tea(),
            uses: 1,
            until: None,
        },
        Command::SetName {
            name: "Another".to_owned(),
        },
        Command::Send {
            to: tea(),
            messages: vec![b"more".to_vec()],
            expires: None,
            best_effort: false,
        },
    ]
}

/// Holds back the commits of a node, lets `turn` happen, asks everything on every path, and sees
/// that nothing came out. Then commits, and sees that the answers come.
fn nothing_comes_out(world: &mut World, node: usize, id: &str, turn: impl FnOnce(&mut World)) {
    let past: Rc<RefCell<Said>> = Rc::default();
    let tap = Rc::clone(&past);
    world.tamper = Some(Box::new(move |from, to, bytes| {
        tap.borrow_mut().push((from, to, bytes.clone()));
        vec![bytes]
    }));
    world.nodes[node].commits = Commits::Held;
    turn(world);
    world.settle();
    // A moment, for what is done a little later: receipts, pushing, tidings.
    world.pass(Duration::from_millis(600));
    assert!(
        world.is_holding(node),
        "the turn has something to keep back"
    );
    let peer = (0..world.nodes.len())
        .find(|other| *other != node)
        .expect("another");
    let peer = world.id(peer).to_string();
    let mut requests = Vec::new();
    for (number, command) in (1_u64 << 50..).zip(questions(id, &peer)) {
        requests.push(RequestId(number));
        world.input(
            node,
            Input::Command {
                request: RequestId(number),
                command,
            },
        );
    }
    let again: Vec<_> = past
        .borrow()
        .iter()
        .filter(|(_, to, _)| *to == node)
        .cloned()
        .collect();
    for (from, _, bytes) in again {
        if let Some(link) = world.link(from, node) {
            world.inject(link, bytes);
        }
    }
    world.pass(Duration::from_secs(5));
    let own = world.id(node);
    for slipped in std::mem::take(&mut world.nodes[node].slipped) {
        match slipped {
            Slipped::Held(Held::Frame { bytes, .. }) => {
                panic!("a frame: {:?}", Frame::decode(&bytes))
            }
            Slipped::Held(other) => panic!("{other:?}"),
            Slipped::Courtesy(bytes) => {
                let frame = Frame::decode(&bytes).expect("its own frame");
                let plain = matches!(
                    frame,
                    Frame::Bye { .. } | Frame::Ping { .. } | Frame::Pong { .. }
                );
                assert!(plain, "{frame:?}");
            }
            Slipped::Verbatim(bytes) => {
                // What others have signed may be passed on; it says nothing about this node.
                match Frame::decode(&bytes).expect("its own frame") {
                    Frame::Topic {
                        frame: TopicFrame::Envelopes { envelopes, .. },
                        ..
                    } => {
                        for raw in envelopes {
                            let header = wire::decode_header(&raw.header_bytes).expect("verified");
                            assert_ne!(header.author.node_id(), own, "its own envelope");
                            assert!(!is_own(world, node, &header), "its own envelope");
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
            Slipped::Other => {}
        }
    }
    for request in &requests {
        assert!(!world.nodes[node].replies.contains_key(request));
    }
    world.nodes[node].commits = Commits::Now;
    world.commit(node, usize::MAX);
    world.pass(Duration::from_secs(10));
    for request in &requests {
        assert!(
            world.nodes[node].replies.contains_key(request),
            "{request:?} is answered now"
        );
    }
    world.tamper = None;
}

/// Whether this node's device wrote an envelope, as far as another node's disk tells.
fn is_own(world: &World, node: usize, header: &wire::Header) -> bool {
    let Some(topic) = header.topic() else {
        return false;
    };
    crate::witness::on_disk(world.disk(node), &topic, |lace, _| {
        let device = world.nodes[node]
            .config
            .device
            .key_in(topic, lace.genesis())
            .public();
        lace.author(&header.author)
            .is_none_or(|author| *author.device() == device)
    })
    .unwrap_or(false)
}

fn say(world: &mut World, node: usize, to: &str, text: &str) {
    let command = Command::Send {
        to: to.to_owned(),
        messages: vec![text.as_bytes().to_vec()],
        expires: None,
        best_effort: false,
    };
    world.input(
        node,
        Input::Command {
            request: RequestId(7 << 32),
            command,
        },
    );
}

#[test]
fn of_an_own_message() {
    let (mut world, alice, _) = pair(40);
    let id = send(&mut world, alice, "tea", "known");
    nothing_comes_out(&mut world, alice, &id, |world| {
        say(world, alice, "tea", "secret")
    });
}

#[test]
fn of_an_envelope_that_came_and_came_again() {
    let (mut world, alice, bob) = pair(41);
    let id = send(&mut world, alice, "tea", "known");
    nothing_comes_out(&mut world, alice, &id, |world| {
        say(world, bob, "tea", "received")
    });
}

#[test]
fn of_an_envelope_at_a_core_node() {
    let mut world = World::new(42);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, alice, core);
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(2));
    world.cut_off(alice, bob);
    let id = send(&mut world, alice, "tea", "known");
    nothing_comes_out(&mut world, core, &id, |world| {
        say(world, alice, "tea", "for the core")
    });
}

#[test]
fn of_a_receipt() {
    let (mut world, alice, bob) = pair(43);
    world.cut_off(alice, bob);
    world.pass(Duration::from_secs(1));
    let id = send(&mut world, alice, "tea", "known");
    world.cut.clear();
    nothing_comes_out(&mut world, alice, &id, |world| {
        world.pass(Duration::from_secs(30))
    });
}

#[test]
fn of_an_invite_and_its_box() {
    let (mut world, alice, _) = pair(44);
    let id = send(&mut world, alice, "tea", "known");
    nothing_comes_out(&mut world, alice, &id, |world| {
        let command = Command::Invite {
            rights: Vec::new(),
            messages: None,
            while_away: true,
            topic: "tea".to_owned(),
            uses: 1,
            until: None,
        };
        world.input(
            alice,
            Input::Command {
                request: RequestId(7 << 32),
                command,
            },
        );
    });
}

#[test]
fn of_a_join() {
    let (mut world, alice, _) = pair(45);
    let link = invite(&mut world, alice, "tea", 1);
    let id = send(&mut world, alice, "tea", "known");
    let carol = world.add("Carol", false);
    found(&mut world, carol, "tea");
    let looked = world.ask(
        carol,
        Command::JoinLook {
            link: link.clone(),
            timeout_ms: 30_000,
        },
    );
    assert!(matches!(looked, Reply::Invitation { .. }));
    nothing_comes_out(&mut world, carol, &id, |world| {
        let command = Command::Join {
            link,
            name: None,
            timeout_ms: 2_000,
        };
        world.input(
            carol,
            Input::Command {
                request: RequestId(7 << 32),
                command,
            },
        );
    });
}

#[test]
fn of_a_newcomer_at_a_member() {
    let (mut world, alice, _) = pair(46);
    let link = invite(&mut world, alice, "tea", 1);
    let id = send(&mut world, alice, "tea", "known");
    let carol = world.add("Carol", false);
    world.ask(
        carol,
        Command::JoinLook {
            link: link.clone(),
            timeout_ms: 30_000,
        },
    );
    nothing_comes_out(&mut world, alice, &id, |world| {
        say(world, alice, "tea", "first");
        let command = Command::Join {
            link,
            name: None,
            timeout_ms: 2_000,
        };
        world.input(
            carol,
            Input::Command {
                request: RequestId(7 << 32),
                command,
            },
        );
    });
}

#[test]
fn of_unicast() {
    for sending in [true, false] {
        let (mut world, alice, bob) = pair(47);
        let id = send(&mut world, alice, "tea", "known");
        let (from, to) = if sending { (alice, bob) } else { (bob, alice) };
        let to = world.id(to).to_string();
        nothing_comes_out(&mut world, alice, &id, |world| {
            say(world, from, &to, "for you")
        });
    }
}

#[test]
fn of_an_agreement_with_a_client() {
    let (mut world, alice, _) = pair(48);
    let id = send(&mut world, alice, "tea", "known");
    let core = world.add("core", true);
    found(&mut world, core, "tea");
    let Reply::CoreInvited { link, .. } = world.ask(
        core,
        Command::CoreInvite {
            quota: 1 << 30,
            uses: 1,
        },
    ) else {
        panic!("no invite");
    };
    nothing_comes_out(&mut world, core, &id, |world| {
        // Something of its own is staged first, so that no later turn can be let out for itself.
        world.input(
            core,
            Input::Command {
                request: RequestId(7 << 32),
                command: Command::CoreInvite {
                    quota: 1 << 30,
                    uses: 1,
                },
            },
        );
        let command = Command::CoreUse { link };
        world.input(
            alice,
            Input::Command {
                request: RequestId(8 << 32),
                command,
            },
        );
    });
}
