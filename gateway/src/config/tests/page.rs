//! `config/README.md` and the schema hold the same keys, names and defaults.

use super::*;

const PAGE: &str = include_str!("../../../../config/README.md");

/// The rows of the page that describe keys: name, type, default, variable.
fn rows() -> Vec<(String, String, String)> {
    PAGE.lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|rest| {
            let cells: Vec<&str> = rest.split(" | ").collect();
            let key = cells.first()?.trim_end_matches('`').to_owned();
            let default = (*cells.get(2)?).to_owned();
            let variable = (*cells.get(3)?).trim_matches('`').to_owned();
            Some((key, default, variable))
        })
        .collect()
}

#[test]
fn every_key_is_on_the_page_and_the_reverse() {
    let documented: Vec<String> = rows().into_iter().map(|(key, ..)| key).collect();
    let missing: Vec<&&str> = KEYS
        .iter()
        .filter(|key| !documented.iter().any(|d| d == *key))
        .collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
    let unknown: Vec<&String> = documented
        .iter()
        .filter(|d| !KEYS.contains(&d.as_str()))
        .collect();
    assert!(unknown.is_empty(), "on the page, but no keys: {unknown:?}");
    assert_eq!(
        documented.len(),
        KEYS.len(),
        "a key stands twice on the page"
    );
}

#[test]
fn every_environment_name_is_on_the_page() {
    for (key, _, variable) in rows() {
        let want = env_name(&key).unwrap_or_else(|| "–".to_owned());
        assert_eq!(variable, want, "{key}");
    }
    for (name, _) in SPECIAL_ENV {
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn every_default_on_the_page_is_the_one_in_force() {
    let resolved = load(GOOD, &[]).expect("config");
    for (key, default, _) in rows() {
        let key = key.replace("NAME", "tasks");
        let Some(setting) = resolved.settings.iter().find(|s| s.key == key) else {
            continue;
        };
        if setting.place != Place::Absent || !default.starts_with('`') {
            continue;
        }
        let first = default.trim_start_matches('`').split('`').next();
        assert_eq!(first, Some(setting.value.as_str()), "{key}");
    }
}

#[test]
fn every_key_is_read_by_some_section() {
    // Lists and tables of names are read only where they are given.
    let dir = tempfile::tempdir().expect("tempdir");
    let issuer = external::entry(dir.path(), external::KEYS, "");
    let text = format!(
        "{}methods = [\"GET\"]\nallow = \"GET\"\n[[routes]]\npath = \"/u\"\nbuiltin = \"users\"\naccess = {{ roles = [\"admin\"] }}\n[upstreams.b]\nurls = [\"http://h:1\"]\nidentity_headers = {{ user = \"x-u\" }}\n{issuer}roles = [\"a\"]\n",
        GOOD
    );
    let resolved = load(&text, &[]).unwrap_or_else(|p| panic!("{p}"));
    for key in KEYS {
        let read = resolved.settings.iter().any(|s| {
            let shown = reader::shown_key(&s.key)
                .replace("upstreams.tasks.", "upstreams.NAME.")
                .replace("upstreams.b.", "upstreams.NAME.");
            shown == *key
        });
        assert!(read, "nothing reads {key}");
    }
}
