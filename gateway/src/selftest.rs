//! The attack corpus against a running gateway: what a hostile client would send, and whether the answers are
//! those of the security properties (`docs/THREATS.md`).
//!
//! Invariants: nothing here is sent with a valid token but reads, and one POST to the gateway's own
//! `verify/`; every write names an address that is made up for the run; a property whose preconditions are
//! missing is *could not tell*, never *held*; no token or password is in a report.
//!
//! A run: `world` asks what there is at the target, `corpus` writes out the cases for it, `case` sends
//! and judges each, `checks` compares answers, and `report` says what was found.

use std::time::Duration;

use serde::Serialize;

mod case;
mod checks;
mod client;
mod corpus;
mod forged;
mod frames;
mod report;
mod target;
mod template;
mod wire;
mod world;

pub use report::{Failure, Line, Property, Summary, Verdict};
pub use target::{Target, TargetError, Trust};

use checks::Asking;
use client::Client;
use report::Findings;
use world::{Plain, World};

/// What is to be tested, and with what.
#[derive(Debug, Clone)]
pub struct Options {
    /// Below it lies something that is open for reading and closed for writing.
    pub path: String,
    /// Is open for reading, as it stands.
    pub open_path: Option<String>,
    /// Needs a token to be read.
    pub closed_path: Option<String>,
    /// Shows the request that the service behind was sent.
    pub echo_path: Option<String>,
    /// Where the gateway's log-in lies.
    pub mount: String,
    /// A user who exists.
    pub user: Option<String>,
    /// A valid token.
    pub token: Option<String>,
    /// These properties alone; all where there is none.
    pub properties: Vec<Property>,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// What takes long, too.
    pub slow: bool,
}

/// The target does not answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Lost(String);

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where.
    pub target: String,
    /// What was found to test with.
    pub found: Found,
    /// One line for each property.
    pub properties: Vec<Line>,
    /// How many of each verdict.
    pub summary: Summary,
    /// Connections that were made.
    pub connections: usize,
}

/// What was found to test with, for people to see whether it is what they meant.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// GET without a token is answered.
    pub open: Option<String>,
    /// GET without a token is 401.
    pub closed: Option<String>,
    /// DELETE without a token is 401.
    pub write: Option<String>,
    /// Scheme of the challenge.
    pub scheme: Option<String>,
    /// Where the gateway's log-in lies.
    pub login: Option<String>,
    /// The token that was given is valid.
    pub token: bool,
}

/// The properties that a client can see, and what each says.
pub fn properties() -> &'static [(Property, &'static str)] {
    corpus::PROPERTIES
}

/// Runs the corpus. `progress` is told how many of how many steps are done.
///
/// # Errors
/// Where the target does not answer at all.
pub fn run(
    target: &Target,
    options: &Options,
    mut progress: impl FnMut(usize, usize),
) -> Result<Report, Lost> {
    let client = Client::new(target, options.timeout);
    let world = World::discover(&client, options, random_segment()?)?;
    let wanted = |property: Property| {
        options.properties.is_empty() || options.properties.contains(&property)
    };
    let mut findings = Findings::default();
    let cases: Vec<_> = corpus::cases(&world)
        .into_iter()
        .filter(|case| wanted(case.property))
        .collect();
    let checks: Vec<_> = checks::all()
        .filter(|check| check.properties.iter().any(|p| wanted(Property(*p))))
        .collect();
    let steps = cases.len() + checks.len();
    for (done, case) in cases.iter().enumerate() {
        progress(done, steps);
        let finding = if client.has_lost_it() {
            lost()
        } else {
            case.run(&client, &world)
        };
        findings.add(case.property, finding);
    }
    let asking = Asking {
        client: &client,
        world: &world,
    };
    for (done, check) in checks.iter().enumerate() {
        progress(cases.len() + done, steps);
        let found = if client.has_lost_it() {
            check
                .properties
                .iter()
                .map(|p| (Property(*p), lost()))
                .collect()
        } else {
            (check.run)(&asking)
        };
        for (property, finding) in found {
            findings.add(property, finding);
        }
    }
    progress(steps, steps);
    let lines: Vec<_> = corpus::PROPERTIES
        .iter()
        .copied()
        .filter(|(property, _)| wanted(*property))
        .collect();
    let properties = findings.lines(&lines);
    Ok(Report {
        target: target.url().to_owned(),
        found: Found::of(&world),
        summary: report::summary(&properties),
        properties,
        connections: client.connections(),
    })
}

fn lost() -> report::Finding {
    report::Finding::Unclear("the target has stopped answering".to_owned())
}

fn random_segment() -> Result<String, Lost> {
    let mut bytes = [0u8; 6];
    getrandom::fill(&mut bytes)
        .map_err(|e| Lost(format!("the system gives no random numbers: {e}")))?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("gateway-selftest-{digits}"))
}

impl Found {
    fn of(world: &World) -> Self {
        let target =
            |plain: &world::Known<Plain>| plain.as_ref().ok().map(|plain| plain.target.clone());
        Self {
            open: target(&world.open),
            closed: target(&world.closed),
            write: target(&world.write),
            scheme: world.scheme.clone().ok(),
            login: world.mount.as_ref().ok().map(|mount| format!("{mount}/")),
            token: world.token.is_ok(),
        }
    }
}
