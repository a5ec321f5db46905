using MessagePack;

/// <summary>What the demo's hub sends, bound to classes as an application binds it.</summary>
[MessagePackObject]
public sealed class Toast
{
    [Key("id")] public string Id { get; set; } = "";
    [Key("cursor")] public string Cursor { get; set; } = "";
    [Key("severity")] public string Severity { get; set; } = "";
    [Key("title")] public string Title { get; set; } = "";
    [Key("message")] public string Message { get; set; } = "";
    [Key("link")] public string? Link { get; set; }
    [Key("at")] public DateTime At { get; set; }
}

[MessagePackObject]
public sealed class FeatureFlag
{
    [Key("id")] public string Id { get; set; } = "";
    [Key("cursor")] public string Cursor { get; set; } = "";
    [Key("flag")] public string Flag { get; set; } = "";
    [Key("enabled")] public bool Enabled { get; set; }
    [Key("removed")] public bool? Removed { get; set; }
    [Key("at")] public DateTime At { get; set; }
}

[MessagePackObject]
public sealed class Logout
{
    [Key("id")] public string Id { get; set; } = "";
    [Key("cursor")] public string Cursor { get; set; } = "";
    [Key("reason")] public string Reason { get; set; } = "";
    [Key("at")] public DateTime At { get; set; }
}

[MessagePackObject]
public sealed class Resumed
{
    [Key("replayed")] public int Replayed { get; set; }
    [Key("complete")] public bool Complete { get; set; }
    [Key("more")] public bool More { get; set; }
    [Key("cursor")] public string Cursor { get; set; } = "";
}
