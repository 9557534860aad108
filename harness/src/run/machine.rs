//! What machine this is, for the report: a figure without its machine says nothing.

use std::fs;

/// Name and value, in the order to show.
pub fn facts() -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push((name.to_owned(), value));
        }
    };
    let cores = std::thread::available_parallelism().map(|cores| cores.to_string());
    fact("cores", cores.ok());
    fact("processor", field("/proc/cpuinfo", "model name"));
    fact("memory", field("/proc/meminfo", "MemTotal"));
    fact("kernel", read("/proc/sys/kernel/osrelease"));
    fact(
        "load at start",
        read("/proc/loadavg").map(|load| load.split(' ').take(3).collect::<Vec<_>>().join(" ")),
    );
    facts
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
