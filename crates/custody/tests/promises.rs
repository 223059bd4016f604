//! What a receipt or an answer promised is kept, whatever the client, the operator or the clock do.

use crate::desk::{DAY, Desk, MIB, author, node, topic};
use custody::limits::{BOX_LEN, PROMISE_STEP};
use custody::{BoxAnswer, Deposit, InviteTerms, MailAnswer, Output, Quota, Serving, Settings};
use machine::WallTime;
use std::time::Duration;

fn receipt(desk: &mut Desk) -> Option<u64> {
    desk.run(|custody, cx, _| custody.held_until(cx, &topic(1)))
}

fn leave(desk: &mut Desk, n: u8) {
    desk.run(|custody, cx, out| custody.unserve(cx, node(n), topic(1), out));
}

fn unconfirmed(desk: &mut Desk, wall_ms: u64) {
    desk.world.wall = WallTime::from_millis(wall_ms);
    let now = desk.world.now;
    desk.custody.set_clock(now, false);
}

fn confirm(desk: &mut Desk, wall: WallTime) {
    desk.world.wall = wall;
    let now = desk.world.now;
    desk.custody.set_clock(now, true);
    desk.run(|custody, cx, out| custody.on_deadline(cx, out));
}

fn drained(desk: &Desk) -> bool {
    desk.outputs
        .iter()
        .any(|output| matches!(output, Output::Drained { .. }))
}

#[test]
fn what_never_expires_is_held_as_promised_when_the_client_leaves() {
    let mut desk = Desk::serving(8 * MIB, 4 * MIB);
    desk.deposit(1, 1, 1, (500, 0)).expect("a control envelope");
    let until = receipt(&mut desk).expect("held");
    assert!(until > desk.world.wall.as_millis() + 29 * DAY * 1000);
    leave(&mut desk, 1);
    assert_eq!(
        receipt(&mut desk).map(|kept| kept >= until),
        Some(true),
        "as long as before, no longer than a step"
    );
    desk.restart();
    desk.secs(29 * DAY);
    assert!(!drained(&desk));
    desk.secs(2 * DAY);
    assert!(drained(&desk));
    assert_eq!(receipt(&mut desk), None);
}

#[test]
fn receipts_after_leaving_promise_nothing_more() {
    let mut desk = Desk::serving(8 * MIB, 4 * MIB);
    let until = receipt(&mut desk).expect("held");
    leave(&mut desk, 1);
    desk.secs(10 * DAY);
    let step = u64::try_from(PROMISE_STEP.as_millis()).expect("small");
    assert!(receipt(&mut desk).expect("still held") < until + step);
}

#[test]
fn a_client_never_has_more_than_its_quota_by_leaving_and_coming_again() {
    let mut desk = Desk::new();
    desk.client(1, 8 * MIB);
    desk.client(2, 8 * MIB);
    desk.serve(2, 1, 0).expect("agreed");
    let mut stored = 0;
    for _ in 0..4 {
        desk.serve(1, 1, 0).expect("agreed");
        while desk.deposit(1, 1, 1, (16_000, 0)).is_ok() {
            stored += 16_000;
        }
        leave(&mut desk, 1);
        desk.secs(40 * DAY);
    }
    assert!(stored <= 2 * MIB, "{stored} bytes of headers");
    leave(&mut desk, 2);
    desk.secs(40 * DAY);
    assert!(drained(&desk));
    assert_eq!(desk.usage(1).reserved(), 0, "gone, and given back");
}

#[test]
fn reservations_of_an_earlier_part_in_a_topic_end_with_it() {
    let settings = Settings {
        longest_hold: Duration::from_secs(DAY),
        ..Settings::default()
    };
    let mut desk = Desk::with(settings);
    desk.client(1, 8 * MIB);
    desk.serve(1, 1, 0).expect("agreed");
    desk.deposit(1, 1, 1, (100, 1000)).expect("room");
    leave(&mut desk, 1);
    desk.secs(2 * DAY);
    assert!(drained(&desk), "promised for a day, kept for a day");
    assert_eq!(desk.usage(1).reserved(), 0);
    desk.serve(1, 1, 0).expect("agreed");
    desk.secs(2 * DAY);
    desk.deposit(1, 1, 1, (0, 500)).expect("room");
    desk.secs(7 * DAY);
    assert_eq!(desk.usage(1).own, 500, "not lowered by what went before");
}

#[test]
fn what_is_held_is_reserved_as_long_as_receipts_promise_it() {
    let settings = Settings {
        longest_hold: Duration::from_secs(7 * DAY),
        ..Settings::default()
    };
    let mut desk = Desk::with(settings);
    desk.client(1, 8 * MIB);
    desk.serve(1, 1, 4 * MIB).expect("agreed");
    let expires_ms = desk.world.wall.as_millis() + 30 * DAY * 1000;
    let deposit = Deposit {
        topic: topic(1),
        author: author(1),
        depositor: node(1),
        header: 400,
        body: 1000,
        expires_ms,
    };
    desk.run(|custody, cx, _| custody.accept(cx, &deposit))
        .expect("room");
    desk.secs(8 * DAY);
    assert_eq!(desk.usage(1).own, 1000);
    let until = receipt(&mut desk).expect("held");
    leave(&mut desk, 1);
    assert!(!drained(&desk));
    let left = until - desk.world.wall.as_millis();
    desk.secs(left / 1000 - 1);
    assert!(!drained(&desk));
    desk.secs(2 * 3600);
    assert!(drained(&desk));
    assert_eq!(desk.usage(1).reserved(), 0);
}

#[test]
fn a_topic_of_a_denied_client_goes_when_its_promises_have_ended() {
    let mut desk = Desk::serving(8 * MIB, 0);
    desk.deposit(1, 1, 1, (100, 1000)).expect("room");
    receipt(&mut desk).expect("held");
    desk.run(|custody, cx, _| custody.deny(cx, node(1)));
    desk.secs(29 * DAY);
    assert!(!drained(&desk));
    assert!(desk.run(|custody, cx, _| custody.holds_for(cx, &node(1))));
    desk.secs(2 * DAY);
    assert!(drained(&desk));
    assert!(!desk.run(|custody, cx, _| custody.holds_for(cx, &node(1))));
    assert_eq!((desk.usage(1).reserved(), desk.usage(1).topics), (0, 0));
}

#[test]
fn a_receipt_on_a_clock_set_ahead_is_kept() {
    let mut desk = Desk::serving(8 * MIB, 4 * MIB);
    let real = desk.world.wall;
    unconfirmed(&mut desk, 4_070_908_800_000);
    let deposit = Deposit {
        topic: topic(1),
        author: author(1),
        depositor: node(1),
        header: 400,
        body: 1000,
        expires_ms: 9_000_000_000_000,
    };
    desk.run(|custody, cx, _| custody.accept(cx, &deposit))
        .expect("room");
    receipt(&mut desk).expect("held");
    confirm(&mut desk, real);
    leave(&mut desk, 1);
    desk.secs(32 * DAY);
    assert_eq!(desk.usage(1).own, 1000);
    assert!(!drained(&desk));
}

#[test]
fn a_receipt_on_a_clock_of_1970_is_kept_for_the_whole_hold() {
    let mut desk = Desk::serving(8 * MIB, 4 * MIB);
    let real = desk.world.wall;
    unconfirmed(&mut desk, 1000);
    desk.deposit(1, 1, 1, (100, 0)).expect("room");
    receipt(&mut desk).expect("held");
    leave(&mut desk, 1);
    confirm(&mut desk, real);
    desk.secs(29 * DAY);
    assert!(!drained(&desk));
    desk.secs(2 * DAY);
    assert!(drained(&desk));
}

#[test]
fn mail_taken_on_an_unconfirmed_clock_gets_its_hold() {
    let mut desk = Desk::new();
    desk.client(1, 8 * MIB);
    let real = desk.world.wall;
    let mail = desk.mail(1, 7, 9, 100);
    unconfirmed(&mut desk, 1000);
    let answer = desk
        .run(|custody, cx, _| custody.mail(cx, &mail))
        .expect("taken");
    assert!(matches!(answer, MailAnswer::Held { until_ms } if until_ms > 0));
    confirm(&mut desk, real);
    assert_eq!(desk.usage(1).mails, 1);
    desk.secs(6 * DAY);
    assert_eq!(desk.usage(1).mails, 1);
    desk.secs(2 * DAY);
    assert_eq!((desk.usage(1).mails, desk.usage(1).mail), (0, 0));
}

#[test]
fn a_box_deposited_on_an_unconfirmed_clock_stays_until_its_time() {
    let mut desk = Desk::new();
    desk.client(1, MIB);
    let real = desk.world.wall;
    unconfirmed(&mut desk, 1000);
    let until = real.as_millis() + 3 * DAY * 1000;
    let put = |desk: &mut Desk| {
        desk.run(|custody, cx, _| custody.put_box(cx, node(1), &[1; 32], &[5; BOX_LEN], until))
            .expect("room");
    };
    put(&mut desk);
    put(&mut desk);
    confirm(&mut desk, real);
    let ask = |desk: &mut Desk| {
        desk.run(|custody, cx, _| custody.get_box(cx, node(9), &[1; 32], |_| None))
    };
    assert_eq!(ask(&mut desk), BoxAnswer::Sealed(vec![5; BOX_LEN]));
    desk.secs(2 * DAY);
    assert_eq!(ask(&mut desk), BoxAnswer::Sealed(vec![5; BOX_LEN]));
    desk.secs(DAY + 600);
    assert_ne!(ask(&mut desk), BoxAnswer::Sealed(vec![5; BOX_LEN]));
    assert_eq!(desk.usage(1).own, 0);
}

#[test]
fn a_hand_over_that_runs_is_not_begun_again() {
    let mut desk = Desk::new();
    desk.client(1, 8 * MIB);
    let mail = desk.mail(1, 7, 9, 100);
    desk.run(|custody, cx, _| custody.mail(cx, &mail))
        .expect("taken");
    for _ in 0..5 {
        desk.run(|custody, cx, out| custody.client_up(cx, node(1), out));
    }
    assert_eq!(desk.outputs.len(), 1);
    desk.custody.client_down(&node(1));
    desk.run(|custody, cx, out| custody.client_up(cx, node(1), out));
    assert_eq!(desk.outputs.len(), 2, "another link");
}

#[test]
fn a_receipt_longer_than_its_mails_is_not_kept() {
    let mut desk = Desk::new();
    desk.client(1, 8 * MIB);
    let mail = desk.mail(1, 7, 9, 100);
    desk.run(|custody, cx, _| custody.mail(cx, &mail))
        .expect("taken");
    let done = desk.run(|custody, cx, _| custody.mail_done(cx, node(1), &[mail.id], &[1; 101]));
    assert_eq!(done.len(), 1);
    assert_eq!(desk.usage(1).mail, 256);
    let again = desk.run(|custody, cx, _| custody.mail(cx, &mail));
    let nothing = MailAnswer::Done {
        receipt: Vec::new(),
    };
    assert_eq!(again.expect("known"), nothing);
}

#[test]
fn invites_that_are_over_do_not_count() {
    let mut desk = Desk::new();
    let until_ms = desk.world.wall.as_millis() + 1000;
    let invite = |desk: &mut Desk, n: u16| {
        let [high, low] = n.to_be_bytes();
        let mut token = [0; 16];
        (token[0], token[1]) = (high, low);
        let terms = InviteTerms {
            token,
            key: [77; 32],
            quota: Quota::default(),
            uses: 1,
            until_ms,
        };
        assert!(!format!("{terms:?}").contains("77"));
        desk.run(|custody, cx, _| custody.invite(cx, &terms))
            .is_ok()
    };
    for n in 0..100 {
        assert!(invite(&mut desk, n));
    }
    assert_eq!(desk.run(|custody, cx, _| custody.invites(cx)).len(), 100);
    desk.secs(60);
    assert!(desk.run(|custody, cx, _| custody.invites(cx)).is_empty());
}

#[test]
fn what_is_printed_holds_no_secret() {
    let mut desk = Desk::serving(8 * MIB, 0);
    let serving = Serving {
        topic: topic(1),
        genesis: vec![1],
        core_secret: [77; 32],
        share: 0,
    };
    desk.run(|custody, cx, _| custody.serve(cx, node(1), &serving))
        .expect("agreed");
    let served = desk.run(|custody, cx, _| custody.served(cx, &topic(1)));
    assert!(!format!("{serving:?} {served:?}").contains("77"));
}
