package ottla.suite;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** One process of a cluster with its configuration, its data and its ports, which stay the same when it starts again. */
abstract class Node {
    private static final long STOP_LIMIT_S = 60;
    private static final int LAST_LINES = 25;
    private static final int FIRST_PORT = 21_000;
    private static final int PORT_COUNT = 1_000;
    /** JVMs side by side begin at different places. */
    private static final int PORTS_BEGIN = (int) (ProcessHandle.current().pid() * 97 % PORT_COUNT);
    private static final AtomicInteger PORTS_GIVEN = new AtomicInteger();

    final Path dir;
    final Map<String, String> properties;
    private Process process;
    private boolean stopped = true;

    Node(Path dir, Map<String, String> properties) {
        this.dir = dir;
        this.properties = properties;
    }

    /** The command that runs the broker with the properties in {@code file}. */
    abstract List<String> command(Path file) throws Exception;

    /** Returns when the node takes requests. */
    abstract void awaitReady() throws Exception;

    /** Starts the process and does not wait: the nodes of a cluster wait for each other. */
    final void launch() throws Exception {
        if (isRunning()) {
            return;
        }
        Path file = dir.resolve("server.properties");
        Properties text = new Properties();
        text.putAll(properties);
        try (OutputStream out = Files.newOutputStream(file)) {
            text.store(out, null);
        }
        ProcessBuilder builder = new ProcessBuilder(new ArrayList<>(command(file)))
            .directory(dir.toFile())
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()));
        builder.environment().putAll(environment());
        process = builder.start();
        stopped = false;
    }

    /** Variables beyond those of this JVM. */
    Map<String, String> environment() {
        return Map.of();
    }

    final boolean isRunning() {
        return process != null && process.isAlive();
    }

    final boolean wasStarted() {
        return process != null;
    }

    /** Whether it ended though nobody asked it to. */
    final boolean endedByItself() {
        return !stopped && !isRunning();
    }

    /** SIGTERM and the wait for a clean end. */
    final void stop() {
        stopped = true;
        if (!isRunning()) {
            return;
        }
        process.destroy();
        try {
            if (!process.waitFor(STOP_LIMIT_S, TimeUnit.SECONDS)) {
                kill();
                throw new IllegalStateException("the node ignored SIGTERM for " + STOP_LIMIT_S + " s\n" + lastOutput());
            }
        } catch (InterruptedException e) {
            kill();
            Thread.currentThread().interrupt();
        }
    }

    /** At the end of a test, when nobody needs its data any more. */
    final void kill() {
        stopped = true;
        if (process == null) {
            return;
        }
        process.destroyForcibly();
        // Not left by an interrupt: its directory is removed next.
        boolean interrupted = false;
        while (process.isAlive()) {
            try {
                process.waitFor();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** How long a start may take on a loaded machine; the failure quotes what the broker said. */
    final void waitUntil(long limitMs, Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(limitMs);
        while (!condition.holds()) {
            if (!isRunning()) {
                throw new IllegalStateException("the node ended before it was ready\n" + lastOutput());
            }
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("the node was not ready after " + limitMs + " ms\n" + lastOutput());
            }
            Thread.sleep(5);
        }
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    final Path log() {
        return dir.resolve("broker.log");
    }

    final String lastOutput() {
        try {
            List<String> lines = Files.readAllLines(log());
            return String.join("\n", lines.subList(Math.max(0, lines.size() - LAST_LINES), lines.size()));
        } catch (IOException e) {
            return "(its output cannot be read: " + e + ")";
        }
    }

    /**
     * A port that was free a moment ago. Not one of those that the system gives to outgoing connections: a node that is
     * down for a while has to find its port free.
     */
    static int freePort() {
        for (int attempt = 0; attempt < PORT_COUNT; attempt++) {
            int port = FIRST_PORT + (PORTS_BEGIN + PORTS_GIVEN.getAndIncrement()) % PORT_COUNT;
            try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getByName("localhost"))) {
                return socket.getLocalPort();
            } catch (BindException e) {
                // The next one.
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        throw new IllegalStateException("no port from " + FIRST_PORT + " on is free");
    }

    static String javaBinary() {
        return System.getProperty("java.home") + File.separator + "bin" + File.separator + "java";
    }
}
