//! One admitted request: its header, its body, and the ways to answer it.
//! Shell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{BufMut, Bytes};
use ottla_env::Monotonic;
use ottla_metadata::OperationError;
use ottla_model::ErrorCode;
use ottla_network::{Admitted, Answer, ConnectionInfo, ResponseBuilder};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::header::RequestHeader;
use ottla_protocol::throttle::{ThrottlePlace, throttle_place};
use ottla_protocol::{Decode, Encode, ErrorCodes, StrBytes, decode_response_header, versions};
use ottla_security::{Identity, KafkaPrincipal};

use crate::context::Broker;
use crate::errors::operation_error;
use crate::quotas::{Throttle, rest};
use crate::table::Endpoint;

/// Why a request gets no answer: its connection is closed instead, as Kafka does.
#[derive(Debug)]
pub struct Refusal(pub String);

/// What a handler makes of a request.
pub type Handled = Result<Admitted, Refusal>;

pub struct Request {
    pub key: ApiKey,
    pub header: RequestHeader,
    pub body: Bytes,
    pub connection: Arc<ConnectionInfo>,
    /// What kind of listener it came through.
    pub endpoint: Endpoint,
    /// What the connection was known as when the request was admitted; a later authentication does not
    /// change it.
    pub identity: Option<Arc<Identity>>,
    pub received: Monotonic,
    /// The frame without its length prefix.
    pub frame_bytes: usize,
    pub(crate) throttle: Throttle,
    /// Its clock and its counters.
    pub(crate) broker: Arc<Broker>,
    /// Where another broker forwarded it: told when the answer is that no controller is active here.
    pub(crate) came_to_none: Option<Arc<AtomicBool>>,
}

impl Request {
    pub fn version(&self) -> i16 {
        self.header.api_version
    }

    /// The client's principal; anonymous where its listener does not authenticate.
    pub fn principal(&self) -> &KafkaPrincipal {
        &self.identity.as_deref().unwrap_or(Identity::anonymous()).principal
    }

    /// Decodes the body, after the guard has walked it.
    pub fn decode<T: Decode>(&self) -> Result<T, Refusal> {
        ottla_protocol::decode_request(self.key, self.version(), self.body.clone())
            .map_err(|error| Refusal(error.to_string()))
    }

    /// The client id as the logs and the coordinators show it.
    pub fn client_id(&self) -> String {
        self.header.client_id.as_deref().unwrap_or("").to_owned()
    }

    /// A builder with the response header written; for responses encoded by hand.
    pub fn response(&self, body_bytes: usize) -> ResponseBuilder {
        let mut builder = ResponseBuilder::with_capacity(8 + body_bytes);
        builder.buffer.put_i32(self.header.correlation_id);
        if versions::response_header_version(self.key, self.version()) >= 1 {
            builder.buffer.put_u8(0);
        }
        builder
    }

    /// Finishes a response and counts the request. How long the client has to rest is in it already.
    pub fn finish(&self, builder: ResponseBuilder, errors: &[ErrorCode]) -> Answer {
        match builder.finish() {
            Some(response) => {
                self.count(errors.iter().map(|error| error.code()));
                Answer::Respond(response)
            }
            None => Answer::Close("the response is longer than a frame can say"),
        }
    }

    /// What the controller answered in the place of this broker, from its header on; `None` where that is no such answer.
    pub fn answer_of_controller<T: Decode>(&self, mut bytes: Bytes) -> Option<T> {
        decode_response_header(&mut bytes, self.key, self.version()).ok()?;
        T::decode(&mut bytes, self.version()).ok()
    }

    /// Encodes a response in the request's version and counts the request with its errors.
    pub fn answer<T: Encode + ErrorCodes>(&self, response: &T) -> Answer {
        self.answer_in_version(response, self.version())
    }

    /// As `answer`, in another version than the request's (the ApiVersions fallback).
    pub fn answer_in_version<T: Encode + ErrorCodes>(&self, response: &T, version: i16) -> Answer {
        let throttle_ms = self.settle_throttle();
        self.answer_throttled(response, version, throttle_ms)
    }

    /// Answers, and has the client rest. The response says so already where that is behind other fields.
    pub fn answer_throttled<T: Encode + ErrorCodes>(
        &self,
        response: &T,
        version: i16,
        throttle_ms: i32,
    ) -> Answer {
        let mut builder = ResponseBuilder::with_capacity(96);
        builder.buffer.put_i32(self.header.correlation_id);
        if versions::response_header_version(self.key, version) >= 1 {
            builder.buffer.put_u8(0);
        }
        let body_start = builder.buffer.len();
        if let Err(error) = response.encode(&mut builder.buffer, version) {
            tracing::error!(
                api_key = self.header.api_key,
                version,
                %error,
                "a response could not be encoded; the connection is closed"
            );
            return Answer::Close("a response could not be encoded");
        }
        if throttle_ms > 0
            && let ThrottlePlace::At(place) = throttle_place(self.key, version)
        {
            let place = body_start + place;
            builder.buffer[place..place + 4].copy_from_slice(&throttle_ms.to_be_bytes());
        }
        let Some(finished) = builder.finish() else {
            return Answer::Close("the response is longer than a frame can say");
        };
        let mut failures = Vec::new();
        response.error_codes(version, &mut |code| {
            if code != 0 {
                failures.push(code);
            }
        });
        if let Some(came_to_none) = &self.came_to_none
            && failures.contains(&ErrorCode::NotController.code())
        {
            came_to_none.store(true, Ordering::Release);
        }
        self.count(failures.into_iter());
        rest(Answer::Respond(finished), throttle_ms)
    }

    /// Ends a request that is not answered (acks=0).
    pub fn silent(&self) -> Answer {
        self.count(std::iter::empty());
        rest(Answer::Silent, self.throttle.due_ms())
    }

    /// Answers now.
    pub fn ready<T: Encode + ErrorCodes>(&self, response: &T) -> Handled {
        Ok(Admitted::Ready(self.answer(response)))
    }

    fn count(&self, errors: impl Iterator<Item = i16>) {
        let took = self.received.until(self.broker.env.clock.monotonic());
        self.broker.metrics.on_answer(self.header.api_key, took, errors);
    }
}

/// Leaves the decision to the controller, and answers what it says. `refused` is the answer to every part of the
/// request when the controller has none of its own.
pub fn forward_to_controller<R: Encode + ErrorCodes + Send>(
    request: Request,
    decision: impl Future<Output = Result<R, OperationError>> + Send + 'static,
    refused: impl FnOnce(ErrorCode, Option<StrBytes>) -> R + Send + 'static,
) -> Handled {
    park(async move {
        let response = decision.await.unwrap_or_else(|error| {
            let (error, why) = operation_error(&error);
            refused(error, why.map(StrBytes::from_string))
        });
        request.answer(&response)
    })
}

/// Parks a request: the answer comes from a future. A panic in it closes the one connection.
pub fn park(future: impl Future<Output = Answer> + Send + 'static) -> Handled {
    Ok(Admitted::Parked(Box::pin(crate::fence::Fence::new(future))))
}
