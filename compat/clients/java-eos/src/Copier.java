import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Copies one topic to another, partition by partition, in transactions of which some are aborted on purpose. */
final class Copier {
    private static final double ABORT_SHARE = 0.2;

    private final String bootstrap;
    private final String from;
    private final String to;
    private final String group;
    private final String transactionalId;
    private final Random dice;
    private KafkaConsumer<String, String> consumer;
    private KafkaProducer<String, String> producer;
    private long copied;

    Copier(String bootstrap, String from, String to, String group, String transactionalId, long seed) {
        this.bootstrap = bootstrap;
        this.from = from;
        this.to = to;
        this.group = group;
        this.transactionalId = transactionalId;
        this.dice = new Random(seed);
    }

    void run() {
        try {
            while (!Eos.isToldToLeave()) {
                try {
                    if (producer == null) {
                        open();
                    }
                    step();
                } catch (KafkaException e) {
                    // An error that the transaction does not survive: what was fenced or is unknown starts anew, from
                    // the offsets that are committed.
                    Eos.say("note anew after " + Eos.oneLine(e));
                    close();
                }
            }
        } finally {
            close();
        }
    }

    private void open() {
        Properties forProducer = new Properties();
        forProducer.put("bootstrap.servers", bootstrap);
        forProducer.put("transactional.id", transactionalId);
        forProducer.put("transaction.timeout.ms", "10000");
        forProducer.put("linger.ms", "2");
        // Small batches: a transaction then has several to each partition, and a kill comes between them.
        forProducer.put("batch.size", "512");
        producer = new KafkaProducer<>(forProducer, new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        Properties forConsumer = new Properties();
        forConsumer.put("bootstrap.servers", bootstrap);
        forConsumer.put("group.id", group);
        forConsumer.put("isolation.level", "read_committed");
        forConsumer.put("enable.auto.commit", "false");
        forConsumer.put("auto.offset.reset", "earliest");
        forConsumer.put("session.timeout.ms", "6000");
        forConsumer.put("heartbeat.interval.ms", "1000");
        forConsumer.put("max.poll.records", "100");
        consumer = new KafkaConsumer<>(forConsumer, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(from));
    }

    private void close() {
        if (producer != null) {
            producer.close(Duration.ZERO);
            producer = null;
        }
        if (consumer != null) {
            consumer.close();
            consumer = null;
        }
    }

    /** One transaction, from the poll to its end. */
    private void step() {
        ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
        if (records.isEmpty()) {
            return;
        }
        producer.beginTransaction();
        try {
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            for (ConsumerRecord<String, String> record : records) {
                producer.send(new ProducerRecord<>(to, record.partition(), record.key(), record.value()));
                offsets.put(new TopicPartition(from, record.partition()), new OffsetAndMetadata(record.offset() + 1));
            }
            producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
            if (dice.nextDouble() < ABORT_SHARE) {
                producer.flush();
                throw new OnPurpose();
            }
            insist(producer::commitTransaction);
            copied += records.count();
            Eos.say("count " + copied);
        } catch (KafkaException e) {
            if (!(e instanceof OnPurpose)) {
                Eos.say("note aborting after " + Eos.oneLine(e));
            }
            insist(producer::abortTransaction);
            rewind();
        }
    }

    /** An end that was not answered in time is asked for again, as the client demands it. */
    private static void insist(Runnable end) {
        while (true) {
            try {
                end.run();
                return;
            } catch (TimeoutException e) {
                Eos.say("note again after " + Eos.oneLine(e));
            }
        }
    }

    private void rewind() {
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
        for (TopicPartition partition : consumer.assignment()) {
            OffsetAndMetadata offset = committed.get(partition);
            if (offset == null) {
                consumer.seekToBeginning(List.of(partition));
            } else {
                consumer.seek(partition, offset.offset());
            }
        }
    }

    private static final class OnPurpose extends KafkaException { }
}
