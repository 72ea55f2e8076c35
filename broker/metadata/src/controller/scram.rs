//! AlterUserScramCredentials and its description, and credentials as records (KIP-554, KIP-900).
//! Core. `ScramControlManager` and `ScramImage`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ottla_model::ErrorCode;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::alter_user_scram_credentials_request::{
    AlterUserScramCredentialsRequest, ScramCredentialUpsertion,
};
use ottla_protocol::messages::alter_user_scram_credentials_response::{
    AlterUserScramCredentialsResponse, AlterUserScramCredentialsResult,
};
use ottla_protocol::messages::describe_user_scram_credentials_request::DescribeUserScramCredentialsRequest;
use ottla_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResponse, DescribeUserScramCredentialsResult,
};
use ottla_protocol::records::metadata::{
    MetadataRecord, RemoveUserScramCredentialRecord, UserScramCredentialRecord,
};
use ottla_security::{ITERATIONS_MAX, ScramCredential, ScramKeys, ScramMechanism, keys_of_salted_password};

use crate::controller::{ApiError, Decision, wire_error};
use crate::image::Image;
use crate::wire::text;

/// One change of a user's credential.
enum Change<'a> {
    Delete(ScramMechanism),
    Upsert(ScramMechanism, &'a ScramCredentialUpsertion),
}

pub fn decide_alter_user_scram_credentials(
    image: &Image,
    request: &AlterUserScramCredentialsRequest,
) -> Decision<AlterUserScramCredentialsResponse> {
    let mut users: BTreeMap<&str, Result<Change<'_>, ApiError>> = BTreeMap::new();
    let deletions = request.deletions.iter().map(|deletion| {
        let name = deletion.name.as_str();
        (name, check_deletion(image, name, deletion.mechanism).map(Change::Delete))
    });
    let upsertions = request.upsertions.iter().map(|upsertion| {
        let checked = check_upsertion(upsertion);
        (upsertion.name.as_str(), checked.map(|mechanism| Change::Upsert(mechanism, upsertion)))
    });
    for (name, change) in deletions.chain(upsertions) {
        match users.get_mut(name) {
            // The first error of a user stays.
            Some(Err(_)) => {}
            Some(known) => {
                let text = "A user credential cannot be altered twice in the same request";
                *known = Err(ApiError::new(ErrorCode::DuplicateResource, text));
            }
            None => {
                users.insert(name, change);
            }
        }
    }
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut results = Vec::with_capacity(users.len());
    for (name, change) in users {
        let outcome = change.map(|change| records.push(record_of_change(name, change)));
        let (code, message) = wire_error(&outcome);
        results.push(
            AlterUserScramCredentialsResult::default()
                .with_user(text(name))
                .with_error_code(code)
                .with_error_message(message),
        );
    }
    Decision { records, response: AlterUserScramCredentialsResponse::default().with_results(results) }
}

/// The users that a new cluster begins with, whose texts were looked at before.
pub(crate) fn records_of_users(users: &[ScramCredentialUpsertion]) -> Vec<MetadataRecord> {
    let record = |user: &ScramCredentialUpsertion| {
        let mechanism = mechanism_of(&user.name, user.mechanism).ok()?;
        Some(record_of_change(&user.name, Change::Upsert(mechanism, user)))
    };
    users.iter().filter_map(record).collect()
}

fn record_of_change(name: &str, change: Change<'_>) -> MetadataRecord {
    match change {
        Change::Delete(mechanism) => RemoveUserScramCredentialRecord {
            name: text(name),
            mechanism: mechanism.code(),
            ..RemoveUserScramCredentialRecord::default()
        }
        .into(),
        Change::Upsert(mechanism, upsertion) => {
            let keys = keys_of_salted_password(mechanism, &upsertion.salted_password);
            let credential =
                ScramCredential { salt: upsertion.salt.to_vec(), keys, iterations: upsertion.iterations };
            record_of(name, mechanism, &credential).into()
        }
    }
}

fn mechanism_of(name: &str, mechanism: i8) -> Result<ScramMechanism, ApiError> {
    if name.is_empty() {
        return Err(ApiError::new(ErrorCode::UnacceptableCredential, "Username must not be empty"));
    }
    ScramMechanism::from_code(mechanism)
        .ok_or_else(|| ApiError::new(ErrorCode::UnsupportedSaslMechanism, "Unknown SCRAM mechanism"))
}

fn check_deletion(image: &Image, name: &str, mechanism: i8) -> Result<ScramMechanism, ApiError> {
    let mechanism = mechanism_of(name, mechanism)?;
    match image.scram_credentials().contains(name, mechanism) {
        true => Ok(mechanism),
        false => {
            let text = "Attempt to delete a user credential that does not exist";
            Err(ApiError::new(ErrorCode::ResourceNotFound, text))
        }
    }
}

fn check_upsertion(upsertion: &ScramCredentialUpsertion) -> Result<ScramMechanism, ApiError> {
    let mechanism = mechanism_of(&upsertion.name, upsertion.mechanism)?;
    let unacceptable = |text| Err(ApiError::new(ErrorCode::UnacceptableCredential, text));
    if upsertion.iterations < mechanism.iterations_min() {
        return unacceptable("Too few iterations");
    }
    if upsertion.iterations > ITERATIONS_MAX {
        return unacceptable("Too many iterations");
    }
    Ok(mechanism)
}

/// What may be shown of credentials: mechanisms and iterations, never a key.
pub fn describe_user_scram_credentials(
    image: &Image,
    request: &DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let credentials = image.scram_credentials();
    let asked: Vec<&str> = request.users.iter().flatten().map(|user| user.name.as_str()).collect();
    let mut twice = BTreeSet::new();
    let mut users = BTreeSet::new();
    if asked.is_empty() {
        users.extend(credentials.users());
    }
    for name in asked {
        if !users.insert(name) {
            twice.insert(name);
        }
    }
    let describe = |name: &str| {
        if twice.contains(name) {
            let why =
                "Cannot describe SCRAM credentials for the same user twice in a single request: ".to_owned();
            return Err(ApiError::new(ErrorCode::DuplicateResource, why + name));
        }
        credentials.of_user(name).ok_or_else(|| {
            let why = "Attempt to describe a user credential that does not exist: ".to_owned();
            ApiError::new(ErrorCode::ResourceNotFound, why + name)
        })
    };
    let results = users.iter().map(|name| {
        let result = DescribeUserScramCredentialsResult::default().with_user(text(name));
        match describe(name) {
            Ok(credentials) => {
                let infos = credentials.iter().map(|(mechanism, credential)| {
                    CredentialInfo::default()
                        .with_mechanism(mechanism.code())
                        .with_iterations(credential.iterations)
                });
                result.with_error_message(empty()).with_credential_infos(infos.collect())
            }
            Err(error) => result.with_error_code(error.code()).with_error_message(error.text()),
        }
    });
    DescribeUserScramCredentialsResponse::default()
        .with_error_message(empty())
        .with_results(results.collect())
}

/// Kafka leaves the text of a success empty here, and not null.
fn empty() -> Option<StrBytes> {
    Some(StrBytes::default())
}

pub(crate) fn record_of(
    name: &str,
    mechanism: ScramMechanism,
    credential: &ScramCredential,
) -> UserScramCredentialRecord {
    UserScramCredentialRecord {
        name: text(name),
        mechanism: mechanism.code(),
        salt: Bytes::copy_from_slice(&credential.salt),
        stored_key: Bytes::copy_from_slice(&credential.keys.stored_key),
        server_key: Bytes::copy_from_slice(&credential.keys.server_key),
        iterations: credential.iterations,
        ..UserScramCredentialRecord::default()
    }
}

/// `None` for an unknown mechanism.
pub(crate) fn credential_of(record: &UserScramCredentialRecord) -> Option<(ScramMechanism, ScramCredential)> {
    let mechanism = ScramMechanism::from_code(record.mechanism)?;
    let keys = ScramKeys { stored_key: record.stored_key.to_vec(), server_key: record.server_key.to_vec() };
    Some((mechanism, ScramCredential { salt: record.salt.to_vec(), keys, iterations: record.iterations }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::{Cluster, IntoStr};
    use crate::records_of::records_of_cluster;
    use ottla_protocol::messages::alter_user_scram_credentials_request::ScramCredentialDeletion;
    use ottla_protocol::messages::describe_user_scram_credentials_request::UserName;

    fn upsertion(name: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion {
        ScramCredentialUpsertion::default()
            .with_name(name.into_str())
            .with_mechanism(mechanism)
            .with_iterations(iterations)
            .with_salt(Bytes::from_static(b"salt"))
            .with_salted_password(Bytes::from_static(b"password"))
    }

    fn deletion(name: &str, mechanism: i8) -> ScramCredentialDeletion {
        ScramCredentialDeletion::default().with_name(name.into_str()).with_mechanism(mechanism)
    }

    fn alter(
        cluster: &mut Cluster,
        deletions: Vec<ScramCredentialDeletion>,
        upsertions: Vec<ScramCredentialUpsertion>,
    ) -> Vec<(String, i16)> {
        let request =
            AlterUserScramCredentialsRequest::default().with_deletions(deletions).with_upsertions(upsertions);
        let decision = decide_alter_user_scram_credentials(cluster.image(), &request);
        cluster.apply(decision.records);
        let told =
            |result: &AlterUserScramCredentialsResult| (result.user.as_str().to_owned(), result.error_code);
        decision.response.results.iter().map(told).collect()
    }

    /// A user, the code, and mechanisms with their iterations.
    type Described = (String, i16, Vec<(i8, i32)>);

    fn describe(cluster: &Cluster, users: Option<&[&str]>) -> Vec<Described> {
        let names = |users: &[&str]| {
            users.iter().map(|name| UserName::default().with_name(name.into_str())).collect::<Vec<_>>()
        };
        let request = DescribeUserScramCredentialsRequest::default().with_users(users.map(names));
        let response = describe_user_scram_credentials(cluster.image(), &request);
        let infos = |result: &DescribeUserScramCredentialsResult| {
            result.credential_infos.iter().map(|info| (info.mechanism, info.iterations)).collect()
        };
        let told = |result: &DescribeUserScramCredentialsResult| {
            (result.user.as_str().to_owned(), result.error_code, infos(result))
        };
        response.results.iter().map(told).collect()
    }

    fn told(told: &[(&str, i16)]) -> Vec<(String, i16)> {
        told.iter().map(|(name, code)| ((*name).to_owned(), *code)).collect()
    }

    #[test]
    fn a_credential_comes_changes_goes_and_lives_through_a_snapshot() {
        let mut cluster = Cluster::of(&[1]);
        assert_eq!(alter(&mut cluster, vec![], vec![upsertion("a", 1, 4096)]), told(&[("a", 0)]));
        assert_eq!(alter(&mut cluster, vec![], vec![upsertion("a", 2, 16384)]), told(&[("a", 0)]));
        assert_eq!(alter(&mut cluster, vec![], vec![upsertion("a", 1, 5000)]), told(&[("a", 0)]));
        let both = vec![("a".to_owned(), 0, vec![(1, 5000), (2, 16384)])];
        assert_eq!(describe(&cluster, None), both);
        assert_eq!(describe(&cluster, Some(&[])), both);
        let mut again = Cluster::of(&[]);
        again.apply(records_of_cluster(cluster.image()));
        assert_eq!(again.image().scram_credentials(), cluster.image().scram_credentials());
        let changes = alter(&mut cluster, vec![deletion("a", 1)], vec![upsertion("b", 1, 4096)]);
        assert_eq!(changes, told(&[("a", 0), ("b", 0)]));
        let left = vec![("a".to_owned(), 0, vec![(2, 16384)]), ("b".to_owned(), 0, vec![(1, 4096)])];
        assert_eq!(describe(&cluster, None), left);
        assert_eq!(alter(&mut cluster, vec![deletion("a", 2)], vec![]), told(&[("a", 0)]));
        assert_eq!(describe(&cluster, Some(&["a"])), [("a".to_owned(), 91, vec![])]);
    }

    #[test]
    fn each_rule_has_kafka_s_code() {
        let mut cluster = Cluster::of(&[1]);
        let answers = alter(
            &mut cluster,
            vec![deletion("gone", 1), deletion("odd", 9), deletion("", 1), deletion("both", 1)],
            vec![
                upsertion("few", 1, 4095),
                upsertion("many", 2, 16385),
                upsertion("none", 0, 4096),
                upsertion("twice", 1, 4096),
                upsertion("twice", 2, 4096),
                upsertion("twice", 2, 4096),
                upsertion("both", 1, 4096),
                upsertion("good", 1, 4096),
            ],
        );
        // The first error of a user is the one that is answered.
        let expected = told(&[
            ("", 93),
            ("both", 91),
            ("few", 93),
            ("gone", 91),
            ("good", 0),
            ("many", 93),
            ("none", 33),
            ("odd", 33),
            ("twice", 92),
        ]);
        assert_eq!(answers, expected);
        assert_eq!(alter(&mut cluster, vec![deletion("good", 1), deletion("good", 1)], vec![]).len(), 1);
        assert_eq!(describe(&cluster, None).len(), 1);
        let asked = describe(&cluster, Some(&["good", "good", "x"]));
        assert_eq!(asked, [("good".to_owned(), 92, vec![]), ("x".to_owned(), 91, vec![])]);
    }
}
