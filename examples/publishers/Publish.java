// Publishes one event: Publish.java [TITLE [ID]]
import java.io.IOException;
import java.net.URI;
import java.net.http.*;
import java.time.Duration;
import java.util.*;

class Publish {
    public static void main(String[] args) throws Exception {
        String title = args.length > 0 ? args[0] : "Hello", id = args.length > 1 ? args[1] : UUID.randomUUID().toString();
        String data = "{\"org\": \"acme\", \"severity\": \"info\", \"title\": \"" + title + "\", \"message\": \"from Java\"}";
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("FANFARE_URL") + "/events"))
            .timeout(Duration.ofSeconds(10)).header("Authorization", "Bearer " + System.getenv("FANFARE_TOKEN"))
            .header("Content-Type", "application/json").header("ce-specversion", "1.0").header("ce-id", id)
            .header("ce-source", "/examples/java").header("ce-type", "system.Alert")
            .POST(HttpRequest.BodyPublishers.ofString(data)).build();
        for (int attempt = 0; ; attempt++) {
            String told = "no answer"; // it may be stored or not, and the same id again is safe
            try {
                var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
                if (answer.statusCode() == 202) { System.out.println(answer.body()); return; }
                told = answer.statusCode() + ": " + answer.body();
                if (!Set.of(408, 429, 503, 504).contains(answer.statusCode())) attempt = 5;
            } catch (IOException error) { told = error.toString(); }
            if (attempt >= 5) { System.err.println(told); System.exit(1); }
            Thread.sleep(1000L << attempt);
        }
    }
}
