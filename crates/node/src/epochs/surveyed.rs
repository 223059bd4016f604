//! What a survey of a topic says about its epochs goes into the keychain.

use crate::keychain::Keychain;
use identity::EpochId;
use machine::Cx;
use rights::{FalseBox, Portion, Survey};

impl Keychain {
    /// Takes in what is known of a topic's epochs. Gives evidence against those who announced them.
    pub(super) fn take_survey(
        &mut self,
        cx: &mut Cx<'_>,
        local: u32,
        survey: &Survey,
    ) -> Vec<FalseBox> {
        let mut evidence = Vec::new();
        let Some(keys) = self.topics.get(&local) else {
            return evidence;
        };
        let genesis = keys.genesis.epoch.id();
        let device = keys.device.as_ref().map(|device| device.public());
        let portion = device.and_then(|device| survey.now.portion(&device));
        self.epoch_stands(cx, local, genesis, survey.genesis_clean);
        for heard in &survey.epochs {
            let epoch = heard.announced.epoch().id();
            let known = self.epoch_came(cx, local, heard.announced.item(), heard.generation);
            if known.is_err() {
                continue;
            }
            if let Some(portion) = portion.filter(|portion| self.lacks(local, epoch, *portion)) {
                evidence.extend(self.boxes_came(cx, local, &heard.announced, portion));
            }
            let clean = heard.clean && heard.announced.is_usable();
            self.epoch_stands(cx, local, epoch, clean);
        }
        evidence
    }

    /// Whether less is held of an epoch than this device may have, apart from what was given up.
    fn lacks(&self, local: u32, epoch: EpochId, portion: Portion) -> bool {
        let held = self
            .topics
            .get(&local)
            .and_then(|keys| keys.ring.by_id(epoch));
        held.is_some_and(|held| {
            let owed = match portion {
                Portion::Reads { from, until } => held.epoch().slices_within(from, until),
                Portion::Writes => 0..0,
            };
            let mut owed = owed.filter(|slice| *slice >= held.kept_from());
            held.meeting().is_none() || !owed.all(|slice| held.opens(slice))
        })
    }
}
