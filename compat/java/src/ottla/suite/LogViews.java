package ottla.suite;

import kafka.cluster.Partition;
import kafka.log.LogManager;

import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.requests.MetadataResponse.PartitionMetadata;
import org.apache.kafka.metadata.MetadataCache;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.UnifiedLog;

import scala.Option;
import scala.collection.Seq;
import scala.jdk.javaapi.CollectionConverters;

import java.io.File;
import java.util.Optional;

/** The part of {@link Views} that is about replicas and logs: whether they are there, and how they are configured. */
final class LogViews {
    private final Member member;
    private final Wire wire;
    private final Views views;

    LogViews(Member member, Wire wire, Views views) {
        this.member = member;
        this.wire = wire;
        this.views = views;
    }

    /** A partition that this broker has, as the broker itself says. */
    private Optional<PartitionMetadata> replica(TopicPartition partition) {
        if (!member.isRunning()) {
            return Optional.empty();
        }
        return Wire.topic(member, partition.topic()).stream()
            .flatMap(topic -> topic.partitionMetadata().stream())
            .filter(info -> info.partition() == partition.partition() && info.replicaIds.contains(member.id()))
            .findFirst();
    }

    /** Of a replica manager. Public, as are its methods, for they are found by their names. */
    public final class ReplicaManagerAnswers {
        public Option<Partition> onlinePartition(TopicPartition partition) {
            return replica(partition).isEmpty() ? Option.empty()
                : Option.apply(views.fresh(Partition.class, new PartitionAnswers(partition)));
        }

        public Option<UnifiedLog> localLog(TopicPartition partition) {
            return log(partition);
        }

        public LogManager logManager() {
            return views.fresh(LogManager.class, new LogManagerAnswers());
        }

        public MetadataCache metadataCache() {
            return views.broker().metadataCache();
        }
    }

    /** Of a partition. */
    public final class PartitionAnswers {
        private final TopicPartition partition;

        PartitionAnswers(TopicPartition partition) {
            this.partition = partition;
        }

        public Option<Object> leaderIdIfLocal() {
            Optional<Object> here = replica(partition).flatMap(info -> info.leaderId)
                .filter(id -> id == member.id()).map(id -> id);
            return Option.apply(here.orElse(null));
        }

        public Option<UnifiedLog> leaderLogIfLocal() {
            return leaderIdIfLocal().isEmpty() ? Option.empty() : log(partition);
        }
    }

    /** Of a log manager. */
    public final class LogManagerAnswers {
        public Option<UnifiedLog> getLog(TopicPartition partition, boolean isFuture) {
            if (isFuture) {
                throw Verdict.inside("LogManager.getLog of a future log");
            }
            return log(partition);
        }

        public Seq<File> liveLogDirs() {
            return CollectionConverters.asScala(member.logDirs().stream().map(File::new).toList());
        }
    }

    /** A broker has the log of each of its replicas, also before anything was written to it. */
    private Option<UnifiedLog> log(TopicPartition partition) {
        return replica(partition).isEmpty() && !member.hasFolder(partition) ? Option.empty()
            : Option.apply(views.fresh(UnifiedLog.class, new LogAnswers(partition)));
    }

    /** Of one log. */
    public final class LogAnswers {
        private final TopicPartition partition;

        LogAnswers(TopicPartition partition) {
            this.partition = partition;
        }

        public LogConfig config() {
            return new LogConfig(wire.wholeTopicConfig(partition.topic()));
        }

        public TopicPartition topicPartition() {
            return partition;
        }
    }
}
