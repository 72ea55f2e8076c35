//! The frames that voters send each other. They are no Kafka API: only voters of one cluster read them.
//! Core.
//!
//! ```text
//! frame: version u8 (1) | kind u8 | cluster id: length u8, text (empty: none yet) | directory id, 16 bytes | body
//! kind 1, asks for the cluster's id: no body        kind 2, answers it: no body
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use uuid::Uuid;

const VERSION: u8 = 1;
const ASK: u8 = 1;
const ANSWER: u8 = 2;

/// What one voter tells another.
#[derive(Clone, PartialEq, Debug)]
pub struct Frame {
    /// The sender's cluster; empty where it does not belong to one yet.
    pub cluster_id: String,
    /// The directory that holds the sender's log and vote; nil where it has none yet.
    pub directory_id: Uuid,
    pub body: Body,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// Which cluster does the other belong to?
    AskClusterId,
    /// The head of the frame says it.
    ClusterId,
}

/// Bytes that are no frame of this version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a frame of a voter")]
pub struct MalformedFrame;

impl Frame {
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(VERSION);
        out.put_u8(match &self.body {
            Body::AskClusterId => ASK,
            Body::ClusterId => ANSWER,
        });
        let length = u8::try_from(self.cluster_id.len()).expect("an id of a cluster is short");
        out.put_u8(length);
        out.put_slice(self.cluster_id.as_bytes());
        out.put_slice(self.directory_id.as_bytes());
        out.freeze()
    }

    pub fn decode(mut bytes: Bytes) -> Result<Frame, MalformedFrame> {
        if bytes.try_get_u8().map_err(|_| MalformedFrame)? != VERSION {
            return Err(MalformedFrame);
        }
        let kind = bytes.try_get_u8().map_err(|_| MalformedFrame)?;
        let length = usize::from(bytes.try_get_u8().map_err(|_| MalformedFrame)?);
        let cluster_id = take(&mut bytes, length)?;
        let cluster_id = String::from_utf8(cluster_id.to_vec()).map_err(|_| MalformedFrame)?;
        let directory_id = take(&mut bytes, 16)?;
        let directory_id = Uuid::from_slice(&directory_id).map_err(|_| MalformedFrame)?;
        let body = match kind {
            ASK => Body::AskClusterId,
            ANSWER => Body::ClusterId,
            _ => return Err(MalformedFrame),
        };
        if bytes.has_remaining() {
            return Err(MalformedFrame);
        }
        Ok(Frame { cluster_id, directory_id, body })
    }
}

fn take(bytes: &mut Bytes, length: usize) -> Result<Bytes, MalformedFrame> {
    if bytes.remaining() < length {
        return Err(MalformedFrame);
    }
    Ok(bytes.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_and_a_part_of_it_does_not() {
        for body in [Body::AskClusterId, Body::ClusterId] {
            let frame = Frame {
                cluster_id: "AAAAAAAAAAAAAAAAAAAAAQ".to_owned(),
                directory_id: Uuid::from_u128(7),
                body,
            };
            let bytes = frame.encode();
            assert_eq!(Frame::decode(bytes.clone()), Ok(frame));
            for length in 0..bytes.len() {
                assert_eq!(Frame::decode(bytes.slice(..length)), Err(MalformedFrame), "{length}");
            }
        }
    }
}
