//! Who lets people in: whoever holds a grant to admit, with or without the founder.

use crate::fallen::listen;
use crate::giving::{TEA, failure, grant, revoke, three};
use crate::story::{found, invite, join, send, texts, use_core, wait};
use crate::world::World;
use node::command::{Code, Command, Reply, Right, WaitFor};
use std::time::Duration;
use wire::Frame;
use wire::plain::BoxContents;

const ALL: [Right; 3] = [Right::Publish, Right::Read, Right::Admit];

/// Alice founds a topic with Bob and Cleo, and Bob may let people in.
fn with_doorkeeper(seed: u8) -> (World, [usize; 3]) {
    let (mut world, people) = three(seed);
    let [alice, ..] = people;
    let reply = grant(&mut world, alice, "Bob", &ALL);
    assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    (world, people)
}

fn ask_invite(world: &mut World, node: usize) -> Reply {
    let command = Command::Invite {
        rights: Vec::new(),
        messages: None,
        while_away: true,
        topic: TEA.to_owned(),
        uses: 1,
        until: None,
    };
    world.ask(node, command)
}

#[test]
fn without_the_founder_for_ever_a_member_who_may_admit_lets_people_in() {
    let (mut world, [alice, bob, cleo]) = with_doorkeeper(61);
    world.down(alice);
    let link = invite(&mut world, bob, TEA, 1);
    let dora = world.add("Dora", false);
    join(&mut world, dora, &link);
    let id = send(&mut world, dora, TEA, "thank you, Bob");
    let reached = wait(&mut world, dora, &id, WaitFor::Delivered, Some(2));
    assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
    for node in [bob, cleo] {
        assert!(texts(&mut world, node, TEA).contains(&"thank you, Bob".to_owned()));
    }
    send(&mut world, cleo, TEA, "welcome");
    world.pass(Duration::from_secs(30));
    assert!(texts(&mut world, dora, TEA).contains(&"welcome".to_owned()));
    // Also while Bob is away: Cleo keeps his box.
    let link = invite(&mut world, bob, TEA, 1);
    world.pass(Duration::from_secs(5));
    world.down(bob);
    let core = world.address(cleo);
    let emil = world.add("Emil", false);
    let at = core.parse().expect("an address");
    let mut parsed: wire::JoinLink = link.parse().expect("a link");
    parsed.at = vec![at];
    let link = parsed.to_text().expect("a link");
    join(&mut world, emil, &link);
    let id = send(&mut world, emil, TEA, "and by Cleo");
    let reached = wait(&mut world, emil, &id, WaitFor::Delivered, Some(2));
    assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
    assert!(texts(&mut world, cleo, TEA).contains(&"and by Cleo".to_owned()));
}

/// The link names nobody who is up. A core node of whoever joins by it holds the topic, because another
/// member uses that core node too.
#[test]
fn a_core_node_of_its_own_lets_a_newcomer_in_that_the_link_does_not_name() {
    let mut world = World::new(65);
    let (south, north) = (world.add("South", true), world.add("North", true));
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, alice, south);
    use_core(&mut world, bob, north);
    found(&mut world, alice, TEA);
    let link = invite(&mut world, alice, TEA, 2);
    join(&mut world, bob, &link);
    send(&mut world, alice, TEA, "the kettle is on");
    world.pass(Duration::from_secs(60));
    for node in [alice, bob, south] {
        world.down(node);
    }
    let dora = world.add("Dora", false);
    use_core(&mut world, dora, north);
    join(&mut world, dora, &link);
    assert_eq!(texts(&mut world, dora, TEA), ["the kettle is on"]);
}

#[test]
fn who_may_not_admit_invites_nobody() {
    let (mut world, [alice, bob, cleo]) = three(62);
    let refused = failure(ask_invite(&mut world, bob));
    assert_eq!(refused.code, Code::Refused, "{refused:?}");
    grant(&mut world, alice, "Cleo", &ALL);
    world.pass(Duration::from_secs(30));
    assert!(matches!(
        ask_invite(&mut world, cleo),
        Reply::Invited { .. }
    ));
    let taken = revoke(&mut world, alice, "Cleo", &[Right::Admit], None);
    assert!(matches!(taken, Reply::Revoked { .. }), "{taken:?}");
    world.pass(Duration::from_secs(30));
    let refused = failure(ask_invite(&mut world, cleo));
    assert_eq!(refused.code, Code::Refused, "{refused:?}");
}

/// Bob, whose grant was taken back where he could not hear of it, lets Dora in all the same: those
/// who have heard do not believe the chain that she shows.
#[test]
fn nobody_comes_in_by_a_grant_that_was_taken_back() {
    let (mut world, [alice, bob, cleo]) = with_doorkeeper(63);
    world.cut_off(alice, bob);
    world.cut_off(cleo, bob);
    let taken = revoke(&mut world, alice, "Bob", &[], None);
    assert!(matches!(taken, Reply::Revoked { .. }), "{taken:?}");
    world.pass(Duration::from_secs(30));
    let link = invite(&mut world, bob, TEA, 1);
    let dora = world.add("Dora", false);
    join(&mut world, dora, &link);
    send(&mut world, dora, TEA, "let me in");
    world.pass(Duration::from_secs(30));
    world.down(bob);
    for node in [alice, cleo] {
        if let Some(link) = world.link(dora, node) {
            world.tear(link);
        }
    }
    world.connect(dora, None, alice);
    world.connect(dora, None, cleo);
    let said = listen(&mut world);
    send(&mut world, alice, TEA, "who is there?");
    world.pass(Duration::from_secs(600));
    let frames = said.take();
    let told: Vec<_> = frames.iter().filter(|frame| frame.1 == dora).collect();
    assert!(told.is_empty(), "{told:?}");
    for node in [alice, cleo] {
        assert!(!texts(&mut world, node, TEA).contains(&"let me in".to_owned()));
    }
    assert!(!texts(&mut world, dora, TEA).contains(&"who is there?".to_owned()));
}

/// Cleo knows the link and answers with a box of her own about Bob's invite, which calls her the
/// inviter and the topic another.
#[test]
fn whoever_knows_a_link_does_not_pass_for_who_gave_it() {
    let (mut world, [alice, bob, cleo]) = with_doorkeeper(64);
    let link = invite(&mut world, bob, TEA, 1);
    world.pass(Duration::from_secs(5));
    let seed: wire::JoinLink = link.parse().expect("a link");
    let seed = rights::InviteSeed::from_bytes(seed.seed);
    let device = world.nodes[cleo].config.device.clone();
    world.tamper = Some(Box::new(move |_, _, bytes| match Frame::decode(&bytes) {
        Ok(Frame::InviteBox { loc, sealed }) => {
            let found = seed.open_box(&sealed).expect("Bob's box");
            let key = device.key_in(found.topic, &found.genesis);
            let sealed = posed(&seed, &found, &key);
            vec![Frame::InviteBox { loc, sealed }.encode()]
        }
        _ => vec![bytes],
    }));
    let dora = world.add("Dora", false);
    let command = |link: &str| Command::Join {
        link: link.to_owned(),
        name: None,
        timeout_ms: 20_000,
    };
    let failed = failure(world.ask(dora, command(&link)));
    assert!(!failed.message.is_empty(), "{failed:?}");
    world.tamper = None;
    world.pass(Duration::from_secs(60));
    for node in [alice, bob, cleo] {
        let command = Command::Members {
            topic: TEA.to_owned(),
        };
        let Reply::Members(members) = world.ask(node, command) else {
            panic!("no members");
        };
        assert_eq!(members.len(), 3, "she has not come in by it");
    }
}

/// The same box as another device would make it.
fn posed(
    seed: &rights::InviteSeed,
    found: &rights::Invitation,
    key: &identity::SecretKey,
) -> Vec<u8> {
    let handed = rights::handed_to_guest(&found.ring, &found.genesis, &found.invite);
    let (epoch, access) = handed.expect("a key");
    let mut contents = BoxContents {
        genesis: found.genesis.clone(),
        invite: found.invite,
        invite_at: found.invite_at,
        title: "something else".to_owned(),
        inviter: "Cleo".to_owned(),
        cores: found.cores.clone(),
        handed: Some((epoch, *access)),
        device: key.public(),
        signature: identity::Signature::from_bytes([0; 64]),
    };
    contents.sign(key);
    let mut rng = machine::Rng::from_seed([7; 32]);
    seed.seal_box(&contents, &mut rng).expect("it fits")
}
