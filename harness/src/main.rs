//! See [`harness`].

use clap::Parser;
use harness::{cli::Cli, commands, exit};
use std::process::ExitCode;

fn main() -> ExitCode {
    end_quietly_when_nobody_reads();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Printing can fail only when nobody reads.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                exit::USAGE
            } else {
                exit::VALID
            });
        }
    };
    match commands::run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("shakedown: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

/// `shakedown list | head` is no mistake of anybody: printing to a pipe that was closed ends the program, as it ends
/// others, and not with the message of a defect.
fn end_quietly_when_nobody_reads() {
    /// What a shell says of a program that SIGPIPE ended.
    const CLOSED_PIPE: i32 = 128 + 13;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>();
        let closed = |text: &String| {
            text.starts_with("failed printing to stdout") && text.contains("Broken pipe")
        };
        if text.is_some_and(closed) {
            std::process::exit(CLOSED_PIPE);
        }
        usual(panic);
    }));
}
