//! Workflow commands of GitHub: what is bad, shown beside the build. GitHub keeps ten errors and ten warnings of a
//! step, so the worst come first.

use super::record::{Ended, Run};
use super::summary::Summary;

/// One command a line.
pub fn render(summary: &Summary) -> String {
    let mut text = String::new();
    for violation in &summary.violations {
        let mut message = violation.reason.clone();
        if let Some(again) = violation.reproduction() {
            message = format!("{message}\n{again}");
        }
        message = format!("{message}\nrepeat: {}", violation.repeat);
        let title = format!(
            "{}: violation in {}, seed {}",
            summary.name, violation.test, violation.seed
        );
        text += &command("error", &title, &message);
    }
    for run in summary.made().filter(|run| run.ended == Ended::Broken) {
        text += &of_run("error", summary, run, "could not be made", &run.reason);
    }
    for run in summary.missed() {
        let missed: Vec<String> = run.missed().map(ToString::to_string).collect();
        text += &of_run(
            "error",
            summary,
            run,
            "threshold missed",
            &missed.join("\n"),
        );
    }
    for run in summary.made().filter(|run| run.ended == Ended::Unknown) {
        text += &of_run("warning", summary, run, "proved nothing", &run.reason);
    }
    for shift in summary.shifts.iter().filter(|shift| shift.worse) {
        let title = format!("{}: {} became worse", summary.name, shift.metric);
        text += &command("warning", &title, &shift.to_string());
    }
    text
}

fn of_run(level: &str, summary: &Summary, run: &Run, what: &str, message: &str) -> String {
    let title = format!("{}: {what}: {}, seed {}", summary.name, run.test, run.seed);
    command(level, &title, message)
}

fn command(level: &str, title: &str, message: &str) -> String {
    let property = data(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={property}::{}\n", data(message))
}

/// Nothing that a recorded text says can end the command or begin another.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::{plan, run};
    use super::*;

    #[test]
    fn each_is_one_line_whatever_the_reason_says() {
        let runs = vec![Run {
            reason: "100 % bad\n::set-env name=x::y".into(),
            ..run(1, "a", 2, Ended::Invalid)
        }];
        let summary = Summary::of(&plan(&[]), runs, false, Vec::new());
        assert_eq!(
            render(&summary),
            "::error title=nightly%3A violation in a%2C seed 2::100 %25 bad%0A::set-env name=x::y%0Arepeat: \
             shakedown test a.yaml --seed 2\n"
        );
    }

    #[test]
    fn doubt_is_a_warning() {
        let runs = vec![run(1, "a", 2, Ended::Unknown), run(2, "a", 3, Ended::Valid)];
        let summary = Summary::of(&plan(&[]), runs, false, Vec::new());
        let text = render(&summary);
        assert!(text.starts_with("::warning title="), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}
