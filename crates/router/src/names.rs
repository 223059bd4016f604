//! Names as people see them. A name is never identity: where two look alike, four characters of
//! the key are shown with each.

use std::collections::{BTreeMap, BTreeSet};

use identity::NodeId;

/// Which of a number of names could be taken for one another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookAlikes(BTreeSet<String>);

impl LookAlikes {
    /// Compares these names, each of which belongs to another.
    #[must_use]
    pub fn among<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut seen = BTreeSet::new();
        let twice = |name| {
            let skeleton = skeleton(name);
            (!seen.insert(skeleton.clone())).then_some(skeleton)
        };
        Self(names.into_iter().filter_map(twice).collect())
    }

    /// Whether a name could be taken for another one of them.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        !self.0.is_empty() && self.0.contains(&skeleton(name))
    }
}

/// A name with four characters of the node's id.
#[must_use]
pub fn label(node: &NodeId, name: &str) -> String {
    let text = node.to_string();
    let key = text.rsplit('1').next().unwrap_or_default();
    // The first two characters say kind and scheme and are the same for all nodes.
    let key: String = key.chars().skip(2).take(4).collect();
    if name.is_empty() {
        format!("node·{key}")
    } else {
        format!("{name}·{key}")
    }
}

/// The names of a number of nodes, each shown so that no two look alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    names: BTreeMap<NodeId, String>,
    alike: LookAlikes,
}

impl Labels {
    /// The labels of these nodes.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = (NodeId, String)>) -> Self {
        let names: BTreeMap<_, _> = names.into_iter().collect();
        let alike = LookAlikes::among(names.values().map(String::as_str));
        Self { names, alike }
    }

    /// What to show for a node.
    #[must_use]
    pub fn show(&self, node: &NodeId) -> String {
        match self.names.get(node) {
            Some(name) if !name.is_empty() && !self.alike.has(name) => name.clone(),
            Some(name) => label(node, name),
            None => label(node, ""),
        }
    }
}

/// What remains of a name when everything that the eye overlooks is taken away. Latin letters only:
/// of names in different scripts one may still be taken for another, which is why a name is never
/// identity.
fn skeleton(name: &str) -> String {
    let mut skeleton = String::with_capacity(name.len());
    for char in name.chars().flat_map(char::to_lowercase) {
        match char {
            '0' => skeleton.push('o'),
            '1' | 'i' | '|' | '!' | 'ı' => skeleton.push('l'),
            '5' | '$' => skeleton.push('s'),
            '3' => skeleton.push('e'),
            '4' | '@' => skeleton.push('a'),
            // Cyrillic and Greek letters that look like Latin ones.
            'а' | 'α' => skeleton.push('a'),
            'е' | 'ε' => skeleton.push('e'),
            'о' | 'ο' => skeleton.push('o'),
            'р' | 'ρ' => skeleton.push('p'),
            'с' => skeleton.push('c'),
            'х' | 'χ' => skeleton.push('x'),
            'у' | 'υ' => skeleton.push('y'),
            'і' | 'ι' => skeleton.push('l'),
            char if char.is_alphanumeric() => skeleton.push(char),
            _ => {}
        }
    }
    skeleton.replace("rn", "m").replace("vv", "w")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(byte: u8) -> NodeId {
        identity::SecretKey::from_seed([byte; 32]).node_id()
    }

    #[test]
    fn names_that_look_alike_are_told_apart() {
        let labels = Labels::new([
            (node(1), "Alice".to_owned()),
            (node(2), "A1ice ".to_owned()),
            (node(3), "Bob".to_owned()),
            (node(4), String::new()),
        ]);
        assert_eq!(labels.show(&node(3)), "Bob");
        let (first, second) = (labels.show(&node(1)), labels.show(&node(2)));
        assert!(first.starts_with("Alice·") && second.starts_with("A1ice ·"));
        let key = |label: &str| label.rsplit('·').next().map(str::to_owned);
        assert_ne!(key(&first), key(&second));
        assert_eq!(key(&first).map(|key| key.len()), Some(4));
        assert!(labels.show(&node(4)).starts_with("node·"));
        assert!(
            labels.show(&node(9)).starts_with("node·"),
            "unknown nodes have labels too"
        );
    }

    #[test]
    fn what_the_eye_overlooks() {
        for (a, b) in [
            ("Bob", "B0b"),
            ("modem", "modern"),
            ("Alice", "Аlice"),
            ("a b", "ab"),
        ] {
            assert!(LookAlikes::among([a, b]).has(a), "{a} {b}");
        }
        assert!(!LookAlikes::among(["Alice", "Alicia"]).has("Alice"));
    }
}
