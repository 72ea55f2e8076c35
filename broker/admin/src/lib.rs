//! HTTP for people and machines that watch the broker: metrics, health, one plain page.
//! Shell. Knows no other room: what it shows is given to it as `AdminSources`.

mod metrics_text;
mod pages;
mod process_metrics;
mod route;
mod server;
mod stream_io;

pub use metrics_text::MetricsText;
pub use pages::{About, AdminSources, Asked, Route, Told};
pub use process_metrics::ProcessMetrics;
pub use route::serve_route;
pub use server::{AdminServer, BoundAdminServer};
