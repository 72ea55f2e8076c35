//! What others need of the process: a node as a simulated world starts it, and the adoption of Kafka's data.
//! Shell.

pub mod adopt;
pub mod after_registration;
pub mod balancing;
pub mod cleaner_metrics;
pub mod client_figures;
pub mod cluster;
pub mod cluster_figures;
pub mod controller_listeners;
pub mod controller_registration;
pub mod detection;
pub mod explain;
pub mod figures;
pub mod founding;
pub mod group_figures;
pub mod identity;
pub mod issuers;
pub mod kafka_names;
pub mod lab;
pub mod lab_behind;
pub mod lifecycle;
pub mod listeners;
pub mod membership;
pub mod own_vote;
pub mod quota_figures;
pub mod request_figures;
pub mod rooms;
pub mod scram_users;
pub mod settings;
pub mod share;
pub mod start_topics;
pub mod tls;
pub mod transactions;
pub mod wiring;
