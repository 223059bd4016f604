//! What several devices of a composition sign together, and how forms are read.

use std::collections::BTreeSet;

use identity::limits::MAX_DEVICES;
use identity::{
    ActId, BadSignature, Context, Device, Form, FormError, GrantId, PublicKey, SecretKey,
    Signature, TopicId,
};

use crate::cbor::{Fields, Malformed, Reader, Writer};

/// A device's signature beside those of others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceSignature {
    /// Who signed.
    pub device: PublicKey,
    /// Over what the item says that is signed.
    pub signature: Signature,
}

/// Says that a composition gives or takes back, and not the envelope's author alone.
///
/// An item's id leaves the signatures out, so that whoever carries the item can make no second one
/// of it by leaving a signature out, which would outlive the revocation of the first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joint {
    /// 0: the state of the composition that it is signed under.
    pub under: ActId,
    /// 1: strictly ascending by device, 1 to [`MAX_DEVICES`]. Each is over topic id ‖ the item's id.
    pub signatures: Vec<DeviceSignature>,
}

impl DeviceSignature {
    /// A device's part of an item that its composition signs: over topic id ‖ the item's id.
    pub fn sign(topic: TopicId, item: &GrantId, device: &SecretKey) -> Self {
        Self {
            device: device.public(),
            signature: device.sign(Context::Joint, &statement(topic, item)),
        }
    }
}

impl Joint {
    /// Nobody has signed yet.
    pub const fn new(under: ActId) -> Self {
        Self {
            under,
            signatures: Vec::new(),
        }
    }

    /// Adds a signature, or replaces that of the same device.
    pub fn add(&mut self, signature: DeviceSignature) {
        self.signatures
            .retain(|other| other.device != signature.device);
        self.signatures.push(signature);
        self.signatures.sort_unstable_by_key(|one| one.device);
    }

    /// Who has signed.
    pub fn signers(&self) -> BTreeSet<PublicKey> {
        self.signatures.iter().map(|one| one.device).collect()
    }

    /// Whether every signature in it is over this item in this topic. Whether the signers are the
    /// composition's, and enough, is seen in the topic.
    pub fn verify(&self, topic: TopicId, item: &GrantId) -> Result<(), BadSignature> {
        let statement = statement(topic, item);
        self.signatures.iter().try_for_each(|one| {
            one.device
                .verify(Context::Joint, &statement, &one.signature)
        })
    }

    /// The same without signatures, as an item's id has it.
    pub(crate) const fn unsigned(&self) -> Self {
        Self::new(self.under)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.map(1 + Writer::present(&self.signatures))
            .key(0)
            .bytes(self.under.as_bytes());
        w.list(1, &self.signatures, |w, one| {
            w.array(2)
                .bytes(one.device.as_bytes())
                .bytes(one.signature.as_bytes());
        });
    }

    /// The value of a field that is left out where the author alone signs.
    pub(crate) fn read_field(
        r: &mut Reader<'_>,
        f: &mut Fields,
        key: u64,
    ) -> Result<Option<Self>, Malformed> {
        if !f.maybe(r, key)? {
            return Ok(None);
        }
        let mut f = r.fields("joint")?;
        f.need(r, 0, "act")?;
        let under = ActId::from_bytes(r.array("act")?);
        let wrong = r.wrong("signatures");
        let mut last = None;
        let signatures = f.list(r, 1, MAX_DEVICES, "signatures", |r| {
            r.tuple(2, "signature")?;
            Ok(DeviceSignature {
                device: read_signer(r, &mut last)?,
                signature: Signature::from_bytes(r.array("signature")?),
            })
        })?;
        f.end(r)?;
        if signatures.is_empty() {
            return Err(wrong);
        }
        Ok(Some(Self { under, signatures }))
    }
}

fn statement(topic: TopicId, item: &GrantId) -> Vec<u8> {
    [&topic.as_bytes()[..], item.as_bytes()].concat()
}

/// The next signer of a list, greater than the one before: nobody signs twice.
pub(crate) fn read_signer(
    r: &mut Reader<'_>,
    last: &mut Option<PublicKey>,
) -> Result<PublicKey, Malformed> {
    r.ascending(last, "signers are not ascending", |r| {
        Ok(PublicKey::from_bytes(r.array("signer")?))
    })
}

/// Reads what [`Form::encode`] writes.
pub(crate) fn read_form(r: &mut Reader<'_>) -> Result<Form, Malformed> {
    let wrong = r.wrong("form");
    let mut f = r.fields("form")?;
    let devices = f.list(r, 0, MAX_DEVICES, "devices", |r| {
        r.tuple(2, "device")?;
        let key = PublicKey::from_bytes(r.array("device")?);
        let share = r.u16("share")?;
        Ok(Device { key, share })
    })?;
    f.need(r, 1, "threshold")?;
    let threshold = r.u8("threshold")?;
    f.end(r)?;
    Form::new(devices, threshold).map_err(|error| {
        let what = match error {
            FormError::NoDevice => "a form without devices",
            FormError::TooMany => "a form with too many devices",
            FormError::Order => "devices are not ascending",
            FormError::NoShare => "a device without a share",
            FormError::Sum => "shares do not sum to 256",
            FormError::Threshold => "threshold",
        };
        Malformed { what, ..wrong }
    })
}
