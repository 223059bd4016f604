//! The epochs of this node's topics: what is kept of them in the vault, and what is given up.
//!
//! One row of the vault for each epoch with what is held of its secret, one of [`NODE`] with what is
//! known of it, one of the vault with the device's sealing keys: each written anew, or deleted, in the
//! commit in which what it holds changes. So a restart finds what was there, and a disk that is taken
//! away afterwards opens nothing that was given up before, as far as the rows go: the engine keeps
//! replaced rows in its files until they are merged (docs/spec/store.md).
//!
//! Whoever judges epoch items calls, in this order, within the turn that admits them:
//!
//! 1. [`Keychain::epoch_came`] for an admitted epoch item, with the generation of its envelope. It is
//!    read from then on where something of it is held, and not written under.
//! 2. [`Keychain::boxes_came`], when boxes of its announcer came, with all of them so far
//!    ([`rights::Announced`]) and with what this device may read there. What comes back is evidence
//!    against the announcer.
//! 3. [`Keychain::epoch_stands`], whenever what stands has changed: whether the epoch is effective, all
//!    its boxes have come ([`rights::Announced::is_usable`]) and it is clean ([`rights::is_clean`]).
//!    Then, before something is published, [`rights::KeyRing::due`]: if it says a reason and this
//!    device may, [`Keychain::begin_epoch`], and the item and the boxes go out as it gives them.
//!
//! [`Keychain::forget_old`] is called when the clock is confirmed, and daily.

use crate::keychain::Keychain;
use crate::rows::{ANNOUNCING, EPOCH, EpochRow, LOCKED, NODE, SEALING, VAULT};
use crate::rows::{decode, encode, epoch_key, vault_key};
use identity::seal::hpke::HpkeSecret;
use identity::{EpochId, SealingKey};
use machine::Cx;
use rights::limits::MAX_EPOCHS;
use rights::{
    Access, Announced, BeginRefused, Call, Drawn, Entitled, Epoch, EpochRefused, EpochSource,
    FalseBox, KeyRing, Learnt, Portion, SealingKeys,
};
use std::collections::BTreeSet;
use wire::limits::DAY_MS;
use wire::{Boxes, EpochReason, Item, NextEpoch};

mod announcing;
mod handing;
mod locked;
mod own;
mod surveyed;
#[cfg(test)]
pub(crate) mod tests;
mod unfinished;

pub(crate) use announcing::Announcing;

/// What this device wants to announce; topic and followed epochs are the keychain's to say.
pub(crate) struct Wanted<'a> {
    /// When the announcing envelope claims to be made, milliseconds since 1970.
    pub(crate) created: u64,
    /// A time at which a slice is to begin.
    pub(crate) boundary: Option<u64>,
    /// All who are entitled in the past of the announcement, this device included.
    pub(crate) devices: &'a [Entitled],
    /// The sealing keys of the topic's core nodes.
    pub(crate) cores: &'a [SealingKey],
    /// Why.
    pub(crate) reason: EpochReason,
}

/// Whether an item may change what is written under, or what this device may have of it. Others only let
/// somebody in, or say under which key: that is looked up when an epoch begins.
pub(crate) const fn turn_on(item: &Item) -> bool {
    match item {
        Item::Grant(_)
        | Item::Revocation(_)
        | Item::Close(_)
        | Item::Act(_)
        | Item::Epoch(_)
        | Item::Boxes(_)
        | Item::Countersign(_) => true,
        Item::Certificate(_)
        | Item::Claim(_)
        | Item::Invite(_)
        | Item::Leave
        | Item::Sealing(_)
        | Item::Profile(_)
        | Item::Cores(_)
        | Item::Title(_)
        | Item::Unshare(_) => false,
    }
}

impl Keychain {
    /// Where the secrets of epochs come from.
    const fn source() -> impl EpochSource {
        Drawn
    }

    /// Reads what is kept of a topic's epochs. Nothing when a row does not open with this home's key.
    pub(crate) fn load_epochs(
        &self,
        cx: &mut Cx<'_>,
        local: u32,
        ring: &mut KeyRing,
    ) -> Option<()> {
        let rows = cx.store.prefix(NODE, &vault_key(EPOCH, local), MAX_EPOCHS);
        let known = rows.into_iter().filter_map(|(key, row)| {
            let epoch: [u8; 32] = key.get(5..)?.try_into().ok()?;
            Some((EpochId::from_bytes(epoch), decode::<EpochRow>(&row)?))
        });
        for (epoch, row) in known {
            if let Ok(Item::Epoch(item)) = Item::decode(&row.item) {
                let next = Epoch::from_next(&item).ok()?;
                ring.add(next, row.generation, &item.follows);
            }
            ring.mark(epoch, row.clean);
            ring.give_up(epoch, row.kept_from);
            if let Some(at) = row.followed {
                ring.note_followed(epoch, at);
            }
        }
        let epochs: Vec<EpochId> = ring.epochs().map(|held| held.epoch().id()).collect();
        for epoch in epochs {
            let key = epoch_key(local, &epoch);
            if cx.store.has(VAULT, &key) {
                let plain = self.read_vault(cx, &key)?;
                ring.restore(epoch, Access::from_bytes(&plain).ok()?);
            }
        }
        Some(())
    }

    /// Writes the rows of an epoch as it is in the ring now.
    pub(crate) fn write_epoch(&self, cx: &mut Cx<'_>, local: u32, epoch: EpochId) {
        let key = epoch_key(local, &epoch);
        let Some(held) = self
            .topics
            .get(&local)
            .and_then(|keys| keys.ring.by_id(epoch))
        else {
            return;
        };
        let before = cx.store.get(NODE, &key);
        let before = before.and_then(|row| decode::<EpochRow>(&row));
        let row = EpochRow {
            item: before.map(|row| row.item).unwrap_or_default(),
            generation: held.generation(),
            clean: held.is_clean(),
            followed: held.followed(),
            kept_from: held.kept_from(),
        };
        cx.store.put(NODE, key.clone(), encode(&row));
        match held.access() {
            Some(access) => self.write_vault(cx, &key, &access.to_bytes()),
            None => cx.store.delete(VAULT, key),
        }
    }

    /// Writes the row with a device's sealing keys, where there are any.
    pub(crate) fn write_sealing(&self, cx: &mut Cx<'_>, local: u32) {
        let keys = self.topics.get(&local);
        if let Some(sealing) = keys.and_then(|keys| keys.sealing.as_ref()) {
            self.write_vault(cx, &vault_key(SEALING, local), &sealing.to_bytes());
        }
    }

    /// Deletes all rows about a topic's epochs: also secrets that were drawn and never announced.
    pub(crate) fn remove_epochs(&self, cx: &mut Cx<'_>, local: u32) {
        let rows = [
            (NODE, EPOCH),
            (VAULT, EPOCH),
            (NODE, ANNOUNCING),
            (NODE, LOCKED),
        ];
        for (table, kind) in rows {
            loop {
                // What is deleted is not found again.
                let rows = cx.store.prefix(table, &vault_key(kind, local), MAX_EPOCHS);
                if rows.is_empty() {
                    break;
                }
                for (key, _) in rows {
                    cx.store.delete(table, key);
                }
            }
        }
        cx.store.delete(VAULT, vault_key(SEALING, local));
    }

    /// Takes the sealing key that this device has announced in a claim, in the place of the one that was
    /// drawn with the topic.
    pub(crate) fn set_sealing(&mut self, cx: &mut Cx<'_>, local: u32, secret: HpkeSecret) {
        if let Some(keys) = self
            .topics
            .get_mut(&local)
            .filter(|keys| keys.device.is_some())
        {
            keys.sealing = Some(SealingKeys::new(secret));
            self.write_sealing(cx, local);
        }
    }

    /// Takes the sealing key of the invite by which this device has come: what was announced between the
    /// invite and its claim is sealed to that.
    pub(crate) fn opens_for_invite(&mut self, cx: &mut Cx<'_>, local: u32, secret: HpkeSecret) {
        let now = cx.wall.as_millis();
        if let Some(keys) = self.topics.get_mut(&local) {
            keys.sealing = keys.sealing.take().map(|own| own.beside(secret, now));
            self.write_sealing(cx, local);
        }
    }

    /// Takes an admitted announcement. The epoch is not written under before it is said to stand.
    pub(crate) fn epoch_came(
        &mut self,
        cx: &mut Cx<'_>,
        local: u32,
        item: &NextEpoch,
        generation: u64,
    ) -> Result<(), EpochRefused> {
        let epoch = Epoch::from_next(item)?;
        let id = epoch.id();
        // What was drawn here before it was announced, or came with a welcome.
        let own = self.read_vault(cx, &epoch_key(local, &id));
        let own = own.and_then(|plain| Access::from_bytes(&plain).ok());
        let Some(keys) = self.topics.get_mut(&local) else {
            return Ok(());
        };
        if keys.ring.by_id(id).is_some() {
            return Ok(());
        }
        let ids = |ring: &KeyRing| -> BTreeSet<EpochId> {
            ring.epochs().map(|held| held.epoch().id()).collect()
        };
        let before = ids(&keys.ring);
        keys.ring.add(epoch, generation, &item.follows);
        keys.ring.mark(id, false);
        let mut used = false;
        if let Some(own) = own.filter(|own| keys.ring.judge(id, own).is_ok()) {
            keys.ring.restore(id, own);
            // Whoever announces has a box too, which others have recorded, and never opens it.
            if let Some(sealing) = &mut keys.sealing {
                used = sealing.opened(&sealing.public(), cx.wall.as_millis());
            }
        }
        let after = ids(&keys.ring);
        for gone in before.difference(&after) {
            let key = epoch_key(local, gone);
            cx.store.delete(NODE, key.clone());
            cx.store.delete(VAULT, key);
        }
        let row = EpochRow {
            item: Item::Epoch(item.clone()).encode(),
            generation,
            clean: false,
            followed: None,
            kept_from: 0,
        };
        cx.store.put(NODE, epoch_key(local, &id), encode(&row));
        self.write_epoch(cx, local, id);
        if used {
            self.write_sealing(cx, local);
        }
        Ok(())
    }

    /// Notes whether an epoch may be written under: it stands, all its boxes have come, and it is clean.
    pub(crate) fn epoch_stands(
        &mut self,
        cx: &mut Cx<'_>,
        local: u32,
        epoch: EpochId,
        clean: bool,
    ) {
        let Some(keys) = self.topics.get_mut(&local) else {
            return;
        };
        let known = keys.ring.by_id(epoch);
        if known.is_some_and(|held| held.is_clean() != clean) {
            keys.ring.mark(epoch, clean);
            self.write_epoch(cx, local, epoch);
        }
    }

    /// Looks for the own box among those that have come. Gives evidence against the announcer, if there
    /// is any.
    pub(crate) fn boxes_came(
        &mut self,
        cx: &mut Cx<'_>,
        local: u32,
        announced: &Announced,
        portion: Portion,
    ) -> Option<FalseBox> {
        let keys = self.topics.get_mut(&local)?;
        let sealing = keys.sealing.as_mut()?;
        let epoch = announced.epoch().id();
        match Self::source().learn(&keys.ring, announced, sealing, portion) {
            Learnt::Access {
                access,
                key,
                evidence,
            } => {
                let used = sealing.opened(&key, cx.wall.as_millis());
                // It was judged a moment ago.
                let taken = keys.ring.unlock(epoch, access).is_ok();
                if used {
                    self.write_sealing(cx, local);
                }
                if taken {
                    self.write_epoch(cx, local, epoch);
                }
                evidence
            }
            Learnt::Nothing => None,
            Learnt::False(evidence) => Some(evidence),
        }
    }

    /// Takes an access to an epoch that a reader handed over.
    pub(crate) fn key_came(
        &mut self,
        cx: &mut Cx<'_>,
        local: u32,
        epoch: EpochId,
        access: Access,
    ) -> bool {
        let keys = self.topics.get_mut(&local);
        let taken = keys.is_some_and(|keys| keys.ring.unlock(epoch, access).is_ok());
        if taken {
            self.write_epoch(cx, local, epoch);
        }
        taken
    }

    /// Begins an epoch: its secret goes into the vault in the same commit, before its announcement can
    /// leave. Item and boxes are to be published in this order, each in an envelope of its own.
    pub(crate) fn begin_epoch(
        &mut self,
        cx: &mut Cx<'_>,
        local: u32,
        wanted: &Wanted<'_>,
    ) -> Option<Result<(NextEpoch, Vec<Boxes>), BeginRefused>> {
        let keys = self.topics.get(&local)?;
        let call = Call {
            topic: keys.id,
            created: wanted.created,
            boundary: wanted.boundary,
            devices: wanted.devices,
            cores: wanted.cores,
            follows: &keys.ring.ends(),
            reason: wanted.reason,
        };
        let new = match Self::source().begin(&call, cx.rng) {
            Ok(new) => new,
            Err(why) => return Some(Err(why)),
        };
        let key = epoch_key(local, &new.item.id());
        let access = Access::Reader(new.secret);
        self.write_vault(cx, &key, &access.to_bytes());
        Some(Ok((new.item, new.boxes)))
    }

    /// Draws the next sealing key when it is due: to be announced with this very commit.
    pub(crate) fn turn_sealing(&mut self, cx: &mut Cx<'_>, local: u32) -> Option<SealingKey> {
        let keys = self.topics.get_mut(&local)?;
        keys.device.as_ref()?;
        let next = match &mut keys.sealing {
            Some(sealing) => {
                let due = sealing.turn_due()?;
                if due > cx.wall.as_millis() {
                    return None;
                }
                sealing.turn(cx.wall.as_millis(), cx.rng)
            }
            lost => {
                let fresh = SealingKeys::new(HpkeSecret::generate(cx.rng));
                lost.insert(fresh).public()
            }
        };
        self.write_sealing(cx, local);
        Some(next)
    }

    /// Draws another sealing key in the place of one that others may have a copy of: to be announced with
    /// this very commit.
    pub(crate) fn replace_sealing(&mut self, cx: &mut Cx<'_>, local: u32) {
        let keys = self.topics.get_mut(&local);
        if let Some(sealing) = keys.and_then(|keys| keys.sealing.as_mut()) {
            sealing.turn(cx.wall.as_millis(), cx.rng);
            self.write_sealing(cx, local);
        }
    }

    /// Gives up what is older than each topic's history, by a clock that is confirmed: the rows that
    /// held it are replaced in this commit, and with it go the keys under which it came here.
    pub(crate) fn forget_old(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wall.as_millis();
        let locals: Vec<u32> = self.topics.keys().copied().collect();
        for local in locals {
            let Some(keys) = self.topics.get_mut(&local) else {
                continue;
            };
            let days = u64::from(keys.genesis.parameters.history_days);
            let history = (days > 0).then(|| days.saturating_mul(DAY_MS));
            let mut changed: BTreeSet<EpochId> = keys.ring.note_ended(now).into_iter().collect();
            let before = history.map_or(0, |history| now.saturating_sub(history));
            let given_up = keys.ring.forget_before(before);
            if !given_up.is_empty() {
                // Keys of single authors that were remembered open it too.
                self.opened.forget(keys.id);
            }
            changed.extend(given_up);
            let turned = keys.sealing.as_mut();
            if turned.is_some_and(|sealing| sealing.forget(now, history)) {
                self.write_sealing(cx, local);
            }
            for epoch in changed {
                self.write_epoch(cx, local, epoch);
            }
        }
    }
}
