//! Requests about delegation tokens on their way to the controller.
//! Shell: the rules are the core's (`controller/delegation_tokens.rs`).

use ottla_protocol::messages::{
    CreateDelegationTokenRequest, CreateDelegationTokenResponse, ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse, RenewDelegationTokenRequest, RenewDelegationTokenResponse,
};
use ottla_security::KafkaPrincipal;

use crate::controller::{Deciding, delegation_tokens};
use crate::metadata::{Metadata, OperationError};

impl Metadata {
    pub async fn create_delegation_token(
        &self,
        request: CreateDelegationTokenRequest,
        requester: KafkaPrincipal,
    ) -> Result<CreateDelegationTokenResponse, OperationError> {
        self.reach(move |Deciding { image, rules, now, topic_ids, .. }| {
            // Both are ids that nobody has had, in one form.
            let (rules, id) = (rules.tokens(), topic_ids().to_string());
            let rules = rules.as_ref();
            Ok(delegation_tokens::decide_create(image, rules, &request, &requester, &id, now.wall_ms))
        })
        .await
    }

    pub async fn renew_delegation_token(
        &self,
        request: RenewDelegationTokenRequest,
        principal: KafkaPrincipal,
    ) -> Result<RenewDelegationTokenResponse, OperationError> {
        self.reach(move |Deciding { image, rules, now, .. }| {
            let rules = rules.tokens();
            Ok(delegation_tokens::decide_renew(image, rules.as_ref(), &request, &principal, now.wall_ms))
        })
        .await
    }

    pub async fn expire_delegation_token(
        &self,
        request: ExpireDelegationTokenRequest,
        principal: KafkaPrincipal,
    ) -> Result<ExpireDelegationTokenResponse, OperationError> {
        self.reach(move |Deciding { image, rules, now, .. }| {
            let rules = rules.tokens();
            Ok(delegation_tokens::decide_expire(image, rules.as_ref(), &request, &principal, now.wall_ms))
        })
        .await
    }
}
