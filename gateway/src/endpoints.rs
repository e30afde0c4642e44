//! The gateway's own addresses, one file each. They turn a request into an [`Answer`] or a
//! [`Refusal`]; neither is written here.

pub mod body;
pub mod describe;
pub mod fields;
pub mod jwks;
pub mod login;
pub mod negotiate;
pub mod refresh;
pub mod users;
pub mod verify;

pub use login::random_id;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::answer::Answer;
use crate::auth::password::PasswordWorkers;
use crate::auth::token::Verified;
use crate::decision::Snapshot;
use crate::endpoints::body::Upload;
use crate::equipment::Equipment;
use crate::limits::LoginThrottle;
use crate::policy::Builtin;
use crate::refusal::{ErrorShape, Habits, Refusal};
use crate::request::{Method, RequestFacts};
use crate::state::State;
use crate::telemetry::Metrics;
use crate::user::UnixSeconds;

/// What the endpoints work with for the life of the process. What the configuration may change comes with
/// each [`Call`].
#[derive(Debug)]
pub struct Endpoints {
    /// Users and keys, and how a change becomes visible.
    pub state: Arc<State<Equipment>>,
    /// Where the file with the first password may lie.
    pub data_dir: PathBuf,
    /// Weak passwords are taken.
    pub insecure_dev: bool,
    /// Hashing threads.
    pub passwords: PasswordWorkers,
    /// Failures per name and attempts per address.
    pub throttle: LoginThrottle,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// One request to an endpoint.
#[derive(Debug)]
pub struct Call<'a> {
    /// The request.
    pub facts: &'a RequestFacts,
    /// What it was judged by.
    pub snapshot: &'a Snapshot,
    /// What it is served with.
    pub equipment: &'a Equipment,
    /// Segments of the path that are the rule's own.
    pub fixed_segments: usize,
    /// `Accept` as it was sent, several joined.
    pub accept: Option<String>,
    /// Who sent it, where the endpoint looks at that.
    pub identity: Option<&'a Verified>,
    /// The client's address.
    pub client: IpAddr,
    /// The client used https.
    pub https: bool,
    /// Now.
    pub now: UnixSeconds,
}

impl Call<'_> {
    /// Bytes of a body; more is 413.
    fn max_body(&self) -> usize {
        self.equipment.server.limits.auth_body_bytes
    }

    /// Habits of the profile.
    pub fn habits(&self) -> &Habits {
        &self.snapshot.habits
    }
}

impl Endpoints {
    /// Serves one request.
    ///
    /// # Errors
    /// Why it is not served.
    pub async fn answer(
        &self,
        builtin: Builtin,
        call: &Call<'_>,
        upload: &mut dyn Upload,
        allow: Option<&str>,
    ) -> Result<Answer, Refusal> {
        // A well-known file has one address (RFC 8615), and no recorded one.
        if builtin != Builtin::Jwks
            && let Some(redirect) = slash_redirect(call)
        {
            return Ok(redirect);
        }
        if call.habits().errors == ErrorShape::Drf && !negotiate::takes_json(call.accept.as_deref())
        {
            return Err(Refusal::NotAcceptable);
        }
        let answer = match builtin {
            Builtin::Login => self.login(call, upload).await?,
            Builtin::Refresh => self.refresh(call, upload).await?,
            Builtin::Verify => self.verify(call, upload).await?,
            Builtin::Users => self.users(call, upload).await?,
            Builtin::Jwks => jwks::answer(call)?,
        };
        Ok(dress(answer, call.habits(), allow))
    }
}

/// The headers that every answer of a profile carries (`docs/CONTRACT.md`).
fn dress(answer: Answer, habits: &Habits, allow: Option<&str>) -> Answer {
    match habits.errors {
        ErrorShape::Problem => answer,
        ErrorShape::Drf => {
            let answer = answer
                .header("Vary", "Accept")
                .header("X-Frame-Options", "SAMEORIGIN");
            match allow {
                Some(allow) => answer.header("Allow", allow),
                None => answer,
            }
        }
    }
}

/// Recorded: a read of an address without its last slash is sent to the one with it. A method with a
/// body is served instead, because clients repeat a redirected POST as a GET.
fn slash_redirect(call: &Call<'_>) -> Option<Answer> {
    let path = call.facts.path.raw();
    if !call.habits().slash_redirect || path.ends_with('/') || !call.facts.method.is_read() {
        return None;
    }
    let query = call
        .facts
        .query
        .as_ref()
        .map(|q| format!("?{q}"))
        .unwrap_or_default();
    Some(
        Answer::empty(301)
            .header("Content-Type", "text/html; charset=utf-8")
            .header("Location", format!("{path}/{query}")),
    )
}

/// The refusal of a method that an endpoint does not have.
fn no_such_method(method: &Method) -> Refusal {
    Refusal::Method(method.as_str().to_owned())
}
