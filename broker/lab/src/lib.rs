//! The test lab: faults by rule, a journal of requests, records and waits, clusters by the dozen; for `ottla lab` alone.
//! Shell. It stands in front of the handler of all frames, as a `Handler` of its own, and nowhere else: a broker without
//! the lab has no trace of it (docs/decisions/0044).
//!
//! Reading order: `words`, `rule` (what may be asked), `scope` and `facts` (what a request is about), `faults` (which
//! rule acts), `places` (where an error stands in an answer), `releases` (older Kafkas), `journal`, `tape`,
//! `again` and `played` (recordings, compared and as a broker), which are core; then `cluster`, `passing` (one
//! request on its way), `clock`, `inside` (requests of the lab's own), `behind`
//! (what no request does), `play` (a recording as a client), and `control`, the API over HTTP.

mod again;
mod bad;
mod behind;
mod clock;
mod cluster;
mod control;
mod facts;
mod faults;
mod inside;
mod journal;
mod json;
mod lint;
mod named_tasks;
mod passing;
pub mod places;
mod play;
mod played;
mod releases;
mod rule;
pub mod scope;
mod settings;
mod tape;
mod tar;
mod turns;
mod words;

pub use bad::Bad;
pub use behind::{Behind, Forgotten, HangingWrite};
pub use clock::Mode;
pub use cluster::Cluster;
pub use control::{Created, Host, Lab, MAIN, SNAPSHOT};
pub use named_tasks::NamedTasks;
pub use releases::Release;
pub use settings::{ClusterSettings, LabSettings, TopicSettings};
pub use words::duration;
