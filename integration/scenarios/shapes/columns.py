"""columns: one table with every common column type, what goes in, and how a value is spelled alike wherever it was read: by SELECT,
from a topic of either profile, or from silver. SELECT gives text (HEX where a driver could meddle), so that no client library decides."""
import datetime
import decimal
import json
import struct

EPOCH = datetime.datetime(1970, 1, 1)
MICRO = datetime.timedelta(microseconds=1)


class Column:
    """values: SQL literals, one a row; kind: how it is spelled; sql: how to SELECT it, where the kind does not say."""

    def __init__(self, name, ddl, kind, *values, fsp=0, sql=None):
        self.name, self.ddl, self.kind, self.values, self.fsp, self.sql = name, ddl, kind, values, fsp, sql


def text(s):
    return "'" + s.replace("\\", "\\\\").replace("'", "''") + "'"


def _integers():
    for word, bits in (("TINYINT", 8), ("SMALLINT", 16), ("MEDIUMINT", 24), ("INT", 32), ("BIGINT", 64)):
        half = 1 << (bits - 1)
        yield Column(f"i{bits}", word, "int", str(-half), str(half - 1), "-1")
        # BIGINT UNSIGNED above 2^63-1 needs events.bigint_unsigned=decimal: a column and a test of its own
        yield Column(f"u{bits}", f"{word} UNSIGNED", "int", "0", str(2 * half - 1 if bits < 64 else half - 1), str(half - 1))


def _texts():
    latin, cyrillic, japanese = text("café “€” ÿ"), text("Привет, ёж №5"), text("日本語ｶﾅ表")
    for charset, what in (("utf8mb4", text("a😀é")), ("utf8mb3", text("naïve €")), ("latin1", latin), ("cp1251", cyrillic),
                          ("koi8r", text("Привет ёж")), ("sjis", japanese), ("cp932", text("①日本～")), ("ujis", text("日本語")),
                          ("eucjpms", text("日本①")), ("gbk", text("汉字龍")), ("big5", text("漢字")), ("euckr", text("한국어")),
                          ("ucs2", text("é日")), ("utf16", text("é😀日")), ("utf16le", text("é😀日")), ("utf32", text("é😀")),
                          ("latin2", text("Łódź")), ("latin5", text("İğ")), ("latin7", text("Ąž")), ("greek", text("Ωμέγα")),
                          ("hebrew", text("שלום")), ("tis620", text("ไทย")), ("cp1250", text("Łódź€")), ("cp1256", text("سلام")),
                          ("cp1257", text("Ąž€")), ("cp850", text("é½")), ("cp852", text("Łó")), ("cp866", text("Ёж")),
                          ("macroman", text("é≠")), ("ascii", text("plain ~"))):
        yield Column(f"t_{charset}", f"VARCHAR(40) CHARACTER SET {charset}", "text", what, "''", text("x y"))
    for charset, what in (("latin1", latin), ("sjis", japanese), ("utf16", text("é😀日")), ("cp1251", cyrillic)):
        yield Column(f"c_{charset}", f"CHAR(20) CHARACTER SET {charset}", "text", what, "''", text("end  "))
        yield Column(f"x_{charset}", f"TEXT CHARACTER SET {charset}", "text", what, f"REPEAT({what}, 40)", "''")


def columns(source):
    """The columns for a server; the table's key is id."""
    out = [
        *_integers(),
        Column("flag", "BOOLEAN", "int", "TRUE", "FALSE", "TRUE"),
        Column("d_small", "DECIMAL(5,2)", "decimal", "-999.99", "999.99", "0.01"),
        Column("d_big", "DECIMAL(65,30)", "decimal", "-99999999999999999999999999999999999.999999999999999999999999999999",
               "99999999999999999999999999999999999.999999999999999999999999999999", "-0.000000000000000000000000000001"),
        Column("d_whole", "DECIMAL(38,0)", "decimal", "-12345678901234567890123456789012345678", "0", "7"),
        Column("f", "FLOAT", "float", "-3.402823e38", "1.5e-38", "0.1"),
        Column("dbl", "DOUBLE", "float", "-1.7976931348623157e308", "2.2250738585072014e-308", "0.1"),
        Column("bit1", "BIT(1)", "bit", "b'1'", "b'0'", "b'1'"),
        Column("bit10", "BIT(10)", "bit", "b'1000000001'", "b'0'", "b'1111111111'"),
        Column("bit64", "BIT(64)", "bit", "b'1" + "0" * 62 + "1'", "b'" + "1" * 64 + "'", "b'0'"),
        *_texts(),
        Column("t_tiny", "TINYTEXT", "text", text("tiny"), "REPEAT('é', 127)", "''"),
        Column("t_medium", "MEDIUMTEXT", "text", "REPEAT('m', 70000)", "''", text("quote ' and \\ and \n newline")),
        Column("t_long", "LONGTEXT", "text", "REPEAT('€', 30000)", text("{not json"), "''"),
        Column("b_fixed", "BINARY(8)", "bytes", "x'0001020000000000'", "x'0000000000000000'", "x'ff'"),
        Column("b_var", "VARBINARY(300)", "bytes", "x'00ff00'", "REPEAT(x'80', 300)", "''"),
        Column("b_tiny", "TINYBLOB", "bytes", "x'00'", "REPEAT(x'ff', 255)", "''"),
        Column("b_blob", "BLOB", "bytes", "x'c328'", "REPEAT(x'00', 60000)", "''"),
        Column("b_medium", "MEDIUMBLOB", "bytes", "REPEAT(x'ab', 70000)", "''", "x'01'"),
        Column("b_long", "LONGBLOB", "bytes", "x'feff'", "''", "x'01'"),
        Column("day", "DATE", "date", "'1000-01-01'", "'9999-12-31'", "'1970-01-01'"),
        *[Column(f"time{n}", f"TIME({n})", "time", "'-838:59:58" + (".999999"[:n + 1] if n else "") + "'", "'838:59:58'",
                 "'-00:00:00" + (".5" if n else "") + "'", fsp=n) for n in (0, 1, 2, 3, 4, 6)],
        *[Column(f"dt{n}", f"DATETIME({n})", "datetime", "'1000-01-01 00:00:00'", "'9999-12-31 23:59:59" + (".999999"[:n + 1] if n else "") + "'",
                 "'1969-12-31 23:59:59" + (".123456"[:n + 1] if n else "") + "'", fsp=n) for n in (0, 1, 3, 4, 6)],
        *[Column(f"ts{n}", f"TIMESTAMP({n}) NULL", "timestamp", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'",
                 "'2026-03-29 01:30:00" + (".123456"[:n + 1] if n else "") + "'", fsp=n) for n in (0, 2, 3, 6)],
        Column("y", "YEAR", "int", "1901", "2155", "0"),
        Column("e", "ENUM('one','zwölf','a b','')", "text", "'one'", "'zwölf'", "''"),
        Column("e_cp", "ENUM('да','нет') CHARACTER SET cp1251", "text", "'да'", "'нет'", "'да'"),
        Column("s", "SET('a','b','ü')", "text", "'a'", "'a,b,ü'", "''"),
        Column("s64", "SET(" + ",".join(f"'m{i}'" for i in range(64)) + ")", "text", "'m63'", "'m0,m63'", "''"),
        Column("j", "JSON", "json", """'{"a": [1, -2.5, true, null, "é\\\\n\\\\"😀"], "b": {"deep": {"er": []}}}'""", "'[]'",
               "'18446744073709551615'"),
        Column("j_many", "JSON", "json", "'{" + ",".join(f'"k{i}": {i * 1000003}' for i in range(300)) + "}'", "'\"text\"'", "'null'"),
        Column("gen", "INT AS (i8 + 1) STORED", "int"),
        Column("gen_v", "INT AS (i8 * 2) VIRTUAL", "int"),
        Column("unseen", "INT INVISIBLE DEFAULT 5", "int", "DEFAULT", "6", "7"),
        Column("point", "POINT", "geometry", "ST_GeomFromText('POINT(1 -2.5)')", "ST_GeomFromText('POINT(0 0)')", "ST_GeomFromText('POINT(1e300 0)')"),
        Column("shape", "GEOMETRY", "geometry", "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')", "ST_GeomFromText('LINESTRING(0 0,1 1)')",
               "ST_GeomFromText('POINT(13 52)', 4326)"),
        Column("words", "VARCHAR(20) NOT NULL DEFAULT 'kept'", "text", "DEFAULT", text("set"), "DEFAULT"),
    ]
    if source == "mysql":
        out += [Column("j_typed", "JSON", "json", "JSON_OBJECT('d', CAST('12.50' AS DECIMAL(6,2)), 't', CAST('2026-01-02 03:04:05.6' AS DATETIME(6)))",
                       "JSON_ARRAY(CAST('10:11:12' AS TIME(6)), CAST('2026-01-02' AS DATE))", "JSON_ARRAY(1e300, 1.0)"),
                Column("vec", "VECTOR(3)", "vector", "STRING_TO_VECTOR('[1,-2.5,0.25]')", "STRING_TO_VECTOR('[0,0,0]')",
                       "STRING_TO_VECTOR('[1e30,1e-30,1]')")]
    else:
        out += [Column("packed", "VARCHAR(300) COMPRESSED", "text", "REPEAT('é', 300)", "''", "'short'"),
                Column("b_packed", "BLOB COMPRESSED", "bytes", "REPEAT(x'ab', 60000)", "''", "x'00'"),
                # the stream does not tell these from BINARY
                Column("uu", "UUID", "bytes", "'123e4567-e89b-12d3-a456-426655440000'", "'00000000-0000-0000-0000-000000000000'",
                       "'ffffffff-ffff-ffff-ffff-ffffffffffff'", sql="HEX(CAST(uu AS BINARY(16)))"),
                Column("ip6", "INET6", "bytes", "'::1'", "'ffff::'", "'::ffff:1.2.3.4'", sql="HEX(CAST(ip6 AS BINARY(16)))")]
    return out


def create(table, cols):
    body = ", ".join(f"`{c.name}` {c.ddl}" for c in cols)
    return f"CREATE TABLE {table} (id BIGINT NOT NULL PRIMARY KEY, {body}) ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4"


def insert(table, cols, row, key):
    """Row 0, 1, 2 of the values; row None: NULLs."""
    given = [c for c in cols if c.values]
    if row is None:
        given = [c for c in given if "NOT NULL" in c.ddl]
        values = [c.values[1] for c in given]
    else:
        values = [c.values[row] for c in given]
    return f"INSERT INTO {table} (id, {', '.join('`' + c.name + '`' for c in given)}) VALUES ({key}, {', '.join(values)})"


def select(table, cols):
    """A SELECT that gives text for each column; read() turns a row of it into spellings."""
    def one(c):
        n = f"`{c.name}`"
        if c.sql:
            return c.sql
        if c.kind in ("text", "json"):
            return f"HEX(CONVERT({n} USING utf8mb4))"
        if c.kind in ("bytes", "vector", "bit", "geometry"):
            return f"HEX({n})"
        if c.kind == "float":
            return f"{n}*1e0"
        if c.name == "y":
            return f"{n}+0"
        return f"CAST({n} AS CHAR)"
    return f"SELECT CAST(id AS CHAR), {', '.join(one(c) for c in cols)} FROM {table} ORDER BY id"


def _micros_of_time(s):
    sign = -1 if s.startswith("-") else 1
    h, m, sec = s.lstrip("-").split(":")
    whole, _, part = sec.partition(".")
    return sign * ((int(h) * 3600 + int(m) * 60 + int(whole)) * 10**6 + int(part.ljust(6, "0")))


def _number(v):
    d = decimal.Decimal(v)
    with decimal.localcontext() as c:
        c.prec = 100
        return format(d.normalize(), "f") if d else "0"


def read(c, v):
    """The spelling of what select() gave."""
    if v is None:
        return None
    if c.kind in ("int", "decimal"):
        return _number(v)
    if c.kind == "float":
        return struct.unpack("<f", struct.pack("<f", float(v)))[0] if c.ddl == "FLOAT" else float(v)
    if c.kind == "bit":
        return int(v or "0", 16)
    if c.kind in ("bytes", "geometry"):
        return v.lower()
    if c.kind in ("text", "json"):
        return bytes.fromhex(v).decode("utf-8")
    if c.kind == "vector":
        raw = bytes.fromhex(v)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    if c.kind == "date":
        return (datetime.datetime.strptime(v, "%Y-%m-%d") - EPOCH).days
    if c.kind == "time":
        return _micros_of_time(v)
    day, _, clock = v.partition(" ")
    return (datetime.datetime.strptime(day, "%Y-%m-%d") - EPOCH) // MICRO + _micros_of_time(clock)


def event(c, v, profile):
    """The spelling of a decoded Avro value."""
    if v is None:
        return None
    if c.kind in ("int", "decimal"):
        return _number(v)
    if c.kind == "bit":
        if c.ddl == "BIT(1)":
            return int(v)
        return int.from_bytes(v, "big" if profile == "native" else "little")
    if c.kind == "bytes":
        return v.hex()
    if c.kind == "geometry":  # the server's own form is SRID and WKB
        return v.hex() if profile == "native" else struct.pack("<I", v["srid"] or 0).hex() + v["wkb"].hex()
    if c.kind == "datetime" and profile == "debezium" and c.fsp <= 3:
        return v * 1000
    if c.kind == "timestamp" and profile == "debezium":
        if not v.endswith("Z"):
            return f"not in UTC: {v}"
        day, _, clock = v[:-1].partition("T")
        return (datetime.datetime.strptime(day, "%Y-%m-%d") - EPOCH) // MICRO + _micros_of_time(clock)
    return v


def document(c, v):
    """The spelling of a value of a silver document (BSON)."""
    if v is None:
        return None
    if c.kind in ("int", "decimal"):
        return _number(v.to_decimal() if hasattr(v, "to_decimal") else int(v) if isinstance(v, bool) else v)
    if c.kind == "bit":
        return int(v) if isinstance(v, bool) else int.from_bytes(v, "big")
    if c.kind in ("bytes", "geometry"):
        return bytes(v).hex()
    if c.kind == "date":
        return (v.replace(tzinfo=None) - EPOCH).days
    if c.kind == "time":
        return _micros_of_time(v)
    if c.kind in ("datetime", "timestamp"):
        return (v.replace(tzinfo=None) - EPOCH) // datetime.timedelta(milliseconds=1)
    if c.kind == "vector":  # JSON text, with the digits that a float has
        return [struct.unpack("<f", struct.pack("<f", x))[0] for x in json.loads(v)]
    return v


def in_millis(c, v):
    """What silver can hold of a source's spelling: BSON times have milliseconds."""
    return v // 1000 if v is not None and c.kind in ("datetime", "timestamp") else v
