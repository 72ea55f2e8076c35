package ottla.suite;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What `cargo compat java` says to this JVM, as system properties. */
public final class Settings {
    private Settings() { }

    static boolean againstKafka() {
        return "kafka".equals(get("against"));
    }

    /** Whether one broker and one controller are one process, also where a test asks for them apart: it takes less time. */
    public static boolean together() {
        return Boolean.getBoolean("ottla.suite.together");
    }

    static String ottlaBinary() {
        return get("binary");
    }

    /** This class path without our own classes, which stand in front. */
    static String kafkaClassPath() {
        String own = System.getProperty("java.class.path");
        return own.substring(own.indexOf(java.io.File.pathSeparator) + 1);
    }

    static String logConfiguration() {
        return get("log");
    }

    /** Where the report goes, a line a test. */
    static Path report() {
        return Path.of(get("report"));
    }

    /** Apart from what else a test writes: a directory for the processes of one cluster. */
    static Path clusterDir() throws IOException {
        return Files.createTempDirectory(Path.of(get("dir")), "cluster");
    }

    private static String get(String name) {
        String value = System.getProperty("ottla.suite." + name);
        if (value == null) {
            throw new IllegalStateException("-Dottla.suite." + name + " is not given");
        }
        return value;
    }
}
