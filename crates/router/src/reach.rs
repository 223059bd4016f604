//! Who may have a link with whom, and who may learn where this node is.
//!
//! A node may choose to be within reach of its core nodes alone. Everything that dials, takes a link or tells an
//! address asks here and nowhere else; so does whatever will link nodes otherwise: a room of one network, or a core
//! node that introduces two nodes to one another.

use std::collections::VecDeque;

use identity::NodeId;
use machine::Cx;
use wire::NodeAdvert;

use crate::event::Why;
use crate::limits::{MAX_ADDRESS, MAX_TARGET_ADDRESSES};
use crate::router::Router;

/// By whom a node is within reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reach {
    /// By whoever has an address of it.
    #[default]
    Any,
    /// By its core nodes alone: it dials nobody else, takes no link of anybody else, and tells nobody where it is,
    /// them included. Its advert lists its core nodes and no address.
    Core,
}

impl Reach {
    /// The word for it in the configuration file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Core => "core",
        }
    }
}

/// Why a node is not dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDialled {
    /// This node dials its core nodes alone, and that is none.
    #[error("this node dials nobody but its core nodes (reach = core)")]
    OwnReach,
    /// Its own advert names core nodes and no address.
    #[error("that node is reached by its core nodes alone")]
    ItsReach,
    /// Nobody has said where it is.
    #[error("no address of this node is known")]
    NoAddress,
}

impl Router {
    /// By whom this node is within reach.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        self.config.reach
    }

    /// Whether anybody may be told an address of this node: in an advert, in a link for people, or to be dialled
    /// back. There is nobody who may and others who may not.
    #[must_use]
    pub const fn may_tell_address(&self) -> bool {
        matches!(self.config.reach, Reach::Any)
    }

    /// Whether a node may dial this one. Asked when a link that it dialled is up; nothing is said on one that may not be.
    #[must_use]
    pub fn may_be_dialled_by(&self, node: &NodeId) -> bool {
        // Whoever is in the same room will be let in here, too.
        match self.config.reach {
            Reach::Any => true,
            Reach::Core => self.targets.is(node, Why::Core),
        }
    }

    /// Whether this node may dial that one, wherever it is said to be.
    ///
    /// # Errors
    /// Why not; never [`NotDialled::NoAddress`].
    pub fn may_dial(&self, cx: &mut Cx<'_>, node: &NodeId) -> Result<(), NotDialled> {
        let is_core = self.targets.is(node, Why::Core);
        match self.config.reach {
            // Whoever is in the same room will be dialled, too.
            Reach::Core if !is_core => return Err(NotDialled::OwnReach),
            Reach::Core | Reach::Any => {}
        }
        // What a person has typed counts for more than what the node says of itself, and a core node was named so.
        let named = is_core || self.targets.is(node, Why::Peer);
        if !named && self.is_reached_by_cores_alone(cx, node) {
            return Err(NotDialled::ItsReach);
        }
        Ok(())
    }

    /// Whether a node says of itself that its core nodes are the way to it: its advert names some, and no address.
    /// Nobody is told its former addresses any more, either.
    #[must_use]
    pub fn is_reached_by_cores_alone(&self, cx: &mut Cx<'_>, node: &NodeId) -> bool {
        let alone = |advert: &NodeAdvert| advert.addresses.is_empty() && !advert.cores.is_empty();
        self.advert(cx, node).as_ref().is_some_and(alone)
    }

    /// Where a node is dialled, the best first.
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn dialled_at(
        &self,
        cx: &mut Cx<'_>,
        node: &NodeId,
    ) -> Result<VecDeque<String>, NotDialled> {
        self.may_dial(cx, node)?;
        let Some(target) = self.targets.get(node) else {
            return Err(NotDialled::NoAddress);
        };
        let at = match self.config.reach {
            Reach::Any => target.addresses(self.addresses(cx, node)),
            // Where its person said alone: others could name a place of their own as that of a core node, and
            // see from where it is dialled. So could the core node, for somebody else.
            Reach::Core => {
                let named = target.whys.get(&Why::Core).into_iter().flatten();
                let named = named.filter(|address| address.len() <= MAX_ADDRESS);
                named.take(MAX_TARGET_ADDRESSES).cloned().collect()
            }
        };
        if at.is_empty() {
            return Err(NotDialled::NoAddress);
        }
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use identity::SecretKey;
    use machine::Outbox;
    use machine::test::World;
    use wire::Frame;

    use super::*;
    use crate::row::{self, OWN_ADVERT, OwnRow};
    use crate::{Address, Config, Input, LinkId, Output};

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed([n; 32])
    }

    fn open(world: &mut World, reach: Reach) -> Router {
        let config = Config {
            reach,
            ..Config::new(key(1), "here", "test 0")
        };
        world.turn(|cx| Router::open(cx, config, &mut Outbox::new()))
    }

    fn give(world: &mut World, router: &mut Router, input: Input) -> Vec<Output> {
        let mut out = Outbox::new();
        world.turn(|cx| router.handle(cx, input, &mut out));
        router.check_invariants();
        out.drain().collect()
    }

    fn up(link: u64, n: u8, dialled: Option<u64>) -> Input {
        Input::Up {
            link: LinkId(link),
            node: key(n).node_id(),
            dialled,
            exporter: [1; 32],
            address: "peer:1".to_owned(),
        }
    }

    fn core(n: u8) -> Input {
        Input::Keep {
            node: key(n).node_id(),
            why: Why::Core,
            addresses: vec!["core:1".to_owned()],
        }
    }

    #[test]
    fn an_advert_that_cannot_be_replaced_is_not_shown() {
        let mut world = World::new(1);
        let mut router = open(&mut world, Reach::Any);
        let addresses = vec![Address {
            uri: "quic://here:1".to_owned(),
            weight: 1,
        }];
        give(&mut world, &mut router, Input::Listening { addresses });
        // No version follows this one.
        let mut last = router.own_advert().expect("an advert").clone();
        last.version = u32::MAX;
        let signed = wire::sign_advert(last, &key(1)).expect("legal");
        let row = OwnRow {
            version: u32::MAX,
            advert: signed.into_inner().to_raw().encode(),
        };
        world.turn(|cx| row::put(&mut cx.store, OWN_ADVERT, row::ONLY, &row));
        let router = open(&mut world, Reach::Any);
        assert!(router.own_signed().is_some());
        let mut router = open(&mut world, Reach::Core);
        assert!(router.own_signed().is_none());
        give(&mut world, &mut router, core(2));
        give(&mut world, &mut router, up(1, 2, Some(1)));
        let mut said = Vec::new();
        for frame in [
            Frame::Hello {
                min: 0,
                max: 0,
                wall: 1,
                advert: 0,
                software: "peer".to_owned(),
            },
            Frame::AdvertAsk,
        ] {
            let link = LinkId(1);
            let frame = Input::Frame {
                link,
                frame,
                len: 20,
            };
            said.extend(give(&mut world, &mut router, frame));
        }
        let shows = |output: &Output| {
            matches!(
                output,
                Output::Send {
                    frame: Frame::Advert(_),
                    ..
                }
            )
        };
        assert!(!said.is_empty() && !said.iter().any(shows));
    }

    #[test]
    fn only_core_nodes_dial_in_and_others_cost_nothing() {
        let mut world = World::new(2);
        let mut router = open(&mut world, Reach::Core);
        give(&mut world, &mut router, core(2));
        for (link, n) in (1..).zip(3..60) {
            let said = give(&mut world, &mut router, up(link, n, None));
            assert!(
                matches!(&said[..], [Output::Close { text, .. }] if text.is_empty()),
                "{said:?}"
            );
            assert!(router.ignores(LinkId(link)));
        }
        let said = give(&mut world, &mut router, up(100, 2, None));
        assert!(matches!(&said[..], [Output::Send { .. }]), "a hello");
        // A core node that is one no more is anybody.
        let (node, why) = (key(2).node_id(), Why::Core);
        give(&mut world, &mut router, Input::Release { node, why });
        assert!(!router.may_be_dialled_by(&node));
        // The link with it was not open yet.
        let may = world.turn(|cx| router.may_dial(cx, &node));
        assert_eq!(may, Err(NotDialled::OwnReach));
    }
}
