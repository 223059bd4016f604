//! What somebody finds who has a home and its key file: sealed bodies, boxes, and every key that
//! could open them. It reads the rows by the formats of their crates, and asks no node.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cli::keys::Keys;
use identity::seal::hpke::{HpkeSecret, derive_key_pair, export_receiver};
use identity::seal::{aead_open, kdf};
use identity::{EnvelopeId, EpochId, Signature};
use machine::Base as _;
use rights::{Access, DeviceSecret, Epoch, KeyRing, OpenCache, Opened, Subject, open, open_box};
use store::FjallStore;
use wire::{Class, Envelope, Genesis, Item, NextEpoch, SealedTo, decode_items};

use crate::fake;
use crate::privacy::search::Needle;

/// Rows of a table that are looked at; a home in this test has fewer.
const MOST: usize = 100_000;

/// A sealed body, and what it belongs to.
#[derive(Clone)]
pub(super) struct Body {
    id: EnvelopeId,
    subject: Subject,
    bytes: Vec<u8>,
}

/// A home with one topic, read while its node is down.
pub(super) struct Loot {
    genesis: Genesis,
    /// Epochs after the first one, with the generations of their announcements.
    epochs: Vec<(u64, NextEpoch)>,
    boxes: Vec<(EpochId, SealedTo)>,
    pub(super) bodies: Vec<Body>,
    accesses: Vec<(EpochId, Access)>,
    /// Every 32 bytes that stand in a secret place, whatever they are for.
    keys: BTreeSet<[u8; 32]>,
}

impl Loot {
    pub(super) fn of(home: &Path) -> Self {
        let home = fake::home(home);
        let text = std::fs::read_to_string(home.keys()).unwrap();
        let keys = Keys::read(&text, None).unwrap();
        let options = store::Options::default();
        let (store, _) = FjallStore::open(&home.store(), &node::tables(), &options).unwrap();
        let rows = |table| {
            let all: (&[u8], &[u8]) = (&[], &[u8::MAX; 16]);
            store.scan(table, all, MOST, false).unwrap()
        };
        let genesis = rows(lace::rows::LACE).into_iter().find_map(|(key, row)| {
            let [_, _, _, _, b'g'] = key[..] else {
                return None;
            };
            Some(Genesis::decode(&row[1..]).unwrap())
        });
        let mut loot = Self {
            genesis: genesis.unwrap(),
            epochs: Vec::new(),
            boxes: Vec::new(),
            bodies: Vec::new(),
            accesses: Vec::new(),
            keys: BTreeSet::from([keys.node, keys.device]),
        };
        let mut bodies: BTreeMap<_, _> = rows(lace::rows::BODY).into_iter().collect();
        for (key, row) in rows(lace::rows::HEADER) {
            // place u64 ‖ proof 64 ‖ header bytes
            let proof = Signature::from_bytes(row[8..72].try_into().unwrap());
            let envelope = Envelope::from_stored(row[72..].to_vec(), proof).unwrap();
            if let Some(body) = bodies.remove(&key) {
                loot.note(&envelope, body);
            }
        }
        let vault = DeviceSecret::from_bytes(keys.device).vault();
        for (key, row) in rows(node::rows::VAULT) {
            let plain = vault.open(&[b"vault ", key.as_slice()].concat(), &row);
            loot.take(&key, &plain.unwrap());
        }
        loot
    }

    fn note(&mut self, envelope: &Envelope, body: Vec<u8>) {
        let header = &envelope.header;
        if header.class != Class::Control {
            let subject = Subject::of(header).unwrap();
            let id = envelope.id;
            self.bodies.push(Body {
                id,
                subject,
                bytes: body,
            });
            return;
        }
        for item in decode_items(&body).unwrap() {
            match item {
                Item::Epoch(next) => self.epochs.push((header.generation, next)),
                Item::Boxes(boxes) => {
                    let all = boxes.devices.into_iter().chain(boxes.cores);
                    self.boxes.extend(all.map(|sealed| (boxes.epoch, sealed)));
                }
                _ => {}
            }
        }
    }

    /// A row of the vault: `e` ‖ local number ‖ epoch id, an access; and others.
    fn take(&mut self, key: &[u8], plain: &[u8]) {
        if key[0] == b'e' {
            let epoch = EpochId::from_bytes(key[5..37].try_into().unwrap());
            let access = Access::from_bytes(plain).unwrap();
            self.accesses.push((epoch, access));
        }
        let windows = plain.windows(32);
        let keys = windows.map(|key| <[u8; 32]>::try_from(key).unwrap());
        self.keys.extend(keys);
    }

    /// The epochs of the topic, as its people announced them.
    fn announced(&self) -> Vec<Epoch> {
        let later = self.epochs.iter();
        let later = later.map(|(_, next)| Epoch::from_next(next).unwrap());
        let first = Epoch::from_item(&self.genesis.epoch).unwrap();
        [first].into_iter().chain(later).collect()
    }

    /// The epoch of a body.
    fn epoch(&self, body: &Body) -> Epoch {
        let all = self.announced().into_iter();
        let mut fit = all.filter(|epoch| epoch.id().as_bytes()[..16] == body.bytes[1..17]);
        fit.next().unwrap()
    }

    /// The bodies that this home reads and that hold one of these texts.
    pub(super) fn bodies_of(&self, texts: &[&str]) -> Vec<Body> {
        let read = self.reads(&self.bodies);
        let holds = |body: &&Body| {
            read.get(&body.id)
                .is_some_and(|it| texts.contains(&it.as_str()))
        };
        self.bodies.iter().filter(holds).cloned().collect()
    }

    /// What its keys open of these bodies, as a reader opens them.
    pub(super) fn reads(&self, bodies: &[Body]) -> BTreeMap<EnvelopeId, String> {
        let topic = self.genesis.topic_id();
        let mut ring = KeyRing::new(topic, &self.genesis).unwrap();
        for (generation, next) in &self.epochs {
            let epoch = Epoch::from_next(next).unwrap();
            ring.add(epoch, *generation, &next.follows);
        }
        for (epoch, access) in &self.accesses {
            ring.unlock(*epoch, access.clone()).unwrap();
        }
        let mut cache = OpenCache::default();
        let mut texts = BTreeMap::new();
        for body in bodies {
            if let Opened::Messages(messages) = open(&mut cache, &ring, &body.subject, &body.bytes)
            {
                let text = messages.into_iter().flat_map(|message| message.bytes);
                texts.insert(body.id, String::from_utf8(text.collect()).unwrap());
            }
        }
        texts
    }

    /// What any key that is here opens of these bodies, whatever it was made for: as a sender key,
    /// as the private key of a slice, as its seed, and as the secret of the whole epoch.
    pub(super) fn tries(&self, bodies: &[Body]) -> BTreeMap<EnvelopeId, Vec<u8>> {
        let mut opened = BTreeMap::new();
        for body in bodies {
            let epoch = self.epoch(body);
            for key in &self.keys {
                for sender in senders(body, &epoch, key) {
                    if let Some(plain) = unseal(body, &sender) {
                        opened.insert(body.id, plain);
                    }
                }
            }
        }
        opened
    }

    /// All that is held of epochs, and all that comes out of boxes when each key is tried on each.
    pub(super) fn all_accesses(&self) -> Vec<(EpochId, Access)> {
        let topic = self.genesis.topic_id();
        let mut all = self.accesses.clone();
        for (epoch, sealed) in &self.boxes {
            for key in &self.keys {
                let access = open_box((topic, *epoch), &HpkeSecret::from_bytes(*key), sealed);
                all.extend(access.ok().map(|access| (*epoch, access)));
            }
        }
        all
    }

    /// The slices, of all epochs, of which anything was written before a time.
    pub(super) fn slices_before(&self, time: u64) -> Vec<(EpochId, u8)> {
        let before = |epoch: &Epoch| {
            let later = epoch.slices_within(time, None);
            let id = epoch.id();
            let before = (0..epoch.slices()).filter(move |slice| !later.contains(slice));
            before.map(move |slice| (id, slice)).collect::<Vec<_>>()
        };
        self.announced().iter().flat_map(before).collect()
    }

    /// What opens anything that was written before a time: secrets of epochs, seeds and private keys
    /// of their slices, and the sender keys of these bodies, as a reader of all of it has them.
    pub(super) fn secrets_before(&self, time: u64, bodies: &[Body]) -> Vec<Needle> {
        let mut needles = Vec::new();
        let slices = self.slices_before(time);
        for (epoch, access) in &self.accesses {
            let secret = access.epoch_secret().unwrap();
            needles.push(Needle::new("the secret of an epoch", secret.as_bytes()));
            for (_, slice) in slices.iter().filter(|(of, _)| of == epoch) {
                let seed = secret.slice_seed(*slice);
                needles.push(Needle::new("the seed of a slice", seed.as_bytes()));
                let key = seed.key().to_bytes();
                needles.push(Needle::new("the key of a slice", key.as_slice()));
            }
        }
        for body in bodies {
            let epoch = self.epoch(body);
            let held = self.accesses.iter().find(|(of, _)| *of == epoch.id());
            let key = held.unwrap().1.slice_key(body.bytes[17]).unwrap();
            let sender = export(body, &epoch, &key).unwrap();
            assert!(unseal(body, &sender).is_some());
            needles.push(Needle::new("the key of who wrote", &sender));
        }
        needles
    }
}

/// What readers of a slice share with an author (docs/spec/secrecy.md, section 2).
fn export(body: &Body, epoch: &Epoch, key: &HpkeSecret) -> Option<[u8; 32]> {
    let (subject, id) = (&body.subject, epoch.id());
    let fields: [&[u8]; 4] = [
        subject.topic.as_bytes(),
        id.as_bytes(),
        &body.bytes[17..18],
        subject.author.as_bytes(),
    ];
    let enc = body.bytes[18..50].try_into().unwrap();
    export_receiver(key, "sender", &fields, "sender key", enc).ok()
}

/// What sender key 32 bytes could lead to.
fn senders(body: &Body, epoch: &Epoch, key: &[u8; 32]) -> Vec<[u8; 32]> {
    let seed: [u8; 32] = kdf("slice", &[key, &body.bytes[17..18]]);
    let keys = [
        HpkeSecret::from_bytes(*key),
        derive_key_pair(key).0,
        derive_key_pair(&seed).0,
    ];
    let exported = keys.iter().filter_map(|key| export(body, epoch, key));
    [*key].into_iter().chain(exported).collect()
}

/// Opens a body by a sender key, if it commits to it.
fn unseal(body: &Body, sender: &[u8; 32]) -> Option<Vec<u8>> {
    let fields: [&[u8]; 3] = [sender, &body.bytes[50..74], &body.subject.header];
    let key: [u8; 48] = kdf("body", &fields);
    let (key, commit) = key.split_first_chunk::<32>().unwrap();
    if commit != &body.bytes[74..90] {
        return None;
    }
    aead_open(key, b"", &body.bytes[90..]).ok()
}
