//! Bad input gets one clear message that names the place, and its exit code; nothing is left behind.

use crate::workplace::Workplace;

#[test]
fn bad_input_is_named_and_exits_254() {
    let place = Workplace::new();
    place.write("bad.yaml", "nodes: 3\nworkloads: [register\n");
    place.write("unknown.yaml", "nodes: 3\nnemisis: [kill]\n");
    place.write(
        "corrupt.jsonl",
        "{\"version\":1,\"workload\":\"register\",\"model\":\"register\"}\n{\"index\":0,\"ti\nmore\n",
    );
    let cases: &[(&[&str], &str)] = &[
        (&["test", "--workload", "nope"], "\"nope\""),
        (&["test", "--nemesis", "nope"], "`nope`"),
        (&["test", "--system", "nope"], "`nope`"),
        (&["test", "--env", "nope"], "env: "),
        (&["test", "--set", "syncc=always"], "did you mean"),
        (&["test", "--set", "sync=maybe"], "`sync`"),
        (&["test", "--time", "60"], "write it with its unit"),
        (&["test", "--nodes", "0"], "nodes: 0"),
        (
            &["test", "--binary", "/nonexistent/strata"],
            "/nonexistent/strata",
        ),
        (&["test", "bad.yaml"], "bad.yaml:3:1"),
        (&["test", "unknown.yaml"], "unknown.yaml:2:1"),
        (&["test", "missing.yaml"], "missing.yaml"),
        (&["test", "--system", "null"], "no servers"),
        (&["check", "missing.jsonl"], "missing.jsonl"),
        (&["check", "corrupt.jsonl"], "corrupt.jsonl:2:"),
        (&["analyze", "nowhere"], "nowhere"),
        (&["nonsense"], "nonsense"),
    ];
    for (args, expected) in cases {
        let (code, _, stderr) = place.run(args);
        // A missing server program would be reported first where it is not built.
        if stderr.contains("server program") && !stderr.contains(expected) {
            println!("skipped {args:?}: strata is not built");
            continue;
        }
        assert!(
            code == 254 && stderr.contains(expected),
            "{args:?}: {code}: {stderr}"
        );
    }
    assert!(
        !place.dir.path().join("runs").exists(),
        "a refused run leaves no folder"
    );
}

#[test]
fn a_reader_that_has_enough_is_no_defect() {
    let place = Workplace::new();
    let mut child = place
        .command(&["list"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_history_is_judged_whoever_wrote_it() {
    let place = Workplace::new();
    let read = |value: &str| {
        format!(
            "{}\n{}\n{}\n{}\n",
            r#"{"process":0,"time":1,"type":"invoke","f":"write","value":1}"#,
            r#"{"process":0,"time":2,"type":"ok","f":"write","value":1}"#,
            r#"{"process":1,"time":3,"type":"invoke","f":"read","value":null}"#,
            format_args!(r#"{{"process":1,"time":4,"type":"ok","f":"read","value":{value}}}"#),
        )
    };
    place.write("good.jsonl", &read("1"));
    place.write("bad.jsonl", &read("null"));
    place.write("empty.jsonl", "");
    place.write("cut.jsonl", &read("1")[..220]);
    let judge = |file: &str| place.run(&["check", file, "--model", "register"]);
    assert_eq!(judge("good.jsonl").0, 0);
    let (code, stdout, _) = judge("bad.jsonl");
    assert!(
        code == 1 && stdout.contains("could only have read 1"),
        "{stdout}"
    );
    let (code, stdout, _) = judge("empty.jsonl");
    assert!(
        code == 2 && stdout.contains("nothing was tested"),
        "{stdout}"
    );
    let (code, stdout, _) = judge("cut.jsonl");
    assert!(
        code == 2 && stdout.contains("middle of an event"),
        "{stdout}"
    );
    let limited = [
        "check",
        "good.jsonl",
        "--model",
        "register",
        "--check-memory",
        "200B",
    ];
    let (code, stdout, _) = place.run(&limited);
    assert!(
        code == 2 && stdout.contains("only the first 200B of text were read"),
        "{stdout}"
    );
}

#[test]
fn histories_of_other_tools_are_judged_and_converted() {
    let place = Workplace::new();
    place.write(
        "stale.edn",
        "{:process 0, :type :invoke, :f :write, :value 1}
{:process 0, :type :ok, :f :write, :value 1}
{:process 1, :type :invoke, :f :read, :value nil}
{:process 1, :type :ok, :f :read, :value 0}
",
    );
    let check = ["check", "stale.edn", "--model", "cas-register=0", "--json"];
    let (code, stdout, stderr) = place.run(&check);
    assert_eq!(code, 1, "{stderr}");
    let judged: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(judged["format"], "jepsen-edn");
    let convert = [
        "convert",
        "stale.edn",
        "stale.jsonl.zst",
        "--model",
        "cas-register=0",
    ];
    let (code, _, stderr) = place.run(&convert);
    assert_eq!(code, 0, "{stderr}");
    // The header names the model now.
    let (code, stdout, stderr) = place.run(&["check", "stale.jsonl.zst"]);
    assert_eq!(code, 1, "{stdout}{stderr}");

    place.write("bad.edn", "{:process 0, :type :invoke, :f :fly}\n");
    let (code, _, stderr) = place.run(&["check", "bad.edn", "--model", "register"]);
    assert!(
        code == 254 && stderr.contains("bad.edn:1:29: unknown operation :fly"),
        "{stderr}"
    );
    let (code, _, stderr) = place.run(&["check", "bad.edn", "--format", "xml"]);
    assert!(code == 254 && stderr.contains("jepsen-edn"), "{stderr}");
}

#[test]
fn made_up_histories_are_as_right_as_they_are_wanted() {
    let place = Workplace::new();
    let make = |file: &str, plant: &[&str]| {
        let make = ["gen-history", file, "--operations", "300", "--seed", "3"];
        let (code, _, stderr) = place.run(&[&make[..], plant].concat());
        assert_eq!(code, 0, "{stderr}");
        place.run(&["check", file]).0
    };
    assert_eq!(make("right.jsonl", &[]), 0);
    assert_eq!(make("wrong.jsonl.zst", &["--plant", "stale-read"]), 1);
    let misfit = [
        "gen-history",
        "no.jsonl",
        "--model",
        "mutex",
        "--plant",
        "stale-read",
    ];
    let (code, _, stderr) = place.run(&misfit);
    assert!(
        code == 254 && stderr.contains("these can: too-many-holders"),
        "{stderr}"
    );
}

#[test]
fn a_violation_is_explained_in_a_page_and_as_data() {
    let place = Workplace::new();
    let event = |process: u64, time: u64, rest: &str| {
        format!("{{\"process\":{process},\"time\":{time},{rest}}}\n")
    };
    let text = [
        event(0, 1, r#""type":"invoke","f":"write","value":1"#),
        event(0, 2, r#""type":"ok","f":"write","value":1"#),
        event(1, 3, r#""type":"invoke","f":"read","value":null"#),
        event(1, 4, r#""type":"ok","f":"read","value":null"#),
    ];
    place.write("bad.jsonl", &text.concat());
    let check = ["check", "bad.jsonl", "--model", "register", "--json"];
    let (code, stdout, stderr) = place.run(&[&check[..], &["--explain", "why.html"]].concat());
    assert_eq!(code, 1, "{stderr}");
    let page = std::fs::read_to_string(place.dir.path().join("why.html")).unwrap();
    assert!(page.contains("✗ read nil: the state there can only be 1"));
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let explanation = &json["checks"]["linearizable"]["explanation"];
    assert_eq!(explanation["core"]["operations"], 2);
    assert_eq!(explanation["witness"]["confirmed"], true);

    let (code, _, stderr) = place.run(&[&check[..], &["--explain", "nowhere/why.html"]].concat());
    assert!(
        code == 254 && stderr.contains("nowhere/why.html"),
        "{code}: {stderr}"
    );
}

#[test]
fn every_command_explains_itself() {
    let place = Workplace::new();
    for command in [
        "test",
        "analyze",
        "check",
        "convert",
        "gen-history",
        "report",
        "list",
        "doctor",
        "cluster",
        "heal",
        "bench",
        "compare",
        "shrink",
        "sweep",
        "suite",
        "gc",
        "serve",
        "sim",
    ] {
        let (code, stdout, _) = place.run(&[command, "--help"]);
        assert!(code == 0 && stdout.contains("Usage"), "{command}: {stdout}");
    }
    let (code, stdout, _) = place.run(&["list"]);
    assert!(code == 0);
    for name in [
        "strata",
        "register",
        "ledger",
        "partition",
        "lag",
        "majority-ring",
        "cas-register",
    ] {
        assert!(stdout.contains(name), "{name}: {stdout}");
    }
    let (_, json, _) = place.run(&["list", "--json"]);
    serde_json::from_str::<serde_json::Value>(&json).unwrap();
}
