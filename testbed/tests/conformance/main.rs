//! One body of tests that every environment must pass. It has a `main` of its own, because an environment
//! of namespaces is entered by starting the program again.

mod cases;
mod programs;

use cases::Outcome;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testbed::Environment;
use testbed::loopback::Loopback;
use testbed::netns::{self, Entered, Netns};

/// The user and group that own nothing.
const NOBODY: u32 = 65534;

macro_rules! run_all {
    ($suite:expr, $($case:ident),+ $(,)?) => {
        $( $suite.run(stringify!($case), cases::$case); )+
    };
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("part") => match programs::play(&args[1..]) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        Some("controller") => match controller(&args[1..]) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                println!("{error}");
                ExitCode::FAILURE
            }
        },
        Some("netns") => in_namespaces(&args[1..]),
        _ => all(&args),
    }
}

fn all(args: &[String]) -> ExitCode {
    let loopback = one("loopback", args);
    let root = nested("as the invoking user", Command::new(own_path()), args);
    let user = if nix::unistd::geteuid().is_root() {
        let mut command = Command::new(own_path());
        command.uid(NOBODY).gid(NOBODY);
        nested("as an ordinary user", command, args)
    } else {
        println!("skipped: netns as another user: this is an ordinary user already");
        true
    };
    ExitCode::from(u8::from(!(loopback && root && user)))
}

fn own_path() -> PathBuf {
    std::env::current_exe().expect("a running program has a path")
}

/// Runs the cases in namespaces, in a process of their own.
fn nested(who: &str, mut command: Command, args: &[String]) -> bool {
    println!("netns {who}");
    let status = command.arg("netns").args(args).status();
    match status {
        Ok(status) => status.success(),
        Err(error) => {
            println!("skipped: netns {who}: {error}");
            true
        }
    }
}

/// The part of the process that [`nested`] starts.
fn in_namespaces(args: &[String]) -> ExitCode {
    match netns::enter() {
        Ok(Entered::Inside) => ExitCode::from(u8::from(!one("netns", args))),
        Ok(Entered::Done(code)) => ExitCode::from(code),
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Every case in one environment.
fn one(environment: &'static str, args: &[String]) -> bool {
    let mut suite = Suite::new(environment, args);
    suite.every_case();
    suite.run("a_killed_controller_leaves_no_process", |_| async {
        leaves_nothing("loopback")
    });
    suite.end()
}

/// Starts a controller with a node's program in a process of its own, kills it, and waits until nothing
/// of it is left.
fn leaves_nothing(environment: &str) -> Outcome {
    let folder = std::env::temp_dir().join(format!("testbed-killed-{}", std::process::id()));
    let mut controller = Command::new(std::env::current_exe()?)
        .args(["controller", environment])
        .arg(&folder)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let output = controller.stdout.take().ok_or("no output")?;
    BufReader::new(output).read_line(&mut line)?;
    let running = programs::processes_of(&folder);
    controller.kill()?;
    controller.wait()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while programs::processes_of(&folder) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let left = programs::processes_of(&folder);
    std::fs::remove_dir_all(&folder)?;
    match (line.trim(), running, left) {
        ("ready", 1.., 0) => Ok(()),
        (line, ..) => Err(format!("said {line:?}; {running} ran, {left} left").into()),
    }
}

/// The part of a controller that is going to be killed: a program on every node, then nothing.
fn controller(args: &[String]) -> Outcome {
    runtime().block_on(async {
        let env = environment(&args[0], Path::new(&args[1])).await?;
        for node in env.nodes() {
            node.spawn(&programs::echo(&**node, 7100)).await?;
        }
        println!("ready");
        std::future::pending().await
    })
}

/// The cases run in one environment, and how they ended.
struct Suite {
    environment: &'static str,
    filters: Vec<String>,
    folder: PathBuf,
    passed: usize,
    failed: usize,
}

impl Suite {
    fn new(environment: &'static str, args: &[String]) -> Self {
        let name = format!("testbed-{environment}-{}", std::process::id());
        Self {
            environment,
            filters: args
                .iter()
                .filter(|arg| !arg.starts_with('-'))
                .cloned()
                .collect(),
            folder: std::env::temp_dir().join(name),
            passed: 0,
            failed: 0,
        }
    }

    fn every_case(&mut self) {
        run_all!(
            self,
            every_node_has_its_own_address_folder_and_name,
            a_process_is_stopped_continued_and_killed,
            a_program_that_is_missing_is_named_in_the_error,
            a_client_reaches_a_node_and_is_refused_where_none_listens,
            a_cut_stops_one_direction_only,
            heal_mends_every_link,
            an_established_connection_survives_a_cut_without_losing_a_byte,
            a_connection_opened_during_a_cut_waits_for_its_end,
            bulk_data_arrives_whole,
            teardown_leaves_no_process,
        );
        self.run("round_trip", |env| async move {
            let (median, tail) = cases::round_trip_us(env).await?;
            println!("info: round trip through the link: median {median:.0} us, p99 {tail:.0} us");
            Ok(())
        });
    }

    fn run<F>(&mut self, name: &str, case: impl Fn(Arc<dyn Environment>) -> F)
    where
        F: Future<Output = Outcome>,
    {
        let title = format!("{}::{name}", self.environment);
        if !self.filters.is_empty() && !self.filters.iter().any(|part| title.contains(part)) {
            return;
        }
        let folder = self.folder.join(name);
        let outcome = runtime().block_on(async {
            let env = environment(self.environment, &folder).await?;
            let outcome = case(env.clone()).await;
            env.teardown().await?;
            outcome
        });
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("test {title} ... ok");
            }
            Err(error) => {
                self.failed += 1;
                println!("test {title} ... FAILED: {error}");
            }
        }
    }

    fn end(self) -> bool {
        let _ = std::fs::remove_dir_all(&self.folder);
        println!(
            "{}: {} passed; {} failed",
            self.environment, self.passed, self.failed
        );
        self.failed == 0
    }
}

async fn environment(name: &str, folder: &Path) -> Result<Arc<dyn Environment>, testbed::Error> {
    match name {
        "loopback" => Ok(Loopback::new(3, folder).await?),
        "netns" => Ok(Netns::new(3, folder).await?),
        other => Err(testbed::Error::Unsupported(format!(
            "no environment {other}"
        ))),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime for the tests")
}
