// A share consumer beside a producer, while nodes of the cluster die: what it has taken for good never comes again, and
// everything else comes until it is taken. Arguments: bootstrap, topic, partitions, group, records.

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public final class Share {
    private static final long LIMIT_MS = 180_000;

    private Share() {}

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0], topic = arguments[1], group = arguments[3];
        int partitions = Integer.parseInt(arguments[2]), count = Integer.parseInt(arguments[4]);
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 3))).all().get();
            ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
            ConfigEntry earliest = new ConfigEntry("share.auto.offset.reset", "earliest");
            AlterConfigOp set = new AlterConfigOp(earliest, AlterConfigOp.OpType.SET);
            admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
        }
        Thread producing = new Thread(() -> produce(bootstrap, topic, partitions, count));
        producing.start();
        Reading reading = new Reading();
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", bootstrap, "group.id", group, "share.acknowledgement.mode", "explicit",
            "key.deserializer", StringDeserializer.class, "value.deserializer", StringDeserializer.class);
        try (KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(settings)) {
            consumer.subscribe(List.of(topic));
            long end = System.currentTimeMillis() + LIMIT_MS;
            while (reading.taken.size() + reading.unknown.size() < count && System.currentTimeMillis() < end) {
                reading.step(consumer);
            }
        }
        producing.join(10_000);
        System.out.println("taken " + reading.taken.size() + " of " + count + ", again " + reading.again
            + ", of which nothing is known " + reading.unknown.size() + ", delivered more than once " + reading.repeated + ", not stored " + reading.failed
            + ", longest gap " + reading.longestMs + " ms");
        boolean isAll = reading.taken.size() + reading.unknown.size() == count;
        System.exit(isAll && reading.again == 0 ? 0 : 1);
    }

    private static void produce(String bootstrap, String topic, int partitions, int count) {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "acks", "all",
            "key.serializer", StringSerializer.class, "value.serializer", StringSerializer.class);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
            for (int number = 0; number < count; number++) {
                producer.send(new ProducerRecord<>(topic, number % partitions, null, Integer.toString(number)),
                    (done, failure) -> {
                        if (failure != null) System.out.println("a record was not produced: " + failure);
                    });
                if (number % 20 == 0) Thread.sleep(20);
            }
        } catch (InterruptedException interrupted) {
            System.out.println("the producer was interrupted");
        }
    }

    private static final class Reading {
        final Set<String> taken = new HashSet<>();
        final Set<String> seen = new HashSet<>();
        /** Taken, without an answer that says that it is stored: they may come again, or not. */
        final Set<String> unknown = new HashSet<>();
        int again, repeated, failed;
        long last, longestMs;

        /** A tenth is given back at its first delivery; all else is taken. */
        void step(KafkaShareConsumer<String, String> consumer) {
            ConsumerRecords<String, String> records;
            try {
                records = consumer.poll(Duration.ofMillis(200));
            } catch (KafkaException failure) {
                System.out.println("poll: " + failure);
                return;
            }
            if (records.isEmpty()) return;
            Map<String, List<String>> accepted = new HashMap<>();
            for (ConsumerRecord<String, String> record : records) {
                String value = record.value();
                if (taken.contains(value)) {
                    again++;
                    System.out.println("it was taken before: " + record);
                }
                unknown.remove(value);
                boolean isFirst = seen.add(value);
                if (!isFirst) repeated++;
                boolean isReleased = isFirst && Integer.parseInt(value) % 10 == 0;
                consumer.acknowledge(record, isReleased ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT);
                if (!isReleased) accepted.computeIfAbsent(place(record.topic(), record.partition()), key -> new ArrayList<>()).add(value);
            }
            for (Map.Entry<TopicIdPartition, Optional<KafkaException>> done : consumer.commitSync().entrySet()) {
                String place = place(done.getKey().topic(), done.getKey().partition());
                if (done.getValue().isEmpty()) {
                    taken.addAll(accepted.getOrDefault(place, List.of()));
                } else {
                    failed++;
                    unknown.addAll(accepted.getOrDefault(place, List.of()));
                    System.out.println("not stored at " + place + ": " + done.getValue().get());
                }
            }
            long now = System.currentTimeMillis();
            if (last > 0) longestMs = Math.max(longestMs, now - last);
            last = now;
        }

        private static String place(String topic, int partition) {
            return topic + "-" + partition;
        }
    }
}
