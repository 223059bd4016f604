//! Epochs that follow others, and the boxes that hand their secrets over.

use identity::{EpochId, seal};

use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::genesis::EpochItem;
use crate::limits::{
    MAX_BOX_SEALED, MAX_BOXES, MAX_CORE_BOXES, MAX_FOLLOWED_EPOCHS, MIN_BOX_SEALED,
};

/// Why an epoch was announced. For people: nothing is decided by it. Numbers that this version does
/// not know are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EpochReason(pub u8);

impl EpochReason {
    /// None of the others.
    pub const OTHER: Self = Self(0);
    /// Somebody lost the right to read.
    pub const REVOKED: Self = Self(1);
    /// A device was removed.
    pub const DEVICE_REMOVED: Self = Self(2);
    /// The slices of the one before are used up.
    pub const USED_UP: Self = Self(3);
    /// Several epochs were announced apart from one another.
    pub const MERGED: Self = Self(4);
}

/// An epoch that an earlier one knew, with the means to recognise its members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Followed {
    /// 4: which.
    pub epoch: EpochId,
    /// 5: its meeting secret, sealed under the new one.
    pub meeting: [u8; 48],
}

/// Announces an epoch that follows others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextEpoch {
    /// 0 to 3: as in a genesis.
    pub epoch: EpochItem,
    /// 4 and 5: strictly ascending by epoch, 1 to [`MAX_FOLLOWED_EPOCHS`].
    pub follows: Vec<Followed>,
    /// 6: how many boxes hand its secret over.
    pub boxes: u16,
    /// 7: kdf("hints", the sorted hints of the devices' boxes).
    pub hints: [u8; 32],
    /// 8: why.
    pub reason: EpochReason,
}

/// Something sealed to one sealing key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SealedTo {
    /// Names the key without saying whose it is.
    pub hint: [u8; 8],
    /// The encapsulated key.
    pub enc: [u8; 32],
    /// The sealed bytes, [`MIN_BOX_SEALED`] to [`MAX_BOX_SEALED`] of them; in an answer with keys up to
    /// [`MAX_KEYS_SEALED`](crate::limits::MAX_KEYS_SEALED).
    pub sealed: Vec<u8>,
}

/// Hands the secret of an epoch over. Stands alone in its envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Boxes {
    /// 0: of which epoch.
    pub epoch: EpochId,
    /// 1: to devices; strictly ascending, at most [`MAX_BOXES`].
    pub devices: Vec<SealedTo>,
    /// 2: to core nodes; strictly ascending, at most [`MAX_CORE_BOXES`].
    pub cores: Vec<SealedTo>,
}

impl NextEpoch {
    /// kdf("epoch", the map of fields 0 to 8).
    pub fn id(&self) -> EpochId {
        let mut w = Writer::new();
        self.write(&mut w);
        EpochId::from_bytes(seal::kdf("epoch", &[&w.into_bytes()]))
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.map(7 + 2 * Writer::present(&self.follows));
        self.epoch.write_fields(w);
        w.list(4, &self.follows, |w, followed| {
            w.bytes(followed.epoch.as_bytes());
        });
        w.list(5, &self.follows, |w, followed| {
            w.bytes(&followed.meeting);
        });
        w.key(6).uint(self.boxes).key(7).bytes(&self.hints);
        w.key(8).uint(self.reason.0);
    }

    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        let epoch = EpochItem::read_fields(r, f)?;
        let wrong = r.wrong("what the epoch follows");
        let mut last = None;
        let ids = f.list(r, 4, MAX_FOLLOWED_EPOCHS, "what the epoch follows", |r| {
            r.ascending(&mut last, "followed epochs are not ascending", |r| {
                Ok(EpochId::from_bytes(r.array("epoch")?))
            })
        })?;
        let secrets = f.list(r, 5, MAX_FOLLOWED_EPOCHS, "meeting secrets", |r| {
            r.array("meeting secret")
        })?;
        if ids.is_empty() || ids.len() != secrets.len() {
            return Err(wrong);
        }
        let both = ids.into_iter().zip(secrets);
        let follows = both.map(|(epoch, meeting)| Followed { epoch, meeting });
        f.need(r, 6, "boxes")?;
        let boxes = r.u16("boxes")?;
        f.need(r, 7, "hints")?;
        let hints = r.array("hints")?;
        f.need(r, 8, "reason")?;
        let reason = EpochReason(r.u8("reason")?);
        Ok(Self {
            epoch,
            follows: follows.collect(),
            boxes,
            hints,
            reason,
        })
    }
}

impl Boxes {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.map(1 + Writer::present(&self.devices) + Writer::present(&self.cores))
            .key(0)
            .bytes(self.epoch.as_bytes());
        w.list(1, &self.devices, |w, sealed| sealed.write(w));
        w.list(2, &self.cores, |w, sealed| sealed.write(w));
    }

    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "epoch")?;
        let epoch = EpochId::from_bytes(r.array("epoch")?);
        let wrong = r.wrong("no boxes");
        let mut last = None;
        let mut next =
            |r: &mut Reader<'_>| r.ascending(&mut last, "boxes are not ascending", SealedTo::read);
        let devices = f.list(r, 1, MAX_BOXES, "boxes", &mut next)?;
        let mut last = None;
        let cores = f.list(r, 2, MAX_CORE_BOXES, "boxes of core nodes", |r| {
            r.ascending(&mut last, "boxes are not ascending", SealedTo::read)
        })?;
        if devices.is_empty() && cores.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            epoch,
            devices,
            cores,
        })
    }
}

impl SealedTo {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(3)
            .bytes(&self.hint)
            .bytes(&self.enc)
            .bytes(&self.sealed);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Self::read_at_most(r, MAX_BOX_SEALED)
    }

    pub(crate) fn read_at_most(r: &mut Reader<'_>, most: usize) -> Result<Self, Malformed> {
        r.tuple(3, "box")?;
        let hint = r.array("hint")?;
        let enc = r.array("encapsulated key")?;
        let wrong = r.wrong("sealed bytes");
        let sealed = r.bytes(most, "sealed bytes")?.to_vec();
        if sealed.len() < MIN_BOX_SEALED {
            return Err(wrong);
        }
        Ok(Self { hint, enc, sealed })
    }
}
