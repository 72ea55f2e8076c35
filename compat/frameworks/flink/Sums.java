import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** Running sums a key, from one topic to another, EXACTLY_ONCE; goes on where the newest whole checkpoint was made. */
public final class Sums {
    /** All runs in one JVM, so one number for the run to read. */
    static final AtomicLong DONE = new AtomicLong();

    private Sums() { }

    /** The line: from, to, the folder of the checkpoints, the strategy that names the transactions. */
    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        String[] words = Hand.listen();
        Path checkpoints = Path.of(words[2]);
        Configuration configuration = configuration(checkpoints);
        newest(checkpoints).ifPresent(path -> {
            configuration.setString("execution.state-recovery.path", path.toUri().toString());
            Hand.say("note resumed from " + path);
        });
        StreamExecutionEnvironment environment =
            StreamExecutionEnvironment.createLocalEnvironment(2, configuration);
        KafkaSource<String> source = KafkaSource.<String>builder()
            .setBootstrapServers(bootstrap)
            .setTopics(words[0])
            .setGroupId("flink-sums")
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setValueOnlyDeserializer(new SimpleStringSchema())
            .build();
        environment.fromSource(source, WatermarkStrategy.noWatermarks(), "lines").uid("lines")
            .keyBy(line -> line.split(",")[1])
            .process(new Sum()).uid("sums")
            .sinkTo(sink(bootstrap, words[1], words[3])).uid("out");
        JobClient job = environment.executeAsync("sums");
        while (!Hand.awaitLeave(50)) {
            Hand.say("count " + DONE.get());
            if (job.getJobStatus().get().isGloballyTerminalState()) {
                throw new IllegalStateException("the job has ended: " + job.getJobStatus().get());
            }
        }
        job.cancel().get();
        Hand.say("left");
        System.exit(0);
    }

    private static Configuration configuration(Path checkpoints) {
        Configuration configuration = new Configuration();
        configuration.setString("execution.checkpointing.interval", "500 ms");
        configuration.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
        configuration.setString("execution.checkpointing.dir", checkpoints.toUri().toString());
        configuration.setString("execution.checkpointing.externalized-checkpoint-retention",
            "RETAIN_ON_CANCELLATION");
        configuration.setString("execution.checkpointing.timeout", "30 s");
        configuration.setString("execution.checkpointing.tolerable-failed-checkpoints", "1000000");
        configuration.setString("restart-strategy.type", "fixed-delay");
        configuration.setString("restart-strategy.fixed-delay.attempts", "1000000");
        configuration.setString("restart-strategy.fixed-delay.delay", "500 ms");
        return configuration;
    }

    private static KafkaSink<String> sink(String bootstrap, String topic, String naming) {
        return Naming.apply(naming, KafkaSink.<String>builder()
            .setBootstrapServers(bootstrap)
            .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
            .setTransactionalIdPrefix("flink-sums")
            // The sink's own hour is more than a broker allows by default.
            .setProperty("transaction.timeout.ms", "60000")
            .setRecordSerializer(KafkaRecordSerializationSchema.<String>builder()
                .setTopic(topic)
                .setKeySerializationSchema(new SimpleStringSchema() {
                    @Override
                    public byte[] serialize(String line) {
                        return super.serialize(line.split(",")[1]);
                    }
                })
                .setValueSerializationSchema(new SimpleStringSchema())
                .build()))
            .build();
    }

    /** A checkpoint is whole once it has its metadata. */
    private static Optional<Path> newest(Path checkpoints) throws IOException {
        if (!Files.isDirectory(checkpoints)) {
            return Optional.empty();
        }
        try (Stream<Path> paths = Files.walk(checkpoints, 3)) {
            return paths.filter(path -> path.endsWith("_metadata"))
                .max(Comparator.comparing(path -> path.toFile().lastModified()))
                .map(Path::getParent);
        }
    }

    private static final class Sum extends KeyedProcessFunction<String, String, String> {
        private transient ValueState<Long> sum;

        @Override
        public void open(OpenContext context) {
            sum = getRuntimeContext().getState(new ValueStateDescriptor<>("sum", Types.LONG));
        }

        @Override
        public void processElement(String line, Context context, Collector<String> out) throws Exception {
            String[] words = line.split(",");
            long before = sum.value() == null ? 0 : sum.value();
            long after = before + Long.parseLong(words[2]);
            sum.update(after);
            out.collect(words[0] + "," + words[1] + "," + after);
            DONE.incrementAndGet();
        }
    }
}
