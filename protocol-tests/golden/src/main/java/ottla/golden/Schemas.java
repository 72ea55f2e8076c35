package ottla.golden;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/** The message definitions of one Kafka jar, and the classes that Kafka generated from them. */
final class Schemas {
    record Schema(String name, String kind, String className, JsonNode json) {
        short apiKey() {
            return (short) json.get("apiKey").asInt(-1);
        }

        Range valid() {
            // With the latest version that is not released, where there is one: `unstable.api.versions.enable` serves it.
            return Range.parse(json.get("validVersions").asText());
        }

        Range flexible() {
            return Range.parse(json.path("flexibleVersions").asText("none"));
        }
    }

    record Range(int low, int high) {
        static final Range NONE = new Range(1, 0);

        static Range parse(String text) {
            if (text.equals("none") || text.isEmpty()) {
                return NONE;
            } else if (text.endsWith("+")) {
                return new Range(Integer.parseInt(text.substring(0, text.length() - 1)), Short.MAX_VALUE);
            } else if (text.contains("-")) {
                String[] ends = text.split("-");
                return new Range(Integer.parseInt(ends[0]), Integer.parseInt(ends[1]));
            }
            return new Range(Integer.parseInt(text), Integer.parseInt(text));
        }

        boolean contains(int version) {
            return low <= version && version <= high;
        }
    }

    static List<Schema> load(Path jar) throws Exception {
        ObjectMapper mapper = new ObjectMapper().enable(JsonParser.Feature.ALLOW_COMMENTS);
        List<Schema> schemas = new ArrayList<>();
        try (ZipFile zip = new ZipFile(jar.toFile())) {
            Map<String, String> classes = new HashMap<>();
            List<ZipEntry> definitions = new ArrayList<>();
            zip.stream().forEach(entry -> {
                String path = entry.getName();
                if (path.endsWith(".class")) {
                    String name = path.substring(0, path.length() - 6).replace('/', '.');
                    if (name.contains("message.") || name.contains("metadata.") || name.contains("generated.")) {
                        classes.put(name.substring(name.lastIndexOf('.') + 1), name);
                    }
                } else if (path.endsWith(".json") && (path.contains("message/") || path.contains("metadata/"))) {
                    definitions.add(entry);
                }
            });
            for (ZipEntry entry : definitions) {
                try (InputStream in = zip.getInputStream(entry)) {
                    JsonNode json = mapper.readTree(in);
                    String name = json.get("name").asText();
                    String kind = json.get("type").asText();
                    boolean hasSuffix = kind.equals("request") || kind.equals("response") || kind.equals("header");
                    schemas.add(new Schema(name, kind, classes.get(hasSuffix ? name + "Data" : name), json));
                }
            }
        }
        schemas.sort(Comparator.comparing(Schema::name));
        return schemas;
    }
}
