//! `way owners …`, and `--owners`.

use core::str::FromStr;

use clap::Subcommand;

/// How many owners there are to be, and how many of them decide: `2of3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// How many decide.
    pub threshold: u8,
    /// Of how many.
    pub count: u8,
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once("of");
        let number = |text: &str| text.parse::<u8>().ok();
        let parts = parts.and_then(|(k, n)| Some((number(k)?, number(n)?)));
        match parts {
            Some((threshold, count)) if threshold > 0 && threshold <= count && count > 1 => {
                Ok(Self { threshold, count })
            }
            _ => Err("such as 2of3".to_owned()),
        }
    }
}

/// `way owners …`.
#[derive(Debug, Subcommand)]
pub enum Owners {
    /// Who owns a topic, how many it takes, and who is still missing
    List {
        /// A topic
        topic: String,
    },
    /// What waits for signatures of owners, in all topics
    Pending,
    /// Sign what waits; whoever signs last publishes it
    Sign {
        /// Its id, or a unique prefix of it
        id: String,
    },
    /// Propose other owners, or another number of them that it takes
    Propose {
        /// A topic
        topic: String,
        /// Somebody who takes part and becomes an owner (may be repeated)
        #[arg(long, value_name = "MEMBER")]
        add: Vec<String>,
        /// An owner's device that is to be none any more (may be repeated)
        #[arg(long, value_name = "DEVICE")]
        remove: Vec<String>,
        /// How many decide afterwards [default: as many as before]
        #[arg(long, value_name = "K")]
        threshold: Option<u8>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_at_most_as_many_as_there_are() {
        let two = Threshold {
            threshold: 2,
            count: 3,
        };
        assert_eq!("2of3".parse(), Ok(two));
        for wrong in [
            "", "2", "of", "0of2", "3of2", "1of1", "2of300", "2 of 3", "-1of2",
        ] {
            assert!(wrong.parse::<Threshold>().is_err(), "{wrong}");
        }
    }
}
