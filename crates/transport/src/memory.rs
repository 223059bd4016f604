//! Nodes of one process, joined in memory: for tests of what stands above.
