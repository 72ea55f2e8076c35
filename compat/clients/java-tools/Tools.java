import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import org.apache.kafka.common.utils.Exit;

/** Runs many of Apache Kafka's command lines in one JVM and prints what each of them printed. */
public final class Tools {
    private static final String BASE = "org.apache.kafka.tools.";
    private static final Map<String, String> CLASSES = Map.ofEntries(
        Map.entry("topics", BASE + "TopicCommand"),
        Map.entry("configs", "kafka.admin.ConfigCommand"),
        Map.entry("acls", BASE + "AclCommand"),
        Map.entry("broker-api-versions", BASE + "BrokerApiVersionsCommand"),
        Map.entry("client-metrics", BASE + "ClientMetricsCommand"),
        Map.entry("cluster", BASE + "ClusterTool"),
        Map.entry("console-consumer", BASE + "consumer.ConsoleConsumer"),
        Map.entry("console-producer", BASE + "ConsoleProducer"),
        Map.entry("console-share-consumer", BASE + "consumer.ConsoleShareConsumer"),
        Map.entry("consumer-groups", BASE + "consumer.group.ConsumerGroupCommand"),
        Map.entry("consumer-perf-test", BASE + "ConsumerPerformance"),
        Map.entry("delegation-tokens", BASE + "DelegationTokenCommand"),
        Map.entry("delete-records", BASE + "DeleteRecordsCommand"),
        Map.entry("e2e-latency", BASE + "EndToEndLatency"),
        Map.entry("features", BASE + "FeatureCommand"),
        Map.entry("get-offsets", BASE + "GetOffsetShell"),
        Map.entry("groups", BASE + "GroupsCommand"),
        Map.entry("leader-election", BASE + "LeaderElectionCommand"),
        Map.entry("log-dirs", BASE + "LogDirsCommand"),
        Map.entry("metadata-quorum", BASE + "MetadataQuorumCommand"),
        Map.entry("producer-perf-test", BASE + "ProducerPerformance"),
        Map.entry("reassign-partitions", BASE + "reassign.ReassignPartitionsCommand"),
        Map.entry("share-consumer-perf-test", BASE + "ShareConsumerPerformance"),
        Map.entry("share-groups", BASE + "consumer.group.ShareGroupCommand"),
        Map.entry("streams-groups", BASE + "streams.StreamsGroupCommand"),
        Map.entry("streams-application-reset", BASE + "StreamsResetter"),
        Map.entry("transactions", BASE + "TransactionsCommand"),
        Map.entry("verifiable-producer", BASE + "VerifiableProducer"));

    /** What `Exit.exit` throws here. Some tools catch it and print it; these lines are taken out again. */
    private static final class Exited extends Error {
        private static final long serialVersionUID = 1L;

        Exited() {
            super("TOOL-EXIT", null, false, false);
        }
    }

    /** The first code that a tool wanted to exit with. */
    private static Integer exitCode;

    /** Where everything that is printed goes, whoever took hold of the stream when. */
    private static final class Gathering extends OutputStream {
        private ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        @Override
        public synchronized void write(int one) {
            bytes.write(one);
        }

        @Override
        public synchronized void write(byte[] some, int from, int count) {
            bytes.write(some, from, count);
        }

        synchronized String take() {
            String text = bytes.toString(StandardCharsets.UTF_8);
            bytes = new ByteArrayOutputStream();
            return text;
        }
    }

    private Tools() {
    }

    /** The names of the commands that are run as processes of their own, and the program that is them. */
    private static final List<String> OWN = new ArrayList<>();
    private static String ownProgram;

    /** Arguments: the broker, a directory for files, the scenario; then a program that has some of the commands. */
    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        if (arguments.length > 3) {
            ownProgram = arguments[3];
            Process names = new ProcessBuilder(ownProgram, "commands").start();
            new String(names.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().forEach(OWN::add);
        }
        Path dir = Path.of(arguments[1]);
        PrintStream out = System.out;
        Gathering gathering = new Gathering();
        System.setOut(new PrintStream(gathering, true, StandardCharsets.UTF_8));
        System.setErr(System.out);
        Exit.Procedure exit = (code, message) -> {
            if (exitCode == null) {
                exitCode = code;
            }
            throw new Exited();
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        List<String> lines = Files.readAllLines(Path.of(arguments[2]));
        List<String> dropped = new ArrayList<>();
        for (int at = 0; at < lines.size(); at++) {
            String line = lines.get(at);
            if (line.isBlank() || line.startsWith("#") || line.startsWith("allow ")) {
                continue;
            }
            if (line.startsWith("drop ")) {
                dropped.add(pattern(line));
                continue;
            }
            if (line.startsWith("file ")) {
                StringBuilder text = new StringBuilder();
                for (at++; !lines.get(at).equals("."); at++) {
                    text.append(lines.get(at)).append('\n');
                }
                Files.writeString(dir.resolve(line.substring(5)), text.toString());
                continue;
            }
            List<String> words = words(line.replaceFirst("^[~?]+ ?", ""), bootstrap, dir);
            String tool = words.remove(0);
            InputStream input = new ByteArrayInputStream(new byte[0]);
            if (words.size() > 1 && words.get(words.size() - 2).equals("<")) {
                input = Files.newInputStream(dir.resolve(words.remove(words.size() - 1)));
                words.remove(words.size() - 1);
            }
            System.setIn(input);
            int code = OWN.contains("kafka-" + tool)
                ? runOwn("kafka-" + tool, words, input)
                : run(CLASSES.get(tool), words.toArray(new String[0]));
            List<String> allowed = new ArrayList<>();
            for (int next = at + 1; next < lines.size() && lines.get(next).startsWith("allow "); next++) {
                allowed.add(pattern(lines.get(next)));
            }
            out.println("$ " + line);
            told(gathering.take(), line, bootstrap, dir, dropped, allowed).forEach(out::println);
            out.println("exit " + code);
            out.flush();
        }
        out.flush();
        // Clients of the tools may still have threads.
        Runtime.getRuntime().halt(0);
    }

    private static int run(String tool, String[] arguments) throws Exception {
        exitCode = null;
        try {
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException failed) {
            if (!(failed.getCause() instanceof Exited)) {
                System.err.println(failed.getCause());
                return 1;
            }
        }
        return exitCode == null ? 0 : exitCode;
    }

    /** Runs a command of the program; what it prints goes where that of the others goes. */
    private static int runOwn(String name, List<String> words, InputStream input) throws Exception {
        List<String> command = new ArrayList<>(List.of(ownProgram, name));
        command.addAll(words);
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        try (OutputStream stdin = process.getOutputStream()) {
            input.transferTo(stdin);
        }
        System.out.write(process.getInputStream().readAllBytes());
        return process.waitFor();
    }

    /** The REGEX of `allow REGEX -- REASON` and `drop REGEX -- REASON`. */
    private static String pattern(String line) {
        return line.substring(line.indexOf(' ') + 1, line.indexOf(" -- "));
    }

    /** What a tool printed, without what two brokers, or two runs, choose freely. */
    private static List<String> told(String text, String step, String bootstrap, Path dir, List<String> dropped,
            List<String> allowed) {
        text = text.replace(bootstrap, "<bootstrap>").replace(bootstrap.replace("localhost", "127.0.0.1"), "<bootstrap>")
            .replace(dir.toString(), "<dir>")
            .replaceAll("(?m)^.*TOOL-EXIT.*\\R\\R?", "")
            .replaceAll("(?m)^\\s+(at |\\.\\.\\. \\d+ more).*\\R", "")
            .replaceAll("(?m)^(\\d\\d:\\d\\d:\\d\\d\\.\\d+|\\[[-0-9]+ [:,0-9]+\\]) ", "<time> ")
            .replaceAll("\"(log_dirs|logDir)\":(\\[)?\"[^\"]*\"", "\"$1\":$2\"<directory>\"")
            .replaceAll("(127\\.0\\.0\\.1|localhost)( *\\t?:?)" + bootstrap.replaceAll(".*:", ""), "<host>$2<port>")
            .replaceAll("\\b[A-Za-z0-9]+-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<member>")
            .replaceAll("(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])(?<!\\p{Alpha}{22})", "<id>")
            .replaceAll("(Cluster ID: |ClusterId: +|TopicId: )\\S+", "$1<id>")
            .replaceAll("Epoch: \\d+", "Epoch: <n>")
            .replaceAll("\\b1[789]\\d{11}\\b", "<ms>");
        for (String pattern : dropped) {
            text = text.replaceAll(pattern, "");
        }
        if (step.startsWith("~") || step.startsWith("?~")) {
            text = text.replaceAll("-?\\d+([.,:-]\\d+)*", "<n>").replaceAll(" +", " ");
        }
        List<String> lines = new ArrayList<>(text.lines().toList());
        lines.removeIf(line -> allowed.stream().anyMatch(pattern -> java.util.regex.Pattern.compile(pattern).matcher(line).find()));
        if (step.startsWith("?")) {
            lines.sort(null);
        }
        return lines;
    }

    /** Words between blanks; single quotes hold words together. */
    private static List<String> words(String line, String bootstrap, Path dir) {
        List<String> words = new ArrayList<>();
        StringBuilder word = new StringBuilder();
        boolean quoted = false;
        boolean begun = false;
        for (char letter : (line + " ").toCharArray()) {
            if (letter == '\'') {
                quoted = !quoted;
                begun = true;
            } else if (letter != ' ' || quoted) {
                word.append(letter);
                begun = true;
            } else if (begun) {
                words.add(word.toString().replace("$B", bootstrap).replace("$DIR", dir.toString()));
                word.setLength(0);
                begun = false;
            }
        }
        return words;
    }
}
