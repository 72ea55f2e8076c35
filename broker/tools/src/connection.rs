//! One connection to a broker: frames out and in, the versions that both sides have.
//! Shell: a socket that blocks.
//!
//! ```text
//! | length i32 | api key i16 | version i16 | correlation id i32 | client id | [tags] | body |   out
//! | length i32 | correlation id i32 | [tags] | body |                                          in
//! ```

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_env::Rng;
use ottla_env::real::RealRng;
use ottla_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, SaslAuthenticateRequest, SaslHandshakeRequest, StrBytes,
    api_versions_response,
};
use ottla_protocol::{
    ApiKey, Encode, Request, RequestHeader, decode_response, decode_response_header, versions,
};
use ottla_security::sasl::{ClientStep, SaslClient};

use crate::client::ClientSettings;
use crate::error::Exception;
use crate::login::{Login, Wire};

/// A response that promises more is not read.
const RESPONSE_BYTES_MAX: usize = 104_857_600;
const DIAL_LIMIT: Duration = Duration::from_secs(10);
const UNSUPPORTED_VERSION: i16 = 35;

/// One connection, its versions agreed on.
pub struct Connection {
    stream: Wire,
    next_correlation_id: i32,
    api_keys: Vec<api_versions_response::ApiVersion>,
}

/// Why a call over a connection has no answer.
pub enum Broken {
    /// The connection is of no use any more.
    Lost(String),
    /// No other connection would do better.
    Told(Exception),
}

/// A request that was sent: what its answer must be read as.
#[derive(Clone, Copy)]
pub struct Sent {
    version: i16,
    correlation_id: i32,
}

impl Connection {
    pub fn open(
        host: &str,
        port: u16,
        settings: &ClientSettings,
        login: &Login,
    ) -> Result<Connection, Broken> {
        let lost = |error: std::io::Error| Broken::Lost(error.to_string());
        let mut last = Broken::Lost("the name has no address".to_owned());
        for address in (host, port).to_socket_addrs().map_err(lost)? {
            match TcpStream::connect_timeout(&address, DIAL_LIMIT) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(lost)?;
                    stream.set_read_timeout(Some(settings.request_timeout)).map_err(lost)?;
                    let stream = login.protect(stream, host).map_err(|error| unprotected(&error))?;
                    let mut connection = Connection { stream, next_correlation_id: 0, api_keys: Vec::new() };
                    connection.agree(settings)?;
                    connection.log_in(settings, login)?;
                    return Ok(connection);
                }
                Err(error) => last = lost(error),
            }
        }
        Err(last)
    }

    /// Says who this is, where the listener asks (KIP-152).
    fn log_in(&mut self, settings: &ClientSettings, login: &Login) -> Result<(), Broken> {
        let Some((mechanism, credentials)) = login.credentials() else { return Ok(()) };
        let name = mechanism.name();
        let failed = |why: String| Broken::Told(Exception::kafka("SaslAuthenticationException", why));
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let request = SaslHandshakeRequest::default().with_mechanism(text(name));
        let offered = self.call(&settings.client_id, &request)?;
        if offered.error_code != 0 {
            let mechanisms: Vec<&str> = offered.mechanisms.iter().map(|one| &**one).collect();
            let why = format!(
                "Client SASL mechanism '{name}' not enabled in the server, enabled mechanisms are [{}]",
                mechanisms.join(", ")
            );
            return Err(Broken::Told(Exception::kafka("UnsupportedSaslMechanismException", why)));
        }
        let random: Vec<u8> = [RealRng.next_16(), RealRng.next_16()].concat();
        let (mut client, mut token) = SaslClient::first(mechanism, credentials, &random);
        loop {
            let request = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
            let answer = self.call(&settings.client_id, &request)?;
            if answer.error_code != 0 {
                let why = answer.error_message.map(|message| message.to_string());
                return Err(failed(why.unwrap_or_else(|| format!("Authentication failed with {name}"))));
            }
            match client.step(&answer.auth_bytes).map_err(|error| failed(error.to_string()))? {
                ClientStep::Send(next) => token = next,
                ClientStep::Done => return Ok(()),
            }
        }
    }

    /// Asks what the broker serves; an old one is asked again in the first version (KIP-511).
    fn agree(&mut self, settings: &ClientSettings) -> Result<(), Broken> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("ottla"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let highest = versions::of(ApiKey::ApiVersions).decodable.expect("it has messages").max;
        let mut response: ApiVersionsResponse = match self.exchange(&settings.client_id, &request, highest) {
            // The answer of a broker that does not know the version is one of version 0.
            Err(Broken::Told(_)) => self.exchange(&settings.client_id, &ApiVersionsRequest::default(), 0)?,
            other => other?,
        };
        if response.error_code == UNSUPPORTED_VERSION {
            response = self.exchange(&settings.client_id, &ApiVersionsRequest::default(), 0)?;
        }
        Exception::check(response.error_code, None).map_err(Broken::Told)?;
        self.api_keys = response.api_keys;
        Ok(())
    }

    /// What the broker says it serves.
    pub fn api_keys(&self) -> &[api_versions_response::ApiVersion] {
        &self.api_keys
    }

    /// From now on an answer may take so long.
    pub fn answer_within(&mut self, limit: Duration) -> Result<(), Broken> {
        self.stream.read_within(limit).map_err(|error| Broken::Lost(error.to_string()))
    }

    pub fn call<R: Request>(&mut self, client_id: &str, request: &R) -> Result<R::Response, Broken> {
        let sent = self.send(client_id, request)?;
        self.receive::<R>(sent)
    }

    /// Sends a request in the highest version that both sides have.
    pub fn send<R: Request>(&mut self, client_id: &str, request: &R) -> Result<Sent, Broken> {
        let version = common(&self.api_keys, R::API_KEY).ok_or_else(|| {
            Broken::Told(Exception::kafka(
                "UnsupportedVersionException",
                format!("The node does not support {}", R::API_KEY.name()),
            ))
        })?;
        self.send_as(client_id, request, version)
    }

    fn send_as<R: Request>(&mut self, client_id: &str, request: &R, version: i16) -> Result<Sent, Broken> {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = correlation_id.wrapping_add(1);
        let frame = frame(client_id, request, version, correlation_id).map_err(Broken::Told)?;
        self.stream.write_all(&frame).map_err(|error| Broken::Lost(error.to_string()))?;
        Ok(Sent { version, correlation_id })
    }

    /// The next answer, which is that to `sent`: a broker answers in order.
    pub fn receive<R: Request>(&mut self, sent: Sent) -> Result<R::Response, Broken> {
        let malformed = |why: String| Broken::Told(Exception::new("java.lang.IllegalStateException", why));
        let mut answer = self.read().map_err(|error| Broken::Lost(error.to_string()))?;
        let answered = decode_response_header(&mut answer, R::API_KEY, sent.version)
            .map_err(|error| malformed(error.to_string()))?;
        if answered != sent.correlation_id {
            let why = format!("the answer to {answered} came instead of that to {}", sent.correlation_id);
            return Err(malformed(why));
        }
        decode_response(R::API_KEY, sent.version, answer).map_err(|error| malformed(error.to_string()))
    }

    fn exchange<R: Request>(
        &mut self,
        client_id: &str,
        request: &R,
        version: i16,
    ) -> Result<R::Response, Broken> {
        let sent = self.send_as(client_id, request, version)?;
        self.receive::<R>(sent)
    }

    fn read(&mut self) -> std::io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > RESPONSE_BYTES_MAX {
            return Err(std::io::Error::other(format!("an answer of {length} bytes is too long")));
        }
        let mut answer = Vec::with_capacity(length.min(64 * 1024));
        let read = (&mut self.stream).take(length as u64).read_to_end(&mut answer)?;
        if read < length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer.into())
    }
}

/// Why TLS did not come about: what a certificate is refused for helps no other attempt.
fn unprotected(error: &std::io::Error) -> Broken {
    match error.kind() {
        std::io::ErrorKind::InvalidData => {
            let why = format!("SSL handshake failed: {error}");
            Broken::Told(Exception::kafka("SslAuthenticationException", why))
        }
        _ => Broken::Lost(error.to_string()),
    }
}

/// A whole request as it goes over the wire.
fn frame<R: Request>(
    client_id: &str,
    request: &R,
    version: i16,
    correlation_id: i32,
) -> Result<BytesMut, Exception> {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    let header = RequestHeader {
        api_key: R::API_KEY.to_i16(),
        api_version: version,
        correlation_id,
        client_id: Some(StrBytes::from_string(client_id.to_owned())),
    };
    header.encode(&mut frame);
    Encode::encode(request, &mut frame, version)
        .map_err(|error| Exception::kafka("UnsupportedVersionException", error.to_string()))?;
    assert!(frame.len() > 8, "a frame has a header");
    let length = i32::try_from(frame.len() - 4)
        .map_err(|_| Exception::kafka("RecordTooLargeException", "The request is too long"))?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// The highest version that both sides have.
pub fn common(api_keys: &[api_versions_response::ApiVersion], key: ApiKey) -> Option<i16> {
    let theirs = api_keys.iter().find(|row| row.api_key == key.to_i16())?;
    let ours = versions::of(key).decodable?;
    let highest = theirs.max_version.min(ours.max);
    (highest >= theirs.min_version.max(ours.min)).then_some(highest)
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::MetadataRequest;

    use super::*;

    #[test]
    fn a_frame_says_how_long_it_is() {
        let frame = frame("c", &MetadataRequest::default(), 12, 7).expect("a frame");
        assert_eq!(frame[..4], i32::to_be_bytes(frame.len() as i32 - 4));
        let mut rest = frame.freeze().slice(4..);
        let header = RequestHeader::decode(&mut rest).expect("a header");
        assert_eq!((header.api_key, header.api_version, header.correlation_id), (3, 12, 7));
    }
}
