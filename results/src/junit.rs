//! `junit.xml` for build servers: one test case per check and per gate. An unknown verdict and a gate
//! that was not passed are errors, a violation is a failure.

use crate::measure::Results;
use checker::Validity;
use std::fmt::Write;

pub fn render(results: &Results) -> String {
    let mut cases = String::new();
    let (mut failures, mut errors) = (0, 0);
    for (name, verdict) in &results.checks {
        let problem = match verdict.valid {
            Validity::Valid => None,
            Validity::Invalid => Some("failure"),
            Validity::Unknown => Some("error"),
        };
        failures += usize::from(problem == Some("failure"));
        errors += usize::from(problem == Some("error"));
        cases += &case("check", name, problem, &verdict.reason);
    }
    for (name, gate) in &results.gates {
        let problem = (!gate.passed).then_some("error");
        errors += usize::from(problem.is_some());
        cases += &case("gate", name, problem, &gate.reason);
    }
    let tests = results.checks.len() + results.gates.len();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let suite = format!(
        "name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{:.3}\"",
        escape(&results.run.name),
        results.marks.end as f64 / 1e9
    );
    xml += &format!("<testsuites {suite}>\n  <testsuite {suite}>\n    <properties>\n");
    for (name, value) in [
        ("seed", results.seed.to_string()),
        ("system", results.system.clone()),
        ("workload", results.workload.clone()),
        ("valid", results.valid.to_string()),
        ("repeat", results.run.repeat.clone()),
    ] {
        xml += &format!(
            "      <property name=\"{name}\" value=\"{}\"/>\n",
            escape(&value)
        );
    }
    xml + "    </properties>\n" + &cases + "  </testsuite>\n</testsuites>\n"
}

fn case(class: &str, name: &str, problem: Option<&str>, reason: &str) -> String {
    let head = format!(
        "    <testcase classname=\"{class}\" name=\"{}\"",
        escape(name)
    );
    match problem {
        None => format!("{head}/>\n"),
        Some(kind) => {
            format!(
                "{head}>\n      <{kind} message=\"{}\"/>\n    </testcase>\n",
                escape(reason)
            )
        }
    }
}

/// Text for an attribute; characters that XML 1.0 can't hold become replacement characters.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => {
                // Writing to a String can't fail.
                let _ = write!(out, "&#{};", c as u32);
            }
            c if (c as u32) < 0x20 || matches!(c as u32, 0xfffe | 0xffff) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
