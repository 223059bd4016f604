//! Peers that are not known: what they may cost, and how they become known.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use identity::NodeId;
use machine::{Cx, Outbox, Time};
use wire::frame::Subject;
use wire::{Code, Frame};

use crate::event::{LinkId, Output, Standing};
use crate::limits::{
    CLAIM_BYTES, CLAIM_TIME, MAX_CLAIMING, MAX_LINGERING, MAX_READERS, MAX_SORRY,
    MAX_STRANGERS_PER_HOST, SORRY_EVERY, STRANGER_BYTES, STRANGER_TIME, SWEEP_EVERY,
};
use crate::links::{Link, Phase, Trust};
use crate::router::{Router, Timer};

/// Peers that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crowd {
    /// Of which nothing is known.
    Strangers,
    /// Which take up an invite.
    Claiming,
    /// Which read public topics.
    Readers,
}

impl Crowd {
    /// Whether a link belongs here. One with a node of our own key has its own rules.
    fn has(self, me: NodeId, link: &Link) -> bool {
        let trust = match link.trust {
            Trust::Stranger(_) => Self::Strangers,
            Trust::Claiming(_) => Self::Claiming,
            Trust::Reading => Self::Readers,
            Trust::Known => return false,
        };
        trust == self && link.phase != Phase::Closing && link.node != me
    }
}

impl Router {
    /// A link with a node is up of which the router knows nothing. Whether it is a client the rest
    /// of the node answers in this turn, so it is let in and counts from the next turn on; whoever
    /// came before has been asked after.
    pub(crate) fn met(
        &mut self,
        cx: &mut Cx<'_>,
        id: LinkId,
        node: NodeId,
        out: &mut Outbox<Output>,
    ) {
        self.timers
            .set(Timer::Stranger(id), cx.now.after(STRANGER_TIME));
        if self.too_many(Crowd::Strangers, Some(id)).is_some() {
            self.thin_out_but(cx, Crowd::Strangers, Some(id), out);
        }
        if self.too_many(Crowd::Strangers, None).is_some() {
            self.timers.set(Timer::Crowd, cx.now);
        }
        out.push(Output::Met { link: id, node });
    }

    /// Closes links until no more than the limits are left.
    pub(crate) fn thin_out(&mut self, cx: &mut Cx<'_>, crowd: Crowd, out: &mut Outbox<Output>) {
        self.thin_out_but(cx, crowd, None, out);
    }

    fn thin_out_but(
        &mut self,
        cx: &mut Cx<'_>,
        crowd: Crowd,
        but: Option<LinkId>,
        out: &mut Outbox<Output>,
    ) {
        while let Some(id) = self.too_many(crowd, but) {
            self.close(cx, id, Code::RATE, "too many strangers at once", out);
        }
    }

    /// If there are too many, all in all or from one host: the oldest link of the host with the most.
    /// So whoever comes alone from its host is the last to go, however many come from others.
    fn too_many(&self, crowd: Crowd, but: Option<LinkId>) -> Option<LinkId> {
        let (max, of_host) = match crowd {
            Crowd::Strangers => (self.config.max_strangers, MAX_STRANGERS_PER_HOST),
            Crowd::Claiming => (MAX_CLAIMING, MAX_STRANGERS_PER_HOST),
            Crowd::Readers => (MAX_READERS, MAX_READERS),
        };
        let mut hosts: BTreeMap<String, (usize, LinkId)> = BTreeMap::new();
        let mut all = 0_usize;
        for (id, link) in &self.links {
            if crowd.has(self.me, link) && Some(*id) != but {
                // Link numbers grow, so the first of a host is its oldest.
                let (count, _) = hosts.entry(host(&link.address)).or_insert((0, *id));
                *count = count.saturating_add(1);
                all = all.saturating_add(1);
            }
        }
        let (count, oldest) = hosts
            .into_values()
            .max_by_key(|(count, oldest)| (*count, core::cmp::Reverse(*oldest)))?;
        (all > max || count > of_host).then_some(oldest)
    }

    /// Checks what must always hold; for tests and the simulator.
    pub(crate) fn check_crowds(&self) {
        let asked = self.timers.get(Timer::Crowd).is_some();
        let count = |crowd: Crowd| {
            let crowd = self.links.values().filter(|l| crowd.has(self.me, l));
            crowd.count()
        };
        let strangers = count(Crowd::Strangers);
        let max = self.config.max_strangers.saturating_add(usize::from(asked));
        assert!(strangers <= max, "{strangers} strangers");
        assert!(count(Crowd::Claiming) <= MAX_CLAIMING, "claiming");
        assert!(count(Crowd::Readers) <= MAX_READERS, "readers");
    }

    /// The node has found out something about a peer.
    pub(crate) fn standing(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        standing: Standing,
        out: &mut Outbox<Output>,
    ) {
        if standing == Standing::Stranger && self.targets.trusts(&node) {
            // There is another reason for it.
            return;
        }
        let links = self.links.iter().filter(|(_, link)| link.node == node);
        let links: Vec<LinkId> = links.map(|(id, _)| *id).collect();
        for id in links {
            let Some(link) = self.links.get_mut(&id) else {
                continue;
            };
            if link.phase == Phase::Closing {
                continue;
            }
            match (standing, link.trust) {
                // Told at once, it would know that it is denied and not unknown.
                (Standing::Denied, Trust::Stranger(_) | Trust::Claiming(_)) => link.denied = true,
                (Standing::Denied, Trust::Reading) => {
                    link.denied = true;
                    link.trust = Trust::Stranger(0);
                    let end = cx.now.after(STRANGER_TIME);
                    self.timers.set(Timer::Stranger(id), end);
                }
                (Standing::Member | Standing::Reader, _) if link.denied => {}
                (Standing::Denied, Trust::Known) => {
                    let text = "the operator of this node denied yours";
                    self.refused_by_us(cx, id, Code::DENIED, text, out);
                }
                (Standing::Claiming, Trust::Stranger(bytes)) => {
                    link.trust = Trust::Claiming(bytes);
                    let end = link.up.after(CLAIM_TIME).max(cx.now);
                    self.timers.set(Timer::Stranger(id), end);
                }
                (Standing::Stranger, Trust::Known) => {
                    link.trust = Trust::Stranger(0);
                    let end = cx.now.after(STRANGER_TIME);
                    self.timers.set(Timer::Stranger(id), end);
                    self.timers.set(Timer::Crowd, cx.now);
                }
                (Standing::Claiming | Standing::Stranger, _)
                | (_, Trust::Known)
                | (Standing::Reader, Trust::Reading) => {}
                (Standing::Reader, Trust::Stranger(_) | Trust::Claiming(_)) => {
                    link.trust = Trust::Reading;
                    self.timers.clear(Timer::Stranger(id));
                }
                (Standing::Member | Standing::Client, _) => {
                    link.trust = Trust::Known;
                    link.denied = false;
                    // It hears of everything from now on; what waits is about before.
                    link.sorry.retain(is_about_mail);
                    self.timers.clear(Timer::Stranger(id));
                    self.is_known_and_greeted(cx, id, out);
                }
            }
        }
        if matches!(
            standing,
            Standing::Reader | Standing::Member | Standing::Client
        ) {
            self.is_shown_to(cx.now, &node);
        }
        if standing == Standing::Reader {
            self.thin_out(cx, Crowd::Readers, out);
        }
        if standing == Standing::Claiming {
            self.thin_out(cx, Crowd::Claiming, out);
        }
    }

    pub(crate) fn stranger_late(&mut self, cx: &mut Cx<'_>, id: LinkId, out: &mut Outbox<Output>) {
        if self.links.get(&id).is_some_and(|link| !link.is_let_in()) {
            self.refused_by_us(cx, id, Code::STRANGER, SORRY, out);
        }
    }

    /// The host from which a linked node comes that is not known, though it may read public topics, and when it
    /// last said something. Nothing of one that is known.
    #[must_use]
    pub fn unknown(&self, node: &NodeId) -> Option<(String, Time)> {
        let link = self.open.get(node).and_then(|link| self.links.get(link));
        let link = link.filter(|link| !link.is_known())?;
        Some((host(&link.address), link.used))
    }

    /// Closes the links of a node that is not known, because another takes its place.
    pub fn show_out(&mut self, cx: &mut Cx<'_>, node: &NodeId, out: &mut Outbox<Output>) {
        let links = self.links.iter();
        let links = links.filter(|(_, link)| link.node == *node && !link.is_known());
        let links: Vec<LinkId> = links.map(|(id, _)| *id).collect();
        for id in links {
            self.close(cx, id, Code::RATE, "too many readers at once", out);
        }
    }

    /// Whether the peer of this link is no stranger.
    #[must_use]
    pub fn is_known(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(Link::is_known)
    }

    /// Whether the operator denied the peer of this link, which is not known and is not to learn it.
    #[must_use]
    pub fn is_denied(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|link| link.denied)
    }

    /// Whether the link was closed here, or is about to be: what comes on it means nothing.
    #[must_use]
    pub fn ignores(&self, link: LinkId) -> bool {
        let link = self.links.get(&link);
        link.is_none_or(|link| link.phase == Phase::Closing)
    }

    /// Refuses something to a peer that is not known: in the same words whatever the reason is, and
    /// at a time that the reason has no part in. What it was about is named only where the peer
    /// itself made that name.
    pub fn sorry(&mut self, cx: &Cx<'_>, link: LinkId, subject: Subject) {
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        if state.phase == Phase::Closing || state.sorry.len() >= MAX_SORRY {
            return;
        }
        state.sorry.push(match subject {
            // Mail waits until this node knows its source; it is offered again by itself.
            Subject::Mail(_) => Frame::Refused {
                subject,
                code: Code::STRANGER,
                text: SORRY.to_owned(),
                retry: cx
                    .wall
                    .after(SWEEP_EVERY)
                    .as_millis()
                    .min(wire::limits::MAX_TIME_MS),
            },
            Subject::Link | Subject::Topic(_) | Subject::Box(_) => Frame::refused_stranger(),
        });
        self.sorry_soon(cx, link);
    }

    /// Sets the moment of a refusal: a whole number of steps after the link was up.
    pub(crate) fn sorry_soon(&mut self, cx: &Cx<'_>, id: LinkId) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let step = SORRY_EVERY.as_micros();
        let steps = cx.now.since(link.up).as_micros().div_ceil(step).max(1);
        let wait = u64::try_from(steps.saturating_mul(step)).unwrap_or(u64::MAX);
        let at = link.up.after(Duration::from_micros(wait));
        self.timers.set(Timer::Sorry(id), at);
    }

    pub(crate) fn say_sorry(&mut self, _: &Cx<'_>, id: LinkId, out: &mut Outbox<Output>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.phase == Phase::Closing {
            return self.say_bye(id, Code::STRANGER, SORRY, out);
        }
        for frame in core::mem::take(&mut link.sorry) {
            // Whether it is known may rest on what this turn, or one before, has stored.
            out.push(Output::Send { link: id, frame });
        }
    }

    /// Makes room for one more link that was closed and waits to say so: of too many the oldest says
    /// it now.
    pub(crate) fn hurry_oldest(&mut self, out: &mut Outbox<Output>) {
        let waits = |(id, link): &(&LinkId, &Link)| {
            link.phase == Phase::Closing && self.timers.get(Timer::Sorry(**id)).is_some()
        };
        let waiting: Vec<LinkId> = self.links.iter().filter(waits).map(|(id, _)| *id).collect();
        if let Some(oldest) = waiting.first().filter(|_| waiting.len() >= MAX_LINGERING) {
            self.timers.clear(Timer::Sorry(*oldest));
            self.say_bye(*oldest, Code::STRANGER, SORRY, out);
        }
    }
}

/// All that a peer which is not known is told, whatever the reason is: that nobody knows it, that the
/// operator denied it, that there are too many, that it sent what it may not.
const SORRY: &str = "this node does not know yours, or takes nothing from it now";

fn is_about_mail(frame: &Frame) -> bool {
    let about = Subject::Link;
    matches!(frame, Frame::Refused { subject, .. } if *subject != about)
}

/// Whether the code of a closing would tell a peer which is not known more than it is to hear. Of
/// the others `version` is about the protocol, and the rest about its own links.
pub(crate) fn tells_strangers(code: Code) -> bool {
    !matches!(code, Code::VERSION | Code::CLOSING | Code::DUPLICATE_LINK)
}

/// Counts the bytes of a peer that is not known; says whether it may go on.
pub(crate) fn spend(link: &mut Link, len: usize) -> bool {
    // usize is at most 64 bits wide on every platform Rust supports.
    let len = len as u64;
    let (bytes, limit) = match &mut link.trust {
        Trust::Stranger(bytes) => (bytes, STRANGER_BYTES),
        Trust::Claiming(bytes) => (bytes, CLAIM_BYTES),
        Trust::Reading | Trust::Known => return true,
    };
    *bytes = bytes.saturating_add(len);
    *bytes <= limit
}

/// The part of a link's address that says which host it is: of IPv6 the network, of which one host
/// has all addresses; of what is no such address, the text without the port.
fn host(address: &str) -> String {
    // The same host over another transport is the same host.
    let address = address.split_once("://").map_or(address, |(_, at)| at);
    let Ok(socket) = address.parse::<SocketAddr>() else {
        let host = address.rsplit_once(':').map(|(host, _)| host);
        return host.unwrap_or(address).to_owned();
    };
    match socket.ip().to_canonical() {
        IpAddr::V6(ip) => {
            let network = u128::from(ip) & !u128::from(u64::MAX);
            Ipv6Addr::from(network).to_string()
        }
        ip @ IpAddr::V4(_) => ip.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn a_host_is_an_address_without_its_port() {
        for (address, expected) in [
            ("10.0.0.7:4433", "10.0.0.7"),
            ("[::ffff:10.0.0.7]:4433", "10.0.0.7"),
            ("[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1:2::"),
            ("[2001:db8:1:2::9]:2", "2001:db8:1:2::"),
            ("tls://10.0.0.7:4433", "10.0.0.7"),
            ("tls://[2001:db8:1:2::9]:2", "2001:db8:1:2::"),
            ("peer:1", "peer"),
            ("somewhere", "somewhere"),
            ("", ""),
        ] {
            assert_eq!(host(address), expected, "{address}");
        }
    }
}
