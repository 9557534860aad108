//! One connection to Redis: the part of RESP2 that the benchmarks need.

use super::BenchError;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longest wait for one answer; a SAVE of the whole state is one.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    Text(String),
    Error(String),
    Integer(i64),
    /// A value, or that there is none.
    Bulk(Option<Vec<u8>>),
}

pub struct Connection {
    addr: SocketAddr,
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Connection {
    pub async fn open(addr: SocketAddr) -> Result<Self, BenchError> {
        let failed = || BenchError::io(addr.to_string());
        let stream = TcpStream::connect(addr).await.map_err(failed())?;
        stream.set_nodelay(true).map_err(failed())?;
        Ok(Self {
            addr,
            stream: BufReader::new(stream),
            request: Vec::new(),
        })
    }

    /// Adds a command to the next [`Connection::flush`].
    pub fn queue(&mut self, words: &[&str]) {
        encode(&mut self.request, words);
    }

    /// Sends what was queued and reads `answers` answers.
    pub async fn flush(&mut self, answers: usize) -> Result<Vec<Reply>, BenchError> {
        let what = self.addr.to_string();
        let exchange = async {
            self.stream.get_mut().write_all(&self.request).await?;
            self.request.clear();
            let mut replies = Vec::with_capacity(answers);
            for _ in 0..answers {
                replies.push(self.read().await?);
            }
            Ok(replies)
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(outcome) => outcome.map_err(BenchError::io(what)),
            Err(_) => Err(BenchError::Late {
                what: format!("an answer from {what}"),
                limit: PATIENCE,
            }),
        }
    }

    pub async fn command(&mut self, words: &[&str]) -> Result<Reply, BenchError> {
        self.queue(words);
        let mut replies = self.flush(1).await?;
        Ok(replies.remove(0))
    }

    /// A command that must be taken: `+OK` or another text.
    pub async fn must(&mut self, words: &[&str]) -> Result<(), BenchError> {
        match self.command(words).await? {
            Reply::Text(_) => Ok(()),
            other => Err(BenchError::Answer {
                what: words.join(" "),
                answer: format!("{other:?}"),
            }),
        }
    }

    /// One field of INFO.
    pub async fn info(&mut self, field: &str) -> Result<String, BenchError> {
        let reply = self.command(&["INFO", "everything"]).await?;
        let text = match &reply {
            Reply::Bulk(Some(text)) => String::from_utf8_lossy(text),
            other => format!("{other:?}").into(),
        };
        let value = text.lines().find_map(|line| {
            line.strip_prefix(field)
                .and_then(|rest| rest.strip_prefix(':'))
        });
        value
            .map(|value| value.trim().to_owned())
            .ok_or_else(|| BenchError::Answer {
                what: format!("INFO, field {field}"),
                answer: text.chars().take(200).collect(),
            })
    }

    async fn read(&mut self) -> std::io::Result<Reply> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let invalid = || {
            let text = format!("not RESP: {line:?}");
            std::io::Error::new(std::io::ErrorKind::InvalidData, text)
        };
        let rest = line.get(1..).ok_or_else(invalid)?.trim_end();
        match line.as_bytes()[0] {
            b'+' => Ok(Reply::Text(rest.to_owned())),
            b'-' => Ok(Reply::Error(rest.to_owned())),
            b':' => Ok(Reply::Integer(rest.parse().map_err(|_| invalid())?)),
            b'$' if rest == "-1" => Ok(Reply::Bulk(None)),
            b'$' => {
                let length: usize = rest.parse().map_err(|_| invalid())?;
                let mut bytes = vec![0; length + 2];
                self.stream.read_exact(&mut bytes).await?;
                bytes.truncate(length);
                Ok(Reply::Bulk(Some(bytes)))
            }
            _ => Err(invalid()),
        }
    }
}

fn encode(buffer: &mut Vec<u8>, words: &[&str]) {
    buffer.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        buffer.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        let mut buffer = Vec::new();
        encode(&mut buffer, &["SET", "a", ""]);
        assert_eq!(buffer, b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$0\r\n\r\n");
    }

    #[tokio::test]
    async fn every_kind_of_answer_is_read_and_nonsense_is_refused() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream
                .write_all(b"+OK\r\n-LOADING x\r\n:7\r\n$2\r\nab\r\n$-1\r\n!\r\n")
                .await
                .unwrap();
        });
        let mut connection = Connection::open(addr).await.unwrap();
        let replies = connection.flush(5).await.unwrap();
        let expected = [
            Reply::Text("OK".into()),
            Reply::Error("LOADING x".into()),
            Reply::Integer(7),
            Reply::Bulk(Some(b"ab".to_vec())),
            Reply::Bulk(None),
        ];
        assert_eq!(replies, expected);
        assert!(connection.flush(1).await.is_err());
        server.await.unwrap();
    }
}
