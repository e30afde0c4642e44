//! `gateway config show`: every value in effect and where it comes from.

use std::io;

use serde_json::{Value, json};

use super::{CheckArgs, Exit, Streams};
use crate::config::{self, Place, Resolved};

pub(super) fn run(
    args: &CheckArgs,
    env: &[(String, String)],
    streams: &mut Streams<'_>,
) -> io::Result<Exit> {
    let resolved = match config::resolve(&args.source, env.to_vec()) {
        Ok(resolved) => resolved,
        Err(problems) => return Ok(super::report_problems(&problems, streams)),
    };
    if args.json {
        let list: Vec<Value> = resolved
            .settings
            .iter()
            .map(|s| json!({ "key": s.key, "value": s.value, "from": from(&resolved, &s.place) }))
            .collect();
        writeln!(streams.out, "{:#}", Value::from(list))?;
        return Ok(Exit::Ok);
    }
    let width = |text: &str| text.chars().count();
    let keys = resolved.settings.iter().map(|s| width(&s.key)).max();
    let values = resolved.settings.iter().map(|s| width(&s.value)).max();
    // One long value must not push every other line out of sight.
    let (keys, values) = (keys.unwrap_or(0), values.unwrap_or(0).min(32));
    for setting in &resolved.settings {
        writeln!(
            streams.out,
            "{:keys$} = {:values$}  # {}",
            setting.key,
            setting.value,
            from(&resolved, &setting.place)
        )?;
    }
    Ok(Exit::Ok)
}

fn from(resolved: &Resolved, place: &Place) -> String {
    match place {
        Place::Absent => "default".to_owned(),
        place => resolved.source.name(place),
    }
}
