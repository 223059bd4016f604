//! Who gives rights to whom, and takes them back: `[[grant]]` and `[[revoke]]`.

use super::Mistake;
use super::expand::Making;
use super::form::{must_name, number};
use super::limits::MAX_BATCH;
use super::names::Kind;
use super::quantity::Moment;
use super::source::{Named, Section};
use crate::plan::{Act, NodeNo, Right, TopicNo};

/// `[[grant]]` or `[[revoke]]`.
#[derive(Clone, Debug)]
pub(crate) struct GivingForm {
    pub(crate) who: Vec<Named>,
    pub(crate) whom: Vec<Named>,
    pub(crate) topic: Named,
    at: Moment,
    rights: Vec<Right>,
    does: Does,
    line: u32,
}

/// What is done with the rights.
#[derive(Clone, Copy, Debug)]
enum Does {
    Gives { per_minute: u32 },
    Takes { cascade: bool },
}

impl GivingForm {
    /// Reads all tables of both kinds.
    pub(crate) fn read_all(all: &Section<'_>) -> Vec<Self> {
        let grants = all.sections("grant");
        let mut read: Vec<Self> = grants.iter().map(Self::grant).collect();
        let revokes = all.sections("revoke");
        read.extend(revokes.iter().map(Self::revoke));
        read
    }

    fn grant(section: &Section<'_>) -> Self {
        section.known(&["who", "to", "topic", "at", "rights", "per-minute"]);
        if !section.has("rights") {
            section.wrong("`rights` is missing", "add `rights = [\"publish\"]`");
        }
        let most = usize::try_from(MAX_BATCH).unwrap_or(usize::MAX);
        let per_minute = section.maybe("per-minute", number(most)).unwrap_or(0);
        let per_minute = u32::try_from(per_minute).unwrap_or(u32::MAX);
        Self::read(section, "to", Does::Gives { per_minute })
    }

    fn revoke(section: &Section<'_>) -> Self {
        section.known(&["who", "from", "topic", "at", "rights", "cascade"]);
        let cascade = section.flag("cascade", false);
        Self::read(section, "from", Does::Takes { cascade })
    }

    fn read(section: &Section<'_>, whom: &str, does: Does) -> Self {
        let mut rights = section.list("rights", |text| {
            let found = Right::ALL.into_iter().find(|right| right.word() == text);
            found.ok_or_else(|| Right::ALL.map(Right::word).join(", "))
        });
        if section.has("rights") && rights.is_empty() {
            section.wrong("`rights` names none", "expected: publish, read or admit");
        }
        rights.sort_unstable();
        if rights.windows(2).any(|pair| pair[0] == pair[1]) {
            section.wrong("`rights` names one twice", "expected: each right once");
        }
        Self {
            who: section.must_names("who"),
            whom: section.must_names(whom),
            topic: must_name(section, "topic"),
            at: section.must("at", Moment::After(0), |text| section.moment(text)),
            rights,
            does,
            line: section.line(),
        }
    }

    fn act(&self, node: NodeNo, topic: TopicNo, other: NodeNo) -> Act {
        let rights = self.rights.clone();
        match self.does {
            Does::Gives { per_minute } => Act::Grant {
                node,
                topic,
                to: other,
                rights,
                per_minute,
            },
            Does::Takes { cascade } => Act::Revoke {
                node,
                topic,
                whom: other,
                rights,
                cascade,
            },
        }
    }
}

impl Making<'_> {
    /// Who gives rights to whom, and takes them back, in each of the topics in which both are.
    pub(super) fn giving(&mut self) -> Result<(), Mistake> {
        let form = self.form;
        for giving in &form.giving {
            let topics = self.names.find(Kind::Topic, &giving.topic)?.to_vec();
            let whom = self.names.all(Kind::Person, &giving.whom)?;
            let mut any = false;
            for node in self.names.all(Kind::Person, &giving.who)? {
                let at = self.online_from(node, giving.at.at(form.begins));
                for topic in &topics {
                    for other in whom.iter().copied().filter(|other| *other != node) {
                        if !self.takes_part(node, *topic) || !self.takes_part(other, *topic) {
                            continue;
                        }
                        any = true;
                        if let Some(at) = at {
                            self.step(giving.line, at, giving.act(node, *topic, other))?;
                        }
                    }
                }
            }
            if !any {
                return Err(Mistake {
                    line: Some(giving.line),
                    what: format!("no two of these are members of `{}`", giving.topic.name),
                    hint: "only members give rights, to others who take part".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn takes_part(&self, node: NodeNo, topic: TopicNo) -> bool {
        let theirs = &self.memberships[node as usize];
        theirs.iter().any(|one| one.topic == topic)
    }
}
