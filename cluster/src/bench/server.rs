//! Servers of strata, etcd and Redis as child processes on 127.0.0.1, none of which outlives the benchmark.
//!
//! A strata server's standard input is its lifeline. A peer is started through `setpriv --pdeathsig`, where that is
//! installed, so that the kernel kills it together with this process; in any case it is killed when its value drops.

use super::client::{Client, Protocol};
use super::{BenchError, http, resp, until};
use crate::api::Status;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Limit for a new cluster to take its first write.
pub const READY: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_millis(5);

/// A server that can be started, killed and started again.
pub struct Server {
    pub name: String,
    pub protocol: Protocol,
    pub addr: SocketAddr,
    pub data: PathBuf,
    program: PathBuf,
    args: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Starts the process and returns when that was.
    pub fn start(&mut self) -> Result<Instant, BenchError> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(BenchError::io(self.log.display().to_string()))?;
        let again = log
            .try_clone()
            .map_err(BenchError::io(self.log.display().to_string()))?;
        let mut command = match (self.protocol, find("setpriv")) {
            (Protocol::Strata, _) | (_, None) => Command::new(&self.program),
            (_, Some(setpriv)) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL"]).arg(&self.program);
                command
            }
        };
        command.args(&self.args).stdout(again).stderr(log);
        command.stdin(match self.protocol {
            Protocol::Strata => Stdio::piped(),
            _ => Stdio::null(),
        });
        let began = Instant::now();
        let child = command
            .spawn()
            .map_err(BenchError::io(self.program.display().to_string()))?;
        self.child = Some(child);
        Ok(began)
    }

    /// SIGKILL, and waits for its end. Returns when the signal was sent.
    pub fn kill(&mut self) -> Instant {
        let killed = Instant::now();
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
        killed
    }

    /// Lets a strata server end in order, so that what it had begun is done (a log cut after a checkpoint, for
    /// example). A peer is killed: what it acknowledged it has handed to the system.
    pub async fn stop(&mut self) -> Result<(), BenchError> {
        if self.protocol == Protocol::Strata
            && let Some(child) = &mut self.child
        {
            drop(child.stdin.take());
            let what = format!("the end of {}", self.name);
            until(&what, READY, ASK_EVERY, async || {
                let ended = child.try_wait().map_err(BenchError::io("wait"))?;
                Ok(ended.map(|_| ()))
            })
            .await?;
        }
        self.kill();
        Ok(())
    }

    /// An error if the process ended by itself.
    pub fn must_run(&mut self) -> Result<(), BenchError> {
        let ended = match &mut self.child {
            Some(child) => child
                .try_wait()
                .map_err(BenchError::io(self.name.clone()))?
                .is_some(),
            None => true,
        };
        if !ended {
            return Ok(());
        }
        let last = File::open(&self.log)
            .ok()
            .and_then(|file| BufReader::new(file).lines().map_while(Result::ok).last());
        Err(BenchError::Ended {
            name: self.name.clone(),
            line: last.unwrap_or_default(),
        })
    }

    /// Waits until a write is taken.
    pub async fn until_writable(&mut self, limit: Duration) -> Result<(), BenchError> {
        let what = format!("the first write on {}", self.name);
        until(&what, limit, ASK_EVERY, async || {
            self.must_run()?;
            let Ok(mut client) = Client::open(self.protocol, self.addr).await else {
                return Ok(None);
            };
            Ok(client.put("ready", "yes").await.ok())
        })
        .await
    }

    /// Waits until `check` holds for this server, asked on fresh connections as long as it has to.
    pub async fn until_read(
        &mut self,
        limit: Duration,
        check: impl AsyncFn(&mut Client) -> Result<(), BenchError>,
    ) -> Result<(), BenchError> {
        let what = format!("the first read on {}", self.name);
        until(&what, limit, ASK_EVERY, async || {
            self.must_run()?;
            let Ok(mut client) = Client::open(self.protocol, self.addr).await else {
                return Ok(None);
            };
            Ok(check(&mut client).await.ok())
        })
        .await
    }

    /// `/status` of a strata server.
    pub async fn status(&self) -> Result<Status, BenchError> {
        let mut connection = http::Connection::open(self.addr).await?;
        let (_, body) = connection.exchange("GET", "/status", "").await?;
        serde_json::from_slice(&body).map_err(|error| BenchError::Answer {
            what: format!("/status of {}", self.name),
            answer: error.to_string(),
        })
    }

    /// A connection to a Redis server.
    pub async fn redis(&self) -> Result<resp::Connection, BenchError> {
        resp::Connection::open(self.addr).await
    }

    /// Writes a checkpoint of a strata server and waits until it is durable.
    pub async fn checkpoint(&self, limit: Duration) -> Result<(), BenchError> {
        let before = self.status().await?.checkpoint.written;
        let mut connection = http::Connection::open(self.addr).await?;
        let (status, body) = connection.exchange("POST", "/admin/checkpoint", "").await?;
        if status != 202 {
            return Err(BenchError::Answer {
                what: "/admin/checkpoint".into(),
                answer: String::from_utf8_lossy(&body).into_owned(),
            });
        }
        until("the checkpoint", limit, ASK_EVERY, async || {
            let written = self.status().await?.checkpoint.written;
            Ok((written > before).then_some(()))
        })
        .await
    }

    /// Rewrites the append-only file of a Redis server and waits until that is done.
    pub async fn rewrite_redis(&self, limit: Duration) -> Result<(), BenchError> {
        let mut connection = self.redis().await?;
        connection.must(&["BGREWRITEAOF"]).await?;
        until("the end of BGREWRITEAOF", limit, ASK_EVERY, async || {
            let busy = connection.info("aof_rewrite_in_progress").await?;
            let scheduled = connection.info("aof_rewrite_scheduled").await?;
            Ok((busy == "0" && scheduled == "0").then_some(()))
        })
        .await?;
        let status = connection.info("aof_last_bgrewrite_status").await?;
        if status == "ok" {
            return Ok(());
        }
        Err(BenchError::Answer {
            what: "BGREWRITEAOF".into(),
            answer: status,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Settings of strata servers that the benchmarks choose.
pub struct Strata<'a> {
    pub sync: &'a str,
    pub heartbeat_ms: u64,
    pub election_ms: u64,
    /// Further arguments of `strata serve`.
    pub more: &'a [&'a str],
}

impl Strata<'_> {
    /// A cluster with its data below `dir`, not yet started.
    pub fn servers(&self, dir: &Path, count: usize) -> Result<Vec<Server>, BenchError> {
        let program = std::env::current_exe().map_err(BenchError::io("own program"))?;
        let ports = free_ports(count * 2)?;
        let (clients, peers) = ports.split_at(count);
        let all: Vec<String> = peers
            .iter()
            .zip(1..)
            .map(|(addr, id)| format!("{id}={addr}"))
            .collect();
        let each = clients.iter().zip(peers).zip(1..);
        let servers = each.map(|((&client, peer), id): (_, u64)| {
            let data = dir.join(format!("n{id}"));
            let mut args = words(&format!(
                "serve --exit-with-stdin --id {id} --sync {} --heartbeat {}ms --election-timeout {}ms \
                 --client-listen {client} --peer-listen {peer} --peers {}",
                self.sync,
                self.heartbeat_ms,
                self.election_ms,
                all.join(",")
            ));
            args.extend(["--data".into(), data.display().to_string()]);
            args.extend(self.more.iter().map(|arg| (*arg).to_owned()));
            Server {
                name: format!("strata n{id}"),
                protocol: Protocol::Strata,
                addr: client,
                data,
                program: program.clone(),
                args,
                log: dir.join(format!("n{id}.log")),
                child: None,
            }
        });
        Ok(servers.collect())
    }

    /// A lone server with its data in `n1` below `dir`. It waits for no one's votes: its election is as short as it
    /// can be. It writes checkpoints only when told.
    pub fn lone(dir: &Path, sync: &str, more: &[&str]) -> Result<Server, BenchError> {
        let settings = Strata {
            sync,
            heartbeat_ms: 10,
            election_ms: 20,
            more: &[
                &["--checkpoint-entries", "0", "--log-limit", "1024GiB"],
                more,
            ]
            .concat(),
        };
        Ok(settings.servers(dir, 1)?.remove(0))
    }
}

/// An etcd cluster with its data below `dir`, not yet started.
pub fn etcd(
    dir: &Path,
    count: usize,
    heartbeat_ms: u64,
    election_ms: u64,
    protocol: Protocol,
) -> Result<Vec<Server>, BenchError> {
    let program = etcd_program()?;
    let ports = free_ports(count * 2)?;
    let (clients, peers) = ports.split_at(count);
    let all: Vec<String> = peers
        .iter()
        .zip(1..)
        .map(|(addr, id)| format!("e{id}=http://{addr}"))
        .collect();
    let each = clients.iter().zip(peers).zip(1..);
    let servers = each.map(|((&client, peer), id): (_, u64)| {
        let data = dir.join(format!("e{id}"));
        let mut args = words(&format!(
            "--name e{id} --heartbeat-interval {heartbeat_ms} --election-timeout {election_ms} \
             --listen-client-urls http://{client} --advertise-client-urls http://{client} \
             --listen-peer-urls http://{peer} --initial-advertise-peer-urls http://{peer} \
             --initial-cluster {} --logger zap --log-level warn",
            all.join(",")
        ));
        args.extend(["--data-dir".into(), data.display().to_string()]);
        Server {
            name: format!("etcd e{id}"),
            protocol,
            addr: client,
            data,
            program: program.clone(),
            args,
            log: dir.join(format!("e{id}.log")),
            child: None,
        }
    });
    Ok(servers.collect())
}

/// A Redis server with its files in `data`; it saves and rewrites only when told. Not yet started.
/// Values here don't compress, so it does not try to.
pub fn redis(data: &Path, more: &[&str]) -> Result<Server, BenchError> {
    let program = redis_program()?;
    let addr = free_ports(1)?.remove(0);
    let mut args = words(&format!(
        "--bind 127.0.0.1 --port {} --daemonize no --rdbcompression no --auto-aof-rewrite-percentage 0",
        addr.port()
    ));
    args.extend(["--save".into(), String::new()]);
    args.extend(["--dir".into(), data.display().to_string()]);
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    Ok(Server {
        name: "redis".into(),
        protocol: Protocol::Redis,
        addr,
        data: data.to_owned(),
        program,
        args,
        log: data.join("redis.log"),
        child: None,
    })
}

pub fn etcd_version() -> Result<String, BenchError> {
    // etcd Version: 3.4.23
    let text = output(&etcd_program()?, "--version")?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("etcd Version: "));
    Ok(version.unwrap_or("of unknown version").to_owned())
}

pub fn redis_version() -> Result<String, BenchError> {
    // Redis server v=7.0.15 sha=...
    let text = output(&redis_program()?, "--version")?;
    let version = text.split(' ').find_map(|word| word.strip_prefix("v="));
    Ok(version.unwrap_or("of unknown version").to_owned())
}

fn etcd_program() -> Result<PathBuf, BenchError> {
    find("etcd").ok_or(BenchError::NotInstalled {
        program: "etcd",
        package: "etcd-server",
    })
}

fn redis_program() -> Result<PathBuf, BenchError> {
    find("redis-server").ok_or(BenchError::NotInstalled {
        program: "redis-server",
        package: "redis-server",
    })
}

fn output(program: &Path, arg: &str) -> Result<String, BenchError> {
    let output = Command::new(program)
        .arg(arg)
        .output()
        .map_err(BenchError::io(program.display().to_string()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file())
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

/// Ports that were free a moment ago.
fn free_ports(count: usize) -> Result<Vec<SocketAddr>, BenchError> {
    let listeners: Result<Vec<_>, _> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect();
    let addrs = listeners.and_then(|listeners| {
        listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<Vec<_>, _>>()
    });
    addrs.map_err(BenchError::io("no free port on 127.0.0.1"))
}
