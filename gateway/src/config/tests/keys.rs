//! Bad keys and values in `[server]` and `[auth]`.

use super::bad::{refused, with};

#[test]
fn one_line_too_many_in_server() {
    for (line, at, title, help) in [
        (
            "lisen = \"a\"",
            "3:1",
            "unknown key `server.lisen`",
            "did you mean `listen`?",
        ),
        (
            "access_ttl = \"5m\"",
            "3:1",
            "unknown key `server.access_ttl`",
            "belongs in [auth]",
        ),
        (
            "insecure_dev = true",
            "3:1",
            "unknown key",
            "--insecure-dev",
        ),
        (
            "zzz = 1",
            "3:1",
            "unknown key `server.zzz`",
            "known here: listen, admin_listen",
        ),
        (
            "listen = 8080",
            "3:10",
            "takes an address with a port, not an integer",
            "write `listen = \"127.0.0.1:8080\"`",
        ),
        (
            "listen = \"here\"",
            "3:10",
            "`here` is not an IP address with a port",
            "0.0.0.0:8080",
        ),
        (
            "admin_listen = \"0.0.0.0:8080\"",
            "3:16",
            "is taken by `server.listen`",
            "127.0.0.1:9901",
        ),
        (
            "drain = \"5 parsecs\"",
            "3:9",
            "`5 parsecs` is not a duration",
            "\"15s\"",
        ),
        (
            "drain = 5",
            "3:9",
            "takes a duration as text, not an integer",
            "write `drain = \"15m\"`",
        ),
        ("drain = \"-5s\"", "3:9", "is not a duration", "\"15s\""),
        (
            "require_https = \"yes\"",
            "3:17",
            "takes true or false, not text",
            "write `require_https = true`",
        ),
        (
            "threads = 0",
            "3:11",
            "`0` would let nothing through",
            "above zero",
        ),
        ("threads = -1", "3:11", "out of range", "positive"),
        (
            "trusted_proxies = [\"10.0.0.0/8\", \"0.0.0.0/0\"]",
            "3:34",
            "trusts every address",
            "172.18.0.0/16",
        ),
        (
            "trusted_proxies = [\"::/0\"]",
            "3:20",
            "trusts every address",
            "network of the proxy",
        ),
        (
            "trusted_proxies = [\"10.0.0.0/33\"]",
            "3:20",
            "`10.0.0.0/33` is not a network",
            "10.0.0.0/8",
        ),
        (
            "trusted_proxies = \"10.0.0.0/8\"",
            "3:19",
            "takes a list of texts, not text",
            "[\"one\", \"two\"]",
        ),
        (
            "trusted_proxies = [\"10.0.0.0/8\", 7]",
            "3:34",
            "takes a list of texts, not an integer",
            "[",
        ),
        (
            "limits = 7",
            "3:10",
            "`server.limits` is a table",
            "[server.limits]",
        ),
        (
            "limits.body_bytes = \"10 bananas\"",
            "3:21",
            "`10 bananas` is not a size",
            "10 MiB",
        ),
        (
            "limits.body_bytes = 0",
            "3:21",
            "would let nothing through",
            "10 MiB",
        ),
        (
            "limits.header_timeout = \"0s\"",
            "3:25",
            "would let nothing through",
            "above zero",
        ),
        (
            "limits.bodybytes = 5",
            "3:8",
            "unknown key `server.limits.bodybytes`",
            "did you mean `body_bytes`?",
        ),
    ] {
        refused(&with("[server]", line), &[(at, title, help)]);
    }
}

#[test]
fn one_line_too_many_in_auth() {
    for (line, at, title, help) in [
        (
            "profile = \"drf_jwt\"",
            "5:11",
            "`drf_jwt` is not one of the values",
            "did you mean `drf-jwt`?",
        ),
        (
            "algorithm = \"RS512\"",
            "5:13",
            "not one of the values",
            "`EdDSA`",
        ),
        (
            "mount = \"api-auth\"",
            "5:9",
            "is not a path prefix",
            "begin with a slash",
        ),
        (
            "mount = \"/api-auth/\"",
            "5:9",
            "ends with a slash",
            "write \"/api-auth\"",
        ),
        ("mount = \"/\"", "5:9", "would take every path", "/api-auth"),
        ("access_ttl = \"25h\"", "5:14", "longer than a day", "24h"),
        (
            "access_ttl = \"0s\"",
            "5:14",
            "would let nothing through",
            "15m",
        ),
        ("leeway = \"1h\"", "5:10", "more than five minutes", "NTP"),
        (
            "issuer = \"\"",
            "5:10",
            "would let nothing through",
            "above zero",
        ),
        (
            "realm = \"a\\\"b\"",
            "5:9",
            "between quotes",
            "without quotes",
        ),
        (
            "challenge = \"Bearer x\"",
            "5:13",
            "not the name of a scheme",
            "\"Bearer\"",
        ),
        ("schemes = []", "5:11", "without a scheme", "remove the key"),
        (
            "schemes = [\"Bearer\", \"Basic\"]",
            "5:22",
            "`Basic` is not a scheme for tokens",
            "JWT",
        ),
        (
            "password.memory = \"1 MiB\"",
            "5:19",
            "weaker than OWASP",
            "\"19 MiB\" with 2",
        ),
        (
            "password.min_length = 4",
            "5:23",
            "less than 8",
            "write 8 or more",
        ),
        (
            "throttle.account_failures = 0",
            "5:29",
            "would let nothing through",
            "above zero",
        ),
        (
            "hs256_secret = \"tell-nobody\"",
            "5:1",
            "unknown key",
            "GATEWAY_AUTH_HS256_SECRET",
        ),
        (
            "admin_password = \"tell-nobody\"",
            "5:1",
            "unknown key",
            "admin_password_file",
        ),
        (
            "hs256_secret_file = \"/nowhere/secret\"",
            "5:21",
            "/nowhere/secret does not exist",
            "mount it",
        ),
        (
            "hs256_secret_file = \"\"",
            "5:21",
            "this path is empty",
            "remove the key",
        ),
        (
            "hs256_secret_file = \"/\"",
            "5:21",
            "/ is a folder",
            "name a file",
        ),
    ] {
        let text = with("data_dir = \"/data\"", &format!("[auth]\n{line}"));
        let shown = refused(&text, &[(at, title, help)]);
        assert!(!shown.contains("tell-nobody"), "{shown}");
    }
}
