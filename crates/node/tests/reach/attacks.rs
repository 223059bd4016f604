//! Who would like to be dialled by her, to dial her, or to have somebody else do so.

use super::{ALICE, BOB, CAROL, CORE, delivers, garden, is_alone_with_core, starts};
use crate::liars::{heard, hello};
use crate::mailed::{advert_of, mail};
use crate::paired::failure;
use crate::story::{found, invite, join, send, texts, use_core};
use crate::world::World;
use node::Reach;
use node::command::public::PublicCommand;
use node::command::{Code, Command, Reply};
use std::time::Duration;
use wire::{Frame, RawStatement};

/// The router's table of adverts.
const ADVERTS: u8 = 83;

/// Alice and Bob in a topic that the core node holds.
fn tea(world: &mut World) {
    found(world, ALICE, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(world, ALICE, "tea", 2);
    join(world, BOB, &link);
    world.pass(Duration::from_secs(10));
}

fn joins(world: &mut World, link: &str) -> Reply {
    let (link, name) = (link.to_owned(), None);
    let timeout_ms = 30_000;
    let join = Command::Join {
        link,
        name,
        timeout_ms,
    };
    world.ask(ALICE, join)
}

#[test]
fn whoever_finds_her_hears_nothing() {
    let (mut world, said) = garden(84, Reach::Core);
    tea(&mut world);
    let liar = world.add_liar("mallory");
    let link = world.connect(liar, None, ALICE);
    world.settle();
    assert!(world.link(liar, ALICE).is_none(), "it is closed at once");
    assert_eq!(heard(&world, liar, link), []);
    // Also when what is sent arrives before it is closed.
    let link = world.connect(liar, None, ALICE);
    for frame in [hello(&world), Frame::AdvertAsk, Frame::Ping { nonce: 7 }] {
        world.inject(link, frame.encode());
    }
    world.pass(Duration::from_secs(60));
    assert_eq!(heard(&world, liar, link), []);
    assert!(world.link(liar, ALICE).is_none());
    // A member that knows where she is, and a person who insists.
    let address = world.address(ALICE);
    let added = world.ask(BOB, Command::PeerAdd { address });
    assert!(matches!(added, Reply::PeerAdded { .. }), "{added:?}");
    world.pass(Duration::from_secs(600));
    let her = world.id(ALICE);
    let tried = world.dials.iter().filter(|(_, whom, _)| *whom == her);
    assert!(tried.count() > 1, "he insists");
    assert!(world.link(BOB, ALICE).is_none());
    let to_him = |said: &(usize, usize, Vec<u8>)| (said.0, said.1) == (ALICE, BOB);
    assert!(!said.borrow().iter().any(to_him));
    send(&mut world, ALICE, "tea", "who is there?");
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, BOB, "tea"), ["who is there?"]);
}

#[test]
fn a_core_node_cannot_have_her_dial_somebody_else() {
    let (mut world, _) = garden(85, Reach::Core);
    tea(&mut world);
    // It says that it is where Bob is.
    world.down(CORE);
    world.nodes[CORE].config.public = vec!["10.0.0.2:4433".to_owned()];
    world.up(CORE);
    world.pass(Duration::from_secs(60));
    starts(&mut world, Reach::Core);
    world.pass(Duration::from_secs(60));
    let advert = advert_of(&world, ALICE, CORE).expect("it has shown it");
    assert!(advert.addresses[0].uri.contains("10.0.0.2"), "{advert:?}");
    world.down(CORE);
    world.pass(Duration::from_secs(3_600));
    world.up(CORE);
    world.pass(Duration::from_secs(600));
    assert!(world.link(ALICE, CORE).is_some());
    is_alone_with_core(&world);
}

#[test]
fn a_member_cannot_have_her_dial_a_place_of_its_own() {
    let (mut world, _) = garden(86, Reach::Core);
    tea(&mut world);
    // A node of his own is a core node of his, and her core node is said to be where he is.
    let his = world.add("his", true);
    use_core(&mut world, BOB, his);
    let link = format!("{}@10.0.0.2:4433", world.id(CORE));
    let patience = Duration::from_secs(30);
    world.ask_for(BOB, Command::CoreUse { link }, patience);
    world.pass(Duration::from_secs(120));
    let told = advert_of(&world, ALICE, BOB).expect("he has told");
    let told: Vec<_> = told
        .cores
        .iter()
        .map(|core| (core.node, &core.uri))
        .collect();
    assert!(
        told.iter().any(|(node, _)| *node == world.id(his)),
        "{told:?}"
    );
    let lies = |(node, uri): &(_, &String)| *node == world.id(CORE) && uri.contains("10.0.0.2");
    assert!(told.iter().any(lies), "{told:?}");
    // Nobody is there, so that she tries whatever she may.
    world.down(BOB);
    world.down(CORE);
    let id = mail(&mut world, ALICE, BOB, "which way?");
    world.pass(Duration::from_secs(3_600));
    starts(&mut world, Reach::Core);
    world.pass(Duration::from_secs(3_600));
    world.up(CORE);
    world.up(BOB);
    world.pass(Duration::from_secs(600));
    delivers(&mut world, ALICE, &id);
    is_alone_with_core(&world);
}

#[test]
fn a_link_that_leads_elsewhere_is_not_followed() {
    let (mut world, _) = garden(87, Reach::Core);
    found(&mut world, CAROL, "rum");
    let link = invite(&mut world, CAROL, "rum", 3);
    let refused = failure(joins(&mut world, &link));
    assert_eq!(refused.code, Code::NotFound);
    assert!(refused.message.contains("reach = core"), "{refused:?}");
    // A public topic, said to be at Carol's.
    let public = PublicCommand::Create {
        name: "news".to_owned(),
        messages: None,
    };
    let news = match world.ask(CAROL, Command::Public(public)) {
        Reply::Topic { id, .. } => id,
        other => panic!("{other:?}"),
    };
    let at = vec![world.address(CAROL).parse().expect("an address")];
    let link = wire::TopicLink { topic: news, at };
    let asked = joins(&mut world, &link.to_text().expect("short"));
    assert_eq!(failure(asked).code, Code::NotYet);
    // By hand.
    let address = world.address(CAROL);
    let refused = failure(world.ask(ALICE, Command::PeerAdd { address }));
    assert_eq!(refused.code, Code::Refused);
    let (node, timeout_ms) = (world.id(CAROL).to_string(), 10_000);
    let refused = failure(world.ask(ALICE, Command::PingNode { node, timeout_ms }));
    assert!(refused.message.contains("reach = core"), "{refused:?}");
    is_alone_with_core(&world);
    // As soon as the inviter uses her core node, a link of theirs leads there, too.
    use_core(&mut world, CAROL, CORE);
    world.pass(Duration::from_secs(5));
    let link = invite(&mut world, CAROL, "rum", 3);
    join(&mut world, ALICE, &link);
    send(&mut world, ALICE, "rum", "found it");
    world.pass(Duration::from_secs(20));
    assert_eq!(texts(&mut world, CAROL, "rum"), ["found it"]);
    is_alone_with_core(&world);
}

#[test]
fn a_core_node_that_she_leaves_has_no_link_with_her_any_more() {
    let (mut world, _) = garden(90, Reach::Core);
    tea(&mut world);
    let other = world.add("other", true);
    use_core(&mut world, ALICE, other);
    world.pass(Duration::from_secs(10));
    // Bob's core node it is still, and so one of the topic.
    let core = world.id(CORE).to_string();
    assert_eq!(
        world.ask(ALICE, Command::CoreLeave { core, now: true }),
        Reply::Done
    );
    world.pass(Duration::from_secs(5));
    assert!(world.link(ALICE, CORE).is_none() && world.link(ALICE, other).is_some());
    let dials = world.dials.len();
    world.pass(Duration::from_secs(3_600));
    starts(&mut world, Reach::Core);
    let others = world.id(other);
    let mut hers = world.dials[dials..]
        .iter()
        .filter(|(from, ..)| *from == ALICE);
    assert!(hers.all(|(_, whom, _)| *whom == others));
    // The core nodes exchange the topic.
    send(&mut world, ALICE, "tea", "from elsewhere");
    world.pass(Duration::from_secs(60));
    assert_eq!(texts(&mut world, BOB, "tea"), ["from elsewhere"]);
}

#[test]
fn without_a_core_node_she_is_told_what_is_missing() {
    let mut world = World::new(88);
    world.add("core", true);
    world.add_down("Alice", false);
    world.nodes[ALICE].config.reach = Reach::Core;
    world.up(ALICE);
    world.add("Bob", false);
    found(&mut world, BOB, "tea");
    let link = invite(&mut world, BOB, "tea", 1);
    assert_eq!(failure(joins(&mut world, &link)).code, Code::Refused);
    let problems = |world: &mut World| match world.ask(ALICE, Command::Status) {
        Reply::Status(status) => {
            assert_eq!(status.reach, Reach::Core);
            status.problems
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(problems(&mut world)[0].code, "reach");
    found(&mut world, ALICE, "rum");
    let invited = Command::Invite {
        topic: "rum".to_owned(),
        rights: Vec::new(),
        messages: None,
        uses: 1,
        until: None,
        while_away: true,
    };
    assert_eq!(failure(world.ask(ALICE, invited)).code, Code::Failed);
    use_core(&mut world, ALICE, CORE);
    assert_eq!(problems(&mut world), []);
    is_alone_with_core(&world);
}

#[test]
fn an_old_advert_of_hers_counts_no_more() {
    let (mut world, _) = garden(89, Reach::Any);
    tea(&mut world);
    world.pass(Duration::from_secs(30));
    let her = world.id(ALICE);
    let mut rows = world.disk(BOB).rows();
    let row = rows.find(|(table, key, _)| *table == ADVERTS && *key == her.as_bytes());
    let (_, _, row) = row.expect("she has told");
    let bytes = row.to_vec();
    drop(rows);
    let old = statement(&bytes).expect("the advert");
    starts(&mut world, Reach::Core);
    world.pass(Duration::from_secs(60));
    let replay = Frame::Advert(old).encode();
    for (from, to) in [(ALICE, CORE), (CORE, ALICE), (BOB, CORE), (CORE, BOB)] {
        let link = world.link(from, to).expect("they are linked");
        world.inject(link, replay.clone());
        world.pass(Duration::from_secs(5));
    }
    world.pass(Duration::from_secs(600));
    for other in [CORE, BOB] {
        let advert = advert_of(&world, other, ALICE).expect("told");
        assert!(advert.addresses.is_empty(), "{advert:?}");
    }
    assert!(world.link(ALICE, CORE).is_some() && world.link(ALICE, BOB).is_none());
}

/// A statement somewhere in these bytes.
fn statement(bytes: &[u8]) -> Option<RawStatement> {
    (0..bytes.len()).find_map(|from| {
        (from..=bytes.len()).rev().find_map(|to| {
            let raw = RawStatement::decode(bytes.get(from..to)?).ok()?;
            wire::SignedAdvert::from_stored(raw.clone()).ok()?;
            Some(raw)
        })
    })
}
