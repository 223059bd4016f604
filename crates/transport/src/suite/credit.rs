//! Cases about credit.

use super::{Bench, pair};
use crate::{
    Command, DownReason, Event, Transport, frame_cost,
    limits::{FRAME_COST, INITIAL_CREDIT, MAX_FRAME},
};

/// More than all buffers between two nodes may hold together.
const FLOOD: u64 = 16 * 1024 * 1024;

pub(super) async fn a_flood_stops_at_the_grant(bench: &impl Bench) {
    const FRAME: usize = 10_000;
    let cost = frame_cost(FRAME);
    let (mut a, at_a, mut b, at_b) = pair(bench).await;
    let (mut credit, mut sent, mut got) = (INITIAL_CREDIT, 0_u64, 0_u64);
    // The receiver grants nothing: it gets what fits into the first credit, and the frame that
    // begins within it.
    let first = INITIAL_CREDIT.div_ceil(cost);
    while got < first {
        while credit >= cost {
            credit -= cost;
            a.send(
                at_a.link,
                &[u8::try_from(sent % 251).unwrap_or_default(); FRAME],
            );
            sent += 1;
        }
        tokio::select! {
            returned = a.writable(at_a.link) => credit += returned,
            frame = b.frame(at_b.link) => {
                assert_eq!(u64::from(frame[0]), got % 251);
                got += 1;
            }
        }
    }
    b.quiet().await;
    // It is granted one frame, and gets one.
    b.transport.command(Command::Grant {
        link: at_b.link,
        cost,
    });
    b.frame(at_b.link).await;
    b.quiet().await;
    // The sender, too, comes to rest: what it may send has an end.
    while let Ok(event) = tokio::time::timeout(super::QUIET, a.events.next()).await {
        let Some(Event::Writable { cost: returned, .. }) = event else {
            panic!("unexpected: {event:?}");
        };
        credit += returned;
        while credit >= cost {
            credit -= cost;
            a.send(at_a.link, &[0; FRAME]);
            sent += 1;
            assert!(sent * cost < FLOOD, "the sender was never stopped");
        }
    }
    // And goes on when the receiver does.
    b.transport.command(Command::Grant {
        link: at_b.link,
        cost: FLOOD,
    });
    a.writable(at_a.link).await;
}

pub(super) async fn a_sender_over_its_credit_loses_the_link(bench: &impl Bench) {
    let (mut a, at_a, mut b, at_b) = pair(bench).await;
    // The peer grants nothing, so sooner or later nothing comes back.
    for _ in 0..FLOOD / MAX_FRAME as u64 {
        a.send(at_a.link, &vec![1; MAX_FRAME]);
    }
    assert!(matches!(a.down(at_a.link).await, DownReason::Misused(_)));
    assert!(matches!(
        b.down(at_b.link).await,
        DownReason::ClosedByPeer { .. }
    ));
}

pub(super) async fn a_frame_of_a_wrong_size_loses_the_link(bench: &impl Bench) {
    for wrong in [0, MAX_FRAME + 1] {
        let (mut a, at_a, _b, _) = pair(bench).await;
        a.send(at_a.link, &vec![1; wrong]);
        assert!(matches!(a.down(at_a.link).await, DownReason::Misused(_)));
    }
    // Small frames are not free.
    assert_eq!(frame_cost(1), FRAME_COST + 1);
}

pub(super) async fn closing_does_not_wait_for_a_peer_that_reads_nothing(bench: &impl Bench) {
    let (mut a, at_a, mut b, at_b) = pair(bench).await;
    let mut credit = INITIAL_CREDIT;
    let cost = frame_cost(MAX_FRAME / 4);
    let full = |credit: &mut u64| {
        while *credit >= cost {
            *credit -= cost;
            a.transport.command(Command::Send {
                link: at_a.link,
                bytes: vec![2; MAX_FRAME / 4],
            });
        }
    };
    full(&mut credit);
    while let Ok(event) = tokio::time::timeout(super::QUIET, a.events.next()).await {
        if let Some(Event::Writable { cost, .. }) = event {
            credit += cost;
            full(&mut credit);
        }
    }
    a.transport.command(Command::Close {
        link: at_a.link,
        code: 5,
        text: String::new(),
    });
    assert_eq!(a.down(at_a.link).await, DownReason::Closed { code: 5 });
    let reason = b.down(at_b.link).await;
    assert!(
        matches!(reason, DownReason::ClosedByPeer { code: 5, .. }),
        "{reason:?}"
    );
}
