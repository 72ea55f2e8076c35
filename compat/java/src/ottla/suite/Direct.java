package ottla.suite;

import org.apache.kafka.common.message.SaslAuthenticateRequestData;
import org.apache.kafka.common.message.SaslHandshakeRequestData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.MetadataRequest;
import org.apache.kafka.common.requests.MetadataResponse;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.SaslAuthenticateRequest;
import org.apache.kafka.common.requests.SaslAuthenticateResponse;
import org.apache.kafka.common.requests.SaslHandshakeRequest;
import org.apache.kafka.common.test.JaasUtils;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** One question to one node: an Admin asks whichever it likes. */
final class Direct {
    private static final int ANSWER_LIMIT_MS = 10_000;
    private static final short METADATA_VERSION = 12;

    private Direct() { }

    /** What this node knows of all topics and brokers. */
    static MetadataResponse metadata(int port, boolean hasLogin) throws IOException {
        return (MetadataResponse) ask(port, hasLogin, MetadataRequest.Builder.allTopics().build(METADATA_VERSION));
    }

    /** Whether something listens there. */
    static boolean listens(int port) {
        try (Socket socket = new Socket("localhost", port)) {
            return socket.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    private static AbstractResponse ask(int port, boolean hasLogin, AbstractRequest request) throws IOException {
        try (Socket socket = new Socket("localhost", port)) {
            socket.setSoTimeout(ANSWER_LIMIT_MS);
            if (hasLogin) {
                logIn(socket);
            }
            return send(socket, request);
        }
    }

    private static void logIn(Socket socket) throws IOException {
        send(socket, new SaslHandshakeRequest(new SaslHandshakeRequestData().setMechanism("PLAIN"), (short) 1));
        String token = "\0" + JaasUtils.KAFKA_PLAIN_ADMIN + "\0" + JaasUtils.KAFKA_PLAIN_ADMIN_PASSWORD;
        SaslAuthenticateRequestData data = new SaslAuthenticateRequestData()
            .setAuthBytes(token.getBytes(StandardCharsets.UTF_8));
        SaslAuthenticateResponse said =
            (SaslAuthenticateResponse) send(socket, new SaslAuthenticateRequest.Builder(data).build((short) 2));
        if (said.data().errorCode() != 0) {
            throw new IOException("the login was refused: " + said.data().errorMessage());
        }
    }

    private static AbstractResponse send(Socket socket, AbstractRequest request) throws IOException {
        ApiKeys key = request.apiKey();
        RequestHeader header = new RequestHeader(key, request.version(), "ottla-suite", 1);
        ByteBuffer bytes = request.serializeWithHeader(header);
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        byte[] frame = new byte[Integer.BYTES + bytes.remaining()];
        ByteBuffer.wrap(frame).putInt(bytes.remaining()).put(bytes);
        out.write(frame);
        out.flush();
        DataInputStream in = new DataInputStream(socket.getInputStream());
        byte[] answer = new byte[in.readInt()];
        in.readFully(answer);
        return AbstractResponse.parseResponse(ByteBuffer.wrap(answer), header);
    }
}
