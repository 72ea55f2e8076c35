//! Between the handlers and the telemetry room: what a client says of itself by its connection.
//! Core.

use ottla_telemetry::ClientFacts;

use crate::request::Request;

/// What a subscription may match on.
pub fn facts(request: &Request) -> ClientFacts {
    let connection = &request.connection;
    // As Kafka calls a client that has not said (`ClientInformation.UNKNOWN_NAME_OR_VERSION`).
    let unknown = || ("unknown".to_owned(), "unknown".to_owned());
    let (software_name, software_version) =
        connection.software.get().map_or_else(unknown, |software| (**software).clone());
    ClientFacts {
        client_id: request.header.client_id.as_deref().map(str::to_owned),
        software_name,
        software_version,
        address: connection.peer_addr.ip().to_canonical().to_string(),
        port: connection.peer_addr.port().to_string(),
    }
}
