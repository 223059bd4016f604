//! What a node does not take, it says so, with a time; nobody asks before.

use crate::net::{Net, TOPIC};
use core::time::Duration;
use identity::{EnvelopeId, GrantId, PublicKey, SecretKey};
use lace::Body;
use machine::test::World;
use topic::{LinkId, RefusedPart, Role, StateKind};
use wire::{Certificate, Class, Header, Item, Raw, TopicFrame};

#[test]
fn a_refused_body_is_fetched_after_the_time() {
    let mut net = Net::joined(1, 2);
    let core = net.add(Role::Custodian);
    let node = net.nodes[core].host.node.node_id();
    net.nodes[0].host.cores.insert(node);
    net.link(0, core);
    net.settle();
    let retry = net.wall() + 600_000;
    net.nodes[core].host.refuse = Some((RefusedPart::Body, retry));
    let sent = net.say(0, "later");
    net.settle();
    let hashes = (net.cut_hash(0), net.cut_hash(core));
    assert_eq!(hashes.0, hashes.1, "the header is taken all the same");
    let states = net.states(0, &sent);
    assert_eq!(
        (states.held, states.states[1].kind),
        (0, StateKind::Refused)
    );
    net.nodes[core].host.refuse = None;
    let before = net.sent();
    net.pass(Duration::from_secs(590));
    assert_eq!(net.sent(), before, "not before the time");
    net.pass(Duration::from_secs(20));
    let states = net.states(0, &sent);
    assert_eq!(states.held, 1);
    assert!(
        states
            .states
            .iter()
            .all(|state| state.kind != StateKind::Refused)
    );
}

fn body(net: &mut Net, node: usize, id: &EnvelopeId) -> Body {
    net.with(node, |_, env| {
        let lace = lace::Lace::open(&mut env.cx.store, TOPIC).expect("it is here");
        let held = lace.envelope(&mut env.cx.store, id);
        held.expect("its header is here").body
    })
}

/// What has expired by a core node's clock is offered to it by members whose clocks nobody confirmed.
#[test]
fn what_has_expired_is_taken_without_its_body_and_not_asked_for_again() {
    let mut net = Net::joined(11, 2);
    let core = net.add(Role::Custodian);
    net.link(0, core);
    net.link(1, core);
    net.settle();
    net.nodes[core].host.refuse = Some((RefusedPart::Expired, 0));
    let sent = net.say(0, "late");
    net.settle();
    net.nodes[core].host.refuse = None;
    let after = net.say(1, "what depends on it");
    net.settle();
    assert_eq!(net.cut_hash(0), net.cut_hash(core));
    let bodies = [sent, after].map(|sent| body(&mut net, core, &sent.id));
    assert!(matches!(bodies, [Body::Gone, Body::Here(_)]), "{bodies:?}");
    net.pass(Duration::from_secs(3700));
    let before = net.sent();
    net.pass(Duration::from_secs(3600));
    assert_eq!(net.sent(), before, "nobody asks for it");
}

#[test]
fn a_refused_chain_is_fetched_after_the_time() {
    let mut net = Net::joined(2, 2);
    let core = net.add(Role::Custodian);
    net.link(0, core);
    net.link(1, core);
    net.settle();
    let retry = net.wall() + 600_000;
    net.nodes[core].host.refuse = Some((RefusedPart::All, retry));
    for number in 0..30 {
        net.say(0, &format!("{number}"));
    }
    net.settle();
    assert!(!net.agree());
    let (frames, _) = (net.sent(), net.nodes[core].host.refuse = None);
    net.pass(Duration::from_secs(590));
    assert_eq!(net.sent(), frames, "not before the time");
    net.pass(Duration::from_secs(20));
    assert!(net.agree());
    assert_eq!(net.texts(1).len(), 30);
    assert!(net.nodes.iter().all(|node| node.problems.is_empty()));
}

/// The answer to a want is long, and its beginning is refused.
#[test]
fn the_rest_of_a_refused_answer_is_not_sent() {
    let mut net = Net::joined(5, 1);
    let text = "x".repeat(4_000);
    for _ in 0..300 {
        net.say(0, &text);
    }
    net.settle();
    let core = net.add(Role::Custodian);
    net.nodes[core].host.refuse = Some((RefusedPart::All, net.wall() + 600_000));
    let before = net.nodes[0].sent_bytes;
    net.link(0, core);
    net.settle();
    let sent = net.nodes[0].sent_bytes - before;
    assert!(sent < 600_000, "{sent} bytes of 1,200,000");
}

#[test]
fn a_refusal_outlives_the_link() {
    let mut net = Net::joined(3, 1);
    let core = net.add(Role::Custodian);
    let link = net.link(0, core);
    net.settle();
    net.nodes[core].host.refuse = Some((RefusedPart::All, net.wall() + 600_000));
    net.say(0, "no");
    net.settle();
    net.cut(link);
    net.link(0, core);
    net.settle();
    let refused = net.nodes[core].sent;
    net.pass(Duration::from_secs(300));
    assert_eq!(net.nodes[core].sent, refused);
}

#[test]
fn an_idle_topic_leaves_memory_and_comes_back() {
    let mut net = Net::joined(4, 2);
    net.say(0, "before");
    net.pass(Duration::from_secs(300));
    assert!(
        format!("{:?}", net.nodes[0].topics).len() < 1000,
        "only the entry is left"
    );
    net.say(0, "after");
    net.link(0, 1);
    net.settle();
    assert_eq!(net.texts(1), ["before", "after"]);
    net.pass(Duration::from_secs(300));
    assert_eq!(
        net.nodes[0].topics.peers(TOPIC).len(),
        1,
        "with a peer it stays"
    );
}

/// A control envelope that is correctly signed, number 1 of a fresh key, naming what is not here.
fn orphan(net: &mut Net, deps: Vec<EnvelopeId>) -> Raw {
    let key = SecretKey::generate(&mut net.rng);
    let header = Header {
        destination: net.topic_id().to_id(),
        author: key.public(),
        number: 1,
        previous: *net.topic_id().as_bytes(),
        generation: 1 + deps.len() as u64,
        created: net.wall(),
        expires: 0,
        body_len: 0,
        body_hash: [0; 32],
        count: 1,
        class: Class::Control,
        grant: GrantId::from_bytes([0; 32]),
        hops: 1,
        deps,
        manifest: None,
        clock_unconfirmed: false,
        extensions: wire::Extensions::new(),
    };
    let certificate = Item::Certificate(Certificate::sign(net.topic_id(), &key, key.public(), 0));
    let body = wire::encode_items(&[certificate]);
    let signed = wire::sign_envelope(header, body, &key)
        .unwrap()
        .into_inner();
    signed.envelope.to_raw(signed.body)
}

fn give(net: &mut Net, node: usize, link: LinkId, raw: Raw) {
    let envelopes = vec![raw];
    let last = false;
    net.frame(node, link, TopicFrame::Envelopes { envelopes, last });
}

/// All envelopes of one author that a node holds, in their order.
fn chain(net: &mut Net, node: usize, author: PublicKey) -> Vec<Raw> {
    let base = net.nodes[node].world.base().clone();
    World::over(base, 0).turn(|cx| {
        let lace = lace::Lace::open(&mut cx.store, TOPIC).expect("it is here");
        let places = lace.order(&mut cx.store, 0, 1000);
        let held = places
            .iter()
            .filter_map(|place| lace.envelope(&mut cx.store, &place.id))
            .filter(|held| held.envelope.header.author == author);
        let raws = held.map(|held| match held.body {
            Body::Here(body) => held.envelope.to_raw(Some(body)),
            _ => panic!("a body is missing"),
        });
        raws.collect()
    })
}

#[test]
fn nothing_is_charged_for_what_no_rule_admits() {
    let mut net = Net::joined(77, 2);
    let core = net.add(Role::Custodian);
    for _ in 0..20 {
        let peer = net.peer_of(1);
        let puppet = net.puppet(core, peer);
        for _ in 0..60 {
            let raw = orphan(&mut net, Vec::new());
            give(&mut net, core, puppet, raw);
        }
        net.cut(puppet);
    }
    assert_eq!(net.nodes[core].host.charged, 0);
}

#[test]
fn what_is_parked_is_charged_once_and_when_its_past_comes() {
    let mut net = Net::joined(78, 1);
    for number in 0..5 {
        net.say(0, &format!("{number}"));
    }
    let core = net.add(Role::Custodian);
    let author = net.nodes[0].host.author.as_ref().unwrap().public();
    let raws = chain(&mut net, 0, author);
    let peer = net.peer_of(0);
    // Given again after each restart, which forgets what is parked.
    for _ in 0..3 {
        let puppet = net.puppet(core, peer);
        for raw in &raws[1..] {
            give(&mut net, core, puppet, raw.clone());
        }
        for _ in 0..10 {
            let raw = orphan(&mut net, vec![EnvelopeId::from_bytes([3; 32])]);
            give(&mut net, core, puppet, raw);
        }
        assert_eq!(net.nodes[core].host.charged, 0);
        net.restart(core);
    }
    let early = net.puppet(core, peer);
    let gone = net.puppet(core, peer);
    let late = net.puppet(core, peer);
    let bytes = |raws: &[Raw]| -> u64 {
        let one = |raw: &Raw| raw.header_bytes.len() + 64 + raw.body.as_ref().map_or(0, Vec::len);
        raws.iter().map(|raw| one(raw) as u64).sum()
    };
    for raw in &raws[2..] {
        give(&mut net, core, early, raw.clone());
    }
    give(&mut net, core, gone, raws[1].clone());
    net.cut(gone);
    for raw in &raws[..2] {
        give(&mut net, core, late, raw.clone());
    }
    let accounts = net.nodes[core].host.accounts.clone();
    assert_eq!(accounts.get(&Some(early)), Some(&bytes(&raws[2..])));
    assert_eq!(accounts.get(&Some(late)), Some(&bytes(&raws[..2])));
    assert_eq!(accounts.len(), 2);
    for raw in &raws {
        give(&mut net, core, late, raw.clone());
    }
    assert!(net.is_charged(core), "what is here already costs nothing");
}

#[test]
fn what_waits_needs_room_beside_what_comes() {
    let mut net = Net::joined(79, 1);
    for number in 0..20 {
        net.say(0, &format!("{number}{}", "x".repeat(3000)));
    }
    let core = net.add(Role::Custodian);
    let author = net.nodes[0].host.author.as_ref().unwrap().public();
    let raws = chain(&mut net, 0, author);
    net.nodes[core].host.quota = Some(20_000);
    let peer = net.peer_of(0);
    let puppet = net.puppet(core, peer);
    for raw in &raws[1..] {
        give(&mut net, core, puppet, raw.clone());
    }
    assert_eq!(net.nodes[core].host.charged, 0);
    net.pass(Duration::from_secs(10));
    give(&mut net, core, puppet, raws[0].clone());
    assert!((1..=20_000).contains(&net.nodes[core].host.charged));
    assert!(net.is_charged(core));
}

#[test]
fn a_body_that_comes_late_is_charged_once_and_by_itself() {
    let mut net = Net::joined(80, 2);
    let core = net.add(Role::Custodian);
    net.link(0, core);
    net.settle();
    net.nodes[core].host.refuse = Some((RefusedPart::Body, net.wall() + 60_000));
    net.say(0, "later");
    net.settle();
    assert!(net.is_charged(core), "the header alone");
    let before = net.nodes[core].host.charged;
    net.nodes[core].host.refuse = None;
    net.pass(Duration::from_secs(90));
    assert!(net.nodes[core].host.charged > before);
    assert!(net.is_charged(core));
}
