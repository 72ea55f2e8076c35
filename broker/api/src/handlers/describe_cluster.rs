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
use crate::cluster::{Cluster, Node};
use crate::metadata_log;
use crate::table::Endpoint;

pub const API: Api = Api { key: ApiKey::DescribeCluster, min: 0, max: 2, admit };

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeClusterRequest = request.decode()?;
    if let Some((error, why)) = refusal(request.endpoint, body.endpoint_type) {
        let response =
            DescribeClusterResponse::default().with_error_code(error.code()).with_error_message(message(why));
        return request.ready(&response);
    }
    let cluster = Cluster::of(broker, &request.connection);
    let (nodes, controller) = match request.endpoint {
        Endpoint::Broker => (cluster.nodes(), cluster.controller()),
        Endpoint::Controller => (controllers(broker, &request), broker.metadata.leadership().leader),
    };
    let fenced = match request.endpoint {
        Endpoint::Broker if body.include_fenced_brokers => cluster.fenced_nodes(),
        Endpoint::Broker | Endpoint::Controller => Vec::new(),
    };
    let mut nodes: Vec<(Node, bool)> = nodes.into_iter().map(|node| (node, false)).collect();
    nodes.extend(fenced.into_iter().map(|node| (node, true)));
    nodes.sort_by_key(|(node, _)| node.id);
    let nodes = nodes.into_iter().map(|(node, is_fenced)| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(node.id.0))
            .with_host(text(&node.host))
            .with_port(node.port)
            .with_rack(node.rack.as_deref().map(text))
            .with_is_fenced(is_fenced)
    });
    let operations = match body.include_cluster_authorized_operations {
        true => Access::of(broker, &request).cluster_operations(),
        false => OPERATIONS_OMITTED,
    };
    let response = DescribeClusterResponse::default()
        .with_endpoint_type(code(request.endpoint))
        .with_cluster_id(text(cluster.image().cluster_id()))
        .with_controller_id(BrokerId(controller.map_or(-1, |id| id.0)))
        .with_brokers(nodes.collect())
        .with_cluster_authorized_operations(operations);
    request.ready(&response)
}

fn code(endpoint: Endpoint) -> i8 {
    match endpoint {
        Endpoint::Broker => BROKERS,
        Endpoint::Controller => CONTROLLERS,
    }
}

/// What the client wanted must be what it reached (`AuthHelper.computeDescribeClusterResponse`).
fn refusal(reached: Endpoint, wanted: i8) -> Option<(ErrorCode, String)> {
    let (is, wants) = match (reached, wanted) {
        (Endpoint::Broker, BROKERS) | (Endpoint::Controller, CONTROLLERS) => return None,
        (Endpoint::Broker, CONTROLLERS) => ("BROKER", "CONTROLLER"),
        (Endpoint::Controller, BROKERS) => ("CONTROLLER", "BROKER"),
        _ => {
            return Some((ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {wanted}")));
        }
    };
    let why = format!(
        "The request was sent to an endpoint of type {is}, but we wanted an endpoint of type {wants}"
    );
    Some((ErrorCode::MismatchedEndpointType, why))
}

/// Every controller of the quorum, where it has registered the listener at which the client has come
/// (`ControllerRegistrationsPublisher.describeClusterControllers`). This one is where the client has reached it, if it is alone.
fn controllers(broker: &Broker, request: &Request) -> Vec<Node> {
    let (image, listener) = (broker.image(), &request.connection.listener.name);
    let node = |voter: ottla_metadata::Voter| {
        let registered = image.controller_at(voter.id, listener).filter(|(host, _)| !host.is_empty());
        let (host, port) = registered.unwrap_or((&voter.host, voter.port));
        Node { id: voter.id, host: host.to_owned(), port: i32::from(port), rack: None }
    };
    metadata_log::controllers(broker, request).into_iter().map(node).collect()
}
