//! What the client that sent a request may do: the authorizer's answers, as handlers need them.
//! Core. Where no authorizer is configured (`authorizer.class.name` unset) everything is allowed, and
//! asking costs one branch.

use std::net::IpAddr;
use std::sync::Arc;

use ottla_model::ErrorCode;
use ottla_network::ConnectionInfo;
use ottla_security::{
    AclOperation, Acls, Asking, Authorizer, CLUSTER_NAME, Identity, KafkaPrincipal, ResourceType,
};

use crate::context::Broker;
use crate::operation_audit::{Asked, OperationAudit};
use crate::request::Request;

/// Operations a client may do where there is no authorizer: all of them, as a bit field of Kafka's
/// AclOperation codes.
const CLUSTER_OPERATIONS: i32 = 8096;
const TOPIC_OPERATIONS: i32 = 3576;
const GROUP_OPERATIONS: i32 = 3400;
/// The error text of ACL requests where no authorizer is configured.
pub const NO_AUTHORIZER: &str = "No Authorizer is configured on the broker";
/// The same as Kafka's controller says it, to which changes go.
const NO_AUTHORIZER_TO_CHANGE: &str = "No Authorizer is configured.";
/// The authorized operations were not requested.
pub const OPERATIONS_OMITTED: i32 = i32::MIN;

/// The ACLs in force when the request came, and whose request it is.
#[derive(Clone)]
pub struct Access(Option<Limited>);

#[derive(Clone)]
struct Limited {
    authorizer: Arc<Authorizer>,
    acls: Arc<Acls>,
    principal: KafkaPrincipal,
    host: IpAddr,
    api: &'static str,
    audit: Arc<OperationAudit>,
    /// What is refused is only left out.
    is_quiet: bool,
}

impl Limited {
    fn asking(&self) -> Asking<'_> {
        Asking { principal: &self.principal, host: self.host }
    }

    fn is_allowed(&self, operation: AclOperation, resource_type: ResourceType, name: &str) -> bool {
        let is_allowed =
            self.authorizer.is_allowed(&self.acls, self.asking(), operation, resource_type, name);
        let Limited { principal, host, api, .. } = self;
        let asked = Asked { principal, host: *host, api, operation, resource_type, name };
        match self.is_quiet && !is_allowed {
            true => self.audit.on_left_out(&asked),
            false => self.audit.on_decision(&asked, is_allowed),
        }
        is_allowed
    }

    fn operations(&self, resource_type: ResourceType, name: &str) -> i32 {
        self.authorizer.operations(&self.acls, self.asking(), resource_type, name)
    }
}

impl Access {
    pub fn of(broker: &Broker, request: &Request) -> Access {
        Access(broker.authorizer.as_ref().map(|authorizer| Limited {
            authorizer: authorizer.clone(),
            acls: broker.metadata.image().acls().clone(),
            principal: request.principal().clone(),
            host: request.connection.peer_addr.ip().to_canonical(),
            api: request.key.name(),
            audit: broker.audit.clone(),
            is_quiet: false,
        }))
    }

    /// The same for a frame that is none of Kafka's.
    pub fn of_connection(broker: &Broker, connection: &ConnectionInfo) -> Access {
        let identity = connection.identity();
        Access(broker.authorizer.as_ref().map(|authorizer| Limited {
            authorizer: authorizer.clone(),
            acls: broker.metadata.image().acls().clone(),
            principal: identity.as_deref().unwrap_or(Identity::anonymous()).principal.clone(),
            host: connection.peer_addr.ip().to_canonical(),
            api: "a frame of nodes",
            audit: broker.audit.clone(),
            is_quiet: false,
        }))
    }

    /// For what sorts out, and for what is asked although another right will do: a refusal is none.
    pub fn quietly(&self) -> Access {
        Access(self.0.clone().map(|limited| Limited { is_quiet: true, ..limited }))
    }

    /// Whether anything can be refused at all: what only sorts out what is not allowed is left out
    /// when it can't.
    pub fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// Takes out what is not allowed.
    pub fn take_refused<T>(&self, items: &mut Vec<T>, is_allowed: impl Fn(&T) -> bool) -> Vec<T> {
        match self.is_limited() {
            true => items.extract_if(.., |item| !is_allowed(item)).collect(),
            false => Vec::new(),
        }
    }

    pub fn topic(&self, operation: AclOperation, name: &str) -> bool {
        self.is_allowed(operation, ResourceType::Topic, name)
    }

    pub fn group(&self, operation: AclOperation, name: &str) -> bool {
        self.is_allowed(operation, ResourceType::Group, name)
    }

    pub fn transactional_id(&self, operation: AclOperation, id: &str) -> bool {
        self.is_allowed(operation, ResourceType::TransactionalId, id)
    }

    /// On a principal, by its text.
    pub fn user(&self, operation: AclOperation, principal: &str) -> bool {
        self.is_allowed(operation, ResourceType::User, principal)
    }

    pub fn delegation_token(&self, operation: AclOperation, id: &str) -> bool {
        self.is_allowed(operation, ResourceType::DelegationToken, id)
    }

    pub fn cluster(&self, operation: AclOperation) -> bool {
        self.is_allowed(operation, ResourceType::Cluster, CLUSTER_NAME)
    }

    fn is_allowed(&self, operation: AclOperation, resource_type: ResourceType, name: &str) -> bool {
        self.0.as_ref().is_none_or(|limited| limited.is_allowed(operation, resource_type, name))
    }

    /// Whether there may be a topic that the operation is allowed on.
    pub fn some_topic(&self, operation: AclOperation) -> bool {
        self.0.as_ref().is_none_or(|limited| {
            let Limited { authorizer, acls, .. } = limited;
            authorizer.is_allowed_by_resource_type(acls, limited.asking(), operation, ResourceType::Topic)
        })
    }

    /// The operations on the cluster: none where it may not be looked at.
    pub fn cluster_operations(&self) -> i32 {
        match &self.0 {
            None => CLUSTER_OPERATIONS,
            Some(_) if !self.cluster(AclOperation::Describe) => 0,
            Some(limited) => limited.operations(ResourceType::Cluster, CLUSTER_NAME),
        }
    }

    pub fn topic_operations(&self, name: &str) -> i32 {
        self.0.as_ref().map_or(TOPIC_OPERATIONS, |limited| limited.operations(ResourceType::Topic, name))
    }

    pub fn group_operations(&self, name: &str) -> i32 {
        self.0.as_ref().map_or(GROUP_OPERATIONS, |limited| limited.operations(ResourceType::Group, name))
    }
}

/// Why ACLs can't be changed, if they can't.
pub fn refuse_acl_change(access: &Access) -> Result<(), (ErrorCode, &'static str)> {
    if !access.cluster(AclOperation::Alter) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return Err((error, text_of(error)));
    }
    if access.is_limited() { Ok(()) } else { Err((ErrorCode::SecurityDisabled, NO_AUTHORIZER_TO_CHANGE)) }
}

/// Kafka's own text of a refusal.
pub fn text_of(error: ErrorCode) -> &'static str {
    match error {
        ErrorCode::TopicAuthorizationFailed => "Topic authorization failed.",
        ErrorCode::GroupAuthorizationFailed => "Group authorization failed.",
        ErrorCode::TransactionalIdAuthorizationFailed => "Transactional Id authorization failed.",
        _ => "Cluster authorization failed.",
    }
}
