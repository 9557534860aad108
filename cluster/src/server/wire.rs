//! Messages between servers as bytes on a connection.
//!
//! ```text
//! hello    "STRATAP2" | id of the sender u64 | id of the receiver u64 | length u16 | address of the sender
//! frame    length u32 | crc32c u32 | message (postcard)
//! ```
//! A connection carries messages one way only, from the server that dialled it.

use crate::raft::Message;
use crate::types::ServerId;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

const MAGIC: &[u8; 8] = b"STRATAP3";
/// A longer frame is not believed.
const MAX_FRAME: usize = 64 << 20;

/// How a connection begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    pub from: ServerId,
    pub to: ServerId,
    /// Where the sender is reached, if it knows: the receiver may never have heard of it.
    pub address: String,
}

pub fn hello(hello: &Hello) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&hello.from.0.to_le_bytes());
    bytes.extend_from_slice(&hello.to.0.to_le_bytes());
    // What does not fit is no address.
    let address = hello.address.as_bytes();
    let length = u16::try_from(address.len()).unwrap_or(0);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&address[..length.into()]);
    bytes
}

pub async fn read_hello(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Hello> {
    let mut magic = [0; 8];
    stream.read_exact(&mut magic).await?;
    if &magic != MAGIC {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a strata peer of this version",
        ));
    }
    let (from, to) = (stream.read_u64_le().await?, stream.read_u64_le().await?);
    let mut address = vec![0; stream.read_u16_le().await?.into()];
    stream.read_exact(&mut address).await?;
    let address = String::from_utf8(address).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the sender's address is no text",
        )
    })?;
    Ok(Hello {
        from: ServerId(from),
        to: ServerId(to),
        address,
    })
}

/// Appends a frame to `out`.
pub fn encode(message: &Message, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    *out = postcard::to_extend(message, std::mem::take(out)).expect("messages are plain data");
    let payload = &out[start + 8..];
    let (len, crc) = (payload.len() as u32, crc32c::crc32c(payload));
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Message> {
    let (len, crc) = (
        stream.read_u32_le().await? as usize,
        stream.read_u32_le().await?,
    );
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    if len > MAX_FRAME {
        return Err(broken("the frame is too long"));
    }
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload).await?;
    if crc32c::crc32c(&payload) != crc {
        return Err(broken("the frame's checksum differs"));
    }
    postcard::from_bytes(&payload).map_err(|error| broken(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Entry, EntryKind};

    #[tokio::test]
    async fn a_hello_survives_a_round_trip_and_another_protocol_is_refused() {
        let said = Hello {
            from: ServerId(1),
            to: ServerId(2),
            address: "host:7000".into(),
        };
        let mut bytes = hello(&said);
        assert_eq!(read_hello(&mut bytes.as_slice()).await.unwrap(), said);
        bytes[7] = b'1';
        assert!(read_hello(&mut bytes.as_slice()).await.is_err());
    }

    #[tokio::test]
    async fn frames_survive_a_round_trip_and_a_flipped_bit_is_noticed() {
        let entry = Entry {
            term: 1,
            index: 2,
            kind: EntryKind::Command,
            data: std::sync::Arc::from(*b"data"),
        };
        let message = Message::Append {
            term: 3,
            prev_index: 1,
            prev_term: 1,
            entries: vec![entry],
            commit: 1,
        };
        let mut bytes = Vec::new();
        encode(&message, &mut bytes);
        encode(&Message::ReadIndex { id: 7 }, &mut bytes);
        let mut stream = bytes.as_slice();
        assert_eq!(read(&mut stream).await.unwrap(), message);
        assert_eq!(
            read(&mut stream).await.unwrap(),
            Message::ReadIndex { id: 7 }
        );
        bytes[12] ^= 1;
        assert!(read(&mut bytes.as_slice()).await.is_err());
    }
}
