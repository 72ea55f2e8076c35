//! What voters of the metadata quorum send each other: a request that Kafka does not have.
//! Core.
//!
//! ```text
//! | key i16 = 30000 | version i16 = 0 | correlation id i32 | client id (i16 length) | from i32 | bytes ... |   request
//! | correlation id i32 |                                                                                    answer
//! ```
//!
//! Only a controller's listener takes it, and ApiVersions does not name it. The bytes are the quorum's own.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ottla_model::BrokerId;

/// Far from the keys that Kafka gives out one by one.
pub const KEY: i16 = 30_000;
pub const VERSION: i16 = 0;

/// A longer frame is none of ours: a voter sends batches of the metadata log in parts.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;

/// A frame from another voter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VoterFrame {
    pub correlation_id: i32,
    pub from: BrokerId,
    pub bytes: Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a voter's frame ends too early")]
    Truncated,
    #[error("a voter's frame has the version {0}")]
    Version(i16),
    #[error("a voter's frame has {0} bytes")]
    TooLong(usize),
}

/// Whether a request is one of these.
pub fn is_of_voter(frame: &[u8]) -> bool {
    frame.first_chunk().copied().map(i16::from_be_bytes) == Some(KEY)
}

/// The body; the connection writes the header.
pub fn body(from: BrokerId, bytes: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(4 + bytes.len());
    body.put_i32(from.0);
    body.put_slice(bytes);
    body.freeze()
}

/// Reads a request for which `is_of_voter` holds. The bytes stay a slice of the frame.
pub fn decode(mut frame: Bytes) -> Result<VoterFrame, FrameError> {
    if frame.len() > BYTES_MAX {
        return Err(FrameError::TooLong(frame.len()));
    }
    let truncated = |_| FrameError::Truncated;
    let _key = frame.try_get_i16().map_err(truncated)?;
    let version = frame.try_get_i16().map_err(truncated)?;
    if version != VERSION {
        return Err(FrameError::Version(version));
    }
    let correlation_id = frame.try_get_i32().map_err(truncated)?;
    let client_id = usize::try_from(frame.try_get_i16().map_err(truncated)?).unwrap_or(0);
    if frame.len() < client_id {
        return Err(FrameError::Truncated);
    }
    frame.advance(client_id);
    let from = BrokerId(frame.try_get_i32().map_err(truncated)?);
    Ok(VoterFrame { correlation_id, from, bytes: frame })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(version: i16, client_id: &[u8]) -> Bytes {
        let mut frame = BytesMut::new();
        frame.put_i16(KEY);
        frame.put_i16(version);
        frame.put_i32(9);
        frame.put_i16(client_id.len() as i16);
        frame.put_slice(client_id);
        frame.put_slice(&body(BrokerId(3), b"vote"));
        frame.freeze()
    }

    #[test]
    fn a_frame_says_whose_it_is_and_what_it_holds() {
        let frame = framed(VERSION, b"n1");
        assert!(is_of_voter(&frame) && !is_of_voter(&[0, 18]) && !is_of_voter(&[0x75]));
        let bytes = Bytes::from_static(b"vote");
        assert_eq!(decode(frame.clone()), Ok(VoterFrame { correlation_id: 9, from: BrokerId(3), bytes }));
        for end in 2..frame.len() - 4 {
            assert_eq!(decode(frame.slice(..end)), Err(FrameError::Truncated), "{end}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert_eq!(decode(framed(1, b"")), Err(FrameError::Version(1)));
        let mut long = BytesMut::from(&framed(VERSION, b"")[..]);
        long.resize(BYTES_MAX + 1, 0);
        assert_eq!(decode(long.freeze()), Err(FrameError::TooLong(BYTES_MAX + 1)));
    }
}
