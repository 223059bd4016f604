//! Where a public topic is said to be: who is asked for it, and how far whoever answers is trusted.

use crate::public::{SOON, found_public, reads, tries_to_join};
use crate::restored::info;
use crate::story::{send, texts, use_core};
use crate::witness::on_disk;
use crate::world::World;
use identity::{NodeId, TopicId};
use node::LinkId;
use node::command::{Code, Command, Peer, Reply};
use std::time::Duration;
use wire::plain::{CoreEntry, PublicContents};
use wire::{Frame, TopicLink};

const TEA: &str = "tea";

fn peers(world: &mut World, node: usize) -> Vec<Peer> {
    match world.ask(node, Command::Peers) {
        Reply::Peers(peers) => peers,
        other => panic!("{other:?}"),
    }
}

/// Alice's topic, with a core node that has it while she is away; what answers for its id says of the
/// topic what is true, and names whom it likes.
struct Away {
    world: World,
    core: usize,
    topic: TopicId,
    genesis: wire::Genesis,
}

impl Away {
    fn new(seed: u8) -> Self {
        let mut world = World::new(seed);
        let alice = world.add("Alice", false);
        let core = world.add("Core", true);
        use_core(&mut world, alice, core);
        let topic: TopicId = found_public(&mut world, alice).parse().expect("an id");
        world.pass(SOON);
        send(&mut world, alice, TEA, "before");
        world.pass(SOON);
        world.down(alice);
        let genesis = on_disk(world.disk(alice), &topic, |lace, _| lace.genesis().clone());
        Self {
            world,
            core,
            topic,
            genesis: genesis.expect("it is here"),
        }
    }

    /// A link with somebody who says anything.
    fn liar(&mut self, to: usize) -> LinkId {
        let liar = self.world.add_liar("Liar");
        let link = self.world.connect(liar, Some(1), to);
        self.world
            .inject(link, crate::liars::hello(&self.world).encode());
        self.world.pass(Duration::from_secs(1));
        link
    }

    /// Answers for the topic's id, and names these.
    fn answers(&mut self, link: LinkId, named: &[(NodeId, String)]) {
        let cores = named.iter().map(|(node, address)| CoreEntry {
            node: *node,
            addresses: vec![address.clone()],
            name: String::new(),
        });
        let contents = PublicContents {
            genesis: self.genesis.clone(),
            title: TEA.to_owned(),
            cores: cores.collect(),
        };
        let mut rng = machine::Rng::from_seed([4; 32]);
        let sealed = rights::PublicTopic::seal(&contents, &mut rng).expect("short enough");
        let loc = rights::InviteSeed::of_public(self.topic).locator();
        let frame = Frame::InviteBox { loc, sealed };
        self.world.inject(link, frame.encode());
        self.world.pass(Duration::from_secs(1));
    }
}

/// Nodes that are nowhere.
fn nowhere(n: u8) -> Vec<(NodeId, String)> {
    let node = |of: u8| NodeId::from_bytes([of; 32]);
    let at = |of: u8| (node(of), format!("10.9.9.{of}:4433"));
    (n..n + 2).map(at).collect()
}

#[test]
fn whoever_is_named_as_having_a_topic_stays_a_stranger() {
    let mut away = Away::new(221);
    let id = away.topic.to_string();
    let (sam, mallory) = (
        away.world.add("Sam", false),
        away.world.add("Mallory", false),
    );
    tries_to_join(&mut away.world, sam, &id);
    let liar = away.liar(sam);
    let named = away.world.address(mallory);
    let named: wire::NodeAddress = named.parse().expect("an address");
    away.answers(liar, &[(named.node, named.authority())]);
    let mut world = away.world;
    world.pass(Duration::from_secs(3));
    assert!(world.link(sam, mallory).is_some(), "she is dialled");
    let all = peers(&mut world, sam);
    let her = all.iter().find(|peer| peer.id == named.node);
    assert_eq!(her.expect("she is linked").why, "topic-way");
    // She is shown no advert, so that she can seal nothing to him; nor does he take any mail.
    let to = world.id(sam).to_string();
    send(&mut world, mallory, &to, "psst");
    world.pass(Duration::from_secs(600));
    let mails = match world.ask(sam, Command::Inbox { after: 0, limit: 9 }) {
        Reply::Inbox { mails, .. } => mails,
        other => panic!("{other:?}"),
    };
    assert_eq!(mails, []);
    assert_eq!(info(&mut world, sam).cores, []);
    // And she is left alone when the topic is left.
    let topic = TEA.to_owned();
    world.ask(sam, Command::TopicLeave { topic });
    world.pass(SOON);
    let all = peers(&mut world, sam);
    assert!(all.iter().all(|peer| peer.why != "topic-way"), "{all:?}");
    let topic = TEA.to_owned();
    world.ask(sam, Command::TopicForget { topic });
    let mut away = Away { world, ..away };
    let liar = away.liar(sam);
    away.answers(liar, &[]);
    let topic = id;
    let gone = away.world.ask(sam, Command::TopicInfo { topic });
    assert!(matches!(gone, Reply::Failed(_)), "{gone:?}");
}

#[test]
fn a_search_goes_on_until_something_of_the_topic_has_come() {
    goes_on(222, false);
}

#[test]
fn a_search_goes_on_after_a_restart() {
    goes_on(226, true);
}

fn goes_on(seed: u8, restarts: bool) {
    let mut away = Away::new(seed);
    let id = away.topic.to_string();
    let sam = away.world.add("Sam", false);
    tries_to_join(&mut away.world, sam, &id);
    let liar = away.liar(sam);
    away.answers(liar, &nowhere(50));
    // As often as it likes, and naming others each time.
    for n in 0..20 {
        away.answers(liar, &nowhere(60 + 2 * n));
    }
    let mut world = away.world;
    let all = peers(&mut world, sam).into_iter();
    let ways = all.filter(|peer| peer.why == "topic-way");
    let ways: Vec<NodeId> = ways.map(|peer| peer.id).collect();
    let first = nowhere(50).into_iter().map(|(node, _)| node);
    assert_eq!(ways, first.collect::<Vec<_>>(), "it is heard once");
    away.world = world;
    for n in 0..node::limits::MAX_ANSWERS as u8 {
        let another = away.liar(sam);
        away.answers(another, &nowhere(120 + 2 * n));
    }
    let mut world = away.world;
    if restarts {
        world.down(sam);
        world.up(sam);
    }
    world.connect(sam, None, away.core);
    world.pass(SOON);
    assert_eq!(texts(&mut world, sam, TEA), ["before"]);
    // Then it is over: nobody is asked any more.
    let asked = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = std::rc::Rc::clone(&asked);
    world.tamper = Some(Box::new(move |from, _, bytes| {
        if from == sam && matches!(Frame::decode(&bytes), Ok(Frame::InviteGet { .. })) {
            count.set(count.get() + 1);
        }
        vec![bytes]
    }));
    world.pass(Duration::from_secs(900));
    assert_eq!(asked.get(), 0);
}

#[test]
fn whom_a_link_names_is_let_go_with_the_search() {
    let mut away = Away::new(223);
    let sam = away.world.add("Sam", false);
    for n in [10, 20, 30] {
        let at = nowhere(n).into_iter();
        let at = at.map(|(node, address)| format!("{node}@{address}").parse().expect("one"));
        let link = TopicLink {
            topic: away.topic,
            at: at.collect(),
        };
        let link = link.to_text().expect("short enough");
        assert_eq!(
            tries_to_join(&mut away.world, sam, &link).code,
            Code::NotYet
        );
    }
    let mut world = away.world;
    assert_eq!(peers(&mut world, sam).len(), wire::limits::MAX_CORES);
    world.pass(Duration::from_secs(4_000));
    assert_eq!(peers(&mut world, sam), []);
}

/// At a core node that serves one client.
#[test]
fn readers_of_one_host_leave_places_to_others() {
    let mut away = Away::new(224);
    let places = custody::limits::DEFAULT_LINKS as usize / 2;
    let core = away.world.address(away.core).parse().expect("an address");
    let link = TopicLink {
        topic: away.topic,
        at: vec![core],
    };
    let link = link.to_text().expect("short enough");
    let world = &mut away.world;
    for n in 0..places + 4 {
        let reader = world.add(&format!("Reader {n}"), false);
        world.hosts.insert(reader, format!("10.1.1.1:{n}"));
        reads(world, reader, &link);
    }
    world.pass(SOON);
    for n in 0..4 {
        let sam = world.add(&format!("Sam {n}"), false);
        world.hosts.insert(sam, format!("10.1.{}.1:4433", 2 + n));
        reads(world, sam, &link);
        world.pass(SOON);
        assert_eq!(texts(world, sam, TEA), ["before"], "{n}");
    }
    // A member is let in all the same.
    world.up(0);
    world.pass(Duration::from_secs(60));
    send(world, 0, TEA, "still here");
    world.pass(SOON);
    let last = world.nodes.len() - 1;
    assert_eq!(texts(world, last, TEA).len(), 2);
}
