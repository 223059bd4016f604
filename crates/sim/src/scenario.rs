//! Scenarios: a network, its people and its troubles, described by a person in commented TOML.
//!
//! A scenario is read into a form, and a form and a seed give a [`Plan`]. What is wrong with a text
//! is told with its line and a suggestion, as much of it as possible at once. The reference of the
//! format is `docs/scenarios.md`; the ready-made ones in `scenarios/` explain themselves.

mod day;
mod device;
pub(crate) mod draw;
mod expand;
mod form;
mod giving;
pub mod limits;
mod members;
mod mishap;
mod names;
mod quantity;
mod source;
#[cfg(test)]
mod tests;
mod trouble;
mod work;

use crate::plan::Plan;
use form::Form;
use names::{Names, Sizes};
use source::Source;
use std::fmt;

/// Something in a scenario that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// In which line, counted from 1; none if it is the size that was asked for.
    pub line: Option<u32>,
    /// What is wrong.
    pub what: String,
    /// What may have been meant, or what is expected. May be empty.
    pub hint: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.what)?;
        if self.hint.is_empty() {
            return Ok(());
        }
        write!(f, "; {}", self.hint)
    }
}

impl std::error::Error for Mistake {}

/// A scenario that has been read.
#[derive(Clone, Debug)]
pub struct Scenario {
    name: String,
    form: Form,
}

impl Scenario {
    /// Reads a text. `name` is what its plans are called.
    ///
    /// # Errors
    ///
    /// Everything that was found wrong, in the order of lines, at most
    /// [`MAX_MISTAKES`](limits::MAX_MISTAKES): what is no TOML, unknown keys, impossible values,
    /// references to nothing.
    pub fn read(text: &str, name: &str) -> Result<Self, Vec<Mistake>> {
        let form = Source::read(text, Form::read).map_err(in_order)?;
        let sizes = Sizes::written(&form);
        sizes.check(&form).map_err(|mistake| vec![mistake])?;
        let (names, mut mistakes) = Names::new(&form, &sizes);
        mistakes.extend(names.check(&form));
        if !mistakes.is_empty() {
            return Err(in_order(mistakes));
        }
        Ok(Self {
            name: name.to_owned(),
            form,
        })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is about, in one line; may be empty.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.form.about
    }

    /// The plan of this seed. The same scenario and seed give the same plan for ever.
    ///
    /// # Errors
    ///
    /// What cannot be done: a topic with more members than there are people, or more of anything
    /// than [`limits`] has.
    pub fn plan(&self, seed: u64) -> Result<Plan, Mistake> {
        let sizes = Sizes::written(&self.form);
        expand::plan(&self.name, &self.form, sizes, seed)
    }

    /// As [`Self::plan`] with so many nodes: groups of people and core nodes, topics and copies of
    /// sites are more or fewer in proportion. What is there once stays there once.
    ///
    /// # Errors
    ///
    /// As [`Self::plan`]; and too few nodes for one of each group, or a name such as `people-500`
    /// that means nobody in this size.
    pub fn plan_scaled(&self, seed: u64, nodes: u32) -> Result<Plan, Mistake> {
        let sizes = Sizes::written(&self.form).scaled(nodes as usize)?;
        expand::plan(&self.name, &self.form, sizes, seed)
    }
}

fn in_order(mut mistakes: Vec<Mistake>) -> Vec<Mistake> {
    mistakes.sort_by_key(|mistake| mistake.line);
    mistakes.dedup();
    mistakes.truncate(limits::MAX_MISTAKES);
    mistakes
}

/// Ready-made scenarios: name, what it is about in one line, text.
#[must_use]
pub const fn ready() -> &'static [(&'static str, &'static str, &'static str)] {
    &[
        (
            "basics",
            "two people and one core node, for an hour",
            include_str!("../scenarios/basics.toml"),
        ),
        (
            "workshop",
            "twelve laptops on one network without Internet; later a core node, later an uplink",
            include_str!("../scenarios/workshop.toml"),
        ),
        (
            "three-and-two",
            "three people who are never online together, and two core nodes",
            include_str!("../scenarios/three-and-two.toml"),
        ),
        (
            "campfire",
            "a group around a fire, a core node far away behind a poor uplink",
            include_str!("../scenarios/campfire.toml"),
        ),
        (
            "islands",
            "three islands without a link, and one who travels between them with a laptop",
            include_str!("../scenarios/islands.toml"),
        ),
        (
            "distribution",
            "one publisher, two hundred readers, three core nodes, many large messages",
            include_str!("../scenarios/distribution.toml"),
        ),
        (
            "logs",
            "fifty machines write logs in batches through a core node, two people read them",
            include_str!("../scenarios/logs.toml"),
        ),
        (
            "society",
            "ten people who give rights and take them back, one of them a stolen administrator",
            include_str!("../scenarios/society.toml"),
        ),
        (
            "flood",
            "ten outsiders flood a core node and a member with links, frames and claims of no use",
            include_str!("../scenarios/flood.toml"),
        ),
        (
            "backlog",
            "a week of messages from a hut without a network, brought down at once",
            include_str!("../scenarios/backlog.toml"),
        ),
        (
            "leaked",
            "an invite link with a thousand claims by devices that nobody knows",
            include_str!("../scenarios/leaked.toml"),
        ),
        (
            "faithless",
            "three people who are never online together, and two core nodes of which one lies",
            include_str!("../scenarios/faithless.toml"),
        ),
        (
            "movers",
            "twelve people who change their core nodes a thousand times, and write and share meanwhile",
            include_str!("../scenarios/movers.toml"),
        ),
        (
            "city",
            "ten thousand nodes, fifty of them core nodes, a thousand topics, for a day",
            include_str!("../scenarios/city.toml"),
        ),
    ]
}
