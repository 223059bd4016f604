//! Where engines meet: what one puts out becomes what another takes in.

use crate::host::{code_of, retry_at};
use crate::io::{Advisory, Check, CheckDone, DoneKind, Held, LinkId};
use crate::limits::FIRST_WINDOW;
use crate::node::{Inner, Turn};
use crate::proof::Link;
use custody::{Mail, MailAnswer, MyCoresOutput};
use identity::NodeId;
use machine::planted::{Bug, is};
use router::{MailRefusal, Output as FromRouter, Problem, Standing, Why};
use std::collections::BTreeSet;
use wire::{Frame, NodeAddress, Verified};

impl Inner {
    pub(crate) fn router_said(&mut self, turn: &mut Turn<'_, '_>, output: FromRouter) {
        match output {
            FromRouter::Send { link, frame } => turn.send(LinkId(link.0), &frame),
            FromRouter::Advise { link, frame } => {
                let bytes = frame.encode();
                turn.advise(Advisory::Courtesy {
                    link: LinkId(link.0),
                    bytes,
                });
            }
            FromRouter::Close { link, code, text } => {
                let code = u32::from(code.0);
                turn.advise(Advisory::Close {
                    link: LinkId(link.0),
                    code,
                    text,
                });
            }
            FromRouter::Dial {
                token,
                node,
                address,
            } => {
                // Members and adverts tell whole addresses, with the node in them; a transport
                // dials a host and a port.
                let address = match address.parse::<NodeAddress>() {
                    Ok(whole) => whole.authority(),
                    Err(_) => address,
                };
                turn.advise(Advisory::Dial {
                    token,
                    node,
                    address,
                });
            }
            FromRouter::Meet { node } => self.ask_to_meet(turn, node),
            FromRouter::Met { node, .. } => {
                // Who was denied may still fetch what was promised, and is kept out afterwards.
                let custody = &self.host.custody;
                if custody.is_client(turn.cx, &node) || custody.holds_for(turn.cx, &node) {
                    self.stands(turn, node, Standing::Client);
                } else if custody.is_denied(turn.cx, &node) {
                    self.stands(turn, node, Standing::Denied);
                }
            }
            FromRouter::Opened {
                link,
                node,
                dialled,
                exporter,
                ..
            } => {
                let secret = Link::new(self.id, node, dialled, &exporter);
                self.opened(turn, LinkId(link.0), secret);
            }
            FromRouter::Closed { link, node } => self.closed(turn, LinkId(link.0), node),
            FromRouter::Pass {
                link, node, frame, ..
            } => {
                self.passed(turn, LinkId(link.0), node, frame);
            }
            FromRouter::Check { link, id, raw } => {
                let link = LinkId(link.0);
                turn.advise(Advisory::Check(Check::Mail { link, id, raw }));
            }
            FromRouter::Mailbox { from, to, mail } => self.deposit(turn, from, to, mail.get()),
            FromRouter::Receipt { node, receipt } => {
                let bytes = receipt.get().to_raw().encode();
                let ids = receipt.get().value.ids.clone();
                let done = self.host.custody.mail_done(turn.cx, node, &ids, &bytes);
                let sources: BTreeSet<NodeId> =
                    done.into_iter().map(|(_, source)| source).collect();
                for source in sources {
                    self.router
                        .forward_receipt(&source, &bytes, &mut turn.router);
                }
            }
            FromRouter::Mail { n } => turn.held(Held::Mail { last: n }),
            FromRouter::MailState { id } => self.mail_changed(turn, id),
            FromRouter::Echo { token, result } => self.echoed(turn, token, result),
            FromRouter::Adverts { node } if node == self.id => self.advert_renewed(turn),
            FromRouter::Adverts { .. } => {}
            FromRouter::AdvertWanted { node } => self.tell_router(turn, node),
            FromRouter::Clock { confirmed } => self.set_clock(turn, confirmed),
            FromRouter::Problem(problem) => self.router_problem(problem),
        }
    }

    /// Tells the router what is known of a peer.
    pub(crate) fn stands(&mut self, turn: &mut Turn<'_, '_>, node: NodeId, standing: Standing) {
        let input = router::Input::Standing { node, standing };
        self.router.handle(turn.cx, input, &mut turn.router);
    }

    /// Asks the router to dial and keep a node.
    pub(crate) fn keep(
        &mut self,
        turn: &mut Turn<'_, '_>,
        node: NodeId,
        why: Why,
        addresses: Vec<String>,
    ) {
        if node != self.id {
            let input = router::Input::Keep {
                node,
                why,
                addresses,
            };
            self.router.handle(turn.cx, input, &mut turn.router);
        }
    }

    /// Tells the router that a reason to keep a node no longer holds.
    pub(crate) fn release(&mut self, turn: &mut Turn<'_, '_>, node: NodeId, why: Why) {
        let input = router::Input::Release { node, why };
        self.router.handle(turn.cx, input, &mut turn.router);
    }

    pub(crate) fn set_clock(&mut self, turn: &mut Turn<'_, '_>, confirmed: bool) {
        self.host.custody.set_clock(turn.cx.now, confirmed);
        self.mine.set_clock(confirmed);
        self.topic(turn, topic::Input::Clock { confirmed });
        self.swap(turn, block::swap::Input::Clock { confirmed });
        if confirmed {
            self.note_all_closes(turn);
            self.wait_for_releases(turn);
            self.decide_guests(turn);
            self.host.keys.forget_old(turn.cx);
        }
    }

    fn opened(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, state: Link) {
        let node = state.node;
        self.note_group(turn, node);
        self.host.peers.insert(link, node);
        self.links.insert(link, state);
        let window = topic::Input::Writable {
            link: topic::LinkId(link.0),
            bytes: FIRST_WINDOW,
        };
        self.topic(turn, window);
        // A link that takes the place of another begins the hand-over anew.
        self.host.custody.client_down(&node);
        self.host
            .custody
            .client_up(turn.cx, node, &mut turn.custody);
        self.mine.up(turn.cx, node, &mut turn.mine);
        self.core_link(turn, &node, true);
        self.greet(turn, link);
        self.begin_round(turn, link);
        self.show_at_core(turn, link);
        self.ask_boxes(turn, link);
        self.ask_sought(turn, link);
        if is(Bug::StrangerServed) {
            let topics: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
            for local in topics {
                self.prove(turn, link, local, topic::Peer::Core { node });
            }
        }
    }

    fn closed(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, node: NodeId) {
        self.host.peers.remove(&link);
        self.links.remove(&link);
        self.pair_gone(link, &node);
        self.proposals.gone(link);
        if self.link_of(&node).is_none() {
            self.host.custody.client_down(&node);
            self.host.custody.guest_down(&node);
            self.mine.down(turn.cx, &node);
            self.core_link(turn, &node, false);
            self.router.acl().belongs(*node.as_bytes(), None);
            self.rendezvous.gone(&node);
            self.core_gone(turn, node);
        }
        self.topic(
            turn,
            topic::Input::LinkGone {
                link: topic::LinkId(link.0),
            },
        );
        let link = block::swap::LinkId(link.0);
        self.swap(turn, block::swap::Input::LinkGone { link });
    }

    pub(crate) fn take_checked(&mut self, turn: &mut Turn<'_, '_>, done: CheckDone) {
        match done.kind {
            DoneKind::Topic { link, topic, done } => {
                let to = topic::LinkId(link.0);
                self.topic(
                    turn,
                    topic::Input::Checked {
                        link: to,
                        topic,
                        done,
                    },
                );
                self.settle(turn);
                self.grant(turn, link);
            }
            DoneKind::Mail { link, id, result } => {
                let link = router::LinkId(link.0);
                let input = router::Input::Checked {
                    link,
                    id,
                    result: *result,
                };
                self.router.handle(turn.cx, input, &mut turn.router);
            }
        }
    }

    fn deposit(&mut self, turn: &mut Turn<'_, '_>, from: NodeId, to: NodeId, mail: &Verified) {
        let id = mail.envelope.id;
        let deposit = Mail {
            client: to,
            id,
            source: from,
            expires_ms: mail.envelope.header.expires,
            // Without its body it only asks what became of it.
            bytes: match &mail.body {
                Some(body) => mail.envelope.to_raw(Some(body.clone())).encode(),
                None => Vec::new(),
            },
        };
        match self.host.custody.mail(turn.cx, &deposit) {
            Ok(MailAnswer::Held { until_ms }) => {
                self.router
                    .mail_held(turn.cx, &from, id, until_ms, &mut turn.router);
            }
            Ok(MailAnswer::Done { receipt }) => {
                self.router
                    .forward_receipt(&from, &receipt, &mut turn.router);
            }
            Err(refusal) => {
                let retry_ms = retry_at(turn.cx, &refusal);
                let code = code_of(refusal.code);
                let why = MailRefusal {
                    id,
                    code,
                    text: refusal.text,
                    retry_ms,
                };
                self.router.mail_refused(&from, why, &mut turn.router);
            }
        }
    }

    pub(crate) fn custody_said(&mut self, turn: &mut Turn<'_, '_>, output: custody::Output) {
        match output {
            custody::Output::HandOver { client, mails } => {
                for mail in mails {
                    // A client that is not linked any more gets them when it comes back.
                    let _sent = self
                        .router
                        .hand_over(&client, &mail.bytes, &mut turn.router);
                }
            }
            custody::Output::Usage { client, usage } => self.tell_usage(turn, &client, usage),
            custody::Output::Room => self.topics.room_again(turn.cx.now, None),
            custody::Output::Drained { topic } => {
                // Where the operator takes part in it, it stays.
                let local = self.host.keys.local(&topic);
                if let Some(local) = local.filter(|local| self.is_custodian(*local)) {
                    self.drop_topic(turn, local);
                }
                self.topics.room_again(turn.cx.now, None);
            }
        }
    }

    /// Whether a topic is held here for others.
    pub(crate) fn is_custodian(&self, local: u32) -> bool {
        self.host
            .keys
            .topic(local)
            .is_some_and(|keys| keys.row.custodian)
    }

    /// The open link with a node.
    pub(crate) fn link_of(&self, node: &NodeId) -> Option<LinkId> {
        self.links
            .iter()
            .find(|(_, link)| link.node == *node)
            .map(|(id, _)| *id)
    }

    pub(crate) fn topics_said(&mut self, turn: &mut Turn<'_, '_>, output: topic::Output) {
        match output {
            topic::Output::Send { link, topic, frame } => {
                turn.send(LinkId(link.0), &Frame::Topic { topic, frame });
            }
            topic::Output::Forward {
                link,
                topic,
                forward,
            } => {
                let frame = forward.into_frame();
                turn.forward(LinkId(link.0), &Frame::Topic { topic, frame });
            }
            topic::Output::Check { link, topic, job } => {
                let link = LinkId(link.0);
                turn.advise(Advisory::Check(Check::Topic { link, topic, job }));
            }
            topic::Output::Changed { topic, last } => {
                self.speak_again(turn, topic);
                self.look_at_guests(turn, topic);
                if let Some(keys) = self.host.keys.topic(topic) {
                    turn.held(Held::Changed {
                        topic: keys.id,
                        last,
                    });
                }
            }
            topic::Output::Control { topic, id } => self.control(turn, topic, id),
            topic::Output::Blocks { topic, id } => self.blocks_named(turn, topic, &id),
            topic::Output::Audited {
                link,
                topic,
                id,
                found,
            } => self.audited(turn, (LinkId(link.0), topic), (id, found)),
            topic::Output::Unshared { topic, id } => self.unshared_late(turn, topic, &id),
            topic::Output::Claims { topic } => self.claims_changed(turn, topic),
            topic::Output::Unproven {
                link,
                topic,
                device,
            } => self.unprove(turn, LinkId(link.0), topic, &device),
            topic::Output::Receipts { topic } => self.receipts_changed(turn, topic),
            topic::Output::OwnChainAhead { topic, number, .. } => {
                self.host.keys.give_up_author(turn.cx, topic);
                let text = format!(
                    "this home is older than what it has published (others have its envelope {number}); \
                     it goes on under a new author key"
                );
                self.problems
                    .note("stale-home", text, "nothing is lost; no action is needed");
            }
            topic::Output::Problem { code, text, .. } => self.problems.note(code, text, ""),
            topic::Output::Misbehaved { link, rule, .. } => {
                turn.advise(Advisory::Log {
                    event: "misbehaved",
                    text: format!("{rule:?}"),
                });
                let code = u32::from(wire::Code::MISBEHAVED.0);
                let text = format!("broke a rule: {rule:?}");
                turn.advise(Advisory::Close {
                    link: LinkId(link.0),
                    code,
                    text,
                });
            }
        }
    }

    pub(crate) fn my_cores_said(&mut self, turn: &mut Turn<'_, '_>, output: MyCoresOutput) {
        match output {
            MyCoresOutput::Keep { core, addresses } => self.keep(turn, core, Why::Core, addresses),
            MyCoresOutput::Release { core } => {
                self.release(turn, core, Why::Core);
                self.leaving_changed(turn);
            }
            MyCoresOutput::Claim { core, invite } => {
                let Some((id, link)) = self.link_and_state(&core) else {
                    return;
                };
                // Who was allowed by its id has no invite: the claim then names none, and the core
                // node knows the sender by its link.
                let (token, key) = match invite {
                    Some((token, key)) => (token, *key.as_bytes()),
                    None => ([0; 16], [0; 32]),
                };
                let key = rights::CoreInviteKey::from_bytes(key);
                let mac = key.mac(&link.secret);
                turn.send(id, &Frame::CoreClaim { token, mac });
            }
            MyCoresOutput::Serve { core, wanted } => {
                let Some(link) = self.link_of(&core) else {
                    return;
                };
                let frame = Frame::CoreServe {
                    topic: wanted.topic,
                    genesis: wanted.genesis,
                    secret: identity::Secret::from_bytes(wanted.core_secret),
                    share: wanted.share,
                };
                turn.send(link, &frame);
            }
            MyCoresOutput::Unserve { core, topic } => {
                if let Some(link) = self.link_of(&core) {
                    turn.send(link, &Frame::CoreUnserve { topic });
                }
            }
            MyCoresOutput::Peers { core, topic, peers } => {
                self.tell_core_peers(turn, core, topic, &peers);
            }
            MyCoresOutput::PutBox {
                core,
                loc,
                sealed,
                until_ms,
            } => {
                if let Some(link) = self.link_of(&core) {
                    turn.send(
                        link,
                        &Frame::BoxPut {
                            loc,
                            sealed,
                            until: until_ms,
                        },
                    );
                }
            }
        }
    }

    pub(crate) fn link_and_state(&self, node: &NodeId) -> Option<(LinkId, &Link)> {
        self.links
            .iter()
            .find(|(_, link)| link.node == *node)
            .map(|(id, link)| (*id, link))
    }

    fn router_problem(&mut self, problem: Problem) {
        match problem {
            Problem::TwoNodesOneKey { .. } => self.problems.note(
                "two-nodes-one-key",
                "another node runs with this node's key".to_owned(),
                "stop one of them; a copied home must not run beside the original",
            ),
            Problem::Version { node, text } => self.problems.note(
                "version",
                format!("{}: {text}", router::label(&node, "")),
                "update the older of the two programs",
            ),
            Problem::Clock { ahead_ms } => {
                let seconds = ahead_ms / 1000;
                let text = format!("this computer's clock and its peers' differ by {seconds} s");
                self.problems.note("clock", text, "set the clock");
            }
        }
    }
}

impl Inner {
    /// The program is about to end: closes every link in order.
    pub(crate) fn say_goodbye(&mut self, turn: &mut Turn<'_, '_>) {
        self.with_topics(turn, |topics, env| topics.hurry(env));
        self.settle(turn);
        for link in self.links.keys() {
            let code = u32::from(wire::Code::CLOSING.0);
            let text = "going down".to_owned();
            turn.advise(Advisory::Close {
                link: *link,
                code,
                text,
            });
        }
    }
}
