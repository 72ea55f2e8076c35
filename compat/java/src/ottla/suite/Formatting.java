package ottla.suite;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.test.TestKitNodes;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.raft.DynamicVoters;
import org.apache.kafka.server.common.Feature;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** What the storage tool does to the directories of a cluster, without a JVM for it. */
final class Formatting {
    private final TestKitNodes nodes;
    private final Map<Integer, NodePorts> ports;
    private final Optional<Map<Integer, Uuid>> voters;

    Formatting(TestKitNodes nodes, Map<Integer, NodePorts> ports, Optional<Map<Integer, Uuid>> voters) {
        this.nodes = nodes;
        this.ports = ports;
        this.voters = voters;
    }

    boolean isDynamic() {
        return voters.isPresent();
    }

    void format(Member member) throws Exception {
        for (String directory : member.logDirs()) {
            Files.createDirectories(Path.of(directory));
        }
        Files.createDirectories(Path.of(member.metadataDirectory()));
        Formatter formatter = new Formatter()
            .setPrintStream(new PrintStream(OutputStream.nullOutputStream()))
            .setNodeId(member.id())
            .setClusterId(nodes.clusterId())
            .setDirectories(member.kitNode().initialMetaPropertiesEnsemble().logDirProps().keySet())
            .setReleaseVersion(nodes.bootstrapMetadata().metadataVersion())
            .setUnstableFeatureVersionsEnabled(true)
            .setIgnoreFormatted(false)
            .setControllerListenerName(nodes.controllerListenerName().value())
            .setMetadataLogDirectory(member.metadataDirectory());
        for (Feature feature : Feature.PRODUCTION_FEATURES) {
            // kraft.version is not a feature record: a static voter stays at 0.
            if (!feature.featureName().equals("kraft.version")) {
                formatter.setFeatureLevel(feature.featureName(),
                    nodes.bootstrapMetadata().featureLevel(feature.featureName()));
            }
        }
        if (isDynamic() && member.isController()) {
            formatter.setInitialControllers(DynamicVoters.parse(voters()));
            formatter.setHasDynamicQuorum(true);
        }
        formatter.run();
    }

    private String voters() {
        String listener = nodes.controllerListenerName().value();
        return voters.orElseThrow().entrySet().stream()
            .map(voter -> voter.getKey() + "@localhost:" + ports.get(voter.getKey()).of(listener) + ":" + voter.getValue())
            .collect(Collectors.joining(","));
    }
}
