//! Where a client of a load connects, and the socket that it gets there: bare, or with TLS over it.
//! Shell: sockets.

use std::io::{Read, Result, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustix::net::{RecvFlags, recv};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::load::connect;
use crate::failure::{Outcome, While, fail};

/// What answers are read from.
pub trait Source: Read {
    /// Reads without a copy, where that is possible.
    fn discard(&mut self, buffer: &mut [u8]) -> Outcome<usize>;
}

impl Source for TcpStream {
    fn discard(&mut self, buffer: &mut [u8]) -> Outcome<usize> {
        let (_, count) =
            recv(&*self, buffer, RecvFlags::TRUNC).while_doing(|| "reading an answer".to_owned())?;
        Ok(count)
    }
}

/// `host:port`, and what its listener wants of a client.
#[derive(Debug, Clone)]
pub struct Address {
    host: String,
    tls: Option<Arc<ClientConfig>>,
}

impl From<&str> for Address {
    fn from(host: &str) -> Self {
        host.to_owned().into()
    }
}

impl From<String> for Address {
    fn from(host: String) -> Self {
        Self { host, tls: None }
    }
}

impl Address {
    /// A listener with TLS whose certificate this authority has signed. Every handshake is a whole one, with the suite
    /// that the JDK prefers, so that all brokers do the same work.
    pub fn with_tls(host: String, authority: &Path) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(authority)
            .while_doing(|| format!("reading {}", authority.display()))?;
        roots.add(certificate).while_doing(|| "taking an authority".to_owned())?;
        let provider = CryptoProvider {
            cipher_suites: vec![cipher_suite::TLS13_AES_256_GCM_SHA384],
            kx_groups: vec![kx_group::X25519],
            ..aws_lc_rs::default_provider()
        };
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .while_doing(|| "choosing TLS 1.3".to_owned())?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self { host, tls: Some(Arc::new(config)) })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn connect(&self) -> Outcome<Socket> {
        let stream = connect(&self.host)?;
        let Some(config) = &self.tls else { return Ok(Socket::Bare(stream)) };
        let host = self.host.rsplit_once(':').map_or(self.host.as_str(), |(host, _port)| host);
        let name = ServerName::try_from(host.to_owned()).while_doing(|| format!("naming {host}"))?;
        let connection =
            ClientConnection::new(config.clone(), name).while_doing(|| "beginning TLS".to_owned())?;
        Ok(Socket::Tls(Box::new(StreamOwned::new(connection, stream))))
    }

    /// For clients that write and read in two threads, which cannot share what TLS knows.
    pub fn connect_bare(&self) -> Outcome<TcpStream> {
        if self.tls.is_some() {
            return fail("a client of two threads has no TLS");
        }
        connect(&self.host)
    }
}

/// One connection.
#[derive(Debug)]
pub enum Socket {
    Bare(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Socket {
    /// The connection as the broker sees it goes on; what this side needs for TLS is given up.
    pub fn into_stream(self) -> TcpStream {
        match self {
            Self::Bare(stream) => stream,
            Self::Tls(tls) => tls.sock,
        }
    }
}

impl Source for Socket {
    fn discard(&mut self, buffer: &mut [u8]) -> Outcome<usize> {
        match self {
            Self::Bare(stream) => stream.discard(buffer),
            Self::Tls(tls) => tls.read(buffer).while_doing(|| "reading an answer".to_owned()),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Bare(stream) => stream.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Self::Bare(stream) => stream.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Self::Bare(stream) => stream.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
