//! One kept HTTP/1.1 connection with one request under way: the same code for strata and for etcd's JSON gateway.

use super::BenchError;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Connection {
    addr: SocketAddr,
    stream: BufReader<TcpStream>,
    /// Kept for its memory.
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

    /// Sends one request and reads the whole answer: its status and its body.
    pub async fn exchange(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<(u16, Vec<u8>), BenchError> {
        self.request.clear();
        self.request.extend_from_slice(
            format!(
                "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n",
                body.len()
            )
            .as_bytes(),
        );
        self.request.extend_from_slice(body.as_bytes());
        let what = self.addr.to_string();
        match tokio::time::timeout(PATIENCE, self.converse()).await {
            Ok(outcome) => outcome.map_err(BenchError::io(what)),
            Err(_) => Err(BenchError::Late {
                what: format!("an answer from {what}"),
                limit: PATIENCE,
            }),
        }
    }

    async fn converse(&mut self) -> std::io::Result<(u16, Vec<u8>)> {
        self.stream.get_mut().write_all(&self.request).await?;
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| invalid(&line))?;
        let (mut length, mut chunked) = (0, false);
        loop {
            line.clear();
            self.stream.read_line(&mut line).await?;
            if line.trim().is_empty() {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(|_| invalid(&line))?;
            }
            chunked |= lower.starts_with("transfer-encoding:") && lower.contains("chunked");
        }
        let mut body = Vec::new();
        if !chunked {
            self.read_more(&mut body, length).await?;
            return Ok((status, body));
        }
        loop {
            line.clear();
            self.stream.read_line(&mut line).await?;
            length = usize::from_str_radix(line.trim(), 16).map_err(|_| invalid(&line))?;
            self.read_more(&mut body, length).await?;
            self.stream.read_line(&mut line).await?;
            if length == 0 {
                return Ok((status, body));
            }
        }
    }

    async fn read_more(&mut self, body: &mut Vec<u8>, length: usize) -> std::io::Result<()> {
        let begin = body.len();
        body.resize(begin + length, 0);
        self.stream.read_exact(&mut body[begin..]).await?;
        Ok(())
    }
}

fn invalid(line: &str) -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::InvalidData,
        format!("not HTTP/1.1: {line:?}"),
    )
}
