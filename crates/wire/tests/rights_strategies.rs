//! Legal values of everything about rights at random.

use identity::limits::{MAX_DEVICES, SHARES};
use identity::{ActId, Device, EpochId, Form, Id, Kind, Scheme};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use wire::{
    Act, ActSignature, Boxes, Budget, Close, DeviceSignature, EpochReason, Followed, Grant,
    Interval, Item, Joint, NextEpoch, Revocation, Right, Rights, Role, SealedTo, Terms, limits,
};

use crate::strategies::{Bytes, cut_ids, epoch, grant, key, signature, time};

pub(crate) fn form() -> impl Strategy<Value = Form> {
    let keys = btree_set(key(), 1..=MAX_DEVICES);
    let marks = btree_set(1..SHARES, MAX_DEVICES - 1);
    (keys, marks, any::<u8>()).prop_map(|(keys, marks, threshold)| {
        let marks = marks.into_iter().take(keys.len() - 1).chain([SHARES]);
        let threshold = 1 + threshold % keys.len() as u8;
        let mut before = 0;
        let devices = keys.into_iter().zip(marks).map(|(key, mark)| {
            let share = mark - std::mem::replace(&mut before, mark);
            Device { key, share }
        });
        Form::new(devices.collect(), threshold).unwrap()
    })
}

fn act_id() -> impl Strategy<Value = ActId> {
    any::<Bytes>().prop_map(ActId::from_bytes)
}

fn epoch_id() -> impl Strategy<Value = EpochId> {
    any::<Bytes>().prop_map(EpochId::from_bytes)
}

pub(crate) fn budget() -> impl Strategy<Value = Budget> {
    let some = prop::option::of::<std::ops::RangeFrom<u32>>;
    let small = (
        some(1..),
        some(1..),
        prop::option::of(1..=limits::MAX_BODY as u32),
        prop::option::of(1..=limits::MAX_LIFESPAN_MS),
        prop::option::of(0..=limits::MAX_HOPS),
    );
    (small, any::<[Option<u64>; 2]>()).prop_map(|(small, [total_envelopes, total_bytes])| {
        let (messages, bytes, largest, lifespan, hops) = small;
        Budget {
            messages,
            bytes,
            largest,
            lifespan,
            hops,
            total_envelopes,
            total_bytes,
        }
    })
}

fn rights() -> impl Strategy<Value = Rights> {
    let interval = || {
        let interval = (0..limits::MAX_TIME_MS, prop::option::of(time()));
        interval.prop_map(|(from, until)| Interval {
            from,
            until: until.map(|until| until.max(from + 1)),
        })
    };
    let all = (interval(), interval(), interval(), 1_u8..8);
    all.prop_map(|(publish, read, admit, which)| Rights {
        publish: (which & 1 > 0).then_some(publish),
        read: (which & 2 > 0).then_some(read),
        admit: (which & 4 > 0).then_some(admit),
    })
}

pub(crate) fn terms() -> impl Strategy<Value = Terms> {
    (rights(), budget()).prop_map(|(rights, budget)| Terms { rights, budget })
}

fn joint(max: usize) -> impl Strategy<Value = Joint> {
    (act_id(), btree_map(key(), signature(), 1..=max)).prop_map(|(under, signatures)| {
        let one = |(device, signature)| DeviceSignature { device, signature };
        let signatures = signatures.into_iter().map(one).collect();
        Joint { under, signatures }
    })
}

fn a_grant() -> impl Strategy<Value = Grant> {
    let holder = prop_oneof![
        form().prop_map(|form| (form.member(), Some(form))),
        form().prop_map(|form| (form.member(), None)),
        any::<Bytes>().prop_map(|bytes| (Id::new(Kind::Engine, Scheme::Key, bytes), None)),
    ];
    (
        grant(),
        holder,
        terms(),
        any::<Option<Bytes>>(),
        prop::option::of(joint(4)),
    )
        .prop_map(|(parent, (holder, form), terms, welcomes, joint)| Grant {
            parent,
            holder,
            rights: terms.rights,
            budget: terms.budget,
            welcomes,
            form,
            joint,
        })
}

fn revocation() -> impl Strategy<Value = Revocation> {
    let rights = prop_oneof![Just(Right::Publish), Just(Right::Read), Just(Right::Admit)];
    (
        grant(),
        cut_ids(8),
        any::<bool>(),
        btree_set(rights, 0..=3),
        prop::option::of(joint(4)),
    )
        .prop_map(|(grant, cut, cascade, only, joint)| Revocation {
            grant,
            cut,
            cascade,
            only,
            joint,
        })
}

fn act() -> impl Strategy<Value = Act> {
    let signatures = btree_map(key(), signature(), 1..=4);
    let number = 1..=limits::MAX_NUMBER;
    (
        any::<Bytes>(),
        number,
        act_id(),
        form(),
        cut_ids(8),
        signatures,
    )
        .prop_map(|(bytes, number, previous, form, cut, signatures)| {
            let one = |(device, signature)| ActSignature {
                device,
                role: Role::Signer,
                signature,
            };
            let first = ActId::from_bytes(bytes);
            Act {
                composition: Id::new(Kind::Member, Scheme::Hash, bytes),
                number,
                previous: if number == 1 { first } else { previous },
                form,
                cut,
                signatures: signatures.into_iter().map(one).collect(),
            }
        })
}

fn next_epoch() -> impl Strategy<Value = NextEpoch> {
    let meeting = vec(any::<u8>(), 48).prop_map(|bytes| <[u8; 48]>::try_from(bytes).unwrap());
    let follows = btree_map(epoch_id(), meeting, 1..=limits::MAX_FOLLOWED_EPOCHS);
    (epoch(), follows, any::<(u16, Bytes, u8)>()).prop_map(
        |(epoch, follows, (boxes, hints, reason))| {
            let one = |(epoch, meeting)| Followed { epoch, meeting };
            NextEpoch {
                epoch,
                follows: follows.into_iter().map(one).collect(),
                boxes,
                hints,
                reason: EpochReason(reason),
            }
        },
    )
}

pub(crate) fn boxes() -> impl Strategy<Value = Boxes> {
    let sealed = || {
        let sealed = vec(any::<u8>(), limits::MIN_BOX_SEALED..80);
        let one = (any::<[u8; 8]>(), any::<Bytes>(), sealed);
        one.prop_map(|(hint, enc, sealed)| SealedTo { hint, enc, sealed })
    };
    (
        epoch_id(),
        btree_set(sealed(), 1..6),
        btree_set(sealed(), 0..4),
    )
        .prop_map(|(epoch, devices, cores)| Boxes {
            epoch,
            devices: devices.into_iter().collect(),
            cores: cores.into_iter().collect(),
        })
}

/// Items that may stand beside others.
pub(crate) fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        a_grant().prop_map(Item::Grant),
        revocation().prop_map(Item::Revocation),
        (grant(), cut_ids(8)).prop_map(|(grant, cut)| Item::Close(Close { grant, cut })),
        act().prop_map(Item::Act),
        next_epoch().prop_map(Item::Epoch),
        act_id().prop_map(Item::Countersign),
        any::<Bytes>().prop_map(|id| Item::Unshare(identity::EnvelopeId::from_bytes(id))),
    ]
}
