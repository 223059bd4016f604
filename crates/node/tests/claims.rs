//! Attacks on attended invites: leaked links, replayed claims, false answers, lying keepers of
//! boxes.

use crate::liars::{heard, hello, rows};
use crate::restored::{info, pair};
use crate::story::{found, join, send, texts, use_core};
use crate::welcomes::{Asked, attended, tries};
use crate::world::World;
use identity::seal::hpke::HpkeSecret;
use identity::{GrantId, SecretKey};
use machine::{Rng, WallTime};
use node::command::{Code, Command, Reply};
use rights::{Access, EpochSecret, Invitation, InviteSeed, Welcomed, seal_answer};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wire::{Claim, Frame, JoinLink};

const TEA: &str = "tea";

/// What whoever has a link makes of it, and the box that it found.
struct Leaked {
    seed: InviteSeed,
    found: Invitation,
    rng: Rng,
}

impl Leaked {
    fn claim(&mut self, device: &SecretKey, now: WallTime) -> (Claim, HpkeSecret) {
        let secret = HpkeSecret::generate(&mut self.rng);
        let (topic, grant) = (self.found.topic, self.found.grant);
        let claim = self
            .seed
            .claim(topic, grant, device.public(), secret.public(), now);
        (claim, secret)
    }

    fn put(&self, claim: Claim) -> Frame {
        Frame::ClaimPut {
            loc: self.seed.locator(),
            claim,
        }
    }
}

/// A founder with a core node, and an invite whose link has leaked.
fn leaked(seed: u8, uses: u32) -> (World, usize, usize, String, Leaked) {
    let mut world = World::new(seed);
    let core = world.add("core", true);
    let alice = world.add("Alice", false);
    use_core(&mut world, alice, core);
    found(&mut world, alice, TEA);
    send(&mut world, alice, TEA, "one");
    world.pass(Duration::from_secs(2));
    let asked = Asked {
        uses,
        ..Asked::default()
    };
    let link = attended(&mut world, alice, asked);
    world.pass(Duration::from_secs(5));
    let parsed: JoinLink = link.parse().expect("a link");
    let seed = InviteSeed::from_bytes(parsed.seed);
    let liar = world.add_liar("Reader of boxes");
    let ask = Frame::InviteGet {
        loc: seed.locator(),
    };
    let sealed = said_by(&mut world, liar, core, &[ask]);
    let sealed = sealed.into_iter().find_map(|frame| match frame {
        Frame::InviteBox { sealed, .. } => Some(sealed),
        _ => None,
    });
    let found = seed.open_box(&sealed.expect("an answer")).expect("the box");
    assert!(found.is_attended() && found.ring.recognises().is_none());
    let rng = Rng::from_seed([77; 32]);
    (world, core, alice, link, Leaked { seed, found, rng })
}

/// What a node answers to whoever says this on a link of its own.
fn said_by(world: &mut World, liar: usize, to: usize, frames: &[Frame]) -> Vec<Frame> {
    let link = world.connect(liar, Some(0), to);
    let greeting = hello(world).encode();
    world.inject(link, greeting);
    for frame in frames {
        world.inject(link, frame.encode());
    }
    world.settle();
    let answers = heard(world, liar, link);
    world.tear(link);
    world.settle();
    answers
}

fn kept(world: &World, node: usize) -> usize {
    let table = topic::rows::CLAIM.id();
    let rows = rows(world.disk(node));
    rows.keys().filter(|(of, _)| *of == table).count()
}

fn envelopes(world: &mut World, node: usize) -> u64 {
    info(world, node).envelopes
}

/// A thousand claims of one link: as many are kept as the invite has uses, and a few more; as many
/// are welcomed as it has uses; nobody stores or writes more for the rest.
#[test]
fn a_leaked_link_costs_a_bounded_room() {
    let (mut world, core, alice, _, mut leaked) = leaked(130, 2);
    let before = envelopes(&mut world, alice);
    let (mut answers, mut tried) = (0, 0_u32);
    for n in 0..250_u32 {
        let liar = world.add_liar("Liar");
        let mut frames = Vec::new();
        for k in 0..4_u32 {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&(n * 4 + k + 1).to_be_bytes());
            let (claim, _) = leaked.claim(&SecretKey::from_seed(seed), world.wall());
            frames.push(leaked.put(claim));
            tried += 1;
        }
        let heard = said_by(&mut world, liar, core, &frames);
        let sealed = heard.iter().filter_map(|frame| match frame {
            Frame::ClaimAnswer { sealed, .. } => Some(sealed.len()),
            _ => None,
        });
        for len in sealed {
            assert_eq!(len, wire::limits::BOX_LEN);
            answers += 1;
        }
        assert!(kept(&world, core) <= 10, "{}", kept(&world, core));
    }
    assert_eq!(tried, 1000);
    assert!(answers >= 900, "everybody is answered: {answers}");
    world.pass(Duration::from_secs(120));
    for node in [core, alice] {
        assert_eq!(kept(&world, node), 10);
    }
    // Two welcomes, and what says so.
    let after = envelopes(&mut world, alice);
    assert!(after - before <= 4, "{before} {after}");
    let shown = info(&mut world, alice);
    assert_eq!((shown.invites[0].uses, shown.invites[0].used), (2, 2));
    assert_eq!(shown.waiting.len(), 8);
    assert!(shown.waiting.iter().all(|of| of.beyond));
    // It lasts no longer than the invite and a week.
    world.pass(Duration::from_secs(45 * 24 * 3600));
    assert_eq!(kept(&world, core), 0);
    // How often it was used is known all the same.
    let shown = info(&mut world, alice);
    assert_eq!((shown.invites[0].uses, shown.invites[0].used), (2, 2));
}

/// No claim is kept that the invite's key has not signed for this very device, that comes too late,
/// that is of another invite, or that is put where the box is not.
#[test]
fn claims_that_are_not_the_invites_leave_no_trace() {
    let (mut world, core, _, _, mut leaked) = leaked(131, 1);
    let mallory = SecretKey::from_seed([9; 32]);
    let (good, _) = leaked.claim(&mallory, world.wall());
    let end = WallTime::from_millis(leaked.found.invite.until + 1);
    let (late, _) = leaked.claim(&mallory, end);
    let forged = [
        Claim {
            device: SecretKey::from_seed([10; 32]).public(),
            ..good
        },
        Claim {
            sealing: HpkeSecret::generate(&mut leaked.rng).public(),
            ..good
        },
        Claim {
            grant: GrantId::from_bytes([1; 32]),
            ..good
        },
        Claim {
            invite: mallory.public(),
            ..good
        },
        late,
    ];
    for claim in forged {
        let liar = world.add_liar("Liar");
        said_by(&mut world, liar, core, &[leaked.put(claim)]);
        assert_eq!(kept(&world, core), 0, "{claim:?}");
    }
    let liar = world.add_liar("Liar");
    let elsewhere = Frame::ClaimPut {
        loc: [3; 32],
        claim: good,
    };
    said_by(&mut world, liar, core, &[elsewhere]);
    assert_eq!(kept(&world, core), 0);
    let liar = world.add_liar("Liar");
    let put = leaked.put(good);
    said_by(&mut world, liar, core, &[put.clone(), put]);
    assert_eq!(kept(&world, core), 1, "once, however often");
    // A year later it is too late for a new one.
    world.pass(Duration::from_secs(31 * 24 * 3600));
    let (claim, _) = leaked.claim(&SecretKey::from_seed([11; 32]), WallTime::from_millis(1));
    let liar = world.add_liar("Liar");
    said_by(&mut world, liar, core, &[leaked.put(claim)]);
    assert_eq!(kept(&world, core), 1);
}

/// Whether there is a box or a claim, a claim that is kept or one that is not: all that is heard
/// are bytes of one length, at once.
#[test]
fn a_miss_looks_like_a_hit() {
    let (mut world, core, alice, _, mut leaked) = leaked(132, 4);
    world.cut_off(alice, core);
    let (claim, _) = leaked.claim(&SecretKey::from_seed([9; 32]), world.wall());
    let (loc, hash) = (leaked.seed.locator(), claim.hash());
    let questions = [
        leaked.put(claim),
        Frame::ClaimPut {
            loc: [4; 32],
            claim,
        },
        Frame::ClaimAsk { loc, claim: hash },
        Frame::ClaimAsk {
            loc,
            claim: [5; 32],
        },
    ];
    let mut seen = Vec::new();
    for question in questions {
        let liar = world.add_liar("Liar");
        let answers = said_by(&mut world, liar, core, &[question]);
        let answers: Vec<Frame> = answers
            .into_iter()
            .filter(|frame| matches!(frame, Frame::ClaimAnswer { .. }))
            .collect();
        let [Frame::ClaimAnswer { sealed, .. }] = answers.as_slice() else {
            panic!("one answer: {answers:?}");
        };
        assert_eq!(sealed.len(), wire::limits::BOX_LEN);
        assert!(!seen.contains(sealed), "drawn anew");
        seen.push(sealed.clone());
    }
    assert_eq!(kept(&world, core), 1);
}

/// A core node answers a claim with keys of its own, under the grant that was really given: what it
/// has not signed as the giver is not taken, and the true answer is, as soon as it comes.
#[test]
fn false_answers_give_no_keys_and_stand_in_nobodys_way() {
    let (mut world, core, alice, link, leaked) = leaked(133, 1);
    let topic = leaked.found.topic;
    let bob = world.add("Bob", false);
    let lying = Rc::new(RefCell::new(true));
    let lies = Rc::clone(&lying);
    let mut rng = Rng::from_seed([5; 32]);
    let claims: Rc<RefCell<Option<Claim>>> = Rc::default();
    let thief = SecretKey::from_seed([66; 32]);
    world.tamper = Some(Box::new(move |from, to, bytes| {
        match Frame::decode(&bytes) {
            Ok(Frame::ClaimPut { claim, .. }) if from == bob => {
                *claims.borrow_mut() = Some(claim);
                vec![bytes]
            }
            Ok(Frame::ClaimAnswer { loc, claim, .. }) if to == bob && *lies.borrow() => {
                let secret = EpochSecret::from_bytes([42; 32]);
                let epoch = identity::EpochId::from_bytes([43; 32]);
                let keys = vec![(epoch, Access::Reader(secret))];
                let grant = GrantId::from_bytes([44; 32]);
                let of = (topic, claim);
                let false_one = Welcomed::sign(of, &thief, grant, keys);
                let own = claims.borrow().expect("it was put before");
                let sealed = seal_answer(of, &own.sealing, &false_one, &mut rng).expect("sealed");
                vec![Frame::ClaimAnswer { loc, claim, sealed }.encode()]
            }
            _ => vec![bytes],
        }
    }));
    let failure = tries(&mut world, bob, &link, 40).expect("nobody let it in");
    assert_eq!(failure.code, Code::NotYet);
    assert_eq!(info(&mut world, bob).row.role, "joining");
    *lying.borrow_mut() = false;
    world.pass(Duration::from_secs(200));
    assert_eq!(info(&mut world, bob).row.role, "member");
    assert_eq!(texts(&mut world, bob, TEA), ["one"]);
    world.tamper = None;
    send(&mut world, bob, TEA, "two");
    world.pass(Duration::from_secs(10));
    assert_eq!(texts(&mut world, alice, TEA), ["one", "two"]);
    assert!(world.is_up(core));
}

/// The answers of two claimers are swapped on the way, and boxes of two invites: nobody takes
/// another's.
#[test]
fn swapped_answers_and_boxes_open_nothing() {
    let (mut world, _, alice, link, _) = leaked(134, 1);
    let other = attended(&mut world, alice, Asked::default());
    world.pass(Duration::from_secs(5));
    let (bob, carol) = (world.add("Bob", false), world.add("Carol", false));
    let swapping = Rc::new(RefCell::new(true));
    let swaps = Rc::clone(&swapping);
    let mut last: Vec<(usize, Vec<u8>)> = Vec::new();
    world.tamper = Some(Box::new(move |_, to, bytes| {
        let answer = match Frame::decode(&bytes) {
            Ok(Frame::ClaimAnswer { loc, claim, sealed }) if *swaps.borrow() => {
                (loc, claim, sealed)
            }
            _ => return vec![bytes],
        };
        if to != bob && to != carol {
            return vec![bytes];
        }
        let (loc, claim, sealed) = answer;
        last.push((to, sealed));
        let others = last.iter().rev().find(|(whose, _)| *whose != to);
        let sealed = others.map_or_else(|| vec![1; 2048], |(_, sealed)| sealed.clone());
        vec![Frame::ClaimAnswer { loc, claim, sealed }.encode()]
    }));
    for (node, link) in [(bob, &link), (carol, &other)] {
        let failure = tries(&mut world, node, link, 40).expect("not let in");
        assert_eq!(failure.code, Code::NotYet);
    }
    *swapping.borrow_mut() = false;
    world.pass(Duration::from_secs(200));
    for node in [bob, carol] {
        assert_eq!(info(&mut world, node).row.role, "member");
    }
}

/// Who is revoked takes the invites that it gave along, and their boxes.
#[test]
fn a_revoked_invite_takes_its_box_along() {
    let (mut world, alice, bob) = pair(135);
    let core = world.add("core", true);
    use_core(&mut world, alice, core);
    world.pass(Duration::from_secs(5));
    let rights = [
        node::command::Right::Publish,
        node::command::Right::Read,
        node::command::Right::Admit,
    ];
    let grant = Command::Grant {
        topic: TEA.to_owned(),
        member: "Bob".to_owned(),
        rights: rights
            .into_iter()
            .map(|of| crate::welcomes::right(of, 0))
            .collect(),
        messages: None,
        bytes: None,
        at: None,
    };
    let reply = world.ask(alice, grant);
    assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    world.pass(Duration::from_secs(5));
    let link = attended(&mut world, bob, Asked::default());
    world.pass(Duration::from_secs(5));
    let boxes = |world: &World, node| {
        let table = topic::rows::BOX.id();
        rows(world.disk(node))
            .keys()
            .filter(|(of, _)| *of == table)
            .count()
    };
    assert_eq!(boxes(&world, core), 2, "the first one's, and Bob's");
    let revoke = Command::Revoke {
        topic: TEA.to_owned(),
        member: "Bob".to_owned(),
        only: Vec::new(),
        cut: None,
        cascade: true,
    };
    let reply = world.ask(alice, revoke);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(10));
    for node in [alice, core] {
        assert!(boxes(&world, node) <= 1, "Bob's is gone");
    }
    world.down(bob);
    let carol = world.add("Carol", false);
    let failure = tries(&mut world, carol, &link, 20).expect("not let in");
    assert!(
        matches!(failure.code, Code::NotFound | Code::NotYet),
        "{failure:?}"
    );
    assert!(texts_or_none(&mut world, carol).is_empty());
    let again = attended(&mut world, alice, Asked::default());
    let dora = world.add("Dora", false);
    join(&mut world, dora, &again);
}

/// An invite is taken back by itself: its box goes, also from the core node, and nobody is let in
/// by it any more. Who was welcomed stays.
#[test]
fn an_invite_is_taken_back() {
    let (mut world, core, alice, link, _) = leaked(136, 2);
    let bob = world.add("Bob", false);
    join(&mut world, bob, &link);
    let invite = info(&mut world, alice).invites[0].grant.clone();
    let revoke = Command::Revoke {
        topic: TEA.to_owned(),
        member: invite.clone(),
        only: Vec::new(),
        cut: None,
        cascade: false,
    };
    let Reply::Revoked { grants, others, .. } = world.ask(alice, revoke) else {
        panic!("not revoked");
    };
    assert_eq!((grants, others), (vec![invite], 0));
    world.pass(Duration::from_secs(5));
    for node in [alice, core] {
        let table = topic::rows::BOX.id();
        let rows = rows(world.disk(node));
        assert_eq!(rows.keys().filter(|(of, _)| *of == table).count(), 0);
    }
    let carol = world.add("Carol", false);
    let failure = tries(&mut world, carol, &link, 20).expect("not let in");
    assert_eq!(failure.code, Code::NotFound);
    send(&mut world, bob, TEA, "still here");
    world.pass(Duration::from_secs(20));
    assert_eq!(texts(&mut world, alice, TEA), ["one", "still here"]);
}

fn texts_or_none(world: &mut World, node: usize) -> Vec<String> {
    match world.ask(node, Command::Topics) {
        Reply::Topics(topics) if topics.is_empty() => Vec::new(),
        _ => texts(world, node, TEA),
    }
}
