package ottla.golden;

import org.apache.kafka.coordinator.group.streams.assignor.AssignmentMemberSpec;
import org.apache.kafka.coordinator.group.streams.assignor.GroupAssignment;
import org.apache.kafka.coordinator.group.streams.assignor.GroupSpecImpl;
import org.apache.kafka.coordinator.group.streams.assignor.MemberAssignment;
import org.apache.kafka.coordinator.group.streams.assignor.StickyTaskAssignor;
import org.apache.kafka.coordinator.group.streams.assignor.TopologyDescriber;

import java.io.Writer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;

/**
 * Random streams groups, and what Kafka's own assignor gives to their members; as Assignments does it for consumers.
 *
 * <p>Argument: the folder to write.
 * <pre>
 * group STANDBY-REPLICAS
 * subtopology ID TASKS stateful|stateless
 * member ID PROCESS
 * current-active SUBTOPOLOGY OWNER|-...        by partition, members and subtopologies by their place
 * current-standby SUBTOPOLOGY OWNER+OWNER|-...
 * active ..., standby ...                      what the assignor made
 * </pre>
 */
public final class TaskAssignments {
    private static final int GROUPS = 1000;

    private record Subtopology(int tasks, boolean isStateful) { }

    private static final class Member {
        private String process;
        private MemberAssignment current = MemberAssignment.empty();
    }

    private final Random random;
    private final Writer out;
    private final TreeMap<String, Subtopology> subtopologies = new TreeMap<>();
    private final TreeMap<String, Member> members = new TreeMap<>();
    private int replicas;
    private int nextName;

    public static void main(String[] args) throws Exception {
        Random random = new Random("sticky".hashCode());
        try (Writer out = Assignments.compressed(Path.of(args[0]).resolve("sticky.txt.gz"))) {
            for (int group = 0; group < GROUPS; group++) {
                new TaskAssignments(random, out).live();
            }
        }
    }

    private TaskAssignments(Random random, Writer out) {
        this.random = random;
        this.out = out;
    }

    private boolean oneIn(int count) {
        return random.nextInt(count) == 0;
    }

    private void live() throws Exception {
        // Subtopologies, tasks of each, members: mostly few.
        int[][] scales = {{4, 8, 8}, {4, 8, 8}, {4, 3, 20}, {12, 24, 30}, {25, 40, 80}};
        int[] scale = scales[random.nextInt(oneIn(8) ? 5 : 4)];
        replicas = oneIn(3) ? 0 : random.nextInt(4);
        for (int count = 1 + random.nextInt(scale[0]); count > 0; count--) {
            addSubtopology(scale);
        }
        join(1 + random.nextInt(scale[2]));
        if (oneIn(3)) {
            scatter();
        }
        step();
        for (int steps = random.nextInt(5); steps > 0; steps--) {
            change(scale);
            step();
        }
    }

    private void addSubtopology(int[] scale) {
        String id = oneIn(10) ? (oneIn(2) ? "\uD83D\uDE00" : "\uFFFD") + ++nextName : String.valueOf(nextName++);
        subtopologies.put(id, new Subtopology(1 + random.nextInt(scale[1]), random.nextBoolean()));
    }

    private void join(int count) {
        List<String> processes = new ArrayList<>();
        members.values().forEach(member -> processes.add(member.process));
        for (; count > 0; count--) {
            if (processes.isEmpty() || oneIn(2)) {
                processes.add(oneIn(4) ? "process-" + ++nextName : Assignments.randomId(random).toString());
            }
            Member member = new Member();
            member.process = processes.get(random.nextInt(processes.size()));
            String id = oneIn(4) ? "member-" + ++nextName : Assignments.randomId(random).toString();
            members.put(id, member);
        }
    }

    /** A current assignment that no assignor made; several may have the same task. */
    private void scatter() {
        for (Member member : members.values()) {
            Map<String, Set<Integer>> active = new HashMap<>();
            Map<String, Set<Integer>> standby = new HashMap<>();
            subtopologies.forEach((id, subtopology) -> {
                for (int task = 0; task < subtopology.tasks; task++) {
                    if (oneIn(members.size() + 1)) {
                        active.computeIfAbsent(id, __ -> new HashSet<>()).add(task);
                    } else if (oneIn(members.size() / 2 + 1)) {
                        standby.computeIfAbsent(id, __ -> new HashSet<>()).add(task);
                    }
                }
            });
            member.current = new MemberAssignment(active, standby, Map.of());
        }
        // An active task is of one.
        Set<String> seen = new HashSet<>();
        members.values().forEach(member -> member.current.activeTasks().forEach((id, tasks) ->
            tasks.removeIf(task -> !seen.add(id + "_" + task))));
    }

    private void change(int[] scale) {
        if (oneIn(2)) {
            int leaving = oneIn(4) ? members.size() / 2 : 1;
            List<String> ids = new ArrayList<>(members.keySet());
            for (; leaving > 0 && members.size() > 1; leaving--) {
                members.remove(ids.remove(random.nextInt(ids.size())));
            }
        }
        if (oneIn(5)) {
            String process = members.firstEntry().getValue().process;
            members.values().removeIf(member -> member.process.equals(process) && members.size() > 1);
        }
        if (oneIn(5)) {
            addSubtopology(scale);
        }
        if (oneIn(5)) {
            subtopologies.replaceAll((id, before) -> oneIn(3) ? new Subtopology(before.tasks + 1, before.isStateful) : before);
        }
        if (oneIn(6) && subtopologies.size() > 1) {
            subtopologies.remove(subtopologies.firstKey());
        }
        if (oneIn(6)) {
            replicas = random.nextInt(4);
        }
        if (members.isEmpty() || oneIn(2)) {
            join(1 + random.nextInt(oneIn(4) ? scale[2] : 2));
        }
    }

    private void step() throws Exception {
        out.write("group " + replicas + "\n");
        for (var entry : subtopologies.entrySet()) {
            Subtopology subtopology = entry.getValue();
            String state = subtopology.isStateful ? "stateful" : "stateless";
            out.write("subtopology " + entry.getKey() + " " + subtopology.tasks + " " + state + "\n");
        }
        for (var entry : members.entrySet()) {
            out.write("member " + entry.getKey() + " " + entry.getValue().process + "\n");
        }
        owners("current-");
        Map<String, AssignmentMemberSpec> specs = new HashMap<>();
        members.forEach((id, member) -> specs.put(id, new AssignmentMemberSpec(
            Optional.empty(),
            oneIn(2) ? Optional.empty() : Optional.of("rack-" + random.nextInt(3)),
            member.current.activeTasks(),
            member.current.standbyTasks(),
            member.current.warmupTasks(),
            member.process,
            Map.of("tag", String.valueOf(random.nextInt(3))),
            Map.of(),
            Map.of())));
        Map<String, String> configs = Map.of("num.standby.replicas", String.valueOf(replicas));
        GroupAssignment target = new StickyTaskAssignor().assign(new GroupSpecImpl(specs, configs), describer());
        members.forEach((id, member) -> member.current = target.members().get(id));
        for (Member member : members.values()) {
            if (!member.current.warmupTasks().isEmpty()) {
                throw new IllegalStateException("There are warm-up tasks.");
            }
        }
        owners("");
    }

    private void owners(String prefix) throws Exception {
        List<MemberAssignment> all = members.values().stream().map(member -> member.current).toList();
        int place = 0;
        for (var entry : subtopologies.entrySet()) {
            List<String> active = new ArrayList<>();
            List<String> standby = new ArrayList<>();
            for (int task = 0; task < entry.getValue().tasks; task++) {
                active.add(owners(all, entry.getKey(), task, true));
                standby.add(owners(all, entry.getKey(), task, false));
            }
            out.write(prefix + "active " + place + " " + String.join(" ", active) + "\n");
            out.write(prefix + "standby " + place + " " + String.join(" ", standby) + "\n");
            place++;
        }
    }

    private static String owners(List<MemberAssignment> all, String subtopology, int task, boolean isActive) {
        List<String> owners = new ArrayList<>();
        for (int owner = 0; owner < all.size(); owner++) {
            var tasks = isActive ? all.get(owner).activeTasks() : all.get(owner).standbyTasks();
            if (tasks.getOrDefault(subtopology, Set.of()).contains(task)) {
                owners.add(String.valueOf(owner));
            }
        }
        return owners.isEmpty() ? "-" : String.join("+", owners);
    }

    private TopologyDescriber describer() {
        return new TopologyDescriber() {
            @Override
            public List<String> subtopologies() {
                return new ArrayList<>(subtopologies.keySet());
            }

            @Override
            public int maxNumInputPartitions(String id) {
                return subtopologies.get(id).tasks;
            }

            @Override
            public boolean isStateful(String id) {
                return subtopologies.get(id).isStateful;
            }
        };
    }
}
