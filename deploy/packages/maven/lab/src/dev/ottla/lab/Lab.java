package dev.ottla.lab;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A real Kafka for tests: starts in milliseconds, breaks on purpose, and is thrown away. Any client works; it gets
 * {@link #bootstrapServers()} and nothing else. The lab is its main cluster; it ends with {@link #close()}, or with this
 * JVM, however that ends.
 */
public final class Lab extends Cluster {
    private final Process process;
    private final Tail wrote;
    private final String address;
    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).proxy(HttpClient.Builder.NO_PROXY).build();

    private Lab(Process process, Tail wrote, Map<?, ?> ready) {
        super("main", (String) ready.get("bootstrap"), (Long) ready.get("seed"));
        this.process = process;
        this.wrote = wrote;
        this.address = (String) ready.get("lab");
    }

    @Override
    Lab lab() {
        return this;
    }

    public static Lab start() {
        return builder().start();
    }

    public static Builder builder() {
        return new Builder();
    }

    /** The version of this library and of the program that it takes. */
    public static String version() {
        return Binary.version();
    }

    /** Of the control API. */
    public String address() {
        return address;
    }

    public long pid() {
        return process.pid();
    }

    /** Makes a cluster with a port of its own, in the words of the control API: topics, configs, faults, seed, ttl. */
    public Cluster cluster(Map<String, ?> settings) {
        Map<String, Object> made = ask("POST", "/clusters", Map.of(), settings, Duration.ZERO);
        Lab lab = this;
        return new Cluster((String) made.get("id"), (String) made.get("bootstrap"), (Long) made.get("seed")) {
            @Override
            Lab lab() {
                return lab;
            }
        };
    }

    /** Makes a cluster with these topics: "orders", "orders:6". */
    public Cluster cluster(String... topics) {
        return cluster(Map.of("topics", List.of(topics)));
    }

    /** The names of all clusters. */
    public List<String> clusters() {
        List<String> names = new ArrayList<>();
        list(ask("GET", "/clusters", Map.of(), null, Duration.ZERO).get("clusters")).forEach(one -> names.add((String) one.get("id")));
        return names;
    }

    /** Ends the lab; nothing of it is left when this returns. */
    @Override
    public void close() {
        end(process);
    }

    private static void end(Process process) {
        try {
            // It ends when its standard input does.
            process.getOutputStream().close();
        } catch (IOException gone) {
            // It has ended already.
        }
        boolean wasInterrupted = Thread.interrupted();
        try {
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException interrupted) {
            process.destroyForcibly();
            wasInterrupted = true;
        }
        if (wasInterrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @SuppressWarnings("unchecked")
    Map<String, Object> ask(String method, String path, Map<String, ?> words, Object body, Duration patience) {
        StringBuilder target = new StringBuilder(address + path);
        char before = '?';
        for (Map.Entry<String, ?> word : words.entrySet()) {
            target.append(before).append(word.getKey()).append('=').append(escape(String.valueOf(word.getValue())));
            before = '&';
        }
        HttpRequest.BodyPublisher data = body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(Json.write(body));
        HttpRequest request = HttpRequest.newBuilder(URI.create(target.toString()))
                .timeout(patience.plusSeconds(30)).method(method, data).build();
        HttpResponse<String> answer;
        try {
            answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException cause) {
            throw ended(cause);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new LabException("interrupted while the lab was asked", interrupted);
        }
        Map<String, Object> told;
        try {
            told = (Map<String, Object>) Json.read(answer.body());
        } catch (IllegalArgumentException | ClassCastException none) {
            throw new LabException("the lab answered " + answer.statusCode() + ": " + answer.body(), none);
        }
        if (answer.statusCode() < 400) {
            return told;
        }
        throw refused(answer.statusCode(), told, words);
    }

    private static LabException refused(int status, Map<String, Object> told, Map<String, ?> words) {
        Map<?, ?> error = (Map<?, ?>) told.getOrDefault("error", Map.of());
        String field = String.valueOf(error.containsKey("field") ? error.get("field") : "");
        String message = String.valueOf(error.get("message"));
        if (status == 408) {
            Object nearest = told.get("nearest");
            return new LabException.WaitTimeout(field, nearest == null ? message : message + "; nearest: " + Json.write(nearest));
        }
        if (status == 409 && "hit".equals(words.get("expect"))) {
            return new LabException.NeverActed(message);
        }
        return new LabException.Refused(status, field, message);
    }

    private LabException ended(IOException cause) {
        try {
            if (process.waitFor(1, TimeUnit.SECONDS)) {
                String how = "the lab at " + address + " has ended with " + process.exitValue();
                return new LabException.Ended(how + wrote, cause);
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        return new LabException("the lab at " + address + " does not answer: " + cause.getMessage(), cause);
    }

    /** Keeps the end of what a program writes. */
    private static final class Tail extends Thread {
        private final InputStream input;
        private final StringBuilder text = new StringBuilder();

        Tail(InputStream input) {
            super("ottla-lab-errors");
            this.input = input;
            setDaemon(true);
            start();
        }

        @Override
        public void run() {
            byte[] bytes = new byte[4096];
            try {
                for (int count = input.read(bytes); count >= 0; count = input.read(bytes)) {
                    synchronized (text) {
                        text.append(new String(bytes, 0, count, StandardCharsets.UTF_8));
                        text.delete(0, Math.max(0, text.length() - 4000));
                    }
                }
            } catch (IOException ended) {
                // There is nothing more to keep.
            }
        }

        /** All of it, of a program that has ended. */
        String whole() {
            try {
                join(1000);
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
            return toString();
        }

        @Override
        public String toString() {
            synchronized (text) {
                String trimmed = text.toString().trim();
                return trimmed.isEmpty() ? ", and wrote nothing" : ", and wrote:\n" + trimmed;
            }
        }
    }

    /** What a lab is to be like. */
    public static final class Builder {
        private final List<String> words = new ArrayList<>();
        private final Map<String, Integer> topics = new LinkedHashMap<>();
        private Path binary;
        private Duration startTimeout = Duration.ofSeconds(20);

        private Builder word(String... more) {
            words.addAll(List.of(more));
            return this;
        }

        /** Ids and draws follow from it. */
        public Builder seed(long seed) {
            return word("--seed", Long.toString(seed));
        }

        /** A topic of the main cluster. */
        public Builder topic(String name, int partitions) {
            topics.put(name, partitions);
            return this;
        }

        /** A key of the main cluster's broker. */
        public Builder config(String key, Object value) {
            return word("--override", key + "=" + value);
        }

        /** A lab.toml. */
        public Builder configFile(Path path) {
            return word("--config", path.toString());
        }

        /** The lab ends by itself after this time. */
        public Builder ttl(Duration ttl) {
            return word("--ttl", text(ttl));
        }

        /** Another program than the one of the artifact of this platform. */
        public Builder binary(Path binary) {
            this.binary = binary;
            return this;
        }

        public Builder startTimeout(Duration startTimeout) {
            this.startTimeout = startTimeout;
            return this;
        }

        public Lab start() {
            List<String> command = new ArrayList<>(List.of((binary == null ? Binary.path() : binary).toString(), "lab", "--exit-with-parent"));
            command.addAll(words);
            Process process;
            try {
                // Its standard input is a pipe to this JVM alone, so that the lab ends when the JVM does.
                process = new ProcessBuilder(command).start();
            } catch (IOException cause) {
                throw new LabException.NotStarted(command.get(0) + " can't be started: " + cause.getMessage(), cause);
            }
            Lab lab = null;
            try {
                Tail wrote = new Tail(process.getErrorStream());
                lab = new Lab(process, wrote, ready(process, wrote, String.join(" ", command)));
                lab.checkVersion(command.get(0));
                topics.forEach(lab::createTopic);
                return lab;
            } catch (RuntimeException failed) {
                end(process);
                throw failed;
            }
        }

        private Map<?, ?> ready(Process process, Tail wrote, String called) {
            CompletableFuture<String> line = new CompletableFuture<>();
            Thread reader = new Thread(() -> {
                try {
                    BufferedReader output = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
                    line.complete(output.readLine());
                    while (output.readLine() != null) {
                        // Nobody needs the rest, and nobody may wait for room.
                    }
                } catch (IOException ended) {
                    line.complete(null);
                }
            }, "ottla-lab-output");
            reader.setDaemon(true);
            reader.start();
            String said;
            try {
                said = line.get(startTimeout.toMillis(), TimeUnit.MILLISECONDS);
                if (said == null && process.waitFor(5, TimeUnit.SECONDS)) {
                    throw new LabException.NotStarted(called + " ended with " + process.exitValue() + wrote.whole(), null);
                }
            } catch (TimeoutException late) {
                process.destroyForcibly();
                throw new LabException.NotStarted(called + " said nothing for " + startTimeout.toMillis() + " ms" + wrote, late);
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
                throw new LabException.NotStarted("interrupted while the lab started", interrupted);
            } catch (ExecutionException impossible) {
                throw new LabException.NotStarted(called, impossible);
            }
            try {
                return (Map<?, ?>) Json.read(String.valueOf(said));
            } catch (IllegalArgumentException | ClassCastException none) {
                process.destroyForcibly();
                throw new LabException.NotStarted(called + " is no lab: it said \"" + said + "\"" + wrote, none);
            }
        }
    }

    private void checkVersion(String program) {
        Map<?, ?> info = (Map<?, ?>) ask("GET", "/openapi.json", Map.of(), null, Duration.ZERO).get("info");
        if (!version().equals(info.get("version"))) {
            throw new LabException.VersionMismatch(program + " is version " + info.get("version") + ", and ottla-lab " + version()
                    + ": take both of one version (the ottla-bom does), or let OTTLA_BINARY name the right program");
        }
    }
}
