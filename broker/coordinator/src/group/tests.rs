//! Tests of the core, by operation and by whole histories.
//! Core.
