//! Core nodes: the operator's half and the client's half.

use super::peers::parse_address;
use crate::command::{Client, Code, Core, Failure, Reply, RequestId};
use crate::node::{Inner, Turn};
use crate::waiting::What;
use custody::{CoreStanding, InviteTerms, Quota};
use identity::NodeId;
use rights::CoreInviteSeed;
use router::Standing;
use wire::{CoreLink, NodeAddress};

/// How long `way core use` waits for the core's answer, in milliseconds.
const CLAIM_TIMEOUT_MS: u64 = 20_000;

impl Inner {
    fn operator(&self) -> Result<(), Failure> {
        if self.host.keys.config.core {
            return Ok(());
        }
        let hint = "run it with `way up --core`";
        Err(Failure::new(
            Code::Refused,
            "this node is not a core node",
            hint,
        ))
    }

    pub(super) fn core_invite(
        &mut self,
        turn: &mut Turn<'_, '_>,
        quota: u64,
        uses: u32,
    ) -> Result<Reply, Failure> {
        self.operator()?;
        let at = self.first_address()?;
        let seed = CoreInviteSeed::generate(turn.cx.rng);
        let terms = InviteTerms {
            token: seed.token(),
            key: *seed.key().as_bytes(),
            quota: Quota {
                bytes: quota,
                ..self.host.custody.settings().quota
            },
            uses,
            until_ms: 0,
        };
        self.host
            .custody
            .invite(turn.cx, &terms)
            .map_err(from_refusal)?;
        let link = CoreLink {
            seed: *seed.as_bytes(),
            at,
        }
        .to_text()
        .map_err(from_link)?;
        Ok(Reply::CoreInvited { link, quota, uses })
    }

    /// Where this node tells others to find it.
    pub(super) fn first_address(&self) -> Result<NodeAddress, Failure> {
        self.own_addresses()
            .iter()
            .find_map(|address| address.parse().ok())
            .ok_or_else(|| {
                Failure::new(
                    Code::Failed,
                    "this node does not know an address at which others can reach it",
                    "name one with `way up --public HOST:PORT`",
                )
            })
    }

    pub(super) fn core_allow(
        &mut self,
        turn: &mut Turn<'_, '_>,
        node: &str,
        quota: u64,
    ) -> Result<Reply, Failure> {
        self.operator()?;
        let node = self.find_node(turn, node)?;
        let quota = Quota {
            bytes: quota,
            ..self.host.custody.settings().quota
        };
        self.host
            .custody
            .allow(turn.cx, node, Some(quota))
            .map_err(from_refusal)?;
        self.topics.room_again(turn.cx.now, None);
        if self.link_of(&node).is_some() {
            self.stands(turn, node, Standing::Client);
        }
        Ok(Reply::Done)
    }

    pub(super) fn core_deny(
        &mut self,
        turn: &mut Turn<'_, '_>,
        node: &str,
    ) -> Result<Reply, Failure> {
        self.operator()?;
        let id = self.find_node(turn, node)?;
        let held = self.host.custody.deny(turn.cx, id);
        let held_until = (held.bytes > 0).then_some(held.until_ms);
        Ok(Reply::CoreDenied {
            id,
            held_bytes: held.bytes,
            held_until,
        })
    }

    pub(super) fn core_clients(&mut self, turn: &mut Turn<'_, '_>) -> Reply {
        let clients = self.host.custody.clients(turn.cx);
        let clients = clients
            .into_iter()
            .map(|client| Client {
                id: client.node,
                quota: client.quota.bytes,
                used: client.reserved().saturating_add(client.headers),
                topics: client.topics,
                allowed: !client.denied,
                since: client.since_ms,
            })
            .collect();
        Reply::CoreClients(clients)
    }

    pub(crate) fn core_use(&mut self, turn: &mut Turn<'_, '_>, request: RequestId, text: &str) {
        match self.use_core(turn, text) {
            Ok(core) => self.wait(turn, request, What::Core(core), CLAIM_TIMEOUT_MS),
            Err(failure) => self.reply(turn, request, Reply::Failed(failure)),
        }
    }

    fn use_core(&mut self, turn: &mut Turn<'_, '_>, text: &str) -> Result<NodeId, Failure> {
        let text = text.trim();
        let (at, invite) = if text.to_ascii_lowercase().starts_with("way:") {
            let link: CoreLink = text.parse().map_err(from_link)?;
            let seed = CoreInviteSeed::from_bytes(link.seed);
            (link.at, Some((seed.token(), *seed.key().as_bytes())))
        } else {
            (parse_address(text)?, None)
        };
        if at.node == self.id {
            return Err(Failure::new(Code::Usage, "that is this node itself", ""));
        }
        self.mine
            .use_core(
                turn.cx,
                at.node,
                vec![at.authority()],
                invite,
                &mut turn.mine,
            )
            .map_err(from_refusal)?;
        let topics: Vec<u32> = self
            .host
            .keys
            .topics()
            .filter(|(_, keys)| keys.device.is_some() && !keys.row.left)
            .map(|(local, _)| local)
            .collect();
        for local in topics {
            self.want_served(turn, local);
        }
        if self.link_of(&at.node).is_some() {
            self.mine.up(turn.cx, at.node, &mut turn.mine);
        }
        Ok(at.node)
    }

    pub(super) fn core_leave(
        &mut self,
        turn: &mut Turn<'_, '_>,
        core: &str,
    ) -> Result<Reply, Failure> {
        let node = self.find_node(turn, core)?;
        self.mine
            .leave(turn.cx, node, true, &mut turn.mine)
            .map_err(from_refusal)?;
        self.tell_router_cores(turn);
        self.tell_soon(turn);
        Ok(Reply::Done)
    }

    pub(super) fn core_list(&mut self, turn: &mut Turn<'_, '_>) -> Reply {
        let cores = self.mine.list(turn.cx);
        let cores = cores
            .into_iter()
            .map(|core| Core {
                id: core.core,
                address: core.addresses.first().cloned().unwrap_or_default(),
                state: match core.standing {
                    CoreStanding::Asking => "asking",
                    CoreStanding::Agreed => "agreed",
                    CoreStanding::Refused => "refused",
                    CoreStanding::Leaving => "leaving",
                }
                .to_owned(),
                quota: core.agreed.quota,
                used: core.agreed.used,
                linked: core.linked,
                topics: u32::try_from(
                    core.topics
                        .iter()
                        .filter(|(_, served)| matches!(served, custody::ServedBy::Serving))
                        .count(),
                )
                .unwrap_or(u32::MAX),
            })
            .collect();
        Reply::Cores(cores)
    }
}

fn from_refusal(refusal: custody::Refusal) -> Failure {
    Failure::new(Code::Refused, refusal.text, "")
}

fn from_link(why: wire::LinkError) -> Failure {
    Failure::new(
        Code::Usage,
        why.to_string(),
        "copy the whole link, from way: to its end",
    )
}
