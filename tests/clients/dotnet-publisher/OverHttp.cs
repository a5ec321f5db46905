using System.Net.Http.Headers;
using System.Net.Mime;
using System.Text.Json.Nodes;
using CloudNative.CloudEvents;
using CloudNative.CloudEvents.Extensions;
using CloudNative.CloudEvents.Http;
using CloudNative.CloudEvents.SystemTextJson;

/// <summary>POST /events, with the CloudEvents SDK.</summary>
internal static class OverHttp
{
    private static readonly CloudEventAttribute Org = CloudEventAttribute.CreateExtension("org", CloudEventAttributeType.String);

    private static readonly CloudEventAttribute DataVersion =
        CloudEventAttribute.CreateExtension("dataversion", CloudEventAttributeType.Integer);

    public static async Task<JsonNode> Publish(JsonNode order, List<Event> events)
    {
        using var http = new HttpClient { BaseAddress = new Uri(order["url"]!.GetValue<string>()) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", order["token"]!.GetValue<string>());
        var (mode, formatter) = (order["mode"]!.GetValue<string>(), new JsonEventFormatter());
        var made = events.Select(Make).ToList();
        if (mode == "batch")
        {
            return new JsonArray(await Post(http, made.ToHttpContent(formatter)));
        }
        var answers = new JsonArray();
        foreach (var one in made)
        {
            var how = mode == "binary" ? ContentMode.Binary : ContentMode.Structured;
            answers.Add(await Post(http, one.ToHttpContent(how, formatter)));
        }
        return answers;
    }

    private static CloudEvent Make(Event one)
    {
        var made = new CloudEvent(CloudEventsSpecVersion.V1_0, [Org, DataVersion])
        {
            Id = one.Id,
            Source = new Uri(one.Source, UriKind.RelativeOrAbsolute),
            Type = one.Type,
            Time = one.Time,
            Subject = "what it is about – ü",
            DataContentType = one.Body == null ? MediaTypeNames.Application.Json : "application/avro",
            Data = one.Body ?? (object)one.Data,
        };
        made[Org] = one.Org;
        made[DataVersion] = one.Body == null ? 1 : null;
        made.SetPartitionKey(one.Org);
        return made;
    }

    private static async Task<JsonNode> Post(HttpClient http, HttpContent content)
    {
        using var answer = await http.PostAsync("/events", content);
        var text = await answer.Content.ReadAsStringAsync();
        return new JsonObject { ["status"] = (int)answer.StatusCode, ["answer"] = JsonNode.Parse(text) };
    }
}
