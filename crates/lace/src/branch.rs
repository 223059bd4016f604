//! The branches of an author: which of its envelopes lie on one chain.
//!
//! The chain that came first is branch 0. An envelope whose previous one is followed already begins
//! another branch, which *parts* from that of its previous one at that one's number; another
//! envelope number 1 begins one that parts from none. The numbers of branches depend on what came
//! first and never leave the node; what lies on one chain does not.

use crate::author::Root;
use crate::lace::{Lace, Node};
use crate::rows::{self, Bytes};
use identity::EnvelopeId;
use machine::Staged;

/// Says in a row that a branch parts from none.
const NONE: u32 = u32::MAX;

/// An ancestor of a branch, and at which number the way from there to the branch leaves it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Above {
    branch: u32,
    parts: u64,
    depth: u32,
}

/// A branch of an author's envelopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Branch {
    /// What it parts from; nothing for one that begins with number 1.
    parent: Option<Above>,
    /// An ancestor far above, such that any ancestor is found in a number of steps that grows as
    /// the logarithm of the depth. As [`Branch::parent`].
    jump: Option<Above>,
    depth: u32,
    /// The number of its last envelope that is here; that where it parts when none is.
    pub(crate) end: u64,
    /// What number 1 of its chain says.
    pub(crate) root: Root,
}

impl Branch {
    const fn first(end: u64, root: Root) -> Self {
        Self {
            parent: None,
            jump: None,
            depth: 0,
            end,
            root,
        }
    }

    /// Where it parts from its parent.
    fn parts(&self) -> u64 {
        self.parent.map_or(0, |above| above.parts)
    }

    /// `end ‖ depth u32 ‖` for parent and jump `branch u32 ‖ parts u64 ‖ depth u32`, `‖ root`.
    fn encode(&self) -> Vec<u8> {
        let mut out = self.end.to_be_bytes().to_vec();
        out.extend_from_slice(&self.depth.to_be_bytes());
        for above in [self.parent, self.jump] {
            let none = Above {
                branch: NONE,
                parts: 0,
                depth: 0,
            };
            let above = above.unwrap_or(none);
            out.extend_from_slice(&above.branch.to_be_bytes());
            out.extend_from_slice(&above.parts.to_be_bytes());
            out.extend_from_slice(&above.depth.to_be_bytes());
        }
        out.extend_from_slice(&self.root.encode());
        out
    }

    fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        let (end, depth) = (bytes.u64()?, bytes.u32()?);
        let mut above = || {
            let above = Above {
                branch: bytes.u32()?,
                parts: bytes.u64()?,
                depth: bytes.u32()?,
            };
            Some(Some(above).filter(|above| above.branch != NONE))
        };
        let (parent, jump) = (above()?, above()?);
        Some(Self {
            parent,
            jump,
            depth,
            end,
            root: Root::read(&mut bytes)?,
        })
    }
}

impl Lace {
    /// Whether one admitted envelope is the other, or an ancestor of it on its author's chain.
    /// Exact, also across forks; it reads a number of rows that grows as the logarithm of the
    /// number of forks between the two, and none but their own where there are no forks.
    pub fn on_chain(&self, store: &mut Staged<'_>, of: &EnvelopeId, end: &EnvelopeId) -> bool {
        let (Some(of), Some(end)) = (self.node(store, of), self.node(store, end)) else {
            return false;
        };
        self.is_on_chain(store, &of, &end)
    }

    pub(crate) fn is_on_chain(&self, store: &mut Staged<'_>, of: &Node, end: &Node) -> bool {
        if of.author != end.author || of.number > end.number {
            return false;
        }
        if of.branch == end.branch {
            return true;
        }
        let Some(goal) = self.branch(store, of.author, of.branch) else {
            return false;
        };
        let (mut at, mut number) = (end.branch, end.number);
        while at != of.branch {
            let Some(branch) = self.branch(store, of.author, at) else {
                return false;
            };
            let far = branch.jump.filter(|jump| jump.depth >= goal.depth);
            let near = branch.parent.filter(|above| above.depth >= goal.depth);
            // Depths fall with every step, so this ends.
            let Some(above) = far.or(near) else {
                return false;
            };
            (at, number) = (above.branch, above.parts);
        }
        of.number <= number
    }

    /// What number 1 of a branch's chain says.
    pub(crate) fn root(&self, store: &mut Staged<'_>, no: u32, branch: u32) -> Option<Root> {
        if branch == 0 {
            return Some(self.by_no(no)?.root);
        }
        Some(self.branch(store, no, branch)?.root)
    }

    /// A branch of an author.
    pub(crate) fn branch(&self, store: &mut Staged<'_>, no: u32, branch: u32) -> Option<Branch> {
        if branch == 0 {
            let author = self.by_no(no)?;
            return Some(Branch::first(author.main_end, author.root));
        }
        Branch::decode(&store.get(rows::LACE, &self.branch_key(no, branch))?)
    }

    /// The branch of a new envelope, as far as it is stored: the author is known, and what it
    /// names is here. Nothing when branches have no more numbers.
    pub(crate) fn extend_branch(
        &mut self,
        store: &mut Staged<'_>,
        no: u32,
        previous: Option<&Node>,
        root: Root,
    ) -> Option<u32> {
        // Nearly always the chain that came first goes on.
        if let Some(previous) = previous.filter(|previous| previous.branch == 0) {
            let author = self.by_no_mut(no)?;
            if author.main_end == previous.number {
                author.main_end = previous.number.saturating_add(1);
                return Some(0);
            }
        }
        let (before, number) = match previous {
            Some(previous) => (
                self.branch(store, no, previous.branch)
                    .map(|branch| (previous.branch, branch)),
                previous.number,
            ),
            None => (None, 0),
        };
        if let Some((at, mut branch)) = before
            && branch.end == number
        {
            branch.end = number.saturating_add(1);
            self.write_branch(store, no, at, &branch);
            return Some(at);
        }
        let author = self.by_no_mut(no)?;
        let at = author.branches;
        author.branches = at.checked_add(1).filter(|next| *next < NONE)?;
        let branch = match before {
            Some((parent, branch)) => self.part(store, no, (parent, &branch), number),
            None => Branch::first(1, root),
        };
        self.write_branch(store, no, at, &branch);
        Some(at)
    }

    /// A branch that parts from another at a number.
    fn part(
        &self,
        store: &mut Staged<'_>,
        no: u32,
        (parent, branch): (u32, &Branch),
        number: u64,
    ) -> Branch {
        let above = Above {
            branch: parent,
            parts: number,
            depth: branch.depth,
        };
        // Two jumps of one length become one of twice the length and a step more.
        let over = branch.jump.and_then(|jump| {
            let next = self.branch(store, no, jump.branch)?.jump?;
            let length = branch.depth.saturating_sub(jump.depth);
            (jump.depth.saturating_sub(next.depth) == length).then_some(next)
        });
        Branch {
            parent: Some(above),
            jump: Some(over.unwrap_or(above)),
            depth: branch.depth.saturating_add(1),
            end: number.saturating_add(1),
            root: branch.root,
        }
    }

    /// The last envelope of a branch is removed: nothing that is here follows or names it.
    pub(crate) fn shorten_branch(&mut self, store: &mut Staged<'_>, node: &Node) {
        let Some(mut branch) = self.branch(store, node.author, node.branch) else {
            return;
        };
        branch.end = node.number.saturating_sub(1);
        if node.branch > 0 && branch.end == branch.parts() {
            store.delete(rows::LACE, self.branch_key(node.author, node.branch));
        } else {
            self.write_branch(store, node.author, node.branch, &branch);
        }
    }

    /// The end of branch 0 is written with its author.
    fn write_branch(&mut self, store: &mut Staged<'_>, no: u32, at: u32, branch: &Branch) {
        if at > 0 {
            store.put(rows::LACE, self.branch_key(no, at), branch.encode());
        } else if let Some(author) = self.by_no_mut(no) {
            author.main_end = branch.end;
        }
    }

    fn branch_key(&self, no: u32, branch: u32) -> Vec<u8> {
        rows::key(
            self.local,
            &[b"r", &no.to_be_bytes(), &branch.to_be_bytes()],
        )
    }
}
