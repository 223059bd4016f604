//! Grants, and what ends them: revocations by a cut, and closes.

use std::collections::BTreeSet;

use identity::{EnvelopeId, Form, GrantId, Id, Kind, Scheme};

use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::joint::{Joint, read_form};
use crate::limits::MAX_CUT_IDS;
use crate::terms::{Budget, Right, Rights};

/// Gives rights and a budget to a composition, or to an engine, out of another grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// 0: out of which: an item's id, or the topic's.
    pub parent: GrantId,
    /// 1: to whom: a member, or the key of an engine.
    pub holder: Id,
    /// 2: at least one.
    pub rights: Rights,
    /// 3.
    pub budget: Budget,
    /// 4: the claim that it welcomes: [`Claim::hash`](crate::Claim::hash).
    pub welcomes: Option<[u8; 32]>,
    /// 5: the first form of the holder, where the topic does not know it yet. The holder's id is its.
    pub form: Option<Form>,
    /// 6: where a composition gives it.
    pub joint: Option<Joint>,
}

/// Takes a grant back. What its holder wrote stands up to the cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// 0: which.
    pub grant: GrantId,
    /// 1: the last envelopes that stand of the authors under the grant; strictly ascending, at most
    /// [`MAX_CUT_IDS`]. Of an author that it does not reach nothing stands.
    pub cut: Vec<EnvelopeId>,
    /// 2: the cut counts for every grant below, too.
    pub cascade: bool,
    /// 3: takes back these rights alone; empty is the whole grant.
    pub only: BTreeSet<Right>,
    /// 4: where a composition takes it back.
    pub joint: Option<Joint>,
}

/// Settles where the chains under a grant end that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Close {
    /// 0: which.
    pub grant: GrantId,
    /// 1: as in a [`Revocation`].
    pub cut: Vec<EnvelopeId>,
}

impl Grant {
    /// As it is hashed: without the signatures of a composition.
    pub(crate) fn unsigned(&self) -> Self {
        Self {
            joint: self.joint.as_ref().map(Joint::unsigned),
            ..self.clone()
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        let optional = [
            !self.budget.is_none(),
            self.welcomes.is_some(),
            self.form.is_some(),
            self.joint.is_some(),
        ];
        w.map(3 + optional.iter().filter(|present| **present).count());
        w.key(0)
            .bytes(self.parent.as_bytes())
            .key(1)
            .bytes(&self.holder.to_wire())
            .key(2);
        self.rights.write(w);
        self.budget.write_field(w, 3);
        if let Some(claim) = &self.welcomes {
            w.key(4).bytes(claim);
        }
        if let Some(form) = &self.form {
            w.key(5).encoded(&form.encode());
        }
        if let Some(joint) = &self.joint {
            w.key(6);
            joint.write(w);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "parent")?;
        let parent = GrantId::from_bytes(r.array("parent")?);
        f.need(r, 1, "holder")?;
        let wrong = r.wrong("holder");
        let holder = r.id("holder")?;
        match (holder.kind(), holder.scheme()) {
            (Kind::Member, Scheme::Hash) | (Kind::Engine, Scheme::Key) => {}
            _ => return Err(wrong),
        }
        f.need(r, 2, "rights")?;
        let rights = Rights::read(r)?;
        let budget = Budget::read_field(r, f, 3)?;
        let welcomes = if f.maybe(r, 4)? {
            Some(r.array("claim")?)
        } else {
            None
        };
        let form = if f.maybe(r, 5)? {
            let wrong = r.wrong("a form that is not the holder's");
            let form = read_form(r)?;
            if form.member() != holder {
                return Err(wrong);
            }
            Some(form)
        } else {
            None
        };
        let joint = Joint::read_field(r, f, 6)?;
        Ok(Self {
            parent,
            holder,
            rights,
            budget,
            welcomes,
            form,
            joint,
        })
    }
}

impl Revocation {
    /// Whether it takes this right back.
    pub fn takes(&self, right: Right) -> bool {
        self.only.is_empty() || self.only.contains(&right)
    }

    /// As it is hashed: without the signatures of a composition.
    pub(crate) fn unsigned(&self) -> Self {
        Self {
            joint: self.joint.as_ref().map(Joint::unsigned),
            ..self.clone()
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        let optional = [
            !self.cut.is_empty(),
            self.cascade,
            !self.only.is_empty(),
            self.joint.is_some(),
        ];
        w.map(1 + optional.iter().filter(|present| **present).count());
        w.key(0).bytes(self.grant.as_bytes());
        write_cut(w, 1, &self.cut);
        if self.cascade {
            w.key(2).bool(true);
        }
        if !self.only.is_empty() {
            w.key(3).array(self.only.len());
            for right in &self.only {
                w.uint(*right as u8);
            }
        }
        if let Some(joint) = &self.joint {
            w.key(4);
            joint.write(w);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "grant")?;
        let grant = GrantId::from_bytes(r.array("grant")?);
        let cut = read_cut(r, f, 1)?;
        let cascade = f.maybe(r, 2)?;
        let wrong = r.wrong("cascade");
        // False is said by leaving it out.
        if cascade && !r.bool("cascade")? {
            return Err(wrong);
        }
        let mut last = None;
        let only = f.list(r, 3, Right::ALL.len(), "rights", |r| {
            r.ascending(&mut last, "rights are not ascending", Right::read)
        })?;
        let joint = Joint::read_field(r, f, 4)?;
        Ok(Self {
            grant,
            cut,
            cascade,
            only: only.into_iter().collect(),
            joint,
        })
    }
}

impl Close {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.map(1 + Writer::present(&self.cut));
        w.key(0).bytes(self.grant.as_bytes());
        write_cut(w, 1, &self.cut);
    }

    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "grant")?;
        let grant = GrantId::from_bytes(r.array("grant")?);
        let cut = read_cut(r, f, 1)?;
        Ok(Self { grant, cut })
    }
}

pub(crate) fn write_cut(w: &mut Writer, key: u64, cut: &[EnvelopeId]) {
    w.list(key, cut, |w, id| {
        w.bytes(id.as_bytes());
    });
}

pub(crate) fn read_cut(
    r: &mut Reader<'_>,
    f: &mut Fields,
    key: u64,
) -> Result<Vec<EnvelopeId>, Malformed> {
    let mut last = None;
    f.list(r, key, MAX_CUT_IDS, "cut", |r| {
        r.ascending(&mut last, "the cut is not ascending", |r| {
            Ok(EnvelopeId::from_bytes(r.array("cut")?))
        })
    })
}
