//! Listeners over the machine's own sockets: order, gathered writes and slices of files.
//! Shell.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use ottla_env::disk::{Disk, OpenMode};
use ottla_env::net::SocketBuffers;
use ottla_env::real::RealDisk;
use ottla_env::{Env, File};
use ottla_model::SecurityProtocol;
use ottla_network::{
    Admitted, Answer, Chunk, ConnectionInfo, Handler, ListenerSpec, Listeners, NetworkMetrics, NetworkServer,
    NetworkSettings, ResponseBuilder,
};

const FILE_BYTES: usize = 3_000_000;

/// Answers with the frame's first four bytes, then the whole file when the fifth is 1.
struct FileHandler(Arc<dyn File>);

impl Handler for FileHandler {
    fn admit(&self, _connection: &Arc<ConnectionInfo>, frame: Bytes) -> Admitted {
        let mut builder = ResponseBuilder::with_capacity(8);
        builder.buffer.put_slice(&frame[..4]);
        if frame[4] == 1 {
            builder.push(Chunk::File { file: Arc::clone(&self.0), position: 0, len: FILE_BYTES });
            builder.buffer.put_u8(9);
        }
        Admitted::Ready(builder.finish().map_or(Answer::Silent, Answer::Respond))
    }

    fn on_close(&self, _connection: &Arc<ConnectionInfo>) {}
}

fn serve(env: &Env, content: &[u8]) -> (NetworkServer, TcpStream) {
    let path = std::env::temp_dir().join(format!("ottla-network-loopback-{}", std::process::id()));
    let file = RealDisk.open(&path, OpenMode::Truncate).expect("the file is made");
    RealDisk.remove_file(&path).expect("the open file stays readable");
    file.write_all_at(content, 0).expect("the file takes bytes");
    let spec = ListenerSpec {
        name: "PLAINTEXT".into(),
        protocol: SecurityProtocol::Plaintext,
        login_frame_bytes_max: 0,
        tls: None,
        host: "127.0.0.1".into(),
        port: 0,
        advertised: None,
        buffers: SocketBuffers::default(),
    };
    let listeners = Listeners::bind(env, &[spec]).expect("a port is free");
    let addr = listeners.bound()[0].bound;
    let metrics = NetworkMetrics::register(&prometheus::Registry::new()).expect("names are free");
    let server = listeners.serve(Arc::new(FileHandler(file)), NetworkSettings::default(), metrics);
    (server, TcpStream::connect(addr).expect("it listens"))
}

#[test]
fn files_and_bytes_arrive_whole_and_in_order() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let env = ottla_env::real::env();
    let content: Vec<u8> = (0..FILE_BYTES).map(|number| (number / 7) as u8).collect();
    let (server, mut client) = serve(&env, &content);

    let requests: Vec<u8> =
        (0..20_u8).flat_map(|id| [0, 0, 0, 8, 0, 0, 0, id, u8::from(id % 3 == 0), 0, 0, 0]).collect();
    client.write_all(&requests).expect("it reads");
    for id in 0..20_u8 {
        let mut prefix = [0; 8];
        client.read_exact(&mut prefix).expect("it answers");
        assert_eq!(prefix[4..], [0, 0, 0, id]);
        let rest = u32::from_be_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]) as usize - 4;
        let mut body = vec![0; rest];
        client.read_exact(&mut body).expect("it answers");
        if id % 3 == 0 {
            assert_eq!(rest, FILE_BYTES + 1);
            assert!(
                body[..FILE_BYTES] == content[..] && body[FILE_BYTES] == 9,
                "answer {id} is not the file"
            );
        } else {
            assert_eq!(rest, 0);
        }
    }
    runtime.block_on(server.shutdown(Duration::from_millis(50)));
    assert_eq!(client.read(&mut [0]).ok(), Some(0), "the connection is closed");
}
