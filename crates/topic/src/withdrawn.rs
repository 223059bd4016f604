//! What was shown and stands no more, or stands again: told once, in a line of its own.

use crate::rows::{self, Run, RunKind, Shown, Void};
use crate::state::{Shared, Topic};
use crate::told::Untold;
use crate::topics::Env;
use identity::{EnvelopeId, PublicKey};
use lace::{Admission, Changed};
use machine::Cx;
use std::collections::{BTreeMap, BTreeSet};
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
        let changes = self.lace.take_changes();
        if self.is_member() && !changes.is_empty() {
            self.note_changes(shared, env, &changes);
        }
    }

    /// Envelopes have become void, or effective again. However many they are, and whatever they say,
    /// what stands instead of what fell is looked for once.
    fn note_changes(&mut self, shared: &Shared, env: &mut Env<'_, '_>, changes: &[Changed]) {
        let mut untold = Untold::default();
        let mut risen: BTreeMap<u64, EnvelopeId> = BTreeMap::new();
        let mut seen: BTreeSet<EnvelopeId> = BTreeSet::new();
        for Changed { id, .. } in changes {
            let known = !seen.insert(*id);
            let Some(envelope) = self.lace.header(&mut env.cx.store, id).filter(|_| !known) else {
                continue;
            };
            let effective = self.lace.effective(&mut env.cx.store, id);
            let control = envelope.header.class == Class::Control;
            if control && !effective {
                self.untell(env.cx, &envelope, &mut untold);
            }
            let lines = matches!(self.shown(env.cx, id), Some(Shown::Lines(_)));
            if lines {
                self.note_change(env.cx, &envelope, effective);
            }
            if effective
                && (control || !lines)
                && let Some(held) = self.lace.envelope(&mut env.cx.store, id)
            {
                risen.insert(held.n, *id);
            }
        }
        // In their order, which is a causal one.
        for (n, id) in risen {
            if self.is_delivered(n) {
                self.show_risen(shared, env, &id);
            }
        }
        self.tell_instead(env, &untold);
    }

    /// What has lines has become void, or effective again.
    fn note_change(&mut self, cx: &mut Cx<'_>, envelope: &Envelope, effective: bool) {
        let key = rows::key_bytes(self.local, &[envelope.id.as_bytes()]);
        let void = cx.store.has(rows::VOID, &key);
        if !effective && !void {
            let void = self.void_of(cx, envelope);
            cx.store.put(rows::VOID, key, void.encode());
            self.add_notice(cx, envelope.id, RunKind::Withdrawn, void.at);
        } else if effective && void {
            cx.store.delete(rows::VOID, key);
            self.add_notice(cx, envelope.id, RunKind::Restored, envelope.header.created);
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

    /// By which rule an admitted envelope does not stand, in words.
    pub(crate) fn why_void(&self, cx: &mut Cx<'_>, id: &EnvelopeId) -> &'static str {
        let fact = self.lace.fallen_by(&mut cx.store, id);
        match fact.as_deref().map(|fact| &fact.what) {
            None => "its author signed two histories, and nothing that stands names this one",
            Some(Item::Revocation(_)) => {
                "revocation: what it was written under, or something above that, was taken back with a cut \
                 that does not name it"
            }
            Some(Item::Close(_)) => {
                "close: the right that it was written with was over, and no close of it names it"
            }
            Some(Item::Act(_) | Item::Countersign(_)) => {
                "act: its device lost its seat, with a cut that does not name it"
            }
            Some(_) => "what it rests on does not stand",
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
}
