//! Invites: a control item that names a key, and what whoever holds the key is to have.

use identity::{GrantId, PublicKey, SealingKey};

use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::item::Item;
use crate::limits::MAX_INVITE_USES;
use crate::terms::Terms;

/// What becomes of who claims an invite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InviteKind {
    /// 1: the box holds the keys; the claimer has the terms at once, before anybody has welcomed it.
    WhileAway(Gift),
    /// 2: the claimer waits until somebody who may admit welcomes it.
    Attended(Gift),
    /// 3: the claimer becomes a device of the inviter's own composition, by an act.
    Device,
}

/// What an invite gives, and out of what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gift {
    /// 5: what the claimer is to have.
    pub terms: Terms,
    /// 6: the grant that the inviter gives it from: an item's id, or the topic's.
    pub parent: GrantId,
}

/// Lets in devices that prove a key derived from the link's seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invite {
    /// 0: Ed25519 key that signs claims.
    pub key: PublicKey,
    /// 1: what may be sealed to whoever holds the link.
    pub sealing: SealingKey,
    /// 2: how many devices it is meant for, from 1.
    pub uses: u32,
    /// 3: claims later than this do not stand; milliseconds since 1970.
    pub until: u64,
    /// 4 to 6: what it gives.
    pub kind: InviteKind,
}

impl InviteKind {
    const fn parts(&self) -> (u8, Option<&Gift>) {
        match self {
            Self::WhileAway(gift) => (1, Some(gift)),
            Self::Attended(gift) => (2, Some(gift)),
            Self::Device => (3, None),
        }
    }
}

impl Invite {
    /// The id of the item that this is: the grant that claims name.
    pub fn grant(&self) -> GrantId {
        Item::Invite(*self).id()
    }

    /// What it gives; nothing where it is for a device of the inviter's own.
    pub const fn gift(&self) -> Option<&Gift> {
        self.kind.parts().1
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        let (kind, gift) = self.kind.parts();
        w.map(if gift.is_some() { 7 } else { 5 });
        w.key(0)
            .bytes(self.key.as_bytes())
            .key(1)
            .bytes(self.sealing.as_bytes());
        w.key(2)
            .uint(self.uses)
            .key(3)
            .uint(self.until)
            .key(4)
            .uint(kind);
        if let Some(gift) = gift {
            w.key(5);
            gift.terms.write(w);
            w.key(6).bytes(gift.parent.as_bytes());
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "invite key")?;
        let key = PublicKey::from_bytes(r.array("invite key")?);
        f.need(r, 1, "sealing key")?;
        let sealing = SealingKey::from_bytes(r.array("sealing key")?);
        f.need(r, 2, "uses")?;
        let uses = r.within(1, u64::from(MAX_INVITE_USES), "uses")? as u32;
        f.need(r, 3, "until")?;
        let until = r.time("until")?;
        f.need(r, 4, "invite kind")?;
        let kind = match r.within(1, 3, "invite kind")? {
            1 => InviteKind::WhileAway(Gift::read(r, f)?),
            2 => InviteKind::Attended(Gift::read(r, f)?),
            _ => InviteKind::Device,
        };
        Ok(Self {
            key,
            sealing,
            uses,
            until,
            kind,
        })
    }
}

impl Gift {
    fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 5, "terms")?;
        let terms = Terms::read(r)?;
        f.need(r, 6, "parent")?;
        let parent = GrantId::from_bytes(r.array("parent")?);
        Ok(Self { terms, parent })
    }
}
