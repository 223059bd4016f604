//! A member that lies about the node that it is on.

use super::{Cast, cast, sign_anything};
use crate::mailed::{advert_of, mail, mails};
use crate::story::wait;
use identity::{Context, NodeId, SealingKey, SecretKey};
use machine::Rng;
use node::command::{Reply, WaitFor};
use rights::{Access, ItemSubject, KeyRing, SenderKeys};
use std::time::Duration;
use wire::plain::Profile;
use wire::{AdvertAddress, NodeAdvert, RawStatement, SignedAdvert, TopicFrame};

/// First byte of the key of the row with a topic's secrets, and the kind of a profile.
const RING: u8 = b'e';
const PROFILE: u8 = 5;
/// The router's table of adverts.
const ADVERTS: u8 = 83;

/// Whether a node has stored the advert of another.
fn has(cast: &Cast, at: usize, of: &NodeId) -> bool {
    let mut rows = cast.world.disk(at).rows();
    rows.any(|(table, key, _)| table == ADVERTS && key == of.as_bytes())
}

/// How many adverts of others a node has stored.
fn count(cast: &Cast, at: usize) -> usize {
    let rows = cast.world.disk(at).rows();
    rows.filter(|(table, ..)| *table == ADVERTS).count()
}

/// An advert that nobody would write.
fn advert(node: NodeId, version: u32) -> NodeAdvert {
    NodeAdvert {
        node,
        addresses: vec![AdvertAddress {
            uri: "quic://10.0.0.66:4433".to_owned(),
            weight: 1,
        }],
        name: String::new(),
        version,
        created: 1,
        sealing: SealingKey::from_bytes([66; 32]),
        sealing_before: None,
        cores: Vec::new(),
    }
}

/// Signed by whoever, as it stands.
fn signed(value: NodeAdvert, key: &SecretKey) -> SignedAdvert {
    let bytes = value.encode();
    let signature = key.sign(Context::NodeAdvert, &bytes);
    SignedAdvert {
        value,
        bytes: bytes.into(),
        signature,
    }
}

/// Carol, who goes on with her chain by hand.
struct Liar {
    key: SecretKey,
    next: wire::Header,
}

impl Liar {
    fn new(cast: &Cast) -> Self {
        Self {
            key: cast.author(cast.carol),
            next: cast.next(cast.carol),
        }
    }
}

impl Cast {
    /// Carol publishes this as her profile; the others take the envelope.
    fn profess(&mut self, who: &mut Liar, advert: SignedAdvert) {
        let profile = Profile {
            name: "Carol".to_owned(),
            advert,
        };
        self.profess_bytes(who, &profile.encode());
    }

    fn profess_bytes(&mut self, liar: &mut Liar, plain: &[u8]) {
        let who = self.carol;
        let Liar { key, next } = liar;
        let mut header = next.clone();
        let of = ItemSubject {
            topic: self.topic,
            author: key.public(),
            created: header.created,
            kind: PROFILE,
        };
        let machine = &self.world.nodes[who];
        let vault = machine.config.device.vault();
        let disk = self.world.disk(who);
        let is_ring =
            |table: u8, key: &[u8]| table == node::rows::VAULT.id() && key.first() == Some(&RING);
        let secret = {
            let mut rows = disk.rows();
            let (_, name, row) = rows
                .find(|(table, key, _)| is_ring(*table, key))
                .expect("the secrets of the topic");
            let name = [b"vault ".as_slice(), name].concat();
            vault.open(&name, row).expect("its own vault")
        };
        let genesis = crate::witness::on_disk(disk, &self.topic, |lace, _| lace.genesis().clone());
        let genesis = genesis.expect("the topic");
        let mut ring = KeyRing::new(self.topic, &genesis).expect("a good genesis");
        let access = Access::from_bytes(&secret).expect("its own secret");
        ring.unlock(genesis.epoch.id(), access).expect("it fits");
        let held = ring.newest_clean().expect("the epoch");
        let mut rng = Rng::from_seed([66; 32]);
        let mut senders = SenderKeys::new();
        let sealed = rights::seal_item_to_readers(&mut senders, held, &of, plain, &mut rng);
        let body = wire::encode_items(&[wire::Item::Profile(sealed.expect("it fits"))]);
        header.class = wire::Class::Control;
        header.expires = 0;
        header.count = 1;
        let raw = sign_anything(header, key, &body);
        let id = wire::Header::id_of(&raw.header_bytes);
        next.previous = *id.as_bytes();
        next.number += 1;
        next.generation += 1;
        next.created += 1;
        let frame = self.topic_frame(TopicFrame::Envelopes {
            envelopes: vec![raw],
            last: false,
        });
        for other in [self.alice, self.bob] {
            self.say_bytes(who, other, frame.clone());
        }
        self.world.pass(Duration::from_secs(2));
        let disk = self.world.disk(self.alice);
        let taken =
            crate::witness::on_disk(disk, &self.topic, |lace, store| lace.effective(store, &id));
        assert_eq!(taken, Some(true), "the envelope itself is a good one");
    }
}

#[test]
fn a_member_that_lies_about_its_node_is_not_believed() {
    let (mut cast, _) = cast(69);
    let mut liar = Liar::new(&cast);
    let (alice, carol) = (cast.alice, cast.carol);
    let bob = cast.world.id(cast.bob);
    let truth = advert_of(&cast.world, alice, cast.bob).expect("Bob has told");
    let carols = cast.world.nodes[carol].config.node_key.clone();
    let before = count(&cast, alice);

    // Bob's node, with a key of Carol's own, signed by her.
    cast.profess(&mut liar, signed(advert(bob, 1_000), &carols));
    assert_eq!(
        advert_of(&cast.world, alice, cast.bob).as_ref(),
        Some(&truth)
    );

    // An older word of Bob's own.
    let bobs = cast.world.nodes[cast.bob].config.node_key.clone();
    cast.profess(&mut liar, signed(advert(bob, 0), &bobs));
    assert_eq!(
        advert_of(&cast.world, alice, cast.bob).as_ref(),
        Some(&truth)
    );

    // Alice's own node.
    let us = cast.world.id(alice);
    let alices = cast.world.nodes[alice].config.node_key.clone();
    cast.profess(&mut liar, signed(advert(us, 1_000), &alices));
    assert_eq!(advert_of(&cast.world, alice, alice), None);

    // More addresses than there may be, and what is no profile at all.
    let mut crowded = advert(carols.node_id(), 1_000);
    let one = AdvertAddress {
        uri: "q:".to_owned(),
        weight: 0,
    };
    crowded.addresses = vec![one; 1_000];
    let statement = RawStatement {
        signature: carols.sign(Context::NodeAdvert, &crowded.encode()),
        bytes: crowded.encode(),
    };
    assert!(SignedAdvert::from_stored(statement).is_err());
    crowded.addresses.truncate(700);
    cast.profess(&mut liar, signed(crowded, &carols));
    cast.profess_bytes(&mut liar, b"Carol");
    cast.profess_bytes(&mut liar, &[]);
    let known = advert_of(&cast.world, alice, cast.carol);
    assert!(known.is_none_or(|known| known.addresses.len() < 9));
    assert_eq!(count(&cast, alice), before);

    let id = mail(&mut cast.world, alice, cast.bob, "Still you?");
    let reply = wait(&mut cast.world, alice, &id, WaitFor::Delivered, None);
    assert!(matches!(reply, Reply::Reached { .. }), "{reply:?}");
    assert!(mails(&mut cast.world, cast.bob).contains(&"Still you?".to_owned()));
}

#[test]
fn a_member_fills_nobody_s_store_with_nodes_that_it_makes_up() {
    let (mut cast, _) = cast(70);
    let mut liar = Liar::new(&cast);
    let alice = cast.alice;
    let before = count(&cast, alice);
    let mut rng = Rng::from_seed([70; 32]);
    let mut last = None;
    for version in 1..=40 {
        let made_up = SecretKey::generate(&mut rng);
        let said = signed(advert(made_up.node_id(), version), &made_up);
        cast.profess(&mut liar, said);
        last = Some(made_up.node_id());
    }
    assert!(has(&cast, alice, &last.expect("forty")));
    assert!(count(&cast, alice) <= before + 1, "one for each member");
}
