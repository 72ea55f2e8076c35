//! DescribeCluster (key 60), versions 0-2: the cluster's id and brokers (KIP-700).
//! Core.
//!
//! - v1: endpoint type (KIP-919). v2: fenced brokers (KIP-1073).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::prelude::*;
use crate::access::OPERATIONS_OMITTED;
use crate::cluster::Cluster;

pub const API: Api = Api { key: ApiKey::DescribeCluster, min: 0, max: 2, admit };

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeClusterRequest = request.decode()?;
    let refused = match body.endpoint_type {
        BROKERS => None,
        CONTROLLERS => Some((
            ErrorCode::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
        )),
        _ => Some((ErrorCode::UnsupportedEndpointType, "Unsupported endpoint type")),
    };
    if let Some((error, why)) = refused {
        let response = DescribeClusterResponse::default().with_error_code(error.code()).with_error_message(
            message(if body.endpoint_type == CONTROLLERS {
                why.to_owned()
            } else {
                format!("{why} {}", body.endpoint_type)
            }),
        );
        return request.ready(&response);
    }
    let cluster = Cluster::of(broker, &request.connection);
    let brokers = cluster.nodes().into_iter().map(|node| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(node.id.0))
            .with_host(text(&node.host))
            .with_port(node.port)
            .with_rack(node.rack.as_deref().map(text))
    });
    let operations = match body.include_cluster_authorized_operations {
        true => Access::of(broker, &request).cluster_operations(),
        false => OPERATIONS_OMITTED,
    };
    let response = DescribeClusterResponse::default()
        .with_endpoint_type(BROKERS)
        .with_cluster_id(text(cluster.image().cluster_id()))
        .with_controller_id(BrokerId(cluster.controller().map_or(-1, |id| id.0)))
        .with_brokers(brokers.collect())
        .with_cluster_authorized_operations(operations);
    request.ready(&response)
}
