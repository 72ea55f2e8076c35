//! Consumers that wait at the end of one partition for more than it is given, while records are appended to it.
//! Shell: sockets, threads.

use std::io::Write as _;
use std::net::TcpStream;

use super::clients::Client;
use super::frames::{self, FetchFrame};
use super::load::{self, connect};
use super::scene::{Scale, Side, drive, with_peak};
use super::table::{Figure, Measured};
use super::workloads::{sides, with_fresh_topic};
use crate::broker::Against;
use crate::failure::{Outcome, While as _};

const ROW: &str = "parked-2000-consumers";
const CONSUMERS: usize = 2_000;
const APPENDS_PER_SECOND: u32 = 100;
const VALUE_BYTES: usize = 100;
/// More than is ever appended while they wait.
const BYTES_MIN: i32 = 50 << 20;
const WAIT_MS: i32 = 120_000;

/// What an append costs when all of them are parked: none has enough, so none is answered.
pub fn sides_of(scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    let consumers = scale.part(CONSUMERS);
    sides(of, &["max.connections.per.ip=10000"], |_| {
        Ok(with_fresh_topic(ROW, 1, move |broker, topic, span| {
            let produce = frames::produce(topic, 0, 1, &frames::batch(1, VALUE_BYTES));
            load::ask_once(broker.bootstrap(), &produce)?;
            let parked = park(broker.bootstrap(), topic, consumers)?;
            let paced = Client::Paced { frame: produce, per_second: APPENDS_PER_SECOND, reader: None };
            let load = drive(broker, vec![paced], span)?;
            drop(parked);
            let measured = Measured::of_requests(&load).with(Figure::CpuSeconds, load.broker_cpu_seconds);
            Ok(vec![(ROW, with_peak(measured, broker)?)])
        }))
    })
}

/// Each has sent its fetch; a broker reads them long before the ramp of the load is over.
fn park(address: &str, topic: &str, count: usize) -> Outcome<Vec<TcpStream>> {
    let mut fetch = FetchFrame::of_at_least(BYTES_MIN, topic, 0, BYTES_MIN, WAIT_MS);
    fetch.seek(1);
    let one = |_| {
        let mut stream = connect(address)?;
        stream.write_all(&fetch.frame.bytes).while_doing(|| "sending".to_owned())?;
        Ok(stream)
    };
    (0..count).map(one).collect()
}
