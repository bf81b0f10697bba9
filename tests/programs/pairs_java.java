import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import com.sun.net.httpserver.HttpServer;

/** A suite as people write it: servers and clients that agree on port numbers. Pairs NAME: its own servers' answer. */
class Pairs {
    static final int ROUNDS = 50;
    static String name;

    interface Body {
        void run() throws Exception;
    }

    static void serve(Body body) {
        Thread thread = new Thread(() -> {
            try {
                while (true)
                    body.run();
            } catch (ClosedChannelException | SocketException end) {
                // the test is over
            } catch (Exception e) {
                e.printStackTrace();
                System.exit(1);
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    static void same(Object expected, Object actual) {
        if (!expected.equals(actual))
            throw new AssertionError("expected " + expected + ", got " + actual);
    }

    static void testSocket() throws Exception {
        try (ServerSocket server = new ServerSocket(9000)) {
            serve(() -> {
                try (Socket connection = server.accept()) {
                    new PrintStream(connection.getOutputStream()).println(name + " " + connection.getLocalPort());
                }
            });
            for (String host : new String[] {"localhost", "127.0.0.1", "::1"})
                for (int i = 0; i < ROUNDS; i++)
                    try (Socket client = new Socket(host, 9000)) {
                        same(9000, client.getPort());
                        same(name + " 9000",
                             new BufferedReader(new InputStreamReader(client.getInputStream())).readLine());
                    }
        }
    }

    static void testDatagramSocket() throws Exception {
        try (DatagramSocket server = new DatagramSocket(9000); DatagramSocket client = new DatagramSocket()) {
            serve(() -> {
                DatagramPacket packet = new DatagramPacket(new byte[100], 100);
                server.receive(packet);
                packet.setData(name.getBytes());
                server.send(packet);
            });
            client.setSoTimeout(20000);
            for (int i = 0; i < ROUNDS; i++) {
                client.send(new DatagramPacket(new byte[1], 1, InetAddress.getLoopbackAddress(), 9000));
                DatagramPacket answer = new DatagramPacket(new byte[100], 100);
                client.receive(answer);
                same(9000, answer.getPort());
                same(name, new String(answer.getData(), 0, answer.getLength()));
            }
        }
    }

    static void testChannels() throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(9001));
            same(9001, ((InetSocketAddress) server.getLocalAddress()).getPort());
            serve(() -> {
                try (SocketChannel connection = server.accept()) {
                    connection.write(ByteBuffer.wrap(name.getBytes()));
                }
            });
            for (int i = 0; i < ROUNDS; i++)
                try (SocketChannel client = SocketChannel.open(new InetSocketAddress("127.0.0.1", 9001))) {
                    ByteBuffer heard = ByteBuffer.allocate(100);
                    while (client.read(heard) >= 0) {
                    }
                    same(name, new String(heard.array(), 0, heard.position()));
                }
        }
    }

    static void testHttp() throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("localhost", 9002), 0);
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, name.length());
            exchange.getResponseBody().write(name.getBytes());
            exchange.close();
        });
        server.start();
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://localhost:9002/")).build();
        for (int i = 0; i < ROUNDS; i++)
            same(name, client.send(request, HttpResponse.BodyHandlers.ofString()).body());
        server.stop(0);
    }

    public static void main(String[] arguments) throws Exception {
        name = arguments[0];
        testSocket();
        testDatagramSocket();
        testChannels();
        testHttp();
        System.out.println("passed");
    }
}
