//! The HTTP listener: few connections, small requests, no request of which can hold up the broker.
//! Shell.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use ottla_env::Env;
use ottla_env::net::{Acceptor, SocketBuffers, Stream};
use ottla_env::tasks::TaskHandle;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::pages::{self, AdminSources, Page};
use crate::route::{self, ROUTE_LIFE};
use crate::stream_io::StreamIo;

/// Connections at a time; the next waits in the backlog.
const CONNECTIONS_MAX: usize = 64;
/// A request with its headers; hyper answers 431 beyond.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// A connection is asked to end after this, so that one that says nothing frees its place.
const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// What an answer under way then still has.
const CONNECTION_GRACE: Duration = Duration::from_secs(5);
/// Scrapes at a time; the next waits.
const SCRAPES_MAX: usize = 4;
/// Pieces of an answer that wait for a scraper to read them.
const PIECES_AHEAD: usize = 2;
const ACCEPT_BACKOFF: Duration = Duration::from_millis(500);

/// A socket that is bound and not yet served.
pub struct BoundAdminServer {
    env: Env,
    acceptor: Box<dyn Acceptor>,
}

/// Serves until dropped or shut down.
pub struct AdminServer {
    addr: SocketAddr,
    accepting: TaskHandle,
    stopping: watch::Sender<bool>,
}

struct Serving {
    env: Env,
    sources: AdminSources,
    /// One is held during each scrape.
    scrapes: Arc<Semaphore>,
}

impl AdminServer {
    pub fn bind(env: &Env, addr: SocketAddr) -> io::Result<BoundAdminServer> {
        Ok(BoundAdminServer { env: env.clone(), acceptor: env.net.bind(addr, SocketBuffers::default())? })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes the listening socket and every connection.
    pub async fn shutdown(self) {
        self.stopping.send_replace(true);
        self.accepting.join().await;
    }
}

impl BoundAdminServer {
    pub fn addr(&self) -> SocketAddr {
        self.acceptor.local_addr()
    }

    pub fn serve(self, sources: AdminSources) -> AdminServer {
        let addr = self.addr();
        let stopping = watch::Sender::new(false);
        let env = self.env.clone();
        let serving =
            Arc::new(Serving { env: self.env, sources, scrapes: Arc::new(Semaphore::new(SCRAPES_MAX)) });
        let work = accept_loop(self.acceptor, serving, stopping.subscribe());
        let accepting = env.tasks.spawn("admin-accept", Box::pin(work));
        AdminServer { addr, accepting, stopping }
    }
}

async fn accept_loop(
    mut acceptor: Box<dyn Acceptor>,
    serving: Arc<Serving>,
    mut stopping: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let connections = stopping.clone();
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, poll_fn(|context| acceptor.poll_accept(context)).await)
        };
        let (place, accepted) = tokio::select! {
            _stop = stopping.wait_for(|stop| *stop) => return,
            accepted = accept => accepted,
        };
        match accepted {
            Ok(stream) => {
                let serving_it = Arc::clone(&serving);
                let work = async move {
                    let _place = place;
                    connection(stream, serving_it, connections).await;
                };
                // It ends with its stream, its time, or when the server stops.
                serving.env.tasks.spawn("admin-connection", Box::pin(work)).detach();
            }
            Err(error) => {
                tracing::debug!(%error, "cannot accept a connection for the admin page, trying again");
                let clock = &serving.env.clock;
                clock.sleep_until(clock.monotonic().after(ACCEPT_BACKOFF)).await;
            }
        }
    }
}

async fn connection(stream: Box<dyn Stream>, serving: Arc<Serving>, mut stopping: watch::Receiver<bool>) {
    let clock = Arc::clone(&serving.env.clock);
    let life = if serving.sources.route.is_some() { ROUTE_LIFE } else { CONNECTION_LIFE };
    let end = clock.monotonic().after(life);
    let service = service_fn(move |request| respond(request, Arc::clone(&serving)));
    let mut builder = http1::Builder::new();
    builder.max_buf_size(REQUEST_BYTES_MAX).max_headers(HEADERS_MAX);
    let mut http = std::pin::pin!(builder.serve_connection(StreamIo::new(stream), service));
    let stop = async {
        // An error means that the server is gone, which stops as well.
        let _stopped = stopping.wait_for(|stop| *stop).await.is_ok();
    };
    let served = tokio::select! {
        served = http.as_mut() => served,
        () = stop => return,
        () = clock.sleep_until(end) => {
            http.as_mut().graceful_shutdown();
            tokio::select! {
                served = http => served,
                () = clock.sleep_until(end.after(CONNECTION_GRACE)) => return,
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the admin page failed");
    }
}

type Body = Either<Full<Bytes>, Pieces>;

async fn respond(request: Request<Incoming>, serving: Arc<Serving>) -> hyper::Result<Response<Body>> {
    if let Some(route) = serving.sources.route.as_ref().filter(|route| route.takes(request.uri().path())) {
        return Ok(route::ask(route, request).await.map(Either::Left));
    }
    Ok(match pages::page(request.method(), request.uri().path(), &serving.sources) {
        Page::Answer(answer) => answer.map(Either::Left),
        Page::Metrics => scrape(&serving).await.map(Either::Right),
    })
}

/// An answer that is written while it is sent.
struct Pieces(mpsc::Receiver<Piece>);

enum Piece {
    Bytes(Bytes),
    /// All was sent. An answer without it was cut off, and its connection is closed.
    End,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.get_mut().0.poll_recv(context).map(|piece| match piece {
            Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::End) => None,
            None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        })
    }
}

/// A few scrapes at a time, each on a thread of its own: with many partitions it takes longer than a task
/// may run, and a scraper may read slowly.
async fn scrape(serving: &Serving) -> Response<Pieces> {
    let place = Arc::clone(&serving.scrapes).acquire_owned().await;
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    let sources = serving.sources.clone();
    let work = move || {
        let _place = place;
        let mut send = |bytes| sender.blocking_send(Piece::Bytes(bytes)).is_ok();
        if pages::metrics(&sources, &mut send) {
            // The scraper may be gone.
            let _gone = sender.blocking_send(Piece::End);
        }
    };
    let _thread = serving.env.tasks.spawn_thread("admin-scrape", Box::new(work));
    pages::answer_with(StatusCode::OK, pages::METRICS, Pieces(pieces))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use ottla_env::memory::net::{MemoryNet, MemoryStream};
    use prometheus::{IntCounter, Registry};

    use super::*;
    use crate::pages::About;

    struct House {
        net: MemoryNet,
        server: AdminServer,
        is_ready: Arc<AtomicBool>,
        refreshes: Arc<AtomicUsize>,
    }

    /// A source that fails when it has written so many.
    const CUT_OFF: usize = 10_000;

    fn serve() -> House {
        serve_with(0)
    }

    fn serve_with(series: usize) -> House {
        let net = MemoryNet::new();
        let env = Env { net: Arc::new(net.clone()), ..ottla_env::real::env() };
        let registry = Registry::new();
        let counter = IntCounter::new("ottla_test_total", "A figure.").expect("a good name");
        counter.inc_by(7);
        registry.register(Box::new(counter)).expect("the name is free");
        let is_ready = Arc::new(AtomicBool::new(false));
        let refreshes = Arc::new(AtomicUsize::new(0));
        let (ready, refresh) = (Arc::clone(&is_ready), Arc::clone(&refreshes));
        let sources = AdminSources {
            registry,
            ready: Arc::new(move || ready.load(Ordering::SeqCst)),
            refresh: Arc::new(move || {
                refresh.fetch_add(1, Ordering::SeqCst);
            }),
            figures: Arc::new(move |text| {
                text.metric("ottla_many", "gauge", "Many.");
                for number in 0..series {
                    text.sample("ottla_many", &[("number", &number.to_string())], 1);
                }
                assert!(series != CUT_OFF, "as it should");
            }),
            cluster: Arc::new(|| None),
            about: About {
                version: "1.2.3".into(),
                cluster_id: "cluster".into(),
                node_id: 0,
                bootstrap: vec!["127.0.0.1:9092".into()],
            },
            route: None,
        };
        let bound = AdminServer::bind(&env, SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port is free");
        House { net, server: bound.serve(sources), is_ready, refreshes }
    }

    /// Sends a request that closes its connection, and gives the whole answer.
    async fn exchange(house: &House, request: &str) -> String {
        let mut client = house.net.connect(house.server.addr()).expect("it listens");
        assert_eq!(client.try_write(request.as_bytes()).ok(), Some(request.len()));
        read_to_end(&mut client).await
    }

    async fn read_to_end(client: &mut MemoryStream) -> String {
        let mut received = bytes::BytesMut::new();
        loop {
            received.reserve(4096);
            match poll_fn(|context| client.poll_read(context, &mut received)).await {
                Ok(0) | Err(_) => return String::from_utf8_lossy(&received).into_owned(),
                Ok(_more) => {}
            }
        }
    }

    async fn get(house: &House, path: &str) -> String {
        exchange(house, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
    }

    #[tokio::test]
    async fn metrics_are_refreshed_at_each_scrape() {
        let house = serve();
        for scrape in 1..=2 {
            let text = get(&house, "/metrics").await;
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
            assert!(text.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
            let text = body(&text).expect("a whole answer");
            assert!(text.contains("# TYPE ottla_test_total counter\nottla_test_total 7\n"), "{text}");
            assert!(text.ends_with("# TYPE ottla_many gauge\n"), "{text}");
            assert_eq!(house.refreshes.load(Ordering::SeqCst), scrape);
        }
    }

    /// The body of an answer in chunks; `None` when it does not end as it should.
    fn body(answer: &str) -> Option<String> {
        let (_head, mut rest) = answer.split_once("\r\n\r\n")?;
        let mut body = String::new();
        loop {
            let (length, chunk) = rest.split_once("\r\n")?;
            let length = usize::from_str_radix(length, 16).ok()?;
            body.push_str(chunk.get(..length)?);
            rest = chunk[length..].strip_prefix("\r\n")?;
            if length == 0 {
                return Some(body);
            }
        }
    }

    #[tokio::test]
    async fn many_figures_come_whole_and_in_order() {
        let house = serve_with(200_000);
        let text = body(&get(&house, "/metrics").await).expect("a whole answer");
        let samples: Vec<&str> = text.lines().filter(|line| line.starts_with("ottla_many{")).collect();
        assert_eq!(samples.len(), 200_000);
        assert!(
            samples
                .iter()
                .enumerate()
                .all(|(number, line)| { *line == format!("ottla_many{{number=\"{number}\"}} 1") })
        );
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_off_does_not_look_whole() {
        let house = serve_with(CUT_OFF);
        let text = get(&house, "/metrics").await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert_eq!(body(&text), None);
    }

    #[tokio::test]
    async fn health_tells_a_running_process_from_a_serving_broker() {
        let house = serve();
        assert!(get(&house, "/health/live").await.starts_with("HTTP/1.1 200 "));
        assert!(get(&house, "/health/ready").await.starts_with("HTTP/1.1 503 "));
        house.is_ready.store(true, Ordering::SeqCst);
        assert!(get(&house, "/health/ready").await.starts_with("HTTP/1.1 200 "));
    }

    #[tokio::test]
    async fn the_front_page_names_what_there_is() {
        let house = serve();
        let text = get(&house, "/").await;
        for part in ["Ottla 1.2.3", "127.0.0.1:9092", "/metrics", "/health/live", "/health/ready"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_or_not_asked_rightly_is_refused() {
        let house = serve();
        assert!(get(&house, "/nowhere").await.starts_with("HTTP/1.1 404 "));
        let post = "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let text = exchange(&house, post).await;
        assert!(text.starts_with("HTTP/1.1 405 "));
        assert!(text.contains("allow: GET, HEAD\r\n"));
        let head = exchange(&house, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"));
    }

    #[tokio::test]
    async fn a_request_without_end_is_refused() {
        let house = serve();
        let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(REQUEST_BYTES_MAX + 1));
        assert!(exchange(&house, &endless).await.starts_with("HTTP/1.1 431 "));
    }

    #[tokio::test]
    async fn shutdown_closes_the_socket_and_the_connections() {
        let house = serve();
        let mut client = house.net.connect(house.server.addr()).expect("it listens");
        assert!(get(&house, "/health/live").await.starts_with("HTTP/1.1 200 "));
        let addr = house.server.addr();
        house.server.shutdown().await;
        assert_eq!(read_to_end(&mut client).await, "");
        assert!(house.net.connect(addr).is_err());
    }
}
