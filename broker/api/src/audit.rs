//! One line for each login, under `kafka.authentication`: who, from where, by which mechanism, and the true reason of a failure.
//! Shell: writes the log. Names come from the wire and are written quoted; no line has a password or a token.

use ottla_network::ConnectionInfo;
use ottla_security::Identity;
use ottla_security::sasl::SaslMechanism;

use crate::seldom::Seldom;

const TARGET: &str = "kafka.authentication";

pub fn on_login(connection: &ConnectionInfo, identity: &Identity, is_again: bool) {
    tracing::debug!(
        target: TARGET,
        listener = connection.listener.name,
        peer = %connection.peer_addr,
        mechanism = identity.mechanism.map(SaslMechanism::name),
        principal = ?identity.principal.as_str(),
        again = is_again,
        "login succeeded"
    );
}

/// The same failure from the same address is logged once a second: a node or client with a wrong password tries for ever.
pub fn on_failed_login(
    failures: &Seldom,
    connection: &ConnectionInfo,
    mechanism: Option<SaslMechanism>,
    name: Option<&str>,
    is_again: bool,
    why: &str,
) {
    let mechanism = mechanism.map(SaslMechanism::name);
    let failure = (&connection.listener.name, connection.peer_addr.ip(), mechanism, name, is_again, why);
    let Some(unlogged) = failures.may_log(&failure) else { return };
    tracing::info!(
        target: TARGET,
        listener = connection.listener.name,
        peer = %connection.peer_addr,
        mechanism,
        name = ?name.unwrap_or_default(),
        again = is_again,
        reason = why,
        unlogged,
        "login failed"
    );
}

pub fn on_expired(connection: &ConnectionInfo, identity: &Identity) {
    tracing::debug!(
        target: TARGET,
        listener = connection.listener.name,
        peer = %connection.peer_addr,
        principal = ?identity.principal.as_str(),
        "session has ended"
    );
}
