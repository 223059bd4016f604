//! Proofs at core nodes, tickets, operators' invites.

use identity::{SecretKey, Signature};
use machine::WallTime;
use rights::limits::MAX_TICKET_MS;
use rights::{
    AtCore, CoreInviteKey, CoreInviteSeed, CoreSecret, DeviceSecret, Founded, InviteSeed,
    LinkSecret, ShowRefused, ShownAtCore, Standing, core_token, grant_of, issue_ticket,
    judge_ticket,
};
use wire::limits::MAX_AT_CORE;
use wire::{Frame, Ticket};

use crate::support::{DAY, NOW, core_ring, flips, founded, founder, link, link_between, node, rng};

fn core_secret(of: &Founded) -> CoreSecret {
    core_ring(of).core_secrets().next().unwrap()
}

fn joiner(of: &Founded) -> Standing {
    let invite = InviteSeed::from_bytes([40; 16]);
    let device = DeviceSecret::from_bytes([40; 32]).joiner_key(of.topic);
    let grant = grant_of(&invite.item(of.topic, 1, NOW.as_millis() + DAY));
    let sealing = invite.sealing_key().public();
    let claim = invite.claim(of.topic, grant, device.public(), sealing, NOW);
    Standing {
        device,
        grant,
        claim: Some(claim),
    }
}

fn show(of: &Founded, link: &LinkSecret, standing: &Standing) -> AtCore {
    AtCore::of_device(&core_secret(of), link, of.topic, standing, &mut rng(5))
}

fn later(ms: u64) -> WallTime {
    WallTime::from_millis(NOW.as_millis() + ms)
}

#[test]
fn a_member_and_a_guest_prove_themselves_at_a_core() {
    let of = founded(1);
    let secret = core_secret(&of);
    let (client, core) = link(7);
    for standing in [founder(&of), joiner(&of)] {
        let proof = show(&of, &client, &standing);
        assert_eq!(
            proof.token,
            core_token(&secret, node(2)),
            "found by one look-up"
        );
        assert!(proof.sealed.len() <= MAX_AT_CORE);
        let ShownAtCore::Device(shown) = proof.verify(&secret, &core, of.topic, NOW).unwrap()
        else {
            panic!("a device's proof");
        };
        assert_eq!(shown.device, standing.device.public());
        assert_eq!((shown.grant, shown.claim), (standing.grant, standing.claim));
        assert!(matches!(proof.into_frame(), Frame::AtCore { .. }));
    }
}

#[test]
fn a_proof_holds_for_one_link_one_direction_and_one_topic() {
    let (of, other) = (founded(1), founded(2));
    let secret = core_secret(&of);
    let (client, core) = link(7);
    let proof = show(&of, &client, &founder(&of));
    let verdict = |link: &LinkSecret| proof.verify(&secret, link, of.topic, NOW);
    assert!(verdict(&core).is_ok());
    assert_eq!(
        verdict(&client),
        Err(ShowRefused::NotAuthentic),
        "reflected"
    );
    assert_eq!(
        verdict(&link(8).1),
        Err(ShowRefused::NotAuthentic),
        "another exporter"
    );
    let to_other_core = link_between(7, node(1), node(3)).1;
    assert_eq!(verdict(&to_other_core), Err(ShowRefused::NotAuthentic));
    let from_other = link_between(7, node(3), node(2)).1;
    assert_eq!(verdict(&from_other), Err(ShowRefused::NotAuthentic));
    let wrong_secret = proof.verify(&core_secret(&other), &core, of.topic, NOW);
    assert_eq!(wrong_secret, Err(ShowRefused::NotAuthentic));
    // Another topic that shares the secret: the signature tells them apart.
    let copied = proof.verify(&secret, &core, other.topic, NOW);
    assert_eq!(copied, Err(ShowRefused::Signature));
    for (at, sealed) in flips(&proof.sealed) {
        let flipped = AtCore {
            sealed,
            ..proof.clone()
        };
        let refused = flipped.verify(&secret, &core, of.topic, NOW);
        assert_eq!(refused, Err(ShowRefused::NotAuthentic), "byte {at}");
    }
    for changed in [
        AtCore {
            token: [1; 16],
            ..proof.clone()
        },
        AtCore {
            tag: [1; 16],
            ..proof.clone()
        },
    ] {
        let refused = changed.verify(&secret, &core, of.topic, NOW);
        assert_eq!(refused, Err(ShowRefused::NotAuthentic));
    }
    let long = AtCore {
        sealed: vec![0; MAX_AT_CORE + 1],
        ..proof.clone()
    };
    assert_eq!(
        long.verify(&secret, &core, of.topic, NOW),
        Err(ShowRefused::NotAuthentic)
    );
    let short = AtCore {
        sealed: vec![0; 3],
        ..proof
    };
    assert_eq!(
        short.verify(&secret, &core, of.topic, NOW),
        Err(ShowRefused::NotAuthentic)
    );
}

#[test]
fn two_proofs_on_one_link_share_no_key() {
    let of = founded(1);
    let (client, _) = link(7);
    let mut rng = rng(5);
    let secret = core_secret(&of);
    let one = AtCore::of_device(&secret, &client, of.topic, &founder(&of), &mut rng);
    let two = AtCore::of_device(&secret, &client, of.topic, &founder(&of), &mut rng);
    assert_ne!(one.sealed[..24], two.sealed[..24]);
    assert_ne!(one.sealed[24..], two.sealed[24..]);
}

#[test]
fn a_core_cannot_pass_for_a_member() {
    // It has C and has seen a member's statement on its own link with the member.
    let of = founded(1);
    let secret = core_secret(&of);
    let posing = Standing {
        device: SecretKey::from_seed([9; 32]),
        ..founder(&of)
    };
    let (out, at_other) = link_between(8, node(2), node(3));
    let proof = show(&of, &out, &posing);
    let ShownAtCore::Device(shown) = proof.verify(&secret, &at_other, of.topic, NOW).unwrap()
    else {
        panic!("a device's proof");
    };
    // Its own key proves its own key, which no grant of the topic names.
    assert_ne!(shown.device, of.device.public());
    // With a claim that it read in the topic, it is not the claim's device.
    let thief = Standing {
        device: SecretKey::from_seed([9; 32]),
        ..joiner(&of)
    };
    let proof = show(&of, &out, &thief);
    let refused = proof.verify(&secret, &at_other, of.topic, NOW);
    assert_eq!(refused, Err(ShowRefused::ClaimForeign));
}

#[test]
fn a_core_fetches_at_another_with_a_ticket() {
    let of = founded(1);
    let secret = core_secret(&of);
    let (fetching, serving) = link_between(7, node(2), node(3));
    let ticket = issue_ticket(&of.device, of.topic, node(2), NOW, later(DAY));
    let proof = AtCore::of_core(&secret, &fetching, &ticket, &mut rng(5));
    assert!(proof.sealed.len() <= MAX_AT_CORE);
    assert_eq!(
        proof.verify(&secret, &serving, of.topic, NOW),
        Ok(ShownAtCore::Core(ticket))
    );
    // When it is over, and at a clock far behind.
    for (now, verdict) in [
        (later(DAY - 1), Ok(ShownAtCore::Core(ticket))),
        (later(DAY), Err(ShowRefused::TicketTime)),
        (WallTime::from_millis(0), Err(ShowRefused::TicketTime)),
        (
            WallTime::from_millis(u64::MAX),
            Err(ShowRefused::TicketTime),
        ),
    ] {
        assert_eq!(proof.verify(&secret, &serving, of.topic, now), verdict);
    }
    // Both directions of one link at once, each core with its own ticket.
    let own = issue_ticket(&of.device, of.topic, node(3), NOW, later(DAY));
    let back = AtCore::of_core(&secret, &serving, &own, &mut rng(6));
    assert_eq!(
        back.verify(&secret, &fetching, of.topic, NOW),
        Ok(ShownAtCore::Core(own))
    );
}

#[test]
fn a_ticket_serves_nobody_else() {
    let (of, other) = (founded(1), founded(2));
    let secret = core_secret(&of);
    let ticket = issue_ticket(&of.device, of.topic, node(2), NOW, later(DAY));
    // Stolen by another core node that holds the topic too.
    let (thief, serving) = link_between(7, node(4), node(3));
    let proof = AtCore::of_core(&secret, &thief, &ticket, &mut rng(5));
    let refused = proof.verify(&secret, &serving, of.topic, NOW);
    assert_eq!(refused, Err(ShowRefused::TicketForeign));
    // For another topic, or changed after signing.
    let verdict = |ticket: &Ticket, topic| judge_ticket(ticket, topic, node(2), NOW);
    assert_eq!(
        verdict(&ticket, other.topic),
        Err(ShowRefused::TicketForeign)
    );
    let longer = Ticket {
        until: ticket.until + 1,
        ..ticket
    };
    assert_eq!(verdict(&longer, of.topic), Err(ShowRefused::TicketForeign));
    let forged = Ticket {
        signature: Signature::from_bytes([1; 64]),
        ..ticket
    };
    assert_eq!(verdict(&forged, of.topic), Err(ShowRefused::TicketForeign));
    let posed = Ticket {
        device: SecretKey::from_seed([9; 32]).public(),
        ..ticket
    };
    assert_eq!(verdict(&posed, of.topic), Err(ShowRefused::TicketForeign));
}

#[test]
fn a_ticket_runs_thirty_days_at_most() {
    let of = founded(1);
    let shortened = issue_ticket(&of.device, of.topic, node(2), NOW, later(400 * DAY));
    assert_eq!(shortened.until, NOW.as_millis() + MAX_TICKET_MS);
    let long = Ticket::sign(of.topic, node(2), later(32 * DAY).as_millis(), &of.device);
    let refused = judge_ticket(&long, of.topic, node(2), NOW);
    assert_eq!(refused, Err(ShowRefused::TicketTime));
}

#[test]
fn contents_that_are_no_proof_are_refused() {
    // The holder of C can seal what it likes; a hand-made box of it is what an attacker sends.
    let of = founded(1);
    let secret = core_secret(&of);
    let (client, core) = link(7);
    let valid = show(&of, &client, &founder(&of));
    let salt: [u8; 24] = valid.sealed[..24].try_into().unwrap();
    let l = [[7; 32], *node(1).as_bytes(), *node(2).as_bytes()].concat();
    let key = identity::seal::kdf::<32>("core show", &[secret.as_bytes(), &salt, &[0], &l]);
    let inside = identity::seal::aead_open(&key, b"", &valid.sealed[24..]).unwrap();
    let mut bad: Vec<Vec<u8>> = vec![vec![], vec![0], vec![1], vec![2; 129], inside[..128].into()];
    bad.push([inside.as_slice(), &[0]].concat());
    bad.push([&[1], inside.as_slice()].concat());
    for contents in bad {
        let sealed = identity::seal::aead_seal(&key, b"", &contents);
        let proof = AtCore {
            sealed: [salt.as_slice(), &sealed].concat(),
            ..valid.clone()
        };
        let refused = proof.verify(&secret, &core, of.topic, NOW);
        assert_eq!(refused, Err(ShowRefused::Malformed), "{contents:?}");
    }
}

#[test]
fn an_operators_invite_holds_on_one_link() {
    let seed = CoreInviteSeed::from_bytes([3; 16]);
    let kept = CoreInviteKey::from_bytes(*seed.key().as_bytes());
    let (client, core) = link(7);
    let Frame::CoreClaim { token, mac } = seed.claim(&client) else {
        panic!("a claim's frame")
    };
    assert_eq!(token, seed.token());
    assert!(kept.verify(&core, &mac));
    assert!(!kept.verify(&link(8).1, &mac), "replayed on another link");
    assert!(
        !kept.verify(&link_between(7, node(3), node(2)).1, &mac),
        "passed on by another"
    );
    assert!(
        !CoreInviteSeed::from_bytes([4; 16])
            .key()
            .verify(&core, &mac)
    );
    let mut flipped = mac;
    flipped[31] ^= 1;
    assert!(!kept.verify(&core, &flipped));
    assert_ne!(
        seed.key().as_bytes()[..16],
        seed.token(),
        "the token tells nothing of the key"
    );
}
