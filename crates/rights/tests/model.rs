//! What stands, against a model in plain sets, in random schedules; and other wordings of the
//! rules, each of which breaks a promise there.

use std::collections::BTreeSet;

use rights::eff::{Class, Rights};

use super::model_naive::{CLASSES, Known, Naive, Shown, Slip, Standing};
use super::model_play::Play;
use super::model_world::{Item, Set, each, one};

const SEEDS: u64 = 3000;
const STEPS: usize = 60;

/// What was promised and broken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Broken {
    /// Replicas with the same set and evidence differ, or never come to the same.
    Agreement,
    /// Exchange goes on for ever.
    Silence,
    /// What was minted under a grant after its revocation existed stands.
    LateMinting,
    /// A hostile administrator took from somebody outside its subtree.
    OutsideSubtree,
    /// Who holds a device of somebody's took what others had built upon.
    OwnersPast,
    /// A fork took from somebody else.
    ForkTakes,
    /// An end in time took what another one left, or what was written in time.
    CloseTakes,
    /// An act with enough signatures, and no rival, does not stand.
    ActUndone,
    /// What was signed with removed keys after their removal was heard stands.
    JointLate,
}

/// One schedule to its end, and what broke in it.
fn broken(seed: u64, slip: Option<Slip>) -> BTreeSet<Broken> {
    broken_in(Play::new(seed, slip))
}

fn broken_in(mut play: Play) -> BTreeSet<Broken> {
    for _ in 0..STEPS {
        play.step();
    }
    let ending = play.finish();
    let mut broken = BTreeSet::new();
    if !ending.same {
        broken.insert(Broken::Agreement);
    }
    if !ending.silent {
        broken.insert(Broken::Silence);
    }
    let (all, known) = play.all();
    let end = End::of(&play, all, &known);
    let checks = [
        (Broken::LateMinting, end.late_minting()),
        (Broken::OutsideSubtree, end.outside_subtree()),
        (Broken::OwnersPast, end.owners_past()),
        (Broken::ForkTakes, end.fork_takes()),
        (Broken::CloseTakes, end.close_takes()),
        (Broken::ActUndone, end.act_undone()),
        (Broken::JointLate, end.joint_late()),
    ];
    broken.extend(checks.into_iter().filter(|it| it.1).map(|it| it.0));
    broken
}

/// What stands of everything that was ever admitted, also of what replicas have dropped since.
struct End<'a> {
    play: &'a Play,
    naive: Naive<'a>,
    shown: Shown,
}

impl<'a> End<'a> {
    fn of(play: &'a Play, all: Set, known: &'a Known) -> Self {
        let naive = Naive::new(&play.world, all, known, play.slip);
        let shown = play.look(all, known);
        Self { play, naive, shown }
    }

    fn set(&self) -> Set {
        self.naive.set
    }

    fn effective(&self) -> Set {
        self.shown.effective
    }

    fn facts(&self) -> impl Iterator<Item = (usize, usize, &'a Item)> {
        let world = &self.play.world;
        let set = self.set();
        let facts = world.at.iter().enumerate();
        facts.filter_map(move |(no, (env, index))| {
            let item = &world.envs[*env].items[*index];
            (set & one(*env) != 0).then_some((no, *env, item))
        })
    }

    /// Whatever an author of a revoked grant wrote after the revocation was there, and whatever was
    /// issued under that grant, by whomever.
    fn late_minting(&self) -> bool {
        let world = &self.play.world;
        let shown = &self.shown;
        self.facts().any(|(no, at, item)| {
            let Item::Revocation {
                grant,
                cascade,
                rights,
                joint,
                ..
            } = item
            else {
                return false;
            };
            let by = joint
                .map(|it| it.by)
                .or(world.grants[world.envs[at].grant].holder);
            if *rights != Rights::ALL || !shown.facts.contains(&no) {
                return false;
            }
            // What a holder gives up itself stays where others have built upon it.
            let revoked = |it: usize| {
                (it == *grant || (*cascade && world.is_below(it, *grant)))
                    && world.grants[it].holder != by
            };
            let content = each(shown.effective).any(|env| {
                let it = &world.envs[env];
                env > at && it.items.is_empty() && revoked(it.grant)
            });
            let facts = shown.facts.iter().any(|no| {
                let (env, index) = world.at[*no];
                let it = &world.envs[env];
                env > at
                    && match &it.items[index] {
                        Item::Grant(issued) => revoked(world.grants[*issued].parent),
                        Item::Act { .. } => false,
                        Item::Revocation { joint: Some(_), .. } => false,
                        _ => revoked(it.grant),
                    }
            });
            content || facts
        })
    }

    /// Without all that was said under the hostile grant, nobody outside has more.
    fn outside_subtree(&self) -> bool {
        let world = &self.play.world;
        let hostile = self.play.hostile;
        let inside = |grant: usize| grant == hostile || world.is_below(grant, hostile);
        // Whom the hostile one admitted, among others, it has power over.
        let all = 0..world.grants.len();
        let touched: BTreeSet<usize> = all
            .filter(|grant| inside(*grant))
            .filter_map(|grant| world.grants[grant].holder)
            .collect();
        let without = self.facts().filter(|(_, env, item)| {
            let signed = match item {
                Item::Act { .. } => true,
                Item::Certificate { .. } => true,
                Item::Revocation { joint, .. } => joint.is_some(),
                Item::Grant(grant) => world.grants[*grant].joint.is_some(),
                _ => false,
            };
            inside(world.envs[*env].grant) && !signed
        });
        let mut alone = Naive::new(world, self.set(), self.naive.evidence, self.play.slip);
        alone.without = without.map(|it| it.0).collect();
        let alone = alone.shown();
        let outsiders = |env: usize| {
            let mut grant = world.envs[env].grant;
            loop {
                if inside(grant)
                    || world.grants[grant]
                        .holder
                        .is_some_and(|it| touched.contains(&it))
                {
                    return false;
                }
                if grant == 0 {
                    return true;
                }
                grant = world.grants[grant].parent;
            }
        };
        let content = |env: usize| world.envs[env].items.is_empty();
        // What is loose may have been held up by the hostile one itself.
        let lost = alone.firm & !self.effective();
        each(lost).any(|env| content(env) && outsiders(env))
    }

    /// Content under a grant that nobody above has ended stands where somebody else's firm envelope
    /// holds it, whatever other devices of the same member do.
    fn owners_past(&self) -> bool {
        let world = &self.play.world;
        let shown = &self.shown;
        let mut named = vec![0; world.grants.len()];
        for env in each(shown.firm) {
            let by = world.envs[env].grant;
            for (grant, named) in named.iter_mut().enumerate() {
                if grant != by && world.grants[grant].holder != world.grants[by].holder {
                    *named |= world.envs[env].past;
                }
            }
        }
        each(self.set()).any(|env| {
            let it = &world.envs[env];
            let ended = self.facts().any(|(no, at, item)| match item {
                Item::Close { grant, .. } => *grant == it.grant && shown.facts.contains(&no),
                Item::Revocation { grant, joint, .. } => {
                    let by = joint
                        .map(|it| it.by)
                        .or(world.grants[world.envs[at].grant].holder);
                    let hits = *grant == it.grant || world.is_below(it.grant, *grant);
                    hits && by != world.grants[it.grant].holder && shown.facts.contains(&no)
                }
                _ => false,
            });
            it.items.is_empty()
                && !ended
                && self.naive.is_born(it.grant)
                && named[it.grant] & one(env) != 0
                && shown.effective & one(env) == 0
        })
    }

    /// What stood as if nobody had forked, and was written by somebody who did not, still stands,
    /// unless something else ends it that the fork set free.
    fn fork_takes(&self) -> bool {
        let world = &self.play.world;
        let nobody = Known::new();
        let blind = Naive::new(world, self.set(), &nobody, self.play.slip);
        let ends = |naive: &Naive<'_>| -> BTreeSet<usize> {
            let all = self.facts().filter(|it| {
                matches!(
                    it.2,
                    Item::Revocation { .. } | Item::Close { .. } | Item::Act { .. }
                )
            });
            all.filter(|it| naive.stands(it.0)).map(|it| it.0).collect()
        };
        if !ends(&self.naive).is_subset(&ends(&blind)) || self.has_close() {
            return false;
        }
        let blind = blind.shown();
        let shown = &self.shown;
        let sound = |env: usize| !self.naive.evidence.contains_key(&world.envs[env].key);
        let content = each(blind.firm & !shown.effective)
            .any(|env| world.envs[env].items.is_empty() && sound(env));
        let facts = blind.facts.difference(&shown.facts).any(|no| {
            let (env, index) = world.at[*no];
            let takes = matches!(
                world.envs[env].items[index],
                Item::Revocation { .. } | Item::Close { .. }
            );
            sound(env) || !takes
        });
        content || facts
    }

    fn has_close(&self) -> bool {
        self.facts().any(|it| matches!(it.2, Item::Close { .. }))
    }

    /// What a close that stands left, or what it saw and was written in time, is taken by no close.
    fn close_takes(&self) -> bool {
        let world = &self.play.world;
        let shown = &self.shown;
        self.facts().any(|(no, at, item)| {
            let Item::Close { grant, cut } = item else {
                return false;
            };
            if !shown.facts.contains(&no) || !self.naive.ends(*grant, true).is_empty() {
                return false;
            }
            let left = cut
                .iter()
                .fold(0, |left, end| left | world.envs[*end].chain);
            each(self.set()).any(|env| {
                let it = &world.envs[env];
                let seen = world.sees(at, env) && it.created <= world.grants[*grant].until;
                it.grant == *grant
                    && it.items.is_empty()
                    && (left & one(env) != 0 || seen)
                    && self.naive.is_born(*grant)
                    && self.naive.content(env) == Standing::Void
            }) || self.late_under(*grant, no)
        })
    }

    /// What lies outside all closes and was written after the holder could know of one is void.
    fn late_under(&self, grant: usize, _close: usize) -> bool {
        let world = &self.play.world;
        let left = self.facts().fold(0, |left, it| match it.2 {
            Item::Close { grant: closed, cut } if *closed == grant => cut
                .iter()
                .fold(left, |left, end| left | world.envs[*end].chain),
            _ => left,
        });
        each(self.effective() & !left).any(|env| {
            let it = &world.envs[env];
            it.grant == grant && it.items.is_empty()
        })
    }

    /// Every composition is in a state that nothing with enough signatures leaves.
    fn act_undone(&self) -> bool {
        let world = &self.play.world;
        (0..world.members.len()).any(|member| {
            let Some(states) = self.naive.states(member) else {
                return false;
            };
            let now = states.acts.last().copied();
            let before = world.shape(member, now);
            self.facts().any(|(_, _, item)| match item {
                Item::Act { act, signers } => {
                    let row = &world.acts[*act];
                    let new = row.shape.devices & !before.devices;
                    row.member == member
                        && row.previous == now
                        && before.signed(*signers)
                        && signers & new == new
                }
                _ => false,
            })
        })
    }
}

impl End<'_> {
    /// Whether something stands that was signed jointly after everybody who first told of the act
    /// that left it too few signatures, and that has too few now.
    fn joint_late(&self) -> bool {
        let world = &self.play.world;
        self.shown.facts.iter().any(|no| {
            let (at, index) = world.at[*no];
            let joint = match &world.envs[at].items[index] {
                Item::Revocation { joint, .. } => joint,
                Item::Grant(grant) => &world.grants[*grant].joint,
                _ => &None,
            };
            let Some(signed) = joint else { return false };
            let Some(states) = self.naive.states(signed.by) else {
                return true;
            };
            let enough = |act: &usize| world.acts[*act].shape.signed(signed.devices);
            if states.acts.last().is_none_or(enough) {
                return false;
            }
            let after = states
                .acts
                .iter()
                .position(|act| Some(*act) == signed.under);
            let later = &states.acts[after.map_or(0, |place| place + 1)..];
            let end = later.iter().find(|act| !enough(act));
            let mut told = self.facts().filter(|(_, env, item)| {
                matches!(item, Item::Act { act, .. } if Some(act) == end)
                    && !self.facts().any(|(_, other, item)| {
                        matches!(item, Item::Act { act, .. } if Some(act) == end)
                            && world.envs[*env].past & one(other) != 0
                    })
            });
            told.all(|(_, env, _)| env < at)
        })
    }
}

fn all_hold(seeds: core::ops::Range<u64>) {
    for seed in seeds {
        let broken = broken(seed, None);
        assert!(broken.is_empty(), "seed {seed}: {broken:?}");
    }
}

#[test]
fn every_promise_holds_in_the_first_half_of_the_schedules() {
    all_hold(0..SEEDS / 2);
}

#[test]
fn every_promise_holds_in_the_second_half_of_the_schedules() {
    all_hold(SEEDS / 2..SEEDS);
}

/// Also where a cut has to leave no more than what its carrier can be seen to know.
#[test]
fn every_promise_holds_under_the_rules_of_the_law() {
    for seed in 0..SEEDS / 6 {
        let broken = broken_in(Play::lawful(seed));
        assert!(broken.is_empty(), "seed {seed}: {broken:?}");
    }
}

/// The first schedule in which the other wording breaks this promise.
fn caught(slip: Slip, promise: Broken) {
    let caught = (0..SEEDS).find(|seed| broken(*seed, Some(slip)).contains(&promise));
    assert!(
        caught.is_some(),
        "no schedule shows that {slip:?} breaks {promise:?}"
    );
}

#[test]
fn cuts_by_number_let_a_revoked_author_write_on() {
    caught(Slip::CutByNumber, Broken::LateMinting);
}

#[test]
fn a_low_close_takes_what_was_written_in_time() {
    caught(Slip::LowClose, Broken::CloseTakes);
}

#[test]
fn closes_that_intersect_take_what_another_left() {
    caught(Slip::CloseIntersects, Broken::CloseTakes);
}

#[test]
fn an_act_that_its_carrier_undoes_is_undone() {
    caught(Slip::ActByCarrier, Broken::ActUndone);
}

#[test]
fn grants_born_by_forks_take_from_others() {
    caught(Slip::BornByFork, Broken::ForkTakes);
}

#[test]
fn a_holders_cut_at_zero_erases_the_owners_past() {
    caught(Slip::OwnCutAtZero, Broken::OwnersPast);
}

#[test]
fn a_holders_cut_in_a_back_dated_past_erases_the_owners_past() {
    caught(Slip::OwnCutHard, Broken::OwnersPast);
}

#[test]
fn a_removal_that_is_hard_erases_the_owners_past() {
    caught(Slip::RemovalHard, Broken::OwnersPast);
}

#[test]
fn void_along_deps_reaches_outside_the_subtree() {
    caught(Slip::VoidAlongDeps, Broken::OutsideSubtree);
}

#[test]
fn revocations_by_anybody_reach_outside_the_subtree() {
    caught(Slip::RevokedByAnybody, Broken::OutsideSubtree);
}

#[test]
fn signatures_that_were_once_enough_do_not_last() {
    caught(Slip::JointForEver, Broken::JointLate);
}

#[test]
fn a_holder_that_overrides_the_close_writes_on() {
    caught(Slip::OwnOverridesClose, Broken::CloseTakes);
}

/// The schedules have in them what they are meant to show.
#[test]
fn the_schedules_are_not_empty() {
    let mut seen = [0_usize; 9];
    for seed in 0..200 {
        let mut play = Play::new(seed, None);
        for _ in 0..STEPS {
            play.step();
        }
        play.finish();
        let (all, known) = play.all();
        let end = End::of(&play, all, &known);
        let facts = &end.shown.facts;
        for (no, env, item) in end.facts() {
            let it = &play.world.envs[env];
            let what = match item {
                Item::Grant(_) => 0,
                Item::Revocation { joint: Some(_), .. } => 1,
                Item::Revocation { .. } => 2,
                Item::Close { .. } => 3,
                Item::Act { .. } => 4,
                Item::Countersign(_) => 5,
                Item::Certificate { branches, .. } if !branches.is_empty() => 6,
                _ => continue,
            };
            if facts.contains(&no) && it.root < 128 {
                seen[what] += 1;
            }
        }
        seen[7] += known.len();
        let void = each(end.set()).filter(|env| {
            CLASSES.contains(&Class::Content) && end.naive.content(*env) != Standing::Stands
        });
        seen[8] += void.count();
    }
    assert!(seen.iter().all(|count| *count >= 20), "{seen:?}");
}
