import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.ottla.lab.Cluster;
import dev.ottla.lab.Lab;
import dev.ottla.lab.LabException;
import dev.ottla.lab.junit5.OttlaTest;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The artifacts: how a lab begins and ends, and what is said when it can't. */
class PackageTest {
    @TempDir
    Path folder;

    /** The process that a lab is started by. */
    public static final class Parent {
        public static void main(String[] arguments) throws Exception {
            System.out.println(Lab.start().pid());
            System.in.read();
        }
    }

    private static boolean ends(long pid, Duration patience) throws Exception {
        long until = System.nanoTime() + patience.toNanos();
        do {
            Path stat = Path.of("/proc/" + pid + "/stat");
            if (!Files.exists(stat) || Files.readString(stat).contains(") Z ")) {
                return true;
            }
            Thread.sleep(10);
        } while (System.nanoTime() < until);
        return false;
    }

    private Path script(String text) throws Exception {
        Path path = folder.resolve("program");
        Files.writeString(path, "#!/bin/sh\necho $$ > " + folder + "/pid; " + text + "\n");
        return Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    @Test
    void aLabEndsWhenItIsClosedAndSaysSoAfterwards() throws Exception {
        Lab lab = Lab.builder().seed(7).topic("orders", 3).start();
        lab.produce("orders", List.of(Map.of("value", new byte[] {-1}, "partition", 2)));
        Cluster.Record record = lab.records("orders").get(0);
        assertEquals(List.of(7L, 2, (byte) -1), List.of(lab.seed(), record.partition(), record.value()[0]));
        lab.close();
        assertTrue(ends(lab.pid(), Duration.ofMillis(100)));
        assertThrows(LabException.Ended.class, lab::clusters);
    }

    @Test
    void aLabEndsWithTheJvmThatStartedIt() throws Exception {
        for (boolean kills : new boolean[] {true, false}) {
            String java = ProcessHandle.current().info().command().orElseThrow();
            Process parent = new ProcessBuilder(java, "-cp", System.getProperty("java.class.path"), Parent.class.getName())
                    .redirectError(ProcessBuilder.Redirect.INHERIT).start();
            long pid = Long.parseLong(new BufferedReader(new InputStreamReader(parent.getInputStream())).readLine());
            assertFalse(ends(pid, Duration.ofMillis(50)));
            if (kills) {
                parent.destroyForcibly();
            } else {
                parent.getOutputStream().close();
            }
            assertTrue(parent.waitFor(10, TimeUnit.SECONDS));
            assertTrue(ends(pid, Duration.ofSeconds(10)));
        }
    }

    @Test
    void aLabEndsWhenItsTimeIsOver() throws Exception {
        Lab lab = Lab.builder().ttl(Duration.ofMillis(100)).start();
        assertTrue(ends(lab.pid(), Duration.ofSeconds(10)));
        var told = assertThrows(LabException.Ended.class, lab::clusters);
        assertTrue(told.getMessage().contains("has ended with 0"), told::getMessage);
    }

    @Test
    void aProgramThatIsNoLabIsSaidAndEnds() throws Exception {
        Map<String, String> cases = Map.of(
                "echo no room >&2; exit 3", "ended with 3, and wrote:\nno room",
                "echo hello; exec sleep 60", "is no lab: it said \"hello\"",
                "exec sleep 60", "said nothing for 300 ms, and wrote nothing");
        for (var one : cases.entrySet()) {
            var builder = Lab.builder().binary(script(one.getKey()));
            if (one.getKey().startsWith("exec")) {
                builder.startTimeout(Duration.ofMillis(300));
            }
            var told = assertThrows(LabException.NotStarted.class, builder::start);
            assertTrue(told.getMessage().contains(one.getValue()), told::getMessage);
            assertTrue(ends(Long.parseLong(Files.readString(folder.resolve("pid")).trim()), Duration.ofSeconds(1)));
        }
    }

    @Test
    void aLabOfAnotherVersionIsRefusedAndEnds() throws Exception {
        var other = com.sun.net.httpserver.HttpServer.create(new java.net.InetSocketAddress("127.0.0.1", 0), 0);
        other.createContext("/", exchange -> {
            byte[] body = "{\"info\":{\"version\":\"9.9.9\"}}".getBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        other.start();
        String ready = "{\"bootstrap\":\"\",\"seed\":1,\"lab\":\"http://127.0.0.1:" + other.getAddress().getPort() + "\"}";
        var builder = Lab.builder().binary(script("echo '" + ready + "'; cat"));
        var told = assertThrows(LabException.VersionMismatch.class, builder::start);
        other.stop(0);
        assertTrue(told.getMessage().contains("is version 9.9.9, and ottla-lab " + Lab.version()), told::getMessage);
        assertTrue(ends(Long.parseLong(Files.readString(folder.resolve("pid")).trim()), Duration.ofMillis(100)));
    }

    @OttlaTest
    void aWordThatIsWrongIsNamedAndARuleThatDoesNothingIsTold(Cluster cluster, Lab lab) {
        assertTrue(lab.clusters().contains(cluster.id()));
        var told = assertThrows(LabException.Refused.class, () -> cluster.fault(Map.of("api", "Produce", "eror", "X")));
        assertEquals("eror", told.field());
        String fault = cluster.fault(Map.of("api", "Fetch", "error", "OFFSET_OUT_OF_RANGE"));
        assertThrows(LabException.NeverActed.class, cluster::checkFaults);
        assertThrows(LabException.NeverActed.class, () -> cluster.removeFault(fault));
        Map<String, String> produce = Map.of("api", "Produce");
        assertThrows(LabException.WaitTimeout.class, () -> cluster.awaitRequests(produce, 1, Duration.ofMillis(50)));
    }
}
