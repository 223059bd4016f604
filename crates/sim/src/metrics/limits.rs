//! What is counted of a run has bounds, however long and large the run is.

/// Columns of time. A run that outlasts them doubles their width.
pub const COLUMNS: usize = 240;
/// Faults that are listed, the earliest; those beyond are counted.
pub const FAULTS: usize = 500;
/// Nodes up to which it is listed who holds what; with more the nodes of a class are added up.
pub const HOLDING_NODES: usize = 40;
/// Topics up to which it is listed who holds what; with more the nodes of a class are added up.
pub const HOLDING_TOPICS: usize = 40;
