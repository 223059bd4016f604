//! Sending, waiting, reading.

use super::topics::from_publish;
use crate::command::{
    Code, Failure, Line, LineKind, Mail, MessageId, ReadFrom, Reply, RequestId, UNWELCOMED, WaitFor,
};
use crate::limits::{GUEST_BYTES, GUEST_ENVELOPES, MAX_MESSAGE, MAX_MESSAGES};
use crate::node::{Inner, Turn};
use crate::reading::reads_only;
use crate::rows::{LAST_SENT, NODE};
use crate::timer::Timer;
use crate::waiting::What;
use core::time::Duration;
use identity::{EnvelopeId, NodeId, PublicKey};
use std::collections::{BTreeMap, VecDeque};
use topic::{Draft, GapReason, Payload, PublishError};
use wire::plain::{Message, message_len};

/// Envelopes that one turn makes of pending messages; the rest follows in the next turn.
const ENVELOPES_PER_TURN: usize = 32;

/// Custodians of mail that can be waited for: it is brought to no more.
const MOST_FOR_MAIL: u32 = router::limits::MAX_HOLDERS as u32;

/// The engine that people read.
const INBOX: &str = "inbox";

/// What is to be sent.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) messages: Vec<Vec<u8>>,
    /// Milliseconds since 1970; nothing stands for the topic's own lifespan.
    pub(super) expires: Option<u64>,
    /// Unicast only.
    pub(super) best_effort: bool,
}

/// Messages that wait to be put into an envelope: whatever has come until the node finds time goes
/// into one.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    queue: VecDeque<Batch>,
}

impl Pending {
    /// How many commands wait for their envelopes.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

/// What one command sends to a topic.
#[derive(Debug)]
struct Batch {
    request: RequestId,
    local: u32,
    messages: VecDeque<Message>,
    lifespan: Option<u64>,
    ids: Vec<MessageId>,
}

impl Inner {
    pub(super) fn send_command(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        to: &str,
        order: Order,
    ) {
        let sent = check_sizes(&order.messages).and_then(|()| match self.find_topic(to) {
            Ok(local) => self.queue(turn, request, local, order).map(|()| None),
            Err(no_topic) if no_topic.code == Code::Ambiguous => Err(no_topic),
            Err(no_topic) => {
                let (engine, node) = to.split_once('@').unwrap_or((INBOX, to));
                let node = self.find_node(turn, node).map_err(|no_node| {
                    if no_node.code == Code::Ambiguous {
                        no_node
                    } else {
                        no_target(no_topic, to)
                    }
                })?;
                self.send_mails(turn, (node, engine), order).map(Some)
            }
        });
        match sent {
            Ok(Some(ids)) => {
                let warnings = Vec::new();
                self.reply(turn, request, Reply::Sent { ids, warnings });
            }
            // Answered when the messages are in an envelope.
            Ok(None) => {}
            Err(failure) => self.reply(turn, request, Reply::Failed(failure)),
        }
    }

    fn queue(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        local: u32,
        order: Order,
    ) -> Result<(), Failure> {
        self.may_write(local)?;
        let batch = Batch {
            request,
            local,
            messages: order
                .messages
                .into_iter()
                .map(|bytes| Message {
                    kind: Message::TEXT,
                    bytes,
                })
                .collect(),
            lifespan: lifespan(turn, order.expires)?,
            ids: Vec::new(),
        };
        self.pending.queue.push_back(batch);
        self.timers.set_earlier(Timer::Publish, turn.cx.now);
        Ok(())
    }

    /// Whether this device writes in a topic, as far as can be told before it does.
    pub(super) fn may_write(&self, local: u32) -> Result<(), Failure> {
        let keys = self.member(local)?;
        if keys.row.left {
            return Err(Failure::new(
                Code::Refused,
                "this device has left the topic",
                "",
            ));
        }
        if keys.is_reader() {
            return Err(reads_only(keys));
        }
        if !keys.row.opened && keys.row.next_index == 0 && !keys.is_granted() {
            return Err(Failure::new(
                Code::NotYet,
                "joining is not finished: the topic has not come yet",
                "it goes on by itself as soon as a member or a core node can be reached",
            ));
        }
        if self.host.full {
            let hint = "free some space on the disk";
            return Err(Failure::new(Code::Full, "the disk is full", hint));
        }
        Ok(())
    }

    /// Puts pending messages into envelopes: those of one topic and lifespan that follow one another
    /// share one.
    pub(crate) fn publish_pending(&mut self, turn: &mut Turn<'_, '_>) {
        for _ in 0..ENVELOPES_PER_TURN {
            let Some(first) = self.pending.queue.front() else {
                return;
            };
            let (local, lifespan) = (first.local, first.lifespan);
            let (messages, shares) = self.fill(local, lifespan);
            let draft = Draft {
                payload: Payload::Messages(messages),
                lifespan,
                answers: Vec::new(),
                manifest: None,
            };
            let published = self.publish_own(turn, local, draft);
            self.share_out(turn, published, &shares);
        }
        if !self.pending.queue.is_empty() {
            self.timers.set_earlier(Timer::Publish, turn.cx.now);
        }
    }

    /// The messages of the next envelope, and how many of each batch, in order.
    fn fill(&self, local: u32, lifespan: Option<u64>) -> (Vec<Message>, Vec<usize>) {
        let mut messages = Vec::new();
        let mut shares = Vec::new();
        let mut bytes = 16;
        for batch in &self.pending.queue {
            if batch.local != local || batch.lifespan != lifespan {
                break;
            }
            let mut share = 0;
            for message in &batch.messages {
                bytes += message_len(message.bytes.len());
                let full = bytes > wire::limits::MAX_PLAIN || messages.len() >= MAX_MESSAGES;
                if full && !messages.is_empty() {
                    shares.push(share);
                    return (messages, shares);
                }
                messages.push(message.clone());
                share += 1;
            }
            shares.push(share);
        }
        (messages, shares)
    }

    fn share_out(
        &mut self,
        turn: &mut Turn<'_, '_>,
        published: Result<EnvelopeId, PublishError>,
        shares: &[usize],
    ) {
        let mut index = 0_u16;
        for share in shares {
            let Some(mut batch) = self.pending.queue.pop_front() else {
                return;
            };
            match &published {
                Ok(envelope) => {
                    for _ in 0..*share {
                        batch.messages.pop_front();
                        batch.ids.push(MessageId {
                            envelope: *envelope,
                            index,
                        });
                        index = index.saturating_add(1);
                    }
                    if batch.messages.is_empty() {
                        self.note_sent(turn, batch.ids.last());
                        let id = self.host.keys.topic(batch.local).map(|keys| keys.id);
                        let warnings =
                            id.map_or_else(Vec::new, |id| self.core_problems(turn, Some(&id)));
                        let ids = batch.ids;
                        let reply = Reply::Sent { ids, warnings };
                        self.reply(turn, batch.request, reply);
                    } else {
                        self.pending.queue.push_front(batch);
                    }
                }
                Err(why) => {
                    let failure = self.not_published(batch.local, why);
                    self.reply(turn, batch.request, Reply::Failed(failure));
                }
            }
        }
    }

    /// Why messages were not published: a guest that has written all that it may waits.
    fn not_published(&self, local: u32, why: &PublishError) -> Failure {
        match why {
            PublishError::Refused(lace::Rule::Total) => {
                let whom = self.welcome_by(local).unwrap_or_default();
                let text = format!(
                    "not sent: {UNWELCOMED} {GUEST_ENVELOPES} envelopes and {} KiB in all until it is \
                     welcomed; it waits for {whom}",
                    GUEST_BYTES / 1024
                );
                let hint = "it goes on by itself as soon as one of them is online and hears of it; \
                            send it again then";
                Failure::new(Code::NotYet, text, hint)
            }
            why => from_publish(why.clone()),
        }
    }

    /// Publishes under the present author, or under a new one when the old has been given up, or what it writes
    /// under lets it write no more.
    pub(super) fn publish_own(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        draft: Draft,
    ) -> Result<EnvelopeId, PublishError> {
        let published = match self.publish_once(turn, local, &draft) {
            // A grant that gives less lets it go on.
            Err(PublishError::Refused(lace::Rule::Total)) if self.go_over(turn, local, true) => {
                self.publish_once(turn, local, &draft)?
            }
            // By all that is held its grant stands. In the past of what it writes, where no fork is known, it
            // does not: who gave it has forked, and taken it back on one branch.
            Err(PublishError::Refused(lace::Rule::Ended | lace::Rule::Holder))
                if self.shun_grant(turn, local) =>
            {
                self.publish_once(turn, local, &draft)?
            }
            published => published?,
        };
        self.note_queued(turn, local);
        Ok(published)
    }

    fn publish_once(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        draft: &Draft,
    ) -> Result<EnvelopeId, PublishError> {
        let publish = |inner: &mut Self, turn: &mut Turn<'_, '_>| {
            inner.open_author(turn, local)?;
            inner.with_topics(turn, |topics, env| {
                topics.publish(env, local, draft.clone())
            })
        };
        let published = match publish(self, turn) {
            Err(PublishError::Stale | PublishError::NoAuthor) => {
                self.host.keys.give_up_author(turn.cx, local);
                publish(self, turn)?
            }
            published => published?,
        };
        Ok(published.id)
    }

    pub(super) fn note_sent(&self, turn: &mut Turn<'_, '_>, last: Option<&MessageId>) {
        if let Some(id) = last {
            let value = [id.envelope.as_bytes().as_slice(), &id.index.to_be_bytes()].concat();
            turn.cx.store.put(NODE, LAST_SENT, value);
        }
    }

    /// The last message that this home sent.
    pub(super) fn last_sent(&self, turn: &mut Turn<'_, '_>) -> Option<MessageId> {
        let value = turn.cx.store.get(NODE, LAST_SENT)?;
        let (envelope, index) = value.split_first_chunk::<32>()?;
        let index = u16::from_be_bytes(index.try_into().ok()?);
        Some(MessageId {
            envelope: EnvelopeId::from_bytes(*envelope),
            index,
        })
    }

    fn send_mails(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (to, engine): (NodeId, &str),
        order: Order,
    ) -> Result<Vec<MessageId>, Failure> {
        let Order {
            messages,
            expires,
            best_effort,
        } = order;
        let class = if best_effort {
            router::Class::BestEffort
        } else {
            router::Class::Reliable
        };
        let lifespan = lifespan(turn, expires)?.map(Duration::from_millis);
        let mut ids = Vec::new();
        for payload in messages {
            let send = router::Send {
                to,
                engine: engine.to_owned(),
                payload,
                class,
                lifespan,
            };
            let id = self
                .router
                .send(turn.cx, send, &mut turn.router)
                .map_err(|why| Failure::new(Code::Failed, why.to_string(), ""))?;
            ids.push(MessageId {
                envelope: id,
                index: 0,
            });
        }
        if !best_effort {
            self.note_sent(turn, ids.last());
        }
        Ok(ids)
    }

    pub(super) fn wait_command(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        id: &str,
        (state, of): (WaitFor, Option<u32>),
        timeout_ms: u64,
    ) {
        match self.find_message(turn, id) {
            Ok((MessageId { envelope: id, .. }, Some(topic))) => {
                self.wait(
                    turn,
                    request,
                    What::State {
                        topic,
                        id,
                        state,
                        of,
                    },
                    timeout_ms,
                );
                self.check_wait(turn, request);
            }
            Ok((_, None)) if state == WaitFor::Held && of.is_some_and(|of| of > MOST_FOR_MAIL) => {
                let text = format!("mail is held by {MOST_FOR_MAIL} custodians at most");
                let failure = Failure::new(Code::Usage, text, "wait for fewer");
                self.reply(turn, request, Reply::Failed(failure));
            }
            Ok((MessageId { envelope: id, .. }, None)) => {
                self.wait(turn, request, What::Mail { id, state, of }, timeout_ms);
                self.check_mail_wait(turn, request);
            }
            Err(failure) => self.reply(turn, request, Reply::Failed(failure)),
        }
    }

    /// Answers a command that waits for a state of a unicast message, if it has come.
    pub(crate) fn check_mail_wait(&mut self, turn: &mut Turn<'_, '_>, request: RequestId) {
        let Some((id, state, of)) = self.mail_wait(request) else {
            return;
        };
        let Some(mail) = self.router.state_of(turn.cx, &id) else {
            return;
        };
        let of = match state {
            WaitFor::Held => of.unwrap_or(1),
            WaitFor::Stored | WaitFor::Delivered => 1,
        };
        let held = u32::try_from(mail.custodians(turn.cx.wall.as_millis())).unwrap_or(u32::MAX);
        let (reached, count) = match state {
            WaitFor::Stored => (true, 1),
            // Who has it needs no custodian any more.
            WaitFor::Held => (held >= of || mail.delivered_ms.is_some(), held.max(1)),
            WaitFor::Delivered => (mail.delivered_ms.is_some(), 1),
        };
        let reply = if reached {
            Reply::Reached { state, count, of }
        } else if mail.expired_ms.is_some() || mail.failed_ms.is_some() {
            let why = mail
                .refusal
                .map_or_else(|| "it has expired".to_owned(), |(_, _, text, _)| text);
            Reply::Failed(Failure::new(
                Code::Failed,
                why,
                "`way why` shows the evidence",
            ))
        } else {
            return;
        };
        self.waiting.done(request);
        self.reply(turn, request, reply);
    }

    pub(super) fn read(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &str,
        from: &ReadFrom,
        limit: u32,
    ) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        let id = self.member(local)?.id;
        let gone = || Failure::new(Code::NotFound, "the topic is being forgotten", "");
        let from = match from {
            ReadFrom::Last => {
                let summary = self.topics.summary(turn.cx, local).map_err(|_| gone())?;
                let first = summary
                    .last_line
                    .saturating_add(1)
                    .saturating_sub(u64::from(limit));
                topic::ReadFrom::Line(first)
            }
            ReadFrom::After(n) => topic::ReadFrom::Line(n.saturating_add(1)),
            ReadFrom::AfterMessage(text) => {
                let (id, _) = self.find_message(turn, text)?;
                topic::ReadFrom::After(id.envelope)
            }
            ReadFrom::Time(at) => topic::ReadFrom::Time(*at),
            ReadFrom::Cursor => topic::ReadFrom::Unconfirmed,
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let page = self
            .with_topics(turn, |topics, env| topics.read(env, local, from, limit))
            .map_err(|_| gone())?;
        let mut devices: Vec<PublicKey> = page.lines.iter().map(|line| line.device).collect();
        devices.extend(page.lines.iter().filter_map(|line| match line.kind {
            topic::LineKind::Withdrawn { by, .. } => by,
            _ => None,
        }));
        let names = self.device_names(turn, local, &devices);
        let mut lines = Vec::with_capacity(page.lines.len());
        for line in page.lines {
            let file = match &line.kind {
                topic::LineKind::Message(message) if message.kind == Message::FILE => {
                    self.file_of_line(turn, local, (&line.envelope, message))
                }
                _ => None,
            };
            lines.push(shown(line, &names, file));
        }
        Ok(Reply::Lines {
            topic: id,
            lines,
            last: page.next.saturating_sub(1),
            more: page.more,
        })
    }

    pub(super) fn confirm(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &str,
        n: u64,
    ) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        self.topics
            .confirm(turn.cx, local, n)
            .map_err(|why| Failure::new(Code::NotFound, why.to_string(), ""))?;
        Ok(Reply::Done)
    }

    pub(super) fn inbox(&mut self, turn: &mut Turn<'_, '_>, after: u64, limit: u32) -> Reply {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).clamp(1, 1024);
        let mut found = self.router.inbox(turn.cx, after, limit.saturating_add(1));
        let more = found.len() > limit;
        found.truncate(limit);
        let labels = self.node_labels(turn);
        let last = found.last().map_or(after, |mail| mail.n);
        let mails = found
            .into_iter()
            .map(|mail| Mail {
                n: mail.n,
                id: MessageId {
                    envelope: mail.id,
                    index: 0,
                },
                from: mail.from,
                from_name: labels.show(&mail.from),
                at: mail.created_ms,
                text: String::from_utf8_lossy(&mail.payload).into_owned(),
            })
            .collect();
        Reply::Inbox { mails, last, more }
    }
}

fn shown(line: topic::Line, names: &BTreeMap<PublicKey, String>, file: Option<LineKind>) -> Line {
    let from_name = names.get(&line.device).cloned().unwrap_or_default();
    let (kind, text) = match line.kind {
        topic::LineKind::Message(message) if message.kind == Message::FILE => {
            let name = match &file {
                Some(LineKind::File { name, .. }) => name.clone(),
                _ => "a file that cannot be".to_owned(),
            };
            (file.unwrap_or(LineKind::Gap), name)
        }
        topic::LineKind::Message(message) => (
            LineKind::Text,
            String::from_utf8_lossy(&message.bytes).into_owned(),
        ),
        topic::LineKind::Join => (LineKind::Join, format!("{from_name} joined")),
        topic::LineKind::Leave => (LineKind::Leave, format!("{from_name} left")),
        topic::LineKind::Withdrawn { of, by } => {
            let why = match by.as_ref().and_then(|by| names.get(by)) {
                Some(by) => format!("cut off by {by}"),
                None => "its author has contradicted itself".to_owned(),
            };
            (LineKind::Withdrawn { of }, why)
        }
        topic::LineKind::Restored { of } => (LineKind::Restored { of }, String::new()),
        topic::LineKind::Gap { reason, messages } => {
            let why = match reason {
                GapReason::Expired => "expired",
                GapReason::Malformed => "malformed",
                GapReason::NoKey => "sealed with a key that is not here",
                GapReason::Missing => "has not come",
            };
            (LineKind::Gap, format!("{messages} messages: {why}"))
        }
    };
    Line {
        n: line.n,
        id: MessageId {
            envelope: line.envelope,
            index: line.index,
        },
        from: line.device.to_string(),
        from_name,
        at: line.at,
        seq: line.number,
        kind,
        text,
    }
}

fn check_sizes(messages: &[Vec<u8>]) -> Result<(), Failure> {
    if messages.is_empty() {
        return Err(Failure::new(Code::Usage, "there is nothing to send", ""));
    }
    if let Some(long) = messages.iter().find(|message| message.len() > MAX_MESSAGE) {
        let text = format!("a message has {} bytes; at most {MAX_MESSAGE}", long.len());
        return Err(Failure::new(
            Code::Usage,
            text,
            "split it, for example with --lines",
        ));
    }
    Ok(())
}

pub(super) fn lifespan(turn: &Turn<'_, '_>, expires: Option<u64>) -> Result<Option<u64>, Failure> {
    let Some(at) = expires else { return Ok(None) };
    match at.checked_sub(turn.cx.wall.as_millis()) {
        Some(left) if left > 0 => Ok(Some(left)),
        _ => Err(Failure::new(
            Code::Usage,
            "it would expire before it is sent",
            "",
        )),
    }
}

fn no_target(no_topic: Failure, to: &str) -> Failure {
    Failure {
        message: format!("no topic and no node is called {to:?}"),
        hint: "`way topic list` and `way peers` list those known here".to_owned(),
        ..no_topic
    }
}
