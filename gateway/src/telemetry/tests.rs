//! What reaches a log line and what the metrics text holds.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;

#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("sink").clone()).expect("UTF-8")
    }
}

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("sink").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Kept {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

fn config(filter: &str, access: bool) -> LogConfig {
    LogConfig {
        format: LogFormat::Auto,
        filter: filter.to_owned(),
        access,
    }
}

fn json(config: &LogConfig, act: impl FnOnce()) -> String {
    let sink = Kept::default();
    let subscriber = json_subscriber(config, sink.clone()).expect("subscriber");
    tracing::subscriber::with_default(subscriber, act);
    sink.text()
}

fn lines(config: &LogConfig, act: impl FnOnce()) -> String {
    let sink = Kept::default();
    let subscriber = line_subscriber(config, sink.clone(), false).expect("subscriber");
    tracing::subscriber::with_default(subscriber, act);
    sink.text()
}

fn line<'a>(method: &'a str, path: &'a str) -> AccessLine<'a> {
    AccessLine {
        method,
        route: "/tasks/**",
        path,
        status: 200,
        duration: Duration::from_micros(1234),
        bytes: 42,
        user: Some(7),
        decision: "forward",
        reason: "",
        client: IpAddr::from([192, 0, 2, 1]),
        request_id: "req-1",
    }
}

#[test]
fn an_access_line_is_one_json_object_without_the_query() {
    let text = json(&config("info", true), || {
        line("GET", "/tasks/1/?token=s3cret").log();
    });
    let value: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    for (key, want) in [
        ("method", serde_json::json!("GET")),
        ("route", serde_json::json!("/tasks/**")),
        ("path", serde_json::json!("/tasks/1/")),
        ("status", serde_json::json!(200)),
        ("us", serde_json::json!(1234)),
        ("bytes", serde_json::json!(42)),
        ("user", serde_json::json!(7)),
        ("decision", serde_json::json!("forward")),
        ("client", serde_json::json!("192.0.2.1")),
        ("request_id", serde_json::json!("req-1")),
    ] {
        assert_eq!(value[key], want, "{key} in {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn an_access_line_is_written_as_the_library_writes_its_lines() {
    let mut nobody = line("GE\u{7f}T", "/a\"\\\u{1}é");
    for user in [Some(7), None] {
        nobody.user = user;
        let ours = json(&config("info", true), || nobody.log());
        let sink = Kept::default();
        let theirs = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(sink.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(theirs), || {
            nobody.log();
        });
        // But for the time, which goes on.
        let rest = |text: &str| text.split_once("Z\",").expect("a time").1.to_owned();
        assert_eq!(rest(&ours), rest(&sink.text()));
    }
}

#[test]
fn p129_hostile_bytes_neither_end_a_line_nor_forge_a_field() {
    let hostile = "/a\n{\"status\":200}\r\u{1b}[2J\" status=200 \u{202e}";
    let act = || line("GE\nT", hostile).log();
    let text = json(&config("info", true), act);
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    let value: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!(value["path"], hostile);

    let text = lines(&config("info", true), act);
    assert_eq!(text.matches('\n').count(), 1, "{text:?}");
    assert!(!text.contains(['\r', '\u{1b}', '\u{202e}']), "{text:?}");
    assert!(text.contains("\\\" status=200"), "{text:?}");
}

#[test]
fn the_access_log_has_its_own_switch() {
    let quiet = json(&config("error", true), || line("GET", "/").log());
    assert!(quiet.contains("\"path\":\"/\""), "{quiet}");
    let off = json(&config("trace", false), || line("GET", "/").log());
    assert_eq!(off, "");
}

#[test]
fn no_filter_makes_a_library_print_headers() {
    let text = json(&config("trace,pingora_core=trace,h2=trace", true), || {
        tracing::trace!(target: "pingora_core::protocols", "authorization: s3cret");
        tracing::info!(target: "pingora_proxy", "s3cret");
        tracing::debug!(target: "h2::codec", "s3cret");
        tracing::warn!(target: "pingora_proxy", "upstream broke");
        tracing::debug!(target: "gateway::state", "own detail");
    });
    assert!(!text.contains("s3cret"), "{text}");
    assert!(
        text.contains("upstream broke") && text.contains("own detail"),
        "{text}"
    );
}

#[test]
fn every_metric_is_written_under_its_name() {
    let metrics = Metrics::new();
    let route = RouteLabel::new("/tasks/**");
    for method in ["GET", "FOO", "BAR"] {
        metrics.request(&RequestSample {
            method,
            code: 200,
            route: &route,
            decision: "forward",
            duration: Duration::from_millis(7),
        });
    }
    metrics.upstream_error("tasks", "upstream_timeout");
    metrics.auth_decision("refused", "invalid_token");
    metrics.login("ok");
    metrics.password_hashed(Duration::from_millis(14));
    metrics.set_login_queue(3);
    metrics.set_view_version(12);
    metrics.set_config_reload(false);
    metrics.set_provision("tasks", 2, 1);
    metrics.set_connections(1);
    let text = metrics.encode();
    for want in [
        "gateway_build_info{version=\"",
        "gateway_http_requests_total{method=\"GET\",code=\"200\",route=\"/tasks/**\",decision=\"forward\"} 1\n",
        "gateway_http_requests_total{method=\"_OTHER\",code=\"200\",route=\"/tasks/**\",decision=\"forward\"} 2\n",
        "gateway_http_request_duration_seconds_bucket{le=\"0.005\",method=\"GET\",route=\"/tasks/**\"} 0\n",
        "gateway_http_request_duration_seconds_bucket{le=\"0.01\",method=\"GET\",route=\"/tasks/**\"} 1\n",
        "gateway_upstream_errors_total{upstream=\"tasks\",kind=\"upstream_timeout\"} 1\n",
        "gateway_auth_decisions_total{result=\"refused\",reason=\"invalid_token\"} 1\n",
        "gateway_logins_total{result=\"ok\"} 1\n",
        "gateway_password_hash_seconds_count 1\n",
        "gateway_login_queue 3\n",
        "gateway_view_version 12\n",
        "gateway_config_reload_ok 0\n",
        "gateway_provision_pending{upstream=\"tasks\"} 2\n",
        "gateway_provision_parked{upstream=\"tasks\"} 1\n",
        "gateway_connections 1\n",
    ] {
        assert!(text.contains(want), "{want} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

/// The one test that may take the place that a process has for logs.
#[test]
fn records_of_libraries_that_use_log_arrive_and_headers_do_not() {
    let sink = Kept::default();
    let subscriber = json_subscriber(&config("trace", true), sink.clone()).expect("subscriber");
    subscriber.try_init().expect("first");
    log::warn!(target: "pingora_proxy", "upstream broke");
    log::info!(target: "pingora_core::server", "s3cret");
    log::trace!(target: "pingora_core::protocols", "authorization: s3cret");
    let text = sink.text();
    assert!(
        text.contains("upstream broke") && text.contains("pingora_proxy"),
        "{text}"
    );
    assert!(!text.contains("s3cret"), "{text}");
    let again = init(&config("info", true)).expect_err("second");
    assert!(matches!(again, TelemetryError::Installed(_)), "{again}");
}
