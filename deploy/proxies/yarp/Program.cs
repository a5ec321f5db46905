// YARP in front of Fanfare: the hubs alone. docs/proxies.md says what each rule is for.

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddReverseProxy().LoadFromConfig(builder.Configuration.GetSection("ReverseProxy"))
    // .NET's client asks a GET again by itself if a connection that it has used before ends without an answer: none is kept.
    .ConfigureHttpClient((_, handler) => handler.PooledConnectionLifetime = TimeSpan.Zero);
// A token of a user with 200 groups has 11 KB, in the request's line or in a header; the default allows a line of 8 KB.
builder.WebHost.ConfigureKestrel(options =>
{
    options.Limits.MaxRequestLineSize = 64 * 1024;
    options.Limits.MaxRequestHeadersTotalSize = 64 * 1024;
});
// Open WebSockets are waited for as long as a tab needs to be told to come back.
builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(20));

var app = builder.Build();
app.MapReverseProxy();
app.Run();
