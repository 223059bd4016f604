//! `[[acl]]`: rate rules in the configuration file.

use node::acl::{Group, Key, Rule, Rules, Way, Who};
use serde::{Deserialize, Deserializer, de::Error};

use crate::size::Size;

/// The rules of a file, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acl(pub Rules);

/// One rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    way: WayWord,
    #[serde(deserialize_with = "who")]
    who: Who,
    messages: Option<u64>,
    bytes: Option<Size>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WayWord {
    In,
    Out,
    Author,
}

impl<'de> Deserialize<'de> for Acl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rules = Vec::<Written>::deserialize(deserializer)?;
        let rule = |written: Written| Rule {
            way: match written.way {
                WayWord::In => Way::In,
                WayWord::Out => Way::Out,
                WayWord::Author => Way::Author,
            },
            who: written.who,
            messages: written.messages,
            bytes: written.bytes.map(|size| size.0),
        };
        let rules = Rules::new(rules.into_iter().map(rule).collect());
        rules.map(Self).map_err(D::Error::custom)
    }
}

/// A word, an id, or a list of ids.
fn who<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Who, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Named {
        One(String),
        Some(Vec<String>),
    }
    let wrong = "write \"all\", \"clients\", \"cores\", an id or a list of ids";
    let named = Named::deserialize(deserializer).map_err(|_| D::Error::custom(wrong))?;
    let names = match named {
        Named::One(word) => match word.as_str() {
            "all" => return Ok(Who::All),
            "clients" => return Ok(Who::Group(Group::Clients)),
            "cores" => return Ok(Who::Group(Group::Cores)),
            _ => vec![word],
        },
        Named::Some(names) => names,
    };
    let keys: Result<_, D::Error> = names
        .iter()
        .map(|name| {
            key(name).ok_or_else(|| D::Error::custom(format!("{name:?} is no id; {wrong}")))
        })
        .collect();
    keys.map(Who::Keys)
}

/// A node's id, or an author's key in hexadecimal digits.
fn key(text: &str) -> Option<Key> {
    if let Ok(node) = text.parse::<identity::NodeId>() {
        return Some(node.to_bytes());
    }
    let key = text.parse::<identity::PublicKey>().ok()?;
    Some(key.to_bytes())
}

/// What a new configuration file says about rules.
pub const EXAMPLE: &str = r#"
# Rate rules: what may pass in a minute. They are read again when this file changes. The
# first rule that names somebody decides; each one whom it names is counted alone.
# way: "in", what a peer gives this node; "out", what this node gives a peer; "author",
# what one author wrote, whoever gives it. who: "all", "clients", "cores", an id or a list
# of ids. Without messages or bytes there is no limit on them; 0 lets nothing pass. Without
# any rule of a way everything passes; with one, what no rule of that way names does not.
# [[acl]]
# way = "in"
# who = "clients"
# messages = 6000
# [[acl]]
# way = "in"
# who = "all"
# messages = 600
# bytes = "10MB"
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::failure::Failure;
    use std::path::Path;

    fn parse(text: &str) -> Result<Vec<Rule>, Failure> {
        let config = Config::parse(text, Path::new("config.toml"))?;
        Ok(config.acl.0.list().to_vec())
    }

    #[test]
    fn rules_are_read_in_their_order() {
        let node = identity::SecretKey::from_seed([7; 32]).node_id();
        let author = "0a".repeat(32);
        let text = format!(
            "log = \"info\"\n[[acl]]\nway = \"in\"\nwho = [\"{node}\", \"{author}\"]\nmessages = 3\n\
             [[acl]]\nway = \"out\"\nwho = \"clients\"\nbytes = \"1KB\"\n\
             [[acl]]\nway = \"author\"\nwho = \"{author}\"\nmessages = 0\n"
        );
        let rules = parse(&text).unwrap();
        let keys = [node.to_bytes(), [10; 32]].into_iter().collect();
        assert_eq!(rules[0].way, Way::In);
        assert_eq!(rules[0].who, Who::Keys(keys));
        assert_eq!((rules[0].messages, rules[0].bytes), (Some(3), None));
        assert_eq!(rules[1].who, Who::Group(Group::Clients));
        assert_eq!((rules[1].messages, rules[1].bytes), (None, Some(1000)));
        assert_eq!(rules[2].way, Way::Author);
    }

    #[test]
    fn wrong_rules_are_named_with_their_line() {
        for (text, line, why) in [
            (
                "[[acl]]\nway = \"up\"\nwho = \"all\"\n",
                2,
                "unknown variant",
            ),
            ("[[acl]]\nway = \"in\"\nwho = \"everybody\"\n", 3, "no id"),
            ("[[acl]]\nway = \"in\"\nwho = 3\n", 3, "\"all\""),
            (
                "[[acl]]\nway = \"in\"\nwho = \"all\"\nmessages = -1\n",
                4,
                "-1",
            ),
            (
                "[[acl]]\nway = \"in\"\nwho = \"all\"\nbytes = \"few\"\n",
                4,
                "not a size",
            ),
            (
                "[[acl]]\nway = \"in\"\nwho = \"all\"\nrate = 1\n",
                4,
                "unknown field",
            ),
            ("\n[[acl]]\nway = \"in\"\n", 2, "missing field `who`"),
        ] {
            let failure = parse(text).unwrap_err();
            let start = format!("config.toml, line {line}");
            assert!(failure.message.starts_with(&start), "{failure}");
            assert!(failure.message.contains(why), "{failure}");
        }
    }

    /// What is commented out in a new file is what may stand there.
    #[test]
    fn the_example_in_a_new_file_is_legal() {
        let (comment, example) = EXAMPLE.split_once("# [[acl]]").unwrap();
        assert!(
            comment
                .lines()
                .all(|line| line.is_empty() || line.starts_with('#'))
        );
        let example = format!("# [[acl]]{example}").replace("# ", "");
        let rules = parse(&example).unwrap();
        assert_eq!(rules.len(), 2);
        assert!(Config::default().text().contains(EXAMPLE));
    }
}
