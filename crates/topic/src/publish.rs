//! Writing: the way of an own envelope from a draft to the graph and to the peers.

use crate::draft::{Draft, Payload, PublishError, Published};
use crate::host::SealError;
use crate::limits::MAX_MESSAGES;
use crate::rows::Phase;
use crate::state::{Shared, Topic};
use crate::topics::Env;
use identity::{GrantId, PublicKey};
use lace::{Admission, NotWritable, Plan};
use machine::Cx;
use wire::{Class, Item};

/// Most hops of an envelope; advisory.
const HOPS: u8 = 16;

impl Topic {
    pub(crate) fn publish(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        draft: Draft,
    ) -> Result<Published, PublishError> {
        if !self.is_member() || self.row.phase != Phase::Active {
            return Err(PublishError::NotMember);
        }
        let author = env.host.author(self.local).ok_or(PublishError::NoAuthor)?;
        if self.stale && self.lace.author(&author).is_some() {
            return Err(PublishError::Stale);
        }
        // Another author key than the one that was overtaken.
        self.stale = false;
        let plan = self.plan(shared, env, &draft)?;
        let under = env.host.under(self.local);
        let grant = under.unwrap_or_else(|| self.grant(&draft.payload));
        let header = self
            .lace
            .next_header(&mut env.cx.store, &author, &grant, &plan)
            .map_err(|why| match why {
                NotWritable::Closed => PublishError::Stale,
                NotWritable::Limited => PublishError::CutOff,
                NotWritable::NoInvite | NotWritable::Full => {
                    PublishError::Inadmissible(why.to_string())
                }
            })?;
        let body = match &draft.payload {
            Payload::Messages(messages) => env
                .host
                .seal(env.cx, self.local, &header, messages)
                .map_err(|why| match why {
                    SealError::NoKey => PublishError::NoKey,
                    SealError::TooLarge => PublishError::TooLarge,
                })?,
            Payload::Items(items) => wire::encode_items(items),
        };
        if body.len() > wire::limits::MAX_BODY {
            return Err(PublishError::TooLarge);
        }
        let number = header.number;
        let signed = env
            .host
            .sign_envelope(self.local, header, body)
            .ok_or_else(|| PublishError::Inadmissible("it could not be signed".into()))?;
        let id = signed.get().envelope.id;
        let reports = self.admit(shared, env, None, signed);
        for (reported, admission) in &reports {
            if *reported == id {
                match admission {
                    Admission::Admitted { .. } => return Ok(Published { id, number }),
                    Admission::Refused(rule) => {
                        return Err(PublishError::Refused(*rule));
                    }
                    _ => {}
                }
            }
        }
        Err(PublishError::Inadmissible("its past is not here".into()))
    }

    fn plan(
        &self,
        shared: &Shared,
        env: &Env<'_, '_>,
        draft: &Draft,
    ) -> Result<Plan, PublishError> {
        let (class, count) = match &draft.payload {
            Payload::Messages(messages) => (Class::Content, messages.len()),
            Payload::Items(items) => (Class::Control, items.len()),
        };
        let most = if class == Class::Control {
            wire::limits::MAX_ITEMS
        } else {
            MAX_MESSAGES
        };
        if count == 0 || count > most {
            return Err(PublishError::Count(count));
        }
        Ok(Plan {
            class,
            now: env.cx.wall.as_millis(),
            clock_confirmed: shared.clock_confirmed,
            lifespan: draft
                .lifespan
                .unwrap_or(self.lace.genesis().parameters.lifespan),
            count: u16::try_from(count).unwrap_or(u16::MAX),
            hops: HOPS,
            manifest: draft.manifest,
            answers: draft.answers.clone(),
        })
    }

    /// What an author's first envelope is written under: the claim's grant, or the topic's own.
    fn grant(&self, payload: &Payload) -> GrantId {
        let items: &[Item] = match payload {
            Payload::Items(items) => items,
            Payload::Messages(_) => &[],
        };
        let claimed = items.iter().find_map(|item| match item {
            Item::Claim(claim) => Some(claim.grant),
            _ => None,
        });
        claimed.unwrap_or_else(|| GrantId::from_bytes(*self.id.as_bytes()))
    }

    /// Whether an author key of this home writes here.
    pub(crate) fn can_write(&self, author: Option<PublicKey>) -> bool {
        self.is_member() && author.is_some_and(|author| self.lace.author(&author).is_some())
    }

    /// Whether the device of an author key of this home may act for anybody here.
    pub(crate) fn has_seat(&self, cx: &mut Cx<'_>, author: Option<PublicKey>) -> bool {
        let author = author.and_then(|author| self.lace.author(&author));
        author.is_some_and(|author| self.lace.has_member(&mut cx.store, author.device()))
    }
}
