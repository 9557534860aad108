use super::*;
use async_trait::async_trait;
use cluster::api::Status;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use testbed::Network;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Nodes that note down what they are told to run, and a status server in the place of each.
pub(super) struct Stage {
    folder: tempfile::TempDir,
    nodes: Vec<Arc<dyn Node>>,
    pub(super) fakes: Vec<Arc<FakeNode>>,
    addrs: Vec<SocketAddr>,
}

pub(super) struct FakeNode {
    id: NodeId,
    dir: PathBuf,
    state: Mutex<ProcessState>,
    /// Whether a program that is started ends at once, and what it then leaves in its log.
    dies: Mutex<Option<&'static str>>,
    pub(super) programs: Mutex<Vec<Program>>,
    signals: Mutex<Vec<Signal>>,
    status: Mutex<Option<Status>>,
    /// What it answers to requests of an administrator, in turn; then 200. And what it was asked.
    pub(super) refusals: Mutex<Vec<(u16, &'static str)>>,
    pub(super) asked: Mutex<Vec<String>>,
}

impl Stage {
    pub(super) async fn set(n: usize) -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (mut fakes, mut addrs) = (Vec::new(), Vec::new());
        for i in 1..=n {
            let dir = folder.path().join(format!("n{i}"));
            fs::create_dir(&dir).unwrap();
            let node = Arc::new(FakeNode {
                id: NodeId::new(format!("n{i}")),
                dir,
                state: Mutex::new(ProcessState::Running),
                dies: Mutex::default(),
                programs: Mutex::default(),
                signals: Mutex::default(),
                status: Mutex::default(),
                refusals: Mutex::default(),
                asked: Mutex::default(),
            });
            addrs.push(serve_status(node.clone()).await);
            fakes.push(node);
        }
        let nodes = fakes.iter().map(|node| node.clone() as Arc<dyn Node>);
        Arc::new(Self {
            nodes: nodes.collect(),
            folder,
            fakes,
            addrs,
        })
    }

    /// strata on all nodes, not started.
    pub(super) async fn strata(self: &Arc<Self>, settings: &[(&str, &str)]) -> Strata {
        let binary = self.folder.path().join("strata");
        fs::write(&binary, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        let settings = settings.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        let strata = Strata::new(binary, settings.collect()).unwrap();
        strata.setup(self.clone()).await.unwrap();
        strata
    }

    pub(super) fn says(&self, i: usize, role: &str, leader: Option<&str>, commit: u64) {
        *self.fakes[i - 1].status.lock().unwrap() = Some(Status {
            name: format!("n{i}"),
            role: role.into(),
            leader: leader.map(str::to_owned),
            commit,
            ..Status::default()
        });
    }
}

/// Answers requests for the node's status, or closes the connection when it has none; and those of an
/// administrator.
async fn serve_status(node: Arc<FakeNode>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = read_request(&mut stream).await;
            if let Some(rest) = request.strip_prefix("POST ") {
                let path = rest.split(' ').next().unwrap();
                let body = request.rsplit("\r\n\r\n").next().unwrap();
                node.asked.lock().unwrap().push(format!("{path} {body}"));
                let refusal = node.refusals.lock().unwrap().pop();
                let (code, body) = refusal.unwrap_or((200, "{}"));
                let head = format!(
                    "HTTP/1.1 {code} X\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all((head + body).as_bytes()).await;
                continue;
            }
            let status = node.status.lock().unwrap().clone();
            if let Some(status) = status {
                let body = serde_json::to_string(&status).unwrap();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + &body).as_bytes()).await;
            }
        }
    });
    addr
}

/// Head and body, as far as they come.
async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut text = String::new();
    loop {
        let mut bytes = [0; 2048];
        let read = stream.read(&mut bytes).await.unwrap_or_default();
        text += &String::from_utf8_lossy(&bytes[..read]);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        if read == 0 {
            return text;
        }
    }
}

#[async_trait]
impl Node for FakeNode {
    fn id(&self) -> &NodeId {
        &self.id
    }

    fn addr(&self) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, self.id.as_str()[1..].parse().unwrap()).into()
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn route(&self, peer: &NodeId, port: u16) -> SocketAddr {
        let last = peer.as_str()[1..].parse().unwrap();
        (Ipv4Addr::new(10, 0, 0, last), port).into()
    }

    async fn spawn(&self, program: &Program) -> testbed::Result<Process> {
        self.programs.lock().unwrap().push(program.clone());
        if let Some(words) = *self.dies.lock().unwrap() {
            fs::write(&program.log, words).unwrap();
            *self.state.lock().unwrap() = ProcessState::Gone;
        } else {
            *self.state.lock().unwrap() = ProcessState::Running;
        }
        Ok(Process {
            node: self.id.clone(),
            pid: 77,
            started: 770,
        })
    }

    async fn signal(&self, _process: &Process, signal: Signal) -> testbed::Result<()> {
        self.signals.lock().unwrap().push(signal);
        *self.state.lock().unwrap() = ProcessState::Gone;
        Ok(())
    }

    async fn state(&self, _process: &Process) -> testbed::Result<ProcessState> {
        Ok(*self.state.lock().unwrap())
    }

    async fn await_state(
        &self,
        process: &Process,
        state: ProcessState,
        _limit: Duration,
    ) -> testbed::Result<()> {
        assert_eq!(self.state(process).await?, state);
        Ok(())
    }
}

#[async_trait]
impl Environment for Stage {
    fn name(&self) -> &'static str {
        "stage"
    }

    fn nodes(&self) -> &[Arc<dyn Node>] {
        &self.nodes
    }

    fn network(&self) -> Option<Arc<dyn Network>> {
        None
    }

    fn client_addr(&self, node: &NodeId, port: u16) -> SocketAddr {
        assert_eq!(port, CLIENT_PORT);
        let position = self.nodes.iter().position(|other| other.id() == node);
        self.addrs[position.unwrap()]
    }

    async fn teardown(&self) -> testbed::Result<()> {
        Ok(())
    }
}

fn refusal(result: Result<Strata>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn a_program_that_is_missing_or_can_t_be_run_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("strata");
    let path = missing.display().to_string();
    let new = |path: &Path| Strata::new(path.to_owned(), BTreeMap::new());
    assert_eq!(
        refusal(new(&missing)),
        format!("the strata server program {path} does not exist")
    );
    fs::write(&missing, "text").unwrap();
    fs::set_permissions(&missing, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(
        refusal(new(&missing)),
        format!("the strata server program {path} is not executable")
    );
    assert_eq!(
        refusal(new(folder.path())),
        format!(
            "the strata server program {} is not a file",
            folder.path().display()
        )
    );
}

#[tokio::test]
async fn a_server_is_started_with_its_peers_its_folder_and_the_settings() {
    let stage = Stage::set(3).await;
    let strata = stage.strata(&[("sync", "never"), ("reads", "local")]).await;
    let process = strata.start(&NodeId::new("n2")).await.unwrap();
    assert_eq!(strata.process(&NodeId::new("n2")), Some(process));
    assert!(stage.fakes[1].dir.join("data").is_dir());
    let program = stage.fakes[1].programs.lock().unwrap().pop().unwrap();
    let data = stage.fakes[1].dir.join("data").display().to_string();
    assert_eq!(
        program.args.join(" ").replace(&data, "DATA"),
        "serve --id 2 --data DATA --client-listen 10.0.0.2:7000 --peer-listen 10.0.0.2:7001 \
         --peers 1=10.0.0.1:7001,3=10.0.0.3:7001 --checkpoint-entries 1000 \
         --checkpoint-mode levels --capture cow --log-retention trailing=100 --log-archive remove \
         --sync never --disk direct --reads local --ack quorum --heartbeat 50ms \
         --election-timeout 300ms --transfer-mode delta"
    );
    assert_eq!(program.log, stage.fakes[1].dir.join("strata.log"));
    let again = strata.start(&NodeId::new("n2")).await.unwrap_err();
    assert_eq!(
        again.to_string(),
        "n2: the strata server already runs as process 77"
    );
}

#[tokio::test]
async fn a_server_that_ends_at_its_start_is_reported_with_its_last_words() {
    let stage = Stage::set(1).await;
    let strata = stage.strata(&[]).await;
    *stage.fakes[0].dies.lock().unwrap() = Some("one\ntwo\nthree\nfour\nfive\nno disk\n");
    let error = strata.start(&NodeId::new("n1")).await.unwrap_err();
    let log = stage.fakes[0].dir.join("strata.log");
    assert_eq!(
        error.to_string(),
        format!(
            "n1: the strata server (process 77) has ended; its log {} ends:\n\
             two\nthree\nfour\nfive\nno disk",
            log.display()
        )
    );
}

#[tokio::test]
async fn a_cluster_is_ready_when_all_follow_a_leader_that_has_committed() {
    let stage = Stage::set(3).await;
    let strata = stage.strata(&[]).await;
    for (i, role) in [(1, "follower"), (2, "leader"), (3, "follower")] {
        strata.start(&NodeId::new(format!("n{i}"))).await.unwrap();
        stage.says(i, role, Some("n2"), 1);
    }
    strata.ready(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_cluster_that_is_not_ready_in_time_names_the_node_and_what_it_said() {
    let stage = Stage::set(2).await;
    let strata = stage.strata(&[]).await;
    for i in [1, 2] {
        strata.start(&NodeId::new(format!("n{i}"))).await.unwrap();
        stage.says(i, "follower", Some("n1"), 0);
    }
    let limit = Duration::from_millis(120);
    let obstacle = async || strata.ready(limit).await.unwrap_err().to_string();
    let late = "strata is not ready after 120ms: ";
    assert_eq!(
        obstacle().await,
        format!("{late}n1 is followed but is follower")
    );
    stage.says(1, "leader", Some("n1"), 0);
    assert_eq!(
        obstacle().await,
        format!("{late}n1 leads but has committed nothing")
    );
    stage.says(2, "pre-candidate", None, 0);
    assert_eq!(
        obstacle().await,
        format!("{late}n2 is candidate and knows no leader")
    );
    *stage.fakes[1].status.lock().unwrap() = None;
    assert_eq!(
        obstacle().await,
        format!("{late}n2: connection closed before message completed")
    );
}

#[tokio::test]
async fn a_status_is_translated_and_a_dead_server_has_an_obituary_instead() {
    let stage = Stage::set(1).await;
    let strata = stage.strata(&[]).await;
    let (n1, limit) = (NodeId::new("n1"), Duration::from_secs(1));
    strata.start(&n1).await.unwrap();
    stage.says(1, "pre-candidate", Some("n1"), 7);
    let status = strata.status(&n1, limit).await.unwrap();
    assert_eq!((status.role.as_str(), status.commit), ("candidate", 7));
    assert_eq!(status.leader.as_deref(), Some("n1"));

    *stage.fakes[0].status.lock().unwrap() = None;
    *stage.fakes[0].state.lock().unwrap() = ProcessState::Gone;
    let error = strata.status(&n1, limit).await.unwrap_err().to_string();
    assert!(
        error.starts_with("n1: the strata server (process 77) has ended; its log "),
        "{error}"
    );
}

#[tokio::test]
async fn a_stopped_server_can_be_wiped_and_a_running_one_can_t() {
    let stage = Stage::set(1).await;
    let strata = stage.strata(&[]).await;
    let n1 = NodeId::new("n1");
    strata.start(&n1).await.unwrap();
    let file = stage.fakes[0].dir.join("data/log");
    fs::write(&file, "entry").unwrap();
    let error = strata.wipe(&n1).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "n1: the data of a running strata server can't be removed"
    );
    strata.stop(&n1).await.unwrap();
    assert_eq!(*stage.fakes[0].signals.lock().unwrap(), [Signal::Terminate]);
    assert_eq!(strata.process(&n1), None);
    strata.wipe(&n1).await.unwrap();
    assert!(!file.exists() && stage.fakes[0].dir.join("data").is_dir());
    let log = stage.fakes[0].dir.join("strata.log");
    assert!(!log.exists() || log.is_file(), "nothing else is touched");
}

#[tokio::test]
async fn only_the_power_loss_disk_makes_a_kill_lose_data() {
    let stage = Stage::set(1).await;
    assert!(!stage.strata(&[]).await.kill_loses_unsynced());
    let strata = stage.strata(&[("disk", "power-loss")]).await;
    assert!(strata.kill_loses_unsynced());
}
