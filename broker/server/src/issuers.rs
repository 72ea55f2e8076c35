//! The keys of the issuers whose tokens are accepted: read at the start, and again from time to time.
//! Shell: one task for each issuer, and none where no listener takes signed tokens.
//!
//! A start without the keys ends with a sentence. Later the keys that are there stay until others are read.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ottla_config::{BrokerConfig, EndpointTrust, KeysEndpoint, SignedTokens, TokenCheck};
use ottla_env::tasks::TaskHandle;
use ottla_env::{Disk, Env};
use ottla_network::outgoing::{Backoff, Location, get};
use ottla_security::sasl::{IssuerKeys, KeySet};
use ottla_security::tls::ClientTls;
use parking_lot::Mutex;

/// A set of keys is some kilobytes.
const BYTES_MAX: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// All issuers of a configuration, which do not change while the broker runs.
#[derive(Default)]
pub struct Issuers {
    keys: HashMap<SignedTokens, Arc<IssuerKeys>>,
    /// They end with this value. The lock makes it something that threads may share.
    tasks: Mutex<Vec<TaskHandle>>,
}

impl Issuers {
    /// Reads the keys of every issuer. `disk` is the machine's.
    pub async fn open(env: &Env, disk: &Arc<dyn Disk>, config: &BrokerConfig) -> Result<Issuers, String> {
        let mut issuers = Issuers::default();
        for listener in config.sasl_listeners() {
            // What cannot be read was refused before.
            let Ok(sasl) = config.sasl_of(listener) else { continue };
            for tokens in sasl.mechanisms.into_iter().filter_map(|mechanism| mechanism.tokens) {
                let TokenCheck::Signed(tokens) = tokens else { continue };
                if issuers.keys.contains_key(&tokens) {
                    continue;
                }
                let source = Source::of(env, disk, &tokens)?;
                let keys = Arc::<IssuerKeys>::default();
                keys.replace(source.read().await.map_err(|why| refused(&tokens, &why))?);
                tracing::info!("{}: {} keys are read", tokens.endpoint, keys.count());
                let refreshing = Refreshing { source, keys: keys.clone(), tokens: tokens.clone() };
                let task = env.tasks.spawn("issuer-keys", Box::pin(refreshing.run()));
                issuers.tasks.lock().push(task);
                issuers.keys.insert(tokens, keys);
            }
        }
        Ok(issuers)
    }

    /// The keys for tokens that are checked in this way.
    pub fn keys(&self, tokens: &SignedTokens) -> Option<Arc<IssuerKeys>> {
        self.keys.get(tokens).cloned()
    }
}

fn refused(tokens: &SignedTokens, why: &str) -> String {
    format!("the keys at {} (sasl.oauthbearer.jwks.endpoint.url) cannot be read: {why}", tokens.endpoint)
}

/// Where keys come from.
struct Source {
    env: Env,
    disk: Arc<dyn Disk>,
    place: Place,
}

enum Place {
    File(String),
    Http(Location),
}

impl Source {
    fn of(env: &Env, disk: &Arc<dyn Disk>, tokens: &SignedTokens) -> Result<Source, String> {
        let place = match &tokens.endpoint {
            KeysEndpoint::File(path) => Place::File(path.clone()),
            KeysEndpoint::Http { has_tls, host, port, path } => {
                let trust = match &tokens.trust {
                    None => None,
                    Some(EndpointTrust::Inline(pem)) => Some(pem.clone()),
                    Some(EndpointTrust::File(path)) => {
                        let bytes = disk.read(Path::new(path)).map_err(|error| format!("{path}: {error}"))?;
                        Some(String::from_utf8_lossy(&bytes).into_owned())
                    }
                };
                let tls = has_tls.then(|| ClientTls::trusting(trust.as_deref(), &env.clock)).transpose();
                let tls = tls.map_err(|why| refused(tokens, &why))?;
                Place::Http(Location { host: host.clone(), port: *port, path: path.clone(), tls })
            }
        };
        Ok(Source { env: env.clone(), disk: disk.clone(), place })
    }

    async fn read(&self) -> Result<KeySet, String> {
        let text = match &self.place {
            Place::File(path) => self.disk.read(Path::new(path)).map_err(|error| error.to_string())?,
            Place::Http(location) => {
                get(&self.env, location, BYTES_MAX, PATIENCE).await.map_err(|error| error.to_string())?
            }
        };
        if text.len() > BYTES_MAX {
            return Err(format!("it is longer than {BYTES_MAX} bytes"));
        }
        KeySet::parse(&text).map_err(|error| error.to_string())
    }
}

/// Reads keys again when it is time, or when a token names one that is not there.
struct Refreshing {
    source: Source,
    keys: Arc<IssuerKeys>,
    tokens: SignedTokens,
}

impl Refreshing {
    async fn run(self) {
        let clock = self.source.env.clock.clone();
        let backoff = Backoff {
            min: Duration::from_millis(self.tokens.retry_backoff_ms.max(1)),
            max: Duration::from_millis(self.tokens.retry_backoff_ms_max.max(1)),
        };
        loop {
            let due = clock.monotonic().after(Duration::from_millis(self.tokens.refresh_ms.max(1)));
            tokio::select! {
                () = clock.sleep_until(due) => {}
                () = self.keys.wanted() => {}
            }
            let mut failures = 0;
            while let Err(why) = self.source.read().await.map(|keys| self.keys.replace(keys)) {
                failures += 1;
                if failures == 1 {
                    tracing::warn!("{}; those that are there stay in force", refused(&self.tokens, &why));
                }
                let wait = backoff.wait(failures, self.source.env.rng.next_u64());
                clock.sleep_until(clock.monotonic().after(wait)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_env::memory::MemoryDisk;
    use ottla_env::real;
    use ottla_security::sasl::{SignedRules, SignedTokens as Signed, TokenValidator};

    use super::*;

    fn config() -> BrokerConfig {
        let pairs = [
            ("listeners", "SASL_PLAINTEXT://127.0.0.1:9092"),
            ("sasl.enabled.mechanisms", "OAUTHBEARER"),
            ("sasl.oauthbearer.jwks.endpoint.url", "file:///keys.json"),
            ("org.apache.kafka.sasl.oauthbearer.allowed.files", "/keys.json"),
        ];
        let pairs = pairs.map(|(key, text)| (key.to_owned(), text.to_owned()));
        ottla_config::load(None, &[], &pairs).expect("a config").0
    }

    fn tokens(config: &BrokerConfig) -> SignedTokens {
        let sasl = config.sasl_of(&config.listeners[0]).expect("it is read");
        match sasl.mechanisms[0].tokens.clone() {
            Some(TokenCheck::Signed(tokens)) => tokens,
            other => panic!("{other:?}"),
        }
    }

    fn put(disk: &Arc<dyn Disk>, ids: &[&str]) {
        let key = |id: &&str| {
            format!("{{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"{id}\",\"x\":\"AQ\",\"y\":\"AQ\"}}")
        };
        let keys: Vec<String> = ids.iter().map(key).collect();
        let text = format!("{{\"keys\":[{}]}}", keys.join(","));
        disk.create_dir_all(Path::new("/")).expect("made");
        disk.write_atomically(Path::new("/keys.json"), text.as_bytes()).expect("written");
    }

    /// A token whose header names the algorithm and this key, and whose signature is none.
    const OF_NEW: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6Im5ldyJ9.e30.AAAA";

    #[test]
    fn keys_are_read_at_the_start_and_again_when_a_token_names_another() {
        let test = async {
            let (env, config) = (real::env(), config());
            let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
            let error = Issuers::open(&env, &disk, &config).await.err().expect("there is no file");
            let words = "file:///keys.json (sasl.oauthbearer.jwks.endpoint.url) cannot be read";
            assert!(error.contains(words), "{error}");
            put(&disk, &["old"]);
            let issuers = Issuers::open(&env, &disk, &config).await.expect("the keys are there");
            let keys = issuers.keys(&tokens(&config)).expect("of this issuer");
            assert_eq!(keys.count(), 1);
            put(&disk, &["old", "new"]);
            let rules = SignedRules {
                audience: Vec::new(),
                issuer: None,
                clock_skew_ms: 0,
                scope_claim: "scope".to_owned(),
                principal_claim: "sub".to_owned(),
            };
            let validator = TokenValidator::Signed(Signed { rules, keys: keys.clone() });
            let why = validator.validate(OF_NEW, Duration::ZERO, 0).expect_err("its key is not there").why();
            assert_eq!(why, "the token's key is not known");
            while keys.count() != 2 {
                tokio::task::yield_now().await;
            }
            let why = validator.validate(OF_NEW, Duration::ZERO, 0).expect_err("nobody signed it").why();
            assert_eq!(why, "the token's signature is wrong");
        };
        real::run(Some(1), test).expect("a runtime");
    }
}
