//! Chains of grants as strangers show them: honest ones, broken ones, and whatever costs most.

use std::cell::RefCell;

use identity::{ActId, EnvelopeId, Form, GrantId, PublicKey, SealingKey, SecretKey, TopicId};
use machine::Rng;
use proptest::prelude::*;
use rights::chain::{Broken, Chain, Checks, Rule};
use rights::limits::MAX_CHAIN_BYTES;
use wire::limits::{MAX_CHAIN_SIGNATURES, MAX_PROOF_ENVELOPES};
use wire::{
    Act, Budget, Certificate, Claim, Class, Genesis, Gift, Grant, Header, Interval, Invite,
    InviteKind, Item, Joint, Raw, Rights, Role, Terms, encode_items, sign_envelope,
};

use super::support::{NOW, founded, rng};

pub(crate) const START: u64 = NOW.as_millis();
pub(crate) const HOUR: u64 = 3_600_000;

const ALL: Rights = Rights {
    publish: Some(Interval::ALWAYS),
    read: Some(Interval::ALWAYS),
    admit: Some(Interval::ALWAYS),
};

/// A topic whose owner's device key is known.
pub(crate) struct Topic {
    pub(crate) genesis: Genesis,
    pub(crate) id: TopicId,
    pub(crate) owner: SecretKey,
    rng: RefCell<Rng>,
}

/// An envelope, and what those that name it need.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) raw: Raw,
    pub(crate) id: EnvelopeId,
    pub(crate) generation: u64,
}

/// Somebody who writes under a grant.
#[derive(Clone)]
pub(crate) struct Writer {
    pub(crate) key: SecretKey,
    pub(crate) grant: GrantId,
    pub(crate) number: u64,
    last: Option<Made>,
    pub(crate) created: u64,
}

impl Writer {
    pub(crate) fn new(topic: &Topic, grant: GrantId, after: Option<&Made>) -> Self {
        Self {
            key: topic.key(),
            grant,
            number: 0,
            last: after.cloned(),
            created: START,
        }
    }

    pub(crate) fn write(&mut self, topic: &Topic, items: &[Item]) -> Made {
        self.number += 1;
        let before = self.last.as_ref();
        let first = self.number == 1;
        let header = Header {
            destination: topic.id.to_id(),
            author: self.key.public(),
            number: self.number,
            previous: match before {
                Some(made) if !first => made.id.to_bytes(),
                _ => topic.id.to_bytes(),
            },
            generation: self
                .number
                .max(before.map_or(0, |made| made.generation) + 1),
            created: self.created,
            expires: 0,
            body_len: 0,
            body_hash: [0; 32],
            count: u16::try_from(items.len()).unwrap(),
            class: Class::Control,
            grant: self.grant,
            hops: 8,
            deps: before
                .filter(|_| first)
                .map(|made| made.id)
                .into_iter()
                .collect(),
            manifest: None,
            clock_unconfirmed: false,
            extensions: wire::Extensions::new(),
        };
        let generation = header.generation;
        let made = sign_envelope(header, encode_items(items), &self.key).unwrap();
        let made = Made {
            raw: made.get().envelope.to_raw(Some(encode_items(items))),
            id: made.get().envelope.id,
            generation,
        };
        self.last = Some(made.clone());
        made
    }

    pub(crate) fn certified(&mut self, topic: &Topic, device: &SecretKey, more: &[Item]) -> Made {
        let certificate = Certificate::sign(topic.id, device, self.key.public(), 0);
        let mut items = vec![Item::Certificate(certificate)];
        items.extend_from_slice(more);
        self.write(topic, &items)
    }
}

impl Topic {
    pub(crate) fn new(seed: u8) -> Self {
        let mut rng = rng(seed);
        let owner = SecretKey::generate(&mut rng);
        let mut genesis = founded(seed).genesis;
        genesis.root = Form::one(owner.public());
        Self {
            id: genesis.topic_id(),
            genesis,
            owner,
            rng: RefCell::new(rng),
        }
    }

    pub(crate) fn key(&self) -> SecretKey {
        SecretKey::generate(&mut self.rng.borrow_mut())
    }

    pub(crate) fn root(&self) -> GrantId {
        GrantId::from_bytes(self.id.to_bytes())
    }

    pub(crate) fn invite(
        &self,
        parent: GrantId,
        kind: fn(Gift) -> InviteKind,
    ) -> (SecretKey, Invite) {
        let key = self.key();
        let invite = Invite {
            key: key.public(),
            sealing: SealingKey::from_bytes([5; 32]),
            uses: 1,
            until: START + HOUR,
            kind: kind(Gift {
                terms: Terms::GUEST,
                parent,
            }),
        };
        (key, invite)
    }

    pub(crate) fn claim(&self, key: &SecretKey, invite: &Invite, device: PublicKey) -> Claim {
        let sealing = SealingKey::from_bytes([6; 32]);
        Claim::sign(self.id, key, invite.grant(), device, sealing, START)
    }

    pub(crate) fn check(&self, grant: &GrantId, chain: &[Made]) -> (Result<Chain, Broken>, usize) {
        let raws: Vec<Raw> = chain.iter().map(|made| made.raw.clone()).collect();
        self.check_raw(grant, &raws)
    }

    pub(crate) fn check_raw(
        &self,
        grant: &GrantId,
        raws: &[Raw],
    ) -> (Result<Chain, Broken>, usize) {
        let mut checks = Checks::new();
        let chain = Chain::check(&self.genesis, grant, raws, &mut checks);
        assert!(checks.done() <= MAX_CHAIN_SIGNATURES);
        (chain, checks.done())
    }

    pub(crate) fn rule(&self, grant: &GrantId, chain: &[Made]) -> Rule {
        self.check(grant, chain).0.unwrap_err().rule
    }

    /// A chain of so many grants, each in an envelope after its issuer's first; with the last
    /// holder's device. `terms` says what each of them gives.
    pub(crate) fn delegated(&self, depth: usize, terms: impl Fn(usize) -> Terms) -> Delegated {
        let mut chain = Vec::new();
        let (mut device, mut grant) = (self.owner.clone(), self.root());
        let mut ids = vec![grant];
        for at in 0..depth {
            let mut writer = Writer::new(self, grant, chain.last());
            chain.push(writer.certified(self, &device, &[]));
            let next = self.key();
            let item = given(grant, &Form::one(next.public()), terms(at), None);
            grant = item.id();
            chain.push(writer.write(self, &[item]));
            device = next;
            ids.push(grant);
        }
        Delegated {
            chain,
            device,
            grant,
            ids,
        }
    }
}

pub(crate) struct Delegated {
    pub(crate) chain: Vec<Made>,
    pub(crate) device: SecretKey,
    pub(crate) grant: GrantId,
    ids: Vec<GrantId>,
}

pub(crate) const EVERYTHING: Terms = Terms {
    rights: ALL,
    budget: Terms::GUEST.budget,
};

pub(crate) fn given(parent: GrantId, form: &Form, terms: Terms, joint: Option<Joint>) -> Item {
    Item::Grant(Grant {
        parent,
        holder: form.member(),
        rights: terms.rights,
        budget: terms.budget,
        welcomes: None,
        form: Some(form.clone()),
        joint,
    })
}

pub(crate) fn until(end: u64) -> Rights {
    let interval = Some(Interval {
        from: 0,
        until: Some(end),
    });
    Rights {
        publish: interval,
        read: interval,
        admit: interval,
    }
}

#[test]
fn an_invite_is_proved_by_two_envelopes_and_a_claim() {
    let topic = Topic::new(1);
    let (key, invite) = topic.invite(topic.root(), InviteKind::WhileAway);
    let mut owner = Writer::new(&topic, topic.root(), None);
    let chain = [
        owner.certified(&topic, &topic.owner, &[]),
        owner.write(&topic, &[Item::Invite(invite)]),
    ];
    let grant = invite.grant();
    let (proved, done) = topic.check(&grant, &chain);
    let proved = proved.unwrap();
    assert_eq!((done, proved.depth()), (3, 1));
    let device = topic.key().public();
    let claim = topic.claim(&key, &invite, device);
    let admits = |device: &PublicKey, claim: Option<&Claim>| {
        let mut checks = Checks::new();
        let verdict = proved.admits(device, claim, START, &mut checks);
        assert!(checks.done() <= 1);
        verdict
    };
    assert_eq!(admits(&device, Some(&claim)), Ok(()));
    assert_eq!(admits(&device, None), Err(Rule::Claim));
    assert_eq!(
        admits(&topic.owner.public(), Some(&claim)),
        Err(Rule::Claim)
    );
    let late = Claim {
        time: START + HOUR + 1,
        ..claim
    };
    assert_eq!(admits(&device, Some(&late)), Err(Rule::InviteOver));
    let forged = Claim {
        time: START + 1,
        ..claim
    };
    assert_eq!(admits(&device, Some(&forged)), Err(Rule::Signature));
    let thief = topic.key();
    let own_key = topic.claim(&thief, &invite, device);
    assert_eq!(admits(&device, Some(&own_key)), Err(Rule::Claim));
    // One who has written shows its first envelope, and no claim.
    let mut guest = Writer::new(&topic, grant, chain.last());
    let guest_device = topic.key();
    let claim = topic.claim(&key, &invite, guest_device.public());
    let first = guest.certified(&topic, &guest_device, &[Item::Claim(claim)]);
    let mut chain = chain.to_vec();
    chain.push(first);
    let (proved, done) = topic.check(&grant, &chain);
    assert_eq!(done, 6);
    let mut checks = Checks::new();
    let proved = proved.unwrap();
    let shown = proved.admits(&guest_device.public(), None, START, &mut checks);
    assert_eq!(shown, Ok(()));
    assert_eq!(
        proved.admits(&device, None, START, &mut checks),
        Err(Rule::Claim)
    );
    // The owner proves the topic's own grant without any envelope.
    let own = topic.check(&topic.root(), &[]).0.unwrap();
    let shown = own.admits(&topic.owner.public(), None, START, &mut checks);
    assert_eq!(shown, Ok(()));
    assert_eq!(
        own.admits(&device, None, START, &mut checks),
        Err(Rule::Holder)
    );
}

#[test]
fn a_chain_goes_as_deep_as_grants_do_and_no_deeper() {
    let topic = Topic::new(2);
    let made = topic.delegated(8, |_| EVERYTHING);
    let (proved, done) = topic.check(&made.grant, &made.chain);
    let proved = proved.unwrap();
    assert_eq!((proved.depth(), done), (8, 24));
    let mut checks = Checks::new();
    let device = made.device.public();
    assert_eq!(proved.admits(&device, None, START, &mut checks), Ok(()));
    let other = topic.owner.public();
    let refused = proved.admits(&other, None, START, &mut checks);
    assert_eq!(refused, Err(Rule::Holder));
    // Nine grants, each in its issuer's first envelope, so that there is room for them.
    let (mut device, mut grant) = (topic.owner.clone(), topic.root());
    let mut chain: Vec<Made> = Vec::new();
    for _ in 0..9 {
        let mut writer = Writer::new(&topic, grant, chain.last());
        let next = topic.key();
        let item = given(grant, &Form::one(next.public()), EVERYTHING, None);
        grant = item.id();
        chain.push(writer.certified(&topic, &device, &[item]));
        device = next;
    }
    let broken = topic.check(&grant, &chain).0.unwrap_err();
    assert_eq!((broken.at, broken.rule), (8, Rule::Depth));
}

#[test]
fn what_is_left_out_or_out_of_order_breaks_a_chain() {
    let topic = Topic::new(3);
    let made = topic.delegated(3, |_| EVERYTHING);
    for left_out in 0..made.chain.len() {
        let mut chain = made.chain.clone();
        chain.remove(left_out);
        assert!(topic.check(&made.grant, &chain).0.is_err(), "{left_out}");
    }
    for (one, other) in (0..6).flat_map(|one| (0..one).map(move |other| (one, other))) {
        let mut chain = made.chain.clone();
        chain.swap(one, other);
        let rule = topic.rule(&made.grant, &chain);
        assert!(
            matches!(rule, Rule::Order | Rule::Missing),
            "{one} {other} {rule}"
        );
    }
    let shorter = topic.check(&made.ids[1], &made.chain).0.unwrap_err();
    assert_eq!((shorter.at, shorter.rule), (3, Rule::Order));
    assert_eq!(topic.rule(&made.grant, &[]), Rule::Missing);
    // Back to the beginning, in the middle and at the end.
    for at in [2, 4, 6] {
        let mut chain = made.chain.clone();
        chain.insert(at, made.chain[0].clone());
        let broken = topic.check(&made.grant, &chain).0.unwrap_err();
        assert_eq!((broken.at, broken.rule), (at, Rule::Loop));
    }
    // The other way round, another topic's, and one for another grant.
    let mut chain = made.chain.clone();
    chain.reverse();
    assert_eq!(topic.rule(&made.grant, &chain), Rule::Order);
    let other = Topic::new(4);
    assert_eq!(other.rule(&made.grant, &made.chain), Rule::Topic);
    let unknown = GrantId::from_bytes([9; 32]);
    assert!(topic.check(&unknown, &made.chain).0.is_err());
}

#[test]
fn nobody_gives_what_it_has_not_or_when_it_may_not() {
    let topic = Topic::new(5);
    let guest = Terms::GUEST;
    // Who may not admit.
    let made = topic.delegated(2, |_| guest);
    assert_eq!(topic.rule(&made.grant, &made.chain), Rule::Right);
    // More time than the issuer has, and a larger budget.
    let limited = Terms {
        rights: until(START + HOUR),
        budget: Budget {
            messages: Some(10),
            largest: Some(100),
            ..Budget::default()
        },
    };
    for more in [
        Terms {
            rights: ALL,
            ..limited
        },
        Terms {
            budget: Budget::default(),
            ..limited
        },
        Terms {
            budget: Budget {
                messages: Some(11),
                ..limited.budget
            },
            ..limited
        },
    ] {
        let made = topic.delegated(2, |at| if at == 0 { limited } else { more });
        assert_eq!(topic.rule(&made.grant, &made.chain), Rule::Within);
    }
    let made = topic.delegated(2, |_| limited);
    let proved = topic.check(&made.grant, &made.chain).0.unwrap();
    let device = made.device.public();
    let at = |now| proved.admits(&device, None, now, &mut Checks::new());
    assert_eq!(at(START), Ok(()));
    assert_eq!(at(START + HOUR), Err(Rule::Over));
    // The issuer's right is over at the time that the envelope claims.
    let over = Terms {
        rights: until(START),
        ..limited
    };
    let made = topic.delegated(2, |_| over);
    assert_eq!(topic.rule(&made.grant, &made.chain), Rule::Time);
    let later = Terms {
        rights: Rights {
            admit: Some(Interval {
                from: START + 1,
                until: None,
            }),
            ..ALL
        },
        ..EVERYTHING
    };
    let made = topic.delegated(2, |_| later);
    assert_eq!(topic.rule(&made.grant, &made.chain), Rule::Time);
}

/// Where nothing is named the topic's bounds are what was given; more than that is not given on.
#[test]
fn nobody_gives_more_than_the_topic_s_bounds() {
    let mut topic = Topic::new(8);
    topic.genesis.policy.budget.messages = Some(10);
    topic.id = topic.genesis.topic_id();
    let named = |messages| Terms {
        budget: Budget {
            messages,
            ..Budget::default()
        },
        ..EVERYTHING
    };
    for (first, second, fits) in [
        (None, None, true),
        (None, Some(10), true),
        (None, Some(11), false),
        (Some(9), None, false),
        (Some(20), Some(15), true),
        (Some(20), None, true),
    ] {
        let made = topic.delegated(2, |at| named(if at == 0 { first } else { second }));
        let proved = topic.check(&made.grant, &made.chain).0;
        assert_eq!(proved.is_ok(), fits, "{first:?} {second:?}");
    }
}

#[test]
fn strangers_keys_do_not_get_into_a_chain() {
    let topic = Topic::new(6);
    let thief = topic.key();
    let item = given(topic.root(), &Form::one(thief.public()), EVERYTHING, None);
    let grant = item.id();
    let mut writer = Writer::new(&topic, topic.root(), None);
    let first = writer.certified(&topic, &thief, std::slice::from_ref(&item));
    assert_eq!(topic.rule(&grant, &[first]), Rule::Holder);
    // Behind the owner's first envelope, under another key or by a number 1 of the same key.
    let mut owner = Writer::new(&topic, topic.root(), None);
    let forked = owner.clone();
    let first = owner.certified(&topic, &topic.owner, &[]);
    let mut other = Writer::new(&topic, topic.root(), None);
    other.number = 1;
    other.last = Some(first.clone());
    let made = other.write(&topic, std::slice::from_ref(&item));
    assert_eq!(topic.rule(&grant, &[first.clone(), made]), Rule::Order);
    let mut again = forked;
    let made = again.write(&topic, std::slice::from_ref(&item));
    assert_eq!(topic.rule(&grant, &[first.clone(), made]), Rule::Order);
    // A certificate that is for another author, or for nobody.
    let mut other = Writer::new(&topic, topic.root(), None);
    let mut made = other.clone();
    let bare = made.write(&topic, std::slice::from_ref(&item));
    assert_eq!(topic.rule(&grant, &[bare]), Rule::Certificate);
    let certificate = Certificate {
        device: topic.owner.public(),
        ..Certificate::sign(topic.id, &thief, other.key.public(), 0)
    };
    // Nobody signs such an envelope with the program; its bytes are made by hand.
    let body = encode_items(&[Item::Certificate(certificate), item]);
    let empty = other.certified(&topic, &thief, &[]);
    let mut header = wire::decode_header(&empty.raw.header_bytes).unwrap();
    header.count = 2;
    header.body_len = u32::try_from(body.len()).unwrap();
    header.body_hash = identity::seal::hash(&[&body]);
    let header_bytes = header.encode();
    let id = Header::id_of(&header_bytes);
    let proof = other.key.sign(identity::Context::Envelope, id.as_bytes());
    let raw = Raw {
        header_bytes,
        proof,
        body: Some(body),
    };
    let broken = topic.check_raw(&grant, &[raw]).0.unwrap_err();
    assert_eq!(broken.rule, Rule::Signature);
}

#[test]
fn an_author_names_the_envelope_with_its_grant() {
    let topic = Topic::new(7);
    let made = topic.delegated(1, |_| EVERYTHING);
    let next = given(
        made.grant,
        &Form::one(topic.owner.public()),
        EVERYTHING,
        None,
    );
    let mut writer = Writer::new(&topic, made.grant, made.chain.first());
    let first = writer.certified(&topic, &made.device, std::slice::from_ref(&next));
    let mut chain = made.chain.clone();
    chain.push(first);
    assert_eq!(topic.rule(&next.id(), &chain), Rule::Deps);
}

#[test]
fn nothing_hangs_under_an_invite_and_some_need_a_welcome() {
    let topic = Topic::new(8);
    let (key, invite) = topic.invite(topic.root(), InviteKind::WhileAway);
    let mut owner = Writer::new(&topic, topic.root(), None);
    let mut chain = vec![owner.certified(&topic, &topic.owner, &[Item::Invite(invite)])];
    let device = topic.key();
    let claim = topic.claim(&key, &invite, device.public());
    let below = given(
        invite.grant(),
        &Form::one(device.public()),
        Terms::GUEST,
        None,
    );
    let mut guest = Writer::new(&topic, invite.grant(), chain.last());
    chain.push(guest.certified(&topic, &device, &[Item::Claim(claim), below.clone()]));
    assert_eq!(topic.rule(&below.id(), &chain), Rule::Parent);
    // A claim that is for another device than the certificate's.
    let thief = topic.key();
    let mut guest = Writer::new(&topic, invite.grant(), chain.first());
    let stolen = guest.certified(&topic, &thief, &[Item::Claim(claim)]);
    let rule = topic.rule(&invite.grant(), &[chain[0].clone(), stolen]);
    assert_eq!(rule, Rule::Claim);
    let (key, attended) = topic.invite(topic.root(), InviteKind::Attended);
    let mut owner = Writer::new(&topic, topic.root(), None);
    let first = owner.certified(&topic, &topic.owner, &[Item::Invite(attended)]);
    let proved = topic.check(&attended.grant(), &[first]).0.unwrap();
    let claim = topic.claim(&key, &attended, device.public());
    let shown = proved.admits(&device.public(), Some(&claim), START, &mut Checks::new());
    assert_eq!(shown, Err(Rule::Attended));
}

/// The owner becomes two devices that both must sign, which grant together.
pub(crate) fn owners(topic: &Topic) -> (Vec<Made>, Item, SecretKey) {
    let second = topic.key();
    let both = Form::equal(&[topic.owner.public(), second.public()].into(), 2).unwrap();
    let root = &topic.genesis.root;
    let mut act = Act {
        composition: root.member(),
        number: 1,
        previous: root.first_state(),
        form: both,
        cut: Vec::new(),
        signatures: Vec::new(),
    };
    act.sign(topic.id, &topic.owner, Role::Signer);
    act.sign(topic.id, &second, Role::New);
    let holder = topic.key();
    let joint = Some(Joint::new(act.id()));
    let mut item = given(topic.root(), &Form::one(holder.public()), EVERYTHING, joint);
    item.sign_jointly(topic.id, &topic.owner);
    item.sign_jointly(topic.id, &second);
    // Anybody may carry them.
    let mut carrier = Writer::new(topic, GrantId::from_bytes([8; 32]), None);
    carrier.number = 4;
    let act = carrier.write(topic, &[Item::Act(act)]);
    let grant = carrier.write(topic, std::slice::from_ref(&item));
    (vec![act, grant], item, holder)
}

#[test]
fn acts_and_joint_grants_stand_by_their_signatures() {
    let topic = Topic::new(9);
    let (chain, item, holder) = owners(&topic);
    let (proved, done) = topic.check(&item.id(), &chain);
    assert_eq!(done, 6);
    let shown = proved
        .unwrap()
        .admits(&holder.public(), None, START, &mut Checks::new());
    assert_eq!(shown, Ok(()));
    // Without the act it is signed in a state that nobody knows, and the other way round.
    assert_eq!(topic.rule(&item.id(), &chain[1..]), Rule::Joint);
    let turned = [chain[1].clone(), chain[0].clone()];
    assert_eq!(topic.rule(&item.id(), &turned), Rule::Joint);
    let twice = [chain[0].clone(), chain[0].clone(), chain[1].clone()];
    assert_eq!(topic.rule(&item.id(), &twice), Rule::Act);
    // With one signature of two.
    let Item::Grant(mut grant) = item.clone() else {
        unreachable!()
    };
    if let Some(joint) = &mut grant.joint {
        joint.signatures.pop();
    }
    let mut carrier = Writer::new(&topic, topic.root(), None);
    carrier.number = 4;
    let made = carrier.write(&topic, &[Item::Grant(grant)]);
    assert_eq!(
        topic.rule(&item.id(), &[chain[0].clone(), made]),
        Rule::Joint
    );
    // An act that nobody of the composition signed.
    let thief = topic.key();
    let root = &topic.genesis.root;
    let mut act = Act {
        composition: root.member(),
        number: 1,
        previous: ActId::from_bytes(*root.member().as_bytes()),
        form: Form::one(thief.public()),
        cut: Vec::new(),
        signatures: Vec::new(),
    };
    act.sign(topic.id, &thief, Role::New);
    let mut carrier = Writer::new(&topic, topic.root(), None);
    carrier.number = 4;
    let made = carrier.write(&topic, &[Item::Act(act)]);
    assert_eq!(topic.rule(&topic.root(), &[made]), Rule::Act);
}

/// Sixteen devices become sixteen others, over and over: each act has as many signatures as an
/// envelope may hold, all of them good.
#[test]
fn the_dearest_chain_costs_no_more_than_thirty_two_signatures() {
    let mut topic = Topic::new(10);
    let keys: Vec<SecretKey> = (0..8).map(|_| topic.key()).collect();
    let mut form = Form::equal(&keys.iter().map(SecretKey::public).collect(), 8).unwrap();
    topic.genesis.root = form.clone();
    topic.id = topic.genesis.topic_id();
    let (composition, mut previous) = (form.member(), form.first_state());
    let mut keys = keys;
    let mut carrier = Writer::new(&topic, topic.root(), None);
    carrier.number = 4;
    let mut chain = Vec::new();
    for number in 1..=8 {
        let new: Vec<SecretKey> = (0..8).map(|_| topic.key()).collect();
        form = Form::equal(&new.iter().map(SecretKey::public).collect(), 8).unwrap();
        let mut act = Act {
            composition,
            number,
            previous,
            form: form.clone(),
            cut: Vec::new(),
            signatures: Vec::new(),
        };
        keys.iter()
            .for_each(|key| act.sign(topic.id, key, Role::Signer));
        new.iter()
            .for_each(|key| act.sign(topic.id, key, Role::New));
        previous = act.id();
        chain.push(carrier.write(&topic, &[Item::Act(act)]));
        keys = new;
    }
    let (broken, done) = topic.check(&topic.root(), &chain);
    assert_eq!(broken.unwrap_err().rule, Rule::Checks);
    assert!((17..=MAX_CHAIN_SIGNATURES).contains(&done));
    // As many guests as there is room for: the claims of all are checked, up to the bound.
    let topic = Topic::new(11);
    let (key, invite) = topic.invite(topic.root(), InviteKind::WhileAway);
    let mut owner = Writer::new(&topic, topic.root(), None);
    let mut chain = vec![owner.certified(&topic, &topic.owner, &[Item::Invite(invite)])];
    for _ in 1..MAX_PROOF_ENVELOPES {
        let device = topic.key();
        let claim = topic.claim(&key, &invite, device.public());
        let mut guest = Writer::new(&topic, invite.grant(), chain.first());
        chain.push(guest.certified(&topic, &device, &[Item::Claim(claim)]));
    }
    let (broken, done) = topic.check(&invite.grant(), &chain);
    assert_eq!(broken.unwrap_err().rule, Rule::Checks);
    assert_eq!(done, MAX_CHAIN_SIGNATURES);
}

#[test]
fn what_is_too_long_is_refused_without_a_check() {
    let topic = Topic::new(12);
    let made = topic.delegated(8, |_| EVERYTHING);
    let mut long = made.chain.clone();
    long.push(made.chain[0].clone());
    let (broken, done) = topic.check(&made.grant, &long);
    assert_eq!((broken.unwrap_err().rule, done), (Rule::Envelopes, 0));
    let mut writer = Writer::new(&topic, topic.root(), None);
    let cores = Item::Cores(vec![7; 5_000]);
    let items = [cores.clone(), cores.clone(), cores];
    let large = writer.certified(&topic, &topic.owner, &items);
    assert!(large.raw.encoded_len() < MAX_CHAIN_BYTES / 2);
    let large = [large.clone(), large.clone(), large];
    let (broken, done) = topic.check(&made.grant, &large);
    assert_eq!((broken.unwrap_err().rule, done), (Rule::Bytes, 0));
    // One bit of the last envelope, or its body, is missing: seen before any signature is checked.
    let mut raws: Vec<Raw> = made.chain.iter().map(|made| made.raw.clone()).collect();
    let last = raws.len() - 1;
    raws[last].body = None;
    let (broken, done) = topic.check_raw(&made.grant, &raws);
    let broken = broken.unwrap_err();
    assert_eq!((broken.at, broken.rule, done), (last, Rule::Malformed, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever is shown of good envelopes, in whatever order, whole or damaged: an answer in
    /// bounded time, and no grant that the envelopes before it do not give.
    #[test]
    fn whatever_is_shown_is_answered_in_bounds(
        picks in prop::collection::vec((0_usize..12, any::<u16>(), 0_u8..8), 0..20),
        target in 0_usize..6,
    ) {
        let topic = Topic::new(13);
        let made = topic.delegated(3, |_| EVERYTHING);
        let (more, joint, _) = owners(&topic);
        let (_, invite) = topic.invite(made.grant, InviteKind::WhileAway);
        let mut writer = Writer::new(&topic, made.grant, made.chain.last());
        let mut pool = made.chain.clone();
        pool.push(writer.certified(&topic, &made.device, &[]));
        pool.push(writer.write(&topic, &[Item::Invite(invite)]));
        pool.extend(more);
        let targets = [made.ids[0], made.ids[1], made.ids[2], made.ids[3], joint.id(), invite.grant()];
        let mut whole = true;
        let raws: Vec<Raw> = picks.iter().enumerate().map(|(at, (pick, flip, kind))| {
            let mut raw = pool[pick % pool.len()].raw.clone();
            // Often in order.
            if *kind >= 3 {
                raw = pool[at % pool.len()].raw.clone();
            }
            let flip_in = |bytes: &mut [u8]| {
                let at = usize::from(*flip) % bytes.len();
                bytes[at] ^= 1;
            };
            match kind {
                0 => { flip_in(&mut raw.header_bytes); whole = false; }
                1 => { raw.body.iter_mut().for_each(|body| flip_in(body)); whole = false; }
                _ => {}
            }
            raw
        }).collect();
        let (proved, done) = topic.check_raw(&targets[target], &raws);
        if !whole {
            prop_assert!(proved.is_err());
        }
        match proved {
            Ok(proved) => {
                prop_assert!(proved.depth() <= 8);
                prop_assert!(raws.len() <= MAX_PROOF_ENVELOPES && done >= raws.len());
            }
            Err(broken) => prop_assert!(broken.at <= raws.len()),
        }
    }

    /// Bytes that mean nothing.
    #[test]
    fn noise_is_refused_without_a_check(
        noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20),
    ) {
        let topic = Topic::new(14);
        let raws: Vec<Raw> = noise.iter().map(|bytes| Raw {
            header_bytes: bytes.clone(),
            proof: identity::Signature::from_bytes([0; 64]),
            body: Some(bytes.clone()),
        }).collect();
        let (proved, done) = topic.check_raw(&topic.root(), &raws);
        prop_assert!(proved.is_err());
        prop_assert_eq!(done, 0);
    }
}
