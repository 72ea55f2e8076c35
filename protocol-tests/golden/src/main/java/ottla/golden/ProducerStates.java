package ottla.golden;

import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.BatchMetadata;
import org.apache.kafka.storage.internals.log.CompletedTxn;
import org.apache.kafka.storage.internals.log.ProducerAppendInfo;
import org.apache.kafka.storage.internals.log.ProducerStateEntry;
import org.apache.kafka.storage.internals.log.ProducerStateManager;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;

import java.io.File;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * Plays a script of calls on Kafka's ProducerStateManager, in the order in which UnifiedLog makes them, and
 * writes behind each call what came of it.
 *
 * <p>Argument: the script, which is written anew. Its calls, each at the end of the log:
 * <pre>
 * new                             a log without producers, at offset 0
 * at MS                           the time of what follows
 * data|txn ID EPOCH SEQ COUNT     a producer's batch; txn: as a part of a transaction
 * first ID EPOCH SEQ COUNT        a batch of a transaction of the second generation, with its verification
 * verify ID EPOCH SEQ v1|v2       the verification alone, of a client of either generation
 * marker ID EPOCH commit|abort N  of a coordinator of epoch N
 * hw OFFSET                       the high watermark
 * expire MS                       at that time, what is silent for 100 ms is forgotten
 * snapshot                        written, and read by the next life
 * producers                       all that is known
 * </pre>
 */
public final class ProducerStates {
    private static final int EXPIRATION_MS = 100;
    private static final short FIRST_GENERATION = 1;
    private static final TopicPartition PARTITION = new TopicPartition("t", 0);

    private ProducerStateManager manager;
    private File folder;
    private long end;
    private long nowMs;

    public static void main(String[] args) throws Exception {
        Path path = Path.of(args[0]);
        List<String> lines = new ArrayList<>();
        ProducerStates states = new ProducerStates();
        states.open();
        for (String line : Files.readAllLines(path)) {
            String call = line.split(" => ")[0].strip();
            if (call.isEmpty() || call.startsWith("#")) {
                lines.add(line);
                continue;
            }
            lines.add(call + " => " + states.perform(call.split(" ")));
        }
        Files.write(path, lines);
    }

    private void open() throws Exception {
        folder = Files.createTempDirectory("producers").toFile();
        manager = manager();
        end = 0;
    }

    private ProducerStateManager manager() throws Exception {
        return new ProducerStateManager(PARTITION, folder, 900_000,
            new ProducerStateManagerConfig(EXPIRATION_MS, true), Time.SYSTEM);
    }

    private String perform(String[] words) throws Exception {
        try {
            switch (words[0]) {
                case "new":
                    open();
                    return "ok";
                case "at":
                    nowMs = Long.parseLong(words[1]);
                    return "ok";
                case "hw":
                    manager.onHighWatermarkUpdated(Long.parseLong(words[1]));
                    return unstable();
                case "expire":
                    manager.removeExpiredProducers(Long.parseLong(words[1]));
                    return String.valueOf(manager.producerIdCount());
                case "snapshot":
                    return snapshot();
                case "producers":
                    return producers();
                case "marker":
                    return marker(words);
                case "verify":
                    return verify(Long.parseLong(words[1]), Short.parseShort(words[2]), Integer.parseInt(words[3]),
                        words[4].equals("v2"));
                default:
                    return batch(words);
            }
        } catch (ApiException refused) {
            return refused.getClass().getSimpleName().replace("Exception", "");
        }
    }

    private String batch(String[] words) throws Exception {
        long id = Long.parseLong(words[1]);
        short epoch = Short.parseShort(words[2]);
        int sequence = Integer.parseInt(words[3]);
        SimpleRecord[] records = new SimpleRecord[Integer.parseInt(words[4])];
        for (int i = 0; i < records.length; i++) {
            records[i] = new SimpleRecord(nowMs, null, new byte[] {'v'});
        }
        boolean isTransactional = !words[0].equals("data");
        RecordBatch batch = only(MemoryRecords.withRecords(RecordBatch.CURRENT_MAGIC_VALUE, end, Compression.NONE,
            TimestampType.CREATE_TIME, id, epoch, sequence, 0, isTransactional, records));
        if (words[0].equals("first")) {
            verify(id, epoch, sequence, true);
        }
        Optional<ProducerStateEntry> known = manager.lastEntry(id);
        if (known.isPresent()) {
            Method find = ProducerStateEntry.class.getDeclaredMethod("findDuplicateBatch", RecordBatch.class);
            find.setAccessible(true);
            Optional<?> found = (Optional<?>) find.invoke(known.get(), batch);
            if (found.isPresent()) {
                BatchMetadata metadata = (BatchMetadata) found.get();
                return "duplicate " + metadata.firstOffset() + " " + metadata.lastOffset();
            }
        }
        append(batch, AppendOrigin.CLIENT);
        return batch.baseOffset() + " " + unstable();
    }

    /** As UnifiedLog.maybeStartTransactionVerification. */
    private String verify(long id, short epoch, int sequence, boolean supportsEpochBump) {
        Optional<ProducerStateEntry> entry = manager.lastEntry(id);
        if (entry.isPresent() && entry.get().currentTxnFirstOffset().isPresent()
            && entry.get().producerEpoch() == epoch) {
            return "ongoing";
        }
        manager.maybeCreateVerificationStateEntry(id, sequence, epoch, supportsEpochBump);
        return "needed";
    }

    private String marker(String[] words) {
        ControlRecordType type = words[3].equals("commit") ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
        EndTransactionMarker marker = new EndTransactionMarker(type, Integer.parseInt(words[4]));
        RecordBatch batch = only(MemoryRecords.withEndTransactionMarker(end, nowMs, 0, Long.parseLong(words[1]),
            Short.parseShort(words[2]), marker));
        Optional<CompletedTxn> completed = append(batch, AppendOrigin.COORDINATOR);
        if (completed.isEmpty()) {
            return batch.baseOffset() + " ends nothing " + unstable();
        }
        CompletedTxn txn = completed.get();
        long stable = manager.lastStableOffset(txn);
        manager.completeTxn(txn);
        return batch.baseOffset() + " ends " + txn.firstOffset() + " " + txn.lastOffset() + " "
            + (txn.isAborted() ? "aborted" : "committed") + " stable " + stable + " " + unstable();
    }

    private Optional<CompletedTxn> append(RecordBatch batch, AppendOrigin origin) {
        ProducerAppendInfo info = manager.prepareUpdate(batch.producerId(), origin);
        // The rule for markers of the second generation (KIP-1228) is not asked for here.
        Optional<CompletedTxn> completed = info.append(batch, Optional.empty(), FIRST_GENERATION);
        manager.update(info);
        if (batch.isTransactional()) {
            manager.clearVerificationStateEntry(batch.producerId());
        }
        end = batch.nextOffset();
        manager.updateMapEndOffset(end);
        return completed;
    }

    private static RecordBatch only(MemoryRecords records) {
        return records.batches().iterator().next();
    }

    private String unstable() {
        return "unstable " + manager.firstUnstableOffset().map(offset -> "" + offset.messageOffset).orElse("-");
    }

    private String snapshot() throws Exception {
        File file = manager.takeSnapshot(false).orElseThrow();
        String bytes = HexFormat.of().formatHex(Files.readAllBytes(file.toPath()));
        manager = manager();
        manager.truncateAndReload(0, end, nowMs);
        return bytes;
    }

    private String producers() throws Exception {
        List<String> all = new ArrayList<>();
        for (ProducerStateEntry entry : new TreeMap<>(manager.activeProducers()).values()) {
            OptionalLong open = entry.currentTxnFirstOffset();
            StringBuilder batches = new StringBuilder();
            for (BatchMetadata batch : entry.batchMetadata()) {
                batches.append(" ").append(batch.firstSeq()).append("..").append(batch.lastSeq()).append("@")
                    .append(batch.firstOffset()).append("..").append(batch.lastOffset());
            }
            all.add(entry.producerId() + " epoch " + entry.producerEpoch() + " coordinator "
                + entry.coordinatorEpoch() + " at " + entry.lastTimestamp() + " open "
                + (open.isPresent() ? "" + open.getAsLong() : "-") + batches);
        }
        return String.join("; ", all);
    }
}
