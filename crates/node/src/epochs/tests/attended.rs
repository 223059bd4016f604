//! Attacks on attended invites by those who take part: people whose nodes do what they like.

use super::meeting::{inside, local, texts};
use super::world::World;
use crate::LinkId;
use crate::command::{AskedRight, Code, Command, Reply, Right, TopicInfo};
use identity::{Form, GrantId, PublicKey, SecretKey};
use std::time::Duration;
use topic::{Draft, OpenClaim, Payload};
use wire::limits::{BOX_LEN, DAY_MS};
use wire::{Answer, Frame, Grant, Interval, Item, Rights, TopicFrame};

const TEA: &str = "tea";

/// A core node; Alice, who founded the topic; Bob, who may let people in, though not to as much as
/// Alice may.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) core: usize,
    pub(super) alice: usize,
    pub(super) bob: usize,
}

/// What is asked for of a right.
fn right(right: Right, until: Option<u64>) -> AskedRight {
    AskedRight {
        right,
        from: 0,
        until,
    }
}

pub(super) fn use_core(world: &mut World, client: usize, core: usize) {
    let command = Command::CoreInvite {
        quota: 1 << 30,
        uses: 1,
    };
    let Reply::CoreInvited { link, .. } = world.ask(core, command) else {
        panic!("no invite");
    };
    let reply = world.ask(client, Command::CoreUse { link });
    assert!(matches!(reply, Reply::CoreUsed { .. }), "{reply:?}");
}

pub(super) fn invite(world: &mut World, node: usize, uses: u32, while_away: bool) -> String {
    let command = Command::Invite {
        topic: TEA.to_owned(),
        rights: Vec::new(),
        messages: None,
        uses,
        until: None,
        while_away,
    };
    match world.ask(node, command) {
        Reply::Invited { link, .. } => link,
        other => panic!("{other:?}"),
    }
}

/// Tries to join for some seconds; says whether it has.
pub(super) fn joins(world: &mut World, node: usize, link: &str, seconds: u64) -> bool {
    let command = Command::Join {
        link: link.to_owned(),
        name: None,
        timeout_ms: seconds * 1000,
    };
    match world.ask_for(node, command, Duration::from_secs(seconds + 1)) {
        Some(Reply::Topic { .. }) => true,
        Some(Reply::Failed(failure)) => {
            assert_eq!(failure.code, Code::NotYet, "{failure:?}");
            false
        }
        other => panic!("{other:?}"),
    }
}

pub(super) fn info(world: &mut World, node: usize) -> TopicInfo {
    let topic = TEA.to_owned();
    match world.ask(node, Command::TopicInfo { topic }) {
        Reply::TopicInfo(info) => *info,
        other => panic!("{other:?}"),
    }
}

pub(super) fn send(world: &mut World, node: usize, text: &str) {
    let command = Command::Send {
        to: TEA.to_owned(),
        messages: vec![text.as_bytes().to_vec()],
        expires: None,
        best_effort: false,
    };
    let reply = world.ask(node, command);
    assert!(matches!(reply, Reply::Sent { .. }), "{reply:?}");
}

impl Scene {
    pub(super) fn new(seed: u8) -> Self {
        let mut world = World::new(seed);
        let core = world.add("Core", true);
        let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
        use_core(&mut world, alice, core);
        let name = TEA.to_owned();
        world.ask(
            alice,
            Command::TopicCreate {
                name,
                messages: None,
            },
        );
        let link = invite(&mut world, alice, 1, true);
        assert!(joins(&mut world, bob, &link, 30));
        world.pass(Duration::from_secs(5));
        let soon = world.wall().as_millis() + 60 * DAY_MS;
        let grant = Command::Grant {
            topic: TEA.to_owned(),
            member: "Bob".to_owned(),
            rights: vec![
                right(Right::Publish, Some(soon)),
                right(Right::Read, None),
                right(Right::Admit, None),
            ],
            messages: None,
            bytes: None,
            at: None,
        };
        let reply = world.ask(alice, grant);
        assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
        world.pass(Duration::from_secs(5));
        send(&mut world, alice, "one");
        send(&mut world, bob, "two");
        world.pass(Duration::from_secs(60));
        Self {
            world,
            core,
            alice,
            bob,
        }
    }

    /// Somebody has claimed an invite of Alice's, who is away.
    pub(super) fn claimed(seed: u8) -> (Self, usize) {
        let mut scene = Self::new(seed);
        let link = invite(&mut scene.world, scene.alice, 1, false);
        scene.world.pass(Duration::from_secs(5));
        scene.world.down(scene.alice);
        let carol = scene.world.add("Carol", false);
        assert!(!joins(&mut scene.world, carol, &link, 20));
        (scene, carol)
    }

    pub(super) fn claims(&mut self, node: usize) -> Vec<OpenClaim> {
        claims(&mut self.world, node)
    }

    fn is_in(&mut self, node: usize) -> bool {
        info(&mut self.world, node).row.role == "member"
    }
}

pub(super) fn claims(world: &mut World, node: usize) -> Vec<OpenClaim> {
    inside(world, node, |inner, turn| {
        let local = local(inner);
        inner.topics.claims(turn.cx, local)
    })
}

/// Gives somebody a grant that names a claim, whatever anybody may think of it.
fn name_claim(world: &mut World, by: usize, holder: PublicKey, rights: Rights, claim: [u8; 32]) {
    inside(world, by, move |inner, turn| {
        let local = local(inner);
        inner.open_author(turn, local).unwrap();
        let keys = inner.host.keys.topic(local).unwrap();
        let form = Form::one(holder);
        let item = Item::Grant(Grant {
            parent: GrantId::from_bytes(keys.row.grant),
            holder: form.member(),
            rights,
            budget: wire::Budget::default(),
            welcomes: Some(claim),
            form: Some(form),
            joint: None,
        });
        let draft = Draft {
            payload: Payload::Items(vec![item]),
            lifespan: None,
            answers: Vec::new(),
            manifest: None,
        };
        inner
            .with_topics(turn, |topics, env| topics.publish(env, local, draft))
            .unwrap();
    });
}

/// Rubbish, signed as an answer by a device that may let people in.
fn rubbish(world: &mut World, by: usize, claim: [u8; 32], fill: u8) -> Answer {
    inside(world, by, move |inner, _| {
        let keys = inner.host.keys.topic(local(inner)).unwrap();
        let device = keys.device.as_ref().unwrap();
        Answer::sign(keys.id, device, claim, vec![fill; BOX_LEN])
    })
}

/// Says an answer on every link of a node.
fn say(world: &mut World, by: usize, answer: &Answer) {
    let topic = inside(world, by, |inner, _| {
        inner.host.keys.topic(local(inner)).unwrap().id
    });
    let frame = TopicFrame::Answer(answer.clone());
    let bytes = Frame::Topic { topic, frame }.encode();
    let links = world.links().into_iter();
    let own: Vec<LinkId> = links
        .filter(|(_, from, _)| *from == by)
        .map(|(link, ..)| link)
        .collect();
    for link in own {
        world.inject(link, bytes.clone());
    }
    world.settle();
}

/// The answers to a claim that a node gives to whoever asks.
fn answers(world: &World, node: usize) -> Vec<Answer> {
    let table = topic::rows::ANSWER.id();
    let rows = world.disk(node).rows();
    let rows = rows.filter(|(of, ..)| *of == table);
    rows.map(|(_, _, row)| Answer::decode(row).unwrap())
        .collect()
}

const BRIEF: Rights = Rights {
    publish: Some(Interval {
        from: 0,
        until: Some(1),
    }),
    read: None,
    admit: None,
};

/// Somebody who may let people in to less names a claim in a grant to a key of its own, gives
/// the claimer next to nothing, and fills the places of answers: the claimer is welcomed all the
/// same.
#[test]
fn who_may_admit_to_less_keeps_nobody_from_being_welcomed() {
    let (mut scene, carol) = Scene::claimed(150);
    let bob = scene.bob;
    let claims = scene.claims(bob);
    let [open] = claims.as_slice() else {
        panic!("{claims:?}");
    };
    let (hash, device) = (open.hash, open.claim.device);
    let world = &mut scene.world;
    let own = SecretKey::from_seed([66; 32]).public();
    name_claim(world, bob, own, BRIEF, hash);
    let answer = rubbish(world, bob, hash, 1);
    say(world, bob, &answer);
    world.pass(Duration::from_secs(5));
    assert!(answers(world, scene.core).is_empty(), "it welcomes nobody");
    name_claim(world, bob, device, BRIEF, hash);
    say(world, bob, &answer);
    world.pass(Duration::from_secs(30));
    assert_eq!(answers(world, scene.core), [answer]);
    let claims = scene.claims(scene.core_member());
    assert!(claims.iter().all(|open| !open.is_welcomed), "{claims:?}");
    scene.world.up(scene.alice);
    scene.world.pass(Duration::from_secs(120));
    assert!(scene.is_in(carol));
    let seen = texts(&mut scene.world, carol);
    assert!(seen.contains(&"one".to_owned()), "{seen:?}");
    let alice = scene.alice;
    let used = info(&mut scene.world, alice).invites.into_iter();
    let used: Vec<u32> = used.map(|invite| invite.used).collect();
    assert!(used.contains(&1), "{used:?}");
}

impl Scene {
    /// Somebody beside the core node who has seen what there is.
    fn core_member(&self) -> usize {
        self.bob
    }
}

/// A device that has welcomed somebody replaces its answer again and again: others take it a few
/// times, and no more.
#[test]
fn an_answer_is_replaced_a_few_times_and_no_more() {
    let (mut scene, _) = Scene::claimed(151);
    let bob = scene.bob;
    let open = scene.claims(bob).remove(0);
    let world = &mut scene.world;
    name_claim(world, bob, open.claim.device, BRIEF, open.hash);
    world.pass(Duration::from_secs(5));
    let mut all: Vec<Answer> = Vec::new();
    for fill in 0..60 {
        all.push(rubbish(world, bob, open.hash, fill));
    }
    all.sort_by_key(Answer::hash);
    let mut changes = 0_u64;
    let mut last = None;
    for answer in &all {
        say(world, bob, answer);
        world.pass(Duration::from_secs(1));
        let held = answers(world, scene.core).pop();
        changes += u64::from(held != last);
        last = held;
    }
    let most = u64::from(topic::limits::MAX_ANSWER_CHANGES) + 1;
    assert_eq!(changes, most);
}

/// Somebody who was welcomed and then removed is not welcomed again by itself, though its claim is
/// still there.
#[test]
fn whoever_was_removed_is_not_welcomed_again() {
    let mut scene = Scene::new(152);
    let link = invite(&mut scene.world, scene.alice, 2, false);
    let carol = scene.world.add("Carol", false);
    assert!(joins(&mut scene.world, carol, &link, 30));
    send(&mut scene.world, carol, "three");
    scene.world.pass(Duration::from_secs(60));
    let revoke = Command::Revoke {
        topic: TEA.to_owned(),
        member: "Carol".to_owned(),
        only: Vec::new(),
        cut: None,
        cascade: false,
    };
    let reply = scene.world.ask(scene.alice, revoke);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    for _ in 0..3 {
        scene.world.pass(Duration::from_secs(600));
        scene.world.down(scene.alice);
        scene.world.up(scene.alice);
    }
    send(&mut scene.world, scene.alice, "without Carol");
    scene.world.pass(Duration::from_secs(60));
    let seen = texts(&mut scene.world, carol);
    assert!(!seen.contains(&"without Carol".to_owned()), "{seen:?}");
    assert!(info(&mut scene.world, scene.alice).waiting.is_empty());
    assert!(
        scene
            .claims(scene.alice)
            .iter()
            .all(|open| open.is_welcomed)
    );
}

/// Lets no answer to a claim come through.
fn drop_answers(world: &mut World) {
    world.tamper = Some(Box::new(|_, _, bytes| match Frame::decode(&bytes) {
        Ok(Frame::ClaimAnswer { .. }) => Vec::new(),
        _ => vec![bytes],
    }));
}

/// Whoever was welcomed, and comes to fetch its answer when an epoch has begun since, is let in. There
/// is more than one way to it here; what it asks with and shows is looked at in the next test.
#[test]
fn whoever_fetches_its_answer_an_epoch_later_is_let_in() {
    let mut world = World::new(153);
    let (alice, dave) = (world.add("Alice", false), world.add("Dave", false));
    let name = TEA.to_owned();
    world.ask(
        alice,
        Command::TopicCreate {
            name,
            messages: None,
        },
    );
    let link = invite(&mut world, alice, 1, true);
    assert!(joins(&mut world, dave, &link, 30));
    send(&mut world, alice, "one");
    send(&mut world, dave, "two");
    world.pass(Duration::from_secs(10));
    let link = invite(&mut world, alice, 1, false);
    let carol = world.add("Carol", false);
    drop_answers(&mut world);
    assert!(!joins(&mut world, carol, &link, 20));
    assert!(
        claims(&mut world, alice)
            .iter()
            .all(|open| open.is_welcomed)
    );
    world.down(carol);
    let revoke = Command::Revoke {
        topic: TEA.to_owned(),
        member: "Dave".to_owned(),
        only: Vec::new(),
        cut: None,
        cascade: false,
    };
    let reply = world.ask(alice, revoke);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    send(&mut world, alice, "without Dave");
    world.pass(Duration::from_secs(60));
    world.tamper = None;
    world.up(carol);
    world.pass(Duration::from_secs(120));
    assert_eq!(info(&mut world, carol).row.role, "member");
    send(&mut world, carol, "three");
    world.pass(Duration::from_secs(10));
    let seen = texts(&mut world, alice);
    assert_eq!(seen, ["one", "two", "without Dave", "three"]);
    let mut seen = texts(&mut world, carol);
    seen.sort();
    assert_eq!(seen, ["one", "three", "two", "without Dave"]);
}

/// Tags go out under the newest secret of an answer alone: whoever was removed knows older ones. In
/// a question there are all of them, each once, and each with the grant of its answer.
#[test]
fn an_answers_older_secrets_are_for_questions_alone() {
    let mut world = World::new(154);
    let alice = world.add("Alice", false);
    let name = TEA.to_owned();
    world.ask(
        alice,
        Command::TopicCreate {
            name,
            messages: None,
        },
    );
    let (tags, asked, proofs) = inside(&mut world, alice, |inner, _| {
        let local = local(inner);
        let keys = inner.host.keys.topics.get_mut(&local).unwrap();
        keys.ring = rights::KeyRing::new(keys.id, &keys.genesis).unwrap();
        let access = |n: u8| rights::Access::Reader(rights::EpochSecret::from_bytes([n; 32]));
        let told = |grant: u8, keys: &[u8]| crate::keychain::Promised {
            grant: GrantId::from_bytes([grant; 32]),
            keys: keys.iter().map(|n| access(*n)).collect(),
        };
        keys.promised = vec![told(1, &[9, 8, 7]), told(2, &[6, 8]), told(3, &[9])];
        let of = keys.identities().into_iter();
        let of: Vec<_> = of
            .map(|one| (one.standing.grant, one.secrets.len()))
            .collect();
        (keys.recognised_by().len(), of, keys.core_proofs().len())
    });
    assert_eq!((tags, proofs), (2, 3));
    let by = |grant: u8| GrantId::from_bytes([grant; 32]);
    assert_eq!(asked, [(by(1), 3), (by(2), 1)]);
}

/// Of two core nodes one answers claims with keys and a grant of its own: at the other one the
/// claimer is known by the true answer, and whom it could not be let in by is away.
#[test]
fn a_false_answer_stands_in_no_true_ones_way_at_a_core_node() {
    for honest_first in [false, true] {
        let mut world = World::new(if honest_first { 156 } else { 155 });
        let mut cores = [world.add("Core", true), world.add("Core", true)];
        cores.sort_by_key(|core| world.id(*core));
        let [first, second] = cores;
        let liar = if honest_first { second } else { first };
        let alice = world.add("Alice", false);
        for core in cores {
            use_core(&mut world, alice, core);
        }
        let name = TEA.to_owned();
        world.ask(
            alice,
            Command::TopicCreate {
                name,
                messages: None,
            },
        );
        send(&mut world, alice, "one");
        world.pass(Duration::from_secs(10));
        let link = invite(&mut world, alice, 1, false);
        world.pass(Duration::from_secs(5));
        let carol = world.add("Carol", false);
        drop_answers(&mut world);
        assert!(!joins(&mut world, carol, &link, 20));
        let open = claims(&mut world, alice).remove(0);
        assert!(open.is_welcomed);
        let topic = inside(&mut world, alice, |inner, _| {
            inner.host.keys.topic(local(inner)).unwrap().id
        });
        world.pass(Duration::from_secs(5));
        world.down(alice);
        let thief = SecretKey::from_seed([66; 32]);
        let mut rng = machine::Rng::from_seed([5; 32]);
        world.tamper = Some(Box::new(move |from, _, bytes| {
            match Frame::decode(&bytes) {
                Ok(Frame::ClaimAnswer { loc, claim, .. }) if from == liar => {
                    let secret = rights::EpochSecret::from_bytes([42; 32]);
                    let epoch = identity::EpochId::from_bytes([43; 32]);
                    let keys = vec![(epoch, rights::Access::Reader(secret))];
                    let grant = GrantId::from_bytes([44; 32]);
                    let of = (topic, claim);
                    let lie = rights::Welcomed::sign(of, &thief, grant, keys);
                    let sealed = rights::seal_answer(of, &open.claim.sealing, &lie, &mut rng);
                    let sealed = sealed.unwrap();
                    vec![Frame::ClaimAnswer { loc, claim, sealed }.encode()]
                }
                _ => vec![bytes],
            }
        }));
        world.pass(Duration::from_secs(200));
        assert_eq!(info(&mut world, carol).row.role, "member");
        assert_eq!(texts(&mut world, carol), ["one"]);
    }
}

/// Answers of nodes where the claim was not put are not looked at.
#[test]
fn strangers_answer_no_claim() {
    let (mut scene, carol) = Scene::claimed(157);
    let open = scene.claims(scene.bob).remove(0);
    let mallory = scene.world.add("Mallory", false);
    let topic = inside(&mut scene.world, carol, |inner, _| {
        inner.host.keys.topic(local(inner)).unwrap().id
    });
    let loc = inside(&mut scene.world, carol, |inner, _| {
        inner.host.keys.topic(local(inner)).unwrap().row.waits
    });
    let thief = SecretKey::from_seed([66; 32]);
    let mut rng = machine::Rng::from_seed([5; 32]);
    let link = scene.world.connect(mallory, None, carol);
    scene.world.settle();
    let of = (topic, open.hash);
    let grant = GrantId::from_bytes([44; 32]);
    let lie = rights::Welcomed::sign(of, &thief, grant, Vec::new());
    let sealed = rights::seal_answer(of, &open.claim.sealing, &lie, &mut rng).unwrap();
    let claim = open.hash;
    let frame = Frame::ClaimAnswer { loc, claim, sealed };
    scene.world.inject(link, frame.encode());
    scene.world.settle();
    let promised = inside(&mut scene.world, carol, |inner, _| {
        inner.host.keys.topic(local(inner)).unwrap().promised.len()
    });
    assert_eq!(promised, 0);
    scene.world.up(scene.alice);
    scene.world.pass(Duration::from_secs(120));
    assert!(scene.is_in(carol));
}

/// Whoever has an old link and a friend among the members says that it claimed in time: what is first
/// seen after the invite's end waits for a person.
#[test]
fn a_claim_that_comes_late_waits_for_a_person() {
    let mut scene = Scene::new(158);
    let (alice, bob) = (scene.alice, scene.bob);
    let world = &mut scene.world;
    let until = world.wall().as_millis() + 3_600_000;
    let command = Command::Invite {
        topic: TEA.to_owned(),
        rights: Vec::new(),
        messages: None,
        uses: 1,
        until: Some(until),
        while_away: false,
    };
    let Reply::Invited { link, .. } = world.ask(alice, command) else {
        panic!("no invite");
    };
    let invites = info(world, alice).invites.into_iter();
    let grant = invites.rev().find(|invite| invite.until == until);
    let grant: GrantId = grant.unwrap().grant.parse().unwrap();
    let topic = inside(world, alice, |inner, _| {
        inner.host.keys.topic(local(inner)).unwrap().id
    });
    let in_time = world.wall();
    world.pass(Duration::from_secs(7_200));
    let link: wire::JoinLink = link.parse().unwrap();
    let seed = rights::InviteSeed::from_bytes(link.seed);
    let late = SecretKey::from_seed([67; 32]).public();
    let sealing = identity::seal::hpke::HpkeSecret::generate(&mut machine::Rng::from_seed([6; 32]));
    let claim = seed.claim(topic, grant, late, sealing.public(), in_time);
    let frame = TopicFrame::Claim(claim);
    let bytes = Frame::Topic { topic, frame }.encode();
    let link = world.link(bob, alice).expect("they are linked");
    world.inject(link, bytes);
    world.pass(Duration::from_secs(60));
    let claims = scene.claims(alice);
    let [open] = claims.as_slice() else {
        panic!("{claims:?}");
    };
    assert!(open.is_late && !open.is_welcomed, "{open:?}");
    // Nor after a stop, before anybody has confirmed the clock.
    scene.world.nodes[alice].config.trust_clock = false;
    scene.world.down(alice);
    scene.world.up(alice);
    scene.world.pass(Duration::from_secs(600));
    let shown = info(&mut scene.world, alice);
    assert_eq!(shown.waiting.len(), 1);
    assert!(shown.waiting[0].beyond, "{:?}", shown.waiting);
    let grant = Command::Grant {
        topic: TEA.to_owned(),
        member: shown.waiting[0].device.clone(),
        rights: vec![right(Right::Publish, None), right(Right::Read, None)],
        messages: None,
        bytes: None,
        at: None,
    };
    let reply = scene.world.ask(alice, grant);
    assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    assert!(info(&mut scene.world, alice).waiting.is_empty());
}
