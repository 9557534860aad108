//! Messages between servers as bytes on a connection.
//!
//! ```text
//! hello    "STRATAP1" | id of the sender u64 | id of the receiver u64
//! frame    length u32 | crc32c u32 | message (postcard)
//! ```
//! A connection carries messages one way only, from the server that dialled it.

use crate::raft::Message;
use crate::types::ServerId;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

const MAGIC: &[u8; 8] = b"STRATAP1";
/// A longer frame is not believed.
const MAX_FRAME: usize = 64 << 20;

pub fn hello(from: ServerId, to: ServerId) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&from.0.to_le_bytes());
    bytes.extend_from_slice(&to.0.to_le_bytes());
    bytes
}

/// Reads a hello; returns sender and receiver.
pub async fn read_hello(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(ServerId, ServerId)> {
    let mut magic = [0; 8];
    stream.read_exact(&mut magic).await?;
    if &magic != MAGIC {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a strata peer of this version",
        ));
    }
    Ok((
        ServerId(stream.read_u64_le().await?),
        ServerId(stream.read_u64_le().await?),
    ))
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
