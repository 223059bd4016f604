//! From admitted envelopes to lines: in causal order, with gaps instead of stalls.

use crate::OpenError;
use crate::limits::{BODY_PATIENCE, MAX_DELIVERIES_PER_TURN, MAX_WAITING};
use crate::rows::{self, GapReason, Run, RunKind, Shown};
use crate::state::{Shared, Timer, Topic};
use crate::told::About;
use crate::topics::Env;
use identity::EnvelopeId;
use lace::{Body, Held, Place};
use machine::planted::{Bug, is};
use machine::{Cx, Time};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Class, Envelope, Item};

/// Envelopes that have no lines yet: a body is missing, theirs or one that they depend on.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    by_place: BTreeMap<u64, Wait>,
    places: BTreeMap<EnvelopeId, u64>,
    /// Something has changed since all were looked at.
    dirty: bool,
}

#[derive(Debug)]
struct Wait {
    place: Place,
    expires: u64,
    /// Its own body is missing.
    lacks: bool,
    /// Waiting envelopes that it depends on.
    behind: BTreeSet<u64>,
    /// When its body has been waited for long enough; nothing while no peer is there.
    until: Option<Time>,
}

impl Waiting {
    pub(crate) fn len(&self) -> usize {
        self.by_place.len()
    }

    fn put(&mut self, wait: Wait) {
        self.places.insert(wait.place.id, wait.place.n);
        self.by_place.insert(wait.place.n, wait);
    }

    fn take(&mut self, n: u64) -> Option<Wait> {
        let wait = self.by_place.remove(&n)?;
        self.places.remove(&wait.place.id);
        self.dirty = true;
        Some(wait)
    }

    /// A body has come.
    pub(crate) fn body_came(&mut self, id: &EnvelopeId) -> bool {
        let Some(wait) = self.places.get(id).and_then(|n| self.by_place.get_mut(n)) else {
            return false;
        };
        wait.lacks = false;
        self.dirty = true;
        true
    }

    /// The first peer has come: patience begins to count.
    pub(crate) fn begin(&mut self, until: Time) {
        for wait in self.by_place.values_mut().filter(|wait| wait.lacks) {
            wait.until.get_or_insert(until);
        }
    }

    /// The last peer has gone: nobody is waited for.
    pub(crate) fn pause(&mut self) {
        for wait in self.by_place.values_mut() {
            wait.until = None;
        }
    }

    /// Whether what has this place waits.
    pub(crate) fn holds(&self, n: u64) -> bool {
        self.by_place.contains_key(&n)
    }

    /// What peers have, or say, has changed.
    pub(crate) fn look_again(&mut self) {
        self.dirty = true;
    }

    fn next_deadline(&self) -> Option<Time> {
        self.by_place
            .values()
            .filter(|wait| wait.lacks)
            .filter_map(|wait| wait.until)
            .min()
    }
}

impl Topic {
    pub(crate) fn load_waiting(&mut self, cx: &mut Cx<'_>) {
        if !self.is_member() {
            return;
        }
        for (key, _) in cx
            .store
            .prefix(rows::WAITS, &rows::key(self.local), MAX_WAITING)
        {
            let place = rows::number_of(&key).and_then(|n| self.lace.by_place(&mut cx.store, n));
            if let Some(place) = place
                && let Some(held) = self.lace.envelope(&mut cx.store, &place.id)
            {
                let wait = self.wait_of(&held, place, None);
                self.waiting.put(wait);
                self.waiting.dirty = true;
            }
        }
    }

    /// Gives lines to what has been admitted; says whether there is more to do.
    pub(crate) fn deliver(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>) -> bool {
        if !self.is_member() {
            return false;
        }
        if self.lace.last_place() == self.row.delivered && !self.waiting.dirty && !self.new_lines {
            return false;
        }
        let places = self.lace.order(
            &mut env.cx.store,
            self.row.delivered,
            MAX_DELIVERIES_PER_TURN,
        );
        let more = places.len() == MAX_DELIVERIES_PER_TURN;
        for place in &places {
            self.consider(shared, env, *place);
            self.row.delivered = place.n;
        }
        if self.waiting.dirty {
            self.release(shared, env);
        }
        if !places.is_empty() || self.new_lines {
            self.save(env.cx);
        }
        match self.waiting.next_deadline() {
            Some(at) => shared.timers.set_earlier(Timer::Patience(self.local), at),
            None => shared.timers.clear(Timer::Patience(self.local)),
        }
        more
    }

    fn consider(&mut self, shared: &Shared, env: &mut Env<'_, '_>, place: Place) {
        // What is void has no lines. Should it stand again, it gets another place, or if it was kept
        // all the time, `show_risen` is called.
        let held = self.lace.envelope(&mut env.cx.store, &place.id);
        let Some(held) = held.filter(|held| held.effective) else {
            return;
        };
        let until = (!self.peers.is_empty()).then(|| env.cx.now.after(BODY_PATIENCE));
        let wait = self.wait_of(&held, place, until);
        if wait.behind.is_empty() && !wait.lacks {
            self.show(env, &held);
            return;
        }
        if wait.behind.is_empty() && Self::is_over(shared, env.cx, wait.expires) {
            self.gap(env.cx, &held.envelope, GapReason::Expired);
            return;
        }
        let key = rows::key_number(self.local, place.n);
        env.cx.store.put(rows::WAITS, key, []);
        self.waiting.put(wait);
        if self.waiting.len() > MAX_WAITING {
            let oldest = self.waiting.by_place.keys().next().copied();
            if let Some(n) = oldest {
                self.settle(shared, env, n, true);
            }
        }
        self.waiting.dirty = true;
    }

    fn wait_of(&self, held: &Held, place: Place, until: Option<Time>) -> Wait {
        let header = &held.envelope.header;
        let previous = EnvelopeId::from_bytes(header.previous);
        let parents = header.deps.iter().chain([&previous]);
        let behind = parents
            .filter_map(|id| self.waiting.places.get(id).copied())
            .collect();
        let lacks = header.class == Class::Content && !matches!(held.body, Body::Here(_));
        let until = until.filter(|_| lacks);
        Wait {
            place,
            expires: header.expires,
            lacks,
            behind,
            until,
        }
    }

    /// Looks at all that wait, in causal order, so that one pass finds everything that has come.
    fn release(&mut self, shared: &Shared, env: &mut Env<'_, '_>) {
        self.waiting.dirty = false;
        let places: Vec<u64> = self.waiting.by_place.keys().copied().collect();
        for n in places {
            let Some(wait) = self.waiting.by_place.get(&n) else {
                continue;
            };
            let behind = wait
                .behind
                .iter()
                .any(|n| self.waiting.by_place.contains_key(n));
            if behind {
                continue;
            }
            let give_up = wait.lacks && self.is_hopeless(shared, env.cx, wait);
            if give_up || !wait.lacks {
                self.settle(shared, env, n, give_up);
            }
        }
        // What `settle` reports as changed has been looked at in this very pass.
        self.waiting.dirty = false;
    }

    fn is_hopeless(&self, shared: &Shared, cx: &Cx<'_>, wait: &Wait) -> bool {
        if wait.until.is_some_and(|until| until <= cx.now)
            || Self::is_over(shared, cx, wait.expires)
        {
            return true;
        }
        let (id, author, number) = (&wait.place.id, &wait.place.author, wait.place.number);
        let mut said = self.peers.values().map(|peer| peer.gone.contains(id));
        said.any(|gone| gone)
            && self.peers.values().all(|peer| {
                peer.gone.contains(id) || (peer.is_compared() && !peer.has(author, number))
            })
    }

    /// Ends the waiting of one envelope, with its lines or a gap.
    fn settle(&mut self, shared: &Shared, env: &mut Env<'_, '_>, n: u64, give_up: bool) {
        let Some(wait) = self.waiting.take(n) else {
            return;
        };
        env.cx
            .store
            .delete(rows::WAITS, rows::key_number(self.local, n));
        let Some(held) = self.lace.envelope(&mut env.cx.store, &wait.place.id) else {
            return;
        };
        if give_up && wait.lacks {
            let over = Self::is_over(shared, env.cx, wait.expires);
            let reason = if over {
                GapReason::Expired
            } else {
                GapReason::Missing
            };
            self.gap(env.cx, &held.envelope, reason);
        } else {
            self.show(env, &held);
        }
    }

    /// A body has come for an envelope that is shown as a gap: its lines follow at the end.
    pub(crate) fn show_late(&mut self, env: &mut Env<'_, '_>, id: &EnvelopeId) {
        if !self.is_member() || self.waiting.body_came(id) {
            return;
        }
        if let Some(Shown::Gap(_)) = self.shown(env.cx, id)
            && let Some(held) = self.lace.envelope(&mut env.cx.store, id)
        {
            self.show(env, &held);
            self.save(env.cx);
        }
    }

    /// What was void stands again in the place that it has had all the time, and that has been passed
    /// over, or was shown.
    pub(crate) fn show_risen(&mut self, shared: &Shared, env: &mut Env<'_, '_>, id: &EnvelopeId) {
        let Some(held) = self.lace.envelope(&mut env.cx.store, id) else {
            return;
        };
        if self.shown(env.cx, id).is_some() {
            self.show(env, &held);
        } else if let Some(place) = self.lace.by_place(&mut env.cx.store, held.n) {
            self.consider(shared, env, place);
        }
    }

    pub(crate) fn shown(&self, cx: &mut Cx<'_>, id: &EnvelopeId) -> Option<Shown> {
        let row = cx
            .store
            .get(rows::SHOWN, &rows::key_bytes(self.local, &[id.as_bytes()]))?;
        Shown::decode(&row)
    }

    /// Gives an envelope its lines. None when it has them: an envelope may get a second place in the
    /// order, and a body may come twice. What it says of names and farewells counts again all the same.
    fn show(&mut self, env: &mut Env<'_, '_>, held: &Held) {
        let envelope = &held.envelope;
        let before = self.shown(env.cx, &envelope.id);
        let again = matches!(before, Some(Shown::Lines(_))) && !is(Bug::DeliverAgain);
        if !held.effective {
            return;
        }
        if again {
            if envelope.header.class == Class::Control {
                self.tell_held(env, held);
            }
            return;
        }
        let Body::Here(body) = &held.body else {
            self.gap(env.cx, envelope, GapReason::Missing);
            return;
        };
        match envelope.header.class {
            Class::Content => match env.host.open(env.cx, self.local, envelope, body) {
                Ok(messages) => {
                    let count = u16::try_from(messages.len()).unwrap_or(u16::MAX);
                    self.add_run(env.cx, envelope, RunKind::Messages, (0, count));
                }
                Err(OpenError::Malformed) => self.gap(env.cx, envelope, GapReason::Malformed),
                Err(OpenError::NoKey) => self.gap(env.cx, envelope, GapReason::NoKey),
            },
            Class::Control => {
                let items = wire::decode_items(body).unwrap_or_default();
                self.show_items(env, envelope, &items);
            }
            Class::Live => {}
        }
    }

    fn show_items(&mut self, env: &mut Env<'_, '_>, envelope: &Envelope, items: &[Item]) {
        let Some(device) = self.device_of(envelope) else {
            return;
        };
        let newer = self.is_newer(env.cx, About::Here(device), envelope);
        let mut here = self.is_here(env.cx, &device) == Some(true);
        for (index, item) in (0_u16..).zip(items) {
            match item {
                Item::Certificate(_) => {
                    if newer && !here {
                        here = true;
                        self.add_run(env.cx, envelope, RunKind::Join, (index, 1));
                    }
                }
                Item::Leave => {
                    here = false;
                    self.add_run(env.cx, envelope, RunKind::Leave, (index, 1));
                }
                Item::Profile(_)
                | Item::Title(_)
                | Item::Claim(_)
                | Item::Invite(_)
                | Item::Sealing(_)
                | Item::Cores(_)
                | Item::Grant(_)
                | Item::Revocation(_)
                | Item::Close(_)
                | Item::Act(_)
                | Item::Epoch(_)
                | Item::Boxes(_)
                | Item::Countersign(_)
                | Item::Unshare(_) => {}
            }
        }
        self.tell(env, envelope, items);
    }

    /// A gap stands for an envelope once; what is shown already says enough.
    fn gap(&mut self, cx: &mut Cx<'_>, envelope: &Envelope, reason: GapReason) {
        if self.shown(cx, &envelope.id).is_none() {
            self.add_run(cx, envelope, RunKind::Gap(reason), (0, 1));
        }
    }

    fn add_run(&mut self, cx: &mut Cx<'_>, envelope: &Envelope, kind: RunKind, of: (u16, u16)) {
        let (index, count) = of;
        let line = self.row.next_line;
        let run = Run {
            kind,
            id: envelope.id,
            at: envelope.header.created,
            index,
            count,
        };
        cx.store
            .put(rows::LINE, rows::key_number(self.local, line), run.encode());
        let shown = match kind {
            RunKind::Gap(_) => Shown::Gap(line),
            _ => Shown::Lines(line),
        };
        let key = rows::key_bytes(self.local, &[envelope.id.as_bytes()]);
        cx.store.put(rows::SHOWN, key, shown.encode());
        self.row.next_line = line.saturating_add(u64::from(count));
        self.new_lines = true;
    }
}
