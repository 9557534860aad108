//! `shakedown gc` on a store of real runs.

use crate::workplace::Workplace;
use serde_json::Value;

#[test]
fn nothing_goes_without_delete_and_then_only_what_no_rule_keeps() {
    let place = Workplace::new();
    let spec = place.write(
        "quick.yaml",
        "{name: quick, system: \"null\", nemesis: [], time: 1s, quiet: 0s, rate: 200, min_ops: 10, prefill: 0B}",
    );
    let (code, _, stderr) = place.run(&["test", spec.to_str().unwrap(), "--count", "3", "--quiet"]);
    assert_eq!(code, 0, "{stderr}");
    place.write("runs/quick/notes.txt", "mine");
    let runs = || {
        let folder = std::fs::read_dir(place.dir.path().join("runs/quick")).unwrap();
        folder
            .filter(|entry| entry.as_ref().unwrap().path().is_dir())
            .count()
    };

    let (code, _, stderr) = place.run(&["gc"]);
    assert!(
        code == 254 && stderr.contains("--keep-last"),
        "{code} {stderr}"
    );

    let (code, stdout, stderr) = place.run(&["gc", "--keep-last", "2"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("would remove 1 run,") && stdout.contains("nothing was touched"),
        "{stdout}"
    );
    assert_eq!(runs(), 3);

    let (code, stdout, stderr) = place.run(&["gc", "--keep-last", "2", "--delete", "--json"]);
    assert_eq!(code, 0, "{stderr}");
    let told: Value = serde_json::from_str(&stdout).unwrap();
    let goes = |run: &&Value| run["goes"] == true;
    assert_eq!(
        told["runs"].as_array().unwrap().iter().filter(goes).count(),
        1
    );
    assert_eq!(runs(), 2);
    assert!(place.dir.path().join("runs/quick/notes.txt").exists());
    assert!(place.dir.path().join("runs/latest/spec.yaml").exists());
}
