package dev.ottla.lab;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Locale;
import java.util.Properties;
import java.util.zip.GZIPInputStream;

/** The program: what OTTLA_BINARY names, else that of the artifact of this platform, unpacked once. Never fetched. */
final class Binary {
    private Binary() {}

    static String version() {
        return properties("/dev/ottla/lab/version.properties").getProperty("version");
    }

    private static Properties properties(String resource) {
        Properties properties = new Properties();
        try (InputStream input = Binary.class.getResourceAsStream(resource)) {
            if (input == null) {
                return null;
            }
            properties.load(input);
        } catch (IOException cause) {
            throw new UncheckedIOException(cause);
        }
        return properties;
    }

    static String platform() {
        String architecture = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        return (system.startsWith("linux") ? "linux" : system.replaceAll("[^a-z].*", ""))
                + "-" + (architecture.equals("x86_64") ? "amd64" : architecture.equals("aarch64") ? "arm64" : architecture);
    }

    static Path path() {
        String named = System.getenv("OTTLA_BINARY");
        if (named != null && !named.isEmpty()) {
            Path path = Path.of(named).toAbsolutePath();
            if (Files.isRegularFile(path) && Files.isExecutable(path)) {
                return path;
            }
            throw new LabException.BinaryMissing("OTTLA_BINARY is \"" + named + "\", and that is no program");
        }
        String folder = "/ottla-binaries/" + platform();
        Properties facts = properties(folder + "/binary.properties");
        if (facts == null) {
            throw new LabException.BinaryMissing("the program is not on the class path: add dev.ottla:ottla-binaries-"
                    + platform() + ":" + version() + " (scope test), or let OTTLA_BINARY name a program");
        }
        if (!version().equals(facts.getProperty("version"))) {
            throw new LabException.VersionMismatch("ottla-binaries-" + platform() + " is version " + facts.getProperty("version")
                    + ", and ottla-lab " + version() + ": take both of one version (the ottla-bom does)");
        }
        try {
            return unpack(folder + "/ottla.gz", facts.getProperty("sha256"));
        } catch (IOException cause) {
            throw new UncheckedIOException("the program can't be unpacked", cause);
        }
    }

    /** Under the name of its checksum, in the user's cache. Several JVMs may do so at once: each renames a whole file. */
    private static Path unpack(String resource, String sha256) throws IOException {
        String cache = System.getenv("XDG_CACHE_HOME");
        Path base = cache == null || cache.isEmpty() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(cache);
        Path folder = Files.createDirectories(base.resolve("ottla").resolve(version() + "-" + sha256.substring(0, 16)));
        Path path = folder.resolve("ottla");
        if (Files.isRegularFile(path) && sha256.equals(digest(Files.newInputStream(path), OutputStream.nullOutputStream()))) {
            return path;
        }
        Path fresh = Files.createTempFile(folder, "unpacking-", "");
        try {
            String found;
            try (OutputStream output = Files.newOutputStream(fresh)) {
                found = digest(new GZIPInputStream(Binary.class.getResourceAsStream(resource), 1 << 16), output);
            }
            if (!sha256.equals(found)) {
                throw new IOException("the artifact is damaged: the checksum of the program is " + found + ", and not " + sha256);
            }
            Files.setPosixFilePermissions(fresh, PosixFilePermissions.fromString("rwxr-xr-x"));
            Files.move(fresh, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(fresh);
        }
        return path;
    }

    private static String digest(InputStream input, OutputStream output) throws IOException {
        MessageDigest sha;
        try {
            sha = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
        try (DigestInputStream through = new DigestInputStream(input, sha)) {
            through.transferTo(output);
        }
        StringBuilder hex = new StringBuilder();
        for (byte one : sha.digest()) {
            hex.append(String.format("%02x", one));
        }
        return hex.toString();
    }
}
