//! Whole clusters from a seed: nodes as the process starts them, clients over the wire protocol, and what befalls both.
//! Shell: the world is `env::memory::sim`; everything above it is the real code.
//!
//! A history has three parts: the nodes found a cluster and get a topic; clients work while nodes and links fail; then all
//! is mended, and within a bound everything must serve and every promise must have been kept.
//!
//! Reading order: `options` (what a seed chooses), `node`, `client` with `producer`, `transactor`, `reader`, `committer` and
//! `admin`, `book` with `transactions` (what clients were told), `nemesis` (what goes wrong), `checks` (what holds meanwhile), `history`. `idle` plays a cluster that nobody uses.

mod admin;
mod book;
mod checks;
mod client;
mod committer;
mod history;
mod idle;
mod nemesis;
mod node;
mod options;
mod producer;
mod reader;
mod transactions;
mod transactor;

pub use client::Client;
pub use history::{Outcome, panic_where_two_runs_part, play};
pub use idle::{Idle, rest, work};
pub use options::TOPIC;
