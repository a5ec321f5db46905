// Drives the .NET client: commands in, reports out, one JSON object a line.

using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;

var tabs = new ConcurrentDictionary<int, Tab>();
while (Console.ReadLine() is { } line)
{
    var command = JsonNode.Parse(line)!;
    _ = Task.Run(() => CarryOut(command));
}

async Task CarryOut(JsonNode command)
{
    var answer = new JsonObject { ["call"] = command["call"]!.DeepClone() };
    try
    {
        answer["value"] = JsonSerializer.SerializeToNode(await Run(command), Report.Options);
    }
    catch (Exception error)
    {
        answer["error"] = error.Message;
    }
    Report.Write(answer);
}

async Task<object?> Run(JsonNode command)
{
    var number = command["tab"]!.GetValue<int>();
    if (command["do"]!.GetValue<string>() == "connect")
    {
        var tab = new Tab(number, command);
        tabs[number] = tab;
        await tab.Start();
        return null;
    }
    return await tabs[number].Run(command);
}

/// <summary>One connection.</summary>
internal sealed class Tab
{
    private static readonly HttpClient Tokens = new();
    private readonly int number;
    private readonly HubConnection connection;

    public Tab(int number, JsonNode command)
    {
        this.number = number;
        var token = command["token"]?.GetValue<string>();
        var builder = new HubConnectionBuilder().WithUrl(command["url"]!.GetValue<string>(), options =>
        {
            options.Transports = Enum.Parse<HttpTransportType>(command["transport"]!.GetValue<string>());
            if (token != null)
            {
                options.AccessTokenProvider = async () => await Tokens.GetStringAsync(token);
            }
        });
        builder.WithAutomaticReconnect(new Patient());
        if (command["protocol"]!.GetValue<string>() == "messagepack")
        {
            builder.AddMessagePackProtocol();
        }
        if (command["stateful"]?.GetValue<bool>() == true)
        {
            builder.WithStatefulReconnect();
        }
        connection = builder.Build();
        Hear<Toast>("toast");
        Hear<FeatureFlag>("featureFlag");
        Hear<Logout>("logout");
        Hear<string>("Message");
        connection.Reconnected += _ => Tell("opened");
        connection.Closed += error => Tell("closed", error?.Message);
#if RENEWS
        connection.AuthenticationRefreshed += _ => Tell("refreshed");
        connection.AuthenticationRefreshFailed += context => Tell("refreshFailed", context.Exception?.Message);
#endif
    }

    public async Task Start()
    {
        await connection.StartAsync();
        await Tell("opened");
    }

    public async Task<object?> Run(JsonNode command)
    {
        var target = command["target"]?.GetValue<string>() ?? "";
        var arguments = command["arguments"]?.AsArray().Select(Plain).ToArray() ?? [];
        switch (command["do"]!.GetValue<string>())
        {
            case "invoke" when target == "Resume":
                return await connection.InvokeCoreAsync<Resumed>(target, arguments);
            case "invoke":
                return await connection.InvokeCoreAsync<string?>(target, arguments);
            case "many":
                var count = command["count"]!.GetValue<int>();
                var calls = Enumerable.Range(0, count).Select(_ => connection.InvokeCoreAsync<string>(target, arguments));
                return (await Task.WhenAll(calls)).Length;
            case "typed":
                var there = new DateTimeOffset(2026, 1, 2, 5, 4, 5, 678, TimeSpan.FromHours(2));
                object sum = command["number"]!.GetValue<string>() == "decimal" ? 12.50m : double.NaN;
                var id = Guid.Parse("067E6162-3B6F-4AE2-A171-2470B63DFF00");
                object[] values = [there.UtcDateTime, there, sum, 7L, id, new byte[] { 1, 2, 255 }];
                return await connection.InvokeCoreAsync<string?>("Typed", values);
            case "tell":
                await connection.InvokeCoreAsync(target, arguments);
                return null;
            case "stream":
                var items = new List<string>();
                await foreach (var item in connection.StreamAsyncCore<string>(target, arguments))
                {
                    items.Add(item);
                }
                return items;
#if RENEWS
            case "refresh":
                return (await connection.RefreshAuthenticationAsync())?.TotalSeconds;
#endif
            case "id":
                return connection.ConnectionId;
            default:
                await connection.DisposeAsync();
                return null;
        }
    }

    private static object? Plain(JsonNode? value) => value?.GetValueKind() switch
    {
        null or JsonValueKind.Null => null,
        JsonValueKind.String => value.GetValue<string>(),
        JsonValueKind.Number => value.GetValue<double>(),
        _ => value.GetValue<bool>(),
    };

    private void Hear<T>(string target) => connection.On<T>(target, argument =>
    {
        var report = About("received");
        report["target"] = target;
        report["arguments"] = new JsonArray(JsonSerializer.SerializeToNode(argument, Report.Options));
        Report.Write(report);
    });

    private Task Tell(string name, string? error = null)
    {
        var report = About(name);
        if (error != null)
        {
            report["error"] = error;
        }
        Report.Write(report);
        return Task.CompletedTask;
    }

    private JsonObject About(string name) => new() { ["tab"] = number, ["event"] = name };
}

/// <summary>Comes back as soon as it can, for ever.</summary>
internal sealed class Patient : IRetryPolicy
{
    public TimeSpan? NextRetryDelay(RetryContext retryContext) => TimeSpan.FromMilliseconds(100);
}

internal static class Report
{
    public static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);

    public static void Write(JsonObject report)
    {
        lock (Options)
        {
            Console.WriteLine(report.ToJsonString());
        }
    }
}
