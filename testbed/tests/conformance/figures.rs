//! What the links of an environment cost, printed for information: nothing here fails for being slow.

use crate::cases::{LIMIT, Outcome, PORT, connect, echoes};
use crate::programs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use testbed::Environment;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// the round trip of eight bytes from the controller to a node and back, beside
/// one within the controller.
pub async fn info_round_trip(env: Arc<dyn Environment>) -> Outcome {
    let node = &env.nodes()[0];
    node.spawn(&programs::echo(&**node, PORT)).await?;
    let (median, tail) = round_trips_us(env.client_addr(node.id(), PORT)).await?;
    let beside = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = beside.local_addr()?;
    std::thread::spawn(move || programs::serve_echo(beside.into_std()?));
    let (direct, direct_tail) = round_trips_us(address).await?;
    println!(
        "info: round trip through the link: median {median:.0} us, p99 {tail:.0} us; \
         without: median {direct:.0} us, p99 {direct_tail:.0} us"
    );
    Ok(())
}

/// how many round trips of 256 bytes the links carry with many connections at
/// once, and what the thread that moves them costs.
pub async fn info_throughput(env: Arc<dyn Environment>) -> Outcome {
    const CONNECTIONS: usize = 64;
    const TIME: Duration = Duration::from_secs(1);
    let mut streams = Vec::new();
    for node in env.nodes() {
        node.spawn(&programs::echo(&**node, PORT)).await?;
    }
    for number in 0..CONNECTIONS {
        let node = &env.nodes()[number % env.nodes().len()];
        streams.push(connect(env.client_addr(node.id(), PORT)).await?);
    }
    let before = programs::thread_time_ms(env.name());
    let tasks: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            tokio::spawn(async move {
                let (start, mut count) = (Instant::now(), 0);
                while start.elapsed() < TIME && echoes(&mut stream, &[7; 256], LIMIT).await? {
                    count += 1;
                }
                Ok::<u32, std::io::Error>(count)
            })
        })
        .collect();
    let mut total = 0;
    for task in tasks {
        total += task.await??;
    }
    let spent = programs::thread_time_ms(env.name()) - before;
    println!(
        "info: {total} round trips a second, for which the links took {spent} ms of processor"
    );
    Ok(())
}

/// how quickly bulk data goes to all nodes and back, and how many segments the
/// controller had to send again because a queue was full.
pub async fn info_bulk(env: Arc<dyn Environment>) -> Outcome {
    const BYTES: usize = 32 << 20;
    let (mut tasks, mut resent) = (Vec::new(), programs::segments_sent_again());
    for node in env.nodes() {
        node.spawn(&programs::echo(&**node, PORT)).await?;
        let stream = connect(env.client_addr(node.id(), PORT)).await?;
        let (mut back, mut forth) = stream.into_split();
        tasks.push(tokio::spawn(async move {
            forth.write_all(&vec![7; BYTES]).await.map(|()| drop(forth))
        }));
        tasks.push(tokio::spawn(async move {
            back.read_exact(&mut vec![0; BYTES]).await.map(drop)
        }));
    }
    let start = Instant::now();
    for task in tasks {
        task.await??;
    }
    let rate = (2 * env.nodes().len() * BYTES) as f64 / 1e6 / start.elapsed().as_secs_f64();
    resent = programs::segments_sent_again() - resent;
    println!("info: bulk data at {rate:.0} MB a second; {resent} segments were sent again");
    Ok(())
}

async fn round_trips_us(
    address: SocketAddr,
) -> Result<(f64, f64), Box<dyn std::error::Error + Send + Sync>> {
    let mut stream = connect(address).await?;
    let mut times = Vec::new();
    for _ in 0..5000 {
        let start = Instant::now();
        echoes(&mut stream, b"12345678", LIMIT).await?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], times[times.len() * 99 / 100]))
}
