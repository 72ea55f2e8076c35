//! TLS: stores of keys and certificates, what a listener accepts with them, the names in certificates, and the stream.
//! Core, but for `context`, which reads the files that the keys name, and `stream`, which drives a socket.
//!
//! Reading order: `error`, `pem`, `jks`, `pkcs12` (formats), `store` (which of them, and from where), `names` and
//! `rules` (principals), `verifier`, `context` (from keys to a configuration), `stream`;
//! `dev` makes what the others read.

mod context;
pub mod dev;
mod error;
mod jks;
mod names;
mod pem;
mod pkcs12;
mod rules;
mod store;
mod stream;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod test_stores;
mod verifier;

pub use context::{ClientTls, TlsContext, TlsListener};
pub use error::TlsError;
pub use names::distinguished_name;
pub use rules::PrincipalRules;
pub use stream::{Handshake, TlsStream};
