package ottla.golden;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.scram.internals.ScramFormatter;
import org.apache.kafka.common.security.scram.internals.ScramMechanism;
import org.apache.kafka.common.security.token.delegation.DelegationToken;
import org.apache.kafka.common.security.token.delegation.TokenInformation;
import org.apache.kafka.common.security.token.delegation.internals.DelegationTokenCache;
import org.apache.kafka.security.DelegationTokenManager;
import org.apache.kafka.server.config.DelegationTokenManagerConfigs;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/**
 * Writes by which HMACs Kafka's own classes know delegation tokens, and which SCRAM keys follow from them.
 *
 * <p>Argument: the file.
 */
public final class Tokens {
    private static final List<String> SECRETS = List.of("secret", "s", "a b", "p\u00e4\u00df \ud83d\ude00", "x".repeat(200));
    private static final List<String> IDS = List.of("yqSIv0WDSv6zBlmKbg9wiA", "AAAAAAAAAAAAAAAAAAAAAA", "-_-", "i", "\u00e9", "");
    private static final byte[] SALT = "salt of a token".getBytes(StandardCharsets.UTF_8);

    private Tokens() {
    }

    public static void main(String[] args) throws Exception {
        ObjectMapper json = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
        ArrayNode all = json.createArrayNode();
        for (String secret : SECRETS) {
            Map<String, String> given = Map.of(DelegationTokenManagerConfigs.DELEGATION_TOKEN_SECRET_KEY_CONFIG, secret);
            AbstractConfig config = new AbstractConfig(DelegationTokenManagerConfigs.CONFIG_DEF, given, false);
            DelegationTokenManager manager = new DelegationTokenManager(
                new DelegationTokenManagerConfigs(config), new DelegationTokenCache(ScramMechanism.mechanismNames()));
            KafkaPrincipal owner = new KafkaPrincipal(KafkaPrincipal.USER_TYPE, "owner");
            for (String id : IDS) {
                TokenInformation information = new TokenInformation(id, owner, List.of(), 0, 1, 1);
                DelegationToken token = manager.getDelegationToken(information);
                ObjectNode one = all.addObject().put("secret", secret).put("id", id)
                    .put("hmac", HexFormat.of().formatHex(token.hmac()))
                    .put("password", token.hmacAsBase64String());
                ArrayNode credentials = one.putArray("credentials");
                for (ScramMechanism mechanism : ScramMechanism.values()) {
                    credentials.add(credential(json, mechanism, token.hmacAsBase64String()));
                }
            }
        }
        Path file = Path.of(args[0]);
        Files.createDirectories(file.getParent());
        Files.writeString(file, json.writeValueAsString(all) + "\n");
    }

    private static ObjectNode credential(ObjectMapper json, ScramMechanism mechanism, String password) throws Exception {
        ScramFormatter formatter = new ScramFormatter(mechanism);
        byte[] salted = formatter.hi(ScramFormatter.normalize(password), SALT, mechanism.minIterations());
        return json.createObjectNode()
            .put("mechanism", mechanism.mechanismName())
            .put("salt", HexFormat.of().formatHex(SALT))
            .put("iterations", mechanism.minIterations())
            .put("stored_key", HexFormat.of().formatHex(formatter.storedKey(formatter.clientKey(salted))))
            .put("server_key", HexFormat.of().formatHex(formatter.serverKey(salted)));
    }
}
