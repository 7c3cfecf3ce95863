"""avro_reader: Avro binary data and object container files, written for the checker alone so that it shares no code and no library
with what it checks. Source: Avro 1.11 specification, "Binary Encoding" and "Object Container Files"."""
import json
import struct
import zlib


def _long(b, p):
    shift = value = 0
    while True:
        byte = b[p]
        p += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), p
        shift += 7


def _bytes(b, p):
    n, p = _long(b, p)
    if n < 0 or p + n > len(b):
        raise ValueError("length outside the record")
    return bytes(b[p:p + n]), p + n


def _string(b, p):
    raw, p = _bytes(b, p)
    return raw.decode("utf-8"), p


def _fixed(fmt, size):
    s = struct.Struct(fmt)
    return lambda b, p: (s.unpack_from(b, p)[0], p + size)


_PRIMITIVE = {
    "null": lambda b, p: (None, p),
    "boolean": lambda b, p: (b[p] != 0, p + 1),
    "int": _long, "long": _long,
    "float": _fixed("<f", 4), "double": _fixed("<d", 8),
    "bytes": _bytes, "string": _string,
}


class Reader:
    """Compiled from a schema: reader(bytes, position) -> (value, position). Decimals become (unscaled, scale) text."""

    def __init__(self, schema):
        self.names = {}
        self.read = self._compile(json.loads(schema) if isinstance(schema, str) else schema, "")

    def __call__(self, b, p=0):
        return self.read(b, p)

    def _full(self, s, space):
        name = s["name"]
        return name if "." in name else ".".join(filter(None, [s.get("namespace", space), name]))

    def _compile(self, s, space):
        if isinstance(s, str):
            return _PRIMITIVE.get(s) or self._named(s, space)
        if isinstance(s, list):
            branches = [self._compile(x, space) for x in s]

            def union(b, p):
                i, p = _long(b, p)
                if i < 0:
                    raise ValueError("union branch below 0")
                return branches[i](b, p)
            return union
        t = s["type"]
        if t == "record":
            full = self._full(s, space)
            fields = []
            self.names[full] = lambda b, p: record(b, p)
            inner = full.rpartition(".")[0]
            fields.extend((f["name"], self._compile(f["type"], inner)) for f in s["fields"])

            def record(b, p):
                out = {}
                for name, read in fields:
                    out[name], p = read(b, p)
                return out, p
            return record
        if t == "enum":
            symbols = s["symbols"]
            read = lambda b, p: (lambda i, q: (symbols[i], q))(*_long(b, p))
            self.names[self._full(s, space)] = read
            return read
        if t == "fixed":
            n = s["size"]
            read = lambda b, p: (bytes(b[p:p + n]), p + n)
            self.names[self._full(s, space)] = read
            return read
        if t in ("array", "map"):
            item = self._compile(s["items" if t == "array" else "values"], space)

            def blocks(b, p):
                out = [] if t == "array" else {}
                while True:
                    n, p = _long(b, p)
                    if n == 0:
                        return out, p
                    if n < 0:
                        n = -n
                        _, p = _long(b, p)
                    for _ in range(n):
                        if t == "array":
                            v, p = item(b, p)
                            out.append(v)
                        else:
                            k, p = _string(b, p)
                            out[k], p = item(b, p)
            return blocks
        base = self._compile(t, space) if not isinstance(t, str) or t not in _PRIMITIVE else _PRIMITIVE[t]
        if s.get("logicalType") == "decimal":
            scale = s.get("scale", 0)

            def decimal(b, p):
                raw, p = base(b, p)
                n = int.from_bytes(raw, "big", signed=True)
                sign, digits = ("-" if n < 0 else ""), str(abs(n)).rjust(scale + 1, "0")
                return sign + (digits[:-scale] + "." + digits[-scale:] if scale else digits), p
            return decimal
        return base

    def _named(self, name, space):
        for full in (name, f"{space}.{name}"):
            if full in self.names:
                return lambda b, p: self.names[full](b, p)
        raise ValueError(f"unknown type {name}")


def object_file(data):
    """Yields the records of an object container file."""
    if data[:4] != b"Obj\x01":
        raise ValueError("no Avro object file")
    meta, p = Reader({"type": "map", "values": "bytes"})(data, 4)
    sync = data[p:p + 16]
    p += 16
    codec = meta.get("avro.codec", b"null").decode()
    read = Reader(meta["avro.schema"].decode())
    while p < len(data):
        count, p = _long(data, p)
        size, p = _long(data, p)
        block, p = data[p:p + size], p + size
        if len(block) != size or data[p:p + 16] != sync:
            raise ValueError("a block is cut or has no sync marker")
        p += 16
        if codec == "deflate":
            block = zlib.decompress(block, -15)
        elif codec != "null":
            raise ValueError(f"codec {codec} is unknown to the checker")
        q = 0
        for _ in range(count):
            record, q = read(block, q)
            yield record
        if q != len(block):
            raise ValueError("bytes are left in a block")
