package ottla.suite;

import kafka.log.LogManager;
import kafka.network.SocketServer;
import kafka.raft.KafkaRaftManager;
import kafka.server.BrokerServer;
import kafka.server.ControllerServer;
import kafka.server.KafkaApis;
import kafka.server.KafkaConfig;
import kafka.server.ReplicaManager;
import kafka.server.SharedServer;

import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.requests.MetadataResponse;
import org.apache.kafka.common.requests.MetadataResponse.PartitionMetadata;
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
    private final Member member;
    private final Cluster cluster;
    private final Wire wire;
    private final LogViews logs;
    private final Map<Class<?>, Object> made = new HashMap<>();

    /** Of one node of the cluster. */
    public Views(Cluster cluster, Member member) {
        this.cluster = cluster;
        this.member = member;
        this.wire = new Wire(cluster);
        this.logs = new LogViews(member, wire, this);
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
            known = fresh(type, answers);
            made.put(type, known);
        }
        return type.cast(known);
    }

    /** One that is not kept: it is of one partition. */
    <T> T fresh(Class<T> type, Object answers) {
        return Mockito.mock(type, Mockito.withSettings().stubOnly().defaultAnswer(call -> answer(type, answers, call)));
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
            return new KafkaConfig(wire.config(member), false);
        }

        public String clusterId() {
            return wire.clusterId();
        }

        public BrokerState brokerState() {
            if (member.isRunning()) {
                return BrokerState.RUNNING;
            }
            // As Kafka's object says of a broker that was stopped.
            return member.wasStarted() ? BrokerState.SHUTTING_DOWN : BrokerState.NOT_RUNNING;
        }

        public boolean isShutdown() {
            return !member.isRunning();
        }

        public void startup() throws Exception {
            member.start();
        }

        public void shutdown() {
            member.stopBroker();
        }

        public void shutdown(Duration patience) {
            member.stopBroker();
        }

        public void awaitShutdown() {
            Cluster.await("the end of the broker", () -> !member.isRunning());
        }

        public int boundPort(ListenerName listener) {
            return member.port(listener);
        }

        public SocketServer socketServer() {
            return view(SocketServer.class, new SocketAnswers());
        }

        public MetadataCache metadataCache() {
            return view(KRaftMetadataCache.class, new MetadataAnswers());
        }

        public KafkaApis dataPlaneRequestProcessor() {
            return view(KafkaApis.class, new ApisAnswers());
        }

        public ReplicaManager replicaManager() {
            return view(ReplicaManager.class, logs.new ReplicaManagerAnswers());
        }

        public LogManager logManager() {
            return view(LogManager.class, logs.new LogManagerAnswers());
        }

        public GroupCoordinator groupCoordinator() {
            return view(GroupCoordinator.class, new GroupAnswers());
        }

        public SharedServer sharedServer() {
            return view(SharedServer.class, new SharedAnswers());
        }
    }

    /** Of what answers requests: whose it is. */
    public final class ApisAnswers {
        public int brokerId() {
            return member.id();
        }
    }

    /** Of a group coordinator: what is the same for every broker of one configuration. */
    public final class GroupAnswers {
        public Properties groupMetadataTopicConfigs() {
            Properties configs = new Properties();
            configs.setProperty("cleanup.policy", "compact");
            configs.setProperty("compression.type", "producer");
            configs.setProperty("segment.bytes",
                member.properties().getOrDefault("offsets.topic.segment.bytes", "104857600"));
            return configs;
        }

        public int partitionFor(String groupId) {
            int count = Wire.topic(member, "__consumer_offsets").orElseThrow().partitionMetadata().size();
            return Utils.abs(groupId.hashCode()) % count;
        }
    }

    /** Of a controller. */
    public final class ControllerAnswers {
        public KafkaConfig config() {
            return new KafkaConfig(wire.config(member), false);
        }

        public String clusterId() {
            return wire.clusterId();
        }

        public SocketServer socketServer() {
            return view(SocketServer.class, new SocketAnswers());
        }

        public void startup() throws Exception {
            member.start();
        }

        public void shutdown() {
            member.stopController();
        }

        public void awaitShutdown() {
            Cluster.await("the end of the controller", () -> !member.isRunning());
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

    /** Of the controller's core. */
    public final class ActiveAnswers {
        public boolean isActive() {
            return member.isRunning() && wire.quorum().leaderId() == member.id();
        }

        public CompletableFuture<Map<String, Uuid>> findAllTopicIds(ControllerRequestContext context) {
            return CompletableFuture.completedFuture(
                new Views(cluster, cluster.runningBrokers().iterator().next()).new MetadataAnswers().topicNamesToIds());
        }
    }

    /** Of a socket server. */
    public final class SocketAnswers {
        public KafkaConfig config() {
            return new KafkaConfig(wire.config(member), false);
        }

        public int boundPort(ListenerName listener) {
            return member.port(listener);
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
        private MetadataResponse known() {
            return Wire.metadata(member);
        }

        public Set<String> getAllTopics() {
            return topicNamesToIds().keySet();
        }

        public boolean contains(String topic) {
            return getAllTopics().contains(topic);
        }

        public boolean contains(TopicPartition partition) {
            return numPartitions(partition.topic()).filter(count -> partition.partition() < count).isPresent();
        }

        public Optional<Integer> numPartitions(String topic) {
            return Wire.topic(member, topic).map(found -> found.partitionMetadata().size());
        }

        public Uuid getTopicId(String topic) {
            return topicNamesToIds().getOrDefault(topic, Uuid.ZERO_UUID);
        }

        public Optional<String> getTopicName(Uuid id) {
            return Optional.ofNullable(topicIdsToNames().get(id));
        }

        public Map<Uuid, String> topicIdsToNames() {
            return Wire.idsToNames(known());
        }

        public Map<String, Uuid> topicNamesToIds() {
            return topicIdsToNames().entrySet().stream().collect(Collectors.toMap(Map.Entry::getValue, Map.Entry::getKey));
        }

        private Optional<PartitionMetadata> partition(String topic, int index) {
            return Wire.topic(member, topic).flatMap(found ->
                found.partitionMetadata().stream().filter(info -> info.partition() == index).findFirst());
        }

        public Optional<LeaderAndIsr> getLeaderAndIsr(String topic, int index) {
            return partition(topic, index).map(info ->
                new LeaderAndIsr(info.leaderId.orElse(LeaderAndIsr.NO_LEADER), info.inSyncReplicaIds));
        }

        public Optional<Node> getPartitionLeaderEndpoint(String topic, int index, ListenerName listener) {
            return partition(topic, index).flatMap(info -> info.leaderId).flatMap(id -> getAliveBrokerNode(id, listener));
        }

        public boolean hasAliveBroker(int id) {
            return member.isRunning() && getAliveBrokerNode(id, null).isPresent();
        }

        public Optional<Node> getAliveBrokerNode(int id, ListenerName listener) {
            return known().brokers().stream().filter(node -> node.id() == id).findFirst();
        }

        public List<Node> getAliveBrokerNodes(ListenerName listener) {
            return List.copyOf(known().brokers());
        }

        public List<Node> getBrokerNodes(ListenerName listener) {
            return getAliveBrokerNodes(listener);
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
