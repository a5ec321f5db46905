// Publishes one event: dotnet run Publish.cs -- [TITLE [ID]]
#:property PublishAot=false
using System.Text;
using System.Text.Json.Nodes;

var title = args.ElementAtOrDefault(0) ?? "Hello";
var data = new JsonObject { ["org"] = "acme", ["severity"] = "info", ["title"] = title, ["message"] = "from C#" };
var cloudEvent = new JsonObject {
    ["specversion"] = "1.0", ["id"] = args.ElementAtOrDefault(1) ?? Guid.NewGuid().ToString(),
    ["source"] = "/examples/csharp", ["type"] = "system.Alert", ["data"] = data,
};
using var http = new HttpClient { BaseAddress = new Uri(Environment.GetEnvironmentVariable("FANFARE_URL")!), Timeout = TimeSpan.FromSeconds(10) };
http.DefaultRequestHeaders.Authorization = new("Bearer", Environment.GetEnvironmentVariable("FANFARE_TOKEN"));
for (var attempt = 0; ; attempt++) {
    var told = "no answer"; // it may be stored or not, and the same id again is safe
    try {
        using var body = new StringContent(cloudEvent.ToJsonString(), Encoding.UTF8, "application/cloudevents+json");
        using var answer = await http.PostAsync("/events", body);
        told = await answer.Content.ReadAsStringAsync();
        if ((int)answer.StatusCode == 202) { Console.WriteLine(told); return 0; }
        if ((int)answer.StatusCode is not (408 or 429 or 503 or 504)) attempt = 5;
    } catch (Exception error) when (error is HttpRequestException or TaskCanceledException) { told = error.Message; }
    if (attempt >= 5) { Console.Error.WriteLine(told); return 1; }
    await Task.Delay(1000 << attempt);
}
