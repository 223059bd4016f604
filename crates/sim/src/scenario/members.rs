//! Who founds and joins which topic, and when.

use super::Mistake;
use super::draw::Draw;
use super::expand::{Making, Membership};
use super::form::TopicForm;
use super::limits::{MAX_MEMBERS, MAX_STEPS};
use super::names::{Kind, called};
use crate::plan::{Act, NodeNo, TopicNo, TopicPlan};
use std::collections::{BTreeMap, BTreeSet};

/// Gives everybody a turn before anybody has a second one.
struct Bag {
    all: Vec<NodeNo>,
    next: usize,
}

impl Bag {
    fn new(mut all: Vec<NodeNo>, draw: &mut Draw) -> Self {
        draw.shuffle(&mut all);
        Self { all, next: 0 }
    }

    /// One who is not among these.
    fn take(&mut self, without: &BTreeSet<NodeNo>, draw: &mut Draw) -> Option<NodeNo> {
        for _ in 0..2 {
            let fresh = |at: &usize| !without.contains(&self.all[*at]);
            if let Some(at) = (self.next..self.all.len()).find(fresh) {
                self.all.swap(at, self.next);
                self.next += 1;
                return self.all.get(self.next - 1).copied();
            }
            draw.shuffle(&mut self.all);
            self.next = 0;
        }
        None
    }
}

/// Draws the members of topics.
struct Drawing {
    draw: Draw,
    /// The candidates of each core node; those without one under the highest number.
    bags: BTreeMap<NodeNo, Bag>,
    circles: Bag,
    founders: Option<Bag>,
}

impl Drawing {
    /// So many, the founder first; all there are if no size is given.
    fn members(&mut self, size: Option<usize>, circle: usize) -> Option<Vec<NodeNo>> {
        let mut chosen = BTreeSet::new();
        let mut members = Vec::new();
        if let Some(founders) = &mut self.founders {
            let founder = founders.take(&chosen, &mut self.draw)?;
            chosen.insert(founder);
            members.push(founder);
        }
        let mut circles = BTreeSet::new();
        while circles.len() < circle {
            circles.insert(self.circles.take(&circles, &mut self.draw)?);
        }
        let mut order: Vec<NodeNo> = circles.into_iter().collect();
        self.draw.shuffle(&mut order);
        while Some(members.len()) != size {
            let before = members.len();
            for core in &order {
                let Some(bag) = self.bags.get_mut(core) else {
                    continue;
                };
                if Some(members.len()) == size {
                    break;
                }
                if let Some(member) = bag.take(&chosen, &mut self.draw) {
                    chosen.insert(member);
                    members.push(member);
                }
            }
            if members.len() == before {
                return if size.is_none() { Some(members) } else { None };
            }
        }
        Some(members)
    }
}

impl Making<'_> {
    /// Who founds and joins what.
    pub(super) fn topics(&mut self) -> Result<(), Mistake> {
        let form = self.form;
        let mut all: usize = 0;
        for (at, topic) in form.topics.iter().enumerate() {
            let candidates = self.names.all(Kind::Person, &topic.members)?;
            let reading = self.names.all(Kind::Person, &topic.readers)?;
            if reading.len() > MAX_MEMBERS {
                return Err(Mistake {
                    line: Some(topic.line),
                    what: format!("a topic has {} readers", reading.len()),
                    hint: format!("expected: at most {MAX_MEMBERS}"),
                });
            }
            let founders = match &topic.founder {
                Some(founder) => Some(self.names.find(Kind::Person, founder)?.to_vec()),
                None => None,
            };
            let mut drawing = self.drawing(topic, &candidates, founders);
            if topic.size.is_none() && candidates.len() > MAX_MEMBERS {
                return Err(Mistake {
                    line: Some(topic.line),
                    what: format!("a topic has {} members", candidates.len()),
                    hint: format!("expected: at most {MAX_MEMBERS}; add `size = 100`"),
                });
            }
            let circles = drawing.bags.len();
            let circle = match topic.circle {
                0 => circles,
                circle => circle.min(circles),
            };
            for index in 0..self.sizes.topics[at] {
                let members = drawing.members(topic.size, circle).ok_or_else(|| Mistake {
                    line: Some(topic.line),
                    what: "there are fewer people than [[topic]] wants".to_owned(),
                    hint: format!("{} could be members", candidates.len()),
                })?;
                // Each joins by a step of its own.
                all += members.len() + reading.len();
                if all > MAX_STEPS {
                    return Err(super::expand::too_many_steps(topic.line));
                }
                let (founder, members) = members.split_first().ok_or_else(|| Mistake {
                    line: Some(topic.line),
                    what: "a topic has no members".to_owned(),
                    hint: "expected: at least the founder".to_owned(),
                })?;
                let is_let_in = |no: &NodeNo| members.contains(no) || no == founder;
                let readers = reading.iter().copied().filter(|no| !is_let_in(no));
                self.plan.topics.push(TopicPlan {
                    name: called(&topic.name.name, topic.count, index),
                    founder: *founder,
                    members: members.to_vec(),
                    personal: topic.personal,
                    public: topic.public,
                    readers: readers.collect(),
                });
            }
        }
        Ok(())
    }

    fn drawing(
        &self,
        topic: &TopicForm,
        candidates: &[NodeNo],
        founders: Option<Vec<NodeNo>>,
    ) -> Drawing {
        let mut draw = self.draw(&format!("members {}", topic.name.name));
        let mut pools: BTreeMap<NodeNo, Vec<NodeNo>> = BTreeMap::new();
        for node in candidates {
            let uses = &self.plan.nodes[*node as usize].uses;
            let core = if topic.circle == 0 {
                None
            } else {
                uses.first()
            };
            let core = core.copied().unwrap_or(NodeNo::MAX);
            pools.entry(core).or_default().push(*node);
        }
        let circles = Bag::new(pools.keys().copied().collect(), &mut draw);
        let bags = pools.into_iter();
        let bags = bags
            .map(|(core, all)| (core, Bag::new(all, &mut draw)))
            .collect();
        let founders = founders.map(|all| Bag::new(all, &mut draw));
        Drawing {
            draw,
            bags,
            circles,
            founders,
        }
    }

    /// When everybody joins, or begins to read: while online, in the time that the topic says or soon after it.
    pub(super) fn joins(&mut self) -> Result<(), Mistake> {
        let form = self.form;
        let mut no: usize = 0;
        for (at, topic) in form.topics.iter().enumerate() {
            for _ in 0..self.sizes.topics[at] {
                self.joins_of(no, topic)?;
                no += 1;
            }
        }
        Ok(())
    }

    fn joins_of(&mut self, no: usize, topic: &TopicForm) -> Result<(), Mistake> {
        let number = TopicNo::try_from(no).unwrap_or(TopicNo::MAX);
        let plan = &self.plan.topics[no];
        let mut draw = self.draw(&format!("joins {}", plan.name));
        let (founder, members) = (plan.founder, plan.members.clone());
        let (name, readers) = (plan.name.clone(), plan.readers.clone());
        self.belongs(founder, number, 0);
        let joined = self.come(topic, number, members, &mut draw)?;
        for (node, at) in &joined {
            self.belongs(*node, number, *at);
        }
        let mut draw = self.draw(&format!("readers {name}"));
        let found = self.come(topic, number, readers, &mut draw)?;
        let who = |came: Vec<(NodeNo, u64)>| came.into_iter().map(|(node, _)| node).collect();
        (self.plan.topics[no].members, self.plan.topics[no].readers) = (who(joined), who(found));
        Ok(())
    }

    /// Lets these come, and says who does and when. Who is never online then is not told of it.
    fn come(
        &mut self,
        topic: &TopicForm,
        number: TopicNo,
        who: Vec<NodeNo>,
        draw: &mut Draw,
    ) -> Result<Vec<(NodeNo, u64)>, Mistake> {
        let mut came = Vec::new();
        for node in who {
            let during = (topic.joins.low, topic.joins.high.saturating_add(1));
            let times = super::day::within(&self.online[node as usize], during);
            let at = super::day::draw_in(&times, draw).or_else(|| {
                let at = self.online_from(node, topic.joins.high)?;
                let end = self.session_end(node, at)?;
                Some(draw.between(at, (end - 1).min(at + 60_000)))
            });
            if let Some(at) = at {
                came.push((node, at));
                let act = Act::Join {
                    node,
                    topic: number,
                };
                self.step(topic.line, at, act)?;
            }
        }
        Ok(came)
    }

    fn belongs(&mut self, node: NodeNo, topic: TopicNo, from: u64) {
        self.memberships[node as usize].push(Membership {
            topic,
            from: from + super::limits::SETTLE_MS,
            until: u64::MAX,
        });
    }
}
