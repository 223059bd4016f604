//! Texts that are shown to people.

/// Whether a name or reason may be shown as it is: no control characters, no line separators, none
/// of the characters that change the direction of what stands around them or are invisible tags.
/// Joiners stay, which scripts and emoji need. Formats refuse other texts where people would see
/// them.
pub fn is_shown_text(text: &str) -> bool {
    !text.chars().any(|char| {
        char.is_control()
            || matches!(char,
                '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    })
}
