//! Damaged and hostile frames through header, guard and decoder: never a panic, never memory for a mere claim.
//! Core, from fixed seeds; `OTTLA_FUZZ_SEED` and `OTTLA_FUZZ_ROUNDS` repeat or lengthen a run.

use bytes::{BufMut, Bytes, BytesMut};
use ottla_protocol::records::{self, group, metadata, share, transaction};
use ottla_protocol::{
    ApiKey, DecodeError, Encode, RequestHeader, decode_request, for_each_api, guard, messages,
};
use ottla_protocol_tests::golden::{self, ApiBytes};
use ottla_protocol_tests::seeded::Seeded;

const ROUNDS: usize = 200_000;

/// The whole test binary stays below this much address space, reserved or used. The decoder of the
/// kafka-protocol crate alone would reserve hundreds of gigabytes for a claimed count.
const ADDRESS_SPACE_BYTES_MAX: u64 = 4 << 30;

macro_rules! by_key {
    ($( $api:ident $request:ident $response:ident; )*) => {
        /// Guards and decodes; the bytes of the message written again, if it can be.
        fn decode_guarded(key: ApiKey, version: i16, body: Bytes) -> Result<Option<usize>, DecodeError> {
            match key {
                $( ApiKey::$api => decode_request::<messages::$request>(key, version, body)
                    .map(|request| request.encoded(version).ok().map(|encoded| encoded.len())), )*
                _ => guard::check(key, version, &body).map(|()| None).map_err(DecodeError::from),
            }
        }
    };
}

for_each_api!(by_key);

fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn frame(request: &ApiBytes) -> BytesMut {
    let mut buf = BytesMut::new();
    let header = RequestHeader {
        api_key: request.key.to_i16(),
        api_version: request.version,
        correlation_id: 1,
        client_id: Some("fuzz".into()),
    };
    header.encode(&mut buf);
    buf.put_slice(&request.body);
    buf
}

/// Damages a frame in one of the ways that find bugs.
fn mutate(frame: &mut BytesMut, random: &mut Seeded) {
    const CLAIMS: [&[u8]; 6] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0x80, 0x80, 0x80, 0x80, 0x80],
        &[0xff, 0xff, 0xff, 0xff],
        &[0x80, 0x00, 0x00, 0x00],
        &[0x7f, 0xff],
    ];
    for _ in 0..=random.below(3) {
        let at = random.below(frame.len().max(1));
        match random.below(6) {
            0 if !frame.is_empty() => frame[at] ^= 1 << random.below(8),
            1 if !frame.is_empty() => frame[at] = random.next_u64() as u8,
            2 => frame.truncate(at),
            3 => {
                let claim = CLAIMS[random.below(CLAIMS.len())];
                let len = claim.len().min(frame.len() - at.min(frame.len()));
                let at = at.min(frame.len());
                frame[at..at + len].copy_from_slice(&claim[..len]);
            }
            4 => (0..random.below(8)).for_each(|_| frame.put_u8(random.next_u64() as u8)),
            // A part of the frame twice: lengths and what they measure fall apart.
            _ => {
                let tail = frame.split_off(at.min(frame.len()));
                let again = tail.len().min(random.below(16));
                frame.extend_from_slice(&tail[..again]);
                frame.unsplit(tail);
            }
        }
    }
}

/// Runs a frame as the network does; the outcome matters only in that there is one.
fn run(mut frame: Bytes) -> bool {
    let Ok(header) = RequestHeader::decode(&mut frame) else { return false };
    let Some(key) = header.key() else { return false };
    let body_len = frame.len();
    match decode_guarded(key, header.api_version, frame) {
        Ok(Some(encoded_len)) => {
            assert!(encoded_len <= body_len + 16, "{header:?}: {body_len} bytes became {encoded_len}");
            true
        }
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Peak address space of this process, where the system tells.
fn address_space_peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

fn assert_memory_was_bounded() {
    if let Some(peak) = address_space_peak_bytes() {
        assert!(peak < ADDRESS_SPACE_BYTES_MAX, "{peak} bytes of address space");
    }
}

#[test]
fn mutated_frames_never_panic_nor_cost_more_than_their_bytes() {
    let requests = golden::requests();
    let seed = number_from_environment("OTTLA_FUZZ_SEED").unwrap_or(1);
    let rounds = number_from_environment("OTTLA_FUZZ_ROUNDS").map_or(ROUNDS, |rounds| rounds as usize);
    let mut random = Seeded::new(seed);
    let mut accepted = 0;
    for _ in 0..rounds {
        let mut frame = frame(&requests[random.below(requests.len())]);
        mutate(&mut frame, &mut random);
        accepted += usize::from(run(frame.freeze()));
    }
    assert!(accepted > 0 && accepted < rounds, "{accepted} of {rounds} were accepted");
    assert_memory_was_bounded();
}

#[test]
fn every_byte_of_every_request_may_lie_about_a_count() {
    let claims: [&[u8]; 3] =
        [&[0x7f, 0xff, 0xff, 0xff], &[0xff, 0xff, 0xff, 0xff, 0x0f], &[0xff, 0xff, 0xff, 0xff, 0x07]];
    for request in golden::requests() {
        for claim in claims {
            for at in 0..request.body.len() {
                let mut body = request.body.to_vec();
                let end = body.len().min(at + claim.len());
                body[at..end].copy_from_slice(&claim[..end - at]);
                if let Ok(walked) = guard::walk(request.key, request.version, &body) {
                    assert!(walked.elements <= body.len(), "{request:?} at {at}: {walked:?}");
                    // An error here can only be of the text or of a tag's version.
                    let _ = decode_guarded(request.key, request.version, body.into());
                }
            }
        }
    }
    assert_memory_was_bounded();
}

#[test]
fn garbage_bodies_of_every_version_are_survived() {
    let mut random = Seeded::new(7);
    for request in golden::requests() {
        for len in [0, 1, 7, 64, 300] {
            let body: Vec<u8> = (0..len).map(|_| random.next_u64() as u8).collect();
            let _ = decode_guarded(request.key, request.version, body.into());
            let _ = decode_guarded(request.key, request.version, vec![0; len].into());
            let _ = decode_guarded(request.key, request.version, vec![1; len].into());
        }
    }
    assert_memory_was_bounded();
}

#[test]
fn damaged_records_are_survived() {
    let mut random = Seeded::new(3);
    for set in ["group", "metadata", "share", "transaction"] {
        for record in golden::records(set) {
            for _ in 0..200 {
                let mut damaged = BytesMut::from(&record.body[..]);
                mutate(&mut damaged, &mut random);
                let damaged = damaged.freeze();
                let type_number = damaged.first().map_or(0, |byte| i16::from(*byte) % 24);
                let _ = records::decode_framed::<metadata::MetadataRecord>(&mut damaged.clone());
                let _ = records::decode_key::<group::GroupKey>(damaged.clone());
                let _ = records::decode_value::<group::GroupValue>(type_number, damaged.clone());
                let _ = records::decode_value::<share::ShareValue>(type_number % 2, damaged.clone());
                let _ = records::decode_value::<transaction::TransactionValue>(0, damaged);
            }
        }
    }
    assert_memory_was_bounded();
}
