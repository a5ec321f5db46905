// Publishes as .NET services do: an order on stdin, what was answered on stdout, both JSON.
//
//     { "to": "http", "mode": "binary", "url": "...", "token": "...", "events": [...] }
//     { "to": "nats", "url": "...", "events": [...] }
//
// An event has the attributes of CloudEvents and `data`; with `schema`, the path of its file, the data is Avro.

using System.Text.Json.Nodes;

var order = JsonNode.Parse(Console.In.ReadToEnd())!;
var events = order["events"]!.AsArray().Select(one => new Event(one!.AsObject())).ToList();
JsonNode answer = order["to"]!.GetValue<string>() switch
{
    "http" => await OverHttp.Publish(order, events),
    "nats" => await ToNats.Publish(order, events),
    var other => throw new ArgumentException($"`to` is http or nats, and not {other}"),
};
Console.WriteLine(answer.ToJsonString());

/// <summary>What is to be published.</summary>
internal sealed class Event(JsonObject given)
{
    public string Id => Text("id")!;
    public string Source => Text("source")!;
    public string Type => Text("type")!;
    public string Subject => Text("on")!;
    public string? Org => Text("org");
    public DateTimeOffset Time { get; } = DateTimeOffset.UtcNow;
    public JsonNode Data => given["data"]!;
    public byte[]? Body => Text("schema") is { } path ? SingleObject.Encode(File.ReadAllText(path), Data) : null;

    private string? Text(string name) => given[name]?.GetValue<string>();
}
