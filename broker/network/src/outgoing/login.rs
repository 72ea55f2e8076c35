//! The login of an outgoing connection, behind the agreement on versions (SaslHandshake, SaslAuthenticate).
//! Shell over the core in `ottla_security::sasl`. A session that ends is not begun anew over the open connection: the
//! other node closes it, and the next one logs in.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_env::Disk;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use ottla_security::Secret;
use ottla_security::sasl::{ClientStep, Credentials, RANDOM_BYTES, SaslClient, SaslMechanism};

use super::CallError;
use super::link::Link;

/// Who this node is at the other one.
#[derive(Clone, Debug)]
pub struct PeerLogin {
    pub mechanism: SaslMechanism,
    pub name: String,
    pub secret: PeerSecret,
}

/// With what it proves that.
#[derive(Clone)]
pub enum PeerSecret {
    Known(Arc<Secret>),
    /// A file with a token, as it is at the time of the login.
    File {
        disk: Arc<dyn Disk>,
        path: PathBuf,
    },
}

impl std::fmt::Debug for PeerSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PeerSecret::Known(secret) => secret.fmt(f),
            PeerSecret::File { path, .. } => write!(f, "{}", path.display()),
        }
    }
}

impl PeerSecret {
    fn read(&self) -> io::Result<Secret> {
        match self {
            PeerSecret::Known(secret) => Ok(Secret::new(secret.bytes())),
            PeerSecret::File { disk, path } => {
                let whole = Secret::new(disk.read(path)?);
                Ok(Secret::new(whole.bytes().trim_ascii()))
            }
        }
    }
}

/// Logs in; the link serves requests when this returns.
pub(super) async fn log_in(
    link: &Link,
    login: &PeerLogin,
    random: [u8; RANDOM_BYTES],
) -> Result<(), CallError> {
    let refused = |why: String| {
        link.close(&why);
        CallError::Login(why)
    };
    let mechanism = StrBytes::from_static_str(login.mechanism.name());
    let answer = link.call(&SaslHandshakeRequest::default().with_mechanism(mechanism)).await?;
    if answer.error_code != 0 {
        let enabled: Vec<&str> = answer.mechanisms.iter().map(|name| &**name).collect();
        let name = login.mechanism.name();
        return Err(refused(format!("{name} is not enabled there, but {}", enabled.join(", "))));
    }
    let password = login
        .secret
        .read()
        .map_err(|error| refused(format!("{:?} cannot be read: {error}", login.secret)))?;
    let credentials = Credentials { name: login.name.clone(), password };
    let (mut client, mut token) = SaslClient::first(login.mechanism, credentials, &random);
    loop {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
        let answer = link.call(&request).await?;
        if answer.error_code != 0 {
            let why = answer.error_message.as_deref().unwrap_or_default();
            return Err(refused(format!("the login is refused: {why}")));
        }
        match client.step(&answer.auth_bytes) {
            Ok(ClientStep::Send(next)) => token = next,
            Ok(ClientStep::Done) => return Ok(()),
            Err(error) => return Err(refused(error.to_string())),
        }
    }
}
