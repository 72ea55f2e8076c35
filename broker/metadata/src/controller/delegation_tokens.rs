//! Delegation tokens: made, renewed, ended and shown (KIP-48, KIP-373).
//! Core. `DelegationTokenControlManager`, and for what is shown `DelegationTokenManager.filterToken`.
//!
//! Who may ask at all (no session of a token, no listener without identities) is decided before, where the client is.

use bytes::Bytes;
use ottla_model::ErrorCode;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::{
    CreateDelegationTokenRequest, CreateDelegationTokenResponse, ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse, RenewDelegationTokenRequest, RenewDelegationTokenResponse,
};
use ottla_protocol::records::metadata::{DelegationTokenRecord, MetadataRecord, RemoveDelegationTokenRecord};
use ottla_security::{KafkaPrincipal, Secret, token_hmac};

use crate::controller::Decision;
use crate::controller::features::METADATA_VERSION;
use crate::image::Image;
use crate::wire::text;

/// The metadata version 3.6-IV2, with which tokens came.
const METADATA_VERSION_MIN: i16 = 14;
pub const USER: &str = "User";
/// Tokens that one turn removes (`MAX_RECORDS_PER_EXPIRATION`).
pub(crate) const REMOVALS_PER_TURN_MAX: usize = 1_000;

/// What the configuration says of tokens.
pub struct TokenRules {
    pub secret: Secret,
    pub lifetime_max_ms: i64,
    /// How long a token lasts that is not renewed.
    pub renewal_ms: i64,
}

pub(crate) fn decide_create(
    image: &Image,
    rules: Option<&TokenRules>,
    request: &CreateDelegationTokenRequest,
    requester: &KafkaPrincipal,
    id: &str,
    now_ms: i64,
) -> Decision<CreateDelegationTokenResponse> {
    let owner = owner_of(request, requester);
    let refused =
        |error: ErrorCode| Decision::answer(answer_to(&owner, requester).with_error_code(error.code()));
    let rules = match in_force(image, rules) {
        Ok(rules) => rules,
        Err(error) => return refused(error),
    };
    let lifetime_ms = match request.max_lifetime_ms {
        asked if asked > 0 => asked.min(rules.lifetime_max_ms),
        _ => rules.lifetime_max_ms,
    };
    let max_timestamp = now_ms.saturating_add(lifetime_ms);
    let expiration_timestamp = max_timestamp.min(now_ms.saturating_add(rules.renewal_ms));
    let mut renewers = Vec::with_capacity(request.renewers.len());
    for renewer in &request.renewers {
        if renewer.principal_type.as_str() != USER {
            return refused(ErrorCode::InvalidPrincipalType);
        }
        renewers.push(text(KafkaPrincipal::user(&renewer.principal_name).as_str()));
    }
    let record = DelegationTokenRecord {
        owner: text(owner.as_str()),
        requester: text(requester.as_str()),
        renewers,
        issue_timestamp: now_ms,
        max_timestamp,
        expiration_timestamp,
        token_id: text(id),
        ..DelegationTokenRecord::default()
    };
    let response = answer_to(&owner, requester)
        .with_issue_timestamp_ms(now_ms)
        .with_expiry_timestamp_ms(expiration_timestamp)
        .with_max_timestamp_ms(max_timestamp)
        .with_token_id(text(id))
        .with_hmac(Bytes::copy_from_slice(token_hmac(&rules.secret, id).bytes()));
    Decision { records: vec![record.into()], response }
}

/// For whom the token is to be.
pub fn owner_of(request: &CreateDelegationTokenRequest, requester: &KafkaPrincipal) -> KafkaPrincipal {
    let name = request.owner_principal_name.as_deref().unwrap_or_default();
    if name.is_empty() {
        return requester.clone();
    }
    let kind = request.owner_principal_type.as_deref().unwrap_or_default();
    KafkaPrincipal::parse(&format!("{kind}:{name}")).unwrap_or_else(|_| KafkaPrincipal::user(name))
}

/// An answer that names whose token it is and who asked for it.
pub fn answer_to(owner: &KafkaPrincipal, requester: &KafkaPrincipal) -> CreateDelegationTokenResponse {
    let (owner, requester) = (parts(owner.as_str()), parts(requester.as_str()));
    CreateDelegationTokenResponse::default()
        .with_principal_type(text(owner.0))
        .with_principal_name(text(owner.1))
        .with_token_requester_principal_type(text(requester.0))
        .with_token_requester_principal_name(text(requester.1))
}

pub(crate) fn decide_renew(
    image: &Image,
    rules: Option<&TokenRules>,
    request: &RenewDelegationTokenRequest,
    principal: &KafkaPrincipal,
    now_ms: i64,
) -> Decision<RenewDelegationTokenResponse> {
    let renewed = in_force(image, rules).and_then(|rules| {
        let token = find(image, rules, &request.hmac)?;
        if is_expired(token, now_ms) {
            return Err(ErrorCode::DelegationTokenExpired);
        }
        may_change(token, principal)?;
        let period_ms = match request.renew_period_ms {
            asked if asked > 0 => asked.min(rules.renewal_ms),
            _ => rules.renewal_ms,
        };
        let expiration_timestamp = token.max_timestamp.min(now_ms.saturating_add(period_ms));
        Ok(DelegationTokenRecord { expiration_timestamp, ..token.clone() })
    });
    let response = RenewDelegationTokenResponse::default();
    match renewed {
        Ok(token) => {
            let response = response.with_expiry_timestamp_ms(token.expiration_timestamp);
            Decision { records: vec![token.into()], response }
        }
        Err(error) => Decision::answer(response.with_error_code(error.code())),
    }
}

pub(crate) fn decide_expire(
    image: &Image,
    rules: Option<&TokenRules>,
    request: &ExpireDelegationTokenRequest,
    principal: &KafkaPrincipal,
    now_ms: i64,
) -> Decision<ExpireDelegationTokenResponse> {
    let expired = in_force(image, rules).and_then(|rules| {
        let token = find(image, rules, &request.hmac)?;
        may_change(token, principal)?;
        if request.expiry_time_period_ms < 0 {
            return Ok((now_ms, removal_of(token)));
        }
        if is_expired(token, now_ms) {
            return Err(ErrorCode::DelegationTokenExpired);
        }
        let ends = token.max_timestamp.min(now_ms.saturating_add(request.expiry_time_period_ms));
        Ok((ends, DelegationTokenRecord { expiration_timestamp: ends, ..token.clone() }.into()))
    });
    let response = ExpireDelegationTokenResponse::default();
    match expired {
        Ok((ends, record)) => {
            Decision { records: vec![record], response: response.with_expiry_timestamp_ms(ends) }
        }
        Err(error) => Decision::answer(response.with_error_code(error.code())),
    }
}

/// Removes what has ended, so many at a time.
pub(crate) fn decide_sweep(image: &Image, now_ms: i64) -> Vec<MetadataRecord> {
    let ended = image.tokens.values().filter(|token| is_expired(token, now_ms));
    ended.take(REMOVALS_PER_TURN_MAX).map(|token| removal_of(token)).collect()
}

/// Whether somebody is told of a token (`TokenInformation.ownerOrRenewer`).
pub fn is_of(token: &DelegationTokenRecord, principal: &str) -> bool {
    let is_renewer = |renewer: &StrBytes| renewer.as_str() == principal;
    token.owner.as_str() == principal
        || token.requester.as_str() == principal
        || token.renewers.iter().any(is_renewer)
}

/// Type and name of a principal.
pub fn parts(principal: &str) -> (&str, &str) {
    principal.split_once(':').unwrap_or((USER, principal))
}

fn removal_of(token: &DelegationTokenRecord) -> MetadataRecord {
    RemoveDelegationTokenRecord { token_id: token.token_id.clone(), ..RemoveDelegationTokenRecord::default() }
        .into()
}

fn in_force<'a>(image: &Image, rules: Option<&'a TokenRules>) -> Result<&'a TokenRules, ErrorCode> {
    let rules = rules.ok_or(ErrorCode::DelegationTokenAuthDisabled)?;
    match image.feature_level(METADATA_VERSION) >= METADATA_VERSION_MIN {
        true => Ok(rules),
        false => Err(ErrorCode::UnsupportedVersion),
    }
}

/// Every token is looked at: an HMAC says nothing of its id.
fn find<'a>(
    image: &'a Image,
    rules: &TokenRules,
    hmac: &[u8],
) -> Result<&'a DelegationTokenRecord, ErrorCode> {
    let mut tokens = image.tokens.values();
    let found = tokens.find(|token| token_hmac(&rules.secret, &token.token_id).is(hmac));
    found.map(|token| &**token).ok_or(ErrorCode::DelegationTokenNotFound)
}

fn is_expired(token: &DelegationTokenRecord, now_ms: i64) -> bool {
    token.max_timestamp < now_ms || token.expiration_timestamp < now_ms
}

/// The owner and the renewers may, and not who asked for it.
fn may_change(token: &DelegationTokenRecord, principal: &KafkaPrincipal) -> Result<(), ErrorCode> {
    let is_renewer = |renewer: &StrBytes| renewer.as_str() == principal.as_str();
    match token.owner.as_str() == principal.as_str() || token.renewers.iter().any(is_renewer) {
        true => Ok(()),
        false => Err(ErrorCode::DelegationTokenOwnerMismatch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::Cluster;
    use crate::records_of::records_of_cluster;
    use ottla_protocol::messages::create_delegation_token_request::CreatableRenewers;
    use ottla_protocol::records::metadata::FeatureLevelRecord;

    const DAY_MS: i64 = 86_400_000;

    fn rules() -> TokenRules {
        TokenRules { secret: Secret::new("hush"), lifetime_max_ms: 7 * DAY_MS, renewal_ms: DAY_MS }
    }

    fn cluster(level: i16) -> Cluster {
        let mut cluster = Cluster::of(&[1]);
        let name = text(METADATA_VERSION);
        let record = FeatureLevelRecord { name, feature_level: level, ..Default::default() };
        cluster.apply(vec![record.into()]);
        cluster
    }

    fn user(name: &str) -> KafkaPrincipal {
        KafkaPrincipal::user(name)
    }

    fn asked(
        owner: Option<&str>,
        renewers: &[(&str, &str)],
        lifetime_ms: i64,
    ) -> CreateDelegationTokenRequest {
        let renewer = |(kind, name): &(&str, &str)| {
            CreatableRenewers::default().with_principal_type(text(kind)).with_principal_name(text(name))
        };
        CreateDelegationTokenRequest::default()
            .with_owner_principal_type(owner.map(|_| text(USER)))
            .with_owner_principal_name(owner.map(text))
            .with_renewers(renewers.iter().map(renewer).collect())
            .with_max_lifetime_ms(lifetime_ms)
    }

    /// Makes a token `id` at the time 1000 and gives its HMAC.
    fn make(cluster: &mut Cluster, request: &CreateDelegationTokenRequest, id: &str) -> Bytes {
        let rules = rules();
        let made = decide_create(cluster.image(), Some(&rules), request, &user("alice"), id, 1_000);
        assert_eq!(made.response.error_code, 0);
        cluster.apply(made.records);
        made.response.hmac
    }

    fn renew(cluster: &mut Cluster, hmac: &Bytes, by: &str, period_ms: i64, now_ms: i64) -> Result<i64, i16> {
        let request =
            RenewDelegationTokenRequest::default().with_hmac(hmac.clone()).with_renew_period_ms(period_ms);
        let decision = decide_renew(cluster.image(), Some(&rules()), &request, &user(by), now_ms);
        cluster.apply(decision.records);
        match decision.response.error_code {
            0 => Ok(decision.response.expiry_timestamp_ms),
            error => Err(error),
        }
    }

    fn expire(
        cluster: &mut Cluster,
        hmac: &Bytes,
        by: &str,
        period_ms: i64,
        now_ms: i64,
    ) -> Result<i64, i16> {
        let request = ExpireDelegationTokenRequest::default()
            .with_hmac(hmac.clone())
            .with_expiry_time_period_ms(period_ms);
        let decision = decide_expire(cluster.image(), Some(&rules()), &request, &user(by), now_ms);
        cluster.apply(decision.records);
        match decision.response.error_code {
            0 => Ok(decision.response.expiry_timestamp_ms),
            error => Err(error),
        }
    }

    #[test]
    fn a_token_is_made_renewed_and_ended_and_lives_through_a_snapshot() {
        let mut cluster = cluster(METADATA_VERSION_MIN);
        let hmac = make(&mut cluster, &asked(None, &[("User", "bob")], 0), "one");
        let token = cluster.image().token("one").expect("it is there").clone();
        assert_eq!((token.owner.as_str(), token.requester.as_str()), ("User:alice", "User:alice"));
        assert_eq!((token.expiration_timestamp, token.max_timestamp), (1_000 + DAY_MS, 1_000 + 7 * DAY_MS));
        let mut again = Cluster::of(&[]);
        again.apply(records_of_cluster(cluster.image()));
        assert_eq!(again.image().tokens, cluster.image().tokens);
        assert_eq!(renew(&mut cluster, &hmac, "bob", 0, 2_000), Ok(2_000 + DAY_MS));
        assert_eq!(renew(&mut cluster, &hmac, "alice", 50, 2_000), Ok(2_050));
        assert_eq!(renew(&mut cluster, &hmac, "alice", i64::MAX, 2_000), Ok(2_000 + DAY_MS), "a day at most");
        assert_eq!(expire(&mut cluster, &hmac, "bob", 0, 3_000), Ok(3_000));
        assert_eq!(renew(&mut cluster, &hmac, "bob", 0, 3_001), Err(66));
        assert_eq!(expire(&mut cluster, &hmac, "bob", 5, 3_001), Err(66));
        assert_eq!(expire(&mut cluster, &hmac, "bob", -1, 3_001), Ok(3_001));
        assert_eq!(cluster.image().token("one"), None);
        assert_eq!(renew(&mut cluster, &hmac, "bob", 0, 3_001), Err(62));
    }

    #[test]
    fn the_owner_and_renewers_may_change_a_token_and_nobody_else() {
        let mut cluster = cluster(METADATA_VERSION_MIN);
        let hmac = make(&mut cluster, &asked(Some("carol"), &[("User", "bob")], 10), "one");
        let token = cluster.image().token("one").expect("it is there").clone();
        assert_eq!((token.owner.as_str(), token.max_timestamp), ("User:carol", 1_010));
        for (who, result) in [("alice", Err(63)), ("dave", Err(63)), ("carol", Ok(1_010)), ("bob", Ok(1_010))]
        {
            assert_eq!(renew(&mut cluster, &hmac, who, 0, 1_000), result, "{who}");
            assert_eq!(expire(&mut cluster, &hmac, who, 500, 1_000), result, "{who}");
        }
        let told: Vec<bool> = ["User:alice", "User:bob", "User:carol", "User:dave"]
            .iter()
            .map(|who| is_of(&token, who))
            .collect();
        assert_eq!(told, [true, true, true, false]);
        assert_eq!(renew(&mut cluster, &Bytes::from_static(b"guess"), "carol", 0, 1_000), Err(62));
    }

    #[test]
    fn without_a_secret_or_its_version_there_are_no_tokens() {
        let create = |level: i16, rules: Option<&TokenRules>, request: &CreateDelegationTokenRequest| {
            let decision = decide_create(cluster(level).image(), rules, request, &user("a"), "x", 0);
            assert!(decision.records.is_empty() || decision.response.error_code == 0);
            decision.response.error_code
        };
        let rules = rules();
        assert_eq!(create(METADATA_VERSION_MIN, None, &asked(None, &[], 0)), 61);
        assert_eq!(create(METADATA_VERSION_MIN - 1, Some(&rules), &asked(None, &[], 0)), 35);
        assert_eq!(create(METADATA_VERSION_MIN, Some(&rules), &asked(None, &[("Group", "g")], 0)), 67);
        assert_eq!(create(METADATA_VERSION_MIN, Some(&rules), &asked(None, &[], 0)), 0);
    }

    #[test]
    fn what_has_ended_is_swept() {
        let mut cluster = cluster(METADATA_VERSION_MIN);
        make(&mut cluster, &asked(None, &[], 10), "short");
        make(&mut cluster, &asked(None, &[], 0), "long");
        assert!(decide_sweep(cluster.image(), 1_010).is_empty(), "it lasts until its end");
        let records = decide_sweep(cluster.image(), 1_011);
        cluster.apply(records);
        assert!(cluster.image().token("short").is_none() && cluster.image().token("long").is_some());
    }
}
