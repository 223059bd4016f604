//! When people are online: their day, their founding of topics, their travels.

use super::Mistake;
use super::draw::Draw;
use super::expand::Making;
use super::form::{Online, PeopleForm};
use super::limits::{DAY_MS, FOUNDING_MS, MAX_JOURNEYS, MAX_STEPS};
use super::names::Kind;
use super::trouble::TravelForm;
use crate::plan::{Act, NodeNo, SiteNo};

/// Sessions with less than this between them are one, in milliseconds.
const ONE_SESSION_MS: u64 = 60_000;

/// A part of time, from and to.
pub(super) type Part = (u64, u64);

/// What of these lies in that part of time.
pub(super) fn within(parts: &[Part], during: Part) -> Vec<Part> {
    let cut = |part: &Part| (part.0.max(during.0), part.1.min(during.1));
    parts
        .iter()
        .map(cut)
        .filter(|part| part.0 < part.1)
        .collect()
}

/// What of these lies outside of that part of time.
fn without(parts: &[Part], gone: Part) -> Vec<Part> {
    if gone.0 >= gone.1 {
        return parts.to_vec();
    }
    let mut left = within(parts, (0, gone.0));
    left.extend(within(parts, (gone.1, u64::MAX)));
    left
}

/// A point in these parts of time, each equally likely.
pub(super) fn draw_in(parts: &[Part], draw: &mut Draw) -> Option<u64> {
    let total: u64 = parts.iter().map(|part| part.1 - part.0).sum();
    if total == 0 {
        return None;
    }
    let mut at = draw.below(total);
    for part in parts {
        let length = part.1 - part.0;
        if at < length {
            return Some(part.0 + at);
        }
        at -= length;
    }
    None
}

/// Puts parts in order and makes one of those that touch.
fn joined(mut parts: Vec<Part>) -> Vec<Part> {
    parts.sort_unstable();
    let mut all: Vec<Part> = Vec::new();
    for part in parts {
        match all.last_mut() {
            Some(last) if part.0 < last.1 + ONE_SESSION_MS => last.1 = last.1.max(part.1),
            _ => all.push(part),
        }
    }
    all
}

/// Cuts `online` milliseconds into sessions and spreads them over a part of time.
fn sessions(part: Part, online: u64, count: u64, draw: &mut Draw) -> Vec<Part> {
    let length = part.1 - part.0;
    let online = online.min(length);
    let lengths: Vec<u64> = (0..count).map(|_| draw.between(50, 150)).collect();
    let gaps: Vec<u64> = (0..=count).map(|_| draw.between(1, 100)).collect();
    let (all_lengths, all_gaps): (u64, u64) = (lengths.iter().sum(), gaps.iter().sum());
    let mut at = part.0;
    let mut sessions = Vec::new();
    for (session, gap) in lengths.iter().zip(&gaps) {
        at += (length - online) * gap / all_gaps.max(1);
        let end = at + online * session / all_lengths.max(1);
        sessions.push((at, end));
        at = end;
    }
    sessions
}

impl Online {
    /// The sessions in a world that begins at this time of day.
    fn sessions(&self, begins: u64, length: u64, draw: &mut Draw) -> Vec<Part> {
        let days = 0..=length / DAY_MS + 2;
        // One day early, because a part of the day may go over midnight. Times are later by that
        // day and by the hour at which the world begins.
        let shift = DAY_MS + begins;
        let parts: Vec<Part> = match self {
            Self::Always => return vec![(0, length)],
            Self::Daily(windows) => {
                let windows = |day: u64| windows.iter().map(move |w| shifted(*w, day));
                days.flat_map(windows).collect()
            }
            Self::Share {
                ppm,
                sessions: often,
                awake,
            } => {
                let online = DAY_MS / 1_000_000 * u64::from(*ppm);
                let mut of_day = |day: u64| {
                    let count = draw.about(u128::from(*often), 1_000).max(1);
                    sessions(shifted(*awake, day), online, count, draw)
                };
                days.flat_map(&mut of_day).collect()
            }
        };
        let inside = within(&parts, (shift, shift + length));
        inside
            .iter()
            .map(|part| (part.0 - shift, part.1 - shift))
            .collect()
    }
}

fn shifted(window: Part, day: u64) -> Part {
    (window.0 + day * DAY_MS, window.1 + day * DAY_MS)
}

/// Somebody leaves, and arrives elsewhere.
struct Journey {
    node: NodeNo,
    leaves: u64,
    arrives: u64,
    site: SiteNo,
    line: u32,
}

impl Making<'_> {
    /// When everybody is online, and the steps of coming and going.
    pub(super) fn days(&mut self) -> Result<(), Mistake> {
        let form = self.form;
        let mut node: usize = self.sizes.cores.iter().sum();
        let mut sessions: usize = 0;
        for (at, group) in form.people.iter().enumerate() {
            for _ in 0..self.sizes.people[at] {
                let day = self.day(node, group);
                // Each but the last gives a step.
                sessions += day.len().saturating_sub(1);
                if sessions > MAX_STEPS {
                    return Err(super::expand::too_many_steps(group.machine.name.line));
                }
                self.online[node] = day;
                node += 1;
            }
        }
        for topic in &self.plan.topics {
            let sessions = &mut self.online[topic.founder as usize];
            if sessions
                .first()
                .is_none_or(|first| first.0 > 0 || first.1 < FOUNDING_MS)
            {
                sessions.push((0, FOUNDING_MS.min(form.length)));
                *sessions = joined(std::mem::take(sessions));
            }
        }
        let mut journeys = Vec::new();
        for travel in &form.trouble.travels {
            self.journeys(travel, &mut journeys)?;
        }
        for journey in journeys {
            let sessions = &mut self.online[journey.node as usize];
            *sessions = without(sessions, (journey.leaves, journey.arrives));
            let (node, site) = (journey.node, journey.site);
            self.step(journey.line, journey.arrives, Act::Move { node, site })?;
        }
        let mut node: usize = 0;
        for machine in form
            .cores
            .iter()
            .map(|core| &core.machine)
            .zip(&self.sizes.cores.clone())
        {
            for _ in 0..*machine.1 {
                self.comings(node, machine.0.name.line)?;
                node += 1;
            }
        }
        for group in form.people.iter().zip(&self.sizes.people.clone()) {
            for _ in 0..*group.1 {
                self.comings(node, group.0.machine.name.line)?;
                node += 1;
            }
        }
        Ok(())
    }

    fn day(&self, node: usize, group: &PeopleForm) -> Vec<Part> {
        let (begins, length) = (self.form.begins, self.form.length);
        let mut draw = self.draw(&format!("day {}", self.plan.nodes[node].name));
        let starts = draw.between(group.starts.low, group.starts.high);
        let sessions = group.online.sessions(begins, length, &mut draw);
        joined(within(&sessions, (starts, length)))
    }

    fn journeys(&self, travel: &TravelForm, into: &mut Vec<Journey>) -> Result<(), Mistake> {
        for node in self.names.all(Kind::Node, &travel.who)? {
            let name = &self.plan.nodes[node as usize].name;
            let mut draw = self.draw(&format!("travel {name}"));
            let mut round: u64 = 0;
            while round < self.form.length {
                for (at, to) in &travel.stops {
                    let leaves = round + at.at(self.form.begins);
                    if into.len() >= MAX_JOURNEYS {
                        return Err(Mistake {
                            line: Some(travel.line),
                            what: "with this there are too many journeys".to_owned(),
                            hint: format!("expected: at most {MAX_JOURNEYS}; `repeat` less often"),
                        });
                    }
                    let sites = self.names.find(Kind::Site, to)?;
                    into.push(Journey {
                        node,
                        leaves,
                        arrives: leaves + travel.takes,
                        site: draw.pick(sites).unwrap_or_default(),
                        line: travel.line,
                    });
                }
                if travel.repeat == 0 {
                    break;
                }
                round += travel.repeat;
            }
        }
        Ok(())
    }

    fn comings(&mut self, node: usize, line: u32) -> Result<(), Mistake> {
        let sessions = self.online[node].clone();
        let no = NodeNo::try_from(node).unwrap_or(NodeNo::MAX);
        // Who never comes is started when everybody is, at the end.
        self.plan.nodes[node].starts_ms = sessions.first().map_or(self.form.length, |s| s.0);
        for (at, session) in sessions.iter().enumerate() {
            if at > 0 {
                self.step(line, session.0, Act::Back { node: no })?;
            }
            self.step(line, session.1, Act::Away { node: no })?;
        }
        Ok(())
    }
}
