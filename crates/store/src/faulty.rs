//! A store that fails when a test says so.

use crate::{CommitFailed, Head, Room, Space, Store};
use machine::{Base, Batch, ReadFailed, Row, Table};
use std::sync::{Arc, Mutex, PoisonError};

/// What a [`Faulty`] store does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing out of the ordinary.
    Sound,
    /// The k-th commit from now (the next is 1) fails, and nothing of it lands.
    Fail(u64),
    /// The k-th commit from now fails, and all of it lands: the power went after the disk had it
    /// and before anybody was told.
    Land(u64),
    /// The k-th commit from now finds the disk full, and nothing of it lands.
    Full(u64),
    /// The k-th read from now fails.
    Unreadable(u64),
}

/// A store around another that carries out a [`Plan`]. After a commit that failed, all commits of
/// all its handles fail, as those of a real store do.
#[derive(Clone, Debug)]
pub struct Faulty<S> {
    inner: S,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    plan: Plan,
    commits: u64,
    reads: u64,
    ended: Option<CommitFailed>,
}

impl<S: Store> Faulty<S> {
    /// A store that does what `inner` does until the plan says otherwise.
    pub fn new(inner: S, plan: Plan) -> Self {
        let state = State {
            plan,
            commits: 0,
            reads: 0,
            ended: None,
        };
        Self {
            inner,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Another plan, counted from now.
    pub fn plan(&self, plan: Plan) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.plan, state.commits, state.reads) = (plan, 0, 0);
    }

    /// The store within.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn read(&self, table: Table) -> Result<(), ReadFailed> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.reads += 1;
        if state.plan == Plan::Unreadable(state.reads) {
            return Err(ReadFailed {
                table: table.name(),
                reason: "planned".to_owned(),
            });
        }
        Ok(())
    }
}

impl<S: Store> Base for Faulty<S> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        self.read(table)?;
        self.inner.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        range: (&[u8], &[u8]),
        limit: usize,
        back: bool,
    ) -> Result<Vec<Row>, ReadFailed> {
        self.read(table)?;
        self.inner.scan(table, range, limit, back)
    }
}

impl<S: Store> Store for Faulty<S> {
    fn commit(&self, batches: &[Arc<Batch>]) -> Result<Head, CommitFailed> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = &state.ended {
            return Err(ended.clone());
        }
        state.commits += 1;
        let number = state.commits;
        let failed = match state.plan {
            Plan::Fail(at) if at == number => CommitFailed::Failed("planned".to_owned()),
            Plan::Full(at) if at == number => CommitFailed::Full("planned".to_owned()),
            Plan::Land(at) if at == number => {
                self.inner.commit(batches)?;
                CommitFailed::Failed("planned, after it landed".to_owned())
            }
            Plan::Sound | Plan::Fail(_) | Plan::Full(_) | Plan::Land(_) | Plan::Unreadable(_) => {
                return self.inner.commit(batches);
            }
        };
        state.ended = Some(CommitFailed::Ended(failed.to_string()));
        Err(failed)
    }

    fn head(&self) -> Head {
        self.inner.head()
    }

    fn hash_of(&self, number: u64) -> Result<Option<[u8; 32]>, ReadFailed> {
        self.inner.hash_of(number)
    }

    fn tables(&self) -> Vec<Table> {
        self.inner.tables()
    }

    fn space(&self) -> Space {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let space = self.inner.space();
        match state.ended {
            Some(CommitFailed::Ended(_)) if matches!(state.plan, Plan::Full(_)) => Space {
                room: Room::Full,
                free: 0,
                ..space
            },
            _ => space,
        }
    }

    fn close(&self) -> Result<Head, CommitFailed> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.ended {
            Some(ended) => Err(ended.clone()),
            None => self.inner.close(),
        }
    }
}
