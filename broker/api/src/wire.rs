//! Writes the parts of a response that are encoded by hand: the frame around records that are never copied.
//! Core. Layouts are those of Kafka's message definitions.

use bytes::{BufMut, BytesMut};

use crate::cluster::Node;

/// An unsigned varint, seven bits a byte, least significant first.
pub fn put_uvarint(buffer: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        buffer.put_u8((value as u8) | 0x80);
        value >>= 7;
    }
    buffer.put_u8(value as u8);
}

/// The length of an array: compact (count + 1 as a varint) or an i32.
pub fn put_array_len(buffer: &mut BytesMut, len: usize, flexible: bool) {
    if flexible {
        put_uvarint(buffer, len as u32 + 1);
    } else {
        buffer.put_i32(len as i32);
    }
}

/// A null array.
pub fn put_null_array(buffer: &mut BytesMut, flexible: bool) {
    if flexible {
        buffer.put_u8(0);
    } else {
        buffer.put_i32(-1);
    }
}

/// The length of a field of bytes that follows as its own chunk.
pub fn put_bytes_len(buffer: &mut BytesMut, len: usize, flexible: bool) {
    put_array_len(buffer, len, flexible);
}

pub fn put_string(buffer: &mut BytesMut, text: &str, flexible: bool) {
    if flexible {
        put_uvarint(buffer, text.len() as u32 + 1);
    } else {
        buffer.put_i16(text.len() as i16);
    }
    buffer.put_slice(text.as_bytes());
}

/// Where leaders are: an array of `NodeEndpoint` (KIP-951), in flexible versions only.
pub fn put_node_endpoints(buffer: &mut BytesMut, nodes: &[Node]) {
    put_array_len(buffer, nodes.len(), true);
    for node in nodes {
        buffer.put_i32(node.id.0);
        put_string(buffer, &node.host, true);
        buffer.put_i32(node.port);
        match node.rack.as_deref() {
            Some(rack) => put_string(buffer, rack, true),
            None => buffer.put_u8(0),
        }
        put_no_tags(buffer, true);
    }
}

/// No tagged fields.
pub fn put_no_tags(buffer: &mut BytesMut, flexible: bool) {
    if flexible {
        buffer.put_u8(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_take_as_many_bytes_as_they_need() {
        let mut buffer = BytesMut::new();
        put_uvarint(&mut buffer, 0);
        put_uvarint(&mut buffer, 127);
        put_uvarint(&mut buffer, 128);
        put_uvarint(&mut buffer, u32::MAX);
        assert_eq!(&buffer[..], &[0, 127, 0x80, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    }
}
