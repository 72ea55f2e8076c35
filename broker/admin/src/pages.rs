//! What each address answers.
//! Core: the sources are functions that are given.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use ottla_env::BoxFuture;
use prometheus::{Encoder, Registry, TextEncoder};

use crate::metrics_text::{MetricsText, SendPiece};

/// What there is to show, given by the wiring.
#[derive(Clone)]
pub struct AdminSources {
    pub registry: Registry,
    /// Whether every listener serves.
    pub ready: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Brings gauges of the registry up to date that nobody keeps while nobody looks. Called before each
    /// scrape, on a thread that may block; scrapes may meet.
    pub refresh: Arc<dyn Fn() + Send + Sync>,
    /// Writes figures that are gathered anew at each scrape, behind those of the registry. As `refresh`.
    pub figures: Arc<dyn Fn(&mut MetricsText<'_>) + Send + Sync>,
    /// Lines about the cluster as this node sees it; `None` on a node that is alone.
    pub cluster: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    pub about: About,
    /// What else is served under addresses of its own.
    pub route: Option<Arc<dyn Route>>,
}

/// Addresses that somebody else answers.
pub trait Route: Send + Sync {
    fn takes(&self, path: &str) -> bool;
    fn answer(&self, asked: Asked) -> BoxFuture<'static, Told>;
}

/// A request as a route gets it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// What stands behind the question mark.
    pub query: String,
    pub body: Bytes,
}

/// What a route answers.
#[derive(Clone, Debug)]
pub struct Told {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Bytes,
}

/// Who this broker is.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub version: String,
    pub cluster_id: String,
    pub node_id: i32,
    /// What to give a client, one a listener: `host:port`.
    pub bootstrap: Vec<String>,
}

/// What a request asks for, as far as it can be told at once.
pub enum Page {
    Metrics,
    Answer(Response<Full<Bytes>>),
}

pub const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

pub fn page(method: &Method, path: &str, sources: &AdminSources) -> Page {
    if !matches!(path, "/" | "/metrics" | "/health/live" | "/health/ready") {
        return Page::Answer(answer(StatusCode::NOT_FOUND, PLAIN, "not found\n"));
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refused = answer(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET is served here\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Page::Answer(refused);
    }
    Page::Answer(match path {
        "/metrics" => return Page::Metrics,
        "/health/live" => answer(StatusCode::OK, PLAIN, "live\n"),
        "/health/ready" if (sources.ready)() => answer(StatusCode::OK, PLAIN, "ready\n"),
        "/health/ready" => answer(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "not ready\n"),
        _front => answer(StatusCode::OK, HTML, front_page(&sources.about, (sources.cluster)())),
    })
}

/// All figures in Prometheus' text format, brought up to date before. May take a while. True when all of
/// it was written and read.
pub fn metrics(sources: &AdminSources, send: SendPiece<'_>) -> bool {
    (sources.refresh)();
    let mut text = MetricsText::new(send);
    if let Err(error) = TextEncoder::new().encode(&sources.registry.gather(), &mut text) {
        tracing::debug!(%error, "the metrics could not be written");
        return false;
    }
    (sources.figures)(&mut text);
    text.finish()
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    answer_with(status, content_type, Full::new(body.into()))
}

pub fn answer_with<B>(status: StatusCode, content_type: &'static str, body: B) -> Response<B> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn front_page(about: &About, cluster: Option<String>) -> String {
    let cluster = cluster.map(|text| format!("<pre>\n{}</pre>\n", escape(&text))).unwrap_or_default();
    let bootstrap = escape(&about.bootstrap.join(","));
    let (version, cluster_id, node_id) = (escape(&about.version), escape(&about.cluster_id), about.node_id);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Ottla</title>\n\
         <h1>Ottla {version}</h1>\n\
         <p>Node {node_id} of cluster {cluster_id}. Kafka clients connect to <code>{bootstrap}</code>.</p>\n{cluster}\
         <ul>\n\
         <li><a href=\"/metrics\">/metrics</a>: figures for Prometheus</li>\n\
         <li><a href=\"/health/live\">/health/live</a>: the process runs</li>\n\
         <li><a href=\"/health/ready\">/health/ready</a>: every listener serves</li>\n\
         </ul>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_text() {
        let about = About { bootstrap: vec!["<b>&\"".to_owned()], ..About::default() };
        assert!(front_page(&about, None).contains("<code>&lt;b&gt;&amp;&quot;</code>"));
        let page = front_page(&about, Some("broker <2>\n".to_owned()));
        assert!(page.contains("<pre>\nbroker &lt;2&gt;\n</pre>"), "{page}");
    }
}
