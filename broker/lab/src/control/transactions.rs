//! `/transactions`: which are open, and their ends by hand.
//! Shell. Fence and abort are the requests of a producer; a timeout and a transaction that hangs are done behind the
//! handler, where no request does them.

use ottla_admin::Asked;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::describe_transactions_response::TransactionState;
use ottla_protocol::messages::{
    DescribeTransactionsRequest, EndTxnRequest, InitProducerIdRequest, ListTransactionsRequest,
    TransactionalId,
};
use serde_json::{Value as Json, json};

use super::offsets::{OF_TRANSACTIONS, coordinator};
use super::records::partition_count;
use super::reply::{self, Failed, Reply, fail, ok};
use super::reset::{LOOKS_MAX, wait};
use crate::bad::Bad;
use crate::behind::HangingWrite;
use crate::cluster::Cluster;
use crate::inside::ask;
use crate::words::{code_name, error_name};

const OPEN: &str = "Ongoing";
/// Of the producer that begins a transaction which hangs.
const TIMEOUT_MS: i32 = 60_000;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn broken(why: impl Into<String>) -> Failed {
    Failed::of(500, why)
}

fn unknown(id: &str) -> Failed {
    Failed::of(404, format!("there is no transactional id {id}"))
}

pub async fn all(cluster: &Cluster, asked: &Asked) -> Reply {
    reply::nothing_else(&reply::query(asked), "none")?;
    let listed = ask(cluster, 0, &ListTransactionsRequest::default()).await.map_err(broken)?;
    let mut ids: Vec<String> =
        listed.transaction_states.iter().map(|one| one.transactional_id.to_string()).collect();
    ids.sort();
    let mut shown = Vec::new();
    for id in ids {
        if let Some(found) = described(cluster, &id).await? {
            shown.push(show(&found));
        }
    }
    ok(json!({ "transactions": shown }))
}

pub async fn one(cluster: &Cluster, id: &str, asked: &Asked) -> Reply {
    reply::nothing_else(&reply::query(asked), "none")?;
    ok(show(&described(cluster, id).await?.ok_or_else(|| unknown(id))?))
}

fn show(found: &TransactionState) -> Json {
    let partitions = found.topics.iter().flat_map(|topic| {
        let name = topic.topic.to_string();
        topic.partitions.iter().map(move |partition| json!({ "topic": name, "partition": partition }))
    });
    let partitions: Vec<Json> = partitions.collect();
    json!({
        "transactional_id": found.transactional_id.to_string(),
        "state": found.transaction_state.to_string(),
        "producer_id": found.producer_id.0,
        "producer_epoch": found.producer_epoch,
        "timeout_ms": found.transaction_timeout_ms,
        "began": (found.transaction_start_time_ms >= 0).then_some(found.transaction_start_time_ms),
        "partitions": partitions,
    })
}

/// Nothing where no such id is known.
async fn described(cluster: &Cluster, id: &str) -> Result<Option<TransactionState>, Failed> {
    let ids = vec![TransactionalId(text(id))];
    let request = DescribeTransactionsRequest::default().with_transactional_ids(ids);
    let answer = ask(cluster, 0, &request).await.map_err(broken)?;
    let found = answer.transaction_states.into_iter().next().ok_or_else(|| broken("nothing was answered"))?;
    match code_name(found.error_code).as_str() {
        "NONE" => Ok(Some(found)),
        // Where no producer ever had an id there is no coordinator either.
        "TRANSACTIONAL_ID_NOT_FOUND" | "NOT_COORDINATOR" | "COORDINATOR_NOT_AVAILABLE" => Ok(None),
        other => Err(broken(format!("{id}: {other}"))),
    }
}

/// When its markers are written.
async fn ended(cluster: &Cluster, id: &str) -> Reply {
    let mut looks = 0;
    loop {
        let found = described(cluster, id).await?.ok_or_else(|| unknown(id))?;
        if !found.transaction_state.starts_with("Prepare") || looks == LOOKS_MAX {
            return ok(show(&found));
        }
        looks += 1;
        wait(cluster).await;
    }
}

pub async fn act(cluster: &Cluster, id: &str, act: &str, asked: &Asked) -> Reply {
    match act {
        "hang" => return hang(cluster, id, asked).await,
        "fence" | "abort" | "expire" => reply::words(asked, &[])?,
        other => return fail(404, format!("{other} is none of fence, abort, expire, hang")),
    };
    let found = described(cluster, id).await?.ok_or_else(|| unknown(id))?;
    if act == "fence" {
        begin_anew(cluster, &found.transactional_id, found.transaction_timeout_ms).await?;
        return ended(cluster, id).await;
    }
    let is_over =
        || Failed::of(409, format!("{id} has no open transaction: it is {}", found.transaction_state));
    if found.transaction_state.as_str() != OPEN {
        return Err(is_over());
    }
    if act == "expire" {
        let behind = cluster.behind().ok_or_else(|| broken("the cluster does not serve yet"))?;
        let timed_out = behind.time_out_transaction(id).await;
        if !timed_out.map_err(|error| Failed::of(409, error_name(error)))? {
            return Err(Failed::of(409, format!("no timeout ends the transaction of {id}")));
        }
        return ended(cluster, id).await;
    }
    let request = EndTxnRequest::default()
        .with_transactional_id(found.transactional_id.clone())
        .with_producer_id(found.producer_id)
        .with_producer_epoch(found.producer_epoch)
        .with_committed(false);
    match ask(cluster, 5, &request).await.map_err(broken)?.error_code {
        0 => ended(cluster, id).await,
        code => fail(409, format!("{id}: {}", code_name(code))),
    }
}

/// A producer of the same id begins: it fences the one that is there, and aborts what that has open. Its id and epoch.
pub async fn begin_anew(
    cluster: &Cluster,
    id: &TransactionalId,
    timeout_ms: i32,
) -> Result<(i64, i16), Failed> {
    let request = InitProducerIdRequest {
        transactional_id: Some(id.0.clone()),
        transaction_timeout_ms: timeout_ms,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    let mut looks = 0;
    loop {
        let answer = ask(cluster, 4, &request).await.map_err(broken)?;
        match code_name(answer.error_code).as_str() {
            "NONE" => return Ok((answer.producer_id, answer.producer_epoch)),
            // It is ending.
            "CONCURRENT_TRANSACTIONS" if looks < LOOKS_MAX => looks += 1,
            other => return Err(broken(format!("{}: {other}", id.0))),
        }
        wait(cluster).await;
    }
}

/// A record is written in a transaction that its coordinator does not know of: who reads committed records stays before it
/// until a marker comes.
async fn hang(cluster: &Cluster, id: &str, asked: &Asked) -> Reply {
    let body = reply::words(asked, &["topic", "partition", "value"])?;
    let topic =
        body.get("topic").and_then(Json::as_str).ok_or_else(|| Bad::new("topic", "the name of a topic"))?;
    let count = partition_count(cluster, topic, false).await;
    let count = count.map_err(|failed| Failed::bad(Bad::new("topic", failed.to_string())))?;
    let partition = body.get("partition").map_or(Some(0), Json::as_i64);
    let partition = partition.filter(|number| (0..i64::from(count)).contains(number));
    let why = || Bad::new("partition", format!("the topic has the partitions 0 to {}", count - 1));
    let partition = partition.ok_or_else(why)? as i32;
    let value = match body.get("value") {
        None => "",
        Some(Json::String(value)) => value,
        Some(_other) => return Err(Bad::new("value", "a text").into()),
    };
    coordinator(cluster, id, OF_TRANSACTIONS).await?;
    let (producer_id, producer_epoch) = begin_anew(cluster, &TransactionalId(text(id)), TIMEOUT_MS).await?;
    let behind = cluster.behind().ok_or_else(|| broken("the cluster does not serve yet"))?;
    let write = HangingWrite { topic, partition, producer_id, producer_epoch, value: value.as_bytes() };
    let offset = behind.write_hanging(write).map_err(|error| Failed::of(409, error_name(error)))?;
    ok(json!({
        "transactional_id": id, "producer_id": producer_id, "producer_epoch": producer_epoch,
        "topic": topic, "partition": partition, "offset": offset
    }))
}
