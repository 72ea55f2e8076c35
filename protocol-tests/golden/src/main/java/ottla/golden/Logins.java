package ottla.golden;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.security.oauthbearer.internals.OAuthBearerClientInitialResponse;
import org.apache.kafka.common.security.plain.PlainAuthenticateCallback;
import org.apache.kafka.common.security.plain.internals.PlainSaslServer;
import org.apache.kafka.common.security.scram.ScramCredential;
import org.apache.kafka.common.security.scram.internals.ScramFormatter;
import org.apache.kafka.common.security.scram.internals.ScramMechanism;
import org.apache.kafka.common.security.scram.internals.ScramMessages;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeMap;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.NameCallback;
import javax.security.auth.login.AppConfigurationEntry;
import javax.security.auth.login.Configuration;

/**
 * Writes what Kafka's own classes make of JAAS lines, of the messages of SASL mechanisms, and of SCRAM exchanges.
 *
 * <p>Arguments: the file for JAAS lines, the file for mechanisms.
 */
public final class Logins {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private static final String PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule";

    private static final List<String> JAAS = List.of(
        PLAIN + " required user_alice=\"secret\";",
        PLAIN + " required username=\"admin\" password=\"a;b\" user_admin=\"a;b\" user_bob='c\"d';",
        PLAIN + "   REQUIRED\n  user_alice = \"x\"\n ;\n",
        PLAIN + " required;",
        PLAIN + " required",
        PLAIN,
        "",
        "  \n",
        ";",
        "// nothing\n",
        PLAIN + " needed user_a=\"b\";",
        PLAIN + " Optional user_a=\"b\";",
        PLAIN + " sufficient user_a=b-c_d$e;",
        PLAIN + " requisite user_a=b.c;",
        PLAIN + " required user_a=1;",
        PLAIN + " required user_a=-1;",
        PLAIN + " required user_a=-x;",
        PLAIN + " required user_a=--x;",
        PLAIN + " required user_a=x1;",
        PLAIN + " required user_a=1x;",
        PLAIN + " required user_a=.5x;",
        PLAIN + " required user_a=true user_b=false;",
        PLAIN + " required user_a;",
        PLAIN + " required user_a=;",
        PLAIN + " required user_a=",
        PLAIN + " required =\"x\";",
        PLAIN + " required user_a \"x\";",
        PLAIN + " required user_a==\"x\";",
        PLAIN + " required \"user_a b\"=\"x\";",
        PLAIN + " required \"user_\\u0041\"=\"x\";",
        PLAIN + " required user_a=\"\\101\\1012\\477\\0\\7x\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\'\\q\";",
        PLAIN + " required user_a=\"open;",
        PLAIN + " required user_a=\"two\nlines\";",
        PLAIN + " required user_a=\"x\" // end\n;",
        PLAIN + " required user_a=\"x\" /* in ; here */ user_b=\"y\";",
        PLAIN + " required user_a=\"x\" /* open ;",
        PLAIN + " required user_a=\"x\" / a single slash;\n;",
        PLAIN + " required user_a=\"//no comment\" user_b='/*neither*/';",
        PLAIN + " required user_a=x//comment\n;",
        PLAIN + " required user_a=\"x\" user_a=\"y\";",
        PLAIN + " required user_a=\"x\";" + PLAIN + " required user_b=\"y\";",
        PLAIN + " required user_a=\"x\"; ;",
        PLAIN + " required user_a=\"x\";;",
        PLAIN + " required user_a=\"x\"; trailing",
        PLAIN + " required user_a=\"x\",user_b=\"y\";",
        PLAIN + " required user_a=(x);",
        PLAIN + " required user_\u00e9\u4e2d=\"\u00e9\u4e2d\ud83d\ude00\" user_b=\u00e9\u4e2d\ud83d\ude00;",
        PLAIN + " required user_a=a\u0085b;",
        PLAIN + " required user_a=a\u007fb;",
        PLAIN + " required user_a=a@b.c;",
        PLAIN + " required user_a=\"\";",
        PLAIN + " 'required' 'user_a'='x';",
        "\"" + PLAIN + "\" required user_a=\"x\";",
        "7 required user_a=\"x\";",
        PLAIN + " 7 user_a=\"x\";",
        PLAIN + " required user_a='\\8' user_b='\\40' user_c='\\08';",
        PLAIN + " required user_a=\"ends in a backslash\\",
        PLAIN + " required user_a=a:b;",
        PLAIN + " required 7=\"x\";");

    private static final List<String> CLIENT_FIRST = List.of(
        "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        "n,,n=user,r=",
        "n,,n=,r=abc",
        "n,a=user,n=user,r=abc",
        "n,a=,n=user,r=abc",
        "n,a=us=2Cer,n=us=2Cer=3D,r=abc",
        "n,a=us=2cer,n=us=2cer,r=abc",
        "n,,n=us=er,r=abc",
        "n,,n=user,r=abc,tokenauth=true",
        "n,,n=user,r=abc,tokenauth=TRUE,other=x",
        "n,,n=user,r=abc,tokenauth=",
        "n,,n=user,r=abc,a=b=c",
        "n,,n=user,r=abc,a=b,a=c",
        "n,,n=user,r=abc,a1=b",
        "n,,n=user,r=abc,=b",
        "n,,n=user,r=abc,",
        "n,,m=mandatory,n=user,r=abc",
        "n,,m=,n=user,r=abc",
        "y,,n=user,r=abc",
        "p=tls-unique,,n=user,r=abc",
        "n,n=user,r=abc",
        "n,,n=us\u00e9r,r=abc",
        "n,,n=us er,r=abc",
        "n,,n=user,r=a bc",
        "n,,n=user,r=abc\u00e9",
        "n,,n=user,r=abc\n",
        "n,,n=us\ner,r=abc",
        "n,,n=us\0er,r=abc",
        "n,,n=user,r=abc,x=a\u00e9",
        "n,,r=abc,n=user",
        "N,,n=user,r=abc",
        "",
        "n,,",
        "n,,n=user",
        "n,,n=us=3D2Cer,r=abc",
        "n,,n=user,r=~!#$%&'()*+-./:;<=>?@[]^_`{|}~");

    private static final List<String> CLIENT_FINAL = List.of(
        "c=biws,r=abcdef,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "c=biws,r=abcdef,x=y,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "c=biws,r=abcdef,p=",
        "c=,r=abcdef,p=AAAA",
        "c=biws,r=abcdef,p=AAA",
        "c=biws,r=abcdef,p=AA==",
        "c=biws,r=abcdef,p=AA=",
        "c=biws,r=abcdef,p=A===",
        "c=biws,r=abcdef,p=AAAA,x=y",
        "c=biws,r=abcdef",
        "c=biws,r=,p=AAAA",
        "c=bi ws,r=abc,p=AAAA",
        "c=biws,r=abc,p=AA-_",
        "c=biws,r=abc,p=AAAA\n",
        "c=biws,r=abc,p=AB==",
        "r=abc,c=biws,p=AAAA",
        "c=biws,r=abc,p=AAAA=",
        "c=biws,r=a,p=b,p=AAAA",
        "");

    private static final List<String> PLAIN_MESSAGES = List.of(
        "\0alice\0secret",
        "alice\0alice\0secret",
        "bob\0alice\0secret",
        "bob\0alice\0wrong",
        "\0alice\0wrong",
        "\0nobody\0secret",
        "\0\0secret",
        "\0alice\0",
        "\0\0",
        "\0",
        "",
        "alice",
        "alice\0secret",
        "\0alice\0secret\0",
        "\0alice\0secret\0more\0and",
        "\0\u00e9\0\u00fc",
        "\0Alice\0secret",
        "\0alice\0secret\n",
        " \0alice\0secret");

    private static final List<String> BEARER = List.of(
        "n,,\1auth=Bearer a.b.c\1\1",
        "n,,\1auth=bearer a.b.\1\1",
        "n,,\1auth=BEARER   a.b.c\1\1",
        "n,a=user,\1auth=Bearer abc\1\1",
        "n,a=us=2Cer,\1auth=Bearer abc\1\1",
        "n,a=,\1auth=Bearer abc\1\1",
        "n,,\1auth=Basic abc\1\1",
        "n,,\1auth=Bearer\1\1",
        "n,,\1auth=Bearer a b\1\1",
        "n,,\1auth=Bearer a+b/c=\1\1",
        "n,,\1auth= Bearer abc\1\1",
        "n,,\1auth=Bearer abc \1\1",
        "n,,\1Auth=Bearer abc\1\1",
        "n,,\1auth=Bearer abc\1traceId=42\1\1",
        "n,,\1traceId=42\1auth=Bearer abc\1\1",
        "n,,\1traceId=4=2\1auth=Bearer abc\1\1",
        "n,,\1auth=Bearer abc\1auth=Bearer def\1\1",
        "n,,\1auth=Bearer abc\1trace1=x\1\1",
        "n,,\1auth=Bearer abc\1trace=\1\1",
        "n,,\1auth=Bearer abc\1",
        "n,,\1\1",
        "n,,\1auth=Bearer abc\1\1\1",
        "y,,\1auth=Bearer abc\1\1",
        "n,\1auth=Bearer abc\1\1",
        "n,,\1auth=Bearer ab\u00e9c\1\1",
        "n,,\1auth=Bearer abc\1x=\u00e9\1\1",
        "n,,\1auth=Bearer abc\1x=a\tb\r\nc d\1\1",
        "",
        "\1");

    public static void main(String[] args) throws Exception {
        ArrayNode jaas = JSON.createArrayNode();
        for (String line : JAAS) {
            jaas.add(jaas(line));
        }
        write(Path.of(args[0]), jaas);
        ObjectNode mechanisms = JSON.createObjectNode();
        ArrayNode first = mechanisms.putArray("client_first");
        for (String message : CLIENT_FIRST) {
            first.add(clientFirst(message));
        }
        ArrayNode last = mechanisms.putArray("client_final");
        for (String message : CLIENT_FINAL) {
            last.add(clientFinal(message));
        }
        ArrayNode exchanges = mechanisms.putArray("scram");
        for (ScramMechanism mechanism : ScramMechanism.values()) {
            exchanges.add(scram(mechanism, "user", "pencil", "W22ZaJ0SNY7soEsUEjb6gQ==", 4096));
            exchanges.add(scram(mechanism, "a=b,c", "p\u00e4\u00dfw\u00f6rd \ud83d\ude00", "c2FsdHNhbHQ=", 8192));
            exchanges.add(scram(mechanism, "x", "=,=", "AA==", 4097));
        }
        ArrayNode plain = mechanisms.putArray("plain");
        for (String message : PLAIN_MESSAGES) {
            plain.add(plain(message));
        }
        ArrayNode bearer = mechanisms.putArray("bearer");
        for (String message : BEARER) {
            bearer.add(bearer(message));
        }
        write(Path.of(args[1]), mechanisms);
    }

    private static void write(Path file, Object tree) throws Exception {
        Files.createDirectories(file.getParent());
        Files.writeString(file, JSON.writeValueAsString(tree) + "\n");
    }

    private static ObjectNode jaas(String line) throws Exception {
        ObjectNode node = JSON.createObjectNode().put("text", line);
        Class<?> type = Class.forName("org.apache.kafka.common.security.JaasConfig");
        Constructor<?> constructor = type.getDeclaredConstructor(String.class, String.class);
        constructor.setAccessible(true);
        try {
            Configuration configuration = (Configuration) constructor.newInstance("it", line);
            ArrayNode entries = node.putArray("entries");
            for (AppConfigurationEntry entry : configuration.getAppConfigurationEntry("it")) {
                ObjectNode one = entries.addObject().put("module", entry.getLoginModuleName());
                ObjectNode options = one.putObject("options");
                new TreeMap<String, Object>(entry.getOptions()).forEach((key, value) -> options.put(key, (String) value));
            }
        } catch (InvocationTargetException error) {
            node.put("error", error.getCause().getMessage());
        } catch (RuntimeException error) {
            node.put("error", String.valueOf(error.getMessage()));
        }
        return node;
    }

    private static ObjectNode clientFirst(String text) {
        ObjectNode node = JSON.createObjectNode().put("text", text);
        try {
            ScramMessages.ClientFirstMessage message = new ScramMessages.ClientFirstMessage(bytes(text));
            node.put("authzid", message.authorizationId());
            node.put("nonce", message.nonce());
            node.put("tokenauth", message.extensions().tokenAuthenticated());
            node.put("name", ScramFormatter.username(message.saslName()));
        } catch (Exception error) {
            node.put("error", true);
        }
        return node;
    }

    private static ObjectNode clientFinal(String text) {
        ObjectNode node = JSON.createObjectNode().put("text", text);
        try {
            ScramMessages.ClientFinalMessage message = new ScramMessages.ClientFinalMessage(bytes(text));
            node.put("nonce", message.nonce());
            node.put("proof", hex(message.proof()));
        } catch (Exception error) {
            node.put("error", true);
        }
        return node;
    }

    private static ObjectNode scram(ScramMechanism mechanism, String name, String password, String salt, int iterations)
            throws Exception {
        ScramFormatter formatter = new ScramFormatter(mechanism);
        byte[] saltBytes = java.util.Base64.getDecoder().decode(salt);
        byte[] salted = formatter.hi(ScramFormatter.normalize(password), saltBytes, iterations);
        byte[] serverKey = formatter.serverKey(salted);
        byte[] storedKey = formatter.storedKey(formatter.clientKey(salted));
        ScramCredential credential = new ScramCredential(saltBytes, storedKey, serverKey, iterations);
        ScramMessages.ClientFirstMessage first =
            new ScramMessages.ClientFirstMessage(ScramFormatter.saslName(name), "fyko+d2lbbFgONRv9qkxdawL", java.util.Map.of());
        ScramMessages.ServerFirstMessage challenge = new ScramMessages.ServerFirstMessage(
            first.nonce(), "3rfcNHYJY1ZVvWVs7j", credential.salt(), credential.iterations());
        ScramMessages.ClientFinalMessage last =
            new ScramMessages.ClientFinalMessage("n,,".getBytes(StandardCharsets.UTF_8), challenge.nonce());
        last.proof(formatter.clientProof(salted, first, challenge, last));
        byte[] signature = formatter.serverSignature(serverKey, first, challenge, last);
        ScramMessages.ServerFinalMessage end = new ScramMessages.ServerFinalMessage(null, signature);
        return JSON.createObjectNode()
            .put("mechanism", mechanism.mechanismName())
            .put("name", name)
            .put("password", password)
            .put("salt", hex(saltBytes))
            .put("iterations", iterations)
            .put("salted_password", hex(salted))
            .put("stored_key", hex(storedKey))
            .put("server_key", hex(serverKey))
            .put("client_nonce", first.nonce())
            .put("server_nonce", "3rfcNHYJY1ZVvWVs7j")
            .put("client_first", text(first.toBytes()))
            .put("server_first", text(challenge.toBytes()))
            .put("client_final", text(last.toBytes()))
            .put("server_final", text(end.toBytes()));
    }

    private static ObjectNode plain(String text) {
        ObjectNode node = JSON.createObjectNode().put("text", text);
        PlainSaslServer server = new PlainSaslServer(callbacks -> {
            String name = null;
            for (Callback callback : callbacks) {
                if (callback instanceof NameCallback asked) {
                    name = asked.getDefaultName();
                } else if (callback instanceof PlainAuthenticateCallback asked) {
                    String password = new String(asked.password());
                    boolean alice = "alice".equals(name) && "secret".equals(password);
                    asked.authenticated(alice || "\u00e9".equals(name) && "\u00fc".equals(password));
                }
            }
        });
        try {
            server.evaluateResponse(bytes(text));
            node.put("name", server.getAuthorizationID());
        } catch (Exception error) {
            node.put("error", error.getMessage());
        }
        return node;
    }

    private static ObjectNode bearer(String text) {
        ObjectNode node = JSON.createObjectNode().put("text", text);
        try {
            OAuthBearerClientInitialResponse response = new OAuthBearerClientInitialResponse(bytes(text));
            node.put("authzid", response.authorizationId());
            node.put("token", response.tokenValue());
            ObjectNode extensions = node.putObject("extensions");
            new TreeMap<>(response.extensions().map()).forEach(extensions::put);
        } catch (Exception error) {
            node.put("error", true);
        }
        return node;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }
}
