package dev.ottla.lab.junit5;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A test with a Kafka of its own: a parameter {@code Cluster} is a cluster for this test alone, a parameter {@code Lab}
 * the lab of the whole run. The test fails if a rule never acted; one that fails shows the seed, the rules and the last
 * requests.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.ANNOTATION_TYPE})
@Test
@ExtendWith(OttlaExtension.class)
public @interface OttlaTest {
    /** "orders", "orders:6" */
    String[] topics() default {};

    /** Keys of the cluster's broker: "log.retention.ms=1000". */
    String[] configs() default {};

    /** The cluster's; drawn when it is negative. */
    long seed() default -1;

    /**
     * System properties that hold the cluster's bootstrap servers while the test runs, such as
     * {@code spring.kafka.bootstrap-servers}. They are of the whole JVM: not for tests that run at once.
     */
    String[] publish() default {};
}
