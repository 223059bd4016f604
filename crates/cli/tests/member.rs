//! Somebody whose node is a child of the test, and may be killed and started again.

use crate::people::{Person, Running, World};

/// Somebody with a node that may be up.
pub(crate) struct Member {
    pub(crate) person: Person,
    node: Option<Running>,
    /// It has said that it is up.
    up: bool,
}

impl Member {
    pub(crate) fn new(world: &World, name: &str, words: &[&str]) -> Self {
        let person = world.person(name);
        let words = [&["--name", name, "--listen", "127.0.0.1:0"], words].concat();
        let node = Some(person.serve(&words));
        let mut member = Self {
            person,
            node,
            up: false,
        };
        member.wait_up();
        member
    }

    /// Ends the node as a power failure would.
    pub(crate) fn kill(&mut self) {
        if let Some(node) = self.node.take() {
            node.kill();
        }
    }

    pub(crate) fn start(&mut self) {
        self.start_with(&[]);
    }

    pub(crate) fn start_with(&mut self, words: &[&str]) {
        if self.node.is_none() {
            self.node = Some(self.person.serve(words));
            self.up = false;
        }
    }

    pub(crate) fn wait_up(&mut self) {
        if let (Some(node), false) = (&mut self.node, self.up) {
            let line = node.line();
            let log = || self.person.log();
            assert!(line.contains("addresses"), "{line}\n{}", log());
            self.up = true;
        }
    }

    /// The process of the node, while it is up.
    pub(crate) fn process(&self) -> Option<u32> {
        self.node.as_ref().map(Running::process)
    }
}
