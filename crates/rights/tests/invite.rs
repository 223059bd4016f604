//! Invites to a topic.

use identity::{EnvelopeId, EpochId, Form, GrantId, SecretKey};
use rights::{BoxRefused, Founded, InviteSeed, found, grant_of, handed_to_guest, no_box};
use wire::limits::{BOX_LEN, BOX_PLAIN_LEN};
use wire::plain::{BoxContents, CoreEntry};
use wire::{Gift, Interval, InviteKind, Terms};

use crate::support::{DAY, NOW, author, flips, founded, node, rng};

fn seed() -> InviteSeed {
    InviteSeed::from_bytes([3; 16])
}

/// What the founder puts into the box, not signed yet.
fn unsigned(of: &Founded, seed: &InviteSeed) -> BoxContents {
    let invite = seed.item(of.topic, 3, NOW.as_millis() + DAY);
    let (epoch, access) = handed_to_guest(&of.ring, &of.genesis, &invite).unwrap();
    BoxContents {
        genesis: of.genesis.clone(),
        invite,
        invite_at: EnvelopeId::from_bytes([5; 32]),
        title: "Workshop".into(),
        inviter: "Ada".into(),
        cores: vec![CoreEntry {
            node: node(2),
            addresses: vec!["quic://core.example:4433".into()],
            name: "core".into(),
        }],
        handed: Some((epoch, *access)),
        device: of.device.public(),
        signature: of.device.sign(identity::Context::InviteBox, b""),
    }
}

fn boxed(of: &Founded, change: impl Fn(&mut BoxContents)) -> Vec<u8> {
    let mut contents = unsigned(of, &seed());
    change(&mut contents);
    contents.sign(&of.device);
    seed().seal_box(&contents, &mut rng(5)).unwrap()
}

#[test]
fn whoever_has_the_link_gets_in() {
    let of = founded(1);
    let sealed = boxed(&of, |_| {});
    assert_eq!(sealed.len(), BOX_LEN);
    let invitation = seed().open_box(&sealed).unwrap();
    assert_eq!(invitation.topic, of.topic);
    assert_eq!(invitation.genesis, of.genesis);
    assert_eq!(
        (invitation.title.as_str(), invitation.inviter.as_str()),
        ("Workshop", "Ada")
    );
    assert_eq!(invitation.cores.len(), 1);
    assert_eq!(
        invitation.grant,
        grant_of(&seed().item(of.topic, 3, NOW.as_millis() + DAY))
    );
    assert!(invitation.ring.reads());
    // The claim stands for this device, in this topic, under this invite.
    let device = author(9);
    let sealing = seed().sealing_key().public();
    let claim = seed().claim(of.topic, invitation.grant, device, sealing, NOW);
    claim.verify(of.topic).unwrap();
    claim.verify(founded(2).topic).unwrap_err();
    assert_eq!(claim.invite, invitation.invite.key);
    assert_eq!((claim.device, claim.grant), (device, invitation.grant));
}

#[test]
fn without_the_seed_a_box_tells_and_gives_nothing() {
    let of = founded(1);
    let sealed = boxed(&of, |_| {});
    let other = InviteSeed::from_bytes([4; 16]);
    assert_eq!(other.open_box(&sealed).unwrap_err(), BoxRefused::Closed);
    assert_ne!(other.locator(), seed().locator());
    // What a box's keeper has: the locator. It is not the seed's, nor any key's, beginning.
    let kept = seed().locator();
    assert_ne!(kept[..16], *seed().as_bytes());
    let posed = InviteSeed::from_bytes(kept[..16].try_into().unwrap());
    assert_eq!(posed.open_box(&sealed).unwrap_err(), BoxRefused::Closed);
    // A miss looks the same.
    let miss = no_box(&mut rng(9));
    assert_eq!(miss.len(), sealed.len());
    assert_eq!(seed().open_box(&miss).unwrap_err(), BoxRefused::Closed);
    assert!(!sealed.windows(8).any(|bytes| bytes == b"Workshop"));
}

#[test]
fn a_changed_box_does_not_open() {
    let sealed = boxed(&founded(1), |_| {});
    for (at, flipped) in flips(&sealed).step_by(7) {
        assert_eq!(
            seed().open_box(&flipped).unwrap_err(),
            BoxRefused::Closed,
            "byte {at}"
        );
    }
    for len in [0, 1, 23, 24, 40, BOX_LEN - 1] {
        assert_eq!(
            seed().open_box(&sealed[..len]).unwrap_err(),
            BoxRefused::Closed
        );
    }
    let longer = [sealed.as_slice(), &[0]].concat();
    assert_eq!(seed().open_box(&longer).unwrap_err(), BoxRefused::Closed);
}

#[test]
fn a_box_with_false_contents_is_refused() {
    let (of, other) = (founded(1), founded(2));
    let refusal =
        |change: &dyn Fn(&mut BoxContents)| seed().open_box(&boxed(&of, change)).unwrap_err();
    // The founder's device signs something that does not fit.
    let handed = |change: fn(&mut (EpochId, [u8; 33]))| {
        refusal(&move |b| change(b.handed.as_mut().expect("handed over")))
    };
    assert_eq!(handed(|of| of.1[1..].fill(9)), BoxRefused::Keys);
    let other_epoch = handed(|of| of.0 = EpochId::from_bytes([9; 32]));
    assert_eq!(other_epoch, BoxRefused::Keys);
    let foreign = InviteSeed::from_bytes([4; 16]);
    assert_eq!(
        refusal(&|b| b.invite = foreign.item(of.topic, 3, NOW.as_millis() + DAY)),
        BoxRefused::OtherInvite
    );
    assert_eq!(
        refusal(&|b| b.invite.key = author(9)),
        BoxRefused::OtherInvite
    );
    // Another topic's genesis under this founder's signature.
    assert_eq!(
        refusal(&|b| b.genesis = other.genesis.clone()),
        BoxRefused::Keys
    );
    // An invite for a device of the inviter's own.
    let device = refusal(&|b| {
        b.invite.kind = InviteKind::Device;
        b.handed = None;
    });
    assert_eq!(device, BoxRefused::OtherInvite);
}

/// Whoever may not read all that is written under the first epoch gets none of its slices by the link.
#[test]
fn a_box_opens_no_more_than_the_invite_gives() {
    let of = founded(1);
    let all = unsigned(&of, &seed());
    let start = of.genesis.epoch.start;
    let item = |read: Option<Interval>| {
        let mut terms = Terms::GUEST;
        terms.rights.read = read;
        let parent = GrantId::from_bytes(of.topic.to_bytes());
        let kind = InviteKind::WhileAway(Gift { terms, parent });
        seed().item_of(kind, 1, NOW.as_millis() + DAY)
    };
    let from = |from, until| Some(Interval { from, until });
    for read in [None, from(start + 1, None), from(0, Some(start + DAY))] {
        let item = item(read);
        let (epoch, access) = handed_to_guest(&of.ring, &of.genesis, &item).unwrap();
        let sealed = boxed(&of, |b| {
            (b.invite, b.handed) = (item, Some((epoch, *access)))
        });
        let found = seed().open_box(&sealed).unwrap();
        let held = found.ring.newest_clean().unwrap();
        assert!(held.meeting().is_some(), "it may take part");
        assert!((0..held.epoch().slices()).all(|slice| !held.opens(slice)));
        // With all of the secret in it the box is taken by nobody.
        let more = boxed(&of, |b| (b.invite, b.handed) = (item, all.handed));
        assert_eq!(seed().open_box(&more).unwrap_err(), BoxRefused::Keys);
    }
    let item = item(from(start, None));
    let handed = handed_to_guest(&of.ring, &of.genesis, &item).unwrap();
    assert_eq!(Some((handed.0, *handed.1)), all.handed);
}

#[test]
fn a_box_of_who_is_to_be_welcomed_holds_no_secret_of_the_topic() {
    let of = founded(1);
    let gift = Gift {
        terms: Terms::GUEST,
        parent: GrantId::from_bytes(of.topic.to_bytes()),
    };
    let mut contents = unsigned(&of, &seed());
    let until = NOW.as_millis() + DAY;
    contents.invite = seed().item_of(InviteKind::Attended(gift), 1, until);
    contents.sign(&of.device);
    // With the secret in it nobody takes it for a box.
    assert!(seed().seal_box(&contents, &mut rng(5)).is_err());
    contents.handed = None;
    contents.sign(&of.device);
    let plain = contents.encode().unwrap();
    let held = of.ring.newest_clean().unwrap();
    let access = held.access().unwrap();
    let secret = *access.epoch_secret().unwrap().as_bytes();
    for secret in [
        secret,
        *access.meeting().unwrap().as_bytes(),
        *access.core().as_bytes(),
    ] {
        assert!(!plain.windows(32).any(|bytes| *bytes == secret));
    }
    let sealed = seed().seal_box(&contents, &mut rng(5)).unwrap();
    let found = seed().open_box(&sealed).unwrap();
    assert!(!found.ring.reads() && found.ring.recognises().is_none());
    assert_eq!(found.grant, grant_of(&contents.invite));
}

#[test]
fn whoever_holds_a_grant_invites_out_of_it() {
    let of = founded(1);
    let bob = SecretKey::from_seed([8; 32]);
    let gift = Gift {
        terms: Terms::GUEST,
        parent: GrantId::from_bytes([5; 32]),
    };
    let mut contents = unsigned(&of, &seed());
    contents.invite = seed().item_under(gift, 1, NOW.as_millis() + DAY);
    contents.sign(&bob);
    let sealed = seed().seal_box(&contents, &mut rng(5)).unwrap();
    let found = seed().open_box(&sealed).unwrap();
    assert_eq!((found.topic, found.device), (of.topic, bob.public()));
    assert_eq!(found.grant, grant_of(&contents.invite));
}

#[test]
fn a_holder_of_the_link_cannot_pass_for_the_inviter() {
    // It knows the seed, so it can seal; what it cannot do is sign as another device. It is seen as the
    // device that it is, and nothing is written before that device's invite has come in the topic.
    let of = founded(1);
    let thief = SecretKey::from_seed([9; 32]);
    let mut contents = unsigned(&of, &seed());
    contents.sign(&thief);
    let sealed = seed().seal_box(&contents, &mut rng(5)).unwrap();
    let found = seed().open_box(&sealed).unwrap();
    assert_eq!(found.device, thief.public());
    assert!(!found.genesis.root.has(&found.device));
    // Another one's name over its own signature.
    contents.device = of.device.public();
    let sealed = seed().seal_box(&contents, &mut rng(5)).unwrap();
    assert_eq!(seed().open_box(&sealed).unwrap_err(), BoxRefused::Malformed);
    // The founder's signature over other contents.
    let mut contents = unsigned(&of, &seed());
    contents.sign(&of.device);
    contents.title = "Elsewhere".into();
    let sealed = seed().seal_box(&contents, &mut rng(5)).unwrap();
    assert_eq!(seed().open_box(&sealed).unwrap_err(), BoxRefused::Malformed);
}

#[test]
fn contents_that_do_not_fit_are_refused_at_sealing() {
    let of = founded(1);
    let mut contents = unsigned(&of, &seed());
    let entry = contents.cores[0].clone();
    contents.cores = vec![
        CoreEntry {
            addresses: vec!["x".repeat(380); 4],
            ..entry
        };
        4
    ];
    contents.sign(&of.device);
    assert!(seed().seal_box(&contents, &mut rng(5)).is_err());
    // Four cores with two ordinary addresses each do fit.
    let mut contents = unsigned(&of, &seed());
    let uri = "quic://core-with-a-rather-long-name.example.org:4433".to_owned();
    contents.cores = vec![
        CoreEntry {
            node: node(2),
            addresses: vec![uri.clone(), uri],
            name: "n".repeat(64)
        };
        4
    ];
    contents.title = "t".repeat(64);
    contents.inviter = "i".repeat(64);
    contents.sign(&of.device);
    assert_eq!(contents.encode().unwrap().len(), BOX_PLAIN_LEN);
    let sealed = seed().seal_box(&contents, &mut rng(5)).unwrap();
    assert_eq!(seed().open_box(&sealed).unwrap().cores.len(), 4);
}

#[test]
fn a_genesis_that_copies_anothers_founder_gives_no_way_in() {
    // Somebody invites to a topic of its own, in the founder's name: the founder did not sign, and in the
    // topic nobody will have let in an invite under its own grant.
    let of = founded(1);
    let device = rights::DeviceSecret::from_bytes([9; 32]);
    let mut fake = found(&device, NOW, of.genesis.parameters, &mut rng(9)).unwrap();
    fake.genesis.root = Form::one(of.device.public());
    let mut contents = unsigned(&fake, &seed());
    contents.invite = seed().item(fake.genesis.topic_id(), 3, NOW.as_millis() + DAY);
    contents.sign(&fake.device);
    let sealed = seed().seal_box(&contents, &mut rng(5)).unwrap();
    let found = seed().open_box(&sealed).unwrap();
    assert!(!found.genesis.root.has(&found.device));
    // Out of a grant that it makes up: it is seen as the inviter that it is, and nobody has given it
    // that grant in the topic.
    let mut contents = unsigned(&fake, &seed());
    contents.sign(&fake.device);
    let sealed = seed().seal_box(&contents, &mut rng(5)).unwrap();
    let found = seed().open_box(&sealed).unwrap();
    assert_eq!(found.device, fake.device.public());
    assert_ne!(found.device, fake.genesis.founder());
}
