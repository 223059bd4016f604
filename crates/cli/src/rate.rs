//! Rates as people write them: `10/min`, `2MiB/min`.

use std::str::FromStr;

use crate::size::Size;

/// Messages, or bytes, a minute: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerMinute(pub u32);

/// A text that is not a rate.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a rate: write how much a minute, such as 10/min or 2MiB/min, up to 4294967295")]
pub struct NotARate;

impl FromStr for PerMinute {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let text = text.trim();
        let number = text.strip_suffix("/min").unwrap_or(text);
        let Size(number) = number.parse().map_err(|_| NotARate)?;
        let number = u32::try_from(number).map_err(|_| NotARate)?;
        if number == 0 {
            return Err(NotARate);
        }
        Ok(Self(number))
    }
}

#[cfg(test)]
mod tests {
    use super::{NotARate, PerMinute};

    #[test]
    fn rates_are_read() {
        for (text, rate) in [
            ("10/min", 10),
            ("10", 10),
            ("2KiB/min", 2048),
            (" 7 /min", 7),
        ] {
            assert_eq!(text.parse(), Ok(PerMinute(rate)), "{text}");
        }
        for text in [
            "",
            "/min",
            "0/min",
            "10/s",
            "-1/min",
            "5000000000/min",
            "ten",
        ] {
            assert_eq!(text.parse::<PerMinute>(), Err(NotARate), "{text}");
        }
    }
}
