//! The node itself, and its peers.

use crate::command::{Code, Failure, Peer, Problem, Reply, RequestId, Status};
use crate::node::{Inner, Turn};
use crate::waiting::What;
use router::{PeerError, Reach, Why};
use wire::{NodeAddress, UriScheme};

/// What helps whoever wants a link that `reach = core` does not allow.
const BY_CORES: &str = "a core node is named with `way core use`; everybody else is reached through one that both \
                        use. To be linked with others, change `reach` in config.toml and start again";

impl Inner {
    pub(super) fn status(&mut self, turn: &mut Turn<'_, '_>) -> Reply {
        let links = u32::try_from(self.links.len()).unwrap_or(u32::MAX);
        let topics = u32::try_from(self.host.keys.topics().count()).unwrap_or(u32::MAX);
        let mut problems = self.problems.list();
        if self.host.full {
            problems.push(Problem {
                code: "full".to_owned(),
                text: "the disk is full: nothing new is taken".to_owned(),
                hint: "free some space; reading, handing over and expiry go on".to_owned(),
            });
        }
        problems.extend(self.reach_problem(turn));
        problems.extend(self.core_problems(turn, None));
        problems.extend(self.owner_problems(turn));
        problems.extend(self.ended_problems(turn));
        Reply::Status(Status {
            id: self.id,
            name: self.router.name().to_owned(),
            core: self.host.keys.config.core,
            reach: self.router.reach(),
            links,
            topics,
            queued: self.router.waiting().saturating_add(self.undelivered(turn)),
            store_bytes: self.store_bytes,
            store_limit: self.host.keys.config.store_limit,
            rules: self.router.acl().rules().summary(),
            cores: self.own_cores(turn),
            problems,
        })
    }

    /// A node that is within reach of its core nodes alone, and has none, is within nobody's.
    fn reach_problem(&self, turn: &mut Turn<'_, '_>) -> Option<Problem> {
        let alone = self.router.reach() == Reach::Core && self.mine.list(turn.cx).is_empty();
        alone.then(|| Problem {
            code: "reach".to_owned(),
            text: "this node is within reach of its core nodes alone (reach = core), and uses none"
                .to_owned(),
            hint: "use a core node (`way core use`), or change `reach` in config.toml".to_owned(),
        })
    }

    pub(super) fn set_name(
        &mut self,
        turn: &mut Turn<'_, '_>,
        name: &str,
    ) -> Result<Reply, Failure> {
        if name.len() > wire::limits::MAX_NAME || !wire::is_shown_text(name) {
            return Err(Failure::new(
                Code::Usage,
                format!(
                    "a name has at most {} bytes and no control characters",
                    wire::limits::MAX_NAME
                ),
                "choose a shorter one",
            ));
        }
        self.router.set_name(turn.cx, name, &mut turn.router);
        self.tell_soon(turn);
        Ok(Reply::Done)
    }

    pub(super) fn peer_add(
        &mut self,
        turn: &mut Turn<'_, '_>,
        address: &str,
    ) -> Result<Reply, Failure> {
        let address = parse_address(address)?;
        self.router
            .peer_add(
                turn.cx,
                address.node,
                &[address.authority()],
                &mut turn.router,
            )
            .map_err(|why| match why {
                PeerError::Reach => Failure::new(Code::Refused, why.to_string(), BY_CORES),
                PeerError::Oneself | PeerError::TooMany | PeerError::Address => {
                    Failure::new(Code::Failed, why.to_string(), "")
                }
            })?;
        Ok(Reply::PeerAdded { id: address.node })
    }

    pub(super) fn peer_remove(
        &mut self,
        turn: &mut Turn<'_, '_>,
        peer: &str,
    ) -> Result<Reply, Failure> {
        let node = self.find_node(turn, peer)?;
        if self.router.peer_remove(turn.cx, &node) {
            Ok(Reply::Done)
        } else {
            Err(Failure::new(
                Code::NotFound,
                "that node was not added by hand",
                "links to cores and members come and go with them",
            ))
        }
    }

    pub(super) fn peers(&mut self, turn: &mut Turn<'_, '_>) -> Reply {
        let mut peers = Vec::new();
        let labels = self.node_labels(turn);
        for state in self.router.peers(turn.cx) {
            let client = self.host.custody.is_client(turn.cx, &state.node);
            let why = match state.why {
                _ if state.added => "added",
                Some(Why::Peer) => "added",
                Some(Why::Core) => "core",
                Some(Why::TopicCore) => "topic-core",
                Some(Why::Member | Why::Shortcut) => "member",
                Some(Why::Way) => "topic-way",
                Some(Why::Device) => "device",
                Some(Why::Mail) => "mail",
                Some(Why::Errand) => "invite",
                None if client => "client",
                None => "incoming",
            };
            // A link over TLS and TCP has that before its address.
            let (over, address) = state
                .address
                .split_once("://")
                .unwrap_or((UriScheme::Quic.name(), &state.address));
            peers.push(Peer {
                id: state.node,
                name: labels.show(&state.node),
                linked: state.linked,
                transport: if state.linked {
                    over.to_owned()
                } else {
                    String::new()
                },
                address: address.to_owned(),
                round_trip_us: state
                    .round_trip
                    .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
                since: state.since_ms,
                why: why.to_owned(),
                by: state.by,
            });
        }
        Reply::Peers(peers)
    }

    pub(super) fn ping(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        node: &str,
        timeout_ms: u64,
    ) {
        match self.find_node(turn, node) {
            Ok(node) => {
                let path = if self.link_of(&node).is_some() {
                    "direct"
                } else {
                    "no link yet"
                };
                let token = self.router.echo(turn.cx, node, &mut turn.router);
                let what = What::Echo {
                    token,
                    path: path.to_owned(),
                };
                self.wait(turn, request, what, timeout_ms);
            }
            Err(failure) => self.reply(turn, request, Reply::Failed(failure)),
        }
    }
}

/// An address that a person typed.
pub(super) fn parse_address(text: &str) -> Result<NodeAddress, Failure> {
    text.trim().parse().map_err(|why: wire::AddressError| {
        Failure::new(
            Code::Usage,
            why.to_string(),
            "`way id` prints a node's own addresses",
        )
    })
}
