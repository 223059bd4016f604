//! The program `way-sim`, held against its documents.

mod reference;
