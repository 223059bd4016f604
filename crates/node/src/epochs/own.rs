//! What a device that may not read has written itself: it keeps the keys under which it sealed
//! that, each in a sealed row of its own, and opens with them nothing else.

use crate::keychain::Keychain;
use crate::rows::{OWN, VAULT, vault_key};
use machine::Cx;
use rights::{Epoch, Opened, SenderKeys, Subject};

/// First byte of a sealed body, its epoch, its slice, and the encapsulated key.
const HEAD: usize = 50;

/// The row of the key of a sealed body.
fn row_key(local: u32, body: &[u8]) -> Option<Vec<u8>> {
    let ([1, rest @ ..], _) = body.split_first_chunk::<HEAD>()? else {
        return None;
    };
    Some([vault_key(OWN, local).as_slice(), rest].concat())
}

impl Keychain {
    /// Keeps the key under which a body of this device was just sealed, if nothing else here opens
    /// it.
    pub(crate) fn keep_own(
        &self,
        cx: &mut Cx<'_>,
        local: u32,
        (senders, epoch, subject): (&SenderKeys, &Epoch, &Subject),
        body: &[u8],
    ) {
        let held = self
            .topics
            .get(&local)
            .and_then(|keys| keys.ring.by_id(epoch.id()));
        if held.is_some_and(|held| held.opens(epoch.slice_of(subject.created))) {
            return;
        }
        let key = row_key(local, body).filter(|key| !cx.store.has(VAULT, key));
        if let (Some(key), Some((_, sender))) = (key, senders.own(epoch, subject)) {
            self.write_vault(cx, &key, &sender);
        }
    }

    /// Opens a body that this device has sealed itself.
    pub(crate) fn open_own(
        &mut self,
        cx: &mut Cx<'_>,
        local: u32,
        subject: &Subject,
        body: &[u8],
    ) -> Option<Opened> {
        let row = row_key(local, body).filter(|key| cx.store.has(VAULT, key))?;
        let sender: [u8; 32] = self.read_vault(cx, &row)?.as_slice().try_into().ok()?;
        let enc: [u8; 32] = body.get(18..HEAD)?.try_into().ok()?;
        let prefix: [u8; 16] = body.get(1..17)?.try_into().ok()?;
        let keys = self.topics.get(&local)?;
        let held = keys.ring.by_prefix(&prefix)?;
        self.opened
            .remember_own(held.epoch(), subject, (enc, sender));
        Some(rights::open(&mut self.opened, &keys.ring, subject, body))
    }

    /// Deletes the keys of a topic that is forgotten.
    pub(crate) fn remove_own(&self, cx: &mut Cx<'_>, local: u32) {
        loop {
            // What is deleted is not found again.
            let rows = cx.store.prefix(VAULT, &vault_key(OWN, local), 256);
            if rows.is_empty() {
                return;
            }
            for (key, _) in rows {
                cx.store.delete(VAULT, key);
            }
        }
    }
}
