"""The line contract of compat/README.md, for the three Python clients: commands in, events out."""

import os
import sys
import threading
import zlib

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
PARTITIONS = (0, 1, 2)

# The login comes from the environment, where the broker asks for one.
LOGIN = {}
if "SASL_MECHANISM" in os.environ:
    LOGIN = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": os.environ["SASL_MECHANISM"],
        "sasl_plain_username": os.environ["SASL_USERNAME"],
        "sasl_plain_password": os.environ["SASL_PASSWORD"],
    }
# The authority that signed the broker's certificate, where its listener has TLS too.
AUTHORITY = os.environ.get("SASL_CA")
if AUTHORITY:
    LOGIN["security_protocol"] = "SASL_SSL"


def say(*words):
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def say_record(partition, offset, timestamp, key, value, headers):
    """Headers are pairs of a name and bytes, in their order."""
    text = ",".join(f"{name}={(content or b'').decode()}" for name, content in headers)
    length, crc = (-1, 0) if value is None else (len(value), zlib.crc32(value))
    say("record", partition, offset, timestamp, "-" if key is None else key.decode(), length, crc, text)


def say_assigned(partitions):
    say("assigned", ",".join(str(partition) for partition in sorted(partitions)) or "-")


def key_of(number):
    return None if number % 5 == 0 and number % 7 else f"k{number}".encode()


def value_of(number, length):
    if number % 7 == 0 and length < 1000:
        return None
    unit = f"{number}/".encode()
    return (unit * (length // len(unit) + 1))[:length]


def headers_of(number, codec):
    return [("id", str(number).encode()), ("codec", codec.encode()), ("empty", b"")]


def told_to_leave():
    """An event that is set by the next line, or by the end, of standard input."""
    event = threading.Event()

    def listen():
        sys.stdin.readline()
        event.set()

    threading.Thread(target=listen, daemon=True).start()
    return event


def serve(verbs, member):
    """Answers each line through the function of its verb until `quit`; `member` takes the process over."""
    while True:
        words = sys.stdin.readline().split()
        if not words or words[0] == "quit":
            return
        if words[0] == "member":
            member(*words[1:])
            return
        try:
            verbs[words[0]](*words[1:])
            say("ok")
        except Exception as error:  # pylint: disable=broad-except
            say("error", repr(error).replace("\n", " "))
