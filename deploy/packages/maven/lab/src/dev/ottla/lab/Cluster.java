package dev.ottla.lab;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A Kafka of its own: its port, topics, groups, rules, journal and clocks. Words of rules and requests are those of
 * docs/lab/README.md. Safe to use from several threads.
 */
public class Cluster implements AutoCloseable {
    private final String id;
    private final String bootstrapServers;
    private final long seed;
    private final Set<String> required = ConcurrentHashMap.newKeySet();

    Cluster(String id, String bootstrapServers, long seed) {
        this.id = id;
        this.bootstrapServers = bootstrapServers;
        this.seed = seed;
    }

    /** The lab that the cluster is of. */
    Lab lab() {
        throw new IllegalStateException("a cluster is made by a lab");
    }

    public String id() {
        return id;
    }

    /** For {@code bootstrap.servers} of any client. */
    public String bootstrapServers() {
        return bootstrapServers;
    }

    public long seed() {
        return seed;
    }

    private Map<String, Object> ask(String method, String path, Map<String, ?> words, Object body, Duration patience) {
        return lab().ask(method, "/clusters/" + id + path, words, body, patience);
    }

    private Map<String, Object> ask(String method, String path, Object body) {
        return ask(method, path, Map.of(), body, Duration.ZERO);
    }

    static String escape(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    static String text(Duration duration) {
        return duration.toMillis() + "ms";
    }

    /** Drops the cluster with all that it holds. */
    @Override
    public void close() {
        ask("DELETE", "", null);
    }

    /** Makes a topic; it is there for every client when this returns. */
    public void createTopic(String name, int partitions) {
        ask("POST", "/topics", Map.of("name", name, "partitions", partitions));
    }

    /** Writes records that have these values and no keys to partition 0. */
    public void produce(String topic, String... values) {
        List<Object> records = new ArrayList<>();
        for (String value : values) {
            Map<String, Object> record = new LinkedHashMap<>();
            record.put("value", value);
            records.add(record);
        }
        produce(topic, records);
    }

    /** Writes records in the words of the control API: key, value, partition, timestamp, headers; bytes as they are. */
    public void produce(String topic, Collection<?> records) {
        List<Object> body = new ArrayList<>();
        for (Object record : records) {
            Map<String, Object> out = new LinkedHashMap<>();
            ((Map<?, ?>) record).forEach((name, value) -> {
                boolean isBytes = value instanceof byte[];
                out.put(isBytes ? name + "_base64" : name.toString(), isBytes ? Base64.getEncoder().encodeToString((byte[]) value) : value);
            });
            body.add(out);
        }
        ask("POST", "/topics/" + escape(topic) + "/records", body);
    }

    /** What is in a topic now. */
    public List<Record> records(String topic) {
        return read(topic, Map.of(), Duration.ZERO);
    }

    /** Waits until so many records are there; {@link LabException.WaitTimeout} otherwise. */
    public List<Record> awaitRecords(String topic, int count, Duration wait) {
        return read(topic, Map.of("count", count, "wait", text(wait)), wait);
    }

    private List<Record> read(String topic, Map<String, ?> words, Duration patience) {
        Map<String, Object> answer = ask("GET", "/topics/" + escape(topic) + "/records", words, null, patience);
        List<Record> records = new ArrayList<>();
        for (Map<String, Object> one : list(answer.get("records"))) {
            records.add(new Record(one));
        }
        return records;
    }

    /** A group as its coordinator has it: state, members, offsets, lag. */
    public Map<String, Object> group(String name) {
        return ask("GET", "/groups/" + escape(name), null);
    }

    /** Waits until the group is stable with so many members. */
    public Map<String, Object> awaitStable(String group, int members, Duration timeout) {
        return await(group, Map.of("wait", "stable", "members", members), timeout);
    }

    /** Waits until the group is at most so far behind. */
    public Map<String, Object> awaitLag(String group, long lag, Duration timeout) {
        return await(group, Map.of("lag", lag), timeout);
    }

    private Map<String, Object> await(String group, Map<String, ?> words, Duration timeout) {
        Map<String, Object> all = new LinkedHashMap<>(words);
        all.put("timeout", text(timeout));
        return ask("GET", "/groups/" + escape(group), all, null, timeout);
    }

    /** Adds a rule behind the others; it must have acted in the end. Returns its id. */
    public String fault(Map<String, ?> rule) {
        String fault = mayFault(rule);
        required.add(fault);
        return fault;
    }

    /** Adds a rule that need not act. */
    public String mayFault(Map<String, ?> rule) {
        return (String) ask("POST", "/faults", rule).get("id");
    }

    /** Takes a rule away; {@link LabException.NeverActed} if it had to act and has not. */
    public void removeFault(String fault) {
        Map<String, String> words = required.remove(fault) ? Map.of("expect", "hit") : Map.of();
        ask("DELETE", "/faults/" + escape(fault), words, null, Duration.ZERO);
    }

    /** The rules with their hits. */
    public List<Map<String, Object>> faults() {
        return list(ask("GET", "/faults", null).get("faults"));
    }

    public void clearFaults() {
        required.clear();
        ask("DELETE", "/faults", null);
    }

    /** {@link LabException.NeverActed} if a rule is left that had to act and has not. */
    public void checkFaults() {
        for (Map<String, Object> rule : faults()) {
            if (Long.valueOf(0).equals(rule.get("hits")) && required.contains(rule.get("id"))) {
                String about = " (about " + rule.get("seen") + " requests)";
                throw new LabException.NeverActed("never acted: " + Json.write(rule.get("rule")) + about);
            }
        }
    }

    /** Lets those go on that a rule with {@code hold} keeps at a gate; returns how many. */
    public long release(String gate) {
        return (Long) ask("POST", "/gates/" + escape(gate) + "/release", null).get("released");
    }

    /** What clients sent, oldest first. */
    public List<Map<String, Object>> requests(Map<String, ?> match) {
        return list(ask("GET", "/requests", match, null, Duration.ZERO).get("requests"));
    }

    public long count(Map<String, ?> match) {
        return (Long) ask("POST", "/requests/count", match).get("count");
    }

    /** Waits until so many requests match; the message of {@link LabException.WaitTimeout} tells the nearest. */
    public List<Map<String, Object>> awaitRequests(Map<String, ?> match, int count, Duration timeout) {
        Map<String, Object> body = Map.of("match", match, "count", count, "timeout", text(timeout));
        return list(ask("POST", "/requests/wait", Map.of(), body, timeout).get("requests"));
    }

    /** Both clocks stand until they are moved. */
    public void freeze() {
        ask("PUT", "/clock", Map.of("mode", "frozen"));
    }

    public void unfreeze() {
        ask("PUT", "/clock", Map.of("mode", "real"));
    }

    /** Moves the clocks ("records", "timers"; both when none is named), and returns when what became due is done. */
    public Map<String, Object> advance(Duration by, String... what) {
        List<String> which = what.length == 0 ? List.of("records", "timers") : Arrays.asList(what);
        Map<String, Object> body = Map.of("by", text(by), "what", which);
        return ask("POST", "/clock/advance", Map.of(), body, Duration.ofSeconds(10));
    }

    /** The clock of records, in milliseconds since 1970. */
    public long recordsTime() {
        return (Long) ask("GET", "/clock", null).get("records");
    }

    /** What to show of a test that failed: seed, rules with their hits, the last requests. */
    public String story(int requests) {
        StringBuilder out = new StringBuilder("cluster " + id + " at " + bootstrapServers + ", seed " + seed);
        for (Map<String, Object> rule : faults()) {
            out.append("\nrule ").append(rule.get("id")).append(": ").append(Json.write(rule.get("rule")));
            out.append(", acted ").append(rule.get("hits")).append(" times");
        }
        for (Map<String, Object> one : requests(Map.of("limit", requests, "bodies", "false"))) {
            out.append(String.format("%n%6s %s v%s %s: %s %s", one.get("number"), one.get("api"), one.get("version"),
                    one.get("client_id"), one.get("outcome"), one.get("errors")));
        }
        return out.toString();
    }

    @SuppressWarnings("unchecked")
    static List<Map<String, Object>> list(Object value) {
        return (List<Map<String, Object>>) value;
    }

    /** A record as the cluster has it. */
    public static final class Record {
        private final Map<String, Object> json;

        Record(Map<String, Object> json) {
            this.json = json;
        }

        public int partition() {
            return ((Long) json.get("partition")).intValue();
        }

        public long offset() {
            return (Long) json.get("offset");
        }

        public long timestamp() {
            return (Long) json.get("timestamp");
        }

        /** Null where there is none. */
        public byte[] key() {
            return bytes("key");
        }

        /** Null where there is none. */
        public byte[] value() {
            return bytes("value");
        }

        /** The value as UTF-8. */
        public String text() {
            byte[] value = value();
            return value == null ? null : new String(value, StandardCharsets.UTF_8);
        }

        private byte[] bytes(String name) {
            Object base64 = json.get(name + "_base64");
            if (base64 != null) {
                return Base64.getDecoder().decode((String) base64);
            }
            Object text = json.get(name);
            return text == null ? null : ((String) text).getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public String toString() {
            return Json.write(json);
        }
    }
}
