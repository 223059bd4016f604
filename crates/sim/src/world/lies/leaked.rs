//! A link in too many hands: device after device claims the invite by which the liar came.

use super::own::{Own, after, carries, says};
use super::{Header, Item, Raw, SecretKey, sign};
use crate::world::host::{Around, Host};
use identity::GrantId;
use rights::InviteSeed;
use wire::{Claim, JoinLink};

/// Devices that come with one frame.
const AT_ONCE: usize = 4;

/// The first envelopes of devices that are made up, each with a claim, and a message of each.
pub(super) fn write(own: &Own, host: &mut Host, around: &Around<'_>) -> Option<Vec<Raw>> {
    let no = around.facts.topic_no(&own.topic)?;
    let link: JoinLink = around.net.links.of(no, host.no)?.parse().ok()?;
    let key = InviteSeed::from_bytes(link.seed).signing_key();
    let invite = own.invite(host, &key)?;
    let raws = (0..AT_ONCE).flat_map(|_| own.guest(host, around, &key, &invite));
    Some(raws.collect())
}

/// An invite in the topic, with the envelope that carries it.
pub(super) struct Invited {
    grant: GrantId,
    carrier: wire::Envelope,
}

impl Own {
    /// The invite to which a key belongs.
    fn invite(&self, host: &Host, key: &SecretKey) -> Option<Invited> {
        let found = crate::check::holdings::look(host.disk(), self.local, |lace, store| {
            let invite = lace.invites().find(|invite| invite.key == key.public())?;
            Some(Invited {
                grant: invite.grant,
                carrier: lace.header(store, &invite.carrier)?,
            })
        });
        found.flatten()
    }

    /// What a device that is made up writes first, and then.
    fn guest(
        &self,
        host: &mut Host,
        around: &Around<'_>,
        key: &SecretKey,
        invite: &Invited,
    ) -> [Raw; 2] {
        let rng = &mut host.rng;
        let (device, author) = (SecretKey::generate(rng), SecretKey::generate(rng));
        around.facts.devices.make_up(device.public());
        let sealing = identity::seal::hpke::derive_key_pair(&rng.array()).1;
        let (carrier, grant) = (&invite.carrier, invite.grant);
        let time = carrier.header.created;
        let claim = Claim::sign(self.topic, key, grant, device.public(), sealing, time);
        let mut header = Header {
            author: author.public(),
            number: 1,
            previous: *self.topic.as_bytes(),
            generation: carrier.header.generation + 1,
            deps: vec![carrier.id],
            grant,
            ..carrier.header.clone()
        };
        let items = [self.begins((&device, author.public())), Item::Claim(claim)];
        let body = carries(&mut header, &items);
        let first = sign(&mut header, &author, body);
        let mut next = after(&header, Header::id_of(&first.header_bytes));
        let said = says(&mut next, rng);
        [first, sign(&mut next, &author, said)]
    }
}
