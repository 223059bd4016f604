//! What is due by time.

use crate::host::Local;
use crate::limits::{
    EXPIRE_LONGEST, IDLE_PATIENCE, MAX_DEADLINES_PER_TURN, MAX_EXPIRE_PER_TURN,
    MAX_FORGET_PER_TURN, MAX_FRAMES_PER_TURN, MAX_SWEPT_PER_TURN,
};
use crate::rows;
use crate::state::{Timer, Topic};
use crate::topics::{Env, Topics};
use core::time::Duration;
use lace::Lace;
use machine::{Cx, Time};

impl Topics {
    /// Does what is due.
    pub fn on_deadline(&mut self, env: &mut Env<'_, '_>) {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        let mut due = Vec::new();
        // Taken out first, so that what asks for another turn waits for it.
        while due.len() < MAX_DEADLINES_PER_TURN
            && let Some(timer) = self.shared.timers.expired(env.cx.now)
        {
            due.push(timer);
        }
        for timer in due {
            self.on_timer(env, timer);
        }
    }

    /// There is room again, in one topic or in all: what was declined for want of it is asked for
    /// now, and not only at the time that was named to those who offered it.
    pub fn room_again(&mut self, now: Time, topic: Option<Local>) {
        let which = |local: &Local| topic.is_none_or(|topic| topic == *local);
        for (local, entry) in self.entries.iter_mut().filter(|(local, _)| which(local)) {
            if let Some(topic) = &mut entry.topic
                && (!topic.declined.is_empty()
                    || topic.bodies_declined > 0
                    // By the clock of whoever was told, it may be refused for a while longer.
                    || topic.peers.values().any(|peer| peer.turned_away))
            {
                topic.declined.clear();
                topic.bodies_declined = 0;
                topic.welcome_anew();
                self.shared.soon(Timer::Retry(*local), now, Duration::ZERO);
            }
        }
    }

    /// What this node takes and gives has been decided anew, and not only how much room it has: what
    /// was declined is asked for now, and what waits to be given is given.
    pub fn allowed_anew(&mut self, now: Time) {
        for (local, entry) in &mut self.entries {
            let Some(topic) = &mut entry.topic else {
                continue;
            };
            topic.declined.clear();
            topic.bodies_declined = 0;
            topic.welcome_anew();
            for peer in topic.peers.values_mut().filter(|peer| peer.declined > 0) {
                // Over since long.
                peer.declined = 1;
            }
            self.shared.soon(Timer::Retry(*local), now, Duration::ZERO);
        }
    }

    /// Says at once what would only have waited for company: for a node that is about to end, so
    /// that whoever wrote to it learns that it has arrived.
    pub fn hurry(&mut self, env: &mut Env<'_, '_>) {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        let waits = |local: &Local| self.shared.timers.get(Timer::Receipt(*local)).is_some();
        let due: Vec<Local> = self.entries.keys().copied().filter(waits).collect();
        for local in due.into_iter().take(MAX_DEADLINES_PER_TURN) {
            self.shared.timers.clear(Timer::Receipt(local));
            self.on_timer(env, Timer::Receipt(local));
        }
    }

    pub(crate) fn on_timer(&mut self, env: &mut Env<'_, '_>, timer: Timer) {
        let local = match timer {
            Timer::Expire => return self.expire(env),
            Timer::Forget(local) => return self.forget_more(env.cx, local),
            Timer::Idle(local) => return self.leave_memory(env.cx, local),
            Timer::Work(local)
            | Timer::Receipt(local)
            | Timer::Soon(local)
            | Timer::Later(local)
            | Timer::Back(local)
            | Timer::Promise(local)
            | Timer::Parked(local)
            | Timer::Patience(local)
            | Timer::Answer(local, _)
            | Timer::Again(local, _)
            | Timer::Audit(local, _)
            | Timer::Retry(local) => local,
        };
        let Ok((topic, shared)) = self.get(env.cx, local) else {
            return;
        };
        match timer {
            Timer::Receipt(_) | Timer::Promise(_) => topic.issue(shared, env),
            Timer::Soon(_) | Timer::Later(_) => topic.pass_on(timer),
            Timer::Back(_) => topic.tell_held_back(),
            Timer::Parked(_) => topic.ask_for_past(shared, env),
            Timer::Patience(_) => topic.waiting.look_again(),
            Timer::Answer(_, link) => topic.on_silence(shared, env, link),
            Timer::Again(_, link) => topic.on_again(link),
            Timer::Audit(_, link) => topic.audit_over(env, link),
            Timer::Retry(_) => topic.on_retry(shared, env),
            Timer::Work(_) | Timer::Expire | Timer::Forget(_) | Timer::Idle(_) => {}
        }
        topic.work(shared, env);
    }

    pub(crate) fn leave_memory(&mut self, cx: &mut Cx<'_>, local: Local) {
        let Some(entry) = self.entries.get_mut(&local) else {
            return;
        };
        let has_peers = |topic: &Topic| !topic.peers.is_empty();
        if entry.topic.as_deref().is_some_and(has_peers) {
            // Armed again when the last one goes.
            return;
        }
        let idle = entry
            .topic
            .as_ref()
            .is_some_and(|topic| topic.lace.parked().next().is_none() && !topic.stale);
        let timers = &self.shared.timers;
        let due = [
            Timer::Work(local),
            Timer::Receipt(local),
            Timer::Patience(local),
        ];
        if idle && due.iter().all(|timer| timers.get(*timer).is_none()) {
            if let Some(topic) = entry.topic.take() {
                entry.keeps_until = topic.keeps_until(cx);
            }
        } else if entry.topic.is_some() {
            self.shared.soon(Timer::Idle(local), cx.now, IDLE_PATIENCE);
        }
    }

    /// Removes what has expired, a bounded piece of one topic after another.
    pub(crate) fn expire(&mut self, env: &mut Env<'_, '_>) {
        if !self.shared.clock_confirmed {
            return;
        }
        let wall = env.cx.wall.as_millis();
        let from = self.sweep_from.take().unwrap_or(0);
        let over = self
            .entries
            .range(from..)
            .filter(|(_, entry)| entry.topic.is_some() || entry.keeps_until <= wall)
            .map(|(local, _)| *local);
        let due: Vec<Local> = over.take(MAX_SWEPT_PER_TURN.saturating_add(1)).collect();
        let mut left = MAX_EXPIRE_PER_TURN;
        for (place, local) in due.iter().enumerate() {
            if left == 0 || place == MAX_SWEPT_PER_TURN {
                self.sweep_from = Some(*local);
                break;
            }
            left = left.saturating_sub(self.expire_topic(env, *local, left));
            if left == 0 {
                // It may have more.
                self.sweep_from = Some(*local);
                break;
            }
        }
        if self.sweep_from.is_some() {
            self.shared.timers.set(Timer::Expire, env.cx.now);
            return;
        }
        let next = self.entries.values().map(|entry| entry.keeps_until).min();
        let longest = env.cx.now.after(EXPIRE_LONGEST);
        self.shared.timers.set(Timer::Expire, longest);
        self.shared.expire_by(env.cx, next.unwrap_or(u64::MAX));
    }

    pub(crate) fn expire_topic(
        &mut self,
        env: &mut Env<'_, '_>,
        local: Local,
        limit: usize,
    ) -> usize {
        let wall = env.cx.wall.as_millis();
        let keeps = self
            .entries
            .get(&local)
            .map_or(u64::MAX, |entry| entry.keeps_until);
        let Ok((topic, shared)) = self.get_for_sweep(env.cx, local) else {
            return 0;
        };
        topic.sweep_boxes(shared, env.cx);
        topic.sweep_claims(shared, env.cx);
        let freed = topic.lace.expire(&mut env.cx.store, wall, limit);
        if !freed.is_empty() {
            topic.waiting.look_again();
            shared.work(local, env.cx.now);
        }
        let keeps_until = topic.keeps_until(env.cx);
        if let Some(entry) = self.entries.get_mut(&local) {
            entry.keeps_until = keeps_until;
            if keeps <= wall
                && entry
                    .topic
                    .as_ref()
                    .is_some_and(|topic| topic.peers.is_empty())
            {
                self.shared
                    .soon(Timer::Idle(local), env.cx.now, IDLE_PATIENCE);
            }
        }
        freed.len()
    }

    pub(crate) fn forget_more(&mut self, cx: &mut Cx<'_>, local: Local) {
        let mut left = MAX_FORGET_PER_TURN;
        for table in rows::BY_TOPIC {
            for (key, _) in cx.store.prefix(table, &rows::key(local), left) {
                cx.store.delete(table, key);
                left = left.saturating_sub(1);
            }
            if left == 0 {
                break;
            }
        }
        if left == 0 || !Lace::forget(&mut cx.store, local, left) {
            self.shared.timers.set(Timer::Forget(local), cx.now);
            return;
        }
        cx.store.delete(rows::TOPIC, rows::key(local));
        self.entries.remove(&local);
    }
}
