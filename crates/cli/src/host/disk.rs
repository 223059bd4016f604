//! The node's store: opened for each life, its commits noted in the marker outside the home.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use machine::Batch;
use store::{FjallStore, Marker, OpenFailed, Options, Space, Staleness, Store as _};

use crate::failure::{Code, Failure};

/// The store of the running node.
pub(super) struct Disk {
    folder: PathBuf,
    state: PathBuf,
    options: Options,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    store: Option<FjallStore>,
    marker: Option<Arc<Mutex<Marker>>>,
    life: u64,
    /// Why it could not be opened, for whoever started the node.
    failed: Option<Failure>,
}

/// A store that was opened for a life.
pub(super) struct Life {
    pub(super) store: FjallStore,
    /// Whether the home may be a copy, or set back.
    pub(super) stale: bool,
    gap: bool,
    marker: Arc<Mutex<Marker>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Between two statements what is inside is always whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    pub(super) fn new(folder: PathBuf, state: PathBuf, floor: u64) -> Self {
        let options = Options {
            floor,
            ..Options::default()
        };
        Self {
            folder,
            state,
            options,
            now: Mutex::default(),
        }
    }

    /// Opens the store for a life of the node. The one of the life before is let go of.
    pub(super) fn open(&self, life: u64) -> Result<Life, String> {
        *locked(&self.now) = Now {
            life,
            ..Now::default()
        };
        self.try_open(life).map_err(|failure| {
            let text = failure.message.clone();
            locked(&self.now).failed = Some(failure);
            text
        })
    }

    fn try_open(&self, life: u64) -> Result<Life, Failure> {
        let tables = node::tables();
        let (store, opened) =
            FjallStore::open(&self.folder, &tables, &self.options).map_err(failure)?;
        let marker = Marker::open(&self.state, &opened.home).map_err(failure)?;
        let staleness = marker.judge(&opened, &store).map_err(|error| {
            Failure::new(
                Code::Damaged,
                error.to_string(),
                "look at it with `way check`",
            )
        })?;
        let stale = match staleness {
            Staleness::Fresh | Staleness::Plain => false,
            Staleness::Stale(doubt) => {
                tracing::warn!(%doubt, "this home may be a copy: new author keys will be used");
                true
            }
        };
        if !opened.clean {
            tracing::info!("the node was not stopped cleanly; its store is whole");
        }
        let marker = Arc::new(Mutex::new(marker));
        *locked(&self.now) = Now {
            store: Some(store.clone()),
            marker: Some(Arc::clone(&marker)),
            life,
            failed: None,
        };
        Ok(Life {
            store,
            stale,
            gap: opened.gap.is_some(),
            marker,
        })
    }

    /// Why it could not be opened.
    pub(super) fn failed(&self) -> Option<Failure> {
        locked(&self.now).failed.clone()
    }

    /// Which life of the node it is open for.
    pub(super) fn life(&self) -> u64 {
        locked(&self.now).life
    }

    /// How the disk is, if the store is open.
    pub(super) fn space(&self) -> Option<Space> {
        self.store().map(|store| store.space())
    }

    /// The open store.
    pub(super) fn store(&self) -> Option<FjallStore> {
        locked(&self.now).store.clone()
    }

    /// Closes the store cleanly, once the node has ended, and writes its marker.
    pub(super) fn close(&self) {
        let Now { store, marker, .. } = std::mem::take(&mut *locked(&self.now));
        let (Some(store), Some(marker)) = (store, marker) else {
            return;
        };
        let noted = store
            .close()
            .map_err(|error| error.to_string())
            .and_then(|head| {
                locked(&marker)
                    .write(head)
                    .map_err(|error| error.to_string())
            });
        if let Err(error) = noted {
            tracing::warn!(error, "the store could not be closed cleanly; it is whole");
        }
    }
}

impl Life {
    /// What commits a batch: the store, then the marker, which may lag behind and never leads.
    pub(super) fn committer(
        &self,
    ) -> impl FnMut(&[Arc<Batch>]) -> Result<(), String> + Send + use<> {
        let (store, marker) = (self.store.clone(), Arc::clone(&self.marker));
        // The first turn of a life notes what a gap means; after it the gap may be forgotten.
        let mut gap = self.gap;
        move |batches| {
            let head = store.commit(batches).map_err(|error| error.to_string())?;
            if std::mem::take(&mut gap) {
                store.forget_gap().map_err(|error| error.to_string())?;
                return Ok(());
            }
            if let Err(error) = locked(&marker).note(head) {
                // At worst the next start takes new author keys without need.
                tracing::warn!(%error, "the marker outside the home could not be written");
            }
            Ok(())
        }
    }
}

/// A store that does not open, in the words of the surface.
pub(super) fn failure(error: OpenFailed) -> Failure {
    let message = error.to_string();
    match error {
        OpenFailed::Locked { .. } => Failure::new(
            Code::HomeInUse,
            message,
            "stop the other node first with `way down`",
        ),
        OpenFailed::Damaged { .. } => Failure::new(
            Code::Damaged,
            message,
            "`way check` names what is wrong; `way restore` brings a backup back",
        ),
        OpenFailed::NoRoom { .. } => Failure::new(
            Code::Full,
            message,
            "free some space and start again; nothing is lost",
        ),
        OpenFailed::Io { path, source, .. } => Failure::io("use", &path, &source),
        _ => Failure::new(Code::Failed, message, "look at it with `way check`"),
    }
}
