use super::*;
use checker::Ret;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const DEADLINE: Duration = Duration::from_millis(400);

/// What the server does with a connection.
#[derive(Clone)]
enum Manner {
    /// Reads a request, writes these bytes, and goes on with the next one.
    Answer(String),
    /// Reads a request, writes these bytes, and closes.
    Close(String),
    /// Reads a request and says nothing.
    Hang,
}

/// A server that counts what reaches it.
struct Server {
    addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            addr: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (connections, requests) = (server.connections.clone(), server.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream, manner.clone(), requests.clone()));
            }
        });
        server
    }

    fn client(&self) -> StrataClient {
        StrataClient::new(self.addr).unwrap()
    }

    fn counts(&self) -> (usize, usize) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (count(&self.connections), count(&self.requests))
    }
}

async fn converse(mut stream: TcpStream, manner: Manner, requests: Arc<AtomicUsize>) {
    while read_request(&mut stream).await.is_some() {
        requests.fetch_add(1, Ordering::SeqCst);
        match &manner {
            Manner::Answer(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Manner::Close(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                return;
            }
            Manner::Hang => std::future::pending().await,
        }
    }
}

/// One request's body; nothing when the connection ends.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|l| l.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(body.to_owned());
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
        }
    }
}

fn write() -> Op {
    Op::Write {
        key: 1.into(),
        value: 2.into(),
    }
}

fn read() -> Op {
    Op::Read { key: 1.into() }
}

/// `ok`, `fail <reason>` or `info <reason>`.
fn shown(outcome: Outcome) -> String {
    match outcome {
        Outcome::Ok(ret) => format!("ok {ret:?}"),
        Outcome::Fail(reason) => format!("fail {reason}"),
        Outcome::Info(reason) => format!("info {reason}"),
    }
}

/// What becomes of a write and of a read on a server of this manner; each is sent exactly once.
async fn outcomes(manner: Manner) -> (String, String) {
    let server = Server::start(manner).await;
    let wrote = shown(server.client().invoke(&write(), DEADLINE).await);
    let seen = shown(server.client().invoke(&read(), DEADLINE).await);
    assert_eq!(server.counts(), (2, 2), "nothing is repeated");
    (wrote, seen)
}

fn http(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn a_refused_connection_fails_for_certain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    for op in [write(), read()] {
        let outcome = StrataClient::new(addr).unwrap().invoke(&op, DEADLINE).await;
        let text = shown(outcome);
        assert!(
            text.starts_with("fail connect: Connection refused"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_leaves_a_write_unknown_and_fails_a_read() {
    let (wrote, seen) = outcomes(Manner::Close(String::new())).await;
    assert_eq!(
        wrote,
        "info broken: connection closed before message completed"
    );
    assert_eq!(
        seen,
        "fail broken: connection closed before message completed"
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_a_write_unknown_even_when_it_began_with_200() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"value\":";
    let (wrote, seen) = outcomes(Manner::Close(half.to_owned())).await;
    assert!(wrote.starts_with("info broken: "), "{wrote}");
    assert!(seen.starts_with("fail broken: "), "{seen}");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_at_the_deadline() {
    let start = tokio::time::Instant::now();
    let (wrote, seen) = outcomes(Manner::Hang).await;
    assert_eq!(
        (wrote.as_str(), seen.as_str()),
        ("info timeout", "fail timeout")
    );
    assert!(start.elapsed() >= 2 * DEADLINE);
    assert!(start.elapsed() < 2 * DEADLINE + Duration::from_secs(5));
}

#[tokio::test]
async fn an_error_that_the_server_calls_definite_fails_with_its_code() {
    let (wrote, seen) = outcomes(Manner::Answer(http(
        "503 Service Unavailable",
        "{\"code\":\"no-leader\",\"definite\":true,\"message\":\"election on\"}",
    )))
    .await;
    assert_eq!(wrote, "fail no-leader: election on");
    assert_eq!(seen, "fail no-leader: election on");
}

#[tokio::test]
async fn an_error_that_the_server_does_not_call_definite_leaves_a_write_unknown() {
    let (wrote, seen) = outcomes(Manner::Answer(http(
        "504 Gateway Timeout",
        "{\"code\":\"timeout\",\"definite\":false,\"message\":\"in 5 s\"}",
    )))
    .await;
    assert_eq!(wrote, "info timeout: in 5 s");
    assert_eq!(seen, "fail timeout: in 5 s");
}

#[tokio::test]
async fn a_cas_that_found_another_value_fails() {
    let server = Server::start(Manner::Answer(http(
        "409 Conflict",
        "{\"code\":\"cas-mismatch\",\"definite\":true,\"message\":\"holds 3\"}",
    )))
    .await;
    let cas = Op::Cas {
        key: 1.into(),
        from: 1.into(),
        to: 2.into(),
    };
    let outcome = server.client().invoke(&cas, DEADLINE).await;
    assert_eq!(outcome, Outcome::Fail(Reason::new("cas-mismatch: holds 3")));
}

#[tokio::test]
async fn an_answer_that_is_not_json_leaves_a_write_unknown() {
    for answer in [
        http("200 OK", "hello"),
        http("500 Internal Server Error", "hello"),
    ] {
        let (wrote, seen) = outcomes(Manner::Answer(answer)).await;
        assert!(wrote.starts_with("info bad-answer: "), "{wrote}");
        assert!(seen.starts_with("fail bad-answer: "), "{seen}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(Manner::Answer(http("200 OK", ""))).await;
    let location = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{}/v1/kv\r\ncontent-length: 0\r\n\r\n",
        elsewhere.addr
    );
    let (wrote, seen) = outcomes(Manner::Answer(location)).await;
    assert_eq!(wrote, "info bad-answer: status 307 without a reason");
    assert_eq!(seen, "fail bad-answer: status 307 without a reason");
    assert_eq!(elsewhere.counts(), (0, 0));
}

#[tokio::test]
async fn one_connection_is_kept_until_it_is_dropped_on_purpose() {
    let server = Server::start(Manner::Answer(http(
        "200 OK",
        "{\"value\":\"4\",\"index\":9}",
    )))
    .await;
    let mut client = server.client();
    for _ in 0..3 {
        let outcome = client.invoke(&read(), DEADLINE).await;
        assert_eq!(outcome, Outcome::Ok(Ret::Value(4.into())));
    }
    assert_eq!(server.counts(), (1, 3));
    client.disconnect();
    assert_eq!(
        client.invoke(&write(), DEADLINE).await,
        Outcome::Ok(Ret::Done)
    );
    assert_eq!(server.counts(), (2, 4));
}
