import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.context.support.PropertySourcesPlaceholderConfigurer;
import org.springframework.kafka.annotation.BackOff;
import org.springframework.kafka.annotation.EnableKafkaRetryTopic;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.annotation.RetryableTopic;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.core.ProducerFactory;
import org.springframework.kafka.listener.DefaultAfterRollbackProcessor;
import org.springframework.kafka.transaction.KafkaTransactionManager;
import org.springframework.messaging.handler.annotation.SendTo;
import org.springframework.scheduling.TaskScheduler;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;
import org.springframework.util.backoff.FixedBackOff;

/**
 * Lines from one topic to another: profile `transactions` with listener containers in Kafka's transactions, profile
 * `retries` with non-blocking retries, where a line whose amount is a multiple of 50 ends in the topic of the dead letters.
 */
@Configuration
@EnableKafkaRetryTopic
public class Relay {
    /** The address, from, to, the group, the profile. */
    public static void main(String[] args) {
        System.setProperty("relay.bootstrap", args[0]);
        System.setProperty("relay.from", args[1]);
        System.setProperty("relay.to", args[2]);
        System.setProperty("relay.group", args[3]);
        System.setProperty("spring.profiles.active", args[4]);
        new AnnotationConfigApplicationContext(Relay.class).registerShutdownHook();
    }

    @Bean
    static PropertySourcesPlaceholderConfigurer placeholders() {
        return new PropertySourcesPlaceholderConfigurer();
    }

    @Bean
    KafkaAdmin admin() {
        return new KafkaAdmin(Map.of("bootstrap.servers", System.getProperty("relay.bootstrap")));
    }

    @Bean
    TaskScheduler scheduler() {
        return new ThreadPoolTaskScheduler();
    }

    @Bean
    ConsumerFactory<String, String> consumers() {
        return new DefaultKafkaConsumerFactory<>(Map.of(
            ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, System.getProperty("relay.bootstrap"),
            ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest",
            ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed",
            ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 10_000,
            ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class,
            ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class));
    }

    private static DefaultKafkaProducerFactory<String, String> producerFactory() {
        Map<String, Object> properties = new HashMap<>();
        properties.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, System.getProperty("relay.bootstrap"));
        properties.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class);
        properties.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, StringSerializer.class);
        return new DefaultKafkaProducerFactory<>(properties);
    }

    @Bean
    KafkaTemplate<String, String> template(ProducerFactory<String, String> producers) {
        return new KafkaTemplate<>(producers);
    }

    @Configuration
    @Profile("transactions")
    static class Transactions {
        @Bean
        ProducerFactory<String, String> producers() {
            DefaultKafkaProducerFactory<String, String> producers = producerFactory();
            producers.setTransactionIdPrefix("spring-relay-");
            return producers;
        }

        @Bean
        KafkaTransactionManager<String, String> manager(ProducerFactory<String, String> producers) {
            return new KafkaTransactionManager<>(producers);
        }

        @Bean
        ConcurrentKafkaListenerContainerFactory<String, String> kafkaListenerContainerFactory(
                ConsumerFactory<String, String> consumers, KafkaTemplate<String, String> template,
                KafkaTransactionManager<String, String> manager) {
            var factory = new ConcurrentKafkaListenerContainerFactory<String, String>();
            factory.setConsumerFactory(consumers);
            factory.setConcurrency(2);
            factory.setReplyTemplate(template);
            factory.getContainerProperties().setKafkaAwareTransactionManager(manager);
            // The default gives a record up after ten failures, and a broker that is away is one every time.
            factory.setAfterRollbackProcessor(
                new DefaultAfterRollbackProcessor<>(new FixedBackOff(200, FixedBackOff.UNLIMITED_ATTEMPTS)));
            return factory;
        }

        @KafkaListener(topics = "${relay.from}", groupId = "${relay.group}")
        @SendTo("${relay.to}")
        String relay(String line) {
            return line;
        }
    }

    @Configuration
    @Profile("retries")
    static class Retries {
        private final KafkaTemplate<String, String> template;

        Retries(KafkaTemplate<String, String> template) {
            this.template = template;
        }

        @Configuration
        @Profile("retries")
        static class Parts {
            @Bean
            ProducerFactory<String, String> producers() {
                return producerFactory();
            }

            @Bean
            ConcurrentKafkaListenerContainerFactory<String, String> kafkaListenerContainerFactory(
                    ConsumerFactory<String, String> consumers) {
                var factory = new ConcurrentKafkaListenerContainerFactory<String, String>();
                factory.setConsumerFactory(consumers);
                factory.setConcurrency(2);
                return factory;
            }
        }

        @RetryableTopic(attempts = "3", backOff = @BackOff(delay = 200), numPartitions = "3", replicationFactor = "1",
            kafkaTemplate = "template")
        @KafkaListener(topics = "${relay.from}", groupId = "${relay.group}")
        void relay(String line) throws Exception {
            if (Integer.parseInt(line.split(",")[2]) % 50 == 0) {
                throw new IllegalArgumentException(line);
            }
            template.send(System.getProperty("relay.to"), line).get();
        }
    }
}
