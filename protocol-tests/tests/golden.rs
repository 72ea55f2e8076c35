//! Every API in every version: what Kafka's classes wrote is decoded, re-encoded equal, guarded, and cut.
//! Core, over the committed golden bytes.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_protocol::versions::{self, request_header_version};
use ottla_protocol::{
    ApiKey, Decode, Encode, Request, RequestHeader, decode_request, for_each_api, guard, messages,
};
use ottla_protocol_tests::golden::{self, ApiBytes, Direction};

/// Decodes without the guard; the bytes left over and the message written again.
fn recode<T: Decode + Encode>(version: i16, body: &Bytes) -> Result<(usize, Bytes), String> {
    let mut rest = body.clone();
    let message = T::decode(&mut rest, version).map_err(|error| format!("decode: {error}"))?;
    let encoded = message.encoded(version).map_err(|error| format!("encode: {error}"))?;
    Ok((rest.len(), encoded))
}

fn recode_pair<T: Request>(message: &ApiBytes) -> Result<(usize, Bytes), String> {
    assert_eq!(T::API_KEY, message.key);
    match message.direction {
        Direction::Request => recode::<T>(message.version, &message.body),
        Direction::Response => recode::<T::Response>(message.version, &message.body),
    }
}

macro_rules! by_key {
    ($( $api:ident $request:ident $response:ident; )*) => {
        fn recode_any(message: &ApiBytes) -> Result<(usize, Bytes), String> {
            match message.key {
                $( ApiKey::$api => recode_pair::<messages::$request>(message), )*
                key => Err(format!("{key} has no messages")),
            }
        }

        fn decode_guarded(key: ApiKey, version: i16, body: Bytes) -> Result<(), String> {
            match key {
                $( ApiKey::$api => decode_request::<messages::$request>(key, version, body).map(|_| ()), )*
                key => return Err(format!("{key} has no messages")),
            }
            .map_err(|error| error.to_string())
        }
    };
}

for_each_api!(by_key);

#[test]
fn every_api_and_version_of_kafka_has_golden_bytes() {
    let mut expected = BTreeSet::new();
    for row in versions::all() {
        let Some(range) = row.decodable else { continue };
        for version in range.min..=range.max {
            expected.insert((row.key, version, "request"));
            expected.insert((row.key, version, "response"));
        }
    }
    let found: BTreeSet<_> = golden::apis()
        .iter()
        .map(|message| {
            let direction = if message.direction == Direction::Request { "request" } else { "response" };
            (message.key, message.version, direction)
        })
        .collect();
    assert_eq!(found, expected);
    assert_eq!(expected.len(), 604);
}

#[test]
fn every_message_is_decoded_whole_and_written_again_equal() {
    let mut failures = Vec::new();
    for message in golden::apis() {
        let outcome = recode_any(&message);
        if outcome != Ok((0, message.body.clone())) {
            failures.push(format!("{message:?}: {outcome:?}"));
        }
    }
    assert!(failures.is_empty(), "{} failures, the first: {}", failures.len(), failures[0]);
}

#[test]
fn the_guard_walks_exactly_the_body_of_every_request() {
    for request in golden::requests() {
        let walked = guard::walk(request.key, request.version, &request.body).map(|walked| walked.len);
        assert_eq!(walked, Ok(request.body.len()), "{request:?}");
        let mut longer = BytesMut::from(&request.body[..]);
        longer.put_slice(b"more");
        let walked = guard::walk(request.key, request.version, &longer).map(|walked| walked.len);
        assert_eq!(walked, Ok(request.body.len()), "{request:?}");
    }
}

#[test]
fn a_request_cut_at_any_byte_is_refused_by_the_guard() {
    for request in golden::requests() {
        for len in 0..request.body.len() {
            let cut = guard::check(request.key, request.version, &request.body[..len]);
            assert!(cut.is_err(), "cut at {len}: {request:?}");
        }
    }
}

#[test]
fn a_message_cut_at_any_byte_is_an_error_to_the_decoder_too() {
    for message in golden::apis() {
        for len in 0..message.body.len() {
            let cut = ApiBytes { body: message.body.slice(..len), ..message };
            assert!(recode_any(&cut).is_err(), "cut at {len}: {message:?}");
        }
    }
}

#[test]
fn requests_decode_behind_their_headers() {
    for request in golden::requests() {
        let header = RequestHeader {
            api_key: request.key.to_i16(),
            api_version: request.version,
            correlation_id: -5,
            client_id: Some("golden".into()),
        };
        let mut buf = BytesMut::new();
        header.encode(&mut buf);
        let tags = usize::from(request_header_version(request.key, request.version) == 2);
        assert_eq!(buf.len(), 16 + tags);
        buf.put_slice(&request.body);
        let mut frame = buf.freeze();
        assert_eq!(RequestHeader::decode(&mut frame), Ok(header));
        assert_eq!(decode_guarded(request.key, request.version, frame), Ok(()), "{request:?}");
    }
}
