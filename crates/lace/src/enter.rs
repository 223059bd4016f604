//! Storing what is admissible.

use crate::admit::{Admission, Parents};
use crate::author::{Author, Root, Tip};
use crate::bound::Status;
use crate::invite::Invitation;
use crate::lace::{Lace, Node, Stored};
use crate::policy::Admitted;
use crate::rows::{self, Spot};
use crate::stand::{Hold, Standing};
use crate::view::PastView;
use identity::EnvelopeId;
use machine::Staged;
use wire::{Envelope, Header, Item, Verified};

impl Lace {
    /// Stores an admissible envelope.
    pub(crate) fn enter(
        &mut self,
        store: &mut Staged<'_>,
        verified: Verified,
        (parents, past): (&Parents, PastView),
        admitted: &Admitted,
        report: &mut Vec<(EnvelopeId, Admission)>,
    ) -> Admission {
        let Verified {
            envelope,
            body,
            items,
        } = verified;
        let header = &envelope.header;
        let root = Root {
            device: admitted.device,
            grant: admitted.grant,
            index: admitted.index,
        };
        let no = self.author_of(store, header, parents.previous.as_ref(), root);
        let branch = self.extend_branch(store, no, parents.previous.as_ref(), root);
        let Some(branch) = branch else {
            return Admission::NoRoom;
        };
        let spot = self.spot_of(no, &envelope);
        let mut node = Node {
            author: no,
            number: header.number,
            generation: header.generation,
            created: header.created,
            branch,
            view: self.keep_past(store, past),
            buckets: admitted.buckets,
        };
        let items = items.as_deref().unwrap_or(&[]);
        node.view = self.number_facts(store, (envelope.id, &node), node.view, items);
        if parents.views().all(|view| view != node.view) {
            self.hold_view(store, node.view);
        }
        let key = rows::key(self.local, &[envelope.id.as_bytes()]);
        store.put(rows::ID, key, node.encode());
        self.write_names(store, &spot, parents);
        self.put_body_rows(store, &spot, header, body.as_deref());
        self.count_envelope(no, &envelope, body.as_ref().map(Vec::len));
        self.note_invites(store, &envelope, items);
        let closed = self.is_closed_at(no, header.number);
        if closed && self.status(store, &node, header.class) != Status::Firm {
            store.put(
                rows::HEADER,
                rows::at_spot(self.local, &spot),
                Stored::encode(0, &envelope),
            );
            self.write_author(store, no);
            return Admission::Void;
        }
        let dep = |(id, dep): &(EnvelopeId, Node)| Spot::new(dep.author, dep.number, id);
        let deps = parents.deps.iter().map(|named| (dep(named), false));
        let previous = EnvelopeId::from_bytes(header.previous);
        let before = parents.previous.as_ref().map(|node| (previous, *node));
        let named = deps.chain(before.as_ref().map(|named| (dep(named), true)));
        self.mark(store, named.collect(), Hold::Held, report);
        let body_missing = body.is_none() && header.body_len > 0;
        let n = self.give_place(store, &spot, &envelope, body_missing);
        self.cover_named(store, parents);
        if closed {
            let stored = Stored { place: n, envelope };
            self.put_standing(store, (&spot, &stored), Standing::FIRM, Standing::FIRM);
            self.add_end(store, no, (node.number, stored.envelope.id));
            self.write_author(store, no);
        } else {
            self.extend_chain(store, &node, &envelope);
        }
        self.cut_hash.set(None);
        Admission::Admitted {
            n,
            body: !body_missing,
        }
    }

    /// The local number of the author, new if need be.
    fn author_of(
        &mut self,
        store: &mut Staged<'_>,
        header: &Header,
        previous: Option<&Node>,
        root: Root,
    ) -> u32 {
        if let Some(previous) = previous {
            return previous.author;
        }
        if let Some(no) = self.by_key.get(&header.author).copied() {
            return no;
        }
        // Fewer than 2³² authors: each is a row and a certificate that somebody signed.
        let no = u32::try_from(self.authors.len()).unwrap_or(u32::MAX);
        let mut author = Author::new(no, header.author, root);
        author.closed = self.seen.get(&header.author).map(|seen| seen.number);
        let key = rows::key(self.local, &[b"a", &no.to_be_bytes()]);
        store.put(rows::LACE, key, author.encode_static());
        self.by_key.insert(header.author, no);
        self.authors.push(author);
        self.retarget(store, no);
        self.park.is_known(&header.author);
        no
    }

    /// Who names whom, so that a fork can be judged without reading the whole graph.
    fn write_names(&self, store: &mut Staged<'_>, spot: &Spot, parents: &Parents) {
        for (id, dep) in &parents.deps {
            let dep = Spot::new(dep.author, dep.number, id);
            let key = rows::key(self.local, &[&dep.encode(), &spot.encode()]);
            store.put(rows::NAMED, key, []);
        }
    }

    fn count_envelope(&mut self, no: u32, envelope: &Envelope, body: Option<usize>) {
        let len = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        let more = crate::Counts {
            envelopes: 1,
            header_bytes: len(envelope.header_bytes.len()).saturating_add(64),
            bodies: u64::from(body.is_some()),
            body_bytes: len(body.unwrap_or(0)),
        };
        self.totals.add(&more);
        if let Some(author) = self.by_no_mut(no) {
            author.counts.add(&more);
            author.top = author.top.max(envelope.header.number);
        }
    }

    fn note_invites(&mut self, store: &mut Staged<'_>, envelope: &Envelope, items: &[Item]) {
        for item in items {
            if let Item::Invite(invite) = item {
                let invitation = Invitation {
                    grant: item.id(),
                    carrier: envelope.id,
                    began: envelope.header.created,
                    key: invite.key,
                    sealing: invite.sealing,
                    uses: invite.uses,
                    until: invite.until,
                };
                let (grant, carrier) = (invitation.grant, envelope.id);
                let key = [&b"i"[..], grant.as_bytes(), carrier.as_bytes()];
                store.put(rows::LACE, rows::key(self.local, &key), invitation.encode());
                self.invites.insert((grant, carrier), invitation);
            }
        }
    }

    /// The tips that a kept envelope names are covered.
    fn cover_named(&mut self, store: &mut Staged<'_>, parents: &Parents) {
        for (id, dep) in &parents.deps {
            let tip = self
                .by_no_mut(dep.author)
                .filter(|author| !author.covered && author.tip.is_some_and(|tip| tip.id == *id));
            if let Some(author) = tip {
                author.covered = true;
                self.write_author(store, dep.author);
            }
        }
    }

    /// The envelope is the new tip of its chain.
    fn extend_chain(&mut self, store: &mut Staged<'_>, node: &Node, envelope: &Envelope) {
        let no = node.author;
        let tip = Tip {
            number: envelope.header.number,
            id: envelope.id,
            generation: envelope.header.generation,
            created: envelope.header.created,
        };
        if let Some(author) = self.by_no_mut(no) {
            let before = author.tip.replace(tip);
            author.tail = node.tail();
            author.covered = false;
            if let Some(before) = before {
                self.tips.remove(&before.id);
            }
            self.tips.insert(tip.id, no);
        }
        self.write_author(store, no);
    }
}
