import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/** Counts the words of lines, with their counts in a store, each word exactly once. */
final class WordCount {
    private WordCount() { }

    static void run(String bootstrap, String from, String to, String application, String stateDir, int commitMs,
            String groupProtocol) throws Exception {
        AtomicLong counted = new AtomicLong();
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(from, Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.with("by-word", Serdes.String(), Serdes.String()))
            .count(Materialized.as("counts"))
            .toStream()
            .mapValues(count -> {
                counted.incrementAndGet();
                return "" + count;
            })
            .to(to, Produced.with(Serdes.String(), Serdes.String()));
        try (KafkaStreams streams = new KafkaStreams(builder.build(),
                 properties(bootstrap, application, stateDir, commitMs, groupProtocol))) {
            // A thread that a crash of the broker ended is replaced; the count must not depend on its life.
            streams.setUncaughtExceptionHandler(e -> {
                Eos.say("note thread replaced after " + Eos.oneLine(e));
                return StreamThreadExceptionResponse.REPLACE_THREAD;
            });
            streams.setStateListener((after, before) -> Eos.say("note " + before + " to " + after));
            streams.start();
            while (!Eos.awaitLeave(50)) {
                Eos.say("count " + counted.get());
            }
        }
    }

    private static Properties properties(String bootstrap, String application, String stateDir, int commitMs,
            String groupProtocol) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("application.id", application);
        properties.put("processing.guarantee", "exactly_once_v2");
        properties.put("state.dir", stateDir);
        properties.put("num.stream.threads", "2");
        properties.put("replication.factor", "1");
        properties.put("commit.interval.ms", "" + commitMs);
        // No cache: every word gives a record of its own, so that a missing or doubled one is seen by itself.
        properties.put("statestore.cache.max.bytes", "0");
        properties.put("default.key.serde", Serdes.StringSerde.class.getName());
        properties.put("default.value.serde", Serdes.StringSerde.class.getName());
        properties.put("consumer.auto.offset.reset", "earliest");
        properties.put("group.protocol", groupProtocol);
        if (groupProtocol.equals("classic")) {
            // The groups of the newer protocol have these from the broker.
            properties.put("consumer.session.timeout.ms", "10000");
            properties.put("consumer.heartbeat.interval.ms", "1000");
        }
        properties.put("producer.transaction.timeout.ms", "10000");
        properties.put("producer.linger.ms", "5");
        properties.put("producer.delivery.timeout.ms", "120000");
        properties.put("task.timeout.ms", "300000");
        return properties;
    }
}
