//! Members who hold no common newest secret find together; whoever was removed meets silence.

use crate::giving::{TEA, revoke, three};
use crate::story::{send, texts, use_core};
use crate::world::World;
use node::command::Reply;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wire::{Frame, IdentifyStep};

/// What each sent to whom, and when.
type Heard = Rc<RefCell<Vec<(usize, usize, Frame)>>>;

fn listen(world: &mut World) -> Heard {
    let heard = Heard::default();
    let tap = Rc::clone(&heard);
    world.tamper = Some(Box::new(move |from, to, bytes| {
        if let Ok(frame) = Frame::decode(&bytes) {
            tap.borrow_mut().push((from, to, frame));
        }
        vec![bytes]
    }));
    heard
}

fn removed(world: &mut World, by: usize, whom: &str) {
    let reply = revoke(world, by, whom, &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
}

/// The link between two, made anew.
fn meet(world: &mut World, a: usize, b: usize) {
    if let Some(link) = world.link(a, b) {
        world.tear(link);
    }
    world.connect(a, None, b);
}

/// Kinds and lengths of what one node says to another that has proved nothing, in their order.
fn outline(heard: &Heard, from: usize, to: usize) -> Vec<(u8, usize)> {
    let heard = heard.borrow();
    let between = heard.iter().filter(|said| (said.0, said.1) == (from, to));
    let kinds = between.map(|said| (said.2.kind(), said.2.encode().len()));
    kinds
        .filter(|(kind, _)| matches!(kind, 6..=12 | 21 | 25))
        .collect()
}

#[test]
fn whoever_is_removed_hears_from_members_what_a_stranger_hears() {
    let (mut world, [alice, bob, cleo]) = three(71);
    let dave = world.add("Dave", false);
    // Cleo does not hear of it.
    for other in [alice, bob] {
        world.cut_off(cleo, other);
    }
    removed(&mut world, alice, "Cleo");
    send(&mut world, alice, TEA, "without Cleo");
    world.pass(Duration::from_secs(10));
    world.cut.clear();
    world.down(alice);
    let heard = listen(&mut world);
    meet(&mut world, cleo, bob);
    world.pass(Duration::from_secs(60));
    // Cleo has asked, by what she knows of Bob; there is one answer, and nothing besides.
    let asked = outline(&heard, cleo, bob);
    assert_eq!(
        asked.iter().filter(|(kind, _)| *kind == 25).count(),
        1,
        "{asked:?}"
    );
    let told = outline(&heard, bob, cleo);
    // Dave asks at random: he knows nothing at all.
    let mut link = None;
    for _ in 0..2 {
        meet(&mut world, dave, bob);
        link = world.link(dave, bob);
        world.settle();
    }
    heard.borrow_mut().clear();
    meet(&mut world, dave, bob);
    world.settle();
    let link = world.link(dave, bob).or(link).expect("they are linked");
    let sealed = (0..wire::limits::IDENTIFY_LEN).map(|n| n as u8).collect();
    let step = IdentifyStep::Question;
    world.inject(link, Frame::Identify { step, sealed }.encode());
    world.pass(Duration::from_secs(60));
    assert_eq!(told, outline(&heard, bob, dave));
    assert!(!texts(&mut world, cleo, TEA).contains(&"without Cleo".to_owned()));
}

#[test]
fn who_missed_an_epoch_is_known_again_and_nothing_is_shown_before() {
    let (mut world, [alice, bob, cleo]) = three(72);
    world.down(bob);
    removed(&mut world, alice, "Cleo");
    send(&mut world, alice, TEA, "without Cleo");
    world.pass(Duration::from_secs(10));
    let heard = listen(&mut world);
    world.down(cleo);
    world.up(bob);
    meet(&mut world, bob, alice);
    world.pass(Duration::from_secs(60));
    assert!(texts(&mut world, bob, TEA).contains(&"without Cleo".to_owned()));
    let said = heard.borrow();
    let between = said
        .iter()
        .filter(|said| [said.0, said.1].iter().all(|n| [alice, bob].contains(n)));
    let first = between
        .clone()
        .position(|said| matches!(said.2, Frame::Identify { .. }));
    let topic = between.clone().position(|said| {
        matches!(
            said.2,
            Frame::Topic { .. } | Frame::Show { .. } | Frame::GrantAsk { .. }
        )
    });
    assert!(first.is_some() && first < topic, "{first:?} {topic:?}");
}

/// Cleo, removed, answers everything with what she has: Bob, who has not heard of it, talks with her;
/// Alice does not, and Cleo cannot pass as Bob by what he says to her.
#[test]
fn a_question_passed_on_proves_nobody() {
    let (mut world, [alice, bob, cleo]) = three(73);
    for other in [alice, bob] {
        world.cut_off(cleo, other);
    }
    removed(&mut world, alice, "Cleo");
    world.down(bob);
    world.cut.clear();
    // What Cleo sends as a question is, on its way, replaced by one of hers from another link.
    let kept: Rc<RefCell<Option<Vec<u8>>>> = Rc::default();
    let tap = Rc::clone(&kept);
    world.tamper = Some(Box::new(move |_, _, bytes| {
        let question = matches!(
            Frame::decode(&bytes),
            Ok(Frame::Identify {
                step: IdentifyStep::Question,
                ..
            })
        );
        if !question {
            return vec![bytes];
        }
        let before = tap.borrow_mut().replace(bytes.clone());
        vec![before.unwrap_or(bytes)]
    }));
    for _ in 0..3 {
        meet(&mut world, cleo, alice);
        world.pass(Duration::from_secs(20));
    }
    assert!(kept.borrow().is_some(), "she has asked");
    send(&mut world, alice, TEA, "not for Cleo");
    world.pass(Duration::from_secs(60));
    assert!(!texts(&mut world, cleo, TEA).contains(&"not for Cleo".to_owned()));
}

/// Bob is a guest at Alice's core node and was away while Cleo was removed. Nobody but the core node is
/// there when he comes back, and it knows him by what he last had; it tells Cleo nothing.
#[test]
fn a_guest_who_missed_an_epoch_hears_of_it_at_the_core_node() {
    let (mut world, [alice, bob, cleo]) = three(74);
    let core = world.add("Core", true);
    use_core(&mut world, alice, core);
    world.pass(Duration::from_secs(30));
    world.down(bob);
    world.down(cleo);
    for round in 0..3 {
        // The core node keeps what it was told, and so does its disk.
        if round == 0 {
            removed(&mut world, alice, "Cleo");
        }
        world.down(core);
        world.up(core);
        world.pass(Duration::from_secs(30));
    }
    send(&mut world, alice, TEA, "without Cleo");
    world.pass(Duration::from_secs(10));
    world.down(alice);
    let heard = listen(&mut world);
    world.up(cleo);
    world.pass(Duration::from_secs(120));
    // Each of her proofs is refused, as anybody's who shows a topic that is not held here.
    let told = outline(&heard, core, cleo);
    assert!(told.iter().all(|(kind, _)| *kind == 6), "{told:?}");
    let count = |from, to, kind| {
        let heard = heard.borrow();
        let kinds = heard.iter().filter(|said| (said.0, said.1) == (from, to));
        kinds.filter(|said| said.2.kind() == kind).count()
    };
    assert!(count(cleo, core, 10) > 0);
    assert_eq!(count(cleo, core, 10), count(core, cleo, 24));
    world.down(cleo);
    world.up(bob);
    world.pass(Duration::from_secs(120));
    assert!(texts(&mut world, bob, TEA).contains(&"without Cleo".to_owned()));
}
