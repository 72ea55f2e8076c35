//! Foreign clients and tools, unmodified, run against a broker in another process; and the starters of such brokers.
//! Shell: processes, files, sockets and the clock; nothing here is linked into the broker.

pub mod absent;
pub mod adopt;
pub mod bench;
pub mod broker;
pub mod chart;
pub mod clients;
pub mod cluster;
pub mod contract;
pub mod crash;
pub mod eos;
pub mod failure;
pub mod frameworks;
pub mod image;
pub mod instructions;
pub mod java;
pub mod kcat;
pub mod ledger;
pub mod librdkafka;
pub mod places;
pub mod ports;
pub mod process;
pub mod reference;
pub mod requests;
pub mod runner;
pub mod sasl;
mod sasl_tokens;
pub mod scenario;
pub mod steps;
pub mod summary;
pub mod tls;
pub mod tool_texts;
pub mod tools;
pub mod transactions;
pub mod verdict;
pub mod wire;
pub mod words;
