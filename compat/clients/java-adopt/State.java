import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.zip.CRC32C;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** All that a client can ask of a broker's durable state, a fact a line, in a fixed order. */
final class State {
    private final String bootstrap;
    private final List<String> lines = new ArrayList<>();

    State(String bootstrap) {
        this.bootstrap = bootstrap;
    }

    void write(Path path) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            lines.add("cluster " + admin.describeCluster().clusterId().get());
            Map<String, TopicDescription> topics = topics(admin);
            for (TopicDescription topic : topics.values()) {
                lines.add("topic " + topic.name() + " " + topic.topicId() + " " + topic.partitions().size());
            }
            configs(admin, topics.keySet());
            admin.describeUserScramCredentials().all().get().forEach((user, credential) ->
                lines.add("scram " + user + " " + credential.credentialInfos()));
            new TreeSet<>(admin.describeAcls(AclBindingFilter.ANY).values().get().stream().map(Object::toString)
                .toList()).forEach(acl -> lines.add("acl " + acl));
            groups(admin);
            transactions(admin);
            List<TopicPartition> partitions = new ArrayList<>();
            topics.values().stream().filter(topic -> !topic.isInternal()).forEach(topic ->
                topic.partitions().forEach(partition ->
                    partitions.add(new TopicPartition(topic.name(), partition.partition()))));
            offsets(admin, partitions);
            producers(admin, partitions);
            for (String isolation : List.of("read_uncommitted", "read_committed")) {
                records(partitions, isolation);
            }
        }
        print(path);
    }

    void writeGroups(Path path) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            groups(admin);
        }
        print(path);
    }

    private void print(Path path) throws Exception {
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(path))) {
            lines.forEach(out::println);
        }
    }

    private static Map<String, TopicDescription> topics(Admin admin) throws Exception {
        Collection<String> names = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
        return new TreeMap<>(admin.describeTopics(names).allTopicNames().get());
    }

    private void configs(Admin admin, Collection<String> topics) throws Exception {
        List<ConfigResource> resources = new ArrayList<>();
        topics.forEach(topic -> resources.add(new ConfigResource(ConfigResource.Type.TOPIC, topic)));
        resources.add(new ConfigResource(ConfigResource.Type.BROKER, ""));
        resources.add(new ConfigResource(ConfigResource.Type.BROKER, "1"));
        resources.add(new ConfigResource(ConfigResource.Type.GROUP, "classic-group"));
        var described = admin.describeConfigs(resources).all().get();
        for (ConfigResource resource : resources) {
            for (ConfigEntry entry : described.get(resource).entries()) {
                if (entry.source().name().startsWith("DYNAMIC")) {
                    lines.add("config " + resource.type() + " '" + resource.name() + "' " + entry.source() + " "
                        + entry.name() + "=" + entry.value());
                }
            }
        }
    }

    private void groups(Admin admin) throws Exception {
        TreeSet<String> groups = new TreeSet<>();
        admin.listGroups().all().get().forEach(group -> groups.add(group.groupId()));
        for (String group : groups) {
            var committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            TreeSet<String> sorted = new TreeSet<>();
            committed.forEach((partition, offset) -> sorted.add(partition + " " + offset));
            sorted.forEach(line -> lines.add("group " + group + " " + line));
        }
    }

    private void transactions(Admin admin) throws Exception {
        TreeSet<String> ids = new TreeSet<>();
        admin.listTransactions().all().get().forEach(listing -> ids.add(listing.transactionalId()));
        for (String id : ids) {
            var description = admin.describeTransactions(List.of(id)).description(id).get();
            lines.add("transaction " + id + " " + description.state() + " producer " + description.producerId() + " "
                + description.producerEpoch() + " timeout " + description.transactionTimeoutMs() + " since "
                + description.transactionStartTimeMs() + " " + new TreeSet<>(
                    description.topicPartitions().stream().map(Object::toString).toList()));
        }
    }

    private void offsets(Admin admin, List<TopicPartition> partitions) throws Exception {
        Map<String, OffsetSpec> specs = new TreeMap<>(Map.of("earliest", OffsetSpec.earliest(), "latest",
            OffsetSpec.latest(), "max-timestamp", OffsetSpec.maxTimestamp(), "by-time",
            OffsetSpec.forTimestamp(Fill.askedTimestamp)));
        for (IsolationLevel isolation : IsolationLevel.values()) {
            for (Map.Entry<String, OffsetSpec> spec : specs.entrySet()) {
                Map<TopicPartition, OffsetSpec> asked = new TreeMap<>(
                    java.util.Comparator.comparing(TopicPartition::toString));
                partitions.forEach(partition -> asked.put(partition, spec.getValue()));
                var answer = admin.listOffsets(asked,
                    new org.apache.kafka.clients.admin.ListOffsetsOptions(isolation)).all().get();
                for (TopicPartition partition : asked.keySet()) {
                    var found = answer.get(partition);
                    lines.add("offset " + isolation.name() + " " + spec.getKey() + " " + partition + " "
                        + found.offset() + " " + found.timestamp());
                }
            }
        }
    }

    private void producers(Admin admin, List<TopicPartition> partitions) throws Exception {
        var described = admin.describeProducers(partitions).all().get();
        for (TopicPartition partition : partitions) {
            TreeSet<String> sorted = new TreeSet<>();
            described.get(partition).activeProducers().forEach(producer -> sorted.add(producer.toString()));
            sorted.forEach(producer -> lines.add("producer " + partition + " " + producer));
        }
    }

    private void records(List<TopicPartition> partitions, String isolation) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("isolation.level", isolation);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "none");
        try (KafkaConsumer<byte[], byte[]> consumer =
                 new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            for (TopicPartition partition : partitions) {
                long end = consumer.endOffsets(List.of(partition)).get(partition);
                consumer.assign(List.of(partition));
                consumer.seekToBeginning(List.of(partition));
                long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
                while (consumer.position(partition) < end) {
                    for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                        lines.add(isolation + " " + partition + " " + record.offset() + " " + record.timestampType()
                            + " " + record.timestamp() + " epoch " + record.leaderEpoch().orElse(-1) + " "
                            + shown(record.key()) + " " + shown(record.value()) + headers(record));
                    }
                    if (System.nanoTime() > deadline) {
                        throw new IllegalStateException(partition + " did not come to its end at " + end);
                    }
                }
            }
        }
    }

    private static String headers(ConsumerRecord<byte[], byte[]> record) {
        StringBuilder text = new StringBuilder();
        for (Header header : record.headers()) {
            text.append(' ').append(header.key()).append('=').append(shown(header.value()));
        }
        return text.toString();
    }

    /** Length and checksum. */
    private static String shown(byte[] bytes) {
        if (bytes == null) {
            return "null";
        }
        CRC32C checksum = new CRC32C();
        checksum.update(bytes);
        return bytes.length + ":" + Long.toHexString(checksum.getValue());
    }
}
