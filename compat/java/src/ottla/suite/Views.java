package ottla.suite;

import kafka.network.SocketServer;
import kafka.raft.KafkaRaftManager;
import kafka.server.BrokerServer;
import kafka.server.ControllerServer;
import kafka.server.KafkaConfig;
import kafka.server.SharedServer;

import org.apache.kafka.clients.admin.TopicListing;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.controller.Controller;
import org.apache.kafka.controller.ControllerRequestContext;
import org.apache.kafka.coordinator.group.GroupCoordinator;
import org.apache.kafka.image.loader.MetadataLoader;
import org.apache.kafka.metadata.BrokerState;
import org.apache.kafka.metadata.KRaftMetadataCache;
import org.apache.kafka.metadata.LeaderAndIsr;
import org.apache.kafka.metadata.MetadataCache;
import org.apache.kafka.raft.LogOffsetMetadata;
import org.apache.kafka.raft.RaftLog;
import org.apache.kafka.server.common.FinalizedFeatures;
import org.apache.kafka.server.common.MetadataVersion;

import org.mockito.Mockito;
import org.mockito.invocation.InvocationOnMock;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;

/**
 * Objects of the types of Kafka's brokers that know what can be asked over the wire. Each has a class of answers below: a
 * method of the same name and parameters answers a call, and every other call aborts the test.
 */
public final class Views {
    private final Cluster cluster;
    private final Wire wire;
    private final Map<Class<?>, Object> made = new HashMap<>();

    public Views(Cluster cluster) {
        this.cluster = cluster;
        this.wire = new Wire(cluster);
    }

    public synchronized BrokerServer broker() {
        return view(BrokerServer.class, new BrokerAnswers());
    }

    public synchronized ControllerServer controller() {
        return view(ControllerServer.class, new ControllerAnswers());
    }

    private synchronized <T> T view(Class<T> type, Object answers) {
        Object known = made.get(type);
        if (known == null) {
            known = Mockito.mock(type, Mockito.withSettings().stubOnly()
                .defaultAnswer(call -> answer(type, answers, call)));
            made.put(type, known);
        }
        return type.cast(known);
    }

    private static Object answer(Class<?> type, Object answers, InvocationOnMock call) throws Throwable {
        Method asked = call.getMethod();
        if (asked.getName().equals("toString")) {
            return "the external " + type.getSimpleName();
        }
        try {
            return answers.getClass().getMethod(asked.getName(), asked.getParameterTypes())
                .invoke(answers, call.getArguments());
        } catch (NoSuchMethodException e) {
            throw Verdict.inside(type.getSimpleName() + "." + asked.getName());
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    /** Of a broker. Public, as are its methods, for they are found by their names. */
    public final class BrokerAnswers {
        public KafkaConfig config() {
            return new KafkaConfig(wire.brokerConfig(), false);
        }

        public String clusterId() {
            return wire.clusterId();
        }

        public BrokerState brokerState() {
            return cluster.isRunning() ? BrokerState.RUNNING : BrokerState.NOT_RUNNING;
        }

        public boolean isShutdown() {
            return !cluster.isRunning();
        }

        public void startup() throws Exception {
            cluster.start();
        }

        public void shutdown() {
            cluster.stop();
        }

        public void shutdown(Duration patience) {
            cluster.stop();
        }

        public void awaitShutdown() {
            wire.await("the end of the broker", () -> !cluster.isRunning());
        }

        public int boundPort(ListenerName listener) {
            return cluster.port(listener);
        }

        public SocketServer socketServer() {
            return view(SocketServer.class, new SocketAnswers());
        }

        public MetadataCache metadataCache() {
            return view(KRaftMetadataCache.class, new MetadataAnswers());
        }

        public GroupCoordinator groupCoordinator() {
            return view(GroupCoordinator.class, new GroupAnswers());
        }

        public SharedServer sharedServer() {
            return view(SharedServer.class, new SharedAnswers());
        }
    }

    /** Of a group coordinator: what is the same for every broker of one configuration. */
    public final class GroupAnswers {
        public Properties groupMetadataTopicConfigs() {
            Properties configs = new Properties();
            configs.setProperty("cleanup.policy", "compact");
            configs.setProperty("compression.type", "producer");
            configs.setProperty("segment.bytes",
                cluster.properties().getOrDefault("offsets.topic.segment.bytes", "104857600"));
            return configs;
        }

        public int partitionFor(String groupId) {
            int count = wire.topic("__consumer_offsets").orElseThrow().partitions().size();
            return Utils.abs(groupId.hashCode()) % count;
        }
    }

    /** Of a controller. */
    public final class ControllerAnswers {
        public KafkaConfig config() {
            return new KafkaConfig(wire.brokerConfig(), false);
        }

        public String clusterId() {
            return wire.clusterId();
        }

        public SocketServer socketServer() {
            return view(SocketServer.class, new SocketAnswers());
        }

        public Controller controller() {
            return view(Controller.class, new ActiveAnswers());
        }

        public KafkaRaftManager<?> raftManager() {
            return view(KafkaRaftManager.class, new RaftAnswers());
        }

        public SharedServer sharedServer() {
            return view(SharedServer.class, new SharedAnswers());
        }
    }

    /** Of the controller's core: the only one is the active one. */
    public final class ActiveAnswers {
        public boolean isActive() {
            return true;
        }

        public CompletableFuture<Map<String, Uuid>> findAllTopicIds(ControllerRequestContext context) {
            return CompletableFuture.completedFuture(new MetadataAnswers().topicNamesToIds());
        }
    }

    /** Of a socket server. */
    public final class SocketAnswers {
        public int boundPort(ListenerName listener) {
            return cluster.port(listener);
        }
    }

    /** Tests hold what the controller has written against what the broker has seen: the end is awaited, then told as one. */
    public final class RaftAnswers {
        public RaftLog raftLog() {
            return view(RaftLog.class, new RaftLogAnswers());
        }
    }

    /** Of the metadata log. */
    public final class RaftLogAnswers {
        public LogOffsetMetadata endOffset() {
            wire.settle();
            return new LogOffsetMetadata(1);
        }
    }

    /** Of what a broker and a controller of one process share. */
    public final class SharedAnswers {
        public MetadataLoader loader() {
            return view(MetadataLoader.class, new LoaderAnswers());
        }
    }

    /** Of the reader of the metadata log. */
    public final class LoaderAnswers {
        public long lastAppliedOffset() {
            return 1;
        }
    }

    /** Of a broker's metadata. */
    public final class MetadataAnswers {
        public Set<String> getAllTopics() {
            return wire.topics().keySet();
        }

        public boolean contains(String topic) {
            return wire.topics().containsKey(topic);
        }

        public boolean contains(TopicPartition partition) {
            return numPartitions(partition.topic()).filter(count -> partition.partition() < count).isPresent();
        }

        public Optional<Integer> numPartitions(String topic) {
            return wire.topic(topic).map(found -> found.partitions().size());
        }

        public Uuid getTopicId(String topic) {
            TopicListing found = wire.topics().get(topic);
            return found == null ? Uuid.ZERO_UUID : found.topicId();
        }

        public Optional<String> getTopicName(Uuid id) {
            return Optional.ofNullable(topicIdsToNames().get(id));
        }

        public Map<Uuid, String> topicIdsToNames() {
            return wire.topics().values().stream().collect(Collectors.toMap(TopicListing::topicId, TopicListing::name));
        }

        public Map<String, Uuid> topicNamesToIds() {
            return wire.topics().values().stream().collect(Collectors.toMap(TopicListing::name, TopicListing::topicId));
        }

        private Optional<TopicPartitionInfo> partition(String topic, int index) {
            return wire.topic(topic).flatMap(found ->
                found.partitions().stream().filter(info -> info.partition() == index).findFirst());
        }

        public Optional<LeaderAndIsr> getLeaderAndIsr(String topic, int index) {
            return partition(topic, index).map(info -> new LeaderAndIsr(
                info.leader() == null ? LeaderAndIsr.NO_LEADER : info.leader().id(),
                info.isr().stream().map(Node::id).toList()));
        }

        public Optional<Node> getPartitionLeaderEndpoint(String topic, int index, ListenerName listener) {
            return partition(topic, index).map(TopicPartitionInfo::leader);
        }

        public boolean hasAliveBroker(int id) {
            return cluster.isRunning() && getAliveBrokerNode(id, null).isPresent();
        }

        public Optional<Node> getAliveBrokerNode(int id, ListenerName listener) {
            return wire.nodes().stream().filter(node -> node.id() == id).findFirst();
        }

        public List<Node> getAliveBrokerNodes(ListenerName listener) {
            return List.copyOf(wire.nodes());
        }

        public List<Node> getBrokerNodes(ListenerName listener) {
            return List.copyOf(wire.nodes());
        }

        public MetadataVersion metadataVersion() {
            return MetadataVersion.fromFeatureLevel(wire.finalizedLevel(MetadataVersion.FEATURE_NAME));
        }

        public FinalizedFeatures features() {
            var found = wire.features();
            Map<String, Short> levels = found.finalizedFeatures().entrySet().stream()
                .collect(Collectors.toMap(Map.Entry::getKey, entry -> entry.getValue().maxVersionLevel()));
            return new FinalizedFeatures(metadataVersion(), levels, found.finalizedFeaturesEpoch().orElse(-1L));
        }

        public Properties topicConfig(String topic) {
            return wire.topicConfig(topic);
        }
    }
}
