//! What owners give and take together, and who tries to do it without them.

use crate::giving::{failure, grant, revoke};
use crate::owners::{TEA, list, names, owners, pending, propose, sign, three_own};
use crate::story::{invite, join, send, texts, wait};
use crate::witness::on_disk;
use crate::world::World;
use identity::{Form, GrantId, SecretKey, TopicId};
use node::command::owners::{OwnersCommand, OwnersReply, Proposal};
use node::command::{Code, Command, Reply, Right, WaitFor};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;
use wire::{Act, Frame, Grant, Item, Joint, Role, TopicFrame};

const ALL: [Right; 3] = [Right::Publish, Right::Read, Right::Admit];

/// What was proposed, and waits.
pub(crate) fn proposed(reply: Reply) -> Proposal {
    match reply {
        Reply::Owners(OwnersReply::Signed(proposal)) => {
            assert!(!proposal.done && proposal.lacks == 1, "{proposal:?}");
            proposal
        }
        other => panic!("{other:?}"),
    }
}

/// The rights of somebody that stand, by depth of the grants.
fn held(world: &mut World, at: usize, name: &str) -> Vec<(u32, usize)> {
    let topic = TEA.to_owned();
    let Reply::Members(members) = world.ask(at, Command::Members { topic }) else {
        panic!("no members");
    };
    let called = |member: &&node::command::Member| member.devices.iter().any(|it| it.name == name);
    let member = members.iter().find(called).expect("takes part");
    let grants = member.grants.iter().filter(|grant| grant.stands);
    let rights = grants.map(|it| {
        (
            it.depth,
            it.rights.iter().filter(|right| !right.over).count(),
        )
    });
    rights.collect()
}

fn delivered(world: &mut World, node: usize, text: &str) {
    let id = send(world, node, TEA, text);
    let reached = wait(world, node, &id, WaitFor::Delivered, Some(1));
    assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
}

/// Alice, Bob and Cleo own a topic together, two of whom decide; Dan has been let in by Alice.
fn with_dan(seed: u8) -> (World, [usize; 4]) {
    let (mut world, [alice, bob, cleo]) = three_own(seed);
    let link = invite(&mut world, alice, TEA, 1);
    let dan = world.add("Dan", false);
    join(&mut world, dan, &link);
    world.pass(Duration::from_secs(20));
    (world, [alice, bob, cleo, dan])
}

#[test]
fn two_of_three_give_and_take_when_the_founder_is_gone_for_ever() {
    let (mut world, [alice, bob, cleo, dan]) = with_dan(81);
    world.down(alice);
    let mine = proposed(grant(&mut world, bob, "Dan", &ALL));
    assert!(
        mine.text.contains("gives Dan") && mine.gives.len() == 1,
        "{mine:?}"
    );
    world.pass(Duration::from_secs(10));
    assert_eq!(
        held(&mut world, cleo, "Dan"),
        [(1, 2)],
        "one of them gives nothing"
    );
    let waits = pending(&mut world, cleo);
    assert_eq!(waits.len(), 1);
    assert_eq!(
        waits[0]
            .signed
            .iter()
            .map(|it| &it.name[..])
            .collect::<Vec<_>>(),
        ["Bob"]
    );
    assert!(sign(&mut world, cleo).done);
    world.pass(Duration::from_secs(30));
    for node in [bob, cleo, dan] {
        assert!(held(&mut world, node, "Dan").contains(&(1, 3)), "{node}");
        assert!(pending(&mut world, node).is_empty());
    }
    delivered(&mut world, dan, "thank you both");
    // It can be shown to a stranger: Dan lets somebody in with it.
    let link = invite(&mut world, dan, TEA, 1);
    let eve = world.add("Eve", false);
    join(&mut world, eve, &link);
    world.pass(Duration::from_secs(30));
    assert!(texts(&mut world, bob, TEA).contains(&"thank you both".to_owned()));
    // They take back the right to admit, and give it again: it is not the grant of which it was taken.
    let back = proposed(revoke(&mut world, cleo, "Dan", &[Right::Admit], None));
    // Eve came by an invite of his, and stays.
    assert_eq!(back.gives.len(), 1, "{back:?}");
    world.pass(Duration::from_secs(10));
    assert!(sign(&mut world, bob).done);
    world.pass(Duration::from_secs(30));
    assert!(!held(&mut world, bob, "Dan").contains(&(1, 3)));
    proposed(grant(&mut world, bob, "Dan", &ALL));
    world.pass(Duration::from_secs(10));
    assert!(sign(&mut world, cleo).done);
    world.pass(Duration::from_secs(30));
    assert!(held(&mut world, dan, "Dan").contains(&(1, 3)));
    // They take it all back, and what he was let in by.
    let back = proposed(revoke(&mut world, cleo, "Dan", &[], None));
    assert!(back.takes.len() >= 2 && back.gives.is_empty(), "{back:?}");
    world.pass(Duration::from_secs(10));
    delivered(&mut world, dan, "not yet");
    assert!(sign(&mut world, bob).done);
    world.pass(Duration::from_secs(60));
    let last = send(&mut world, bob, TEA, "between us");
    wait(&mut world, bob, &last, WaitFor::Delivered, Some(1));
    world.pass(Duration::from_secs(60));
    let read = texts(&mut world, dan, TEA);
    assert!(!read.contains(&"between us".to_owned()), "{read:?}");
    let command = Command::Send {
        to: TEA.to_owned(),
        messages: vec![b"after".to_vec()],
        expires: None,
        best_effort: false,
    };
    assert!(failure(world.ask(dan, command)).message.contains("cut off"));
}

#[test]
fn an_owner_takes_its_own_invite_back_alone() {
    let (mut world, [_, bob, cleo]) = three_own(82);
    let topic = list(&mut world, bob).topic;
    let all = |world: &World| {
        let invites = on_disk(world.disk(bob), &topic, |lace, _| {
            let invites = lace.invites().map(|it| it.grant.to_string());
            invites.collect::<BTreeSet<String>>()
        });
        invites.expect("it is here")
    };
    let before = all(&world);
    invite(&mut world, bob, TEA, 3);
    world.pass(Duration::from_secs(10));
    let bobs = all(&world).difference(&before).next().cloned();
    let bobs = bobs.expect("a new one");
    let waits = proposed(revoke(&mut world, cleo, &bobs, &[], None));
    assert!(waits.text.contains("invite"), "{waits:?}");
    let done = revoke(&mut world, bob, &bobs, &[], None);
    assert!(matches!(done, Reply::Revoked { .. }), "{done:?}");
    world.pass(Duration::from_secs(20));
    // There is nothing left to decide.
    for node in [bob, cleo] {
        assert!(pending(&mut world, node).is_empty());
    }
}

/// They are never online at the same time: what is proposed waits where they meet next, over restarts.
#[test]
fn a_proposal_waits_for_who_is_away() {
    let (mut world, [alice, bob, cleo, dan]) = with_dan(83);
    world.down(cleo);
    world.down(alice);
    proposed(grant(&mut world, bob, "Dan", &ALL));
    world.pass(Duration::from_secs(10));
    // Dan, who decides nothing, has it, and Bob goes away.
    assert_eq!(pending(&mut world, dan).len(), 1);
    world.down(bob);
    world.down(dan);
    world.up(dan);
    world.up(cleo);
    world.pass(Duration::from_secs(120));
    assert!(sign(&mut world, cleo).done);
    world.pass(Duration::from_secs(20));
    assert!(held(&mut world, dan, "Dan").contains(&(1, 3)));
    // Nobody asks for it again.
    world.up(bob);
    world.pass(Duration::from_secs(120));
    for node in [bob, cleo, dan] {
        assert!(pending(&mut world, node).is_empty());
    }
}

#[test]
fn what_nobody_signs_is_dropped_after_two_weeks() {
    let (mut world, [alice, bob, cleo, _]) = with_dan(84);
    proposed(grant(&mut world, bob, "Dan", &ALL));
    world.pass(Duration::from_secs(13 * 86_400));
    assert_eq!(pending(&mut world, cleo).len(), 1);
    world.pass(Duration::from_secs(2 * 86_400));
    for node in [alice, bob, cleo] {
        assert!(pending(&mut world, node).is_empty());
    }
}

/// What an attacker who has the keys of one owner's device, or of somebody who is none, can say.
pub(crate) struct Forger {
    pub(crate) topic: TopicId,
    state: identity::ActId,
    pub(crate) key: SecretKey,
}

impl Forger {
    pub(crate) fn new(world: &mut World, node: usize) -> Self {
        let topic: TopicId = list(world, node).topic;
        let genesis = on_disk(world.disk(node), &topic, |lace, _| lace.genesis().clone());
        let genesis = genesis.expect("it is here");
        let set = on_disk(world.disk(node), &topic, |lace, store| {
            let (set, evidence) = (lace.held_set(store), lace.held_evidence());
            let id = lace.genesis().root.member();
            let member = lace.facts(store, |facts| {
                rights::Member::of(facts, &set, &evidence, id)
            });
            member.and_then(|member| Some(member.now()?.id))
        });
        Self {
            topic,
            state: set.flatten().expect("it has owners"),
            key: world.nodes[node].config.device.key_in(topic, &genesis),
        }
    }

    fn root(&self) -> GrantId {
        GrantId::from_bytes(*self.topic.as_bytes())
    }

    /// A grant of everything to a device that nobody knows.
    fn gift(&self, fill: u8) -> Item {
        let form = Form::one(SecretKey::from_seed([fill; 32]).public());
        let always = Some(wire::Interval {
            from: 0,
            until: None,
        });
        Item::Grant(Grant {
            parent: self.root(),
            holder: form.member(),
            rights: wire::Rights {
                publish: always,
                read: always,
                admit: always,
            },
            budget: wire::Budget::default(),
            welcomes: None,
            form: Some(form),
            joint: None,
        })
    }

    pub(crate) fn asks(&self, world: &World, fill: u8) -> wire::Proposal {
        let now = world.wall().as_millis();
        wire::Proposal::jointly(now, self.state, vec![self.gift(fill)]).expect("a grant")
    }

    pub(crate) fn says(
        &self,
        world: &mut World,
        (from, to): (usize, usize),
        proposal: wire::Proposal,
    ) {
        let frame = Frame::Topic {
            topic: self.topic,
            frame: TopicFrame::Proposal(proposal),
        };
        let link = world.link(from, to).expect("they are linked");
        world.inject(link, frame.encode());
        world.pass(Duration::from_secs(1));
    }
}

/// The thief of one owner's device fills the room of that owner alone, and gives nothing.
#[test]
fn one_owner_fills_no_room_but_its_own() {
    let (mut world, [alice, bob, cleo, _]) = with_dan(85);
    let forger = Forger::new(&mut world, bob);
    for fill in 0..40 {
        let mut one = forger.asks(&world, 100 + fill);
        one.sign(forger.topic, &forger.key, Role::Signer);
        // It may say so as often as it likes.
        for _ in 0..3 {
            forger.says(&mut world, (bob, alice), one.clone());
        }
    }
    let kept = pending(&mut world, alice).len();
    assert_eq!(kept, node::limits::MAX_SIGNED_PROPOSALS);
    assert_eq!(pending(&mut world, cleo).len(), kept);
    // The others decide all the same.
    let ours = proposed(grant(&mut world, alice, "Dan", &ALL));
    world.pass(Duration::from_secs(10));
    let id = ours.id.get(..12).expect("digits").to_owned();
    let Reply::Owners(OwnersReply::Signed(signed)) =
        owners(&mut world, cleo, OwnersCommand::Sign { id })
    else {
        panic!("not signed");
    };
    assert!(signed.done);
    world.pass(Duration::from_secs(20));
    assert!(held(&mut world, bob, "Dan").contains(&(1, 3)));
}

/// Signatures of whoever is none of them, over something else, or twice.
#[test]
fn false_signatures_are_not_kept() {
    let (mut world, [alice, bob, cleo, dan]) = with_dan(86);
    let (bobs, dans) = (Forger::new(&mut world, bob), Forger::new(&mut world, dan));
    let none = |world: &mut World| {
        world.pass(Duration::from_secs(5));
        assert!(pending(world, alice).is_empty() && pending(world, cleo).is_empty());
        // Nor is it kept and not shown.
        for node in [alice, cleo] {
            let rows = crate::liars::rows(world.disk(node));
            let mut keys = rows.keys();
            let kept = keys
                .any(|(table, key)| *table == node::rows::NODE.id() && key.first() == Some(&b'o'));
            assert!(!kept, "{node}");
        }
    };
    // Of a member who is no owner, and of nobody that takes part.
    let mut one = dans.asks(&world, 1);
    one.sign(dans.topic, &dans.key, Role::Signer);
    dans.says(&mut world, (dan, alice), one);
    none(&mut world);
    // Beside that of an owner.
    let mut one = bobs.asks(&world, 2);
    one.sign(bobs.topic, &bobs.key, Role::Signer);
    one.sign(bobs.topic, &dans.key, Role::Signer);
    bobs.says(&mut world, (bob, alice), one);
    none(&mut world);
    // Over another topic's item.
    let mut one = bobs.asks(&world, 3);
    one.sign(TopicId::from_bytes([9; 32]), &bobs.key, Role::Signer);
    bobs.says(&mut world, (bob, alice), one);
    none(&mut world);
    // In Alice's name: Bob's signature under her key.
    let alices = Forger::new(&mut world, alice);
    let mut one = bobs.asks(&world, 4);
    one.sign(bobs.topic, &bobs.key, Role::Signer);
    let Item::Grant(mut grant) = one.items()[0].clone() else {
        panic!("a grant");
    };
    let joint = grant.joint.as_mut().expect("signed jointly");
    let mut forged = joint.signatures[0];
    forged.device = alices.key.public();
    joint.add(forged);
    let bytes = proposal_of(&[Item::Grant(grant)], one.since);
    let one = wire::Proposal::decode(&bytes).expect("well formed");
    bobs.says(&mut world, (bob, cleo), one);
    none(&mut world);
    // In a state that is not theirs, out of what is not theirs, of times to come or long ago.
    let now = world.wall().as_millis();
    let first = identity::ActId::from_bytes([7; 32]);
    let mut one = wire::Proposal::jointly(now, first, vec![bobs.gift(5)]).expect("a grant");
    one.sign(bobs.topic, &bobs.key, Role::Signer);
    bobs.says(&mut world, (bob, alice), one);
    none(&mut world);
    let mut one = bobs.asks(&world, 6);
    one.since = now - node::limits::PROPOSAL_MS;
    one.sign(bobs.topic, &bobs.key, Role::Signer);
    bobs.says(&mut world, (bob, alice), one);
    none(&mut world);
    // Bob alone, and a carrier for it: no envelope with it is admitted.
    let mut one = bobs.asks(&world, 8);
    one.sign(bobs.topic, &bobs.key, Role::Signer);
    one.sign(bobs.topic, &bobs.key, Role::Signer);
    bobs.says(&mut world, (bob, alice), one.clone());
    world.pass(Duration::from_secs(5));
    assert_eq!(pending(&mut world, alice)[0].lacks, 1);
    assert_eq!(one.signers(Role::Signer).len(), 1);
    // The same grant is not begun by somebody else under another name of it.
    let Item::Grant(grant) = &one.items()[0] else {
        panic!("a grant");
    };
    assert_eq!(grant.joint.as_ref().map(|it| it.under), Some(bobs.state));
    assert_ne!(
        Item::Grant(Grant {
            joint: Some(Joint::new(first)),
            ..grant.clone()
        })
        .id(),
        one.items()[0].id()
    );
}

fn proposal_of(items: &[Item], since: u64) -> Vec<u8> {
    let mut w = wire::cbor::Writer::new();
    w.map(2).key(0).uint(since);
    w.list(1, items, |w, item| {
        w.encoded(&item.encode());
    });
    w.into_bytes()
}

/// What was proposed before the owners changed, with the signatures of whoever is none any more.
#[test]
fn an_old_proposal_is_worth_nothing_after_the_owners_have_changed() {
    let (mut world, [alice, bob, cleo, _]) = with_dan(87);
    let said: Rc<RefCell<Vec<Vec<u8>>>> = Rc::default();
    let tap = Rc::clone(&said);
    world.tamper = Some(Box::new(move |_, _, bytes| {
        let proposal = matches!(
            Frame::decode(&bytes),
            Ok(Frame::Topic {
                frame: TopicFrame::Proposal(_),
                ..
            })
        );
        if proposal {
            tap.borrow_mut().push(bytes.clone());
        }
        vec![bytes]
    }));
    let forger = Forger::new(&mut world, bob);
    proposed(grant(&mut world, bob, "Dan", &ALL));
    world.pass(Duration::from_secs(5));
    // The other two remove him.
    let Reply::Owners(OwnersReply::Signed(out)) =
        propose(&mut world, alice, (&[], &["Bob"]), Some(2))
    else {
        panic!("not proposed");
    };
    world.pass(Duration::from_secs(5));
    let id = out.id.get(..12).expect("digits").to_owned();
    let signed = owners(&mut world, cleo, OwnersCommand::Sign { id });
    assert!(
        matches!(&signed, Reply::Owners(OwnersReply::Signed(it)) if it.done),
        "{signed:?}"
    );
    world.pass(Duration::from_secs(30));
    let both = [alice, cleo];
    for node in both {
        assert_eq!(names(&list(&mut world, node)), ["Alice", "Cleo"]);
        assert!(
            pending(&mut world, node).is_empty(),
            "his proposal has gone"
        );
    }
    // He, and whoever else, says all of it again, and signs on.
    let mut again = said.borrow().clone();
    let mut late = forger.asks(&world, 9);
    late.sign(forger.topic, &forger.key, Role::Signer);
    let mut act = Act {
        composition: identity::Id::new(
            identity::Kind::Member,
            identity::Scheme::Hash,
            *Form::one(forger.key.public()).member().as_bytes(),
        ),
        number: 2,
        previous: forger.state,
        form: Form::one(forger.key.public()),
        cut: Vec::new(),
        signatures: Vec::new(),
    };
    act.sign(forger.topic, &forger.key, Role::Signer);
    let now = world.wall().as_millis();
    for frame in [late, wire::Proposal::act(now, act)] {
        let frame = Frame::Topic {
            topic: forger.topic,
            frame: TopicFrame::Proposal(frame),
        };
        again.push(frame.encode());
    }
    assert!(again.len() > 3);
    for bytes in again {
        if let Some(link) = world.link(cleo, alice) {
            world.inject(link, bytes);
            world.pass(Duration::from_secs(1));
        }
    }
    for node in both {
        assert!(pending(&mut world, node).is_empty());
    }
    let refused = failure(grant(&mut world, bob, "Dan", &ALL));
    assert!(
        matches!(refused.code, Code::Refused | Code::Failed),
        "{refused:?}"
    );
}

/// What the law does not let anybody say waits for nobody: in a public topic that all may read.
#[test]
fn what_the_law_does_not_speak_of_is_not_kept() {
    let mut world = World::new(88);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.add(name, false));
    crate::public::found_public(&mut world, alice);
    let link = invite(&mut world, alice, TEA, 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(20));
    propose(&mut world, alice, (&["Bob"], &[]), Some(2));
    world.pass(Duration::from_secs(10));
    assert!(sign(&mut world, bob).done);
    world.pass(Duration::from_secs(10));
    let bobs = Forger::new(&mut world, bob);
    let mut one = bobs.asks(&world, 1);
    one.sign(bobs.topic, &bobs.key, Role::Signer);
    bobs.says(&mut world, (bob, alice), one.clone());
    assert!(pending(&mut world, alice).is_empty());
    // One that gives no right to read waits.
    let Item::Grant(mut grant) = one.items()[0].clone() else {
        panic!("a grant");
    };
    (grant.rights.read, grant.joint) = (None, None);
    let now = world.wall().as_millis();
    let items = vec![Item::Grant(grant)];
    let mut one = wire::Proposal::jointly(now, bobs.state, items).expect("a grant");
    one.sign(bobs.topic, &bobs.key, Role::Signer);
    bobs.says(&mut world, (bob, alice), one);
    assert_eq!(pending(&mut world, alice).len(), 1);
    // At its making the reason is said.
    let refused = failure(crate::giving::grant(
        &mut world,
        alice,
        "Bob",
        &[Right::Read],
    ));
    assert!(refused.message.contains("public"), "{refused:?}");
}
