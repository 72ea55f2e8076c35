import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;

/** The way before KIP-447: the group alone. */
final class SendOffsets {
    static void send(KafkaProducer<?, ?> producer, Map<TopicPartition, OffsetAndMetadata> offsets,
                     KafkaConsumer<?, ?> consumer, String group) {
        producer.sendOffsetsToTransaction(offsets, group);
    }
}
