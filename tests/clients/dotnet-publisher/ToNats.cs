using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using CloudNative.CloudEvents;
using CloudNative.CloudEvents.SystemTextJson;
using NATS.Client.Core;
using NATS.Client.JetStream;
using NATS.Client.JetStream.Models;
using NATS.Net;

/// <summary>Straight to the server, with NATS.Net: an Avro body in binary mode, and JSON in structured mode.</summary>
internal static class ToNats
{
    public static async Task<JsonNode> Publish(JsonNode order, List<Event> events)
    {
        await using var client = new NatsClient(order["url"]!.GetValue<string>());
        var jetStream = client.CreateJetStreamContext();
        var answers = new JsonArray();
        foreach (var one in events)
        {
            var (headers, body) = one.Body is { } avro ? (Binary(one), avro) : Structured(one);
            var stored = await jetStream.PublishAsync(one.Subject, body, headers: headers);
            answers.Add(Told(stored));
        }
        return answers;
    }

    private static NatsHeaders Binary(Event one) => new()
    {
        ["ce-specversion"] = "1.0",
        ["ce-id"] = one.Id,
        ["ce-source"] = one.Source,
        ["ce-type"] = one.Type,
        ["ce-time"] = one.Time.ToString("O", CultureInfo.InvariantCulture),
        ["Nats-Msg-Id"] = one.Id,
    };

    private static (NatsHeaders, byte[]) Structured(Event one)
    {
        var made = new CloudEvent { Id = one.Id, Source = new Uri(one.Source, UriKind.Relative), Type = one.Type, Data = one.Data };
        made.DataContentType = "application/json";
        var body = new JsonEventFormatter().EncodeStructuredModeMessage(made, out var type);
        return (new NatsHeaders { ["content-type"] = type.ToString() }, body.ToArray());
    }

    /// <summary>EnsureSuccess() would take what is stored already for a failure.</summary>
    private static JsonObject Told(PubAckResponse stored) =>
        new() { ["stream"] = stored.Stream, ["duplicate"] = stored.Duplicate, ["error"] = stored.Error?.Description };
}
