"""A lab for a test: starts `ottla lab`, speaks its control API, ends with the test. Nothing but the standard library."""

import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request


class LabError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body['error'].get('field', '')} {body['error']['message']}")
        self.status, self.body = status, body


class Lab:
    def __init__(self, *arguments):
        command = [os.environ.get("OTTLA_BINARY", "ottla"), "lab", "--exit-with-parent", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.process.stdout.readline())
        self.bootstrap, self.address = self.ready["bootstrap"], self.ready["lab"]

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        # It ends when its standard input does.
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def ask(self, method, path, body=None, **words):
        url = self.address + path + ("?" + urllib.parse.urlencode(words) if words else "")
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, method=method)) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise LabError(error.code, json.load(error)) from None

    def fault(self, **words):
        return self.ask("POST", "/faults", words)["id"]

    def count(self, **words):
        return self.ask("POST", "/requests/count", words)["count"]

    def records(self, topic, **words):
        return self.ask("GET", f"/topics/{topic}/records", **words)["records"]
