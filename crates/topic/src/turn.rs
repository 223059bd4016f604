//! One turn of one topic.

use crate::event::{LinkId, Output, Peer};
use crate::evidence::RefusedRow;
use crate::state::{Shared, Timer, Topic};
use crate::sync::Hashes;
use crate::topics::Env;
use machine::Cx;
use wire::TopicFrame;

impl Topic {
    /// Before which time (milliseconds since 1970) nothing here expires.
    pub(crate) fn keeps_until(&self, cx: &mut Cx<'_>) -> u64 {
        let body = self.lace.next_expiry(&mut cx.store);
        let sealed = self.boxes.values().map(|kept| kept.until).min();
        body.into_iter().chain(sealed).min().unwrap_or(u64::MAX)
    }

    pub(crate) fn on_frame(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        frame: TopicFrame,
    ) {
        if self.is_not_for_readers(link, &frame) {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.heard = Some(env.cx.now);
        }
        match frame {
            TopicFrame::Hello {
                cut,
                evidence,
                receipts,
                invites,
            } => {
                self.on_hello(
                    env.cx.now,
                    link,
                    Hashes {
                        cut,
                        evidence,
                        receipts,
                        invites,
                    },
                );
            }
            TopicFrame::Cut {
                entries,
                first,
                last,
            } => {
                self.on_cut(env, link, &entries, (first, last));
            }
            TopicFrame::Want {
                ranges,
                control_only,
            } => self.on_want(link, &ranges, control_only),
            TopicFrame::Envelopes { envelopes, last } => {
                self.on_envelopes(shared, env, link, (envelopes, last));
            }
            TopicFrame::BodyWant { ids } => self.on_body_want(link, &ids),
            TopicFrame::Bodies { bodies } => self.on_bodies(shared, env, link, bodies),
            TopicFrame::Receipts { receipts } => self.on_receipts(shared, env, link, receipts),
            TopicFrame::Slots { slots, first, last } => {
                self.on_slots(env.cx.now, link, &slots, (first, last));
            }
            TopicFrame::Differences { receipts } => {
                self.on_differences(shared, env, link, receipts);
            }
            TopicFrame::ReceiptAsk { slots } => self.on_receipt_ask(link, &slots),
            TopicFrame::Evidence { pairs } => self.on_evidence(shared, env, link, pairs),
            TopicFrame::Box(held) => self.on_box(shared, env, link, held),
            TopicFrame::Claim(claim) => self.on_claim(shared, env, link, claim),
            TopicFrame::Answer(answer) => self.on_answer(shared, env, link, answer),
            TopicFrame::GenesisAsk => {
                let bytes = self.lace.genesis().encode();
                self.say(shared, env, link, TopicFrame::Genesis { bytes });
            }
            // Nobody asks for what it has. Keys, proposals, blocks and meetings are the node's.
            TopicFrame::Genesis { .. }
            | TopicFrame::KeysAsk { .. }
            | TopicFrame::Keys { .. }
            | TopicFrame::Proposal(_)
            | TopicFrame::BlocksAsk { .. }
            | TopicFrame::BlocksHere { .. }
            | TopicFrame::BlockWant { .. }
            | TopicFrame::Blocks { .. }
            | TopicFrame::Meet { .. }
            | TopicFrame::Met { .. } => {}
            TopicFrame::Refused {
                author,
                number,
                code,
                text,
                retry,
            } => {
                let node = self.peers.get(&link).map(|peer| peer.who);
                let refused = RefusedRow {
                    number,
                    code: code.0,
                    retry,
                    at: env.cx.wall.as_millis(),
                    author: author.to_bytes(),
                    node: matches!(node, Some(Peer::Core { .. })),
                    text,
                };
                self.on_refused(shared, env, link, refused);
            }
        }
    }

    /// Delivers, and sends what is due, as far as one turn goes.
    pub(crate) fn work(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>) {
        self.rebound(shared, env);
        self.part_with_fallen(shared, env);
        let mut more = self.lace.has_work();
        more |= self.deliver(shared, env);
        let missing_to = self.missing_to;
        let links: Vec<LinkId> = self
            .peers
            .iter()
            .filter(|(_, peer)| !peer.is_idle(missing_to))
            .map(|(link, _)| *link)
            .collect();
        for link in links {
            more |= self.pump(shared, env, link);
        }
        if more {
            shared.work(self.local, env.cx.now);
        } else {
            shared.timers.clear(Timer::Work(self.local));
        }
        if std::mem::take(&mut self.new_lines) {
            let last = self.row.next_line.saturating_sub(1);
            env.out.push(Output::Changed {
                topic: self.local,
                last,
            });
        }
        if std::mem::take(&mut self.new_receipts) {
            env.out.push(Output::Receipts { topic: self.local });
        }
    }
}
