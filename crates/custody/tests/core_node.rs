//! What a core node agrees to, holds and refuses.

use custody::limits::{BOX_LEN, DEFAULT_HOLD, MAX_BOXES};
use custody::{BoxAnswer, Code, CorePeer, InviteTerms, MailAnswer, Output, Quota, Seen, Settings};
use identity::{EnvelopeId, NodeId, TopicId};
use machine::Time;

use crate::desk::{DAY, Desk, MIB, author, node, quota, topic};

fn invite(uses: u32, until_ms: u64) -> InviteTerms {
    InviteTerms {
        token: [7; 16],
        key: [8; 32],
        quota: quota(MIB),
        uses,
        until_ms,
    }
}

fn claim(desk: &mut Desk, n: u8, good: bool) -> Result<custody::Agreed, Code> {
    desk.run(|custody, cx, _| custody.claim(cx, node(n), &[7; 16], |key| good && *key == [8; 32]))
        .map_err(|refusal| refusal.code)
}

#[test]
fn an_invite_makes_as_many_clients_as_it_has_uses() {
    let mut desk = Desk::new();
    assert_eq!(
        claim(&mut desk, 1, true),
        Err(Code::NotClient),
        "no such invite"
    );
    desk.run(|custody, cx, _| custody.invite(cx, &invite(2, 0)))
        .expect("opened");
    assert_eq!(
        claim(&mut desk, 1, false),
        Err(Code::NotClient),
        "a wrong proof"
    );
    let agreed = claim(&mut desk, 1, true).expect("the first");
    assert_eq!((agreed.quota, agreed.used, agreed.topics), (MIB, 0, 0));
    claim(&mut desk, 1, true).expect("again costs no use");
    claim(&mut desk, 1, false).expect("a client needs no proof any more");
    claim(&mut desk, 2, true).expect("the second");
    assert_eq!(claim(&mut desk, 3, true), Err(Code::NotClient), "used up");
    desk.restart();
    claim(&mut desk, 1, true).expect("a client stays one");
    assert_eq!(claim(&mut desk, 3, true), Err(Code::NotClient));
    let invites = desk.run(|custody, cx, _| custody.invites(cx));
    assert!(invites.is_empty(), "used up is gone");
}

#[test]
fn whoever_cannot_prove_an_invite_learns_nothing_about_it() {
    let mut desk = Desk::new();
    let refusal = |desk: &mut Desk| {
        desk.run(|custody, cx, _| custody.claim(cx, node(1), &[7; 16], |_| false))
            .unwrap_err()
    };
    let none = refusal(&mut desk);
    desk.run(|custody, cx, _| custody.invite(cx, &invite(1, 0)))
        .expect("opened");
    assert_eq!(refusal(&mut desk), none);
}

#[test]
fn an_invite_ends_by_a_confirmed_clock_alone() {
    let mut desk = Desk::new();
    let until = desk.world.wall.as_millis() + 1000;
    desk.run(|custody, cx, _| custody.invite(cx, &invite(9, until)))
        .expect("opened");
    desk.secs(60);
    let now = desk.world.now;
    desk.custody.set_clock(now, false);
    claim(&mut desk, 1, true).expect("nobody knows how late it is");
    desk.custody.set_clock(now, true);
    assert_eq!(claim(&mut desk, 2, true), Err(Code::NotClient));
    claim(&mut desk, 1, true).expect("a client stays one");
}

#[test]
fn a_quota_that_makes_no_sense_is_refused() {
    let mut desk = Desk::new();
    let mut bad = invite(1, 0);
    bad.quota.bytes = 1000;
    assert!(desk.run(|custody, cx, _| custody.invite(cx, &bad)).is_err());
    assert!(
        desk.run(|custody, cx, _| custody.invite(cx, &invite(0, 0)))
            .is_err()
    );
}

#[test]
fn ten_thousand_messages_of_a_kibibyte_fit_the_default_quota() {
    let mut desk = Desk::new();
    desk.run(|custody, cx, _| custody.allow(cx, node(1), None))
        .expect("allowed");
    desk.serve(1, 1, 0).expect("agreed");
    for n in 0..10_000 {
        desk.deposit(1, 1, 1, (350, 1130))
            .unwrap_or_else(|why| panic!("own {n}: {why}"));
        desk.deposit(2, 1, 2, (350, 1130))
            .unwrap_or_else(|why| panic!("guest {n}: {why}"));
    }
    assert!(!desk.usage(1).headers_nearly_full);
}

#[test]
fn a_guest_that_floods_stops_at_its_share_and_the_client_goes_on() {
    let mut desk = Desk::serving(8 * MIB, 4 * MIB);
    let mut flood = |by: u8| {
        let mut bytes = 0;
        let code = loop {
            match desk.deposit(2, 1, by, (100, 10_000)) {
                Ok(_) => bytes += 10_000,
                Err(why) => break why.code,
            }
        };
        (bytes, code)
    };
    let (bytes, code) = flood(50);
    assert_eq!(code, Code::AuthorShare);
    assert!(bytes <= 4 * MIB / 8 && bytes > 4 * MIB / 8 - 10_000);
    let all: u64 = (51..90).map(|by| flood(by).0).sum();
    assert!(all + bytes <= 2 * MIB, "guests have half of the share");
    let (_, code) = flood(99);
    assert_eq!(code, Code::GuestShare);
    let mut own = 0;
    while desk.deposit(1, 1, 1, (100, 10_000)).is_ok() {
        own += 10_000;
    }
    assert!(
        own > 2 * MIB - 20_000,
        "the other half is the client's: {own}"
    );
}

#[test]
fn guests_of_all_topics_leave_a_quarter_to_the_client() {
    let mut desk = Desk::new();
    desk.client(1, 8 * MIB);
    for t in 1..=4 {
        desk.serve(1, t, 8 * MIB).expect("agreed");
    }
    for by in 1..200 {
        while desk.deposit(2, by % 4 + 1, by, (10, 60_000)).is_ok() {}
    }
    let usage = desk.usage(1);
    assert!(usage.guests <= usage.quota.guests() && usage.guests > usage.quota.guests() - 60_000);
    let mut own = 0;
    while desk.deposit(1, 1, 1, (10, 10_000)).is_ok() {
        own += 10_000;
    }
    assert!(own >= 2 * MIB - 20_000, "{own}");
}

#[test]
fn headers_have_a_share_of_their_own_and_it_is_told_before_it_bites() {
    let mut desk = Desk::serving(8 * MIB, 8 * MIB);
    let mut headers = 0;
    let mut warned = None;
    let refusal = loop {
        match desk.deposit(1, 1, 1, (4000, 0)) {
            Ok(_) => headers += 4000,
            Err(why) => break why,
        }
        if warned.is_none() && desk.usage(1).headers_nearly_full {
            warned = Some(headers);
        }
    };
    assert_eq!(refusal.code, Code::HeaderShare);
    assert!(headers > 2 * MIB - 4000);
    assert!(warned.expect("told") < headers);
    desk.secs(400 * DAY);
    assert!(
        desk.deposit(1, 1, 1, (4000, 0)).is_err(),
        "headers do not expire"
    );
    desk.deposit(1, 1, 1, (0, 4000))
        .expect("bodies of what is here already are still taken");
}

#[test]
fn promises_end_with_the_envelope_or_the_longest_hold() {
    let mut desk = Desk::serving(8 * MIB, 0);
    let wall = desk.world.wall.as_millis();
    let promise = desk.deposit(1, 1, 1, (100, 1000)).expect("room");
    assert_eq!(promise.until_ms, wall + 10 * DAY * 1000);
    let hold = u64::try_from(DEFAULT_HOLD.as_millis()).expect("small");
    let until = desk.run(|custody, cx, _| custody.held_until(cx, &topic(1)));
    assert_eq!(
        until,
        Some(wall + hold),
        "what expires before is no reason to promise less"
    );
    desk.secs(9 * DAY);
    assert_eq!(desk.usage(1).own, 1000);
    desk.secs(DAY + 7200);
    assert_eq!((desk.usage(1).own, desk.usage(1).headers), (0, 100));
}

#[test]
fn what_lives_longer_than_a_promise_is_promised_again_and_stays_reserved() {
    let mut desk = Desk::serving(8 * MIB, 0);
    let wall = desk.world.wall.as_millis();
    let deposit = custody::Deposit {
        topic: topic(1),
        author: author(1),
        depositor: node(1),
        header: 10,
        body: 10,
        expires_ms: wall + 300 * DAY * 1000,
    };
    let promise = desk
        .run(|custody, cx, _| custody.accept(cx, &deposit))
        .expect("room");
    assert_eq!(promise.until_ms, wall + 30 * DAY * 1000);
    desk.secs(5 * DAY);
    let until = desk.run(|custody, cx, _| custody.held_until(cx, &topic(1)));
    let longest = |desk: &Desk| Some(desk.world.wall.as_millis() + 30 * DAY * 1000);
    assert_eq!(until, longest(&desk));
    desk.secs(26 * DAY);
    let until = desk.run(|custody, cx, _| custody.held_until(cx, &topic(1)));
    assert_eq!(until, longest(&desk), "what a receipt says moves on");
    assert_eq!(desk.usage(1).own, 10, "and so it goes on being reserved");
    desk.secs(270 * DAY);
    assert_eq!(desk.usage(1).own, 0, "until it expires");
}

#[test]
fn on_an_unconfirmed_clock_no_promise_ends() {
    let mut desk = Desk::serving(8 * MIB, 0);
    let now = desk.world.now;
    desk.custody.set_clock(now, false);
    desk.deposit(1, 1, 1, (100, 1000)).expect("room");
    desk.secs(100 * DAY);
    assert_eq!(desk.usage(1).own, 1000);
    let now = desk.world.now;
    desk.custody.set_clock(now, true);
    desk.secs(600);
    assert_eq!(desk.usage(1).own, 0, "its envelope expired long ago");
    desk.run(|custody, cx, out| custody.unserve(cx, node(1), topic(1), out));
    desk.secs(29 * DAY);
    assert_eq!(
        desk.outputs,
        [Output::Room],
        "its header gets the whole hold from then on"
    );
    desk.secs(2 * DAY);
    assert_eq!(drained(&desk), [topic(1)]);
    assert_eq!(desk.usage(1).reserved(), 0);
}

#[test]
fn a_client_that_leaves_a_topic_gets_nothing_new_and_keeps_what_was_promised() {
    let mut desk = Desk::serving(8 * MIB, 0);
    desk.deposit(1, 1, 1, (100, 1000)).expect("room");
    assert!(desk.run(|custody, cx, out| custody.unserve(cx, node(1), topic(1), out)));
    assert_eq!(
        desk.deposit(1, 1, 1, (100, 1000)).unwrap_err().code,
        Code::NotServed
    );
    assert_eq!(
        desk.deposit(2, 1, 2, (100, 1000)).unwrap_err().code,
        Code::NotServed
    );
    let served = desk
        .run(|custody, cx, _| custody.served(cx, &topic(1)))
        .expect("still held");
    assert!(!served.taking && served.sponsors.is_empty());
    desk.restart();
    desk.secs(9 * DAY);
    assert_eq!(drained(&desk), []);
    assert!(
        desk.run(|custody, cx, _| custody.served(cx, &topic(1)))
            .is_some()
    );
    desk.secs(2 * DAY);
    assert_eq!(drained(&desk), [topic(1)]);
    assert!(
        desk.run(|custody, cx, _| custody.served(cx, &topic(1)))
            .is_none()
    );
    let usage = desk.usage(1);
    assert_eq!((usage.reserved(), usage.topics), (0, 0));
}

#[test]
fn a_topic_goes_on_for_the_clients_that_stay() {
    let mut desk = Desk::serving(8 * MIB, 0);
    desk.client(2, 8 * MIB);
    assert!(!desk.serve(2, 1, 0).expect("agreed"), "it is here already");
    desk.deposit(1, 1, 1, (100, 1000))
        .expect("on the first one's account");
    desk.run(|custody, cx, out| custody.unserve(cx, node(1), topic(1), out));
    let promise = desk
        .deposit(1, 1, 1, (100, 1000))
        .expect("as a guest of the other");
    assert_eq!(promise.sponsor, node(2));
    desk.secs(11 * DAY);
    assert_eq!(
        drained(&desk),
        [],
        "the topic is still held for one of them"
    );
    desk.serve(1, 1, 0).expect("back again");
    assert_eq!(desk.usage(1).topics, 1);
}

#[test]
fn one_clients_full_share_is_not_anothers() {
    let mut desk = Desk::serving(8 * MIB, 80_000);
    desk.client(2, 8 * MIB);
    desk.serve(2, 1, 4 * MIB).expect("agreed");
    for by in 10..14 {
        let promise = desk
            .deposit(9, 1, by, (10, 10_000))
            .expect("room somewhere");
        assert_eq!(promise.sponsor, node(2), "where there is most room");
    }
}

#[test]
fn deny_takes_nothing_new_and_says_what_is_held() {
    let mut desk = Desk::serving(8 * MIB, 0);
    desk.deposit(1, 1, 1, (100, 1000)).expect("room");
    let mail = desk.mail(1, 1, 2, 500);
    desk.run(|custody, cx, _| custody.mail(cx, &mail))
        .expect("held");
    let held = desk.run(|custody, cx, _| custody.deny(cx, node(1)));
    assert_eq!((held.bytes, held.topics, held.mails), (1756, 1, 1));
    assert!(held.until_ms >= desk.world.wall.as_millis() + 10 * DAY * 1000);
    assert_eq!(
        desk.deposit(1, 1, 1, (10, 10)).unwrap_err().code,
        Code::NotServed
    );
    assert_eq!(
        desk.deposit(2, 1, 2, (10, 10)).unwrap_err().code,
        Code::NotServed
    );
    assert_eq!(desk.serve(1, 2, 0).unwrap_err().code, Code::Denied);
    let another = desk.mail(1, 2, 2, 500);
    let refusal = desk
        .run(|custody, cx, _| custody.mail(cx, &another))
        .unwrap_err();
    assert_eq!(refusal.code, Code::Denied);
    desk.run(|custody, cx, _| custody.invite(cx, &invite(5, 0)))
        .expect("opened");
    assert_eq!(
        claim(&mut desk, 1, true),
        Err(Code::Denied),
        "no invite helps"
    );
    assert!(!desk.run(|custody, cx, _| custody.is_client(cx, &node(1))));
    assert!(desk.run(|custody, cx, _| custody.holds_for(cx, &node(1))));
    desk.run(|custody, cx, out| custody.client_up(cx, node(1), out));
    assert!(matches!(&desk.outputs[..], [Output::HandOver { mails, .. }] if mails.len() == 1));
    desk.run(|custody, cx, _| custody.allow(cx, node(1), None))
        .expect("lifted");
    desk.deposit(1, 1, 1, (10, 10))
        .expect("and all is as before");
}

#[test]
fn a_nearly_full_disk_refuses_what_is_new_with_the_reason() {
    let mut desk = Desk::serving(8 * MIB, 0);
    desk.deposit(1, 1, 1, (100, 1000)).expect("room");
    desk.custody.set_disk(Settings::default().free_floor - 1);
    let refusal = desk.deposit(1, 1, 1, (100, 1000)).unwrap_err();
    assert_eq!(refusal.code, Code::DiskFull);
    assert!(refusal.retry.is_some() && refusal.text.contains("disk"));
    let mail = desk.mail(1, 1, 2, 500);
    let refusal = desk
        .run(|custody, cx, _| custody.mail(cx, &mail))
        .unwrap_err();
    assert_eq!(refusal.code, Code::DiskFull);
    assert_eq!(desk.serve(1, 2, 0).unwrap_err().code, Code::DiskFull);
    assert_eq!(desk.usage(1).own, 1000, "what was promised stays");
    desk.serve(1, 1, 0)
        .expect("what is served may be said again");
    desk.custody.set_disk(u64::MAX);
    desk.deposit(1, 1, 1, (100, 1000)).expect("room");
}

#[test]
fn topics_links_and_peers_are_bounded_by_the_agreement() {
    let mut desk = Desk::serving(8 * MIB, 0);
    for t in 2..=4 {
        desk.serve(1, t, 0).expect("agreed");
    }
    assert_eq!(desk.serve(1, 5, 0).unwrap_err().code, Code::TooMany);
    desk.run(|custody, cx, out| custody.unserve(cx, node(1), topic(2), out));
    desk.serve(1, 5, 0).expect("room again");
    let up = |desk: &mut Desk, n: u8| {
        desk.run(|custody, cx, _| custody.guest_up(cx, &topic(1), (node(n), false), |_| None))
    };
    up(&mut desk, 10).expect("the first guest");
    up(&mut desk, 10).expect("counted once");
    up(&mut desk, 11).expect("the second");
    let refusal = up(&mut desk, 12).unwrap_err();
    assert!(refusal.code == Code::TooMany && refusal.retry.is_some());
    up(&mut desk, 1).expect("the client itself costs nothing");
    desk.custody.guest_down(&node(10));
    up(&mut desk, 12).expect("room again");
    let unknown =
        desk.run(|custody, cx, _| custody.guest_up(cx, &topic(99), (node(20), false), |_| None));
    assert_eq!(unknown.unwrap_err().code, Code::NotServed);
}

/// The agreement is for two links: one for those who only read.
#[test]
fn readers_leave_half_of_the_links_to_members() {
    let mut desk = Desk::serving(8 * MIB, 0);
    let up = |desk: &mut Desk, n: u8, reads: bool| {
        desk.run(|custody, cx, _| custody.guest_up(cx, &topic(1), (node(n), reads), |_| None))
    };
    up(&mut desk, 10, true).expect("the first who reads");
    up(&mut desk, 10, true).expect("counted once");
    let refusal = up(&mut desk, 11, true).unwrap_err();
    assert!(refusal.code == Code::TooMany && refusal.retry.is_some());
    up(&mut desk, 12, false).expect("a member");
    assert!(up(&mut desk, 13, false).is_err());
    // Who only read and is a member now leaves its place to another, where there is one.
    up(&mut desk, 10, false).expect("counted already");
    desk.custody.guest_down(&node(12));
    up(&mut desk, 11, true).expect("room for one who reads");
}

#[test]
fn who_takes_part_in_somebody_elses_topic_is_still_one_who_reads_here() {
    let mut desk = Desk::serving(8 * MIB, 0);
    desk.client(2, 8 * MIB);
    desk.serve(2, 2, 0).expect("agreed");
    let up = |desk: &mut Desk, n: u8, t: u8, reads: bool| {
        desk.run(|custody, cx, _| custody.guest_up(cx, &topic(t), (node(n), reads), |_| None))
    };
    up(&mut desk, 10, 1, true).expect("the first who reads");
    up(&mut desk, 10, 2, false).expect("a member there");
    assert!(up(&mut desk, 11, 1, true).is_err(), "the half is full");
    up(&mut desk, 10, 1, false).expect("a member here");
    up(&mut desk, 12, 1, true).expect("the half is free again");
}

/// Of those who only read, whoever comes from a host with fewer takes the place of who has been silent for
/// longest of those from the host with the most.
#[test]
fn readers_of_one_host_give_way_to_those_of_others_and_members_to_nobody() {
    let mut desk = Desk::serving(8 * MIB, 0);
    desk.run(|custody, cx, _| {
        let quota = Quota {
            links: 8,
            ..quota(8 * MIB)
        };
        custody.allow(cx, node(1), Some(quota))
    })
    .expect("more links");
    // Of the tens, each is a host; the ones say when it last said something.
    let seen = |guest: &NodeId| {
        let n = guest.as_bytes()[0];
        (n < 200).then(|| Seen {
            host: format!("host {}", n / 10),
            used: Time::from_micros(u64::from(n % 10)),
        })
    };
    let up = |desk: &mut Desk, n: u8, reads: bool| {
        let guest = (node(n), reads);
        desk.run(|custody, cx, _| custody.guest_up(cx, &topic(1), guest, seen))
    };
    for n in [13, 12, 14, 11] {
        assert_eq!(up(&mut desk, n, true).expect("room"), None);
    }
    assert!(up(&mut desk, 15, true).is_err(), "the same host");
    assert_eq!(up(&mut desk, 21, true).expect("another"), Some(node(11)));
    assert_eq!(up(&mut desk, 22, true).expect("another"), Some(node(12)));
    assert!(up(&mut desk, 23, true).is_err(), "two of each by now");
    assert!(
        up(&mut desk, 11, true).is_err(),
        "and it does not come back so"
    );
    assert_eq!(
        up(&mut desk, 31, true).expect("a third").map(|_| ()),
        Some(())
    );
    for n in 41..45 {
        assert_eq!(up(&mut desk, n, false).expect("a member"), None);
    }
    assert!(up(&mut desk, 45, false).is_err(), "as agreed");
    // Members have no place to give, nor whoever is known for something else.
    for n in 51..55 {
        let _ = up(&mut desk, n, true);
    }
    for n in 41..45 {
        assert_eq!(up(&mut desk, n, false).expect("still counted"), None);
    }
    assert!(
        up(&mut desk, 250, true).is_err(),
        "known here for something else"
    );
}

#[test]
fn core_peers_are_told_by_clients_of_the_topic_alone() {
    let mut desk = Desk::serving(8 * MIB, 0);
    let peers = [CorePeer {
        node: node(7),
        address: "core2:4433".into(),
        ticket: vec![1; 200],
    }];
    let tell = |desk: &mut Desk, n: u8, t: u8, peers: &[CorePeer]| {
        desk.run(|custody, cx, _| custody.set_core_peers(cx, node(n), topic(t), peers))
    };
    assert_eq!(
        tell(&mut desk, 2, 1, &peers).unwrap_err().code,
        Code::NotClient
    );
    assert_eq!(
        tell(&mut desk, 1, 2, &peers).unwrap_err().code,
        Code::NotServed
    );
    tell(&mut desk, 1, 1, &peers).expect("taken");
    let many = vec![peers[0].clone(); 17];
    assert_eq!(
        tell(&mut desk, 1, 1, &many).unwrap_err().code,
        Code::Unacceptable
    );
    assert_eq!(
        desk.run(|custody, cx, _| custody.core_peers(cx, &topic(1))),
        peers
    );
    tell(&mut desk, 1, 1, &[]).expect("replaced");
    assert!(
        desk.run(|custody, cx, _| custody.core_peers(cx, &topic(1)))
            .is_empty()
    );
}

#[test]
fn the_topics_of_a_start_come_in_pages() {
    let mut desk = Desk::new();
    desk.client(1, 8 * MIB);
    for t in [4, 2, 3, 1] {
        desk.serve(1, t, 0).expect("agreed");
    }
    desk.restart();
    let mut after = None;
    let mut all = Vec::new();
    loop {
        let page = desk.run(|custody, cx, _| custody.topics(cx, after.as_ref(), 3));
        let Some(last) = page.last() else { break };
        after = Some(*last);
        all.extend(page);
    }
    assert_eq!(all, [topic(1), topic(2), topic(3), topic(4)]);
    let served = desk
        .run(|custody, cx, _| custody.served(cx, &topic(3)))
        .expect("served");
    assert!(served.taking && served.genesis == [3; 10]);
    assert_eq!(served.sponsors, [(node(1), vec![[3; 32]])]);
}

fn ask(desk: &mut Desk, peer: u8, loc: u8) -> BoxAnswer {
    desk.run(|custody, cx, _| custody.get_box(cx, node(peer), &[loc; 32], |_| None))
}

fn put(desk: &mut Desk, n: u8, loc: u8, fill: u8, until_ms: u64) -> Result<(), Code> {
    let sealed = vec![fill; BOX_LEN];
    desk.run(|custody, cx, _| custody.put_box(cx, node(n), &[loc; 32], &sealed, until_ms))
        .map_err(|refusal| refusal.code)
}

#[test]
fn a_box_is_replaced_by_its_depositor_alone_and_ends() {
    let mut desk = Desk::new();
    desk.client(1, MIB);
    desk.client(2, MIB);
    let until = desk.world.wall.as_millis() + DAY * 1000;
    assert_eq!(put(&mut desk, 9, 1, 9, until), Err(Code::NotClient));
    assert_eq!(put(&mut desk, 1, 1, 5, until), Ok(()));
    assert_eq!(put(&mut desk, 2, 1, 6, until), Err(Code::Unacceptable));
    assert_eq!(
        put(&mut desk, 2, 1, 6, 0),
        Err(Code::Unacceptable),
        "nor removed by others"
    );
    assert_eq!(ask(&mut desk, 3, 1), BoxAnswer::Sealed(vec![5; BOX_LEN]));
    assert_eq!(put(&mut desk, 1, 1, 6, until), Ok(()));
    desk.restart();
    assert_eq!(ask(&mut desk, 3, 1), BoxAnswer::Sealed(vec![6; BOX_LEN]));
    assert_eq!(desk.usage(1).own, BOX_LEN as u64);
    desk.secs(DAY + 400);
    assert_ne!(ask(&mut desk, 3, 1), BoxAnswer::Sealed(vec![6; BOX_LEN]));
    assert_eq!(desk.usage(1).own, 0);
    let until = desk.world.wall.as_millis() + DAY * 1000;
    for loc in 0..MAX_BOXES as u8 {
        assert_eq!(put(&mut desk, 1, 100 + loc, 1, until), Ok(()));
    }
    assert_eq!(put(&mut desk, 1, 99, 1, until), Err(Code::TooMany));
    assert_eq!(put(&mut desk, 1, 100, 1, 0), Ok(()), "removed");
    assert_eq!(put(&mut desk, 1, 99, 1, until), Ok(()));
}

#[test]
fn a_miss_looks_like_a_hit_and_questions_are_counted() {
    let mut desk = Desk::new();
    let BoxAnswer::Sealed(first) = ask(&mut desk, 3, 1) else {
        panic!("the first question")
    };
    let BoxAnswer::Sealed(second) = ask(&mut desk, 3, 1) else {
        panic!("the second question")
    };
    assert_eq!((first.len(), second.len()), (BOX_LEN, BOX_LEN));
    assert_ne!(
        first, second,
        "random, like sealed bytes that were drawn anew"
    );
    let elsewhere = desk
        .run(|custody, cx, _| custody.get_box(cx, node(3), &[1; 32], |_| Some(vec![4; BOX_LEN])));
    assert_eq!(elsewhere, BoxAnswer::Sealed(vec![4; BOX_LEN]));
    ask(&mut desk, 3, 1);
    assert!(
        matches!(ask(&mut desk, 3, 1), BoxAnswer::Wait(_)),
        "the fifth in a minute"
    );
    assert!(
        matches!(ask(&mut desk, 4, 1), BoxAnswer::Sealed(_)),
        "another peer"
    );
    desk.secs(60);
    assert!(matches!(ask(&mut desk, 3, 1), BoxAnswer::Sealed(_)));
}

/// The topics of which nothing is held any more.
fn drained(desk: &Desk) -> Vec<TopicId> {
    let topics = desk.outputs.iter().filter_map(|output| match output {
        Output::Drained { topic } => Some(*topic),
        Output::HandOver { .. } | Output::Room | Output::Usage { .. } => None,
    });
    topics.collect()
}

fn handed(desk: &mut Desk) -> Vec<u8> {
    let outputs = std::mem::take(&mut desk.outputs);
    let mails = outputs.into_iter().flat_map(|output| match output {
        Output::HandOver { mails, .. } => mails,
        Output::Drained { .. } | Output::Room | Output::Usage { .. } => Vec::new(),
    });
    mails.map(|mail| mail.bytes[0]).collect()
}

#[test]
fn mail_is_held_handed_over_and_its_receipt_remembered() {
    let mut desk = Desk::new();
    desk.client(1, 8 * MIB);
    let wall = desk.world.wall.as_millis();
    for id in 1..=40 {
        let mail = desk.mail(1, id, 2, 600);
        let answer = desk
            .run(|custody, cx, _| custody.mail(cx, &mail))
            .expect("room");
        assert_eq!(
            answer,
            MailAnswer::Held {
                until_ms: wall + 7 * DAY * 1000
            }
        );
        desk.run(|custody, cx, _| custody.mail(cx, &mail))
            .expect("again is no second mail");
    }
    assert_eq!(desk.usage(1).mails, 40);
    desk.restart();
    desk.run(|custody, cx, out| custody.client_up(cx, node(1), out));
    let first = handed(&mut desk);
    assert_eq!(
        first,
        (1..=32).collect::<Vec<u8>>(),
        "in order, a bounded number"
    );
    desk.secs(20);
    assert!(handed(&mut desk).is_empty(), "receipts are awaited");
    let ids: Vec<EnvelopeId> = first
        .iter()
        .map(|id| EnvelopeId::from_bytes([*id; 32]))
        .collect();
    let done = desk.run(|custody, cx, _| custody.mail_done(cx, node(1), &ids, b"signed"));
    assert_eq!(desk.usage(1).mail, 40 * 256 + 8 * 600 + 6, "kept once");
    assert_eq!(done.len(), 32);
    assert_eq!(done[0], (ids[0], node(2)), "its source is told");
    let again = desk.run(|custody, cx, _| custody.mail_done(cx, node(1), &ids, b"signed"));
    assert!(again.is_empty());
    desk.secs(1);
    assert_eq!(handed(&mut desk), (33..=40).collect::<Vec<u8>>());
    desk.secs(40);
    assert_eq!(handed(&mut desk).len(), 8, "no receipts came: once more");
    let mail = desk.mail(1, 1, 2, 600);
    let answer = desk
        .run(|custody, cx, _| custody.mail(cx, &mail))
        .expect("known");
    assert_eq!(
        answer,
        MailAnswer::Done {
            receipt: b"signed".to_vec()
        }
    );
    desk.custody.client_down(&node(1));
    desk.secs(8 * DAY);
    let usage = desk.usage(1);
    assert_eq!(
        (usage.mails, usage.mail),
        (0, 0),
        "mails and marks are over"
    );
}

#[test]
fn mail_for_others_and_too_much_mail_are_refused() {
    let mut desk = Desk::new();
    desk.client(1, MIB);
    let mail = desk.mail(9, 1, 2, 600);
    let refusal = desk
        .run(|custody, cx, _| custody.mail(cx, &mail))
        .unwrap_err();
    assert_eq!(refusal.code, Code::NotClient);
    let question = desk.mail(1, 1, 2, 0);
    let refusal = desk
        .run(|custody, cx, _| custody.mail(cx, &question))
        .unwrap_err();
    assert_eq!(refusal.code, Code::NotServed, "a question is never held");
    let fill = |desk: &mut Desk, ids: std::ops::Range<u8>, source: u8| {
        let mut taken = 0;
        for id in ids {
            let mail = desk.mail(1, id, source, 8000);
            if desk.run(|custody, cx, _| custody.mail(cx, &mail)).is_ok() {
                taken += 1;
            }
        }
        taken
    };
    assert_eq!(
        fill(&mut desk, 0..50, 2),
        3,
        "one source has a quarter of the mailbox"
    );
    let all: u64 = (3..10)
        .map(|source| fill(&mut desk, source * 20..source * 20 + 20, source))
        .sum();
    assert_eq!(all + 3, 15, "the mailbox has an eighth of the quota");
    let usage = desk.usage(1);
    assert!(usage.mail <= usage.quota.mailbox());
}
