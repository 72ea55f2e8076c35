//! Which listeners are bound, and what clients are told on each.
//! Core.

use std::fmt::Write;

use ottla_config::{BrokerConfig, Listener};
use ottla_env::net::SocketBuffers;
use ottla_network::ListenerSpec;

use crate::explain;
use crate::tls::ListenersTls;

/// The client listeners as the network binds them.
pub fn specs(config: &BrokerConfig, tls: &ListenersTls) -> Vec<ListenerSpec> {
    let of = |listener| spec(config, tls, listener, advertised(config, listener));
    config.listeners.iter().map(of).collect()
}

/// The listeners of the controller.
pub fn controller_specs(config: &BrokerConfig, tls: &ListenersTls) -> Vec<ListenerSpec> {
    let of = |listener| spec(config, tls, listener, config.controller_advertised(listener));
    config.controller_listeners.iter().map(of).collect()
}

fn spec(
    config: &BrokerConfig,
    tls: &ListenersTls,
    listener: &Listener,
    advertised: Option<(String, u16)>,
) -> ListenerSpec {
    ListenerSpec {
        name: listener.name.clone(),
        protocol: listener.protocol,
        login_frame_bytes_max: login_frame_bytes_max(config, listener),
        tls: tls.of(&listener.name),
        host: listener.host.clone().unwrap_or_default(),
        port: listener.port,
        advertised,
        buffers: buffers(config),
    }
}

/// What cannot be read was refused before.
fn login_frame_bytes_max(config: &BrokerConfig, listener: &Listener) -> usize {
    let sasl = listener.protocol.has_sasl().then(|| config.sasl_of(listener).ok()).flatten();
    sasl.map_or(0, |sasl| sasl.receive_bytes_max)
}

/// -1 in the configuration leaves a size to the kernel.
fn buffers(config: &BrokerConfig) -> SocketBuffers {
    SocketBuffers {
        send_bytes: usize::try_from(config.socket_send_buffer_bytes).ok(),
        receive_bytes: usize::try_from(config.socket_receive_buffer_bytes).ok(),
    }
}

/// What is configured for clients of a listener; without a host there is nothing to tell, so each
/// is told what it dialled. In a cluster all are told what the other nodes tell of this one.
fn advertised(config: &BrokerConfig, listener: &Listener) -> Option<(String, u16)> {
    if config.has_peers() {
        return config.reachable_at(listener);
    }
    let mut given = config.advertised_listeners.as_ref()?.iter();
    let told = given.find(|other| other.name == listener.name)?;
    Some((told.host.clone()?, told.port))
}

/// A paragraph a listener, for people.
pub fn explain(config: &BrokerConfig) -> String {
    let mut text = String::new();
    for listener in &config.listeners {
        let host = listener.host.as_deref().unwrap_or("every address of this machine");
        let port =
            if listener.port == 0 { "a free port".to_owned() } else { format!("port {}", listener.port) };
        // Writing to a String can't fail.
        let _written = write!(text, "{}: listens on {host}, {port}.\n  ", listener.name);
        if listener.protocol.has_tls() {
            let auth = config.of_listener(&listener.name).text("ssl.client.auth").unwrap_or_default();
            let _written = write!(
                text,
                "Clients speak TLS (security.protocol={}); their certificate: ssl.client.auth={auth}.\n  ",
                listener.protocol.name()
            );
        }
        let _written = match &advertised(config, listener) {
            Some((host, port)) if config.advertised_listeners.is_none() => writeln!(
                text,
                "Clients are told {host}:{port}: in a cluster every node tells the same of this one."
            ),
            Some((host, 0)) => writeln!(
                text,
                "Clients are told {host} and the port that was picked, because advertised.listeners says so."
            ),
            Some((host, port)) => {
                writeln!(text, "Clients are told {host}:{port}, because advertised.listeners says so.")
            }
            None => writeln!(
                text,
                "Each client is told the address it dialled, because advertised.listeners is not set for \
                 this listener: a client that came through a forwarded port or another network name of \
                 this machine gets the address its connection arrived at."
            ),
        };
    }
    for listener in config.listeners.iter().filter(|listener| listener.protocol.has_sasl()) {
        // What cannot be read has stopped the start.
        let Ok(sasl) = config.sasl_of(listener) else { continue };
        let names: Vec<&str> = sasl.mechanisms.iter().map(|mechanism| mechanism.name).collect();
        let (name, protocol, mechanisms) = (&listener.name, listener.protocol.name(), names.join(", "));
        let _written = writeln!(
            text,
            "{name}: clients log in, with security.protocol={protocol} and sasl.mechanism one of {mechanisms}."
        );
    }
    for listener in &config.listeners {
        let weak = explain::weaknesses(config, listener);
        if !weak.is_empty() {
            let _written = writeln!(text, "{} is weak: {}.", listener.name, weak.join("; "));
        }
        let told =
            advertised(config, listener).or_else(|| listener.host.clone().map(|host| (host, listener.port)));
        let address =
            told.map_or_else(|| format!("HOST:{}", listener.port), |(host, port)| format!("{host}:{port}"));
        let lines = explain::client_lines(config, listener, &address);
        let _written = write!(text, "{}: what clients are configured with:\n{lines}", listener.name);
    }
    for listener in &config.controller_listeners {
        let host = listener.host.as_deref().unwrap_or("every address of this machine");
        let _written = writeln!(
            text,
            "{}: listens on {host}, port {}. It is the controller's: other controllers and tools with \
             --bootstrap-controller use it, and clients are not served on it.",
            listener.name, listener.port
        );
        if let Some((host, port)) = config.controller_advertised(listener) {
            let _written =
                writeln!(text, "  They are told {host}:{port}, because advertised.listeners says so.");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_of_socket_buffers_are_kafkas_and_minus_one_is_the_kernels() {
        let kafkas = SocketBuffers { send_bytes: Some(102_400), receive_bytes: Some(102_400) };
        assert_eq!(specs(&BrokerConfig::defaults(), &ListenersTls::none())[0].buffers, kafkas);
        let given = [("socket.send.buffer.bytes".to_owned(), "-1".to_owned())];
        let (config, _warnings) = ottla_config::load(None, &[], &given).expect("a config");
        assert_eq!(
            specs(&config, &ListenersTls::none())[0].buffers,
            SocketBuffers { send_bytes: None, ..kafkas }
        );
    }

    #[test]
    fn a_listener_says_how_its_clients_log_in() {
        let given = [
            ("listeners", "SASL_PLAINTEXT://127.0.0.1:9092"),
            ("sasl.enabled.mechanisms", "SCRAM-SHA-256,SCRAM-SHA-512"),
        ];
        let given: Vec<(String, String)> = given.map(|(key, text)| (key.to_owned(), text.to_owned())).into();
        let (config, _warnings) = ottla_config::load(None, &[], &given).expect("a config");
        let text = explain(&config);
        let words =
            "security.protocol=SASL_PLAINTEXT and sasl.mechanism one of SCRAM-SHA-256, SCRAM-SHA-512.";
        assert!(text.contains(words), "{text}");
    }

    #[test]
    fn without_advertised_listeners_each_client_is_told_what_it_dialled() {
        let text = explain(&BrokerConfig::defaults());
        assert!(text.contains("PLAINTEXT: listens on 127.0.0.1, port 9092."), "{text}");
        assert!(text.contains("told the address it dialled"), "{text}");
    }
}
