package ottla.golden;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.Uuid;
import ottla.golden.Schemas.Range;
import ottla.golden.Schemas.Schema;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;

/** Makes a message of a version as JSON: full, bare, or drawn from a seed. */
final class Values {
    enum Shape { FULL, BARE, DRAWN }

    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final String[] STRINGS = {"", "a", "topic-1", "Żółć", "group.id_2", "x y\tz", "日本"};

    private final Map<String, JsonNode> structs = new HashMap<>();
    private final int version;
    private final Shape shape;
    private final Random random;

    private Values(Schema schema, int version, Shape shape) {
        this.version = version;
        this.shape = shape;
        this.random = new Random((schema.name() + version + shape).hashCode());
        for (JsonNode common : schema.json().path("commonStructs")) {
            structs.put(common.get("name").asText(), common.get("fields"));
        }
    }

    static ObjectNode message(Schema schema, int version, Shape shape) {
        return new Values(schema, version, shape).struct(schema.json().get("fields"));
    }

    private ObjectNode struct(JsonNode fields) {
        ObjectNode node = JSON.objectNode();
        for (JsonNode field : fields) {
            Range tagged = Range.parse(field.path("taggedVersions").asText("none"));
            Range versions = Range.parse(field.path("versions").asText(field.path("taggedVersions").asText("none")));
            if (!versions.contains(version)) {
                continue;
            }
            // A tagged field left out has its default and is not written.
            if (tagged.contains(version) && (shape == Shape.BARE || shape == Shape.DRAWN && random.nextInt(3) == 0)) {
                continue;
            }
            String name = field.get("name").asText();
            node.set(Character.toLowerCase(name.charAt(0)) + name.substring(1), value(field));
        }
        return node;
    }

    private JsonNode value(JsonNode field) {
        boolean nullable = Range.parse(field.path("nullableVersions").asText("none")).contains(version);
        if (nullable && (shape == Shape.BARE || shape == Shape.DRAWN && random.nextInt(3) == 0)) {
            return JSON.nullNode();
        }
        String type = field.get("type").asText();
        if (!type.startsWith("[]")) {
            return single(type, field);
        }
        ArrayNode array = JSON.arrayNode();
        int count = switch (shape) {
            case FULL -> 2;
            case BARE -> 0;
            case DRAWN -> random.nextInt(4);
        };
        for (int i = 0; i < count; i++) {
            array.add(single(type.substring(2), field));
        }
        return array;
    }

    private JsonNode single(String type, JsonNode field) {
        return switch (type) {
            case "bool" -> JSON.booleanNode(shape == Shape.FULL || random.nextBoolean());
            case "int8" -> JSON.numberNode((int) (byte) number(Byte.MIN_VALUE, Byte.MAX_VALUE));
            case "int16" -> JSON.numberNode((int) (short) number(Short.MIN_VALUE, Short.MAX_VALUE));
            case "uint16" -> JSON.numberNode((int) number(0, 65535));
            case "int32" -> JSON.numberNode((int) number(Integer.MIN_VALUE, Integer.MAX_VALUE));
            case "uint32" -> JSON.numberNode(number(0, 4294967295L));
            case "int64" -> JSON.numberNode(number(Long.MIN_VALUE, Long.MAX_VALUE));
            case "float64" -> JSON.numberNode(random.nextInt(1000) / 8.0);
            case "uuid" -> JSON.textNode(
                (shape == Shape.BARE ? Uuid.ZERO_UUID : new Uuid(random.nextLong(), random.nextLong())).toString());
            case "string" -> JSON.textNode(shape == Shape.BARE ? "" : STRINGS[random.nextInt(STRINGS.length)]);
            case "bytes", "records" -> JSON.binaryNode(blob());
            default -> struct(field.has("fields") ? field.get("fields") : structs.get(type));
        };
    }

    private byte[] blob() {
        // One blob in a while is long enough for a compact length of two bytes.
        byte[] bytes = new byte[shape == Shape.BARE ? 0 : random.nextInt(8) == 0 ? 150 : random.nextInt(12)];
        random.nextBytes(bytes);
        return bytes;
    }

    private long number(long low, long high) {
        if (shape == Shape.BARE) {
            return 0;
        }
        return switch (random.nextInt(6)) {
            case 0 -> low;
            case 1 -> high;
            case 2 -> 1;
            case 3 -> Math.min(high, 300);
            case 4 -> Math.max(low, -1);
            default -> random.nextInt(100);
        };
    }
}
