//! The built gateway in front of recording, misbehaving and real services. A test that holds a numbered
//! property of the security contract begins with its number.

use crate::harness::{Gateway, Home, Recording, Response, answer, ask, eventually};

mod cors;
mod credentials;
mod framing;
mod headers;
mod hints;
mod http2;
mod http2_bodies;
mod keep_alive;
mod leases;
mod login;
mod methods;
mod profiles;
mod targets;
mod transcript;
mod tunnels;
mod upstreams;

/// Routes of every kind of access, in front of one upstream, in either profile.
const ROUTES: &str = r#"
[upstreams.app]
urls = ["URL"]
provision = "/people"
secret_file = "secret"
[[routes]]
path = "/public/**"
upstream = "app"
access = "public"
[[routes]]
path = "/read/**"
upstream = "app"
access = "read-public"
[[routes]]
path = "/ws/**"
upstream = "app"
access = "read-public"
websocket = true
[[routes]]
path = "/told/**"
upstream = "app"
access = "read-public"
forward_authorization = true
[[routes]]
path = "/with-body/**"
upstream = "app"
access = "read-public"
allow_get_body = true
[[routes]]
path = "/closed/**"
upstream = "app"
access = "token"
[[routes]]
path = "/admin/**"
upstream = "app"
access = { roles = ["admin"] }
[[routes]]
path = "/editors/**"
upstream = "app"
access = { roles = ["editor"] }
[[routes]]
path = "/only-get"
methods = ["GET"]
upstream = "app"
access = "public"
"#;

/// A gateway in front of a recording upstream.
struct World {
    gateway: Gateway,
    upstream: Recording,
    home: Home,
}

/// A configuration of [`ROUTES`] in a profile, with more top-level sections.
fn config(profile: &str, url: &str, more: &str) -> String {
    let routes = ROUTES.replace("URL", url);
    format!("version = 1\n[auth]\nprofile = \"{profile}\"\n{more}\n{routes}")
}

impl World {
    /// In the profile `standard`.
    async fn standard() -> Self {
        Self::start("standard", "").await
    }

    /// In the profile `drf-jwt`.
    async fn drf() -> Self {
        Self::start("drf-jwt", "").await
    }

    async fn start(profile: &str, more: &str) -> Self {
        let upstream = Recording::ok().await;
        let home = Home::new(&config(profile, &upstream.url(), more)).flag("--insecure-dev");
        Self::of(home, upstream).await
    }

    /// In front of an upstream that is there already.
    async fn of(home: Home, upstream: Recording) -> Self {
        let gateway = home.serve().await;
        let tells =
            std::fs::read_to_string(home.file()).is_ok_and(|text| text.contains("\nprovision = "));
        if tells {
            // So that nothing but clients' requests comes from here on.
            eventually("the administrator to be told", async || {
                let told = "PUT /people/1".to_owned();
                upstream.lines().contains(&told).then_some(())
            })
            .await;
        }
        Self {
            gateway,
            upstream,
            home,
        }
    }

    /// Without a configuration file.
    async fn zero_config() -> Self {
        let upstream = Recording::ok().await;
        let home = Home::zero_config(&upstream.url()).flag("--insecure-dev");
        Self::of(home, upstream).await
    }

    /// The shipped configuration in front of a recording upstream.
    async fn shipped() -> Self {
        let upstream = Recording::start(|seen| match seen.method.as_str() {
            "PUT" if seen.target.starts_with("/people/") => answer(201, ""),
            _ => answer(200, "ok"),
        })
        .await;
        let home = Home::shipped(&upstream.url());
        Self::of(home, upstream).await
    }

    /// A token of the administrator.
    async fn token(&self) -> String {
        self.gateway.token("admin", "admin").await
    }

    /// `METHOD target` of what clients' requests became, without what the gateway itself tells.
    fn forwarded(&self) -> Vec<String> {
        let mut lines = self.upstream.lines();
        lines.retain(|line| !line.contains(" /people/"));
        lines
    }

    /// Sends bytes as a request of its own; fails unless nothing of it reached the upstream.
    #[track_caller]
    fn saw_nothing(&self, what: &str) {
        assert_eq!(self.forwarded(), Vec::<String>::new(), "{what}");
    }

    /// Sends a request on a connection of its own.
    async fn ask(&self, bytes: impl AsRef<[u8]>) -> Response {
        self.gateway.ask(bytes).await
    }

    /// The header lines that the upstream saw of the request it saw last.
    fn last_raw(&self) -> String {
        let raw = self.upstream.raw();
        let all: String = raw
            .iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect();
        all
    }
}

/// A plain GET.
fn get(path: &str) -> String {
    ask(&format!("GET {path}")).end()
}
