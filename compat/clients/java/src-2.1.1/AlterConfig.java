import java.util.Collections;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.common.config.ConfigResource;

/** The way before KIP-339: the whole set is replaced. */
final class AlterConfig {
    static void set(AdminClient admin, String topic, String key, String value) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Config config = new Config(Collections.singletonList(new ConfigEntry(key, value)));
        admin.alterConfigs(Collections.singletonMap(resource, config)).all().get();
    }
}
