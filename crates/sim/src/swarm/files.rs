//! Files that the people of a drawn world share, and core nodes that they change.

use super::{MINUTE, Making, SECOND};
use crate::plan::{Act, Lie, LieKind, NodeNo};
use crate::scenario::draw::Draw;

/// The sizes of files, so that some are the same.
const FILES: [u32; 7] = [1, 900, 16_384, 40_000, 150_000, 150_001, 400_000];
/// Files of a world.
const MOST: u64 = 12;

impl Making {
    /// In some worlds people share files, and those who lie throw blocks away.
    pub(super) fn files(&mut self) {
        let mut draw = self.draw("files");
        if !draw.percent(40) {
            return;
        }
        let length = self.plan.length_ms;
        let expiring = if draw.percent(40) { 30 } else { 0 };
        for _ in 0..draw.between(2, MOST) {
            let at = draw.between(3 * SECOND, length - 1);
            let Some((node, topic)) = draw.pick(&self.writers(at)) else {
                continue;
            };
            let act = Act::Send {
                node,
                topic,
                bytes: 0,
                count: 1,
                expires_ms: self.expires(expiring, &mut draw),
                file: draw.pick(&FILES).unwrap_or(1),
            };
            self.step(at, act);
        }
        let one_in = draw.small(1, 20);
        let drops = draw.percent(70);
        let nodes = self.plan.nodes.iter_mut();
        for node in nodes.filter(|node| drops && !node.is_honest()) {
            let (kind, most) = (LieKind::Drop, 1);
            node.lies.push(Lie { kind, one_in, most });
        }
    }

    /// In some worlds people go over to other core nodes.
    pub(super) fn changes(&mut self) {
        let mut draw = self.draw("changes");
        let cores = self.cores();
        let honest = |no: &NodeNo| self.plan.nodes[*no as usize].is_honest();
        let cores: Vec<NodeNo> = cores.into_iter().filter(honest).collect();
        if !draw.percent(60) || cores.len() < 2 || self.apart || self.tight {
            return;
        }
        for node in self.people() {
            if draw.percent(50) {
                self.changes_of(node, &cores, &mut draw);
            }
        }
    }

    fn changes_of(&mut self, node: NodeNo, cores: &[NodeNo], draw: &mut Draw) {
        let length = self.plan.length_ms;
        let mut now = self.plan.nodes[node as usize].uses.clone();
        if now.is_empty() {
            return;
        }
        let mut at = 0;
        for _ in 0..draw.between(1, 5) {
            at = self.up_from(node, draw.between(at + 20 * SECOND, length));
            let others: Vec<NodeNo> = cores
                .iter()
                .copied()
                .filter(|no| !now.contains(no))
                .collect();
            let Some(core) = draw.pick(&others).filter(|_| at < length) else {
                return;
            };
            self.step(at, Act::UseCore { node, core });
            let left = self.up_from(node, at + draw.between(SECOND, 10 * MINUTE));
            for core in std::mem::replace(&mut now, vec![core]) {
                self.step(left, Act::LeaveCore { node, core });
            }
            at = left;
        }
    }
}
