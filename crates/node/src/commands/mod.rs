//! What applications ask, one file for each group of commands.

mod branches;
mod came;
mod core_words;
mod cores;
mod devices;
mod ended;
mod files;
mod giving;
mod inviting;
mod members;
mod messages;
mod names;
mod owners;
mod peers;
mod proposed;
mod public;
mod topics;
mod why;

use inviting::AskedInvite;
use messages::Order;
pub(crate) use messages::Pending;

use crate::command::devices::DeviceCommand;
use crate::command::{Code, Command, Failure, Reply, RequestId};
use crate::io::Held;
use crate::node::{Inner, Turn};
use crate::reading::public_link;
use crate::timer::Timer;
use wire::Budget;

impl Failure {
    /// A failure with what to do next.
    pub(crate) fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            candidates: Vec::new(),
        }
    }
}

impl Inner {
    pub(crate) fn reply(&mut self, turn: &mut Turn<'_, '_>, request: RequestId, reply: Reply) {
        self.timers.clear(Timer::Wait(request));
        turn.held(Held::Reply { request, reply });
    }

    pub(crate) fn command(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        command: Command,
    ) {
        match command {
            Command::JoinLook { link, timeout_ms } => match public_link(&link) {
                Ok(None) => self.join_look(turn, request, &link, timeout_ms),
                Ok(Some(_)) => {
                    let text =
                        "whoever knows a public topic reads it: there is no invite to look at";
                    let failure = Failure::new(Code::Usage, text, "join it");
                    self.reply(turn, request, Reply::Failed(failure));
                }
                Err(failure) => self.reply(turn, request, Reply::Failed(failure)),
            },
            Command::Join {
                link,
                name,
                timeout_ms,
            } => match public_link(&link) {
                Ok(None) => self.join(turn, request, &link, name, timeout_ms),
                Ok(Some(link)) => self.seek(turn, request, (link, name), timeout_ms),
                Err(failure) => self.reply(turn, request, Reply::Failed(failure)),
            },
            Command::Device(DeviceCommand::Join { link, timeout_ms }) => {
                self.device_join(turn, request, &link, timeout_ms);
            }
            Command::Files(command) => self.files_command(turn, request, command),
            Command::CoreUse { link } => self.core_use(turn, request, &link),
            Command::CoreUsePsk { address, psk } => {
                self.core_use_psk(turn, request, &address, &psk);
            }
            Command::Send {
                to,
                messages,
                expires,
                best_effort,
            } => {
                let order = Order {
                    messages,
                    expires,
                    best_effort,
                };
                self.send_command(turn, request, &to, order);
            }
            Command::Wait {
                id,
                state,
                of,
                timeout_ms,
            } => {
                self.wait_command(turn, request, &id, (state, of), timeout_ms);
            }
            Command::PingNode { node, timeout_ms } => {
                self.ping(turn, request, &node, timeout_ms);
            }
            other => {
                let answered = self.answer(turn, other);
                self.reply(turn, request, answered.unwrap_or_else(Reply::Failed));
            }
        }
    }

    /// Commands that are answered in the same turn.
    fn answer(&mut self, turn: &mut Turn<'_, '_>, command: Command) -> Result<Reply, Failure> {
        match command {
            Command::Status => Ok(self.status(turn)),
            Command::Identity => Ok(Reply::Identity {
                id: self.id,
                name: self.router.name().to_owned(),
                reach: self.router.reach(),
                addresses: self.own_addresses(),
            }),
            Command::SetName { name } => self.set_name(turn, &name),
            Command::PeerAdd { address } => self.peer_add(turn, &address),
            Command::PeerRemove { peer } => self.peer_remove(turn, &peer),
            Command::Peers => Ok(self.peers(turn)),
            Command::CoreInvite { quota, uses } => self.core_invite(turn, quota, uses),
            Command::CoreAllow { node, quota } => self.core_allow(turn, &node, quota),
            Command::CoreDeny { node } => self.core_deny(turn, &node),
            Command::CoreAllowPsk { psk, quota, uses } => {
                self.core_allow_psk(turn, &psk, quota, uses)
            }
            Command::CoreDenyPsk { psk } => self.core_deny_psk(turn, &psk),
            Command::CoreClients => Ok(self.core_clients(turn)),
            Command::CoreLeave { core, now } => self.core_leave(turn, &core, now),
            Command::CoreRetire { by } => self.core_retire(turn, by),
            Command::CoreList => Ok(self.core_list(turn)),
            Command::TopicCreate { name, messages } => {
                self.topic_create(turn, &name, (false, messages))
            }
            Command::Topics => Ok(self.topic_list(turn)),
            Command::TopicInfo { topic } => self.topic_info(turn, &topic),
            Command::Members { topic } => self.members(turn, &topic),
            Command::Grant {
                topic,
                member,
                rights,
                messages,
                bytes,
                at: Some(at),
            } => self.give_later(turn, (&topic, &member), (&rights, at), (messages, bytes)),
            Command::Grant {
                topic,
                member,
                rights,
                messages,
                bytes,
                at: None,
            } => {
                let budget = Budget {
                    messages,
                    bytes,
                    ..Budget::default()
                };
                self.give(turn, (&topic, &member), &rights, budget)
            }
            Command::Revoke {
                topic,
                member,
                only,
                cut,
                cascade,
            } => self.revoke(turn, (&topic, &member), &only, (cut.as_deref(), cascade)),
            Command::Device(command) => self.devices(turn, command),
            Command::Owners(command) => self.owners(turn, command),
            Command::Public(command) => self.public(turn, command),
            Command::TopicLeave { topic } => self.topic_leave(turn, &topic),
            Command::TopicForget { topic } => self.topic_forget(turn, &topic),
            Command::Invite {
                topic,
                rights,
                messages,
                uses,
                until,
                while_away,
            } => {
                let asked = AskedInvite {
                    rights,
                    messages,
                    uses,
                    until,
                    while_away,
                    counts: while_away,
                };
                self.invite(turn, &topic, &asked)
            }
            Command::Read { topic, from, limit } => self.read(turn, &topic, &from, limit),
            Command::Confirm { topic, n } => self.confirm(turn, &topic, n),
            Command::Inbox { after, limit } => Ok(self.inbox(turn, after, limit)),
            Command::Why { id } => self.why(turn, id.as_deref()),
            Command::JoinLook { .. }
            | Command::Join { .. }
            | Command::CoreUse { .. }
            | Command::CoreUsePsk { .. }
            | Command::Send { .. }
            | Command::Files(_)
            | Command::Wait { .. }
            | Command::PingNode { .. } => {
                unreachable!("answered when what they wait for has come")
            }
        }
    }

    pub(crate) fn on_timer(&mut self, turn: &mut Turn<'_, '_>, timer: Timer) {
        match timer {
            Timer::Publish => self.publish_pending(turn),
            Timer::Wait(request) => self.wait_over(turn, request),
            Timer::ShowAgain => self.show_again(turn),
            Timer::Identify => self.answer_to_identify(turn),
            Timer::Welcome => self.welcome_due(turn),
            Timer::Rounds => self.begin_rounds(turn),
            Timer::Tell => self.tell(turn),
            Timer::Forget => self.forget_said(turn),
            Timer::Cores => self.review_cores(turn),
            Timer::Tickets => self.renew_tickets(turn),
            Timer::Joins => self.ask_boxes_again(turn),
            Timer::Seek => self.seek_again(turn),
            Timer::Epochs => self.look_at_epochs(turn),
            Timer::Pairs => self.offer_to_pairs(turn),
            Timer::Closes => self.close_what_is_over(turn),
            Timer::Releases => self.make_releases(turn),
            Timer::Proposals => self.proposals_due(turn),
            Timer::Scrub => self.scrub(turn),
            Timer::HandOver => self.release_left(turn),
            Timer::Audit => self.audit(turn),
        }
    }
}
