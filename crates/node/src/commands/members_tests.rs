//! What is told of members whose grants fall, in a graph under the law.

use super::{Kept, People, Person};
use crate::command::{Ending, GrantKind};
use identity::{Form, GrantId, SealingKey, SecretKey, TopicId};
use lace::{Admission, Lace};
use machine::Rng;
use machine::test::World;
use rights::Law;
use std::collections::BTreeSet;
use wire::{
    Budget, Certificate, Checked, Claim, Class, Gift, Grant, Header, Interval, Invite, InviteKind,
    Item, Revocation, Rights, Terms, Verified, encode_items, sign_envelope,
};

const START: u64 = 1_795_132_800_000;
const LOCAL: u32 = 7;

const ALL: Rights = Rights {
    publish: Some(Interval::ALWAYS),
    read: Some(Interval::ALWAYS),
    admit: Some(Interval::ALWAYS),
};

struct Graph {
    world: World,
    lace: Lace,
    topic: TopicId,
    rng: Rng,
}

/// A chain of a device.
struct Pen {
    author: SecretKey,
    device: SecretKey,
    grant: GrantId,
    last: Option<Checked<Verified>>,
}

impl Graph {
    fn key(&mut self) -> SecretKey {
        SecretKey::generate(&mut self.rng)
    }

    fn pen(&mut self, device: &SecretKey, grant: GrantId) -> Pen {
        Pen {
            author: self.key(),
            device: device.clone(),
            grant,
            last: None,
        }
    }

    /// The next envelope of a chain, after what it names, taken.
    fn write(&mut self, pen: &mut Pen, items: &[Item], dep: Option<&Checked<Verified>>) {
        let author = pen.author.public();
        let mut items = items.to_vec();
        let mut header = Header {
            destination: self.topic.to_id(),
            author,
            number: 1,
            previous: self.topic.to_bytes(),
            generation: 1,
            created: START,
            expires: 0,
            body_len: 0,
            body_hash: [0; 32],
            count: 1,
            class: Class::Control,
            grant: pen.grant,
            hops: 8,
            deps: Vec::new(),
            manifest: None,
            clock_unconfirmed: false,
            extensions: wire::Extensions::new(),
        };
        if let Some(last) = &pen.last {
            let last = &last.get().envelope;
            header.number = last.header.number + 1;
            header.previous = last.id.to_bytes();
            header.generation = last.header.generation + 1;
        } else {
            let certificate = Certificate::sign(self.topic, &pen.device, author, 0);
            items.insert(0, Item::Certificate(certificate));
        }
        if let Some(dep) = dep {
            let dep = &dep.get().envelope;
            header.deps.push(dep.id);
            header.generation = header.generation.max(dep.header.generation + 1);
        }
        header.count = u16::try_from(items.len()).unwrap();
        let made = sign_envelope(header, encode_items(&items), &pen.author).unwrap();
        let lace = &mut self.lace;
        let taken = made.clone();
        let report = self.world.turn(|cx| lace.admit(&mut cx.store, taken));
        let admitted = |(_, outcome): &_| matches!(outcome, Admission::Admitted { .. });
        assert!(report.iter().all(admitted), "{report:?}");
        pen.last = Some(made);
    }

    fn people(&mut self) -> Vec<Person> {
        let lace = &mut self.lace;
        self.world.turn(|cx| {
            while lace.has_work() {
                lace.work(&mut cx.store);
            }
            People::of(lace, &mut cx.store, (START + 60_000, &Kept::default())).0
        })
    }
}

fn founded() -> (Graph, Pen) {
    let mut rng = Rng::from_seed([8; 32]);
    let owner = SecretKey::generate(&mut rng);
    let device = rights::DeviceSecret::generate(&mut rng);
    let parameters = wire::Parameters {
        history_days: 90,
        lifespan: 1000,
    };
    let wall = machine::WallTime::from_millis(START);
    let mut genesis = rights::found(&device, wall, parameters, &mut rng)
        .unwrap()
        .genesis;
    genesis.root = Form::one(owner.public());
    let mut world = World::new(1);
    let lace = world.turn(|cx| Lace::create(&mut cx.store, LOCAL, &genesis));
    let topic = genesis.topic_id();
    let mut graph = Graph {
        world,
        lace: lace.ruled_by(&Law),
        topic,
        rng,
    };
    let mut pen = graph.pen(&owner, GrantId::from_bytes(topic.to_bytes()));
    graph.write(&mut pen, &[], None);
    (graph, pen)
}

#[test]
fn whoever_falls_is_told_with_who_did_it() {
    let (mut graph, mut owner) = founded();
    let (phone, laptop) = (graph.key(), graph.key());
    let keys: BTreeSet<_> = [phone.public(), laptop.public()].into();
    let form = Form::equal(&keys, 1).unwrap();
    let given = Item::Grant(Grant {
        parent: owner.grant,
        holder: form.member(),
        rights: ALL,
        budget: Budget {
            messages: Some(100),
            ..Budget::default()
        },
        welcomes: None,
        form: Some(form.clone()),
        joint: None,
    });
    graph.write(&mut owner, std::slice::from_ref(&given), None);
    let at = owner.last.clone();
    let mut phones = graph.pen(&phone, given.id());
    graph.write(&mut phones, &[], at.as_ref());
    let key = graph.key();
    let invite = Item::Invite(Invite {
        key: key.public(),
        sealing: SealingKey::from_bytes([5; 32]),
        uses: 1,
        until: START + 1000,
        kind: InviteKind::WhileAway(Gift {
            terms: Terms {
                budget: Budget {
                    messages: Some(1),
                    ..Budget::default()
                },
                ..Terms::GUEST
            },
            parent: given.id(),
        }),
    });
    graph.write(&mut phones, std::slice::from_ref(&invite), None);
    let at = phones.last.clone();
    let guest = graph.key();
    let sealing = SealingKey::from_bytes([6; 32]);
    let claim = Claim::sign(
        graph.topic,
        &key,
        invite.id(),
        guest.public(),
        sealing,
        START,
    );
    let mut guests = graph.pen(&guest, invite.id());
    graph.write(&mut guests, &[Item::Claim(claim)], at.as_ref());
    let all = graph.people();
    let shape: Vec<(usize, u32, GrantKind)> = all
        .iter()
        .map(|who| {
            let grant = &who.grants[0].grant;
            assert!(grant.stands && grant.writes && who.grants[0].ended.is_empty());
            (who.devices.len(), grant.depth, grant.kind)
        })
        .collect();
    let expected = [
        (1, 0, GrantKind::Own),
        (2, 1, GrantKind::Grant),
        (1, 2, GrantKind::Invite),
    ];
    assert_eq!(shape, expected);
    assert_eq!(all[1].id, form.member());
    let shares: Vec<_> = all[1].devices.iter().map(|device| device.share).collect();
    assert_eq!(shares, [Some(128), Some(128)]);
    assert_eq!(all[1].grants[0].grant.messages, Some(100));
    assert_eq!(all[2].grants[0].by, Some(phone.public()));
    let end = Item::Revocation(Revocation {
        grant: given.id(),
        cut: Vec::new(),
        cascade: false,
        only: BTreeSet::new(),
        joint: None,
    });
    graph.write(&mut owner, &[end], None);
    let mut all = graph.people();
    let founder = all.remove(0);
    assert!(founder.grants[0].grant.stands);
    // The laptop has never written, and is nobody any more.
    assert_eq!(all.len(), 2);
    for who in &all {
        let of = &who.grants[0];
        let is_guest = of.grant.kind == GrantKind::Invite;
        let key = if is_guest { &guest } else { &phone };
        assert_eq!(who.devices.len(), 1);
        assert_eq!(
            (who.devices[0].key, who.devices[0].share),
            (key.public(), None)
        );
        assert!(!of.grant.stands && of.grant.rights.iter().all(|right| right.over));
        let (by, end) = of.ended.first().unwrap();
        assert_eq!((*by, end.how), (owner.device.public(), Ending::Revoked));
        assert_eq!(end.above, is_guest);
    }
}
