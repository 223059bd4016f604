//! Taking up an invite: fetch its box, look at it, join, and write the first envelope once the
//! invite itself has come.

use crate::command::{AskedRight, Code, Failure, Reply, RequestId, Right};
use crate::io::LinkId;
use crate::keychain::{TITLE, TopicKeys};
use crate::limits::MAX_JOINS;
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::rows::TopicRow;
use crate::timer::Timer;
use crate::waiting::What;
use identity::NodeId;
use identity::seal::hpke::HpkeSecret;
use machine::WallTime;
use rights::{Invitation, InviteSeed, SealingKeys};
use router::{NotDialled, Reach, Why};
use std::collections::{BTreeMap, BTreeSet};
use topic::{Draft, Payload, PublishError, Role};
use wire::plain::Title;
use wire::{Frame, Item, JoinLink, NodeAddress};

/// How long a box that was missed is not asked for again, in milliseconds.
const ASK_AGAIN_MS: u64 = 16_000;

/// How long a claim that waits is not asked about again, in milliseconds: with the box before it,
/// no more often than a node answers in a minute.
const CLAIM_AGAIN_MS: u64 = 20_000;

/// Invites whose boxes are being fetched, or were.
#[derive(Debug, Default)]
pub(crate) struct Joining(BTreeMap<[u8; 32], Look>);

/// The fetching of one box.
#[derive(Debug)]
struct Look {
    seed: InviteSeed,
    at: Vec<NodeAddress>,
    /// Nodes that answered without the box.
    missed: BTreeSet<NodeId>,
    found: Option<Invitation>,
    /// Who waits to see the invitation.
    lookers: Vec<RequestId>,
    /// Who joins as soon as it is there: request and local name.
    joiners: Vec<(RequestId, Option<String>)>,
}

impl Joining {
    /// How many invites are being taken up.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is room for this invite. One whose box is here is fetched again when it has to
    /// give way.
    fn make_room(&mut self, loc: &[u8; 32]) -> bool {
        if self.0.len() >= MAX_JOINS && !self.0.contains_key(loc) {
            let mut looks = self.0.iter();
            let found = looks.find(|(_, look)| look.found.is_some());
            let Some(found) = found.map(|(loc, _)| *loc) else {
                return false;
            };
            self.0.remove(&found);
        }
        true
    }

    /// Whether a box that is not here may be at a node, by its link.
    fn asks(&self, node: &NodeId) -> bool {
        let mut open = self.0.values().filter(|look| look.found.is_none());
        open.any(|look| look.at.iter().any(|address| address.node == *node))
    }
}

impl Inner {
    /// `way join`, first half: fetches the invite's box.
    pub(crate) fn join_look(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        link: &str,
        timeout_ms: u64,
    ) {
        match self.look(turn, link) {
            Ok(loc) => {
                if let Some(look) = self.joining.0.get_mut(&loc) {
                    look.lookers.push(request);
                }
                self.wait(turn, request, What::Look(loc), timeout_ms);
                self.look_progress(turn, loc);
            }
            Err(failure) => self.reply(turn, request, Reply::Failed(failure)),
        }
    }

    /// `way join`, second half: takes part.
    pub(crate) fn join(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        link: &str,
        name: Option<String>,
        timeout_ms: u64,
    ) {
        match self.look(turn, link) {
            Ok(loc) => {
                if let Some(look) = self.joining.0.get_mut(&loc) {
                    look.joiners.push((request, name));
                }
                self.wait(turn, request, What::Look(loc), timeout_ms);
                self.look_progress(turn, loc);
            }
            Err(failure) => self.reply(turn, request, Reply::Failed(failure)),
        }
    }

    fn look(&mut self, turn: &mut Turn<'_, '_>, text: &str) -> Result<[u8; 32], Failure> {
        let link: JoinLink = text.trim().parse().map_err(|why: wire::LinkError| {
            Failure::new(
                Code::Usage,
                why.to_string(),
                "ask whoever invited you for the link again",
            )
        })?;
        let seed = InviteSeed::from_bytes(link.seed);
        let loc = seed.locator();
        if self.router.reach() == Reach::Core && self.mine.cores(turn.cx).is_empty() {
            let text = format!("{}, and it uses none", NotDialled::OwnReach);
            let hint = "use one (`way core use`), then join";
            return Err(Failure::new(Code::Refused, text, hint));
        }
        if !self.joining.make_room(&loc) {
            return Err(Failure::new(
                Code::Failed,
                "too many invites are being taken up",
                "try again when some of them are here, or given up",
            ));
        }
        let look = self.joining.0.entry(loc).or_insert_with(|| Look {
            seed,
            at: link.at.clone(),
            missed: BTreeSet::new(),
            found: None,
            lookers: Vec::new(),
            joiners: Vec::new(),
        });
        look.missed.clear();
        if look.found.is_none() {
            for address in &link.at {
                self.keep(turn, address.node, Why::Errand, vec![address.authority()]);
            }
            let named: BTreeSet<NodeId> = link.at.iter().map(|address| address.node).collect();
            let cores: BTreeSet<NodeId> = self.mine.cores(turn.cx).into_iter().collect();
            for node in named.union(&cores) {
                if let Some(id) = self.link_of(node) {
                    turn.send(id, &Frame::InviteGet { loc });
                }
            }
            let again = self.until(turn, ASK_AGAIN_MS);
            self.timers.set_earlier(Timer::Joins, again);
        }
        Ok(loc)
    }

    /// A link is open: asks there for the boxes that are looked for. A link names two nodes at
    /// most; the box may also lie at a core node that this home and the inviter both use.
    pub(crate) fn ask_boxes(&mut self, turn: &mut Turn<'_, '_>, link: LinkId) {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return;
        };
        let own = self.mine.uses(turn.cx, &node);
        for (loc, look) in &self.joining.0 {
            let named = look.at.iter().any(|address| address.node == node);
            if look.found.is_none() && (named || own) {
                turn.send(link, &Frame::InviteGet { loc: *loc });
            }
        }
        self.put_claims(turn, link);
    }

    /// Boxes that were missed may have been put there meanwhile.
    pub(crate) fn ask_boxes_again(&mut self, turn: &mut Turn<'_, '_>) {
        let open = self.joining.0.values().any(|look| look.found.is_none());
        let waits = self.waits_for_welcome();
        self.ask_claims_again();
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.ask_boxes(turn, link);
        }
        if open || waits {
            let ms = if waits { CLAIM_AGAIN_MS } else { ASK_AGAIN_MS };
            let again = self.until(turn, ms);
            self.timers.set_earlier(Timer::Joins, again);
        }
    }

    pub(crate) fn on_invite_box(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        loc: [u8; 32],
        sealed: &[u8],
    ) {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return;
        };
        let Some(look) = self.joining.0.get_mut(&loc) else {
            return self.on_public_box(turn, link, &loc, sealed);
        };
        let Ok(invitation) = look.seed.open_box(sealed) else {
            // A miss looks like a box that does not open.
            look.missed.insert(node);
            return self.look_progress(turn, loc);
        };
        look.found = Some(invitation);
        let at = look.at.clone();
        self.look_progress(turn, loc);
        self.errands_over(turn, &at);
    }

    /// Nobody waits for a box any more that is not here: it is not asked for again.
    fn stop_asking(&mut self, turn: &mut Turn<'_, '_>, loc: &[u8; 32]) {
        let waits = |look: &Look| !look.lookers.is_empty() || !look.joiners.is_empty();
        let look = self.joining.0.get(loc);
        if look.is_some_and(|look| look.found.is_none() && !waits(look))
            && let Some(look) = self.joining.0.remove(loc)
        {
            self.errands_over(turn, &look.at);
        }
    }

    /// A box is fetched, or given up: nothing is wanted of these nodes any more on its account.
    fn errands_over(&mut self, turn: &mut Turn<'_, '_>, at: &[NodeAddress]) {
        for address in at {
            self.errand_over(turn, address.node);
        }
    }

    /// Something that was to be done at a node is done, or given up: it is kept for others of the kind.
    pub(crate) fn errand_over(&mut self, turn: &mut Turn<'_, '_>, node: NodeId) {
        if !self.joining.asks(&node) && !self.pairing.is_joining(&node) {
            self.release(turn, node, Why::Errand);
        }
    }

    fn look_progress(&mut self, turn: &mut Turn<'_, '_>, loc: [u8; 32]) {
        let mut cores = self.mine.cores(turn.cx);
        let by_cores = self.router.reach() == Reach::Core;
        // Where nobody else is asked, they are waited for.
        cores.retain(|core| by_cores || self.link_of(core).is_some());
        let Some(look) = self.joining.0.get_mut(&loc) else {
            return;
        };
        let Some(found) = look.found.clone() else {
            let named = look.at.iter().map(|address| &address.node);
            let named = named.filter(|_| !by_cores);
            if named.chain(&cores).all(|node| look.missed.contains(node)) {
                self.look_failed(turn, loc);
            }
            return;
        };
        let lookers = std::mem::take(&mut look.lookers);
        let joiners = std::mem::take(&mut look.joiners);
        for request in lookers {
            self.waiting.done(request);
            let reply = shown(&found);
            self.reply(turn, request, reply);
        }
        for (request, name) in joiners {
            self.take_part(turn, request, &loc, &found, name);
        }
    }

    fn look_failed(&mut self, turn: &mut Turn<'_, '_>, loc: [u8; 32]) {
        let Some(look) = self.joining.0.get_mut(&loc) else {
            return;
        };
        let waiting: Vec<RequestId> = std::mem::take(&mut look.lookers)
            .into_iter()
            .chain(
                std::mem::take(&mut look.joiners)
                    .into_iter()
                    .map(|(request, _)| request),
            )
            .collect();
        let (text, hint) = match self.router.reach() {
            Reach::Any => (
                "the invite is not known at the nodes that the link names".to_owned(),
                "it may be over or withdrawn; ask whoever invited you for a new link",
            ),
            Reach::Core => (
                format!(
                    "{}, and none of these knows the invite",
                    NotDialled::OwnReach
                ),
                "ask whoever invited you to use one of your core nodes and for a new link then; or become a client of \
                 theirs (`way core use`)",
            ),
        };
        for request in waiting {
            self.waiting.done(request);
            let failure = Failure::new(Code::NotFound, text.clone(), hint);
            self.reply(turn, request, Reply::Failed(failure));
        }
        self.stop_asking(turn, &loc);
    }

    /// Whoever waited for a box waits no longer.
    pub(crate) fn look_over(
        &mut self,
        turn: &mut Turn<'_, '_>,
        loc: &[u8; 32],
        request: RequestId,
    ) {
        if let Some(look) = self.joining.0.get_mut(loc) {
            look.lookers.retain(|waiting| *waiting != request);
            look.joiners.retain(|(waiting, _)| *waiting != request);
        }
        self.stop_asking(turn, loc);
    }

    fn take_part(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        loc: &[u8; 32],
        found: &Invitation,
        name: Option<String>,
    ) {
        let known = self.host.keys.local(&found.topic);
        let refusal = match known.and_then(|local| self.host.keys.topic(local)) {
            Some(keys) if keys.row.custodian => Some((
                "this core node holds the topic for others",
                "join it with another home",
            )),
            Some(keys) if keys.row.left => Some((
                "this device has left the topic",
                "`way topic forget` what is left of it, then join again",
            )),
            _ => None,
        };
        if let Some((message, hint)) = refusal {
            self.waiting.done(request);
            let failure = Failure::new(Code::Refused, message, hint);
            return self.reply(turn, request, Reply::Failed(failure));
        }
        let over = found.invite.until < turn.cx.wall.as_millis();
        if known.is_none() && over && self.router.clock_confirmed() {
            // Nobody would admit its claim.
            self.waiting.done(request);
            let hint = "ask whoever invited you for a new link; if it should still stand, see that \
                        this computer's clock is right";
            let failure = Failure::new(Code::Refused, "the invite is over", hint);
            return self.reply(turn, request, Reply::Failed(failure));
        }
        // Whoever reads a public topic may be invited to more.
        let reads = |local: &u32| {
            self.host
                .keys
                .topic(*local)
                .is_some_and(TopicKeys::is_reader)
        };
        let part = known.filter(|local| !reads(local));
        let local = part.or_else(|| self.begin_membership(turn, loc, found, name));
        let Some(local) = local else {
            self.waiting.done(request);
            let failure = Failure::new(Code::Failed, "the invite's genesis cannot be used", "");
            return self.reply(turn, request, Reply::Failed(failure));
        };
        self.waiting.becomes(request, What::Join(local));
        self.join_progress(turn, local);
    }

    fn begin_membership(
        &mut self,
        turn: &mut Turn<'_, '_>,
        loc: &[u8; 32],
        found: &Invitation,
        name: Option<String>,
    ) -> Option<u32> {
        let look = self.joining.0.get(loc)?;
        let device = self
            .host
            .keys
            .config
            .device
            .key_in(found.topic, &found.genesis);
        let sealing = HpkeSecret::generate(turn.cx.rng);
        let of_invite = look.seed.sealing_key();
        let time = claim_time(turn.cx.wall, self.router.clock_confirmed(), found);
        let to = sealing.public();
        let claim = look
            .seed
            .claim(found.topic, found.grant, device.public(), to, time);
        let ways = look.at.iter().map(ToString::to_string).collect();
        let name = name.unwrap_or_else(|| found.title.clone());
        let row = TopicRow {
            name: self.free_name(&name),
            custodian: false,
            grant: *found.grant.as_bytes(),
            claim: claim.encode(),
            invite_at: *found.invite_at.as_bytes(),
            inviter: found.device.to_bytes(),
            inviter_name: found.inviter.clone(),
            waits: if found.is_attended() { *loc } else { [0; 32] },
            ways,
            ..TopicRow::custodian(found.topic, found.genesis.encode())
        };
        let read = self.host.keys.local(&found.topic);
        let local = match read {
            Some(local) => {
                let before = self.ways_of(local);
                self.host.keys.update(turn.cx, local, |old| {
                    *old = TopicRow {
                        name: std::mem::take(&mut old.name),
                        next_index: old.next_index,
                        ..row
                    };
                });
                for way in before {
                    self.let_go(turn, way.node);
                }
                local
            }
            None => self.host.keys.add(turn.cx, row, found.ring.clone())?,
        };
        self.host.keys.set_sealing(turn.cx, local, sealing);
        self.host.keys.opens_for_invite(turn.cx, local, of_invite);
        // Nothing happens where it is read already.
        self.topics
            .create(turn.cx, local, &found.genesis, Role::Member);
        self.want_served(turn, local);
        for address in self.ways_of(local) {
            self.learn_core(turn, local, address.node, vec![address.authority()]);
        }
        for core in &found.cores {
            self.learn_core(turn, local, core.node, core.addresses.clone());
        }
        self.begin_rounds_soon(turn);
        if found.is_attended() {
            self.claim_welcome(turn);
        }
        Some(local)
    }

    /// Claims what this device waits to be let into, wherever it may be kept, and goes on to ask.
    fn claim_welcome(&mut self, turn: &mut Turn<'_, '_>) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.put_claims(turn, link);
        }
        let again = self.until(turn, CLAIM_AGAIN_MS);
        self.timers.set_earlier(Timer::Joins, again);
    }

    /// Where the invite said that whoever gave it, or a core node, can be reached.
    pub(crate) fn ways_of(&self, local: u32) -> Vec<NodeAddress> {
        let ways = self
            .host
            .keys
            .topic(local)
            .map(|keys| keys.row.ways.clone());
        ways.into_iter()
            .flatten()
            .filter_map(|way| way.parse().ok())
            .collect()
    }

    /// Asks this node's cores to serve a topic.
    pub(crate) fn want_served(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some(keys) = self.host.keys.topic(local) else {
            return;
        };
        let Some(secret) = keys.core_secret() else {
            return;
        };
        let wanted = custody::Wanted {
            topic: keys.id,
            genesis: keys.row.genesis.clone(),
            core_secret: *secret.as_bytes(),
            share: 0,
        };
        if let Err(refusal) = self.mine.want(turn.cx, &wanted, &mut turn.mine) {
            self.problems.note(
                "core",
                refusal.text,
                "leave topics that are not used any more",
            );
        }
    }

    /// Reads back which topics are still being joined.
    pub(crate) fn open_joins(&mut self, turn: &mut Turn<'_, '_>) {
        let waiting: Vec<u32> = self
            .host
            .keys
            .topics()
            .filter(|(_, keys)| keys.device.is_some() && !keys.row.opened && !keys.row.left)
            .map(|(local, _)| local)
            .collect();
        for local in waiting {
            self.join_progress(turn, local);
        }
        if self.waits_for_welcome() {
            let again = self.until(turn, CLAIM_AGAIN_MS);
            self.timers.set_earlier(Timer::Joins, again);
        }
    }

    /// Writes the first envelope of a joiner once the envelope with its invite is here.
    pub(crate) fn join_progress(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        self.take_welcome(turn, local);
        let Some(keys) = self.host.keys.topic(local) else {
            return;
        };
        if keys.device.is_none() || keys.row.left || keys.waits() {
            return;
        }
        // Who was only given the right begins with its first message.
        if keys.is_found() && !keys.row.opened {
            return;
        }
        let id = keys.id;
        let name = keys.row.name.clone();
        // Who was welcomed writes under a grant that is here.
        let welcomed = keys.joined_by().is_some() && keys.claim().is_none();
        if !keys.row.opened && welcomed {
            let began = keys.row.next_index > 0 && keys.certificate().is_none();
            let back = began && keys.is_public();
            if !back && (began || self.open_author(turn, local).is_err()) {
                return;
            }
        } else if !keys.row.opened {
            // A home that was set back writes again only when somebody asks it to.
            let began = keys.row.next_index > 0 && keys.certificate().is_none();
            let (at, inviter) = (keys.invite_at(), keys.row.inviter);
            let by = at.and_then(|at| {
                look(&mut self.topics, turn.cx, local, |lace, store| {
                    let carrier = lace.header(store, &at)?;
                    Some(*lace.author(&carrier.header.author)?.device())
                })
                .flatten()
            });
            let ready = by.is_some_and(|device| *device.as_bytes() == inviter);
            if by.is_some() && !ready {
                // Whoever has the link can make a box, and not give the invite that is in it.
                let text = format!("the invite to {name:?} was not given by whoever made its box");
                self.problems.note(
                    "false-invite",
                    text,
                    "`way topic forget` it, and ask whoever invited you for a new link",
                );
            }
            if ready
                && self
                    .host
                    .keys
                    .topic(local)
                    .is_some_and(TopicKeys::is_handed)
            {
                // What it says of itself is for those who may read now.
                self.survey_epochs(turn, local);
            }
            // Whoever has been here before, and read on, writes with its next message.
            let (begins, back) = (ready && !began, ready && began && self.is_public(local));
            if !back && (!begins || self.open_author(turn, local).is_err()) {
                return;
            }
        }
        for request in self.waiting.joined(local) {
            self.reply(
                turn,
                request,
                Reply::Topic {
                    id,
                    name: name.clone(),
                },
            );
        }
    }

    /// Lines have come to a device whose author was given up: it needs a new one to acknowledge
    /// them.
    pub(crate) fn speak_again(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some(keys) = self.host.keys.topic(local) else {
            return;
        };
        let given_up = keys.device.is_some() && keys.row.next_index > 0 && !keys.row.opened;
        // Whoever was let in begins with its first message.
        if given_up && !keys.row.left && !keys.is_granted() {
            // What fails now is tried again with the next line, and with the next message.
            let _opened = self.open_author(turn, local);
        }
    }

    /// Makes sure that this device has an author whose first envelope is published, under the grant
    /// that is best now.
    pub(crate) fn open_author(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
    ) -> Result<(), PublishError> {
        self.grants_changed(turn, local);
        self.begin_writing(turn, local)
    }

    /// Makes sure that this device has an author whose first envelope is published.
    pub(crate) fn begin_writing(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
    ) -> Result<(), PublishError> {
        let keys = self.host.keys.topic(local).ok_or(topic::Unknown)?;
        if keys.is_reader() {
            return Err(PublishError::NotMember);
        }
        if keys.row.opened && keys.certificate().is_some() {
            self.ready_to_write(turn, local);
            return Ok(());
        }
        if keys.certificate().is_none() {
            self.host
                .keys
                .begin_author(turn.cx, local)
                .ok_or(PublishError::NoKey)?;
        }
        let keys = self.host.keys.topic(local).ok_or(topic::Unknown)?;
        let founder = keys.is_founder();
        let sealing = keys.sealing.as_ref().map(SealingKeys::public);
        let answers: Vec<_> = keys.invite_at().into_iter().collect();
        let mut items: Vec<Item> = keys
            .certificate()
            .map(Item::Certificate)
            .into_iter()
            .collect();
        items.extend(keys.claim().map(Item::Claim));
        let first = keys.row.next_index <= 1;
        let claims = keys.claim().is_some();
        if founder && first {
            let title = Title {
                name: keys.row.name.clone(),
            }
            .encode();
            let sealed = self
                .host
                .keys
                .seal_to_readers(turn.cx, local, TITLE, &title);
            items.extend(sealed.map(Item::Title));
        }
        // A claim that is carried tells the key; what a later author of the device tells is found
        // out from what the topic knows.
        items.extend(sealing.filter(|_| first && !claims).map(Item::Sealing));
        items.extend(self.tiding_items(turn, local));
        let told = self.told_hash(turn, local);
        let draft = Draft {
            payload: Payload::Items(items),
            lifespan: None,
            answers,
            manifest: None,
        };
        let published = self.with_topics(turn, |topics, env| topics.publish(env, local, draft));
        if let Err(PublishError::Refused(_)) = &published {
            self.host.keys.take_back_author(turn.cx, local);
        }
        published?;
        self.host.keys.update(turn.cx, local, |row| {
            row.opened = true;
            row.told = told;
        });
        self.epochs_changed(turn, local);
        if self.is_public(local) {
            // Who only read so far has a seat to share now.
            self.pairs_go_on(turn);
        }
        Ok(())
    }
}

/// What an invite says of itself, before anything is joined.
fn shown(found: &Invitation) -> Reply {
    let terms = found.invite.gift().map(|gift| gift.terms);
    let named = terms.map(|terms| terms.budget).unwrap_or_default();
    let budget = found.genesis.policy.budget_of(named);
    let rights = terms.map(|terms| terms.rights).unwrap_or_default();
    let rights = rights.iter().map(|(right, interval)| AskedRight {
        right: match right {
            wire::Right::Publish => Right::Publish,
            wire::Right::Read => Right::Read,
            wire::Right::Admit => Right::Admit,
        },
        from: interval.from,
        until: interval.until,
    });
    Reply::Invitation {
        topic: found.topic,
        topic_name: found.title.clone(),
        inviter_name: found.inviter.clone(),
        inviter: found.device.to_string(),
        expires: found.invite.until,
        rights: rights.collect(),
        messages: budget.messages,
        bytes: budget.bytes,
        attended: found.is_attended(),
    }
}

/// When a claim says that it was made. An unconfirmed clock is not believed by its own node either:
/// one that stands decades ahead would make the claim come after the end of its invite.
fn claim_time(wall: WallTime, confirmed: bool, found: &Invitation) -> WallTime {
    let (start, until) = (found.genesis.epoch.start, found.invite.until);
    if confirmed || start > until {
        return wall;
    }
    WallTime::from_millis(wall.as_millis().clamp(start, until))
}
