package org.apache.kafka.common.test;

import kafka.raft.KafkaRaftManager;
import kafka.server.BrokerServer;
import kafka.server.ControllerServer;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.controller.Controller;
import org.apache.kafka.server.common.ApiMessageAndVersion;

import ottla.suite.Cluster;
import ottla.suite.Verdict;
import ottla.suite.Views;
import ottla.suite.Wire;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** In the place of Kafka's class of this name, which starts brokers inside the JVM: the same interface to processes. */
public class KafkaClusterTestKit implements AutoCloseable {
    private final TestKitNodes nodes;
    private final Cluster cluster;
    private final Wire wire;
    private final Map<Integer, BrokerServer> brokers = new TreeMap<>();
    private final Map<Integer, ControllerServer> controllers = new TreeMap<>();
    private final MockFaultHandler fatalFaultHandler = new MockFaultHandler("fatalFaultHandler");
    private final MockFaultHandler nonFatalFaultHandler = new MockFaultHandler("nonFatalFaultHandler");

    /** As Kafka's. */
    public static class Builder {
        private final TestKitNodes nodes;
        private final Map<String, Object> properties = new HashMap<>();
        private boolean isStandalone;
        private Optional<Map<Integer, Uuid>> voters = Optional.empty();

        public Builder(TestKitNodes nodes) {
            this.nodes = nodes;
        }

        public Builder setConfigProp(String key, Object value) {
            properties.put(key, value);
            return this;
        }

        public Builder setStandalone(boolean standalone) {
            this.isStandalone = standalone;
            return this;
        }

        public Builder setInitialVoterSet(Map<Integer, Uuid> voters) {
            this.voters = Optional.of(voters);
            return this;
        }

        public Builder setDeleteOnClose(boolean deleteOnClose) {
            if (!deleteOnClose) {
                throw Verdict.inside("KafkaClusterTestKit.setDeleteOnClose");
            }
            return this;
        }

        public KafkaClusterTestKit build() throws Exception {
            return new KafkaClusterTestKit(nodes, new Cluster(nodes, properties, isStandalone ? all() : voters));
        }

        private Optional<Map<Integer, Uuid>> all() {
            return Optional.of(nodes.controllerNodes().values().stream()
                .collect(Collectors.toMap(TestKitNode::id, TestKitNode::metadataDirectoryId)));
        }
    }

    private KafkaClusterTestKit(TestKitNodes nodes, Cluster cluster) {
        this.nodes = nodes;
        this.cluster = cluster;
        this.wire = new Wire(cluster);
        cluster.members().forEach((id, member) -> {
            Views views = new Views(cluster, member);
            if (member.isBroker()) {
                brokers.put(id, views.broker());
            }
            if (member.isController()) {
                controllers.put(id, views.controller());
            }
        });
    }

    public void format() throws Exception {
        cluster.format();
    }

    public void startup() throws Exception {
        cluster.start();
    }

    public void waitForReadyBrokers() {
        Cluster.await("the brokers", () -> cluster.runningBrokers().size() == cluster.brokers().size());
        cluster.awaitBrokers();
    }

    public Admin admin() {
        return admin(Map.of(), false);
    }

    public Admin admin(Map<String, Object> configs) {
        return admin(configs, false);
    }

    public Admin admin(Map<String, Object> configs, boolean usingBootstrapControllers) {
        Map<String, Object> all = new HashMap<>(configs);
        if (usingBootstrapControllers) {
            all.putIfAbsent("bootstrap.controllers", bootstrapControllers());
            all.remove("bootstrap.servers");
        } else {
            all.putIfAbsent("bootstrap.servers", bootstrapServers());
            all.remove("bootstrap.controllers");
        }
        cluster.login().forEach(all::putIfAbsent);
        return Admin.create(all);
    }

    public String bootstrapServers() {
        return cluster.bootstrap();
    }

    public String bootstrapControllers() {
        return cluster.bootstrapControllers();
    }

    public Map<Integer, ControllerServer> controllers() {
        return controllers;
    }

    public Controller waitForActiveController() {
        Cluster.await("a leader of the controllers", () -> controllers.containsKey(wire.quorum().leaderId()));
        return controllers.get(wire.quorum().leaderId()).controller();
    }

    public Map<Integer, BrokerServer> brokers() {
        return brokers;
    }

    public Map<Integer, KafkaRaftManager<ApiMessageAndVersion>> raftManagers() {
        throw Verdict.inside("KafkaClusterTestKit.raftManagers");
    }

    public TestKitNodes nodes() {
        return nodes;
    }

    public MockFaultHandler fatalFaultHandler() {
        return fatalFaultHandler;
    }

    public MockFaultHandler nonFatalFaultHandler() {
        return nonFatalFaultHandler;
    }

    /** The processes, for the stand-in of the invocation context. */
    public Cluster cluster() {
        return cluster;
    }

    @Override
    public void close() throws Exception {
        cluster.close();
    }
}
