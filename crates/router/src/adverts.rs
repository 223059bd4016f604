//! NodeAdverts: one's own, and those of others.

use identity::seal::hpke::HpkeSecret;
use identity::{NodeId, SealingKey, seal};
use machine::{Cx, Outbox};
use wire::{
    AdvertAddress, AdvertCore, Checked, Code, Frame, NodeAdvert, RawStatement, Signed,
    SignedAdvert, check_advert, sign_advert,
};

use crate::config::Address;
use crate::event::{LinkId, Output, Problem};
use crate::hello::cut;
use crate::limits::{MAX_SEALING_KEYS, SEALING_KEPT, SEALING_TURN};
use crate::router::{Router, Timer};
use crate::row::{self, ADVERTS, AdvertRow, OWN_ADVERT, OwnRow, SEALING, SealingRow, millis};
use crate::targets::{Phase, Target};

/// Names a sealing key in what is sealed to it.
pub(crate) type KeyId = [u8; 8];

/// One's own advert.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) version: u32,
    signed: Option<SignedAdvert>,
    /// As the node said in this life; before it has, what the last advert says goes on.
    pub(crate) listening: Option<Vec<Address>>,
    pub(crate) cores: Option<Vec<(NodeId, String)>>,
    double: bool,
}

impl Own {
    pub(crate) fn load(cx: &mut Cx<'_>) -> Self {
        let row: OwnRow = row::get(&mut cx.store, OWN_ADVERT, row::ONLY).unwrap_or_default();
        Self {
            version: row.version,
            signed: stored(&row.advert),
            listening: None,
            cores: None,
            double: false,
        }
    }
}

impl Router {
    /// The name that others see: neighbours, or the members of topics alone.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// One's own advert in its newest version.
    #[must_use]
    pub fn own_advert(&self) -> Option<&NodeAdvert> {
        self.own.signed.as_ref().map(|signed| &signed.value)
    }

    /// One's own advert as it was signed, for whatever tells it; nothing while it says what may not be told.
    #[must_use]
    pub fn own_signed(&self) -> Option<&SignedAdvert> {
        let tells = |own: &&SignedAdvert| self.may_tell_address() || own.value.addresses.is_empty();
        self.own.signed.as_ref().filter(tells)
    }

    /// Another node's advert, if it is stored here.
    #[must_use]
    pub fn advert(&self, cx: &mut Cx<'_>, node: &NodeId) -> Option<NodeAdvert> {
        let row: AdvertRow = row::get(&mut cx.store, ADVERTS, node.as_bytes())?;
        stored(&row.advert).map(|signed| signed.value)
    }

    /// Changes the name that others see. Longer names are cut to 64 bytes.
    pub fn set_name(&mut self, cx: &mut Cx<'_>, name: &str, out: &mut Outbox<Output>) {
        name.clone_into(&mut self.config.name);
        self.renew_advert(cx, out);
    }

    /// Makes a new version of the own advert if what it should say has changed, and tells known
    /// peers.
    pub(crate) fn renew_advert(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) {
        let Some(mut next) = self.draft_advert(cx) else {
            return;
        };
        if let Some(last) = &self.own.signed {
            next.version = last.value.version;
            next.created = last.value.created;
            if next == last.value {
                return;
            }
        }
        // A version that cannot grow was not reached by counting: see `met_a_double`.
        let Some(version) = self.own.version.checked_add(1) else {
            return;
        };
        next.version = version;
        next.created = self.clock.guess(cx).min(wire::limits::MAX_TIME_MS);
        self.publish(cx, next, out);
    }

    fn publish(&mut self, cx: &mut Cx<'_>, advert: NodeAdvert, out: &mut Outbox<Output>) {
        let version = advert.version;
        let Ok(signed) = sign_advert(advert, &self.config.secret) else {
            return;
        };
        let signed = signed.into_inner();
        let own = OwnRow {
            version,
            advert: signed.to_raw().encode(),
        };
        row::put(&mut cx.store, OWN_ADVERT, row::ONLY, &own);
        self.own.version = version;
        self.own.signed = Some(signed);
        out.push(Output::Adverts { node: self.me });
        let known = self
            .links
            .iter()
            .filter(|(_, link)| link.is_known() && link.is_ready());
        let known: Vec<LinkId> = known.map(|(id, _)| *id).collect();
        for link in known {
            self.show_advert(link, out);
        }
    }

    fn draft_advert(&self, cx: &mut Cx<'_>) -> Option<NodeAdvert> {
        let (sealing, sealing_before) = public_keys(cx)?;
        let last = self.own.signed.as_ref().map(|signed| &signed.value);
        let addresses = match &self.own.listening {
            _ if !self.may_tell_address() => Vec::new(),
            Some(listening) => listening
                .iter()
                .filter(|address| address.uri.len() <= wire::limits::MAX_URI)
                .take(wire::limits::MAX_ADDRESSES)
                .map(|a| AdvertAddress {
                    uri: a.uri.clone(),
                    weight: a.weight,
                })
                .collect(),
            None => last.map(|last| last.addresses.clone()).unwrap_or_default(),
        };
        let cores = match &self.own.cores {
            Some(cores) => cores
                .iter()
                .filter(|(_, uri)| uri.len() <= wire::limits::MAX_URI)
                .take(wire::limits::MAX_CORES)
                .map(|(node, uri)| AdvertCore {
                    node: *node,
                    uri: uri.clone(),
                })
                .collect(),
            None => last.map(|last| last.cores.clone()).unwrap_or_default(),
        };
        Some(NodeAdvert {
            node: self.me,
            addresses,
            name: if self.config.public_name {
                cut(&self.config.name, wire::limits::MAX_NAME)
            } else {
                String::new()
            },
            version: 0,
            created: 0,
            sealing,
            sealing_before,
            cores,
        })
    }

    /// Replaces the own sealing key when it is due, and removes keys that were kept long enough.
    pub(crate) fn turn_sealing_key(&mut self, cx: &mut Cx<'_>) {
        let wall = cx.wall.as_millis();
        let keys = sealing_rows(cx);
        let current = keys.iter().find(|(_, row)| row.replaced_ms == 0);
        let due = current.is_none_or(|(_, row)| {
            wall.saturating_sub(row.created_ms) >= millis(SEALING_TURN)
                && keys.len() < MAX_SEALING_KEYS
        });
        if due {
            if let Some((id, row)) = current {
                let replaced = SealingRow {
                    replaced_ms: wall.max(1),
                    ..row.clone()
                };
                row::put(&mut cx.store, SEALING, id, &replaced);
            }
            let secret = HpkeSecret::generate(cx.rng);
            let fresh = SealingRow {
                secret: *secret.to_bytes(),
                created_ms: wall,
                replaced_ms: 0,
            };
            row::put(&mut cx.store, SEALING, &key_id(&secret.public()), &fresh);
        }
        if self.clock_confirmed() {
            for (id, row) in keys {
                if row.replaced_ms != 0
                    && wall.saturating_sub(row.replaced_ms) >= millis(SEALING_KEPT)
                {
                    cx.store.delete(SEALING, id);
                }
            }
        }
    }

    /// Sends the own advert.
    pub(crate) fn show_advert(&mut self, link: LinkId, out: &mut Outbox<Output>) {
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        // A stranger that asked is answered when it has become known.
        state.asked = !state.is_known();
        if let Some(raw) = self.own_signed().map(Signed::to_raw)
            && self
                .links
                .get(&link)
                .is_some_and(crate::links::Link::is_known)
        {
            out.push(Output::Send {
                link,
                frame: Frame::Advert(raw),
            });
        }
    }

    /// A known peer's hello named the version of its advert: asks for it when it is newer than the
    /// stored one, and shows the peer its own when the stored one is newer than what it knows.
    pub(crate) fn compare_adverts(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        node: NodeId,
        version: u32,
        out: &mut Outbox<Output>,
    ) {
        let row: Option<AdvertRow> = row::get(&mut cx.store, ADVERTS, node.as_bytes());
        let known = row.and_then(|row| stored(&row.advert));
        let ours = known.as_ref().map_or(0, |signed| signed.value.version);
        if version > ours {
            out.push(Output::Send {
                link,
                frame: Frame::AdvertAsk,
            });
        } else if let Some(known) = known
            && ours > version
        {
            out.push(Output::Send {
                link,
                frame: Frame::Advert(known.to_raw()),
            });
        }
        if self.links.get(&link).is_some_and(|link| link.asked) {
            self.show_advert(link, out);
        }
    }

    /// An advert came on a link: the peer's own, or one of ours that the peer remembers.
    pub(crate) fn advert_came(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        raw: RawStatement,
        out: &mut Outbox<Output>,
    ) {
        let Some((node, known)) = self.links.get(&link).map(|l| (l.node, l.is_known())) else {
            return;
        };
        if !known {
            return;
        }
        match check_advert(raw) {
            Err(why) => self.close(cx, link, Code::MISBEHAVED, &why.to_string(), out),
            Ok(advert) if advert.get().value.node == self.me => self.met_own(cx, &advert, out),
            Ok(advert) if advert.get().value.node == node => {
                self.store_advert(cx, advert, false, out);
            }
            Ok(_) => {}
        }
    }

    pub(crate) fn store_advert(
        &mut self,
        cx: &mut Cx<'_>,
        advert: Checked<SignedAdvert>,
        told: bool,
        out: &mut Outbox<Output>,
    ) {
        let advert = advert.into_inner();
        let node = advert.value.node;
        let row: Option<AdvertRow> = row::get(&mut cx.store, ADVERTS, node.as_bytes());
        let told = told && row.as_ref().is_none_or(|row| row.told);
        let known = row.and_then(|row| stored(&row.advert));
        let known = known.map(|signed| signed.value);
        if known
            .as_ref()
            .is_some_and(|known| known.version >= advert.value.version)
        {
            return;
        }
        if known.is_none() && !self.make_room(cx) {
            return;
        }
        let stored = AdvertRow {
            advert: advert.to_raw().encode(),
            stored_ms: cx.wall.as_millis(),
            told,
        };
        row::put(&mut cx.store, ADVERTS, node.as_bytes(), &stored);
        out.push(Output::Adverts { node });
        if known.is_none_or(|known| known.addresses != advert.value.addresses) {
            self.moved(cx, &node, &advert.value);
        }
        self.advert_changed(cx, node, &advert.value, out);
    }

    /// A node that is to be kept is said to be elsewhere: it is looked for there.
    fn moved(&mut self, cx: &Cx<'_>, node: &NodeId, advert: &NodeAdvert) {
        let waits = |target: &Target| matches!(target.phase, Phase::Waiting(_));
        let Some(target) = self.targets.get(node).filter(|target| waits(target)) else {
            return;
        };
        if !advert.addresses.is_empty() {
            let at = target.first_dial(cx.now);
            self.timers.set(Timer::Dial(*node), at);
        }
    }

    /// An advert with our own id.
    fn met_own(
        &mut self,
        cx: &mut Cx<'_>,
        advert: &Checked<SignedAdvert>,
        out: &mut Outbox<Output>,
    ) {
        let met = advert.get();
        let written = self
            .own
            .signed
            .as_ref()
            .is_some_and(|own| own.bytes == met.bytes);
        if written || met.value.version < self.own.version {
            return;
        }
        if self.config.restored {
            // The home was set back: what was written since is not remembered. Once.
            self.config.restored = false;
            if let Some(mut next) = self.draft_advert(cx)
                && let Some(version) = met.value.version.checked_add(1)
            {
                next.version = version;
                next.created = self.clock.guess(cx).min(wire::limits::MAX_TIME_MS);
                self.publish(cx, next, out);
            }
            return;
        }
        self.met_a_double(cx, met.value.version, out);
    }

    /// Another node runs with our key. Said once in a life; nothing is done about it here, since
    /// neither of the two can know that it is the right one.
    pub(crate) fn met_a_double(
        &mut self,
        _cx: &mut Cx<'_>,
        version: u32,
        out: &mut Outbox<Output>,
    ) {
        if !self.own.double {
            self.own.double = true;
            out.push(Output::Problem(Problem::TwoNodesOneKey { version }));
        }
    }
}

/// The name of a sealing key.
pub(crate) fn key_id(key: &SealingKey) -> KeyId {
    seal::kdf("hint", &[key.as_bytes()])
}

/// The secret of a sealing key of ours, if it is still kept.
pub(crate) fn secret_of(cx: &mut Cx<'_>, id: &KeyId) -> Option<HpkeSecret> {
    let row: SealingRow = row::get(&mut cx.store, SEALING, id)?;
    Some(HpkeSecret::from_bytes(row.secret))
}

fn sealing_rows(cx: &mut Cx<'_>) -> Vec<(KeyId, SealingRow)> {
    let rows = cx
        .store
        .prefix(SEALING, &[], MAX_SEALING_KEYS.saturating_mul(2));
    let row = |(key, value): (Vec<u8>, Vec<u8>)| {
        Some((KeyId::try_from(key.as_slice()).ok()?, row::decode(&value)?))
    };
    rows.into_iter().filter_map(row).collect()
}

/// The key to seal to, and the one before.
fn public_keys(cx: &mut Cx<'_>) -> Option<(SealingKey, Option<SealingKey>)> {
    let rows = sealing_rows(cx);
    let public = |row: &SealingRow| HpkeSecret::from_bytes(row.secret).public();
    let (_, current) = rows.iter().find(|(_, row)| row.replaced_ms == 0)?;
    let replaced = rows.iter().filter(|(_, row)| row.replaced_ms != 0);
    let before = replaced
        .max_by_key(|(_, row)| row.replaced_ms)
        .map(|(_, row)| public(row));
    Some((public(current), before))
}

fn stored(bytes: &[u8]) -> Option<SignedAdvert> {
    SignedAdvert::from_stored(RawStatement::decode(bytes).ok()?).ok()
}
