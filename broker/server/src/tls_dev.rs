//! `ottla tls-dev`: a throw-away authority, stores for a broker and a client, and configurations that use them.
//! Shell: writes files.

use std::path::Path;

use ottla_env::{Disk, Env};
use ottla_security::tls::dev::{self, DevAuthority, DevError, DevIssued, DevKey, Validity};

use crate::args::TlsDev;

/// The password of every store, as in Java's own examples: it protects nothing.
const PASSWORD: &str = "changeit";
const DAY_MS: i64 = 86_400_000;
const DAYS: i64 = 365;

/// Makes the files; the text says what they are for.
pub fn make(env: &Env, asked: &TlsDev) -> Result<String, String> {
    let disk = &*env.disk;
    disk.create_dir_all(&asked.dir).map_err(|error| format!("{}: {error}", asked.dir.display()))?;
    let there = disk.read_names(&asked.dir).map_err(|error| format!("{}: {error}", asked.dir.display()))?;
    if !there.is_empty() {
        return Err(format!("{} is not empty: nothing was written", asked.dir.display()));
    }
    let dir = std::path::absolute(&asked.dir).map_err(|error| error.to_string())?;
    let now = env.clock.wall_ms();
    let validity = Validity { from_ms: now - DAY_MS, to_ms: now + DAYS * DAY_MS };
    let hosts: Vec<&str> =
        ["localhost", "127.0.0.1", "::1"].into_iter().chain(asked.hosts.iter().map(String::as_str)).collect();
    let salts = [salt(env), salt(env)];
    let files = files(&dir, &hosts, validity, salts).map_err(|error| error.to_string())?;
    for (name, bytes) in &files {
        write(disk, &dir.join(name), bytes)?;
    }
    Ok(format!(
        "{} files are in {dir}, good for {DAYS} days, and the password of each store is {PASSWORD}.\n\
         \n\
         The broker:      ottla {dir}/server.properties\n\
         Kafka's tools:   kafka-topics --bootstrap-server localhost:9093 --command-config \
         {dir}/client.properties --list\n\
         librdkafka:      kcat -F {dir}/client.conf -L\n\
         OpenSSL:         openssl s_client -connect localhost:9093 -CAfile {dir}/ca.pem -cert \
         {dir}/client.pem -key {dir}/client.key\n\
         \n\
         The client is User:CN=client. Whoever can read the directory can be anybody: it is for tests.\n",
        files.len(),
        dir = dir.display()
    ))
}

fn salt(env: &Env) -> [u8; 20] {
    let bytes = [env.rng.next_u64(), env.rng.next_u64(), env.rng.next_u64()].map(u64::to_be_bytes);
    let mut salt = [0; 20];
    salt.iter_mut().zip(bytes.as_flattened()).for_each(|(to, from)| *to = *from);
    salt
}

fn files(
    dir: &Path,
    hosts: &[&str],
    validity: Validity,
    salts: [[u8; 20]; 2],
) -> Result<Vec<(String, Vec<u8>)>, DevError> {
    let authority = DevAuthority::new("Ottla throw-away authority", validity)?;
    let trusted = [authority.certificate().clone()];
    let mut files = vec![
        ("ca.pem".to_owned(), dev::certificate_pem(&trusted[0]).into_bytes()),
        ("trust.p12".to_owned(), dev::trust_pkcs12(&trusted, PASSWORD)?),
        ("trust.jks".to_owned(), dev::trust_jks(&trusted, PASSWORD)),
    ];
    // RSA, which every client of old can verify.
    let server = authority.issue("CN=broker", hosts, DevKey::Rsa)?;
    let client = authority.issue("CN=client", &[], DevKey::Rsa)?;
    for ((name, issued), salt) in [("server", server), ("client", client)].into_iter().zip(salts) {
        files.extend(stores(name, &issued, salt)?);
    }
    files.extend(configurations(dir));
    Ok(files)
}

fn stores(name: &str, issued: &DevIssued, salt: [u8; 20]) -> Result<Vec<(String, Vec<u8>)>, DevError> {
    Ok(vec![
        (format!("{name}.key"), issued.key_pem().into_bytes()),
        (format!("{name}.pem"), issued.chain_pem().into_bytes()),
        (format!("{name}-both.pem"), format!("{}{}", issued.key_pem(), issued.chain_pem()).into_bytes()),
        (format!("{name}.p12"), issued.pkcs12(PASSWORD)?),
        (format!("{name}.jks"), issued.jks(PASSWORD, PASSWORD, salt)),
    ])
}

fn configurations(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let dir = dir.display();
    let server = format!(
        "# Made by ottla tls-dev.\n\
         listeners=PLAINTEXT://127.0.0.1:9092,SSL://127.0.0.1:9093\n\
         ssl.keystore.type=PKCS12\nssl.keystore.location={dir}/server.p12\nssl.keystore.password={PASSWORD}\n\
         ssl.truststore.type=PKCS12\nssl.truststore.location={dir}/trust.p12\n\
         ssl.truststore.password={PASSWORD}\nssl.client.auth=requested\n"
    );
    let java = format!(
        "# Made by ottla tls-dev: for Kafka's tools and Java clients.\nsecurity.protocol=SSL\n\
         ssl.keystore.type=PKCS12\nssl.keystore.location={dir}/client.p12\nssl.keystore.password={PASSWORD}\n\
         ssl.truststore.type=PKCS12\nssl.truststore.location={dir}/trust.p12\n\
         ssl.truststore.password={PASSWORD}\n"
    );
    let rdkafka = format!(
        "# Made by ottla tls-dev: for clients on librdkafka.\nbootstrap.servers=localhost:9093\n\
         security.protocol=ssl\nssl.ca.location={dir}/ca.pem\nssl.certificate.location={dir}/client.pem\n\
         ssl.key.location={dir}/client.key\nssl.endpoint.identification.algorithm=https\n"
    );
    [("server.properties", server), ("client.properties", java), ("client.conf", rdkafka)]
        .map(|(name, text)| (name.to_owned(), text.into_bytes()))
        .into()
}

fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), String> {
    disk.write_atomically(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::Arc;

    use ottla_env::memory::{MemoryClock, MemoryDisk, NoNet, SeededRng, ThreadTasks};
    use ottla_model::SecurityProtocol;
    use ottla_security::tls::TlsContext;

    #[test]
    fn a_broker_starts_with_what_was_made() {
        let env = Env {
            clock: Arc::new(MemoryClock::new(1_796_000_000_000)),
            rng: Arc::new(SeededRng::new(1)),
            disk: Arc::new(MemoryDisk::new()),
            net: Arc::new(NoNet),
            tasks: Arc::new(ThreadTasks),
        };
        let asked = TlsDev { dir: PathBuf::from("/made"), hosts: vec!["broker.example".to_owned()] };
        let text = make(&env, &asked).expect("made");
        assert!(text.contains("16 files are in /made"), "{text}");
        let properties = env.disk.read(Path::new("/made/server.properties")).expect("written");
        let properties = String::from_utf8(properties).expect("text");
        let config = ottla_config::load(Some(("server.properties", &properties)), &[], &[]).expect("valid").0;
        for kind in ["p12", "jks"] {
            let changed = [
                ("listener.name.ssl.ssl.keystore.location".to_owned(), format!("/made/server.{kind}")),
                ("listener.name.ssl.ssl.truststore.location".to_owned(), format!("/made/trust.{kind}")),
            ];
            let config = config.with_dynamic(&changed.into(), &ottla_config::ConfigMap::new());
            let keys = config.of_listener("SSL");
            let context = TlsContext::load(&keys, SecurityProtocol::Ssl, &*env.disk, &env.clock);
            assert!(context.is_ok(), "{kind}: {:?}", context.err());
        }
        assert!(make(&env, &asked).expect_err("refused").contains("not empty"));
    }
}
