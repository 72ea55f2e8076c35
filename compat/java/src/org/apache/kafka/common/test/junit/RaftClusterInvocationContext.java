package org.apache.kafka.common.test.junit;

import kafka.server.ControllerServer;
import kafka.server.KafkaBroker;

import org.apache.kafka.clients.consumer.GroupProtocol;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.test.ClusterInstance;
import org.apache.kafka.common.test.KafkaClusterTestKit;
import org.apache.kafka.common.test.TestKitNodes;
import org.apache.kafka.common.test.api.ClusterConfig;
import org.apache.kafka.common.test.api.Type;
import org.apache.kafka.metadata.bootstrap.BootstrapMetadata;
import org.apache.kafka.server.authorizer.Authorizer;
import org.apache.kafka.server.common.Feature;
import org.apache.kafka.server.common.MetadataVersion;
import org.apache.kafka.server.fault.FaultHandlerException;

import org.junit.jupiter.api.extension.AfterTestExecutionCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.Extension;
import org.junit.jupiter.api.extension.TestTemplateInvocationContext;

import ottla.suite.Cluster;
import ottla.suite.Member;
import ottla.suite.Settings;
import ottla.suite.Verdict;
import ottla.suite.Wire;

import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** In the place of Kafka's class of this name: hands a test a {@link ClusterInstance} whose nodes are processes. */
public class RaftClusterInvocationContext implements TestTemplateInvocationContext {
    private final String baseDisplayName;
    private final ClusterConfig config;
    private final boolean isCombined;

    public RaftClusterInvocationContext(String baseDisplayName, ClusterConfig config, boolean isCombined) {
        this.baseDisplayName = baseDisplayName;
        this.config = config;
        this.isCombined = isCombined;
    }

    @Override
    public String getDisplayName(int invocationIndex) {
        return baseDisplayName + " [" + invocationIndex + "] " + String.join(",", config.displayTags());
    }

    @Override
    public List<Extension> getAdditionalExtensions() {
        External cluster = new External(config, isCombined);
        return List.of(
            (BeforeEachCallback) context -> {
                cluster.format();
                if (config.isAutoStart()) {
                    cluster.start();
                }
            },
            (AfterTestExecutionCallback) context -> cluster.stop(),
            new ClusterInstanceParameterResolver(cluster));
    }

    /** One cluster for one invocation of a test. */
    private static final class External implements ClusterInstance {
        private final ClusterConfig config;
        private final boolean isCombined;
        private KafkaClusterTestKit kit;
        private Wire wire;
        private boolean started;
        private boolean stopped;

        External(ClusterConfig config, boolean isCombined) {
            this.config = config;
            this.isCombined = isCombined;
        }

        void format() throws Exception {
            if (kit != null) {
                return;
            }
            // One process takes what is meant for a controller of its own as well.
            boolean isOne = Settings.together() && config.numBrokers() == 1 && config.numControllers() == 1;
            Map<String, String> own = new HashMap<>();
            config.perServerOverrideProperties().forEach((id, properties) -> own.putAll(properties));
            TestKitNodes nodes = new TestKitNodes.Builder()
                .setBootstrapMetadata(BootstrapMetadata.fromVersions(config.metadataVersion(), levels(), "testkit"))
                .setCombined(isCombined || isOne)
                .setNumBrokerNodes(config.numBrokers())
                .setNumDisksPerBroker(config.numDisksPerBroker())
                .setPerServerProperties(isOne && !own.isEmpty() ? Map.of(0, own) : config.perServerOverrideProperties())
                .setNumControllerNodes(config.numControllers())
                .setBrokerListenerName(config.brokerListenerName())
                .setBrokerSecurityProtocol(config.brokerSecurityProtocol())
                .setControllerListenerName(config.controllerListenerName())
                .setControllerSecurityProtocol(config.controllerSecurityProtocol())
                .build();
            KafkaClusterTestKit.Builder builder = new KafkaClusterTestKit.Builder(nodes);
            config.serverProperties().forEach(builder::setConfigProp);
            kit = builder.setStandalone(config.standalone()).build();
            wire = new Wire(kit.cluster());
            kit.format();
        }

        /** The levels that the test names, and for the others those of its metadata.version. */
        private Map<String, Short> levels() {
            Map<String, Short> levels = new TreeMap<>();
            for (Feature feature : Feature.PRODUCTION_FEATURES) {
                levels.put(feature.featureName(), feature.defaultLevel(config.metadataVersion()));
            }
            config.features().forEach((feature, level) -> levels.put(feature.featureName(), level));
            levels.put(MetadataVersion.FEATURE_NAME, config.metadataVersion().featureLevel());
            return levels;
        }

        private Cluster cluster() {
            return kit.cluster();
        }

        @Override
        public void start() {
            try {
                format();
                if (!started) {
                    started = true;
                    kit.startup();
                }
            } catch (Exception e) {
                throw new IllegalStateException("the cluster did not start", e);
            }
        }

        @Override
        public boolean started() {
            return started;
        }

        @Override
        public void stop() {
            if (stopped || kit == null) {
                return;
            }
            stopped = true;
            try {
                kit.close();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public boolean stopped() {
            return stopped;
        }

        @Override
        public void shutdownBroker(int id) {
            broker(id).stopBroker();
        }

        @Override
        public void startBroker(int id) {
            try {
                broker(id).start();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }

        private Member broker(int id) {
            Member found = cluster().brokers().get(id);
            if (found == null) {
                throw new IllegalArgumentException("Unknown brokerId " + id);
            }
            return found;
        }

        @Override
        public Type type() {
            return isCombined ? Type.CO_KRAFT : Type.KRAFT;
        }

        @Override
        public ClusterConfig config() {
            return config;
        }

        @Override
        public Map<Integer, KafkaBroker> brokers() {
            return Map.copyOf(kit.brokers());
        }

        @Override
        public Map<Integer, KafkaBroker> aliveBrokers() {
            Map<Integer, KafkaBroker> alive = new TreeMap<>(kit.brokers());
            alive.keySet().removeIf(id -> !broker(id).isRunning());
            return alive;
        }

        @Override
        public Map<Integer, ControllerServer> controllers() {
            return kit.controllers();
        }

        @Override
        public Set<Integer> brokerIds() {
            return cluster().brokers().keySet();
        }

        @Override
        public Set<Integer> controllerIds() {
            return cluster().controllers().keySet();
        }

        @Override
        public ListenerName clientListener() {
            return config.brokerListenerName();
        }

        @Override
        public ListenerName controllerListenerName() {
            return config.controllerListenerName();
        }

        @Override
        public String bootstrapServers() {
            return cluster().bootstrap();
        }

        @Override
        public String bootstrapControllers() {
            return cluster().bootstrapControllers();
        }

        @Override
        public List<Integer> brokerBoundPorts() {
            return ports(cluster().brokers().values(), config.brokerListenerName());
        }

        @Override
        public List<Integer> controllerBoundPorts() {
            return ports(cluster().controllers().values(), config.controllerListenerName());
        }

        private static List<Integer> ports(Collection<Member> members, ListenerName listener) {
            return members.stream().map(member -> member.port(listener)).toList();
        }

        @Override
        public String clusterId() {
            return wire.clusterId();
        }

        @Override
        public Set<GroupProtocol> supportedGroupProtocols() {
            return wire.finalizedLevel("group.version") > 0
                ? Set.of(GroupProtocol.CLASSIC, GroupProtocol.CONSUMER)
                : Set.of(GroupProtocol.CLASSIC);
        }

        @Override
        public Optional<FaultHandlerException> firstFatalException() {
            return Optional.empty();
        }

        @Override
        public Optional<FaultHandlerException> firstNonFatalException() {
            return Optional.empty();
        }

        @Override
        public void waitForReadyBrokers() {
            kit.waitForReadyBrokers();
        }

        @Override
        public void waitTopicCreation(String topic, int partitions) {
            if (partitions <= 0) {
                throw new IllegalArgumentException("Partition count must be > 0, but was " + partitions);
            }
            wire.awaitTopic(topic, partitions);
        }

        @Override
        public void waitTopicDeletion(String topic) {
            wire.awaitNoTopic(topic);
        }

        @Override
        public void ensureConsistentMetadata() {
            wire.settle();
        }

        @Override
        public void ensureConsistentMetadata(Collection<KafkaBroker> brokers, Collection<ControllerServer> controllers) {
            wire.settle();
        }

        @Override
        public List<Authorizer> authorizers() {
            throw Verdict.inside("ClusterInstance.authorizers");
        }

        @Override
        public void waitAcls(AclBindingFilter filter, Collection<AccessControlEntry> entries) {
            Cluster.await("the ACLs " + entries, () -> wire.acls(filter).equals(new HashSet<>(entries)));
            wire.settle();
        }
    }
}
