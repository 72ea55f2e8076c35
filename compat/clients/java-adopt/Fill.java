import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Something of everything that a data directory can hold. */
final class Fill {
    /** Not so long ago that producers of these times would be forgotten; the same for all that a run looks at. */
    static final long FIRST_TIMESTAMP = System.currentTimeMillis() - 3_600_000;

    /** A time near the end of what was produced. For one in deleted records Apache Kafka finds nothing as long as
     * their segment lies there, though later records do. */
    static long askedTimestamp = FIRST_TIMESTAMP;

    private final String bootstrap;
    private final int count;
    /** What only Apache Kafka serves is done too. */
    private final boolean isKafka;

    Fill(String bootstrap, int count, boolean isKafka) {
        this.bootstrap = bootstrap;
        this.count = count;
        this.isKafka = isKafka;
        askedTimestamp = FIRST_TIMESTAMP + count - 10;
    }

    void run() throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            createTopics(admin);
            for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
                produce("plain", 3, codec, count);
            }
            produce("stamped", 1, "lz4", count / 2);
            produce("trimmed", 1, "none", count);
            admin.deleteRecords(Map.of(new TopicPartition("trimmed", 0), RecordsToDelete.beforeOffset(count / 3)))
                .all().get();
            produceCompacted();
            transact();
            commitAsGroup("classic-group", "classic");
            if (isKafka) {
                commitAsGroup("consumer-group", "consumer");
            }
            admin.alterConsumerGroupOffsets("admin-group",
                Map.of(new TopicPartition("plain", 1), new OffsetAndMetadata(count / 4, "by hand"))).all().get();
            configure(admin);
            admin.deleteTopics(List.of("deleted")).all().get();
        }
    }

    private static NewTopic topic(String name, int partitions, Map<String, String> configs) {
        return new NewTopic(name, partitions, (short) 1).configs(configs);
    }

    private void createTopics(Admin admin) throws Exception {
        // As small as segments may be, so that there are closed ones.
        Map<String, String> small = Map.of("segment.bytes", "1048576", "retention.ms", "-1");
        admin.createTopics(List.of(
            topic("plain", 3, small),
            topic("stamped", 1, Map.of("message.timestamp.type", "LogAppendTime")),
            topic("trimmed", 1, small),
            topic("compacted", 1, Map.of("cleanup.policy", "compact", "segment.bytes", "1048576",
                "min.cleanable.dirty.ratio", "0.01")),
            topic("txn", 2, small),
            topic("idempotent", 1, Map.of()),
            topic("empty", 4, Map.of("max.message.bytes", "123456")),
            topic("deleted", 2, Map.of()))).all().get();
        admin.createPartitions(Map.of("empty", org.apache.kafka.clients.admin.NewPartitions.increaseTo(5))).all()
            .get();
    }

    private KafkaProducer<byte[], byte[]> producer(String... more) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("linger.ms", "5");
        for (int index = 0; index < more.length; index += 2) {
            properties.put(more[index], more[index + 1]);
        }
        return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private void produce(String topic, int partitions, String codec, int records) throws Exception {
        Random random = new Random(records);
        byte[] noise = new byte[180];
        try (KafkaProducer<byte[], byte[]> producer = producer("compression.type", codec)) {
            for (int number = 0; number < records; number++) {
                random.nextBytes(noise);
                byte[] value = number % 17 == 3 ? null : java.util.Arrays.copyOf(noise, number % noise.length);
                byte[] key = number % 5 == 0 ? null : bytes(codec + number);
                ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, number % partitions,
                    FIRST_TIMESTAMP + number, key, value,
                    number % 7 == 0 ? List.of(new RecordHeader("codec", bytes(codec)), new RecordHeader("none", null))
                        : List.of());
                producer.send(record);
            }
        }
    }

    /** Enough for several segments; a third of the keys ends with a tombstone. */
    private void produceCompacted() throws Exception {
        byte[] value = new byte[2_000];
        new Random(3).nextBytes(value);
        try (KafkaProducer<byte[], byte[]> producer = producer("batch.size", "65536")) {
            for (int number = 0; number < 1_600; number++) {
                // Of every part of the log something stays.
                String key = number % 100 == 0 ? "only" + number : "key" + number % 60;
                producer.send(new ProducerRecord<>("compacted", bytes(key), value));
            }
            for (int number = 0; number < 20; number++) {
                producer.send(new ProducerRecord<>("compacted", bytes("key" + number), null));
            }
        }
        try (KafkaConsumer<byte[], byte[]> consumer = consumer("none", "classic")) {
            TopicPartition partition = new TopicPartition("compacted", 0);
            consumer.assign(List.of(partition));
            long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
            int before = -1;
            int now = recordsOf(consumer, partition);
            // The cleaner is done when it has begun and nothing changes any more.
            while (now == 1_620 || now != before) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("the topic was not cleaned: " + now + " records");
                }
                Thread.sleep(1_000);
                before = now;
                now = recordsOf(consumer, partition);
            }
        }
    }

    private static int recordsOf(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition) {
        long end = consumer.endOffsets(List.of(partition)).get(partition);
        consumer.seekToBeginning(List.of(partition));
        int count = 0;
        while (consumer.position(partition) < end) {
            count += consumer.poll(Duration.ofMillis(100)).count();
        }
        return count;
    }

    private KafkaConsumer<byte[], byte[]> consumer(String group, String protocol) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", group);
        properties.put("group.protocol", protocol);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Committed and aborted transactions in turn, with offsets in them. */
    @SuppressWarnings("removal")
    private void transact() throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer("transactional.id", "closed", "batch.size", "400")) {
            producer.initTransactions();
            for (int round = 0; round < 6; round++) {
                producer.beginTransaction();
                for (int number = 0; number < count / 10; number++) {
                    producer.send(new ProducerRecord<>("txn", number % 2, bytes("key" + number),
                        bytes("round " + round + " record " + number)));
                }
                producer.sendOffsetsToTransaction(
                    Map.of(new TopicPartition("plain", 0), new OffsetAndMetadata(round + 1, "round " + round)),
                    new ConsumerGroupMetadata("txn-group"));
                if (round % 2 == 0) {
                    producer.commitTransaction();
                } else {
                    producer.flush();
                    producer.abortTransaction();
                }
            }
        }
    }

    private void commitAsGroup(String group, String protocol) throws Exception {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(group, protocol)) {
            consumer.subscribe(List.of("plain"));
            int seen = 0;
            while (seen < count) {
                seen += consumer.poll(Duration.ofMillis(200)).count();
            }
            consumer.commitSync();
        }
    }

    private void configure(Admin admin) throws Exception {
        set(admin, new ConfigResource(ConfigResource.Type.BROKER, ""), "log.retention.ms", "604800123");
        set(admin, new ConfigResource(ConfigResource.Type.BROKER, "1"), "log.cleaner.threads", "1");
        if (isKafka) {
            set(admin, new ConfigResource(ConfigResource.Type.GROUP, "classic-group"), "consumer.session.timeout.ms",
                "50000");
            ClientQuotaEntity entity = new ClientQuotaEntity(Map.of("client-id", "greedy"));
            Collection<ClientQuotaAlteration> quotas = List.of(new ClientQuotaAlteration(entity,
                List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1_000_000.0))));
            admin.alterClientQuotas(quotas).all().get();
        }
        admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("alice",
            new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), "secret"))).all().get();
        admin.createAcls(List.of(new AclBinding(new ResourcePattern(ResourceType.TOPIC, "pla", PatternType.PREFIXED),
            new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW)))).all().get();
    }

    private static void set(Admin admin, ConfigResource resource, String key, String value) throws Exception {
        admin.incrementalAlterConfigs(Map.of(resource,
            List.of(new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET)))).all().get();
    }
}
