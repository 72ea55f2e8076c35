//! The network between the hosts: addresses, connections on the way, and what goes wrong with them.
//! Shell: one lock around plain state; what is due comes from the agenda.
//!
//! As TCP has it: what is sent over a connection arrives whole and in order, or the connection ends. A cut holds bytes
//! back until it is mended; a host without power says nothing, one whose process is gone resets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::agenda::Event;
use super::stream::{Connection, Dialling, SimStream};
use super::{HostId, Shared};
use crate::BoxFuture;
use crate::net::{Acceptor, DialOptions, Net, SocketBuffers, Stream};

/// How long bytes are on their way over a link that nothing is the matter with.
const DELAY: (Duration, Duration) = (Duration::from_micros(30), Duration::from_micros(400));
/// How soon a dial that got no answer is tried again by the kernel.
const DIAL_AGAIN: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(350));
/// A silence is noticed by a probe: so much later than the option says at the most.
const PROBE: Duration = Duration::from_millis(1_000);
const FIRST_CLIENT_PORT: u16 = 40_000;
const FIRST_PICKED_PORT: u16 = 20_000;

pub(super) enum NetEvent {
    /// What is due at an end of a connection.
    Arrive { connection: u64, end: usize },
    /// A dial reaches the other host, or is tried again.
    Dial(u64),
    /// The answer of the other host is back.
    Dialled(u64),
    /// An end has heard nothing for so long as it wants to wait.
    Silence { connection: u64, end: usize, wait: Duration },
}

pub(super) struct NetState {
    pub listeners: BTreeMap<SocketAddr, Listener>,
    pub connections: BTreeMap<u64, Connection>,
    pub dials: BTreeMap<u64, Dialling>,
    /// Directions that are cut, and since when.
    cuts: BTreeMap<(HostId, HostId), Duration>,
    /// Directions with a delay of their own.
    slow: BTreeMap<(HostId, HostId), (Duration, Duration)>,
    /// Hosts without power, and since when.
    dark: BTreeMap<HostId, Duration>,
    pub next: u64,
    next_port: u16,
}

pub(super) struct Listener {
    host: HostId,
    backlog: VecDeque<SimStream>,
    waker: Option<Waker>,
}

impl NetState {
    pub fn new() -> NetState {
        NetState {
            listeners: BTreeMap::new(),
            connections: BTreeMap::new(),
            dials: BTreeMap::new(),
            cuts: BTreeMap::new(),
            slow: BTreeMap::new(),
            dark: BTreeMap::new(),
            next: 0,
            next_port: 0,
        }
    }

    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn port(&mut self) -> u16 {
        self.next_port = (self.next_port + 1) % 20_000;
        self.next_port
    }

    /// Since when nothing passes in this direction; `None` where it does.
    fn blocked_since(&self, from: HostId, to: HostId) -> Option<Duration> {
        let cut = self.cuts.get(&(from, to));
        [cut, self.dark.get(&from), self.dark.get(&to)].into_iter().flatten().min().copied()
    }

    pub fn is_open(&self, from: HostId, to: HostId) -> bool {
        self.blocked_since(from, to).is_none()
    }

    fn delay(&self, from: HostId, to: HostId) -> (Duration, Duration) {
        self.slow.get(&(from, to)).copied().unwrap_or(DELAY)
    }
}

/// The address of a host.
pub(super) fn ip(host: HostId) -> IpAddr {
    let [high, low] = host.0.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(10, 0, high, low))
}

fn host_of(addr: SocketAddr) -> Option<HostId> {
    match addr.ip() {
        IpAddr::V4(ip) if ip.octets()[..2] == [10, 0] => {
            Some(HostId(u16::from_be_bytes([ip.octets()[2], ip.octets()[3]])))
        }
        _ => None,
    }
}

/// A moment at which what is sent now over a direction arrives.
pub(super) fn arrival(shared: &Shared, state: &NetState, from: HostId, to: HostId) -> Duration {
    let (least, most) = state.delay(from, to);
    shared.now() + shared.between(least, most)
}

/// Something is due. Wakers are called without the lock.
pub(super) fn happen(shared: &Arc<Shared>, event: NetEvent) {
    let mut wakers = Vec::new();
    {
        let mut state = shared.net.lock();
        match event {
            NetEvent::Arrive { connection, end } => {
                super::stream::arrive(shared, &mut state, connection, end, &mut wakers);
            }
            NetEvent::Dial(id) => dial_arrives(shared, &mut state, id, &mut wakers),
            NetEvent::Dialled(id) => {
                if let Some(dial) = state.dials.get_mut(&id) {
                    dial.is_answered = true;
                    wakers.extend(dial.waker.take());
                }
            }
            NetEvent::Silence { connection, end, wait } => {
                let now = shared.now();
                if let Some((from, to)) = super::stream::direction(&state, connection, end)
                    && [state.blocked_since(from, to), state.blocked_since(to, from)]
                        .into_iter()
                        .flatten()
                        .any(|since| since + wait <= now)
                {
                    super::stream::fail(&mut state, connection, end, io::ErrorKind::TimedOut, &mut wakers);
                }
            }
        }
    }
    wakers.into_iter().for_each(Waker::wake);
}

fn dial_arrives(shared: &Arc<Shared>, state: &mut NetState, id: u64, wakers: &mut Vec<Waker>) {
    let Some(dial) = state.dials.get(&id) else { return };
    let (from, addr) = (dial.from, dial.addr);
    let to = host_of(addr);
    let open = to.filter(|to| state.is_open(from, *to) && state.is_open(*to, from));
    let Some(to) = open else {
        let again = shared.now() + shared.between(DIAL_AGAIN.0, DIAL_AGAIN.1);
        return shared.at(again, Event::Net(NetEvent::Dial(id)));
    };
    let back = arrival(shared, state, to, from);
    let silence_max = state.dials.get(&id).and_then(|dial| dial.silence_max);
    let outcome = match state.listeners.contains_key(&addr) {
        false => Err(io::ErrorKind::ConnectionRefused),
        true => {
            let local = SocketAddr::new(ip(from), FIRST_CLIENT_PORT + state.port());
            let connection = state.number();
            let (near, far) =
                super::stream::open(shared, state, connection, (from, local), (to, addr), silence_max);
            let listener = state.listeners.get_mut(&addr).expect("looked at");
            listener.backlog.push_back(far);
            wakers.extend(listener.waker.take());
            Ok(near)
        }
    };
    if let Some(dial) = state.dials.get_mut(&id) {
        dial.outcome = Some(outcome);
    }
    shared.at(back, Event::Net(NetEvent::Dialled(id)));
}

/// A process ends: its listeners are gone, and who is connected to it hears of it, unless its host is silent.
pub(super) fn process_is_gone(shared: &Arc<Shared>, host: HostId, is_heard: bool) {
    let dropped = {
        let mut state = shared.net.lock();
        if !is_heard {
            state.dark.insert(host, shared.now());
            watch_silence(shared, &state, |from, to| from == host || to == host);
        }
        let gone: Vec<SocketAddr> =
            state.listeners.iter().filter(|(_, one)| one.host == host).map(|(addr, _)| *addr).collect();
        let listeners: Vec<Listener> = gone.iter().filter_map(|addr| state.listeners.remove(addr)).collect();
        super::stream::leave(shared, &mut state, host);
        listeners
    };
    drop(dropped);
}

pub(super) fn power_on(shared: &Arc<Shared>, host: HostId) {
    let mut state = shared.net.lock();
    if state.dark.remove(&host).is_some() {
        super::stream::mended(shared, &mut state, |from, to| from == host || to == host);
    }
}

/// Ends that do not want to wait for ever find out.
fn watch_silence(shared: &Arc<Shared>, state: &NetState, concerns: impl Fn(HostId, HostId) -> bool) {
    for (connection, end, wait) in super::stream::impatient(state, concerns) {
        let at = shared.now() + wait + shared.between(Duration::ZERO, PROBE);
        shared.at(at, Event::Net(NetEvent::Silence { connection, end, wait }));
    }
}

pub(super) fn break_connections(shared: &Arc<Shared>, one: HostId, other: HostId) {
    let mut wakers = Vec::new();
    {
        let mut state = shared.net.lock();
        for (connection, end) in super::stream::ends_between(&state, one, other) {
            super::stream::fail(&mut state, connection, end, io::ErrorKind::ConnectionReset, &mut wakers);
        }
    }
    wakers.into_iter().for_each(Waker::wake);
}

/// One direction between two hosts.
pub struct Link {
    shared: Arc<Shared>,
    direction: (HostId, HostId),
}

impl Link {
    pub(super) fn new(shared: Arc<Shared>, from: HostId, to: HostId) -> Link {
        Link { shared, direction: (from, to) }
    }

    /// Nothing passes any more.
    pub fn cut(&self) {
        let mut state = self.shared.net.lock();
        let now = self.shared.now();
        state.cuts.entry(self.direction).or_insert(now);
        let (from, to) = self.direction;
        watch_silence(&self.shared, &state, |a, b| (a, b) == (from, to) || (b, a) == (from, to));
    }

    /// What was held back is sent again.
    pub fn mend(&self) {
        let mut state = self.shared.net.lock();
        if state.cuts.remove(&self.direction).is_some() {
            let direction = self.direction;
            super::stream::mended(&self.shared, &mut state, |from, to| (from, to) == direction);
        }
    }

    pub fn set_delay(&self, delay: Option<(Duration, Duration)>) {
        let mut state = self.shared.net.lock();
        match delay {
            Some(delay) => state.slow.insert(self.direction, delay),
            None => state.slow.remove(&self.direction),
        };
    }
}

/// A host's view of the network.
pub struct HostNet {
    pub(super) shared: Arc<Shared>,
    pub(super) host: HostId,
}

impl Net for HostNet {
    fn bind(&self, addr: SocketAddr, _buffers: SocketBuffers) -> io::Result<Box<dyn Acceptor>> {
        if host_of(addr) != Some(self.host) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let mut state = self.shared.net.lock();
        let mut addr = addr;
        if addr.port() == 0 {
            let taken: BTreeSet<u16> = state.listeners.keys().map(SocketAddr::port).collect();
            let free = (FIRST_PICKED_PORT..).find(|port| !taken.contains(port)).expect("few listen");
            addr.set_port(free);
        }
        if state.listeners.contains_key(&addr) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.listeners.insert(addr, Listener { host: self.host, backlog: VecDeque::new(), waker: None });
        Ok(Box::new(SimAcceptor { shared: self.shared.clone(), addr }))
    }

    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let ip = host.parse().map_err(|_| io::Error::new(io::ErrorKind::NotFound, "unknown host"))?;
        Ok(vec![SocketAddr::new(ip, port)])
    }

    fn dial(
        &self,
        host: &str,
        port: u16,
        options: DialOptions,
    ) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        let (shared, from, resolved) = (self.shared.clone(), self.host, self.resolve(host, port));
        Box::pin(async move {
            let addr = resolved?[0];
            let stream = super::stream::dial(shared, from, addr, options.silence_max).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

struct SimAcceptor {
    shared: Arc<Shared>,
    addr: SocketAddr,
}

impl Acceptor for SimAcceptor {
    fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>> {
        let mut state = self.shared.net.lock();
        // A process that is gone accepts nothing.
        let Some(listener) = state.listeners.get_mut(&self.addr) else { return Poll::Pending };
        match listener.backlog.pop_front() {
            Some(stream) => Poll::Ready(Ok(Box::new(stream))),
            None => {
                listener.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for SimAcceptor {
    fn drop(&mut self) {
        let dropped = self.shared.net.lock().listeners.remove(&self.addr);
        drop(dropped);
    }
}

impl NetState {
    /// The world ends: what is held is given back, to be dropped outside of the lock.
    #[must_use]
    pub fn take_all(&mut self) -> Box<dyn Send> {
        Box::new((std::mem::take(&mut self.listeners), std::mem::take(&mut self.dials)))
    }
}
