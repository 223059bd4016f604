//! What may be spent: what an issuer may still give away, and how much a chain may write.
//!
//! Both are integers and pure. [`Carving`] adds up what an author has issued along its chain; a
//! [`Bucket`] fills with the time that envelopes claim, never with a clock.

use thiserror::Error;

use crate::eff::limits::{
    BUCKET_MS, CONTROL_BYTES_PER_MIN, CONTROL_MESSAGES_PER_MIN, MAX_GRANTS, MAX_RATE, MINUTE_MS,
};

/// Messages and bytes a minute. `None`: without limit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Rates {
    /// Messages a minute of claimed time, from 1 to [`MAX_RATE`].
    pub messages: Option<u64>,
    /// Bytes a minute of claimed time: header, proof and body. From 1 to [`MAX_RATE`].
    pub bytes: Option<u64>,
}

impl Rates {
    /// The rates of control: the same for everybody, apart from those of a grant.
    pub const CONTROL: Self = Self {
        messages: Some(CONTROL_MESSAGES_PER_MIN),
        bytes: Some(CONTROL_BYTES_PER_MIN),
    };

    /// A device's part of these rates, of which there are 256: rounded down, but never nothing, so
    /// that a device with a share can write at all.
    pub fn part(self, share: u16) -> Self {
        let of = |rate: u64| (rate.min(MAX_RATE) * u64::from(share.min(256)) / 256).max(1);
        Self {
            messages: self.messages.map(of),
            bytes: self.bytes.map(of),
        }
    }

    /// Both together; without limit where one of them is.
    pub(crate) fn and(self, other: &Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        Self {
            messages: sum(self.messages, other.messages),
            bytes: sum(self.bytes, other.bytes),
        }
    }

    /// What a device may give away: like [`Rates::part`], but nothing where the part is less than
    /// one, so that the parts of all devices never sum to more than the whole.
    fn to_give(self, share: u16) -> Self {
        let of = |rate: u64| rate.min(MAX_RATE) * u64::from(share.min(256)) / 256;
        Self {
            messages: self.messages.map(of),
            bytes: self.bytes.map(of),
        }
    }
}

/// Something that an author issued along its chain: a grant or an invite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Issued {
    /// What it lets its holder spend.
    pub rates: Rates,
    /// When it was issued, by the envelope that carries it, in milliseconds since 1970.
    pub since: u64,
    /// When it ends, in milliseconds since 1970; `None`: never.
    pub until: Option<u64>,
    /// Whether something in the past of whoever asks has ended all of it.
    pub ended: bool,
}

impl Issued {
    /// Whether it takes room of its issuer at this claimed time. A grant that ends at `until` is
    /// over at that time. What is over, or was taken back, still weighs for as long as its holder's
    /// full bucket was worth: else one short grant after another would be a full one each time.
    pub(crate) const fn weighs(&self, created: u64) -> bool {
        let gone = match self.until {
            _ if self.ended => self.since,
            Some(until) if until > created => return true,
            Some(until) if until > self.since => until,
            Some(_) => self.since,
            None => return true,
        };
        created < gone.saturating_add(BUCKET_MS)
    }
}

/// Why a grant may not be issued beside the others of its chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CarveError {
    /// There are [`MAX_GRANTS`] already.
    #[error("the author has issued {MAX_GRANTS} grants that are not over")]
    TooMany,
    /// The parent has a limit and this one has none.
    #[error("a grant below one with limits states its own")]
    NoLimit,
    /// All together would be more than the device's share of its grant.
    #[error("the author's grants sum to more than its share of its own")]
    TooMuch,
}

/// What an author may still give away. Grants that a composition signs jointly are not counted:
/// each of them is bounded by its parent alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Carving {
    /// The rates of the author's own grant.
    pub own: Rates,
    /// Its device's share of them, of 256.
    pub share: u16,
}

impl Carving {
    /// Whether one more may be issued at this claimed time. `before` has all that this chain has
    /// issued and that lies in the past, its own earlier envelopes and the earlier items of this
    /// one.
    pub fn allows(
        &self,
        before: impl IntoIterator<Item = Issued>,
        more: &Rates,
        created: u64,
    ) -> Result<(), CarveError> {
        let mut count = 0_usize;
        let mut sum = (0_u64, 0_u64);
        let mut unlimited = (false, false);
        let more = Issued {
            rates: *more,
            since: created,
            until: None,
            ended: false,
        };
        for issued in before.into_iter().chain([more]) {
            if !issued.weighs(created) {
                continue;
            }
            count = count.saturating_add(1);
            sum.0 = sum.0.saturating_add(issued.rates.messages.unwrap_or(0));
            sum.1 = sum.1.saturating_add(issued.rates.bytes.unwrap_or(0));
            unlimited.0 |= issued.rates.messages.is_none();
            unlimited.1 |= issued.rates.bytes.is_none();
        }
        if count > MAX_GRANTS {
            return Err(CarveError::TooMany);
        }
        let bound = self.own.to_give(self.share);
        for (bound, sum, unlimited) in [
            (bound.messages, sum.0, unlimited.0),
            (bound.bytes, sum.1, unlimited.1),
        ] {
            match bound {
                Some(_) if unlimited => return Err(CarveError::NoLimit),
                Some(bound) if sum > bound => return Err(CarveError::TooMuch),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a chain may still write: ten minutes' worth at most. The unit is one part in
/// 60,000 of a message or byte, so that a rate of one a minute fills it by one each millisecond.
///
/// It is kept for the last envelope of a chain, beside the time which that one claims.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// Messages, in units. Counts for nothing where the rate has no limit.
    pub messages: u64,
    /// Bytes, in units.
    pub bytes: u64,
}

/// Why an envelope does not fit its author's rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RateError {
    /// Too many messages for the time that it claims.
    #[error("more messages than the grant allows in the time claimed")]
    Messages,
    /// Too many bytes.
    #[error("more bytes than the grant allows in the time claimed")]
    Bytes,
}

/// What an envelope costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Its messages. An envelope without any counts as one.
    pub messages: u64,
    /// Bytes of header, proof and body.
    pub bytes: u64,
}

impl Bucket {
    /// The bucket before the first envelope of a chain: full.
    pub fn full(rates: &Rates) -> Self {
        Self {
            messages: capacity(rates.messages),
            bytes: capacity(rates.bytes),
        }
    }

    /// The bucket of which so many units of messages and of bytes have been spent. Where rates have
    /// changed since, as much is spent of the new ones.
    pub fn with_spent((messages, bytes): (u64, u64), rates: &Rates) -> Self {
        Self {
            messages: capacity(rates.messages).saturating_sub(messages),
            bytes: capacity(rates.bytes).saturating_sub(bytes),
        }
    }

    /// Units of messages and of bytes that have been spent: nothing where there is no limit.
    pub fn spent(self, rates: &Rates) -> (u64, u64) {
        let one = |level: u64, rate: Option<u64>| match rate {
            Some(_) => capacity(rate).saturating_sub(level),
            None => 0,
        };
        (
            one(self.messages, rates.messages),
            one(self.bytes, rates.bytes),
        )
    }

    /// The bucket after so many milliseconds of claimed time in which nothing was spent of it.
    pub fn filled(self, elapsed_ms: u64, rates: &Rates) -> Self {
        let one = |at, rate| level(at, elapsed_ms, rate, 0).unwrap_or(at);
        Self {
            messages: one(self.messages, rates.messages),
            bytes: one(self.bytes, rates.bytes),
        }
    }

    /// The bucket after an envelope that claims to be written this many milliseconds after the one
    /// before it on its chain. The rates are those of its author in its own past.
    pub fn after(self, elapsed_ms: u64, rates: &Rates, cost: &Cost) -> Result<Self, RateError> {
        let messages = level(
            self.messages,
            elapsed_ms,
            rates.messages,
            cost.messages.max(1),
        );
        let bytes = level(self.bytes, elapsed_ms, rates.bytes, cost.bytes);
        Ok(Self {
            messages: messages.ok_or(RateError::Messages)?,
            bytes: bytes.ok_or(RateError::Bytes)?,
        })
    }

    /// How many milliseconds must be claimed to have passed before an envelope of this cost fits;
    /// `None` if no time is enough.
    pub fn wait(self, rates: &Rates, cost: &Cost) -> Option<u64> {
        let one = |level: u64, rate: Option<u64>, cost: u64| {
            let Some(rate) = rate else { return Some(0) };
            let need = cost.checked_mul(MINUTE_MS)?;
            if need > capacity(Some(rate)) {
                return None;
            }
            Some(need.saturating_sub(level).div_ceil(rate.clamp(1, MAX_RATE)))
        };
        let messages = one(self.messages, rates.messages, cost.messages.max(1))?;
        Some(messages.max(one(self.bytes, rates.bytes, cost.bytes)?))
    }
}

/// Ten minutes' worth. Without a limit nothing is counted; the bucket is then full for whatever
/// limit comes.
fn capacity(rate: Option<u64>) -> u64 {
    rate.unwrap_or(MAX_RATE).clamp(1, MAX_RATE) * BUCKET_MS
}

fn level(level: u64, elapsed_ms: u64, rate: Option<u64>, cost: u64) -> Option<u64> {
    let Some(rate) = rate else {
        return Some(capacity(None));
    };
    // At most 2³² × 600,000 and twice that in the sum, far below 2⁶⁴.
    let refill = rate.clamp(1, MAX_RATE) * elapsed_ms.min(BUCKET_MS);
    let filled = level.saturating_add(refill).min(capacity(Some(rate)));
    filled.checked_sub(cost.checked_mul(MINUTE_MS)?)
}
