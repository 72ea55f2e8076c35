//! Work and network for a world without a machine: every task a thread, no sockets.
//! Shell.

use std::io;
use std::net::SocketAddr;

use crate::BoxFuture;
use crate::net::{Acceptor, DialOptions, Net, SocketBuffers, Stream};
use crate::tasks::{TaskHandle, Tasks, ThreadHandle, block_on};

/// Refuses every socket.
pub struct NoNet;

impl Net for NoNet {
    fn bind(&self, _addr: SocketAddr, _buffers: SocketBuffers) -> io::Result<Box<dyn Acceptor>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn dial(
        &self,
        _host: &str,
        _port: u16,
        _options: DialOptions,
    ) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

/// Gives each task a thread of its own. A task can't be ended from outside: it ends by itself.
pub struct ThreadTasks;

impl Tasks for ThreadTasks {
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        let thread = self.spawn_thread(name, Box::new(move || block_on(work)));
        TaskHandle::new(Box::new(|| {}), Box::pin(async move { thread.join() }))
    }

    fn spawn_thread(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .unwrap_or_else(|error| panic!("no thread for {name}: {error}"));
        ThreadHandle::new(Box::new(move || {
            // A thread that panicked has ended.
            let _ended = thread.join();
        }))
    }
}
