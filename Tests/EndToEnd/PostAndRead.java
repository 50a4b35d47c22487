import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/**
 * Posts a detection and reads the list of detections, as {@code java PostAndRead.java URL NODE
 * OBSERVER BODY}; prints status and version of each answer, and the list.
 */
final class PostAndRead {
    public static void main(String[] arguments) throws Exception {
        var url = arguments[0] + "/v1/detections";
        // By default it asks for HTTP/2 by an upgrade when it speaks plaintext.
        var client = HttpClient.newHttpClient();
        var post = HttpRequest.newBuilder(URI.create(url))
            .header("Authorization", "Bearer " + arguments[1])
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(arguments[3]))
            .build();
        var posted = client.send(post, HttpResponse.BodyHandlers.ofString());
        System.out.println(posted.statusCode() + " " + posted.version());
        var get = HttpRequest.newBuilder(URI.create(url))
            .header("Authorization", "Bearer " + arguments[2])
            .build();
        var read = client.send(get, HttpResponse.BodyHandlers.ofString());
        System.out.println(read.statusCode() + " " + read.version());
        System.out.println(read.body());
    }
}
