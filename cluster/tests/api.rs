//! The HTTP interface of one real server: requests and answers as text.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A cluster of one, ended when dropped.
struct Server {
    child: Child,
    addr: SocketAddr,
    _data: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let free = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let (addr, peer) = (free(), free());
        let child = Command::new(env!("CARGO_BIN_EXE_strata"))
            .args(["serve", "--id", "1", "--data"])
            .arg(data.path())
            .args(["--client-listen", &addr.to_string()])
            .args(["--peer-listen", &peer.to_string()])
            .args(["--peers", &format!("1={peer}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            child,
            addr,
            _data: data,
        };
        let end = Instant::now() + Duration::from_secs(30);
        let ready = || {
            let put = json!({"op": "put", "key": "ready", "value": "yes"});
            let stream = TcpStream::connect(addr).ok()?;
            let (status, _) = exchange(stream, "/v1/kv", put.to_string().as_bytes())?;
            (status == 200).then_some(())
        };
        while ready().is_none() {
            assert!(Instant::now() < end, "the server does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let stream = TcpStream::connect(self.addr).unwrap();
        exchange(stream, path, body.as_bytes()).expect("an answer")
    }

    fn kv(&self, body: Value) -> (u16, Value) {
        self.post("/v1/kv", &body.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn exchange(mut stream: TcpStream, path: &str, body: &[u8]) -> Option<(u16, Value)> {
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .ok()?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    // A body that is too large may be refused before it was sent.
    let _ = stream.write_all(body);
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let header = line.trim_end().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
    }
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer).ok()?;
    Some((status, serde_json::from_slice(&answer).ok()?))
}

#[test]
fn transactions_scans_and_additions_are_served_and_what_is_wrong_is_named() {
    let server = Server::start();
    let index = |answer: &Value| answer["index"].as_u64().unwrap();

    let (status, answer) = server.kv(json!({"op": "add", "key": "n", "amount": 5}));
    assert_eq!((status, &answer["value"]), (200, &json!("5")));
    let txn = json!({
        "if": [{"key": "n", "at_least": 5}, {"key": "a", "is": null}],
        "steps": [
            {"op": "add", "key": "n", "amount": -5}, {"op": "put", "key": "a", "value": "1"},
            {"op": "get", "key": "a"}, {"op": "put", "key": "b", "value": "2"},
        ],
    })
    .to_string();
    let (status, first) = server.post("/v1/txn", &txn);
    assert_eq!(status, 200, "{first}");
    assert_eq!(first["steps"], json!(["0", null, "1", null]));
    let (status, refused) = server.post("/v1/txn", &txn);
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("condition-failed"))
    );
    assert_eq!(refused["message"], "if[0] does not hold");
    assert_eq!(refused["definite"], true);

    let (_, scanned) = server.post("/v1/scan", r#"{"to":"o","limit":2}"#);
    assert_eq!(
        (&scanned["entries"], &scanned["next"]),
        (
            &json!([{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]),
            &json!("n")
        )
    );
    // What only reads is not in the log.
    assert!(index(&scanned) <= index(&first) + 1);
    let read =
        json!({"op": "txn", "steps": [{"op": "get", "key": "a"}, {"op": "get", "key": "n"}]});
    let (_, read) = server.kv(read);
    assert_eq!(read["steps"], json!(["1", "0"]));
    assert_eq!(index(&read), index(&scanned));

    // A repeated transaction is answered with what it gave.
    let once = json!({
        "session": {"client": 1, "sequence": 1},
        "steps": [{"op": "add", "key": "n", "amount": 1}],
    })
    .to_string();
    let answers = [(); 2].map(|()| server.post("/v1/txn", &once));
    assert_eq!(answers[0], answers[1]);

    for (body, expected, named) in [
        (json!({"op": "get"}), 400, "missing field `key`"),
        (
            json!({"op": "get", "key": "a", "stael": true}),
            400,
            "`stael`",
        ),
        (json!({"op": "txn", "steps": []}), 400, "field `steps`"),
        (
            json!({"op": "put", "key": "k".repeat(4_097), "value": ""}),
            413,
            "field `key` has 4097 bytes",
        ),
        (
            json!({"op": "put", "key": "k", "value": "v".repeat((1 << 20) + 1)}),
            413,
            "field `value`",
        ),
        (json!({"op": "scan", "limit": 1_001}), 413, "field `limit`"),
        (
            json!({"op": "txn", "steps": vec![json!({"op": "get", "key": "a"}); 129]}),
            413,
            "field `steps` has 129 steps",
        ),
        (
            json!({"op": "txn", "steps": [{"op": "delete", "key": "k".repeat(5_000)}]}),
            413,
            "field `steps[0].key`",
        ),
        (
            json!({"op": "put", "key": "k", "value": "v".repeat(3 << 20)}),
            413,
            "the body has more than",
        ),
        (
            json!({"op": "add", "key": "ready", "amount": 1}),
            409,
            "no decimal number",
        ),
    ] {
        let (status, error) = server.kv(body);
        assert_eq!(status, expected, "{error}");
        assert_eq!(error["definite"], true, "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(named), "{message}");
    }
    let (status, error) = server.post("/v1/txn", "{");
    assert_eq!((status, &error["code"]), (400, &json!("bad-request")));
}
