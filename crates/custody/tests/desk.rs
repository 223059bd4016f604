//! A core node's half over a store, driven by hand.

use std::time::Duration;

use custody::{Custody, Deposit, Mail, Output, Promise, Quota, Refusal, Serving, Settings};
use identity::{EnvelopeId, NodeId, PublicKey, TopicId};
use machine::test::World;
use machine::{Cx, Outbox};

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const DAY: u64 = 86_400;

pub(crate) fn node(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

pub(crate) fn topic(n: u8) -> TopicId {
    TopicId::from_bytes([n; 32])
}

pub(crate) fn author(n: u8) -> PublicKey {
    PublicKey::from_bytes([n; 32])
}

pub(crate) fn quota(bytes: u64) -> Quota {
    Quota {
        bytes,
        topics: 4,
        links: 2,
    }
}

pub(crate) struct Desk {
    pub(crate) world: World,
    pub(crate) custody: Custody,
    pub(crate) outputs: Vec<Output>,
    settings: Settings,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let world = World::new(1);
        let mut custody = Custody::open(settings);
        custody.set_clock(world.now, true);
        Self {
            world,
            custody,
            outputs: Vec::new(),
            settings,
        }
    }

    /// A core node with one client, which has one topic with this share.
    pub(crate) fn serving(bytes: u64, share: u64) -> Self {
        let mut desk = Self::new();
        desk.client(1, bytes);
        desk.serve(1, 1, share).expect("agreed");
        desk
    }

    pub(crate) fn run<R>(
        &mut self,
        f: impl FnOnce(&mut Custody, &mut Cx<'_>, &mut Outbox<Output>) -> R,
    ) -> R {
        let mut out = Outbox::new();
        let result = self.world.turn(|cx| f(&mut self.custody, cx, &mut out));
        self.outputs.extend(out.drain());
        result
    }

    pub(crate) fn client(&mut self, n: u8, bytes: u64) {
        self.run(|custody, cx, _| custody.allow(cx, node(n), Some(quota(bytes))))
            .expect("allowed");
    }

    pub(crate) fn serve(&mut self, client: u8, t: u8, share: u64) -> Result<bool, Refusal> {
        let serving = Serving {
            topic: topic(t),
            genesis: vec![t; 10],
            core_secret: [t; 32],
            share,
        };
        self.run(|custody, cx, _| custody.serve(cx, node(client), &serving))
    }

    pub(crate) fn deposit(
        &mut self,
        from: u8,
        t: u8,
        by: u8,
        (header, body): (u64, u64),
    ) -> Result<Promise, Refusal> {
        let expires_ms = self.world.wall.as_millis() + 10 * DAY * 1000;
        let deposit = Deposit {
            topic: topic(t),
            author: author(by),
            depositor: node(from),
            header,
            body,
            expires_ms,
        };
        self.run(|custody, cx, _| custody.accept(cx, &deposit))
    }

    pub(crate) fn usage(&mut self, n: u8) -> custody::ClientUsage {
        self.run(|custody, cx, _| custody.usage(cx, &node(n)))
            .expect("a client")
    }

    pub(crate) fn mail(&self, n: u8, id: u8, source: u8, len: usize) -> Mail {
        Mail {
            client: node(n),
            id: EnvelopeId::from_bytes([id; 32]),
            source: node(source),
            expires_ms: self.world.wall.as_millis() + 30 * DAY * 1000,
            bytes: vec![id; len],
        }
    }

    /// Lets time pass; what is due is done on the way.
    pub(crate) fn secs(&mut self, secs: u64) {
        let end = self.world.now.after(Duration::from_secs(secs));
        while let Some(at) = self.custody.deadline().filter(|at| *at <= end) {
            // Sweeps of an idle node are many; the last one matters.
            let step = at.since(self.world.now).max(Duration::from_secs(secs / 50));
            let left = end.since(self.world.now);
            self.world.pass(step.min(left));
            self.run(|custody, cx, out| custody.on_deadline(cx, out));
            if self.world.now == end && self.custody.deadline().is_some_and(|at| at > end) {
                break;
            }
        }
        self.world.pass(end.since(self.world.now));
    }

    /// A new life over what was committed.
    pub(crate) fn restart(&mut self) {
        let world = std::mem::replace(&mut self.world, World::new(0));
        let wall = world.wall;
        self.world = World::over(world.into_base(), 9);
        self.world.wall = wall;
        self.custody = Custody::open(self.settings);
        self.custody.set_clock(self.world.now, true);
    }
}
