package ottla.suite;

/**
 * Why the running test can be told neither passed nor failed. The first reason stays, even when the test catches what is
 * thrown here: {@link Run} looks at it when the test has ended.
 */
public final class Verdict {
    /** What a row of the ledger waits for, in the ledger's words. */
    public static final String TLS = "TLS";
    public static final String JAVA_CLASS = "a Java class in the broker's configuration";

    private static volatile String reason;
    private static volatile String excuse;

    private Verdict() { }

    /** An error, since Kafka's loops that wait for something try again after every exception. */
    public static final class Aborted extends Error {
        private static final long serialVersionUID = 1L;

        Aborted(String text) {
            super(text);
        }
    }

    static void begin() {
        reason = null;
        excuse = null;
    }

    /** Null while nothing stands against the test. */
    static String reason() {
        return reason;
    }

    /** Why a failure of the test says nothing; null while there is no such reason. */
    static String excuse() {
        return excuse;
    }

    /** What was done for the test is not wholly what it asked for: it may pass, and if it does not, it is skipped. */
    public static synchronized void unlessPassed(String what) {
        if (excuse == null) {
            excuse = "inside: " + what;
        }
    }

    /** The test asks for an object inside of a broker that runs in the test's own JVM. */
    public static Aborted inside(String what) {
        return abort("inside: " + what);
    }

    /** The broker under test lacks what the test needs. */
    public static Aborted waits(String what) {
        return abort("waits: " + what);
    }

    private static synchronized Aborted abort(String text) {
        if (reason == null) {
            reason = text;
        }
        return new Aborted(text);
    }
}
