//! Which environment variables are configs, and of which key: the rule of the official apache/kafka image.
//! Core.

/// Variables with the prefix that steer the image's scripts and the JVM, not the broker.
pub const NOT_CONFIGS: &[&str] = &[
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_JMX_HOSTNAME",
];

/// The key that a variable sets: `KAFKA_` goes, then `_` is a dot, `__` an underscore and `___` a dash.
pub fn key_of(variable: &str) -> Option<String> {
    if !variable.starts_with("KAFKA_") || NOT_CONFIGS.contains(&variable) {
        return None;
    }
    let rest = variable.replace("KAFKA_", "").to_lowercase();
    let key = rest.replace('_', ".").replace("...", "-").replace("..", "_");
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_mapped_as_the_image_maps_them() {
        for (variable, key) in [
            ("KAFKA_NODE_ID", "node.id"),
            ("KAFKA_ADVERTISED_LISTENERS", "advertised.listeners"),
            ("KAFKA_FOO__BAR", "foo_bar"),
            ("KAFKA_FOO___BAR", "foo-bar"),
            ("KAFKA_OTTLA_DURABILITY", "ottla.durability"),
            ("KAFKA_LISTENER_NAME_SSL__INTERNAL_SSL_KEY", "listener.name.ssl_internal.ssl.key"),
        ] {
            assert_eq!(key_of(variable).as_deref(), Some(key));
        }
    }

    #[test]
    fn what_is_not_a_config_is_left_alone() {
        for variable in ["PATH", "CLUSTER_ID", "KAFKA_OPTS", "KAFKA_HEAP_OPTS", "XKAFKA_NODE_ID", "KAFKA_"] {
            assert_eq!(key_of(variable), None);
        }
    }
}
