//! Worlds of several routers: links break, hosts stop and start again from their stores.

use std::collections::BTreeSet;
use std::time::Duration;

use router::{EchoResult, Problem};

use crate::net::Net;

#[test]
fn two_peers_link_and_mail_arrives_once_with_a_receipt() {
    let mut net = Net::started(2, 1);
    net.peer(0, 1);
    net.secs(11);
    assert!(
        !net.linked(0, 1),
        "the other has not added it: a stranger is not kept"
    );
    net.peer(1, 0);
    net.secs(120);
    assert!(net.linked(0, 1));
    let id = net.send(0, 1, "hello");
    net.secs(5);
    assert_eq!(net.texts(1), ["hello"]);
    let state = net.state(0, id);
    assert!(state.delivered_ms.is_some() && state.waits_for.is_none());
    let receipt = state.receipt.expect("the recipient signed");
    assert_eq!(receipt.value.holder, net.id(1));
    assert_eq!(net.inbox(1)[0].id, id, "both ends name it alike");
    assert_eq!(net.state(0, state.envelope.expect("sealed")).id, id);
}

#[test]
fn one_link_remains_when_both_dial_at_once() {
    let mut net = Net::started(2, 2);
    net.friends(0, 1);
    net.secs(3600);
    assert!(net.linked(0, 1));
    for n in 0..2 {
        let host = &net.hosts[n];
        assert_eq!(host.opened - host.closed, 1, "one link is open at {n}");
        assert!(host.opened <= 2, "it was settled at once: {}", host.opened);
    }
}

#[test]
fn idle_links_stay_and_say_little() {
    let mut net = Net::started(2, 3);
    net.friends(0, 1);
    net.secs(600);
    let (before, opened) = (net.frames, net.hosts[0].opened);
    net.secs(3600);
    assert!(net.linked(0, 1));
    assert_eq!(net.hosts[0].opened, opened, "the same link");
    let said = net.frames - before;
    assert!(said <= 4 * 3600 / 150 + 8, "{said} frames in an idle hour");
}

#[test]
fn a_peer_that_vanishes_is_noticed_and_found_again() {
    let mut net = Net::started(2, 4);
    net.friends(0, 1);
    net.secs(30);
    net.part(0, 1);
    let id = net.send(0, 1, "later");
    net.secs(3 * 3600);
    assert!(
        net.state(0, id)
            .waits_for
            .is_some_and(|w| w.contains("link with the recipient"))
    );
    assert!(net.state(0, id).hint.contains("no answer"));
    let node = net.id(1);
    let peers = net.run(0, |router, cx, _| router.peers(cx));
    let peer = peers.iter().find(|peer| peer.node == node).expect("listed");
    assert!(
        peer.next_dial
            .is_some_and(|wait| wait <= Duration::from_secs(300))
    );
    net.heal(0, 1);
    net.secs(330);
    assert!(net.linked(0, 1));
    assert_eq!(net.texts(1), ["later"]);
}

#[test]
fn mail_survives_restarts_of_both_ends_and_comes_once() {
    let mut net = Net::started(2, 5);
    net.friends(0, 1);
    net.secs(10);
    net.kill(1);
    net.secs(5);
    let ids: Vec<_> = (0..50)
        .map(|n| net.send(0, 1, &format!("mail {n}")))
        .collect();
    net.restart(0);
    net.start(1);
    net.secs(400);
    let expected: Vec<String> = (0..50).map(|n| format!("mail {n}")).collect();
    assert_eq!(
        net.texts(1),
        expected,
        "in the order of sending, over one link"
    );
    for id in ids {
        assert!(net.state(0, id).delivered_ms.is_some());
    }
}

#[test]
fn whatever_breaks_each_mail_comes_once() {
    for seed in 0..12 {
        let mut net = Net::started(3, 10 + seed);
        net.hosts[2].is_core = true;
        let clients = [net.id(0), net.id(1)];
        net.hosts[2].clients.extend(clients);
        for n in 0..2 {
            net.hosts[n].cores = vec![2];
            net.restart(n);
        }
        net.friends(0, 1);
        net.secs(10);
        let mut sent = [Vec::new(), Vec::new()];
        for step in 0..60 {
            let n = net.random(3) as usize;
            match net.random(6) {
                0 if net.is_up(n) => net.kill(n),
                1 if !net.is_up(n) => net.start(n),
                // Stopped after the commit and before anything was sent.
                2 if net.is_up(n) => {
                    net.hosts[n].mute = true;
                    net.secs(1);
                    net.restart(n);
                }
                3 => net.drop_links(n, (n + 1) % 3),
                _ => {
                    let n = n % 2;
                    if net.is_up(n) {
                        let text = format!("{n} {step}");
                        let id = net.send(n, 1 - n, &text);
                        sent[n].push((text, id));
                    }
                }
            }
            let wait = net.random(4);
            net.secs(wait);
        }
        for n in 0..3 {
            net.restart(n);
        }
        net.secs(1200);
        for (n, sent) in sent.iter().enumerate() {
            let texts = net.texts(1 - n);
            let once: BTreeSet<_> = texts.iter().collect();
            assert_eq!(once.len(), texts.len(), "seed {seed}: nothing twice");
            for (text, id) in sent {
                assert!(texts.contains(text), "seed {seed}: {text} is missing");
                assert!(
                    net.state(n, *id).delivered_ms.is_some(),
                    "seed {seed}: {text}: receipt"
                );
            }
            assert_eq!(texts.len(), sent.len(), "seed {seed}");
        }
    }
}

#[test]
fn a_core_node_holds_mail_for_a_client_that_is_away() {
    let mut net = Net::started(3, 30);
    let (alice, bob, core) = (0, 1, 2);
    net.hosts[core].is_core = true;
    let clients = [net.id(alice), net.id(bob)];
    net.hosts[core].clients.extend(clients);
    for n in [alice, bob] {
        net.hosts[n].cores = vec![core];
        net.restart(n);
    }
    net.friends(alice, bob);
    net.secs(30);
    assert!(net.linked(alice, bob) && net.linked(alice, core) && net.linked(bob, core));
    net.kill(bob);
    net.secs(2);
    let id = net.send(alice, bob, "while you were away");
    net.secs(60);
    let state = net.state(alice, id);
    assert_eq!(state.held.len(), 1);
    assert_eq!(state.held[0].node, net.id(core));
    assert!(state.waits_for.is_some_and(|w| w.contains("must fetch it")));
    // The sender leaves; only the core node is there when the recipient comes back.
    net.kill(alice);
    net.restart(core);
    net.start(bob);
    net.secs(60);
    assert_eq!(net.texts(bob), ["while you were away"]);
    net.kill(bob);
    net.start(alice);
    net.secs(700);
    let state = net.state(alice, id);
    assert!(
        state.delivered_ms.is_some(),
        "the recipient's receipt came by the core node"
    );
    let (holder, bob_id) = (state.receipt.expect("signed").value.holder, net.id(bob));
    assert_eq!(holder, bob_id);
    net.start(bob);
    net.secs(120);
    assert_eq!(net.texts(bob).len(), 1, "and never twice");
}

/// Its core node hands it the mail when it comes, so there is no need to try it all the time.
#[test]
fn a_recipient_whose_mail_is_held_is_tried_rarely() {
    let mut net = Net::started(3, 31);
    let (alice, bob, core) = (0, 1, 2);
    net.hosts[core].is_core = true;
    let clients = [net.id(alice), net.id(bob)];
    net.hosts[core].clients.extend(clients);
    for n in [alice, bob] {
        net.hosts[n].cores = vec![core];
        net.restart(n);
    }
    net.secs(30);
    // As a topic tells: she has no reason to keep him but her mail.
    let advert = net.run(bob, |router, _, _| router.own_signed().cloned());
    let advert = advert.expect("made at the start");
    let good = net.run(alice, |router, cx, out| {
        router.advert_told(cx, &advert, out)
    });
    assert!(good);
    net.kill(bob);
    net.secs(2);
    let id = net.send(alice, bob, "while you were away");
    net.secs(60);
    assert_eq!(net.state(alice, id).held.len(), 1);
    let before = net.hosts[alice].dials;
    net.secs(24 * 3600);
    let dials = net.hosts[alice].dials - before;
    assert!((2..=12).contains(&dials), "{dials} dials in a day");
    // Mail that nobody can hold is another matter.
    net.hosts[core].is_core = false;
    let before = net.hosts[alice].dials;
    net.send(alice, bob, "and this");
    net.secs(10);
    assert!(net.hosts[alice].dials > before);
    net.hosts[core].is_core = true;
    net.start(bob);
    net.secs(60);
    assert!(net.state(alice, id).delivered_ms.is_some());
}

#[test]
fn a_core_node_that_lost_its_mailbox_gets_the_mail_again() {
    let mut net = Net::started(3, 42);
    let (alice, bob, core) = (0, 1, 2);
    net.hosts[core].is_core = true;
    let clients = [net.id(alice), net.id(bob)];
    net.hosts[core].clients.extend(clients);
    for n in [alice, bob] {
        net.hosts[n].cores = vec![core];
        net.restart(n);
    }
    net.friends(alice, bob);
    net.secs(30);
    net.kill(bob);
    net.secs(2);
    let id = net.send(alice, bob, "held, lost, held");
    net.secs(60);
    assert_eq!(net.state(alice, id).held.len(), 1);
    net.hosts[core].lose_mailbox();
    net.restart(core);
    net.secs(60);
    let state = net.state(alice, id);
    assert_eq!((state.held.len(), state.refusal), (1, None));
    net.kill(alice);
    net.start(bob);
    net.secs(60);
    assert_eq!(net.texts(bob), ["held, lost, held"]);
}

#[test]
fn a_copy_that_comes_a_week_late_is_not_delivered_again() {
    let mut net = Net::started(2, 31);
    net.friends(0, 1);
    net.secs(10);
    net.send(0, 1, "once");
    net.secs(10);
    let copies: Vec<_> = net.mails.iter().map(|(_, _, mail)| mail.clone()).collect();
    assert_eq!((copies.len(), net.texts(1).len()), (1, 1));
    for day in 0..10 {
        net.inject(0, 1, &copies[0]);
        net.secs(3600);
        net.restart(1);
        net.secs(23 * 3600);
        assert_eq!(net.texts(1), ["once"], "day {day}");
    }
    // Its lifespan is over and its number is forgotten: not even a clock that is set back helps.
    net.hosts[1].skew_ms = -10 * 86_400_000;
    net.hosts[1].trusted = false;
    net.restart(1);
    net.secs(100);
    net.inject(0, 1, &copies[0]);
    net.secs(10);
    assert_eq!(net.texts(1), ["once"]);
}

#[test]
fn echo_measures_the_round_trip_and_says_why_there_is_none() {
    let mut net = Net::started(3, 32);
    net.friends(0, 1);
    net.secs(10);
    let to = net.id(1);
    let token = net.run(0, |router, cx, out| router.echo(cx, to, out));
    net.secs(1);
    assert_eq!(
        net.hosts[0].echoes[&token],
        EchoResult::RoundTrip(Duration::from_millis(40))
    );
    let stranger = net.id(2);
    let token = net.run(0, |router, cx, out| router.echo(cx, stranger, out));
    net.secs(1);
    let EchoResult::Failed(why) = &net.hosts[0].echoes[&token] else {
        panic!("no link")
    };
    assert!(why.contains("no address"), "{why}");
    assert!(net.inbox(1).is_empty(), "echo is no mail");
}

#[test]
fn the_clock_is_confirmed_by_two_known_peers() {
    let mut net = Net::new(4, 33);
    net.hosts[0].trusted = false;
    (0..4).for_each(|n| net.start(n));
    net.friends(0, 1);
    net.secs(20);
    let confirmed = |net: &Net| {
        net.hosts[0]
            .router
            .as_ref()
            .is_some_and(|r| r.clock_confirmed())
    };
    assert!(!confirmed(&net));
    net.friends(0, 2);
    net.secs(20);
    assert!(confirmed(&net));
    // A stranger's word counts for nothing.
    let mut net = Net::new(4, 34);
    net.hosts[0].trusted = false;
    net.hosts[0].skew_ms = -3_000_000_000;
    (0..4).for_each(|n| net.start(n));
    net.friends(0, 1);
    net.friends(0, 2);
    net.secs(400);
    assert!(!confirmed(&net));
    assert!(
        net.hosts[0]
            .problems
            .iter()
            .any(|p| matches!(p, Problem::Clock { ahead_ms }
        if (ahead_ms - 3_000_000_000).abs() < 1000))
    );
}

#[test]
fn mail_from_a_node_whose_clock_is_at_1970_arrives() {
    let mut net = Net::new(2, 35);
    net.hosts[0].trusted = false;
    net.hosts[0].skew_ms = -1_795_132_800_000;
    (0..2).for_each(|n| net.start(n));
    net.friends(0, 1);
    net.secs(400);
    let id = net.send(0, 1, "what time is it");
    net.secs(20);
    assert_eq!(net.texts(1), ["what time is it"]);
    assert!(net.inbox(1)[0].clock_unconfirmed);
    assert!(net.state(0, id).delivered_ms.is_some());
}

#[test]
fn adverts_are_exchanged_renewed_and_never_go_back() {
    let mut net = Net::started(2, 36);
    net.friends(0, 1);
    net.secs(20);
    let node = net.id(0);
    let first = net
        .run(1, |router, cx, _| router.advert(cx, &node))
        .expect("shown");
    assert_eq!((first.name.as_str(), first.addresses.len()), ("host 0", 1));
    net.run(0, |router, cx, out| router.set_name(cx, "Alice", out));
    net.secs(1);
    let second = net
        .run(1, |router, cx, _| router.advert(cx, &node))
        .expect("shown");
    assert_eq!(second.name, "Alice");
    assert!(second.version > first.version);
    // A week later the sealing key has turned, and what was sealed to the old one still opens.
    net.part(0, 1);
    net.send(1, 0, "sealed to the old key");
    net.secs(8 * 86_400);
    net.heal(0, 1);
    let id = net.send(1, 0, "sealed to the new key");
    net.secs(400);
    let third = net
        .run(1, |router, cx, _| router.advert(cx, &node))
        .expect("shown");
    assert_ne!(third.sealing, second.sealing);
    assert_eq!(third.sealing_before, Some(second.sealing));
    assert!(net.state(1, id).delivered_ms.is_some());
    assert_eq!(
        net.texts(0).last().map(String::as_str),
        Some("sealed to the new key")
    );
}

#[test]
fn mail_sealed_to_a_key_that_a_restore_lost_is_sealed_again() {
    let mut net = Net::started(2, 37);
    net.friends(0, 1);
    let old = net.backup(1);
    net.secs(15 * 86_400);
    assert!(net.linked(0, 1));
    net.part(0, 1);
    let id = net.send(0, 1, "for the restored");
    net.secs(5);
    net.restore(1, old);
    net.peer(1, 0);
    net.heal(0, 1);
    net.secs(700);
    assert_eq!(net.texts(1), ["for the restored"]);
    assert!(net.state(0, id).delivered_ms.is_some());
    assert!(
        net.hosts[1].problems.is_empty(),
        "a restored home is no second node"
    );
}

#[test]
fn a_clone_is_told_that_its_key_is_used_twice() {
    let mut net = Net::started(3, 38);
    // Host 2 is a copy of host 0: the same key, another machine.
    net.hosts[2].secret = net.hosts[0].secret.clone();
    net.friends(0, 1);
    net.secs(20);
    net.run(0, |router, cx, out| router.set_name(cx, "changed", out));
    net.run(0, |router, cx, out| {
        router.set_name(cx, "changed again", out)
    });
    net.secs(20);
    net.part(0, 1);
    net.secs(100);
    net.restart(2);
    net.peer(2, 1);
    net.secs(400);
    let twice = |p: &Problem| matches!(p, Problem::TwoNodesOneKey { .. });
    assert_eq!(net.hosts[2].problems.iter().filter(|p| twice(p)).count(), 1);
}

/// A home and its copy run side by side: each link of one ends that of the other.
#[test]
fn two_homes_with_one_key_take_turns_ever_more_rarely() {
    let mut net = Net::started(3, 39);
    net.hosts[2].secret = net.hosts[0].secret.clone();
    net.restart(2);
    net.friends(0, 1);
    net.peer(2, 1);
    net.secs(3600);
    let opened = net.hosts[0].opened + net.hosts[2].opened;
    assert!(
        (3..80).contains(&opened),
        "{opened} links in the first hour"
    );
    net.secs(3600);
    let later = net.hosts[0].opened + net.hosts[2].opened - opened;
    assert!((3..60).contains(&later), "{later} links in the second hour");
    // The copy goes: the home is not kept waiting for long.
    net.kill(2);
    net.secs(310);
    assert!(net.linked(0, 1));
    net.secs(600);
    let before = net.hosts[0].opened;
    net.drop_links(0, 1);
    net.secs(3);
    assert_eq!(net.hosts[0].opened, before + 1, "what was is forgotten");
}

#[test]
fn a_peer_whose_links_break_all_the_time_is_not_cut_off_for_long() {
    let mut net = Net::started(2, 40);
    net.friends(0, 1);
    for _ in 0..40 {
        net.secs(20);
        assert!(net.linked(0, 1));
        net.drop_links(0, 1);
    }
}

#[test]
fn mail_expires_and_says_so() {
    let mut net = Net::started(2, 39);
    net.peer(0, 1);
    let id = net.send(0, 1, "for nobody");
    net.secs(6 * 86_400);
    assert!(net.state(0, id).expired_ms.is_none());
    net.secs(86_400 + 700);
    let state = net.state(0, id);
    assert!(state.expired_ms.is_some() && state.waits_for.is_none());
    let queued = net.run(0, |router, _, _| router.queued());
    assert_eq!(queued, 0);
}

#[test]
fn mail_to_oneself_is_delivered_without_a_link() {
    let mut net = Net::started(1, 40);
    let id = net.send(0, 0, "note to self");
    assert_eq!(net.texts(0), ["note to self"]);
    assert!(net.state(0, id).delivered_ms.is_some());
    let last = net.run(0, |router, cx, _| router.last_sent(cx));
    assert_eq!(last, Some(id));
}

#[test]
fn the_inbox_cursor_survives_and_never_goes_back() {
    let mut net = Net::started(1, 41);
    for n in 0..5 {
        net.send(0, 0, &format!("{n}"));
    }
    net.run(0, |router, cx, _| {
        router.inbox_confirm(cx, 3);
        router.inbox_confirm(cx, 1);
    });
    net.restart(0);
    let cursor = net.run(0, |router, cx, _| router.inbox_cursor(cx));
    assert_eq!(cursor, 3);
    let rest = net.run(0, |router, cx, _| router.inbox(cx, cursor, 10));
    assert_eq!(rest.iter().map(|mail| mail.n).collect::<Vec<_>>(), [4, 5]);
    let last = net.run(0, |router, cx, _| {
        router.inbox_confirm(cx, u64::MAX);
        router.inbox_cursor(cx)
    });
    assert_eq!(last, 5, "not past the newest");
}
