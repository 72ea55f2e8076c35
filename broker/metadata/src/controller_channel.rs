//! How a broker reaches the active controller, wherever that is.
//! Shell: an interface. On the active controller's node it is the metadata room itself; elsewhere the process sends the
//! request to the node that leads.

use ottla_env::BoxFuture;
use ottla_model::BrokerId;
use ottla_protocol::messages::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, AlterPartitionRequest, AlterPartitionResponse,
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, BrokerHeartbeatRequest,
    BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse,
    ControllerRegistrationRequest, ControllerRegistrationResponse, CreateTopicsRequest, CreateTopicsResponse,
};
use ottla_quota::MutationQuota;

use crate::controller::Deciding;
use crate::controller::alter_partition::decide_alter_partition;
use crate::controller::assign_directories::decide_assign_replicas_to_dirs;
use crate::controller::create_topics::decide_create_topics;
use crate::controller::heartbeat::decide_heartbeat;
use crate::controller::producer_ids::decide_allocate_for;
use crate::controller::register_broker::{decide_register_broker, decide_register_controller};
use crate::metadata::{Metadata, OperationError};

/// What becomes of a request to the controller. `NotController` in an answer, or no answer at all, leaves it
/// to the caller to ask again: only it knows whether that is right.
pub type Reached<R> = BoxFuture<'static, Result<R, OperationError>>;

pub trait ControllerChannel: Send + Sync {
    fn register_broker(&self, request: BrokerRegistrationRequest) -> Reached<BrokerRegistrationResponse>;

    fn heartbeat(&self, request: BrokerHeartbeatRequest) -> Reached<BrokerHeartbeatResponse>;

    fn alter_partition(&self, request: AlterPartitionRequest) -> Reached<AlterPartitionResponse>;

    /// In which of its log directories a broker has replicas.
    fn assign_replicas_to_dirs(
        &self,
        request: AssignReplicasToDirsRequest,
    ) -> Reached<AssignReplicasToDirsResponse>;

    fn allocate_producer_ids(
        &self,
        request: AllocateProducerIdsRequest,
    ) -> Reached<AllocateProducerIdsResponse>;

    /// Where a controller is reached, and what it serves.
    fn register_controller(
        &self,
        request: ControllerRegistrationRequest,
    ) -> Reached<ControllerRegistrationResponse>;

    /// Topics that a broker makes for a client that needs them.
    fn create_topics(&self, request: CreateTopicsRequest) -> Reached<CreateTopicsResponse>;
}

/// On the node whose controller is active. Elsewhere the answer is NOT_CONTROLLER.
impl ControllerChannel for Metadata {
    fn register_broker(&self, request: BrokerRegistrationRequest) -> Reached<BrokerRegistrationResponse> {
        self.reach(move |Deciding { image, rules, liveness, now, .. }| {
            decide_register_broker(image, rules, liveness, &request, now.monotonic)
        })
    }

    fn heartbeat(&self, request: BrokerHeartbeatRequest) -> Reached<BrokerHeartbeatResponse> {
        let heard = self.on_contact(BrokerId(request.broker_id), request.broker_epoch);
        self.reach(move |Deciding { image, rules, liveness, .. }| {
            decide_heartbeat(image, rules, liveness, &request, heard)
        })
    }

    fn alter_partition(&self, request: AlterPartitionRequest) -> Reached<AlterPartitionResponse> {
        self.reach(move |Deciding { image, rules, .. }| decide_alter_partition(image, rules, &request))
    }

    fn assign_replicas_to_dirs(
        &self,
        request: AssignReplicasToDirsRequest,
    ) -> Reached<AssignReplicasToDirsResponse> {
        self.reach(move |Deciding { image, rules, .. }| {
            decide_assign_replicas_to_dirs(image, rules, &request)
        })
    }

    fn allocate_producer_ids(
        &self,
        request: AllocateProducerIdsRequest,
    ) -> Reached<AllocateProducerIdsResponse> {
        self.reach(move |Deciding { image, .. }| decide_allocate_for(image, &request))
    }

    fn register_controller(
        &self,
        request: ControllerRegistrationRequest,
    ) -> Reached<ControllerRegistrationResponse> {
        self.reach(move |_| Ok(decide_register_controller(&request)))
    }

    fn create_topics(&self, request: CreateTopicsRequest) -> Reached<CreateTopicsResponse> {
        self.reach(move |Deciding { image, rules, topic_ids, .. }| {
            // The node that asks has claimed its client's quota.
            decide_create_topics(image, rules, &request, topic_ids, &MutationQuota::UNLIMITED)
        })
    }
}
