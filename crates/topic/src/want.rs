//! Asking: what a peer has and this node lacks, and what becomes of the answer.

use crate::event::{LinkId, Rule};
use crate::limits::{ANSWER_PATIENCE, ASK_AGAIN, HELLO_AGAIN, MAX_RANGES};
use crate::peer::{Asked, PeerState, Wanted};
use crate::rows::Phase;
use crate::state::{Shared, Timer, Topic};
use crate::topics::Env;
use identity::PublicKey;
use lace::Range;
use std::collections::BTreeMap;
use wire::TopicFrame;

impl Topic {
    /// Asks a peer for what it has and this node lacks, if nothing is being asked of it.
    pub(crate) fn ask(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>, link: LinkId) {
        if self.row.phase != Phase::Active {
            return;
        }
        let Some(peer) = self.peers.get(&link) else {
            return;
        };
        let declined = peer.declined > env.cx.wall.as_millis();
        if peer.asked.is_some() || peer.muted || peer.wants.is_empty() || declined {
            return;
        }
        self.drop_what_has_come(env, link);
        let Some(peer) = self.peers.get(&link) else {
            return;
        };
        let wall = env.cx.wall.as_millis();
        let wanted = peer.wants.iter().filter(|(author, _)| {
            self.declined.get(author).is_none_or(|until| *until <= wall)
                && !self.asked.contains_key(author)
        });
        let ranges: Vec<Range> = wanted
            .take(MAX_RANGES)
            .map(|(author, wanted)| {
                let known = if wanted.hunt { 0 } else { self.tip(author) };
                let from = wanted.from.max(known.saturating_add(1));
                Range {
                    author: *author,
                    from,
                    to: wanted.to,
                }
            })
            .collect();
        let Some(peer) = self.peers.get_mut(&link).filter(|_| !ranges.is_empty()) else {
            return;
        };
        for range in &ranges {
            peer.wants.remove(&range.author);
            self.asked.insert(range.author, link);
        }
        peer.asked = Some(Asked {
            ranges: ranges
                .iter()
                .map(|range| (range.author, range.to))
                .collect(),
            ended: false,
            got: false,
            news: false,
        });
        shared.timers.set(
            Timer::Answer(self.local, link),
            env.cx.now.after(ANSWER_PATIENCE),
        );
        let frame = TopicFrame::Want {
            ranges,
            control_only: false,
        };
        self.say(shared, env, link, frame);
    }

    /// Forgets wants that others have met meanwhile. What has come may be another branch than the
    /// one that the peer has: its claim is looked at once more.
    pub(crate) fn drop_what_has_come(&mut self, env: &mut Env<'_, '_>, link: LinkId) {
        let Some(peer) = self.peers.get(&link) else {
            return;
        };
        let come: Vec<PublicKey> = peer
            .wants
            .iter()
            .filter(|(author, wanted)| !wanted.hunt && self.tip(author) >= wanted.to)
            .map(|(author, _)| *author)
            .collect();
        for author in come {
            let Some(peer) = self.peers.get_mut(&link) else {
                return;
            };
            peer.wants.remove(&author);
            if let Some(entries) = peer.claims.remove(&author) {
                self.compare_author(env, link, &author, &entries);
            }
        }
    }

    /// The last frame of an answer has come and been checked.
    pub(crate) fn finish_answer(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) {
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        let done = peer.jobs == 0 && peer.asked.as_ref().is_some_and(|asked| asked.ended);
        if !done {
            return;
        }
        let Some(asked) = peer.asked.take() else {
            return;
        };
        self.wait_for_answer(shared, env, link);
        self.release_asked(link, &asked);
        let mut hollow = false;
        for (author, to) in &asked.ranges {
            let tip = self.tip(author);
            let short = tip < *to && !self.is_closed(author);
            let Some(peer) = self.peers.get_mut(&link) else {
                return;
            };
            if short && asked.news {
                // It goes on: what came may have been a part, or waits for what comes now.
                peer.want(
                    *author,
                    Wanted {
                        from: tip + 1,
                        to: *to,
                        hunt: false,
                    },
                );
            } else if short && peer.declined == 0 && !self.declined.contains_key(author) {
                peer.cap(author, tip);
                hollow |= !asked.got;
            }
        }
        self.compare_claims(env, link, &asked);
        if hollow && shared.note_hollow(link) {
            self.misbehaved(env, link, Rule::Hollow);
        }
    }

    /// Looks again at what a peer claimed to have of the chains that it was asked for.
    pub(crate) fn compare_claims(&mut self, env: &mut Env<'_, '_>, link: LinkId, asked: &Asked) {
        for author in asked.ranges.keys() {
            let peer = self.peers.get_mut(&link);
            let claim = peer.and_then(|peer| peer.claims.remove(author));
            // If it gave nothing that helps, it is not asked about these again.
            if let Some(entries) = claim.filter(|_| asked.news) {
                self.compare_author(env, link, author, &entries);
            }
        }
    }

    /// These authors may be asked of others.
    pub(crate) fn release_asked(&mut self, link: LinkId, asked: &Asked) {
        for author in asked.ranges.keys() {
            if self.asked.get(author) == Some(&link) {
                self.asked.remove(author);
            }
        }
    }

    /// Arms or clears the deadline for what a peer still owes.
    pub(crate) fn wait_for_answer(&self, shared: &mut Shared, env: &Env<'_, '_>, link: LinkId) {
        let timer = Timer::Answer(self.local, link);
        let owes = |peer: &PeerState| peer.asked.is_some() || !peer.bodies.is_empty();
        if self.peers.get(&link).is_some_and(owes) {
            shared.timers.set(timer, env.cx.now.after(ANSWER_PATIENCE));
        } else {
            shared.timers.clear(timer);
        }
    }

    /// A peer has not answered in time: others are asked.
    pub(crate) fn on_silence(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>, link: LinkId) {
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        if peer.jobs > 0 {
            // It is this node that is slow.
            shared.timers.set(
                Timer::Answer(self.local, link),
                env.cx.now.after(ANSWER_PATIENCE),
            );
            return;
        }
        let asked = peer.asked.take();
        let bodies = std::mem::take(&mut peer.bodies);
        if asked.is_none() && bodies.is_empty() {
            return;
        }
        peer.muted = true;
        shared
            .timers
            .set_earlier(Timer::Again(self.local, link), env.cx.now.after(ASK_AGAIN));
        if let Some(asked) = asked {
            self.release_asked(link, &asked);
            if let Some(peer) = self.peers.get_mut(&link) {
                for (author, to) in &asked.ranges {
                    peer.want(
                        *author,
                        Wanted {
                            from: 1,
                            to: *to,
                            hunt: false,
                        },
                    );
                }
            }
        }
        self.bodies_given_up(&bodies);
        if shared.note_hollow(link) {
            self.misbehaved(env, link, Rule::Hollow);
        }
    }

    /// A peer is left alone no longer.
    pub(crate) fn on_again(&mut self, link: LinkId) {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.muted = false;
        }
    }

    /// Parked envelopes have not got their past by themselves: whoever gave them is asked. What is
    /// missing on another chain is found by comparing the cuts once more.
    pub(crate) fn ask_for_past(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>) {
        let givers = std::mem::take(&mut self.parked_by);
        let wants = self.lace.parked_wants();
        let parked = self.lace.parked().next().is_some();
        if parked {
            // What something waits for may be theirs: whatever it is, it is taken.
            for author in std::mem::take(&mut self.unwanted) {
                self.declined.remove(&author);
            }
        }
        for link in givers {
            let Some(peer) = self.peers.get_mut(&link) else {
                continue;
            };
            for range in &wants {
                // Whoever gave an envelope has its past; if it is here by then, nothing is asked.
                let tip = self
                    .lace
                    .author(&range.author)
                    .and_then(|author| author.tip());
                let hunt = tip.is_some_and(|tip| tip.number >= range.to);
                peer.want(
                    range.author,
                    Wanted {
                        from: range.from,
                        to: range.to,
                        hunt,
                    },
                );
            }
            let lost = std::mem::take(&mut peer.lost);
            if (parked && wants.is_empty()) || lost {
                if peer.hello_again.is_none_or(|at| at <= env.cx.now) {
                    peer.hello_again = Some(env.cx.now.after(HELLO_AGAIN));
                    peer.hello_due = true;
                } else {
                    peer.lost = lost;
                    self.parked_by.insert(link);
                    shared.soon(Timer::Parked(self.local), env.cx.now, HELLO_AGAIN);
                }
            }
        }
        self.drop_beyond_forks(shared, env);
    }

    /// What lies beyond a fork may wait for what everybody has given up, given by somebody who had
    /// not heard of the fork: it is asked for once, and then dropped.
    fn drop_beyond_forks(&mut self, shared: &mut Shared, env: &Env<'_, '_>) {
        let now = env.cx.now;
        let mut waits = BTreeMap::new();
        for id in self.lace.parked_beyond_forks() {
            let known = self.beyond_forks.get(&id).copied();
            let until = known.unwrap_or_else(|| now.after(ANSWER_PATIENCE));
            if until <= now {
                self.lace.drop_parked_one(&id);
                let _giver = self.parked.take(&id);
            } else {
                waits.insert(id, until);
            }
        }
        if let Some(next) = waits.values().min() {
            shared.timers.set_earlier(Timer::Parked(self.local), *next);
        }
        self.beyond_forks = waits;
    }
}

impl PeerState {
    /// Notes a want of the peer: it has what comes before, and will have what it asks for.
    pub(crate) fn note_want(&mut self, lace: &lace::Lace, range: &Range) {
        let Some(author) = lace.author(&range.author) else {
            return;
        };
        let tip = author.tip().map_or(0, |tip| tip.number);
        if author.closed().is_none() && range.from <= tip.saturating_add(1) {
            self.cap(
                &range.author,
                range.to.min(tip).max(range.from.saturating_sub(1)),
            );
            self.due.remove(&range.author);
            self.announce.remove(&range.author);
            self.held_back.remove(&range.author);
            if range.to < tip {
                self.announce.insert(range.author);
            }
        }
    }
}
