//! What this broker itself asks of the active controller, on this node or another.
//! Shell.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::BoxFuture;
use ottla_metadata::{ControllerChannel, Metadata, OperationError, Reached};
use ottla_model::ErrorCode;
use ottla_network::outgoing::CallError;
use ottla_protocol::Request;
use ottla_protocol::messages::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, AlterPartitionRequest, AlterPartitionResponse,
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, BrokerHeartbeatRequest,
    BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse,
    ControllerRegistrationRequest, ControllerRegistrationResponse, CreateTopicsRequest, CreateTopicsResponse,
};

use super::controllers::{Active, Controllers};
use super::forward::Forward;

/// How long an active controller is looked for: less than half of a broker's session, so that a heartbeat that met a
/// dead controller is said again in time (KAFKA-14392).
const PATIENCE: Duration = Duration::from_secs(3);

pub struct ToController {
    controllers: Arc<Controllers>,
    local: Arc<Metadata>,
    forward: Arc<Forward>,
}

/// A request of this broker with the way it takes where the controller is in this process, and how its answer says that
/// it came to no controller.
struct Ask<Q: Request> {
    request: Q,
    local: fn(&Metadata, Q) -> Reached<Q::Response>,
    code: fn(&Q::Response) -> i16,
}

impl ToController {
    pub fn new(controllers: Arc<Controllers>, local: Arc<Metadata>, forward: Arc<Forward>) -> ToController {
        ToController { controllers, local, forward }
    }

    fn ask<Q>(&self, ask: Ask<Q>) -> Reached<Q::Response>
    where
        Q: Request + Clone + Send + Sync + 'static,
        Q::Response: Send + 'static,
    {
        let (controllers, local) = (self.controllers.clone(), self.local.clone());
        Box::pin(async move {
            let attempt = move |active| -> BoxFuture<'static, Option<Result<Q::Response, OperationError>>> {
                let Ask { request, local: here, code } = &ask;
                let code = *code;
                match active {
                    Active::Here => {
                        let decision = here(&local, request.clone());
                        Box::pin(async move {
                            match decision.await {
                                Err(OperationError::Refused(refused))
                                    if refused.error == ErrorCode::NotController =>
                                {
                                    None
                                }
                                other => Some(other),
                            }
                        })
                    }
                    Active::There(peer) => {
                        let request = request.clone();
                        Box::pin(async move {
                            let answer = peer.call(&request).await;
                            match answer {
                                Ok(answer) if code(&answer) == ErrorCode::NotController.code() => None,
                                Ok(answer) => Some(Ok(answer)),
                                Err(error) => {
                                    tell(&error);
                                    None
                                }
                            }
                        })
                    }
                }
            };
            controllers.reach(PATIENCE, attempt).await?
        })
    }
}

/// All that is asked may be asked twice: what was decided the first time is refused, or is given again.
fn tell(error: &CallError) {
    tracing::debug!(%error, "the active controller gave no answer");
}

impl ControllerChannel for ToController {
    fn register_broker(&self, request: BrokerRegistrationRequest) -> Reached<BrokerRegistrationResponse> {
        self.ask(Ask {
            request,
            local: |metadata, request| metadata.register_broker(request),
            code: |answer| answer.error_code,
        })
    }

    fn heartbeat(&self, request: BrokerHeartbeatRequest) -> Reached<BrokerHeartbeatResponse> {
        self.ask(Ask {
            request,
            local: |metadata, request| metadata.heartbeat(request),
            code: |answer| answer.error_code,
        })
    }

    fn alter_partition(&self, request: AlterPartitionRequest) -> Reached<AlterPartitionResponse> {
        self.ask(Ask {
            request,
            local: |metadata, request| metadata.alter_partition(request),
            code: |answer| answer.error_code,
        })
    }

    fn assign_replicas_to_dirs(
        &self,
        request: AssignReplicasToDirsRequest,
    ) -> Reached<AssignReplicasToDirsResponse> {
        self.ask(Ask {
            request,
            local: |metadata, request| metadata.assign_replicas_to_dirs(request),
            code: |answer| answer.error_code,
        })
    }

    fn allocate_producer_ids(
        &self,
        request: AllocateProducerIdsRequest,
    ) -> Reached<AllocateProducerIdsResponse> {
        self.ask(Ask {
            request,
            local: |metadata, request| ControllerChannel::allocate_producer_ids(metadata, request),
            code: |answer| answer.error_code,
        })
    }

    fn register_controller(
        &self,
        request: ControllerRegistrationRequest,
    ) -> Reached<ControllerRegistrationResponse> {
        self.ask(Ask {
            request,
            local: |metadata, request| ControllerChannel::register_controller(metadata, request),
            code: |answer| answer.error_code,
        })
    }

    /// Forwarded as a client's request would be: with the answer this node has the topics.
    fn create_topics(&self, request: CreateTopicsRequest) -> Reached<CreateTopicsResponse> {
        let (forward, local) = (self.forward.clone(), self.local.clone());
        Box::pin(async move {
            match forward.create_topics(&request).await? {
                Some(answer) => Ok(answer),
                None => ControllerChannel::create_topics(&*local, request).await,
            }
        })
    }
}
