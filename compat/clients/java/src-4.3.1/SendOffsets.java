import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;

/** Today's way: the member's generation goes with the offsets, so that a member that was replaced is refused. */
final class SendOffsets {
    static void send(KafkaProducer<?, ?> producer, Map<TopicPartition, OffsetAndMetadata> offsets,
                     KafkaConsumer<?, ?> consumer, String group) {
        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
    }
}
