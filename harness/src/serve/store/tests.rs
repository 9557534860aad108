use super::*;
use std::os::unix::fs::symlink;

/// A store with one run beside a secret.
fn store() -> (tempfile::TempDir, Store) {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("runs/test/20261123T000000Z-1");
    fs::create_dir_all(run.join("plots")).unwrap();
    fs::write(run.join("spec.yaml"), "spec: {}\n").unwrap();
    fs::write(run.join("plots/latency.svg"), "<svg/>").unwrap();
    fs::write(place.path().join("secret.json"), "secret").unwrap();
    fs::create_dir(place.path().join("outside")).unwrap();
    fs::write(place.path().join("outside/spec.yaml"), "secret").unwrap();
    let store = Store::new(place.path().join("runs"));
    (place, store)
}

fn id() -> Id {
    Id::parse("test/20261123T000000Z-1").unwrap()
}

#[test]
fn names_that_lead_elsewhere_are_no_names() {
    for text in [
        "",
        "/",
        "..",
        "test/..",
        "../outside",
        "/etc",
        "test//x",
        "test/./x",
        "test/%2e%2e",
        "test\\x",
        ".hidden",
        "test/\0",
        "test/a b",
        "%2Fetc",
        "~root/x*",
        "\u{ff0e}\u{ff0e}/x",
    ] {
        assert_eq!(Id::parse(text), None, "{text:?}");
    }
    assert_eq!(Id::parse(&"a/".repeat(2_000)), None, "too long");
    assert!(Id::parse("test/20261123T000000Z-1.2").is_some());
}

#[test]
fn only_files_that_runs_write_are_named() {
    for text in [
        "",
        "../spec.yaml",
        "plots/../spec.yaml",
        "plots/.svg",
        "plots/x.html",
        "plots/a/b.svg",
        "/etc/passwd",
        "nodes/n1/data/log",
        "nodes/../n1.log",
        "nodes/n1/hosts",
        "secret.json",
        "report.html/",
    ] {
        assert_eq!(Name::parse(text), None, "{text:?}");
    }
    for text in [
        "report.html",
        "plots/latency.svg",
        "nodes/n1/server.log",
        "history.jsonl.zst",
    ] {
        assert!(Name::parse(text).is_some(), "{text}");
    }
    let (folder, name) = Name::split("a/b/plots/x.svg").unwrap();
    assert_eq!((folder.0.as_str(), name.0.as_str()), ("a/b", "plots/x.svg"));
    assert_eq!(
        Name::split("report.html"),
        None,
        "a file of the store itself"
    );
}

#[test]
fn a_link_that_leads_outside_is_not_followed() {
    let (place, store) = store();
    let run = store.folder(&id()).unwrap();
    symlink(place.path().join("secret.json"), run.join("results.json")).unwrap();
    symlink(
        place.path().join("outside"),
        place.path().join("runs/test/out"),
    )
    .unwrap();
    symlink("/", place.path().join("runs/everything")).unwrap();
    let results = Name::parse("results.json").unwrap();
    assert!(store.open(&id(), &results).is_err());
    assert_eq!(store.folder(&Id::parse("test/out").unwrap()), None);
    assert_eq!(store.folder(&Id::parse("everything/etc").unwrap()), None);
    let out = (
        Id::parse("test/out").unwrap(),
        Name::parse("spec.yaml").unwrap(),
    );
    assert!(store.open(&out.0, &out.1).is_err());
    assert_eq!(store.find().unwrap().runs, [id()]);
}

#[test]
fn a_link_within_the_store_is_a_way_to_a_run() {
    let (place, store) = store();
    symlink("test/20261123T000000Z-1", place.path().join("runs/latest")).unwrap();
    let latest = Id::parse("latest").unwrap();
    assert_eq!(store.folder(&latest), store.folder(&id()));
    assert_eq!(store.find().unwrap().runs, [id()], "and not a second run");
}

#[test]
fn what_is_no_file_is_not_opened() {
    let (_place, store) = store();
    let run = store.folder(&id()).unwrap();
    fs::create_dir(run.join("report.html")).unwrap();
    nix::unistd::mkfifo(&run.join("shakedown.log"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for name in ["report.html", "shakedown.log", "junit.xml"] {
        assert!(
            store.open(&id(), &Name::parse(name).unwrap()).is_err(),
            "{name}"
        );
    }
    let (_, metadata) = store
        .open(&id(), &Name::parse("plots/latency.svg").unwrap())
        .unwrap();
    assert_eq!(metadata.len(), 6);
    let names: Vec<String> = store
        .files(&id())
        .into_iter()
        .map(|file| file.name)
        .collect();
    assert_eq!(names, ["spec.yaml", "plots/latency.svg"]);
}

#[test]
fn a_store_that_is_not_there_yet_is_empty() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::new(place.path().join("runs"));
    assert!(store.find().unwrap().runs.is_empty());
    assert!(!place.path().join("runs").exists(), "nothing is made");
}
