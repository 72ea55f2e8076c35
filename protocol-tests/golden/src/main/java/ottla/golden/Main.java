package ottla.golden;

import com.fasterxml.jackson.databind.JsonNode;
import org.apache.kafka.common.metadata.MetadataRecordType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;
import org.apache.kafka.server.common.serialization.AbstractApiMessageSerde;
import ottla.golden.Schemas.Schema;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeMap;

/**
 * Writes golden bytes: every request, response and record that Kafka defines, in every
 * version, as Kafka's own generated classes write it; what comes of the calls in the golden scripts of
 * a partition's producers and of transactional ids; what its assignors make of random groups; what it reads in JAAS
 * lines and in the messages of SASL mechanisms; and what its quotas make of random histories.
 *
 * <p>Arguments: the Maven repository, the folder to write.
 */
public final class Main {
    private static final String KAFKA = "4.3.1";

    /** The sets of records, and the jars that define them. */
    private static final TreeMap<String, String> RECORD_JARS = new TreeMap<>();

    static {
        RECORD_JARS.put("control", "kafka-clients");
        RECORD_JARS.put("files", "kafka-storage,kafka-raft");
        RECORD_JARS.put("group", "kafka-group-coordinator");
        RECORD_JARS.put("metadata", "kafka-metadata");
        RECORD_JARS.put("remote_storage", "kafka-storage");
        RECORD_JARS.put("share", "kafka-share-coordinator");
        RECORD_JARS.put("transaction", "kafka-transaction-coordinator");
    }

    public static void main(String[] args) throws Exception {
        Path repository = Path.of(args[0]);
        Path out = Path.of(args[1]);
        apis(repository, out.resolve("api"));
        for (String set : RECORD_JARS.keySet()) {
            records(repository, set, out.resolve("records"));
        }
        Path script = out.resolve("../../../broker/log/tests/golden/producer_state.txt").normalize();
        ProducerStates.main(new String[] {script.toString()});
        Path transactions = out.resolve("../../../broker/coordinator/src/transaction/tests").normalize();
        for (String name : List.of("golden.txt", "states.txt")) {
            TransactionStates.main(new String[] {transactions.resolve(name).toString()});
        }
        Path assignors = out.resolve("../../../broker/coordinator/src/assignor/golden").normalize();
        Assignments.main(new String[] {assignors.toString()});
        TaskAssignments.main(new String[] {assignors.toString()});
        Path jaas = out.resolve("../../../broker/config/src/golden/jaas.json").normalize();
        Path mechanisms = out.resolve("../../../broker/security/src/sasl/golden.json").normalize();
        Logins.main(new String[] {jaas.toString(), mechanisms.toString()});
        Path tokens = out.resolve("../../../broker/security/src/golden/tokens.json").normalize();
        Tokens.main(new String[] {tokens.toString()});
        Path quotas = out.resolve("../../../broker/quota/src/golden").normalize();
        Quotas.main(new String[] {quotas.toString()});
    }

    private static List<Schema> load(Path repository, String artifacts) throws Exception {
        List<Schema> schemas = new ArrayList<>();
        for (String artifact : artifacts.split(",")) {
            Path folder = repository.resolve("org/apache/kafka").resolve(artifact).resolve(KAFKA);
            schemas.addAll(Schemas.load(folder.resolve(artifact + "-" + KAFKA + ".jar")));
        }
        return schemas;
    }

    private static void apis(Path repository, Path folder) throws Exception {
        TreeMap<String, StringBuilder> files = new TreeMap<>();
        // Only requests say that their latest version is unstable; responses follow them.
        TreeMap<Short, Integer> released = new TreeMap<>();
        for (String kind : List.of("request", "response")) {
            for (Schema schema : load(repository, "kafka-clients")) {
                if (!schema.kind().equals(kind)) {
                    continue;
                }
                String api = schema.name().substring(0, schema.name().length() - kind.length());
                String word = kind.equals("request") ? "req" : "resp";
                int high = released.computeIfAbsent(schema.apiKey(), key -> schema.valid().high());
                for (int version = schema.valid().low(); version <= high; version++) {
                    StringBuilder file = files.computeIfAbsent(
                        String.format("%03d-%s.txt", schema.apiKey(), api), name -> new StringBuilder());
                    for (Values.Shape shape : Values.Shape.values()) {
                        Message message = message(schema, version, shape);
                        line(file, word, version, bare(message, (short) version));
                    }
                }
            }
        }
        write(folder, files);
    }

    private static void records(Path repository, String set, Path folder) throws Exception {
        StringBuilder file = new StringBuilder();
        for (Schema schema : load(repository, RECORD_JARS.get(set))) {
            boolean wanted = switch (set) {
                case "control", "files" -> schema.kind().equals("data");
                case "metadata", "remote_storage" -> schema.kind().equals("metadata");
                default -> schema.kind().startsWith("coordinator-");
            };
            for (int v = schema.valid().low(); wanted && v <= schema.valid().high(); v++) {
                short version = (short) v;
                for (Values.Shape shape : Values.Shape.values()) {
                    Message message = message(schema, v, shape);
                    line(file, schema.name(), v, switch (schema.kind()) {
                        case "metadata" -> framed(set, (ApiMessage) message, version);
                        case "coordinator-key" -> MessageUtil.toCoordinatorTypePrefixedByteBuffer((ApiMessage) message);
                        case "coordinator-value" -> MessageUtil.toVersionPrefixedByteBuffer(version, message);
                        default -> bare(message, version);
                    });
                }
            }
        }
        write(folder, new TreeMap<>(java.util.Map.of(set + ".txt", file)));
    }

    private static ByteBuffer bare(Message message, short version) {
        return MessageUtil.toByteBufferAccessor(message, version).buffer();
    }

    private static ByteBuffer framed(String set, ApiMessage message, short version) {
        AbstractApiMessageSerde serde = set.equals("metadata") ? new MetadataRecordSerde() : new AbstractApiMessageSerde() {
            @Override
            public ApiMessage apiMessageFor(short apiKey) {
                return MetadataRecordType.fromId(apiKey).newMetadataRecord();
            }
        };
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ApiMessageAndVersion record = new ApiMessageAndVersion(message, version);
        ByteBufferAccessor out = new ByteBufferAccessor(ByteBuffer.allocate(serde.recordSize(record, cache)));
        serde.write(record, cache, out);
        out.flip();
        return out.buffer();
    }

    private static Message message(Schema schema, int version, Values.Shape shape) throws Exception {
        JsonNode json = Values.message(schema, version, shape);
        Class<?> converter = Class.forName(schema.className() + "JsonConverter");
        try {
            Message message = (Message) converter.getMethod("read", JsonNode.class, short.class)
                .invoke(null, json, (short) version);
            if (shape == Values.Shape.DRAWN && schema.flexible().contains(version)) {
                addUnknownTags(message);
            }
            return message;
        } catch (InvocationTargetException error) {
            throw new IllegalStateException(schema.name() + " v" + version + ": " + json, error.getCause());
        }
    }

    /** Tagged fields from a release that does not exist yet, on the message and on what it holds. */
    private static void addUnknownTags(Message message) throws Exception {
        message.unknownTaggedFields().add(new RawTaggedField(90, new byte[] {1, 2, 3}));
        message.unknownTaggedFields().add(new RawTaggedField(9999, new byte[0]));
        for (Field field : message.getClass().getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers())) {
                continue;
            }
            field.setAccessible(true);
            Object value = field.get(message);
            // A tagged struct left at its default stays unwritten only if nothing is put into it.
            if (value instanceof Iterable<?> items) {
                for (Object item : items) {
                    if (item instanceof Message inner) {
                        addUnknownTags(inner);
                    }
                }
            }
        }
    }

    private static void line(StringBuilder file, String word, int version, ByteBuffer bytes) {
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        file.append(word).append(' ').append(version).append(' ').append(HexFormat.of().formatHex(copy)).append('\n');
    }

    private static void write(Path folder, TreeMap<String, StringBuilder> files) throws Exception {
        Files.createDirectories(folder);
        for (var file : files.entrySet()) {
            Files.writeString(folder.resolve(file.getKey()), file.getValue());
        }
    }
}
