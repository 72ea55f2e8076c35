//! What test environments do that have no module to run here: each by the commands that its module gives.
//! Shell over podman.

use std::time::Duration;

use super::podman::Podman;
use crate::failure::{Outcome, fail};

/// A way to start the image, and what must then be said and hold.
struct Contract {
    name: &'static str,
    /// What `podman run` is told behind `--detach --name …`.
    arguments: &'static [&'static str],
    /// What is done inside once it runs, in a shell.
    inside: &'static str,
    /// The line that the environment waits for.
    line: &'static str,
    port: u16,
}

const APACHE: &str = "docker.io/apache/kafka:4.3.1";
const CONFLUENT: &str = "docker.io/confluentinc/cp-kafka:7.6.0";
const READY: &str = "Transitioning from RECOVERY to RUNNING";

const CONTRACTS: [Contract; 8] = [
    Contract { name: "nothing said", arguments: &[APACHE], inside: "", line: READY, port: 9092 },
    Contract {
        name: "any user, read-only root",
        arguments: &["--read-only", "--user", "12345:0", "--tmpfs", "/var/lib/kafka/data:mode=1777", APACHE],
        inside: "",
        line: READY,
        port: 9092,
    },
    Contract {
        name: "Docker Compose: environment alone",
        arguments: &[
            "-e",
            "KAFKA_NODE_ID=1",
            "-e",
            "KAFKA_PROCESS_ROLES=broker,controller",
            "-e",
            "KAFKA_LISTENERS=PLAINTEXT://:19092,CONTROLLER://:19093",
            "-e",
            "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:19092",
            "-e",
            "KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER",
            "-e",
            "KAFKA_CONTROLLER_QUORUM_VOTERS=1@kafka:19093",
            "-e",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1",
            "-e",
            "KAFKA_LOG_FLUSH_INTERVAL_MESSAGES=9223372036854775807",
            "-e",
            "KAFKA_HEAP_OPTS=-Xmx512m",
            APACHE,
        ],
        inside: "",
        line: READY,
        port: 19092,
    },
    Contract {
        name: "Bitnami's environment",
        arguments: &[
            "-e",
            "ALLOW_PLAINTEXT_LISTENER=yes",
            "-e",
            "KAFKA_CFG_NODE_ID=7",
            "-e",
            "KAFKA_CFG_LISTENERS=PLAINTEXT://:9292",
            "-e",
            "KAFKA_CFG_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9292",
            APACHE,
        ],
        inside: "",
        line: "[KafkaServer id=7] started",
        port: 9292,
    },
    Contract {
        name: "Rust apache::Kafka",
        arguments: &[
            "--entrypoint",
            "bash",
            "-e",
            "KAFKA_BROKER_ID=1",
            "-e",
            "KAFKA_LISTENERS=PLAINTEXT://0.0.0.0:9092,BROKER://0.0.0.0:9093",
            "-e",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "-e",
            "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9092,BROKER://localhost:9092",
            APACHE,
            "-c",
            "while [ ! -f /opt/kafka/testcontainers_start.sh ]; do sleep 0.1; done; \
                   exec /opt/kafka/testcontainers_start.sh",
        ],
        inside: "printf '#!/usr/bin/env bash\\nexport KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:9092,\
                 BROKER://localhost:9093\\n/etc/kafka/docker/run\\n' > /opt/kafka/start.tmp && \
                 chmod 755 /opt/kafka/start.tmp && mv /opt/kafka/start.tmp /opt/kafka/testcontainers_start.sh",
        line: "Kafka Server started",
        port: 9092,
    },
    Contract {
        name: "Go modules/kafka",
        arguments: &[
            "--entrypoint",
            "sh",
            "-e",
            "KAFKA_LISTENERS=PLAINTEXT://0.0.0.0:9093,BROKER://0.0.0.0:9092,CONTROLLER://0.0.0.0:9094",
            "-e",
            "KAFKA_REST_BOOTSTRAP_SERVERS=PLAINTEXT://0.0.0.0:9093,BROKER://0.0.0.0:9092",
            "-e",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "-e",
            "KAFKA_INTER_BROKER_LISTENER_NAME=BROKER",
            "-e",
            "KAFKA_BROKER_ID=1",
            "-e",
            "KAFKA_NODE_ID=1",
            "-e",
            "KAFKA_PROCESS_ROLES=broker,controller",
            "-e",
            "KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER",
            "-e",
            "KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9094",
            CONFLUENT,
            "-c",
            "while [ ! -f /usr/sbin/testcontainers_start.sh ]; do sleep 0.1; done; \
                   bash /usr/sbin/testcontainers_start.sh",
        ],
        inside: "test -n \"$CLUSTER_ID\" && printf 'source /etc/confluent/docker/bash-config\\n\
                 export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9093,BROKER://localhost:9092\\n\
                 echo Starting Kafka KRaft mode\\n\
                 sed -i \"/KAFKA_ZOOKEEPER_CONNECT/d\" /etc/confluent/docker/configure\\n\
                 echo \"kafka-storage format --ignore-formatted -t \\\\\"$(kafka-storage random-uuid)\\\\\" \
                 -c /etc/kafka/kafka.properties\" >> /etc/confluent/docker/configure\\n\
                 echo \"\" > /etc/confluent/docker/ensure\\n/etc/confluent/docker/configure\\n\
                 /etc/confluent/docker/launch\\n' > /tmp/start && mv /tmp/start /usr/sbin/testcontainers_start.sh",
        line: READY,
        port: 9093,
    },
    Contract {
        name: "Strimzi's test container",
        arguments: &[
            "--entrypoint",
            "sh",
            CONFLUENT,
            "-c",
            "while [ ! -x /tmp/start.sh ]; do sleep 0.1; done; /tmp/start.sh",
        ],
        inside: "printf 'node.id=3\\nprocess.roles=broker,controller\\nlisteners=PLAINTEXT://0.0.0.0:9092,\
                 CONTROLLER://0.0.0.0:9094\\nadvertised.listeners=PLAINTEXT://localhost:9092\\n\
                 controller.listener.names=CONTROLLER\\ncontroller.quorum.voters=3@localhost:9094\\n\
                 log.dirs=/tmp/strimzi-logs\\n' > config/kraft/server.properties && \
                 printf '#!/bin/bash\\nbin/kafka-storage.sh format -t=b3R0bGFDb21wYXQwMDAwMQ \
                 -c /opt/kafka/config/kraft/server.properties\\n\
                 bin/kafka-server-start.sh /opt/kafka/config/kraft/server.properties\\n' > /tmp/s && chmod 755 /tmp/s && \
                 mv /tmp/s /tmp/start.sh",
        line: READY,
        port: 9092,
    },
    Contract {
        name: "kafka-native's own",
        arguments: &[
            "--entrypoint",
            "/work/kafka",
            APACHE,
            "-Dkafka.advertised.listeners=PLAINTEXT://localhost:9092",
            "-Dserver.properties-file=/work/server.properties",
        ],
        inside: "",
        line: "Kafka broker started",
        port: 9092,
    },
];

/// Lines of name and seconds to ready; each container must then make and list a topic with the commands in it.
pub fn run(podman: &Podman) -> Outcome<Vec<(String, Duration)>> {
    let mut lines = Vec::new();
    for contract in &CONTRACTS {
        let container = podman.start("contract", contract.arguments)?;
        if !contract.inside.is_empty() {
            container.exec(&["sh", "-c", contract.inside])?;
        }
        let ready = container.wait_for(contract.line)?;
        let address = format!("localhost:{}", contract.port);
        container.exec(&[
            "kafka-topics.sh",
            "--bootstrap-server",
            &address,
            "--create",
            "--if-not-exists",
            "--topic",
            "t",
        ])?;
        container.exec(&["cub", "kafka-ready", "-b", &address, "1", "10"])?;
        let topics =
            container.exec(&["/opt/kafka/bin/kafka-topics.sh", "--list", "--bootstrap-server", &address])?;
        if topics.trim() != "t" {
            return fail(format!("{}: the topics are '{topics}'", contract.name));
        }
        lines.push((contract.name.to_owned(), ready));
    }
    Ok(lines)
}
