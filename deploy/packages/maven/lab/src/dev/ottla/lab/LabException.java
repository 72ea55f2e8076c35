package dev.ottla.lab;

/** Anything that goes wrong with a lab. */
public class LabException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public LabException(String message) {
        super(message);
    }

    public LabException(String message, Throwable cause) {
        super(message, cause);
    }

    /** The program is nowhere; the message says which artifact brings it. */
    public static class BinaryMissing extends LabException {
        private static final long serialVersionUID = 1L;

        BinaryMissing(String message) {
            super(message);
        }
    }

    /** The program ended or said nothing; the message holds what it wrote. */
    public static class NotStarted extends LabException {
        private static final long serialVersionUID = 1L;

        NotStarted(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** The lab is not there any more; the message holds how it ended. */
    public static class Ended extends LabException {
        private static final long serialVersionUID = 1L;

        Ended(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** The program is of another version than this library. */
    public static class VersionMismatch extends LabException {
        private static final long serialVersionUID = 1L;

        VersionMismatch(String message) {
            super(message);
        }
    }

    /** The lab refused. */
    public static class Refused extends LabException {
        private static final long serialVersionUID = 1L;
        private final int status;
        private final String field;

        Refused(int status, String field, String message) {
            super(field.isEmpty() ? message : field + ": " + message);
            this.status = status;
            this.field = field;
        }

        /** That of HTTP. */
        public int status() {
            return status;
        }

        /** The word that is wrong, or empty. */
        public String field() {
            return field;
        }
    }

    /** What was waited for did not come in time. */
    public static class WaitTimeout extends Refused {
        private static final long serialVersionUID = 1L;

        WaitTimeout(String field, String message) {
            super(408, field, message);
        }
    }

    /** A rule did nothing: a test that passes without its fault proves nothing. */
    public static class NeverActed extends Refused {
        private static final long serialVersionUID = 1L;

        NeverActed(String message) {
            super(409, "", message);
        }
    }
}
