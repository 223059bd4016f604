//! Where nodes are, who can reach whom, and how packets fare between them. Read by all nodes during
//! a window of time, changed by the world between windows.

use crate::plan::{Act, NodeNo, Path, Place, Plan, Site, SiteNo, TopicNo};
use identity::NodeId;
use machine::Time;
use std::collections::{BTreeMap, BTreeSet};

/// One direction in which packets are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    from: Place,
    to: Place,
}

/// The network as it is now.
#[derive(Debug)]
pub(crate) struct Net {
    sites: Vec<Site>,
    /// At which site each node is.
    at: Vec<SiteNo>,
    ids: Vec<NodeId>,
    cuts: Vec<Cut>,
    /// The newest links to each topic, once its founder has told them around.
    pub(crate) links: Links,
    /// Liars lie.
    pub(crate) lies: bool,
    /// Who raids others.
    raiders: BTreeSet<NodeNo>,
}

/// Links as people have told them to one another, the newest of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// Invites to a topic: for everybody, or for one.
    invites: BTreeMap<(TopicNo, Option<NodeNo>), String>,
    /// Where a public topic is found.
    public: BTreeMap<TopicNo, String>,
    /// What makes a node a device of its person; nothing once it is one.
    devices: BTreeMap<NodeNo, Option<String>>,
}

impl Links {
    /// Somebody has an invite to give: to everybody, or to one.
    pub(crate) fn tell(&mut self, topic: TopicNo, to: Option<NodeNo>, link: String) {
        self.invites.insert((topic, to), link);
    }

    /// Somebody says where a public topic is found.
    pub(crate) fn tell_public(&mut self, topic: TopicNo, link: String) {
        self.public.insert(topic, link);
    }

    /// The newest invite that somebody was told.
    pub(crate) fn of(&self, topic: TopicNo, node: NodeNo) -> Option<&String> {
        let own = self.invites.get(&(topic, Some(node)));
        own.or_else(|| self.invites.get(&(topic, None)))
    }

    /// Where a public topic is found, as everybody has heard.
    pub(crate) fn public(&self, topic: TopicNo) -> Option<&String> {
        self.public.get(&topic)
    }

    /// A person has made a link for another device, or that one says that it has used it.
    pub(crate) fn tell_device(&mut self, device: NodeNo, link: Option<String>) {
        self.devices.insert(device, link);
    }

    /// The newest link for a device that has used none yet.
    pub(crate) fn device(&self, device: NodeNo) -> Option<&String> {
        self.devices.get(&device)?.as_ref()
    }

    /// Whether a device has used its link, as its person has heard.
    pub(crate) fn is_device(&self, device: NodeNo) -> bool {
        self.devices.get(&device).is_some_and(Option::is_none)
    }

    #[cfg(test)]
    pub(crate) fn clear(&mut self) {
        self.invites.clear();
    }
}

/// How addresses in open sites begin.
const WORLD: &str = "20";

impl Net {
    pub(crate) fn new(plan: &Plan, ids: Vec<NodeId>) -> Self {
        let raiders = plan.steps.iter().filter_map(|step| match step.act {
            Act::Raid { node, .. } => Some(node),
            _ => None,
        });
        Self {
            sites: plan.sites.clone(),
            at: plan.nodes.iter().map(|node| node.site).collect(),
            ids,
            cuts: Vec::new(),
            links: Links::default(),
            lies: true,
            raiders: raiders.collect(),
        }
    }

    /// Whether a node is an outsider that raids others.
    pub(crate) fn raids(&self, no: NodeNo) -> bool {
        self.raiders.contains(&no)
    }

    pub(crate) fn id(&self, no: NodeNo) -> NodeId {
        self.ids[no as usize]
    }

    /// The address at which a node listens now: its site is part of it.
    pub(crate) fn address(&self, no: NodeNo) -> String {
        let site = self.at[no as usize];
        // What is open has an address of the world, and what is not one of its own network.
        let open = self.sites[site as usize].open;
        let first = if open { WORLD } else { "10" };
        format!("{first}.{site}.{}.{}:4433", no / 250, no % 250 + 1)
    }

    /// The node that listens at an address.
    pub(crate) fn at_address(&self, address: &str) -> Option<NodeNo> {
        let host = address.strip_suffix(":4433")?;
        let (_, host) = host.split_once('.')?;
        let mut parts = host.split('.').map(str::parse::<u32>);
        let mut next = || parts.next().and_then(Result::ok);
        let (site, high, low) = (next()?, next()?, next()?);
        let no = high.checked_mul(250)?.checked_add(low.checked_sub(1)?)?;
        (self.at.get(no as usize) == Some(&site)).then_some(no)
    }

    /// How packets fare from one node to another; nothing where there is no way at all, now.
    pub(crate) fn path(&self, from: NodeNo, to: NodeNo) -> Option<Path> {
        let (here, there) = (self.at[from as usize], self.at[to as usize]);
        if !self.cuts.is_empty() {
            let is = |place: Place, no: NodeNo, site: SiteNo| match place {
                Place::Node(node) => node == no,
                Place::Site(other) => other == site,
            };
            let cut = |cut: &Cut| is(cut.from, from, here) && is(cut.to, to, there);
            if self.cuts.iter().any(cut) {
                return None;
            }
        }
        let (near, far) = (
            self.sites.get(here as usize)?,
            self.sites.get(there as usize)?,
        );
        if here == there && !near.apart {
            return Some(near.inside);
        }
        Some(along(near.uplink?, far.uplink?))
    }

    /// Whether a dial from one node to another can succeed: there is a way both ways, and the other
    /// is in the same place or in one that lets callers in.
    pub(crate) fn can_dial(&self, from: NodeNo, to: NodeNo) -> bool {
        let (here, there) = (self.at[from as usize], self.at[to as usize]);
        let site = self.sites.get(there as usize);
        let lets_in = site.is_some_and(|site| !site.apart && (here == there || site.open));
        lets_in && self.path(from, to).is_some() && self.path(to, from).is_some()
    }

    pub(crate) fn cut(&mut self, from: Place, to: Place, both: bool) {
        self.cuts.push(Cut { from, to });
        if both {
            self.cuts.push(Cut { from: to, to: from });
        }
    }

    pub(crate) fn mend(&mut self, from: Place, to: Place) {
        let is = |cut: &Cut| (cut.from, cut.to) == (from, to) || (cut.from, cut.to) == (to, from);
        self.cuts.retain(|cut| !is(cut));
    }

    pub(crate) fn mend_all(&mut self) {
        self.cuts.clear();
    }

    pub(crate) fn move_to(&mut self, no: NodeNo, site: SiteNo) {
        self.at[no as usize] = site;
    }

    pub(crate) fn weather(&mut self, site: SiteNo, inside: Path, uplink: Option<Path>) {
        if let Some(site) = self.sites.get_mut(site as usize) {
            site.inside = inside;
            site.uplink = uplink;
        }
    }
}

/// Nothing travels faster, whatever a plan says, in microseconds.
pub(crate) const SHORTEST_US: u64 = 50;

/// Two uplinks, one after the other.
fn along(near: Path, far: Path) -> Path {
    let kbit = match (near.kbit, far.kbit) {
        (0, other) | (other, 0) => other,
        (near, far) => near.min(far),
    };
    Path {
        latency_us: near.latency_us.saturating_add(far.latency_us),
        jitter_us: near.jitter_us.saturating_add(far.jitter_us),
        loss_ppm: near.loss_ppm.saturating_add(far.loss_ppm),
        duplicate_ppm: near.duplicate_ppm.saturating_add(far.duplicate_ppm),
        reorder_ppm: near.reorder_ppm.saturating_add(far.reorder_ppm),
        kbit,
    }
}

/// How long a frame is on its way, from when its first packet leaves.
pub(crate) fn travel(path: &Path, bytes: u64, rng: &mut machine::Rng) -> u64 {
    let packets = bytes.div_ceil(PACKET).max(1);
    let latency = path.latency_us.max(SHORTEST_US);
    let mut worst = latency;
    if path.jitter_us > 0 {
        worst += rng.below(path.jitter_us + 1);
    }
    let faulty = u64::from(path.loss_ppm) + u64::from(path.reorder_ppm);
    if faulty == 0 {
        return worst;
    }
    for _ in 0..packets {
        let mut late = latency;
        // A lost packet is missed after a round trip and comes again half a one later.
        let mut tries = 0;
        while rng.below(MILLION) < u64::from(path.loss_ppm) && tries < MAX_TRIES {
            late += 2 * latency + 2 * path.jitter_us + ACK_DELAY_US;
            tries += 1;
        }
        if rng.below(MILLION) < u64::from(path.reorder_ppm) {
            late += latency;
        }
        worst = worst.max(late);
    }
    worst
}

/// How long the wire is busy with a frame.
pub(crate) fn transmission(path: &Path, bytes: u64, rng: &mut machine::Rng) -> u64 {
    if path.kbit == 0 {
        return 0;
    }
    let again = rng.below(MILLION) < u64::from(path.duplicate_ppm);
    let bytes = if again { 2 * bytes } else { bytes };
    // A kilobit a second is a bit a millisecond.
    (bytes + PACKET_OVERHEAD) * 8 * 1_000 / path.kbit
}

/// Bytes of a frame that one packet takes.
const PACKET: u64 = 1_200;
/// What the layers below add to a frame.
const PACKET_OVERHEAD: u64 = 60;
/// By how much an acknowledgement may be late (RFC 9000, 18.2).
const ACK_DELAY_US: u64 = 25_000;
/// Losses in a row after which a packet gets through all the same: what lasts longer is a cut.
const MAX_TRIES: u32 = 8;
const MILLION: u64 = 1_000_000;

/// The world's time in microseconds, as a [`Time`].
pub(crate) const fn at(micros: u64) -> Time {
    Time::from_micros(micros)
}
