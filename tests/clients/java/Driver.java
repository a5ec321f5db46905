import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.microsoft.signalr.HttpHubConnectionBuilder;
import com.microsoft.signalr.HubConnection;
import com.microsoft.signalr.HubConnectionBuilder;
import com.microsoft.signalr.TransportEnum;
import io.reactivex.rxjava3.core.Single;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Drives the Java client: commands in, reports out, one JSON object a line.
 *
 * <p>The client has no automatic reconnect. As its documentation tells applications to, a tab whose connection closed
 * is started again until it is up.
 */
public final class Driver {
  private static final Gson GSON = new Gson();
  private static final PrintStream OUTPUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
  private static final long PAUSE_MILLIS = 100;

  private final Map<Integer, HubConnection> tabs = new ConcurrentHashMap<>();
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final HttpClient http = HttpClient.newHttpClient();

  public static void main(String[] arguments) throws Exception {
    Driver driver = new Driver();
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      JsonObject command = GSON.fromJson(line, JsonObject.class);
      driver.threads.execute(() -> driver.carryOut(command));
    }
    System.exit(0);
  }

  private void carryOut(JsonObject command) {
    JsonObject answer = new JsonObject();
    answer.add("call", command.get("call"));
    try {
      answer.add("value", GSON.toJsonTree(run(command)));
    } catch (Exception error) {
      answer.addProperty("error", String.valueOf(error.getMessage()));
    }
    report(answer);
  }

  private Object run(JsonObject command) {
    int tab = command.get("tab").getAsInt();
    switch (command.get("do").getAsString()) {
      case "connect":
        connect(tab, command);
        return null;
      case "invoke":
        return tabs.get(tab).invoke(Object.class, target(command), arguments(command)).blockingGet();
      case "tell":
        tabs.get(tab).invoke(target(command), arguments(command)).blockingAwait();
        return null;
      case "stream":
        return tabs.get(tab).stream(Object.class, target(command)).toList().blockingGet();
      default:
        tabs.remove(tab).stop().blockingAwait();
        return null;
    }
  }

  private static String target(JsonObject command) {
    return command.get("target").getAsString();
  }

  private static Object[] arguments(JsonObject command) {
    return GSON.fromJson(command.get("arguments"), Object[].class);
  }

  private void connect(int tab, JsonObject command) {
    boolean polls = command.get("transport").getAsString().equals("LongPolling");
    HttpHubConnectionBuilder builder =
        HubConnectionBuilder.create(command.get("url").getAsString())
            .withTransport(polls ? TransportEnum.LONG_POLLING : TransportEnum.WEBSOCKETS);
    if (command.has("token")) {
      String url = command.get("token").getAsString();
      builder.withAccessTokenProvider(Single.defer(() -> Single.just(fetch(url))));
    }
    HubConnection connection = builder.build();
    for (String target : List.of("toast", "Message")) {
      connection.on(target, argument -> received(tab, target, argument), Object.class);
    }
    tabs.put(tab, connection);
    connection.start().blockingAwait();
    event(tab, "opened");
    connection.onClosed(error -> threads.execute(() -> startAgain(tab, connection)));
  }

  private void startAgain(int tab, HubConnection connection) {
    while (tabs.get(tab) == connection) {
      try {
        connection.start().blockingAwait();
        event(tab, "opened");
        return;
      } catch (RuntimeException notYet) {
        pause();
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(PAUSE_MILLIS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private String fetch(String url) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(url)).build();
    return http.send(request, HttpResponse.BodyHandlers.ofString()).body();
  }

  private static void received(int tab, String target, Object argument) {
    JsonObject report = about(tab, "received");
    report.addProperty("target", target);
    report.add("arguments", GSON.toJsonTree(List.of(argument)));
    report(report);
  }

  private static void event(int tab, String name) {
    report(about(tab, name));
  }

  private static JsonObject about(int tab, String name) {
    JsonObject report = new JsonObject();
    report.addProperty("tab", tab);
    report.addProperty("event", name);
    return report;
  }

  private static synchronized void report(JsonObject report) {
    OUTPUT.println(GSON.toJson(report));
  }
}
