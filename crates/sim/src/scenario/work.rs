//! What people write, to whom, and when.

use super::Mistake;
use super::day::{Part, draw_in, within};
use super::draw::Draw;
use super::expand::{Making, Membership};
use super::form::{MessagesForm, Pace};
use super::limits::MAX_STEPS;
use super::limits::{BURST_GAP_MS, DAY_MS};
use super::names::Kind;
use super::quantity::Span;
use crate::plan::{Act, NodeNo, TopicNo};

/// The times of what is done at this pace while online; `for_each` things are done each time.
fn times(pace: Pace, parts: &[Part], during: Part, each: u128, draw: &mut Draw) -> Vec<u64> {
    let length = during.1.saturating_sub(during.0);
    match pace {
        Pace::PerDay(often) => {
            let wanted = u128::from(often) * u128::from(length);
            // Of two things at a time there are half as many times; `each` is in halves because the
            // middle of a span may lie between two numbers.
            let count = draw.about(wanted * 2, 1_000 * u128::from(DAY_MS) * each);
            // More are refused when they become steps.
            let count = count.min(MAX_STEPS as u64 + 1);
            (0..count).map_while(|_| draw_in(parts, draw)).collect()
        }
        Pace::Every(every) => {
            let first = during.0 + draw.below(every);
            let within = |part: &Part| {
                // Never through the time between two parts, which may be long.
                let skipped = part.0.saturating_sub(first).div_ceil(every);
                let end = part.1.min(during.1);
                let all = (skipped..).map(move |k| first + k * every);
                all.take_while(move |at| *at < end)
            };
            parts.iter().flat_map(within).take(MAX_STEPS + 1).collect()
        }
    }
}

/// The middle of a span, in halves.
fn halves(span: Span) -> u128 {
    u128::from(span.low) + u128::from(span.high)
}

impl Making<'_> {
    /// Who leaves for good.
    pub(super) fn leaves(&mut self) -> Result<(), Mistake> {
        let form = self.form;
        for leave in &form.leaves {
            let topics = self.names.find(Kind::Topic, &leave.topic)?.to_vec();
            for node in self.names.all(Kind::Person, &leave.who)? {
                let name = self.plan.nodes[node as usize].name.clone();
                let at = leave.at.at(form.begins);
                let at = self.online_from(node, at);
                let theirs = &mut self.memberships[node as usize];
                let of = |one: &&mut Membership| topics.contains(&one.topic);
                let Some(one) = theirs.iter_mut().find(of) else {
                    return Err(Mistake {
                        line: Some(leave.line),
                        what: format!("`{name}` is no member of `{}`", leave.topic.name),
                        hint: "only members can leave".to_owned(),
                    });
                };
                let Some(at) = at.filter(|at| *at > one.from) else {
                    continue;
                };
                one.until = at;
                let topic = one.topic;
                self.step(leave.line, at, Act::Leave { node, topic })?;
            }
        }
        Ok(())
    }

    /// What people say and share in topics.
    pub(super) fn messages(&mut self) -> Result<(), Mistake> {
        let form = self.form;
        let all = form.messages.iter().enumerate();
        let all = all.map(|(no, messages)| (format!("messages {no}"), messages, false));
        let files = form.files.iter().enumerate();
        let files = files.map(|(no, files)| (format!("files {no}"), files, true));
        for (purpose, messages, file) in all.chain(files) {
            let who = if messages.who.is_empty() {
                let people = super::source::Named {
                    name: "people".to_owned(),
                    line: messages.line,
                };
                self.names.find(Kind::Person, &people)?.to_vec()
            } else {
                self.names.all(Kind::Person, &messages.who)?
            };
            let topics = self.names.all(Kind::Topic, &messages.topics)?;
            for node in who {
                self.messages_of(node, (&purpose, file), messages, &topics)?;
            }
        }
        Ok(())
    }

    fn messages_of(
        &mut self,
        node: NodeNo,
        (purpose, file): (&str, bool),
        form: &MessagesForm,
        topics: &[TopicNo],
    ) -> Result<(), Mistake> {
        let mine = self.memberships[node as usize].iter();
        let mine = mine.filter(|one| topics.is_empty() || topics.contains(&one.topic));
        let mine: Vec<Membership> = mine.copied().collect();
        let Some(first) = mine.iter().map(|one| one.from).min() else {
            return Ok(());
        };
        let name = &self.plan.nodes[node as usize].name;
        let mut draw = self.draw(&format!("{purpose} {name}"));
        let begins = self.form.begins;
        let end = form
            .until
            .map_or(self.form.length, |until| until.at(begins));
        let during = (form.from.at(begins), end.min(self.form.length));
        let parts = within(&self.online[node as usize], (during.0.max(first), during.1));
        let each = halves(form.batch) * u128::from(form.burst);
        for at in times(form.pace, &parts, during, each, &mut draw) {
            let mut at = at;
            for nth in 0..form.burst {
                if nth > 0 {
                    at += draw.between(1, BURST_GAP_MS);
                }
                let open = |one: &&Membership| one.from <= at && at < one.until;
                let open: Vec<TopicNo> = mine.iter().filter(open).map(|one| one.topic).collect();
                let (Some(topic), Some(_)) = (draw.pick(&open), self.session_end(node, at)) else {
                    continue;
                };
                let size = small(draw.skewed(form.bytes.low, form.bytes.high));
                let act = Act::Send {
                    node,
                    topic,
                    bytes: if file { 0 } else { size },
                    file: if file { size } else { 0 },
                    count: small(draw.between(form.batch.low, form.batch.high)),
                    expires_ms: draw.between(form.expires.low, form.expires.high),
                };
                self.step(form.line, at, act)?;
            }
        }
        Ok(())
    }

    /// Who changes core nodes: one after the other is begun with, and the one before left.
    pub(super) fn changes(&mut self) -> Result<(), Mistake> {
        let form = self.form;
        for (number, change) in form.changes.iter().enumerate() {
            let to = self.names.all(Kind::Core, &change.to)?;
            for node in self.names.all(Kind::Person, &change.who)? {
                let own = &self.plan.nodes[node as usize];
                let mut draw = self.draw(&format!("change {number} {}", own.name));
                let mut now = own.uses.clone();
                let parts = self.online[node as usize].clone();
                let pace = Pace::Every(change.every);
                for at in times(pace, &parts, (0, form.length), 2, &mut draw) {
                    let others: Vec<NodeNo> =
                        to.iter().copied().filter(|no| !now.contains(no)).collect();
                    let Some(core) = draw.pick(&others) else {
                        continue;
                    };
                    self.step(change.line, at, Act::UseCore { node, core })?;
                    for core in std::mem::replace(&mut now, vec![core]) {
                        let left = at + change.both;
                        if let Some(left) = self.online_from(node, left) {
                            self.step(change.line, left, Act::LeaveCore { node, core })?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// What people write to one another.
    pub(super) fn mails(&mut self) -> Result<(), Mistake> {
        let form = self.form;
        for (number, mail) in form.mails.iter().enumerate() {
            let to = self.names.all(Kind::Person, &mail.to)?;
            for node in self.names.all(Kind::Person, &mail.who)? {
                let name = &self.plan.nodes[node as usize].name;
                let mut draw = self.draw(&format!("mail {number} {name}"));
                let others: Vec<NodeNo> = to.iter().copied().filter(|to| *to != node).collect();
                let during = (0, form.length);
                let parts = self.online[node as usize].clone();
                for at in times(mail.pace, &parts, during, 2, &mut draw) {
                    let Some(to) = draw.pick(&others) else {
                        continue;
                    };
                    let bytes = small(draw.skewed(mail.bytes.low, mail.bytes.high));
                    let best_effort = mail.best_effort;
                    let act = Act::Mail {
                        node,
                        to,
                        bytes,
                        best_effort,
                    };
                    self.step(mail.line, at, act)?;
                }
            }
        }
        Ok(())
    }
}

fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
