import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Looks from outside: what a topic holds for a reader of committed records, where it ends, what a group committed. */
final class Look implements AutoCloseable {
    private final String bootstrap;
    private final Admin admin;

    Look(String bootstrap) {
        this.bootstrap = bootstrap;
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        admin = Admin.create(properties);
    }

    void perform(String[] words) throws Exception {
        switch (words[0]) {
            case "create":
                NewTopic topic = new NewTopic(words[1], Integer.parseInt(words[2]), (short) 1);
                admin.createTopics(List.of(topic)).all().get();
                break;
            case "committed":
                admin.listConsumerGroupOffsets(words[1]).partitionsToOffsetAndMetadata().get()
                    .forEach((partition, offset) ->
                        Eos.say("offset " + partition.partition() + " " + offset.offset()));
                break;
            case "ends":
                try (KafkaConsumer<byte[], byte[]> consumer = consumer(words[2])) {
                    consumer.endOffsets(partitions(consumer, words[1])).forEach((partition, offset) ->
                        Eos.say("offset " + partition.partition() + " " + offset));
                }
                break;
            case "dump":
                dump(words[1], words[2], Path.of(words[3]));
                break;
            case "commit":
                admin.alterConsumerGroupOffsets(words[1], Map.of(
                    new TopicPartition(words[2], Integer.parseInt(words[3])),
                    new OffsetAndMetadata(Long.parseLong(words[4])))).all().get();
                break;
            default:
                throw new IllegalArgumentException("unknown verb " + words[0]);
        }
    }

    /** Every committed record (or every one at all), a line each: partition, key, and its value or its offset. */
    private void dump(String topic, String what, Path path) throws Exception {
        try (KafkaConsumer<byte[], byte[]> consumer =
                 consumer(what.equals("all") ? "read_uncommitted" : "read_committed");
             PrintWriter out = new PrintWriter(Files.newBufferedWriter(path))) {
            Collection<TopicPartition> partitions = partitions(consumer, topic);
            Map<TopicPartition, Long> left = new HashMap<>(consumer.endOffsets(partitions));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
            while (!left.isEmpty()) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    out.println(record.partition() + "\t" + text(record.key()) + "\t"
                        + shown(record, what));
                }
                left.entrySet().removeIf(end -> consumer.position(end.getKey()) >= end.getValue());
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("these ends were not reached: " + left);
                }
            }
        }
    }

    private static String shown(ConsumerRecord<byte[], byte[]> record, String what) {
        return switch (what) {
            case "long" -> number(record.value());
            case "offset" -> "" + record.offset();
            default -> text(record.value());
        };
    }

    private static String text(byte[] bytes) {
        return bytes == null ? "-" : new String(bytes, StandardCharsets.UTF_8);
    }

    private static String number(byte[] bytes) {
        return bytes == null ? "-" : "" + ByteBuffer.wrap(bytes).getLong();
    }

    private static List<TopicPartition> partitions(KafkaConsumer<?, ?> consumer, String topic) {
        return consumer.partitionsFor(topic).stream()
            .map(partition -> new TopicPartition(topic, partition.partition()))
            .collect(Collectors.toList());
    }

    private KafkaConsumer<byte[], byte[]> consumer(String isolation) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("isolation.level", isolation);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "none");
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    @Override
    public void close() {
        admin.close(Duration.ofSeconds(5));
    }
}
