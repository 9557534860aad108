//! What must hold in every environment. Each case gets a fresh environment of three nodes.

use crate::programs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use testbed::{Environment, Error, LinkQuality, Network, Node, NodeId, ProcessState, Signal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

pub const LIMIT: Duration = Duration::from_secs(10);
/// How long a probe of a cut link is given before it counts as stopped.
const SILENCE: Duration = Duration::from_millis(300);
pub const PORT: u16 = 7100;

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+).into());
        }
    };
}

pub async fn a_process_is_stopped_continued_and_killed(env: Arc<dyn Environment>) -> Outcome {
    let node = &env.nodes()[0];
    let process = node.spawn(&programs::echo(&**node, PORT)).await?;
    ensure!(
        node.state(&process).await? == ProcessState::Running,
        "not running"
    );
    node.signal(&process, Signal::Stop).await?;
    node.await_state(&process, ProcessState::Stopped, LIMIT)
        .await?;
    node.signal(&process, Signal::Continue).await?;
    node.await_state(&process, ProcessState::Running, LIMIT)
        .await?;
    node.signal(&process, Signal::Stop).await?;
    node.signal(&process, Signal::Kill).await?;
    node.await_state(&process, ProcessState::Gone, LIMIT)
        .await?;
    let again = node.signal(&process, Signal::Kill).await;
    ensure!(
        matches!(again, Err(Error::Gone(_))),
        "signalled the dead: {again:?}"
    );
    Ok(())
}

pub async fn a_program_that_is_missing_is_named_in_the_error(env: Arc<dyn Environment>) -> Outcome {
    let node = &env.nodes()[0];
    let mut program = programs::echo(&**node, PORT);
    program.path = "/does/not/exist".into();
    let error = node
        .spawn(&program)
        .await
        .err()
        .ok_or("it started")?
        .to_string();
    ensure!(
        error.contains("n1") && error.contains("/does/not/exist"),
        "{error}"
    );
    Ok(())
}

pub async fn a_client_reaches_a_node_and_is_refused_where_none_listens(
    env: Arc<dyn Environment>,
) -> Outcome {
    let node = &env.nodes()[1];
    let address = env.client_addr(node.id(), PORT);
    await_refusal(address).await?;
    let process = node.spawn(&programs::echo(&**node, PORT)).await?;
    let mut stream = connect(address).await?;
    ensure!(echoes(&mut stream, b"hello", LIMIT).await?, "no answer");
    node.signal(&process, Signal::Kill).await?;
    node.await_state(&process, ProcessState::Gone, LIMIT)
        .await?;
    let after = tokio::time::timeout(LIMIT, stream.read(&mut [0; 8])).await?;
    ensure!(!matches!(after, Ok(1..)), "the dead answered: {after:?}");
    await_refusal(address).await?;
    node.spawn(&programs::echo(&**node, PORT)).await?;
    let mut stream = connect(address).await?;
    ensure!(
        echoes(&mut stream, b"again", LIMIT).await?,
        "no answer after the restart"
    );
    Ok(())
}

pub async fn a_cut_stops_one_direction_only(env: Arc<dyn Environment>) -> Outcome {
    let network = network(&env)?;
    let (one, two) = (NodeId::new("n1"), NodeId::new("n2"));
    for (from, to) in [
        (&one, &two),
        (&two, &NodeId::controller()),
        (&NodeId::controller(), &one),
    ] {
        ensure!(
            network.probe(from, to, LIMIT).await?,
            "{from} to {to} before the cut"
        );
        ensure!(
            network.probe(to, from, LIMIT).await?,
            "{to} to {from} before the cut"
        );
        let before = network.counters(from, to);
        network.cut(from, to).await?;
        network.cut(from, to).await?;
        ensure!(
            !network.probe(from, to, SILENCE).await?,
            "{from} to {to} is not cut"
        );
        ensure!(
            network.probe(to, from, LIMIT).await?,
            "{to} to {from} was cut too"
        );
        let during = network.counters(from, to);
        ensure!(
            during.passed == before.passed,
            "passed a cut: {before:?} {during:?}"
        );
        ensure!(
            during.cut > before.cut,
            "the cut was not counted: {during:?}"
        );
        network.mend(from, to).await?;
        ensure!(
            network.probe(from, to, LIMIT).await?,
            "{from} to {to} after mending"
        );
        let after = network.counters(from, to);
        ensure!(after.passed > before.passed, "{after:?} after mending");
    }
    Ok(())
}

pub async fn heal_mends_every_link(env: Arc<dyn Environment>) -> Outcome {
    let network = network(&env)?;
    let nodes: Vec<NodeId> = env.nodes().iter().map(|node| node.id().clone()).collect();
    for from in &nodes {
        for to in nodes.iter().filter(|to| *to != from) {
            network.cut(from, to).await?;
        }
    }
    ensure!(
        !network.probe(&nodes[0], &nodes[2], SILENCE).await?,
        "not cut"
    );
    network.heal().await?;
    for from in &nodes {
        for to in nodes.iter().filter(|to| *to != from) {
            ensure!(
                network.probe(from, to, LIMIT).await?,
                "{from} to {to} after healing"
            );
        }
    }
    Ok(())
}

pub async fn an_established_connection_survives_a_cut_without_losing_a_byte(
    env: Arc<dyn Environment>,
) -> Outcome {
    let network = network(&env)?;
    let (one, two) = (&env.nodes()[0], &env.nodes()[1]);
    two.spawn(&programs::echo(&**two, PORT)).await?;
    connect(env.client_addr(two.id(), PORT)).await?;
    let process = one
        .spawn(&programs::chat(&**one, one.route(two.id(), PORT)))
        .await?;
    await_answers(&**one, 10).await?;
    for (from, to) in [(one.id(), two.id()), (two.id(), one.id())] {
        network.cut(from, to).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let frozen = programs::answers(&**one).len();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let still = programs::answers(&**one).len();
        ensure!(
            still == frozen,
            "{} answers came through a cut",
            still - frozen
        );
        network.mend(from, to).await?;
        await_answers(&**one, still + 10).await?;
    }
    let answers = programs::answers(&**one);
    ensure!(
        answers.iter().copied().eq(0..answers.len() as u64),
        "out of step: {answers:?}"
    );
    ensure!(
        one.state(&process).await? == ProcessState::Running,
        "the chat broke off"
    );
    Ok(())
}

pub async fn a_connection_opened_during_a_cut_waits_for_its_end(
    env: Arc<dyn Environment>,
) -> Outcome {
    let network = network(&env)?;
    let node = &env.nodes()[2];
    let address = env.client_addr(node.id(), PORT);
    node.spawn(&programs::echo(&**node, PORT)).await?;
    connect(address).await?;
    network.cut(&NodeId::controller(), node.id()).await?;
    let attempt = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await?;
        echoes(&mut stream, b"patience", 3 * LIMIT).await
    });
    tokio::time::sleep(SILENCE).await;
    ensure!(
        !attempt.is_finished(),
        "a new connection went through a cut"
    );
    network.mend(&NodeId::controller(), node.id()).await?;
    ensure!(attempt.await??, "no answer after mending");
    Ok(())
}

pub async fn bulk_data_arrives_whole(env: Arc<dyn Environment>) -> Outcome {
    let node = &env.nodes()[0];
    node.spawn(&programs::echo(&**node, PORT)).await?;
    let stream = connect(env.client_addr(node.id(), PORT)).await?;
    let (mut back, mut forth) = stream.into_split();
    let sent: Vec<u8> = (0..8_000_000u32)
        .map(|at| (at ^ (at >> 11)) as u8)
        .collect();
    let copy = sent.clone();
    let sender = tokio::spawn(async move { forth.write_all(&copy).await.map(|()| forth) });
    let mut received = vec![0; sent.len()];
    tokio::time::timeout(3 * LIMIT, back.read_exact(&mut received)).await??;
    sender.await??;
    ensure!(received == sent, "the bytes differ");
    Ok(())
}

pub async fn every_node_has_its_own_address_folder_and_name(env: Arc<dyn Environment>) -> Outcome {
    let nodes = env.nodes();
    ensure!(nodes.len() == 3, "{} nodes", nodes.len());
    for (number, node) in nodes.iter().enumerate() {
        ensure!(
            node.id().as_str() == format!("n{}", number + 1),
            "named {}",
            node.id()
        );
        ensure!(
            node.dir().is_dir() && node.dir().is_absolute(),
            "{:?}",
            node.dir()
        );
        let same = nodes
            .iter()
            .filter(|other| other.addr() == node.addr())
            .count();
        ensure!(same == 1, "{same} nodes at {}", node.addr());
    }
    Ok(())
}

pub async fn a_node_in_namespaces_has_its_hostname_and_knows_the_others(
    env: Arc<dyn Environment>,
) -> Outcome {
    if env.name() != "netns" {
        return Ok(());
    }
    let node = &env.nodes()[1];
    let process = node.spawn(&programs::name(&**node)).await?;
    node.await_state(&process, ProcessState::Gone, LIMIT)
        .await?;
    let said = std::fs::read_to_string(node.dir().join("name.log"))?;
    ensure!(said.starts_with("I am n2\n"), "{said}");
    if Path::new("/etc/hosts").exists() {
        ensure!(said.contains("10.88.0.3 n3"), "{said}");
    }
    Ok(())
}

pub async fn teardown_leaves_no_process(env: Arc<dyn Environment>) -> Outcome {
    for node in env.nodes() {
        let process = node.spawn(&programs::echo(&**node, PORT)).await?;
        node.signal(&process, Signal::Stop).await?;
    }
    let folder = env.nodes()[0]
        .dir()
        .parent()
        .ok_or("no parent folder")?
        .to_owned();
    ensure!(
        programs::processes_of(&folder).len() >= 3,
        "nothing was running"
    );
    env.teardown().await?;
    ensure!(
        programs::processes_of(&folder).is_empty(),
        "processes are left"
    );
    env.teardown().await?;
    Ok(())
}

pub async fn a_slow_link_is_slow_or_refused_by_name(env: Arc<dyn Environment>) -> Outcome {
    let network = network(&env)?;
    let (one, two) = (NodeId::new("n1"), NodeId::new("n2"));
    let quality = LinkQuality {
        delay: Duration::from_millis(200),
        ..LinkQuality::default()
    };
    match network.shape(&one, &two, quality).await {
        Err(Error::Unsupported(reason)) if env.name() == "loopback" => {
            ensure!(
                reason.contains("n1") && reason.contains("netns"),
                "{reason}"
            );
        }
        shaped => {
            shaped?;
            let early = network
                .probe(&one, &two, Duration::from_millis(100))
                .await?;
            ensure!(!early, "200 ms of delay took less than 100 ms");
            ensure!(
                network.probe(&one, &two, LIMIT).await?,
                "nothing came through"
            );
            ensure!(
                network.probe(&two, &one, LIMIT).await?,
                "the way back was hit"
            );
            let lossy = LinkQuality {
                loss: 1.0,
                ..LinkQuality::default()
            };
            network.shape(&one, &two, lossy).await?;
            ensure!(
                !network.probe(&one, &two, SILENCE).await?,
                "all lost, and yet it came"
            );
            let lost = network.counters(&one, &two).lost;
            ensure!(lost > 0, "the loss was not counted");
            network.heal().await?;
            ensure!(
                network.probe(&one, &two, LIMIT).await?,
                "healing left it lossy"
            );
        }
    }
    Ok(())
}

fn network(env: &Arc<dyn Environment>) -> Result<Arc<dyn Network>, String> {
    env.network().ok_or_else(|| "no network".to_owned())
}

/// Connects once the program listens.
pub async fn connect(
    address: SocketAddr,
) -> Result<TcpStream, Box<dyn std::error::Error + Send + Sync>> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            stream.set_nodelay(true)?;
            if echoes(&mut stream, b"?", LIMIT).await.unwrap_or(false) {
                return Ok(stream);
            }
        }
        if Instant::now() > deadline {
            return Err(format!("{address} does not answer").into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn await_refusal(address: SocketAddr) -> Outcome {
    let deadline = Instant::now() + LIMIT;
    loop {
        let attempt = TcpStream::connect(address).await;
        if attempt.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{address} does not refuse");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn await_answers(node: &dyn Node, count: usize) -> Outcome {
    let deadline = Instant::now() + LIMIT;
    while programs::answers(node).len() < count {
        ensure!(Instant::now() < deadline, "fewer than {count} answers");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

pub async fn echoes(stream: &mut TcpStream, text: &[u8], limit: Duration) -> std::io::Result<bool> {
    stream.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    match tokio::time::timeout(limit, stream.read_exact(&mut answer)).await {
        Ok(read) => read.map(|_| answer == text),
        Err(_) => Ok(false),
    }
}
