//! What each command does: ask the node, print the answer.

pub mod core;
pub mod device;
pub mod files;
pub mod giving;
pub mod home;
pub mod node;
pub mod owners;
pub mod read;
pub mod send;
pub mod topic;
pub mod up;

use serde::de::DeserializeOwned;

use crate::client::{Client, object};
use crate::failure::{Exit, Failure};
use crate::home::{Environment, Home};
use crate::output::{Outcome, Output, Stop};
use crate::request::Ask;

/// What every command has at hand.
#[derive(Debug)]
pub struct Context {
    /// The home that is meant.
    pub home: Home,
    /// The variables that decided it.
    pub environment: Environment,
    /// Where to print.
    pub out: Output,
}

impl Context {
    /// A connection to the running node.
    ///
    /// # Errors
    /// `no-node` when none is running.
    pub fn client(&self) -> Result<Client, Failure> {
        Client::connect(&self.home)
    }

    /// Asks for one object and prints it.
    ///
    /// # Errors
    /// The node's failure.
    pub fn one<T: DeserializeOwned>(&mut self, ask: Ask, words: impl Fn(&T) -> String) -> Outcome {
        let line = self.client()?.one(ask)?;
        self.print(&line, words)?;
        Ok(Exit::Done)
    }

    /// Asks for many objects and prints them: a line each, or a table.
    ///
    /// # Errors
    /// The node's failure.
    pub fn many<T: DeserializeOwned>(
        &mut self,
        ask: Ask,
        words: impl Fn(&[T]) -> String,
    ) -> Outcome {
        let (lines, _) = self.client()?.all(ask)?;
        if self.out.json {
            for line in &lines {
                self.out.line(line)?;
            }
        } else {
            let objects = lines
                .iter()
                .map(|line| object(line))
                .collect::<Result<Vec<T>, _>>()?;
            self.out.line(&words(&objects))?;
        }
        Ok(Exit::Done)
    }

    /// Prints an object's line, or its words.
    ///
    /// # Errors
    /// When nobody reads it, or it is not such an object.
    pub fn print<T: DeserializeOwned>(
        &mut self,
        line: &str,
        words: impl Fn(&T) -> String,
    ) -> Result<(), Stop> {
        if self.out.json {
            self.out.line(line)
        } else {
            self.out.line(&words(&object(line)?))
        }
    }
}
