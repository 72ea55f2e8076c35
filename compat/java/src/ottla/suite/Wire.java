package ottla.suite;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureMetadata;
import org.apache.kafka.clients.admin.QuorumInfo;
import org.apache.kafka.clients.admin.QuorumInfo.ReplicaState;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.requests.MetadataResponse;
import org.apache.kafka.common.requests.MetadataResponse.TopicMetadata;

import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What tests ask a broker's objects for, answered by the brokers themselves: one of them, or any by an Admin. */
public final class Wire {
    static final long PAUSE_MS = 20;
    private static final long SETTLE_LIMIT_MS = 10_000;

    private final Cluster cluster;

    public Wire(Cluster cluster) {
        this.cluster = cluster;
    }

    private Admin admin() {
        return cluster.admin();
    }

    private static <T> T get(KafkaFuture<T> future) {
        try {
            return future.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    public String clusterId() {
        return get(admin().describeCluster().clusterId());
    }

    public FeatureMetadata features() {
        return get(admin().describeFeatures().featureMetadata());
    }

    public short finalizedLevel(String feature) {
        var range = features().finalizedFeatures().get(feature);
        return range == null ? 0 : range.maxVersionLevel();
    }

    private Config describeTopicConfig(String name) {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, name);
        return get(admin().describeConfigs(List.of(resource)).all()).get(resource);
    }

    /** Every key of a topic with its value in force. */
    public Map<String, String> wholeTopicConfig(String name) {
        return describeTopicConfig(name).entries().stream().filter(entry -> entry.value() != null)
            .collect(Collectors.toMap(ConfigEntry::name, ConfigEntry::value));
    }

    public Properties topicConfig(String name) {
        Properties own = new Properties();
        for (ConfigEntry entry : describeTopicConfig(name).entries()) {
            if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                own.setProperty(entry.name(), entry.value());
            }
        }
        return own;
    }

    /** A node's configuration as it was started with and, where it is a broker, as it was changed since. */
    public Map<String, String> config(Member member) {
        Map<String, String> all = new HashMap<>(member.properties());
        if (member.isBroker() && member.isRunning()) {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.BROKER, Integer.toString(member.id()));
            for (ConfigEntry entry : get(admin().describeConfigs(List.of(resource)).all()).get(resource).entries()) {
                boolean changed = entry.source() == ConfigEntry.ConfigSource.DYNAMIC_BROKER_CONFIG
                    || entry.source() == ConfigEntry.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG;
                if (changed && entry.value() != null) {
                    all.put(entry.name(), entry.value());
                }
            }
        }
        return all;
    }

    public Set<AccessControlEntry> acls(AclBindingFilter filter) {
        return get(admin().describeAcls(filter).values()).stream().map(AclBinding::entry).collect(Collectors.toSet());
    }

    /** What this broker says of topics and brokers. */
    static MetadataResponse metadata(Member broker) {
        try {
            return broker.metadata();
        } catch (IOException e) {
            throw new IllegalStateException("broker " + broker.id() + " does not answer", e);
        }
    }

    private static Optional<TopicMetadata> topic(MetadataResponse metadata, String name) {
        return metadata.topicMetadata().stream().filter(topic -> topic.topic().equals(name)).findFirst();
    }

    public static Optional<TopicMetadata> topic(Member broker, String name) {
        return topic(metadata(broker), name);
    }

    public QuorumInfo quorum() {
        return get(admin().describeMetadataQuorum().quorumInfo());
    }

    /**
     * Returns when all nodes that run have what the leader of the metadata quorum had written at the call. A lone Ottla
     * shows a change in its next answer.
     */
    public void settle() {
        if (cluster.members().size() > 1) {
            long end = ends(quorum()).getOrDefault(quorum().leaderId(), 0L);
            long deadline = System.currentTimeMillis() + SETTLE_LIMIT_MS;
            while (System.currentTimeMillis() < deadline) {
                Map<Integer, Long> ends = ends(quorum());
                boolean isSettled = cluster.members().values().stream().filter(Member::isRunning)
                    .allMatch(member -> ends.getOrDefault(member.id(), -1L) >= end);
                if (isSettled) {
                    break;
                }
                pause(PAUSE_MS);
            }
            // Fetched is not yet published.
            pause(PAUSE_MS);
        }
        if (Settings.againstKafka()) {
            pause(10 * PAUSE_MS);
        }
    }

    private static Map<Integer, Long> ends(QuorumInfo quorum) {
        return Stream.concat(quorum.voters().stream(), quorum.observers().stream())
            .collect(Collectors.toMap(ReplicaState::replicaId, ReplicaState::logEndOffset, Math::max));
    }

    public void awaitTopic(String name, int partitionCount) {
        Cluster.await("the topic " + name + " with " + partitionCount + " partitions on every broker", () -> {
            for (Member broker : cluster.runningBrokers()) {
                Optional<TopicMetadata> found = topic(broker.metadata(), name);
                if (found.filter(topic -> topic.partitionMetadata().size() == partitionCount).isEmpty()) {
                    return false;
                }
            }
            return true;
        });
        settle();
    }

    /** Gone for clients of each broker, and its folders renamed or removed. */
    public void awaitNoTopic(String name) {
        Cluster.await("the end of the topic " + name + " on every broker", () -> {
            for (Member broker : cluster.runningBrokers()) {
                if (topic(broker.metadata(), name).isPresent()) {
                    return false;
                }
            }
            return true;
        });
        TopicPartition first = new TopicPartition(name, 0);
        Cluster.await("the end of the folder of " + first, () -> {
            for (Member broker : cluster.runningBrokers()) {
                if (broker.hasFolder(first)) {
                    return false;
                }
            }
            return true;
        });
    }

    static Map<Uuid, String> idsToNames(MetadataResponse metadata) {
        return metadata.topicMetadata().stream().collect(Collectors.toMap(TopicMetadata::topicId, TopicMetadata::topic));
    }

    static void pause(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
