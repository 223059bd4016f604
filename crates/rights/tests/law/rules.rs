//! Each rule, as the attack that it stops.

use identity::{Device, Form, Id, Kind, Scheme};
use lace::Rule;
use wire::{
    Budget, Gift, Grant, Interval, Invite, InviteKind, Item, Joint, Rights, Terms, TopicPolicy,
};

use crate::town::{
    ALL, DAY, MINUTE, READER, Replica, START, Sealed, Town, grant, grant_to, limited,
};

const GUEST: Terms = Terms::GUEST;

fn between(from: u64, until: u64) -> Option<Interval> {
    Some(Interval {
        from,
        until: Some(until),
    })
}

#[test]
fn a_member_to_whom_publishing_is_granted_publishes() {
    let mut town = Town::new(1);
    let mut owner = town.owners();
    let mut bea = town.key();
    let given = grant(town.root(), &bea.public(), GUEST);
    let at = owner.issue(&town, std::slice::from_ref(&given), &[], START);
    let mut pen = town.pen(&bea, given.id());
    pen.begin(&town, 0, &[], &[&at], START + 1);
    pen.say(&town, &[], START + 2);
    // And by an invite with terms.
    let invite = town.invite(town.root(), GUEST);
    let at = owner.issue(&town, std::slice::from_ref(&invite.1), &[], START + 3);
    let mut guest = town.guest(&invite, &at);
    guest.say(&town, &[pen.chain.last().unwrap()], START + 5);
    let mut replica = Replica::with(&town, &[&owner, &pen, &guest]);
    assert!(replica.has(guest.chain.last().unwrap()));
    // Another incarnation of the device, under the same grant.
    bea = pen.device.clone();
    let mut again = town.pen(&bea, given.id());
    replica.takes(&again.begin(&town, 1, &[], &[&owner.chain[1]], START + 9));
}

#[test]
fn a_reader_does_not_write_at_anybodys() {
    let mut town = Town::new(2);
    let mut owner = town.owners();
    let reader = town.invite(town.root(), READER);
    let at = owner.issue(&town, std::slice::from_ref(&reader.1), &[], START);
    let mut guest = town.guest(&reader, &at);
    let said = guest.content(&town, (1, 20), &[], START + 9);
    for mut replica in [
        Replica::with(&town, &[&owner, &guest]),
        Replica::with(&town, &[&owner, &guest]).reopen(),
    ] {
        replica.refuses(&said, Rule::Right);
        // What makes a device known it may say.
        let known = guest.control(&town, &[Item::Profile(vec![1; 60])], &[], START + 9);
        replica.takes(&known);
    }
    // It invites nobody, and gives nothing.
    let mut replica = Replica::with(&town, &[&owner, &guest]);
    let invite = town.invite(guest.grant, READER).1;
    let given = grant(guest.grant, &guest.device.public(), GUEST);
    for item in [invite, given] {
        let written = guest.control(&town, &[item], &[], START + 9);
        replica.refuses(&written, Rule::Right);
    }
    // Nor does it call the topic anything.
    let title = guest.control(&town, &[Item::Title(vec![1; 60])], &[], START + 9);
    replica.refuses(&title, Rule::FounderOnly);
    guest.chain.clear();
}

#[test]
fn a_grant_that_no_dep_carries_is_not_written_under() {
    let mut town = Town::new(3);
    let mut owner = town.owners();
    let bea = town.key();
    let given = grant(town.root(), &bea.public(), GUEST);
    owner.issue(&town, std::slice::from_ref(&given), &[], START);
    let later = owner.say(&town, &[], START);
    let pen = town.pen(&bea, given.id());
    let invented = town.pen(&bea, identity::GrantId::from_bytes([9; 32]));
    let mut replica = Replica::with(&town, &[&owner]);
    // It is in the past, but not named; or it is nowhere.
    for (pen, deps) in [
        (&pen, vec![]),
        (&pen, vec![&later]),
        (&invented, vec![&later]),
    ] {
        let first = pen.first(&town, 0, &[], &deps, START + 1);
        replica.refuses(&first, Rule::Chain);
    }
    // What follows stays under the chain's own.
    let mut named = pen.clone();
    named.begin(&town, 0, &[], &[&owner.chain[1]], START + 1);
    replica.takes(&named.chain[0]);
    named.grant = town.root();
    let said = named.content(&town, (1, 20), &[], START + 2);
    replica.refuses(&said, Rule::Grant);
}

#[test]
fn somebody_elses_grant_is_not_written_under() {
    let mut town = Town::new(4);
    let mut owner = town.owners();
    let (bea, thief) = (town.key(), town.key());
    let given = grant(town.root(), &bea.public(), GUEST);
    let invite = town.invite(town.root(), GUEST);
    let at = owner.issue(&town, &[given.clone(), invite.1.clone()], &[], START);
    let mut replica = Replica::with(&town, &[&owner]);
    let first = |town: &mut Town, grant, items: &[Item]| {
        let pen = town.pen(&thief, grant);
        pen.first(town, 0, items, &[&at], START + 1)
    };
    let root = town.root();
    let own = first(&mut town, root, &[]);
    replica.refuses(&own, Rule::Holder);
    let beas = first(&mut town, given.id(), &[]);
    replica.refuses(&beas, Rule::Holder);
    // An invite is claimed, and by its own key.
    let unclaimed = first(&mut town, invite.1.id(), &[]);
    replica.refuses(&unclaimed, Rule::Claim);
    let pen = town.pen(&thief, invite.1.id());
    let claim = pen.claim(&town, &thief, START);
    let forged = pen.first(&town, 0, &[claim], &[&at], START + 1);
    replica.refuses(&forged, Rule::ClaimKey);
    // Nor with a claim of another device, or of another invite.
    let (pen, other) = (
        town.pen(&thief, invite.1.id()),
        town.pen(&bea, invite.1.id()),
    );
    let claim = other.claim(&town, &invite.0, START);
    let stolen = pen.first(&town, 0, &[claim], &[&at], START + 1);
    replica.refuses(&stolen, Rule::ClaimFor);
    let mut elsewhere = pen.clone();
    elsewhere.grant = given.id();
    let claim = pen.claim(&town, &invite.0, START);
    let moved = elsewhere.first(&town, 0, &[claim], &[&at], START + 1);
    replica.refuses(&moved, Rule::ClaimFor);
    // Nor after its end, or by whom the topic is.
    let claim = pen.claim(&town, &invite.0, START + 366 * DAY);
    let late = pen.first(&town, 0, &[claim], &[&at], START + 1);
    replica.refuses(&late, Rule::InviteOver);
    let owners = town.pen(&owner.device.clone(), invite.1.id());
    let claim = owners.claim(&town, &invite.0, START);
    let needless = owners.first(&town, 0, &[claim], &[&at], START + 1);
    replica.refuses(&needless, Rule::Claim);
    // A grant is not claimed.
    let pen = town.pen(&bea, given.id());
    let claim = pen.claim(&town, &invite.0, START);
    let claimed = pen.first(&town, 0, &[claim], &[&at], START + 1);
    replica.refuses(&claimed, Rule::NoInvite);
}

#[test]
fn nobody_gives_out_of_what_is_not_its_own() {
    let mut town = Town::new(5);
    let mut owner = town.owners();
    let (bea, cleo) = (town.key(), town.key());
    let to_bea = grant(town.root(), &bea.public(), ALL);
    let invite = town.invite(town.root(), ALL);
    let at = owner.issue(&town, &[to_bea.clone(), invite.1.clone()], &[], START);
    let mut pen = town.pen(&bea, to_bea.id());
    pen.begin(&town, 0, &[], &[&at], START + 1);
    let guest = town.guest(&invite, &at);
    let mut replica = Replica::with(&town, &[&owner, &pen, &guest]);
    // Out of the root's, out of one that nobody has, out of its own child.
    let child = grant(to_bea.id(), &bea.public(), GUEST);
    let nothing = identity::GrantId::from_bytes([9; 32]);
    for parent in [town.root(), nothing, child.id(), invite.1.id()] {
        let given = grant(parent, &cleo.public(), GUEST);
        let written = pen.control(&town, &[child.clone(), given], &[], START + 2);
        replica.refuses(&written, Rule::Parent);
    }
    // Nothing hangs under an invite, whatever its terms say.
    let given = grant(guest.grant, &cleo.public(), GUEST);
    let written = guest.control(&town, &[given], &[], START + 2);
    replica.refuses(&written, Rule::Parent);
    replica.takes(&pen.control(&town, &[child], &[], START + 2));
}

#[test]
fn a_chain_of_grants_is_at_most_eight_deep() {
    let mut town = Town::new(6);
    let mut pen = town.owners();
    let mut replica = Replica::with(&town, &[&pen]);
    for depth in 1..=9_u64 {
        let next = town.key();
        let given = grant(pen.grant, &next.public(), ALL);
        let created = START + depth;
        if depth == 9 {
            let written = pen.control(&town, &[given], &[], created);
            replica.refuses(&written, Rule::Parent);
            let invite = town.invite(pen.grant, GUEST).1;
            let written = pen.control(&town, &[invite], &[], created);
            replica.refuses(&written, Rule::Parent);
            return;
        }
        let at = pen.issue(&town, std::slice::from_ref(&given), &[], created);
        replica.takes(&at);
        pen = town.pen(&next, given.id());
        replica.takes(&pen.begin(&town, 0, &[], &[&at], created));
    }
}

#[test]
fn nobody_gives_more_than_it_has() {
    let mut town = Town::new(7);
    let mut owner = town.owners();
    let bea = town.key();
    let mut own = ALL;
    own.rights.publish = between(START, START + 100 * DAY);
    own.rights.read = None;
    own.budget = Budget {
        largest: Some(1000),
        lifespan: Some(DAY),
        hops: Some(4),
        ..limited(100, 100_000)
    };
    let to_bea = grant(town.root(), &bea.public(), own);
    let at = owner.issue(&town, std::slice::from_ref(&to_bea), &[], START);
    let mut pen = town.pen(&bea, to_bea.id());
    pen.begin(&town, 0, &[], &[&at], START + 1);
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    let mut less = own;
    less.budget.messages = Some(10);
    less.budget.bytes = Some(10_000);
    let change = |f: &dyn Fn(&mut Terms)| {
        let mut terms = less;
        f(&mut terms);
        terms
    };
    let more = [
        change(&|terms| terms.rights.read = Some(Interval::ALWAYS)),
        change(&|terms| terms.rights.publish = Some(Interval::ALWAYS)),
        change(&|terms| terms.rights.publish = between(START - 1, START + DAY)),
        change(&|terms| terms.rights.publish = between(START, START + 100 * DAY + 1)),
        change(&|terms| {
            terms.rights.publish = Some(Interval {
                from: START,
                until: None,
            });
        }),
        change(&|terms| terms.budget.largest = Some(1001)),
        change(&|terms| terms.budget.largest = None),
        change(&|terms| terms.budget.lifespan = Some(DAY + 1)),
        change(&|terms| terms.budget.hops = Some(5)),
        change(&|terms| terms.budget.hops = None),
        change(&|terms| terms.budget.messages = None),
        change(&|terms| terms.budget.bytes = None),
    ];
    for terms in more {
        for item in [
            grant(pen.grant, &bea.public(), terms),
            town.invite(pen.grant, terms).1,
        ] {
            let written = pen.control(&town, &[item], &[], START + 2);
            replica.refuses(&written, Rule::Within);
        }
    }
    let given = grant(pen.grant, &bea.public(), less);
    replica.takes(&pen.control(&town, &[given], &[], START + 2));
}

#[test]
fn a_share_is_not_sold_twice() {
    let mut town = Town::new(8);
    let mut owner = town.owners();
    let (bea, other) = (town.key(), town.key());
    let mut keys = [(bea.public(), 64), (other.public(), 192)];
    keys.sort_unstable();
    let devices = keys.map(|(key, share)| Device { key, share });
    let form = Form::new(devices.to_vec(), 1).unwrap();
    let own = Terms {
        budget: limited(400, 4_000_000),
        ..ALL
    };
    let to_both = grant_to(town.root(), form, own);
    let at = owner.issue(&town, std::slice::from_ref(&to_both), &[], START);
    let mut pen = town.pen(&bea, to_both.id());
    pen.begin(&town, 0, &[], &[&at], START + 1);
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    let of = |messages: u32, until: u64, town: &mut Town| {
        let mut terms = GUEST;
        terms.rights.publish = between(START, until);
        terms.rights.read = None;
        terms.budget = limited(messages, 1000);
        let key = town.key();
        grant(to_both.id(), &key.public(), terms)
    };
    // A quarter of 400 is hers: 60 and 41 are too much, in one envelope or in two.
    let (one, two) = (
        of(60, START + DAY, &mut town),
        of(41, START + DAY, &mut town),
    );
    let both = pen.control(&town, &[one.clone(), two.clone()], &[], START + 2);
    replica.refuses(&both, Rule::Carve);
    let at = pen.issue(&town, &[one], &[], START + 2);
    replica.takes(&at);
    replica.refuses(&pen.control(&town, &[two], &[], START + 3), Rule::Carve);
    // An invite weighs as often as it has uses.
    let terms = Terms {
        budget: limited(10, 10),
        ..GUEST
    };
    let Item::Invite(invite) = town.invite(to_both.id(), terms).1 else {
        panic!("an invite");
    };
    let for_five = Item::Invite(Invite { uses: 5, ..invite });
    let written = pen.control(&town, &[for_five], &[], START + 3);
    replica.refuses(&written, Rule::Carve);
    let for_four = Item::Invite(Invite { uses: 4, ..invite });
    replica.takes(&pen.control(&town, &[for_four], &[], START + 3));
    // What is over weighs nothing.
    let mut fresh = Replica::with(&town, &[&owner, &pen]);
    let late = of(41, START + 3 * DAY, &mut town);
    let due = START + DAY + 10 * MINUTE;
    let early = pen.control(&town, std::slice::from_ref(&late), &[], due - 1);
    fresh.refuses(&early, Rule::Carve);
    fresh.takes(&pen.control(&town, &[late], &[], due));
}

/// Who forks gives no more by it than by one chain, to whoever has heard of both.
#[test]
fn what_was_given_on_another_branch_weighs_where_it_is_known() {
    let mut town = Town::new(12);
    let mut owner = town.owners();
    let bea = town.key();
    let own = Terms {
        budget: limited(100, 1_000_000),
        ..ALL
    };
    let to_bea = grant(town.root(), &bea.public(), own);
    let invite = town.invite(town.root(), GUEST);
    let items = [to_bea.clone(), invite.1.clone()];
    let at = owner.issue(&town, &items, &[], START);
    let mut pen = town.pen(&bea, to_bea.id());
    pen.begin(&town, 0, &[], &[&at], START + 1);
    let twin = pen.clone();
    let given = |messages, town: &mut Town| {
        let budget = limited(messages, 1000);
        let terms = Terms { budget, ..GUEST };
        let to = town.key();
        grant(to_bea.id(), &to.public(), terms)
    };
    let (sixty, fifty) = (given(60, &mut town), given(50, &mut town));
    let first = pen.issue(&town, &[sixty], &[], START + 2);
    let mut guest = town.guest(&invite, &at);
    let heard = guest.say(&town, &[&first], START + 3);
    let mut replica = Replica::with(&town, &[&owner, &pen, &guest]);
    let knows = twin.control(&town, std::slice::from_ref(&fifty), &[&heard], START + 4);
    replica.refuses(&knows, Rule::Carve);
    let forty = given(40, &mut town);
    let fits = twin.control(&town, &[forty], &[&heard], START + 4);
    assert_ne!(
        replica.verdict(&fits),
        lace::Admission::Refused(Rule::Carve)
    );
}

#[test]
fn a_chain_gives_to_sixty_four_at_a_time() {
    let mut town = Town::new(9);
    let mut owner = town.owners();
    let root = town.root();
    for at in 0..64 {
        let key = town.key();
        let mut terms = GUEST;
        if at == 0 {
            terms.rights.publish = between(START, START + DAY);
            terms.rights.read = None;
        }
        owner.issue(&town, &[grant(root, &key.public(), terms)], &[], START);
    }
    let mut replica = Replica::with(&town, &[&owner]);
    let invite = town.invite(root, GUEST).1;
    let written = |created| owner.control(&town, std::slice::from_ref(&invite), &[], created);
    let due = START + DAY + 10 * MINUTE;
    replica.refuses(&written(due - 1), Rule::Carve);
    replica.takes(&written(due));
}

/// Invites that nobody can claim any more are not counted, but weigh on: some may have been claimed.
#[test]
fn invites_that_are_over_make_room_for_others_but_not_for_their_rates() {
    let mut town = Town::new(18);
    let mut owner = town.owners();
    let bea = town.key();
    let own = Terms {
        budget: limited(100, 100_000),
        ..ALL
    };
    let to_bea = grant(town.root(), &bea.public(), own);
    let at = owner.issue(&town, std::slice::from_ref(&to_bea), &[], START);
    let mut pen = town.pen(&bea, to_bea.id());
    pen.begin(&town, 0, &[], &[&at], START);
    let give = |messages, town: &mut Town| {
        let terms = Terms {
            budget: limited(messages, 10),
            ..GUEST
        };
        match town.invite(to_bea.id(), terms).1 {
            Item::Invite(invite) => Item::Invite(Invite {
                until: START + DAY,
                ..invite
            }),
            other => other,
        }
    };
    for _ in 0..64 {
        let item = give(1, &mut town);
        pen.issue(&town, &[item], &[], START);
    }
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    let (one, much) = (give(36, &mut town), give(37, &mut town));
    let written =
        |item: &Item, created| pen.control(&town, std::slice::from_ref(item), &[], created);
    replica.refuses(&written(&one, START + DAY), Rule::Carve);
    replica.refuses(&written(&much, START + DAY + 1), Rule::Carve);
    replica.takes(&written(&one, START + DAY + 1));
}

#[test]
fn a_right_is_used_within_its_time() {
    let mut town = Town::new(10);
    let mut owner = town.owners();
    let bea = town.key();
    let mut terms = ALL;
    terms.rights.publish = between(START + DAY, START + 2 * DAY);
    terms.rights.admit = between(START + 2 * DAY, START + 3 * DAY);
    terms.rights.read = between(START, START + 4 * DAY);
    let given = grant(town.root(), &bea.public(), terms);
    let at = owner.issue(&town, std::slice::from_ref(&given), &[], START);
    let mut pen = town.pen(&bea, given.id());
    // A device makes itself known before anything begins, also where nothing has.
    pen.begin(&town, 0, &[], &[&at], START - DAY);
    let said = |created| pen.content(&town, (1, 20), &[], created);
    let replica = || Replica::with(&town, &[&owner, &pen]);
    replica().refuses(&said(START + DAY - 1), Rule::Time);
    replica().takes(&said(START + DAY));
    replica().takes(&said(START + 2 * DAY - 1));
    replica().refuses(&said(START + 2 * DAY), Rule::Time);
    let mut own = terms;
    own.rights.admit = None;
    let child = grant(pen.grant, &bea.public(), own);
    let issued = |created| pen.control(&town, std::slice::from_ref(&child), &[], created);
    replica().refuses(&issued(START + 2 * DAY - 1), Rule::Time);
    replica().takes(&issued(START + 2 * DAY));
    replica().refuses(&issued(START + 3 * DAY), Rule::Time);
    // Everything else ends with the last right.
    let left = |created| pen.control(&town, &[Item::Leave], &[], created);
    replica().takes(&left(START + 4 * DAY - 1));
    replica().refuses(&left(START + 4 * DAY), Rule::Time);
}

#[test]
fn a_grant_that_is_over_begins_no_chain() {
    let mut town = Town::new(11);
    let mut owner = town.owners();
    let bea = town.key();
    let mut terms = GUEST;
    terms.rights.publish = between(START, START + DAY);
    terms.rights.read = None;
    let given = grant(town.root(), &bea.public(), terms);
    let at = owner.issue(&town, std::slice::from_ref(&given), &[], START);
    let mut replica = Replica::with(&town, &[&owner]);
    let pen = town.pen(&bea, given.id());
    let late = pen.first(&town, 0, &[], &[&at], START + DAY);
    replica.refuses(&late, Rule::Time);
}

#[test]
fn nothing_is_larger_longer_or_farther_than_granted() {
    let mut town = Town::new(12);
    let mut owner = town.owners();
    let bea = town.key();
    let terms = Terms {
        budget: Budget {
            largest: Some(50),
            lifespan: Some(MINUTE),
            hops: Some(3),
            ..Budget::default()
        },
        ..GUEST
    };
    let given = grant(town.root(), &bea.public(), terms);
    let at = owner.issue(&town, std::slice::from_ref(&given), &[], START);
    let mut pen = town.pen(&bea, given.id());
    pen.begin(&town, 0, &[], &[&at], START);
    let said = |length: usize, lasts: u64, hops: u8| {
        pen.content_with(&town, vec![1; length], &[], START, |header| {
            header.expires = START + lasts;
            header.hops = hops;
        })
    };
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    for (length, lasts, hops) in [(51, MINUTE, 3), (50, MINUTE + 1, 3), (50, MINUTE, 4)] {
        replica.refuses(&said(length, lasts, hops), Rule::Size);
    }
    replica.takes(&said(50, MINUTE, 3));
}

#[test]
fn incarnations_count_from_the_grants_beginning() {
    let mut town = Town::new(13);
    let mut owner = town.owners();
    let bea = town.key();
    let week = 7 * DAY;
    let mut terms = GUEST;
    terms.rights.publish = between(START + 2 * week, START + 50 * week);
    terms.rights.read = None;
    // The one begins later than its carrier, the other one's carrier is later than it begins.
    let later = grant(town.root(), &bea.public(), terms);
    let always = grant(town.root(), &bea.public(), GUEST);
    let first = owner.issue(&town, std::slice::from_ref(&later), &[], START);
    let second = owner.issue(&town, std::slice::from_ref(&always), &[], START + week);
    let mut replica = Replica::with(&town, &[&owner]);
    for (item, at, began) in [
        (&later, &first, START + 2 * week),
        (&always, &second, START + week),
    ] {
        let mut arrive = |index, created| {
            let pen = town.pen(&bea, item.id());
            replica.verdict(&pen.first(&town, index, &[], &[at], created))
        };
        let refused = lace::Admission::Refused(Rule::Index);
        assert_eq!(arrive(17, began + week - 1), refused);
        assert_ne!(arrive(17, began + week), refused);
        assert_ne!(arrive(16, began), refused);
    }
}

/// What nobody judges yet is let in from nobody, or it would count one day unjudged.
#[test]
fn what_the_law_does_not_speak_of_is_not_let_in() {
    let mut town = Town::new(14);
    let owner = town.owners();
    let bea = town.key();
    let root = town.root();
    let mut replica = Replica::with(&town, &[&owner]);
    let totals = Terms {
        budget: Budget {
            total_envelopes: Some(64),
            ..Budget::default()
        },
        ..GUEST
    };
    let Item::Grant(plain) = grant(root, &bea.public(), GUEST) else {
        panic!("a grant");
    };
    let engine = Grant {
        holder: Id::new(Kind::Engine, Scheme::Key, bea.public().to_bytes()),
        form: None,
        ..plain.clone()
    };
    let Item::Invite(invite) = town.invite(root, GUEST).1 else {
        panic!("an invite");
    };
    let device = Item::Invite(Invite {
        kind: InviteKind::Device,
        ..invite
    });
    // Nobody writes under it, and a grant counts nothing in all.
    let attended = Item::Invite(Invite {
        kind: InviteKind::Attended(Gift {
            terms: totals,
            parent: root,
        }),
        ..invite
    });
    let unknown = [
        grant(root, &bea.public(), totals),
        attended,
        Item::Grant(engine),
        device,
    ];
    for item in unknown {
        let written = owner.control(&town, &[item], &[], START);
        replica.refuses(&written, Rule::Unknown);
    }
    replica.takes(&owner.control(&town, &[Item::Grant(plain)], &[], START));
}

/// Who has to be welcomed writes under the grant that welcomes it, and by nobody's leave but that.
#[test]
fn nobody_writes_under_an_attended_invite() {
    let mut town = Town::new(33);
    let mut owner = town.owners();
    let root = town.root();
    let (key, Item::Invite(invite)) = town.invite(root, GUEST) else {
        panic!("an invite");
    };
    let InviteKind::WhileAway(gift) = invite.kind else {
        panic!("while away");
    };
    let attended = Item::Invite(Invite {
        kind: InviteKind::Attended(gift),
        ..invite
    });
    let at = owner.issue(&town, std::slice::from_ref(&attended), &[], START);
    let mut replica = Replica::with(&town, &[&owner]);
    let device = town.key();
    let guest = town.pen(&device, attended.id());
    let claim = guest.claim(&town, &key, START);
    let first = guest.first(&town, 0, &[claim], &[&at], START + 1);
    replica.refuses(&first, Rule::Unwelcome);
    let unclaimed = guest.first(&town, 0, &[], &[&at], START + 1);
    replica.refuses(&unclaimed, Rule::Claim);
}

/// Somebody who was removed may have an attended link: until somebody welcomes it, it is shown nothing.
#[test]
fn a_claim_that_waits_makes_nobody_a_member() {
    let mut town = Town::new(34);
    let mut owner = town.owners();
    let root = town.root();
    let (key, open) = town.invite(root, GUEST);
    let Item::Invite(invite) = &open else {
        panic!("an invite");
    };
    let InviteKind::WhileAway(gift) = invite.kind else {
        panic!("while away");
    };
    let attended = Item::Invite(Invite {
        kind: InviteKind::Attended(gift),
        ..*invite
    });
    owner.issue(&town, &[attended.clone(), open.clone()], &[], START);
    let mut replica = Replica::with(&town, &[&owner]);
    let device = town.key();
    for (item, lets_in) in [(attended, false), (open, true)] {
        let Item::Claim(claim) = town.pen(&device, item.id()).claim(&town, &key, START) else {
            panic!("a claim");
        };
        let member = replica
            .run(|lace, store| lace.is_member(store, &device.public(), &item.id(), Some(&claim)));
        assert_eq!(member, lets_in);
    }
}

/// A topic that says what no rule enforces admits nothing at all.
#[test]
fn a_genesis_with_more_than_is_enforced_begins_nothing() {
    let envelopes = Budget {
        total_envelopes: Some(64),
        ..Budget::default()
    };
    let bytes = Budget {
        total_bytes: Some(1 << 20),
        ..limited(1, 1)
    };
    for budget in [envelopes, bytes] {
        let policy = TopicPolicy {
            budget,
            ..TopicPolicy::default()
        };
        let mut town = Town::founded(15, policy);
        let why = rights::Unenforced::Totals;
        assert_eq!(rights::Unenforced::look(&town.genesis), Err(why));
        let owner = town.owners();
        Replica::new(&town).refuses(&owner.chain[0], Rule::Unknown);
    }
    assert!(rights::Unenforced::look(&Town::new(1).genesis).is_ok());
}

/// What bounds whoever is given no bound bounds what it gives, too: not by a rate, and not by a size.
#[test]
fn a_topic_s_bounds_are_given_on_and_no_more() {
    let budget = Budget {
        largest: Some(1000),
        ..limited(16, 16_000)
    };
    let policy = TopicPolicy {
        budget,
        ..TopicPolicy::default()
    };
    let mut town = Town::founded(16, policy);
    let mut owner = town.owners();
    let bea = town.key();
    let given = grant(town.root(), &bea.public(), ALL);
    let at = owner.issue(&town, std::slice::from_ref(&given), &[], START);
    let mut pen = town.pen(&bea, given.id());
    pen.begin(&town, 0, &[], &[&at], START + 1);
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    let mut of = |budget: Budget| {
        let terms = Terms { budget, ..GUEST };
        grant(given.id(), &town.key().public(), terms)
    };
    let more = Budget {
        messages: Some(17),
        ..Budget::default()
    };
    let wider = Budget {
        largest: Some(1001),
        ..limited(1, 1)
    };
    // Naming nothing is as much as she has, so that no second one fits beside it.
    let (all, one) = (of(Budget::default()), of(limited(1, 1)));
    let both = [all.clone(), one.clone()];
    for (items, rule) in [
        (vec![of(more)], Rule::Carve),
        (vec![of(wider)], Rule::Within),
        (both.to_vec(), Rule::Carve),
    ] {
        replica.refuses(&pen.control(&town, &items, &[], START + 2), rule);
    }
    replica.takes(&pen.issue(&town, &[all], &[], START + 2));
    replica.refuses(&pen.control(&town, &[one], &[], START + 3), Rule::Carve);
    // Signed jointly it is bounded by the same, one by one.
    let form = Form::one(bea.public());
    let mut jointly = |messages| {
        let budget = Budget {
            messages,
            ..Budget::default()
        };
        let holder = Form::one(town.key().public());
        let mut item = grant_to(given.id(), holder, Terms { budget, ..GUEST });
        if let Item::Grant(grant) = &mut item {
            grant.joint = Some(Joint::new(form.first_state()));
        }
        item.sign_jointly(town.id, &bea);
        item
    };
    let (as_much, more) = (jointly(None), jointly(Some(17)));
    replica.refuses(&pen.control(&town, &[more], &[], START + 3), Rule::Within);
    replica.takes(&pen.issue(&town, &[as_much], &[], START + 3));
    // Nothing bounds whoever owns the topic.
    let beyond = Terms {
        budget: Budget {
            largest: Some(60_000),
            ..limited(1000, 1_000_000)
        },
        ..GUEST
    };
    let beyond = grant(town.root(), &town.key().public(), beyond);
    replica.takes(&owner.issue(&town, &[beyond], &[], START + 4));
}

/// Neither a fork nor a second incarnation of the same envelope changes what was decided.
#[test]
fn the_two_branches_of_a_fork_are_judged_by_their_own_first_envelopes() {
    let mut town = Town::new(17);
    let mut owner = town.owners();
    let bea = town.key();
    let (small, large) = (
        grant(town.root(), &bea.public(), READER),
        grant(town.root(), &bea.public(), ALL),
    );
    let at = owner.issue(&town, &[small.clone(), large.clone()], &[], START);
    let mut one = town.pen(&bea, small.id());
    let mut two = one.clone();
    two.grant = large.id();
    one.begin(&town, 0, &[], &[&at], START + 1);
    two.begin(&town, 0, &[], &[&at], START + 1);
    let mut replica = Replica::with(&town, &[&owner, &one]);
    assert_eq!(replica.verdict(&two.chain[0]), lace::Admission::Void);
    let said: Vec<Sealed> = [&one, &two]
        .map(|pen| pen.content(&town, (1, 20), &[], START + 2))
        .into();
    replica.refuses(&said[0], Rule::Right);
    assert_eq!(replica.verdict(&said[1]), lace::Admission::Void);
    let rights = Rights::default();
    assert!(rights.publish.is_none());
}
