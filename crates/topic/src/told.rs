//! What members say of themselves and of the topic: names, the title, and who is here or has left.
//!
//! Of all that stands the newest counts: that of the highest generation, and of equals that with the
//! greatest id. So replicas that hold the same show the same, in whatever order they heard it, and
//! whatever fell and stood again in between. Places of the local order say nothing here.

use crate::draft::Unknown;
use crate::host::Local;
use crate::limits::MAX_CONTROL_READ;
use crate::rows;
use crate::state::Topic;
use crate::topics::{Env, Topics};
use identity::{EnvelopeId, PublicKey};
use lace::{Body, Held};
use machine::{Cx, Table};
use std::collections::BTreeSet;
use wire::{Envelope, Item};

/// What something is said about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum About {
    /// The topic's title.
    Title,
    /// The name of a device.
    Name(PublicKey),
    /// Whether a device is here or has left.
    Here(PublicKey),
}

/// Whose words have fallen.
#[derive(Debug, Default)]
pub(crate) struct Untold {
    devices: BTreeSet<PublicKey>,
    title: bool,
}

impl About {
    fn row(self, topic: &Topic) -> (Table, Vec<u8>) {
        let local = topic.local;
        match self {
            Self::Title => (rows::NAME, rows::key(local).to_vec()),
            Self::Name(device) => (rows::NAME, rows::key_bytes(local, &[device.as_bytes()])),
            Self::Here(device) => (rows::DEVICE, rows::key_bytes(local, &[device.as_bytes()])),
        }
    }
}

/// The key of the row that says which envelope a row is of.
fn source(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// Greater is newer, at every replica.
fn rank(envelope: &Envelope) -> Vec<u8> {
    let generation = envelope.header.generation.to_be_bytes();
    [&generation[..], envelope.id.as_bytes()].concat()
}

impl Topic {
    /// Whether a device is here (true) or has left; nothing if it never came.
    pub(crate) fn is_here(&self, cx: &mut Cx<'_>, device: &PublicKey) -> Option<bool> {
        let (table, key) = About::Here(*device).row(self);
        Some(cx.store.get(table, &key)? == [0])
    }

    /// Whether an envelope is newer than the one by which this is known, if it is.
    pub(crate) fn is_newer(&self, cx: &mut Cx<'_>, about: About, envelope: &Envelope) -> bool {
        let (table, key) = about.row(self);
        let known = cx.store.get(table, &source(&key));
        known.is_none_or(|known| known < rank(envelope))
    }

    fn put_told(&self, cx: &mut Cx<'_>, about: About, envelope: &Envelope, value: Vec<u8>) {
        let (table, key) = about.row(self);
        cx.store.put(table, source(&key), rank(envelope));
        cx.store.put(table, key, value);
    }

    /// Takes in what a control envelope that stands says, where that is newer than what is known. Of
    /// several items of a kind the last counts.
    pub(crate) fn tell(&self, env: &mut Env<'_, '_>, envelope: &Envelope, items: &[Item]) {
        let Some(device) = self.device_of(envelope) else {
            return;
        };
        let last = |is: fn(&Item) -> bool| items.iter().rfind(|item| is(item));
        let here = last(|item| matches!(item, Item::Certificate(_) | Item::Leave));
        if let Some(item) = here
            && self.is_newer(env.cx, About::Here(device), envelope)
        {
            let left = u8::from(matches!(item, Item::Leave));
            self.put_told(env.cx, About::Here(device), envelope, vec![left]);
        }
        let named = [
            (
                About::Name(device),
                last(|item| matches!(item, Item::Profile(_))),
            ),
            (About::Title, last(|item| matches!(item, Item::Title(_)))),
        ];
        for (about, item) in named {
            if let Some(item) = item
                && self.is_newer(env.cx, about, envelope)
                && let Some(name) = self.open_name(env, envelope, item)
            {
                self.put_told(env.cx, about, envelope, name.into_bytes());
            }
        }
    }

    fn open_name(&self, env: &mut Env<'_, '_>, envelope: &Envelope, item: &Item) -> Option<String> {
        let plain = env.host.open_item(env.cx, self.local, envelope, item)?;
        match item {
            Item::Title(_) => wire::plain::Title::decode(&plain).ok().map(|it| it.name),
            _ => wire::plain::Profile::decode(&plain).ok().map(|it| it.name),
        }
    }

    /// As [`Topic::tell`], for what is held.
    pub(crate) fn tell_held(&self, env: &mut Env<'_, '_>, held: &Held) {
        if let Body::Here(body) = &held.body {
            let items = wire::decode_items(body).unwrap_or_default();
            self.tell(env, &held.envelope, &items);
        }
    }

    /// A control envelope has fallen: what is known by it is not known any more.
    pub(crate) fn untell(&self, cx: &mut Cx<'_>, envelope: &Envelope, untold: &mut Untold) {
        let Some(device) = self.device_of(envelope) else {
            return;
        };
        for about in [About::Title, About::Name(device), About::Here(device)] {
            let (table, key) = about.row(self);
            let by = cx.store.get(table, &source(&key));
            // Where it is not written by which one it is known, it may be this one.
            if !cx.store.has(table, &key) || by.is_some_and(|by| by != rank(envelope)) {
                continue;
            }
            cx.store.delete(table, source(&key));
            cx.store.delete(table, key);
            match about {
                About::Title => untold.title = true,
                About::Name(_) | About::Here(_) => drop(untold.devices.insert(device)),
            }
        }
    }

    /// What stands instead of all that fell in this turn, out of one look at the newest control. What
    /// has not been delivered yet says what it says when it is.
    pub(crate) fn tell_instead(&self, env: &mut Env<'_, '_>, untold: &Untold) {
        if !untold.title && untold.devices.is_empty() {
            return;
        }
        let store = &mut env.cx.store;
        for place in self.lace.newest_control(store, MAX_CONTROL_READ) {
            let device = self.lace.author(&place.author).map(|it| *it.device());
            let meant = device.is_some_and(|device| untold.devices.contains(&device));
            if !(meant || untold.title) || !self.is_delivered(place.n) {
                continue;
            }
            let held = self.lace.envelope(&mut env.cx.store, &place.id);
            if let Some(held) = held.filter(|held| held.effective) {
                self.tell_held(env, &held);
            }
        }
    }

    /// What is sealed may open since keys have come: takes in once more what the newest control says.
    fn tell_again(&self, env: &mut Env<'_, '_>) -> Vec<EnvelopeId> {
        let store = &mut env.cx.store;
        let places = self.lace.newest_control(store, MAX_CONTROL_READ);
        let mut told = Vec::new();
        for place in places.into_iter().filter(|it| self.is_delivered(it.n)) {
            let held = self.lace.envelope(&mut env.cx.store, &place.id);
            if let Some(held) = held.filter(|held| held.effective) {
                self.tell_held(env, &held);
                told.push(place.id);
            }
        }
        told.reverse();
        told
    }

    /// Whether what has a place has been looked at, and waits for nothing.
    pub(crate) fn is_delivered(&self, n: u64) -> bool {
        n > 0 && n <= self.row.delivered && !self.waiting.holds(n)
    }
}

impl Topics {
    /// Keys have come by which names, or the title, may open that did not when they came: reads the newest
    /// control once more. Gives the envelopes that were read, the oldest first.
    pub fn tell_again(&mut self, env: &mut Env<'_, '_>, topic: Local) -> Vec<EnvelopeId> {
        match self.get(env.cx, topic) {
            Ok((topic, _)) => topic.tell_again(env),
            Err(Unknown) => Vec::new(),
        }
    }
}
