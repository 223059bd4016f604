//! What replicas say of claims to one another, and who finds room, without a graph.

use super::*;
use identity::SealingKey;
use wire::{Gift, Invite, InviteKind, Terms};

fn of(inviter: u8, uses: u32) -> Invited {
    let gift = Gift {
        terms: Terms::GUEST,
        parent: GrantId::from_bytes([1; 32]),
    };
    Invited {
        invite: Invite {
            key: PublicKey::from_bytes([2; 32]),
            sealing: SealingKey::from_bytes([3; 32]),
            uses,
            until: 9,
            kind: InviteKind::Attended(gift),
        },
        inviter: PublicKey::from_bytes([inviter; 32]),
    }
}

fn grant(inviter: u8, no: u8) -> GrantId {
    let mut bytes = [inviter; 32];
    bytes[0] = no;
    GrantId::from_bytes(bytes)
}

fn hash(no: u32) -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&no.to_be_bytes());
    hash
}

/// Takes a claim as far as there is room for it; gives whose place it takes.
fn put(
    claims: &mut Claims,
    (no, grant, of): (u32, GrantId, Invited),
    welcomed: bool,
) -> Option<Room> {
    let room = claims.room(&grant, &of, welcomed)?;
    if let Room::Of(last) = room {
        claims.open.remove(&last).expect("it was here");
    }
    let open = Open {
        grant,
        inviter: of.inviter,
        most: most(&of),
        seen: Seen {
            at: u64::from(no),
            confirmed: true,
        },
        welcomed,
    };
    claims.open.insert(hash(no), open);
    Some(room)
}

/// A link in too many hands: two replicas keep other claims of it, and still have nothing to tell
/// one another; a welcome they do.
#[test]
fn replicas_of_an_invite_that_is_over_full_come_to_rest() {
    let (mut one, mut two) = (Claims::default(), Claims::default());
    let invite = (grant(1, 1), of(1, 2));
    for no in 0..30 {
        put(&mut one, (no, invite.0, invite.1), false);
        put(&mut two, (100 - no, invite.0, invite.1), false);
    }
    assert_eq!((one.open.len(), two.open.len()), (10, 10));
    assert_eq!(one.digest(), two.digest());
    // One of them has been welcomed: it finds room wherever it comes, in the place of one that waits.
    for claims in [&mut one, &mut two] {
        claims.open.remove(&hash(3));
    }
    put(&mut one, (3, invite.0, invite.1), true);
    assert_ne!(one.digest(), two.digest());
    put(&mut two, (200, invite.0, invite.1), false);
    let room = put(&mut two, (3, invite.0, invite.1), true);
    assert!(
        matches!(room, Some(Room::Of(_)) | Some(Room::Free)),
        "{room:?}"
    );
    assert_eq!(one.digest(), two.digest());
    // Another invite is compared as before.
    put(&mut two, (300, grant(2, 1), of(2, 1)), false);
    assert_ne!(one.digest(), two.digest());
}

/// One inviter with many invites, whose links are in many hands, fills the topic: a claim of another
/// one's invite finds room all the same, and nobody who was welcomed loses its.
#[test]
fn no_inviter_fills_the_topic_for_others() {
    let mut claims = Claims::default();
    let mut no = 0;
    for invite in 0..4 {
        for _ in 0..300 {
            put(&mut claims, (no, grant(1, invite), of(1, 256)), no % 7 == 0);
            no += 1;
        }
    }
    assert_eq!(claims.open.len(), MAX_CLAIMS);
    let welcomed = claims.open.values().filter(|open| open.welcomed).count();
    for _ in 0..100 {
        let room = put(&mut claims, (no, grant(2, 1), of(2, 92)), false);
        let Some(Room::Of(_)) = room else {
            panic!("{room:?}");
        };
        no += 1;
        assert_eq!(claims.open.len(), MAX_CLAIMS);
    }
    assert_eq!(
        put(&mut claims, (no, grant(2, 1), of(2, 92)), false),
        None,
        "used up"
    );
    let now = claims.open.values().filter(|open| open.welcomed).count();
    assert_eq!(now, welcomed);
    // Nor does the second one: no more than the first is left with.
    let mut taken = 0;
    for invite in 2..9 {
        for _ in 0..100 {
            taken +=
                u32::from(put(&mut claims, (no, grant(2, invite), of(2, 92)), false).is_some());
            no += 1;
        }
    }
    let count = claims.by_inviter();
    let of = |inviter: u8| count[&PublicKey::from_bytes([inviter; 32])];
    assert!(
        taken > 0 && of(2) <= of(1) && of(1) - of(2) <= 1,
        "{count:?}"
    );
}
