package ottla.golden;

import kafka.coordinator.transaction.CoordinatorEpochAndTxnMetadata;
import kafka.coordinator.transaction.TransactionConfig;
import kafka.coordinator.transaction.TransactionCoordinator;
import kafka.coordinator.transaction.TransactionMarkerChannelManager;
import kafka.coordinator.transaction.TransactionStateManager;
import kafka.coordinator.transaction.TransactionalIdAndProducerIdEpoch;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.message.AddPartitionsToTxnResponseData.AddPartitionsToTxnPartitionResult;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.TransactionResult;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.ProducerIdAndEpoch;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.coordinator.transaction.ProducerIdManager;
import org.apache.kafka.coordinator.transaction.TransactionLog;
import org.apache.kafka.coordinator.transaction.TransactionMetadata;
import org.apache.kafka.coordinator.transaction.TransactionState;
import org.apache.kafka.coordinator.transaction.TxnTransitMetadata;
import org.apache.kafka.server.common.RequestLocal;
import org.apache.kafka.server.common.TransactionVersion;
import org.apache.kafka.server.util.Scheduler;
import scala.Option;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.BoxedUnit;
import scala.util.Right;

import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

import static org.mockito.ArgumentMatchers.any;
import static org.mockito.ArgumentMatchers.anyBoolean;
import static org.mockito.ArgumentMatchers.anyInt;
import static org.mockito.ArgumentMatchers.anyString;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.when;

/**
 * Plays a script of calls on Kafka's TransactionCoordinator for one transactional id, and writes behind each call
 * what came of it. The coordinator is Kafka's own; its log takes every record at once, and markers are written when
 * the script says so.
 *
 * <p>Argument: the script, which is written anew. Its calls:
 * <pre>
 * new                                   nobody has the id
 * init [ID EPOCH]                       InitProducerId, with what the client says it has
 * add ID EPOCH v0|v2 PARTITION...       AddPartitionsToTxn
 * verify ID EPOCH PARTITION...          the same of a broker that only asks
 * end ID EPOCH commit|abort v0|v2       EndTxn
 * markers                               every marker is written
 * late                                  the transaction is open for too long
 * epoch EPOCH                           the present epoch from now on
 * restart                               forgets what is not in the last record
 * state                                 all that is known of the id
 * set STATE ID EPOCH PREVIOUS-ID NEXT-ID LAST-EPOCH v0|v2 PARTITION...
 * previous STATE                        the states that it may follow
 * ? CALL                                what the call gives, and what is known then; it is undone
 * </pre>
 */
public final class TransactionStates {
    private static final String ID = "id";
    private static final int TIMEOUT_MS = 60_000;

    private final TransactionStateManager states = mock(TransactionStateManager.class);
    private final TransactionMarkerChannelManager markers = mock(TransactionMarkerChannelManager.class);
    private final ProducerIdManager ids = mock(ProducerIdManager.class);
    private final TransactionCoordinator coordinator;
    private TransactionMetadata present;
    private TxnTransitMetadata completion;
    private long lastId;

    public static void main(String[] args) throws Exception {
        Path path = Path.of(args[0]);
        List<String> lines = new ArrayList<>();
        TransactionStates player = new TransactionStates();
        for (String line : Files.readAllLines(path)) {
            String call = line.split(" => ")[0].strip();
            if (call.isEmpty() || call.startsWith("#")) {
                lines.add(line);
                continue;
            }
            lines.add(call + " => " + player.perform(call.split(" ")));
        }
        Files.write(path, lines);
    }

    private TransactionStates() throws Exception {
        when(ids.generateProducerId()).thenAnswer(call -> ++lastId);
        when(states.validateTransactionTimeoutMs(anyBoolean(), anyInt())).thenReturn(true);
        when(states.transactionVersionLevel()).thenReturn(TransactionVersion.TV_2);
        when(states.isTransaction2pcEnabled()).thenReturn(false);
        when(states.getTransactionState(anyString())).thenAnswer(call -> Right.apply(Option.apply(known())));
        when(states.putTransactionStateIfNotExists(any())).thenAnswer(call -> {
            present = call.getArgument(0);
            return Right.apply(known());
        });
        doAnswer(call -> {
            present.completeTransitionTo(call.getArgument(2));
            scala.Function1<Errors, BoxedUnit> done = call.getArgument(3);
            return done.apply(Errors.NONE);
        }).when(states).appendTransactionToLog(anyString(), anyInt(), any(), any(), any(), any());
        doAnswer(call -> {
            completion = call.getArgument(3);
            return null;
        }).when(markers).addTxnMarkersToSend(anyInt(), any(), any(), any());
        TransactionConfig config = new TransactionConfig(1, 900_000, 1, (short) 1, 1, 1, 1, 1, 1, false, 1);
        coordinator = new TransactionCoordinator(config, mock(Scheduler.class), () -> ids, states, markers,
            Time.SYSTEM, new LogContext());
        coordinator.startup(() -> 1, false);
    }

    private CoordinatorEpochAndTxnMetadata known() {
        return present == null ? null : new CoordinatorEpochAndTxnMetadata(0, present);
    }

    private String perform(String[] words) throws Exception {
        String[] rest = Arrays.copyOfRange(words, 1, words.length);
        switch (words[0]) {
            case "new":
                present = null;
                completion = null;
                lastId = 0;
                return "ok";
            case "init":
                return init(rest);
            case "add":
                return add(rest);
            case "verify":
                return verify(rest);
            case "end":
                return end(rest);
            case "markers":
                if (completion == null) {
                    return "nothing";
                }
                present.completeTransitionTo(completion);
                completion = null;
                return state();
            case "late":
                return late();
            case "state":
                return state();
            case "set":
                set(rest);
                return state();
            case "epoch":
                present.setProducerEpoch(Short.parseShort(rest[0]));
                return state();
            case "restart":
                restart();
                return state();
            case "previous":
                return previous(rest[0]);
            case "?":
                return undone(rest);
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    private String undone(String[] call) throws Exception {
        TransactionMetadata before = present;
        TxnTransitMetadata completionBefore = completion;
        long lastIdBefore = lastId;
        if (before != null) {
            present = copy(before);
            present.pendingState(before.pendingState());
        }
        String outcome;
        try {
            outcome = perform(call);
        } catch (IllegalStateException bug) {
            outcome = "illegal";
        }
        String then = present == null ? "-" : state();
        present = before;
        completion = completionBefore;
        lastId = lastIdBefore;
        return outcome + " | " + then;
    }

    private String init(String[] named) {
        Option<ProducerIdAndEpoch> expected = named.length == 0 ? Option.empty()
            : Option.apply(new ProducerIdAndEpoch(Long.parseLong(named[0]), Short.parseShort(named[1])));
        String[] answer = new String[1];
        coordinator.handleInitProducerId(ID, TIMEOUT_MS, false, false, expected, result -> {
            answer[0] = result.error() == Errors.NONE ? result.producerId() + " " + result.producerEpoch()
                : name(result.error());
            return BoxedUnit.UNIT;
        }, RequestLocal.noCaching());
        return answer[0];
    }

    private String add(String[] words) {
        String[] answer = new String[1];
        coordinator.handleAddPartitionsToTransaction(ID, Long.parseLong(words[0]), Short.parseShort(words[1]),
            partitions(words, 3), error -> {
                answer[0] = error == Errors.NONE ? "ok" : name(error);
                return BoxedUnit.UNIT;
            }, version(words[2]), RequestLocal.noCaching());
        return answer[0];
    }

    private String verify(String[] words) {
        String[] answer = new String[1];
        coordinator.handleVerifyPartitionsInTransaction(ID, Long.parseLong(words[0]), Short.parseShort(words[1]),
            partitions(words, 2), result -> {
                TreeMap<Integer, String> errors = new TreeMap<>();
                result.topicResults().forEach(topic -> {
                    for (AddPartitionsToTxnPartitionResult one : topic.resultsByPartition()) {
                        errors.put(one.partitionIndex(), name(Errors.forCode(one.partitionErrorCode())));
                    }
                });
                boolean isOne = new HashSet<>(errors.values()).size() == 1 && !errors.containsValue("None")
                    && !errors.containsValue("TransactionAbortable");
                answer[0] = isOne ? errors.values().iterator().next() : String.join(" ", errors.values());
                return BoxedUnit.UNIT;
            });
        return answer[0];
    }

    private String end(String[] words) {
        String[] answer = new String[1];
        TransactionResult result = words[2].equals("commit") ? TransactionResult.COMMIT : TransactionResult.ABORT;
        TransactionVersion version = version(words[3]);
        coordinator.handleEndTransaction(ID, Long.parseLong(words[0]), Short.parseShort(words[1]), result, version,
            (error, id, epoch) -> {
                answer[0] = error != Errors.NONE ? name(error)
                    : version.supportsEpochBump() ? id + " " + epoch : "ok";
                return BoxedUnit.UNIT;
            }, RequestLocal.noCaching());
        return answer[0];
    }

    private String late() throws Exception {
        List<TransactionalIdAndProducerIdEpoch> late = new ArrayList<>();
        // What TransactionStateManager.timedOutTransactions looks for, but the time.
        if (present != null && present.state() == TransactionState.ONGOING && !present.pendingTransitionInProgress()) {
            late.add(new TransactionalIdAndProducerIdEpoch(ID, present.producerId(), present.producerEpoch()));
        }
        when(states.timedOutTransactions()).thenReturn(CollectionConverters.asScala((Iterable<TransactionalIdAndProducerIdEpoch>) late));
        String[] answer = {"nothing"};
        coordinator.abortTimedOutTransactions(one -> (error, id, epoch) -> {
            answer[0] = name(error);
            return BoxedUnit.UNIT;
        });
        return answer[0].equals("None") ? state() : answer[0];
    }

    private void set(String[] words) {
        TransactionState state = TransactionState.fromName(words[0]).orElseThrow();
        present = new TransactionMetadata(ID, Long.parseLong(words[1]), Long.parseLong(words[3]),
            Long.parseLong(words[4]), Short.parseShort(words[2]), Short.parseShort(words[5]), TIMEOUT_MS, state,
            partitions(words, 7), state == TransactionState.EMPTY ? -1 : 1, 1, version(words[6]));
        completion = null;
        lastId = 100;
        sendMarkers();
    }

    /** As after the record of the decision: the completion is pending. */
    private void sendMarkers() {
        if (present.state() == TransactionState.PREPARE_COMMIT || present.state() == TransactionState.PREPARE_ABORT) {
            completion = present.prepareComplete(2);
        }
    }

    private void restart() {
        present.pendingState(Optional.empty());
        byte[] value = TransactionLog.valueToBytes(present.prepareNoTransit(), TransactionVersion.TV_2);
        TransactionLog.ReadResult read =
            TransactionLog.read(ByteBuffer.wrap(TransactionLog.keyToBytes(ID)), ByteBuffer.wrap(value));
        present = ((TransactionLog.TxnRecord) read).metadata();
        completion = null;
        sendMarkers();
    }

    private static TransactionMetadata copy(TransactionMetadata from) throws Exception {
        return new TransactionMetadata(ID, from.producerId(), from.prevProducerId(), nextId(from),
            from.producerEpoch(), from.lastProducerEpoch(), from.txnTimeoutMs(), from.state(),
            new HashSet<>(from.topicPartitions()), from.txnStartTimestamp(), from.txnLastUpdateTimestamp(),
            from.clientTransactionVersion());
    }

    private static long nextId(TransactionMetadata of) throws Exception {
        Field field = TransactionMetadata.class.getDeclaredField("nextProducerId");
        field.setAccessible(true);
        return field.getLong(of);
    }

    private String state() throws Exception {
        StringBuilder words = new StringBuilder(present.state().stateName());
        words.append(' ').append(present.producerId()).append(' ').append(present.producerEpoch());
        words.append(' ').append(present.prevProducerId()).append(' ').append(nextId(present));
        words.append(' ').append(present.lastProducerEpoch());
        words.append(" v").append(present.clientTransactionVersion().featureLevel());
        Set<Integer> partitions = new TreeSet<>();
        present.topicPartitions().forEach(one -> partitions.add(one.partition()));
        partitions.forEach(one -> words.append(' ').append(one));
        return words.toString();
    }

    private static TransactionVersion version(String word) {
        return word.equals("v2") ? TransactionVersion.TV_2 : TransactionVersion.TV_0;
    }

    private static Set<TopicPartition> partitions(String[] words, int from) {
        Set<TopicPartition> partitions = new HashSet<>();
        for (int i = from; i < words.length; i++) {
            partitions.add(new TopicPartition("t", Integer.parseInt(words[i])));
        }
        return partitions;
    }

    /** PRODUCER_FENCED as ProducerFenced. */
    private static String name(Errors error) {
        StringBuilder name = new StringBuilder();
        for (String word : error.name().split("_")) {
            name.append(word.charAt(0)).append(word.substring(1).toLowerCase(java.util.Locale.ROOT));
        }
        return name.toString();
    }

    private static String previous(String name) {
        TreeSet<String> names = new TreeSet<>();
        TransactionState.fromName(name).orElseThrow().validPreviousStates()
            .forEach(one -> names.add(one.stateName()));
        return String.join(" ", names);
    }
}
