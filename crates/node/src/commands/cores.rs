//! Core nodes: the operator's half and the client's half.

use super::peers::parse_address;
use crate::command::{Client, Code, Failure, Reply, RequestId};
use crate::host::code_of;
use crate::io::LinkId;
use crate::node::{Inner, Turn};
use crate::rows::{NODE, RETIRES};
use crate::waiting::What;
use custody::{Agreed, InviteTerms, Quota, Refusal, Usage};
use identity::NodeId;
use rights::CoreInviteSeed;
use router::Standing;
use wire::frame::TopicUsage;
use wire::{CoreLink, Frame, NodeAddress};

// All topics of a report go into one frame.
const _: () = assert!(custody::limits::MAX_USAGE_TOPICS == wire::limits::MAX_USAGE_TOPICS);

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
        self.open_invite(turn, &seed, quota, uses)?;
        let link = CoreLink {
            seed: *seed.as_bytes(),
            at,
        }
        .to_text()
        .map_err(from_link)?;
        Ok(Reply::CoreInvited { link, quota, uses })
    }

    /// Whoever shows this seed becomes a client.
    fn open_invite(
        &mut self,
        turn: &mut Turn<'_, '_>,
        seed: &CoreInviteSeed,
        quota: u64,
        uses: u32,
    ) -> Result<(), Failure> {
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
            .map_err(from_refusal)
    }

    /// A pre-shared key is an invite whose seed both sides had before.
    pub(super) fn core_allow_psk(
        &mut self,
        turn: &mut Turn<'_, '_>,
        psk: &CoreInviteSeed,
        quota: u64,
        uses: u32,
    ) -> Result<Reply, Failure> {
        self.operator()?;
        self.open_invite(turn, psk, quota, uses)?;
        Ok(Reply::Done)
    }

    pub(super) fn core_deny_psk(
        &mut self,
        turn: &mut Turn<'_, '_>,
        psk: &CoreInviteSeed,
    ) -> Result<Reply, Failure> {
        self.operator()?;
        if self.host.custody.revoke_invite(turn.cx, &psk.token()) {
            return Ok(Reply::Done);
        }
        Err(Failure::new(
            Code::NotFound,
            "nobody may become a client by this key: it was not allowed, or is used up",
            "`way core clients` lists those who are; `way core deny NODE` ends an agreement",
        ))
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
        let agreed = self
            .host
            .custody
            .allow(turn.cx, node, Some(quota))
            .map_err(from_refusal)?;
        self.topics.room_again(turn.cx.now, None);
        if let Some(link) = self.link_of(&node) {
            self.stands(turn, node, Standing::Client);
            self.note_group(turn, node);
            // Also what has changed of an agreement, or that it holds again, is known at once.
            self.tell_agreed(turn, link, &agreed);
            self.host
                .custody
                .client_up(turn.cx, node, &mut turn.custody);
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
        let client = self.host.custody.is_client(turn.cx, &id);
        let held = self.host.custody.deny(turn.cx, id);
        if let Some(link) = self.link_of(&id).filter(|_| client) {
            let ended = Refusal::ended();
            let frame = Frame::CoreRefused {
                code: code_of(ended.code),
                text: ended.text,
                retry: 0,
            };
            turn.send(link, &frame);
        }
        let held_until = (held.bytes > 0).then_some(held.until_ms);
        Ok(Reply::CoreDenied {
            id,
            held_bytes: held.bytes,
            held_until,
        })
    }

    /// Tells a client what was agreed.
    pub(crate) fn tell_agreed(&self, turn: &mut Turn<'_, '_>, link: LinkId, agreed: &Agreed) {
        let frame = Frame::CoreAgreed {
            quota: agreed.quota,
            used: agreed.used,
            topics: agreed.max_topics,
            max_hold: agreed.max_hold_ms,
            retires: agreed.retires_ms.unwrap_or(0),
        };
        turn.send(link, &frame);
    }

    /// Tells a client what it uses.
    pub(crate) fn tell_usage(&mut self, turn: &mut Turn<'_, '_>, client: &NodeId, usage: Usage) {
        let Some(link) = self.link_of(client) else {
            return;
        };
        let topics = usage.topics.into_iter().map(|of| TopicUsage {
            topic: of.topic,
            share: of.share,
            own: of.own,
            guests: of.guests,
        });
        let frame = Frame::CoreUsage {
            quota: usage.quota,
            used: usage.used,
            headers: usage.headers,
            header_quota: usage.header_quota,
            topics: topics.collect(),
        };
        turn.send(link, &frame);
    }

    pub(super) fn core_clients(&mut self, turn: &mut Turn<'_, '_>) -> Reply {
        let clients = self.host.custody.clients(turn.cx);
        let clients = clients
            .into_iter()
            .map(|client| Client {
                id: client.node,
                quota: client.quota.bytes,
                used: client.reserved(),
                topics: client.topics,
                allowed: !client.denied,
                since: client.since_ms,
            })
            .collect();
        Reply::CoreClients(clients)
    }

    pub(crate) fn core_use(&mut self, turn: &mut Turn<'_, '_>, request: RequestId, text: &str) {
        let core = parse_core(text).and_then(|(at, seed)| self.use_core(turn, &at, seed.as_ref()));
        self.core_used(turn, request, core);
    }

    pub(crate) fn core_use_psk(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        address: &str,
        psk: &CoreInviteSeed,
    ) {
        let core = parse_core(address).and_then(|(at, seed)| match seed {
            None => self.use_core(turn, &at, Some(psk)),
            Some(_) => Err(Failure::new(
                Code::Usage,
                "an operator's invite holds its own key",
                "give the address of the core node, node1…@host:port, or leave --psk-file out",
            )),
        });
        self.core_used(turn, request, core);
    }

    fn core_used(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        core: Result<NodeId, Failure>,
    ) {
        match core {
            Ok(core) => self.wait(turn, request, What::Core(core), CLAIM_TIMEOUT_MS),
            Err(failure) => self.reply(turn, request, Reply::Failed(failure)),
        }
    }

    fn use_core(
        &mut self,
        turn: &mut Turn<'_, '_>,
        at: &NodeAddress,
        seed: Option<&CoreInviteSeed>,
    ) -> Result<NodeId, Failure> {
        let invite = seed.map(|seed| (seed.token(), *seed.key().as_bytes()));
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
            self.core_link(turn, &at.node, true);
        }
        Ok(at.node)
    }

    pub(super) fn core_leave(
        &mut self,
        turn: &mut Turn<'_, '_>,
        core: &str,
        now: bool,
    ) -> Result<Reply, Failure> {
        let node = self.find_node(turn, core)?;
        if !now && self.mine.uses(turn.cx, &node) && !self.has_other_core(turn, &node) {
            return Err(Failure::new(
                Code::Refused,
                "no other core node could take over what it holds",
                "use another one first (`way core use`), or leave at once with --now",
            ));
        }
        self.mine
            .leave(turn.cx, node, now, &mut turn.mine)
            .map_err(|refusal| Failure::new(Code::NotFound, refusal.text, SEE_CORES))?;
        self.leaving_changed(turn);
        Ok(Reply::Done)
    }

    /// Says when this core node ends, or that it does not.
    pub(super) fn core_retire(
        &mut self,
        turn: &mut Turn<'_, '_>,
        by: Option<u64>,
    ) -> Result<Reply, Failure> {
        self.operator()?;
        if by.is_some_and(|by| by <= turn.cx.wall.as_millis()) {
            let text = "a core node ends at a time that is to come";
            return Err(Failure::new(
                Code::Usage,
                text,
                "say a date, or how long from now",
            ));
        }
        match by {
            Some(by) => turn.cx.store.put(NODE, RETIRES, by.to_be_bytes()),
            None => turn.cx.store.delete(NODE, RETIRES),
        }
        self.host.custody.set_retires(by);
        for (link, node) in self.client_links(turn) {
            if let Some(agreed) = self.host.custody.agreement(turn.cx, &node) {
                self.tell_agreed(turn, link, &agreed);
            }
        }
        Ok(Reply::CoreRetires {
            by,
            promised_until: self.host.custody.promised_until(turn.cx),
        })
    }

    /// The links with clients.
    fn client_links(&self, turn: &mut Turn<'_, '_>) -> Vec<(LinkId, NodeId)> {
        let links = self.links.iter().map(|(link, state)| (*link, state.node));
        let is_client = |(_, node): &(LinkId, NodeId)| self.host.custody.is_client(turn.cx, node);
        links.filter(is_client).collect()
    }

    pub(super) fn core_list(&mut self, turn: &mut Turn<'_, '_>) -> Reply {
        Reply::Cores(self.own_cores(turn))
    }
}

const SEE_CORES: &str = "`way core list` shows those that are";

/// Where a core node is, and the seed where an operator's invite says it.
fn parse_core(text: &str) -> Result<(NodeAddress, Option<CoreInviteSeed>), Failure> {
    let text = text.trim();
    if !text.to_ascii_lowercase().starts_with("way:") {
        return Ok((parse_address(text)?, None));
    }
    let link: CoreLink = text.parse().map_err(from_link)?;
    Ok((link.at, Some(CoreInviteSeed::from_bytes(link.seed))))
}

fn from_refusal(refusal: Refusal) -> Failure {
    Failure::new(Code::Refused, refusal.text, "")
}

fn from_link(why: wire::LinkError) -> Failure {
    Failure::new(
        Code::Usage,
        why.to_string(),
        "copy the whole link, from way: to its end",
    )
}
