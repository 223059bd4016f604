//! What core nodes answer, and what is said to them then.

use identity::{NodeId, TopicId};
use machine::{Cx, Outbox};

use crate::limits::{MAX_MY_BOXES, MAX_MY_TOPICS, RETRY_FIRST, RETRY_MAX};
use crate::outcome::{Agreed, Code, Refusal};
use crate::row::{
    self, MY_BOXES, MY_CORES, MY_PEERS, MY_SERVES, MY_TOPICS, MY_USAGE, MyBoxRow, MyServeRow,
    PeersRow, WantedRow,
};
use crate::serving::peers_of;

use super::{
    AGREED, CORE_REFUSED, LEAVING, LEFT, MyCores, MyCoresOutput, REFUSED, SERVING, Wanted,
};
use super::{Retry, ask, claim, core_row, serves};

impl MyCores {
    /// There is a link with this node; if it is a core node in use, the claim is made.
    pub fn up(&mut self, cx: &mut Cx<'_>, node: NodeId, out: &mut Outbox<MyCoresOutput>) {
        if let Some(mut row) = core_row(cx, &node) {
            if row.gone_ms.take().is_some() {
                row::put(&mut cx.store, MY_CORES, node.as_bytes(), &row);
            }
            self.linked.insert(
                node,
                Retry {
                    at: None,
                    wait: RETRY_FIRST,
                },
            );
            out.push(claim(node, &row));
        }
    }

    /// The link with this node is gone.
    pub fn down(&mut self, cx: &mut Cx<'_>, node: &NodeId) {
        self.linked.remove(node);
        self.reports.remove(node);
        if let Some(mut row) = core_row(cx, node) {
            row.gone_ms = Some(cx.wall.as_millis());
            row::put(&mut cx.store, MY_CORES, node.as_bytes(), &row);
        }
    }

    /// A core node agreed: it is told everything that it has not confirmed.
    pub fn agreed(
        &mut self,
        cx: &mut Cx<'_>,
        core: NodeId,
        agreed: &Agreed,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        let Some(mut row) = core_row(cx, &core) else {
            return;
        };
        row.retires_ms = agreed.retires_ms;
        let ends = row.retires_ms.is_some() || row.unwanted == Some(true);
        let begins = ends && row.standing != LEAVING;
        let stays = !ends && row.standing == LEAVING;
        if stays {
            // It was asked for nothing new, and may have been told of some that they are held elsewhere.
            for (key, _) in cx.store.prefix(MY_TOPICS, &[], MAX_MY_TOPICS) {
                if let Some(topic) = row::part(&key, 0) {
                    ask(cx, &core, &topic);
                }
            }
        }
        row.standing = if ends { LEAVING } else { AGREED };
        row.quota = agreed.quota;
        row.used = agreed.used;
        row.topics = agreed.topics;
        row.max_topics = agreed.max_topics;
        row.max_hold_ms = agreed.max_hold_ms;
        row.heard_ms = cx.wall.as_millis();
        row.code = 0;
        row.text.clear();
        row.refused_ms = None;
        row::put(&mut cx.store, MY_CORES, core.as_bytes(), &row);
        self.usage_agreed(cx, &core, agreed.quota, agreed.used);
        if begins {
            self.stop_what_is_not_served(cx, core, out);
        }
        let leaving = row.standing == LEAVING;
        // A core node that reserves nothing may have lost its home.
        let all = self.told.insert(core) || agreed.used == 0 || stays;
        for (topic, serve) in serves(cx, &core) {
            match serve.standing {
                LEFT => out.push(MyCoresOutput::Unserve { core, topic }),
                SERVING if !all => {}
                _ if leaving => {}
                _ => self.tell_topic(cx, core, topic, out),
            }
        }
        if leaving {
            self.finish_leaving(cx, core, out);
            return;
        }
        self.forget_boxes(cx);
        for (key, value) in cx.store.prefix(MY_BOXES, &[], MAX_MY_BOXES) {
            let (Some(loc), Some(MyBoxRow { until_ms, sealed })) =
                (row::part(&key, 0), row::decode(&value))
            else {
                continue;
            };
            out.push(MyCoresOutput::PutBox {
                core,
                loc,
                sealed,
                until_ms,
            });
        }
    }

    /// A core node refused the claim.
    pub fn refused(&mut self, cx: &mut Cx<'_>, core: NodeId, refusal: &Refusal) {
        let Some(mut row) = core_row(cx, &core) else {
            return;
        };
        if row.standing != LEAVING {
            row.standing = CORE_REFUSED;
        }
        let same = row.code == refusal.code.as_u8() && !row.text.is_empty();
        if !same || row.refused_ms.is_none() {
            row.refused_ms = Some(cx.wall.as_millis());
        }
        row.code = refusal.code.as_u8();
        row.text.clone_from(&refusal.text);
        row.heard_ms = cx.wall.as_millis();
        row::put(&mut cx.store, MY_CORES, core.as_bytes(), &row);
        if let Some(retry) = self.linked.get_mut(&core) {
            retry.at = refusal.retry.map(|wait| cx.now.after(wait.max(retry.wait)));
            retry.wait = retry.wait.saturating_mul(2).min(RETRY_MAX);
        }
    }

    /// A core node confirmed that it serves a topic.
    pub fn serving_now(
        &mut self,
        cx: &mut Cx<'_>,
        core: NodeId,
        topic: TopicId,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        let key = row::pair(core.as_bytes(), topic.as_bytes());
        let Some(mut serve) = row::get::<MyServeRow>(&mut cx.store, MY_SERVES, &key) else {
            return;
        };
        if serve.standing == LEFT {
            return;
        }
        serve.standing = SERVING;
        serve.text.clear();
        row::put(&mut cx.store, MY_SERVES, &key, &serve);
        self.tell_peers(cx, core, topic, out);
    }

    /// A core node does not serve a topic: it refused, and is asked again on the next link; or it
    /// confirms that it has heard that the topic was left.
    pub fn not_serving(
        &mut self,
        cx: &mut Cx<'_>,
        core: NodeId,
        topic: TopicId,
        refusal: &Refusal,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        let key = row::pair(core.as_bytes(), topic.as_bytes());
        let Some(mut serve) = row::get::<MyServeRow>(&mut cx.store, MY_SERVES, &key) else {
            return;
        };
        if serve.standing != LEFT {
            serve.standing = REFUSED;
            serve.text.clone_from(&refusal.text);
            row::put(&mut cx.store, MY_SERVES, &key, &serve);
        } else if refusal.code == Code::NotServed {
            cx.store.delete(MY_SERVES, key);
            if core_row(cx, &core).is_some_and(|row| row.standing == LEAVING) {
                self.finish_leaving(cx, core, out);
            }
        }
    }

    /// A core node that is being left is asked no more for what it does not serve yet.
    pub(super) fn stop_what_is_not_served(
        &self,
        cx: &mut Cx<'_>,
        core: NodeId,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        for (topic, serve) in serves(cx, &core) {
            if serve.standing != SERVING {
                self.stop(cx, core, topic, out);
            }
        }
    }

    /// A core node did not give what it says that it holds. Its word counts no more until it is
    /// [used](MyCores::use_core) anew. Says whether that is news.
    pub fn broke(&mut self, cx: &mut Cx<'_>, core: &NodeId, why: String) -> bool {
        let Some(mut row) = core_row(cx, core).filter(|row| row.broken.is_none()) else {
            return false;
        };
        row.broken = Some((cx.wall.as_millis(), why));
        row::put(&mut cx.store, MY_CORES, core.as_bytes(), &row);
        true
    }

    /// Whether a core node in use did not give what it says that it holds.
    #[must_use]
    pub fn is_broken(cx: &mut Cx<'_>, core: &NodeId) -> bool {
        core_row(cx, core).is_some_and(|row| row.broken.is_some())
    }

    pub(super) fn tell_topic(
        &self,
        cx: &mut Cx<'_>,
        core: NodeId,
        topic: TopicId,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        let agreed = core_row(cx, &core).is_some_and(|row| row.standing == AGREED);
        if !agreed || !self.linked.contains_key(&core) {
            return;
        }
        if let Some(row) = row::get::<WantedRow>(&mut cx.store, MY_TOPICS, topic.as_bytes()) {
            let wanted = Wanted {
                topic,
                genesis: row.genesis,
                core_secret: row.secret,
                share: row.share,
            };
            out.push(MyCoresOutput::Serve { core, wanted });
        }
    }

    pub(super) fn tell_peers(
        &self,
        cx: &mut Cx<'_>,
        core: NodeId,
        topic: TopicId,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        if !self.linked.contains_key(&core) {
            return;
        }
        if let Some(row) = row::get::<PeersRow>(&mut cx.store, MY_PEERS, topic.as_bytes()) {
            let mut peers = peers_of(row);
            peers.retain(|peer| peer.node != core);
            out.push(MyCoresOutput::Peers { core, topic, peers });
        }
    }

    /// Tells a core node that a topic need not be served, now and on every further link until it
    /// confirms that it has heard it.
    pub(super) fn stop(
        &self,
        cx: &mut Cx<'_>,
        core: NodeId,
        topic: TopicId,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        let key = row::pair(core.as_bytes(), topic.as_bytes());
        if !cx.store.has(MY_SERVES, &key) {
            return;
        }
        let left = MyServeRow {
            standing: LEFT,
            text: String::new(),
        };
        row::put(&mut cx.store, MY_SERVES, &key, &left);
        if self.linked.contains_key(&core) {
            out.push(MyCoresOutput::Unserve { core, topic });
        }
    }

    /// Drops a core node that is being left when it serves nothing any more and has confirmed it. One that
    /// only ends some day, and that nobody wants to leave, keeps the mailbox as long as no other does.
    pub(super) fn finish_leaving(
        &self,
        cx: &mut Cx<'_>,
        core: NodeId,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        let unwanted = core_row(cx, &core).is_none_or(|row| row.unwanted == Some(true));
        let stays = !unwanted && self.cores_in(cx, AGREED).is_empty();
        if !stays && serves(cx, &core).is_empty() {
            cx.store.delete(MY_CORES, *core.as_bytes());
            cx.store.delete(MY_USAGE, *core.as_bytes());
            out.push(MyCoresOutput::Release { core });
        }
    }
}
