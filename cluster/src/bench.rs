//! `strata bench`: committed writes of a cluster on this machine, servers as processes of their own.

use clap::Args;
use hdrhistogram::Histogram;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Limit for the cluster to serve its first write.
const READY: Duration = Duration::from_secs(20);

#[derive(Args)]
pub struct Bench {
    #[arg(long, default_value_t = 3)]
    nodes: u64,
    /// Closed-loop clients
    #[arg(long, default_value_t = 64)]
    clients: u64,
    #[arg(long, default_value_t = 256)]
    value_bytes: usize,
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Sync policy of the servers
    #[arg(long, default_value = "always")]
    sync: String,
    /// Where the data folders are made; removed afterwards
    #[arg(long)]
    dir: Option<PathBuf>,
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
}

/// A running server. Its standard input is its lifeline: it ends with this process, however that ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn run(bench: &Bench) -> Result<(), String> {
    let parent = bench.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = parent.join(format!("strata-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let outcome = measure(bench, &dir);
    let removed =
        std::fs::remove_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()));
    outcome.and(removed)
}

fn measure(bench: &Bench, dir: &Path) -> Result<(), String> {
    let ports = free_ports(bench.nodes as usize * 2)?;
    let (clients, peers) = ports.split_at(bench.nodes as usize);
    let servers = start(bench, dir, clients, peers)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let (histogram, elapsed) = runtime.block_on(load(bench, clients))?;
    drop(servers);
    report(bench, &histogram, elapsed);
    Ok(())
}

fn free_ports(count: usize) -> Result<Vec<SocketAddr>, String> {
    let listeners: Result<Vec<_>, _> = (0..count)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0"))
        .collect();
    let addrs = listeners.and_then(|listeners| {
        listeners
            .iter()
            .map(|listener| listener.local_addr())
            .collect()
    });
    addrs.map_err(|error| format!("no free port on 127.0.0.1: {error}"))
}

fn start(
    bench: &Bench,
    dir: &Path,
    clients: &[SocketAddr],
    peers: &[SocketAddr],
) -> Result<Vec<Server>, String> {
    let program = std::env::current_exe().map_err(|error| format!("own program: {error}"))?;
    let all: Vec<String> = peers
        .iter()
        .zip(1..)
        .map(|(addr, id)| format!("{id}={addr}"))
        .collect();
    let each = clients.iter().zip(peers).zip(1..);
    let servers = each.map(|((client, peer), id): (_, u64)| {
        let mut command = Command::new(&program);
        command.args([
            "serve",
            "--exit-with-stdin",
            "--id",
            &id.to_string(),
            "--sync",
            &bench.sync,
        ]);
        command.arg("--data").arg(dir.join(format!("n{id}")));
        command.args([
            "--client-listen",
            &client.to_string(),
            "--peer-listen",
            &peer.to_string(),
        ]);
        command.args(["--peers", &all.join(",")]);
        let log = std::fs::File::create(dir.join(format!("n{id}.log")))
            .map_err(|error| error.to_string())?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log);
        command
            .spawn()
            .map(Server)
            .map_err(|error| format!("{}: {error}", program.display()))
    });
    servers.collect()
}

async fn load(bench: &Bench, addrs: &[SocketAddr]) -> Result<(Histogram<u64>, Duration), String> {
    let ready = Instant::now();
    loop {
        if let Ok(mut connection) = Connection::open(addrs[0]).await
            && connection.put("ready", "").await.is_ok()
        {
            break;
        }
        if ready.elapsed() > READY {
            return Err("the cluster did not serve a write in time".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let began = Instant::now();
    let end = began + Duration::from_secs(bench.seconds);
    let value = "x".repeat(bench.value_bytes);
    let workers: Vec<_> = (0..bench.clients)
        .map(|client| {
            let (addr, value) = (addrs[client as usize % addrs.len()], value.clone());
            tokio::spawn(async move {
                let mut histogram = histogram();
                let mut connection = Connection::open(addr).await?;
                let mut count = 0u64;
                while Instant::now() < end {
                    let sent = Instant::now();
                    connection
                        .put(&format!("key-{client}-{}", count % 1_000), &value)
                        .await?;
                    histogram.saturating_record(sent.elapsed().as_micros() as u64);
                    count += 1;
                }
                Ok::<_, String>(histogram)
            })
        })
        .collect();
    let mut total = histogram();
    for worker in workers {
        let one = worker.await.map_err(|error| error.to_string())??;
        total.add(&one).map_err(|error| error.to_string())?;
    }
    Ok((total, began.elapsed()))
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("constant bounds")
}

/// One kept HTTP connection.
struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn open(addr: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(addr)
            .await
            .map_err(|error| format!("{addr}: {error}"))?;
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        Ok(Self(BufReader::new(stream)))
    }

    async fn put(&mut self, key: &str, value: &str) -> Result<(), String> {
        let body = format!(r#"{{"op":"put","key":"{key}","value":"{value}"}}"#);
        let head = format!(
            "POST /v1/kv HTTP/1.1\r\nhost: strata\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let exchange = async {
            self.0
                .get_mut()
                .write_all(format!("{head}{body}").as_bytes())
                .await?;
            let mut line = String::new();
            self.0.read_line(&mut line).await?;
            let ok = line.contains(" 200 ");
            let mut length = 0;
            loop {
                line.clear();
                self.0.read_line(&mut line).await?;
                if line.trim().is_empty() {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
            }
            let mut answer = vec![0; length];
            self.0.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>((ok, String::from_utf8_lossy(&answer).into_owned()))
        };
        match tokio::time::timeout(Duration::from_secs(10), exchange).await {
            Ok(Ok((true, _))) => Ok(()),
            Ok(Ok((false, answer))) => Err(format!("a write was refused: {answer}")),
            Ok(Err(error)) => Err(format!("a connection broke: {error}")),
            Err(_) => Err("a write took more than 10 s".into()),
        }
    }
}

fn report(bench: &Bench, histogram: &Histogram<u64>, elapsed: Duration) {
    let rate = histogram.len() as f64 / elapsed.as_secs_f64();
    let ms = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    if bench.json {
        let document = serde_json::json!({
            "puts_per_s": rate, "n": histogram.len(), "seconds": elapsed.as_secs_f64(),
            "p50_ms": ms(0.5), "p99_ms": ms(0.99), "p999_ms": ms(0.999), "max_ms": histogram.max() as f64 / 1e3,
            "nodes": bench.nodes, "clients": bench.clients, "value_bytes": bench.value_bytes, "sync": bench.sync,
            "cores": cores,
        });
        println!("{document}");
        return;
    }
    println!(
        "{rate:.0} committed puts/s (n {}, {:.1} s, {} nodes, {} clients, {} B, sync {}, closed loop, {cores} cores)",
        histogram.len(),
        elapsed.as_secs_f64(),
        bench.nodes,
        bench.clients,
        bench.value_bytes,
        bench.sync
    );
    println!(
        "latency p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
        ms(0.5),
        ms(0.99),
        ms(0.999),
        histogram.max() as f64 / 1e3
    );
}
