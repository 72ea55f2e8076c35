import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The lines between a run and a program (compat/README.md): one that says what to do, the next asks to leave. */
final class Hand {
    private static final PrintStream OUT = System.out;
    private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in));
    private static final CountDownLatch LEAVE = new CountDownLatch(1);

    private Hand() { }

    /** The words of the first line; the framework's own prints go elsewhere from now on. */
    static String[] listen() throws Exception {
        System.setOut(System.err);
        String[] words = IN.readLine().split(" ");
        Thread listener = new Thread(() -> {
            try {
                IN.readLine();
            } catch (Exception e) {
                note(e);
            }
            LEAVE.countDown();
        });
        listener.setDaemon(true);
        listener.start();
        return words;
    }

    /** Waits for the word to leave; false when it has not come in time. */
    static boolean awaitLeave(long ms) throws InterruptedException {
        return LEAVE.await(ms, TimeUnit.MILLISECONDS);
    }

    static void note(Throwable e) {
        say("note " + String.valueOf(e).replace('\n', ' '));
    }

    static synchronized void say(String line) {
        OUT.println(line);
        OUT.flush();
    }
}
