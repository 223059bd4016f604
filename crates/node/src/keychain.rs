//! The keys of this node's part in its topics.

use crate::config::Config;
use crate::rows::{self, AUTHOR, TopicRow, VAULT, take_local, vault_key};
use identity::seal::hpke::HpkeSecret;
use identity::{EnvelopeId, EpochId, GrantId, PublicKey, SecretKey, TopicId};
use machine::Cx;
use machine::planted::{Bug, is};
use rights::limits::MAX_MEETING_SECRETS;
use rights::{
    Access, CoreSecret, HeldEpoch, Identity, Incarnation, InviteSeed, ItemSubject, KeyRing,
    MeetingSecret, OpenCache, Opened, OpenedItem, SealRefused, SealingKeys, SenderKeys, Standing,
    Subject, Vault,
};
use std::collections::{BTreeMap, BTreeSet};
use topic::{Keys, OpenError, SealError};
use wire::plain::Message;
use wire::{Certificate, Checked, Claim, Envelope, Genesis, Header, Item, Receipt, SignedReceipt};
use wire::{Verified, sign_envelope, sign_receipt};
use zeroize::Zeroizing;

/// What this node holds of one topic.
pub(crate) struct TopicKeys {
    pub(crate) id: TopicId,
    pub(crate) row: TopicRow,
    pub(crate) genesis: Genesis,
    pub(crate) ring: KeyRing,
    /// Nothing for a custodian.
    pub(crate) device: Option<SecretKey>,
    /// What others seal epochs to. Nothing for a custodian, and where the row was lost: then the
    /// next one is due.
    pub(crate) sealing: Option<SealingKeys>,
    /// The key that signs this device's envelopes, once an incarnation has begun.
    author: Option<Incarnation>,
    /// What answers to this device's claim say, before it is known whether whoever gave the
    /// grant has signed them: they recognise somebody or nobody, and nothing is judged by them.
    pub(crate) promised: Vec<Promised>,
}

/// What one answer to a claim says.
#[derive(Clone, Debug)]
pub(crate) struct Promised {
    /// The grant that welcomes.
    pub(crate) grant: GrantId,
    /// What it hands over, of the newest epoch first.
    pub(crate) keys: Vec<Access>,
}

impl TopicKeys {
    /// Who this device is in the topic: what it shows to peers.
    pub(crate) fn standing(&self) -> Option<Standing> {
        let grant = GrantId::from_bytes(self.row.grant);
        Some(Standing {
            device: self.device.clone()?,
            grant,
            claim: self.joined_by().filter(|claim| claim.grant == grant),
        })
    }

    /// The claim under which this device writes.
    pub(crate) fn claim(&self) -> Option<Claim> {
        self.standing()?.claim
    }

    /// The claim by which this device joined, under whatever it writes by now.
    pub(crate) fn joined_by(&self) -> Option<Claim> {
        match Item::decode(&self.row.claim) {
            Ok(Item::Claim(claim)) => Some(claim),
            _ => None,
        }
    }

    /// Whether whoever has the genesis may read.
    pub(crate) const fn is_public(&self) -> bool {
        self.genesis.policy.public
    }

    /// Whether this device reads the topic as anybody may, without a grant.
    pub(crate) fn is_reader(&self) -> bool {
        self.device.is_some() && self.row.grant == [0; 32]
    }

    /// Whether this device has rights in a public topic that it read before, and has written nothing under
    /// them yet.
    pub(crate) fn is_granted(&self) -> bool {
        let founder = |device: &SecretKey| self.genesis.root.has(&device.public());
        let founded =
            self.row.grant == *self.id.as_bytes() && self.device.as_ref().is_some_and(founder);
        let given = !self.is_reader() && !founded;
        let read = self.is_found() || (self.is_public() && self.row.next_index > 0);
        read && given && !self.row.opened && !self.waits()
    }

    /// Whether this device found a public topic: nobody has invited it, or what came of that is over.
    pub(crate) fn is_found(&self) -> bool {
        let invited = !self.row.claim.is_empty() || self.invite_at().is_some();
        self.is_public() && self.device.is_some() && !invited && !self.row.left
    }

    /// Whether another device of the person has handed the topic over, and this one has not begun to
    /// write there. It cannot judge yet which epochs are clean, and goes by the newest that it was given.
    pub(crate) fn is_handed(&self) -> bool {
        let seated = self.row.claim.is_empty() && self.invite_at().is_some();
        // Its first envelope may have been refused, and comes later.
        let begins = self.row.next_index == 1 && self.author.is_some() && !self.row.opened;
        self.device.is_some() && seated && (self.row.next_index == 0 || begins)
    }

    /// Whether this device waits for somebody to welcome it.
    pub(crate) fn waits(&self) -> bool {
        self.row.waits != [0; 32]
    }

    /// Who this device is by each grant that it may hold: one, unless it waits, and then that of
    /// each answer, since any may be false.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        let Some(own) = self.standing() else {
            return Vec::new();
        };
        if self.promised.is_empty() {
            return vec![own];
        }
        let grants: BTreeSet<GrantId> = self.promised.iter().map(|one| one.grant).collect();
        let by = grants.into_iter().map(|grant| self.standing_by(grant));
        by.flatten().collect()
    }

    fn standing_by(&self, grant: GrantId) -> Option<Standing> {
        Some(Standing {
            device: self.device.clone()?,
            grant,
            claim: None,
        })
    }

    /// By which secrets this device and the members recognise one another: the newest alone, and of
    /// each answer too. Whoever was removed knows older ones.
    pub(crate) fn recognised_by(&self) -> Vec<MeetingSecret> {
        let newest = |one: &Promised| one.keys.iter().find_map(Access::meeting);
        let promised = self.promised.iter().filter_map(newest);
        let own = if self.is_handed() {
            self.ring.newest_held().and_then(HeldEpoch::meeting)
        } else {
            self.ring.recognises()
        };
        each_once(own.into_iter().chain(promised))
    }

    /// Who this device is, with the secrets by which those who have missed an epoch know it, or those
    /// by whom it has been welcomed in an earlier one. No secret is there twice.
    pub(crate) fn identities(&self) -> Vec<Identity> {
        let mut secrets: Vec<MeetingSecret> = self.ring.meeting_secrets().collect();
        let own = self.standing().filter(|_| !secrets.is_empty());
        let own = own.map(|standing| (secrets.clone(), standing));
        let mut all: Vec<(Vec<MeetingSecret>, Standing)> = own.into_iter().collect();
        for one in &self.promised {
            let known: BTreeSet<[u8; 32]> = secrets.iter().map(|m| *m.as_bytes()).collect();
            let told = each_once(one.keys.iter().filter_map(Access::meeting));
            let mut new: Vec<MeetingSecret> = told
                .into_iter()
                .filter(|meeting| !known.contains(meeting.as_bytes()))
                .collect();
            new.truncate(MAX_MEETING_SECRETS);
            secrets.extend(new.iter().cloned());
            let standing = self.standing_by(one.grant);
            all.extend(standing.filter(|_| !new.is_empty()).map(|it| (new, it)));
        }
        let identity = |(secrets, standing)| Identity {
            topic: self.id,
            secrets,
            standing,
        };
        all.into_iter().map(identity).collect()
    }

    /// By which secret the core nodes of the topic know its members.
    pub(crate) fn core_secret(&self) -> Option<CoreSecret> {
        let newest = if self.is_handed() {
            self.ring.newest_held()
        } else {
            self.ring.newest_clean()
        };
        newest.and_then(HeldEpoch::core)
    }

    /// What this device shows to core nodes: by that secret, or by that of each answer while it
    /// waits.
    pub(crate) fn core_proofs(&self) -> Vec<(CoreSecret, Standing)> {
        if let Some(secret) = self.core_secret() {
            let standing = self.standing();
            return standing
                .map(|standing| (secret, standing))
                .into_iter()
                .collect();
        }
        let promised = self.promised.iter().filter_map(|one| {
            let secret = one.keys.first().map(Access::core)?;
            Some((secret, self.standing_by(one.grant)?))
        });
        promised.collect()
    }

    /// Whether this device shows itself in the topic: it takes part, or has left and others still
    /// have to hear so.
    pub(crate) const fn is_shown(&self) -> bool {
        self.device.is_some() && (!self.row.left || self.row.leaving)
    }

    /// Whether this device founded the topic.
    pub(crate) fn is_founder(&self) -> bool {
        self.device
            .as_ref()
            .is_some_and(|device| device.public() == self.genesis.founder())
    }

    /// The envelope that carries the invite by which this device joined.
    pub(crate) fn invite_at(&self) -> Option<EnvelopeId> {
        (self.row.invite_at != [0; 32]).then(|| EnvelopeId::from_bytes(self.row.invite_at))
    }

    /// The certificate of the present author, if one has begun.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        self.author
            .as_ref()
            .map(|incarnation| incarnation.certificate.clone())
    }
}

/// Secrets, none of them twice, in their order.
fn each_once(secrets: impl Iterator<Item = MeetingSecret>) -> Vec<MeetingSecret> {
    let mut seen = BTreeSet::new();
    secrets
        .filter(|meeting| seen.insert(*meeting.as_bytes()))
        .collect()
}

/// All keys of a node.
pub(crate) struct Keychain {
    pub(crate) config: Config,
    vault: Vault,
    pub(crate) topics: BTreeMap<u32, TopicKeys>,
    /// Topics whose secrets do not open with this home's key file.
    locked: Vec<String>,
    by_id: BTreeMap<TopicId, u32>,
    /// Public topics, by what they are asked for by.
    public: BTreeMap<[u8; 32], u32>,
    senders: SenderKeys,
    pub(crate) opened: OpenCache,
}

impl std::fmt::Debug for Keychain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keychain")
            .field("topics", &self.topics.len())
            .finish_non_exhaustive()
    }
}

impl Keychain {
    /// The keys in the store; without author keys when the home may be a copy.
    pub(crate) fn open(cx: &mut Cx<'_>, config: Config) -> Self {
        let vault = config.device.vault();
        let mut keychain = Self {
            config,
            vault,
            topics: BTreeMap::new(),
            locked: Vec::new(),
            by_id: BTreeMap::new(),
            public: BTreeMap::new(),
            senders: SenderKeys::new(),
            opened: OpenCache::new(),
        };
        for (local, row) in TopicRow::all(&mut cx.store) {
            let name = row.name.clone();
            match keychain.load(cx, local, row) {
                Some(keys) => {
                    keychain.note_id(local, &keys);
                    keychain.topics.insert(local, keys);
                }
                None => keychain.locked.push(name),
            }
        }
        if keychain.config.stale && !is(Bug::OldKeyAfterRestore) {
            let locals: Vec<u32> = keychain.topics.keys().copied().collect();
            for local in locals {
                keychain.give_up_author(cx, local);
            }
        }
        keychain
    }

    fn load(&self, cx: &mut Cx<'_>, local: u32, row: TopicRow) -> Option<TopicKeys> {
        let genesis = Genesis::decode(&row.genesis).ok()?;
        let id = TopicId::from_bytes(row.id);
        let mut ring = KeyRing::new(id, &genesis).ok()?;
        self.load_epochs(cx, local, &mut ring)?;
        let device = (!row.custodian).then(|| self.config.device.key_in(id, &genesis));
        let author = device.as_ref().and_then(|device| {
            let secret: [u8; 32] = self
                .read_vault(cx, &vault_key(AUTHOR, local))?
                .as_slice()
                .try_into()
                .ok()?;
            let author = SecretKey::from_seed(secret);
            let index = row.next_index.checked_sub(1)?;
            let certificate = Certificate::sign(id, device, author.public(), index);
            Some(Incarnation {
                author,
                certificate,
            })
        });
        let sealing = self.read_vault(cx, &vault_key(rows::SEALING, local));
        let sealing = sealing.and_then(|row| SealingKeys::from_bytes(&row));
        Some(TopicKeys {
            id,
            row,
            genesis,
            ring,
            device,
            sealing,
            author,
            promised: Vec::new(),
        })
    }

    pub(crate) fn read_vault(&self, cx: &mut Cx<'_>, key: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let row = cx.store.get(VAULT, key)?;
        self.vault.open(&vault_name(key), &row).ok()
    }

    pub(crate) fn write_vault(&self, cx: &mut Cx<'_>, key: &[u8], plain: &[u8]) {
        let row = self.vault.seal(&vault_name(key), plain, cx.rng);
        cx.store.put(VAULT, key, row);
    }

    /// Adds a topic, which must not be here yet; gives its local number. What is held of its epochs' secrets goes into the
    /// vault, with a fresh sealing key for a device.
    pub(crate) fn add(&mut self, cx: &mut Cx<'_>, row: TopicRow, mut ring: KeyRing) -> Option<u32> {
        let id = TopicId::from_bytes(row.id);
        let genesis = Genesis::decode(&row.genesis).ok()?;
        let local = take_local(cx);
        row.write(&mut cx.store, local);
        let device = (!row.custodian).then(|| self.config.device.key_in(id, &genesis));
        let sealing = device
            .is_some()
            .then(|| SealingKeys::new(HpkeSecret::generate(cx.rng)));
        if device.is_some() {
            ring.unlock_public(&genesis);
        }
        let epochs: Vec<EpochId> = ring.epochs().map(|held| held.epoch().id()).collect();
        let keys = TopicKeys {
            id,
            row,
            genesis,
            ring,
            device,
            sealing,
            author: None,
            promised: Vec::new(),
        };
        self.note_id(local, &keys);
        self.topics.insert(local, keys);
        for epoch in epochs {
            self.write_epoch(cx, local, epoch);
        }
        self.write_sealing(cx, local);
        Some(local)
    }

    fn note_id(&mut self, local: u32, keys: &TopicKeys) {
        self.by_id.insert(keys.id, local);
        if keys.is_public() {
            let loc = InviteSeed::of_public(keys.id).locator();
            self.public.insert(loc, local);
        }
    }

    /// The public topic that is asked for by this.
    pub(crate) fn public(&self, loc: &[u8; 32]) -> Option<u32> {
        self.public.get(loc).copied()
    }

    /// Forgets a topic and its secrets.
    pub(crate) fn remove(&mut self, cx: &mut Cx<'_>, local: u32) {
        if let Some(keys) = self.topics.remove(&local) {
            self.by_id.remove(&keys.id);
            self.public.retain(|_, of| *of != local);
            self.opened.forget(keys.id);
            self.remove_epochs(cx, local);
            self.remove_own(cx, local);
            for (grant, _) in rows::invites(&mut cx.store, local) {
                cx.store.delete(rows::NODE, rows::invite_key(local, &grant));
            }
            for (author, _) in rows::guests(&mut cx.store, local) {
                cx.store.delete(rows::NODE, rows::guest_key(local, &author));
            }
            cx.store.delete(VAULT, vault_key(AUTHOR, local));
            cx.store.delete(rows::NODE, rows::topic_key(local));
        }
    }

    /// Begins an incarnation: a fresh author key with the next index. Its first envelope is still
    /// to be published.
    pub(crate) fn begin_author(&mut self, cx: &mut Cx<'_>, local: u32) -> Option<()> {
        let keys = self.topics.get_mut(&local)?;
        let device = keys.device.as_ref()?;
        let incarnation = Incarnation::begin(device, keys.id, keys.row.next_index, cx.rng);
        keys.row.next_index = keys.row.next_index.checked_add(1)?;
        keys.row.opened = false;
        keys.row.write(&mut cx.store, local);
        let secret = incarnation.author.to_seed();
        keys.author = Some(incarnation);
        self.write_vault(cx, &vault_key(AUTHOR, local), secret.as_slice());
        Some(())
    }

    /// Makes sure that the next incarnation's index lies above all that the topic has seen of this
    /// device.
    pub(crate) fn raise_index(&mut self, cx: &mut Cx<'_>, local: u32, above: u32) {
        if let Some(keys) = self.topics.get_mut(&local)
            && keys.row.next_index < above
        {
            keys.row.next_index = above;
            keys.row.write(&mut cx.store, local);
        }
    }

    /// Gives up the author key of a topic: the home is older than what it has published.
    pub(crate) fn give_up_author(&mut self, cx: &mut Cx<'_>, local: u32) {
        if let Some(keys) = self.topics.get_mut(&local) {
            keys.author = None;
            keys.row.opened = false;
            keys.row.write(&mut cx.store, local);
            cx.store.delete(VAULT, vault_key(AUTHOR, local));
        }
    }

    /// Drops a later author key of which nothing has been published, because the rules refuse its first envelope:
    /// the next one has its index. There are few.
    pub(crate) fn take_back_author(&mut self, cx: &mut Cx<'_>, local: u32) {
        let keys = self.topics.get(&local).filter(|keys| !keys.row.opened);
        let begun = keys.and_then(TopicKeys::certificate);
        if let Some(index) = begun.map(|begun| begun.index).filter(|index| *index > 0) {
            self.give_up_author(cx, local);
            self.update(cx, local, |row| row.next_index = index);
        }
    }

    /// Changes a topic's row, in memory and in the store.
    pub(crate) fn update(
        &mut self,
        cx: &mut Cx<'_>,
        local: u32,
        change: impl FnOnce(&mut TopicRow),
    ) {
        if let Some(keys) = self.topics.get_mut(&local) {
            change(&mut keys.row);
            keys.row.write(&mut cx.store, local);
        }
    }

    /// Names of topics whose secrets do not open with this home's key file.
    pub(crate) fn locked(&self) -> &[String] {
        &self.locked
    }

    /// What is held of a topic.
    pub(crate) fn topic(&self, local: u32) -> Option<&TopicKeys> {
        self.topics.get(&local)
    }

    /// All topics, by local number.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (u32, &TopicKeys)> {
        self.topics.iter().map(|(local, keys)| (*local, keys))
    }

    /// The local number of a topic.
    pub(crate) fn local(&self, id: &TopicId) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    /// Seals an item of a control envelope to the readers of a topic.
    pub(crate) fn seal_to_readers(
        &mut self,
        cx: &mut Cx<'_>,
        local: u32,
        kind: u8,
        plain: &[u8],
    ) -> Option<Vec<u8>> {
        let keys = self.topics.get(&local)?;
        let of = item_subject(keys, cx.wall.as_millis(), kind)?;
        let held = keys.ring.newest_clean()?;
        rights::seal_item_to_readers(&mut self.senders, held, &of, plain, cx.rng).ok()
    }

    /// Seals an item of a control envelope to all members of a topic.
    pub(crate) fn seal_to_members(
        &self,
        cx: &mut Cx<'_>,
        local: u32,
        kind: u8,
        plain: &[u8],
    ) -> Option<Vec<u8>> {
        let keys = self.topics.get(&local)?;
        let of = item_subject(keys, cx.wall.as_millis(), kind)?;
        rights::seal_item_to_members(keys.ring.newest_clean()?, &of, plain, cx.rng).ok()
    }

    /// Opens a sealed item of this kind in an envelope.
    pub(crate) fn open_item_of(
        &mut self,
        local: u32,
        header: &Header,
        kind: u8,
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        let keys = self.topics.get(&local)?;
        let of = ItemSubject {
            topic: keys.id,
            author: header.author,
            created: header.created,
            kind,
        };
        let opened = if kind == CORES {
            rights::open_item_to_members(&keys.ring, &of, sealed)
        } else {
            rights::open_item_to_readers(&mut self.opened, &keys.ring, &of, sealed)
        };
        match opened {
            OpenedItem::Plain(plain) => Some(plain),
            OpenedItem::Malformed | OpenedItem::NoKey => None,
        }
    }
}

/// Kind of the item that lists a member's cores, the only one that is sealed to members who may
/// not read.
pub(crate) const CORES: u8 = 6;
/// Kind of the item in which a device names itself.
pub(crate) const PROFILE: u8 = 5;
/// Kind of the item that names a topic.
pub(crate) const TITLE: u8 = 7;

fn item_subject(keys: &TopicKeys, created: u64, kind: u8) -> Option<ItemSubject> {
    let author = keys.author.as_ref()?.author.public();
    Some(ItemSubject {
        topic: keys.id,
        author,
        created,
        kind,
    })
}

fn vault_name(key: &[u8]) -> Vec<u8> {
    [b"vault ".as_slice(), key].concat()
}

impl Keys for Keychain {
    fn open(
        &mut self,
        cx: &mut Cx<'_>,
        topic: u32,
        envelope: &Envelope,
        body: &[u8],
    ) -> Result<Vec<Message>, OpenError> {
        let keys = self.topics.get(&topic).ok_or(OpenError::NoKey)?;
        let subject = Subject::of(&envelope.header).ok_or(OpenError::Malformed)?;
        match rights::open(&mut self.opened, &keys.ring, &subject, body) {
            Opened::Messages(messages) => Ok(messages),
            Opened::Malformed => Err(OpenError::Malformed),
            Opened::NoKey => match self.open_own(cx, topic, &subject, body) {
                Some(Opened::Messages(messages)) => Ok(messages),
                Some(Opened::Malformed) => Err(OpenError::Malformed),
                Some(Opened::NoKey) | None => {
                    self.note_locked(cx, topic, envelope, body);
                    Err(OpenError::NoKey)
                }
            },
        }
    }

    fn seal(
        &mut self,
        cx: &mut Cx<'_>,
        topic: u32,
        header: &Header,
        messages: &[Message],
    ) -> Result<Vec<u8>, SealError> {
        let keys = self.topics.get(&topic).ok_or(SealError::NoKey)?;
        let subject = Subject::of(header).ok_or(SealError::NoKey)?;
        let held = keys.ring.newest_clean().ok_or(SealError::NoKey)?;
        let epoch = held.epoch();
        let sealed = rights::seal(&mut self.senders, epoch, &subject, messages, cx.rng);
        let sealed = sealed.map_err(|why| match why {
            SealRefused::TooLong(_) => SealError::TooLarge,
            _ => SealError::NoKey,
        })?;
        self.keep_own(cx, topic, (&self.senders, epoch, &subject), &sealed);
        Ok(sealed)
    }

    fn open_item(
        &mut self,
        _: &mut Cx<'_>,
        topic: u32,
        envelope: &Envelope,
        item: &Item,
    ) -> Option<Vec<u8>> {
        match item {
            Item::Profile(sealed) | Item::Title(sealed) | Item::Cores(sealed) => {
                self.open_item_of(topic, &envelope.header, item.kind(), sealed)
            }
            _ => None,
        }
    }

    fn author(&self, topic: u32) -> Option<PublicKey> {
        Some(self.topics.get(&topic)?.author.as_ref()?.author.public())
    }

    fn under(&self, topic: u32) -> Option<GrantId> {
        Some(GrantId::from_bytes(self.topics.get(&topic)?.row.grant))
    }

    fn device(&self, topic: u32) -> Option<PublicKey> {
        Some(self.topics.get(&topic)?.device.as_ref()?.public())
    }

    fn sign_envelope(
        &self,
        topic: u32,
        header: Header,
        body: Vec<u8>,
    ) -> Option<Checked<Verified>> {
        let author = self.topics.get(&topic)?.author.as_ref()?;
        sign_envelope(header, body, &author.author).ok()
    }

    fn holder(&self, topic: u32) -> Option<PublicKey> {
        let keys = self.topics.get(&topic)?;
        if keys.row.custodian {
            return Some(self.config.node_key.public());
        }
        // An author speaks for its device once its certificate is in the topic.
        keys.row.opened.then(|| self.author(topic)).flatten()
    }

    fn sign_receipt(&self, topic: u32, receipt: Receipt) -> Option<Checked<SignedReceipt>> {
        let keys = self.topics.get(&topic)?;
        let key = if keys.row.custodian {
            &self.config.node_key
        } else {
            &keys.author.as_ref()?.author
        };
        sign_receipt(receipt, key).ok()
    }
}
