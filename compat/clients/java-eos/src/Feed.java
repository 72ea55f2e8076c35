import java.io.BufferedReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Sends the lines of a file, number n to partition n modulo their count, at a rate, until it is told to leave. */
final class Feed {
    private static final int TURN_MS = 50;

    private Feed() { }

    static void run(String bootstrap, String topic, int partitions, String path, int perSecond) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("acks", "all");
        properties.put("enable.idempotence", "true");
        properties.put("linger.ms", "5");
        properties.put("delivery.timeout.ms", "300000");
        properties.put("max.block.ms", "300000");
        AtomicLong acknowledged = new AtomicLong();
        AtomicReference<Exception> failed = new AtomicReference<>();
        long sent = 0;
        try (KafkaProducer<String, String> producer =
                 new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
             BufferedReader lines = Files.newBufferedReader(Path.of(path))) {
            do {
                for (int i = 0; i < Math.max(1, perSecond * TURN_MS / 1000); i++) {
                    String line = lines.readLine();
                    if (line == null) {
                        throw new IllegalStateException("the input has ended after " + sent + " lines");
                    }
                    producer.send(new ProducerRecord<>(topic, (int) (sent % partitions), null, line), (done, e) -> {
                        if (e != null) {
                            failed.compareAndSet(null, e);
                        }
                        acknowledged.incrementAndGet();
                    });
                    sent++;
                }
                Eos.say("count " + acknowledged.get());
            } while (!Eos.awaitLeave(TURN_MS) && failed.get() == null);
            producer.flush();
        }
        if (failed.get() != null) {
            throw failed.get();
        }
        Eos.say("count " + sent);
    }
}
