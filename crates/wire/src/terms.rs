//! What a grant gives: rights with their times, and a budget.

use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::limits::{MAX_BODY, MAX_HOPS, MAX_LIFESPAN_MS};

/// What somebody may do in a topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Right {
    /// Write content.
    Publish = 0,
    /// Get the keys of bodies.
    Read = 1,
    /// Give of its own rights to others, and take back what was given.
    Admit = 2,
}

/// A piece of claimed time: from a moment on, and before another where it ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Interval {
    /// Its first millisecond since 1970.
    pub from: u64,
    /// The first millisecond after it, greater than `from`; none is no end.
    pub until: Option<u64>,
}

/// Up to three rights, at least one of them, each with its own time.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rights {
    /// When it may publish.
    pub publish: Option<Interval>,
    /// What it may read, by the times that envelopes claim.
    pub read: Option<Interval>,
    /// When it may admit.
    pub admit: Option<Interval>,
}

/// How much somebody may publish. A field that is none limits nothing; all none is no budget.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Budget {
    /// 0: messages a minute of claimed time, from 1.
    pub messages: Option<u32>,
    /// 1: bytes a minute of claimed time, from 1.
    pub bytes: Option<u32>,
    /// 2: bytes of the largest body, 1 to [`MAX_BODY`].
    pub largest: Option<u32>,
    /// 3: milliseconds of the longest lifespan, 1 to [`MAX_LIFESPAN_MS`].
    pub lifespan: Option<u64>,
    /// 4: most hops, at most [`MAX_HOPS`].
    pub hops: Option<u8>,
    /// 5: envelopes in all.
    pub total_envelopes: Option<u64>,
    /// 6: bytes in all.
    pub total_bytes: Option<u64>,
}

/// What an invite's claimer is to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// 0.
    pub rights: Rights,
    /// 1.
    pub budget: Budget,
}

impl Right {
    /// All of them, ascending.
    pub const ALL: [Self; 3] = [Self::Publish, Self::Read, Self::Admit];

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match r.at_most(2, "right")? {
            0 => Self::Publish,
            1 => Self::Read,
            _ => Self::Admit,
        })
    }
}

impl Interval {
    /// All of time.
    pub const ALWAYS: Self = Self {
        from: 0,
        until: None,
    };

    /// Whether a moment lies in it.
    pub fn holds(&self, time: u64) -> bool {
        time >= self.from && self.until.is_none_or(|until| time < until)
    }
}

impl Rights {
    /// The time of one right, if it is given.
    pub const fn get(&self, right: Right) -> Option<Interval> {
        match right {
            Right::Publish => self.publish,
            Right::Read => self.read,
            Right::Admit => self.admit,
        }
    }

    /// The rights that are given, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Right, Interval)> + '_ {
        let given = |right| Some((right, self.get(right)?));
        Right::ALL.into_iter().filter_map(given)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(self.iter().count());
        for (right, Interval { from, until }) in self.iter() {
            w.array(2 + usize::from(until.is_some()))
                .uint(right as u8)
                .uint(from);
            if let Some(until) = until {
                w.uint(until);
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let wrong = r.wrong("rights");
        let len = r.list(Right::ALL.len(), "rights")?;
        if len == 0 {
            return Err(wrong);
        }
        let mut rights = Self::default();
        let mut last = None;
        for _ in 0..len {
            let wrong = r.wrong("right");
            let parts = r.list(3, "right")?;
            let right = r.ascending(&mut last, "rights are not ascending", Right::read)?;
            if parts < 2 {
                return Err(wrong);
            }
            let from = r.time("from")?;
            let wrong = r.wrong("a right that ends before it begins");
            let until = (parts == 3).then(|| r.time("until")).transpose()?;
            if until.is_some_and(|until| until <= from) {
                return Err(wrong);
            }
            let interval = Some(Interval { from, until });
            match right {
                Right::Publish => rights.publish = interval,
                Right::Read => rights.read = interval,
                Right::Admit => rights.admit = interval,
            }
        }
        Ok(rights)
    }
}

impl Budget {
    /// Whether it limits nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it says how much may be written in all.
    pub const fn has_totals(&self) -> bool {
        self.total_envelopes.is_some() || self.total_bytes.is_some()
    }

    /// The same, however much is written in all.
    #[must_use]
    pub const fn without_totals(self) -> Self {
        Self {
            total_envelopes: None,
            total_bytes: None,
            ..self
        }
    }

    /// Whether it allows nothing that another one does not.
    #[must_use]
    pub fn is_within(&self, more: &Self) -> bool {
        let mut values = self.values().into_iter().zip(more.values());
        values.all(|(own, most)| most.is_none_or(|most| own.is_some_and(|own| own <= most)))
    }

    fn values(&self) -> [Option<u64>; 7] {
        [
            self.messages.map(u64::from),
            self.bytes.map(u64::from),
            self.largest.map(u64::from),
            self.lifespan,
            self.hops.map(u64::from),
            self.total_envelopes,
            self.total_bytes,
        ]
    }

    /// A field that holds the budget; nothing when it limits nothing.
    pub(crate) fn write_field(&self, w: &mut Writer, key: u64) {
        if self.is_none() {
            return;
        }
        let values = self.values();
        w.key(key).map(values.iter().flatten().count());
        for (key, value) in (0..).zip(values) {
            if let Some(value) = value {
                w.key(key).uint(value);
            }
        }
    }

    /// The budget in a field; absent when it limits nothing.
    pub(crate) fn read_field(
        r: &mut Reader<'_>,
        f: &mut Fields,
        key: u64,
    ) -> Result<Self, Malformed> {
        if !f.maybe(r, key)? {
            return Ok(Self::default());
        }
        let wrong = r.wrong("an empty budget");
        let mut f = r.fields("budget")?;
        let mut budget = Self::default();
        let rate = u64::from(u32::MAX);
        while let Some(key) = f.next_to(r, 6)? {
            match key {
                0 => budget.messages = Some(r.within(1, rate, "messages a minute")? as u32),
                1 => budget.bytes = Some(r.within(1, rate, "bytes a minute")? as u32),
                2 => budget.largest = Some(r.within(1, MAX_BODY as u64, "largest body")? as u32),
                3 => budget.lifespan = Some(r.within(1, MAX_LIFESPAN_MS, "longest lifespan")?),
                4 => budget.hops = Some(r.at_most(u64::from(MAX_HOPS), "most hops")? as u8),
                5 => budget.total_envelopes = Some(r.u64("envelopes in all")?),
                _ => budget.total_bytes = Some(r.u64("bytes in all")?),
            }
        }
        f.end(r)?;
        if budget.is_none() {
            return Err(wrong);
        }
        Ok(budget)
    }
}

impl Terms {
    /// To publish and to read, always and as much as anybody, and not to admit.
    pub const GUEST: Self = Self {
        rights: Rights {
            publish: Some(Interval::ALWAYS),
            read: Some(Interval::ALWAYS),
            admit: None,
        },
        budget: Budget {
            messages: None,
            bytes: None,
            largest: None,
            lifespan: None,
            hops: None,
            total_envelopes: None,
            total_bytes: None,
        },
    };

    /// Whether they give all that others do: every right for as long, and a budget that is no
    /// tighter.
    #[must_use]
    pub fn give_as_much(&self, as_others: &Self) -> bool {
        let includes = |(right, given): (Right, Interval)| {
            self.rights.get(right).is_some_and(|has| {
                let until = has
                    .until
                    .is_none_or(|has| given.until.is_some_and(|given| given <= has));
                has.from <= given.from && until
            })
        };
        as_others.rights.iter().all(includes) && as_others.budget.is_within(&self.budget)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.map(1 + usize::from(!self.budget.is_none())).key(0);
        self.rights.write(w);
        self.budget.write_field(w, 1);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut f = r.fields("terms")?;
        f.need(r, 0, "rights")?;
        let rights = Rights::read(r)?;
        let budget = Budget::read_field(r, &mut f, 1)?;
        f.end(r)?;
        Ok(Self { rights, budget })
    }
}
