//! Promises: what is taken, on whose account, and when it ends.
//!
//! What is held is reserved, and what is reserved is held: a body until its envelope expires, by a
//! confirmed clock, a header until the topic goes. A full account refuses what is new. What anybody
//! was promised is remembered with each account, and the topic goes only after the last of it.

use identity::{NodeId, PublicKey, TopicId};
use machine::planted::{Bug, is};
use machine::{Cx, Outbox};

use crate::clients::{bodies, client, quota, save};
use crate::limits::{
    MAX_GUEST_AUTHORS, MAX_SPONSORS, PROMISE_STEP, RELEASES_PER_TURN, RETRY_ENVELOPES,
};
use crate::outcome::{Code, Refusal};
use crate::quota::Share;
use crate::row::{self, AUTHORS, AuthorRow, ClientRow, PROMISES, PromiseRow, SERVES, ServeRow};
use crate::state::{Custody, Output, millis};

/// Stands in a key for the client's own deposits. No author has this key: it is of small order.
const OWN: [u8; 32] = [0; 32];

/// Something of a topic that a peer wants held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// The topic.
    pub topic: TopicId,
    /// Who wrote it.
    pub author: PublicKey,
    /// Whose link it came on: a client, a guest, or another core node.
    pub depositor: NodeId,
    /// Bytes that never expire: the header, and the body of a control envelope.
    pub header: u64,
    /// Bytes that expire. Header and body may come as two deposits.
    pub body: u64,
    /// When the body expires, in milliseconds since 1970; 0 = never.
    pub expires_ms: u64,
}

/// What was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// On whose account.
    pub sponsor: NodeId,
    /// Until when it is held at least, in milliseconds since 1970 by this node's clock: its own
    /// expiry or the operator's longest hold, whichever comes first.
    pub until_ms: u64,
}

/// One account that could bear a deposit.
struct Account {
    node: NodeId,
    client: ClientRow,
    serve: ServeRow,
}

impl Custody {
    /// Says what [`Custody::accept`] would say, and reserves nothing: to be asked before a body is
    /// fetched or a signature checked.
    ///
    /// # Errors
    /// As [`Custody::accept`].
    pub fn room(&self, cx: &mut Cx<'_>, deposit: &Deposit) -> Result<(), Refusal> {
        self.choose(cx, deposit).map(|_| ())
    }

    /// Reserves room for a deposit, which the same turn must store. To be called once for each
    /// header and once for each body, when it has been found new and admissible.
    ///
    /// # Errors
    /// No account bears it: the text says which bound was met. Nothing was reserved.
    pub fn accept(&mut self, cx: &mut Cx<'_>, deposit: &Deposit) -> Result<Promise, Refusal> {
        let (account, author) = self.choose(cx, deposit)?;
        let Account {
            node,
            mut client,
            mut serve,
        } = account;
        let key = row::pair(deposit.topic.as_bytes(), node.as_bytes());
        client.headers = client.headers.saturating_add(deposit.header);
        serve.headers = serve.headers.saturating_add(deposit.header);
        let party = if let Some(mut author) = author {
            if author.bodies == 0 && author.headers == 0 {
                serve.authors = serve.authors.saturating_add(1);
            }
            client.guests = client.guests.saturating_add(deposit.body);
            serve.guests = serve.guests.saturating_add(deposit.body);
            serve.guest_headers = serve.guest_headers.saturating_add(deposit.header);
            author.bodies = author.bodies.saturating_add(deposit.body);
            author.headers = author.headers.saturating_add(deposit.header);
            let author_key = [key.as_slice(), deposit.author.as_bytes()].concat();
            row::put(&mut cx.store, AUTHORS, &author_key, &author);
            *deposit.author.as_bytes()
        } else {
            client.own = client.own.saturating_add(deposit.body);
            serve.own = serve.own.saturating_add(deposit.body);
            OWN
        };
        save(cx, &node, &client);
        let of = Some((deposit.topic, &serve));
        self.reports.changed(cx.now, &node, &client, of);
        let hold = self.hold(cx);
        let until_ms = match deposit.expires_ms {
            0 => hold,
            expires => expires.min(hold),
        };
        self.note(cx, &deposit.topic, &node, &mut serve, until_ms);
        row::put(&mut cx.store, SERVES, &key, &serve);
        // What never expires stays reserved until the topic goes.
        if deposit.body > 0 && deposit.expires_ms > 0 {
            let step = step_of(deposit.expires_ms);
            let key = promise_key(step, &deposit.topic, &node, &party);
            reserve(cx, &key, deposit.body, serve.life);
        }
        Ok(Promise {
            sponsor: node,
            until_ms,
        })
    }

    /// Gives back a part of what was reserved for a deposit, of which the author has no need any more: `body`
    /// bytes, on the account that bears it, if so much is reserved there until that time.
    pub fn release(
        &mut self,
        cx: &mut Cx<'_>,
        (deposit, sponsor): (&Deposit, &NodeId),
        out: &mut Outbox<Output>,
    ) {
        let own = deposit.depositor == *sponsor;
        let party = if own { &OWN } else { deposit.author.as_bytes() };
        let key = promise_key(step_of(deposit.expires_ms), &deposit.topic, sponsor, party);
        let promise: Option<PromiseRow> = row::get(&mut cx.store, PROMISES, &key);
        let Some(promise) = promise.filter(|_| deposit.body > 0 && deposit.expires_ms > 0) else {
            return;
        };
        let Some(rest) = promise.bodies.checked_sub(deposit.body) else {
            return;
        };
        let (life, bodies) = (promise.life, deposit.body);
        row::put(
            &mut cx.store,
            PROMISES,
            &key,
            &PromiseRow { bodies: rest, life },
        );
        give_back(
            cx,
            &deposit.topic,
            sponsor,
            party,
            &PromiseRow { bodies, life },
        );
        self.look_at_usage(cx, sponsor, Some(&deposit.topic));
        out.push(Output::Room);
    }

    /// Until when everything that is held of a topic is promised, but for what expires before: what
    /// a `held` receipt may say. It is remembered, and the topic stays until then whatever the
    /// clients do. While some client takes part that is the longest hold from now; afterwards what
    /// was promised before, until that is over.
    pub fn held_until(&self, cx: &mut Cx<'_>, topic: &TopicId) -> Option<u64> {
        let hold = self.hold(cx);
        let mut taking = false;
        let mut kept = 0;
        for (node, mut serve) in sponsors(cx, topic) {
            let over = is_over(cx, &node, &serve);
            if over || self.retires().is_some() {
                kept = kept.max(serve.held_until);
            }
            if over {
                continue;
            }
            taking = true;
            if self.note(cx, topic, &node, &mut serve, hold) {
                let key = row::pair(topic.as_bytes(), node.as_bytes());
                row::put(&mut cx.store, SERVES, &key, &serve);
            }
        }
        if taking {
            // A core node that ends promises less than it did, and keeps what it promised.
            kept = kept.max(hold);
        }
        (kept > cx.wall.as_millis()).then_some(kept)
    }

    fn hold(&self, cx: &Cx<'_>) -> u64 {
        let hold = cx.wall.as_millis().saturating_add(self.settings.hold_ms());
        hold.min(self.retires().unwrap_or(u64::MAX))
    }

    /// When the last promise ends at the latest, in milliseconds since 1970; nothing where there is none.
    pub fn promised_until(&self, cx: &mut Cx<'_>) -> Option<u64> {
        let mut last = None;
        for client in self.clients(cx) {
            for topic in self.topics_of(cx, &client.node) {
                let key = row::pair(topic.as_bytes(), client.node.as_bytes());
                let serve: Option<ServeRow> = row::get(&mut cx.store, SERVES, &key);
                last = last.max(serve.map(|serve| serve.held_until));
            }
        }
        last.filter(|until| *until > cx.wall.as_millis())
    }

    /// Remembers until when something on this account was promised; says whether that is news. In
    /// whole steps, so that a busy topic writes it once a step.
    fn note(
        &self,
        cx: &mut Cx<'_>,
        topic: &TopicId,
        node: &NodeId,
        serve: &mut ServeRow,
        until_ms: u64,
    ) -> bool {
        let until_ms = step_of(until_ms).saturating_mul(millis(PROMISE_STEP));
        let undated = !self.confirmed && !serve.undated;
        let news = undated || until_ms > serve.held_until;
        serve.held_until = serve.held_until.max(until_ms);
        if undated {
            serve.undated = true;
            let key = promise_key(0, topic, node, &OWN);
            reserve(cx, &key, 0, serve.life);
        }
        news
    }

    /// Sees to it that a topic that was left, or whose client was denied, is looked at again when
    /// the last promise on that account has ended.
    pub(crate) fn look_again(
        &self,
        cx: &mut Cx<'_>,
        topic: &TopicId,
        node: &NodeId,
        serve: &ServeRow,
    ) {
        let key = promise_key(step_of(serve.held_until), topic, node, &OWN);
        reserve(cx, &key, 0, serve.life);
    }

    /// Finds the account that bears a deposit; for a guest with what its author uses there.
    fn choose(
        &self,
        cx: &mut Cx<'_>,
        deposit: &Deposit,
    ) -> Result<(Account, Option<AuthorRow>), Refusal> {
        self.check_disk()?;
        self.check_goes_on(cx)?;
        if deposit.body > 0 && self.is_over(cx, deposit.expires_ms) {
            return Err(Refusal::lasting(Code::Expired, "it has expired"));
        }
        let mut accounts = Vec::new();
        for (key, value) in cx
            .store
            .prefix(SERVES, deposit.topic.as_bytes(), MAX_SPONSORS)
        {
            let (Some(node), Some(serve)) = (row::node_at(&key, 32), row::decode(&value)) else {
                continue;
            };
            let serve: ServeRow = serve;
            let client = client(cx, &node).filter(|client| !client.denied && !serve.left);
            if let Some(client) = client {
                accounts.push(Account {
                    node,
                    client,
                    serve,
                });
            }
        }
        if let Some(own) = accounts.iter().position(|a| a.node == deposit.depositor) {
            let account = accounts.swap_remove(own);
            check_own(&account, deposit)?;
            return Ok((account, None));
        }
        // The account with most room for guests first, so that what one client's guests fill is
        // not refused while another's share is empty.
        accounts.sort_by_key(|a| (core::cmp::Reverse(guest_room(a)), a.node));
        let mut refusal = Refusal::lasting(
            Code::NotServed,
            "the topic is not held here for any client that still takes part",
        );
        for (tried, account) in accounts.into_iter().enumerate() {
            let key = row::pair(deposit.topic.as_bytes(), account.node.as_bytes());
            let key = [key.as_slice(), deposit.author.as_bytes()].concat();
            let author: AuthorRow = row::get(&mut cx.store, AUTHORS, &key).unwrap_or_default();
            match check_guest(&account, &author, deposit) {
                Ok(()) => return Ok((account, Some(author))),
                Err(why) if tried == 0 => refusal = why,
                Err(_) => {}
            }
        }
        Err(refusal)
    }

    /// Ends promises whose time has come; says whether more wait.
    pub(crate) fn end_promises(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) -> bool {
        let step = cx.wall.as_millis() / millis(PROMISE_STEP);
        let to = step.saturating_add(1).to_be_bytes();
        let due = cx.store.scan(PROMISES, &[], &to, RELEASES_PER_TURN);
        let more = due.len() == RELEASES_PER_TURN;
        let mut room = false;
        for (key, value) in due {
            cx.store.delete(PROMISES, key.clone());
            let (Some(step), Some(topic), Some(node), Some(party), Some(row)) = (
                row::number_at(&key, 0),
                row::topic_at(&key, 8),
                row::node_at(&key, 40),
                row::part(&key, 72),
                row::decode::<PromiseRow>(&value),
            ) else {
                continue;
            };
            if step == 0 {
                self.date(cx, &topic, &node, row.life);
            } else {
                give_back(cx, &topic, &node, &party, &row);
                self.look_at_usage(cx, &node, Some(&topic));
                room = true;
            }
            self.drain(cx, topic, out);
        }
        if room {
            out.push(Output::Room);
        }
        more
    }

    /// What was promised on an unconfirmed clock gets the whole hold from now on, or what was said
    /// then, if that is later.
    fn date(&self, cx: &mut Cx<'_>, topic: &TopicId, node: &NodeId, life: u64) {
        let key = row::pair(topic.as_bytes(), node.as_bytes());
        let serve: Option<ServeRow> = row::get(&mut cx.store, SERVES, &key);
        if let Some(mut serve) = serve.filter(|serve| serve.life == life) {
            let hold = self.hold(cx);
            self.note(cx, topic, node, &mut serve, hold);
            serve.undated = false;
            row::put(&mut cx.store, SERVES, &key, &serve);
            self.look_again(cx, topic, node, &serve);
        }
    }
}

/// The accounts on which a topic is held.
pub(crate) fn sponsors(cx: &mut Cx<'_>, topic: &TopicId) -> Vec<(NodeId, ServeRow)> {
    let rows = cx.store.prefix(SERVES, topic.as_bytes(), MAX_SPONSORS);
    rows.iter()
        .filter_map(|(key, value)| Some((row::node_at(key, 32)?, row::decode(value)?)))
        .collect()
}

/// Whether nothing new is taken on this account: the client has left the topic or was denied.
pub(crate) fn is_over(cx: &mut Cx<'_>, node: &NodeId, serve: &ServeRow) -> bool {
    serve.left || client(cx, node).is_none_or(|account| account.denied)
}

fn step_of(ms: u64) -> u64 {
    ms.div_ceil(millis(PROMISE_STEP))
}

fn reserve(cx: &mut Cx<'_>, key: &[u8], bytes: u64, life: u64) {
    let known: Option<PromiseRow> = row::get(&mut cx.store, PROMISES, key);
    let known = known.filter(|promise| promise.life == life);
    let mut promise = known.unwrap_or(PromiseRow { bodies: 0, life });
    promise.bodies = promise.bodies.saturating_add(bytes);
    row::put(&mut cx.store, PROMISES, key, &promise);
}

/// Bodies have expired: what was reserved for them comes back, unless the account's part in the
/// topic has gone since, which gave everything back.
fn give_back(
    cx: &mut Cx<'_>,
    topic: &TopicId,
    node: &NodeId,
    party: &[u8; 32],
    ended: &PromiseRow,
) {
    let key = row::pair(topic.as_bytes(), node.as_bytes());
    let serve: Option<ServeRow> = row::get(&mut cx.store, SERVES, &key);
    let Some(mut serve) = serve.filter(|serve| serve.life == ended.life) else {
        return;
    };
    let bytes = ended.bodies;
    let own = *party == OWN;
    let mut account = client(cx, node).unwrap_or_default();
    let (of_topic, of_account) = if own {
        (&mut serve.own, &mut account.own)
    } else {
        (&mut serve.guests, &mut account.guests)
    };
    *of_topic = of_topic.saturating_sub(bytes);
    *of_account = of_account.saturating_sub(bytes);
    save(cx, node, &account);
    row::put(&mut cx.store, SERVES, &key, &serve);
    if !own {
        let key = [key.as_slice(), party].concat();
        if let Some(mut author) = row::get::<AuthorRow>(&mut cx.store, AUTHORS, &key) {
            author.bodies = author.bodies.saturating_sub(bytes);
            row::put(&mut cx.store, AUTHORS, &key, &author);
        }
    }
}

fn promise_key(step: u64, topic: &TopicId, node: &NodeId, party: &[u8; 32]) -> Vec<u8> {
    [
        &step.to_be_bytes(),
        topic.as_bytes().as_slice(),
        node.as_bytes(),
        party,
    ]
    .concat()
}

/// Whether `used` and `more` fit into `room`.
const fn fits(used: u64, more: u64, room: u64) -> bool {
    match used.checked_add(more) {
        Some(sum) => sum <= room,
        None => false,
    }
}

fn guest_room(account: &Account) -> u64 {
    let share = Share(account.serve.share);
    share.guests().saturating_sub(account.serve.guests)
}

fn full(code: Code, what: &str) -> Refusal {
    Refusal::for_now(code, what, RETRY_ENVELOPES)
}

fn check_account(account: &Account, deposit: &Deposit) -> Result<(), Refusal> {
    let quota = quota(&account.client);
    let share = Share(account.serve.share);
    let used = account.serve.own.saturating_add(account.serve.guests);
    if !fits(account.client.headers, deposit.header, quota.headers()) {
        return Err(full(
            Code::HeaderShare,
            "what the client's quota keeps for headers is used up",
        ));
    }
    if deposit.body == 0 {
        return Ok(());
    }
    if !fits(used, deposit.body, share.0) {
        return Err(full(Code::Quota, "the share of this topic is used up"));
    }
    if !fits(bodies(&account.client), deposit.body, quota.bodies()) {
        return Err(full(Code::Quota, "the client's quota is used up"));
    }
    Ok(())
}

fn check_own(account: &Account, deposit: &Deposit) -> Result<(), Refusal> {
    check_account(account, deposit)
}

fn check_guest(account: &Account, author: &AuthorRow, deposit: &Deposit) -> Result<(), Refusal> {
    check_account(account, deposit)?;
    if is(Bug::GuestFillsQuota) {
        return Ok(());
    }
    let quota = quota(&account.client);
    let share = Share(account.serve.share);
    let fresh = author.bodies == 0 && author.headers == 0;
    if fresh && account.serve.authors >= MAX_GUEST_AUTHORS {
        return Err(full(
            Code::TooMany,
            "too many authors of this topic are guests here",
        ));
    }
    if !fits(
        account.serve.guest_headers,
        deposit.header,
        share.guest_headers(),
    ) {
        return Err(full(
            Code::HeaderShare,
            "what guests may use for headers is used up",
        ));
    }
    if !fits(author.headers, deposit.header, share.author_headers()) {
        return Err(full(
            Code::HeaderShare,
            "what one author may use for headers is used up",
        ));
    }
    if deposit.body == 0 {
        return Ok(());
    }
    if !fits(account.serve.guests, deposit.body, share.guests()) {
        return Err(full(
            Code::GuestShare,
            "what guests may use of this topic's share is used up",
        ));
    }
    if !fits(account.client.guests, deposit.body, quota.guests()) {
        return Err(full(
            Code::GuestShare,
            "what guests may use of the client's quota is used up",
        ));
    }
    if !fits(author.bodies, deposit.body, share.author()) {
        return Err(full(
            Code::AuthorShare,
            "what one author may use of the share is used up",
        ));
    }
    Ok(())
}
