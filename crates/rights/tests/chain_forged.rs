//! Chains of which one thing is forged: an envelope, a certificate, a claim, an act or a signature
//! that no honest program makes. Everything beside it is right, so that one check alone refuses it.

use identity::{ActId, Context, Form, GrantId, SecretKey, Signature};
use rights::chain::{Checks, Rule};
use wire::{
    Act, Certificate, Claim, Header, InviteKind, Item, Raw, Role, Terms, decode_items, encode_items,
};

use crate::chain::{EVERYTHING, HOUR, Made, START, Topic, Writer, given, owners, until};

/// The envelope with another header and other items, signed anew: by hand, since the program signs
/// none that is wrong.
fn forged(key: &SecretKey, made: &Made, items: &[Item], change: impl FnOnce(&mut Header)) -> Made {
    let mut header = wire::decode_header(&made.raw.header_bytes).unwrap();
    let body = encode_items(items);
    header.count = u16::try_from(items.len()).unwrap();
    header.body_len = u32::try_from(body.len()).unwrap();
    header.body_hash = identity::seal::hash(&[&body]);
    change(&mut header);
    let header_bytes = header.encode();
    let id = Header::id_of(&header_bytes);
    Made {
        generation: header.generation,
        raw: Raw {
            proof: key.sign(Context::Envelope, id.as_bytes()),
            header_bytes,
            body: Some(body),
        },
        id,
    }
}

fn items(of: &Made) -> Vec<Item> {
    decode_items(of.raw.body.as_deref().unwrap()).unwrap()
}

fn turned(signature: &Signature) -> Signature {
    let mut bytes = *signature.as_bytes();
    bytes[40] ^= 1;
    Signature::from_bytes(bytes)
}

/// Of a chain with one grant, each envelope as it is and then with something else.
struct One {
    topic: Topic,
    owner: Writer,
    chain: [Made; 2],
    item: Item,
}

impl One {
    fn new(seed: u8) -> Self {
        let topic = Topic::new(seed);
        let mut owner = Writer::new(&topic, topic.root(), None);
        let holder = Form::one(topic.key().public());
        let item = given(topic.root(), &holder, EVERYTHING, None);
        let chain = [
            owner.certified(&topic, &topic.owner, &[]),
            owner.write(&topic, std::slice::from_ref(&item)),
        ];
        let made = Self {
            topic,
            owner,
            chain,
            item,
        };
        made.topic.check(&made.item.id(), &made.chain).0.unwrap();
        made
    }

    /// What becomes of the chain with another second envelope.
    fn with_second(&self, change: impl FnOnce(&mut Header)) -> Rule {
        let item = std::slice::from_ref(&self.item);
        let second = forged(&self.owner.key, &self.chain[1], item, change);
        let chain = [self.chain[0].clone(), second];
        self.topic.rule(&self.item.id(), &chain)
    }
}

#[test]
fn a_body_is_the_one_that_its_header_names() {
    let one = One::new(40);
    let mut raws = [one.chain[0].raw.clone(), one.chain[1].raw.clone()];
    // Another certificate of the same length, as good as the first.
    let author = one.owner.key.public();
    let other = Certificate::sign(one.topic.id, &one.topic.owner, author, 1);
    raws[0].body = Some(encode_items(&[Item::Certificate(other)]));
    let (broken, done) = one.topic.check_raw(&one.item.id(), &raws);
    let broken = broken.unwrap_err();
    assert_eq!((broken.at, broken.rule, done), (0, Rule::Malformed, 0));
    // And it has as many items as that says.
    assert_eq!(one.with_second(|header| header.count = 2), Rule::Malformed);
}

#[test]
fn every_envelope_is_signed_by_its_author() {
    let one = One::new(41);
    for at in 0..2 {
        let mut raws = [one.chain[0].raw.clone(), one.chain[1].raw.clone()];
        raws[at].proof = turned(&raws[at].proof);
        let broken = one.topic.check_raw(&one.item.id(), &raws).0.unwrap_err();
        assert_eq!((broken.at, broken.rule), (at, Rule::Signature));
    }
}

#[test]
fn a_certificate_is_for_the_author_that_shows_it() {
    let one = One::new(42);
    // The owner's own, repeated by somebody else beside a grant of its own.
    let thief = one.topic.key();
    let certificate = items(&one.chain[0]).remove(0);
    let more = [certificate, one.item.clone()];
    let author = thief.public();
    let first = forged(&thief, &one.chain[0], &more, |header| {
        header.author = author
    });
    assert_eq!(one.topic.rule(&one.item.id(), &[first]), Rule::Certificate);
}

#[test]
fn an_author_writes_under_its_own_grant_and_in_its_order() {
    let one = One::new(43);
    let other = GrantId::from_bytes([9; 32]);
    assert_eq!(one.with_second(|header| header.grant = other), Rule::Order);
    assert_eq!(
        one.with_second(|header| header.created = START - 1),
        Rule::Order
    );
}

#[test]
fn an_author_begins_behind_its_grant_and_while_it_lasts() {
    let topic = Topic::new(44);
    let made = topic.delegated(1, |_| EVERYTHING);
    let carrier = made.chain.last().unwrap();
    let mut writer = Writer::new(&topic, made.grant, Some(carrier));
    let first = writer.certified(&topic, &made.device, &[]);
    let rule = |change: &dyn Fn(&mut Header)| {
        let first = forged(&writer.key, &first, &items(&first), change);
        let chain = [made.chain.as_slice(), &[first]].concat();
        topic.check(&made.grant, &chain).0.map_err(|it| it.rule)
    };
    rule(&|_| {}).unwrap();
    // It names another envelope, or comes no later than what it names.
    let beside = made.chain[0].id;
    let deps = rule(&|header| header.deps = vec![beside]);
    assert_eq!(deps.unwrap_err(), Rule::Deps);
    let early = rule(&|header| header.generation = carrier.generation);
    assert_eq!(early.unwrap_err(), Rule::Deps);
    // The rights of the grant are over by the time that it claims.
    let terms = Terms {
        rights: until(START + HOUR),
        ..EVERYTHING
    };
    let made = topic.delegated(1, |_| terms);
    let begins = |created| {
        let mut writer = Writer::new(&topic, made.grant, made.chain.last());
        writer.created = created;
        let first = writer.certified(&topic, &made.device, &[]);
        let chain = [made.chain.as_slice(), &[first]].concat();
        topic.check(&made.grant, &chain).0.map_err(|it| it.rule)
    };
    begins(START + HOUR - 1).unwrap();
    assert_eq!(begins(START + HOUR).unwrap_err(), Rule::Time);
}

#[test]
fn a_claim_is_of_this_invite_and_signed_by_its_key() {
    let topic = Topic::new(45);
    let (key, invite) = topic.invite(topic.root(), InviteKind::WhileAway);
    let mut owner = Writer::new(&topic, topic.root(), None);
    let given = owner.certified(&topic, &topic.owner, &[Item::Invite(invite)]);
    let device = topic.key();
    let claim = topic.claim(&key, &invite, device.public());
    let mut guest = Writer::new(&topic, invite.grant(), Some(&given));
    let first = guest.certified(&topic, &device, &[Item::Claim(claim)]);
    let rule = |claim: Claim| {
        let mut all = items(&first);
        all[1] = Item::Claim(claim);
        let first = forged(&guest.key, &first, &all, |_| {});
        topic
            .check(&invite.grant(), &[given.clone(), first])
            .0
            .map_err(|it| it.rule)
    };
    rule(claim).unwrap();
    let unsigned = Claim {
        signature: turned(&claim.signature),
        ..claim
    };
    assert_eq!(rule(unsigned).unwrap_err(), Rule::Signature);
    // Signed by the invite's key, for another grant.
    let other = GrantId::from_bytes([9; 32]);
    let moved = Claim::sign(topic.id, &key, other, device.public(), claim.sealing, START);
    assert_eq!(rule(moved).unwrap_err(), Rule::Claim);
    let proved = topic
        .check(&invite.grant(), std::slice::from_ref(&given))
        .0
        .unwrap();
    let shown = |claim| proved.admits(&device.public(), Some(claim), START, &mut Checks::new());
    assert_eq!(shown(&claim), Ok(()));
    assert_eq!(shown(&moved), Err(Rule::Claim));
    assert_eq!(shown(&unsigned), Err(Rule::Signature));
}

#[test]
fn acts_follow_the_state_with_good_signatures() {
    let topic = Topic::new(46);
    let (chain, item, _) = owners(&topic);
    topic.check(&item.id(), &chain).0.unwrap();
    let carrier = topic.key();
    let Item::Act(act) = items(&chain[0]).remove(0) else {
        panic!("an act");
    };
    let rule = |act: Act| {
        let author = carrier.public();
        let made = forged(&carrier, &chain[0], &[Item::Act(act)], |header| {
            header.author = author;
        });
        topic.rule(&topic.root(), &[made])
    };
    let mut broken = act.clone();
    broken.signatures[1].signature = turned(&broken.signatures[1].signature);
    assert_eq!(rule(broken), Rule::Signature);
    // And so what they sign together.
    let Item::Grant(mut grant) = item.clone() else {
        panic!("a grant");
    };
    let joint = grant.joint.as_mut().unwrap();
    joint.signatures[0].signature = turned(&joint.signatures[0].signature);
    let author = carrier.public();
    let made = forged(&carrier, &chain[1], &[Item::Grant(grant)], |header| {
        header.author = author;
    });
    let rule = topic.rule(&item.id(), &[chain[0].clone(), made]);
    assert_eq!(rule, Rule::Signature);
}

/// Signed by those who must, with another number than the next, or behind another state.
#[test]
fn acts_come_one_after_the_other() {
    let topic = Topic::new(47);
    let (second, third) = (topic.key(), topic.key());
    let owner = topic.owner.public();
    let root = &topic.genesis.root;
    let mut first = Act {
        composition: root.member(),
        number: 1,
        previous: root.first_state(),
        form: Form::equal(&[owner, second.public()].into(), 2).unwrap(),
        cut: Vec::new(),
        signatures: Vec::new(),
    };
    first.sign(topic.id, &topic.owner, Role::Signer);
    first.sign(topic.id, &second, Role::New);
    let carried = |number, previous| {
        let all = [owner, second.public(), third.public()];
        let mut next = Act {
            number,
            previous,
            form: Form::equal(&all.into(), 2).unwrap(),
            signatures: Vec::new(),
            ..first.clone()
        };
        next.sign(topic.id, &topic.owner, Role::Signer);
        next.sign(topic.id, &second, Role::Signer);
        next.sign(topic.id, &third, Role::New);
        let mut carrier = Writer::new(&topic, topic.root(), None);
        carrier.number = 4;
        let chain = [first.clone(), next].map(|act| carrier.write(&topic, &[Item::Act(act)]));
        topic.check(&topic.root(), &chain).0.map_err(|it| it.rule)
    };
    carried(2, first.id()).unwrap();
    assert_eq!(carried(3, first.id()).unwrap_err(), Rule::Act);
    let elsewhere = ActId::from_bytes([9; 32]);
    assert_eq!(carried(2, elsewhere).unwrap_err(), Rule::Act);
}
