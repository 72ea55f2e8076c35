package ottla.suite;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureMetadata;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TopicListing;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;

/** What tests ask a broker's objects for, answered through an Admin client. */
public final class Wire {
    private static final long LIMIT_MS = 60_000;
    private static final long PAUSE_MS = 50;

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

    public Collection<Node> nodes() {
        return get(admin().describeCluster().nodes());
    }

    public Map<String, TopicListing> topics() {
        return get(admin().listTopics(new ListTopicsOptions().listInternal(true)).namesToListings());
    }

    public Optional<TopicDescription> topic(String name) {
        try {
            return Optional.of(admin().describeTopics(List.of(name)).topicNameValues().get(name).get());
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                return Optional.empty();
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    public FeatureMetadata features() {
        return get(admin().describeFeatures().featureMetadata());
    }

    public short finalizedLevel(String feature) {
        var range = features().finalizedFeatures().get(feature);
        return range == null ? 0 : range.maxVersionLevel();
    }

    public Properties topicConfig(String name) {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, name);
        Config config = get(admin().describeConfigs(List.of(resource)).all()).get(resource);
        Properties own = new Properties();
        for (ConfigEntry entry : config.entries()) {
            if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                own.setProperty(entry.name(), entry.value());
            }
        }
        return own;
    }

    /** The node's configuration as it was started with and as it was changed since. */
    public Map<String, String> brokerConfig() {
        Map<String, String> all = new HashMap<>(cluster.properties());
        if (cluster.isRunning()) {
            ConfigResource resource =
                new ConfigResource(ConfigResource.Type.BROKER, Integer.toString(cluster.id()));
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

    /** Ottla shows a change in the next answer; the broker part of Apache Kafka follows its controller part. */
    public void settle() {
        if (Settings.againstKafka()) {
            pause(4 * PAUSE_MS);
        }
    }

    public void awaitTopic(String name, int partitionCount) {
        await("the topic " + name + " with " + partitionCount + " partitions", () ->
            topic(name).filter(found -> found.partitions().size() == partitionCount).isPresent());
        settle();
    }

    /** Gone for clients, and its folders renamed or removed. */
    public void awaitNoTopic(String name) {
        await("the end of the topic " + name, () -> !topics().containsKey(name));
        TopicPartition first = new TopicPartition(name, 0);
        await("the end of the folder of " + first, () -> {
            for (String directory : cluster.logDirs()) {
                if (Files.exists(Path.of(directory, first.toString()))) {
                    return false;
                }
            }
            return true;
        });
    }

    public void await(String what, BooleanSupplier condition) {
        long deadline = System.currentTimeMillis() + LIMIT_MS;
        while (!condition.getAsBoolean()) {
            if (System.currentTimeMillis() > deadline) {
                throw new AssertionError("waited " + LIMIT_MS + " ms in vain for " + what);
            }
            pause(PAUSE_MS);
        }
    }

    private static void pause(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
