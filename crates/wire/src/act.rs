//! Acts: what changes a composition. They stand by their own signatures, whoever carries them.

use std::collections::BTreeSet;

use identity::limits::MAX_DEVICES;
use identity::{
    ActId, BadSignature, Context, EnvelopeId, Form, Id, Kind, PublicKey, Scheme, SecretKey,
    Signature, TopicId, seal,
};

use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::grant::{read_cut, write_cut};
use crate::joint::{read_form, read_signer};
use crate::limits::MAX_NUMBER;

/// As what a device signs an act. It is part of what is signed, so that nobody's consent to become a
/// device can pass for a device's vote, nor the reverse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Role {
    /// It is a device of the form before, and decides.
    Signer = 0,
    /// It becomes a device, and agrees.
    New = 1,
}

/// A device's signature under an act.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ActSignature {
    /// Who signed.
    pub device: PublicKey,
    /// As what.
    pub role: Role,
    /// Over topic id ‖ act id ‖ role.
    pub signature: Signature,
}

/// Gives a composition another form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Act {
    /// 0: which composition.
    pub composition: Id,
    /// 1: from 1, without gaps.
    pub number: u64,
    /// 2: the state that it changes: the act before, or the first form where the number is 1.
    pub previous: ActId,
    /// 3: all of the form afterwards.
    pub form: Form,
    /// 4: where the chains of those end that are devices before and not afterwards; strictly
    /// ascending, at most [`MAX_CUT_IDS`](crate::limits::MAX_CUT_IDS).
    pub cut: Vec<EnvelopeId>,
    /// 5: strictly ascending by device, 1 to [`MAX_DEVICES`]. Those of the devices that decide, and
    /// of every device that is new; so an act that takes more than these is made as several.
    pub signatures: Vec<ActSignature>,
}

impl Act {
    /// kdf("act", the map of fields 0 to 4): what it is called, signed and followed by. The
    /// signatures are no part of it, so that any that suffice make the same act.
    pub fn id(&self) -> ActId {
        let mut w = Writer::new();
        self.write_with(&mut w, &[]);
        ActId::from_bytes(seal::kdf("act", &[&w.into_bytes()]))
    }

    /// Signs it as a device before, or as one that is new.
    pub fn sign(&mut self, topic: TopicId, device: &SecretKey, role: Role) {
        let statement = statement(topic, &self.id(), role);
        let signature = device.sign(Context::Act, &statement);
        let device = device.public();
        self.signatures.retain(|other| other.device != device);
        self.signatures.push(ActSignature {
            device,
            role,
            signature,
        });
        self.signatures.sort_unstable_by_key(|one| one.device);
    }

    /// Who has signed in a role.
    pub fn signers(&self, role: Role) -> BTreeSet<PublicKey> {
        let of_role = self.signatures.iter().filter(|one| one.role == role);
        of_role.map(|one| one.device).collect()
    }

    /// Whether every signature in it is over it, in this topic and role. Whether the signers are the
    /// composition's devices, and enough, is seen in the topic: [`Act::is_signed_from`].
    pub fn verify(&self, topic: TopicId) -> Result<(), BadSignature> {
        let id = self.id();
        self.signatures.iter().try_for_each(|one| {
            let statement = statement(topic, &id, one.role);
            one.device.verify(Context::Act, &statement, &one.signature)
        })
    }

    /// Whether those have signed who must for it to follow a form: as many devices of that form as
    /// it takes, and exactly the devices that are new as new ones.
    pub fn is_signed_from(&self, before: &Form) -> bool {
        let signers = self.signers(Role::Signer);
        let new: BTreeSet<PublicKey> = self.form.beyond(before).collect();
        before.is_signed_by(&signers)
            && signers.iter().all(|signer| before.has(signer))
            && new == self.signers(Role::New)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        self.write_with(w, &self.signatures);
    }

    fn write_with(&self, w: &mut Writer, signatures: &[ActSignature]) {
        w.map(4 + Writer::present(&self.cut) + Writer::present(signatures))
            .key(0)
            .bytes(&self.composition.to_wire());
        w.key(1)
            .uint(self.number)
            .key(2)
            .bytes(self.previous.as_bytes());
        w.key(3).encoded(&self.form.encode());
        write_cut(w, 4, &self.cut);
        w.list(5, signatures, |w, one| {
            w.array(3)
                .bytes(one.device.as_bytes())
                .uint(one.role as u8)
                .bytes(one.signature.as_bytes());
        });
    }

    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "composition")?;
        let wrong = r.wrong("composition");
        let composition = r.id("composition")?;
        if (composition.kind(), composition.scheme()) != (Kind::Member, Scheme::Hash) {
            return Err(wrong);
        }
        f.need(r, 1, "number")?;
        let number = r.within(1, MAX_NUMBER, "number")?;
        f.need(r, 2, "previous act")?;
        let wrong = r.wrong("previous act");
        let previous = ActId::from_bytes(r.array("previous act")?);
        // The first act follows the first form, which is called as the composition is.
        if (number == 1) != (previous.as_bytes() == composition.as_bytes()) {
            return Err(wrong);
        }
        f.need(r, 3, "form")?;
        let form = read_form(r)?;
        let cut = read_cut(r, f, 4)?;
        let wrong = r.wrong("signatures");
        let mut last = None;
        let signatures = f.list(r, 5, MAX_DEVICES, "signatures", |r| {
            r.tuple(3, "signature")?;
            let device = read_signer(r, &mut last)?;
            let wrong = r.wrong("role");
            let role = match r.at_most(1, "role")? {
                0 => Role::Signer,
                _ if form.has(&device) => Role::New,
                _ => return Err(wrong),
            };
            let signature = Signature::from_bytes(r.array("signature")?);
            Ok(ActSignature {
                device,
                role,
                signature,
            })
        })?;
        if signatures.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            composition,
            number,
            previous,
            form,
            cut,
            signatures,
        })
    }
}

fn statement(topic: TopicId, act: &ActId, role: Role) -> Vec<u8> {
    [&topic.as_bytes()[..], act.as_bytes(), &[role as u8]].concat()
}
