use super::*;
use crate::spec::Setting;

fn parsed(text: &str) -> Suite {
    Suite::parse(text, "my.yaml", &Overrides::default()).unwrap()
}

fn refusal(text: &str) -> String {
    let failure = Suite::parse(text, "my.yaml", &Overrides::default()).unwrap_err();
    assert_eq!(failure.code(), crate::exit::USAGE);
    failure.to_string()
}

const SMALL: &str = "
name: small
seed: 7
defaults: {time: 5s, settings: {sync: always}}
expect: {rpo.lost: 0, rto.steady_p95: \"< 5s\"}
tests:
  - {name: calm, nemesis: [], expect: {rto.steady_p95: ~}}
  - {name: kills, nemesis: [kill], settings: {checkpoint.every: 100}, repeats: 2, expect: {rpo.lost: \"<= 1\"}}
";

#[test]
fn tests_are_laid_over_the_defaults() {
    let suite = parsed(SMALL);
    let [calm, kills] = suite.tests.as_slice() else {
        panic!("{suite:?}")
    };
    assert_eq!(calm.spec.time.to_string(), "5s");
    assert!(calm.spec.nemesis.is_empty());
    assert_eq!(kills.spec.settings["sync"], Setting("always".into()));
    assert_eq!(
        kills.spec.settings["checkpoint.every"],
        Setting("100".into())
    );
    assert_eq!(kills.seeds, Seeds::Derived(2));
}

#[test]
fn a_test_replaces_or_takes_away_thresholds_of_the_suite() {
    let suite = parsed(SMALL);
    let written = |test: &Test| Vec::from_iter(test.expect.iter().map(|(m, t)| format!("{m} {t}")));
    assert_eq!(written(&suite.tests[0]), ["rpo.lost == 0"]);
    assert_eq!(
        written(&suite.tests[1]),
        ["rpo.lost <= 1", "rto.steady_p95 < 5s"]
    );
}

#[test]
fn seeds_of_a_test_depend_on_its_name_and_the_suite_alone() {
    let suite = parsed(SMALL);
    let kills = suite.tests[1].seeds(7);
    assert_eq!(kills.len(), 2);
    assert_eq!(kills[0] + 1, kills[1]);
    assert_ne!(suite.tests[0].seeds(7)[0], kills[0]);
    let alone = parsed("{name: small, tests: [{name: kills, repeats: 2}]}");
    assert_eq!(alone.tests[0].seeds(7), kills);
    assert_ne!(alone.tests[0].seeds(8), kills);
}

#[test]
fn a_matrix_makes_named_tests() {
    let suite = parsed(
        "
name: m
tests:
  - {name: snap, time: 9s, matrix: {settings.checkpoint.every: [100, 1000]}}
matrix: {nemesis: [[kill], [lag]]}
",
    );
    let names: Vec<&str> = suite.tests.iter().map(Test::name).collect();
    assert_eq!(names, ["snap-every-100", "snap-every-1000", "kill", "lag"]);
    assert_eq!(suite.tests[1].spec.time.to_string(), "9s");
    assert_eq!(suite.tests[3].spec.nemesis, ["lag"]);
}

#[test]
fn what_is_wrong_is_named_by_file_and_field() {
    for (text, expected) in [
        ("name: x\ntets: []\n", "my.yaml:2:1: unknown field `tets`"),
        ("tests: [{name: a}]", "my.yaml: name: \"\" must consist"),
        ("name: x", "my.yaml: tests: there is none"),
        (
            "{name: x, tests: [{time: 5s}]}",
            "my.yaml: test 1 of the list: name: a test needs one",
        ),
        (
            "{name: x, tests: [{name: a}, {name: a}]}",
            "my.yaml: tests: two are named a",
        ),
        (
            "{name: x, tests: [{name: a, tiem: 5s}]}",
            "my.yaml: test a: unknown field `tiem`",
        ),
        (
            "{name: x, tests: [{name: a, nodes: 0}]}",
            "my.yaml: test a: nodes: 0 is outside",
        ),
        (
            "{name: x, tests: [{name: a, seed: 1}]}",
            "my.yaml: test a: seed: belongs",
        ),
        (
            "{name: x, tests: [{name: a, repeats: 0}]}",
            "my.yaml: test a: repeats: 0",
        ),
        (
            "{name: x, tests: [{name: a, seeds: [1, 1]}]}",
            "my.yaml: test a: seeds: one is named twice",
        ),
        (
            "{name: x, tests: [{name: a, expect: {rpo.lots: 0}}]}",
            "my.yaml: test a: expect: rpo.lots: no such metric; did you mean rpo.lost?",
        ),
        (
            "{name: x, tests: [{name: a, expect: {rpo.lots: ~}}]}",
            "my.yaml: test a: expect: rpo.lots: no such metric; did you mean rpo.lost?",
        ),
        (
            "{name: x, expect: {rto.steady_p95: \"< 5\"}, tests: [{name: a}]}",
            "my.yaml: test a: expect: rto.steady_p95: \"< 5\" is no threshold",
        ),
        (
            "{name: x, tests: [{name: a, env: netns}, {name: b, env: loopback}]}",
            "my.yaml: tests: a runs in env netns and b in loopback",
        ),
        (
            "{name: x, matrix: {rate: 5}}",
            "my.yaml: matrix: rate: expected a list",
        ),
    ] {
        let text = refusal(text);
        assert!(text.starts_with(expected), "{text}\nexpected {expected}");
    }
}

#[test]
fn flags_change_every_test() {
    let overrides = Overrides {
        env: Some("loopback".into()),
        settings: vec!["reads=local".into()],
        only: vec!["kills".into()],
        reruns: Some(0),
    };
    let suite = Suite::parse(SMALL, "my.yaml", &overrides).unwrap();
    assert_eq!(suite.reruns, 0);
    assert_eq!(suite.tests.len(), 1);
    assert_eq!(suite.tests[0].spec.env, "loopback");
    assert_eq!(
        suite.tests[0].spec.settings["reads"],
        Setting("local".into())
    );
    let unknown = Overrides {
        only: vec!["kill".into()],
        ..Overrides::default()
    };
    let text = Suite::parse(SMALL, "my.yaml", &unknown)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("--only kill: no such test; there are calm, kills"),
        "{text}"
    );
}
