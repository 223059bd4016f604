//! A key that was taken away, and that goes on: from a place on its chain that it had reached before,
//! with the date of then and naming only what was there then, it says whatever its grant once let it
//! say.

use super::own::{Chain, Own, after, carries, says};
use super::{EnvelopeId, Header, Item, Raw, SecretKey, sign};
use crate::plan::Act;
use crate::world::host::{Around, Host};
use identity::Form;
use std::collections::BTreeSet;
use wire::{Close, Envelope, Grant, Revocation};

/// Of what its own node would not admit, one in so many is said all the same.
const SAID_ALL_THE_SAME: u64 = 6;

/// Something that the key says, if the plan has somebody take its rights away by now.
pub(super) fn write(own: &Own, host: &mut Host, around: &Around<'_>) -> Option<Vec<Raw>> {
    let no = around.facts.topic_no(&own.topic)?;
    let now = around.now.as_micros() / 1_000;
    let ended = |act: &Act| match act {
        Act::Revoke { whom, topic, .. } => *whom == host.no && *topic == no,
        _ => false,
    };
    let mut steps = around
        .plan
        .steps
        .iter()
        .take_while(|step| step.at_ms <= now);
    steps.any(|step| ended(&step.act)).then_some(())?;
    let chain = own.strongest()?;
    let place = usize::try_from(host.rng.below(chain.envelopes.len() as u64)).ok()?;
    let (before, known) = (chain.envelopes.get(place)?, chain.envelopes.get(place + 1));
    // Beside the place where its own node went on, with what that knew of by then, or with nothing.
    let known: &[EnvelopeId] = known.map_or(&[], |next| &next.header.deps);
    let raws = own.says_after((chain, before, known), host, around);
    let admitted = own.would_admit(host, &raws);
    (admitted || host.rng.below(SAID_ALL_THE_SAME) == 0).then_some(raws)
}

impl Own {
    fn says_after(
        &self,
        (chain, before, known): (&Chain, &Envelope, &[EnvelopeId]),
        host: &mut Host,
        around: &Around<'_>,
    ) -> Vec<Raw> {
        let mut header = self.follows(before, known, host);
        let target = usize::try_from(host.rng.below(self.grants.len().max(1) as u64)).unwrap_or(0);
        let target = self.grants.get(target).copied().unwrap_or(chain.grant);
        let item = match host.rng.below(8) {
            0..3 => return self.gives((chain, header), host, around),
            3 => Item::Revocation(Revocation {
                grant: target,
                cut: Vec::new(),
                cascade: host.rng.below(2) == 0,
                only: BTreeSet::new(),
                joint: None,
            }),
            4 => Item::Close(Close {
                grant: target,
                cut: Vec::new(),
            }),
            // Itself, as if it had never been: no rule lets a holder take back what it knows of.
            5 => Item::Revocation(Revocation {
                grant: chain.grant,
                cut: Vec::new(),
                cascade: true,
                only: BTreeSet::new(),
                joint: None,
            }),
            _ => {
                let said = says(&mut header, &mut host.rng);
                return vec![sign(&mut header, &chain.key, said)];
            }
        };
        let body = carries(&mut header, &[item]);
        vec![sign(&mut header, &chain.key, body)]
    }

    /// The header of what follows an envelope and names these, as far as they are here.
    fn follows(&self, before: &Envelope, known: &[EnvelopeId], host: &Host) -> Header {
        let mut header = after(&before.header, before.id);
        let found = crate::check::holdings::look(host.disk(), self.local, |lace, store| {
            let found = known.iter().filter_map(|id| lace.header(store, id));
            found.collect::<Vec<_>>()
        });
        for dep in found.into_iter().flatten() {
            header.generation = header.generation.max(dep.header.generation + 1);
            header.deps.push(dep.id);
        }
        header.deps.sort_unstable();
        header
    }

    /// A grant of all that it had to a device that it makes up, and what that device writes.
    fn gives(
        &self,
        (chain, mut header): (&Chain, Header),
        host: &mut Host,
        around: &Around<'_>,
    ) -> Vec<Raw> {
        let Some(Item::Grant(held)) = &chain.terms else {
            let said = says(&mut header, &mut host.rng);
            return vec![sign(&mut header, &chain.key, said)];
        };
        let rng = &mut host.rng;
        let (device, author) = (SecretKey::generate(rng), SecretKey::generate(rng));
        around.facts.devices.make_up(device.public());
        let form = Form::one(device.public());
        let grant = Item::Grant(Grant {
            parent: chain.grant,
            holder: form.member(),
            rights: held.rights,
            budget: held.budget,
            welcomes: None,
            form: Some(form),
            joint: None,
        });
        let body = carries(&mut header, std::slice::from_ref(&grant));
        let carrier = sign(&mut header, &chain.key, body);
        let sealing = identity::seal::hpke::derive_key_pair(&rng.array()).1;
        let mut first = Header {
            author: author.public(),
            number: 1,
            previous: *self.topic.as_bytes(),
            generation: header.generation + 1,
            deps: vec![Header::id_of(&carrier.header_bytes)],
            grant: grant.id(),
            ..header.clone()
        };
        let begins = self.begins((&device, author.public()));
        let body = carries(&mut first, &[begins, Item::Sealing(sealing)]);
        let began = sign(&mut first, &author, body);
        let mut next = after(&first, Header::id_of(&began.header_bytes));
        let said = says(&mut next, rng);
        vec![carrier, began, sign(&mut next, &author, said)]
    }
}
