//! The command line: what it says, and what it ends with.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::process::{Service, run};

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [
        &[][..],
        &["serv"],
        &["serve", "--port", "1"],
        &["serve", "--listen", "x"],
    ] {
        assert_eq!(run(arguments, &[]).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn a_wrong_configuration_ends_with_3_and_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    fs::write(
        &file,
        "version = 1\n\n[server]\nlisten = \"127.0.0.1:0\"\nlisen = 1\n",
    )
    .unwrap();
    let name = file.to_str().unwrap();
    let ended = run(&["serve", "--config", name], &[]);
    assert_eq!(ended.code, Some(3));
    assert!(
        ended
            .stderr
            .contains(&format!("{name}:5:1: unknown field `lisen`")),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("remedy: "), "{ended:?}");

    let home = folder.path().to_str().unwrap();
    let cases: [(&[&str], (&str, &str)); 4] = [
        (&["serve", "--config", "/does/not/exist"], ("HOME", home)),
        (&["serve"], ("TASK_SERVICE_SERVER_LISTEN", "here")),
        (&["serve", "--listen", "127.0.0.1:0"], ("NO_HOME", "")),
        (
            &[
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--data-dir",
                "/dev/null/x",
            ],
            ("HOME", home),
        ),
    ];
    for (arguments, variable) in cases {
        let ended = run(arguments, &[variable]);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.stderr.contains("remedy: "), "{ended:?}");
    }
}

#[test]
fn a_taken_port_or_store_ends_with_1_and_a_remedy() {
    let service = Service::start(&[]);
    let other = tempfile::tempdir().unwrap();
    let address = service.address.to_string();
    let other_data = other.path().to_str().unwrap();
    let ended = run(
        &["serve", "--listen", &address, "--data-dir", other_data],
        &[],
    );
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("remedy: stop what listens there"),
        "{ended:?}"
    );

    let data = service.folder.path().join("data");
    let data = data.to_str().unwrap();
    let target = other.path().join("copy");
    let copy = target.to_str().unwrap();
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0", "--data-dir", data][..],
        &["backup", copy, "--data-dir", data],
    ] {
        let ended = run(arguments, &[]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(
            ended.stderr.contains("in use by another process"),
            "{ended:?}"
        );
        assert!(
            ended.stderr.contains("remedy: stop the service"),
            "{ended:?}"
        );
    }
    assert!(!target.exists());
}

#[test]
fn a_backup_of_a_stopped_store_can_be_served() {
    let service = Service::start(&[]);
    service.client().create("kept");
    service.terminate();
    let (_, folder) = service.wait();
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("data")).unwrap();
    let target = copy.path().join("data/tasks.redb");
    let data = folder.path().join("data");
    let ended = run(
        &[
            "backup",
            target.to_str().unwrap(),
            "--data-dir",
            data.to_str().unwrap(),
        ],
        &[],
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        fs::metadata(&target).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let service = Service::start_in(copy, &[]);
    assert_eq!(service.client().get("/tasks/1/").json()["title"], "kept");
}

#[test]
fn a_healthcheck_says_whether_the_service_is_well() {
    let service = Service::start(&[("TASK_SERVICE_GATEWAY_STATUS_HEADER", "X-Who")]);
    let address = service.address.to_string();
    let environment = [
        ("HOME", "/"),
        ("TASK_SERVICE_SERVER_LISTEN", address.as_str()),
    ];
    assert_eq!(run(&["healthcheck"], &environment).code, Some(0));
    service.terminate();
    service.wait();
    let ended = run(&["healthcheck"], &environment);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.contains("remedy: "), "{ended:?}");
}

#[test]
fn the_store_is_private() {
    let service = Service::start(&[]);
    let mode = |path| {
        let path = service.folder.path().join(path);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("data"), mode("data/tasks.redb")), (0o700, 0o600));
}
