import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * How many transactions one producer commits in a second, one after the other, with one record in each partition.
 *
 * <p>Arguments: bootstrap, topic, partitions, seconds. The first second counts for nothing.
 */
public final class TransactionRate {
    private static final int RECORD_BYTES = 100;

    public static void main(String[] args) {
        int partitions = Integer.parseInt(args[2]);
        Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        properties.put("transactional.id", args[1]);
        try (KafkaProducer<byte[], byte[]> producer =
                 new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            run(producer, args[1], partitions, 1);
            double seconds = Double.parseDouble(args[3]);
            long[] nanos = run(producer, args[1], partitions, seconds);
            Arrays.sort(nanos);
            System.out.printf("%.3f per s, %.4f ms 50th, %.4f ms 99th, %.4f ms max%n", nanos.length / seconds,
                nanos[nanos.length / 2] / 1e6, nanos[nanos.length * 99 / 100] / 1e6, nanos[nanos.length - 1] / 1e6);
        }
    }

    private static long[] run(KafkaProducer<byte[], byte[]> producer, String topic, int partitions, double seconds) {
        byte[] value = new byte[RECORD_BYTES];
        long[] nanos = new long[1 << 20];
        int count = 0;
        long begin = System.nanoTime();
        for (long now = begin; now - begin < seconds * 1e9; count++) {
            producer.beginTransaction();
            for (int partition = 0; partition < partitions; partition++) {
                producer.send(new ProducerRecord<>(topic, partition, null, value));
            }
            producer.commitTransaction();
            long end = System.nanoTime();
            nanos[count] = end - now;
            now = end;
        }
        return Arrays.copyOf(nanos, count);
    }
}
