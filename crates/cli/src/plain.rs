//! Other people's texts and names, made harmless for a terminal.
//!
//! What others write may hold escape sequences that move the cursor, change the title, fake a
//! prompt or turn the direction of writing. In human output every such character is shown as a
//! picture of itself, and a text of several lines cannot pose as several messages.

use std::fmt::Write as _;

/// Whether a terminal may do something else with this character than show it.
#[must_use]
pub fn acts_on_terminal(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        // Direction and line controls of Unicode: marks, embeddings, overrides, isolates.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Invisible: can make two names look alike.
        | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

fn picture(c: char) -> char {
    match c {
        // Unicode's own pictures of the control characters.
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        _ => '\u{fffd}',
    }
}

/// A name or another text of one line.
#[must_use]
pub fn line(text: &str) -> String {
    text.chars()
        .map(|c| if acts_on_terminal(c) { picture(c) } else { c })
        .collect()
}

/// A text that may have several lines: those after the first begin with `margin`.
#[must_use]
pub fn block(text: &str, margin: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, part) in text.split('\n').enumerate() {
        if i > 0 {
            // A String takes all that is written to it.
            let _ = write!(out, "\n{margin}");
        }
        out.extend(part.trim_end_matches('\r').chars().map(|c| match c {
            '\t' => ' ',
            c if acts_on_terminal(c) => picture(c),
            c => c,
        }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_is_left() {
        for c in (0..=0x0010_ffff).filter_map(char::from_u32) {
            let text = format!("a{c}b");
            let shown = line(&text);
            assert!(!shown.chars().any(acts_on_terminal), "{c:?}");
            assert_eq!(shown.chars().count(), 3);
        }
    }

    #[test]
    fn attacks() {
        assert_eq!(line("\x1b]0;owned\x07"), "␛]0;owned␇");
        assert_eq!(line("bob\nroot"), "bob␊root");
        assert_eq!(line("\u{202e}txt.exe"), "\u{fffd}txt.exe");
        assert_eq!(
            block("one\n7 bob: two\x1b[A", "    | "),
            "one\n    | 7 bob: two␛[A"
        );
        assert_eq!(block("over\rwritten", "| "), "over␍written");
        assert_eq!(line("Zoë 東京 👍"), "Zoë 東京 👍");
    }
}
