// YARP in front of Fanfare: the hubs alone. docs/proxies.md says what each rule is for.

using System.Text;
using Yarp.ReverseProxy.LoadBalancing;
using Yarp.ReverseProxy.Model;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddReverseProxy().LoadFromConfig(builder.Configuration.GetSection("ReverseProxy"));
builder.Services.AddSingleton<ILoadBalancingPolicy, ById>();
// Open WebSockets are waited for as long as a tab needs to be told to come back.
builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(20));

var app = builder.Build();
app.MapReverseProxy();
app.Run();

/// <summary>
/// Event streams and polls are many requests with one id: of all nodes, the one whose name hashes highest with it. So a node
/// that comes or goes moves its own ids alone. WebSockets and negotiations go to either of two, where fewer requests are.
/// </summary>
internal sealed class ById : ILoadBalancingPolicy
{
    public string Name => "ById";

    public DestinationState? PickDestination(HttpContext context, ClusterState cluster, IReadOnlyList<DestinationState> available)
    {
        if (available.Count == 0)
        {
            return null;
        }
        string? id = context.Request.Query["id"];
        if (string.IsNullOrEmpty(id) || context.WebSockets.IsWebSocketRequest)
        {
            var one = available[Random.Shared.Next(available.Count)];
            var other = available[Random.Shared.Next(available.Count)];
            return one.ConcurrentRequestCount <= other.ConcurrentRequestCount ? one : other;
        }
        return available.MaxBy(node => Weight(node.DestinationId, id));
    }

    private static ulong Weight(string node, string id)
    {
        // FNV-1a: the same on every proxy, which string.GetHashCode is not.
        ulong hash = 14695981039346656037;
        foreach (var one in Encoding.UTF8.GetBytes(node + "\n" + id))
        {
            hash = (hash ^ one) * 1099511628211;
        }
        return hash ^ (hash >> 29);
    }
}
