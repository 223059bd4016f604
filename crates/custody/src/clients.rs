//! Operator's invites, clients, and what the operator sees of them.

use core::fmt;

use identity::NodeId;
use machine::Cx;

use crate::limits::{MAX_CLIENTS, MAX_HOLD, MAX_INVITES, MAX_USES, MIN_QUOTA};
use crate::outcome::{Agreed, Code, Refusal};
use crate::quota::Quota;
use crate::row::{self, CLIENT_TOPICS, CLIENTS, ClientRow, INVITES, InviteRow, SERVES, ServeRow};
use crate::state::{Custody, millis};

/// What an operator's invite gives.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteTerms {
    /// Names the invite in a claim; derived from the invite's seed.
    pub token: [u8; 16],
    /// Checks a claim; derived from the invite's seed, which this node does not keep.
    pub key: [u8; 32],
    /// What each client gets.
    pub quota: Quota,
    /// How many clients may come with it.
    pub uses: u32,
    /// Until when, in milliseconds since 1970; 0 = until revoked.
    pub until_ms: u64,
}

// Secrets stay out of logs.
impl fmt::Debug for InviteTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InviteTerms")
            .field("quota", &self.quota)
            .field("uses", &self.uses)
            .field("until_ms", &self.until_ms)
            .finish_non_exhaustive()
    }
}

/// An open invite, for lists. The key is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteState {
    /// Names the invite.
    pub token: [u8; 16],
    /// What each client gets.
    pub quota: Quota,
    /// How many clients may come with it in all.
    pub uses: u32,
    /// How many still may.
    pub uses_left: u32,
    /// Until when, in milliseconds since 1970; 0 = until revoked.
    pub until_ms: u64,
}

/// An account, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientUsage {
    /// Whose.
    pub node: NodeId,
    /// What was agreed.
    pub quota: Quota,
    /// Since when, in milliseconds since 1970 by this node's clock.
    pub since_ms: u64,
    /// Whether the operator denied it: nothing new is taken, promises are kept.
    pub denied: bool,
    /// Whether it came with an invite, rather than by its id.
    pub invited: bool,
    /// Bytes reserved for its own deposits.
    pub own: u64,
    /// Bytes reserved for guests.
    pub guests: u64,
    /// Bytes reserved in its mailbox.
    pub mail: u64,
    /// Bytes of headers.
    pub headers: u64,
    /// Topics held for it.
    pub topics: u32,
    /// Mails held for it.
    pub mails: u64,
    /// Whether less than an eighth of what is kept for headers is left: headers never expire, so
    /// this is told before it bites.
    pub headers_nearly_full: bool,
}

impl ClientUsage {
    /// Bytes reserved in all.
    #[must_use]
    pub const fn reserved(&self) -> u64 {
        self.own
            .saturating_add(self.guests)
            .saturating_add(self.mail)
            .saturating_add(self.headers)
    }
}

/// What is still held for a client that was denied: promises are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillHeld {
    /// Bytes of bodies and mails reserved for it: its own, its guests', its mailbox.
    pub bytes: u64,
    /// Topics.
    pub topics: u32,
    /// Mails, which it may still fetch.
    pub mails: u64,
    /// When the last promise ends at the latest, in milliseconds since 1970.
    pub until_ms: u64,
}

impl Custody {
    /// Opens an invite. One that is open under the same token, which a pre-shared key can be, gets
    /// these terms.
    ///
    /// # Errors
    /// Quota, uses or the number of open invites out of bounds.
    pub fn invite(&mut self, cx: &mut Cx<'_>, terms: &InviteTerms) -> Result<(), Refusal> {
        check_quota(&terms.quota)?;
        if terms.uses == 0 || terms.uses > MAX_USES {
            return Err(Refusal::lasting(
                Code::Unacceptable,
                format!("an invite has 1 to {MAX_USES} uses, not {}", terms.uses),
            ));
        }
        let mut open = 0;
        for (token, value) in cx.store.prefix(INVITES, &[], MAX_INVITES) {
            if token == terms.token {
                continue;
            }
            if self.is_open(cx, &value) {
                open = usize::saturating_add(open, 1);
            } else {
                cx.store.delete(INVITES, token);
            }
        }
        if open >= MAX_INVITES {
            return Err(Refusal::lasting(
                Code::TooMany,
                format!("{MAX_INVITES} invites are open already; revoke some"),
            ));
        }
        let invite = InviteRow {
            key: terms.key,
            bytes: terms.quota.bytes,
            topics: terms.quota.topics,
            links: terms.quota.links,
            uses_left: terms.uses,
            uses: terms.uses,
            until_ms: terms.until_ms,
        };
        row::put(&mut cx.store, INVITES, &terms.token, &invite);
        self.sweep_soon(cx);
        Ok(())
    }

    /// Closes an invite; clients that came with it stay. Says whether there was one.
    pub fn revoke_invite(&mut self, cx: &mut Cx<'_>, token: &[u8; 16]) -> bool {
        let known = cx.store.has(INVITES, token);
        cx.store.delete(INVITES, *token);
        known
    }

    /// The open invites: neither used up nor over.
    #[must_use]
    pub fn invites(&self, cx: &mut Cx<'_>) -> Vec<InviteState> {
        let rows = cx.store.prefix(INVITES, &[], MAX_INVITES);
        let state = |(key, value): (Vec<u8>, Vec<u8>)| {
            let invite: InviteRow = row::decode(&value)?;
            if !self.is_open(cx, &value) {
                return None;
            }
            Some(InviteState {
                token: key.try_into().ok()?,
                quota: Quota {
                    bytes: invite.bytes,
                    topics: invite.topics,
                    links: invite.links,
                },
                uses: invite.uses,
                uses_left: invite.uses_left,
                until_ms: invite.until_ms,
            })
        };
        rows.into_iter().filter_map(state).collect()
    }

    fn is_open(&self, cx: &Cx<'_>, row: &[u8]) -> bool {
        let invite: Option<InviteRow> = row::decode(row);
        invite.is_some_and(|invite| invite.uses_left > 0 && !self.is_over(cx, invite.until_ms))
    }

    /// Makes a node a client by its id, or changes what was agreed with it, or lifts a denial. A
    /// quota below what is reserved takes effect as promises end.
    ///
    /// # Errors
    /// Quota out of bounds, or too many clients.
    pub fn allow(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        quota: Option<Quota>,
    ) -> Result<Agreed, Refusal> {
        let quota = quota.unwrap_or(self.settings.quota);
        check_quota(&quota)?;
        let known = client(cx, &node);
        if known.is_none() {
            check_clients(cx)?;
        }
        let mut account = known.unwrap_or_else(|| ClientRow {
            since_ms: cx.wall.as_millis(),
            ..ClientRow::default()
        });
        account.denied = false;
        account.bytes = quota.bytes;
        account.topics = quota.topics;
        account.links = quota.links;
        save(cx, &node, &account);
        self.reports.changed(cx.now, &node, &account, None);
        self.sweep_soon(cx);
        Ok(self.agreed(&account))
    }

    /// Takes nothing new for this node from now on, whatever invite it shows. What was promised is
    /// kept until its time, and the node may still fetch it; the answer says how much that is.
    pub fn deny(&mut self, cx: &mut Cx<'_>, node: NodeId) -> StillHeld {
        let mut account = client(cx, &node).unwrap_or_default();
        account.denied = true;
        save(cx, &node, &account);
        for topic in self.topics_of(cx, &node) {
            let key = row::pair(topic.as_bytes(), node.as_bytes());
            if let Some(serve) = row::get::<ServeRow>(&mut cx.store, SERVES, &key) {
                self.look_again(cx, &topic, &node, &serve);
            }
        }
        let hold = millis(MAX_HOLD).min(self.settings.hold_ms());
        StillHeld {
            bytes: bodies(&account),
            topics: account.topics_used,
            mails: account.mails,
            until_ms: cx.wall.as_millis().saturating_add(hold),
        }
    }

    /// The clients with what they use, those denied included.
    #[must_use]
    pub fn clients(&self, cx: &mut Cx<'_>) -> Vec<ClientUsage> {
        let rows = cx.store.prefix(CLIENTS, &[], MAX_CLIENTS.saturating_mul(2));
        let usage = |(key, value): (Vec<u8>, Vec<u8>)| {
            let account: ClientRow = row::decode(&value)?;
            Some(usage(row::node_at(&key, 0)?, &account))
        };
        rows.into_iter().filter_map(usage).collect()
    }

    /// What was agreed with a client that is served.
    #[must_use]
    pub fn agreement(&self, cx: &mut Cx<'_>, node: &NodeId) -> Option<Agreed> {
        let account = client(cx, node).filter(|account| !account.denied)?;
        Some(self.agreed(&account))
    }

    /// The account of one client.
    #[must_use]
    pub fn usage(&self, cx: &mut Cx<'_>, node: &NodeId) -> Option<ClientUsage> {
        client(cx, node).map(|account| usage(*node, &account))
    }

    /// Whether this node is a client that was not denied: the router need not treat it as a
    /// stranger.
    #[must_use]
    pub fn is_client(&self, cx: &mut Cx<'_>, node: &NodeId) -> bool {
        client(cx, node).is_some_and(|account| !account.denied)
    }

    /// Whether the operator denied this node.
    #[must_use]
    pub fn is_denied(&self, cx: &mut Cx<'_>, node: &NodeId) -> bool {
        client(cx, node).is_some_and(|account| account.denied)
    }

    /// Whether anything is held for this node that was promised, so that it may still fetch it,
    /// denied or not.
    #[must_use]
    pub fn holds_for(&self, cx: &mut Cx<'_>, node: &NodeId) -> bool {
        client(cx, node).is_some_and(|account| bodies(&account) > 0 || account.mails > 0)
            || !cx
                .store
                .prefix(CLIENT_TOPICS, node.as_bytes(), 1)
                .is_empty()
    }

    /// A node claims to be a client, or wants to become one. `verify` checks the claim's proof with
    /// the invite's key over the link that it came on. A client may claim again at any time, with
    /// any token, and gets the present state; a token of another open invite that gives more raises
    /// its quota. An invite's use is spent once a client.
    ///
    /// # Errors
    /// Denied, or no client and no invite that it can prove; whoever cannot prove the invite is not
    /// told whether there is one.
    pub fn claim(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        token: &[u8; 16],
        verify: impl FnOnce(&[u8; 32]) -> bool,
    ) -> Result<Agreed, Refusal> {
        let known = client(cx, &node);
        if known.as_ref().is_some_and(|account| account.denied) {
            return Err(Refusal::ended());
        }
        let invite: Option<InviteRow> = row::get(&mut cx.store, INVITES, token);
        let invite = invite.filter(|invite| verify(&invite.key));
        let used = known
            .as_ref()
            .is_some_and(|account| account.token == Some(*token));
        match (known, invite) {
            (Some(account), None) => Ok(self.agreed(&account)),
            (Some(account), Some(_)) if used => Ok(self.agreed(&account)),
            (None, None) => Err(Refusal::lasting(
                Code::NotClient,
                "this node is no client here and showed no valid invite",
            )),
            (Some(account), Some(invite)) if invite.bytes <= account.bytes => {
                Ok(self.agreed(&account))
            }
            (known, Some(invite)) => self.take_invite(cx, node, token, known, invite),
        }
    }

    fn take_invite(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        token: &[u8; 16],
        known: Option<ClientRow>,
        mut invite: InviteRow,
    ) -> Result<Agreed, Refusal> {
        if self.is_over(cx, invite.until_ms) {
            return Err(Refusal::lasting(Code::NotClient, "the invite is over"));
        }
        let Some(left) = invite.uses_left.checked_sub(1) else {
            return Err(Refusal::lasting(Code::NotClient, "the invite is used up"));
        };
        if known.is_none() {
            self.check_stays()?;
            check_clients(cx)?;
        }
        invite.uses_left = left;
        if left == 0 {
            cx.store.delete(INVITES, *token);
        } else {
            row::put(&mut cx.store, INVITES, token, &invite);
        }
        let mut account = known.unwrap_or_else(|| ClientRow {
            since_ms: cx.wall.as_millis(),
            ..ClientRow::default()
        });
        account.bytes = account.bytes.max(invite.bytes);
        account.topics = account.topics.max(invite.topics);
        account.links = account.links.max(invite.links);
        account.token = Some(*token);
        save(cx, &node, &account);
        self.reports.changed(cx.now, &node, &account, None);
        Ok(self.agreed(&account))
    }

    fn agreed(&self, account: &ClientRow) -> Agreed {
        Agreed {
            quota: account.bytes,
            used: reserved(account),
            topics: account.topics_used,
            max_topics: account.topics,
            max_hold_ms: self.settings.hold_ms(),
            retires_ms: self.retires(),
        }
    }
}

/// Reads an account.
pub(crate) fn client(cx: &mut Cx<'_>, node: &NodeId) -> Option<ClientRow> {
    row::get(&mut cx.store, CLIENTS, node.as_bytes())
}

/// Reads an account that may take something new.
pub(crate) fn active(cx: &mut Cx<'_>, node: &NodeId) -> Result<ClientRow, Refusal> {
    match client(cx, node) {
        None => Err(Refusal::lasting(
            Code::NotClient,
            "this node is no client here",
        )),
        Some(account) if account.denied => Err(Refusal::lasting(
            Code::Denied,
            "the operator of this core node no longer takes anything for this client",
        )),
        Some(account) => Ok(account),
    }
}

/// Writes an account.
pub(crate) fn save(cx: &mut Cx<'_>, node: &NodeId, account: &ClientRow) {
    row::put(&mut cx.store, CLIENTS, node.as_bytes(), account);
}

/// The quota in an account.
pub(crate) const fn quota(account: &ClientRow) -> Quota {
    Quota {
        bytes: account.bytes,
        topics: account.topics,
        links: account.links,
    }
}

/// Bodies reserved: everything but headers.
pub(crate) const fn bodies(account: &ClientRow) -> u64 {
    account
        .own
        .saturating_add(account.guests)
        .saturating_add(account.mail)
}

/// Everything reserved.
pub(crate) const fn reserved(account: &ClientRow) -> u64 {
    bodies(account).saturating_add(account.headers)
}

fn usage(node: NodeId, account: &ClientRow) -> ClientUsage {
    let quota = quota(account);
    let left = quota.headers().saturating_sub(account.headers);
    ClientUsage {
        node,
        quota,
        since_ms: account.since_ms,
        denied: account.denied,
        invited: account.token.is_some(),
        own: account.own,
        guests: account.guests,
        mail: account.mail,
        headers: account.headers,
        topics: account.topics_used,
        mails: account.mails,
        headers_nearly_full: left < quota.headers() / 8,
    }
}

fn check_quota(quota: &Quota) -> Result<(), Refusal> {
    if quota.bytes < MIN_QUOTA || quota.bytes > u64::MAX / 4 {
        return Err(Refusal::lasting(
            Code::Unacceptable,
            format!("a quota is at least {MIN_QUOTA} bytes, not {}", quota.bytes),
        ));
    }
    Ok(())
}

fn check_clients(cx: &mut Cx<'_>) -> Result<(), Refusal> {
    if cx.store.prefix(CLIENTS, &[], MAX_CLIENTS).len() < MAX_CLIENTS {
        return Ok(());
    }
    Err(Refusal::lasting(
        Code::TooMany,
        format!("this core node serves {MAX_CLIENTS} clients, which is as many as it takes"),
    ))
}
