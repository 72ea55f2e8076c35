package dev.ottla.lab.junit5;

import dev.ottla.lab.Cluster;
import dev.ottla.lab.Lab;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.platform.commons.support.AnnotationSupport;

/** Gives tests a {@link Cluster} each, in one {@link Lab} for the run, which is started by the first that needs it. */
public final class OttlaExtension implements BeforeEachCallback, AfterEachCallback, ParameterResolver {
    private static final ExtensionContext.Namespace NAMESPACE = ExtensionContext.Namespace.create(OttlaExtension.class);

    /** JUnit closes it with the run. */
    @SuppressWarnings("deprecation") // The newer way is not there in the older releases of JUnit 5.
    private static final class Shared implements ExtensionContext.Store.CloseableResource, AutoCloseable {
        final Lab lab = Lab.start();

        @Override
        public void close() {
            lab.close();
        }
    }

    /** No resource of JUnit's: newer releases close what is closeable, and the cluster ends after each test already. */
    private static final class Held {
        final Cluster cluster;

        Held(Cluster cluster) {
            this.cluster = cluster;
        }
    }

    private static Lab lab(ExtensionContext context) {
        return context.getRoot().getStore(NAMESPACE).getOrComputeIfAbsent(Shared.class, key -> new Shared(), Shared.class).lab;
    }

    private static Optional<OttlaTest> wanted(ExtensionContext context) {
        return AnnotationSupport.findAnnotation(context.getElement(), OttlaTest.class);
    }

    private static Cluster cluster(ExtensionContext context) {
        return context.getStore(NAMESPACE).getOrComputeIfAbsent(Held.class, key -> {
            Map<String, Object> settings = new LinkedHashMap<>();
            wanted(context).ifPresent(wanted -> {
                settings.put("topics", List.of(wanted.topics()));
                Map<String, Object> configs = new LinkedHashMap<>();
                for (String config : wanted.configs()) {
                    int at = config.indexOf('=');
                    configs.put(config.substring(0, at), config.substring(at + 1));
                }
                settings.put("configs", configs);
                if (wanted.seed() >= 0) {
                    settings.put("seed", wanted.seed());
                }
            });
            return new Held(lab(context).cluster(settings));
        }, Held.class).cluster;
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        for (String property : wanted(context).map(OttlaTest::publish).orElse(new String[0])) {
            System.setProperty(property, cluster(context).bootstrapServers());
        }
    }

    @Override
    public void afterEach(ExtensionContext context) {
        for (String property : wanted(context).map(OttlaTest::publish).orElse(new String[0])) {
            System.clearProperty(property);
        }
        Held held = context.getStore(NAMESPACE).get(Held.class, Held.class);
        if (held == null) {
            return;
        }
        try (Cluster cluster = held.cluster) {
            if (context.getExecutionException().isPresent()) {
                context.publishReportEntry("ottla", cluster.story(20));
            } else {
                cluster.checkFaults();
            }
        }
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        Class<?> type = parameter.getParameter().getType();
        return type == Cluster.class || type == Lab.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == Lab.class ? lab(context) : cluster(context);
    }
}
