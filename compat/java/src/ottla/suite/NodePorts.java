package ottla.suite;

import java.util.Map;
import java.util.TreeMap;

/** The ports of one node, a listener each: chosen before its first start, so that it comes back where it was. */
final class NodePorts {
    private final Map<String, Integer> byListener = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);

    int of(String listener) {
        return byListener.computeIfAbsent(listener, name -> Node.freePort());
    }

    /** The value of {@code listeners}, with the ports in the place of those that are given. */
    String in(String listeners) {
        StringBuilder text = new StringBuilder();
        for (String listener : listeners.split(",")) {
            String name = listener.strip().substring(0, listener.strip().indexOf(':'));
            text.append(text.isEmpty() ? "" : ",").append(listener, 0, listener.lastIndexOf(':') + 1).append(of(name));
        }
        return text.toString();
    }
}
