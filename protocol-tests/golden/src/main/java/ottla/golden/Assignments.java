package ottla.golden;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.ConsumerGroupPartitionAssignor;
import org.apache.kafka.coordinator.group.api.assignor.GroupAssignment;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;

import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.zip.GZIPOutputStream;

/**
 * Random consumer groups, and what Kafka's own assignors give to their members. A group lives for some steps: members
 * come, go and read other topics, topics grow and vanish, and what was assigned in one step is current in the next.
 *
 * <p>Argument: the folder to write. The outcome depends on the order of Java's hash tables, hence on Java: 17. What the
 * tables were filled with, and how large they are made, is as in Kafka's coordinator; entries come sorted.
 * <pre>
 * group homogeneous|heterogeneous
 * topic NAME ID PARTITIONS|gone         in the order of names; gone: it is current somewhere, and not there any more
 * member ID INSTANCE|- TOPIC...         in the order of ids as bytes; topics by their place
 * current TOPIC OWNER|-...              by partition, members by their place
 * target TOPIC OWNER|-...
 * </pre>
 */
public final class Assignments {
    private static final int GROUPS = 1000;

    private static final class Topic {
        private final String name;
        private final Uuid id;
        private int partitions;
        private boolean isGone;

        private Topic(String name, Uuid id, int partitions) {
            this.name = name;
            this.id = id;
            this.partitions = partitions;
        }
    }

    private static final class Member {
        private String instance;
        private final Set<Topic> topics = new HashSet<>();
        private Map<Uuid, Set<Integer>> current = new HashMap<>();
    }

    private final ConsumerGroupPartitionAssignor assignor;
    private final Random random;
    private final Writer out;
    private final List<Topic> topics = new ArrayList<>();
    private final TreeMap<String, Member> members = new TreeMap<>(Assignments::bytewise);
    private boolean isHomogeneous;
    private int nextName;

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        for (var assignor : List.of(new UniformAssignor(), new RangeAssignor())) {
            Path file = folder.resolve(assignor.name() + ".txt.gz");
            Random random = new Random(assignor.name().hashCode());
            try (Writer out = compressed(file)) {
                for (int group = 0; group < GROUPS; group++) {
                    new Assignments(assignor, random, out).live();
                }
            }
        }
    }

    static Writer compressed(Path file) throws Exception {
        return new OutputStreamWriter(new GZIPOutputStream(Files.newOutputStream(file)), StandardCharsets.UTF_8);
    }

    static Uuid randomId(Random random) {
        return new Uuid(random.nextLong(), random.nextLong());
    }

    private Assignments(ConsumerGroupPartitionAssignor assignor, Random random, Writer out) {
        this.assignor = assignor;
        this.random = random;
        this.out = out;
    }

    private boolean oneIn(int count) {
        return random.nextInt(count) == 0;
    }

    private void live() throws Exception {
        // Topics, partitions of each, members: mostly few.
        int[][] scales = {{6, 12, 10}, {6, 12, 10}, {6, 12, 10}, {6, 3, 30}, {15, 40, 40}, {40, 60, 100}};
        int[] scale = scales[random.nextInt(oneIn(8) ? 6 : 5)];
        isHomogeneous = random.nextBoolean();
        for (int count = 1 + random.nextInt(scale[0]); count > 0; count--) {
            topics.add(new Topic("topic-" + ++nextName, randomId(random), 1 + random.nextInt(scale[1])));
        }
        join(1 + random.nextInt(scale[2]));
        if (oneIn(3)) {
            scatter();
        }
        step();
        for (int steps = random.nextInt(4); steps > 0; steps--) {
            change(scale);
            step();
        }
    }

    private void join(int count) {
        for (; count > 0; count--) {
            Member member = new Member();
            member.instance = oneIn(4) ? "instance-" + ++nextName : null;
            members.put(newId(), member);
        }
        subscribe(false);
    }

    /** As clients make them, as tests name them, and once in a while with letters beyond the first 65,536. */
    private String newId() {
        String id = switch (random.nextInt(8)) {
            case 0, 1 -> "member-" + ++nextName;
            case 2 -> (oneIn(2) ? "\uD83D\uDE00" : "\uFFFD") + ++nextName;
            default -> randomId(random).toString();
        };
        return id.replace(' ', '_');
    }

    /** Everybody, or those that read nothing yet. */
    private void subscribe(boolean everybody) {
        Set<Topic> shared = randomTopics();
        if (isHomogeneous && !everybody && !members.isEmpty()) {
            var read = members.values().stream().filter(member -> !member.topics.isEmpty()).findFirst();
            shared = read.map(member -> member.topics).orElse(shared);
        }
        for (Member member : members.values()) {
            if (everybody || member.topics.isEmpty()) {
                Set<Topic> chosen = new HashSet<>(isHomogeneous ? shared : randomTopics());
                member.topics.clear();
                member.topics.addAll(chosen);
            }
        }
    }

    private Set<Topic> randomTopics() {
        int keep = 1 + random.nextInt(4);
        return topics.stream().filter(topic -> !topic.isGone && random.nextInt(4) < keep).collect(Collectors.toSet());
    }

    /** A current assignment that no assignor made: of whom a partition is does not depend on what they read. */
    private void scatter() {
        List<Member> all = new ArrayList<>(members.values());
        for (Topic topic : topics) {
            for (int partition = 0; partition < topic.partitions; partition++) {
                if (!oneIn(3)) {
                    Member owner = all.get(random.nextInt(oneIn(2) ? 1 + all.size() / 3 : all.size()));
                    owner.current.computeIfAbsent(topic.id, id -> new HashSet<>()).add(partition);
                }
            }
        }
    }

    private void change(int[] scale) {
        if (oneIn(2)) {
            int leaving = oneIn(4) ? members.size() / 2 : 1;
            List<String> ids = new ArrayList<>(members.keySet());
            for (; leaving > 0 && members.size() > 1; leaving--) {
                members.remove(ids.remove(random.nextInt(ids.size())));
            }
        }
        if (oneIn(3)) {
            replaceStatic();
        }
        if (oneIn(4)) {
            Topic topic = topics.get(random.nextInt(topics.size()));
            topic.partitions += topic.isGone ? 0 : 1 + random.nextInt(scale[1]);
        }
        if (oneIn(6)) {
            Topic gone = topics.get(random.nextInt(topics.size()));
            gone.isGone = true;
            members.values().forEach(member -> member.topics.remove(gone));
        }
        if (oneIn(6)) {
            topics.add(new Topic("topic-" + ++nextName, randomId(random), 1 + random.nextInt(scale[1])));
        }
        if (oneIn(4)) {
            subscribe(true);
        }
        if (oneIn(2)) {
            join(1 + random.nextInt(oneIn(4) ? scale[2] : 2));
        }
    }

    /** A static member comes back with another id and has what it had. */
    private void replaceStatic() {
        var statics = members.entrySet().stream().filter(entry -> entry.getValue().instance != null).toList();
        if (!statics.isEmpty()) {
            String before = statics.get(random.nextInt(statics.size())).getKey();
            members.put(newId(), members.remove(before));
        }
    }

    private void step() throws Exception {
        boolean isSame = members.values().stream().map(member -> member.topics).distinct().count() == 1;
        boolean isCalledSame = isSame && !oneIn(10);
        out.write("group " + (isCalledSame ? "homogeneous" : "heterogeneous") + "\n");
        topics.sort((left, right) -> left.name.compareTo(right.name));
        for (Topic topic : topics) {
            out.write("topic " + topic.name + " " + topic.id + " " + (topic.isGone ? "gone" : topic.partitions) + "\n");
        }
        List<String> ids = new ArrayList<>(members.keySet());
        for (String id : ids) {
            Member member = members.get(id);
            out.write("member " + id + " " + (member.instance == null ? "-" : member.instance));
            for (int place = 0; place < topics.size(); place++) {
                out.write(member.topics.contains(topics.get(place)) ? " " + place : "");
            }
            out.write("\n");
        }
        owners("current");
        SubscriptionType type = isCalledSame ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
        GroupAssignment target = assignor.assign(spec(type), describer());
        for (String id : ids) {
            var assignment = target.members().get(id);
            members.get(id).current = assignment == null ? new HashMap<>() : new HashMap<>(assignment.partitions());
        }
        owners("target");
    }

    private void owners(String word) throws Exception {
        List<Member> all = new ArrayList<>(members.values());
        for (int place = 0; place < topics.size(); place++) {
            Topic topic = topics.get(place);
            String[] owners = new String[topic.partitions];
            Arrays.fill(owners, "-");
            for (int owner = 0; owner < all.size(); owner++) {
                for (int partition : all.get(owner).current.getOrDefault(topic.id, Set.of())) {
                    owners[partition] = String.valueOf(owner);
                }
            }
            if (Arrays.stream(owners).anyMatch(owner -> !owner.equals("-"))) {
                out.write(word + " " + place + " " + String.join(" ", owners) + "\n");
            }
        }
    }

    private GroupSpecImpl spec(SubscriptionType type) {
        Map<String, MemberSubscriptionAndAssignmentImpl> specs = new HashMap<>();
        Map<Uuid, Map<Integer, String>> inverted = new HashMap<>();
        members.forEach((id, member) -> {
            Map<String, Uuid> byName = new HashMap<>();
            member.topics.forEach(topic -> byName.put(topic.name, topic.id));
            Set<String> names = new HashSet<>(new TreeSet<>(byName.keySet()));
            Set<Uuid> subscribed = new LinkedHashSet<>();
            names.forEach(name -> subscribed.add(byName.get(name)));
            Map<Uuid, Set<Integer>> current = new HashMap<>();
            member.current.keySet().stream().sorted(Assignments::unsigned).forEach(topic -> {
                current.put(topic, new HashSet<>(new TreeSet<>(member.current.get(topic))));
                member.current.get(topic).forEach(partition ->
                    inverted.computeIfAbsent(topic, __ -> new HashMap<>()).put(partition, id));
            });
            Optional<String> rack = oneIn(2) ? Optional.empty() : Optional.of("rack-" + random.nextInt(3));
            specs.put(id, new MemberSubscriptionAndAssignmentImpl(
                rack, Optional.ofNullable(member.instance), subscribed, new Assignment(current)));
        });
        return new GroupSpecImpl(specs, type, inverted);
    }

    private static int bytewise(String left, String right) {
        return Arrays.compareUnsigned(left.getBytes(StandardCharsets.UTF_8), right.getBytes(StandardCharsets.UTF_8));
    }

    private static int unsigned(Uuid left, Uuid right) {
        int high = Long.compareUnsigned(left.getMostSignificantBits(), right.getMostSignificantBits());
        return high != 0 ? high : Long.compareUnsigned(left.getLeastSignificantBits(), right.getLeastSignificantBits());
    }

    private SubscribedTopicDescriber describer() {
        Map<Uuid, Topic> byId = new HashMap<>();
        topics.stream().filter(topic -> !topic.isGone).forEach(topic -> byId.put(topic.id, topic));
        return new SubscribedTopicDescriber() {
            @Override
            public int numPartitions(Uuid id) {
                return byId.containsKey(id) ? byId.get(id).partitions : -1;
            }

            @Override
            public Set<String> racksForPartition(Uuid id, int partition) {
                return Set.of("rack-" + partition % 3);
            }
        };
    }
}
