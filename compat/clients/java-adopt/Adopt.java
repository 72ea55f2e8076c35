import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** The hand of `cargo compat adopt`: fills a broker, tells all that it holds, and keeps transactions open. */
public final class Adopt {
    private Adopt() { }

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        Map<String, KafkaProducer<String, String>> open = new HashMap<>();
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ");
            try {
                switch (words[0]) {
                    case "quit":
                        say("ok");
                        Runtime.getRuntime().halt(0);
                        break;
                    case "fill":
                        new Fill(bootstrap, Integer.parseInt(words[1]), words[2].equals("kafka")).run();
                        break;
                    case "state":
                        new State(bootstrap).write(Path.of(words[1]));
                        break;
                    case "offsets":
                        new State(bootstrap).writeGroups(Path.of(words[1]));
                        break;
                    case "begin":
                        open.put(words[1], begin(bootstrap, words[1], words[2], Integer.parseInt(words[3])));
                        break;
                    case "commit":
                        open.get(words[1]).commitTransaction();
                        break;
                    case "abort":
                        open.get(words[1]).abortTransaction();
                        break;
                    case "more":
                        send(open.get(words[1]), words[2], "more", Integer.parseInt(words[3]));
                        break;
                    case "again":
                        open.get(words[1]).beginTransaction();
                        send(open.get(words[1]), words[2], "again", Integer.parseInt(words[3]));
                        open.get(words[1]).commitTransaction();
                        break;
                    default:
                        throw new IllegalArgumentException("unknown verb " + words[0]);
                }
                say("ok");
            } catch (Exception e) {
                e.printStackTrace();
                Throwable cause = e.getCause() == null ? e : e.getCause();
                say("error " + cause.toString().replace('\n', ' '));
            }
        }
    }

    private static KafkaProducer<String, String> begin(String bootstrap, String id, String topic, int count)
            throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("transactional.id", id);
        properties.put("transaction.timeout.ms", "600000");
        KafkaProducer<String, String> producer =
            new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        producer.beginTransaction();
        send(producer, topic, "open", count);
        return producer;
    }

    private static void send(KafkaProducer<String, String> producer, String topic, String word, int count)
            throws Exception {
        Future<?> last = null;
        for (int number = 0; number < count; number++) {
            last = producer.send(new ProducerRecord<>(topic, number % 2, "key" + number, word + " " + number));
        }
        producer.flush();
        last.get();
    }

    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
