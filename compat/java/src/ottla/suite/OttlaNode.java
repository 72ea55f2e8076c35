package ottla.suite;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Ottla, with the binary that the run names. */
final class OttlaNode extends Node {
    private static final long READY_LIMIT_MS = 20_000;

    private final Map<String, Short> features;
    private final String clusterId;

    OttlaNode(Path dir, Map<String, String> properties, Map<String, Short> features, String clusterId) {
        super(dir, properties);
        this.features = features;
        this.clusterId = clusterId;
    }

    @Override
    Map<String, String> environment() {
        return Map.of("CLUSTER_ID", clusterId);
    }

    @Override
    List<String> command(Path file) throws Exception {
        Files.deleteIfExists(readyFile());
        List<String> words = new ArrayList<>(List.of(
            Settings.ottlaBinary(), file.toString(),
            "--override", "ottla.http.listener=127.0.0.1:0",
            "--ready-file", readyFile().toString()));
        features.forEach((name, level) -> {
            words.add("--feature");
            words.add(name + "=" + level);
        });
        return words;
    }

    @Override
    void awaitReady() throws Exception {
        waitUntil(READY_LIMIT_MS, () -> Files.exists(readyFile()));
    }

    private Path readyFile() {
        return dir.resolve("ready.json");
    }
}
