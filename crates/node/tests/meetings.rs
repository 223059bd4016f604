//! Rendezvous: who is told where somebody is, by whom, and what comes of it.

use crate::liars::{heard, hello};
use crate::story::{found, invite, join, send, texts, use_core};
use crate::world::World;
use identity::{NodeId, TopicId};
use node::Input;
use node::acl::{Rule, Rules, Way, Who};
use node::command::{Command, Peer, Reply};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wire::{Frame, TopicFrame};

const CORE: &str = "203.0.113.1:4433";
const ALICE: &str = "203.0.113.2:4433";
const BOB: &str = "203.0.113.3:4433";
const CAROL: &str = "203.0.113.4:4433";

/// What was said of rendezvous: from, to, and what.
type Said = Rc<RefCell<Vec<(usize, usize, TopicFrame)>>>;

/// Alice and Bob talk in a topic through a core node, Carol in another with Bob; none of the three finds
/// another where it says that it is.
struct Stage {
    world: World,
    core: usize,
    alice: usize,
    bob: usize,
    carol: usize,
    tea: TopicId,
    said: Said,
}

impl Stage {
    fn new(seed: u8) -> Self {
        let mut world = World::new(seed);
        let core = world.add("Core", true);
        let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
        let carol = world.add("Carol", false);
        for (node, host) in [(core, CORE), (alice, ALICE), (bob, BOB), (carol, CAROL)] {
            world.hosts.insert(node, host.to_owned());
        }
        for (one, two) in [(alice, bob), (alice, carol), (bob, carol)] {
            world.cut_off(one, two);
        }
        let said = Said::default();
        let tap = Rc::clone(&said);
        world.tamper = Some(Box::new(move |from, to, bytes| {
            if let Ok(Frame::Topic { frame, .. }) = Frame::decode(&bytes)
                && matches!(frame, TopicFrame::Meet { .. } | TopicFrame::Met { .. })
            {
                tap.borrow_mut().push((from, to, frame));
            }
            vec![bytes]
        }));
        for person in [alice, bob, carol] {
            use_core(&mut world, person, core);
        }
        let tea = found(&mut world, alice, "tea").parse().expect("an id");
        found(&mut world, carol, "coffee");
        world.pass(Duration::from_secs(2));
        Self {
            world,
            core,
            alice,
            bob,
            carol,
            tea,
            said,
        }
    }

    /// Bob joins both topics.
    fn joined(seed: u8) -> Self {
        let mut stage = Self::new(seed);
        stage.join();
        stage
    }

    fn join(&mut self) {
        for (host, topic) in [(self.alice, "tea"), (self.carol, "coffee")] {
            let link = invite(&mut self.world, host, topic, 1);
            self.world.pass(Duration::from_secs(2));
            join(&mut self.world, self.bob, &link);
        }
    }

    fn linked(&self, one: usize, two: usize) -> bool {
        self.world.link(one, two).is_some()
    }

    fn peer(&mut self, of: usize, node: usize) -> Peer {
        let id = self.world.id(node);
        match self.world.ask(of, Command::Peers) {
            Reply::Peers(peers) => peers.into_iter().find(|peer| peer.id == id).expect("there"),
            other => panic!("{other:?}"),
        }
    }

    /// Says something in Alice's and Bob's topic as a node on its link with another.
    fn say(&mut self, from: usize, to: usize, frame: TopicFrame) {
        let topic = self.tea;
        let link = self.world.link(from, to).expect("linked");
        let frame = Frame::Topic { topic, frame };
        self.world.inject(link, frame.encode());
    }

    /// What of rendezvous was said to somebody since, and forgets it.
    fn told(&mut self, whom: usize) -> Vec<TopicFrame> {
        let said = self.said.take();
        let to = said.into_iter().filter(|(_, to, _)| *to == whom);
        to.map(|(.., frame)| frame).collect()
    }

    fn meet(&self, node: usize) -> TopicFrame {
        let with = wire::frame::meeting_hash(self.tea, self.world.id(node));
        TopicFrame::Meet { with }
    }

    fn met(&self, node: usize, at: &str) -> TopicFrame {
        let (node, address) = (self.world.id(node), at.parse().expect("an address"));
        TopicFrame::Met { node, address }
    }
}

#[test]
fn two_members_meet_and_need_the_core_node_no_more() {
    let mut stage = Stage::joined(1);
    stage.world.pass(Duration::from_secs(40));
    let (alice, bob, carol) = (stage.alice, stage.bob, stage.carol);
    assert!(stage.linked(alice, bob) && stage.linked(bob, carol));
    assert!(!stage.linked(alice, carol), "they have no topic in common");
    // Both dialled at once, and one link is left.
    let links = stage.world.links().into_iter();
    assert_eq!(
        links
            .filter(|(_, one, two)| (*one, *two) == (alice, bob))
            .count(),
        1
    );
    let core = stage.world.id(stage.core);
    for (one, two, at) in [(alice, bob, BOB), (bob, alice, ALICE)] {
        let peer = stage.peer(one, two);
        assert!(peer.linked && peer.address == at, "{peer:?}");
        assert_eq!(peer.by, Some(core));
    }
    let core = stage.core;
    assert_eq!(stage.peer(alice, core).by, None);
    // Each of the four was told of one other for each topic, by the core node alone, and said little.
    let said = stage.said.borrow().clone();
    for (from, to, frame) in &said {
        match frame {
            TopicFrame::Met { node, .. } => {
                assert_eq!(*from, core);
                assert_ne!(*node, stage.world.id(*to));
            }
            _ => assert_eq!(*to, core),
        }
    }
    assert!(said.len() <= 8, "{said:?}");
    stage.world.down(core);
    send(&mut stage.world, alice, "tea", "directly");
    stage.world.pass(Duration::from_secs(2));
    assert_eq!(texts(&mut stage.world, bob, "tea"), ["directly"]);
}

#[test]
fn nothing_is_said_where_members_find_one_another() {
    let mut stage = Stage::new(2);
    stage.world.cut.clear();
    stage.join();
    stage.world.pass(Duration::from_secs(7_200));
    assert!(stage.linked(stage.alice, stage.bob));
    assert!(stage.said.borrow().is_empty());
}

#[test]
fn where_it_cannot_be_had_nobody_tries_for_long_and_the_core_node_carries_on() {
    let mut stage = Stage::joined(3);
    let (alice, bob) = (stage.alice, stage.bob);
    // Each pair of hosts has a port of its own at these routers: nobody is where the core node says.
    for (node, seen) in [(alice, "203.0.113.2:7001"), (bob, "203.0.113.3:7002")] {
        let links = stage.world.links();
        for (link, ..) in links.into_iter().filter(|(_, one, _)| *one == node) {
            stage.world.tear(link);
        }
        stage.world.hosts.insert(node, seen.to_owned());
    }
    stage.world.pass(Duration::from_secs(5));
    for (node, elsewhere) in [(alice, ALICE), (bob, BOB)] {
        stage.world.hosts.insert(node, elsewhere.to_owned());
    }
    stage.world.pass(Duration::from_secs(24 * 3_600));
    assert!(!stage.linked(alice, bob));
    let knocked = stage.world.knocked.iter();
    let theirs = knocked.filter(|(by, _)| [alice, bob].contains(by)).count();
    assert!((1..=60).contains(&theirs), "{theirs} dials in a day");
    send(&mut stage.world, alice, "tea", "through the core node");
    stage.world.pass(Duration::from_secs(2));
    assert_eq!(
        texts(&mut stage.world, bob, "tea"),
        ["through the core node"]
    );
}

#[test]
fn who_does_not_take_part_learns_nothing_and_nobody_hears_of_it() {
    let mut stage = Stage::joined(4);
    let (alice, bob, carol, core) = (stage.alice, stage.bob, stage.carol, stage.core);
    // Dave takes part too, and comes from where nobody can be.
    let dave = stage.world.add("Dave", false);
    for other in [alice, bob, carol] {
        stage.world.cut_off(other, dave);
    }
    use_core(&mut stage.world, dave, core);
    let link = invite(&mut stage.world, alice, "tea", 1);
    stage.world.pass(Duration::from_secs(2));
    join(&mut stage.world, dave, &link);
    stage.world.pass(Duration::from_secs(100));
    assert!(!stage.linked(alice, dave) && stage.linked(alice, bob));
    stage.said.take();
    // A client of the same core node, who has a topic with Bob, and none with Alice.
    for with in [alice, bob, carol, core] {
        let meet = stage.meet(with);
        stage.say(carol, core, meet);
    }
    // A stranger, and one who passes for a core node.
    let liar = stage.world.add_liar("Liar");
    let link = stage.world.connect(liar, Some(1), core);
    let hello = hello(&stage.world).encode();
    stage.world.inject(link, hello.clone());
    stage.world.pass(Duration::from_secs(1));
    let meet = stage.meet(alice);
    stage.say(liar, core, meet);
    let to_alice = stage.world.connect(liar, Some(1), alice);
    stage.world.inject(to_alice, hello);
    stage.world.pass(Duration::from_secs(1));
    let met = stage.met(bob, "198.51.100.7:4433");
    stage.say(liar, alice, met);
    // A member asks for one who is none, for itself and for the core node; a member plays core node.
    for with in [carol, alice, core, liar] {
        let meet = stage.meet(with);
        stage.say(alice, core, meet);
    }
    for node in [bob, carol, dave] {
        let met = stage.met(node, "198.51.100.7:4433");
        stage.say(bob, alice, met);
    }
    let knocked = stage.world.knocked.len();
    stage.world.pass(Duration::from_secs(5));
    let said = stage.said.take();
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(stage.world.knocked.len(), knocked);
    let told = |frame: &Frame| matches!(frame, Frame::Topic { .. });
    for link in [link, to_alice] {
        assert!(!heard(&stage.world, liar, link).iter().any(told));
    }
}

#[test]
fn who_is_away_and_who_does_not_want_to_look_the_same() {
    let mut stage = Stage::new(5);
    let (alice, bob, core) = (stage.alice, stage.bob, stage.core);
    // Bob lets nothing of Alice in.
    let hers = Who::Keys([*stage.world.id(alice).as_bytes()].into());
    let rule = |(who, messages)| Rule {
        way: Way::In,
        who,
        messages,
        bytes: None,
    };
    let rules = [(hers, Some(0)), (Who::All, None)].map(rule);
    let rules = Rules::new(rules.to_vec());
    let (rules, wrong) = (Some(rules.expect("two")), None);
    stage.world.input(bob, Input::Rules { rules, wrong });
    stage.join();
    stage.world.pass(Duration::from_secs(40));
    assert!(!stage.linked(alice, bob));
    stage.said.take();
    let meet = stage.meet(bob);
    stage.say(alice, core, meet.clone());
    stage.world.pass(Duration::from_secs(15));
    assert_eq!(stage.told(alice), []);
    let by_bob = |(by, at): &(usize, String)| *by == bob && at == ALICE;
    assert!(
        !stage.world.knocked.iter().any(by_bob),
        "nor does Bob dial her"
    );
    stage.world.down(bob);
    stage.world.pass(Duration::from_secs(5));
    stage.said.take();
    stage.say(alice, core, meet);
    stage.world.pass(Duration::from_secs(15));
    assert_eq!(stage.told(alice), []);
}

#[test]
fn a_core_node_that_lies_makes_nobody_dial_much() {
    let mut stage = Stage::joined(6);
    stage.world.pass(Duration::from_secs(40));
    let (alice, bob, carol, core) = (stage.alice, stage.bob, stage.carol, stage.core);
    stage
        .world
        .tear(stage.world.link(alice, bob).expect("they have met"));
    stage.world.pass(Duration::from_secs(1));
    stage.world.knocked.clear();
    stage.said.take();
    for n in 0..2_000_u32 {
        for (node, to) in [
            (alice, bob),
            (bob, alice),
            (carol, alice),
            (core, alice),
            (alice, alice),
        ] {
            let met = stage.met(node, &format!("198.51.100.{}:{}", n % 250, 2_000 + n));
            stage.say(core, to, met);
        }
        let nobody = TopicFrame::Met {
            node: NodeId::from_bytes([9; 32]),
            address: "198.51.100.9:4433".parse().expect("an address"),
        };
        stage.say(core, alice, nobody);
        stage.world.pass(Duration::from_millis(100));
    }
    let knocked: Vec<(usize, String)> = stage.world.knocked.clone();
    assert!((1..=8).contains(&knocked.len()), "{knocked:?}");
    let answered = stage.told(core);
    assert!(answered.len() <= 16, "{answered:?}");
}

#[test]
fn a_member_who_asks_all_the_time_is_passed_on_a_few_times() {
    let mut stage = Stage::joined(7);
    stage.world.pass(Duration::from_secs(100));
    stage.said.take();
    let (alice, bob, core) = (stage.alice, stage.bob, stage.core);
    let meet = stage.meet(bob);
    for _ in 0..5_000 {
        stage.say(alice, core, meet.clone());
    }
    stage.world.pass(Duration::from_secs(30));
    let told = stage.told(bob);
    assert_eq!(told.len(), 32, "they are linked, and he says nothing to it");
    assert!(told.contains(&stage.met(alice, ALICE)));
}

#[test]
fn nothing_is_told_where_the_core_node_sees_no_use_in_it() {
    let mut stage = Stage::new(8);
    let (alice, bob, core) = (stage.alice, stage.bob, stage.core);
    // Over TCP no way is opened; and from IPv4 none leads to IPv6.
    for other in ["tls://203.0.113.3:4433", "[2001:db8::3]:4433"] {
        stage.world.hosts.insert(bob, other.to_owned());
        let link = stage.world.link(bob, core).expect("linked");
        stage.world.tear(link);
        stage.world.pass(Duration::from_secs(5));
        if other.starts_with("tls") {
            stage.join();
        }
        stage.world.pass(Duration::from_secs(60));
        stage.said.take();
        let (to_bob, to_alice) = (stage.meet(bob), stage.meet(alice));
        stage.say(alice, core, to_bob);
        stage.say(bob, core, to_alice);
        stage.world.pass(Duration::from_secs(5));
        assert_eq!((stage.told(alice), stage.told(bob)), (vec![], vec![]));
    }
}

#[test]
fn who_is_reached_by_its_core_nodes_alone_meets_nobody() {
    let mut stage = Stage::new(9);
    let alice = stage.alice;
    stage.world.down(alice);
    stage.world.nodes[alice].config.reach = router::Reach::Core;
    stage.world.up(alice);
    stage.world.pass(Duration::from_secs(30));
    stage.join();
    stage.world.pass(Duration::from_secs(7_200));
    let (core, bob, carol) = (stage.core, stage.bob, stage.carol);
    assert!(!stage.linked(alice, bob) && stage.linked(bob, carol));
    // She asks for nobody, and agrees to nothing: the core node tells nobody where it sees her.
    let her = stage.world.id(alice);
    let said = stage.said.borrow().clone();
    for (from, _, frame) in &said {
        assert_ne!(*from, alice, "{frame:?}");
        assert!(!matches!(frame, TopicFrame::Met { node, .. } if *node == her));
    }
    // Nor if it is said to her that somebody wants to.
    stage.said.take();
    let met = stage.met(bob, BOB);
    stage.say(core, alice, met);
    stage.world.pass(Duration::from_secs(60));
    let said = stage.said.borrow().clone();
    assert!(said.iter().all(|(from, ..)| *from != alice), "{said:?}");
    assert!(!stage.linked(alice, bob));
}
