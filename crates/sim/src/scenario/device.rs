//! Who gets another device, and when it is removed.

use super::Mistake;
use super::expand::Making;
use super::limits::MAX_NODES;
use super::names::{Kind, called};
use crate::plan::{Act, NodeNo, NodePlan};

impl Making<'_> {
    /// Who gets another device, which stands where they begin and is always on, and who removes it.
    pub(super) fn devices(&mut self) -> Result<(), Mistake> {
        let form = self.form;
        for device in &form.devices {
            for person in self.names.all(Kind::Person, &device.who)? {
                let Some(at) = self.online_from(person, device.at.at(form.begins)) else {
                    continue;
                };
                if self.plan.nodes.len() >= MAX_NODES {
                    return Err(Mistake {
                        line: Some(device.line),
                        what: "with the devices there are too many nodes".to_owned(),
                        hint: format!("expected: at most {MAX_NODES}"),
                    });
                }
                let no = NodeNo::try_from(self.plan.nodes.len()).unwrap_or(NodeNo::MAX);
                let own = &self.plan.nodes[person as usize];
                let others = self.plan.nodes.iter();
                let others = others.filter(|one| one.device_of == Some(person)).count();
                let node = NodePlan {
                    name: match others {
                        0 => format!("{} device", own.name),
                        more => called(&format!("{} device", own.name), 2, more),
                    },
                    starts_ms: at,
                    device_of: Some(person),
                    ..own.clone()
                };
                self.plan.nodes.push(node);
                self.online.push(vec![(at, form.length)]);
                self.memberships.push(Vec::new());
                let (node, device_no) = (person, no);
                let pair = Act::Pair {
                    node,
                    device: device_no,
                };
                self.step(device.line, at, pair)?;
                let removed = device.removed.map(|removed| removed.at(form.begins));
                let removed = removed.and_then(|removed| self.online_from(person, removed));
                if let Some(at) = removed {
                    let unpair = Act::Unpair {
                        node,
                        device: device_no,
                    };
                    self.step(device.line, at, unpair)?;
                }
            }
        }
        Ok(())
    }
}
