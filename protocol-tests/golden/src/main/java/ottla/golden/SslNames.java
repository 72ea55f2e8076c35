package ottla.golden;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;

import javax.security.auth.x500.X500Principal;

import org.apache.kafka.common.security.ssl.SslPrincipalMapper;

/**
 * Writes what Java makes of distinguished names and what Kafka's SslPrincipalMapper makes of those:
 * mvn -f protocol-tests/golden compile exec:java -Dexec.mainClass=ottla.golden.SslNames
 *     -Dexec.args=broker/security/src/tls/golden
 */
public final class SslNames {
    private static final byte[][] TYPES = {
        {0x55, 4, 3}, {0x55, 4, 6}, {0x55, 4, 7}, {0x55, 4, 8}, {0x55, 4, 9}, {0x55, 4, 10}, {0x55, 4, 11},
        {9, (byte) 0x92, 0x26, (byte) 0x89, (byte) 0x93, (byte) 0xf2, 0x2c, 0x64, 1, 1},
        {9, (byte) 0x92, 0x26, (byte) 0x89, (byte) 0x93, (byte) 0xf2, 0x2c, 0x64, 1, 25},
        // E-mail, serialNumber, title, surname, dnQualifier, an arbitrary one.
        {0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 0x0d, 1, 9, 1},
        {0x55, 4, 5}, {0x55, 4, 12}, {0x55, 4, 4}, {0x55, 4, 46}, {(byte) 0x88, 0x37, 3},
    };
    private static final int[] TAGS = {0x0c, 0x0c, 0x0c, 0x13, 0x16, 0x14, 0x1b};
    private static final String[] WORDS = {
        "kafka", "Ottla Ltd", " leading", "trailing ", "a,b", "a+b", "a=b", "#hash", "in#side", "q\"q", "b\\s", "<t>",
        "s;c", "double  space", " ", "", "x\u0000y", "tab\there", "line\nend", "cr\r", "O'Neil (1)", "50%", "a/b:c?", "*",
    };
    private static final String[] WIDE = {"Zürich", "東京", "naïve ", "Ω≈ç", "emoji \uD83D\uDE00"};

    private SslNames() {
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        Random random = new Random(20261130);
        List<String> names = new ArrayList<>();
        names.add("# DER of a name, and the UTF-8 of X500Principal.getName(). Written by SslNames.java.");
        List<String> spoken = new ArrayList<>();
        for (int index = 0; index < 300; index++) {
            byte[] der = name(random);
            String name = new X500Principal(der).getName();
            names.add(HexFormat.of().formatHex(der) + " "
                + HexFormat.of().formatHex(name.getBytes(StandardCharsets.UTF_8)));
            if (name.chars().noneMatch(c -> c < ' ') && index % 10 == 0) {
                spoken.add(name);
            }
        }
        Files.write(folder.resolve("names.txt"), names);
        Files.write(folder.resolve("rules.txt"), rules(spoken));
    }

    private static List<String> rules(List<String> names) {
        List<String> all = new ArrayList<>(List.of(
            "CN=Duke,OU=ServiceUsers,O=Org,C=US", "CN=duke,OU=SME,O=mycp,L=Fulton,ST=MD,C=US",
            "cn=kafka1,ou=SME", "OU=JavaSoft,O=Sun Microsystems,C=US", "CN=a\\,b,O=x", "CN=Zoë,C=NL", ""));
        all.addAll(names);
        String[] rules = {
            "DEFAULT", "", " DEFAULT ", "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/", "RULE:^CN=(.*?),.*$/$1/L",
            "RULE:^CN=(.*?),.*$/$1/U, DEFAULT", "RULE:.*/x/", "RULE:.*/x/L,DEFAULT", "RULE:^.*$/a$b/",
            "RULE:CN=(.*?),OU=(.*?),O=(.*?)$/$1@$2@$3/", "RULE:CN=(.*?),.*/$1@$4/", "RULE:CN=(.*?),.*/$12/",
            "RULE:CN=(.*?),.*/$4$5/", "RULE:CN=(.*?),.*/\\$1/", "RULE:CN=(.*?),.*/$0/", "RULE:CN=(.*)/$1$1/",
            "RULE:^(?<name>CN=[^,]*).*$/${name}!/", "RULE:^[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L",
            "RULE:^CN=([^,ADEFLTU,]+)(,.*|$)/$1/", "RULE:^CN=(.*?),(.*)$/$2 $1/, RULE:.*/other/U",
            "RULE:(CN|OU)=([^,]*),?(.*)/$1.$2/", "RULE:()/e/", "RULE:(.)*/[$1]/", "RULE:CN=(.*?),O=x/$1/,DEFAULT",
            "RULE:^CN=(.*?),.*$/$1\\/host/", "RULE:.*,ST=.*/st/,RULE:.*OU=.*/ou/", "RULE:x*.*/-/",
            "RULE:(a)|.*/<$1>/", "RULE:.*/$1/", "RULE:.*/$/", "RULE:.*/tail\\\\/", "RULE:CN=(.*)/$99999999999/",
            // Refused.
            "default", "DEFAUL", "DEFAULT/L", "DEFAULT/", "RULE:CN=(.*?),OU=ServiceUsers.*/$1/L/U",
            "RULE:CN=(.*?),OU=ServiceUsers.*/L", "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/X", "RULE:a",
            "RULE:^CN=(.*?),OU=ServiceUsers(.*?)/$1/LU", "RULE:a/b", "RULES:a/b/", "RULE:[/b/", "DEFAULT RULE:a/b/",
        };
        List<String> lines = new ArrayList<>();
        lines.add("# Rules, a name, and what SslPrincipalMapper says: name, none or refused. Written by SslNames.java.");
        for (String rule : rules) {
            for (String name : all) {
                String verdict;
                try {
                    SslPrincipalMapper mapper = SslPrincipalMapper.fromRules(rule);
                    try {
                        verdict = "name\t" + mapper.getName(name);
                    } catch (Exception none) {
                        verdict = "none\t";
                    }
                } catch (IllegalArgumentException refused) {
                    verdict = "refused\t";
                }
                lines.add(rule + "\t" + name + "\t" + verdict);
                if (verdict.startsWith("refused")) {
                    break;
                }
            }
        }
        return lines;
    }

    private static byte[] name(Random random) {
        ByteArrayOutputStream parts = new ByteArrayOutputStream();
        int count = 1 + random.nextInt(4);
        for (int part = 0; part < count; part++) {
            ByteArrayOutputStream attributes = new ByteArrayOutputStream();
            int width = random.nextInt(6) == 0 ? 2 : 1;
            for (int attribute = 0; attribute < width; attribute++) {
                byte[] type = TYPES[random.nextInt(random.nextInt(3) == 0 ? TYPES.length : 9)];
                int tag = TAGS[random.nextInt(TAGS.length)];
                String[] words = tag == 0x0c && random.nextInt(3) == 0 ? WIDE : WORDS;
                String word = words[random.nextInt(words.length)];
                byte[] value = element(tag, word.getBytes(StandardCharsets.UTF_8));
                byte[] kind = element(0x06, type);
                attributes.writeBytes(element(0x30, joined(kind, value)));
            }
            parts.writeBytes(element(0x31, attributes.toByteArray()));
        }
        return element(0x30, parts.toByteArray());
    }

    private static byte[] joined(byte[] one, byte[] other) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(one);
        out.writeBytes(other);
        return out.toByteArray();
    }

    private static byte[] element(int tag, byte[] content) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(tag);
        if (content.length > 127) {
            out.write(0x82);
            out.write(content.length >> 8);
        }
        out.write(content.length);
        out.writeBytes(content);
        return out.toByteArray();
    }
}
