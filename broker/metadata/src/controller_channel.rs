//! How a broker reaches the active controller, wherever that is.
//! Shell: an interface. On the active controller's node it is the metadata room itself; elsewhere the process sends the
//! request to the node that leads.

use ottla_env::BoxFuture;
use ottla_protocol::messages::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, AlterPartitionRequest, AlterPartitionResponse,
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse,
    CreateTopicsRequest, CreateTopicsResponse,
};

use crate::metadata::OperationError;

/// What becomes of a request to the controller. `NotController` in an answer, or no answer at all, leaves it
/// to the caller to ask again: only it knows whether that is right.
pub type Reached<R> = BoxFuture<'static, Result<R, OperationError>>;

pub trait ControllerChannel: Send + Sync {
    fn register_broker(&self, request: BrokerRegistrationRequest) -> Reached<BrokerRegistrationResponse>;

    fn heartbeat(&self, request: BrokerHeartbeatRequest) -> Reached<BrokerHeartbeatResponse>;

    fn alter_partition(&self, request: AlterPartitionRequest) -> Reached<AlterPartitionResponse>;

    fn allocate_producer_ids(
        &self,
        request: AllocateProducerIdsRequest,
    ) -> Reached<AllocateProducerIdsResponse>;

    /// Topics that a broker makes for a client that needs them.
    fn create_topics(&self, request: CreateTopicsRequest) -> Reached<CreateTopicsResponse>;
}
