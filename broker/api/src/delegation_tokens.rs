//! Delegation tokens where clients are: who may ask for them, and how a login finds them (KIP-48).
//! Shell: remembers credentials that were made.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_metadata::Image;
use ottla_metadata::controller::delegation_tokens::{answer_to, owner_of};
use ottla_model::{ErrorCode, SecurityProtocol};
use ottla_network::Answer;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{
    CreateDelegationTokenRequest, CreateDelegationTokenResponse, ExpireDelegationTokenResponse,
    RenewDelegationTokenResponse,
};
use ottla_security::{KafkaPrincipal, ScramCredential, ScramMechanism, Secret, token_credential, token_hmac};
use ottla_security::{TokenLogin, TokenLogins};
use parking_lot::Mutex;

use crate::request::{Refusal, Request};

/// Credentials that are remembered; beyond them all are made again at their next login.
const REMEMBERED_MAX: usize = 10_000;
/// Where an answer has no time (`DelegationTokenManager.ErrorTimestamp`).
const NO_TIME: i64 = -1;

/// The tokens of the cluster as logins need them.
pub(crate) struct Tokens {
    secret: Secret,
    /// Of this process; the salts are made of it.
    salt_key: Secret,
    /// What took thousands of rounds to make, by token and mechanism.
    made: Mutex<HashMap<(String, ScramMechanism), Arc<ScramCredential>>>,
}

impl Tokens {
    pub fn new(secret: Secret, salt_key: Secret) -> Tokens {
        Tokens { secret, salt_key, made: Mutex::default() }
    }

    pub fn of<'a>(&'a self, image: &'a Image) -> KnownTokens<'a> {
        KnownTokens { tokens: self, image }
    }

    fn credential(&self, id: &str, mechanism: ScramMechanism) -> Arc<ScramCredential> {
        let key = (id.to_owned(), mechanism);
        if let Some(known) = self.made.lock().get(&key) {
            return known.clone();
        }
        let seed = token_hmac(&self.salt_key, id);
        let salt: String = seed.bytes()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let salt = salt.into_bytes();
        let credential = token_credential(mechanism, &token_hmac(&self.secret, id), salt);
        let credential = Arc::new(credential);
        let mut made = self.made.lock();
        if made.len() >= REMEMBERED_MAX {
            made.clear();
        }
        made.insert(key, credential.clone());
        credential
    }
}

/// The tokens at one moment.
pub(crate) struct KnownTokens<'a> {
    tokens: &'a Tokens,
    image: &'a Image,
}

impl TokenLogins for KnownTokens<'_> {
    fn find(&self, id: &str, mechanism: ScramMechanism) -> Option<TokenLogin> {
        let token = self.image.token(id)?;
        Some(TokenLogin {
            credential: self.tokens.credential(id, mechanism),
            owner: KafkaPrincipal::parse(&token.owner).ok()?,
            expires_wall_ms: token.expiration_timestamp,
        })
    }
}

/// Whether a client may ask anything of tokens: it must have said who it is, and not by a token
/// (`KafkaApis.allowTokenRequests`). What another broker forwards was looked at there.
pub(crate) fn may_ask(request: &Request) -> bool {
    if request.came_to_none.is_some() {
        return true;
    }
    let is_by_token = request.identity.as_ref().is_some_and(|identity| identity.is_by_delegation_token);
    let is_anonymous = *request.principal() == KafkaPrincipal::ANONYMOUS;
    match request.connection.listener.protocol {
        _ if is_by_token => false,
        SecurityProtocol::Plaintext => false,
        SecurityProtocol::Ssl => !is_anonymous,
        SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl => true,
    }
}

/// The answer to a request for the controller that must not leave this node, if it is one.
pub(crate) fn refused_here(request: &Request) -> Option<Result<Answer, Refusal>> {
    let key = request.key;
    let is_of_tokens = matches!(
        key,
        ApiKey::CreateDelegationToken | ApiKey::RenewDelegationToken | ApiKey::ExpireDelegationToken
    );
    if !is_of_tokens || may_ask(request) {
        return None;
    }
    let error = ErrorCode::DelegationTokenRequestNotAllowed;
    Some(match key {
        ApiKey::CreateDelegationToken => request.decode().map(|body| {
            let body: CreateDelegationTokenRequest = body;
            request.answer(&creation_refused(&body, request, error))
        }),
        ApiKey::RenewDelegationToken => Ok(request.answer(&renewal_refused(error))),
        _ => Ok(request.answer(&expiry_refused(error))),
    })
}

pub(crate) fn creation_refused(
    body: &CreateDelegationTokenRequest,
    request: &Request,
    error: ErrorCode,
) -> CreateDelegationTokenResponse {
    let requester = request.principal();
    let answer = answer_to(&owner_of(body, requester), requester)
        .with_error_code(error.code())
        .with_issue_timestamp_ms(NO_TIME)
        .with_expiry_timestamp_ms(NO_TIME)
        .with_max_timestamp_ms(NO_TIME);
    in_version(answer, request.version())
}

/// Older clients are not told who asked for a token.
pub(crate) fn in_version(
    answer: CreateDelegationTokenResponse,
    version: i16,
) -> CreateDelegationTokenResponse {
    match version >= 3 {
        true => answer,
        false => answer
            .with_token_requester_principal_type(Default::default())
            .with_token_requester_principal_name(Default::default()),
    }
}

pub(crate) fn renewal_refused(error: ErrorCode) -> RenewDelegationTokenResponse {
    RenewDelegationTokenResponse::default().with_error_code(error.code()).with_expiry_timestamp_ms(NO_TIME)
}

pub(crate) fn expiry_refused(error: ErrorCode) -> ExpireDelegationTokenResponse {
    ExpireDelegationTokenResponse::default().with_error_code(error.code()).with_expiry_timestamp_ms(NO_TIME)
}
