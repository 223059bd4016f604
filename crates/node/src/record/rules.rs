//! Rate rules as bytes, for records.

use router::acl::{Group, Key, Way, Who};
use router::{Rule, Rules};
use wire::Malformed;
use wire::cbor::{Reader, Writer};

use super::{maybe, read_maybe};

pub(super) fn write(w: &mut Writer, rules: Option<&Rules>) {
    let Some(rules) = rules else {
        w.array(0);
        return;
    };
    w.array(1).array(rules.list().len());
    for rule in rules.list() {
        let way = Way::ALL.iter().position(|way| *way == rule.way);
        w.array(5).uint(way.unwrap_or_default() as u64);
        match &rule.who {
            Who::All => w.uint(0_u8).array(0),
            Who::Group(Group::Clients) => w.uint(1_u8).array(0),
            Who::Group(Group::Cores) => w.uint(2_u8).array(0),
            Who::Keys(keys) => {
                w.uint(3_u8).array(keys.len());
                for key in keys {
                    w.bytes(key);
                }
                &mut *w
            }
        };
        maybe(w, rule.messages);
        maybe(w, rule.bytes);
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<Option<Rules>, Malformed> {
    if r.list(1, "rules or none")? == 0 {
        return Ok(None);
    }
    let count = r.list(router::limits::MAX_RULES, "rules")?;
    let rules: Result<Vec<Rule>, Malformed> = (0..count).map(|_| read_rule(r)).collect();
    let rules = Rules::new(rules?).map_err(|_| r.wrong("rules"))?;
    Ok(Some(rules))
}

fn read_rule(r: &mut Reader<'_>) -> Result<Rule, Malformed> {
    r.tuple(5, "rule")?;
    let way = Way::ALL.get(usize::from(r.u8("way")?)).copied();
    let way = way.ok_or_else(|| r.wrong("way"))?;
    let kind = r.u8("kind of rule")?;
    let count = r.list(router::limits::MAX_RULE_KEYS, "keys")?;
    let keys: Result<Vec<Key>, Malformed> = (0..count).map(|_| r.array("key")).collect();
    let keys = keys?;
    if !keys.is_sorted_by(|a, b| a < b) {
        return Err(r.wrong("order of keys"));
    }
    let who = match (kind, count) {
        (0, 0) => Who::All,
        (1, 0) => Who::Group(Group::Clients),
        (2, 0) => Who::Group(Group::Cores),
        (3, _) => Who::Keys(keys.into_iter().collect()),
        _ => return Err(r.wrong("kind of rule")),
    };
    Ok(Rule {
        way,
        who,
        messages: read_maybe(r)?,
        bytes: read_maybe(r)?,
    })
}
