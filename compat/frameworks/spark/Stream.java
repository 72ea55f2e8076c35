import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.Trigger;

/** Structured streaming out of a topic: every line into files, and sums a key into another topic in update mode. */
public final class Stream {
    /** The executors are threads of this JVM. */
    static final AtomicLong DONE = new AtomicLong();

    private Stream() { }

    /** The line: from, to, the folder of the files, the folder of the checkpoints. */
    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        String[] words = Hand.listen();
        SparkSession spark = SparkSession.builder()
            // A task may fail eight times, as on a cluster it may four.
            .master("local[2,8]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate();
        spark.sparkContext().setLogLevel("WARN");
        List<Query> queries = List.of(
            () -> files(lines(spark, bootstrap, words[0]), words[2], words[3]),
            () -> sums(lines(spark, bootstrap, words[0]), bootstrap, words[1], words[3]));
        StreamingQuery[] running = {queries.get(0).start(), queries.get(1).start()};
        while (!Hand.awaitLeave(50)) {
            Hand.say("count " + DONE.get());
            for (int i = 0; i < running.length; i++) {
                if (!running[i].isActive()) {
                    // As a supervisor would; the checkpoint says where it goes on.
                    running[i].exception().foreach(e -> {
                        Hand.note(e);
                        return null;
                    });
                    running[i] = queries.get(i).start();
                }
            }
        }
        for (StreamingQuery query : running) {
            query.stop();
        }
        Hand.say("left");
        System.exit(0);
    }

    private interface Query {
        StreamingQuery start() throws Exception;
    }

    /** Losing data ends the query: a broker whose log went back is found out. */
    private static Dataset<String> lines(SparkSession spark, String bootstrap, String topic) {
        Dataset<Row> records = spark.readStream().format("kafka")
            .option("kafka.bootstrap.servers", bootstrap)
            .option("subscribe", topic)
            .option("startingOffsets", "earliest")
            .option("failOnDataLoss", "true")
            .load();
        return records.selectExpr("CAST(value AS STRING)").as(Encoders.STRING());
    }

    private static StreamingQuery files(Dataset<String> lines, String folder, String checkpoints) throws Exception {
        MapFunction<String, String> count = line -> {
            DONE.incrementAndGet();
            return line;
        };
        return lines.map(count, Encoders.STRING()).writeStream()
            .format("text")
            .option("path", folder)
            .option("checkpointLocation", checkpoints + "/files")
            .trigger(Trigger.ProcessingTime(500))
            .start();
    }

    private static StreamingQuery sums(Dataset<String> lines, String bootstrap, String topic, String checkpoints)
            throws Exception {
        return lines.selectExpr("split(value, ',')[1] AS key", "CAST(split(value, ',')[2] AS BIGINT) AS amount")
            .groupBy("key").sum("amount")
            .selectExpr("key", "CAST(`sum(amount)` AS STRING) AS value").writeStream()
            .format("kafka")
            .option("kafka.bootstrap.servers", bootstrap)
            .option("topic", topic)
            .option("checkpointLocation", checkpoints + "/sums")
            .outputMode("update")
            .trigger(Trigger.ProcessingTime(500))
            .start();
    }
}
