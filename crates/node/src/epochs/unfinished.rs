//! Announcements of this device whose boxes are not all published: rows of [`NODE`].

use crate::keychain::Keychain;
use crate::rows::{ANNOUNCING, EpochRow, NODE, VAULT, decode, epoch_key, vault_key};
use identity::{EpochId, PublicKey};
use machine::Cx;
use wire::{Boxes, Item};

impl Keychain {
    /// Topics with an announcement of this device that is not finished.
    pub(super) fn announcing(&self, cx: &mut Cx<'_>) -> Vec<u32> {
        let mut found = Vec::new();
        for local in self.topics.keys() {
            if cx.store.has(NODE, &vault_key(ANNOUNCING, *local)) {
                found.push(*local);
            }
        }
        found
    }

    /// Notes the boxes that follow an epoch that was just announced.
    pub(super) fn note_boxes(&self, cx: &mut Cx<'_>, local: u32, boxes: &[Boxes]) {
        let Some(author) = topic::Keys::author(self, local) else {
            return;
        };
        if boxes.is_empty() {
            return;
        }
        let key = vault_key(ANNOUNCING, local);
        cx.store.put(NODE, key.clone(), author.as_bytes().to_vec());
        for (at, boxes) in (0_u16..).zip(boxes) {
            let key = [key.as_slice(), &at.to_be_bytes()].concat();
            cx.store.put(NODE, key, Item::Boxes(boxes.clone()).encode());
        }
    }

    /// The next boxes of an own announcement: the row to delete with them, and whose chain they belong
    /// to.
    pub(super) fn next_boxes(
        &self,
        cx: &mut Cx<'_>,
        local: u32,
    ) -> Option<(Vec<u8>, PublicKey, Boxes)> {
        let key = vault_key(ANNOUNCING, local);
        let author = cx.store.get(NODE, &key)?;
        let author = PublicKey::from_bytes(author.as_slice().try_into().ok()?);
        let rows = cx.store.prefix(NODE, &key, 2);
        let next = rows.into_iter().find(|(found, _)| *found != key);
        let boxes = next.and_then(|(key, row)| match Item::decode(&row) {
            Ok(Item::Boxes(boxes)) => Some((key, author, boxes)),
            _ => None,
        });
        if boxes.is_none() {
            self.forget_boxes(cx, local);
        }
        boxes
    }

    pub(super) fn forget_boxes(&self, cx: &mut Cx<'_>, local: u32) {
        let key = vault_key(ANNOUNCING, local);
        let rows = cx.store.prefix(NODE, &key, usize::from(u16::MAX));
        for (key, _) in rows {
            cx.store.delete(NODE, key);
        }
    }

    /// What was drawn is announced to nobody.
    pub(super) fn forget_begun(&self, cx: &mut Cx<'_>, local: u32, epoch: EpochId) {
        let key = epoch_key(local, &epoch);
        let known = cx.store.get(NODE, &key);
        if known.and_then(|row| decode::<EpochRow>(&row)).is_none() {
            cx.store.delete(VAULT, key);
        }
    }
}
