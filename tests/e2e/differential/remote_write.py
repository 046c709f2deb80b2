"""remote_write 1.0 by hand: protobuf's wire format, and snappy without its compression (literals only)."""

import struct

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]  # how Prometheus says that a series ended
STALE_BYTES = struct.pack("<Q", 0x7FF0000000000002)
BLOCK = 1 << 16


def varint(number):
    out = bytearray()
    number &= (1 << 64) - 1
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, body):
    """A length-delimited field: a text or a message."""
    return varint(number << 3 | 2) + varint(len(body)) + body


def label(name, value):
    return field(1, field(1, name.encode()) + field(2, value.encode()))


def sample(t_ms, value):
    """`value` is a float, or the eight bytes of one: a NaN's payload does not survive Python's arithmetic."""
    bits = value if isinstance(value, bytes) else struct.pack("<d", value)
    return field(2, b"\x09" + bits + b"\x10" + varint(t_ms))


def write_request(series):
    """`series`: pairs of labels (sorted by name) and samples (time in ms, value)."""
    out = bytearray()
    for labels, samples in series:
        body = b"".join(label(name, value) for name, value in labels) + b"".join(sample(*each) for each in samples)
        out += field(1, body)
    return bytes(out)


def snappy(data):
    out = bytearray(varint(len(data)))
    for start in range(0, len(data), BLOCK):
        piece = data[start : start + BLOCK]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


HEADERS = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"}
