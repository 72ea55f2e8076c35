package ottla.suite;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.test.JaasUtils;
import org.apache.kafka.common.test.TestKitNodes;
import org.apache.kafka.common.utils.Utils;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * The cluster that one test asked for: a process a node. Starts and stops them, and keeps the Admin by which {@link Wire}
 * asks them.
 */
public final class Cluster implements AutoCloseable {
    /** How long a cluster may take to be of one mind on a loaded machine. */
    static final long LIMIT_MS = 60_000;

    private final TestKitNodes nodes;
    private final Formatting formatting;
    private final Path dir;
    private final SortedMap<Integer, Member> members = new TreeMap<>();
    private Admin admin;

    /** {@code voters} where the metadata log is to say who votes: directories by controller. */
    public Cluster(TestKitNodes nodes, Map<String, Object> configured, Optional<Map<Integer, Uuid>> voters)
            throws Exception {
        if (!isServed(nodes.brokerListenerProtocol()) || !isServed(nodes.controllerListenerProtocol())) {
            throw Verdict.waits(Verdict.TLS);
        }
        this.nodes = nodes;
        this.dir = Settings.clusterDir();
        Map<Integer, NodePorts> ports = new HashMap<>();
        TreeSet<Integer> ids = new TreeSet<>(nodes.brokerNodes().keySet());
        ids.addAll(nodes.controllerNodes().keySet());
        ids.forEach(id -> ports.put(id, new NodePorts()));
        NodeConfig config = new NodeConfig(nodes, configured, ports, voters.isPresent());
        for (int id : ids) {
            members.put(id, new Member(this, id, ports.get(id), config));
        }
        this.formatting = new Formatting(nodes, ports, voters);
    }

    private static boolean isServed(SecurityProtocol protocol) {
        return protocol == SecurityProtocol.PLAINTEXT || protocol == SecurityProtocol.SASL_PLAINTEXT;
    }

    TestKitNodes nodes() {
        return nodes;
    }

    Path dir() {
        return dir;
    }

    public SortedMap<Integer, Member> members() {
        return members;
    }

    private SortedMap<Integer, Member> those(Predicate<Member> are) {
        SortedMap<Integer, Member> found = new TreeMap<>(members);
        found.values().removeIf(are.negate());
        return found;
    }

    public SortedMap<Integer, Member> brokers() {
        return those(Member::isBroker);
    }

    public SortedMap<Integer, Member> controllers() {
        return those(Member::isController);
    }

    public Collection<Member> runningBrokers() {
        return those(member -> member.isBroker() && member.isRunning()).values();
    }

    /** Ottla needs no formatted directories, but where the metadata log is to say who votes. */
    public void format() throws Exception {
        for (Member member : members.values()) {
            if (Settings.againstKafka() || formatting.isDynamic()) {
                formatting.format(member);
            } else {
                for (String directory : member.logDirs()) {
                    Files.createDirectories(Path.of(directory));
                }
            }
        }
    }

    /** Starts all at once, and returns when each broker takes requests and knows all the others. */
    public void start() throws Exception {
        for (Member member : members.values()) {
            member.launch();
        }
        for (Member member : members.values()) {
            member.awaitReady();
        }
        awaitBrokers();
    }

    public void awaitBrokers() {
        int count = runningBrokers().size();
        if (count > 1) {
            await("each of the " + count + " brokers to know the others", () -> {
                for (Member broker : runningBrokers()) {
                    if (broker.metadata().brokers().size() != count) {
                        return false;
                    }
                }
                return true;
            });
        }
    }

    String brokerListener() {
        return nodes.brokerListenerName().value();
    }

    public String controllerListener() {
        return nodes.controllerListenerName().value();
    }

    boolean hasLogin() {
        return nodes.brokerListenerProtocol() == SecurityProtocol.SASL_PLAINTEXT;
    }

    public String bootstrap() {
        return addresses(brokers().values(), nodes.brokerListenerName());
    }

    public String bootstrapControllers() {
        return addresses(controllers().values(), nodes.controllerListenerName());
    }

    private static String addresses(Collection<Member> members, ListenerName listener) {
        return members.stream().map(member -> "localhost:" + member.port(listener)).collect(Collectors.joining(","));
    }

    /** What a client of this cluster has to say beyond its own. */
    public Map<String, Object> login() {
        if (!hasLogin()) {
            return Map.of();
        }
        return Map.of("security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", "PLAIN", "sasl.jaas.config",
            String.format("org.apache.kafka.common.security.plain.PlainLoginModule required username=\"%s\" password=\"%s\";",
                JaasUtils.KAFKA_PLAIN_ADMIN, JaasUtils.KAFKA_PLAIN_ADMIN_PASSWORD));
    }

    /** One for all questions of a test, closed before the test's threads are counted. */
    synchronized Admin admin() {
        if (admin == null) {
            Map<String, Object> configs = new HashMap<>(login());
            configs.put("bootstrap.servers", bootstrap());
            admin = Admin.create(configs);
        }
        return admin;
    }

    public interface Question {
        boolean holds() throws IOException;
    }

    /** Asks again and again; a node that gives no answer has not yet answered. */
    public static void await(String what, Question question) {
        long deadline = System.currentTimeMillis() + LIMIT_MS;
        while (true) {
            IOException failure = null;
            try {
                if (question.holds()) {
                    return;
                }
            } catch (IOException e) {
                failure = e;
            }
            if (System.currentTimeMillis() > deadline) {
                throw new AssertionError("waited " + LIMIT_MS + " ms in vain for " + what, failure);
            }
            Wire.pause(Wire.PAUSE_MS);
        }
    }

    /** Ends the nodes, removes their data, and fails the test when one of them had not lived that long. */
    @Override
    public void close() throws Exception {
        StringBuilder ended = new StringBuilder();
        for (Member member : members.values()) {
            if (member.endedByItself()) {
                ended.append("node ").append(member.id()).append(" ended during the test\n").append(member.lastOutput());
            }
        }
        synchronized (this) {
            if (admin != null) {
                admin.close(Duration.ofSeconds(1));
                admin = null;
            }
        }
        members.values().forEach(Member::kill);
        Utils.delete(dir.toFile());
        Utils.delete(new java.io.File(nodes.baseDirectory()));
        if (!ended.isEmpty()) {
            throw new AssertionError(ended.toString());
        }
    }
}
