//! The vault over restarts, and what a disk opens that was taken away.

use crate::config::Config;
use crate::epochs::Wanted;
use crate::keychain::Keychain;
use crate::node::{Inner, Turn};
use crate::rows::{EPOCH, NODE, SEALING, TopicRow, VAULT, epoch_key, vault_key};
use identity::seal::hpke::HpkeSecret;
use identity::{EpochId, GrantId, SecretKey, TopicId};
use machine::test::World;
use machine::{MemoryBase, Rng, WallTime};
use rights::{
    Access, Announced, BoxFault, DeviceSecret, Entitled, KeyRing, OpenCache, Opened, Portion,
    SealingKeys, SenderKeys, Subject, Vault, open_box,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use topic::Keys as _;
use wire::limits::DAY_MS;
use wire::plain::Message;
use wire::{Class, EpochReason, Genesis, Header, NextEpoch, Parameters};

use crate as tested;

mod attended;
mod guests;
mod handing;
mod meeting;
#[path = "../../tests/outside.rs"]
mod outside;
#[path = "../../tests/world.rs"]
#[expect(dead_code, reason = "other tests play other parts of it")]
mod world;

/// Something that is done inside a node, in a turn of its own.
type Deed = Box<dyn FnOnce(&mut Inner, &mut Turn<'_, '_>)>;

thread_local! {
    static NEXT: RefCell<Option<Deed>> = const { RefCell::new(None) };
}

/// Does what a test has left to be done in the next turn.
pub(crate) fn done_in(inner: &mut Inner, turn: &mut Turn<'_, '_>) {
    if let Some(deed) = NEXT.take() {
        deed(inner, turn);
    }
}

const ALL: Portion = Portion::Reads {
    from: 0,
    until: None,
};

fn config() -> Config {
    Config {
        node_key: SecretKey::from_seed([1; 32]),
        device: DeviceSecret::from_bytes([2; 32]),
        stale: false,
        core: false,
        name: "Ada".to_owned(),
        reach: router::Reach::Any,
        public: Vec::new(),
        trust_clock: true,
        custody: custody::Settings::default(),
        store_limit: 0,
        software: "test".to_owned(),
    }
}

/// A home with one topic that this device founded, and a later epoch that it began.
struct Home {
    world: World,
    keys: Keychain,
    local: u32,
    announced: Announced,
    /// When the later epoch began.
    start: u64,
}

impl Home {
    /// With a history of so many days, in a topic that began a day before the epoch.
    fn new(history_days: u32) -> Self {
        let mut world = World::new(1);
        let mut keys = world.turn(|cx| Keychain::open(cx, config()));
        let parameters = Parameters {
            history_days,
            lifespan: DAY_MS,
        };
        let mut rng = Rng::from_seed([3; 32]);
        let founded = rights::found(&config().device, world.wall, parameters, &mut rng).unwrap();
        let row = TopicRow {
            name: "tea".to_owned(),
            custodian: false,
            ..TopicRow::custodian(founded.topic, founded.genesis.encode())
        };
        let local = world.turn(|cx| keys.add(cx, row, founded.ring)).unwrap();
        world.turn(|cx| keys.begin_author(cx, local)).unwrap();
        world.pass(core::time::Duration::from_secs(86_400));
        let start = world.wall.as_millis();
        let (item, announced) = begin(&mut world, &mut keys, local);
        let mut home = Self {
            world,
            keys,
            local,
            announced,
            start,
        };
        home.come(&item);
        home
    }

    /// The announcement and its boxes come back from the topic.
    fn come(&mut self, item: &NextEpoch) {
        let generation = 4 + self.ring().epochs().count() as u64;
        let (keys, local) = (&mut self.keys, self.local);
        let announced = &self.announced;
        self.world.turn(|cx| {
            keys.epoch_came(cx, local, item, generation).unwrap();
            assert_eq!(keys.boxes_came(cx, local, announced, ALL), None);
            keys.epoch_stands(cx, local, item.id(), announced.is_usable());
        });
    }

    fn restart(&mut self) {
        let base = core::mem::replace(&mut self.world, World::new(9));
        let wall = base.wall;
        self.world = World::over(base.into_base(), 10);
        self.world.wall = wall;
        self.keys = self.world.turn(|cx| Keychain::open(cx, config()));
    }

    fn ring(&self) -> &KeyRing {
        &self.keys.topic(self.local).unwrap().ring
    }

    fn genesis(&self) -> &Genesis {
        &self.keys.topic(self.local).unwrap().genesis
    }

    /// Forgets, so many days and milliseconds after the epoch's beginning.
    fn forget_at(&mut self, days: u64, ms: u64) {
        self.world.wall = WallTime::from_millis(self.start + days * DAY_MS + ms);
        let keys = &mut self.keys;
        self.world.turn(|cx| keys.forget_old(cx));
    }

    fn header(&self, day: u64) -> Header {
        header(self.ring().topic(), self.start + day * DAY_MS + 1)
    }

    /// A body of that day, under the newest clean epoch.
    fn body(&self, day: u64) -> (Subject, Vec<u8>) {
        let subject = Subject::of(&self.header(day)).unwrap();
        let epoch = self.ring().newest_clean().unwrap().epoch();
        let mut rng = Rng::from_seed([8; 32]);
        let text = [Message::text("hello")];
        let body = rights::seal(&mut SenderKeys::new(), epoch, &subject, &text, &mut rng);
        (subject, body.unwrap())
    }

    fn rows(&self) -> usize {
        self.world.base().rows().count()
    }
}

/// Begins an epoch for this device and another one.
fn begin(world: &mut World, keys: &mut Keychain, local: u32) -> (NextEpoch, Announced) {
    let own = keys
        .topic(local)
        .unwrap()
        .sealing
        .as_ref()
        .unwrap()
        .public();
    let devices = [own, other().public()].map(|to| Entitled { to, portion: ALL });
    let wanted = Wanted {
        created: world.wall.as_millis(),
        boundary: None,
        devices: &devices,
        cores: &[],
        reason: EpochReason::OTHER,
    };
    let (item, boxes) = world
        .turn(|cx| keys.begin_epoch(cx, local, &wanted))
        .unwrap()
        .unwrap();
    let mut announced = Announced::new(item.clone()).unwrap();
    for boxes in &boxes {
        announced.take(boxes).unwrap();
    }
    (item, announced)
}

fn other() -> HpkeSecret {
    HpkeSecret::from_bytes([44; 32])
}

fn header(topic: TopicId, created: u64) -> Header {
    Header {
        destination: topic.to_id(),
        author: SecretKey::from_seed([7; 32]).public(),
        number: 2,
        previous: [4; 32],
        generation: 2,
        created,
        expires: created + DAY_MS,
        body_len: 0,
        body_hash: [0; 32],
        count: 1,
        class: Class::Content,
        grant: GrantId::from_bytes(topic.to_bytes()),
        hops: 8,
        deps: Vec::new(),
        manifest: None,
        clock_unconfirmed: false,
        extensions: BTreeMap::default(),
    }
}

fn reads(ring: &KeyRing, (subject, body): &(Subject, Vec<u8>)) -> bool {
    match rights::open(&mut OpenCache::new(), ring, subject, body) {
        Opened::Messages(messages) => messages == [Message::text("hello")],
        Opened::NoKey => false,
        Opened::Malformed => panic!("a good body"),
    }
}

/// All that a thief has of a disk, its key file, and everything that was ever sent: the secrets in
/// the rows, and what boxes open with the sealing keys among them. Whatever rows say is given up, it
/// takes.
fn stolen(
    base: &MemoryBase,
    genesis: &Genesis,
    announced: &Announced,
    boxes: &[wire::SealedTo],
) -> KeyRing {
    let vault: Vault = config().device.vault();
    let topic = genesis.topic_id();
    let mut ring = KeyRing::new(topic, genesis).unwrap();
    let id = announced.epoch().id();
    ring.add(announced.epoch().clone(), 5, &announced.item().follows);
    for (table, key, row) in base.rows().filter(|(table, ..)| *table == VAULT.id()) {
        assert_eq!(table, VAULT.id());
        let plain = vault
            .open(&[b"vault ".as_slice(), key].concat(), row)
            .unwrap();
        if key[0] == EPOCH {
            let epoch = EpochId::from_bytes(key[5..].try_into().unwrap());
            ring.restore(epoch, Access::from_bytes(&plain).unwrap());
        }
        if key[0] == SEALING {
            let keys = SealingKeys::from_bytes(&plain).unwrap();
            for secret in keys.secrets() {
                for sealed in boxes {
                    if let Ok(access) = open_box((topic, id), secret, sealed) {
                        ring.restore(id, access);
                    }
                }
            }
        }
    }
    ring
}

#[test]
fn a_restart_finds_every_epoch_as_it_was() {
    let mut home = Home::new(90);
    let (genesis, later) = (home.genesis().epoch.id(), home.announced.epoch().id());
    let old = {
        let mut only = home.ring().clone();
        only.mark(later, false);
        let subject = Subject::of(&home.header(0)).unwrap();
        let epoch = only.newest_clean().unwrap().epoch();
        let text = [Message::text("hello")];
        let mut rng = Rng::from_seed([8; 32]);
        let body = rights::seal(&mut SenderKeys::new(), epoch, &subject, &text, &mut rng);
        (subject, body.unwrap())
    };
    let new = home.body(3);
    let sealing = home
        .keys
        .topic(home.local)
        .unwrap()
        .sealing
        .clone()
        .unwrap();
    for _ in 0..3 {
        assert_eq!(home.ring().epochs().count(), 2);
        assert_eq!(home.ring().newest_clean().unwrap().epoch().id(), later);
        assert!(
            reads(home.ring(), &old) && reads(home.ring(), &new),
            "both are held for reading"
        );
        let held = home.ring().by_id(later).unwrap();
        assert_eq!((held.generation(), held.kept_from()), (5, 0));
        let again = home
            .keys
            .topic(home.local)
            .unwrap()
            .sealing
            .clone()
            .unwrap();
        assert_eq!(again.to_bytes(), sealing.to_bytes());
        home.restart();
    }
    // What is not clean is not written under after a restart either.
    let (keys, local) = (&mut home.keys, home.local);
    home.world
        .turn(|cx| keys.epoch_stands(cx, local, later, false));
    home.restart();
    assert_eq!(home.ring().newest_clean().unwrap().epoch().id(), genesis);
    assert!(reads(home.ring(), &new));
}

#[test]
fn a_secret_that_was_drawn_is_there_when_its_announcement_comes_back() {
    let mut home = Home::new(90);
    let (item, announced) = begin(&mut home.world, &mut home.keys, home.local);
    // The machine stops before the announcement was heard of again, and the sealing key is lost.
    home.restart();
    let key = vault_key(SEALING, home.local);
    home.world.turn(|cx| cx.store.delete(VAULT, key));
    home.restart();
    assert!(home.ring().by_id(item.id()).is_none());
    home.announced = announced;
    home.come(&item);
    assert!(home.ring().newest_clean().unwrap().opens(0));
    assert_eq!(home.ring().newest_clean().unwrap().epoch().id(), item.id());
    // A sealing key is due then, is announced once, and stays.
    let (keys, local) = (&mut home.keys, home.local);
    let next = home.world.turn(|cx| keys.turn_sealing(cx, local)).unwrap();
    assert_eq!(home.world.turn(|cx| keys.turn_sealing(cx, local)), None);
    home.restart();
    let sealing = home
        .keys
        .topic(home.local)
        .unwrap()
        .sealing
        .as_ref()
        .unwrap();
    assert_eq!(sealing.public(), next);
}

#[test]
fn a_stolen_disk_opens_nothing_that_is_older_than_the_history() {
    let mut home = Home::new(3);
    let (local, id) = (home.local, home.announced.epoch().id());
    let bodies: Vec<_> = (0..6).map(|day| home.body(day)).collect();
    let under_genesis = {
        let mut only = home.ring().clone();
        only.mark(id, false);
        let subject = Subject::of(&home.header(0)).unwrap();
        let epoch = only.newest_clean().unwrap().epoch();
        let text = [Message::text("hello")];
        let mut rng = Rng::from_seed([8; 32]);
        let body = rights::seal(&mut SenderKeys::new(), epoch, &subject, &text, &mut rng);
        (subject, body.unwrap())
    };
    let boxes: Vec<_> = home.announced.boxes().0.iter().cloned().collect();
    let opens = |home: &Home| {
        let thief = stolen(home.world.base(), home.genesis(), &home.announced, &boxes);
        let mine: Vec<bool> = bodies.iter().map(|body| reads(home.ring(), body)).collect();
        let theirs: Vec<bool> = bodies.iter().map(|body| reads(&thief, body)).collect();
        (mine, theirs, reads(&thief, &under_genesis))
    };
    let all = vec![true; 6];
    assert_eq!(opens(&home), (all.clone(), all.clone(), true));
    // A day after its box the device announces another key; the old one goes with the history.
    home.forget_at(0, 5);
    home.forget_at(1, 0);
    let keys = &mut home.keys;
    assert!(home.world.turn(|cx| keys.turn_sealing(cx, local)).is_some());
    home.forget_at(4, 0);
    // The first day ended three days ago, and so did the turn.
    let rest = vec![false, true, true, true, true, true];
    assert_eq!(opens(&home), (rest.clone(), rest.clone(), false));
    home.restart();
    assert_eq!(opens(&home), (rest.clone(), rest, false));
    home.forget_at(6, 0);
    let rest = vec![false, false, false, true, true, true];
    assert_eq!(opens(&home), (rest.clone(), rest.clone(), false));
    // Nothing that is handed over brings it back, before a restart or after it.
    let (keys, announced) = (&mut home.keys, &home.announced);
    let whole = boxes
        .iter()
        .find_map(|sealed| open_box((keys.topic(local).unwrap().id, id), &other(), sealed).ok());
    let whole = whole.unwrap();
    home.world.turn(|cx| {
        assert!(keys.key_came(cx, local, id, whole.clone()));
        keys.boxes_came(cx, local, announced, ALL);
    });
    assert_eq!(opens(&home), (rest.clone(), rest.clone(), false));
    home.restart();
    let keys = &mut home.keys;
    home.world.turn(|cx| keys.key_came(cx, local, id, whole));
    assert_eq!(opens(&home), (rest.clone(), rest, false));
}

#[test]
fn a_history_without_end_keeps_everything() {
    let mut home = Home::new(0);
    let body = home.body(0);
    home.forget_at(5_000, 0);
    home.restart();
    home.forget_at(50_000, 0);
    assert!(reads(home.ring(), &body));
    assert!(home.ring().epochs().all(|held| held.kept_from() == 0));
}

#[test]
fn a_clock_that_is_wrong_opens_nothing_more() {
    let mut home = Home::new(3);
    let id = home.announced.epoch().id();
    let kept = |home: &Home| home.ring().by_id(id).unwrap().kept_from();
    home.forget_at(4, 0);
    assert_eq!(kept(&home), 1);
    // Set back, by a little and to its very beginning: what was given up stays so.
    home.forget_at(3, 0);
    home.world.wall = WallTime::from_millis(0);
    let keys = &mut home.keys;
    home.world.turn(|cx| keys.forget_old(cx));
    assert_eq!(kept(&home), 1);
    home.restart();
    assert_eq!(kept(&home), 1);
    // A millisecond early and in time.
    home.forget_at(5, 0);
    assert_eq!(kept(&home), 2);
    home.world.wall = WallTime::from_millis(home.start + 6 * DAY_MS - 1);
    let keys = &mut home.keys;
    home.world.turn(|cx| keys.forget_old(cx));
    assert_eq!(kept(&home), 2);
    home.forget_at(6, 0);
    assert_eq!(kept(&home), 3);
    // Far ahead: the last slice stays, since no other epoch follows, and what is written is read.
    home.forget_at(5_000, 0);
    assert_eq!(kept(&home), 31);
    home.restart();
    let body = home.body(5_000);
    assert!(reads(home.ring(), &body));
}

#[test]
fn somebody_who_only_writes_writes_and_reads_nothing() {
    let mut home = Home::new(90);
    let id = home.announced.epoch().id();
    let meeting = home.ring().by_id(id).unwrap().meeting().unwrap();
    let genesis = home.genesis().clone();
    // Another home whose device holds M alone.
    let mut world = World::new(4);
    let mut keys = world.turn(|cx| {
        let device = DeviceSecret::from_bytes([5; 32]);
        Keychain::open(cx, Config { device, ..config() })
    });
    let row = TopicRow {
        name: "tea".to_owned(),
        custodian: false,
        ..TopicRow::custodian(genesis.topic_id(), genesis.encode())
    };
    let ring = KeyRing::new(genesis.topic_id(), &genesis).unwrap();
    let local = world.turn(|cx| {
        let local = keys.add(cx, row, ring).unwrap();
        keys.epoch_came(cx, local, home.announced.item(), 5)
            .unwrap();
        assert!(keys.key_came(cx, local, id, Access::Member(meeting)));
        keys.epoch_stands(cx, local, id, true);
        local
    });
    let header = home.header(2);
    let subject = Subject::of(&header).unwrap();
    let text = [Message::text("hello")];
    let body = world
        .turn(|cx| keys.seal(cx, local, &header, &text))
        .unwrap();
    let body = (subject, body);
    assert!(!reads(&keys.topic(local).unwrap().ring, &body));
    assert!(reads(home.ring(), &body), "readers do");
    // A core node of the topic holds C and opens nothing either.
    let core = home.ring().by_id(id).unwrap().core().unwrap();
    let (keys, local) = (&mut home.keys, home.local);
    let smaller = home
        .world
        .turn(|cx| keys.key_came(cx, local, id, Access::Core(core)));
    assert!(
        smaller && reads(home.ring(), &body),
        "it takes nothing away"
    );
}

#[test]
fn a_false_box_is_evidence_and_is_not_kept() {
    let mut home = Home::new(90);
    let (item, mut announced) = begin(&mut home.world, &mut home.keys, home.local);
    let local = home.local;
    // Made by somebody else, with a secret that is not the epoch's.
    let own = home
        .keys
        .topic(local)
        .unwrap()
        .sealing
        .as_ref()
        .unwrap()
        .public();
    let lie = Access::Reader(rights::EpochSecret::from_bytes([66; 32]));
    let mut rng = Rng::from_seed([6; 32]);
    let of = (home.ring().topic(), item.id());
    let sealed = rights::seal_box(of, &own, &lie, &mut rng).unwrap();
    let others = announced.boxes().0.iter().cloned();
    let mut devices: Vec<_> = others.filter(|found| found.hint != sealed.hint).collect();
    devices.push(sealed);
    devices.sort();
    let boxes = wire::Boxes {
        epoch: item.id(),
        devices,
        cores: Vec::new(),
    };
    announced = Announced::new(item.clone()).unwrap();
    announced.take(&boxes).unwrap();
    let keys = &mut home.keys;
    home.world.turn(|cx| {
        cx.store.delete(VAULT, epoch_key(local, &item.id()));
        keys.epoch_came(cx, local, &item, 9).unwrap();
        let evidence = keys.boxes_came(cx, local, &announced, ALL).unwrap();
        assert_eq!(evidence.fault, BoxFault::Mismatch);
    });
    home.restart();
    assert!(home.ring().by_id(item.id()).unwrap().access().is_none());
    let key = epoch_key(local, &item.id());
    assert!(!home.world.turn(|cx| cx.store.has(VAULT, &key)));
}

#[test]
fn rows_are_bound_to_their_epoch_and_topic() {
    let mut home = Home::new(90);
    let (local, id) = (home.local, home.announced.epoch().id());
    let genesis = home.genesis().epoch.id();
    let moved = home.world.turn(|cx| {
        let row = cx.store.get(VAULT, &epoch_key(local, &id)).unwrap();
        cx.store.put(VAULT, epoch_key(local, &genesis), row);
        cx.store.get(NODE, &epoch_key(local, &id)).is_some()
    });
    assert!(moved);
    home.restart();
    assert_eq!(home.keys.locked(), ["tea"]);
    assert!(home.keys.topic(local).is_none());
}

#[test]
fn a_vault_row_of_another_topic_does_not_pass() {
    let mut home = Home::new(90);
    let (local, id) = (home.local, home.announced.epoch().id());
    // A topic with the very same genesis, so that only the name of the row tells them apart.
    let genesis = home.genesis().clone();
    let row = TopicRow {
        name: "milk".to_owned(),
        custodian: false,
        ..TopicRow::custodian(genesis.topic_id(), genesis.encode())
    };
    let ring = KeyRing::new(genesis.topic_id(), &genesis).unwrap();
    let (keys, item) = (&mut home.keys, home.announced.item().clone());
    let other = home.world.turn(|cx| {
        let other = keys.add(cx, row, ring).unwrap();
        keys.epoch_came(cx, other, &item, 5).unwrap();
        other
    });
    let sealing = |home: &Home, local| {
        let keys = home.keys.topic(local).and_then(|keys| keys.sealing.clone());
        keys.map(|keys| keys.public())
    };
    home.restart();
    let own = sealing(&home, other).unwrap();
    assert!(home.keys.locked().is_empty());
    // Its sealing key, put in the place of the other topic's, is not taken for it.
    home.world.turn(|cx| {
        let row = cx.store.get(VAULT, &vault_key(SEALING, local)).unwrap();
        cx.store.put(VAULT, vault_key(SEALING, other), row);
    });
    home.restart();
    assert_eq!(sealing(&home, other), None, "it was {own:?}");
    // Nor is the secret of an epoch.
    home.world.turn(|cx| {
        let row = cx.store.get(VAULT, &epoch_key(local, &id)).unwrap();
        cx.store.put(VAULT, epoch_key(other, &id), row);
    });
    home.restart();
    assert_eq!(home.keys.locked(), ["milk"]);
    assert!(home.keys.topic(local).is_some());
}

#[test]
fn a_stop_between_an_announcement_and_its_box_loses_neither() {
    let home = Home::new(90);
    let genesis = home.genesis().clone();
    let (item, announced) = (home.announced.item().clone(), home.announced.clone());
    // The home of the other device, which joined by an invite.
    let device = DeviceSecret::from_bytes([5; 32]);
    let config = || Config {
        device: device.clone(),
        ..config()
    };
    let mut world = World::new(4);
    world.wall = home.world.wall;
    let mut keys = world.turn(|cx| Keychain::open(cx, config()));
    world.turn(|cx| {
        let row = TopicRow {
            name: "tea".to_owned(),
            custodian: false,
            ..TopicRow::custodian(genesis.topic_id(), genesis.encode())
        };
        let ring = KeyRing::new(genesis.topic_id(), &genesis).unwrap();
        let local = keys.add(cx, row, ring).unwrap();
        keys.set_sealing(cx, local, other());
        keys.epoch_came(cx, local, &item, 5).unwrap();
    });
    let mut base = world.into_base();
    let body = home.body(2);
    // Stopped before the box was opened, and in the turn that opened it: nothing of that turn is
    // there, neither the secret nor that the sealing key is used up.
    for committed in [false, true, true] {
        let mut world = World::over(base, 12);
        world.wall = home.world.wall;
        let mut keys = world.turn(|cx| Keychain::open(cx, config()));
        let local = keys.topics().next().unwrap().0;
        let before = world.base().clone();
        let evidence = world.turn(|cx| {
            let evidence = keys.boxes_came(cx, local, &announced, ALL);
            keys.epoch_stands(cx, local, item.id(), announced.is_usable());
            evidence
        });
        assert_eq!(evidence, None);
        assert!(reads(&keys.topic(local).unwrap().ring, &body));
        base = if committed { world.into_base() } else { before };
        let mut world = World::over(base, 13);
        let mut keys = world.turn(|cx| Keychain::open(cx, config()));
        let found = keys.topic(local).unwrap();
        assert_eq!(reads(&found.ring, &body), committed);
        let newest = found.ring.newest_clean().unwrap().epoch().id();
        assert_eq!(newest == item.id(), committed);
        let due = found.sealing.as_ref().unwrap().turn_due();
        assert_eq!(due.is_some(), committed);
        // The key that opened it turns a day later, not before.
        world.wall = WallTime::from_millis(home.start + DAY_MS - 1);
        assert_eq!(world.turn(|cx| keys.turn_sealing(cx, local)), None);
        base = world.into_base();
    }
}

#[test]
fn a_topic_that_is_forgotten_leaves_no_secret() {
    let mut home = Home::new(90);
    // One was drawn whose announcement never came back.
    begin(&mut home.world, &mut home.keys, home.local);
    let before = home.rows();
    let (keys, local) = (&mut home.keys, home.local);
    home.world.turn(|cx| keys.remove(cx, local));
    let left: Vec<_> = home
        .world
        .base()
        .rows()
        .map(|(table, key, _)| (table, key.to_vec()))
        .collect();
    assert!(
        left.iter().all(|(table, _)| *table != VAULT.id()),
        "{left:?}"
    );
    assert_eq!(left.len(), 1, "the number of the next topic, of {before}");
}

#[test]
fn no_sealing_key_follows_from_the_device_secret() {
    let one = Home::new(90);
    let mut world = World::new(77);
    let mut keys = world.turn(|cx| Keychain::open(cx, config()));
    let genesis = one.genesis().clone();
    let row = TopicRow {
        custodian: false,
        ..TopicRow::custodian(genesis.topic_id(), genesis.encode())
    };
    let ring = KeyRing::new(genesis.topic_id(), &genesis).unwrap();
    let local = world.turn(|cx| keys.add(cx, row, ring)).unwrap();
    let key = |keys: &Keychain, local| {
        keys.topic(local)
            .unwrap()
            .sealing
            .as_ref()
            .unwrap()
            .public()
    };
    assert_ne!(
        key(&one.keys, one.local),
        key(&keys, local),
        "same device, same topic"
    );
    world.turn(|cx| keys.set_sealing(cx, local, other()));
    assert_eq!(key(&keys, local), other().public());
    // A custodian has none.
    let row = TopicRow::custodian(TopicId::from_bytes([9; 32]), genesis.encode());
    let ring = KeyRing::new(genesis.topic_id(), &genesis).unwrap();
    let held = world.turn(|cx| keys.add(cx, row, ring)).unwrap();
    world.turn(|cx| keys.set_sealing(cx, held, other()));
    assert!(keys.topic(held).unwrap().sealing.is_none());
    assert_eq!(world.turn(|cx| keys.turn_sealing(cx, held)), None);
}
