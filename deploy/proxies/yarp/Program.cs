// YARP in front of Fanfare: the hubs alone. docs/proxies.md says what each rule is for.

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddReverseProxy().LoadFromConfig(builder.Configuration.GetSection("ReverseProxy"));
// Open WebSockets are waited for as long as a tab needs to be told to come back.
builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(20));

var app = builder.Build();
app.MapReverseProxy();
app.Run();
