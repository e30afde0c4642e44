"""The service behind every proxy: nginx with answers that never change, and a count of what reached it."""
import re
import urllib.request

from .peers import nginx_config
from .places import free_ports
from .process import Failure, Process

SMALL, BIG, HUGE = 100, 10 * 1024, 1024 * 1024
# Path → length of the answer's body.
LENGTHS = {"/tasks/": SMALL, "/open": SMALL, "/files/big": BIG, "/files/huge": HUGE}
# Says what it was told of the caller.
ECHO = "/tasks/echo"


def text(size):
    entry = '{"id":1,"title":"write the report","done":false,"owner":"user-00001"},'
    return (entry * (size // len(entry) + 1))[:size]


class Upstream:
    def __init__(self, tools, folder, processors):
        self.port, status = free_ports(2)
        self.status = f"http://127.0.0.1:{status}/"
        (folder / "huge.json").write_text(text(HUGE))
        # A value in nginx's configuration is at most 4 KiB.
        quarter = text(BIG // 4)
        body = f"""default_type application/json; sendfile on; open_file_cache max=10 inactive=1h;
  keepalive_requests 1000000000; keepalive_timeout 600s;
  server {{ listen 127.0.0.1:{self.port} backlog=4096;
    location = {ECHO} {{ return 200 'user=$http_x_user$http_x_auth_user token=$http_authorization'; }}
    location /files/big {{ set $q '{quarter}'; return 200 '$q$q$q$q'; }}
    location /files/huge {{ alias {folder}/huge.json; }}
    location / {{ return 200 '{text(SMALL)}'; }}
  }}
  server {{ listen 127.0.0.1:{status}; location / {{ stub_status; }} }}"""
        config = folder / "upstream.conf"
        config.write_text(nginx_config(folder, 1, body))
        self.process = Process([tools["nginx"], "-c", config, "-e", folder / "nginx.error"], processors, folder, "upstream")
        try:
            self.process.wait_for_port(self.port)
        except Failure:
            self.process.stop()
            raise

    def requests(self):
        """How many it has answered, this question left out."""
        with urllib.request.urlopen(self.status, timeout=10) as answer:
            page = answer.read().decode()
        total = int(re.search(r"\n\s*\d+ \d+ (\d+)", page).group(1))
        self.asked = getattr(self, "asked", 0) + 1
        return total - self.asked
