using System.Globalization;
using System.Text.Json.Nodes;
using Avro;
using Avro.Generic;
using Avro.IO;

/// <summary>Single-object encoding with Apache.Avro, which has its parts: a mark, the schema's fingerprint, the record.</summary>
internal static class SingleObject
{
    public static byte[] Encode(string text, JsonNode data)
    {
        var schema = (RecordSchema)Schema.Parse(text);
        using var body = new MemoryStream();
        body.Write([0xC3, 0x01]);
        // CRC-64-AVRO, the lowest byte first.
        body.Write(BitConverter.GetBytes(SchemaNormalization.ParsingFingerprint64(schema)));
        new GenericDatumWriter<GenericRecord>(schema).Write(Record(schema, data), new BinaryEncoder(body));
        return body.ToArray();
    }

    private static GenericRecord Record(RecordSchema schema, JsonNode data)
    {
        var record = new GenericRecord(schema);
        foreach (var field in schema.Fields)
        {
            record.Add(field.Name, Value(field.Schema, data[field.Name]));
        }
        return record;
    }

    private static object? Value(Schema schema, JsonNode? value) => (schema, value) switch
    {
        (UnionSchema, null) => null,
        (UnionSchema union, _) => Value(union.Schemas.First(one => one.Tag != Schema.Type.Null), value),
        (RecordSchema record, _) => Record(record, value!),
        (EnumSchema symbols, _) => new GenericEnum(symbols, Text(value)),
        (ArraySchema list, _) => value!.AsArray().Select(item => Value(list.ItemSchema, item)).ToArray(),
        (MapSchema map, _) => value!.AsObject().ToDictionary(entry => entry.Key, entry => Value(map.ValueSchema, entry.Value)!),
        (LogicalSchema logical, _) => Logical(logical, Text(value)),
        (_, null) => "",
        _ => Plain(schema, value),
    };

    private static object Plain(Schema schema, JsonNode value) => schema.Tag switch
    {
        Schema.Type.Boolean => value.GetValue<bool>(),
        Schema.Type.Int => value.GetValue<int>(),
        Schema.Type.Long => value.GetValue<long>(),
        Schema.Type.Double => value.GetValue<double>(),
        Schema.Type.Bytes => Convert.FromBase64String(Text(value)),
        _ => Text(value),
    };

    /// <summary>What .NET has types of its own for.</summary>
    private static object Logical(LogicalSchema schema, string text) => schema.LogicalTypeName switch
    {
        "decimal" => new AvroDecimal(decimal.Parse(text, CultureInfo.InvariantCulture)),
        "uuid" => Guid.Parse(text),
        "time-millis" or "time-micros" => TimeSpan.Parse(text, CultureInfo.InvariantCulture),
        _ => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal).UtcDateTime,
    };

    private static string Text(JsonNode? value) => value!.GetValue<string>();
}
