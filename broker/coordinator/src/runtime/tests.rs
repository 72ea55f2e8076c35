//! Tests of the door: a coordinator over a log in memory.
//! Shell.
