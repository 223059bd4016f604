//! What every transport must do, as tests that run against any of them.
//!
//! [`all`] runs every case; each opens its own nodes on the given [`Bench`], and panics with what
//! was wrong.

mod credit;
mod links;

use std::{collections::VecDeque, future::Future, time::Duration};

use identity::NodeId;
use tokio::time::timeout;

use crate::{Command, DialToken, DownReason, Event, Events, LinkId, Transport};

/// No case waits longer than this for what must happen.
const GUARD: Duration = Duration::from_secs(20);

/// How long a case looks on to see that nothing happens.
const QUIET: Duration = Duration::from_millis(200);

/// Opens transports for the cases.
pub trait Bench {
    /// The transport under test.
    type Transport: Transport;

    /// A node whose key comes from this seed, reachable under the first address that it listens
    /// on by all others opened here.
    fn open(&self, seed: u8) -> impl Future<Output = (Self::Transport, Events)>;

    /// An address at which nobody answers.
    fn nowhere(&self) -> String;
}

/// Runs all cases.
///
/// # Panics
/// When the transport does not behave.
pub async fn all(bench: &impl Bench) {
    links::both_ends_meet(bench).await;
    links::frames_arrive_in_order_both_ways(bench).await;
    links::dials_that_fail_say_why(bench).await;
    links::closing_delivers_what_was_queued(bench).await;
    links::simultaneous_dials_make_two_links(bench).await;
    links::one_node_has_few_links(bench).await;
    links::unknown_links_are_ignored(bench).await;
    links::shutting_down_tells_the_peers(bench).await;
    credit::a_flood_stops_at_the_grant(bench).await;
    credit::a_sender_over_its_credit_loses_the_link(bench).await;
    credit::a_frame_of_a_wrong_size_loses_the_link(bench).await;
    credit::closing_does_not_wait_for_a_peer_that_reads_nothing(bench).await;
}

/// A node of a case.
struct Peer<T> {
    transport: T,
    events: Events,
    /// Events that came while another was waited for.
    early: VecDeque<Event>,
}

/// A link that came up at one node.
struct Up {
    link: LinkId,
    node: NodeId,
    dialled: Option<DialToken>,
    exporter: [u8; 32],
}

async fn peer<B: Bench>(bench: &B, seed: u8) -> Peer<B::Transport> {
    let (transport, events) = bench.open(seed).await;
    Peer {
        transport,
        events,
        early: VecDeque::new(),
    }
}

/// Two nodes and the link that the first has dialled, as each sees it.
async fn pair<B: Bench>(bench: &B) -> (Peer<B::Transport>, Up, Peer<B::Transport>, Up) {
    let (mut a, mut b) = (peer(bench, 1).await, peer(bench, 2).await);
    a.dial(7, b.transport.node(), &b.address());
    let (at_a, at_b) = (a.up().await, b.up().await);
    (a, at_a, b, at_b)
}

impl<T: Transport> Peer<T> {
    fn address(&self) -> String {
        self.transport
            .listening()
            .first()
            .expect("it listens somewhere")
            .clone()
    }

    fn dial(&self, token: u64, node: NodeId, address: &str) {
        let address = address.to_owned();
        self.transport.command(Command::Dial {
            token: DialToken(token),
            node,
            address,
        });
    }

    fn send(&self, link: LinkId, bytes: &[u8]) {
        self.transport.command(Command::Send {
            link,
            bytes: bytes.to_vec(),
        });
    }

    async fn next(&mut self) -> Event {
        match self.early.pop_front() {
            Some(event) => event,
            None => self.fresh().await.expect("the transport is open"),
        }
    }

    async fn fresh(&mut self) -> Option<Event> {
        timeout(GUARD, self.events.next())
            .await
            .expect("nothing happened for too long")
    }

    /// The first event for which `pick` gives something; others keep their order.
    async fn find<R>(&mut self, pick: impl Fn(&Event) -> Option<R>) -> R {
        if let Some((at, found)) = self
            .early
            .iter()
            .enumerate()
            .find_map(|(at, event)| Some((at, pick(event)?)))
        {
            self.early.remove(at);
            return found;
        }
        loop {
            let event = self.fresh().await.expect("the transport is open");
            match pick(&event) {
                Some(found) => return found,
                None => self.early.push_back(event),
            }
        }
    }

    async fn up(&mut self) -> Up {
        self.find(|event| match event {
            Event::Up {
                link,
                node,
                dialled,
                exporter,
                ..
            } => Some(Up {
                link: *link,
                node: *node,
                dialled: *dialled,
                exporter: *exporter,
            }),
            _ => None,
        })
        .await
    }

    async fn down(&mut self, of: LinkId) -> DownReason {
        self.find(|event| match event {
            Event::Down { link, reason } if *link == of => Some(reason.clone()),
            _ => None,
        })
        .await
    }

    async fn frame(&mut self, of: LinkId) -> Vec<u8> {
        self.find(|event| match event {
            Event::Frame { link, bytes } if *link == of => Some(bytes.clone()),
            _ => None,
        })
        .await
    }

    async fn writable(&mut self, of: LinkId) -> u64 {
        self.find(|event| match event {
            Event::Writable { link, cost } if *link == of => Some(*cost),
            _ => None,
        })
        .await
    }

    /// Nothing comes for a while.
    async fn quiet(&mut self) {
        assert_eq!(self.early.pop_front(), None);
        if let Ok(event) = timeout(QUIET, self.events.next()).await {
            panic!("nothing should have happened, but: {event:?}");
        }
    }
}
