//! The quotas of users, clients and addresses, and the SCRAM credentials of users.
//! Shell over the client.

use bytes::Bytes;
use ottla_env::Rng;
use ottla_env::real::RealRng;
use ottla_model::ErrorCode;
use ottla_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use ottla_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use ottla_protocol::messages::describe_client_quotas_request::ComponentData;
use ottla_protocol::messages::describe_client_quotas_response::EntryData as Described;
use ottla_protocol::messages::describe_user_scram_credentials_request::UserName;
use ottla_protocol::messages::{
    AlterClientQuotasRequest, AlterUserScramCredentialsRequest, DescribeClientQuotasRequest,
    DescribeUserScramCredentialsRequest,
};
use ottla_security::{ScramMechanism, salted_password};

use super::changes::Changes;
use super::entities::{Entity, Kind};
use crate::admin;
use crate::client::Client;
use crate::error::{Exception, Failure};
use crate::terminal::Terminal;

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;
const ITERATIONS: i32 = 4096;

fn mechanism(key: &str) -> Option<ScramMechanism> {
    match key {
        "SCRAM-SHA-256" => Some(ScramMechanism::Sha256),
        "SCRAM-SHA-512" => Some(ScramMechanism::Sha512),
        _ => None,
    }
}

pub fn alter(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    entities: &[Entity],
    changes: &Changes,
) -> Result<(), Failure> {
    let keys = changes.added.iter().map(|(key, _)| key).chain(&changes.deleted);
    let (scram, quotas): (Vec<&String>, Vec<&String>) = keys.partition(|key| mechanism(key).is_some());
    match entities {
        [Entity { kind: Kind::Users, name }] if !scram.is_empty() => {
            if !quotas.is_empty() {
                let message = "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using \
                               --bootstrap-server.";
                return Err(Exception::illegal_argument(message).into());
            }
            match name.as_deref() {
                Some(user) if !user.is_empty() => alter_scram(client, terminal, user, changes),
                _ => {
                    let message = "The use of --entity-default or --user-defaults is not allowed with User SCRAM \
                                   Credentials using --bootstrap-server.";
                    Err(Exception::illegal_argument(message).into())
                }
            }
        }
        _ => alter_quotas(client, terminal, entities, changes),
    }
}

fn alter_quotas(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    entities: &[Entity],
    changes: &Changes,
) -> Result<(), Failure> {
    let mut ops = Vec::new();
    for (key, text) in &changes.added {
        let value = text.parse().map_err(|_| {
            Exception::illegal_argument(format!("Cannot parse quota configuration value for {key}: {text}"))
        })?;
        ops.push(OpData::default().with_key(admin::text(key)).with_value(value));
    }
    ops.extend(
        changes.deleted.iter().map(|key| OpData::default().with_key(admin::text(key)).with_remove(true)),
    );
    let entity = entities.iter().map(|entity| {
        let name = entity.name.as_ref().filter(|name| !name.is_empty());
        EntityData::default()
            .with_entity_type(admin::text(entity.kind.quota_entity()))
            .with_entity_name(name.map(|name| admin::text(name)))
    });
    let entry = EntryData::default().with_entity(entity.collect()).with_ops(ops);
    let request = AlterClientQuotasRequest::default().with_entries(vec![entry]);
    let response = client.any(terminal, "alterClientQuotas", &request)?;
    for entry in &response.entries {
        Exception::check(entry.error_code, entry.error_message.as_deref())?;
    }
    Ok(())
}

fn alter_scram(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    user: &str,
    changes: &Changes,
) -> Result<(), Failure> {
    let mut upsertions = Vec::new();
    for (key, text) in &changes.added {
        let Some(mechanism) = mechanism(key) else { continue };
        let (iterations, password) = scram_value(key, text)?;
        let salt = [RealRng.next_16(), RealRng.next_16()].concat();
        let salted = salted_password(mechanism, password.as_bytes(), &salt, iterations);
        upsertions.push(
            ScramCredentialUpsertion::default()
                .with_name(admin::text(user))
                .with_mechanism(mechanism.code())
                .with_iterations(iterations)
                .with_salt(salt.into())
                .with_salted_password(Bytes::copy_from_slice(salted.bytes())),
        );
    }
    let deletions = changes.deleted.iter().filter_map(|key| mechanism(key)).map(|mechanism| {
        ScramCredentialDeletion::default().with_name(admin::text(user)).with_mechanism(mechanism.code())
    });
    let request = AlterUserScramCredentialsRequest::default()
        .with_deletions(deletions.collect())
        .with_upsertions(upsertions);
    let response = client.any(terminal, "alterUserScramCredentials", &request)?;
    for result in &response.results {
        Exception::check(result.error_code, result.error_message.as_deref())?;
    }
    Ok(())
}

/// `iterations=8192,password=secret`, the first part not required.
fn scram_value(key: &str, text: &str) -> Result<(i32, String), Exception> {
    let malformed = || Exception::illegal_argument(format!("Invalid credential property {key}={text}"));
    let (iterations, rest) = match text.strip_prefix("iterations=") {
        Some(rest) => {
            let (number, rest) = rest.split_once(',').ok_or_else(malformed)?;
            (number.trim().parse().map_err(|_| malformed())?, rest)
        }
        None => (ITERATIONS, text),
    };
    let password = rest.trim_start().strip_prefix("password=").ok_or_else(malformed)?;
    Ok((iterations, password.to_owned()))
}

pub fn describe(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    entities: &[Entity],
) -> Result<(), Failure> {
    let components = entities.iter().map(|entity| {
        let (kind, name) = match entity.name.as_deref() {
            None => (ANY, None),
            Some("") => (DEFAULT, None),
            Some(name) => (EXACT, Some(admin::text(name))),
        };
        ComponentData::default()
            .with_entity_type(admin::text(entity.kind.quota_entity()))
            .with_match_type(kind)
            .with_match(name)
    });
    let request =
        DescribeClientQuotasRequest::default().with_components(components.collect()).with_strict(true);
    let response = client.any(terminal, "describeClientQuotas", &request)?;
    Exception::check(response.error_code, response.error_message.as_deref())?;
    for entry in response.entries.unwrap_or_default() {
        terminal.say(&quota_line(&entry))?;
    }
    match entities {
        [Entity { kind: Kind::Users, name }] if name.as_deref() != Some("") => {
            describe_scram(client, terminal, name.as_deref())
        }
        _ => Ok(()),
    }
}

fn quota_line(entry: &Described) -> String {
    let named = |kind: &str, shown: &str| {
        let entity = entry.entity.iter().find(|entity| *entity.entity_type == *kind)?;
        Some(match &entity.entity_name {
            Some(name) => format!("{shown} '{name}'"),
            None => format!("the default {shown}"),
        })
    };
    let entities: Vec<String> = [("user", "user-principal"), ("client-id", "client-id"), ("ip", "ip")]
        .iter()
        .filter_map(|(kind, shown)| named(kind, shown))
        .collect();
    let values: Vec<String> =
        entry.values.iter().map(|value| format!("{}={}", value.key, java_double(value.value))).collect();
    format!("Quota configs for {} are {}", entities.join(", "), values.join(", "))
}

/// As Java prints a double: with a fraction, and with an exponent where it is large or small.
fn java_double(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&size) || !value.is_finite() {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

fn describe_scram(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    user: Option<&str>,
) -> Result<(), Failure> {
    let users = user.map(|user| vec![UserName::default().with_name(admin::text(user))]);
    let request = DescribeUserScramCredentialsRequest::default().with_users(users);
    let response = client.any(terminal, "describeUserScramCredentials", &request)?;
    Exception::check(response.error_code, response.error_message.as_deref())?;
    for result in &response.results {
        if result.error_code == ErrorCode::ResourceNotFound.code() {
            continue;
        }
        Exception::check(result.error_code, result.error_message.as_deref())?;
        let credentials: Vec<String> = result
            .credential_infos
            .iter()
            .map(|info| {
                let name = match ScramMechanism::from_code(info.mechanism) {
                    Some(ScramMechanism::Sha256) => "SCRAM-SHA-256",
                    Some(ScramMechanism::Sha512) => "SCRAM-SHA-512",
                    None => "UNKNOWN",
                };
                format!("{name}=iterations={}", info.iterations)
            })
            .collect();
        let line = format!(
            "SCRAM credential configs for user-principal '{}' are {}",
            result.user,
            credentials.join(", ")
        );
        terminal.say(&line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::describe_client_quotas_response::{EntityData, ValueData};

    use super::*;

    /// Lines that Apache Kafka 4.3.1 printed.
    #[test]
    fn quotas_are_shown_as_kafka_shows_them() {
        let entity = |kind: &str, name: Option<&str>| {
            EntityData::default().with_entity_type(admin::text(kind)).with_entity_name(name.map(admin::text))
        };
        let value = |key: &str, value| ValueData::default().with_key(admin::text(key)).with_value(value);
        let entry = Described::default()
            .with_entity(vec![entity("client-id", Some("c")), entity("user", Some("bob"))])
            .with_values(vec![value("request_percentage", 12.5), value("producer_byte_rate", 1000.0)]);
        let expected = "Quota configs for user-principal 'bob', client-id 'c' are request_percentage=12.5, \
                        producer_byte_rate=1000.0";
        assert_eq!(quota_line(&entry), expected);
        let entry = Described::default().with_entity(vec![entity("user", None)]);
        assert_eq!(quota_line(&entry), "Quota configs for the default user-principal are ");
        for (number, text) in [(1e7, "1.0E7"), (12_345_678.0, "1.2345678E7"), (9_999_999.0, "9999999.0")] {
            assert_eq!(java_double(number), text);
        }
    }

    /// The vector of RFC 7677 begins with this one: `pencil`, salted 4096 times.
    #[test]
    fn a_password_is_salted_as_the_rfc_salts_it() {
        let salt =
            [0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81];
        let salted = salted_password(ScramMechanism::Sha256, b"pencil", &salt, 4096);
        let expected = "c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d";
        assert_eq!(salted.bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>(), expected);
        assert_eq!(salted_password(ScramMechanism::Sha512, b"pencil", &salt, 1).bytes().len(), 64);
    }

    #[test]
    fn a_credential_has_a_password_and_may_have_iterations() {
        let read = |text| scram_value("SCRAM-SHA-256", text).ok();
        assert_eq!(read("iterations=8192,password=a,b"), Some((8192, "a,b".to_owned())));
        assert_eq!(read("password=x"), Some((4096, "x".to_owned())));
        for bad in ["x", "iterations=1", "iterations=many,password=x"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
