//! etcd's `Put` over gRPC: two fields of protobuf by hand on an HTTP/2 connection, so that no `protoc` is needed.

use super::BenchError;
use bytes::{BufMut, Bytes, BytesMut};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// `PutRequest`: key is field 1, value field 2, both of wire type 2 (length-delimited).
const KEY: u8 = 1 << 3 | 2;
const VALUE: u8 = 2 << 3 | 2;

/// Its clones share one HTTP/2 connection.
#[derive(Clone)]
pub struct Connection {
    addr: SocketAddr,
    requests: h2::client::SendRequest<Bytes>,
}

impl Connection {
    pub async fn open(addr: SocketAddr) -> Result<Self, BenchError> {
        let failed = || BenchError::io(addr.to_string());
        let stream = TcpStream::connect(addr).await.map_err(failed())?;
        stream.set_nodelay(true).map_err(failed())?;
        let (requests, connection) = h2::client::handshake(stream)
            .await
            .map_err(|error| failed()(std::io::Error::other(error)))?;
        // Ends with the last handle to it; its errors come back from the requests.
        tokio::spawn(connection);
        Ok(Self { addr, requests })
    }

    pub async fn put(&mut self, key: &str, value: &str) -> Result<(), BenchError> {
        let what = self.addr.to_string();
        match tokio::time::timeout(PATIENCE, self.exchange(message(key, value))).await {
            Ok(Ok(status)) if status == "0" => Ok(()),
            Ok(Ok(status)) => Err(BenchError::Answer {
                what: format!("put on {what}"),
                answer: format!("grpc-status {status}"),
            }),
            Ok(Err(error)) => Err(BenchError::io(what)(std::io::Error::other(error))),
            Err(_) => Err(BenchError::Late {
                what: format!("an answer from {what}"),
                limit: PATIENCE,
            }),
        }
    }

    async fn exchange(&mut self, body: Bytes) -> Result<String, h2::Error> {
        let request = http::Request::post(format!("http://{}/etcdserverpb.KV/Put", self.addr))
            .version(http::Version::HTTP_2)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .expect("constant headers and an address make a valid request");
        let mut requests = self.requests.clone().ready().await?;
        let (response, mut stream) = requests.send_request(request, false)?;
        stream.send_data(body, true)?;
        let (head, mut body) = response.await?.into_parts();
        while let Some(data) = body.data().await {
            body.flow_control().release_capacity(data?.len())?;
        }
        let trailers = body.trailers().await?;
        // An error may come as headers alone.
        let trailers = trailers.as_ref().unwrap_or(&head.headers);
        let status = trailers
            .get("grpc-status")
            .map(|status| String::from_utf8_lossy(status.as_bytes()));
        Ok(status.map_or_else(|| "missing".into(), |status| status.into_owned()))
    }
}

/// The framed message: not compressed, its length, its fields.
fn message(key: &str, value: &str) -> Bytes {
    let mut fields = BytesMut::with_capacity(key.len() + value.len() + 12);
    for (tag, text) in [(KEY, key), (VALUE, value)] {
        fields.put_u8(tag);
        put_varint(&mut fields, text.len());
        fields.put_slice(text.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(fields.len() + 5);
    framed.put_u8(0);
    framed.put_u32(fields.len() as u32);
    framed.put(fields);
    framed.freeze()
}

fn put_varint(buffer: &mut BytesMut, mut number: usize) {
    while number >= 0x80 {
        buffer.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    buffer.put_u8(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_put_is_framed_as_protobuf_prescribes() {
        let long = "v".repeat(300);
        let framed = message("k", &long);
        assert_eq!(framed[..5], [0, 0, 0, 1, 50]);
        assert_eq!(framed[5..11], [0x0a, 1, b'k', 0x12, 0xac, 0x02]);
        assert_eq!(&framed[11..], long.as_bytes());
    }
}
