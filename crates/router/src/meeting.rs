//! Rendezvous: a core node tells two nodes, each behind an address translator, where it sees the other,
//! and both dial at once (docs/spec/router.md). This part decides when one is wanted, and whether
//! what a core node says is dialled.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use identity::NodeId;
use machine::{Cx, Outbox, Time};

use crate::event::Output;
use crate::limits::{
    MEETING_FIRST, MEETING_GROWTH, MEETING_LONGEST, MEETING_PAUSE, MEETING_PORT_MIN, MEETING_TIME,
    MEETINGS, MEETINGS_TIME,
};
use crate::router::{Router, Timer};
use crate::targets::{Cores, Phase, Target};

/// What stands before an address that is dialled over UDP alone: TCP opens no way through a
/// translator, and whoever is found at a wrong address gets as little as possible.
const UDP: &str = "udp://";

/// Whether a core node told the address, for one rendezvous.
pub(crate) fn is_told(address: &str) -> bool {
    address.starts_with(UDP)
}

/// How a node and the rendezvous with it stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meeting {
    /// How often one was asked for since the last good link.
    asked: u32,
    /// Before that time none is asked for.
    not_before: Option<Time>,
    /// The last that was agreed to, and the core node that arranged it.
    agreed: Option<(Time, NodeId)>,
    /// Nothing is dialled but what the core node has told; then this is when the node would have been
    /// dialled anyhow, if it would.
    alone: Option<Option<Time>>,
}

impl Meeting {
    /// A dial has failed. If nothing was dialled but what a core node had told, gives when the node is
    /// dialled next, if it is, as if there had been no rendezvous.
    pub(crate) fn came_to_nothing(&mut self) -> Option<Option<Time>> {
        self.alone.take()
    }

    /// There is a link.
    pub(crate) fn linked(&mut self) {
        self.alone = None;
    }

    /// A link was good, or the network is another one: what was in vain may not be any more.
    pub(crate) fn anew(&mut self) {
        self.asked = 0;
        self.not_before = None;
    }

    /// Who brought a link about that comes up now.
    pub(crate) fn arranged_by(&self, now: Time) -> Option<NodeId> {
        let (at, by) = self.agreed?;
        (now.since(at) < MEETING_TIME).then_some(by)
    }

    fn agrees(&mut self, now: Time, by: NodeId) {
        self.agreed = Some((now, by));
        self.not_before = self.not_before.max(Some(now.after(MEETING_FIRST)));
    }

    /// Whether one is asked for now; then the next one is put off.
    fn asks(&mut self, now: Time) -> bool {
        if self.not_before.is_some_and(|at| now < at) {
            return false;
        }
        let growth = MEETING_GROWTH.saturating_pow(self.asked.min(8));
        let wait = MEETING_FIRST.saturating_mul(growth).min(MEETING_LONGEST);
        self.asked = self.asked.saturating_add(1);
        self.not_before = Some(now.after(wait));
        true
    }
}

/// How many addresses that core nodes told are dialled.
#[derive(Debug, Default)]
pub(crate) struct Meetings {
    since: Option<Time>,
    count: usize,
}

impl Meetings {
    fn spend(&mut self, now: Time) -> bool {
        let over = |since: Time| now.since(since) >= MEETINGS_TIME;
        if self.since.is_none_or(over) {
            let since = Some(now);
            *self = Self { since, count: 0 };
        }
        let room = self.count < MEETINGS;
        self.count = self.count.saturating_add(usize::from(room));
        room
    }
}

impl Router {
    /// Where the peer of a node's open link is, if the link runs over UDP: for a core node that
    /// arranges a rendezvous.
    #[must_use]
    pub fn seen_at(&self, node: &NodeId) -> Option<SocketAddr> {
        let link = self.links.get(self.open.get(node)?)?;
        let at: SocketAddr = link.address.parse().ok()?;
        Some(SocketAddr::new(at.ip().to_canonical(), at.port()))
    }

    /// The node was not found at its addresses: perhaps a core node can arrange something.
    pub(crate) fn want_meeting(&mut self, cx: &Cx<'_>, node: &NodeId, out: &mut Outbox<Output>) {
        if self.cores() != Cores::Linked || !self.targets.trusts(node) {
            return;
        }
        let target = self.targets.get_mut(node);
        if target.is_some_and(|target| target.meeting.asks(cx.now)) {
            out.push(Output::Meet { node: *node });
        }
    }

    /// A core node with which there is a link says from where it sees a node that wants a
    /// rendezvous. Says whether it is dialled there, once, over UDP alone. It is not if it is not
    /// looked for anyhow, or is linked; if the address cannot be right; or if too many were.
    pub fn meet(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        (by, address): (NodeId, SocketAddr),
        out: &mut Outbox<Output>,
    ) -> bool {
        let mut with_it = self.links.values().filter(|link| link.node == node);
        let linked = with_it.any(|link| link.phase != crate::links::Phase::Closing);
        let near = self.seen_at(&by);
        if linked
            || !self.targets.trusts(&node)
            || !near.is_some_and(|near| is_plausible(address, near))
            || !self.targets.has_room_for_meeting()
        {
            return false;
        }
        let unlinked = |target: &&mut Target| target.phase != Phase::Linked;
        let Some(target) = self.targets.get_mut(&node).filter(unlinked) else {
            return false;
        };
        let agreed = target.meeting.agreed;
        if agreed.is_some_and(|(at, _)| cx.now.since(at) < MEETING_PAUSE)
            || !self.meetings.spend(cx.now)
        {
            return false;
        }
        target.meeting.agrees(cx.now, by);
        let next = match &target.phase {
            Phase::Waiting(at) => Some(*at),
            Phase::Queued => Some(Some(cx.now)),
            Phase::Dialling { .. } | Phase::Linked => None,
        };
        target.meet_at(cx.now, format!("{UDP}{address}"));
        target.meeting.alone = next;
        self.timers.clear(Timer::Dial(node));
        self.dial_next(cx, node, out);
        true
    }
}

/// Whether what is at a link's address is on a network of this node's own, by a private or link-local
/// address. Nothing is known of what is on this very host: it may stand for somebody far away, as a proxy
/// does.
pub(crate) fn is_near(address: &str) -> bool {
    let address = address.split_once("://").map_or(address, |(_, at)| at);
    let Ok(socket) = address.parse::<SocketAddr>() else {
        return false;
    };
    let ip = socket.ip().to_canonical();
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let shared = matches!(ip, IpAddr::V4(ip) if is_shared(ip));
    link_local || (reach(ip) == Some(Reach::Private) && !shared)
}

/// How far a network reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Host,
    Private,
    World,
}

/// Whether a core node that is seen at `near` may say that somebody is there. It may lie: no more is
/// believed than that somebody is no nearer than itself, so that nobody outside leads a node to its
/// own network; and nothing is sent to many at once, or where well-known services listen.
fn is_plausible(address: SocketAddr, near: SocketAddr) -> bool {
    let (Some(reach), Some(least)) = (reach(address.ip()), reach(near.ip())) else {
        return false;
    };
    address.port() >= MEETING_PORT_MIN && reach >= least && address.is_ipv4() == near.is_ipv4()
}

/// Nothing for what is no address of one host.
fn reach(ip: IpAddr) -> Option<Reach> {
    match ip {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

/// RFC 6598: between a carrier and its customers.
const fn is_shared(ip: Ipv4Addr) -> bool {
    ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64
}

fn reach_v4(ip: Ipv4Addr) -> Option<Reach> {
    let shared = is_shared(ip);
    match ip.octets()[0] {
        0 | 224.. => None,
        _ if ip.is_link_local() => None,
        127 => Some(Reach::Host),
        _ if ip.is_private() || shared => Some(Reach::Private),
        _ => Some(Reach::World),
    }
}

fn reach_v6(ip: Ipv6Addr) -> Option<Reach> {
    let private = ip.is_unique_local();
    match ip {
        Ipv6Addr::LOCALHOST => Some(Reach::Host),
        _ if private => Some(Reach::Private),
        // RFC 4291: what is global begins with these bits, of all that was ever given out.
        _ if ip.segments()[0] & 0xe000 == 0x2000 => Some(Reach::World),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plausible(address: &str, near: &str) -> bool {
        is_plausible(address.parse().unwrap(), near.parse().unwrap())
    }

    #[test]
    fn who_is_near_has_an_address_of_an_own_network() {
        for near in [
            "quic://192.168.1.7:4433",
            "tls://10.0.0.1:443",
            "172.20.1.1:9",
            "169.254.3.4:4433",
            "tls://[fd00::7]:4433",
            "quic://[fe80::1]:4433",
            "quic://[::ffff:192.168.1.7]:4433",
        ] {
            assert!(is_near(near), "{near}");
        }
        for far in [
            "quic://203.0.113.7:4433",
            "quic://100.64.1.2:4433",
            "tls://127.0.0.1:9050",
            "[::1]:4433",
            "tls://[2001:db8::2]:4433",
            "tls://example.onion:443",
            "quic://192.168.1.7",
            "",
        ] {
            assert!(!is_near(far), "{far}");
        }
    }

    #[test]
    fn only_one_host_no_nearer_than_the_core_node_is_plausible() {
        let world = "198.51.100.1:4433";
        for good in ["203.0.113.7:1024", "8.8.8.8:65535", "100.63.0.1:4433"] {
            assert!(plausible(good, world), "{good}");
        }
        for bad in [
            "203.0.113.7:53",
            "203.0.113.7:1023",
            "0.0.0.0:4433",
            "0.1.2.3:4433",
            "255.255.255.255:4433",
            "224.0.0.251:5353",
            "239.1.1.1:4433",
            "240.0.0.1:4433",
            "169.254.169.254:4433",
            "127.0.0.1:4433",
            "127.9.9.9:4433",
            "10.0.0.1:4433",
            "172.16.0.1:4433",
            "192.168.1.1:4433",
            "100.64.0.1:4433",
            "100.127.255.255:4433",
            "[2001:db8::1]:4433",
        ] {
            assert!(!plausible(bad, world), "{bad}");
        }
        let six = "[2001:db8::1]:4433";
        assert!(plausible("[2001:db8::2]:4433", six));
        for bad in [
            "[::]:4433",
            "[::1]:4433",
            "[fe80::1]:4433",
            "[fd00::1]:4433",
            "[ff02::1]:4433",
            "[ff0e::1]:4433",
            "[64:ff9b::1]:4433",
            "203.0.113.7:4433",
        ] {
            assert!(!plausible(bad, six), "{bad}");
        }
        // Where the core node itself is near, others may be.
        assert!(plausible("192.168.1.1:4433", "10.0.0.1:4433"));
        assert!(plausible("203.0.113.7:4433", "10.0.0.1:4433"));
        assert!(!plausible("127.0.0.1:4433", "10.0.0.1:4433"));
        assert!(plausible("127.0.0.1:4433", "127.0.0.1:4434"));
        assert!(plausible("[fd00::1]:4433", "[fd00::2]:4433"));
        assert!(plausible("[::1]:4433", "[::1]:4434"));
    }

    #[test]
    fn what_is_in_vain_is_asked_for_ever_more_rarely() {
        let mut meeting = Meeting::default();
        let (mut now, mut asked) = (Time::from_micros(1), 0);
        let day = core::time::Duration::from_secs(24 * 3600);
        while now.since(Time::ZERO) < day {
            asked += u32::from(meeting.asks(now));
            now = now.after(core::time::Duration::from_secs(1));
        }
        assert_eq!(asked, 9);
        meeting.anew();
        assert!(meeting.asks(now));
    }

    #[test]
    fn an_hour_has_so_many_and_no_more() {
        let mut meetings = Meetings::default();
        let now = Time::from_micros(7);
        let spent = (0..1_000).filter(|_| meetings.spend(now)).count();
        assert_eq!(spent, MEETINGS);
        assert!(!meetings.spend(now.after(MEETINGS_TIME / 2)));
        assert!(meetings.spend(now.after(MEETINGS_TIME)));
    }
}
