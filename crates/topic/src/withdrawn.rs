//! What was shown and stands no more, or stands again: told once, in a line of its own.

use crate::limits::MAX_CONTROL_READ;
use crate::rows::{self, Run, RunKind, Shown, Void};
use crate::state::{Shared, Topic};
use crate::topics::Env;
use identity::{EnvelopeId, PublicKey};
use lace::{Admission, Changed};
use machine::Cx;
use wire::{Class, Envelope, Item};

impl Topic {
    /// Lets the graph find out what stands, as far as one turn goes.
    pub(crate) fn rebound(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>) {
        if self.lace.has_work() {
            for (id, admission) in self.lace.work(&mut env.cx.store) {
                if let Admission::Admitted { n, body } = admission {
                    if !body {
                        self.missing_to = self.missing_to.max(n);
                    }
                    self.admitted(shared, env, None, &id);
                }
            }
        }
        for Changed { id, .. } in self.lace.take_changes() {
            self.note_change(env, &id);
        }
    }

    /// An envelope has become void, or effective again.
    fn note_change(&mut self, env: &mut Env<'_, '_>, id: &EnvelopeId) {
        if !self.is_member() {
            return;
        }
        let Some(envelope) = self.lace.header(&mut env.cx.store, id) else {
            return;
        };
        let effective = self.lace.effective(&mut env.cx.store, id);
        if envelope.header.class == Class::Control && !effective {
            self.tell_again(env, &envelope);
        }
        let Some(Shown::Lines(_)) = self.shown(env.cx, id) else {
            return;
        };
        let key = rows::key_bytes(self.local, &[id.as_bytes()]);
        let void = env.cx.store.has(rows::VOID, &key);
        if !effective && !void {
            let void = self.void_of(env.cx, &envelope);
            env.cx.store.put(rows::VOID, key, void.encode());
            self.add_notice(env.cx, *id, RunKind::Withdrawn, void.at);
        } else if effective && void {
            env.cx.store.delete(rows::VOID, key);
            self.add_notice(env.cx, *id, RunKind::Restored, envelope.header.created);
        }
    }

    /// Who has made an envelope void, and when by their own claim.
    pub(crate) fn void_of(&self, cx: &mut Cx<'_>, envelope: &Envelope) -> Void {
        if let Some(fact) = self.lace.fallen_by(&mut cx.store, &envelope.id) {
            let carrier = self.lace.header(&mut cx.store, &fact.carrier);
            return Void {
                by: carrier.and_then(|carrier| self.device_of(&carrier)),
                at: fact.created,
            };
        }
        let author = &envelope.header.author;
        let evidence = self.lace.evidence(&mut cx.store, author);
        let at = evidence.map(|pair| pair.first.header.created.max(pair.second.header.created));
        Void {
            by: None,
            at: at.unwrap_or(envelope.header.created),
        }
    }

    /// Who has made void what was shown of an envelope.
    pub(crate) fn withdrawn_by(&self, cx: &mut Cx<'_>, id: &EnvelopeId) -> Option<PublicKey> {
        let key = rows::key_bytes(self.local, &[id.as_bytes()]);
        Void::decode(&cx.store.get(rows::VOID, &key)?)?.by
    }

    fn add_notice(&mut self, cx: &mut Cx<'_>, id: EnvelopeId, kind: RunKind, at: u64) {
        let run = Run {
            kind,
            id,
            at,
            index: 0,
            count: 1,
        };
        let line = self.row.next_line;
        let key = rows::key_number(self.local, line);
        cx.store.put(rows::LINE, key, run.encode());
        self.row.next_line = line.saturating_add(1);
        self.new_lines = true;
    }

    /// Names, the title and farewells of an envelope that is void now: what stands instead is what
    /// was said before.
    fn tell_again(&self, env: &mut Env<'_, '_>, envelope: &Envelope) {
        let items = self.items(env.cx, &envelope.id);
        let device = self.device_of(envelope);
        for item in &items {
            let key = match (item, device) {
                (Item::Title(_), _) => rows::key(self.local).to_vec(),
                (Item::Profile(_), Some(device)) => {
                    rows::key_bytes(self.local, &[device.as_bytes()])
                }
                (Item::Leave, Some(device)) => {
                    let key = rows::key_bytes(self.local, &[device.as_bytes()]);
                    env.cx.store.put(rows::DEVICE, key, [0]);
                    continue;
                }
                _ => continue,
            };
            let of = matches!(item, Item::Profile(_)).then_some(device).flatten();
            match self.newest_name(env, of) {
                Some(name) => env.cx.store.put(rows::NAME, key, name.into_bytes()),
                None => env.cx.store.delete(rows::NAME, key),
            }
        }
    }

    fn items(&self, cx: &mut Cx<'_>, id: &EnvelopeId) -> Vec<Item> {
        match self.lace.envelope(&mut cx.store, id).map(|held| held.body) {
            Some(lace::Body::Here(body)) => wire::decode_items(&body).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// The newest name that a device gave itself, or title without a device, in what stands.
    fn newest_name(&self, env: &mut Env<'_, '_>, device: Option<PublicKey>) -> Option<String> {
        let places = self
            .lace
            .newest_control(&mut env.cx.store, MAX_CONTROL_READ);
        for place in places {
            let Some(held) = self.lace.envelope(&mut env.cx.store, &place.id) else {
                continue;
            };
            let own = device.is_none() || self.device_of(&held.envelope) == device;
            let lace::Body::Here(body) = &held.body else {
                continue;
            };
            if !held.effective || !own {
                continue;
            }
            for item in wire::decode_items(body).unwrap_or_default().iter().rev() {
                let meant = match item {
                    Item::Title(_) => device.is_none(),
                    Item::Profile(_) => device.is_some(),
                    _ => false,
                };
                let plain = if meant {
                    env.host.open_item(env.cx, self.local, &held.envelope, item)
                } else {
                    None
                };
                let name = plain.and_then(|plain| match item {
                    Item::Title(_) => wire::plain::Title::decode(&plain).ok().map(|it| it.name),
                    _ => wire::plain::Profile::decode(&plain).ok().map(|it| it.name),
                });
                if name.is_some() {
                    return name;
                }
            }
        }
        None
    }
}
