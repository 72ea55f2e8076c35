package ottla.golden;

import kafka.server.ClientRequestQuotaManager;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.metrics.KafkaMetric;
import org.apache.kafka.common.metrics.MetricConfig;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.metrics.Quota;
import org.apache.kafka.common.metrics.QuotaViolationException;
import org.apache.kafka.common.metrics.stats.Rate;
import org.apache.kafka.common.metrics.stats.TokenBucket;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.network.Session;
import org.apache.kafka.server.config.ClientQuotaManagerConfig;
import org.apache.kafka.server.quota.ClientQuotaEntity.ConfigEntity;
import org.apache.kafka.server.quota.ClientQuotaManager;
import org.apache.kafka.server.quota.ClientQuotaManager.ClientIdEntity;
import org.apache.kafka.server.quota.ClientQuotaManager.UserEntity;
import org.apache.kafka.server.quota.ControllerMutationQuota;
import org.apache.kafka.server.quota.ControllerMutationQuotaManager;
import org.apache.kafka.server.quota.QuotaType;
import org.apache.kafka.server.quota.QuotaUtils;
import org.apache.kafka.common.errors.ThrottlingQuotaExceededException;

import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * What Kafka's own quota classes make of seeded histories.
 *
 * <p>Argument: the folder to write.
 * <pre>
 * rates.txt     windows COUNT SECONDS BOUND                          a new rate
 *               VALUE AT RATE WINDOW THROTTLE                        recorded, then measured (Rate, QuotaUtils)
 * tokens.txt    bucket COUNT SECONDS BOUND                           a new bucket (TokenBucket)
 *               VALUE AT TOKENS
 * managed.txt   manager KIND COUNT SECONDS                           a new manager
 *               limit USER CLIENT BOUND|none                         * is everybody, - is not named
 *               record USER CLIENT VALUE AT THROTTLE
 *               unrecord USER CLIENT VALUE AT
 *               window USER CLIENT BYTES                             the most without a throttle
 *               strict|permissive USER CLIENT AT PERMITS... = ok|exceeded... THROTTLE LATER
 * precedence.txt  LEVELS USER CLIENT LIMIT|none USER_TAG CLIENT_TAG  a bit for each of the eight levels
 * </pre>
 */
public final class Quotas {
    private static final class FakeTime implements Time {
        private long now = 1_700_000_000_000L;

        @Override
        public long milliseconds() {
            return now;
        }

        @Override
        public long nanoseconds() {
            return now * 1_000_000;
        }

        @Override
        public void sleep(long ms) {
            now += ms;
        }

        @Override
        public void waitObject(Object obj, Supplier<Boolean> condition, long deadlineMs) {
            throw new UnsupportedOperationException();
        }
    }

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("rates.txt"), rates());
        Files.writeString(folder.resolve("tokens.txt"), tokens());
        Files.writeString(folder.resolve("managed.txt"), managed());
        Files.writeString(folder.resolve("precedence.txt"), precedence());
    }

    private static MetricConfig config(int count, int seconds, double bound) {
        return new MetricConfig().samples(count).timeWindow(seconds, TimeUnit.SECONDS).quota(new Quota(bound, true));
    }

    /** Pauses of all lengths: within a sample, over samples, over all of them. */
    private static long pause(Random random, long windowMs) {
        return switch (random.nextInt(8)) {
            case 0 -> 0;
            case 1 -> 1 + random.nextInt(3);
            case 2 -> windowMs;
            case 3 -> windowMs * (1 + random.nextInt(14));
            case 4 -> random.nextInt((int) windowMs * 14);
            default -> random.nextInt((int) windowMs / 2);
        };
    }

    private static String rates() {
        StringBuilder out = new StringBuilder();
        Random random = new Random(8);
        for (int history = 0; history < 60; history++) {
            int count = history < 20 ? 11 : 1 + random.nextInt(12);
            int seconds = history < 20 ? 1 : 1 + random.nextInt(3);
            double bound = history % 3 == 0 ? 1_000_000 : 0.1 + random.nextInt(100_000) / 10.0;
            out.append("windows ").append(count).append(' ').append(seconds).append(' ').append(bound).append('\n');
            MetricConfig config = config(count, seconds, bound);
            Rate rate = new Rate();
            FakeTime time = new FakeTime();
            KafkaMetric metric = new KafkaMetric(new Object(), new MetricName("m", "g", "", Map.of()), rate, config, time);
            long at = 1_000 + random.nextInt(100_000);
            for (int step = 0; step < 60; step++) {
                double value = random.nextInt(10) == 0 ? 0 : Math.floor(random.nextDouble() * bound * 4) / 4;
                if (random.nextInt(12) == 0) {
                    value = -value;
                }
                rate.record(config, value, at);
                double measured = rate.measure(config, at);
                long window = rate.windowSize(config, at);
                long throttle = measured <= bound ? 0
                    : QuotaUtils.throttleTime(new QuotaViolationException(metric, measured, bound), at);
                out.append(value).append(' ').append(at).append(' ').append(measured).append(' ').append(window)
                    .append(' ').append(throttle).append('\n');
                at += pause(random, seconds * 1000L);
            }
        }
        return out.toString();
    }

    private static String tokens() {
        StringBuilder out = new StringBuilder();
        Random random = new Random(9);
        for (int history = 0; history < 40; history++) {
            int count = history < 10 ? 11 : 1 + random.nextInt(12);
            int seconds = history < 10 ? 1 : 1 + random.nextInt(3);
            double bound = 0.1 + random.nextInt(1000) / 10.0;
            out.append("bucket ").append(count).append(' ').append(seconds).append(' ').append(bound).append('\n');
            MetricConfig config = config(count, seconds, bound);
            TokenBucket bucket = new TokenBucket();
            // As a broker's clock: far from the bucket's zero.
            long at = 1_700_000_000_000L + random.nextInt(1000);
            for (int step = 0; step < 40; step++) {
                double value = random.nextInt((int) (bound * count * seconds) + 2);
                bucket.record(config, value, at);
                out.append(value).append(' ').append(at).append(' ').append(bucket.measure(config, at)).append('\n');
                at += pause(random, seconds * 1000L);
            }
        }
        return out.toString();
    }

    private static Optional<ConfigEntity> user(String name) {
        return switch (name) {
            case "-" -> Optional.empty();
            case "*" -> Optional.of(ClientQuotaManager.DEFAULT_USER_ENTITY);
            default -> Optional.of(new UserEntity(name));
        };
    }

    private static Optional<ConfigEntity> client(String name) {
        return switch (name) {
            case "-" -> Optional.empty();
            case "*" -> Optional.of(ClientQuotaManager.DEFAULT_USER_CLIENT_ID);
            default -> Optional.of(new ClientIdEntity(name));
        };
    }

    private static Session session(String user) throws Exception {
        return new Session(new KafkaPrincipal(KafkaPrincipal.USER_TYPE, user), InetAddress.getByName("127.0.0.1"));
    }

    private static ClientQuotaManager manager(String kind, int count, int seconds, Time time) {
        ClientQuotaManagerConfig config = new ClientQuotaManagerConfig(count, seconds);
        Metrics metrics = new Metrics(time);
        return switch (kind) {
            case "produce" -> new ClientQuotaManager(config, metrics, QuotaType.PRODUCE, time, "");
            case "request" -> new ClientRequestQuotaManager(config, metrics, time, "", Optional.empty());
            default -> new ControllerMutationQuotaManager(config, metrics, time, "", Optional.empty());
        };
    }

    private static String managed() throws Exception {
        StringBuilder out = new StringBuilder();
        Random random = new Random(10);
        List<String> users = List.of("alice", "bob");
        List<String> clients = List.of("app", "job");
        List<String> kinds = List.of("produce", "request", "mutation");
        for (int history = 0; history < 45; history++) {
            String kind = kinds.get(history % 3);
            int count = history < 15 ? 11 : 2 + random.nextInt(10);
            int seconds = history < 15 ? 1 : 1 + random.nextInt(2);
            FakeTime time = new FakeTime();
            ClientQuotaManager manager = manager(kind, count, seconds, time);
            out.append("manager ").append(kind).append(' ').append(count).append(' ').append(seconds).append('\n');
            double scale = kind.equals("produce") ? 10_000 : kind.equals("request") ? 50 : 5;
            // Every client has a limit from the start: what is recorded without one is counted in Kafka.
            limit(out, manager, "*", "-", scale);
            for (int step = 0; step < 60; step++) {
                String user = users.get(random.nextInt(2));
                String client = clients.get(random.nextInt(2));
                if (random.nextInt(20) == 0) {
                    double bound = scale * (1 + random.nextInt(20)) / 10;
                    limit(out, manager, user, "-", bound);
                    continue;
                }
                time.now += pause(random, seconds * 1000L);
                long at = time.now;
                String who = user + ' ' + client;
                if (kind.equals("mutation")) {
                    mutation(out, (ControllerMutationQuotaManager) manager, user, client, time, random, scale);
                } else {
                    double value = Math.floor(random.nextDouble() * scale * seconds * 20) / 4;
                    int throttle = manager.recordAndGetThrottleTimeMs(session(user), client, value, at);
                    out.append("record ").append(who).append(' ').append(value).append(' ').append(at).append(' ')
                        .append(throttle).append('\n');
                    if (throttle > 0 && random.nextBoolean()) {
                        manager.unrecordQuotaSensor(session(user), client, value, at);
                        out.append("unrecord ").append(who).append(' ').append(value).append(' ').append(at).append('\n');
                    }
                    out.append("window ").append(who).append(' ')
                        .append(manager.maxValueInQuotaWindow(session(user), client)).append('\n');
                }
            }
            manager.shutdown();
        }
        return out.toString();
    }

    private static void limit(StringBuilder out, ClientQuotaManager manager, String user, String client, double bound) {
        manager.updateQuota(user(user), client(client), Optional.of(new Quota(bound, true)));
        out.append("limit ").append(user).append(' ').append(client).append(' ').append(bound).append('\n');
    }

    private static void mutation(StringBuilder out, ControllerMutationQuotaManager manager, String user, String client,
                                 FakeTime time, Random random, double scale) throws Exception {
        boolean isStrict = random.nextInt(3) > 0;
        ControllerMutationQuota quota = isStrict ? manager.newStrictQuotaFor(session(user), client)
            : manager.newPermissiveQuotaFor(session(user), client);
        out.append(isStrict ? "strict " : "permissive ").append(user).append(' ').append(client).append(' ')
            .append(time.now);
        StringBuilder answers = new StringBuilder();
        int topics = 1 + random.nextInt(4);
        for (int topic = 0; topic < topics; topic++) {
            int permits = 1 + random.nextInt((int) (scale * 6));
            out.append(' ').append(permits);
            try {
                quota.record(permits);
                answers.append(" ok");
            } catch (ThrottlingQuotaExceededException exceeded) {
                answers.append(" exceeded");
            }
        }
        int throttle = quota.throttleTime();
        time.now += 7;
        out.append(" =").append(answers).append(' ').append(throttle).append(' ').append(quota.throttleTime()).append('\n');
    }

    private static String precedence() throws Exception {
        StringBuilder out = new StringBuilder();
        String[][] levels = {
            {"alice", "app"}, {"alice", "*"}, {"alice", "-"}, {"*", "app"}, {"*", "*"}, {"*", "-"}, {"-", "app"}, {"-", "*"},
        };
        String[][] probes = {{"alice", "app"}, {"alice", "job"}, {"bob", "app"}, {"bob", "job"}, {"alice", ""}, {"bob", ""}};
        for (int set = 0; set < 1 << levels.length; set++) {
            ClientQuotaManager manager = manager("produce", 11, 1, new FakeTime());
            for (int level = 0; level < levels.length; level++) {
                if ((set & 1 << level) != 0) {
                    Quota quota = new Quota(level + 1, true);
                    manager.updateQuota(user(levels[level][0]), client(levels[level][1]), Optional.of(quota));
                }
            }
            for (String[] probe : probes) {
                double limit = manager.quota(probe[0], probe[1]).bound();
                Map<String, String> tags = manager.getOrCreateQuotaSensors(session(probe[0]), probe[1]).metricTags();
                out.append(set).append(' ').append(probe[0]).append(' ').append(named(probe[1])).append(' ')
                    .append(limit > levels.length ? "none" : String.valueOf((int) limit)).append(' ')
                    .append(named(tags.get("user"))).append(' ').append(named(tags.get("client-id"))).append('\n');
            }
            manager.shutdown();
        }
        return out.toString();
    }

    private static String named(String text) {
        return text.isEmpty() ? "-" : text;
    }
}
