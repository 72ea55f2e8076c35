import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The hand of `cargo compat eos`: one program, its part told by the first line (compat/README.md has the lines). */
public final class Eos {
    private static final BufferedReader COMMANDS = new BufferedReader(new InputStreamReader(System.in));
    private static final CountDownLatch LEAVE = new CountDownLatch(1);

    private Eos() { }

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        try (Look look = new Look(bootstrap)) {
            for (String line = COMMANDS.readLine(); line != null; line = COMMANDS.readLine()) {
                String[] words = line.split(" ");
                try {
                    switch (words[0]) {
                        case "quit":
                            return;
                        case "feed":
                            leaveAtNextLine();
                            Feed.run(bootstrap, words[1], Integer.parseInt(words[2]), words[3],
                                Integer.parseInt(words[4]));
                            say("left");
                            return;
                        case "copy":
                            leaveAtNextLine();
                            new Copier(bootstrap, words[1], words[2], words[3], words[4], Long.parseLong(words[5]))
                                .run();
                            say("left");
                            return;
                        case "count-words":
                            leaveAtNextLine();
                            WordCount.run(bootstrap, words[1], words[2], words[3], words[4],
                                Integer.parseInt(words[5]), words[6]);
                            say("left");
                            return;
                        default:
                            look.perform(words);
                            say("ok");
                    }
                } catch (Exception e) {
                    say("error " + oneLine(e));
                }
            }
        }
    }

    /** The next line of the input, or its end, asks for the end of what runs. */
    private static void leaveAtNextLine() {
        Thread listener = new Thread(() -> {
            try {
                COMMANDS.readLine();
            } catch (Exception e) {
                say("note " + oneLine(e));
            }
            LEAVE.countDown();
        });
        listener.setDaemon(true);
        listener.start();
    }

    static boolean isToldToLeave() {
        return LEAVE.getCount() == 0;
    }

    /** Waits for the word to leave; false when it has not come in time. */
    static boolean awaitLeave(long ms) throws InterruptedException {
        return LEAVE.await(ms, TimeUnit.MILLISECONDS);
    }

    static String oneLine(Throwable e) {
        return String.valueOf(e).replace('\n', ' ');
    }

    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
