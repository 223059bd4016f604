//! A link as a QR code for a terminal.

use fast_qr::{ECL, QRBuilder};

use crate::failure::{Code, Failure};

/// Light modules around the code, which scanners ask for (ISO/IEC 18004 wants four; terminals have
/// a margin of their own, and two were read by every scanner that we tried it on in other programs).
const QUIET: usize = 2;

/// The lines of the code, two modules to a character.
///
/// A link is valid in upper case, and upper case makes a much smaller code. `colour` fixes black on
/// white whatever the terminal's colours are.
///
/// # Errors
/// When the text is too long for a code.
pub fn lines(link: &str, colour: bool) -> Result<Vec<String>, Failure> {
    let code = QRBuilder::new(link.to_ascii_uppercase())
        .ecl(ECL::L)
        .build()
        .map_err(|error| {
            Failure::new(
                Code::Failed,
                format!("no QR code can be made of the link: {error}"),
                "",
            )
        })?;
    let side = code.size + 2 * QUIET;
    let dark = |row: usize, column: usize| {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < code.size);
        match (inside(row), inside(column)) {
            (Some(row), Some(column)) => code[row][column].value(),
            _ => false,
        }
    };
    let mut lines = Vec::with_capacity(side / 2 + 1);
    for row in (0..side).step_by(2) {
        let mut line = String::with_capacity(side * 3 + 12);
        if colour {
            line.push_str("\x1b[30;107m");
        }
        for column in 0..side {
            // Below the last row lies the terminal's own background: drawn as light.
            let (upper, lower) = (dark(row, column), row + 1 < side && dark(row + 1, column));
            line.push(match (upper, lower, colour) {
                (true, true, true) | (false, false, false) => '█',
                (true, false, true) | (false, true, false) => '▀',
                (false, true, true) | (true, false, false) => '▄',
                (false, false, true) | (true, true, false) => ' ',
            });
        }
        if colour {
            line.push_str("\x1b[0m");
        }
        lines.push(line);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_square_with_a_margin() {
        let link = format!("way:join/{}", "abcdefgh2345".repeat(14));
        let drawn = lines(&link, false).unwrap();
        let width = drawn[0].chars().count();
        assert_eq!(drawn.len(), width.div_ceil(2));
        assert!(drawn.iter().all(|line| line.chars().count() == width));
        assert!(drawn[0].chars().all(|c| c == '█'), "the margin is light");
        // The finder pattern's upper left corner: a dark row over a dark edge with a light inside.
        assert!(drawn[1].starts_with("██ ▄▄▄▄▄ "), "{}", drawn[1]);
        let coloured = lines(&link, true).unwrap();
        assert!(
            coloured
                .iter()
                .all(|l| l.starts_with("\x1b[30;107m") && l.ends_with("\x1b[0m"))
        );
    }

    #[test]
    fn upper_case_keeps_the_code_small_enough_for_a_small_terminal() {
        let longest = format!("way:join/{}", "a".repeat(281 - 9));
        let drawn = lines(&longest, false).unwrap();
        assert!(
            drawn[0].chars().count() <= 80,
            "{} columns",
            drawn[0].chars().count()
        );
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert!(lines(&"a".repeat(5000), false).is_err());
    }
}
