//! What nodes of a cluster send each other ten times a second: a request that Kafka does not have.
//! Core. The rules are the detector's (`ottla_metadata::detector`).
//!
//! ```text
//! | key i16 = 30001 | version i16 = 0 | correlation id i32 | client id (i16 length)
//! | from i32 | metadata offset i64 | count u16 | (node i32 | not heard for u16 ms) ... |              request
//! | correlation id i32 |                                                                              answer
//! ```
//!
//! The inter-broker listener takes it, and that of a controller; ApiVersions does not name it.

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};
use ottla_metadata::detector::Ping;
use ottla_model::{BrokerId, Offset};

/// Far from the keys that Kafka gives out one by one; the one before is the voters'.
pub const KEY: i16 = 30_001;
pub const VERSION: i16 = 0;

/// A ping as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PingFrame {
    pub correlation_id: i32,
    pub ping: Ping,
}

/// The body; the connection writes the header.
pub fn body(ping: &Ping) -> Bytes {
    let count = u16::try_from(ping.silences.len()).unwrap_or(u16::MAX);
    let mut body = BytesMut::with_capacity(14 + 6 * usize::from(count));
    body.put_i32(ping.from.0);
    body.put_i64(ping.metadata_offset.0);
    body.put_u16(count);
    for (id, ms) in ping.silences.iter().take(usize::from(count)) {
        body.put_i32(id.0);
        body.put_u16(*ms);
    }
    body.freeze()
}

/// Reads what stands behind the key; `None` if it is none of ours. What follows the list is a later release's.
pub fn decode(mut frame: Bytes) -> Option<PingFrame> {
    read(&mut frame).ok().flatten()
}

fn read(frame: &mut Bytes) -> Result<Option<PingFrame>, TryGetError> {
    if frame.try_get_i16()? != VERSION {
        return Ok(None);
    }
    let correlation_id = frame.try_get_i32()?;
    let client_id = usize::try_from(frame.try_get_i16()?).unwrap_or(0);
    if frame.len() < client_id {
        return Ok(None);
    }
    frame.advance(client_id);
    let from = BrokerId(frame.try_get_i32()?);
    let metadata_offset = Offset(frame.try_get_i64()?);
    let count = frame.try_get_u16()?;
    if frame.len() < 6 * usize::from(count) {
        return Ok(None);
    }
    let silences = (0..count).map(|_| Ok((BrokerId(frame.try_get_i32()?), frame.try_get_u16()?)));
    let silences = silences.collect::<Result<Vec<_>, TryGetError>>()?;
    Ok(Some(PingFrame { correlation_id, ping: Ping { from, metadata_offset, silences } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(version: i16, ping: &Ping) -> Bytes {
        let mut frame = BytesMut::new();
        frame.put_i16(version);
        frame.put_i32(9);
        frame.put_i16(2);
        frame.put_slice(b"n1");
        frame.put_slice(&body(ping));
        frame.freeze()
    }

    #[test]
    fn a_ping_says_whose_it_is_how_far_and_whom_it_has_not_heard() {
        let silences = vec![(BrokerId(1), 3), (BrokerId(2), u16::MAX)];
        let ping = Ping { from: BrokerId(7), metadata_offset: Offset(-1), silences };
        let frame = framed(VERSION, &ping);
        assert_eq!(decode(frame.clone()), Some(PingFrame { correlation_id: 9, ping: ping.clone() }));
        for end in 0..frame.len() {
            assert_eq!(decode(frame.slice(..end)), None, "{end}");
        }
        assert_eq!(decode(framed(VERSION + 1, &ping)), None);
    }
}
