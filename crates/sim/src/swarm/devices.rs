//! Second devices of the people of a drawn world.

use super::{MINUTE, Making, SECOND};
use crate::plan::{Act, NodeNo, NodePlan};
use crate::scenario::draw::Draw;

/// How many worlds have such, in hundredths.
const SHARE: u32 = 30;
/// How many of these have somebody remove one, in hundredths.
const REMOVED: u32 = 60;

impl Making {
    /// In some worlds one or two people get another device, mostly who founded something, and write with it.
    /// Some remove it later.
    pub(super) fn devices(&mut self) {
        let mut draw = self.draw("devices");
        if !draw.percent(SHARE) {
            return;
        }
        let people = self.people().into_iter();
        let honest = people.filter(|no| self.plan.nodes[*no as usize].is_honest());
        let (founders, others): (Vec<NodeNo>, Vec<NodeNo>) =
            honest.partition(|no| self.founds(*no));
        let mut whose = draw.some(&founders, 1);
        if draw.percent(40) {
            whose.extend(draw.pick(&others));
        }
        for person in whose {
            self.device(person, &mut draw);
        }
    }

    fn device(&mut self, person: NodeNo, draw: &mut Draw) {
        let length = self.plan.length_ms;
        let at = draw.skewed(10 * SECOND, length / 2);
        let at = self.up_from(person, at).min(length - 2);
        let no = NodeNo::try_from(self.plan.nodes.len()).unwrap_or(NodeNo::MAX);
        let own = &self.plan.nodes[person as usize];
        let node = NodePlan {
            name: format!("{} tablet", own.name),
            starts_ms: at,
            skew_ms: 0,
            drift_ppm: 0,
            disk: 0,
            device_of: Some(person),
            ..own.clone()
        };
        self.plan.nodes.push(node);
        self.down.push(Vec::new());
        let (node, device) = (person, no);
        self.step(at, Act::Pair { node, device });
        let topics = (0_u32..).zip(&self.plan.topics);
        let founded = topics.filter(|(_, topic)| topic.founder == person);
        let founded: Vec<u32> = founded.map(|(topic, _)| topic).collect();
        for _ in 0..draw.between(2, 8) {
            if let Some(topic) = draw.pick(&founded) {
                let act = Act::Send {
                    node: device,
                    topic,
                    bytes: draw.small(8, 2_000),
                    count: 1,
                    expires_ms: 0,
                    file: 0,
                };
                self.step(draw.between(at, length - 1), act);
            }
        }
        if draw.percent(40) {
            let from = draw.between(at, length - 1);
            let to = from + draw.skewed(SECOND, MINUTE.max(length / 6));
            self.absence(device, from, to);
        }
        if draw.percent(30) {
            let effects = draw.small(0, 60);
            let (crash, back) = (draw.between(at, length - 1), draw.between(SECOND, MINUTE));
            self.step(
                crash,
                Act::Crash {
                    node: device,
                    effects,
                },
            );
            self.step(crash + back, Act::Back { node: device });
        }
        if draw.percent(REMOVED) {
            let removed = self.up_from(person, draw.between(at + 1, length - 1));
            self.step(removed, Act::Unpair { node, device });
        }
    }
}
