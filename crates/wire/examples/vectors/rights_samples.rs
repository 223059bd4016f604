//! One legal value of everything about rights, from fixed seeds, and values that break one rule each.

use std::collections::BTreeSet;

use identity::{ActId, EpochId, Form, GrantId, Id, Kind, PublicKey, Scheme, SecretKey};
use wire::cbor::Writer;
use wire::{
    Act, Boxes, Budget, Certificate, Close, EpochItem, EpochReason, Followed, Genesis, Gift, Grant,
    Interval, Invite, InviteKind, Item, Joint, NextEpoch, Revocation, Right, Rights, Role,
    SealedTo, Terms, TopicPolicy, limits,
};

use crate::samples::{NOW, author, claim, core, device, genesis, id, invite, sealing, topic};

pub(crate) fn gift() -> Gift {
    Gift {
        terms: Terms::GUEST,
        parent: GrantId::from_bytes(topic().to_bytes()),
    }
}

/// A genesis with several owners and a policy.
pub(crate) fn other_genesis() -> Genesis {
    Genesis {
        root: later_form(),
        policy: TopicPolicy {
            public: true,
            budget: budget(),
        },
        ..genesis()
    }
}

/// Invites of every kind.
pub(crate) fn invites() -> Vec<Invite> {
    let terms = Terms {
        rights: rights(),
        budget: budget(),
    };
    let attended = InviteKind::Attended(Gift { terms, ..gift() });
    let kinds = [invite().kind, attended, InviteKind::Device];
    kinds.map(|kind| Invite { kind, ..invite() }).into()
}

pub(crate) fn rights() -> Rights {
    Rights {
        publish: Some(Interval {
            from: NOW,
            until: Some(NOW + limits::DAY_MS),
        }),
        read: Some(Interval::ALWAYS),
        admit: Some(Interval {
            from: NOW,
            until: None,
        }),
    }
}

pub(crate) fn budget() -> Budget {
    Budget {
        messages: Some(30),
        bytes: Some(u32::MAX),
        largest: Some(limits::MAX_BODY as u32),
        lifespan: Some(limits::DAY_MS),
        hops: Some(0),
        total_envelopes: Some(64),
        total_bytes: Some(1 << 20),
    }
}

/// Three devices, two of which decide.
pub(crate) fn owners() -> [SecretKey; 3] {
    [0x16, 0x17, 0x18].map(|fill| SecretKey::from_seed([fill; 32]))
}

pub(crate) fn first_form() -> Form {
    Form::one(device().public())
}

pub(crate) fn later_form() -> Form {
    let keys: BTreeSet<PublicKey> = owners().iter().map(SecretKey::public).collect();
    Form::equal(&keys, 2).expect("legal")
}

/// From one device to three others, with the consent of all.
pub(crate) fn act() -> Act {
    let mut act = Act {
        composition: first_form().member(),
        number: 1,
        previous: first_form().first_state(),
        form: later_form(),
        cut: vec![id(0x71), id(0x72)],
        signatures: vec![],
    };
    act.sign(topic(), &device(), Role::Signer);
    for owner in owners() {
        act.sign(topic(), &owner, Role::New);
    }
    act
}

pub(crate) fn grant() -> Grant {
    let form = Form::one(core().public());
    Grant {
        parent: gift().parent,
        holder: form.member(),
        rights: rights(),
        budget: budget(),
        welcomes: Some(claim().hash()),
        form: Some(form),
        joint: None,
    }
}

/// A grant and a revocation that two of three owners sign.
pub(crate) fn joint_items() -> [Item; 2] {
    let joint = Some(Joint::new(act().id()));
    let grant = Grant {
        joint: joint.clone(),
        ..grant()
    };
    let revocation = Revocation {
        joint,
        ..revocation()
    };
    let mut items = [Item::Grant(grant), Item::Revocation(revocation)];
    for item in &mut items {
        let [first, _, third] = owners();
        item.sign_jointly(topic(), &third);
        item.sign_jointly(topic(), &first);
    }
    items
}

pub(crate) fn revocation() -> Revocation {
    Revocation {
        grant: Item::Grant(grant()).id(),
        cut: vec![id(0x73), id(0x74)],
        cascade: true,
        only: BTreeSet::from([Right::Publish, Right::Admit]),
        joint: None,
    }
}

pub(crate) fn next_epoch() -> NextEpoch {
    NextEpoch {
        epoch: EpochItem {
            suite: 1,
            start: NOW,
            slice: limits::DAY_MS,
            keys: vec![sealing(); 2],
        },
        follows: vec![Followed {
            epoch: genesis().epoch.id(),
            meeting: [0x81; 48],
        }],
        boxes: 3,
        hints: [0x82; 32],
        reason: EpochReason::REVOKED,
    }
}

pub(crate) fn boxes() -> Boxes {
    let sealed = |hint: u8, len| SealedTo {
        hint: [hint; 8],
        enc: [0x83; 32],
        sealed: vec![0x84; len],
    };
    Boxes {
        epoch: EpochId::from_bytes([0x85; 32]),
        devices: vec![sealed(1, 49), sealed(2, limits::MAX_BOX_SEALED)],
        cores: vec![sealed(1, limits::MIN_BOX_SEALED)],
    }
}

/// Items about rights, each of which has a body of its own.
pub(crate) fn rights_items() -> Vec<Item> {
    let branches = vec![id(0x75), id(0x76)];
    let who = (author().public(), 1);
    let certificate = Certificate::sign_choosing(topic(), &device(), who, branches);
    let engine = Id::new(Kind::Engine, Scheme::Key, [9; 32]);
    let plain = Grant {
        holder: engine,
        rights: Terms::GUEST.rights,
        budget: Budget::default(),
        welcomes: None,
        form: None,
        ..grant()
    };
    let whole = Revocation {
        grant: gift().parent,
        cut: vec![],
        cascade: false,
        only: BTreeSet::new(),
        joint: None,
    };
    let close = Close {
        grant: gift().parent,
        cut: vec![id(0x77)],
    };
    let mut items = vec![
        Item::Certificate(certificate),
        Item::Grant(grant()),
        Item::Grant(plain),
        Item::Revocation(revocation()),
        Item::Revocation(whole),
        Item::Close(close),
        Item::Act(act()),
        Item::Epoch(next_epoch()),
        Item::Boxes(boxes()),
        Item::Countersign(ActId::from_bytes([0x78; 32])),
        Item::Unshare(identity::EnvelopeId::from_bytes([0x79; 32])),
    ];
    items.extend(invites().into_iter().skip(1).map(Item::Invite));
    items.extend(joint_items());
    items
}

/// The bytes of a form that [`Form`] would not make.
fn form_bytes(devices: &[(u8, u64)], threshold: u64) -> Vec<u8> {
    let mut w = Writer::new();
    w.map(1 + Writer::present(devices));
    w.list(0, devices, |w, (fill, share)| {
        w.array(2).bytes(&[*fill; 32]).uint(*share);
    });
    w.key(1).uint(threshold);
    w.into_bytes()
}

/// The sample grant with other bytes for its holder's form.
fn grant_with(form: &[u8]) -> Vec<u8> {
    replaced(
        &Item::Grant(grant()).encode(),
        &Form::one(core().public()).encode(),
        form,
    )
}

/// Bytes with a piece of them, which stands there, replaced.
pub(crate) fn replaced(bytes: &[u8], piece: &[u8], by: &[u8]) -> Vec<u8> {
    let places = bytes.windows(piece.len());
    let at = places.into_iter().position(|window| window == piece);
    let at = at.expect("the piece stands there");
    [&bytes[..at], by, &bytes[at + piece.len()..]].concat()
}

/// Well-formed CBOR that breaks one rule of items each, with what it breaks.
pub(crate) fn bad_items() -> Vec<(&'static str, Vec<u8>)> {
    let mut bad = bad_forms();
    bad.extend(bad_acts());
    bad.extend(bad_grants());
    bad.extend(bad_lists());
    bad
}

fn bad_forms() -> Vec<(&'static str, Vec<u8>)> {
    let seventeen: Vec<(u8, u64)> = (0..17).map(|fill| (fill, 15)).collect();
    vec![
        ("no device", grant_with(&form_bytes(&[], 1))),
        ("17 devices", grant_with(&form_bytes(&seventeen, 1))),
        (
            "a device twice",
            grant_with(&form_bytes(&[(1, 128), (1, 128)], 1)),
        ),
        (
            "devices in the wrong order",
            grant_with(&form_bytes(&[(2, 128), (1, 128)], 1)),
        ),
        (
            "shares of 255",
            grant_with(&form_bytes(&[(1, 128), (2, 127)], 1)),
        ),
        (
            "shares of 257",
            grant_with(&form_bytes(&[(1, 128), (2, 129)], 1)),
        ),
        (
            "shares of 256 and 2^16",
            grant_with(&form_bytes(&[(1, 65_535), (2, 257)], 1)),
        ),
        (
            "a share of 2^16",
            grant_with(&form_bytes(&[(1, 65_536), (2, 256)], 1)),
        ),
        (
            "a share of 0",
            grant_with(&form_bytes(&[(1, 0), (2, 256)], 1)),
        ),
        ("a threshold of 0", grant_with(&form_bytes(&[(1, 256)], 0))),
        (
            "a threshold of 2 for one device",
            grant_with(&form_bytes(&[(1, 256)], 2)),
        ),
        (
            "a form of somebody else",
            grant_with(&form_bytes(&[(1, 256)], 1)),
        ),
    ]
}

fn bad_acts() -> Vec<(&'static str, Vec<u8>)> {
    let with = |act: Act| Item::Act(act).encode();
    let mut twice = act();
    twice.signatures.insert(1, twice.signatures[0]);
    let mut both = act();
    let mut again = both.signatures[0];
    again.role = match again.role {
        Role::Signer => Role::New,
        Role::New => Role::Signer,
    };
    both.signatures.insert(1, again);
    let mut unsigned = act();
    unsigned.signatures.clear();
    let mut stranger = act();
    stranger.sign(topic(), &core(), Role::New);
    let mut crowd = act();
    for fill in 0x30..0x3d {
        crowd.sign(topic(), &SecretKey::from_seed([fill; 32]), Role::Signer);
    }
    let later = Act { number: 2, ..act() };
    let elsewhere = Act {
        previous: ActId::from_bytes([1; 32]),
        ..act()
    };
    let composition = Id::new(Kind::Topic, Scheme::Hash, *act().composition.as_bytes());
    let no_member = Act {
        composition,
        ..act()
    };
    vec![
        ("a signer twice", with(twice)),
        ("a signer in both roles", with(both)),
        ("an act that nobody signed", with(unsigned)),
        ("a new device that is not in the form", with(stranger)),
        ("17 signatures under an act", with(crowd)),
        ("number 2 after the first form", with(later)),
        ("number 1 after an act", with(elsewhere)),
        ("an act of a topic", with(no_member)),
    ]
}

fn bad_grants() -> Vec<(&'static str, Vec<u8>)> {
    let with = |change: &dyn Fn(&mut Grant)| {
        let mut grant = grant();
        change(&mut grant);
        Item::Grant(grant).encode()
    };
    let backwards = Some(Interval {
        from: NOW,
        until: Some(NOW),
    });
    let node = Id::new(Kind::Node, Scheme::Key, [9; 32]);
    let unsigned = Some(Joint::new(act().id()));
    let device = Invite {
        kind: InviteKind::Device,
        ..invite()
    };
    // The kind of the sample, 1, is the byte before the key of the terms.
    let kind_then_terms = [0x04, 0x01, 0x05];
    let away = Item::Invite(invite()).encode();
    let kind = |kind| replaced(&away, &kind_then_terms, &[0x04, kind, 0x05]);
    let bare = replaced(&Item::Invite(device).encode(), &[0x04, 0x03], &[0x04, 0x01]);
    vec![
        ("no rights", with(&|grant| grant.rights = Rights::default())),
        (
            "a right that ends as it begins",
            with(&|grant| grant.rights.admit = backwards),
        ),
        (
            "no messages a minute",
            with(&|grant| grant.budget.messages = Some(0)),
        ),
        (
            "bodies larger than any",
            with(&|grant| grant.budget.largest = Some(65_537)),
        ),
        ("65 hops", with(&|grant| grant.budget.hops = Some(65))),
        ("a node as holder", with(&|grant| grant.holder = node)),
        (
            "a joint grant that nobody signed",
            with(&|grant| grant.joint.clone_from(&unsigned)),
        ),
        ("an invite for a device with terms", kind(3)),
        ("an invite of no kind", kind(4)),
        ("an invite without terms", bare),
    ]
}

fn bad_lists() -> Vec<(&'static str, Vec<u8>)> {
    let revoke = |change: &dyn Fn(&mut Revocation)| {
        let mut revocation = revocation();
        change(&mut revocation);
        Item::Revocation(revocation).encode()
    };
    let ids = |count: u16| {
        let id = |n: u16| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            identity::EnvelopeId::from_bytes(bytes)
        };
        (0..count).map(id).collect::<Vec<_>>()
    };
    let mut unsorted = boxes();
    unsorted.devices.reverse();
    let mut short = boxes();
    short.cores[0].sealed.pop();
    let mut long = boxes();
    long.devices[1].sealed.push(0);
    let mut many = boxes();
    let one = many.cores[0].clone();
    many.cores = (0..65)
        .map(|hint| SealedTo {
            hint: [hint; 8],
            ..one.clone()
        })
        .collect();
    let none = Boxes {
        devices: vec![],
        cores: vec![],
        ..boxes()
    };
    let mut alone = next_epoch();
    alone.follows.clear();
    let mut nine = next_epoch();
    nine.follows = (0..9)
        .map(|fill| Followed {
            epoch: EpochId::from_bytes([fill; 32]),
            meeting: [0; 48],
        })
        .collect();
    let mut twice = next_epoch();
    twice.follows.push(twice.follows[0]);
    // [9, {0: id, 2: false}] and [9, {2: true, 0: id}].
    let flag = [
        &[0x82, 0x09, 0xa2, 0x00, 0x58, 0x20][..],
        &[1; 32],
        &[0x02, 0xf4],
    ]
    .concat();
    let order = [
        &[0x82, 0x09, 0xa2, 0x02, 0xf5, 0x00, 0x58, 0x20][..],
        &[1; 32],
    ]
    .concat();
    // [10, {0: id, 1: []}].
    let empty = [
        &[0x82, 0x0a, 0xa2, 0x00, 0x58, 0x20][..],
        &[1; 32],
        &[0x01, 0x80],
    ]
    .concat();
    vec![
        ("257 ids in a cut", revoke(&|r| r.cut = ids(257))),
        ("a cut in the wrong order", revoke(&|r| r.cut.reverse())),
        (
            "an id twice in a cut",
            revoke(&|r| r.cut = vec![id(1), id(1)]),
        ),
        ("boxes in the wrong order", Item::Boxes(unsorted).encode()),
        ("a box of 16 sealed bytes", Item::Boxes(short).encode()),
        ("a box of 1,201 sealed bytes", Item::Boxes(long).encode()),
        ("65 boxes of core nodes", Item::Boxes(many).encode()),
        ("no boxes", Item::Boxes(none).encode()),
        ("an epoch that follows none", Item::Epoch(alone).encode()),
        ("an epoch that follows nine", Item::Epoch(nine).encode()),
        ("an epoch followed twice", Item::Epoch(twice).encode()),
        ("a flag that is false", flag),
        ("a map that is not in order", order),
        ("an empty list", empty),
        ("a share", vec![0x82, 0x0e, 0xa0]),
        ("a snapshot", vec![0x82, 0x0f, 0xa0]),
        ("a kind of a later format", vec![0x82, 0x11, 0xa0]),
    ]
}
