"""The other proxies, each set up for the same job with its own means.

The job: check algorithm, signature, issuer, audience and expiry of a bearer token; tell the upstream the subject
in `X-User`; keep the token from it. A door is a port that does it for one kind of token; `plain` checks nothing,
`tls` is that over TLS with HTTP/2 and HTTP/1.1. Where nothing is said below, a peer runs with its defaults.
"""
import base64
import json
import os
import resource

from . import tokens
from .places import WORK, free_ports
from .process import Process

# What each peer can check. nginx and Caddy have no check of tokens in their packages, HAProxy none of EdDSA.
CHECKS = {"haproxy": ("HS256", "RS256", "ES256"), "envoy": ("HS256", "RS256", "ES256", "EdDSA", "EdDSA-external")}
CHANGED = {
    "haproxy": "nbthread; maxconn 12000; http-reuse always; timeouts of 60 s",
    "nginx": "worker_processes; worker_connections 16000; upstream keepalive 512; access_log off",
    "envoy": "--concurrency; circuit breakers at 50000; no request ids; no access log",
    "envoy-cache": "as envoy, with jwt_cache_config of 10000 tokens",
    "caddy": "GOMAXPROCS; 512 idle upstream connections; no access log; no admin endpoint",
}


def start(name, program, folder, upstream, doors, threads, processors):
    """The process, and the port of each door."""
    ports = dict(zip(sorted(doors), free_ports(len(doors))))
    make = {"haproxy": haproxy, "nginx": nginx, "caddy": caddy, "envoy": envoy, "envoy-cache": envoy_cache}[name]
    words, env = make(folder, upstream, ports, threads)
    process = Process([program, *words], processors, folder, name, env)
    for port in ports.values():
        process.wait_for_port(port)
    return process, ports


def public_key(kind):
    """What HAProxy's jwt_verify takes: a secret as it is, or a file."""
    names = {"RS256": "RS256.pub.pem", "ES256": "ES256.pub.pem"}
    return tokens.KEYS / names[kind] if kind in names else (tokens.KEYS / "hs256.secret").read_text()


def issuer_of(kind):
    return tokens.OURS if kind in tokens.OWN else tokens.ISSUER


HAPROXY = """global
  nbthread {threads}
  maxconn 12000
  no strict-limits
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  http-reuse always
backend upstream
  server s 127.0.0.1:{upstream}
"""
HAPROXY_CHECK = """  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss')
  http-request set-var(txn.aud) var(txn.bearer),jwt_payload_query('$.aud')
  http-request set-var(txn.sub) var(txn.bearer),jwt_payload_query('$.sub')
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
  http-request deny deny_status 401 unless {{ var(txn.alg) -m str {algorithm} }}
  http-request deny deny_status 401 unless {{ var(txn.iss) -m str {issuer} }}
  http-request deny deny_status 401 unless {{ var(txn.aud) -m str {audience} }}
  http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify(txn.alg,"{key}") 1 }}
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
  http-request set-header X-User %[var(txn.sub)]
  http-request del-header Authorization
"""


def haproxy(folder, upstream, ports, threads):
    text = HAPROXY.format(threads=threads, upstream=upstream)
    for door, port in ports.items():
        tls = f" ssl crt {tokens.KEYS}/both.pem alpn h2,http/1.1" if door == "tls" else ""
        text += f"frontend {door}\n  bind 127.0.0.1:{port} backlog 4096{tls}\n"
        if door not in ("plain", "tls"):
            text += HAPROXY_CHECK.format(algorithm=door, issuer=issuer_of(door), audience=tokens.AUDIENCE, key=public_key(door))
        text += "  default_backend upstream\n"
    (folder / "haproxy.cfg").write_text(text)
    return ["-db", "-f", folder / "haproxy.cfg"], {}


NGINX = """worker_processes {threads};
daemon off;
{user}
error_log {folder}/nginx.error crit;
pid {folder}/nginx.pid;
worker_rlimit_nofile {files};
events {{ worker_connections 16000; }}
http {{
  access_log off;
  {paths}
  {body}
}}
"""


def nginx_config(folder, threads, body):
    """Also for the upstream."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return NGINX.format(
        threads=threads, folder=folder, body=body, files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        user="user root;" if os.geteuid() == 0 else "",
        paths=" ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds))


def nginx(folder, upstream, ports, threads):
    servers = ""
    for door, port in ports.items():
        tls = " ssl http2" if door == "tls" else ""
        key = f"ssl_certificate {tokens.KEYS}/tls.crt; ssl_certificate_key {tokens.KEYS}/tls.key;" if tls else ""
        servers += f"""
  server {{ listen 127.0.0.1:{port} backlog=4096{tls}; {key}
    location / {{ proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }}
  }}"""
    body = f"upstream u {{ server 127.0.0.1:{upstream}; keepalive 512; }}{servers}"
    (folder / "nginx.conf").write_text(nginx_config(folder, threads, body))
    return ["-c", folder / "nginx.conf", "-e", folder / "nginx.error"], {}


CADDY = """{{
	admin off
	auto_https off
}}
"""
CADDY_SITE = """{site} {{
	bind 127.0.0.1
	{tls}
	reverse_proxy 127.0.0.1:{upstream} {{
		transport http {{
			keepalive_idle_conns_per_host 512
			keepalive_idle_conns 512
		}}
	}}
}}
"""


def caddy(folder, upstream, ports, threads):
    text = CADDY.format()
    for door, port in ports.items():
        site = f"https://:{port}" if door == "tls" else f"http://:{port}"
        tls = f"tls {tokens.KEYS}/tls.crt {tokens.KEYS}/tls.key" if door == "tls" else ""
        text += CADDY_SITE.format(site=site, tls=tls, upstream=upstream)
    (folder / "Caddyfile").write_text(text)
    return ["run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"], {"GOMAXPROCS": str(threads)}


TYPE = "type.googleapis.com/envoy.extensions."


def envoy_cache(folder, upstream, ports, threads):
    return envoy(folder, upstream, ports, threads, cache=True)


def envoy(folder, upstream, ports, threads, cache=False):
    cluster = {
        "name": "upstream", "type": "STATIC", "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": socket_address(upstream)}}]}]},
        "circuit_breakers": {"thresholds": [
            {"max_connections": 50000, "max_pending_requests": 50000, "max_requests": 50000}]}}
    listeners = [envoy_listener(door, port, cache) for door, port in ports.items()]
    config = {"static_resources": {"listeners": listeners, "clusters": [cluster]}}
    (folder / "envoy.json").write_text(json.dumps(config, indent=1))
    return ["--concurrency", threads, "-l", "error", "--disable-hot-restart", "-c", folder / "envoy.json"], {}


def socket_address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def envoy_listener(door, port, cache):
    filters = [] if door in ("plain", "tls") else [envoy_check(door, cache)]
    filters.append({"name": "envoy.filters.http.router", "typed_config": {
        "@type": TYPE + "filters.http.router.v3.Router", "suppress_envoy_headers": True}})
    route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "30s"}}
    manager = {
        "@type": TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": door,
        "generate_request_id": False, "codec_type": "AUTO" if door == "tls" else "HTTP1", "http_filters": filters,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]}}
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    if door == "tls":
        pair = {"certificate_chain": {"filename": str(tokens.KEYS / "tls.crt")},
                "private_key": {"filename": str(tokens.KEYS / "tls.key")}}
        chain["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": TYPE + "transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {"tls_certificates": [pair], "alpn_protocols": ["h2", "http/1.1"]}}}
    return {"name": door, "address": socket_address(port), "filter_chains": [chain]}


def envoy_check(door, cache):
    provider = {
        "issuer": issuer_of(door), "audiences": [tokens.AUDIENCE], "local_jwks": {"inline_string": json.dumps(jwks(door))},
        "claim_to_headers": [{"header_name": "x-user", "claim_name": "sub"}]}
    if cache:
        provider["jwt_cache_config"] = {"jwt_cache_size": 10000, "jwt_max_token_size": 4096}
    return {"name": "envoy.filters.http.jwt_authn", "typed_config": {
        "@type": TYPE + "filters.http.jwt_authn.v3.JwtAuthentication", "providers": {"p": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "p"}}]}}


def jwks(door):
    """One key each: a peer that tried several would do another job."""
    if door == "HS256":
        secret = base64.urlsafe_b64encode(public_key(door).encode()).rstrip(b"=").decode()
        return {"keys": [{"kty": "oct", "alg": "HS256", "k": secret}]}
    if door == "EdDSA":
        return json.loads((WORK / "home" / "standard" / "jwks.json").read_text())
    every = json.loads((tokens.KEYS / "issuer.jwks.json").read_text())["keys"]
    return {"keys": [key for key in every if key["kid"] == door.removesuffix("-external")]}
