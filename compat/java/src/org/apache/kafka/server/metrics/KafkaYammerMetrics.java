package org.apache.kafka.server.metrics;

import com.yammer.metrics.core.MetricName;
import com.yammer.metrics.core.MetricsRegistry;

import org.apache.kafka.common.Reconfigurable;

import ottla.suite.Verdict;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** In the place of Kafka's class of this name: the metrics of a broker in another process are not in this JVM. */
public class KafkaYammerMetrics implements Reconfigurable {
    public static final KafkaYammerMetrics INSTANCE = new KafkaYammerMetrics();

    private final MetricsRegistry empty = new MetricsRegistry();

    private KafkaYammerMetrics() { }

    public static MetricsRegistry defaultRegistry() {
        // Many tests clear the registry at their end, and look at nothing in it.
        boolean isCleared = StackWalker.getInstance().walk(frames ->
            frames.anyMatch(frame -> frame.getMethodName().equals("clearYammerMetrics")));
        if (isCleared) {
            return INSTANCE.empty;
        }
        throw Verdict.inside("KafkaYammerMetrics.defaultRegistry");
    }

    public static MetricName getMetricName(String group, String typeName, String name) {
        throw Verdict.inside("KafkaYammerMetrics.getMetricName");
    }

    public static MetricName getMetricName(String group, String typeName, String name, LinkedHashMap<String, String> tags) {
        throw Verdict.inside("KafkaYammerMetrics.getMetricName");
    }

    @Override
    public void configure(Map<String, ?> configs) { }

    @Override
    public Set<String> reconfigurableConfigs() {
        return Set.of();
    }

    @Override
    public void validateReconfiguration(Map<String, ?> configs) { }

    @Override
    public void reconfigure(Map<String, ?> configs) { }
}
