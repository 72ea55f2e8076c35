import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The verbs about transactions; each producer, and the consumer that feeds it, has a name. */
final class Transactions {
    private final String bootstrap;
    private final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
    private final Map<String, KafkaConsumer<byte[], byte[]>> consumers = new HashMap<>();

    Transactions(String bootstrap) {
        this.bootstrap = bootstrap;
    }

    /** False when the verb is not one of these. */
    boolean perform(String[] words) throws Exception {
        switch (words[0]) {
            case "transactional":
                open(words[1], words[2]);
                break;
            case "begin":
                producers.get(words[1]).beginTransaction();
                break;
            case "send":
                send(producers.get(words[1]), words[2], Integer.parseInt(words[3]), Integer.parseInt(words[4]));
                break;
            case "copy":
                copy(words[1], words[2], words[3], words[4], words[5], Integer.parseInt(words[6]));
                break;
            case "commit":
                producers.get(words[1]).commitTransaction();
                close(words[1]);
                break;
            case "abort":
                producers.get(words[1]).abortTransaction();
                close(words[1]);
                break;
            case "turns":
                turns(words[1], words[2], Integer.parseInt(words[3]), Integer.parseInt(words[4]));
                break;
            case "read":
                read(words[1], words[2]);
                break;
            default:
                return false;
        }
        return true;
    }

    private KafkaProducer<byte[], byte[]> open(String name, String id) {
        return open(name, id, 0);
    }

    private KafkaProducer<byte[], byte[]> open(String name, String id, int lingerMs) {
        Properties properties = properties();
        properties.put("transactional.id", id);
        properties.put("linger.ms", lingerMs);
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
        producers.put(name, producer);
        producer.initTransactions();
        return producer;
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, String topic, int first, int count)
            throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int id = first; id < first + count; id++) {
            sent.add(producer.send(new ProducerRecord<>(topic, id % 3, bytes("k" + id), bytes("" + id))));
        }
        producer.flush();
        for (Future<RecordMetadata> one : sent) {
            one.get();
        }
    }

    /** A commit over three partitions, and at once a transaction that is aborted before its record has left. */
    private void turns(String id, String topic, int first, int count) throws Exception {
        KafkaProducer<byte[], byte[]> producer = open(id, id, 50);
        for (int turn = 0; turn < count; turn++) {
            producer.beginTransaction();
            send(producer, topic, first + 3 * turn, 3);
            producer.commitTransaction();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, 0, bytes("aborted"), bytes("" + first)));
            producer.abortTransaction();
        }
        producers.remove(id).close();
    }

    private void copy(String name, String id, String from, String to, String group, int count) throws Exception {
        KafkaProducer<byte[], byte[]> producer = open(name, id);
        Properties properties = properties();
        properties.put("group.id", group);
        Client.chooseGroupProtocol(properties);
        properties.put("isolation.level", "read_committed");
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        KafkaConsumer<byte[], byte[]> consumer =
            new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumers.put(name, consumer);
        consumer.subscribe(Collections.singletonList(from));
        producer.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (int taken = 0; taken < count;) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                producer.send(new ProducerRecord<>(to, record.partition(), record.key(), record.value()));
                offsets.put(new TopicPartition(from, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                taken++;
            }
        }
        producer.flush();
        SendOffsets.send(producer, offsets, consumer, group);
    }

    /** What was opened for one copy ends with its transaction. */
    private void close(String name) {
        KafkaConsumer<byte[], byte[]> consumer = consumers.remove(name);
        if (consumer != null) {
            consumer.close();
            producers.remove(name).close();
        }
    }

    private void read(String topic, String isolation) {
        Properties properties = properties();
        properties.put("isolation.level", isolation);
        properties.put("enable.auto.commit", "false");
        try (KafkaConsumer<byte[], byte[]> consumer =
                 new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (int partition : Arrays.asList(0, 1, 2)) {
                partitions.add(new TopicPartition(topic, partition));
            }
            consumer.assign(partitions);
            Map<TopicPartition, Long> left = new HashMap<>(consumer.endOffsets(partitions));
            consumer.seekToBeginning(partitions);
            while (!left.isEmpty()) {
                consumer.poll(Duration.ofMillis(100)).forEach(Client::sayRecord);
                left.entrySet().removeIf(end -> consumer.position(end.getKey()) >= end.getValue());
            }
        }
    }

    private Properties properties() {
        return Client.properties(bootstrap);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
