package ottla.suite;

import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestSource;
import org.junit.platform.engine.UniqueId;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.Map;

/**
 * Runs the classes and methods that the arguments name ({@code CLASS} or {@code CLASS#METHOD}) one after the other, and
 * writes a line a test: verdict, class, test, milliseconds, what it said; between tabs, line ends as {@code \n}.
 */
public final class Run implements TestExecutionListener {
    /** Longer than any wait of Kafka's tests. */
    private static final String TEST_LIMIT = "240 s";
    private static final String LIFECYCLE_LIMIT = "120 s";
    private static final int SAID_LINES = 14;

    private final PrintStream report;
    private final Map<UniqueId, Long> begun = new HashMap<>();

    private Run(PrintStream report) {
        this.report = report;
    }

    public static void main(String[] arguments) throws Exception {
        LauncherDiscoveryRequestBuilder request = LauncherDiscoveryRequestBuilder.request()
            .configurationParameter("junit.jupiter.extensions.autodetection.enabled", "true")
            .configurationParameter("junit.jupiter.execution.timeout.testable.method.default", TEST_LIMIT)
            .configurationParameter("junit.jupiter.execution.timeout.lifecycle.method.default", LIFECYCLE_LIMIT);
        for (String argument : arguments) {
            request.selectors(argument.contains("#")
                ? DiscoverySelectors.selectMethod(argument.substring(0, argument.indexOf('#') + 1) + method(argument))
                : DiscoverySelectors.selectClass(argument));
        }
        LauncherDiscoveryRequest built = request.build();
        try (PrintStream out = new PrintStream(Files.newOutputStream(Settings.report()), true, StandardCharsets.UTF_8)) {
            LauncherFactory.create().execute(built, new Run(out));
        }
        // Threads that a test left behind must not keep the process.
        System.exit(0);
    }

    /** A method by its name alone, whatever its parameters are. */
    private static String method(String argument) throws ClassNotFoundException {
        String name = argument.substring(argument.indexOf('#') + 1);
        for (Class<?> type = Class.forName(argument.substring(0, argument.indexOf('#'))); type != null;
                type = type.getSuperclass()) {
            for (var method : type.getDeclaredMethods()) {
                if (method.getName().equals(name) && !method.isSynthetic()) {
                    StringBuilder types = new StringBuilder();
                    for (Class<?> parameter : method.getParameterTypes()) {
                        types.append(types.isEmpty() ? "" : ", ").append(parameter.getName());
                    }
                    return name + "(" + types + ")";
                }
            }
        }
        throw new IllegalArgumentException("there is no " + argument);
    }

    @Override
    public void executionStarted(TestIdentifier test) {
        begun.put(test.getUniqueIdObject(), System.nanoTime());
        if (test.isTest() || isClass(test)) {
            Verdict.begin();
        }
        if (test.isTest()) {
            System.out.println("=== " + className(test) + "#" + name(test) + " " + test.getDisplayName());
        }
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        write("skipped", test, 0, "disabled: " + reason);
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        Long begin = begun.remove(test.getUniqueIdObject());
        long millis = begin == null ? 0 : (System.nanoTime() - begin) / 1_000_000;
        boolean succeeded = result.getStatus() == TestExecutionResult.Status.SUCCESSFUL;
        if (!test.isTest() && succeeded) {
            return;
        }
        String against = Verdict.reason();
        if (against != null) {
            write("skipped", test, millis, against);
        } else if (succeeded) {
            write("passed", test, millis, "");
        } else {
            Throwable thrown = result.getThrowable().orElseGet(() -> new AssertionError("no reason given"));
            StringWriter text = new StringWriter();
            thrown.printStackTrace(new PrintWriter(text));
            System.out.println(text);
            boolean aborted = result.getStatus() == TestExecutionResult.Status.ABORTED;
            if (aborted) {
                write("skipped", test, millis, "assumption: " + thrown.getMessage());
            } else if (Verdict.excuse() != null) {
                write("skipped", test, millis, Verdict.excuse());
            } else {
                write("failed", test, millis, firstLines(text.toString()));
            }
        }
    }

    private static String firstLines(String text) {
        StringBuilder kept = new StringBuilder();
        text.lines()
            .filter(line -> !line.contains("at org.junit.") && !line.contains("at java.base/"))
            .limit(SAID_LINES)
            .forEach(line -> kept.append(line).append('\n'));
        return kept.toString().strip();
    }

    private void write(String verdict, TestIdentifier test, long millis, String said) {
        String flat = said.replace("\\", "/").replace("\t", " ").replace("\r", "").replace("\n", "\\n");
        report.println(String.join("\t", verdict, className(test), name(test), Long.toString(millis), flat));
    }

    private static boolean isClass(TestIdentifier test) {
        return test.getSource().filter(source -> source instanceof ClassSource).isPresent();
    }

    private static String className(TestIdentifier test) {
        TestSource source = test.getSource().orElse(null);
        if (source instanceof MethodSource method) {
            return method.getClassName();
        }
        return source instanceof ClassSource type ? type.getClassName() : test.getUniqueId();
    }

    /** The method, and which of its runs when it has several; {@code (class)} when it failed before its first test. */
    private static String name(TestIdentifier test) {
        if (!(test.getSource().orElse(null) instanceof MethodSource method)) {
            return "(class)";
        }
        UniqueId.Segment last = test.getUniqueIdObject().getLastSegment();
        boolean isRun = last.getType().endsWith("-invocation");
        return method.getMethodName() + (isRun ? "[" + last.getValue().replace("#", "") + "]" : "");
    }
}
