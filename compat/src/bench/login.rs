//! Logins by SCRAM-SHA-256 over raw requests: who makes the user, and who logs in as it.
//! Shell: sockets. The proofs are this program's own.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use super::scene::PATIENCE;
use crate::failure::{Failure, Outcome, fail};
use crate::wire::{Answer, Body, Connection};

const SASL_HANDSHAKE: i16 = 17;
const SASL_AUTHENTICATE: i16 = 36;
const ALTER_USER_SCRAM_CREDENTIALS: i16 = 51;
pub const MECHANISM: &str = "SCRAM-SHA-256";
const MECHANISM_NUMBER: i8 = 1;
const ITERATIONS: i32 = 4_096;
const USER: &str = "bench";
const NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";
/// Any bytes will do: who makes a user says what becomes of the password and the salt.
const SALT: [u8; 16] = [0x5A; 16];
const SALTED_PASSWORD: [u8; 32] = [0xA5; 32];

fn hmac(key: &[u8], text: &[u8]) -> Outcome<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| Failure(error.to_string()))?;
    mac.update(text);
    Ok(mac.finalize().into_bytes().into())
}

/// What a client sends of its keys (RFC 5802).
fn proof(salted_password: &[u8], auth_message: &str) -> Outcome<String> {
    let client_key = hmac(salted_password, b"Client Key")?;
    let stored_key = Sha256::digest(client_key);
    let signature = hmac(&stored_key, auth_message.as_bytes())?;
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, byte)| key ^ byte).collect();
    Ok(STANDARD.encode(proof))
}

/// AlterUserScramCredentials v0, on a listener that asks for no login.
pub fn make_user(bootstrap: &str) -> Outcome<()> {
    let compact = |mut body: Body, bytes: &[u8]| {
        body.0.push(u8::try_from(bytes.len() + 1).unwrap_or(u8::MAX));
        body.0.extend(bytes);
        body
    };
    // The end of a flexible header, no deletions, one user.
    let body = compact(Body::default().i8(0).i8(1).i8(2), USER.as_bytes());
    let body = compact(body.i8(MECHANISM_NUMBER).i32(ITERATIONS), &SALT);
    let body = compact(body, &SALTED_PASSWORD).i8(0).i8(0);
    let mut connection = Connection::open(bootstrap, PATIENCE)?;
    let answer = connection.ask(ALTER_USER_SCRAM_CREDENTIALS, 0, body)?;
    let mut answer = Answer(&answer);
    let (_tags, _throttle_ms, _count) = (answer.i8()?, answer.i32()?, answer.i8()?);
    let name_length = usize::try_from(answer.i8()? - 1).unwrap_or(0);
    answer.take(name_length)?;
    match answer.i16()? {
        0 => Ok(()),
        code => fail(format!("AlterUserScramCredentials answered error {code}")),
    }
}

/// Connects and logs in; the whole of it, and nothing after.
pub fn log_in(address: &str) -> Outcome<()> {
    let mut connection = Connection::open(address, PATIENCE)?;
    let answer = connection.ask(SASL_HANDSHAKE, 1, Body::default().string(MECHANISM))?;
    let code = Answer(&answer).i16()?;
    if code != 0 {
        return fail(format!("SaslHandshake answered error {code}"));
    }
    let client_first = format!("n={USER},r={NONCE}");
    let server_first = token(&mut connection, &format!("n,,{client_first}"))?;
    let Some(nonce) = server_first.split(',').next() else { return fail("an empty challenge") };
    let client_final = format!("c=biws,{nonce}");
    let proof = proof(&SALTED_PASSWORD, &format!("{client_first},{server_first},{client_final}"))?;
    token(&mut connection, &format!("{client_final},p={proof}")).map(drop)
}

/// The broker hears of a new user when the controller's log reaches it.
pub fn until_known(address: &str) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    while let Err(failure) = log_in(address) {
        if Instant::now() >= deadline {
            return Err(failure);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// SaslAuthenticate v1.
fn token(connection: &mut Connection, text: &str) -> Outcome<String> {
    let answer = connection.ask(SASL_AUTHENTICATE, 1, Body::default().bytes(text.as_bytes()))?;
    let mut answer = Answer(&answer);
    match (answer.i16()?, answer.string()?) {
        (0, _) => Ok(String::from_utf8_lossy(answer.bytes()?).into_owned()),
        (code, message) => {
            fail(format!("SaslAuthenticate answered error {code}: {}", message.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, whose salted password PBKDF2 makes of "pencil".
    #[test]
    fn a_proof_is_that_of_the_rfc() {
        let salted = "xKSVEDI6tPlSysH6mUQZOeeOp01r6B3fcJbodRPcYV0=";
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,\
                       r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let made = STANDARD.decode(salted).ok().map(|salted| proof(&salted, message));
        assert_eq!(made, Some(Ok("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".to_owned())));
    }
}
