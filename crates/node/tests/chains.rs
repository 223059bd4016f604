//! Chains of grants between nodes: who is shown one, and what it may cost.

use crate::liars::{assert_same_disk, heard, hello};
use crate::story::{found, invite, join, send, texts};
use crate::world::World;
use identity::{GrantId, Signature, TopicId};
use node::limits::MAX_GRANT_ASKS;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wire::{Frame, Raw};

fn ask(grant: GrantId) -> Vec<u8> {
    Frame::GrantAsk { grant }.encode()
}

/// A proof that nobody asked for, as large as one may be, of envelopes that cost a check each.
fn unasked(grant: GrantId) -> Vec<u8> {
    let raw = Raw {
        header_bytes: vec![0xa0; 64],
        proof: Signature::from_bytes([7; 64]),
        body: Some(vec![0x80; 32]),
    };
    let envelopes = vec![raw; wire::limits::MAX_PROOF_ENVELOPES];
    Frame::GrantProof { grant, envelopes }.encode()
}

/// Alice, whose topic Bob has joined.
fn two(seed: u64) -> (World, usize, usize, TopicId) {
    let mut world = World::new(u8::try_from(seed).expect("small"));
    let alice = world.add("Alice", false);
    let bob = world.add("Bob", false);
    let topic = found(&mut world, alice, "tea").parse().expect("an id");
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    send(&mut world, bob, "tea", "here");
    world.pass(Duration::from_secs(5));
    (world, alice, bob, topic)
}

/// Frames that Alice sends to Bob after Bob has said all this.
fn answers(world: &mut World, (alice, bob): (usize, usize), says: Vec<Vec<u8>>) -> Vec<Frame> {
    let said: Rc<RefCell<Vec<Frame>>> = Rc::default();
    let tap = Rc::clone(&said);
    let mut says = Some(says);
    world.tamper = Some(Box::new(move |from, to, bytes| {
        if (from, to) == (alice, bob) {
            tap.borrow_mut()
                .push(Frame::decode(&bytes).expect("honest"));
        }
        let mut all = vec![bytes];
        if (from, to) == (bob, alice) {
            all.extend(says.take().unwrap_or_default());
        }
        all
    }));
    send(world, bob, "tea", "more");
    world.pass(Duration::from_secs(5));
    world.tamper = None;
    said.take()
}

/// Whoever is asked for a proof may say more than a stranger may: tags, a long chain, and what it thinks
/// that it must say besides.
#[test]
fn a_proof_that_was_asked_for_may_be_longer_than_what_strangers_say() {
    let (mut world, alice, bob, _) = two(143);
    world.down(bob);
    let link = invite(&mut world, alice, "tea", 1);
    let carol = world.add("Carol", false);
    join(&mut world, carol, &link);
    world.pass(Duration::from_secs(5));
    world.down(alice);
    let asked: Rc<RefCell<usize>> = Rc::default();
    let tap = Rc::clone(&asked);
    world.tamper = Some(Box::new(move |from, to, bytes| {
        let mut all = Vec::new();
        if (from, to) == (carol, bob)
            && matches!(Frame::decode(&bytes), Ok(Frame::GrantProof { .. }))
        {
            *tap.borrow_mut() += 1;
            let padding = (0..8).map(|n| unasked(GrantId::from_bytes([n; 32])));
            all.extend(padding);
            let len: usize = all.iter().map(Vec::len).sum();
            assert!(len > 16 * 1024, "{len}");
        }
        all.push(bytes);
        all
    }));
    world.up(bob);
    send(&mut world, carol, "tea", "from somebody new");
    world.pass(Duration::from_secs(60));
    assert_eq!(asked.take(), 1, "it is asked once");
    let said = texts(&mut world, bob, "tea");
    assert!(said.contains(&"from somebody new".to_owned()), "{said:?}");
}

fn proofs(frames: &[Frame]) -> Vec<GrantId> {
    let proofs = frames.iter().filter_map(|frame| match frame {
        Frame::GrantProof { grant, .. } => Some(*grant),
        _ => None,
    });
    proofs.collect()
}

#[test]
fn a_node_proves_its_own_grant_and_no_more_often_than_it_must() {
    let (mut world, alice, bob, topic) = two(140);
    let own = GrantId::from_bytes(topic.to_bytes());
    let says = vec![ask(own); 3 * MAX_GRANT_ASKS];
    let said = answers(&mut world, (alice, bob), says);
    assert_eq!(proofs(&said), vec![own; MAX_GRANT_ASKS]);
    // Bob's own grant Alice knows too, and it is not hers to show; nor is one that nobody gave.
    let (mut world, alice, bob, _) = two(141);
    let show: Rc<RefCell<Option<GrantId>>> = Rc::default();
    let tap = Rc::clone(&show);
    world.tamper = Some(Box::new(move |from, _, bytes| {
        if let Ok(Frame::Show { grant, .. }) = Frame::decode(&bytes)
            && from == bob
        {
            tap.borrow_mut().replace(grant);
        }
        vec![bytes]
    }));
    world.down(bob);
    world.up(bob);
    world.pass(Duration::from_secs(30));
    let bobs = show.take().expect("Bob shows itself");
    let says = vec![ask(bobs), ask(GrantId::from_bytes([3; 32]))];
    let said = answers(&mut world, (alice, bob), says);
    assert_eq!(proofs(&said), []);
}

/// What was not asked for is not looked at, whether a stranger or a member sends it.
#[test]
fn proofs_that_nobody_asked_for_cost_nothing() {
    let (mut world, alice, bob, topic) = two(142);
    let own = GrantId::from_bytes(topic.to_bytes());
    let flood: Vec<Vec<u8>> = (0..=255)
        .flat_map(|n| [unasked(GrantId::from_bytes([n; 32])), unasked(own)])
        .collect();
    let said = answers(&mut world, (alice, bob), flood.clone());
    let asks = |frame: &Frame| matches!(frame, Frame::GrantAsk { .. } | Frame::GrantProof { .. });
    assert!(!said.iter().any(asks), "{said:?}");
    send(&mut world, bob, "tea", "it goes on");
    let liar = world.add_liar("Mallory");
    world.pass(Duration::from_secs(60));
    let before = world.disk(alice).clone();
    let link = world.connect(liar, Some(1), alice);
    world.inject(link, hello(&world).encode());
    for bytes in flood.into_iter().take(8) {
        world.inject(link, ask(own));
        world.inject(link, bytes);
    }
    world.pass(Duration::from_secs(1));
    let said = heard(&world, liar, link);
    assert!(!said.iter().any(asks), "{said:?}");
    assert_same_disk(&world, alice, &before, "proofs of a stranger");
}
