import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ottla.lab.Cluster;
import dev.ottla.lab.junit5.OttlaTest;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What a test can do with a lab, with an unmodified client (kafka-clients). */
class KafkaClientsTest {
    private static final Duration SOON = Duration.ofSeconds(20);

    private static KafkaProducer<String, String> producer(Cluster cluster, Map<String, Object> more) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", cluster.bootstrapServers());
        settings.put("retry.backoff.ms", 10);
        settings.putAll(more);
        return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }

    @OttlaTest(topics = "orders")
    void aProducerTriesAgainWhenTheLeaderIsAnother(Cluster cluster) throws Exception {
        cluster.fault(Map.of("api", "Produce", "topic", "orders", "error", "NOT_LEADER_OR_FOLLOWER", "times", 2));
        try (var producer = producer(cluster, Map.of())) {
            producer.send(new ProducerRecord<>("orders", "42", "paid")).get();
        }
        assertEquals("42", new String(cluster.awaitRecords("orders", 1, SOON).get(0).key()));
        assertEquals(2, cluster.count(Map.of("api", "Produce", "error", "NOT_LEADER_OR_FOLLOWER")));
    }

    @OttlaTest(topics = "orders")
    void anAnswerThatIsLostMakesADuplicateWithoutIdempotence(Cluster cluster) throws Exception {
        cluster.fault(Map.of("api", "Produce", "disconnect", "after", "once", true));
        try (var producer = producer(cluster, Map.of("enable.idempotence", false))) {
            producer.send(new ProducerRecord<>("orders", "paid")).get();
        }
        assertEquals(2, cluster.awaitRecords("orders", 2, SOON).size());
    }

    @OttlaTest(topics = "out")
    void aTransactionThatWasFencedIsNotCommitted(Cluster cluster) {
        cluster.fault(Map.of("api", "EndTxn", "transactional_id", "tx-1", "error", "PRODUCER_FENCED", "once", true));
        try (var producer = producer(cluster, Map.of("transactional.id", "tx-1"))) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>("out", "half"));
            assertThrows(ProducerFencedException.class, producer::commitTransaction);
        }
    }

    @OttlaTest(topics = "jobs:2", publish = "spring.kafka.bootstrap-servers")
    void aGroupIsWaitedFor(Cluster cluster) {
        cluster.produce("jobs", "one", "two");
        assertEquals(cluster.bootstrapServers(), System.getProperty("spring.kafka.bootstrap-servers"));
        Map<String, Object> settings = Map.of("bootstrap.servers", cluster.bootstrapServers(), "group.id", "workers",
                "auto.offset.reset", "earliest", "auto.commit.interval.ms", 10);
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("jobs"));
            int seen = 0;
            while (seen < 2) {
                seen += consumer.poll(Duration.ofSeconds(10)).count();
            }
            consumer.commitSync();
            assertEquals("Stable", cluster.awaitStable("workers", 1, SOON).get("state"));
            assertEquals(0L, cluster.awaitLag("workers", 0, SOON).get("lag"));
        }
    }

    // The times of records are the broker's: a client's own clock goes on with the machine's.
    @OttlaTest(topics = "events", configs = {
        "log.retention.ms=604800000", "log.roll.ms=3600000", "log.message.timestamp.type=LogAppendTime"})
    void aWeekPassesAtOnce(Cluster cluster) {
        cluster.produce("events", "old");
        cluster.freeze();
        cluster.advance(Duration.ofDays(8), "records");
        cluster.produce("events", "new");
        cluster.advance(Duration.ofMinutes(10), "timers");
        cluster.unfreeze();
        var records = cluster.awaitRecords("events", 1, SOON);
        assertTrue(records.size() == 1 && records.get(0).text().equals("new"), records::toString);
    }
}
