//! From the keys of a listener to what its connections are accepted with, and to what this broker dials with.
//! Shell: reads the stores, and says once what is odd about them.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ottla_config::ListenerKeys;
use ottla_env::net::Stream;
use ottla_env::{Clock, Disk};
use ottla_model::SecurityProtocol;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, InconsistentKeys, ServerConfig, SupportedProtocolVersion, version};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::error::TlsError;
use super::names::distinguished_name;
use super::rules::PrincipalRules;
use super::store::{self, KeyEntry};
use super::stream::TlsStream;
use super::verifier::{ClientAuth, ClientVerifier, ServerVerifier, Trust};

/// Keys that name Java classes, with what there is instead.
const JAVA_KEYS: [&str; 4] =
    ["ssl.engine.factory.class", "ssl.provider", "ssl.secure.random.implementation", "security.providers"];
/// The keys whose values make a context, besides the files that they name.
const TEXTS: [&str; 14] = [
    "ssl.keystore.type",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.key.password",
    "ssl.keystore.key",
    "ssl.keystore.certificate.chain",
    "ssl.truststore.type",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.certificates",
    "ssl.client.auth",
    "ssl.enabled.protocols",
    "ssl.cipher.suites",
    "ssl.principal.mapping.rules",
];

/// Wall time for certificates and tickets.
#[derive(Clone)]
pub(super) struct WallTime(Arc<dyn Clock>);

impl std::fmt::Debug for WallTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WallTime")
    }
}

impl WallTime {
    pub fn now(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_millis(self.0.wall_ms().max(0) as u64))
    }
}

impl TimeProvider for WallTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.now())
    }
}

/// What the connections of a listener are accepted with. It never changes; a reload makes another.
#[derive(Debug)]
pub struct TlsContext {
    pub(super) server: Arc<ServerConfig>,
    pub(super) rules: PrincipalRules,
    pub(super) time: WallTime,
    leaves: Vec<Leaf>,
    has_trust_store: bool,
    /// Over the keys and the files: two contexts of one fingerprint are the same.
    fingerprint: [u8; 32],
}

/// What a reload may not change unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Leaf {
    name: String,
    alternative_names: Vec<String>,
}

/// The TLS of one listener, which a reload replaces.
#[derive(Debug)]
pub struct TlsListener {
    current: ArcSwap<TlsContext>,
}

impl TlsListener {
    pub fn new(context: TlsContext) -> TlsListener {
        TlsListener { current: ArcSwap::from_pointee(context) }
    }

    /// Wraps an accepted stream; nothing has been said on it yet.
    pub fn accept(&self, stream: Box<dyn Stream>) -> Result<TlsStream, rustls::Error> {
        TlsStream::accept(stream, self.current.load_full())
    }

    /// New connections get `next`; those that exist keep what they began with. Sessions of before cannot be
    /// resumed: the key of their tickets is gone.
    pub fn replace(&self, next: TlsContext) {
        self.current.store(Arc::new(next));
    }

    /// The context of new connections.
    pub fn current(&self) -> Arc<TlsContext> {
        self.current.load_full()
    }
}

impl TlsContext {
    /// Reads the stores of a listener and checks all its keys.
    pub fn load(
        keys: &ListenerKeys<'_>,
        protocol: SecurityProtocol,
        disk: &dyn Disk,
        clock: &Arc<dyn Clock>,
    ) -> Result<TlsContext, TlsError> {
        let material = Material::read(keys, disk)?;
        let Some(entries) = material.keys else {
            let why = "a listener with TLS needs a key store: give it, or ssl.keystore.key and \
                       ssl.keystore.certificate.chain with the type PEM";
            return Err(TlsError::new(keys.name_of("ssl.keystore.location"), why));
        };
        let time = WallTime(Arc::clone(clock));
        let (provider, is_ordered) = provider(keys)?;
        let auth = client_auth(keys, protocol);
        let has_trust_store = material.trusted.is_some();
        let leaves = entries.iter().map(|entry| leaf(keys, entry)).collect::<Result<Vec<_>, TlsError>>()?;
        let certified = entries
            .into_iter()
            .map(|entry| certified(keys, entry, &provider, time.now()))
            .collect::<Result<Vec<_>, TlsError>>()?;
        let verifier = match auth {
            ClientAuth::None => WebPkiClientVerifier::no_client_auth(),
            auth => {
                let trust = trust(keys, material.trusted)?;
                let verifier = ClientVerifier::new(trust, auth, Arc::clone(&provider))
                    .map_err(|bad| TlsError::new(keys.name_of("ssl.truststore.location"), bad))?;
                Arc::new(verifier)
            }
        };
        let unfit = |bad: rustls::Error| TlsError::new(keys.name_of("ssl.cipher.suites"), bad.to_string());
        let mut server = ServerConfig::builder_with_details(provider, Arc::new(time.clone()))
            .with_protocol_versions(&versions(keys)?)
            .map_err(unfit)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(Chains::of(keys, certified)));
        server.ignore_client_order = is_ordered;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.ticketer = aws_lc_rs::Ticketer::new().map_err(unfit)?;
        server.send_tls13_tickets = 1;
        assert!(server.max_early_data_size == 0, "nothing is taken before the handshake is over");
        let rules_key = "ssl.principal.mapping.rules";
        let rules = PrincipalRules::parse(&keys.text(rules_key).unwrap_or_default())
            .map_err(|bad| TlsError::new(keys.name_of(rules_key), bad))?;
        let fingerprint = material.fingerprint;
        Ok(TlsContext { server: Arc::new(server), rules, time, leaves, has_trust_store, fingerprint })
    }

    /// Whether this and `other` come from the same keys and files.
    pub fn is_same(&self, other: &TlsContext) -> bool {
        self.fingerprint == other.fingerprint
    }

    /// What Kafka refuses of a reload (SslFactory, KIP-978): a store more or less, another number of keys,
    /// another name, and an alternative name that is gone.
    pub fn may_become(&self, next: &TlsContext, keys: &ListenerKeys<'_>) -> Result<(), TlsError> {
        let refuse = |key: &str, why: String| Err(TlsError::new(keys.name_of(key), why));
        if self.has_trust_store != next.has_trust_store {
            let why = "a trust store cannot be added to a listener, or taken from it, while the broker runs";
            return refuse("ssl.truststore.location", why.to_owned());
        }
        if self.leaves.len() != next.leaves.len() {
            let (before, after) = (self.leaves.len(), next.leaves.len());
            let why = format!("the new key store has {after} keys, the one in force {before}");
            return refuse("ssl.keystore.location", why);
        }
        let is_allowed = |key: &str| keys.text(key).as_deref() == Some("true");
        for (before, after) in self.leaves.iter().zip(&next.leaves) {
            if before.name != after.name && !is_allowed("ssl.allow.dn.changes") {
                let why = format!(
                    "the new certificate is that of {}, the one in force that of {} (ssl.allow.dn.changes \
                     allows it)",
                    after.name, before.name
                );
                return refuse("ssl.keystore.location", why);
            }
            let gone = before.alternative_names.iter().find(|name| !after.alternative_names.contains(name));
            if let Some(gone) = gone.filter(|_| !is_allowed("ssl.allow.san.changes")) {
                let why = format!(
                    "the new certificate has not the alternative name {gone} (ssl.allow.san.changes allows it)"
                );
                return refuse("ssl.keystore.location", why);
            }
        }
        Ok(())
    }
}

/// What this broker dials others with. Its clones are one: a reload replaces what all of them dial with.
#[derive(Clone, Debug)]
pub struct ClientTls {
    config: Arc<ArcSwap<ClientConfig>>,
}

#[cfg(test)]
impl ClientTls {
    /// Shows this chain, whatever it is.
    pub(super) fn showing(&self, shown: &super::dev::DevIssued) -> Arc<ClientConfig> {
        let key = PrivateKeyDer::from(shown.key.clone_key());
        let pair = CertifiedKey::from_der(shown.chain.clone(), key, &aws_lc_rs::default_provider());
        let mut config = ClientConfig::clone(&self.config.load());
        config.client_auth_cert_resolver =
            Arc::new(rustls::sign::SingleCertAndKey::from(pair.expect("key and leaf fit")));
        Arc::new(config)
    }
}

impl ClientTls {
    /// From the same keys as a listener's own side: its key store is what the other side is shown, its trust store
    /// says whom to believe.
    pub fn load(
        keys: &ListenerKeys<'_>,
        disk: &dyn Disk,
        clock: &Arc<dyn Clock>,
    ) -> Result<ClientTls, TlsError> {
        let material = Material::read(keys, disk)?;
        let time = WallTime(Arc::clone(clock));
        let (provider, _is_ordered) = provider(keys)?;
        let name_key = "ssl.endpoint.identification.algorithm";
        let checks_name = match keys.text(name_key).as_deref() {
            Some("https") => true,
            None | Some("") => {
                tracing::warn!("{} is empty: the names of brokers are not checked", keys.name_of(name_key));
                false
            }
            Some(other) => {
                let why = format!("{other} is not there; allowed: https, or nothing (no name is checked)");
                return Err(TlsError::new(keys.name_of(name_key), why));
            }
        };
        let trust = trust(keys, material.trusted)?;
        let verifier = ServerVerifier { trust, checks_name, provider: Arc::clone(&provider) };
        let unfit = |bad: rustls::Error| TlsError::new(keys.name_of("ssl.cipher.suites"), bad.to_string());
        let builder = ClientConfig::builder_with_details(Arc::clone(&provider), Arc::new(time.clone()))
            .with_protocol_versions(&versions(keys)?)
            .map_err(unfit)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match material.keys.and_then(|entries| entries.into_iter().next()) {
            None => builder.with_no_client_auth(),
            Some(entry) => {
                leaf(keys, &entry)?;
                let bad = |bad: rustls::Error| {
                    TlsError::new(keys.name_of("ssl.keystore.location"), bad.to_string())
                };
                builder.with_client_auth_cert(entry.chain, PrivateKeyDer::Pkcs8(entry.key)).map_err(bad)?
            }
        };
        Ok(ClientTls { config: Arc::new(ArcSwap::from_pointee(config)) })
    }

    /// Dials whomever an authority in PEM vouches for, or the roots of this machine; names are checked.
    pub fn trusting(pem: Option<&str>, clock: &Arc<dyn Clock>) -> Result<ClientTls, String> {
        let trusted = match pem {
            Some(text) => super::pem::certificates(text).map_err(|bad| bad.to_string())?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let trust = Trust::new(trusted)?;
        let verifier = ServerVerifier { trust, checks_name: true, provider: Arc::clone(&provider) };
        let time = WallTime(Arc::clone(clock));
        let config = ClientConfig::builder_with_details(provider, Arc::new(time))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(|bad| bad.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(ClientTls { config: Arc::new(ArcSwap::from_pointee(config)) })
    }

    /// Connections to come are dialled with `next`; those that exist stay.
    pub fn replace(&self, next: &ClientTls) {
        self.config.store(next.config.load_full());
    }

    /// What is dialled with now, for who has a stream of another kind.
    pub fn config(&self) -> Arc<ClientConfig> {
        self.config.load_full()
    }

    /// Wraps a stream that was dialled to `host`; nothing has been said on it yet.
    pub fn connect(&self, stream: Box<dyn Stream>, host: &str) -> Result<TlsStream, rustls::Error> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_bad| rustls::Error::General(format!("`{host}` is no name and no address")))?;
        TlsStream::connect(stream, self.config.load_full(), name)
    }
}

/// What the keys name, read once.
struct Material {
    keys: Option<Vec<KeyEntry>>,
    trusted: Option<Vec<CertificateDer<'static>>>,
    fingerprint: [u8; 32],
}

impl Material {
    fn read(keys: &ListenerKeys<'_>, disk: &dyn Disk) -> Result<Material, TlsError> {
        no_java(keys)?;
        let hash = RefCell::new(Sha256::new());
        for key in TEXTS {
            let text = keys.text(key).unwrap_or_default();
            hash.borrow_mut().update((text.len() as u64).to_be_bytes());
            hash.borrow_mut().update(text);
        }
        let read = |path: &str| {
            let bytes = disk.read(Path::new(path))?;
            hash.borrow_mut().update((bytes.len() as u64).to_be_bytes());
            hash.borrow_mut().update(&bytes);
            Ok(bytes)
        };
        let key_entries = store::key_store(keys, &read)?;
        let trusted = store::trust_store(keys, &read)?;
        let fingerprint = hash.into_inner().finalize().into();
        Ok(Material { keys: key_entries, trusted, fingerprint })
    }
}

/// Java classes cannot run here.
fn no_java(keys: &ListenerKeys<'_>) -> Result<(), TlsError> {
    for key in JAVA_KEYS {
        if keys.text(key).is_some_and(|text| !text.is_empty()) {
            let why = "a Java class or provider cannot be run here; allowed: nothing";
            return Err(TlsError::new(keys.name_of(key), why));
        }
    }
    for (key, only) in [("ssl.keymanager.algorithm", "SunX509"), ("ssl.trustmanager.algorithm", "PKIX")] {
        if keys.text(key).is_some_and(|text| text != only) {
            let why = format!("another algorithm of Java cannot be run here; allowed: {only}");
            return Err(TlsError::new(keys.name_of(key), why));
        }
    }
    Ok(())
}

/// On a listener with SASL only the listener's own value counts (KIP-684).
fn client_auth(keys: &ListenerKeys<'_>, protocol: SecurityProtocol) -> ClientAuth {
    const KEY: &str = "ssl.client.auth";
    let auth = match keys.text(KEY).as_deref() {
        Some("required") => ClientAuth::Required,
        Some("requested") => ClientAuth::Requested,
        _ => ClientAuth::None,
    };
    if auth != ClientAuth::None && protocol.has_sasl() && !keys.is_own(KEY) {
        tracing::warn!(
            "{KEY} counts on a SASL_SSL listener with its listener prefix alone and is ignored there"
        );
        return ClientAuth::None;
    }
    auth
}

fn versions(keys: &ListenerKeys<'_>) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    const ENABLED: &str = "ssl.enabled.protocols";
    const DEFAULT: &str = "ssl.protocol";
    let of = |key: &str, name: &str| match name {
        "TLSv1.2" => Ok(&version::TLS12),
        "TLSv1.3" => Ok(&version::TLS13),
        other => {
            let why = format!("`{other}` is not there; allowed: TLSv1.2, TLSv1.3");
            Err(TlsError::new(keys.name_of(key), why))
        }
    };
    of(DEFAULT, &keys.text(DEFAULT).unwrap_or_default())?;
    let enabled = keys.list(ENABLED);
    if enabled.is_empty() {
        return Err(TlsError::new(keys.name_of(ENABLED), "it is empty; allowed: TLSv1.2, TLSv1.3"));
    }
    enabled.iter().map(|name| of(ENABLED, name)).collect()
}

/// The cryptography with the cipher suites that are asked for, and whether their order was given.
fn provider(keys: &ListenerKeys<'_>) -> Result<(Arc<CryptoProvider>, bool), TlsError> {
    const KEY: &str = "ssl.cipher.suites";
    let mut provider = aws_lc_rs::default_provider();
    let wanted = keys.list(KEY);
    if wanted.is_empty() {
        return Ok((Arc::new(provider), false));
    }
    let known = std::mem::take(&mut provider.cipher_suites);
    // Java writes the suites of TLS 1.3 as the standard does, and rustls with a 13 in their names.
    let java_name = |suite: &rustls::SupportedCipherSuite| {
        suite.suite().as_str().unwrap_or_default().replace("TLS13_", "TLS_")
    };
    for name in &wanted {
        match known.iter().find(|suite| java_name(suite) == *name) {
            Some(suite) => provider.cipher_suites.push(*suite),
            None => tracing::warn!("{}: the cipher suite {name} is not there", keys.name_of(KEY)),
        }
    }
    if provider.cipher_suites.is_empty() {
        let all: Vec<String> = known.iter().map(java_name).collect();
        let why = format!("none of the cipher suites is there; allowed: {}", all.join(", "));
        return Err(TlsError::new(keys.name_of(KEY), why));
    }
    Ok((Arc::new(provider), true))
}

/// The trust store, or what the machine trusts.
fn trust(keys: &ListenerKeys<'_>, trusted: Option<Vec<CertificateDer<'static>>>) -> Result<Trust, TlsError> {
    let name = keys.name_of("ssl.truststore.location");
    let trusted = match trusted {
        Some(trusted) => trusted,
        None => {
            let roots = rustls_native_certs::load_native_certs().certs;
            tracing::info!("{name} is not set: the {} roots of this machine are trusted", roots.len());
            roots
        }
    };
    Trust::new(trusted).map_err(|bad| TlsError::new(name, bad))
}

/// Checks the chain of an entry; what its leaf says of itself.
fn leaf(keys: &ListenerKeys<'_>, entry: &KeyEntry) -> Result<Leaf, TlsError> {
    let refuse = |why: String| TlsError::new(keys.name_of("ssl.keystore.location"), why);
    let parsed = entry
        .chain
        .iter()
        .map(|certificate| X509Certificate::from_der(certificate).map(|(_rest, parsed)| parsed))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_bad| refuse("a certificate of the chain cannot be read".to_owned()))?;
    let Some(first) = parsed.first() else {
        return Err(refuse("the private key has no certificate".to_owned()));
    };
    if first.version() != X509Version::V3 {
        let why = "the certificate is of X.509 version 1, which is not taken: issue it anew with extensions \
                   (`openssl x509 -req -extfile`), a subjectAltName at least";
        return Err(refuse(why.to_owned()));
    }
    for pair in parsed.windows(2) {
        if pair[0].issuer().as_raw() != pair[1].subject().as_raw() {
            let why = format!(
                "the chain is not in order: {} was issued by {}, and {} follows it",
                pair[0].subject(),
                pair[0].issuer(),
                pair[1].subject()
            );
            return Err(refuse(why));
        }
    }
    let alternative_names = first
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|names| names.value.general_names.iter().map(|name| name.to_string()).collect());
    let name = distinguished_name(first.subject().as_raw()).unwrap_or_default();
    Ok(Leaf { name, alternative_names: alternative_names.unwrap_or_default() })
}

/// The key and its chain as a handshake uses them.
fn certified(
    keys: &ListenerKeys<'_>,
    entry: KeyEntry,
    provider: &CryptoProvider,
    now: UnixTime,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let name = keys.name_of("ssl.keystore.location");
    if let Err(bad) = super::verifier::in_date(&entry.chain[0], now) {
        tracing::warn!("{name}: clients will refuse the certificate of this listener: {bad}");
    }
    let key =
        provider.key_provider.load_private_key(PrivateKeyDer::Pkcs8(entry.key)).map_err(|_unknown| {
            TlsError::new(
                &name,
                "the private key cannot be used: it must be RSA or EC, and in the form of PKCS#8",
            )
        })?;
    let certified = CertifiedKey::new(entry.chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsError::new(name, "the private key is not that of the certificate"))
        }
        Err(bad) => Err(TlsError::new(name, format!("the certificate cannot be used: {bad}"))),
    }
}

/// The chains of a listener, one for each kind of key. As in Java the client's name for us (SNI) chooses
/// nothing: what it can verify does.
#[derive(Debug)]
struct Chains(Vec<Arc<CertifiedKey>>);

impl Chains {
    fn of(keys: &ListenerKeys<'_>, certified: Vec<Arc<CertifiedKey>>) -> Chains {
        let mut chosen: Vec<Arc<CertifiedKey>> = Vec::new();
        for candidate in certified {
            let kind = candidate.key.algorithm();
            match chosen.iter().any(|known| known.key.algorithm() == kind) {
                true => tracing::warn!(
                    "{}: of several {kind:?} keys the first is used",
                    keys.name_of("ssl.keystore.location")
                ),
                false => chosen.push(candidate),
            }
        }
        assert!(!chosen.is_empty(), "a key store without a key was refused");
        Chains(chosen)
    }
}

impl ResolvesServerCert for Chains {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits = |chain: &&Arc<CertifiedKey>| chain.key.choose_scheme(hello.signature_schemes()).is_some();
        self.0.iter().find(fits).cloned()
    }
}
