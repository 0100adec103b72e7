"""Serves what nats-server reports on /varz and /jsz under the names of the published exporter: nats-exporter.py
[<option>...] <id>,<url>...

For tests on machines that cannot pull the published image. It has the series that deploy/ uses, and their labels that
deploy/ uses.
"""

import json
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SERVERS = [argument.rsplit(",", 1) for argument in sys.argv[1:] if not argument.startswith("-")]


def read(url):
    with urllib.request.urlopen(url, timeout=3) as answer:
        return json.load(answer)


def series(server, url):
    varz, jsz = read(f"{url}/varz"), read(f"{url}/jsz?consumers=true&config=true")
    for name, value in varz.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"gnatsd_varz_{name}", {"server_id": server}, value
    labels = {"server_id": server, "server_name": varz["server_name"]}
    for name in ("streams", "consumers", "messages"):
        yield f"jetstream_server_total_{name}", labels, jsz[name]
    for account in jsz.get("account_details", []):
        for stream in account.get("stream_detail", []):
            leader = stream.get("cluster", {}).get("leader", varz["server_name"])
            of_stream = {**labels, "stream_name": stream["name"], "is_stream_leader": is_same(leader, varz)}
            yield "jetstream_stream_total_messages", of_stream, stream["state"]["messages"]
            yield "jetstream_stream_total_bytes", of_stream, stream["state"]["bytes"]
            for consumer in stream.get("consumer_detail") or []:
                leader = consumer.get("cluster", {}).get("leader", varz["server_name"])
                of_consumer = {**of_stream, "consumer_name": consumer["name"], "is_consumer_leader": is_same(leader, varz)}
                for name in ("num_ack_pending", "num_redelivered", "num_waiting", "num_pending"):
                    yield f"jetstream_consumer_{name}", of_consumer, consumer[name]


def is_same(leader, varz):
    return str(leader == varz["server_name"]).lower()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        lines = []
        for server, url in SERVERS:
            try:
                for name, labels, value in series(server, url):
                    text = ",".join(f'{label}="{text}"' for label, text in labels.items())
                    lines.append(f"{name}{{{text}}} {value}\n")
            except OSError as error:
                print(f"{url}: {error}", file=sys.stderr)
        body = "".join(lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


ThreadingHTTPServer(("0.0.0.0", 7777), Handler).serve_forever()
