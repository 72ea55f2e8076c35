import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.StringJoiner;
import java.util.TreeSet;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.zip.CRC32;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The Java client's hand of the scenario; the verbs are told in compat/README.md. */
public final class Client {
    private final String bootstrap;
    private final Transactions transactions;
    private final BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));

    private Client(String bootstrap) {
        this.bootstrap = bootstrap;
        this.transactions = new Transactions(bootstrap);
    }

    public static void main(String[] args) throws Exception {
        new Client(args[0]).serve();
    }

    private void serve() throws Exception {
        try (AdminClient admin = AdminClient.create(properties())) {
            for (String line = commands.readLine(); line != null; line = commands.readLine()) {
                String[] words = line.split(" ");
                try {
                    if (words[0].equals("quit")) {
                        return;
                    }
                    if (words[0].equals("member")) {
                        member(words[1], words[2]);
                        return;
                    }
                    perform(admin, words);
                    say("ok");
                } catch (Exception e) {
                    say("error " + String.valueOf(e).replace('\n', ' '));
                }
            }
        }
    }

    private void perform(AdminClient admin, String[] words) throws Exception {
        switch (words[0]) {
            case "codecs":
                say("codecs none,gzip,snappy,lz4,zstd");
                break;
            case "create":
                NewTopic topic = new NewTopic(words[1], Integer.parseInt(words[2]), Short.parseShort(words[3]));
                admin.createTopics(Collections.singletonList(topic)).all().get();
                break;
            case "produce":
                produce(words[1], words[2], Integer.parseInt(words[3]), Integer.parseInt(words[4]),
                    Integer.parseInt(words[5]), Long.parseLong(words[6]));
                break;
            case "committed":
                Map<TopicPartition, OffsetAndMetadata> offsets =
                    admin.listConsumerGroupOffsets(words[1]).partitionsToOffsetAndMetadata().get();
                offsets.forEach((partition, offset) -> say("offset " + partition.partition() + " " + offset.offset()));
                break;
            case "seek":
                seek(words[1], Long.parseLong(words[2]));
                break;
            case "describe-config":
                ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, words[1]);
                say("config " + words[2] + " " + admin.describeConfigs(Collections.singletonList(resource))
                    .all().get().get(resource).get(words[2]).value());
                break;
            case "alter-config":
                AlterConfig.set(admin, words[1], words[2], words[3]);
                break;
            case "exists":
                say("exists " + admin.listTopics().names().get().contains(words[1]));
                break;
            case "delete":
                admin.deleteTopics(Collections.singletonList(words[1])).all().get();
                break;
            default:
                if (!transactions.perform(words)) {
                    throw new IllegalArgumentException("unknown verb " + words[0]);
                }
        }
    }

    private void produce(String topic, String codec, int first, int count, int valueBytes, long timestamp)
            throws Exception {
        Properties properties = properties();
        properties.put("compression.type", codec);
        properties.put("acks", "all");
        properties.put("enable.idempotence", "true");
        properties.put("linger.ms", "5");
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer =
                 new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int id = first; id < first + count; id++) {
                byte[] key = id % 5 == 0 && id % 7 != 0 ? null : bytes("k" + id);
                ProducerRecord<byte[], byte[]> record =
                    new ProducerRecord<>(topic, id % 3, timestamp + id, key, value(id, valueBytes));
                record.headers().add("id", bytes("" + id)).add("codec", bytes(codec)).add("empty", new byte[0]);
                sent.add(producer.send(record));
            }
            producer.flush();
            for (Future<RecordMetadata> one : sent) {
                one.get();
            }
        }
    }

    private static byte[] value(int id, int valueBytes) {
        if (id % 7 == 0 && valueBytes < 1000) {
            return null;
        }
        byte[] unit = bytes(id + "/");
        byte[] value = new byte[valueBytes];
        for (int i = 0; i < valueBytes; i++) {
            value[i] = unit[i % unit.length];
        }
        return value;
    }

    /** Whether the run is one of the new protocol: then the broker says how long a session is. */
    static boolean chooseGroupProtocol(Properties properties) {
        boolean isNew = "consumer".equals(System.getenv("GROUP_PROTOCOL"));
        if (isNew) {
            properties.put("group.protocol", "consumer");
        }
        return isNew;
    }

    private void member(String topic, String group) throws Exception {
        AtomicBoolean leave = new AtomicBoolean();
        Thread listener = new Thread(() -> {
            try {
                commands.readLine();
            } catch (Exception e) {
                say("error " + e);
            }
            leave.set(true);
        });
        listener.setDaemon(true);
        listener.start();
        Properties properties = properties();
        properties.put("group.id", group);
        if (!chooseGroupProtocol(properties)) {
            properties.put("session.timeout.ms", "6000");
            properties.put("heartbeat.interval.ms", "1000");
        }
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        try (KafkaConsumer<byte[], byte[]> consumer =
                 new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(Collections.singletonList(topic), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) { }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    sayAssigned(consumer.assignment());
                }
            });
            while (!leave.get()) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
                records.forEach(Client::sayRecord);
                if (!records.isEmpty()) {
                    commit(consumer);
                }
            }
            commit(consumer);
        }
        say("left");
    }

    /** A commit that meets a rebalance fails; what it would have committed comes again or is committed later. */
    private static void commit(KafkaConsumer<byte[], byte[]> consumer) {
        try {
            consumer.commitSync();
        } catch (RetriableException | CommitFailedException e) {
            say("note " + e.getClass().getSimpleName());
        }
    }

    private static void sayAssigned(Collection<TopicPartition> partitions) {
        TreeSet<Integer> numbers = new TreeSet<>();
        partitions.forEach(partition -> numbers.add(partition.partition()));
        StringJoiner text = new StringJoiner(",");
        numbers.forEach(number -> text.add("" + number));
        say("assigned " + (numbers.isEmpty() ? "-" : text));
    }

    private void seek(String topic, long timestamp) {
        Properties properties = properties();
        properties.put("enable.auto.commit", "false");
        try (KafkaConsumer<byte[], byte[]> consumer =
                 new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            Map<TopicPartition, Long> wanted = new HashMap<>();
            for (int partition : Arrays.asList(0, 1, 2)) {
                wanted.put(new TopicPartition(topic, partition), timestamp);
            }
            consumer.assign(wanted.keySet());
            for (Map.Entry<TopicPartition, OffsetAndTimestamp> found : consumer.offsetsForTimes(wanted).entrySet()) {
                consumer.seek(found.getKey(), found.getValue().offset());
            }
            while (!wanted.isEmpty()) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    if (wanted.remove(new TopicPartition(topic, record.partition())) != null) {
                        sayRecord(record);
                    }
                }
            }
        }
    }

    static void sayRecord(ConsumerRecord<byte[], byte[]> record) {
        CRC32 crc = new CRC32();
        int length = -1;
        if (record.value() != null) {
            crc.update(record.value());
            length = record.value().length;
        }
        StringJoiner headers = new StringJoiner(",");
        for (Header header : record.headers()) {
            headers.add(header.key() + "=" + new String(header.value(), StandardCharsets.UTF_8));
        }
        String key = record.key() == null ? "-" : new String(record.key(), StandardCharsets.UTF_8);
        say("record " + record.partition() + " " + record.offset() + " " + record.timestamp() + " " + key + " "
            + length + " " + crc.getValue() + " " + headers);
    }

    private Properties properties() {
        return properties(bootstrap);
    }

    /** The login comes from the environment, where the broker asks for one. */
    static Properties properties(String bootstrap) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("client.id", "compat-java");
        String mechanism = System.getenv("SASL_MECHANISM");
        if (mechanism != null) {
            String module = mechanism.equals("PLAIN") ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
            String authority = System.getenv("SASL_CA");
            properties.put("security.protocol", authority == null ? "SASL_PLAINTEXT" : "SASL_SSL");
            if (authority != null) {
                properties.put("ssl.truststore.type", "PEM");
                properties.put("ssl.truststore.location", authority);
            }
            properties.put("sasl.mechanism", mechanism);
            properties.put("sasl.jaas.config", "org.apache.kafka.common.security." + module + " required username=\""
                + System.getenv("SASL_USERNAME") + "\" password=\"" + System.getenv("SASL_PASSWORD") + "\";");
        }
        return properties;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
