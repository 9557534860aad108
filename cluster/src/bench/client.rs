//! One client of any of the systems: opens, puts, gets.

use super::{BenchError, http, resp};
use std::net::SocketAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Strata,
    /// etcd through its JSON gateway.
    EtcdJson,
    #[cfg(feature = "etcd-grpc")]
    EtcdGrpc,
    Redis,
}

pub enum Client {
    Strata(http::Connection),
    EtcdJson(http::Connection),
    #[cfg(feature = "etcd-grpc")]
    EtcdGrpc(super::grpc::Connection),
    Redis(resp::Connection),
}

impl Client {
    pub async fn open(protocol: Protocol, addr: SocketAddr) -> Result<Self, BenchError> {
        Ok(match protocol {
            Protocol::Strata => Client::Strata(http::Connection::open(addr).await?),
            Protocol::EtcdJson => Client::EtcdJson(http::Connection::open(addr).await?),
            #[cfg(feature = "etcd-grpc")]
            Protocol::EtcdGrpc => Client::EtcdGrpc(super::grpc::Connection::open(addr).await?),
            Protocol::Redis => Client::Redis(resp::Connection::open(addr).await?),
        })
    }

    /// Another client on the same connection, where many requests can be under way on one.
    pub fn share(&self) -> Option<Self> {
        match self {
            #[cfg(feature = "etcd-grpc")]
            Client::EtcdGrpc(connection) => Some(Client::EtcdGrpc(connection.clone())),
            _ => None,
        }
    }

    /// Puts, and returns once that is acknowledged. Keys and values need no escapes.
    pub async fn put(&mut self, key: &str, value: &str) -> Result<(), BenchError> {
        let (status, answer) = match self {
            Client::Strata(connection) => {
                let body = format!(r#"{{"op":"put","key":"{key}","value":"{value}"}}"#);
                connection.exchange("POST", "/v1/kv", &body).await?
            }
            Client::EtcdJson(connection) => {
                let (key, value) = (base64(key), base64(value));
                let body = format!(r#"{{"key":"{key}","value":"{value}"}}"#);
                connection.exchange("POST", "/v3/kv/put", &body).await?
            }
            #[cfg(feature = "etcd-grpc")]
            Client::EtcdGrpc(connection) => return connection.put(key, value).await,
            Client::Redis(connection) => return connection.must(&["SET", key, value]).await,
        };
        if status == 200 {
            return Ok(());
        }
        Err(BenchError::Answer {
            what: "put".into(),
            answer: String::from_utf8_lossy(&answer).into_owned(),
        })
    }

    /// The value of a key, or that there is none. For strata and Redis; etcd is only written to.
    pub async fn get(&mut self, key: &str) -> Result<Option<String>, BenchError> {
        let unexpected = |answer: String| BenchError::Answer {
            what: format!("get {key}"),
            answer,
        };
        match self {
            Client::Strata(connection) => {
                let body = format!(r#"{{"op":"get","key":"{key}"}}"#);
                let (status, answer) = connection.exchange("POST", "/v1/kv", &body).await?;
                let answer = String::from_utf8_lossy(&answer);
                match serde_json::from_str::<crate::api::Answer>(&answer) {
                    Ok(answer) if status == 200 => Ok(answer.value),
                    _ => Err(unexpected(answer.into_owned())),
                }
            }
            Client::Redis(connection) => match connection.command(&["GET", key]).await? {
                resp::Reply::Bulk(value) => {
                    Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
                }
                other => Err(unexpected(format!("{other:?}"))),
            },
            _ => Err(unexpected("etcd is only written to here".into())),
        }
    }
}

/// RFC 4648, section 4.
pub fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::with_capacity(text.len().div_ceil(3) * 4);
    for group in text.as_bytes().chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) & 63;
            encoded.push(if place <= group.len() {
                ALPHABET[index as usize] as char
            } else {
                '='
            });
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_follows_the_test_vectors_of_its_rfc() {
        let vectors = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")];
        for (plain, encoded) in vectors {
            assert_eq!(base64(plain), encoded);
        }
        assert_eq!(base64("foobar"), "Zm9vYmFy");
    }
}
