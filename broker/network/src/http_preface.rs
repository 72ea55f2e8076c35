//! A listener of Kafka's that speaks HTTP too: the first four bytes of a connection say which it is.
//! Shell. For the test lab, whose one port is all that a container has; see docs/decisions/0044.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::BytesMut;
use ottla_env::net::Stream;

use crate::handler::{ListenerInfo, TakesHttp};
use crate::server::Shared;

/// Enough to tell: as the length of a frame each of them is over a gigabyte.
const PREFACE_BYTES: usize = 4;
const METHODS: [&[u8; PREFACE_BYTES]; 7] = [b"GET ", b"POST", b"PUT ", b"DELE", b"HEAD", b"OPTI", b"PATC"];
/// What is read at a time until it is known.
const READ_BYTES: usize = 4096;

/// Opens a connection once it is known what it speaks.
pub(crate) fn open(
    stream: Box<dyn Stream>,
    http: Arc<dyn TakesHttp>,
    info: &Arc<ListenerInfo>,
    shared: &Arc<Shared>,
) {
    let (info, shared_by_task) = (Arc::clone(info), Arc::clone(shared));
    let work = async move {
        let mut stopping = shared_by_task.stopping.subscribe();
        let served = serve(stream, http, &info, &shared_by_task);
        // A connection of Kafka's has its own end, which lets answers leave.
        let connection = tokio::select! {
            biased;
            _stop = stopping.wait_for(|stop| *stop) => return,
            connection = served => connection,
        };
        if let Some(connection) = connection {
            connection.await;
        }
    };
    shared.env.tasks.spawn("connection", Box::pin(work)).detach();
}

async fn serve(
    mut stream: Box<dyn Stream>,
    http: Arc<dyn TakesHttp>,
    info: &Arc<ListenerInfo>,
    shared: &Arc<Shared>,
) -> Option<crate::connection::Connection> {
    let mut bytes = BytesMut::new();
    while bytes.len() < PREFACE_BYTES {
        bytes.reserve(READ_BYTES);
        match poll_fn(|context| stream.poll_read(context, &mut bytes)).await {
            Ok(0) | Err(_) => return None,
            Ok(_more) => {}
        }
    }
    if is_http(&bytes) {
        http.take(stream, bytes).await;
        return None;
    }
    Some(shared.admit(stream, info)?.with_bytes(bytes))
}

fn is_http(bytes: &[u8]) -> bool {
    METHODS.iter().any(|method| bytes.starts_with(*method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_no_length_of_a_frame() {
        for method in METHODS {
            assert!(is_http(&[method.as_slice(), b"/ HTTP/1.1"].concat()));
            assert!(i32::from_be_bytes(*method) > 1 << 30, "{method:?}");
        }
        assert!(!is_http(&[0, 0, 0, 20, 0, 18, 0, 4]));
        assert!(!is_http(b"GE"));
    }
}
