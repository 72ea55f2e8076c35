import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.kafka.ConsumerSettings;
import org.apache.pekko.kafka.ProducerMessage;
import org.apache.pekko.kafka.ProducerSettings;
import org.apache.pekko.kafka.Subscriptions;
import org.apache.pekko.kafka.javadsl.Transactional;
import org.apache.pekko.stream.RestartSettings;
import org.apache.pekko.stream.javadsl.RestartSource;
import org.apache.pekko.stream.javadsl.Sink;

/** Lines from one topic to another by a transactional stream of Pekko, begun anew when it fails. */
public final class Relay {
    private Relay() { }

    /** The address, from, to, the group. */
    public static void main(String[] args) {
        ActorSystem system = ActorSystem.create("relay");
        ConsumerSettings<String, String> reading =
            ConsumerSettings.create(system, new StringDeserializer(), new StringDeserializer())
                .withBootstrapServers(args[0])
                .withGroupId(args[3])
                .withProperty("auto.offset.reset", "earliest")
                .withProperty("session.timeout.ms", "10000")
                .withStopTimeout(Duration.ofSeconds(5));
        ProducerSettings<String, String> writing =
            ProducerSettings.create(system, new StringSerializer(), new StringSerializer())
                .withBootstrapServers(args[0]);
        RestartSource.onFailuresWithBackoff(
                RestartSettings.create(Duration.ofMillis(200), Duration.ofSeconds(2), 0.2),
                () -> Transactional.source(reading, Subscriptions.topics(args[1]))
                    .map(line -> ProducerMessage.single(
                        new ProducerRecord<>(args[2], line.record().key(), line.record().value()),
                        line.partitionOffset()))
                    .via(Transactional.flow(writing, "pekko-relay")))
            .runWith(Sink.ignore(), system);
        // Its own hook for SIGTERM ends the system.
        system.getWhenTerminated().toCompletableFuture().orTimeout(1, TimeUnit.DAYS).join();
    }
}
