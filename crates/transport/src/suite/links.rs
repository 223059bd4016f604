//! Cases about links.

use identity::SecretKey;

use super::{Bench, pair, peer};
use crate::{
    Command, DialError, DialToken, DownReason, Event, LinkId, Transport, frame_cost,
    limits::{INITIAL_CREDIT, MAX_FRAME, MAX_LINKS_PER_NODE},
};

pub(super) async fn both_ends_meet(bench: &impl Bench) {
    let (mut a, at_a, mut b, at_b) = pair(bench).await;
    assert_eq!(
        (at_a.node, at_a.dialled),
        (b.transport.node(), Some(DialToken(7)))
    );
    assert_eq!((at_b.node, at_b.dialled), (a.transport.node(), None));
    assert_eq!(
        at_a.exporter, at_b.exporter,
        "both ends derive the same value"
    );
    assert_ne!(at_a.exporter, [0; 32]);

    a.dial(8, b.transport.node(), &b.address());
    let (again_a, again_b) = (a.up().await, b.up().await);
    assert_eq!(again_a.exporter, again_b.exporter);
    assert_ne!(
        again_a.exporter, at_a.exporter,
        "no two links share the value"
    );
    assert_ne!((again_a.link, again_b.link), (at_a.link, at_b.link));
}

pub(super) async fn frames_arrive_in_order_both_ways(bench: &impl Bench) {
    let (mut a, at_a, mut b, at_b) = pair(bench).await;
    let frames: Vec<Vec<u8>> = (0..600_usize)
        .map(|n| {
            let length = [1, 2, 300, 5_000, 70_000][n % 5];
            let byte = u8::try_from(n % 251).unwrap_or_default();
            vec![byte; if n == 100 { MAX_FRAME } else { length }]
        })
        .collect();
    let (mut sent, mut got) = ([0; 2], [0; 2]);
    let mut credit = [INITIAL_CREDIT; 2];
    while got != [frames.len(); 2] {
        for (side, peer, link) in [(0, &a, at_a.link), (1, &b, at_b.link)] {
            while let Some(frame) = frames.get(sent[side])
                && credit[side] >= frame_cost(frame.len())
            {
                credit[side] -= frame_cost(frame.len());
                peer.send(link, frame);
                sent[side] += 1;
            }
        }
        let (side, event) = tokio::select! {
            event = a.next() => (0, event),
            event = b.next() => (1, event),
        };
        match event {
            Event::Frame { link, bytes } => {
                assert_eq!(frames[got[side]], bytes, "frame {}", got[side]);
                got[side] += 1;
                let cost = frame_cost(bytes.len());
                let peer = if side == 0 { &a } else { &b };
                peer.transport.command(Command::Grant { link, cost });
            }
            Event::Writable { cost, .. } => credit[side] += cost,
            other => panic!("unexpected: {other:?}"),
        }
    }
}

pub(super) async fn dials_that_fail_say_why(bench: &impl Bench) {
    let (mut a, b, c) = (
        peer(bench, 1).await,
        peer(bench, 2).await,
        peer(bench, 3).await,
    );
    let own = a.transport.node();
    let (node, other) = (b.transport.node(), c.transport.node());
    let absent = SecretKey::from_seed([99; 32]).node_id();
    let cases = [
        (node, c.address(), DialError::WrongNode),
        (other, b.address(), DialError::WrongNode),
        (
            node,
            "no address".to_owned(),
            DialError::BadAddress("no address".to_owned()),
        ),
        (own, b.address(), DialError::Oneself),
        (absent, bench.nowhere(), DialError::NoAnswer),
    ];
    for (token, (node, address, wanted)) in (10..).zip(cases) {
        a.dial(token, node, &address);
        match a.next().await {
            Event::DialFailed {
                token: DialToken(got),
                reason,
            } => {
                assert_eq!((got, reason), (token, wanted), "dialling {address}");
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
}

pub(super) async fn closing_delivers_what_was_queued(bench: &impl Bench) {
    let (mut a, at_a, mut b, at_b) = pair(bench).await;
    for n in 0..50_u8 {
        a.send(at_a.link, &[n; 1000]);
    }
    let text = "done".to_owned();
    a.transport.command(Command::Close {
        link: at_a.link,
        code: 42,
        text: text.clone(),
    });
    a.send(at_a.link, b"too late");
    for n in 0..50_u8 {
        assert_eq!(b.frame(at_b.link).await, [n; 1000]);
    }
    assert_eq!(
        b.down(at_b.link).await,
        DownReason::ClosedByPeer { code: 42, text }
    );
    assert_eq!(a.down(at_a.link).await, DownReason::Closed { code: 42 });
    // Nothing follows a `Down`.
    b.quiet().await;
}

pub(super) async fn simultaneous_dials_make_two_links(bench: &impl Bench) {
    let (mut a, mut b) = (peer(bench, 1).await, peer(bench, 2).await);
    a.dial(1, b.transport.node(), &b.address());
    b.dial(2, a.transport.node(), &a.address());
    let at_a = [a.up().await, a.up().await];
    let at_b = [b.up().await, b.up().await];
    for here in &at_a {
        let there = at_b.iter().find(|there| there.exporter == here.exporter);
        let there = there.expect("each link has two ends");
        assert_ne!(here.dialled.is_some(), there.dialled.is_some());
        a.send(here.link, b"over this one");
        assert_eq!(b.frame(there.link).await, b"over this one");
    }
}

pub(super) async fn one_node_has_few_links(bench: &impl Bench) {
    let (mut a, mut b) = (peer(bench, 1).await, peer(bench, 2).await);
    for token in 0..MAX_LINKS_PER_NODE as u64 {
        a.dial(token, b.transport.node(), &b.address());
        a.up().await;
        b.up().await;
    }
    a.dial(99, b.transport.node(), &b.address());
    match a.next().await {
        Event::DialFailed {
            token: DialToken(99),
            reason: DialError::Busy,
        } => {}
        other => panic!("unexpected: {other:?}"),
    }
}

pub(super) async fn unknown_links_are_ignored(bench: &impl Bench) {
    let mut a = peer(bench, 1).await;
    let link = LinkId::from_u64(77);
    a.send(link, b"to nobody");
    a.transport.command(Command::Grant {
        link,
        cost: u64::MAX,
    });
    a.transport.command(Command::Close {
        link,
        code: 0,
        text: String::new(),
    });
    a.quiet().await;
}

pub(super) async fn shutting_down_tells_the_peers(bench: &impl Bench) {
    let (mut a, at_a, mut b, at_b) = pair(bench).await;
    a.send(at_a.link, b"last words");
    a.transport.shut().await;
    assert_eq!(a.down(at_a.link).await, DownReason::ShuttingDown);
    assert_eq!(b.frame(at_b.link).await, b"last words");
    assert!(matches!(
        b.down(at_b.link).await,
        DownReason::ClosedByPeer { .. }
    ));
    a.dial(1, b.transport.node(), &b.address());
    while let Some(event) = a.fresh().await {
        assert!(
            matches!(event, Event::Writable { .. }),
            "unexpected: {event:?}"
        );
    }
}
