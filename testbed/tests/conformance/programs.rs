//! The programs that the conformance tests run on nodes: this test program itself, in other parts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;
use testbed::{Node, Program};

/// Answers every byte with the same byte, at an address.
pub fn echo(node: &dyn Node, port: u16) -> Program {
    program(
        node,
        &["echo", &SocketAddr::new(node.addr(), port).to_string()],
    )
}

/// Sends a counter to an echo over one connection, and logs each answer.
pub fn chat(node: &dyn Node, peer: SocketAddr) -> Program {
    program(node, &["chat", &peer.to_string()])
}

/// Prints the host's name and the names it knows, to `name.log`.
pub fn name(node: &dyn Node) -> Program {
    program(node, &["name", "0.0.0.0:0"])
}

fn program(node: &dyn Node, args: &[&str]) -> Program {
    let own = std::env::current_exe().expect("a running program has a path");
    Program {
        path: own,
        args: std::iter::once("part")
            .chain(args.iter().copied())
            // The folder makes the program's command line unlike that of any other run.
            .chain([node.dir().to_str().expect("test folders are UTF-8")])
            .map(String::from)
            .collect(),
        env: Vec::new(),
        log: node.dir().join(format!("{}.log", args[0])),
    }
}

/// Plays the part named on the command line.
pub fn play(args: &[String]) -> std::io::Result<()> {
    let address: SocketAddr = args[1].parse().map_err(std::io::Error::other)?;
    match args[0].as_str() {
        "echo" => serve_echo(TcpListener::bind(address)?),
        "chat" => hold_chat(address),
        "name" => {
            println!("I am {}", nix::unistd::gethostname()?.display());
            print!("{}", std::fs::read_to_string("/etc/hosts")?);
            Ok(())
        }
        part => Err(std::io::Error::other(format!("unknown part {part}"))),
    }
}

pub fn serve_echo(listener: TcpListener) -> std::io::Result<()> {
    listener.set_nonblocking(false)?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        stream.set_nodelay(true)?;
        std::thread::spawn(move || {
            let mut chunk = [0; 64 * 1024];
            while let Ok(length @ 1..) = stream.read(&mut chunk) {
                if stream.write_all(&chunk[..length]).is_err() {
                    break;
                }
            }
        });
    }
    Ok(())
}

fn hold_chat(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    for count in 0u64.. {
        stream.write_all(&count.to_be_bytes())?;
        let mut answer = [0; 8];
        stream.read_exact(&mut answer)?;
        println!("{}", u64::from_be_bytes(answer));
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The counters that a chat has had answered so far.
pub fn answers(node: &dyn Node) -> Vec<u64> {
    let text = std::fs::read_to_string(node.dir().join("chat.log")).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map_while(|line| line.parse().ok()).collect()
}

/// The processes, as far as `/proc` shows them, that name `folder` in their command line; without the
/// caller's own.
pub fn processes_of(folder: &Path) -> Vec<i32> {
    let folder = folder.to_str().expect("test folders are UTF-8").as_bytes();
    let own = std::process::id() as i32;
    std::fs::read_dir("/proc")
        .expect("/proc is mounted")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != own && *pid != 1)
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.windows(folder.len()).any(|part| part == folder))
        })
        .collect()
}

/// The processor time so far of this process's threads that move packets or bytes.
pub fn thread_time_ms(environment: &str) -> u64 {
    let name = match environment {
        "netns" => "(switch)",
        _ => "(loopback)",
    };
    std::fs::read_dir("/proc/self/task")
        .expect("/proc is mounted")
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok())
        .filter(|stat| stat.contains(name))
        .filter_map(|stat| {
            // Fields 14 and 15: ticks, of which there are 100 in a second, in user and system mode.
            let (_, rest) = stat.rsplit_once(')')?;
            let mut ticks = rest.split_ascii_whitespace().skip(11);
            let user: u64 = ticks.next()?.parse().ok()?;
            let system: u64 = ticks.next()?.parse().ok()?;
            Some(10 * (user + system))
        })
        .sum()
}

/// How many TCP segments were sent again in this network namespace so far.
pub fn segments_sent_again() -> u64 {
    let text = std::fs::read_to_string("/proc/self/net/snmp").unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return 0;
    };
    let mut pairs = names.split(' ').zip(values.split(' '));
    let found = pairs.find(|(name, _)| *name == "RetransSegs");
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}
