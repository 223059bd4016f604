//! `vectors/eff.json`: the worked examples of docs/spec/rights.md.

use std::collections::BTreeMap;

use identity::ActId;
use rights::eff::{AuthorNo, Class, FactNo, Verdict, eff};
use serde_json::Value;

use super::model_naive::{Known, Naive};
use super::model_world::{ActRow, Draft, Item, Set, Shape, World, device_key, one};

#[derive(Default)]
struct Names {
    devices: BTreeMap<String, usize>,
    members: BTreeMap<String, usize>,
    grants: BTreeMap<String, usize>,
    acts: BTreeMap<String, usize>,
    envs: BTreeMap<String, usize>,
}

fn texts(of: &Value) -> Vec<String> {
    let list = of.as_array().into_iter().flatten();
    list.map(|it| it.as_str().unwrap().to_owned()).collect()
}

impl Names {
    fn devices(&mut self, of: &Value) -> u64 {
        let mut set = 0;
        for name in texts(of) {
            let next = self.devices.len();
            set |= 1 << *self.devices.entry(name).or_insert(next);
        }
        set
    }

    fn shape(&mut self, of: &Value) -> Shape {
        Shape {
            devices: self.devices(&of["devices"]),
            threshold: of["threshold"].as_u64().unwrap() as u32,
        }
    }

    fn envs(&self, of: &Value) -> Vec<usize> {
        texts(of).iter().map(|name| self.envs[name]).collect()
    }

    fn item(&mut self, world: &mut World, of: &Value) -> Item {
        let text = |name: &str| of[name].as_str().map(str::to_owned);
        let cut = self.envs(&of["cut"]);
        if let Some(index) = of["certificate"].as_u64() {
            let branches = self.envs(&of["branches"]);
            let index = index as u32;
            return Item::Certificate { index, branches };
        }
        if let Some(name) = text("grant") {
            let parent = self.grants[&text("parent").unwrap()];
            let holder = self.members[&text("holder").unwrap()];
            let grant = world.new_grant(parent, Some(holder), u64::MAX, None);
            self.grants.insert(name, grant);
            return Item::Grant(grant);
        }
        if let Some(name) = text("revoke") {
            return Item::Revocation {
                grant: self.grants[&name],
                cut,
                cascade: of["cascade"].as_bool().unwrap_or(false),
                rights: rights::eff::Rights::ALL,
                joint: None,
            };
        }
        if let Some(name) = text("close") {
            let grant = self.grants[&name];
            return Item::Close { grant, cut };
        }
        if let Some(name) = text("countersign") {
            return Item::Countersign(self.acts[&name]);
        }
        let row = ActRow {
            member: self.members[&text("of").unwrap()],
            number: 1,
            previous: None,
            shape: self.shape(of),
            cut,
            id: ActId::from_bytes([0; 32]),
        };
        let act = world.new_act(row);
        self.acts.insert(text("act").unwrap(), act);
        let signers = self.devices(&of["signers"]);
        Item::Act { act, signers }
    }
}

/// The world of a case; the first composition is the root.
fn build(case: &Value) -> (World, Names) {
    let mut names = Names::default();
    let compositions = case["compositions"].as_object().unwrap();
    let root = names.shape(&compositions["root"]);
    let mut world = World::new(1, root);
    names.members.insert("root".to_owned(), 0);
    names.grants.insert("topic".to_owned(), 0);
    for (name, form) in compositions {
        if name != "root" {
            let shape = names.shape(form);
            names.members.insert(name.clone(), world.new_member(shape));
        }
    }
    for env in case["envelopes"].as_array().unwrap() {
        let name = env["is"].as_str().unwrap().to_owned();
        let previous = env["after"].as_str().map(|name| names.envs[name]);
        let items = env["items"].as_array().into_iter().flatten();
        let items = items.map(|item| names.item(&mut world, item)).collect();
        let before = previous.map(|env| world.envs[env].clone());
        let (key, grant, device) = match before {
            Some(env) => (env.key, env.grant, env.device),
            None => (
                world.envs.len(),
                names.grants[env["grant"].as_str().unwrap()],
                names.devices[env["device"].as_str().unwrap()],
            ),
        };
        let deps = names.envs(&env["deps"]);
        let draft = Draft {
            key,
            previous,
            deps: deps.into_iter().fold(0, |set: Set, env| set | one(env)),
            created: 0,
            grant,
            device,
            items,
        };
        names.envs.insert(name, world.new_env(draft));
    }
    (world, names)
}

#[test]
fn the_worked_examples_come_out_as_written() {
    let file: Value = serde_json::from_str(include_str!("../../../vectors/eff.json")).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (world, names) = build(case);
        let all = Set::MAX >> (128 - world.envs.len());
        let mut known = Known::new();
        let mut evidence = BTreeMap::new();
        for (first, number) in case["forks"].as_object().into_iter().flatten() {
            let env = names.envs[first];
            known.insert(world.envs[env].key, number.as_u64().unwrap());
            evidence.insert(AuthorNo(env as u32), number.as_u64().unwrap());
        }
        let facts = world.facts_of(all);
        let effect = eff(&world, &facts, &evidence);
        let naive = Naive::new(&world, all, &known, None);
        for (is, env) in &names.envs {
            let listed = |list: &str| texts(&case[list]).contains(is);
            let content = world.envs[*env].items.is_empty();
            let verdict = effect.judge(&world, &world.spot(*env), Class::Content);
            let certificate = |no: &FactNo| {
                let (at, index) = world.at[no.0 as usize];
                matches!(world.envs[at].items[index], Item::Certificate { .. })
            };
            let mut own = facts.iter().filter(|no| world.at[no.0 as usize].0 == *env);
            let asked = content || own.clone().any(|no| !certificate(no));
            let is_void = if content {
                matches!(verdict, Verdict::Void(_))
            } else {
                asked && own.all(|no| certificate(no) || effect.void().contains_key(no))
            };
            assert_eq!(is_void, listed("void"), "{name}: {is} {verdict:?}");
            let is_loose = content && matches!(verdict, Verdict::Loose(_));
            assert_eq!(is_loose, listed("loose"), "{name}: {is} {verdict:?}");
            for no in facts.iter().filter(|no| world.at[no.0 as usize].0 == *env) {
                let stands = !effect.void().contains_key(no);
                assert_eq!(stands, naive.stands(no.0 as usize), "{name}: {is}");
            }
        }
        for (member, devices) in case["seats"].as_object().into_iter().flatten() {
            let row = &world.members[names.members[member]];
            let member = effect.member(&row.id).unwrap();
            for (name, device) in &names.devices {
                let seated = texts(devices).contains(name);
                assert_eq!(member.seats(&device_key(*device)), seated, "{name}");
            }
        }
    }
}
