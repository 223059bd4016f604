//! The session for a person to paste.

/// A shell script with the story of the demo, each step a line that can be pasted by itself.
pub(super) fn text() -> String {
    SCRIPT.to_owned()
}

const SCRIPT: &str = r#"# The main job of Waystation, to be pasted line by line. `way` must be in the PATH.

T=$(mktemp -d); export XDG_STATE_HOME=$T/state
core1() { WAY_HOME=$T/core1 way "$@"; }
core2() { WAY_HOME=$T/core2 way "$@"; }
alice() { WAY_HOME=$T/alice way "$@"; }
bob()   { WAY_HOME=$T/bob   way "$@"; }
carol() { WAY_HOME=$T/carol way "$@"; }

# Two core nodes, two providers.
core1 up -d --core --name core1 --listen 127.0.0.1:0
core2 up -d --core --name core2 --listen 127.0.0.1:0

# Alice and Bob are clients of core1. Alice makes a topic and invites.
alice up -d --name alice --listen 127.0.0.1:0
alice core use "$(core1 core invite)"
alice topic create garden
LINK=$(alice invite garden --uses 2)
bob up -d --name bob --listen 127.0.0.1:0
bob core use "$(core1 core invite)"
bob join "$LINK" --yes

# They talk.
alice send garden 'Hello Bob. Seeds or bulbs?' --wait delivered --of 1
bob send garden 'Bulbs, Alice.' --wait delivered --of 1
bob read garden

# Bob's machine dies, Alice leaves; Carol, a client of core2 alone, joins while nobody is there.
kill -9 "$(cat "$T/bob/way.lock")"
alice down
carol up -d --name carol --listen 127.0.0.1:0
carol core use "$(core2 core invite)"
carol join "$LINK" --yes
carol send garden 'Carol here. Both!' --wait held
carol down

# Alice returns alone, writes a thousand lines and leaves.
alice up -d
seq 1 1000 | sed 's/$/ bulbs/' | alice send garden --lines --wait held | tail -n 1
alice down

# Bob and Carol return, each alone, and get all of it from their core nodes.
bob up -d
bob read garden --new --follow --limit 1006 | tail -n 3
bob down
carol up -d
carol read garden --new --follow --limit 1006 | tail -n 3
carol down

# Alice returns and sees `delivered 2 of 2`.
alice up -d
alice why

# The end.
for who in core1 core2 alice; do $who down; done; rm -r "$T"
"#;

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    /// Every command of the script is one that this program takes.
    #[test]
    fn the_script_speaks_this_programs_language() {
        let mut seen = 0;
        for line in super::text().lines() {
            for who in super::super::stage::CAST {
                let Some((_, rest)) = line.split_once(&format!("{who} ")) else {
                    continue;
                };
                if line.starts_with('#') || line.contains("()") || line.starts_with("for ") {
                    continue;
                }
                let rest = rest.split(['|', ')']).next().unwrap_or("");
                let words: Vec<String> = words(rest);
                let all = std::iter::once("way".to_owned()).chain(words);
                let parsed = crate::args::Cli::try_parse_from(all);
                assert!(
                    parsed.is_ok(),
                    "{line}: {:?}",
                    parsed.err().map(|e| e.to_string())
                );
                seen += 1;
            }
        }
        assert!(seen > 20, "{seen}");
    }

    fn words(text: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
        for c in text.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"') => quote = Some(c),
                (None, ' ') => {
                    words.extend(Some(std::mem::take(&mut word)).filter(|w| !w.is_empty()))
                }
                (_, c) => word.push(c),
            }
        }
        words.extend(Some(word).filter(|w| !w.is_empty()));
        words
    }
}
