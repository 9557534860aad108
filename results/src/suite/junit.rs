//! `junit.xml` of a night: one test case for each run, reruns left out.
//!
//! A violation and a missed threshold are failures. A run that proved nothing or could not be made is an error, not
//! a skipped one: build servers show skipped as fine. Skipped are the planned runs of a night that was cut short,
//! which is red by its exit code.

use super::record::{Ended, Run};
use super::summary::Summary;
use crate::junit::escape;
use std::fmt::Write;

pub fn render(summary: &Summary) -> String {
    let (mut failures, mut errors, mut seconds) = (0, 0, 0.0);
    let mut cases = String::new();
    for run in summary.made() {
        let problem = problem(summary, run);
        failures += usize::from(matches!(problem, Some(("failure", ..))));
        errors += usize::from(matches!(problem, Some(("error", ..))));
        seconds += run.took_s;
        cases += &case(summary, run, problem);
    }
    for missing in &summary.missing {
        // Writing to a String can't fail.
        let _ = writeln!(
            cases,
            "    <testcase classname=\"{}\" name=\"{}\">\n      <skipped message=\"the night ended before this run\"/>\n    </testcase>",
            escape(&format!("{}.{}", summary.name, missing.test)),
            escape(&format!("{} seed {}", missing.test, missing.seed)),
        );
    }
    let head = format!(
        "name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{}\" time=\"{seconds:.3}\"",
        escape(&summary.name),
        summary.made().count() + summary.missing.len(),
        summary.missing.len(),
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = write!(
        xml,
        "<testsuites {head}>\n  <testsuite {head} timestamp=\"{}\">\n    <properties>\n",
        escape(&summary.started)
    );
    for (name, value) in [
        ("night", summary.night.clone()),
        ("seed", summary.seed.to_string()),
        ("outcome", summary.outcome.to_string()),
        ("version", summary.version.clone()),
    ] {
        let _ = writeln!(
            xml,
            "      <property name=\"{name}\" value=\"{}\"/>",
            escape(&value)
        );
    }
    xml + "    </properties>\n" + &cases + "  </testsuite>\n</testsuites>\n"
}

/// Element, type, message and text.
type Problem = (&'static str, &'static str, String, String);

fn problem(summary: &Summary, run: &Run) -> Option<Problem> {
    let missed: Vec<String> = run.missed().map(ToString::to_string).collect();
    let mut lines = Vec::new();
    let violation = summary
        .violations
        .iter()
        .find(|violation| (&violation.test, violation.seed) == (&run.test, run.seed));
    if run.ended == Ended::Invalid {
        lines.extend(violation.and_then(|violation| violation.reproduction()));
    }
    lines.extend(missed.iter().map(|gate| format!("missed: {gate}")));
    if !run.repeat.is_empty() {
        lines.push(format!("repeat: {}", run.repeat));
    }
    if !run.run.is_empty() {
        lines.push(format!("report: {}/report.html", run.run));
    }
    let (element, kind, message) = match run.ended {
        Ended::Invalid => ("failure", "violation", run.reason.clone()),
        Ended::Broken => ("error", "broken", run.reason.clone()),
        // What is known to be bad stands before what is not known.
        Ended::Valid | Ended::Unknown if !missed.is_empty() => {
            ("failure", "threshold", missed.join("; "))
        }
        Ended::Unknown => ("error", "unknown", run.reason.clone()),
        Ended::Valid => return None,
    };
    if element == "failure" && run.ended == Ended::Unknown {
        lines.insert(0, format!("unknown: {}", run.reason));
    }
    Some((element, kind, message, lines.join("\n")))
}

fn case(summary: &Summary, run: &Run, problem: Option<Problem>) -> String {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
        escape(&format!("{}.{}", summary.name, run.test)),
        escape(&title(run)),
        run.took_s
    );
    match problem {
        None => format!("{head}/>\n"),
        Some((element, kind, message, text)) => format!(
            "{head}>\n      <{element} type=\"{kind}\" message=\"{}\">{}</{element}>\n    </testcase>\n",
            escape(&message),
            escape(&text)
        ),
    }
}

/// The same every night where the seed is, so that servers can follow a test case.
fn title(run: &Run) -> String {
    match run.because {
        super::Because::Corpus => format!("{} seed {} (failed before)", run.test, run.seed),
        _ => format!("{} seed {}", run.test, run.seed),
    }
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::{plan, run};
    use super::*;
    use crate::suite::{Because, Gate};

    fn night() -> Summary {
        let missed = Gate {
            metric: "rto.steady_p95".into(),
            expected: "< 5s".into(),
            found: Some(6_100.0),
            passed: false,
        };
        let runs = vec![
            run(1, "a", 1, Ended::Valid),
            run(2, "a", 2, Ended::Invalid),
            Run {
                because: Because::Rerun,
                ..run(3, "a", 2, Ended::Invalid)
            },
            run(4, "b", 3, Ended::Unknown),
            Run {
                gates: vec![missed],
                reason: "fine & <good>".into(),
                ..run(5, "b", 4, Ended::Valid)
            },
            run(6, "b", 5, Ended::Broken),
        ];
        Summary::of(
            &plan(&[("a", &[1, 2]), ("b", &[3, 4, 5, 6])]),
            runs,
            true,
            Vec::new(),
        )
    }

    #[test]
    fn violations_and_missed_thresholds_fail_and_doubt_is_an_error() {
        let xml = render(&night());
        assert!(
            xml.contains("tests=\"6\" failures=\"2\" errors=\"2\" skipped=\"1\" time=\"62.500\""),
            "{xml}"
        );
        assert!(xml.contains(
            "<failure type=\"violation\" message=\"invalid because\">failed again in 1 of 1 reruns"
        ));
        assert!(xml.contains("repeat: shakedown test a.yaml --seed 2"));
        assert!(xml.contains("<failure type=\"threshold\" message=\"rto.steady_p95 is 6.10 s, expected &lt; 5s\">"), "{xml}");
        assert!(xml.contains("<error type=\"unknown\""));
        assert!(xml.contains("<error type=\"broken\""));
        assert!(xml.contains("name=\"b seed 6\">\n      <skipped"));
        assert_eq!(xml.matches("<testcase").count(), 6);
    }
}
