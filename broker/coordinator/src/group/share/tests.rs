//! Tests of the core.
//! Core.
