//! Links, by their ends: each node has one end of each of its links.

use super::host::{Around, Happening, Host};
use super::net::{transmission, travel};
use super::raid;
use crate::check::bounds;
use crate::metrics::{TurnKind, frame_kind};
use crate::plan::NodeNo;
use identity::NodeId;
use machine::Time;
use node::{Input, LinkId};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use transport::limits::{FRAME_COST, HANDSHAKE_TIMEOUT, IDLE_TIMEOUT, INITIAL_CREDIT};

/// One end of a link.
#[derive(Debug)]
struct End {
    far_node: NodeNo,
    /// The other's end; none while nobody has answered.
    far: Option<u64>,
    /// Of the dial that made it.
    token: Option<u64>,
    exporter: [u8; 32],
    /// What the node lets be read.
    credit: u64,
    /// Arrived and not read.
    unread: VecDeque<Vec<u8>>,
    /// Read, and the other end not told.
    taken: u64,
    /// When the last thing on its way to the other end arrives: nothing overtakes it.
    last: Time,
    /// Frames that cannot leave, because there is no way now.
    stalled: VecDeque<Vec<u8>>,
    /// Since when nothing can arrive.
    silent: Option<Time>,
    /// Of an outsider who dials to say so many things of no use; its own node knows nothing of it.
    raid: Option<u32>,
    /// Signatures that were checked for what came over it from one who raids.
    checked: u64,
}

/// All ends at one node.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    all: BTreeMap<u64, End>,
    next: u64,
    /// When the node's wire is free.
    wire: Time0,
}

/// A time that begins at zero.
#[derive(Debug)]
struct Time0(Time);

impl Default for Time0 {
    fn default() -> Self {
        Self(Time::ZERO)
    }
}

impl Ends {
    pub(crate) fn far_node(&self, end: u64) -> Option<NodeNo> {
        self.all.get(&end).map(|end| end.far_node)
    }

    /// With whom there are links that are up.
    pub(crate) fn linked(&self) -> Vec<NodeNo> {
        let up = self.all.values().filter(|end| end.far.is_some());
        up.map(|end| end.far_node).collect()
    }

    /// The ends of links that are up.
    pub(crate) fn up(&self) -> Vec<u64> {
        let up = self.all.iter().filter(|(_, end)| end.far.is_some());
        up.map(|(number, _)| *number).collect()
    }

    /// Bytes that wait at this node for a way, or to be read.
    pub(crate) fn waiting(&self) -> u64 {
        let of = |frames: &VecDeque<Vec<u8>>| -> u64 {
            frames.iter().map(|frame| frame.len() as u64).sum()
        };
        let each = self.all.values();
        each.map(|end| of(&end.unread) + of(&end.stalled)).sum()
    }

    fn add(&mut self, end: End) -> u64 {
        self.next += 1;
        self.all.insert(self.next, end);
        self.next
    }
}

impl End {
    const fn new(far_node: NodeNo, exporter: [u8; 32], now: Time) -> Self {
        Self {
            far_node,
            far: None,
            token: None,
            exporter,
            credit: INITIAL_CREDIT,
            unread: VecDeque::new(),
            taken: 0,
            last: now,
            stalled: VecDeque::new(),
            silent: None,
            raid: None,
            checked: 0,
        }
    }
}

/// What a frame costs.
const fn cost(bytes: usize) -> u64 {
    FRAME_COST + bytes as u64
}

impl Host {
    /// The node wants a link.
    pub(crate) fn dial(
        &mut self,
        around: &mut Around<'_>,
        token: u64,
        whom: NodeId,
        address: &str,
    ) {
        let found = around.net.at_address(address);
        let to = found.filter(|to| around.net.id(*to) == whom);
        let exporter = self.rng.array();
        let mut end = End::new(to.unwrap_or(self.no), exporter, around.now);
        end.token = Some(token);
        if !self.knock(around, end, to) {
            self.trace(around, || format!("dials {address} in vain"));
        }
    }

    /// An outsider dials a node to say things of no use.
    pub(crate) fn raid(
        &mut self,
        around: &mut Around<'_>,
        on: NodeNo,
        (links, frames): (u32, u32),
    ) {
        if self.life.is_none() {
            return;
        }
        for _ in 0..links {
            let exporter = self.rng.array();
            let mut end = End::new(on, exporter, around.now);
            end.raid = Some(frames);
            self.knock(around, end, Some(on));
        }
    }

    /// A dial goes out, and fails if nobody answers; says whether anybody can.
    fn knock(&mut self, around: &mut Around<'_>, end: End, to: Option<NodeNo>) -> bool {
        let exporter = end.exporter;
        let number = self.ends.add(end);
        let after = Happening::Answered {
            end: number,
            far: None,
        };
        self.soon(around, HANDSHAKE_TIMEOUT, after);
        let Some(to) = to.filter(|to| around.net.can_dial(self.no, *to)) else {
            return false;
        };
        let Some(path) = around.net.path(self.no, to) else {
            return true;
        };
        let at = around
            .now
            .after(Duration::from_micros(travel(&path, 1, &mut self.rng)));
        let dialled = Happening::Dialled {
            from: self.no,
            end: number,
            exporter,
        };
        self.later(around, at, to, dialled);
        true
    }

    /// Somebody dials this node.
    pub(crate) fn dialled(
        &mut self,
        around: &mut Around<'_>,
        from: NodeNo,
        far: u64,
        exporter: [u8; 32],
    ) {
        if self.life.as_ref().is_none_or(|life| life.closing) {
            return;
        }
        let Some(path) = around.net.path(self.no, from) else {
            return;
        };
        let at = around
            .now
            .after(Duration::from_micros(travel(&path, 1, &mut self.rng)));
        let mut end = End::new(from, exporter, at);
        end.far = Some(far);
        let number = self.ends.add(end);
        let answer = Happening::Answered {
            end: far,
            far: Some(number),
        };
        self.later(around, at, from, answer);
        self.link_up(around, number, None, from, exporter);
    }

    fn link_up(
        &mut self,
        around: &mut Around<'_>,
        number: u64,
        dialled: Option<u64>,
        peer: NodeNo,
        exporter: [u8; 32],
    ) {
        let input = Input::LinkUp {
            link: LinkId(number),
            node: around.net.id(peer),
            dialled,
            exporter,
            // A place that lets no callers in is no translator here: nothing can be arranged through a
            // core node, and as over TCP nobody tries.
            remote: format!("tls://{}", around.net.address(peer)),
        };
        let name = &around.plan.nodes[peer as usize].name;
        self.trace(around, || format!("has link {number} with {name}"));
        self.heard(around, number, (input, TurnKind::Link));
    }

    /// Something comes over a link. Of outsiders who raid it is noted what it costs.
    fn heard(&mut self, around: &mut Around<'_>, number: u64, (input, kind): (Input, TurnKind)) {
        let peer = self.ends.far_node(number);
        if !peer.is_some_and(|peer| around.net.raids(peer)) {
            return self.input(around, input, kind);
        }
        let before = identity::checked();
        self.input(around, input, kind);
        let used = self.life.as_ref().map(|life| life.kernel.last_use());
        let Some(end) = self.ends.all.get_mut(&number) else {
            return;
        };
        let (checked, staged) = (
            identity::checked() - before,
            used.map_or(0, |used| used.staged),
        );
        end.checked += checked;
        around.metrics.raided(kind, checked, staged);
        let cost = raid::Cost {
            checked: end.checked,
            staged,
        };
        if let Some(what) = cost.is_too_high() {
            Self::scene(self.no, around).broken(bounds::BOUNDS, what);
        }
    }

    /// A dial of this node was answered, or nobody has answered for too long.
    pub(crate) fn answered(&mut self, around: &mut Around<'_>, number: u64, far: Option<u64>) {
        let Some(end) = self.ends.all.get_mut(&number) else {
            // The node stopped meanwhile; who answered finds out in time.
            return;
        };
        if end.far.is_some() {
            return;
        }
        let (token, peer, exporter) = (end.token, end.far_node, end.exporter);
        around.metrics.dial(around.now, far.is_some());
        if far.is_some() {
            end.far = far;
            end.last = around.now;
            if let Some(frames) = end.raid {
                return self.besiege(around, number, frames);
            }
            self.link_up(around, number, token, peer, exporter);
        } else {
            self.ends.all.remove(&number);
            if let Some(token) = token {
                let reason = "nobody answered".to_owned();
                let input = Input::DialFailed { token, reason };
                self.input(around, input, TurnKind::Link);
            }
        }
    }

    /// The link of a raid is there: everything is said, and it ends.
    fn besiege(&mut self, around: &mut Around<'_>, number: u64, frames: u32) {
        // Whoever does not greet is hung up on.
        if self.rng.below(4) > 0 {
            let hello = raid::hello(around);
            self.put_on_wire(around, number, hello);
        }
        for _ in 0..frames {
            let frame = raid::junk(&mut self.rng, around);
            self.put_on_wire(around, number, frame);
        }
        if let Some(end) = self.ends.all.remove(&number) {
            self.tell_gone(around, &end, "closed by the other side");
        }
    }

    /// A frame goes out, or waits until there is a way.
    pub(crate) fn put_on_wire(&mut self, around: &mut Around<'_>, number: u64, bytes: Vec<u8>) {
        let Some(end) = self.ends.all.get_mut(&number) else {
            return;
        };
        self.digest.add(around.now, b'f', &bytes);
        if !end.stalled.is_empty() || around.net.path(self.no, end.far_node).is_none() {
            if end.stalled.len() < MAX_STALLED {
                end.stalled.push_back(bytes);
            }
            return;
        }
        let role = self.role(around);
        let len = bytes.len() as u64;
        around
            .metrics
            .frame(around.now, role, frame_kind(&bytes), len);
        self.trace(around, || format!("says on {number}: {}", describe(&bytes)));
        self.travels(around, number, bytes);
    }

    fn travels(&mut self, around: &mut Around<'_>, number: u64, bytes: Vec<u8>) {
        let Some(end) = self.ends.all.get_mut(&number) else {
            return;
        };
        let (Some(far), Some(path)) = (end.far, around.net.path(self.no, end.far_node)) else {
            return;
        };
        let len = bytes.len() as u64;
        let busy = transmission(&path, len, &mut self.rng);
        let sent = self
            .ends
            .wire
            .0
            .max(around.now)
            .after(Duration::from_micros(busy));
        if busy > 0 {
            self.ends.wire.0 = sent;
        }
        let at = sent.after(Duration::from_micros(travel(&path, len, &mut self.rng)));
        end.last = end.last.max(at);
        let (at, to) = (end.last, end.far_node);
        self.later(around, at, to, Happening::Frame { end: far, bytes });
    }

    /// A frame has arrived.
    pub(crate) fn arrived(&mut self, around: &mut Around<'_>, number: u64, bytes: Vec<u8>) {
        let Some(end) = self.ends.all.get_mut(&number) else {
            return;
        };
        if !end.unread.is_empty() || end.credit < cost(bytes.len()) {
            end.unread.push_back(bytes);
            return;
        }
        self.read_frame(around, number, bytes);
    }

    fn read_frame(&mut self, around: &mut Around<'_>, number: u64, bytes: Vec<u8>) {
        let Some(end) = self.ends.all.get_mut(&number) else {
            return;
        };
        let cost = cost(bytes.len());
        end.credit = end.credit.saturating_sub(cost);
        end.taken += cost;
        if let (true, Some(far)) = (end.taken >= TELL_TAKEN, end.far) {
            let bytes = std::mem::take(&mut end.taken);
            let (to, back) = (end.far_node, around.net.path(self.no, end.far_node));
            let latency = back.map_or(IDLE_TIMEOUT, |path| Duration::from_micros(path.latency_us));
            let at = around.now.after(latency.max(SHORTEST));
            self.later(around, at, to, Happening::Taken { end: far, bytes });
        }
        let link = LinkId(number);
        self.trace(around, || {
            format!("hears on {number}: {}", describe(&bytes))
        });
        let frame = Input::Frame { link, bytes, cost };
        self.heard(around, number, (frame, TurnKind::Frame));
    }

    /// The other end has taken so much.
    pub(crate) fn taken(&mut self, around: &mut Around<'_>, number: u64, bytes: u64) {
        if self.ends.all.contains_key(&number) {
            let link = LinkId(number);
            self.input(around, Input::Writable { link, bytes }, TurnKind::Writable);
        }
    }

    /// The node lets more be read from a link.
    pub(crate) fn granted(&mut self, around: &mut Around<'_>, number: u64, bytes: u64) {
        let Some(end) = self.ends.all.get_mut(&number) else {
            return;
        };
        end.credit = end.credit.saturating_add(bytes).min(INITIAL_CREDIT);
        let ready = end
            .unread
            .front()
            .is_some_and(|frame| cost(frame.len()) <= end.credit);
        if ready {
            self.soon(around, Duration::ZERO, Happening::Readable { end: number });
        }
    }

    /// Reads what has arrived and was not read, as far as the node lets it.
    pub(crate) fn read_on(&mut self, around: &mut Around<'_>, number: u64) {
        while let Some(end) = self.ends.all.get_mut(&number) {
            let fits = end
                .unread
                .front()
                .is_some_and(|frame| cost(frame.len()) <= end.credit);
            let Some(frame) = end.unread.pop_front().filter(|_| fits) else {
                return;
            };
            self.read_frame(around, number, frame);
        }
    }

    /// The node closes a link: the other end hears of it behind all that was sent.
    pub(crate) fn close_end(&mut self, around: &mut Around<'_>, number: u64) {
        let Some(end) = self.ends.all.remove(&number) else {
            return;
        };
        self.tell_gone(around, &end, "closed by the other side");
        let link = LinkId(number);
        let reason = "closed".to_owned();
        let input = Box::new(Input::LinkDown { link, reason });
        let life = self.lives;
        self.soon(around, Duration::ZERO, Happening::Input { life, input });
    }

    fn tell_gone(&mut self, around: &mut Around<'_>, end: &End, reason: &'static str) {
        let Some(far) = end.far else { return };
        let path = around.net.path(self.no, end.far_node);
        let at = match path {
            Some(path) => {
                let micros = travel(&path, 1, &mut self.rng);
                end.last
                    .max(around.now.after(Duration::from_micros(micros)))
            }
            None => around.now.after(IDLE_TIMEOUT),
        };
        self.later(
            around,
            at,
            end.far_node,
            Happening::Gone { end: far, reason },
        );
    }

    /// All links end with a goodbye.
    pub(crate) fn close_ends(&mut self, around: &mut Around<'_>) {
        for (_, end) in std::mem::take(&mut self.ends.all) {
            self.tell_gone(around, &end, "the other side stopped");
        }
    }

    /// All links end without a word: the others notice when nothing comes any more.
    pub(crate) fn lose_ends(&mut self, around: &mut Around<'_>) {
        for (_, end) in std::mem::take(&mut self.ends.all) {
            self.lose(around, &end);
        }
    }

    fn lose(&mut self, around: &mut Around<'_>, end: &End) {
        let Some(far) = end.far else { return };
        let at = around.now.after(IDLE_TIMEOUT);
        let reason = "timed out";
        self.later(
            around,
            at,
            end.far_node,
            Happening::Gone { end: far, reason },
        );
    }

    /// A link has ended at the other side.
    pub(crate) fn gone(&mut self, around: &mut Around<'_>, number: u64, reason: &str) {
        if self.ends.all.remove(&number).is_some() {
            self.link_down(around, number, reason);
        }
    }

    fn link_down(&mut self, around: &mut Around<'_>, number: u64, reason: &str) {
        self.trace(around, || format!("has lost link {number}: {reason}"));
        let link = LinkId(number);
        let reason = reason.to_owned();
        self.input(around, Input::LinkDown { link, reason }, TurnKind::Link);
    }

    /// Ends all links with a node at once.
    pub(crate) fn tear(&mut self, around: &mut Around<'_>, with: NodeNo) {
        let is = |end: &End| end.far_node == with && end.far.is_some();
        let torn: Vec<u64> = self
            .ends
            .all
            .iter()
            .filter_map(|(number, end)| is(end).then_some(*number))
            .collect();
        for number in torn {
            self.ends.all.remove(&number);
            self.link_down(around, number, "torn");
        }
    }

    /// The node stands in another network now: its links are lost.
    pub(crate) fn has_moved(&mut self, around: &mut Around<'_>) {
        let ends = std::mem::take(&mut self.ends.all);
        for (number, end) in ends {
            self.lose(around, &end);
            if end.far.is_some() {
                self.link_down(around, number, "the network changed");
            } else if let Some(token) = end.token {
                let reason = "the network changed".to_owned();
                let input = Input::DialFailed { token, reason };
                self.input(around, input, TurnKind::Link);
            }
        }
        let addresses = vec![around.net.address(self.no)];
        self.input(around, Input::Listening { addresses }, TurnKind::Other);
        self.invite_again(around);
    }

    /// The network has changed: some links have a way again, others have none any more.
    pub(crate) fn look_at_paths(&mut self, around: &mut Around<'_>) {
        let (mut silent, mut ready) = (Vec::new(), Vec::new());
        for (number, end) in &mut self.ends.all {
            if around.net.path(end.far_node, self.no).is_some() {
                end.silent = None;
            } else if end.silent.is_none() {
                end.silent = Some(around.now);
                silent.push(*number);
            }
            if !end.stalled.is_empty() && around.net.path(self.no, end.far_node).is_some() {
                ready.push(*number);
            }
        }
        for number in silent {
            self.soon(around, IDLE_TIMEOUT, Happening::Silence { end: number });
        }
        for number in ready {
            let stalled = self
                .ends
                .all
                .get_mut(&number)
                .map(|end| std::mem::take(&mut end.stalled));
            for bytes in stalled.into_iter().flatten() {
                self.travels(around, number, bytes);
            }
        }
    }

    /// Nothing may have come on a link for as long as one waits.
    pub(crate) fn silence(&mut self, around: &mut Around<'_>, number: u64) {
        let silent = self.ends.all.get(&number).and_then(|end| end.silent);
        if silent.is_none_or(|since| around.now.since(since) < IDLE_TIMEOUT) {
            return;
        }
        if let Some(end) = self.ends.all.remove(&number) {
            self.lose(around, &end);
            if end.far.is_some() {
                self.link_down(around, number, "timed out");
            }
        }
    }
}

/// A frame in words, short.
pub(crate) fn describe(bytes: &[u8]) -> String {
    let mut text = match wire::Frame::decode(bytes) {
        Ok(frame) => format!("{frame:?}"),
        Err(why) => format!("{} bytes that are no frame: {why}", bytes.len()),
    };
    let end = text
        .char_indices()
        .nth(200)
        .map_or(text.len(), |(at, _)| at);
    text.truncate(end);
    text
}

/// Frames that wait at an end for a way; further ones are lost with the link.
const MAX_STALLED: usize = 100_000;
/// The other end is told when so much has been taken, not of every frame: QUIC does the same.
const TELL_TAKEN: u64 = 32 * 1024;
const SHORTEST: Duration = Duration::from_micros(super::net::SHORTEST_US);
